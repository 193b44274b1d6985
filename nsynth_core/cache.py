"""The cache: computed embeddings and tables, in a folder of the user, bounded in size.

The name of an entry is the hash of everything that decides its bytes: the source, the options, the weights of the
engine, the code of this program and the version of NumPy. So no entry is ever out of date, and clearing the cache costs
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

LIMIT = 2 << 30  # bytes; the least recently used entries are removed first
FOLDER = "MAKE_WAVETABLE_CACHE"  # environment variable: another folder than the system's folder for caches
PRUNE_EVERY = 64 << 20  # bytes that this process writes between two checks of the size
Value = TypeVar("Value")
_NAME = re.compile(r"[0-9a-f]{64}\.npz")
_written = 0


@dataclass(frozen=True)
class Info:
    """The folder of the cache, the number of its entries, and their size in bytes."""

    folder: Path
    entries: int
    bytes: int
    limit: int = LIMIT


def folder() -> Path:
    """The folder of the cache. It may not exist yet."""
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
    """Load the value called `name` from the cache, or make it and save it there.

    name: a result of `digest`
    make: computes the value
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
    """The value called `name`; None where it is not in the cache, or damaged."""
    path = place(name)
    if path.exists():
        with contextlib.suppress(UserError, OSError):
            value = load(path)
            with contextlib.suppress(OSError):
                os.utime(path)  # marks it as used now
            return value
    return None


def keep(name: str, value: Value, save: Callable[[Path, Value], None]) -> None:
    """Save a value. Does nothing where the cache cannot be written."""
    path = place(name)
    with contextlib.suppress(UserError, OSError):
        save(path, value)
        _count(path.stat().st_size)


def place(name: str) -> Path:
    """The path of the value called `name`, whether it exists or not."""
    return folder() / name[:2] / f"{name}.npz"


def info() -> Info:
    """Measure the cache."""
    sizes = [size for _, size, _ in _entries()]
    return Info(folder(), len(sizes), sum(sizes))


def clear() -> Info:
    """Empty the cache, and return its size before. Files that are not its own stay."""
    before = info()
    for part in folder().glob("[0-9a-f][0-9a-f]"):
        shutil.rmtree(part, ignore_errors=True)
    with contextlib.suppress(OSError):
        folder().rmdir()  # fails where other files are in it
    return before


def prune(limit: int = LIMIT) -> None:
    """Where the cache is larger than `limit` bytes, remove its least recently used entries down to 90 % of it."""
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
    """The time of last use, the size in bytes and the path of every entry."""
    entries = []
    for path in folder().glob("[0-9a-f][0-9a-f]/*"):
        with contextlib.suppress(OSError):  # another process may remove it now
            stat = path.stat()
            entries.append((stat.st_mtime if _NAME.fullmatch(path.name) else 0.0, stat.st_size, path))
    return entries


def _count(size: int) -> None:
    """Note that `size` bytes were written, and prune the cache from time to time."""
    global _written
    _written += size
    if _written >= PRUNE_EVERY:
        _written = 0
        prune()


def program(packages: Sequence[str] = ("nsynth_core",)) -> list[str]:
    """What else decides the last bits of a value: the code of `packages`, NumPy, the machine and the runtime."""
    import numpy as np

    from nsynth_core.harmonic.runtime import NUMPY, runtime_name

    # LiteRT adds nothing, so that entries from before there was another runtime stay valid
    runtime = [NUMPY] if runtime_name() == NUMPY else []
    return [_code(tuple(packages)), np.__version__, platform.machine(), *runtime]


@lru_cache(maxsize=8)
def _code(packages: tuple[str, ...]) -> str:
    """The SHA-256 of the names and the text of all Python files in `packages`."""
    digest_ = hashlib.sha256()
    for package in packages:
        spec = find_spec(package)
        for folder_ in (spec.submodule_search_locations or ()) if spec else ():
            for path in sorted(Path(folder_).rglob("*.py")):
                digest_.update(path.name.encode() + b"\0" + path.read_bytes())
    return digest_.hexdigest()
