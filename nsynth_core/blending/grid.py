"""A grid: the blends of two corner instruments, or of a square of them, over pitch and mix."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from nsynth_core.blending.engine import Row
from nsynth_core.blending.instrument import Instrument
from nsynth_core.blending.weights import corner_weights, side


@dataclass(frozen=True)
class GridSpec:
    """The size of a grid.

    mixes: points from one sound to its neighbour, both included, 2 or more
    pitches: MIDI numbers
    seconds, rate: of the notes
    weights: rule of `nsynth_core.blending.weights.corner_weights`
    frames: of each table

    >>> GridSpec(mixes=5, pitches=(48.0,)).places(corners=4)
    [0.0, 0.25, 0.5, 0.75, 1.0]
    """

    mixes: int
    pitches: tuple[float, ...]
    seconds: float = 4.0
    rate: int = 48_000
    weights: str = "bilinear"
    frames: int = 64

    def side(self, corners: int) -> int:
        """The number of points on a side of the grid between `corners` sounds. The sounds lie on points."""
        return (self.mixes - 1) * (side(corners) - 1) + 1

    def places(self, corners: int) -> list[float]:
        """The positions 0..1 of the mixes in a row, and of the rows in a square."""
        return [float(place) for place in np.linspace(0, 1, self.side(corners))]

    def rows(self, instruments: Sequence[Instrument]) -> Iterator[tuple[float, float, Row]]:
        """The requests (MIDI pitch, y, Row) for an engine, row by row at every pitch.

        A Row has the mixes from left to right, and a table along them. Two instruments give one row per pitch.
        """
        corners = len(instruments)
        places = self.places(corners)
        for pitch in self.pitches:
            for y in places if corners > 2 else [0.0]:
                mixes, path = (
                    np.stack([corner_weights(x, y, corners, self.weights) for x in positions])
                    for positions in (places, np.linspace(0, 1, self.frames))
                )
                yield pitch, y, Row(tuple(instruments), pitch, mixes, path)
