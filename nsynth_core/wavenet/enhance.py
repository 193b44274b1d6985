"""Adds what lies above NSynth's 8 kHz, from the harmonic engine's rendering of the same blend."""

from __future__ import annotations

import numpy as np
from scipy.ndimage import gaussian_filter1d

from nsynth_core.audio import Floats, Sound, resample
from nsynth_core.wavenet.network import RATE

SMOOTH = 0.02  # seconds over which levels are smoothed
QUIET = 1e-8  # added to mean squares (-80 dBFS), so that silence is not compared


def enhanced(note: Sound, full: Sound) -> Sound:
    """`note` (at 16 kHz) at the rate of `full`, with what `full` has above 8 kHz.

    Both have the same number of channels and start together. Where `full` is shorter, nothing is added.
    The added part is as loud beside the note as it is in `full`, or beside the note's octave from 4 to 8 kHz, whichever
    is quieter: where NSynth's note is darker or quieter, so is the added part. It is what resampling to 16 kHz removes,
    so both parts meet without a gap.

    >>> noise = np.random.default_rng(0).normal(0, 0.1, (4800, 1)).astype(np.float32)
    >>> enhanced(Sound(noise[::3], RATE), Sound(noise, 48_000)).samples.shape
    (4800, 1)
    """
    wide = resample(note, full.rate)
    samples = np.zeros((len(wide.samples), full.channels), dtype=np.float32)
    samples[: len(full.samples)] = full.samples[: len(samples)]
    low = resample(Sound(samples, full.rate), RATE)
    above = samples - _fit(resample(low, full.rate).samples, len(samples))
    low_samples, note_samples = _fit(low.samples, len(note.samples)), note.samples
    whole = _ratio(note_samples, low_samples)
    top = _ratio(_top_octave(note_samples), _top_octave(low_samples))
    gain = np.minimum(whole, top)
    place = np.arange(len(samples)) * (RATE / full.rate)
    curve = np.interp(place, np.arange(len(gain)), gain)[:, None]
    return Sound(np.asarray(wide.samples + curve * above, dtype=np.float32), full.rate)


def _top_octave(samples: Floats) -> Floats:
    """The part of `samples` between 4 and 8 kHz."""
    low = resample(Sound(samples, RATE), RATE // 2)
    return samples - _fit(resample(low, RATE).samples, len(samples))


def _ratio(a: Floats, b: Floats) -> Floats:
    """The smoothed amplitude of `a` over that of `b`, (n,); both are (n, channels)."""
    power = [gaussian_filter1d((x.astype(np.float64) ** 2).mean(1), SMOOTH * RATE) + QUIET for x in (a, b)]
    return np.asarray(np.sqrt(power[0] / power[1]), dtype=np.float32)


def _fit(samples: Floats, length: int) -> Floats:
    return np.pad(samples[:length], ((0, max(0, length - len(samples))), (0, 0)))
