"""make-wavetable inspect: what is in a table or a laid out grid, and what is wrong with it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from wavetables.cli.common import Json, emit, run_batch


def inspect(
    files: Annotated[list[Path], typer.Argument(metavar="FILE", hidden=True, readable=False)],
    as_json: Json = False,
) -> int:
    """Show what is in tables and grids, and what is wrong with them."""
    from wavetables import inspection
    from wavetables.grids import inspection as layout_inspection

    reports: list[dict[str, object]] = []

    def one(file: Path) -> None:
        found = layout_inspection.inspect(file) or inspection.inspect(file)
        if as_json:
            reports.append(found.to_dict())
        else:
            print(found)

    code = run_batch(files, one, "inspect", quiet=True)
    if as_json:
        emit(reports)
    return code
