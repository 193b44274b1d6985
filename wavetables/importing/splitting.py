"""Where the notes of a recording begin and end, and whether a sound is a single cycle instead of a recording."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from nsynth_core.audio import Floats, Sound
from nsynth_core.pitch import HIGH_HZ, HOP_SECONDS, LOW_HZ, Unpitched, contour, track

Doubles = NDArray[np.float64]

# Silence between notes: so far below the loudest, for so long.
GAP_DB, GAP_SECONDS = -48.0, 0.03
# A new attack: the level rises so much, in so long; and either so much of it within so few frames (a bowed vibrato
# swells by 8 dB, but evenly), or from a sound that had fallen so far, as before a tongued note.
STRIKE_DB, STRIKE_SECONDS = 6.0, 0.04
QUICK_DB, QUICK_FRAMES = 4.5, 3
DEEP_DB = 10.0
# A new pitch: so far from the last; held so long on both sides, so much of that on its own side of the middle, and so
# much of it voiced; and so much of the step within so little time, for glides and slow vibrato take longer.
STEP_SEMITONES = 0.7
HELD_SECONDS, HELD = 0.12, 0.9
VOICED = 0.7
NEAR_SECONDS, NEAR = 0.01, 0.6
DOUBTED_SEMITONES = 11.0  # a larger step may be an octave error of the tracker
LEAST_SECONDS = 0.08  # length of a note
LEAST_VOICED = 0.3  # share of a note
LONGEST_CYCLE = 8192  # samples; a longer file is no single cycle
SHORT_CYCLE = 4096  # samples; a shorter file that does not repeat itself is a single cycle
CYCLE_SIZES = {128, 256, 512, 600, 1024, 2048, 4096}  # samples; a recording has none of these lengths by chance
SHORT_SECONDS = 0.1  # at a low sample rate, a recording may have few samples
MOST_COPIES = 64  # of one cycle in a file
REPEATS = 0.93  # correlation of a period with the next in a short recording


def notes(sound: Sound, low_hz: float = LOW_HZ, high_hz: float = HIGH_HZ) -> list[tuple[float, float]]:
    """Find the notes of a recording.

    sound: samples float32 (n, channels)
    low_hz, high_hz: the range in Hz in which pitches are looked for
    Returns (start, end) in seconds of each note, in order. Notes are told apart by silence, by a new attack, or by a
    quick step between two pitches that are held. What has no pitch is left out.

    >>> from nsynth_core.audio import sine
    >>> low, high = sine(220.0, seconds=0.5), sine(330.0, seconds=0.5)
    >>> len(notes(Sound(np.concatenate([low.samples, high.samples]), low.rate)))
    2
    """
    hz, energy = contour(sound, low_hz, high_hz)
    level = 10 * np.log10(energy / (energy.max() + 1e-30) + 1e-12)
    heard = _closed(level > GAP_DB, round(GAP_SECONDS / HOP_SECONDS))
    edges = np.flatnonzero(np.diff(np.concatenate([[False], heard, [False]]).astype(np.int8)))
    spans = []
    for first, last in edges.reshape(-1, 2):
        borders = [int(first), *_borders(sound, hz, level, int(first), int(last), (low_hz, high_hz)), int(last)]
        for start, end in pairwise(borders):
            long = (end - start) * HOP_SECONDS >= LEAST_SECONDS
            if long and (hz[start:end] > 0).mean() >= LEAST_VOICED:
                spans.append((start * HOP_SECONDS, min(end * HOP_SECONDS, sound.seconds)))
    return spans


def _closed(heard: NDArray[np.bool_], gap: int) -> NDArray[np.bool_]:
    """`heard` with gaps of fewer than `gap` values filled."""
    edges = np.flatnonzero(np.diff(np.concatenate([[True], heard, [True]]).astype(np.int8))).reshape(-1, 2)
    out: NDArray[np.bool_] = heard.copy()
    for first, last in edges:
        if last - first < gap and first > 0 and last < len(heard):
            out[first:last] = True
    return out


def _borders(sound: Sound, hz: Doubles, level: Doubles, first: int, last: int, span: tuple[float, float]) -> list[int]:
    """The places within first..last where one note follows another."""
    # how clear it is, where it is, and whether it needs a second look
    candidates = [(rise / STRIKE_DB, first + k, False) for rise, k in _strikes(level[first:last])]
    candidates += [(step / STEP_SEMITONES, first + k, step > DOUBTED_SEMITONES) for step, k in _steps(hz[first:last])]
    least = round(LEAST_SECONDS / HOP_SECONDS)
    borders: list[int] = []
    for _, k, doubted in sorted(candidates, reverse=True):
        apart = all(abs(k - other) >= least for other in borders)
        if apart and not (doubted and _one_pitch(sound, k * HOP_SECONDS, span)):
            borders.append(k)
    return sorted(borders)


def _strikes(level: Doubles) -> list[tuple[float, int]]:
    """(rise in dB, place) of each new attack in a `level` (T,) in dB."""
    strike, held = round(STRIKE_SECONDS / HOP_SECONDS), round(HELD_SECONDS / HOP_SECONDS)
    least = round(LEAST_SECONDS / HOP_SECONDS)
    strikes = []
    for k in range(least // 2, len(level) - least // 2):
        after = level[k : k + strike + 1]
        rise = float(after[-1] - level[k])
        if rise > STRIKE_DB and level[k] <= level[max(k - strike, 0) : k + strike].min() + 0.5:
            quick = float((after[QUICK_FRAMES:] - after[:-QUICK_FRAMES]).max())
            if quick > QUICK_DB or level[max(k - held, 0) : k + 1].max() - level[k] > DEEP_DB:
                strikes.append((rise, k))
    return strikes


def _steps(hz: Doubles) -> list[tuple[float, int]]:
    """(semitones, place) of each quick step from one pitch to another in f0 (T,), which is 0 where unvoiced.

    A vibrato is no step: it comes back over the middle within HELD_SECONDS, or is as slow as a glide. The notes on both
    sides may have vibrato."""
    held, near = round(HELD_SECONDS / HOP_SECONDS), round(NEAR_SECONDS / HOP_SECONDS)
    count = len(hz) - 2 * (held + near)
    if count < 1:
        return []
    voiced = hz > 0
    place = np.maximum.accumulate(np.where(voiced, np.arange(len(hz)), 0))
    semitones = 12 * np.log2(np.maximum(hz[place], 1e-3))
    spans, share_voiced = sliding_window_view(semitones, held), sliding_window_view(voiced, held).mean(1)
    centre, beside = np.median(spans, 1), np.median(sliding_window_view(semitones, 3), 1)
    before, after = np.arange(count), np.arange(count) + held + 2 * near
    interval, middle = centre[after] - centre[before], ((centre[after] + centre[before]) / 2)[:, None]
    sign = np.sign(interval)
    left = (np.sign(spans[before] - middle) == -sign[:, None]).mean(1)
    come = (np.sign(spans[after] - middle) == sign[:, None]).mean(1)
    quick = (beside[after] - beside[before + held - 3]) * sign
    steps = (np.abs(interval) > STEP_SEMITONES) & (quick > NEAR * np.abs(interval)) & (np.minimum(left, come) >= HELD)
    steps &= np.minimum(share_voiced[before], share_voiced[after]) >= VOICED
    where = np.flatnonzero(steps)
    runs = np.split(where, np.flatnonzero(np.diff(where) > 1) + 1) if len(where) else []
    best = [run[quick[run] > 0.95 * quick[run].max()] for run in runs]
    return [(float(quick[run].max()), int(run.mean()) + held + near) for run in best]


def _one_pitch(sound: Sound, second: float, span: tuple[float, float]) -> bool:
    """Whether a sound has the same pitch before and after a moment, each side tracked as a note of its own."""
    at, held = round(second * sound.rate), round((HELD_SECONDS + NEAR_SECONDS) * sound.rate)
    pitches = []
    for part in (sound.samples[max(at - held, 0) : at], sound.samples[at : at + held]):
        try:
            pitches.append(track(Sound(part, sound.rate), *span).pitch)
        except Unpitched as error:
            pitches.append(error.guess if error.guess is not None else np.nan)
    return bool(abs(pitches[0] - pitches[1]) < 0.5)


def single_cycle(sound: Sound, unpitched: bool = False) -> Floats | None:
    """The cycle in a file of a single cycle, or of several copies of it.

    unpitched: no pitch was found in the sound
    Returns float32 (channels, n), or None for a recording. A single cycle is short and does not repeat itself before
    its end. A longer sound is taken for one where it is `unpitched` and as slow as only a cycle is.

    >>> saw = np.linspace(-0.5, 0.5, 600, dtype=np.float32)[:, None]
    >>> single_cycle(Sound(np.tile(saw, (4, 1)), 44100)).shape
    (1, 600)
    """
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
        is_cycle = float(power[: count // 64].sum()) > 0.9 * total and ends > 1e-4 * float((x**2).mean())
    else:
        is_cycle = count in CYCLE_SIZES or not _repeats(x)
    return np.ascontiguousarray(samples) if is_cycle else None


def _repeats(x: Doubles) -> bool:
    """Whether `x` (n,) holds more than one and a half periods: it resembles itself at some lag, and less so at a
    shorter one."""
    count, last = len(x), int(0.6 * len(x))
    spectrum = np.fft.rfft(x, 2 * count)
    product = np.fft.irfft(np.abs(spectrum) ** 2, 2 * count)[:last]
    energy = np.concatenate([[0.0], np.cumsum(x * x)])
    head, tail = energy[count - np.arange(last)], energy[-1] - energy[:last]
    like = product / np.sqrt(head * tail + 1e-12 * energy[-1] ** 2 + 1e-30)
    again = like[1:][like[1:] - np.minimum.accumulate(like)[:-1] > 0.25]
    return bool(again.max(initial=0.0) > REPEATS)
