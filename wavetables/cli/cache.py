"""make-wavetable cache: what was computed once and is kept."""

from __future__ import annotations

from typing import Annotated

import typer

from wavetables.cli.checks import check_choice
from wavetables.cli.console import emit
from wavetables.cli.options import Json
from wavetables.cli.words import count


def cache(
    what: Annotated[str, typer.Argument(metavar="info|clear", hidden=True)],
    as_json: Json = False,
) -> None:
    """Show or empty the cache of tables and embeddings.

    It makes a pack that is made again, or made in other formats, quick; emptying it loses nothing but time.

    \b
    make-wavetable cache info
    make-wavetable cache clear
    """
    from nsynth_core import cache as store

    check_choice(what, ("info", "clear"), "cache command")
    info = store.clear() if what == "clear" else store.info()
    if as_json:
        facts = {"folder": str(info.folder), "entries": info.entries, "bytes": info.bytes, "limit": info.limit}
        emit({**facts, "cleared": what == "clear"})
        return
    size = f"{count(info.entries, 'file')}, {info.bytes / 1e6:.1f} MB"
    print(f"{info.folder}: {size} {'removed' if what == 'clear' else f'of at most {info.limit / 1e6:.0f} MB'}")
