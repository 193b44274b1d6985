"""Coarse f0: normalised correlation at octave-spaced windows, then the cheapest path through its peaks."""

from __future__ import annotations

import math

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from nsynth_core.audio import Floats

Doubles = NDArray[np.float64]

SPLIT_HZ = 190.0  # from here up one window serves all periods
LOW_RATE = 12_000  # correlations of the lower octaves see partials to 5 kHz: enough, and four times cheaper
BLOCK = 1 << 21  # samples of framed audio held at once
PEAKS = 4  # candidates a window
MIN_DIP = 0.25  # a period shows a trough before its peak; the ripple of a high partial on a slow wave does not
OCTAVE_COST = 0.01  # correlation a candidate gives away for each octave it is lower: multiples of the period lose
JUMP_COST = 0.7  # an octave jump; a glide over the octave pays the same, however slow
VOICING_COST = 0.25
UNVOICED = 0.5  # correlation below which a frame is rather noise


def octaves(low_hz: float, high_hz: float) -> list[tuple[float, float]]:
    """(low, high) of the frequency bands searched, one window each."""
    bands = []
    while low_hz < min(SPLIT_HZ, high_hz):
        bands.append((low_hz, min(2 * low_hz, high_hz)))
        low_hz *= 2
    if low_hz < high_hz:
        bands.append((low_hz, high_hz))
    return bands


def candidates(
    x: Floats, slow: Floats, rate: int, slow_rate: int, times: Doubles, low_hz: float, high_hz: float
) -> tuple[Doubles, Doubles]:
    """Peaks of the normalised correlation at `times`: Hz (T, K) and correlation (T, K), 0 where there is none.

    `x` at `rate` serves the short periods, `slow` at `slow_rate` the long ones.
    """
    hz, strength = [], []
    for low, high in octaves(low_hz, high_hz):
        signal, at = (slow, slow_rate) if high <= 2 * SPLIT_HZ else (x, rate)
        window = min(round(at * max(3.0 / low, 0.016)), len(signal))
        found = _peaks(signal, at, window, times, low, high)
        hz.append(found[0])
        strength.append(found[1])
    return np.concatenate(hz, 1), np.concatenate(strength, 1)


def _peaks(x: Floats, rate: int, window: int, times: Doubles, low: float, high: float) -> tuple[Doubles, Doubles]:
    from scipy import fft

    count = len(times)
    hz, strength = np.zeros((count, PEAKS)), np.zeros((count, PEAKS))
    # half a period of overlap is the least that can be compared; one lag more on each side shows the peak's flanks
    last = min(math.ceil(rate / low) + 2, int(0.75 * window))
    first = max(int(rate / high) - 1, 2)
    if last - first < 3:
        return hz, strength
    size = fft.next_fast_len(window + last, real=True)
    framed = sliding_window_view(x, window)
    starts = np.clip(np.round(times * rate).astype(np.int64) - window // 2, 0, len(x) - window)
    step = max(1, BLOCK // size)
    lags = np.arange(last)
    for a in range(0, count, step):
        frame = framed[starts[a : a + step]]
        spectrum = fft.rfft(frame, size)
        power = spectrum.real**2 + spectrum.imag**2
        r = fft.irfft(power, size)[:, :last]
        energy = np.cumsum(frame.astype(np.float64) ** 2, 1)
        head = energy[:, window - 1 - lags]
        tail = energy[:, -1:] - np.concatenate([np.zeros((len(frame), 1)), energy[:, : last - 1]], 1)
        c = r / np.sqrt(np.maximum(head * tail, 1e-20 * window**2) + (1e-3 * energy[:, -1:]) ** 2)
        y0, y1, y2 = c[:, first - 1 : -2], c[:, first:-1], c[:, first + 1 :]
        dip = np.minimum.accumulate(c, 1)[:, first:-1]
        good = (y1 > y0) & (y1 >= y2) & (y1 - dip > MIN_DIP)
        score = np.where(good, y1 + OCTAVE_COST * np.log2(rate / low / lags[first:-1]), 0.0)
        top = np.argpartition(-score, PEAKS - 1, 1)[:, :PEAKS] if score.shape[1] > PEAKS else np.argsort(-score, 1)
        p0, p1, p2 = (np.take_along_axis(y, top, 1) for y in (y0, y1, y2))
        bend = np.minimum(p0 - 2 * p1 + p2, -1e-9)
        shift = np.clip(0.5 * (p0 - p2) / bend, -0.5, 0.5)
        value = np.clip(p1 - 0.25 * (p0 - p2) * shift, 0.0, 1.0)
        f = rate / (top + first + shift)
        keep = np.take_along_axis(good, top, 1) & (f >= low * 0.99) & (f <= high * 1.01)
        k = top.shape[1]
        hz[a : a + step, :k] = np.where(keep, f, 0.0)
        strength[a : a + step, :k] = np.where(keep, value, 0.0)
    return hz, strength


def best_path(hz: Doubles, strength: Doubles, loud: NDArray[np.bool_]) -> tuple[Doubles, Doubles]:
    """Viterbi over the candidates and "unvoiced" (Boersma 1993): Hz (T,), 0 where unvoiced, and correlation (T,)."""
    count, width = hz.shape
    octave = np.log2(np.where(hz > 0, hz, 1.0))
    local = np.where(hz > 0, strength + OCTAVE_COST * (octave - 5), -9.0)
    local = np.concatenate([local, np.where(loud, UNVOICED, 2.0)[:, None]], 1)
    score = local[0]
    back = np.zeros((count, width + 1), dtype=np.int16)
    step = np.full((width + 1, width + 1), VOICING_COST)
    step[width, width] = 0.0
    here = np.arange(width + 1)
    for t in range(1, count):
        np.abs(octave[t - 1][:, None] - octave[t], out=step[:width, :width])
        step[:width, :width] *= JUMP_COST
        total = score[:, None] - step
        back[t] = best = total.argmax(0)
        score = total[best, here] + local[t]
    path = np.empty(count, dtype=np.int64)
    path[-1] = int(score.argmax())
    for t in range(count - 1, 0, -1):
        path[t - 1] = back[t, path[t]]
    rows = np.arange(count)
    padded = np.concatenate([hz, np.zeros((count, 1))], 1)
    value = np.concatenate([strength, np.zeros((count, 1))], 1)
    return padded[rows, path], value[rows, path]
