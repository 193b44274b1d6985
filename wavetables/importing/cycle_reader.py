"""Reads the cycles of a sound, band-limited, along the exact phase of its note."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nsynth_core.audio import Floats, Sound
from nsynth_core.parallel import blocks_in_threads
from nsynth_core.pitch import PitchTrack

Doubles = NDArray[np.float64]
Complexes = NDArray[np.complex128]
Numbers = NDArray[np.int64]

HALF_TAPS, BETA, TABLE_STEPS = 32, 9.0, 512  # a Kaiser-windowed sinc whose images are below -90 dB
BLOCK = 1 << 12  # points read at once, so that their taps stay in the cache of a core


@dataclass(frozen=True)
class Phase:
    """The phase of a note: at `seconds` (n,) so many `cycles` (n,) have passed. Both rise strictly."""

    seconds: Doubles
    cycles: Doubles

    @staticmethod
    def of(track: PitchTrack, sound: Sound) -> Phase:
        """The phase along a pitch track, for the whole of `sound`."""
        # finer steps than the track's own: between those f0 is a straight line, and phase is curved
        seconds = np.arange(0.0, sound.seconds + 0.0015, 0.001)
        return Phase(seconds, track.cycles(seconds))

    def at(self, seconds: float) -> float:
        """Cycles that have passed at a time."""
        return float(np.interp(seconds, self.seconds, self.cycles))

    def seconds_of(self, cycles: NDArray[Any]) -> Doubles:
        """The times at which so many `cycles` have passed: by cubic Hermite curves between the values, whose slopes are
        the periods, and straight lines beyond the ends."""
        k = np.clip(np.searchsorted(self.cycles, cycles, "right") - 1, 0, len(self.cycles) - 2)
        span = self.cycles[k + 1] - self.cycles[k]
        u = (cycles - self.cycles[k]) / span
        inside = np.clip(u, 0.0, 1.0)
        rest = 1.0 - inside
        curve = inside * rest * (self.periods[k] * span * rest - self.periods[k + 1] * span * inside)
        smooth = self.seconds[k] + (self.seconds[k + 1] - self.seconds[k]) * inside * inside * (3 - 2 * inside)
        return np.asarray(smooth + curve + (u - inside) * span * self.periods[k], dtype=np.float64)

    @cached_property
    def periods(self) -> Doubles:
        """(n,): the length of a cycle in seconds, at `seconds`."""
        return np.asarray(1.0 / np.gradient(self.cycles, self.seconds, edge_order=2), dtype=np.float64)

    def f0(self, numbers: NDArray[np.int64]) -> Doubles:
        """Hz during the cycles with these numbers (n,)."""
        return np.asarray(1.0 / (self.seconds_of(numbers + 1) - self.seconds_of(numbers)), dtype=np.float64)


class Reader:
    """Reads a signal at fractional sample numbers, band-limited.

    x: float32 (n,)
    rate: in Hz
    low_hz: the lowest f0 of the note; it decides how many points are read of a cycle
    """

    def __init__(self, x: Floats, rate: int, low_hz: float):
        self.rate = rate
        # a fifth more points than the sound has samples a cycle: images fall above the sound's Nyquist frequency, where
        # they are dropped
        self.points = int(2 ** np.ceil(np.log2(max(1.2 * rate / low_hz, 16.0))))
        self.x = np.pad(x, (HALF_TAPS, HALF_TAPS + 1))
        self.count = len(x)
        place = np.arange(-HALF_TAPS * TABLE_STEPS, HALF_TAPS * TABLE_STEPS + 1) / TABLE_STEPS
        window = np.i0(BETA * np.sqrt(np.maximum(1 - (place / HALF_TAPS) ** 2, 0))) / np.i0(BETA)
        kernel = np.sinc(place) * window
        # row r: the taps for a place r / TABLE_STEPS after a sample
        taps = kernel[:-1].reshape(-1, TABLE_STEPS)[::-1].T
        self.taps = np.vstack([taps, np.append(0.0, taps[0, :-1])]).astype(np.float32)

    def cycles(self, phase: Phase, numbers: NDArray[np.int64]) -> Doubles:
        """The cycles with these numbers (n,) as (n, points)."""
        out = np.empty((len(numbers), self.points))
        step = max(1, BLOCK // self.points)

        def block(a: int) -> None:
            grid = numbers[a : a + step, None] + np.arange(self.points) / self.points
            inside = np.clip(grid, phase.cycles[0] - 0.5, phase.cycles[-1] + 0.5)
            out[a : a + step] = self.at(phase.seconds_of(inside.ravel()) * self.rate).reshape(grid.shape)

        blocks_in_threads(block, range(0, len(numbers), step))
        return out

    def at(self, places: Doubles) -> Doubles:
        """Values at fractional sample numbers (n,), zeros beyond the ends. Single precision: its error is 140 dB below
        the sound."""
        out = np.empty(len(places))
        for a in range(0, len(places), BLOCK):
            p = np.clip(places[a : a + BLOCK], -1.0, self.count)
            whole = np.floor(p).astype(np.int64)
            fine = (p - whole) * TABLE_STEPS
            row = np.minimum(fine.astype(np.int64), TABLE_STEPS - 1)
            near = np.lib.stride_tricks.sliding_window_view(self.x, 2 * HALF_TAPS)[whole + 1]
            below, above = (np.einsum("ij,ij->i", self.taps.take(r, 0), near) for r in (row, row + 1))
            out[a : a + BLOCK] = below + (above - below) * (fine - row)
        return out
