"""Tables of recordings as they arrive in a folder.

The folder is looked at again and again. That works on network and cloud folders, too, where the system sends no
notices; and only a second look shows that a file is finished.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from nsynth_core.errors import NotWritable, UsageError, UserError
from wavetables.formats import registry
from wavetables.importing import import_sound
from wavetables.packs import names
from wavetables.packs.plan import FORMATS, check_choice
from wavetables.sources import SOURCE_SUFFIXES
from wavetables.table import Table

EVERY = 1.0  # seconds between two looks; a program that writes a file adds to it more often
Mark = tuple[int, int]  # size and time of the last change


@dataclass(frozen=True)
class Watched:
    """What became of a recording that arrived.

    source: the recording
    files: its tables, one for each format
    table: the table that was written, None where there was one already, or `error` says why there is none
    """

    source: Path
    files: tuple[Path, ...]
    table: Table | None = None
    error: UserError | None = None


def default_output(folder: Path) -> Path:
    """The folder of the tables of a watched folder: beside it, with "-tables" behind its name."""
    return folder.resolve().with_name(f"{folder.resolve().name}-tables")


def check_watch(folder: Path, output: Path, formats: Sequence[str]) -> None:
    """Check what `watch_folder` needs. Raises UserError: no such folder. Raises NotWritable: the output is within it.
    Raises UsageError: an unknown format, or two formats that would be one file."""
    for name in formats:
        check_choice(name, FORMATS, "format")
    suffixes = [registry.FORMATS[name].suffix for name in formats]
    twice = next((suffix for suffix in suffixes if suffixes.count(suffix) > 1), None)
    if twice is not None:
        raise UsageError(f"formats {','.join(formats)}: two of them would be one {twice} file; watch with one of them")
    if not folder.is_dir():
        raise UserError("no such folder; make it, then drop recordings into it", path=folder)
    if output.resolve().is_relative_to(folder.resolve()):
        raise NotWritable(output, f"it lies in {folder}, so its tables would be taken for recordings")


def watch_folder(
    folder: str | Path,
    output: str | Path | None = None,
    *,
    formats: Sequence[str] = ("serum",),
    pitch: float | None = None,
    frames: int | None = None,
    force: bool = False,
    every: float = EVERY,
) -> Iterator[Watched]:
    """Make a table of every recording that is in a folder or comes into it, and again when it changes.

    folder: where recordings arrive, subfolders included
    output: where the tables go, by default beside the folder, with "-tables" behind its name
    formats: names of wavetables.packs.plan.FORMATS, each with a suffix of its own
    pitch: MIDI number of all recordings; None: the pitch of each is found
    frames: the most frames of a table, 1..256
    force: replace tables that exist; without it, a recording that has its tables already is left alone
    every: seconds between two looks
    Gives each recording after its tables were written, or why there are none. Ends only with a UserError, when the
    folder is gone, or when the caller stops. Raises what `check_watch` raises.

    >>> import tempfile
    >>> from nsynth_core import audio
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     audio.write(Path(folder, "in", "a3.wav"), audio.sine(220.0))
    ...     watched = next(watch_folder(Path(folder, "in"), frames=4, every=0.01))
    >>> watched.table.frames.shape, watched.files[0].name
    ((4, 2048), 'a3.wav')
    """
    place, target = Path(folder), default_output(Path(folder)) if output is None else Path(output)
    check_watch(place, target, formats)
    for path in arrivals(place, every):
        stem = target / path.relative_to(place).parent / names.safe(path.stem)
        files = tuple(stem.with_name(stem.name + registry.FORMATS[name].suffix) for name in formats)
        if not force and all(file.exists() for file in files):
            yield Watched(path, files)
            continue
        try:
            table = import_sound(path, pitch, frames)
            for name, file in zip(formats, files, strict=True):
                registry.write(file, table, force, name)
        except UserError as error:
            yield Watched(path, files, error=error)
        else:
            yield Watched(path, files, table)


def look(folder: Path) -> dict[Path, Mark]:
    """Every recording in `folder` and below, and the size and time of its last change. Hidden ones are left out."""
    marks = {}
    for place, folders, files in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(files):
            path = Path(place, name)
            if path.suffix.lower() in SOURCE_SUFFIXES and not name.startswith("."):
                try:
                    stat = path.stat()
                except OSError:  # gone again
                    continue
                marks[path] = (stat.st_size, stat.st_mtime_ns)
    return marks


def arrivals(folder: Path, every: float = EVERY) -> Iterator[Path]:
    """Each recording that is in `folder` or comes into it, once it did not change between two looks, and again when it
    has changed. Ends only with a UserError, when the folder is gone."""
    taken: dict[Path, Mark] = {}
    before: dict[Path, Mark] = {}
    while True:
        if not folder.is_dir():
            raise UserError("gone while it was watched; make it again, then watch it again", path=folder)
        now = look(folder)
        taken = {path: mark for path, mark in taken.items() if path in now}
        for path, mark in now.items():
            if before.get(path) == mark != taken.get(path) and mark[0] > 0:
                taken[path] = mark
                yield path
        before = now
        time.sleep(every)
