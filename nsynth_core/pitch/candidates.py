"""Coarse f0: normalised correlation in windows that scale with the period, then the best path through its peaks."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from nsynth_core.audio import Floats, Sound, resample
from nsynth_core.parallel import blocks_in_threads

Doubles = NDArray[np.float64]

HOP_SECONDS = 0.005
# The fundamental of every note, and the partials that carry its period, lie below 5.5 kHz. The noise above adds errors.
# One bandwidth for all periods keeps their correlations comparable.
RATE = 12_000
SPLIT_HZ = 190.0  # above it one window length serves all periods
BLOCK = 1 << 18  # samples of framed audio in memory at once: they fit into a core's cache
MANY_ROWS = 6000  # frames, half a minute
STEPS = 64  # steps of the path whose costs are computed at once
LONG_SECONDS = 0.05  # windows longer than this are computed for every second frame
PEAKS = 3  # candidates per octave
MIN_DIP = 0.25  # depth of the trough before the peak of a period; ripples of a high partial are shallower
OCTAVE_COST = 0.01  # correlation subtracted per octave downwards, so that multiples of the period lose
JUMP_COST = 0.7  # correlation subtracted for a jump of an octave
FREE_OCTAVES = 0.03  # free change per frame; without it the noise of a short lag would make its multiples cheaper
VOICING_COST = 0.25  # correlation subtracted for a change between voiced and unvoiced
UNVOICED = 0.5  # a frame with a lower correlation is more likely noise


def candidates(x: Floats, rate: int, times: Doubles, low_hz: float, high_hz: float) -> tuple[Doubles, Doubles]:
    """Find the peaks of the normalised correlation of `x` around each time.

    x: (n,) at `rate` Hz, RATE or more
    times: (T,) seconds
    low_hz, high_hz: the range of f0 that is searched
    Returns the frequencies of the peaks in Hz (T, K) and their correlations (T, K), 0..1. Both are 0 where a place
    holds no peak.

    >>> from nsynth_core.audio import sine
    >>> hz, strength = candidates(sine(200, 0.5, RATE).samples[:, 0], RATE, np.asarray([0.25]), 150, 250)
    >>> round(float(hz.max())), round(float(strength.max()), 2)
    (200, 1.0)
    """
    ranges = []
    while low_hz < min(SPLIT_HZ, high_hz):
        ranges.append(_peaks(x, rate, times, low_hz, min(2 * low_hz, high_hz)))
        low_hz *= 2
    if low_hz < high_hz:
        # short periods need a higher rate: more points per period, and room for the spectrum of the squared signal
        double = resample(Sound(x[:, None], rate), 2 * rate).samples[:, 0]
        ranges.append(_peaks(double, 2 * rate, times, low_hz, high_hz))
    return np.concatenate([hz for hz, _ in ranges], 1), np.concatenate([strength for _, strength in ranges], 1)


def _peaks(x: Floats, rate: int, times: Doubles, low: float, high: float) -> tuple[Doubles, Doubles]:
    """Peaks between `low` and `high` Hz. Long windows are computed for every second time only."""
    if 3.0 / low > LONG_SECONDS:  # such windows overlap so far that neighbours give the same result
        hz, strength = _peaks_at(x, rate, times[::2], low, high)
        return np.repeat(hz, 2, 0)[: len(times)], np.repeat(strength, 2, 0)[: len(times)]
    return _peaks_at(x, rate, times, low, high)


def _peaks_at(x: Floats, rate: int, times: Doubles, low: float, high: float) -> tuple[Doubles, Doubles]:
    """Peaks between `low` and `high` Hz at every time: Hz and correlation (T, octaves * PEAKS)."""
    fft = _transforms(len(times))
    octaves = max(1, math.ceil(math.log2(high / low) - 0.01))
    hz, strength = np.zeros((len(times), octaves, PEAKS)), np.zeros((len(times), octaves, PEAKS))
    window = min(round(rate * max(3.0 / low, 0.016)), len(x))
    dense = 1 if high <= 2 * SPLIT_HZ else 2  # lags per sample: a padded spectrum gives the values between samples
    last = min(math.ceil(dense * rate / low * 1.04) + 2, int(0.75 * dense * window))
    size = _fast_length(window + math.ceil(last / dense))
    framed = sliding_window_view(x, window)
    starts = np.clip(np.round(times * rate).astype(np.int64) - window // 2, 0, len(x) - window)
    whole = math.ceil(last / dense) + 1  # lags of whole samples
    cost = np.float32(OCTAVE_COST) * np.log2(np.arange(1, last + 1, dtype=np.float32))
    step = max(1, BLOCK // (dense * size))

    def block(a: int) -> None:
        rows = starts[a : a + step]
        spectrum = fft.rfft(framed[rows], size)
        power = spectrum.real**2 + spectrum.imag**2
        c = fft.irfft(power, dense * size)[:, :last] * np.float32(dense)
        # divided by the energies of the two overlapping parts, so that a decaying tone correlates fully
        begin = int(rows[0])
        summed = np.cumsum(np.append(0.0, x[begin : int(rows.max()) + window].astype(np.float64) ** 2))
        upto = sliding_window_view(summed, whole)
        front, back = summed[rows - begin, None], summed[rows - begin + window, None]
        head = (upto[rows - begin + window - whole + 1][:, ::-1] - front).astype(np.float32)
        tail = (back - upto[rows - begin]).astype(np.float32)
        product = np.maximum(_between(head, dense, last) * _between(tail, dense, last), 0.0)
        c /= np.sqrt(product + (1e-3 * (back - front).astype(np.float32)) ** 2 + np.float32(1e-24))
        dip = np.minimum.accumulate(c, 1)
        for octave in range(octaves):
            highest = min(high, low * 2 ** (octave + 1)) * 1.02
            lowest = low * 2**octave / 1.02
            first, end = max(int(dense * rate / highest), 1), min(math.ceil(dense * rate / lowest) + 1, last - 1)
            if end <= first:
                continue
            y = c[:, first:end]
            # only the largest value near a peak counts: noise adds ripples to it
            row, lag = np.nonzero(
                (y == _largest_near(c, max(1, first // 8), first, end)) & (y - dip[:, first:end] > MIN_DIP)
            )
            lag += first
            order = np.lexsort((cost[lag - 1] - c[row, lag], row))
            place = np.arange(len(row)) - np.searchsorted(row, row)
            row, lag, place = (values[place < PEAKS] for values in (row[order], lag[order], place))
            p0, p1, p2 = (c[row, lag + k] for k in (-1, 0, 1))
            shift = np.clip(0.5 * (p0 - p2) / np.minimum(p0 - 2 * p1 + p2, -1e-9), -0.5, 0.5)
            f = dense * rate / (lag + shift)
            keep = (f >= lowest) & (f <= highest)
            hz[a + row, octave, place] = np.where(keep, f, 0.0)
            strength[a + row, octave, place] = np.where(keep, np.clip(p1 - 0.25 * (p0 - p2) * shift, 0.0, 1.0), 0.0)

    blocks_in_threads(block, range(0, len(times) if last > 3 else 0, step))
    return hz.reshape(len(times), -1), strength.reshape(len(times), -1)


def _between(values: Floats, dense: int, count: int) -> Floats:
    """The first `count` values of each row of `values` (rows, n), interpolated to `dense` (1 or 2) per step."""
    if dense == 1:
        return values[:, :count]
    out = np.empty((len(values), count), dtype=np.float32)
    out[:, ::2] = values[:, : (count + 1) // 2]
    out[:, 1::2] = (values[:, : count // 2] + values[:, 1 : count // 2 + 1]) / 2
    return out


def _transforms(rows: int) -> Any:
    """SciPy's FFT for many rows, because it is twice as fast; else NumPy's, because importing SciPy takes longer."""
    if rows < MANY_ROWS:
        return np.fft
    from scipy import fft

    return fft


def _fast_length(least: int) -> int:
    """The shortest length of small prime factors that is `least` or more."""
    return min(part << max(0, math.ceil(math.log2(least / part))) for part in (1, 3, 5, 9, 15))


def _largest_near(values: Floats, reach: int, first: int, end: int) -> Floats:
    """The moving maximum of `values` (rows, n) over +-`reach` columns, at the columns `first` to `end`."""
    before, after = max(first - reach, 0), min(end + reach, values.shape[1])
    ends = (reach - (first - before), reach - (after - end))
    wide = np.pad(values[:, before:after], ((0, 0), ends), constant_values=-np.inf)
    span, width, count = 1, 2 * reach + 1, end - first
    while 2 * span <= width:
        wide, span = np.maximum(wide[:, :-span], wide[:, span:]), 2 * span
    return np.maximum(wide[:, :count], wide[:, width - span : width - span + count])


def moving_sum(values: NDArray[Any], width: int) -> Doubles:
    """The moving sum of `values` (n,) over `width` values, with zeros beyond the ends: float64 (n,).

    >>> moving_sum(np.asarray([1, 2, 3]), 3).tolist()
    [3.0, 6.0, 5.0]
    """
    before, after = width // 2, (width + 1) // 2
    total = np.pad(np.cumsum(values, dtype=np.float64), (before + 1, after), "edge")
    total[: before + 1] = 0.0
    return np.asarray(total[before + after : before + after + len(values)] - total[: len(values)])


def best_path(
    hz: Doubles, strength: Doubles, loud: NDArray[np.bool_], jump_cost: float = JUMP_COST
) -> tuple[Doubles, Doubles]:
    """Find the best path through the candidates and the state "unvoiced" by the Viterbi algorithm (as Boersma 1993).

    hz, strength: (T, K) of `candidates`
    loud: (T,) False forces a frame to be unvoiced
    jump_cost: correlation subtracted for a jump of an octave
    Returns f0 in Hz (T,), 0 where unvoiced, and the correlation (T,).

    >>> hz, strength = np.full((3, 1), 200.0), np.asarray([[0.9], [0.9], [0.9]])
    >>> best_path(hz, strength, np.asarray([True, True, False]))[0].tolist()
    [200.0, 200.0, 0.0]
    """
    count, width = len(hz), int((hz > 0).sum(1).max(initial=0))
    order = np.argsort(hz == 0, 1, kind="stable")[:, :width]  # most columns hold no candidate
    hz, strength = np.take_along_axis(hz, order, 1), np.take_along_axis(strength, order, 1)
    octave = np.log2(np.where(hz > 0, hz, 1.0))
    local = np.where(hz > 0, strength + OCTAVE_COST * (octave - 5), -9.0)
    local = np.concatenate([local, np.where(loud, UNVOICED, 2.0)[:, None]], 1)
    score = local[0]
    back = np.zeros((count, width + 1), dtype=np.int16)
    states = np.arange(width + 1)
    # cost of a change from the state of the last axis to that of the middle one
    step = np.full((STEPS, width + 1, width + 1), VOICING_COST)
    step[:, width, width] = 0.0
    for t in range(1, count):
        if (k := (t - 1) % STEPS) == 0:
            before, after = octave[t - 1 : t + STEPS - 1], octave[t : t + STEPS]
            jump = step[: len(after), :width, :width]
            np.subtract(before[: len(after), None, :], after[:, :, None], out=jump)
            np.abs(jump, out=jump)
            jump -= FREE_OCTAVES
            np.maximum(jump, 0.0, out=jump)
            jump *= jump_cost
        total = score - step[k]
        back[t] = best = total.argmax(1)
        score = total[states, best] + local[t]
    path = np.empty(count, dtype=np.int64)
    path[-1] = int(score.argmax())
    for t in range(count - 1, 0, -1):
        path[t - 1] = back[t, path[t]]
    rows = np.arange(count)
    padded = np.concatenate([hz, np.zeros((count, 1))], 1)
    value = np.concatenate([strength, np.zeros((count, 1))], 1)
    return padded[rows, path], value[rows, path]
