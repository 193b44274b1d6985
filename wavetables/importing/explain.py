"""What an import decided, in plain words."""

from __future__ import annotations

import numpy as np

from nsynth_core.notes import hz_to_midi
from nsynth_core.pitch import PitchTrack
from wavetables.importing.cycle_reader import Numbers
from wavetables.importing.slicing import Slices

LOW_HARMONICS, SHOWN_HARMONICS = 16, 128


def about(track: PitchTrack, cut: Slices, even: bool, average: int | None) -> list[str]:
    """How the pitch moves, which cycles became frames, and what they were averaged over; `even` steps of timbre and a
    fixed `average` were asked for."""
    heard = track.f0_hz[track.voiced] if track.voiced.any() else track.f0_hz
    low, high = (hz_to_midi(float(hz)) for hz in np.quantile(heard, [0.01, 0.99]))
    moves = "steady" if high - low < 0.1 else f"moving over {100 * (high - low):.0f} cents"
    left = "" if cut.used == cut.cycles else "; the others are unvoiced, more than 40 dB down, or a tail"
    count = cut.frames.shape[1]
    how = "at equal steps of timbre" if even else "evenly over time"
    frames = f"{count} frame{'s' * (count > 1)} {how}" if count < cut.used else "each of them a frame"
    if average is not None:
        mean = f"{_periods(np.array([average]))}, as asked"
    else:
        mean = _periods(cut.periods[:LOW_HARMONICS])
        above = _periods(cut.periods[LOW_HARMONICS:SHOWN_HARMONICS]) if len(cut.periods) > LOW_HARMONICS else mean
        if above != mean:
            mean += f", above harmonic {LOW_HARMONICS} over {above}"
    return [f"f0 {moves}", f"{cut.used} of {cut.cycles} cycles hold the note{left}", frames, f"averaged over {mean}"]


def _periods(chosen: Numbers) -> str:
    low, high = int(chosen.min()), int(chosen.max())
    return f"{low} period{'s' * (low > 1)}" if low == high else f"{low} to {high} periods"
