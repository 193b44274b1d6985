"""make-wavetable convert: between wavetable formats, mending on the way."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from wavetables.cli.common import Author, Force, Json, Licence, Provenance, Quiet, check_no_source, count, emit, say


def convert(
    source: Annotated[Path, typer.Argument(metavar="IN", hidden=True)],
    target: Annotated[Path, typer.Argument(metavar="OUT", hidden=True)],
    name: Annotated[
        str | None,
        typer.Option("--format", metavar="NAME", help="What OUT is for. Default: what it ends in."),
    ] = None,
    fix: Annotated[bool, typer.Option("--fix", help="Mend what inspect finds in the frames.")] = False,
    size: Annotated[
        int | None,
        typer.Option(min=2, max=8192, metavar="SAMPLES", help="Samples a frame, where a WAV does not say it."),
    ] = None,
    oscillator: Annotated[
        int | None,
        typer.Option(min=1, max=3, metavar="N", help="Whose table of a .vital preset (1..3)."),
    ] = None,
    author: Author = None,
    licence: Licence = None,
    provenance: Provenance = True,
    force: Force = False,
    quiet: Quiet = False,
    as_json: Json = False,
) -> int:
    """Convert wavetables between formats.

    IN is a .wav, .vitaltable, .vital, .wt or .sfz, or a folder of single cycles. OUT ends in .wav (Serum),
    .vitaltable, .wt (Surge, Bitwig), .sfz, or in nothing: a folder of single cycles. --format names what else it may
    be for: wt16, hive, ableton, modwave, modwave-small, wavedit, e352, microfreak, 3rdwave, behringer-wave, blofeld,
    tonverk, deluge.

    \b
    make-wavetable convert pad.wav pad.vitaltable
    make-wavetable convert AKWF_0001/ akwf.wav
    make-wavetable convert lead.vital lead.wav --oscillator 2
    make-wavetable convert pad.wav bank.wav --format e352
    make-wavetable convert old.wav new.wav --fix
    """
    from wavetables import provenance as recipe
    from wavetables.formats import registry
    from wavetables.mending import mend
    from wavetables.table import Table

    credits = recipe.credits(author, licence, provenance)
    kind = registry.chosen(target, name)
    check_no_source(target, [source])
    loaded = registry.load(source, size, oscillator)
    table = loaded.table(source.resolve().name if source.is_dir() else source.stem)
    before = len(table.frames)
    if fix:
        # at the size of the file, where what a stretched frame was made from can still be seen
        mended = replace(loaded, frames=mend(loaded.frames)) if before == len(loaded.frames) else None
        table = mended.table(table.name) if mended else replace(table, frames=mend(table.frames))
    said = {**table.provenance, **credits}
    table = replace(table, provenance=said) if provenance else Table(table.frames, table.name)
    registry.write(target, table, force, kind)
    facts = {"source": str(source), "output": str(target), "format": kind, "frames": len(table.frames)}
    if as_json:
        emit({**facts, "size": loaded.size, "decision": loaded.decision, "remarks": list(loaded.remarks), "fixed": fix})
        return 0
    for line in loaded.remarks:
        say(f"{source}: {line}", quiet)
    dropped = f", {count(before - len(table.frames), 'frame')} dropped" if len(table.frames) < before else ""
    say(f"{source}: {count(before, 'frame')} of {loaded.size} samples ({loaded.decision}){dropped}", quiet)
    print(target)
    return 0
