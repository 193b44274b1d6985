"""make-wavetable import: recordings become tables for a synth."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from nsynth_core.errors import UsageError
from wavetables.cli.checks import check_choice, check_credits, pitch_of
from wavetables.cli.console import emit, progress, say, say_error
from wavetables.cli.options import Author, Force, Frames, Json, Licence, Pitch, Provenance, Quiet
from wavetables.cli.words import count, length_remark

if TYPE_CHECKING:
    from wavetables.importing import Batch, ImportedFile

Sources = Annotated[list[str], typer.Argument(metavar="SOURCE", hidden=True)]
Output = Annotated[
    Path | None,
    typer.Option(
        "--output",
        "-o",
        metavar="OUT",
        help="A file for one table, a folder for several. Default for one source: its name and -table.wav.",
    ),
]
Octave = Annotated[
    int,
    typer.Option(
        min=-5,
        max=5,
        metavar="N",
        help="Move the detected pitch by N octaves. +1: one octave up, half the period for each frame.",
    ),
]
Span = Annotated[
    str | None,
    typer.Option("--range", metavar="LOW:HIGH", help="The range to look for the pitch in. Default: A0:C8."),
]
Spacing = Annotated[
    str,
    typer.Option(
        metavar="RULE",
        help="How the frames are spaced. time: evenly in time. even: more frames where the timbre moves faster.",
    ),
]
Start = Annotated[float | None, typer.Option(min=0, metavar="SECONDS", help="Take frames from here on.")]
End = Annotated[float | None, typer.Option(min=0, metavar="SECONDS", help="Take frames up to here.")]
Phase = Annotated[
    str,
    typer.Option(
        metavar="RULE",
        help="The phases of the harmonics. align: frames are turned until their fundamentals are in phase. sine: all "
        "harmonics in sine phase. source: as recorded. minimum: minimum phase.",
    ),
]
Average = Annotated[
    str,
    typer.Option(
        metavar="N",
        help="How many periods are averaged into a frame. auto: the number is chosen for each harmonic. off: "
        "one period. 1 to 64: this number.",
    ),
]
Level = Annotated[
    str,
    typer.Option(
        metavar="RULE",
        help="table: one gain for the whole table. frame: one gain per frame. keep: no change. loudness: every frame "
        "equally loud.",
    ),
]
Stereo = Annotated[
    str,
    typer.Option(
        metavar="CHANNEL",
        help="mid: the mean of the channels. left, right: one channel. ms: two tables, mid and side. lr: two tables, "
        "left and right. The two are cut at the same places and turned alike.",
    ),
]
Split = Annotated[bool, typer.Option("--split", help="Make one table for each note of a file.")]
Join = Annotated[bool, typer.Option("--join", help="Make one table with a frame of each file.")]
Windows = Annotated[
    bool, typer.Option("--unpitched", help="Cut windows out of a sound that has no pitch, and crossfade their seams.")
]
Plot = Annotated[bool, typer.Option("--plot", help="Write a picture beside each table: the pitch and the frames.")]
Explain = Annotated[
    bool, typer.Option("--explain", help="Print each decision about the sound, and the facts behind it.")
]
Formats = Annotated[
    str | None,
    typer.Option(
        "--format",
        metavar="NAME,...",
        help="One file for each format: serum (default), vital, wt, hive, and those in convert --help.",
    ),
]


def import_(
    context: typer.Context,
    sources: Sources,
    output: Output = None,
    pitch: Pitch = None,
    octave: Octave = 0,
    span: Span = None,
    frames: Frames = None,
    spacing: Spacing = "time",
    start: Start = None,
    end: End = None,
    phase: Phase = "align",
    average: Average = "auto",
    level: Level = "table",
    stereo: Stereo = "mid",
    split: Split = False,
    joined: Join = False,
    unpitched: Windows = False,
    plot: Plot = False,
    explain: Explain = False,
    formats: Formats = None,
    author: Author = None,
    licence: Licence = None,
    provenance: Provenance = True,
    force: Force = False,
    quiet: Quiet = False,
    as_json: Json = False,
) -> int:
    """Turn recordings into wavetables.

    A SOURCE is a sound file or a folder of them. Its pitch is detected, or given with --pitch. Its cycles become
    the frames of the table.

    \b
    make-wavetable import note.wav -o table.wav
    make-wavetable import recordings/ -o tables/ --frames 64
    make-wavetable import scale.wav -o tables/ --split
    make-wavetable import cycles/ -o table.wav --join
    """
    from wavetables import importing
    from wavetables import provenance as recipe

    _check_output(sources, output, joined, split)
    options = {**_pitch_options(pitch, octave, span, unpitched), "average": _average(average)}
    options |= {"frames": frames, "spacing": spacing, "start": start, "end": end, "phase": phase}
    settings = importing.Settings(**options, level=level, stereo=stereo, split=split)
    check_credits(author, licence, provenance)
    credits = recipe.credits(author, licence)
    origin: dict[str, Any] = {"provenance": credits if provenance else None, "command": _Command(context.obj, sources)}
    manner: dict[str, Any] = {"formats": _formats(formats), "join": joined, "pictures": plot, "force": force}
    return _run(importing.import_files(sources, output, settings, **manner, **origin), explain, quiet, as_json)


# --------------------------------------------------------------------------------------------------------- the options
def _check_output(sources: Sequence[str], output: Path | None, joined: bool, split: bool) -> None:
    """Raise UsageError for options that do not go together."""
    if joined and split:
        raise UsageError("--join makes one table, --split one for each note; leave one of them out")
    if output is None and not joined and (len(sources) > 1 or Path(sources[0]).is_dir()):
        raise UsageError("several sources, or a folder, need a folder to write to; add -o FOLDER")


def _pitch_options(pitch: str | None, octave: int, span: str | None, unpitched: bool) -> dict[str, Any]:
    """The settings of the pitch. Raises UsageError."""
    if unpitched and (pitch or octave or span):
        raise UsageError("--unpitched looks for no pitch; leave out --pitch, --octave and --range")
    if pitch and span:
        raise UsageError("--pitch gives the pitch, so that --range does nothing; leave it out")
    low_hz, high_hz = _range(span)
    values = {"pitch": pitch_of(pitch), "octave": octave, "low_hz": low_hz, "high_hz": high_hz}
    return {**values, "unpitched": unpitched}


def _range(text: str | None) -> tuple[float, float]:
    """Hz of --range. Raises UsageError."""
    from nsynth_core.notes import midi_to_hz, parse_pitch
    from nsynth_core.pitch import HIGH_HZ, LOW_HZ

    if text is None:
        return LOW_HZ, HIGH_HZ
    low, colon, high = text.partition(":")
    if not colon:
        raise UsageError(f"--range {text}: write the lowest and the highest pitch, e.g. C2:C5 or 60Hz:400Hz")
    low_hz = midi_to_hz(parse_pitch(low)) if low else LOW_HZ
    high_hz = midi_to_hz(parse_pitch(high)) if high else HIGH_HZ
    if not low_hz < high_hz:
        raise UsageError(f"--range {text}: the lower pitch comes first")
    return low_hz, high_hz


def _average(text: str) -> int | None:
    """Periods of --average. Raises UsageError."""
    if text == "auto":
        return None
    if text == "off":
        return 1
    if not text.isascii() or not text.isdigit() or not 1 <= int(text) <= 64:
        raise UsageError(f"--average {text}: a number of periods from 1 to 64, auto or off")
    return int(text)


def _formats(text: str | None) -> list[str] | None:
    """The names of --format. Raises UsageError."""
    from wavetables.formats import registry

    if text is None:
        return None
    return [check_choice(name.strip(), tuple(registry.FORMATS), "format") for name in text.split(",")]


class _Command:
    """The command that makes the table of some files again: without the sources that they are not from, for a table
    names its own source and not the whole batch."""

    def __init__(self, arguments: Sequence[str], sources: Sequence[str]) -> None:
        self.arguments, self.sources = arguments, sources

    def __call__(self, files: Sequence[Path]) -> str:
        from wavetables import provenance as recipe

        own = {source for source in self.sources if any(file.is_relative_to(source) for file in files)}
        return recipe.command([word for word in self.arguments if word not in self.sources or word in own])


# --------------------------------------------------------------------------------------------------------- the results
def _run(batch: Batch, explain: bool, quiet: bool, as_json: bool) -> int:
    """Import all files, tell of each, and give the exit code."""
    results: list[dict[str, object]] = []
    failed = 0
    with progress("import", quiet or len(batch) == 1) as update:
        for number, file in enumerate(batch, 1):
            if file.error is not None:
                if len(batch) == 1:
                    raise file.error
                failed += 1
                say_error(file.error, "import")
            _tell(file, explain, quiet)
            results += _results(file)
            update(number, len(batch), "")
    if failed:
        say(f"{failed} of {len(batch)} failed", quiet)
    if as_json:
        emit(results)
    else:
        for result in results:
            print(result["output"])
    return 0 if not failed else 3 if failed < len(batch) else 1


def _tell(file: ImportedFile, explain: bool, quiet: bool) -> None:
    """A line for each table, then what was decided."""
    from wavetables.importing.explain import sentences, summary

    remark = length_remark(file.length)
    for table in file.tables:
        part = f" {table.part}" if table.part else ""
        fact = f"{summary(table.facts)}, {count(table.frames, 'frame')}"
        say(f"{file.source}{part}: {fact}{f'; {remark}' if remark else ''}", quiet)
    for table in file.tables if explain else ():
        for line in sentences(table.facts):
            say(f"  {line}", quiet)


def _results(file: ImportedFile) -> list[dict[str, object]]:
    """What --json says of each file that was written."""
    from wavetables.importing.explain import sentences, summary

    results: list[dict[str, object]] = []
    for table in file.tables:
        facts: dict[str, object] = {"frames": table.frames, "root_pitch": table.root_pitch}
        facts |= {"pitch": summary(table.facts), "decided": sentences(table.facts)}
        if table.picture is not None:
            facts["picture"] = str(table.picture)
        results += [{"source": str(file.source), "output": str(path), **facts} for path in table.outputs]
    return results
