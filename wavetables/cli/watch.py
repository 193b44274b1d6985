"""make-wavetable watch: a recording dropped into a folder becomes a table."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from nsynth_core.errors import UsageError, UserError
from wavetables.cli.checks import check_choice, pitch_of
from wavetables.cli.console import say, say_error
from wavetables.cli.options import Force, Frames, Pitch, Quiet
from wavetables.cli.words import count


def watch(
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", hidden=True)],
    output: Annotated[
        Path | None, typer.Option("--output", "-o", metavar="DIR", help="Where the tables go. Default: FOLDER-tables.")
    ] = None,
    formats: Annotated[
        str | None, typer.Option("--format", metavar="NAME,...", help="serum (default), vital, wt, hive ...")
    ] = None,
    pitch: Pitch = None,
    frames: Frames = None,
    force: Force = False,
    quiet: Quiet = False,
    as_json: Annotated[bool, typer.Option("--json", help="A line of JSON for every table.")] = False,
) -> int:
    """Make a table of every recording dropped into a folder.

    A recording is taken when it has stopped growing. Those that are there already and have no table yet get one;
    with --force a recording that changes replaces its table. Ctrl-C ends it.

    \b
    make-wavetable watch bounces/ -o "Serum Presets/Tables/Mine" --force
    """
    from wavetables.formats import registry
    from wavetables.importing import import_sound
    from wavetables.packs import names
    from wavetables.packs.plan import FORMATS
    from wavetables.packs.watching import arrivals

    kinds = [check_choice(name.strip(), FORMATS, "format") for name in (formats or "serum").split(",")]
    suffixes = [registry.FORMATS[kind].suffix for kind in kinds]
    if len(set(suffixes)) < len(suffixes):
        raise UsageError(f"--format {formats}: two of them would be one {suffixes[0]} file; watch with one of them")
    midi = pitch_of(pitch)
    if not folder.is_dir():
        raise UserError(f"{folder}: no such folder; make it, then drop recordings into it")
    target = output if output is not None else folder.resolve().with_name(f"{folder.resolve().name}-tables")
    if target.resolve().is_relative_to(folder.resolve()):
        raise UserError(f"{target} lies in {folder}, so its tables would be taken for recordings; choose another -o")
    say(f"watching {folder}; tables go to {target}; Ctrl-C ends", quiet)
    made = 0
    try:
        for path in arrivals(folder):
            below = path.relative_to(folder)
            stem = target / below.parent / names.safe(path.stem)
            files = [stem.with_name(stem.name + suffix) for suffix in suffixes]
            if not force and all(file.exists() for file in files):
                say(f"{path}: has its table already; --force makes it again", quiet)
                continue
            try:
                table = import_sound(path, midi, frames)
                for kind, file in zip(kinds, files, strict=True):
                    registry.write(file, table, force, kind)
            except UserError as error:
                say_error(error, "watch")
                continue
            made += 1
            say(
                f"{path}: {table.provenance.get('pitch', 'a wavetable already')}, {count(len(table.frames), 'frame')}",
                quiet,
            )
            for file in files:
                print(json.dumps({"source": str(path), "output": str(file)}) if as_json else file, flush=True)
    except KeyboardInterrupt:  # how a watch ends
        say(f"{count(made, 'table')} made", quiet)
    return 0
