"""Writing files atomically and without replacing others, hashes of files, and names that Windows reserves."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from nsynth_core.errors import FileExists, NotWritable, UserError

_RESERVED = re.compile(r"con|prn|aux|nul|conin\$|conout\$|clock\$|(com|lpt)[0-9¹²³]", re.IGNORECASE)


def check_free(path: Path, force: bool) -> None:
    """Check that a file may be written to `path`. Call this before long work, too.

    Raises NotWritable when `path` is a folder, and FileExists when a file is there and `force` is false.
    """
    if path.is_dir():
        raise NotWritable(path, "it is a folder")
    if path.exists() and not force:
        raise FileExists(path)


def check_no_source(target: Path, sources: Iterable[Path]) -> None:
    """Raise NotWritable when `target` is one of the files it is made from. No recording is ever replaced."""
    for source in sources:
        if target.exists() and source.exists() and target.samefile(source):
            raise NotWritable(source, "it would be replaced by what is made from it")


@contextmanager
def atomic(path: str | os.PathLike[str], force: bool = False) -> Iterator[Path]:
    """Give a temporary path beside `path` to write to. On success it is renamed to `path`, on failure it is removed.

    Missing parent folders are made. Raises NotWritable when the place cannot be written, and FileExists when a file is
    there and `force` is false.
    """
    target = Path(path)
    check_free(target, force)
    # the suffix is kept, because libsndfile and other libraries choose the format by it
    temporary = target.with_name(f".{target.stem}.{os.urandom(4).hex()}.part{target.suffix}")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        temporary.touch()
    except OSError as error:
        raise NotWritable(target, error.strerror or str(error)) from error
    try:
        yield temporary
        check_free(target, force)
        os.replace(temporary, target)
    except OSError as error:
        raise NotWritable(target, error.strerror or str(error)) from error
    finally:
        temporary.unlink(missing_ok=True)


def sha256(path: Path) -> str:
    """The SHA-256 of a file's bytes, 64 hexadecimal digits. Raises UserError when the file cannot be read."""
    digest = hashlib.sha256()
    try:
        with path.open("rb") as file:
            while block := file.read(1 << 20):
                digest.update(block)
    except FileNotFoundError:
        raise UserError("no such file", path=path) from None
    except OSError as error:
        raise UserError(f"cannot be read: {error.strerror}", path=path) from error
    return digest.hexdigest()


def is_reserved_name(name: str) -> bool:
    """True for a file name that Windows keeps for a device. Letter case and suffixes do not count.

    >>> [is_reserved_name(name) for name in ("con", "NUL.wav", "com1", "concert")]
    [True, True, True, False]
    """
    return _RESERVED.fullmatch(name.split(".")[0].strip()) is not None
