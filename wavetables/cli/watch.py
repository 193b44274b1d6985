"""make-wavetable watch: a recording dropped into a folder becomes a table."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from wavetables.cli.checks import pitch_of
from wavetables.cli.console import say, say_error
from wavetables.cli.options import Force, Formats, Frames, JsonLines, Pitch, Quiet
from wavetables.cli.words import count

if TYPE_CHECKING:
    from wavetables.packs.watching import Watched

Folder = Annotated[Path, typer.Argument(metavar="FOLDER", hidden=True)]
Output = Annotated[
    Path | None, typer.Option("--output", "-o", metavar="DIR", help="Where the tables go. Default: FOLDER-tables.")
]

EXAMPLES = """\b
make-wavetable watch bounces/ -o "Serum Presets/Tables/Mine" --force
"""


def watch(
    folder: Folder,
    output: Output = None,
    formats: Formats = None,
    pitch: Pitch = None,
    frames: Frames = None,
    force: Force = False,
    quiet: Quiet = False,
    as_json: JsonLines = False,
) -> int:
    """Make a table of every recording dropped into a folder.

    A recording is taken when it has stopped growing. Recordings that are there already and have no table yet get one.
    With --force, a recording that changes replaces its table. Ctrl-C ends the command.
    """
    from wavetables.packs.watching import check_watch, default_output, watch_folder

    kinds = [name.strip() for name in (formats or "serum").split(",")]
    target = output if output is not None else default_output(folder)
    midi = pitch_of(pitch)
    check_watch(folder, target, kinds)
    say(f"watching {folder}; tables go to {target}; Ctrl-C ends", quiet)
    made = 0
    try:
        for watched in watch_folder(folder, target, formats=kinds, pitch=midi, frames=frames, force=force):
            made += watched.table is not None
            _tell(watched, quiet, as_json)
    except KeyboardInterrupt:  # how a watch ends
        say(f"{count(made, 'table')} made", quiet)
    return 0


def _tell(watched: Watched, quiet: bool, as_json: bool) -> None:
    """Say what became of a recording, and print the files of its tables."""
    source, table = watched.source, watched.table
    if watched.error is not None:
        say_error(watched.error, "watch")
    elif table is None:
        say(f"{source}: has its table already; --force makes it again", quiet)
    else:
        pitch = table.provenance.get("pitch", "a wavetable already")
        say(f"{source}: {pitch}, {count(len(table.frames), 'frame')}", quiet)
        for file in watched.files:
            print(json.dumps({"source": str(source), "output": str(file)}) if as_json else file, flush=True)
