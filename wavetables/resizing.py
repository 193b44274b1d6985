"""Single cycles brought to another number of samples, without aliasing."""

from __future__ import annotations

import numpy as np

from nsynth_core.audio import Floats


def resize(frames: Floats, size: int) -> Floats:
    """Give every cycle another number of samples.

    frames: float32 (n, samples), one cycle a row
    size: the new number of samples, at least 2
    Returns float32 (n, size). The spectrum of each cycle is cut or padded with zeros, so that one period stays exactly
    one period and no harmonic aliases. Harmonics at or above the new Nyquist frequency are dropped. With an unchanged
    size the samples come back bit for bit.

    >>> cycle = np.sin(2 * np.pi * np.arange(600) / 600).astype(np.float32)
    >>> resize(cycle[None], 2048).shape
    (1, 2048)
    """
    size_before = frames.shape[1]
    if size == size_before:
        return np.ascontiguousarray(frames, dtype=np.float32)
    spectrum = np.fft.rfft(frames.astype(np.float64))
    if size > size_before and size_before % 2 == 0:
        spectrum[:, -1] *= 0.5  # the Nyquist bin stands for the positive and the negative frequency
    spectrum[:, (size + 1) // 2 :] = 0.0
    with np.errstate(over="ignore"):  # numbers too large for float32 become infinite, and a table refuses them
        return np.asarray(np.fft.irfft(spectrum, size) * (size / size_before), dtype=np.float32)
