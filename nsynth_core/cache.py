"""The cache: embeddings and tables that were computed once, in a folder of the user, bounded in size.

A name in the cache is the hash of everything that decides the bytes: the source, the options, the weights of the
engine, the code of this program and the version of NumPy. So no entry is ever out of date, and clearing the cache loses
only time.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import platform
import re
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import TypeVar

from nsynth_core.errors import UserError

LIMIT = 2 << 30  # bytes; the least recently used go first
FOLDER = "MAKE_WAVETABLE_CACHE"  # environment: another place than the system's own for caches
PRUNE_EVERY = 64 << 20  # bytes this process writes between two looks at the whole
Value = TypeVar("Value")
_NAME = re.compile(r"[0-9a-f]{64}\.npz")
_written = 0


@dataclass(frozen=True)
class Info:
    """`folder`, and how much is in it."""

    folder: Path
    entries: int
    bytes: int
    limit: int = LIMIT


def folder() -> Path:
    """Where the cache is; it may not exist yet."""
    if given := os.environ.get(FOLDER):
        return Path(given)
    import platformdirs

    return Path(platformdirs.user_cache_dir("make-wavetable", appauthor=False))


def digest(*parts: object, packages: Sequence[str] = ("nsynth_core",)) -> str:
    """A name for a value in the cache: the SHA-256 of all that decides the value, 64 hexadecimal digits.

    parts: plain values, such as numbers, texts and lists of them
    packages: the Python packages whose code computes the value; their code, NumPy's version and the machine count, too

    >>> digest("table", 48.0) == digest("table", 48.0), digest("table", 48.0) == digest("table", 48.5)
    (True, False)
    """
    text = json.dumps([*parts, program(packages)], sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()


def remember(
    name: str, make: Callable[[], Value], save: Callable[[Path, Value], None], load: Callable[[Path], Value]
) -> Value:
    """The value called `name`: loaded from the cache, or made and saved there.

    name: of `digest`
    save: writes an .npz file and replaces an existing one
    load: raises UserError for a damaged file; the value is then made again

    A cache that cannot be written costs only time.
    """
    value = recall(name, load)
    if value is None:
        value = make()
        keep(name, value, save)
    return value


def recall(name: str, load: Callable[[Path], Value]) -> Value | None:
    """The value called `name`, or None where it is not kept, or damaged."""
    path = place(name)
    if path.exists():
        with contextlib.suppress(UserError, OSError):
            value = load(path)
            with contextlib.suppress(OSError):
                os.utime(path)  # used now: thrown away last
            return value
    return None


def keep(name: str, value: Value, save: Callable[[Path, Value], None]) -> None:
    """Keep a value, if the cache can be written."""
    path = place(name)
    with contextlib.suppress(UserError, OSError):
        save(path, value)
        _count(path.stat().st_size)


def place(name: str) -> Path:
    """Where the value called `name` is, or would be."""
    return folder() / name[:2] / f"{name}.npz"


def info() -> Info:
    """What is in the cache."""
    sizes = [size for _, size, _ in _entries()]
    return Info(folder(), len(sizes), sum(sizes))


def clear() -> Info:
    """Empty the cache; what was in it. Only its own files are removed."""
    before = info()
    for part in folder().glob("[0-9a-f][0-9a-f]"):
        shutil.rmtree(part, ignore_errors=True)
    with contextlib.suppress(OSError):
        folder().rmdir()  # stays where anything else is in it
    return before


def prune(limit: int = LIMIT) -> None:
    """Remove the least recently used until a tenth of `limit` bytes is free, if the cache has grown above it."""
    entries = sorted(_entries())
    total = sum(size for _, size, _ in entries)
    if total <= limit:
        return
    for _, size, path in entries:
        with contextlib.suppress(OSError):
            path.unlink()
            total -= size
        if total <= 0.9 * limit:
            break


def _entries() -> list[tuple[float, int, Path]]:
    """(last use, bytes, path) of every file."""
    found = []
    for path in folder().glob("[0-9a-f][0-9a-f]/*"):
        with contextlib.suppress(OSError):  # another process may remove it now
            stat = path.stat()
            found.append((stat.st_mtime if _NAME.fullmatch(path.name) else 0.0, stat.st_size, path))
    return found


def _count(size: int) -> None:
    global _written
    _written += size
    if _written >= PRUNE_EVERY:
        _written = 0
        prune()


def program(packages: Sequence[str] = ("nsynth_core",)) -> list[str]:
    """The hash of the code in `packages`, and what else decides the last bits of what it computes."""
    import numpy as np

    from nsynth_core.harmonic.runtime import NUMPY, runtime_name

    # LiteRT goes without saying: what it computed before there was another runtime stays in the cache
    runtime = [NUMPY] if runtime_name() == NUMPY else []
    return [_code(tuple(packages)), np.__version__, platform.machine(), *runtime]


@lru_cache(maxsize=8)
def _code(packages: tuple[str, ...]) -> str:
    digest_ = hashlib.sha256()
    for package in packages:
        spec = find_spec(package)
        for folder_ in (spec.submodule_search_locations or ()) if spec else ():
            for path in sorted(Path(folder_).rglob("*.py")):
                digest_.update(path.name.encode() + b"\0" + path.read_bytes())
    return digest_.hexdigest()
