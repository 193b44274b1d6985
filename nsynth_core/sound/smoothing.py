"""A low-pass filter for the levels of partials over time.

A partial whose level moves at m Hz has sidebands at its frequency +-m. From m = f0 / 2 on they lie nearer to the
neighbouring partials. The analysis, a Hann window over four periods, passes half of a movement at f0 / 4 and nothing
from f0 / 2 on. Faster movement in codes and residuals is rounding, not a movement of the sound.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from nsynth_core.audio import Floats
from nsynth_core.sound.features import FLOOR_DB, FRAME_RATE, Features

PERIODS = 5.0
ATTACK_DB = 6.0  # a rise of this size within half a window is an attack; no window reaches across it
BLOCK = 1000  # frames


def settled(features: Features) -> Features:
    """Low-pass the amplitudes of the partials over time.

    The filter is a twiced Hann window h over PERIODS periods: 2 h - h * h (Tukey 1977). It passes 95 % of a movement at
    f0 / 8, 54 % at f0 / 4 and at most 6 % from 0.4 f0 on. Attacks and both ends are kept, and the windows beside them
    end shifted. Frames with f0 above PERIODS * FRAME_RATE / 2 Hz are not changed, because the frames are too far apart.

    >>> frames = np.ones((50, 1), np.float32)
    >>> partials = np.where(np.arange(50) % 2, -20, -23)[:, None].astype(np.float32)
    >>> noise = np.repeat(frames, 24, axis=1)
    >>> features = Features(55 * frames[:, 0], partials, -120 * noise, 0 * noise, noise)
    >>> float(np.ptp(settled(features).partials_db[20:30])) < 0.3
    True
    """
    widths = PERIODS * FRAME_RATE / features.f0_hz
    if widths.max() <= 2:
        return features
    widths = np.minimum(widths, 2 * _away(_attacks(features.level_db(), widths)))
    window = _twiced(_windows(widths.astype(np.float32)))
    reach = window.shape[1] // 2
    out = np.empty_like(features.partials_db)
    for a in range(0, features.frames, BLOCK):
        rows = np.arange(a - reach, min(a + BLOCK, features.frames) + reach).clip(0, features.frames - 1)
        amplitudes = np.exp(np.float32(np.log(10) / 20) * features.partials_db[rows])
        around = sliding_window_view(amplitudes, 2 * reach + 1, axis=0)
        smooth = np.matmul(around, window[a : a + BLOCK, :, None])[..., 0]
        out[a : a + BLOCK] = np.float32(20 / np.log(10)) * np.log(np.maximum(smooth, 10 ** (FLOOR_DB / 20)))
    still = widths <= 2
    out[still] = features.partials_db[still]
    return replace(features, partials_db=out)


def _attacks(level_db: Floats, widths: Floats) -> Floats:
    """True (T,) for both ends and for frames ATTACK_DB above the lowest frame within half a window before them."""
    frames = np.arange(len(level_db))
    rises = np.zeros(len(level_db), dtype=bool)
    rises[[0, -1]] = True
    for back in range(1, int(widths.max() / 2) + 1):
        before = level_db[np.maximum(frames - back, 0)]
        rises |= (level_db > before + ATTACK_DB) & (back <= widths / 2)
    return rises


def _away(marked: Floats) -> Floats:
    """The distance in frames from each frame to the nearest `marked` one, (T,)."""
    frames = np.arange(len(marked))
    before = np.maximum.accumulate(np.where(marked, frames, -len(marked)))
    after = np.minimum.accumulate(np.where(marked, frames, 2 * len(marked))[::-1])[::-1]
    return np.minimum(frames - before, after - frames)


def _windows(widths: Floats) -> Floats:
    """Hann windows (T, 2 n + 1) with the `widths` (T,) in frames. Each sums to 1."""
    reach = int(np.ceil(widths.max() / 2))
    place = np.arange(-reach, reach + 1, dtype=np.float32)
    share = np.abs(place) / np.maximum(widths, 1.0)[:, None]
    window = np.where(share < 0.5, np.cos(np.pi * np.minimum(share, 0.5)) ** 2, 0)
    return np.asarray(window / window.sum(1, keepdims=True), dtype=np.float32)


def _twiced(window: Floats) -> Floats:
    """2 h - h * h for windows h (T, 2 n + 1) that change from frame to frame, (T, 4 n + 1)."""
    frames, size = window.shape
    reach = size // 2
    out = np.zeros((frames, 2 * size - 1), dtype=np.float32)
    out[:, reach : reach + size] = 2 * window
    for k in range(size):
        shifted = np.clip(np.arange(frames) + k - reach, 0, frames - 1)
        out[:, k : k + size] -= window[:, k, None] * window[shifted]
    return out
