"""How much a command would write: the result of a dry run."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Estimate:
    """What would be made: the number of `files`, about how many `bytes` they would have, and about how many `seconds`
    it would take on this machine."""

    files: int
    bytes: int
    seconds: float
