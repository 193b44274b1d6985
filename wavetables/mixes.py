"""Places between sounds."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Mix:
    """Where between the sounds: one place, or `count` places on the straight way from `start` to `end`.

    start, end: (x, y), each 0..1. x runs from the left sound to the right one, y from the upper row to the lower one.
    text: how files spell the mix; "" for "0.3" or "0:1:64"

    >>> Mix((0.0, 0.0), (1.0, 0.0), 3).places
    [(0.0, 0.0), (0.5, 0.0), (1.0, 0.0)]
    """

    start: tuple[float, float]
    end: tuple[float, float]
    count: int = 1
    text: str = ""

    @property
    def places(self) -> list[tuple[float, float]]:
        """The places in order."""
        (x0, y0), (x1, y1) = self.start, self.end
        steps = [index / max(self.count - 1, 1) for index in range(self.count)]
        return [(x0 + (x1 - x0) * step, y0 + (y1 - y0) * step) for step in steps]

    @property
    def name(self) -> str:
        """How files spell the mix."""
        if self.text:
            return self.text
        ends = [f"{x:g}" if y in (0.0, 0.5) else f"{x:g},{y:g}" for x, y in (self.start, self.end)]
        return ends[0] if self.count == 1 else f"{ends[0]}:{ends[1]}:{self.count}"
