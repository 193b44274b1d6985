"""make-wavetable convert: between wavetable formats, mending on the way."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from wavetables.cli.checks import check_credits
from wavetables.cli.console import emit, say
from wavetables.cli.options import Author, Force, Json, Licence, Provenance, Quiet
from wavetables.cli.words import count

if TYPE_CHECKING:
    from wavetables.converting import Converted

Source = Annotated[Path, typer.Argument(metavar="IN", hidden=True)]
Target = Annotated[Path, typer.Argument(metavar="OUT", hidden=True)]
Format = Annotated[
    str | None, typer.Option("--format", metavar="NAME", help="The format of OUT. Default: the one that OUT ends in.")
]
Fix = Annotated[bool, typer.Option("--fix", help="Mend the problems that inspect shows in the frames.")]
Size = Annotated[
    int | None,
    typer.Option(
        min=2, max=8192, metavar="SAMPLES", help="Samples a frame, 2..8192. Default: what the WAV says, else 2048."
    ),
]
Oscillator = Annotated[
    int | None,
    typer.Option(
        min=1, max=3, metavar="N", help="Which table of a .vital preset, 1..3. Default: the first that sounds."
    ),
]


def convert(
    source: Source,
    target: Target,
    name: Format = None,
    fix: Fix = False,
    size: Size = None,
    oscillator: Oscillator = None,
    author: Author = None,
    licence: Licence = None,
    provenance: Provenance = True,
    force: Force = False,
    quiet: Quiet = False,
    as_json: Json = False,
) -> int:
    """Convert wavetables between formats.

    IN is a .wav, .vitaltable, .vital, .wt or .sfz, or a folder of single cycles. OUT ends in .wav (Serum),
    .vitaltable (Vital), .wt (Surge, Bitwig) or .sfz; without a suffix it is a folder of single cycles. --format names
    other formats: wt16, hive, ableton, modwave, modwave-small, wavedit, e352, microfreak, 3rdwave, behringer-wave,
    blofeld, tonverk, deluge.

    \b
    make-wavetable convert pad.wav pad.vitaltable
    make-wavetable convert AKWF_0001/ akwf.wav
    make-wavetable convert lead.vital lead.wav --oscillator 2
    make-wavetable convert pad.wav bank.wav --format e352
    make-wavetable convert old.wav new.wav --fix
    """
    from wavetables import converting
    from wavetables import provenance as recipe

    check_credits(author, licence, provenance)
    credits = recipe.credits(author, licence)
    origin = credits if provenance else None
    done = converting.convert(
        source, target, name, fix=fix, size=size, oscillator=oscillator, provenance=origin, force=force
    )
    if as_json:
        emit(_to_dict(done))
    else:
        _tell(done, quiet)
        print(done.target)
    return 0


def _to_dict(done: Converted) -> dict[str, object]:
    facts = {"source": str(done.source), "output": str(done.target), "format": done.format, "frames": done.frames}
    return {
        **facts,
        "size": done.size,
        "decision": done.decision,
        "remarks": list(done.remarks),
        "fixed": done.fixed,
    }


def _tell(done: Converted, quiet: bool) -> None:
    for remark in done.remarks:
        say(f"{done.source}: {remark}", quiet)
    if done.oscillators:
        others = " or ".join(map(str, done.oscillators))
        say(f"{done.source}: other tables of the preset sound, too: --oscillator {others}", quiet)
    lost = done.frames_before - done.frames
    dropped = f", {count(lost, 'frame')} dropped" if lost else ""
    say(f"{done.source}: {count(done.frames_before, 'frame')} of {done.size} samples ({done.decision}){dropped}", quiet)
