"""The journal of a pack: which items are finished. It survives a crash, and locks the pack against a second run.

`.pack-in-progress` is in the pack's folder while the pack is made. It has a line of JSON for every finished item. When
the pack is whole, pack.json takes its place and holds the same facts.
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

from nsynth_core.errors import NotWritable, UserError
from wavetables.packs.errors import NoPack, PackInUse

NAME, MANIFEST = ".pack-in-progress", "pack.json"
LEFTOVER = re.compile(r"\..*\.[0-9a-f]{8}\.part(\.\w+)?")  # temporary files of nsynth_core.files.atomic
LOCKED_BYTE = 1 << 40  # behind the text, because on Windows nobody can read a locked byte
Facts = dict[str, Any]


class Journal:
    """The finished items of a pack.

    done: the facts of each item by its key; on disk as soon as they are added
    before: what pack.json held when the run began, empty where there was none
    empty: whether no item was finished since then
    """

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
        """Note that an item is finished."""
        self._file.seek(0, os.SEEK_END)
        self._file.write(json.dumps(facts).encode() + b"\n")
        self._file.flush()
        self.empty = False


@contextmanager
def opened(folder: Path) -> Iterator[Journal]:
    """The journal of the pack in `folder`; the folder is made where it is missing.

    The journal is removed at the end, unless the run fails with some items finished. Raises PackInUse when another run
    holds it, and NotWritable.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        file = _lock_journal(folder)
    except OSError as error:
        raise NotWritable(folder, error.strerror or str(error)) from error
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
        if useless:  # on other systems while it is locked, so that whoever waits for it sees that it is gone
            (folder / NAME).unlink(missing_ok=True)
        file.close()
        with contextlib.suppress(OSError):
            folder.rmdir()  # only where it is empty: nothing was made


def manifest(folder: Path) -> Facts:
    """What pack.json of a finished pack holds. Raises NoPack when there is none, UserError when it is something else.

    Every path in it stays below the pack's folder, so that a manifest from elsewhere can do no harm.
    """
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
        raise NoPack(f"no pack (it holds no {MANIFEST})", path=folder) from None
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise UserError("not the manifest of a pack; make the pack again", path=path) from error


def is_below(path: str) -> bool:
    r"""True for a path that stays below the folder it is put in, on any system.

    >>> is_below("Serum/Keys/A.wav"), is_below("../A.wav"), is_below("C:\\A.wav")
    (True, False, False)
    """
    parts = path.replace("\\", "/").split("/")
    return not any(part in ("", ".", "..") or ":" in part for part in parts)


def _lock_journal(folder: Path) -> IO[bytes]:
    """The open file of the journal, locked. Raises PackInUse."""
    while True:
        file = (folder / NAME).open("a+b")
        try:
            _lock(file)
        except OSError:
            file.close()
            raise PackInUse(folder) from None
        # an earlier run may have removed the file after it was opened here and before it was locked
        with contextlib.suppress(FileNotFoundError):
            if os.path.samestat(os.fstat(file.fileno()), os.stat(folder / NAME)):
                return file
        file.close()


def _lock(file: IO[bytes]) -> None:
    """Lock with the system's own lock, which ends with the process. Raises OSError."""
    if sys.platform == "win32":
        import msvcrt

        file.seek(LOCKED_BYTE)
        msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
    else:
        import fcntl

        fcntl.flock(file.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)
