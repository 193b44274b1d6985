"""A grid: the blends of two or four corner instruments over pitch x mix."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from nsynth_core.blending.engine import Row
from nsynth_core.blending.instrument import Instrument
from nsynth_core.blending.weights import corner_weights, side


@dataclass(frozen=True)
class GridSpec:
    """`mixes` points from one sound to the next, MIDI `pitches`, `seconds` and `rate` of notes, `frames` of tables."""

    mixes: int
    pitches: tuple[float, ...]
    seconds: float = 4.0
    rate: int = 48_000
    weights: str = "bilinear"
    frames: int = 64

    def side(self, corners: int) -> int:
        """Points a side between two corners, or a square of n x n: the sounds lie on points."""
        return (self.mixes - 1) * (side(corners) - 1) + 1

    def places(self, corners: int) -> list[float]:
        """Where the mixes of a row lie, 0..1, and the rows of a square."""
        return [float(place) for place in np.linspace(0, 1, self.side(corners))]

    def rows(self, instruments: Sequence[Instrument]) -> Iterator[tuple[float, float, Row]]:
        """(pitch, y, what is asked of an engine) row by row at every pitch: its mixes from left to right, and the table
        that walks it. Two instruments make one row."""
        corners = len(instruments)
        places = self.places(corners)
        for pitch in self.pitches:
            for y in places if corners > 2 else [0.0]:
                mixes, path = (
                    np.stack([corner_weights(x, y, corners, self.weights) for x in way])
                    for way in (places, np.linspace(0, 1, self.frames))
                )
                yield pitch, y, Row(tuple(instruments), pitch, mixes, path)
