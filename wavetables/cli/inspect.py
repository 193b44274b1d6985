"""make-wavetable inspect: what is in a table or a laid out grid, what is wrong with it, and what mends it."""

from __future__ import annotations

import shlex
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from wavetables.cli.console import emit, run_batch
from wavetables.cli.options import Json
from wavetables.cli.words import count

if TYPE_CHECKING:
    from wavetables.inspection import Inspection, Mend

Files = Annotated[list[Path], typer.Argument(metavar="FILE", hidden=True, readable=False)]

MENDED_SUFFIXES = {".wt": ".wt", ".vitaltable": ".vitaltable", ".vital": ".vitaltable", ".sfz": ".sfz"}
PHASE_WORDS = {True: "fundamentals in phase", False: "fundamentals out of phase", None: "no fundamentals to compare"}


def inspect(files: Files, as_json: Json = False) -> int:
    """Show what is in tables and grids, and what is wrong with them.

    A FILE is a table of any format, a folder of single cycles, a grid for Max for Live, a pad or a folder of pads of
    Open NSynth Super, or an SFZ instrument. For each problem a command is shown that mends it.

    \b
    make-wavetable inspect pad.wav
    make-wavetable inspect tables/*.vitaltable --json
    """
    from wavetables import inspection
    from wavetables.grids import inspection as grid_inspection

    reports: list[dict[str, object]] = []

    def report_file(file: Path) -> None:
        if grid := grid_inspection.inspect(file):
            facts, text = grid.to_dict(), str(grid)
        else:
            table = inspection.inspect(file)
            facts, text = to_dict(table), report(table)
        reports.append(facts)
        if not as_json:
            print(text)

    code = run_batch(files, report_file, "inspect", quiet=True)
    if as_json:
        emit(reports)
    return code


def report(inspection: Inspection) -> str:
    """What is shown of a table: facts, then each problem with the command that mends it."""
    from nsynth_core.notes import note_name
    from wavetables.inspection import describe

    pitch, peak = inspection.root_pitch, inspection.peak_dbfs
    root = "" if pitch is None else f", root {note_name(pitch)} ({pitch:.2f})"
    channels = count(inspection.channels, "channel")
    chunks = " ".join(repr(chunk) for chunk in inspection.chunks)
    lines = [
        f"{inspection.path}: {inspection.name}{root}",
        f"  {count(inspection.frames, 'frame')} of {inspection.size} samples ({inspection.decision})",
        f"  {inspection.encoding}, {channels}, {inspection.rate} Hz, flags {inspection.flags or 'none'},"
        f" chunks {chunks}",
        f"  peak {'silent' if peak is None else f'{peak:.2f} dBFS'}, DC {inspection.dc:.2g},"
        f" seam {inspection.seam:.2g} median steps, {PHASE_WORDS[inspection.in_phase]}",
    ]
    lines += [f"  {key}: {value}" for key, value in inspection.provenance.items()]
    commands = mending(inspection)
    for command in dict.fromkeys(commands):
        mended = [problem for problem, own in zip(inspection.problems, commands, strict=True) if own == command]
        lines += [f"  problem: {describe(problem)}" for problem in mended]
        lines.append(f"    mend: {command}")
    if not inspection.problems:
        lines.append("  no problems")
    return "\n".join(lines)


def to_dict(inspection: Inspection) -> dict[str, object]:
    """What --json says: the facts, each problem in words, and for each the command that mends it."""
    from wavetables.inspection import describe

    words = [describe(problem) for problem in inspection.problems]
    return {**asdict(inspection), "problems": words, "mending": mending(inspection)}


def mending(inspection: Inspection) -> list[str]:
    """For each problem the command that mends it."""
    return [_command(Path(inspection.path), problem.mend) for problem in inspection.problems]


def _command(path: Path, mend: Mend) -> str:
    from wavetables.inspection import Mend

    if mend is Mend.EXPORT:
        return "nothing to mend it with: export it again from its source"
    suffix = "" if path.is_dir() else MENDED_SUFFIXES.get(path.suffix.lower(), ".wav")
    target = f"{path.resolve().name if path.is_dir() else path.stem}-mended{suffix}"
    fix = ["--fix"] if mend is Mend.FIX else []
    paths = [f"./{name}" if name.startswith("-") else name for name in (str(path), target)]  # not an option
    return shlex.join(["make-wavetable", "convert", *paths, *fix])
