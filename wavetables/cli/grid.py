"""make-wavetable grid: notes and tables over pitch x mix, and the manifest that makes them again."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from functools import partial
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from nsynth_core.errors import UsageError
from wavetables.cli import nsynth
from wavetables.cli.checks import check_choice, check_credits, check_folder, check_number, check_unused, pitch_of
from wavetables.cli.console import emit, progress, say, watch
from wavetables.cli.options import (
    MAX_SECONDS,
    WEIGHTS,
    Author,
    Averages,
    Brightness,
    Checkpoint,
    Detail,
    DrawSeed,
    EngineName,
    Enhance,
    Envelope,
    Force,
    Json,
    Licence,
    Noise,
    Precision,
    Provenance,
    Quiet,
    Stereo,
    Weights,
    Width,
)
from wavetables.cli.sounds import load_instrument
from wavetables.grids import layouts
from wavetables.grids import writer as grid_files
from wavetables.instruments import sound_name
from wavetables.provenance import version
from wavetables.stereo import PAIRS

if TYPE_CHECKING:
    from nsynth_core.sound.knobs import Knobs
    from nsynth_core.wavenet.options import NSynthOptions
    from presets.schema import Preset


def grid(
    context: typer.Context,
    what: Annotated[list[str], typer.Argument(metavar="PRESET|FILE|SOUND", hidden=True)],
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", metavar="DIR", help="The folder to write. Default: the preset's name."),
    ] = None,
    pitches: Annotated[str | None, typer.Option(metavar="C2,C3,...", help="Only these pitches.")] = None,
    duration: Annotated[float | None, typer.Option(metavar="SECONDS", help="Length of a note.")] = None,
    rate: Annotated[int | None, typer.Option(metavar="HZ", help="Sample rate: 44100, 48000, 88200 or 96000.")] = None,
    notes: Annotated[bool, typer.Option("--notes/--no-notes", help="Write the notes.")] = True,
    tables: Annotated[bool, typer.Option("--tables/--no-tables", help="Write the tables.")] = True,
    layout: Annotated[
        str, typer.Option(metavar="NAME", help="folder, m4l (NSynth's Max for Live device), nsynth-super (pads), sfz.")
    ] = "folder",
    author: Author = None,
    licence: Licence = None,
    provenance: Provenance = True,
    engine: EngineName = "harmonic",
    checkpoint: Checkpoint = None,
    averages: Averages = False,
    enhance: Enhance = False,
    seed: DrawSeed = None,
    precision: Precision = None,
    weights: Weights = None,
    detail: Detail = None,
    brightness: Brightness = None,
    noise: Noise = None,
    width: Width = None,
    envelope: Envelope = None,
    stereo: Stereo = None,
    force: Force = False,
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Render notes and tables over a pitch x mix grid.

    Give a preset, a preset file of your own, or two or four sounds for the corners: top left, top right, bottom left,
    bottom right; or a square of 9, 16 ... row by row. A sound is a file, a folder of NAME_PITCH.wav files, or a
    built-in instrument; the pitch of a file is found, or given behind its name (thunder.wav@C2). A table's frames walk
    from its left sound to its right one. Options overrule the preset.

    \b
    make-wavetable grid grid5 -o out
    make-wavetable grid my.toml -o out --pitches C2,C3 --duration 2
    make-wavetable grid flute.wav choir.wav glass.wav brass.wav -o out --no-notes
    make-wavetable grid settings.json -o out --layout m4l
    make-wavetable grid grid5 -o out --engine nsynth --checkpoint wavenet-ckpt.tar --pitches C3
    """
    if not (notes or tables):
        raise UsageError("--no-notes and --no-tables together leave nothing to write")
    check_unused({} if tables else {"--stereo": stereo}, "it is for tables, and none are written")
    check_unused({} if notes else {"--noise": noise, "--envelope": envelope}, "it is for notes, and none are written")
    check_credits(author, licence, provenance)
    if weights is not None:
        check_choice(weights, WEIGHTS, "rule of weights")
    if stereo is not None:
        check_choice(stereo, tuple(PAIRS), "kind of stereo")
    given = {"detail": detail, "brightness": brightness, "noise": noise, "width": width, "envelope": envelope}
    options = {f"--{knob}": value for knob, value in given.items()}
    drawing = nsynth.options(engine, checkpoint, averages, enhance, seed, precision, options)
    changes = {**given, "weights": weights, "stereo": stereo, "rate": rate}
    if check_choice(layout, layouts.LAYOUTS, "layout") != "folder":
        check_unused({"--stereo": stereo}, "a layout has no tables")
        of_16_khz = layout != "sfz" and enhance
        check_unused({"--enhance": of_16_khz}, f"--layout {layout} is at 16 kHz, which holds nothing above 8 kHz")
        plan, knobs = _plan(what, pitches, duration, changes, engine)
        from wavetables import provenance as recipe

        told = recipe.credits(author, licence, [*chain(*plan.matrix, *plan.choices)])
        told |= {"program": f"make-wavetable {version()}", "command": recipe.command(context.obj)}
        _laid_out(told, plan, layout, output, engine, drawing, knobs, provenance, force, quiet, as_json)
        return
    preset = _narrowed(_preset(what), pitches, duration, changes)
    nsynth.check_preset(preset, engine)
    folder = output if output is not None else Path(_name(what))
    check_folder(folder, force)

    from nsynth_core.blending.grid import GridSpec
    from wavetables import provenance as recipe
    from wavetables.engines import ENGINES, load_engine

    check_choice(engine, ENGINES, "engine")
    runner = load_engine(engine, preset.knobs, drawing)
    spec = GridSpec(preset.mixes, preset.pitches, preset.seconds, preset.rate, preset.weights)
    instruments = [load_instrument(corner, runner, quiet=quiet) for corner in preset.corners]
    name, total = (
        _name(what),
        (preset.notes if notes else 0) + (preset.tables * len(PAIRS[preset.stereo]) if tables else 0),
    )
    told = {
        "program": f"make-wavetable {version()}",
        "command": recipe.command(context.obj),
        "preset": name,
        "sounds": " ".join(sound_name(str(corner)) for corner in preset.corners),
        "engine": recipe.engine_name(runner),
        **runner.facts,
        **recipe.credits(author, licence, preset.corners),
    }
    written: list[dict[str, object]] = []
    pair, moment = tables and preset.stereo, None if notes else duration
    with progress(name, quiet) as update:
        for fact in grid_files.render(
            spec, instruments, runner, folder, told, notes, pair, provenance, force, moment, watch(quiet)
        ):
            written.append(fact)
            update(len(written), total, "")
    written.sort(key=lambda fact: (preset.pitches.index(fact["pitch"]), fact["kind"]))
    manifest = {
        **told,
        "versions": {**recipe.versions(), **runner.versions},
        "recipe": {**preset.model_dump(mode="json"), "corners": list(map(str, preset.corners))},
        "options": {"frames": spec.frames, "notes": notes, "tables": tables},
        "seed": runner.seed,
        "sources": list(map(recipe.source, preset.corners, instruments)),
        "files": written,
    }
    _conclude(folder, manifest, len(written), force, quiet, as_json)


def _conclude(
    folder: Path, manifest: Mapping[str, object], files: int, force: bool, quiet: bool, as_json: bool
) -> None:
    """Write the manifest, last of all, and say what was made."""
    from nsynth_core.files import atomic

    with atomic(folder / "manifest.json", force) as temporary:
        temporary.write_text(json.dumps(manifest, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    if as_json:
        emit({"output": str(folder), **manifest})
    else:
        say(f"{folder}: {files} files", quiet)
        print(folder)


def _is_settings(what: list[str]) -> bool:
    """True for NSynth's own settings.json."""
    return len(what) == 1 and what[0].lower().endswith(".json")


def _plan(
    what: list[str], pitches: str | None, duration: float | None, changes: Mapping[str, object], engine: str
) -> tuple[layouts.Plan, Knobs]:
    """What is to be laid out, a preset, sounds, or NSynth's own settings.json, and the knobs of the engine."""
    preset = _narrowed(_preset(what), pitches, duration, changes)
    nsynth.check_preset(preset, engine)
    if len(preset.corners) > 4 and preset.knobs.envelope is not None:
        raise UsageError("--envelope: a layout's cells have four sounds each; leave it out")
    choices: tuple[tuple[str | Path, ...], ...] = ()
    if _is_settings(what):
        from wavetables.grids.settings import choices as read_choices

        choices = read_choices(Path(what[0]))
    return layouts.of_preset(preset, _name(what), choices), preset.knobs


def _given(changes: Mapping[str, object], names: Sequence[str]) -> dict[str, Any]:
    """Those of `changes` that are given."""
    return {name: changes[name] for name in names if changes[name] is not None}


def _laid_out(
    told: Mapping[str, str],
    plan: layouts.Plan,
    layout: str,
    output: Path | None,
    engine: str,
    drawing: NSynthOptions | None,
    knobs: Knobs,
    provenance: bool,
    force: bool,
    quiet: bool,
    as_json: bool,
) -> None:
    """Render and write a plan in its layout, and a manifest beside it."""
    folder = output if output is not None else Path(f"{plan.name}-{layout}")
    check_folder(folder, force)
    total = layouts.check(plan, layout)

    from wavetables import provenance as recipe
    from wavetables.engines import ENGINES, load_engine

    check_choice(engine, ENGINES, "engine")
    runner = load_engine(engine, knobs, drawing)
    told = {**told, **runner.facts}
    from nsynth_core.files import sha256

    load = partial(load_instrument, engine=runner, quiet=quiet)
    written: list[dict[str, object]] = []
    with progress(plan.name, quiet) as update:
        named = {**told, "engine": recipe.engine_name(runner)} if provenance else {}
        for path in layouts.write(plan, layout, folder, runner, load, watch(quiet), named):
            written.append({"path": path.relative_to(folder).as_posix(), "sha256": sha256(path)})
            update(min(len(written), total), total, "")
    manifest = {
        **told,
        "layout": layout,
        "engine": recipe.engine_name(runner),
        "versions": {**recipe.versions(), **runner.versions},
        "sounds": [[str(spec) for spec in row] for row in plan.matrix],
        "pitches": plan.pitches,
        "points": plan.side,
        "weights": plan.weights,
        "knobs": asdict(knobs),
        "seed": runner.seed,
        "files": written,
    }
    _conclude(folder, manifest, len(written), force, quiet, as_json)


def _preset(what: list[str]) -> Preset:
    """The preset that the arguments name, or the default preset with the user's sounds on its corners."""
    import presets
    from presets.schema import CORNERS

    if len(what) == 1:
        return presets.load(what[0])
    if len(what) not in CORNERS:
        raise UsageError(f"grid takes one preset, two sounds, or a square of them (4, 9, 16), not {len(what)} names")
    corners = tuple(map(presets.corner, what))
    title = f"Between {', '.join(map(sound_name, what))}"[:300]
    return presets.changed(presets.load(presets.DEFAULT), corners=corners, title=title, why="sounds of your own")


def _narrowed(preset: Preset, pitches: str | None, duration: float | None, options: Mapping[str, object]) -> Preset:
    """`preset` with what the options change, checked again."""
    import presets

    changes = _given(options, tuple(options))
    if pitches is not None:
        changes["pitches"] = [pitch_of(text) for text in pitches.split(",")]
    if duration is not None:
        changes["seconds"] = check_number(duration, 0.1, MAX_SECONDS, "--duration")
    return presets.changed(preset, **changes) if changes else preset


def _name(what: list[str]) -> str:
    """What the grid's folder is called."""
    if _is_settings(what):
        from wavetables.grids import settings as nsynth

        return nsynth.title(Path(what[0]))
    name = "-".join(map(sound_name, what[:4]))
    return name if len(what) <= 4 else f"{name}-and-{len(what) - 4}-more"
