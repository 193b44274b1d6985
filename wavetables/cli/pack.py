"""make-wavetable pack: a recipe or a folder of recordings becomes a finished pack."""

from __future__ import annotations

import json
import os
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from nsynth_core.errors import UsageError, UserError
from wavetables.cli import nsynth
from wavetables.cli.checks import check_choice, check_number
from wavetables.cli.console import progress, say, watch
from wavetables.cli.options import Averages, Checkpoint, DrawSeed, Enhance, Force, Frames, Precision, Quiet
from wavetables.cli.words import count

if TYPE_CHECKING:
    from wavetables.packs.journal import Facts
    from wavetables.packs.making import Failure
    from wavetables.packs.run import Made

DONE, FAILED, SOME_FAILED = 0, 1, 3


def pack(
    source: Annotated[Path, typer.Argument(metavar="RECIPE|FOLDER", hidden=True)],
    output: Annotated[
        Path | None, typer.Option("--output", "-o", metavar="DIR", help="The pack's folder. Default: its title.")
    ] = None,
    title: Annotated[str | None, typer.Option(metavar="TEXT", help="What the pack is called.")] = None,
    author: Annotated[str | None, typer.Option(metavar="TEXT", help="Who made it.")] = None,
    licence: Annotated[str | None, typer.Option(metavar="TEXT", help="Its licence, such as CC0-1.0.")] = None,
    formats: Annotated[
        str | None, typer.Option("--format", metavar="NAME,...", help="serum (default), vital, wt, hive ...")
    ] = None,
    loudness: Annotated[
        float | None, typer.Option(metavar="LUFS", help="Of every table, played at C3. Default: -18.")
    ] = None,
    level: Annotated[
        str | None, typer.Option(metavar="HOW", help="Loudness matched per table, per frame, or kept as it is.")
    ] = None,
    frames: Frames = None,
    pictures: Annotated[
        str | None, typer.Option(metavar="HOW", help="none, sheet (contact sheets) or all. Default: sheet.")
    ] = None,
    archive: Annotated[bool, typer.Option("--zip", help="Make DIR.zip, too: the same pack, the same bytes.")] = False,
    engine: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="Of sweeps: harmonic, nsynth ... Default: the recipe's."),
    ] = None,
    checkpoint: Checkpoint = None,
    averages: Averages = False,
    enhance: Enhance = False,
    seed: DrawSeed = None,
    precision: Precision = None,
    workers: Annotated[
        int | None,
        typer.Option(min=1, max=256, metavar="N", help="Processes. Default: one a processor; one, if nsynth."),
    ] = None,
    cluster: Annotated[
        str | None, typer.Option(metavar="tcp://HOST:PORT", help="A Dask scheduler; its workers share the folders.")
    ] = None,
    force: Force = False,
    quiet: Quiet = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="A line of JSON for every table, and one at the end.")
    ] = False,
) -> int:
    """Make a finished pack of wavetables, with a page that plays it.

    A RECIPE is a TOML file that names recordings, sweeps between sounds and grids (docs/packs.md); a FOLDER is one of
    recordings, its subfolders the categories. Options overrule the recipe. Interrupted, the same command goes on.

    \b
    make-wavetable pack my-pack.toml
    make-wavetable pack recordings/ -o "First Light" --author Me --licence CC0-1.0 --format serum,vital,wt
    """
    import wavetables.packs.recipe
    from nsynth_core.blending.engine import ENGINES
    from wavetables.packs import names, run
    from wavetables.packs.archive import write_zip
    from wavetables.packs.making import Failure as Failed
    from wavetables.packs.plan import FORMATS, LEVELS, PICTURES
    from wavetables.packs.plan import Pack as Plan

    if title is not None:
        names.check(title)
    if loudness is not None:
        check_number(loudness, wavetables.packs.recipe.QUIETEST, wavetables.packs.recipe.LOUDEST, "--loudness")
    if level is not None:
        check_choice(level, LEVELS, "way to level")
    if pictures is not None:
        check_choice(pictures, PICTURES, "choice of pictures")
    kinds = None
    if formats is not None:
        kinds = tuple(dict.fromkeys(check_choice(name.strip(), FORMATS, "format") for name in formats.split(",")))
    options = {
        "title": title,
        "author": author,
        "licence": licence,
        "formats": kinds,
        "loudness": loudness,
        "level": level,
        "frames": frames,
        "pictures": pictures,
        "engine": None if engine is None else check_choice(engine, ENGINES, "engine"),
    }
    given = {name: value for name, value in options.items() if value is not None}
    if source.is_dir():
        plan = Plan(names.tidy(source.resolve().name), pictures=wavetables.packs.recipe.default_pictures())
        plan = replace(plan, **given)  # type: ignore[arg-type]
        folder = output if output is not None else Path(f"{plan.title} Pack" if title is None else plan.title)
        if folder.resolve().is_relative_to(source.resolve()):
            raise UserError(f"{folder} lies in {source}, whose recordings are packed; choose another -o")
        plan = wavetables.packs.recipe.of_folder(source, plan)
    else:
        plan = replace(wavetables.packs.recipe.load(source), **given)  # type: ignore[arg-type]
        folder = output if output is not None else Path(plan.title)
    drawing = nsynth.options(plan.engine, checkpoint, averages, enhance, seed, precision, {})
    if drawing:
        # workers may run elsewhere
        plan = wavetables.packs.recipe.drawn(plan, replace(drawing, checkpoint=drawing.checkpoint.absolute()))
        workers = workers if workers or cluster else 1  # TensorFlow has threads of its own
    if cluster is not None and workers is not None:
        raise UsageError("--workers are processes of this machine; a cluster has its own, leave one of them out")
    with progress(plan.title, quiet or as_json) as update:

        def told(done: int, total: int, result: Facts | Failure | None) -> None:
            if isinstance(result, Failed):
                print(f"make-wavetable: error: {result.why}", file=sys.stderr, flush=True)
            if as_json and result is not None:
                print(json.dumps({"done": done, "total": total, **_line(result)}, ensure_ascii=False), flush=True)
            update(done, total, "" if result is None else _line(result)["name"])

        made = run.build(
            plan,
            folder,
            told,
            workers=workers or os.cpu_count() or 1,
            cluster=cluster,
            force=force,
            watch=watch(quiet or as_json),
        )
    results = [folder]
    if archive and made.manifest is not None:
        results.append(write_zip(folder, folder.with_name(f"{folder.name}.zip"), force))
    return _concluded(results, made, quiet, as_json)


def _line(result: Facts | Failure) -> dict[str, Any]:
    """What --json says of a table."""
    if not isinstance(result, dict):
        return {"name": result.name, "error": result.why}
    return {name: result[name] for name in ("name", "category", "frames", "root_pitch", "loudness", "odd", "tables")}


def _concluded(results: list[Path], made: Made, quiet: bool, as_json: bool) -> int:
    """The summary; the exit code."""
    lost = [{"name": failure.name, "why": failure.why} for failure in made.failures]
    nothing: Facts = {"items": [], "odd": {}, "near_duplicates": [], "failed": lost}
    data = nothing if made.manifest is None else made.manifest
    for name, lines in data["odd"].items():
        for line in lines:
            say(f"odd: {name}: {line}", quiet)
    for pair in data["near_duplicates"]:
        say(f"alike: {' and '.join(pair['tables'])} ({pair['distance_db']} dB apart); keep one", quiet)
    items = len(data["items"])
    there = f", {made.kept} of them there already" if made.kept else ""
    odd = f", {len(data['odd'])} with something odd" if data["odd"] else ""
    alike = f", {count(len(data['near_duplicates']), 'pair')} alike" if data["near_duplicates"] else ""
    bad = f", {len(lost)} failed" if lost else ""
    say(f"{results[0]}: {count(items, 'table')}{there}{odd}{alike}{bad}", quiet)
    output = [] if made.manifest is None else results
    if as_json:
        facts = {"output": [str(path) for path in output], "made": items - made.kept, "kept": made.kept}
        rest = {name: data[name] for name in ("near_duplicates", "odd", "failed")}
        print(json.dumps({**facts, **rest}, ensure_ascii=False))
    else:
        for path in output:
            print(path)
    return FAILED if made.manifest is None else SOME_FAILED if lost else DONE
