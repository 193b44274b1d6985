"""make-wavetable presets: list the presets and instruments, show one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from wavetables.cli.console import emit
from wavetables.cli.options import Json

if TYPE_CHECKING:
    from presets.schema import Preset


def presets(
    name: Annotated[str | None, typer.Argument(metavar="NAME", hidden=True)] = None,
    as_json: Json = False,
) -> None:
    """List presets and built-in instruments, or show one.

    NAME is a preset, a preset file of your own, or an instrument.
    """
    import presets as library

    if name is None:
        _list(as_json)
        return
    entry = next((each for each in library.instruments() if each.name == name), None)
    facts = entry.model_dump() if entry is not None else _facts(name)
    if as_json:
        emit(facts)
        return
    width = max(map(len, facts))
    for key, value in facts.items():
        print(f"{key:<{width}}  {', '.join(map(str, value)) if isinstance(value, list) else value}")


def _facts(name: str) -> dict[str, Any]:
    """Everything about a preset."""
    from wavetables.grids import read_request

    preset: Preset = read_request(name).preset
    facts: dict[str, Any] = {"name": name, **preset.model_dump(mode="json")}
    facts["pitches"] = [int(pitch) if pitch == int(pitch) else pitch for pitch in preset.pitches]
    return {**facts, "notes": preset.notes, "tables": preset.tables}


def _list(as_json: bool) -> None:
    import presets as library

    if as_json:
        emit(
            {
                "presets": [_facts(name) for name in library.names()],
                "instruments": [entry.model_dump() for entry in library.instruments()],
            }
        )
        return
    for name in library.names():
        preset = library.load(name)
        default = "  (default)" if name == library.DEFAULT else ""
        print(f"{name}{default}\n    {preset.title}: {', '.join(map(str, preset.corners))}\n    {preset.why}")
    families: dict[str, list[str]] = {}
    for entry in library.instruments():
        families.setdefault(entry.family, []).append(entry.name)
    print(f"\n{len(library.instruments())} instruments")
    for family, members in families.items():
        print(f"    {family}: {', '.join(members)}")
