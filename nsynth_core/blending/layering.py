"""A recording layered under its blend."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from nsynth_core.audio import Sound, resample
from nsynth_core.blending.instrument import Instrument, leading, within_full_scale
from nsynth_core.errors import UsageError


def finished(note: Sound, instruments: Sequence[Instrument], seconds: float | None = None, dry: float = 0.0) -> Sound:
    """A blended note with the leading recording times `dry` >= 0 layered under it, its peak at most PEAK.

    seconds: the length that was asked for
    Raises UsageError for `dry` > 0 without a recording or with `seconds`.
    """
    original = instruments[leading(instruments)].sound
    if dry > 0:
        if original is None or seconds is not None:
            raise UsageError("only a recording can be layered under its blend, and only at its own length")
        note = layered(note, original, dry)
    return within_full_scale(note)


def layered(note: Sound, original: Sound, gain: float) -> Sound:
    """The stereo sum of `note` and `original` times `gain`, from their first samples to the end of the longer one."""
    under = resample(original, note.rate)
    pair = under.samples if under.channels == 2 else np.repeat(under.mid()[:, None], 2, axis=1)
    samples = np.zeros((max(len(pair), len(note.samples)), 2), dtype=np.float32)
    samples[: len(note.samples)] = note.samples
    samples[: len(pair)] += np.float32(gain) * pair
    return Sound(samples, note.rate)
