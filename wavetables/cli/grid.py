"""make-wavetable grid: notes and tables over pitch x mix, and the manifest that makes them again."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from nsynth_core.errors import UsageError
from wavetables.cli import options
from wavetables.cli.checks import check_choice, check_credits, check_folder, check_number, check_unused, pitch_of
from wavetables.cli.console import emit, say, tell_estimate, watch
from wavetables.cli.engines import KnobChoice, NSynthChoice, check_preset
from wavetables.cli.sounds import tell_instrument
from wavetables.provenance import Origin, command
from wavetables.stereo import PAIRS

if TYPE_CHECKING:
    from wavetables.estimate import Estimate
    from wavetables.grids import Request, WrittenGrid

LAYOUTS = ("folder", "m4l", "nsynth-super", "sfz")
EXAMPLES = """
Examples:

\b
make-wavetable grid grid5 -o out
make-wavetable grid my.toml -o out --pitches C2,C3 --duration 2
make-wavetable grid flute.wav choir.wav glass.wav brass.wav -o out --no-notes
make-wavetable grid settings.json -o out --layout m4l
make-wavetable grid grid5 -o out --engine nsynth --checkpoint wavenet-ckpt.tar --pitches C3
"""

What = Annotated[list[str], typer.Argument(metavar="PRESET|FILE|SOUND", hidden=True)]
Output = Annotated[
    Path | None,
    typer.Option("--output", "-o", metavar="DIR", help="The folder to write. Default: the name of the preset."),
]
Pitches = Annotated[str | None, typer.Option(metavar="C2,C3,...", help="Only these pitches, separated by commas.")]
Duration = Annotated[float | None, typer.Option(metavar="SECONDS", help="Length of a note, 0.1..60.")]
Rate = Annotated[int | None, typer.Option(metavar="HZ", help="Sample rate: 44100, 48000, 88200 or 96000.")]
Notes = Annotated[
    bool, typer.Option("--notes/--no-notes", show_default=False, help="--notes (default): write the notes.")
]
Tables = Annotated[
    bool, typer.Option("--tables/--no-tables", show_default=False, help="--tables (default): write the tables.")
]
Layout = Annotated[
    str,
    typer.Option(
        metavar="NAME",
        help="folder: notes and tables. m4l: notes for NSynth's Max for Live device. nsynth-super: pads for Open "
        "NSynth Super. sfz: an SFZ instrument for each mix.",
    ),
]


def grid(
    context: typer.Context,
    what: What,
    output: Output = None,
    pitches: Pitches = None,
    duration: Duration = None,
    rate: Rate = None,
    notes: Notes = True,
    tables: Tables = True,
    layout: Layout = "folder",
    author: options.Author = None,
    licence: options.Licence = None,
    provenance: options.Provenance = True,
    engine: options.EngineName = "harmonic",
    checkpoint: options.Checkpoint = None,
    averages: options.Averages = False,
    enhance: options.Enhance = False,
    seed: options.DrawSeed = None,
    precision: options.Precision = None,
    weights: options.Weights = None,
    detail: options.Detail = None,
    brightness: options.Brightness = None,
    noise: options.Noise = None,
    width: options.Width = None,
    envelope: options.Envelope = None,
    stereo: options.Stereo = None,
    dry_run: options.DryRun = False,
    force: options.Force = False,
    quiet: options.Quiet = False,
    as_json: options.Json = False,
) -> None:
    """Render notes and tables over a pitch x mix grid.

    Give a preset, a preset file, NSynth's settings.json, or sounds for the corners: two, or a square of 4, 9,
    16 ... 64, row by row. A sound is a file, a folder of NAME_PITCH.wav files, or a built-in instrument. The pitch
    of a file is detected, or given after its name: thunder.wav@C2. A table's frames walk from its left sound to its
    right one.
    Options replace the preset's values.
    """
    knobs = KnobChoice(detail, brightness, noise, width, envelope)
    voice = NSynthChoice(checkpoint, averages, enhance, seed, precision)
    _check_parts(notes, tables, stereo, knobs)
    _check_layout(layout, stereo, enhance)
    check_credits(author, licence, provenance)
    drawing = voice.options(engine, knobs.options)
    request = _request(what, pitches, duration, {"weights": weights, "stereo": stereo, "rate": rate}, knobs)
    _check_request(request, engine, layout, envelope)
    parts: dict[str, Any] = {"layout": layout, "notes": notes, "tables": tables, "engine": engine}
    folder = output or Path(request.name if layout == "folder" else f"{request.name}-{layout}")
    if dry_run:
        tell_estimate(folder, _estimate(request, parts), as_json)
        return
    check_folder(folder, force)
    parts |= {"nsynth": drawing, "moment": None if notes else duration, "force": force}
    parts["origin"] = Origin(author, licence, command(context.obj), provenance)
    parts |= {"watch": watch(quiet), "heard": partial(tell_instrument, quiet=quiet)}
    _tell(_write(request, folder, parts), quiet, as_json)


def _check_parts(notes: bool, tables: bool, stereo: str | None, knobs: KnobChoice) -> None:
    """Raise UsageError for options of what is not written."""
    if not (notes or tables):
        raise UsageError("--no-notes and --no-tables together leave nothing to write")
    check_unused({} if tables else {"--stereo": stereo}, "it is for tables, and none are written")
    of_notes = {"--noise": knobs.noise, "--envelope": knobs.envelope}
    check_unused({} if notes else of_notes, "it is for notes, and none are written")
    if stereo is not None:
        check_choice(stereo, PAIRS, "kind of stereo")


def _check_layout(layout: str, stereo: str | None, enhance: bool) -> None:
    """Raise UsageError for a layout that is none, and for options that it has no use for."""
    if check_choice(layout, LAYOUTS, "layout") == "folder":
        return
    check_unused({"--stereo": stereo}, "a layout has no tables")
    at_16_khz = {} if layout == "sfz" else {"--enhance": enhance}
    check_unused(at_16_khz, f"--layout {layout} is at 16 kHz, which holds nothing above 8 kHz")


def _request(
    what: list[str], pitches: str | None, duration: float | None, changes: dict[str, Any], knobs: KnobChoice
) -> Request:
    """What the arguments name, with the values that the options change, checked again."""
    from wavetables.grids import read_request

    if changes["weights"] is not None:
        check_choice(changes["weights"], options.WEIGHTS, "rule of weights")
    changes |= {name.removeprefix("--"): value for name, value in knobs.options.items()}
    if pitches is not None:
        changes["pitches"] = [pitch_of(text) for text in pitches.split(",")]
    if duration is not None:
        changes["seconds"] = check_number(duration, 0.1, options.MAX_SECONDS, "--duration")
    given = {name: value for name, value in changes.items() if value is not None}
    return read_request(what).changed(**given)


def _check_request(request: Request, engine: str, layout: str, envelope: str | None) -> None:
    """Raise UsageError for a preset that the engine or the layout cannot take."""
    check_preset(request.preset, engine)
    if layout != "folder" and len(request.preset.corners) > 4 and request.preset.knobs.envelope is not None:
        raise UsageError("--envelope: a layout's cells have four sounds each; leave it out")


def _write(request: Request, folder: Path, parts: dict[str, Any]) -> WrittenGrid:
    from wavetables.grids import write_grid

    return write_grid(request, folder, **parts)


def _estimate(request: Request, parts: dict[str, Any]) -> Estimate:
    from wavetables.grids import estimate

    return estimate(request, **parts)


def _tell(grid: WrittenGrid, quiet: bool, as_json: bool) -> None:
    if as_json:
        emit({"output": str(grid.folder), **grid.manifest})
        return
    say(f"{grid.folder}: {len(grid.files)} files", quiet)
    print(grid.folder)
