"""Files appear whole or not at all, and never in the place of another unasked."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from nsynth_core.errors import UserError


def check_free(path: Path, force: bool) -> None:
    """Raise UserError when `path` is a folder, or exists and `force` is false. Call it before long work, too."""
    if path.is_dir():
        raise UserError(f"{path} is a folder; give -o the name of a file")
    if path.exists() and not force:
        raise UserError(f"{path} exists already; choose another -o or add --force")


def check_no_source(target: Path, sources: Iterable[Path]) -> None:
    """Raise UserError when `target` is one of the files it is made from. No recording is ever replaced."""
    for source in sources:
        if target.exists() and source.exists() and target.samefile(source):
            raise UserError(f"{source} would be replaced by what is made from it")


@contextmanager
def atomic(path: str | os.PathLike[str], force: bool = False) -> Iterator[Path]:
    """Give a temporary path beside `path` to write to; on success it is renamed to `path`, on failure removed.

    Missing parent folders are made. Raises UserError when the place cannot be written or `path` exists (unless
    `force`).
    """
    target = Path(path)
    check_free(target, force)
    # the suffix is kept: libsndfile and others choose the format by it
    temporary = target.with_name(f".{target.stem}.{os.urandom(4).hex()}.part{target.suffix}")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        temporary.touch()
    except OSError as error:
        raise UserError(f"cannot write {target}: {error.strerror}; choose another -o") from error
    try:
        yield temporary
        check_free(target, force)
        os.replace(temporary, target)
    except OSError as error:
        raise UserError(f"cannot write {target}: {error.strerror or error}") from error
    finally:
        temporary.unlink(missing_ok=True)
