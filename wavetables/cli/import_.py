"""make-wavetable import: a recording becomes a table for a synth."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from nsynth_core.errors import UsageError, UserError
from nsynth_core.files import check_free
from nsynth_core.parallel import WorkerKilled, in_processes
from wavetables import SUFFIXES, TABLE_SUFFIXES
from wavetables.cli.common import (
    Author,
    Force,
    Frames,
    Json,
    Licence,
    Pitch,
    Provenance,
    Quiet,
    check_choice,
    check_no_source,
    count,
    emit,
    length_remark,
    pitch_of,
    progress,
    say,
)

if TYPE_CHECKING:
    from wavetables.importing.decision import Imported, Settings

MANY_FILES = 5  # from here on starting other processes pays
Words = dict[str, object]


@dataclass(frozen=True)
class Job:
    """One file, or several that are joined, and how: everything another process needs to know. `told` is what the
    tables say of their origin beside what was found out, None where they are to say nothing."""

    sources: tuple[Path, ...]
    target: Path
    settings: Settings
    kinds: dict[str, str]
    joined: bool
    plot: bool
    told: dict[str, str] | None
    force: bool


@dataclass(frozen=True)
class Done:
    """What became of a job: lines for the user, a line for each table, or why there is none."""

    said: list[str] = field(default_factory=list)
    explained: list[str] = field(default_factory=list)
    results: list[Words] = field(default_factory=list)
    error: UserError | None = None


def import_(
    context: typer.Context,
    sources: Annotated[list[str], typer.Argument(metavar="SOURCE", hidden=True)],
    output: Annotated[
        Path | None, typer.Option("--output", "-o", metavar="OUT", help="A .wav file, or a folder for several sources.")
    ] = None,
    pitch: Pitch = None,
    octave: Annotated[
        int, typer.Option(min=-5, max=5, metavar="N", help="Octaves to move the pitch by, e.g. +1 or -1.")
    ] = 0,
    span: Annotated[
        str | None, typer.Option("--range", metavar="LOW:HIGH", help="Look for the pitch within, e.g. C2:C5.")
    ] = None,
    frames: Frames = None,
    spacing: Annotated[str, typer.Option(metavar="RULE", help="Frames even in time, or in timbre (even).")] = "time",
    start: Annotated[float | None, typer.Option(min=0, metavar="SECONDS", help="Frames from here on.")] = None,
    end: Annotated[float | None, typer.Option(min=0, metavar="SECONDS", help="Frames up to here.")] = None,
    phase: Annotated[
        str, typer.Option(metavar="RULE", help="align (fundamentals), sine (all harmonics), source or minimum.")
    ] = "align",
    average: Annotated[
        str, typer.Option(metavar="N", help="Periods averaged into a frame, 1 to 64; off; auto (what serves).")
    ] = "auto",
    level: Annotated[
        str, typer.Option(metavar="RULE", help="One gain a table, one a frame, keep, or frames of one loudness.")
    ] = "table",
    stereo: Annotated[
        str, typer.Option(metavar="CHANNEL", help="mid, left or right; ms and lr make pairs that fit each other.")
    ] = "mid",
    split: Annotated[bool, typer.Option("--split", help="One table for each note of a file.")] = False,
    joined: Annotated[bool, typer.Option("--join", help="One table with a frame of each file.")] = False,
    unpitched: Annotated[bool, typer.Option("--unpitched", help="Windows of a sound that has no pitch.")] = False,
    plot: Annotated[bool, typer.Option("--plot", help="A picture beside each table: pitch found, frames.")] = False,
    explain: Annotated[bool, typer.Option("--explain", help="Say in plain words what was decided.")] = False,
    formats: Annotated[
        str | None,
        typer.Option("--format", metavar="NAME,...", help="One file for each: serum (default), vital, wt, hive ..."),
    ] = None,
    author: Author = None,
    licence: Licence = None,
    provenance: Provenance = True,
    force: Force = False,
    quiet: Quiet = False,
    as_json: Json = False,
) -> int:
    """Turn recordings into wavetables.

    A SOURCE is a sound file or a folder of them. Its pitch is found, unless it is given, and its cycles become frames.

    \b
    make-wavetable import note.wav -o table.wav
    make-wavetable import recordings/ -o tables/ --frames 64
    make-wavetable import scale.wav -o tables/ --split
    make-wavetable import cycles/ -o table.wav --join
    """
    from wavetables import provenance as recipe
    from wavetables.importing.decision import Settings

    if unpitched and (pitch or octave or span):
        raise UsageError("--unpitched looks for no pitch; leave out --pitch, --octave and --range")
    if pitch and span:
        raise UsageError("--pitch says it all; leave out --range")
    low, high = _range(span)
    settings = Settings(
        pitch=pitch_of(pitch),
        octave=octave,
        low_hz=low,
        high_hz=high,
        frames=frames,
        phase=phase,
        average=_average(average),
        spacing=spacing,
        start=start,
        end=end,
        level=level,
        stereo=stereo,
        unpitched=unpitched,
        split=split,
    )
    if plot:
        from wavetables.importing.picture import check_plot

        check_plot()
    kinds = _kinds(formats, output)
    found = [Path(source) for source in sources]
    pairs = [_joined(found, output, kinds)] if joined else _jobs(found, output, tuple(kinds.values()), split)
    credits = recipe.credits(author, licence, provenance)
    jobs = []
    for several, target in pairs:
        told = credits | {"command": recipe.command(_alone(context.obj, sources, several))} if provenance else None
        jobs.append(Job(several, target, settings, kinds, joined, plot, told, force))
    results: list[Words] = []
    failed = 0
    with progress("import", quiet or len(jobs) == 1) as update:
        for number, done in enumerate(_all(jobs), 1):
            if done.error is not None:
                if len(jobs) == 1:
                    raise done.error
                failed += 1
                print(f"make-wavetable: error: {done.error}", file=sys.stderr, flush=True)
            for line in done.said:
                say(line, quiet)
            for line in done.explained if explain else ():
                say(f"  {line}", quiet)
            results += done.results
            update(number, len(jobs), "")
    if failed:
        say(f"{failed} of {len(jobs)} failed", quiet)
    if as_json:
        emit(results)
    else:
        for result in results:
            print(result["output"])
    return 0 if not failed else 3 if failed < len(jobs) else 1


# ------------------------------------------------------------------------------------------------------------ the work
def _all(jobs: list[Job]) -> Iterator[Done]:
    """What becomes of every job, in order; many are spread over the cores."""
    try:
        yield from in_processes([partial(one, job) for job in jobs], None if len(jobs) >= MANY_FILES else 1)
    except WorkerKilled as error:
        raise UserError(f"{error}; import fewer files at once") from error


def one(job: Job) -> Done:
    """Import and write the tables of one job."""
    from wavetables.importing.decision import import_tables, join

    done = Done()
    try:
        _check(job, job.target)
        if job.joined:
            made = [join(job.sources, job.settings, job.target.stem)]
        else:
            made = import_tables(job.sources[0], job.settings)
        remark = "" if job.joined else _remark(job.sources[0])
        for each in made:
            _write(job, each, remark, done)
    except UserError as error:
        # other processes hand over an error by its class and message alone
        plain = UsageError(str(error)) if isinstance(error, UsageError) else UserError(str(error))
        return Done(done.said, done.explained, done.results, plain)
    return done


def _remark(source: Path) -> str:
    from nsynth_core.audio import length_of

    with contextlib.suppress(OSError, RuntimeError):  # the file may be gone by now; the sound is not
        return "" if source.suffix.lower() in TABLE_SUFFIXES else length_remark(length_of(source))
    return ""


def _check(job: Job, target: Path) -> None:
    """Raise UserError where `target`, in any format, is a source or in the way."""
    for suffix in (*job.kinds.values(), *([".png"] * job.plot)):
        check_no_source(target.with_suffix(suffix), job.sources)
        check_free(target.with_suffix(suffix), job.force)


def _write(job: Job, made: Imported, remark: str, done: Done) -> None:
    from wavetables.formats import registry
    from wavetables.table import Table

    target = job.target.with_name(f"{job.target.stem}-{made.part}{job.target.suffix}") if made.part else job.target
    _check(job, target)
    table = made.table
    bare = Table(table.frames, table.name)
    if job.told is not None:  # a table that was one already has its own command
        credits = {key: word for key, word in job.told.items() if key != "command"}
        bare = replace(table, provenance={**job.told, **table.provenance, **credits})
    for kind, suffix in job.kinds.items():
        registry.write(target.with_suffix(suffix), bare, job.force, kind)
    pictures = {}
    if job.plot:
        from wavetables.importing.picture import write_picture

        write_picture(target.with_suffix(".png"), made, job.force)
        pictures = {"picture": str(target.with_suffix(".png"))}
    source = job.sources[0] if len(job.sources) == 1 else job.sources[0].parent
    found = table.provenance.get("pitch") or made.said[-1 if job.settings.unpitched else min(1, len(made.said) - 1)]
    if job.joined:
        found = "joined"
    told = f"; {remark}" if remark else ""
    part = f" {made.part}" if made.part else ""
    done.said.append(f"{source}{part}: {found}, {count(len(table.frames), 'frame')}{told}")
    done.explained.extend(made.said)
    facts = {"frames": len(table.frames), "root_pitch": table.root_pitch, "pitch": found, "decided": list(made.said)}
    outputs = [target.with_suffix(suffix) for suffix in job.kinds.values()]
    done.results.extend({"source": str(source), "output": str(each), **facts, **pictures} for each in outputs)


def _alone(arguments: Sequence[str], sources: Sequence[str], files: Sequence[Path]) -> list[str]:
    """The arguments without the sources that `files` are not from: a table names its own, not the whole batch."""
    mine = {text for text in sources if any(file.is_relative_to(text) for file in files)}
    return [argument for argument in arguments if argument not in sources or argument in mine]


# --------------------------------------------------------------------------------------------------------- the options
def _range(text: str | None) -> tuple[float, float]:
    """Hz of --range. Raises UsageError."""
    from nsynth_core.notes import midi_to_hz, parse_pitch
    from nsynth_core.pitch import HIGH_HZ, LOW_HZ

    if text is None:
        return LOW_HZ, HIGH_HZ
    low, colon, high = text.partition(":")
    if not colon:
        raise UsageError(f"--range {text}: write the lowest and the highest pitch, e.g. C2:C5 or 60Hz:400Hz")
    span = tuple(midi_to_hz(parse_pitch(each)) if each else given for each, given in ((low, LOW_HZ), (high, HIGH_HZ)))
    if not span[0] < span[1]:
        raise UsageError(f"--range {text}: the lower pitch comes first")
    return span[0], span[1]


def _average(text: str) -> int | None:
    """Periods of --average. Raises UsageError."""
    if text == "auto":
        return None
    if text == "off":
        return 1
    if not text.isascii() or not text.isdigit() or not 1 <= int(text) <= 64:
        raise UsageError(f"--average {text}: a number of periods from 1 to 64, auto or off")
    return int(text)


def _kinds(formats: str | None, output: Path | None) -> dict[str, str]:
    """The suffix of each format that is asked for, or that the output's name asks for. Raises UsageError."""
    from wavetables.formats import registry

    if formats is None:
        suffix = output.suffix if output is not None else ""
        formats = registry.BY_SUFFIX.get(suffix, "serum") if suffix else "serum"
    kinds: dict[str, str] = {}
    for name in formats.split(","):
        suffix = registry.FORMATS[check_choice(name.strip(), tuple(registry.FORMATS), "format")].suffix
        if suffix in kinds.values():
            raise UsageError(f"--format {formats}: two of them would be one {suffix} file; make them one by one")
        kinds[name.strip()] = suffix
    return kinds


def _files(source: Path) -> list[Path]:
    """The sounds of a folder, in order; a file alone."""
    if not source.is_dir():
        return [source]
    if not os.access(source, os.R_OK | os.X_OK):
        raise UserError(f"{source}: this folder cannot be read: permission denied")
    found = sorted(path for path in source.rglob("*") if path.suffix.lower() in SUFFIXES and path.is_file())
    if not found:
        raise UserError(f"{source}: no sound file in this folder")
    return found


def _single(sources: list[Path], output: Path | None, suffixes: tuple[str, ...]) -> Path:
    """Where the one table goes. Raises UsageError."""
    target = output if output is not None else Path(f"{sources[0].stem or 'joined'}-table{suffixes[0]}")
    if target.suffix.lower() not in suffixes:
        what = "a Serum table is a .wav file" if suffixes == (".wav",) else f"end it in {' or '.join(suffixes)}"
        raise UsageError(f"-o {target}: {what}")
    return target


def _joined(sources: list[Path], output: Path | None, kinds: dict[str, str]) -> tuple[tuple[Path, ...], Path]:
    """All the sounds, and the one table."""
    files = tuple(path for source in sources for path in _files(source))
    if output is not None and output.is_dir():
        output = output / f"{sources[0].resolve().stem}.wav"
    return files, _single(sources, output, tuple(kinds.values()))


def _jobs(
    sources: list[Path], output: Path | None, suffixes: tuple[str, ...], split: bool
) -> list[tuple[tuple[Path, ...], Path]]:
    """(source, target) of every sound: folders are searched, and of two that would have one name the second gets a
    number."""
    single = len(sources) == 1 and not sources[0].is_dir()
    folder = output is not None and (output.is_dir() or (split and not output.suffix))
    if single and not folder:
        return [((sources[0],), _single(sources, output, suffixes))]
    if output is None:
        raise UsageError("several sources need -o FOLDER")
    if output.exists() and not output.is_dir():
        raise UserError(f"{output} is a file; several tables need a folder, choose another -o")
    jobs: list[tuple[tuple[Path, ...], Path]] = []
    seen: set[str] = set()
    for source in sources:
        for path in _files(source):
            below = path.relative_to(source).with_suffix("") if source.is_dir() else Path(path.stem)
            name, number = below, 1
            while str(name).casefold() in seen:  # as file systems compare that know no case
                number += 1
                name = below.with_name(f"{below.name}-{number}")
            seen.add(str(name).casefold())
            jobs.append(((path,), (output / name).with_name(f"{name.name}.wav")))
    return jobs
