"""make-wavetable install: a pack into a synth's own folder, or into one archive."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from nsynth_core.errors import UsageError
from wavetables.cli.checks import check_choice
from wavetables.cli.console import emit, say
from wavetables.cli.options import Force, Json, Quiet
from wavetables.cli.words import count

if TYPE_CHECKING:
    from wavetables.packs.install import Installation

Pack = Annotated[Path, typer.Argument(metavar="PACK", hidden=True)]
Synth = Annotated[
    str | None,
    typer.Option(
        metavar="NAME,...",
        help="The synths, separated by commas. serum: Serum. serum2: Serum 2. vital: Vital. surge: Surge XT.",
    ),
]
To = Annotated[Path | None, typer.Option(metavar="DIR", help="The synth's folder of tables, if it was moved.")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Copy. Without it, only say what would be copied where.")]
Archive = Annotated[bool, typer.Option("--zip", help="Write PACK.zip. The same pack gives the same bytes.")]

EXAMPLES = """\b
make-wavetable install "First Light" --synth serum,vital
make-wavetable install "First Light" --synth serum,vital --yes
make-wavetable install "First Light" --zip
"""


def install(
    pack: Pack,
    synth: Synth = None,
    to: To = None,
    yes: Yes = False,
    archive: Archive = False,
    force: Force = False,
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Copy a pack to where a synth looks for it, or into one archive.

    Without --yes the command only says where the files would go. A file that is there already is left alone. Another
    file of the same name is replaced only with --force.
    """
    from wavetables.packs.archive import write_zip
    from wavetables.packs.install import SYNTHS, install_pack

    if synth is None and not archive:
        raise UsageError(f"install needs --synth ({', '.join(SYNTHS)}) or --zip")
    chosen = [check_choice(name.strip(), SYNTHS, "synth") for name in (synth or "").split(",") if name]
    if to is not None and len(chosen) != 1:
        raise UsageError("--to is the folder of one synth; give one --synth")
    results: list[dict[str, object]] = []
    for name in chosen:
        installation = install_pack(pack, name, to, dry_run=not yes, force=force)
        results += [
            {"synth": name, "source": str(source), "target": str(target), "done": yes}
            for source, target in installation.pairs
        ]
        say(f"{SYNTHS[name].title}: {_summary(installation)}", quiet)
    if archive:
        target = write_zip(pack, pack.resolve().with_name(f"{pack.resolve().name}.zip"), force)
        results.append({"target": str(target), "done": True})
    if as_json:
        emit(results)
    else:
        for result in results:
            print(result["target"])


def _summary(installation: Installation) -> str:
    """How many tables go where, and how many were there already."""
    tables, copied = len(installation.pairs), installation.copied
    done = "add --yes to copy"
    if copied is not None:
        done = f"{count(copied, 'table')} copied, {tables - copied} there already"
    return f"{count(tables, 'table')} to {installation.folder}; {done}"
