"""make-wavetable install: a pack into a synth's own folder, or into one archive."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from nsynth_core.errors import UsageError
from wavetables.cli.checks import check_choice
from wavetables.cli.console import emit, say
from wavetables.cli.options import Force, Json, Quiet
from wavetables.cli.words import count


def install(
    pack: Annotated[Path, typer.Argument(metavar="PACK", hidden=True)],
    synth: Annotated[
        str | None, typer.Option(metavar="NAME,...", help="serum, serum2, vital, surge; several at once.")
    ] = None,
    to: Annotated[
        Path | None, typer.Option(metavar="DIR", help="The synth's folder of tables, if it was moved.")
    ] = None,
    yes: Annotated[
        bool, typer.Option("--yes", "-y", help="Do it; without, only say what would be copied where.")
    ] = False,
    archive: Annotated[bool, typer.Option("--zip", help="Make PACK.zip: the same pack, the same bytes.")] = False,
    force: Force = False,
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Copy a pack to where a synth looks for it, or into one archive.

    Says where first; --yes does it. Files that are there already are left; others are never replaced without --force.

    \b
    make-wavetable install "First Light" --synth serum,vital
    make-wavetable install "First Light" --synth serum,vital --yes
    make-wavetable install "First Light" --zip
    """
    from wavetables.packs import archive as archives
    from wavetables.packs import install as installing

    if synth is None and not archive:
        raise UsageError(f"install needs --synth ({', '.join(installing.SYNTHS)}) or --zip")
    chosen = [
        check_choice(name.strip(), tuple(installing.SYNTHS), "synth") for name in (synth or "").split(",") if name
    ]
    if to is not None and len(chosen) != 1:
        raise UsageError("--to is the folder of one synth; give one --synth")
    results: list[dict[str, object]] = []
    for name in chosen:
        pairs = installing.copies(pack, name, to)
        copied = installing.copy(pairs, force) if yes else 0
        for source, target in pairs:
            results.append({"synth": name, "source": str(source), "target": str(target), "done": yes})
        there = f"{count(copied, 'table')} copied, {len(pairs) - copied} there already" if yes else "add --yes to copy"
        say(f"{installing.SYNTHS[name].title}: {count(len(pairs), 'table')} to {_top(pairs)}; {there}", quiet)
    if archive:
        target = archives.write_zip(pack, pack.resolve().with_name(f"{pack.resolve().name}.zip"), force)
        results.append({"target": str(target), "done": True})
    if as_json:
        emit(results)
    else:
        for result in results:
            print(result["target"])


def _top(pairs: list[tuple[Path, Path]]) -> Path:
    """The folder that all targets share."""
    import os

    return Path(os.path.commonpath([str(target.parent) for _, target in pairs]))
