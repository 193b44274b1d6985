"""make-wavetable grid: notes and tables over pitch x mix, and the manifest that makes them again."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from functools import partial
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from nsynth_core.errors import UsageError
from wavetables.cli import layouts
from wavetables.cli.common import (
    DETAIL_HELP,
    MAX_SECONDS,
    STEREO,
    WEIGHTS,
    Author,
    Brightness,
    EngineName,
    Envelope,
    Force,
    Json,
    Licence,
    Noise,
    Provenance,
    Quiet,
    Stereo,
    Weights,
    Width,
    check_choice,
    check_folder,
    check_number,
    check_unused,
    emit,
    load_instrument,
    pitch_of,
    progress,
    say,
    sound_name,
    version,
)

if TYPE_CHECKING:
    from nsynth_core.blend import Instrument
    from nsynth_core.engine import Engine
    from nsynth_core.grid import GridSpec
    from nsynth_core.knobs import Knobs
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
    weights: Weights = None,
    detail: Annotated[float | None, typer.Option(metavar="0..1", help=DETAIL_HELP)] = None,
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
    """
    if not (notes or tables):
        raise UsageError("--no-notes and --no-tables together leave nothing to write")
    check_unused({} if tables else {"--stereo": stereo}, "it is for tables, and none are written")
    check_unused({} if notes else {"--noise": noise, "--envelope": envelope}, "it is for notes, and none are written")
    if weights is not None:
        check_choice(weights, WEIGHTS, "rule of weights")
    if stereo is not None:
        check_choice(stereo, tuple(STEREO), "kind of stereo")
    given = {"weights": weights, "detail": detail, "brightness": brightness, "noise": noise, "width": width}
    changes = {**given, "envelope": envelope, "stereo": stereo, "rate": rate}
    if check_choice(layout, layouts.LAYOUTS, "layout") != "folder":
        check_unused({"--stereo": stereo}, "a layout has no tables")
        plan, knobs = _plan(what, pitches, duration, changes)
        from wavetables.cli import recipe

        told = recipe.credits(author, licence, provenance, [*chain(*plan.matrix, *plan.choices)])
        told |= {"program": f"make-wavetable {version()}", "command": recipe.command(context.obj)}
        _laid_out(told, plan, layout, output, engine, knobs, provenance, force, quiet, as_json)
        return
    preset = _narrowed(_preset(what), pitches, duration, changes)
    folder = output if output is not None else Path(_name(what))
    check_folder(folder, force)

    from nsynth_core.engine import ENGINES, load_engine
    from nsynth_core.grid import GridSpec
    from nsynth_core.synthesis import NOISE_SEED
    from wavetables.cli import recipe

    runner = load_engine(check_choice(engine, ENGINES, "engine"))
    spec = GridSpec(preset.mixes, preset.pitches, preset.seconds, preset.rate, preset.weights, knobs=preset.knobs)
    instruments = [load_instrument(corner, runner, quiet=quiet) for corner in preset.corners]
    name, total = (
        _name(what),
        (preset.notes if notes else 0) + (preset.tables * len(STEREO[preset.stereo]) if tables else 0),
    )
    told = {
        "program": f"make-wavetable {version()}",
        "command": recipe.command(context.obj),
        "preset": name,
        "sounds": " ".join(sound_name(str(corner)) for corner in preset.corners),
        "engine": recipe.engine_name(engine, runner),
        **recipe.credits(author, licence, provenance, preset.corners),
    }
    written: list[dict[str, object]] = []
    with progress(name, quiet) as update:
        for fact in _render(
            spec, instruments, runner, folder, told, notes, tables and preset.stereo, provenance, force
        ):
            written.append(fact)
            update(len(written), total, "")
    manifest = {
        **told,
        "versions": recipe.versions(),
        "recipe": {**preset.model_dump(mode="json"), "corners": list(map(str, preset.corners))},
        "options": {"frames": spec.frames, "notes": notes, "tables": tables},
        "seed": NOISE_SEED,
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
    what: list[str], pitches: str | None, duration: float | None, changes: Mapping[str, object]
) -> tuple[layouts.Plan, Knobs]:
    """What is to be laid out, a preset, sounds, or NSynth's own settings.json, and the knobs."""
    preset = _narrowed(_preset(what), pitches, duration, changes)
    if len(preset.corners) > 4 and preset.knobs.envelope is not None:
        raise UsageError("--envelope: a layout's cells have four sounds each; leave it out")
    choices: tuple[tuple[str | Path, ...], ...] = ()
    if _is_settings(what):
        from presets import nsynth

        choices = nsynth.choices(Path(what[0]))
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

    from nsynth_core.engine import ENGINES, load_engine
    from nsynth_core.synthesis import NOISE_SEED
    from wavetables.cli import recipe

    runner = load_engine(check_choice(engine, ENGINES, "engine"))
    written: list[dict[str, object]] = []
    with progress(plan.name, quiet) as update:
        named = {**told, "engine": recipe.engine_name(engine, runner)} if provenance else {}
        for path in layouts.write(plan, layout, folder, runner, knobs, quiet, named):
            written.append({"path": path.relative_to(folder).as_posix(), "sha256": recipe.sha256(path)})
            update(min(len(written), total), total, "")
    manifest = {
        **told,
        "layout": layout,
        "engine": recipe.engine_name(engine, runner),
        "versions": recipe.versions(),
        "sounds": [[str(spec) for spec in row] for row in plan.matrix],
        "pitches": plan.pitches,
        "points": plan.side,
        "weights": plan.weights,
        "knobs": asdict(knobs),
        "seed": NOISE_SEED,
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


def _render(
    spec: GridSpec,
    instruments: Sequence[Instrument],
    engine: Engine,
    folder: Path,
    told: Mapping[str, str],
    notes: bool,
    tables: str | Literal[False],
    provenance: bool,
    force: bool,
) -> Iterator[dict[str, object]]:
    """Render and write every file, a few at a time, and say what it is. `tables`: their kind of stereo.

    A mix's notes are a folder of NAME_PITCH files, so that it can be an instrument again.
    """
    from nsynth_core import audio, synthesis
    from nsynth_core.grid import GridPitch, render
    from nsynth_core.notes import note_name
    from wavetables.cli.recipe import sha256
    from wavetables.formats import serum
    from wavetables.shaping import mid_side, shape, shape_pair
    from wavetables.table import Table

    side, line = spec.side(len(instruments)) - 1, spec.points(len(instruments))

    def note(at: GridPitch, x: float, y: float) -> list[dict[str, object]]:
        mix = f"x{round(x * side)}y{round(y * side)}"
        path = Path("notes", mix, f"{mix}_{at.pitch:g}.wav")
        audio.write(folder / path, at.note(x, y), force)
        facts = {"kind": "note", "pitch": at.pitch, "x": x, "y": y}
        return [{"path": path.as_posix(), **facts, "sha256": sha256(folder / path)}]

    def table(at: GridPitch, y: float) -> list[dict[str, object]]:
        features = at.features(y)
        if tables == "mono":
            shaped = [shape(synthesis.cycles(features))]
        else:
            pair = synthesis.stereo_cycles(features)
            shaped = list(shape_pair(mid_side(pair) if tables == "ms" else pair))
        row = f"row{round(y * side)}"
        where = {"mix": "0:1" if len(instruments) == 2 else f"0:1,{y:g}", "pitch": note_name(at.pitch)}
        facts = []
        for mark, channel in zip(STEREO[str(tables)], shaped, strict=True):
            path = Path("tables", f"{told['preset']}-{row}{mark}_{at.pitch:g}.wav")
            made = Table(channel, path.stem, at.pitch, {**told, **where} if provenance else {})
            serum.write(folder / path, made, force)
            said = {"kind": "table", "pitch": at.pitch, "y": y, "frames": len(channel)}
            facts.append({"path": path.as_posix(), **said, "sha256": sha256(folder / path)})
        return facts

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        try:
            for at in render(spec, instruments, engine):
                jobs: list[Callable[[], list[dict[str, object]]]] = []
                jobs += [partial(note, at, x, y) for x, y in line] if notes else []
                jobs += [partial(table, at, y) for y in sorted({y for _, y in line})] if tables else []
                yield from chain.from_iterable(pool.map(lambda job: job(), jobs))
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise


def _name(what: list[str]) -> str:
    """What the grid's folder is called."""
    if _is_settings(what):
        from presets import nsynth

        return nsynth.title(Path(what[0]))
    name = "-".join(map(sound_name, what[:4]))
    return name if len(what) <= 4 else f"{name}-and-{len(what) - 4}-more"
