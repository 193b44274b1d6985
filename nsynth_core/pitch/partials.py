"""The partials of a sound along a pitch track: the phase of the fundamental, and the amplitudes of its multiples."""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from nsynth_core.audio import Floats
from nsynth_core.parallel import blocks_in_threads
from nsynth_core.pitch.candidates import BLOCK, HOP_SECONDS, Doubles

PERIODS = 4.0  # in a window: the first nulls of a Hann window then lie half-way to the neighbouring partials
LEAST_SECONDS = 0.012  # of a window: neighbouring windows must overlap
TOP_HZ = 12_000.0  # partials above it cost time and hardly add precision


class Audio(Protocol):
    """One channel of a sound at any rate. `energy` (T,) is its mean square every HOP_SECONDS."""

    rate: int
    energy: Doubles

    def at_rate(self, rate: int) -> Floats: ...


def cycles(f0_hz: Doubles, seconds: Doubles) -> Doubles:
    """The phase in cycles at any times: the integral of f0 from time 0.

    f0_hz: (T,) one value every HOP_SECONDS, linearly interpolated

    >>> cycles(np.full(200, 100.0), np.asarray([0.5])).round(6).tolist()
    [50.0]
    """
    return _cycles_at(*_turned(f0_hz), seconds)


def _turned(f0_hz: Doubles) -> tuple[Doubles, Doubles]:
    """f0 in cycles per hop, and its integral up to each value."""
    f = f0_hz * HOP_SECONDS
    return f, np.concatenate([[0.0], np.cumsum((f[1:] + f[:-1]) / 2)])


def _cycles_at(f: Doubles, turned: Doubles, seconds: Doubles) -> Doubles:
    s = seconds / HOP_SECONDS
    i = np.clip(s.astype(np.int64), 0, len(f) - 1)
    u = s - i
    slope = (f[np.minimum(i + 1, len(f) - 1)] - f[i]) * (u > 0)
    return np.asarray(turned[i] + f[i] * u + 0.5 * slope * u * u, dtype=np.float64)


def bridge(values: Doubles, known: NDArray[np.bool_]) -> Doubles:
    """Fill positive `values` (T,) where `known` is False: linear in log between known values, else constant.

    >>> bridge(np.asarray([0.0, 100.0, 0.0, 400.0]), np.asarray([False, True, False, True])).round().tolist()
    [100.0, 100.0, 200.0, 400.0]
    """
    where = np.flatnonzero(known)
    return np.asarray(np.exp(np.interp(np.arange(len(values)), where, np.log(values[where]))), dtype=np.float64)


def weighted_median(values: Doubles, weights: Doubles) -> Doubles:
    """The weighted median along the last axis.

    >>> float(weighted_median(np.asarray([1.0, 2.0, 9.0]), np.asarray([1.0, 1.0, 3.0])))
    9.0
    """
    order = np.argsort(values, -1)
    total = np.cumsum(np.take_along_axis(weights, order, -1), -1)
    middle = np.minimum((total < total[..., -1:] / 2).sum(-1, keepdims=True), values.shape[-1] - 1)
    return np.asarray(np.take_along_axis(values, np.take_along_axis(order, middle, -1), -1)[..., 0])


def demodulate(
    audio: Audio, f0_hz: Doubles, numbers: Doubles, periods: float, rows: NDArray[np.int64]
) -> tuple[NDArray[np.complex128], Doubles]:
    """Measure the complex amplitudes of partials along f0.

    f0_hz: (T,) one value every HOP_SECONDS
    numbers: (K,) frequencies in multiples of f0; they need not be whole
    periods: length of the Hann windows
    rows: (R,) values of f0 around which the windows lie
    Returns the amplitudes complex128 (R, K), and the centres of the windows in seconds (R,). A window never reaches
    beyond the sound, so near the ends its centre is moved.
    """
    top = float(np.quantile(f0_hz[rows], 0.98)) * float(numbers.max())
    rate = int(min(audio.rate, max(2.6 * top, 1000.0)))
    x = audio.at_rate(rate)
    widths = np.minimum(np.maximum(periods * rate / f0_hz[rows], LEAST_SECONDS * rate), len(x))
    centres = np.clip(rows * HOP_SECONDS * rate, widths / 2, len(x) - widths / 2)
    out = np.zeros((len(rows), len(numbers)), dtype=np.complex128)
    step = max(1, min(500, BLOCK // 2 // int(widths.max() + 2)))
    turned = _turned(f0_hz)

    def block(a: int) -> None:
        width, centre = widths[a : a + step, None], centres[a : a + step, None]
        window = min(int(width.max()) + 2, len(x))
        starts = np.clip(np.round(centre[:, 0] - window / 2).astype(np.int64), 0, len(x) - window)
        first, last = int(starts.min()), int(starts.max()) + window
        u = ((starts[:, None] + np.arange(window) - centre) / width).astype(np.float32)
        hann = np.where(np.abs(u) < 0.5, 0.5 + 0.5 * np.cos(np.float32(2 * np.pi) * u), np.float32(0))
        hann /= hann.sum(1, keepdims=True)
        turns = _cycles_at(*turned, np.arange(first, last) / rate)
        part, turned_back = x[first:last], np.empty(last - first, dtype=np.float32)
        framed = sliding_window_view(turned_back, window)
        for k, number in enumerate(numbers):
            angle = number * turns
            angle = ((angle - np.floor(angle)) * (2 * np.pi)).astype(np.float32)
            for wave, sign in ((np.cos, 1), (np.sin, -1j)):
                np.multiply(part, wave(angle), out=turned_back)
                out[a : a + step, k] += sign * np.einsum("tw,tw->t", framed[starts - first], hann)

    blocks_in_threads(block, range(0, len(rows), step))
    return out, centres / rate


def stretched(order: Doubles, b: float) -> Doubles:
    """The frequencies of the partials `order` of a stiff string with inharmonicity `b`, relative to its first partial.

    >>> stretched(np.asarray([1.0, 10.0]), 0.001).round(3).tolist()
    [1.0, 10.483]
    """
    return np.asarray(order * np.sqrt((1 + b * order**2) / (1 + b)))
