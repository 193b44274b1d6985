"""Where in a recording its notes begin and end, and whether a sound is no recording but a single cycle."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from nsynth_core.audio import Floats, Sound
from nsynth_core.pitch import HIGH_HZ, HOP_SECONDS, LOW_HZ, contour

Doubles = NDArray[np.float64]

GAP_DB, GAP_SECONDS = -48.0, 0.03  # so far below the loudest, for so long: silence between notes
STRIKE_DB, STRIKE_SECONDS = 6.0, 0.04  # a rise so steep is a new attack
STEP_SEMITONES, STEADY_SEMITONES = 0.7, 0.35  # a new pitch, and how steady it is before and after
STEP_SECONDS = 0.05
LEAST_SECONDS = 0.08  # of a note
LEAST_VOICED = 0.3  # of it
LONGEST_CYCLE = 8192  # samples; of a longer file nobody says that it is one cycle
SHORT_CYCLE = 4096  # up to here a file that does not repeat is one
CYCLE_SIZES = {128, 256, 512, 600, 1024, 2048, 4096}  # a recording is not that long by chance
SHORT_SECONDS = 0.1  # at a low sample rate few samples are a recording
MOST_COPIES = 64
REPEATS = 0.93  # correlation of a period with the next in a short recording


def notes(sound: Sound, low_hz: float = LOW_HZ, high_hz: float = HIGH_HZ) -> list[tuple[float, float]]:
    """(start, end) in seconds of every note in `sound`, in order: told apart by silence, by a new attack, or by a step
    of pitch between two steady ones. What has no pitch is left out. Empty where there is none."""
    hz, energy = contour(sound, low_hz, high_hz)
    level = 10 * np.log10(energy / (energy.max() + 1e-30) + 1e-12)
    heard = _closed(level > GAP_DB, round(GAP_SECONDS / HOP_SECONDS))
    edges = np.flatnonzero(np.diff(np.concatenate([[False], heard, [False]]).astype(np.int8)))
    found = []
    for first, last in edges.reshape(-1, 2):
        borders = [int(first), *_borders(hz, level, int(first), int(last)), int(last)]
        for start, end in pairwise(borders):
            long = (end - start) * HOP_SECONDS >= LEAST_SECONDS
            if long and (hz[start:end] > 0).mean() >= LEAST_VOICED:
                found.append((start * HOP_SECONDS, min(end * HOP_SECONDS, sound.seconds)))
    return found


def _closed(heard: NDArray[np.bool_], gap: int) -> NDArray[np.bool_]:
    """`heard` with gaps of fewer than `gap` values filled."""
    edges = np.flatnonzero(np.diff(np.concatenate([[True], heard, [True]]).astype(np.int8))).reshape(-1, 2)
    out: NDArray[np.bool_] = heard.copy()
    for first, last in edges:
        if last - first < gap and first > 0 and last < len(heard):
            out[first:last] = True
    return out


def _borders(hz: Doubles, level: Doubles, first: int, last: int) -> list[int]:
    """Where within first..last one note follows another."""
    strike, step = round(STRIKE_SECONDS / HOP_SECONDS), round(STEP_SECONDS / HOP_SECONDS)
    least = round(LEAST_SECONDS / HOP_SECONDS)
    semitones = 12 * np.log2(np.where(hz > 0, hz, np.nan))
    candidates: list[tuple[float, int]] = []  # how sure, and where
    for k in range(first + least // 2, last - least // 2):
        rise = level[min(k + strike, last - 1)] - level[k]
        if rise > STRIKE_DB and level[k] <= level[max(k - strike, first) : k + strike].min() + 0.5:
            candidates.append((rise / STRIKE_DB, k))
        before, after = semitones[max(k - step, first) : max(k - 1, first)], semitones[k + 2 : min(k + step, last)]
        if min(np.isfinite(before).sum(), np.isfinite(after).sum()) < step // 2:
            continue
        jump = abs(float(np.nanmedian(after) - np.nanmedian(before)))
        loose = max(float(np.nanmax(part) - np.nanmin(part)) for part in (before, after))
        if jump > STEP_SEMITONES and loose < max(STEADY_SEMITONES, 0.2 * jump):
            candidates.append((jump / STEP_SEMITONES, k))
    borders: list[int] = []
    for _, k in sorted(candidates, reverse=True):
        if all(abs(k - other) >= least for other in borders):
            borders.append(k)
    return sorted(borders)


def single_cycle(sound: Sound, unpitched: bool = False) -> Floats | None:
    """The cycle (channels, n) where `sound` is a single one, or several that end where they began, as files of single
    cycles hold them; None for a recording. Such a file is short and does not repeat itself before its end; a longer one
    is believed to be one where no pitch was found in it (`unpitched`) but it is slow as only a cycle is."""
    count = len(sound.samples)
    short = count <= SHORT_CYCLE and sound.seconds < SHORT_SECONDS
    if not 4 <= count <= LONGEST_CYCLE or not (short or unpitched):
        return None
    x = sound.mid().astype(np.float64)
    x -= x.mean()
    power = np.abs(np.fft.rfft(x)) ** 2
    total = float(power.sum()) + 1e-30
    samples = sound.samples.T
    for n in range(min(count // 4, MOST_COPIES), 1, -1):
        if count % n == 0 and float(power[np.arange(len(power)) % n > 0].sum()) < 1e-5 * total:
            return np.asarray(samples.reshape(len(samples), n, -1).mean(1), dtype=np.float32)
    if not short:
        tenth = count // 10
        ends = min(float((x[:tenth] ** 2).mean()), float((x[-tenth:] ** 2).mean()))
        one = float(power[: count // 64].sum()) > 0.9 * total and ends > 1e-4 * float((x**2).mean())
    else:
        one = count in CYCLE_SIZES or not _repeats(x)
    return np.ascontiguousarray(samples) if one else None


def _repeats(x: Doubles) -> bool:
    """More than one and a half periods: the sound resembles itself at some lag, and resembled itself less before."""
    count, last = len(x), int(0.6 * len(x))
    spectrum = np.fft.rfft(x, 2 * count)
    product = np.fft.irfft(np.abs(spectrum) ** 2, 2 * count)[:last]
    energy = np.concatenate([[0.0], np.cumsum(x * x)])
    head, tail = energy[count - np.arange(last)], energy[-1] - energy[:last]
    like = product / np.sqrt(head * tail + 1e-12 * energy[-1] ** 2 + 1e-30)
    again = like[1:][like[1:] - np.minimum.accumulate(like)[:-1] > 0.25]
    return bool(again.max(initial=0.0) > REPEATS)
