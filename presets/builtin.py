"""The list of built-in instruments, instruments.toml."""

from __future__ import annotations

from functools import lru_cache
from importlib import resources

from pydantic import ValidationError

from nsynth_core.errors import UserError
from presets.checking import Line, Name, StrictModel, first_problem, parse_toml

FILE = "instruments.toml"


class InstrumentEntry(StrictModel):
    """One built-in instrument: what it is, where it comes from, and under which licence."""

    name: Name
    family: Line
    source: Line
    licence: Line
    description: Line


class _InstrumentFile(StrictModel):
    instrument: list[InstrumentEntry]


@lru_cache(maxsize=1)
def instruments() -> tuple[InstrumentEntry, ...]:
    """The built-in instruments, in the order of instruments.toml.

    >>> instruments()[0].name in [entry.name for entry in instruments()]
    True
    """
    return parse_instruments(resources.files("presets").joinpath(FILE).read_bytes(), FILE)


def parse_instruments(data: bytes, file: str) -> tuple[InstrumentEntry, ...]:
    """The entries of instruments.toml. Raises UserError when it breaks the schema."""
    try:
        return tuple(_InstrumentFile.model_validate(parse_toml(data, file)).instrument)
    except ValidationError as error:
        raise UserError(f"{file}: {first_problem(error, InstrumentEntry)}") from error
