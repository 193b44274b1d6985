"""Coarse f0: normalised correlation in windows scaled with the period, then the cheapest path through its peaks."""

from __future__ import annotations

import math
import os
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from nsynth_core.audio import Floats, Sound, resample

Doubles = NDArray[np.float64]

HOP_SECONDS = 0.005
# Below 5.5 kHz lie the fundamental of every note and the partials that carry its period; the noise above only misleads,
# and one bandwidth for all periods keeps their correlations comparable.
RATE = 12_000
SPLIT_HZ = 190.0  # from here up one window serves all periods
BLOCK = 1 << 18  # samples of framed audio held at once: in the cache of a core
MANY_ROWS = 6000  # half a minute
MANY_BLOCKS = 32  # half a minute of sound or more
PEAKS = 3  # candidates an octave
MIN_DIP = 0.25  # a period shows a trough before its peak; the ripple of a high partial on a slow wave does not
OCTAVE_COST = 0.01  # correlation a candidate gives away for each octave it is lower: multiples of the period lose
JUMP_COST = 0.7  # of an octave jump
FREE_OCTAVES = 0.03  # change a frame that costs nothing, else the noise of a short lag makes its multiples cheaper
VOICING_COST = 0.25
UNVOICED = 0.5  # correlation below which a frame is rather noise


def side_by_side(work: Callable[[int], None], blocks: range) -> None:
    """`work` on every block, over the cores where there are many: numpy lets go of the interpreter. Each writes its own
    part of the result, so that it is the same in any order."""
    if len(blocks) < MANY_BLOCKS:
        for block in blocks:
            work(block)
        return
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for _ in pool.map(work, blocks):
            pass


def candidates(x: Floats, rate: int, times: Doubles, low_hz: float, high_hz: float) -> tuple[Doubles, Doubles]:
    """Peaks of the normalised correlation of `x` (n,) around `times` (T,): Hz (T, K) and correlation (T, K) in 0..1, 0
    where there is none. `rate` is RATE, or more when the sound is short."""
    found = []
    while low_hz < min(SPLIT_HZ, high_hz):
        found.append(_peaks(x, rate, times, low_hz, min(2 * low_hz, high_hz)))
        low_hz *= 2
    if low_hz < high_hz:
        # the short periods need more points, and room for the square of the signal
        double = resample(Sound(x[:, None], rate), 2 * rate).samples[:, 0]
        found.append(_peaks(double, 2 * rate, times, low_hz, high_hz))
    return np.concatenate([f[0] for f in found], 1), np.concatenate([f[1] for f in found], 1)


def _peaks(x: Floats, rate: int, times: Doubles, low: float, high: float) -> tuple[Doubles, Doubles]:
    fft = _transforms(len(times))
    octaves = max(1, math.ceil(math.log2(high / low) - 0.01))
    hz, strength = np.zeros((len(times), octaves, PEAKS)), np.zeros((len(times), octaves, PEAKS))
    window = min(round(rate * max(3.0 / low, 0.016)), len(x))
    dense = 1 if high <= 2 * SPLIT_HZ else 2  # lags a sample: a padded spectrum gives the values between
    last = min(math.ceil(dense * rate / low * 1.04) + 2, int(0.75 * dense * window))
    size = _fast_length(window + math.ceil(last / dense))
    framed = sliding_window_view(x, window)
    starts = np.clip(np.round(times * rate).astype(np.int64) - window // 2, 0, len(x) - window)
    lags = np.arange(last)
    whole, part = lags // dense, lags % dense / dense
    step = max(1, BLOCK // (dense * size))

    def block(a: int) -> None:
        frame = framed[starts[a : a + step]]
        spectrum = fft.rfft(frame, size)
        power = spectrum.real**2 + spectrum.imag**2
        c = fft.irfft(power, dense * size)[:, :last] * np.float32(dense)
        # energy of what is left of the window on each side at that lag: a decay then correlates fully
        first, end = int(starts[a]), int(starts[a : a + step].max()) + window
        summed = np.cumsum(np.append(0.0, x[first:end].astype(np.float64) ** 2))
        energy = sliding_window_view(summed, window + 1)[starts[a : a + step] - first]
        energy = energy - energy[:, :1]
        total = energy[:, -1:]
        head = energy[:, window - whole] * (1 - part) + energy[:, window - 1 - whole] * part
        tail = total - (energy[:, whole] * (1 - part) + energy[:, whole + 1] * part)
        c /= np.sqrt(np.maximum(head * tail, 0.0) + (1e-3 * total) ** 2 + 1e-24)
        dip = np.minimum.accumulate(c, 1)
        for octave in range(octaves):
            highest = min(high, low * 2 ** (octave + 1)) * 1.02
            lowest = low * 2**octave / 1.02
            first, end = max(int(dense * rate / highest), 1), min(math.ceil(dense * rate / lowest) + 1, last - 1)
            if end <= first:
                continue
            y = c[:, first:end]
            # one peak a period: noise makes ripples upon it
            alone = _largest_near(c, max(1, first // 8), first, end)
            good = (y == alone) & (y - dip[:, first:end] > MIN_DIP)
            score = np.where(good, y - OCTAVE_COST * np.log2(lags[first:end]), -9.0)
            top = np.argpartition(-score, min(PEAKS, end - first) - 1, 1)[:, :PEAKS]
            p0, p1, p2 = (np.take_along_axis(c, top + first + k, 1) for k in (-1, 0, 1))
            shift = np.clip(0.5 * (p0 - p2) / np.minimum(p0 - 2 * p1 + p2, -1e-9), -0.5, 0.5)
            f = dense * rate / (top + first + shift)
            keep = np.take_along_axis(good, top, 1) & (f >= lowest) & (f <= highest)
            value = np.clip(p1 - 0.25 * (p0 - p2) * shift, 0.0, 1.0)
            hz[a : a + step, octave, : top.shape[1]] = np.where(keep, f, 0.0)
            strength[a : a + step, octave, : top.shape[1]] = np.where(keep, value, 0.0)

    side_by_side(block, range(0, len(times) if last > 3 else 0, step))
    return hz.reshape(len(times), -1), strength.reshape(len(times), -1)


def _transforms(rows: int) -> Any:
    """scipy's transforms take many rows twice as fast as numpy's; to import them takes as long as a short sound."""
    if rows < MANY_ROWS:
        return np.fft
    from scipy import fft

    return fft


def _fast_length(least: int) -> int:
    """A length of small prime factors."""
    return min(part << max(0, math.ceil(math.log2(least / part))) for part in (1, 3, 5, 9, 15))


def _largest_near(values: Floats, reach: int, first: int, end: int) -> Floats:
    """The largest of the values (rows, n) within `reach` of each one in its row, for those from `first` to `end`."""
    before, after = max(first - reach, 0), min(end + reach, values.shape[1])
    ends = (reach - (first - before), reach - (after - end))
    wide = np.pad(values[:, before:after], ((0, 0), ends), constant_values=-np.inf)
    span, width, count = 1, 2 * reach + 1, end - first
    while 2 * span <= width:
        wide, span = np.maximum(wide[:, :-span], wide[:, span:]), 2 * span
    return np.maximum(wide[:, :count], wide[:, width - span : width - span + count])


def moving_sum(values: NDArray[Any], width: int) -> Doubles:
    """Sum of the `width` values (n,) around each, zeros beyond the ends."""
    total = np.concatenate([[0.0], np.cumsum(values, dtype=np.float64)])
    place = np.arange(len(values))
    return np.asarray(
        total[np.minimum(place + (width + 1) // 2, len(values))] - total[np.maximum(place - width // 2, 0)]
    )


def best_path(hz: Doubles, strength: Doubles, loud: NDArray[np.bool_]) -> tuple[Doubles, Doubles]:
    """Viterbi over the candidates and "unvoiced" (as Boersma 1993): Hz (T,), 0 where unvoiced, and correlation (T,)."""
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
        step[:width, :width] = JUMP_COST * np.maximum(step[:width, :width] - FREE_OCTAVES, 0.0)
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
