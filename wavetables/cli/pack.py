"""make-wavetable pack: a recipe or a folder of recordings becomes a finished pack."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from wavetables.cli.console import exit_code, progress, say, tell_estimate, watch
from wavetables.cli.engines import NSynthChoice
from wavetables.cli.options import (
    Author,
    Averages,
    Checkpoint,
    DrawSeed,
    DryRun,
    Enhance,
    Force,
    Formats,
    Frames,
    JsonLines,
    Licence,
    PackEngine,
    Precision,
    Quiet,
)
from wavetables.cli.words import count, sentence

if TYPE_CHECKING:
    from wavetables.packs.journal import Facts
    from wavetables.packs.making import Failure
    from wavetables.packs.run import Made, Update

Source = Annotated[Path, typer.Argument(metavar="RECIPE|FOLDER", hidden=True)]
Output = Annotated[
    Path | None,
    typer.Option(
        "--output",
        "-o",
        metavar="DIR",
        help="The folder of the pack. Default: the title, or the name of FOLDER.",
    ),
]
Title = Annotated[str | None, typer.Option(metavar="TEXT", help="The title of the pack. Default: the recipe's.")]
Loudness = Annotated[
    float | None,
    typer.Option(metavar="LUFS", help="The loudness of every table, played at C3: -40..-6 LUFS. Default: -18."),
]
Level = Annotated[
    str | None,
    typer.Option(
        metavar="RULE",
        help="table (default): one gain for each table. frame: one gain for each frame. kept: no change.",
    ),
]
Pictures = Annotated[
    str | None,
    typer.Option(
        metavar="WHICH",
        help="none: no pictures. sheet: contact sheets (default where matplotlib is installed). all: pictures of every "
        "table and its sounds, too.",
    ),
]
Archive = Annotated[bool, typer.Option("--zip", help="Write DIR.zip, too. The same pack gives the same bytes.")]
Workers = Annotated[
    int | None,
    typer.Option(
        min=1, max=256, metavar="N", help="The number of processes. Default: one for each core, and one with nsynth."
    ),
]
Cluster = Annotated[
    str | None,
    typer.Option(
        metavar="tcp://HOST:PORT", help="Instead of --workers: a Dask scheduler whose workers see the same folders."
    ),
]

EXAMPLES = """\b
make-wavetable pack my-pack.toml
make-wavetable pack recordings/ -o "First Light" --author Me --licence CC0-1.0 --format serum,vital,wt
"""


def pack(
    source: Source,
    output: Output = None,
    title: Title = None,
    author: Author = None,
    licence: Licence = None,
    formats: Formats = None,
    loudness: Loudness = None,
    level: Level = None,
    frames: Frames = None,
    pictures: Pictures = None,
    archive: Archive = False,
    engine: PackEngine = None,
    checkpoint: Checkpoint = None,
    averages: Averages = False,
    enhance: Enhance = False,
    seed: DrawSeed = None,
    precision: Precision = None,
    workers: Workers = None,
    cluster: Cluster = None,
    force: Force = False,
    dry_run: DryRun = False,
    quiet: Quiet = False,
    as_json: JsonLines = False,
) -> int:
    """Make a finished pack of wavetables, with a page that plays it.

    A RECIPE is a TOML file that names recordings, sweeps between sounds, and grids (docs/packs.md). A FOLDER holds
    recordings, and its subfolders are the categories. Options replace what the recipe says. After an interruption the
    same command continues.
    """
    from wavetables.packs.planning import plan_pack, with_nsynth

    texts: dict[str, Any] = {"title": title, "author": author, "licence": licence}
    kinds = None if formats is None else tuple(dict.fromkeys(name.strip() for name in formats.split(",")))
    sound: dict[str, Any] = {"formats": kinds, "loudness": loudness, "level": level, "frames": frames, "engine": engine}
    plan, folder = plan_pack(source, output, **texts, **sound, pictures=pictures)
    options = NSynthChoice(checkpoint, averages, enhance, seed, precision).options(plan.engine, {})
    plan = plan if options is None else with_nsynth(plan, options)
    if dry_run:
        from wavetables.packs.estimate import estimate

        tell_estimate(folder, estimate(plan, workers=workers, archive=archive), as_json)
        return 0
    from wavetables.packs.run import make_planned

    with progress(plan.title, quiet or as_json) as show:
        made = make_planned(
            plan,
            folder,
            workers=workers,
            cluster=cluster,
            archive=archive,
            force=force,
            update=_teller(show, as_json),
            watch=watch(quiet or as_json),
        )
    _tell(made, quiet, as_json)
    return exit_code(len(made.failures), len(plan.items))


def _teller(show: Callable[[int, int, str], None], as_json: bool) -> Update:
    """What tells the user about each table when it is done: an error line, a line of JSON, the progress."""

    def tell(done: int, total: int, result: Facts | Failure | None) -> None:
        line = {} if result is None else _line(result)
        if result is not None and not isinstance(result, dict):
            print(f"make-wavetable: error: {_why(result)}", file=sys.stderr, flush=True)
        if line and as_json:
            print(json.dumps({"done": done, "total": total, **line}, ensure_ascii=False), flush=True)
        show(done, total, line.get("name", ""))

    return tell


def _line(result: Facts | Failure) -> dict[str, Any]:
    """What --json says about a table."""
    if not isinstance(result, dict):
        return {"name": result.name, "error": result.why}
    return {name: result[name] for name in ("name", "category", "frames", "root_pitch", "loudness", "odd", "tables")}


def _why(failure: Failure) -> str:
    """The line for a table that could not be made. A recipe gives a pitch in its own way."""
    from nsynth_core.pitch import Unpitched

    return failure.why if isinstance(failure.error, Unpitched) else sentence(failure.error, "pack")


def _tell(made: Made, quiet: bool, as_json: bool) -> None:
    """Say what is odd and what sounds alike, and print what was written."""
    failed = [{"name": failure.name, "why": failure.why} for failure in made.failures]
    nothing: Facts = {"items": [], "odd": {}, "near_duplicates": [], "failed": failed}
    manifest = nothing if made.manifest is None else made.manifest
    for name, lines in manifest["odd"].items():
        for line in lines:
            say(f"odd: {name}: {line}", quiet)
    for pair in manifest["near_duplicates"]:
        say(f"alike: {' and '.join(pair['tables'])} ({pair['distance_db']} dB apart); keep one", quiet)
    say(f"{made.folder}: {_summary(made, manifest)}", quiet)
    paths = [] if made.manifest is None else [str(path) for path in (made.folder, made.archive) if path is not None]
    if as_json:
        facts = {"output": paths, "made": len(manifest["items"]) - made.kept, "kept": made.kept}
        rest = {name: manifest[name] for name in ("near_duplicates", "odd", "failed")}
        print(json.dumps({**facts, **rest}, ensure_ascii=False))
    else:
        for path in paths:
            print(path)


def _summary(made: Made, manifest: Facts) -> str:
    """How many tables there are, and of what kind."""
    odd, alike, failed = len(manifest["odd"]), len(manifest["near_duplicates"]), len(made.failures)
    parts = [
        count(len(manifest["items"]), "table"),
        f"{made.kept} of them there already" if made.kept else "",
        f"{odd} with something odd" if odd else "",
        f"{count(alike, 'pair')} alike" if alike else "",
        f"{failed} failed" if failed else "",
    ]
    return ", ".join(filter(None, parts))
