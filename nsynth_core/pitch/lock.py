"""A phase lock makes f0 exact.

The sound is demodulated at multiples of the present f0. The rotation that remains in the phase of a partial, divided by
the partial's number, is an estimate of the error of f0. The integral of the corrected f0 follows the phases of the
partials. It does not drift over a long note.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from nsynth_core.pitch.candidates import HOP_SECONDS, Doubles
from nsynth_core.pitch.partials import (
    LEAST_SECONDS,
    PERIODS,
    TOP_HZ,
    Audio,
    bridge,
    demodulate,
    stretched,
    weighted_median,
)

STAGES = (3, 6, 16, 16)  # partials used: the phase of a high partial is ambiguous until the error is small
CARRIED = 1e-3  # times the energy: a smaller power is leakage from other partials
LEAK = 1e-4  # times a neighbouring partial's power: the window's side lobes while f0 moves
LONG_KERNEL = 512  # frames: longer kernels are applied by FFT
MIN_SMOOTH = 9  # frames: the stages themselves smooth over about half of that
ENOUGH_ROWS = 2000  # frames, ten seconds: enough to measure the stiffness of a string
STILL_NOISE = 0.5  # between 0.35, for noise in the phases, and 0.71, for noise in f0 itself
MOST_NOISE = 12.0  # times the scatter of the partials: noise reaches 4, vibrato 170 and more
VIBRATO_SECONDS = 0.15  # one period
MIN_STRETCH, MAX_STRETCH = 2e-5, 0.02  # inharmonicity: below that of any string; that of the highest piano strings


def _smooth(values: Doubles, frames: int) -> Doubles:
    """Smooth along time (axis 0) by an unnormalised Hann kernel. A long kernel needs non-negative values (T,)."""
    kernel = np.hanning(frames + 2)[1:-1]
    ends = ((frames - 1) // 2, frames // 2)
    if frames < LONG_KERNEL:
        columns = values.reshape(len(values), -1).T
        smoothed = [np.convolve(np.pad(column, ends, mode="edge"), kernel, "valid") for column in columns]
        return np.stack(smoothed, 1).reshape(values.shape)
    padded = np.pad(values, ends, mode="edge")
    size = 2 ** math.ceil(math.log2(len(padded)))
    spread = np.fft.irfft(np.fft.rfft(padded, size) * np.fft.rfft(kernel, size), size)
    return np.asarray(np.maximum(spread[frames - 1 : len(padded)], 0.0), dtype=np.float64)


def _steadied(f0_hz: Doubles, weight: Doubles, scatter: Doubles) -> Doubles:
    """Smooth the noise of f0 (T,) and keep its vibrato, jitter and steps.

    Around each value the window is doubled while each doubling changes f0 less than the one before. Noise in the phases
    behaves so: its part in f0 falls as length^-1.5. Vibrato, jitter and steps do not. Where the first window is as long
    as a period of a vibrato, the doubling also ends when f0 changes by much more than its variance `scatter` (T,)
    explains. With shorter windows such a change may be the beating of a unison.
    """
    length = max(MIN_SMOOTH, 2 * round(PERIODS / float(np.median(f0_hz)) / HOP_SECONDS) + 1)
    few_periods = length * HOP_SECONDS > VIBRATO_SECONDS
    result = last = f0_hz
    change, steady = np.full(len(f0_hz), np.nan), np.ones(len(f0_hz), dtype=bool)
    while 2 * length < len(f0_hz):
        longer = _smooth(weight * f0_hz, length) / _smooth(weight, length)
        previous, change = change, np.sqrt(_smooth((longer - last) ** 2, 2 * length + 1) / (length + 1))
        steady &= ~(change >= STILL_NOISE * previous)
        if few_periods:
            steady &= change < MOST_NOISE * np.sqrt(_smooth(scatter, 2 * length + 1) / (length + 1))
        result = np.where(steady & (previous > 0), last, result)
        last, length = longer, 2 * length + 1
    return result


def _stretch(error: Doubles, power: Doubles, numbers: Doubles) -> float:
    """The change of the inharmonicity that explains the relative errors (T, H) of the partials.

    It is 0 unless it is significant against their scatter and explains most of the errors.
    """
    beside = np.pad(power.sum(0), 1)
    own = power.sum(0) > LEAK * np.maximum(beside[:-2], beside[2:])
    if own.sum() < 3:
        return 0.0
    error, power, numbers = error[:, own], power[:, own], numbers[own]
    count = len(error)
    # the windows overlap: about one in eight is independent
    apart = int(np.clip(count // ENOUGH_ROWS, 1, 8))
    error, power = error[::apart], power[::apart]
    offset = weighted_median(error.T, power.T)
    scatter = weighted_median(np.abs(error - offset).T, power.T)
    weight = 1 / ((1.5 * scatter) ** 2 * 8 / count + 1e-12)
    curve = (numbers**2 - 1) / 2
    curve -= np.average(curve, weights=weight)
    rest = offset - np.average(offset, weights=weight)
    b = float((weight * curve * rest).sum() / (weight * curve**2).sum())
    certain = abs(b) > 6 / float(np.sqrt((weight * curve**2).sum()))
    explains = float((weight * (rest - b * curve) ** 2).sum()) < 0.1 * float((weight * rest**2).sum())
    return b if certain and explains else 0.0


def lock(
    audio: Audio, f0_hz: Doubles, voiced: NDArray[np.bool_], stages: tuple[int, ...] = STAGES, b: float = 0.0
) -> tuple[Doubles, float]:
    """Correct `f0_hz` by the phases of the partials.

    f0_hz: (T,) one value every HOP_SECONDS; each stage changes it by 5 % at most
    voiced: (T,) where it is False, f0 is interpolated
    stages: number of partials used in each stage
    b: a first guess of the inharmonicity
    Returns f0 (T,) and the inharmonicity.
    """
    rows = np.arange(len(f0_hz))
    if len(rows) < 3:
        return f0_hz, b
    top = float(np.quantile(f0_hz[voiced], 0.98))
    # the phase in a window is blind to movements of f0 within it, so these are removed first
    length = max(3, 2 * round(PERIODS / float(np.median(f0_hz[voiced])) / HOP_SECONDS / 2) + 1)
    f0_hz = _smooth(f0_hz, length) * 2 / (length + 1)
    for partials in stages:
        for count in sorted({partials, *(more for more in STAGES if more > partials)}):
            order = np.arange(1.0, int(np.clip(min(0.45 * audio.rate, TOP_HZ) / top, 1, count)) + 1)
            numbers = stretched(order, b)
            z, seconds = demodulate(audio, f0_hz, numbers, PERIODS, rows)
            # without the lowest partials, the power measured at their frequencies leaks from the others
            if len(order) < count or 2 * (np.abs(z[voiced]) ** 2).sum() > CARRIED * audio.energy[voiced].sum():
                break
        span = np.diff(seconds)
        inside = span > HOP_SECONDS / 2
        if not inside.any():
            return f0_hz, b
        turn = z[1:] * z[:-1].conj()
        # the error of f0 in Hz, estimated from each partial
        error = np.angle(turn) / (2 * np.pi * np.maximum(span, HOP_SECONDS / 2)[:, None] * numbers)
        power = np.abs(turn) * inside[:, None]
        if new := _stretch(error / f0_hz[1:, None], power, numbers):
            b = float(np.clip(b + new, 0.0, MAX_STRETCH)) if b + new > MIN_STRETCH else 0.0
            error -= f0_hz[1:, None] * (stretched(order, b) / numbers - 1)
        middle = weighted_median(error, numbers * np.sqrt(power))[:, None]
        for _ in range(2):
            # inverse of the local variance, which includes noise, leakage and moving formants
            spread = _smooth(power * (error - middle) ** 2, 25) / (_smooth(power, 25) + 1e-30)
            weight = 1 / (spread + (1e-5 * f0_hz[1:, None]) ** 2)
            weight *= power / (power + 1e-6 * power.max(1, keepdims=True) + 1e-30)
            middle = ((weight * error).sum(1) / (weight.sum(1) + 1e-30))[:, None]
        loud = power.sum(1)
        delta = _smooth(loud * middle[:, 0], 3) / (_smooth(loud, 3) + 1e-30)
        # from the intervals between frames to the frames
        delta = np.convolve(np.pad(delta, 1, "edge"), [0.5, 0.5], "valid")
        known = voiced & np.append(inside, inside[-1]) & np.append(inside[0], inside)
        f0_hz = f0_hz * np.clip(1 + delta / f0_hz, 0.95, 1.05)
        f0_hz = bridge(f0_hz, known if known.any() else voiced)
    if stages == STAGES:
        loudness = np.append(loud, loud[-1]) * known + 1e-9 * loud.max() + 1e-30
        scatter = inside / (weight.sum(1) + 1e-30)
        f0_hz = _steadied(f0_hz, loudness, np.append(scatter, scatter[-1]))
    return f0_hz, b


def coherence(audio: Audio, f0_hz: Doubles, voiced: NDArray[np.bool_], b: float, hz: float) -> tuple[float, Doubles]:
    """How well the phases of the partials agree with f0 from one window to the next that does not overlap it.

    b: inharmonicity
    hz: the pitch; the distance of the windows is a few of its periods
    Returns the coherence of all voiced frames, and that around each frame (T,). A tone has 1, also within noise. Noise
    has 0, also where a resonance gives it a period.
    """
    lag = math.ceil(max(PERIODS / hz, LEAST_SECONDS) / HOP_SECONDS)
    if len(f0_hz) <= 2 * lag:
        return 1.0, np.ones(len(f0_hz))
    top = float(np.quantile(f0_hz[voiced], 0.98))
    order = np.arange(1.0, int(np.clip(min(0.45 * audio.rate, TOP_HZ) / top, 1, STAGES[-1])) + 1)
    z = demodulate(audio, f0_hz, stretched(order, b), PERIODS, np.arange(len(f0_hz)))[0]
    turn = z[lag:] * z[:-lag].conj()
    power = np.abs(turn).sum(1) + 1e-30
    weight = (voiced[lag:] & voiced[:-lag]) / np.sqrt(power)
    # the partials of bells are not multiples of f0, so each may turn at a constant rate
    steady = (weight[:, None] * turn).sum(0)
    kept = (turn * steady.conj() / (np.abs(steady) + 1e-30)).real.sum(1) / power
    weight *= power
    around = np.maximum(np.append(kept, np.full(lag, -1.0)), np.append(np.full(lag, -1.0), kept))
    whole = float((weight * kept).sum() / weight.sum()) if weight.any() else 1.0
    return whole, _smooth(around, 5) / 3
