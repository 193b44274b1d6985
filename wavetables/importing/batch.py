"""Files and folders of sounds become table files, many at once over the processor's cores."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from types import MappingProxyType

from nsynth_core.audio import Length, length_of
from nsynth_core.errors import UserError
from nsynth_core.files import check_free, check_no_source
from nsynth_core.parallel import in_processes
from wavetables import TABLE_SUFFIXES
from wavetables.formats import registry
from wavetables.importing import targets
from wavetables.importing.result import Facts, Imported
from wavetables.importing.settings import Settings
from wavetables.importing.tables import import_tables, join
from wavetables.table import Table

MANY_FILES = 5  # from this number on, starting other processes saves time
NOTHING: Mapping[str, str] = MappingProxyType({})


@dataclass(frozen=True)
class WrittenTable:
    """One table that was written.

    outputs: its files, one for each format, in the order of the formats; picture: a PNG beside them, None without one
    part: tells it from others of the same source, as in Imported
    frames: their number; root_pitch: MIDI number, None where unknown
    facts: what was decided
    """

    outputs: tuple[Path, ...]
    picture: Path | None
    part: str
    frames: int
    root_pitch: float | None
    facts: Facts


@dataclass(frozen=True)
class ImportedFile:
    """What became of one source, or of several that were joined.

    sources: the files; length: whether the header of a single sound file declares its true length
    tables: those that were written
    error: why there are no more, None where all is well
    """

    sources: tuple[Path, ...]
    tables: tuple[WrittenTable, ...] = ()
    length: Length = Length.TRUE
    error: UserError | None = None

    @property
    def source(self) -> Path:
        """The file, or the folder of the first of several."""
        return self.sources[0] if len(self.sources) == 1 else self.sources[0].parent


@dataclass(frozen=True)
class Job:
    """One file, or several that are joined, and how: all that another process needs to know. `provenance` is what the
    tables say of their origin beside what was found, None where they say nothing."""

    sources: tuple[Path, ...]
    target: Path
    settings: Settings
    suffixes: Mapping[str, str]
    join: bool
    picture: bool
    provenance: Mapping[str, str] | None
    force: bool


@dataclass(frozen=True)
class Batch:
    """The files of an import. `len()` is their number. Iterating imports them, and gives an ImportedFile for each, in
    order, as soon as it is done."""

    jobs: tuple[Job, ...]

    def __len__(self) -> int:
        return len(self.jobs)

    def __iter__(self) -> Iterator[ImportedFile]:
        workers = None if len(self.jobs) >= MANY_FILES else 1
        yield from in_processes([partial(run, job) for job in self.jobs], workers)


def import_files(
    sources: Sequence[str | os.PathLike[str]],
    output: str | os.PathLike[str] | None = None,
    settings: Settings | None = None,
    *,
    formats: Sequence[str] | None = None,
    join: bool = False,
    pictures: bool = False,
    provenance: Mapping[str, str] | None = NOTHING,
    command: Callable[[Sequence[Path]], str] | None = None,
    force: bool = False,
) -> Batch:
    """Import sound files, and folders of them, and write the tables.

    sources: files and folders; folders are searched, with all folders in them
    output: the file of a single table; a folder for several. Default for one source: its name and "-table.wav" in the
        current folder
    settings: how a sound becomes tables, see Settings
    formats: names in registry.FORMATS, one file for each. Default: the one that `output` ends in, else "serum"
    join: make one table with a frame of each file
    pictures: write a PNG beside each table; needs matplotlib
    provenance: text by key that each table says of its origin, such as "author", beside its source, its pitch and the
        program. None: the tables say nothing of their origin.
    command: gives the text under the key "command" for the files of a table
    force: replace files that exist. Sources are never replaced.

    Nothing is done until the result is iterated. An error of one file ends up in its ImportedFile; the others go on.
    Raises UsageError: formats that would write the same file, an output that does not end in the format's suffix,
    several sources without a folder. Raises UserError: a folder without sounds.

    >>> import tempfile
    >>> from nsynth_core import audio
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     audio.write(Path(folder) / "a3.wav", audio.sine(220.0))
    ...     for file in import_files([folder], Path(folder) / "tables", Settings(frames=8)):
    ...         print(file.source.name, file.error, [table.frames for table in file.tables])
    a3.wav None [8]
    """
    settings = settings or Settings()
    paths = [Path(source) for source in sources]
    place = None if output is None else Path(output)
    suffixes = targets.suffixes(formats, place)
    if pictures:
        from wavetables.importing.picture import check_plot

        check_plot()
    endings = tuple(suffixes.values())
    groups = [targets.joined(paths, place, endings)] if join else targets.each(paths, place, endings, settings.split)
    jobs = []
    for files, target in groups:
        origin = None if provenance is None else dict(provenance)
        if origin is not None and command is not None:
            origin["command"] = command(files)
        jobs.append(Job(files, target, settings, suffixes, join, pictures, origin, force))
    return Batch(tuple(jobs))


def run(job: Job) -> ImportedFile:
    """Import and write the tables of one job. Nothing is raised for bad files: see ImportedFile.error."""
    written: list[WrittenTable] = []
    length = Length.TRUE
    try:
        _check(job, job.target)
        if job.join:
            tables = [join(job.sources, job.settings, job.target.stem)]
        else:
            tables = import_tables(job.sources[0], job.settings)
            length = _length(job.sources[0])
        for imported in tables:
            written.append(_write(job, imported))
    except UserError as error:
        return ImportedFile(job.sources, tuple(written), length, error)
    return ImportedFile(job.sources, tuple(written), length)


def _length(source: Path) -> Length:
    if source.suffix.lower() in TABLE_SUFFIXES:
        return Length.TRUE
    with contextlib.suppress(OSError, RuntimeError):  # the file may be gone by now; its samples were read
        return length_of(source)
    return Length.TRUE


def _check(job: Job, target: Path) -> None:
    """Raise UserError where `target`, in any format, is a source or exists."""
    for suffix in (*job.suffixes.values(), *([".png"] * job.picture)):
        check_no_source(target.with_suffix(suffix), job.sources)
        check_free(target.with_suffix(suffix), job.force)


def _write(job: Job, imported: Imported) -> WrittenTable:
    """Write one table in every format."""
    part = f"-{imported.part}" if imported.part else ""
    target = job.target.with_name(f"{job.target.stem}{part}{job.target.suffix}")
    _check(job, target)
    table = imported.table
    bare = Table(table.frames, table.name)
    if job.provenance is not None:
        # a table that was one already has its own command; author and licence are the user's to say
        credits = {key: text for key, text in job.provenance.items() if key != "command"}
        bare = replace(table, provenance={**job.provenance, **table.provenance, **credits})
    outputs = tuple(target.with_suffix(suffix) for suffix in job.suffixes.values())
    for name, path in zip(job.suffixes, outputs, strict=True):
        registry.write(path, bare, job.force, name)
    picture = None
    if job.picture:
        from wavetables.importing.picture import write_picture

        picture = target.with_suffix(".png")
        write_picture(picture, imported, job.force)
    return WrittenTable(outputs, picture, imported.part, len(table.frames), table.root_pitch, imported.facts)
