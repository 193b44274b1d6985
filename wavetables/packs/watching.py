"""Recordings as they arrive in a folder. Looked for, not notified of: that works on network and cloud folders as well,
and whether a file is finished can only be seen by looking at it twice."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path

from nsynth_core.errors import UserError
from wavetables.sources import SOURCE_SUFFIXES

EVERY = 1.0  # seconds between two looks; a program that writes does so more often
Mark = tuple[int, int]  # size and time of the last change


def look(folder: Path) -> dict[Path, Mark]:
    """Every recording in `folder` and below, hidden ones left out."""
    found = {}
    for place, folders, files in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(files):
            path = Path(place, name)
            if path.suffix.lower() in SOURCE_SUFFIXES and not name.startswith("."):
                try:
                    stat = path.stat()
                except OSError:  # gone again
                    continue
                found[path] = (stat.st_size, stat.st_mtime_ns)
    return found


def arrivals(folder: Path, every: float = EVERY) -> Iterator[Path]:
    """Each recording that is in `folder` or comes into it, once it has stayed as it is between two looks; again when it
    has changed. Ends only with a UserError, when the folder is gone."""
    taken: dict[Path, Mark] = {}
    before: dict[Path, Mark] = {}
    while True:
        if not folder.is_dir():
            raise UserError(f"{folder}: gone while it was watched; make it again, then watch it again")
        now = look(folder)
        taken = {path: mark for path, mark in taken.items() if path in now}
        for path, mark in now.items():
            if before.get(path) == mark != taken.get(path) and mark[0] > 0:
                taken[path] = mark
                yield path
        before = now
        time.sleep(every)
