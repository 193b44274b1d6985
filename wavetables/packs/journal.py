"""What of a pack is done already: written as it is made, read again after a crash, and locked against a second run.

`.pack-in-progress` stands in the pack's folder while it is made: a line of JSON for every finished item. When the pack
is whole its place is taken by pack.json, which holds the same facts.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from nsynth_core.errors import UserError

NAME, MANIFEST = ".pack-in-progress", "pack.json"
LEFTOVER = re.compile(r"\..*\.[0-9a-f]{8}\.part(\.\w+)?")  # of nsynth_core.files.atomic, killed
LOCKED_BYTE = 1 << 40  # beyond the text: Windows locks what it locks against reading, too
Facts = dict[str, Any]


class Journal:
    """`done`: the facts of finished items by their key, on disk as soon as they are added. `before`: what pack.json
    held when the run began, empty where there was none."""

    def __init__(self, file: IO[bytes], folder: Path):
        self._file = file
        file.seek(0)
        data = file.read()
        whole = data[: data.rfind(b"\n") + 1]  # the last line of a run that was killed may be torn
        file.truncate(len(whole))
        self.before: Facts = manifest(folder) if (folder / MANIFEST).exists() else {}
        known = [*self.before.get("items", []), *map(json.loads, whole.splitlines())]
        self.done: dict[str, Facts] = {facts["key"]: facts for facts in known}
        self.empty = not whole

    def add(self, facts: Facts) -> None:
        """An item is finished."""
        self._file.seek(0, os.SEEK_END)
        self._file.write(json.dumps(facts).encode() + b"\n")
        self._file.flush()
        self.empty = False


@contextmanager
def opened(folder: Path) -> Iterator[Journal]:
    """The journal of the pack in `folder`, which is made. It is this run's alone: raises UserError when another one
    holds it. Removed at the end, unless the run fails with some items done."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        file = _alone(folder)
    except OSError as error:
        raise UserError(f"cannot write {folder}: {error.strerror}; choose another -o") from error
    useless = True
    try:
        for path in folder.rglob(".*"):
            if LEFTOVER.fullmatch(path.name):
                path.unlink(missing_ok=True)
        journal = Journal(file, folder)
        try:
            yield journal
        except BaseException:
            useless = journal.empty and (bool(journal.before) or all(path.name == NAME for path in folder.iterdir()))
            raise
    finally:
        if sys.platform == "win32":  # which removes no open file
            file.close()
        if useless:  # elsewhere while it is locked: who opened it meanwhile sees that it is gone
            (folder / NAME).unlink(missing_ok=True)
        file.close()
        with contextlib.suppress(OSError):
            folder.rmdir()  # where nothing was made


def manifest(folder: Path) -> Facts:
    """pack.json of a finished pack. Raises UserError: there is none, or it is something else."""
    path = folder / MANIFEST
    try:
        data: Facts = json.loads(path.read_text(encoding="utf-8"))
        files = [
            path for facts in data["items"] if facts["key"] for path in (*facts["files"], *facts["tables"].values())
        ]
        files += data["files"]
        if not all(isinstance(path, str) and is_below(path) for path in files):
            raise ValueError
        return data
    except FileNotFoundError:
        raise UserError(f"{folder}: no pack (it holds no {MANIFEST}); make one with 'make-wavetable pack'") from None
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise UserError(f"{path}: not the manifest of a pack; make the pack again") from error


def is_below(path: str) -> bool:
    """True for a path that cannot leave the folder it is put in, on any system."""
    parts = path.replace("\\", "/").split("/")
    return not any(part in ("", ".", "..") or ":" in part for part in parts)


def _alone(folder: Path) -> IO[bytes]:
    while True:
        file = (folder / NAME).open("a+b")
        try:
            _lock(file)
        except OSError:
            file.close()
            raise UserError(f"{folder}: another run is making this pack; wait for it, or choose another -o") from None
        # the run before may have removed the file between our opening and our locking it
        with contextlib.suppress(FileNotFoundError):
            if os.path.samestat(os.fstat(file.fileno()), os.stat(folder / NAME)):
                return file
        file.close()


def _lock(file: IO[bytes]) -> None:
    """The system's own lock: it goes with the process, however that ends."""
    if sys.platform == "win32":
        import msvcrt

        file.seek(LOCKED_BYTE)
        msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
    else:
        import fcntl

        fcntl.flock(file.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)
