"""Where in a recording its notes begin and end, and whether a sound is no recording but a single cycle."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from nsynth_core.audio import Floats, Sound
from nsynth_core.pitch import HIGH_HZ, HOP_SECONDS, LOW_HZ, Unpitched, contour, track

Doubles = NDArray[np.float64]

GAP_DB, GAP_SECONDS = -48.0, 0.03  # so far below the loudest, for so long: silence between notes
STRIKE_DB, STRIKE_SECONDS = 6.0, 0.04  # a rise so steep is a new attack
QUICK_DB, QUICK_FRAMES = 4.5, 3  # where it is so steep in the middle: a bowed vibrato swells by 8 dB, but evenly;
DEEP_DB = 10.0  # or where the sound had nearly stopped, as before a tongued note
STEP_SEMITONES = 0.7  # a new pitch,
HELD_SECONDS, HELD = 0.12, 0.9  # kept so long before and after: so much of it on its own side of the middle,
VOICED = 0.7  # and so much of it voiced,
NEAR_SECONDS, NEAR = 0.01, 0.6  # where so much of the way is made so near the border: glides and slow vibrato last
DOUBTED_SEMITONES = 11.0  # a leap that the tracker may have made up
LEAST_SECONDS = 0.08  # of a note
LEAST_VOICED = 0.3  # of it
LONGEST_CYCLE = 8192  # samples; of a longer file nobody says that it is one cycle
SHORT_CYCLE = 4096  # up to here a file that does not repeat is one
CYCLE_SIZES = {128, 256, 512, 600, 1024, 2048, 4096}  # a recording is not that long by chance
SHORT_SECONDS = 0.1  # at a low sample rate few samples are a recording
MOST_COPIES = 64
REPEATS = 0.93  # correlation of a period with the next in a short recording


def notes(sound: Sound, low_hz: float = LOW_HZ, high_hz: float = HIGH_HZ) -> list[tuple[float, float]]:
    """(start, end) in seconds of every note in `sound`, in order: told apart by silence, by a new attack, or by a quick
    step between two pitches that are held. What has no pitch is left out. Empty where there is none."""
    hz, energy = contour(sound, low_hz, high_hz)
    level = 10 * np.log10(energy / (energy.max() + 1e-30) + 1e-12)
    heard = _closed(level > GAP_DB, round(GAP_SECONDS / HOP_SECONDS))
    edges = np.flatnonzero(np.diff(np.concatenate([[False], heard, [False]]).astype(np.int8)))
    found = []
    for first, last in edges.reshape(-1, 2):
        borders = [int(first), *_borders(sound, hz, level, int(first), int(last), (low_hz, high_hz)), int(last)]
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


def _borders(sound: Sound, hz: Doubles, level: Doubles, first: int, last: int, span: tuple[float, float]) -> list[int]:
    """Where within first..last one note follows another."""
    # how sure, where, and whether to look again
    candidates = [(rise / STRIKE_DB, first + k, False) for rise, k in _strikes(level[first:last])]
    candidates += [(way / STEP_SEMITONES, first + k, way > DOUBTED_SEMITONES) for way, k in _steps(hz[first:last])]
    least = round(LEAST_SECONDS / HOP_SECONDS)
    borders: list[int] = []
    for _, k, doubted in sorted(candidates, reverse=True):
        apart = all(abs(k - other) >= least for other in borders)
        if apart and not (doubted and _one_pitch(sound, k * HOP_SECONDS, span)):
            borders.append(k)
    return sorted(borders)


def _strikes(level: Doubles) -> list[tuple[float, int]]:
    """(dB, place) where `level` (T,) in dB rises as at a new attack."""
    strike, held = round(STRIKE_SECONDS / HOP_SECONDS), round(HELD_SECONDS / HOP_SECONDS)
    least = round(LEAST_SECONDS / HOP_SECONDS)
    found = []
    for k in range(least // 2, len(level) - least // 2):
        after = level[k : k + strike + 1]
        rise = float(after[-1] - level[k])
        if rise > STRIKE_DB and level[k] <= level[max(k - strike, 0) : k + strike].min() + 0.5:
            quick = float((after[QUICK_FRAMES:] - after[:-QUICK_FRAMES]).max())
            if quick > QUICK_DB or level[max(k - held, 0) : k + 1].max() - level[k] > DEEP_DB:
                found.append((rise, k))
    return found


def _steps(hz: Doubles) -> list[tuple[float, int]]:
    """(semitones, place) where f0 (T,), 0 where unvoiced, quickly leaves one pitch for another. A vibrato comes back
    over the middle within HELD_SECONDS, or it is as slow as a glide; the notes themselves may have vibrato."""
    held, near = round(HELD_SECONDS / HOP_SECONDS), round(NEAR_SECONDS / HOP_SECONDS)
    count = len(hz) - 2 * (held + near)
    if count < 1:
        return []
    voiced = hz > 0
    place = np.maximum.accumulate(np.where(voiced, np.arange(len(hz)), 0))
    semitones = 12 * np.log2(np.maximum(hz[place], 1e-3))
    spans, said = sliding_window_view(semitones, held), sliding_window_view(voiced, held).mean(1)
    centre, beside = np.median(spans, 1), np.median(sliding_window_view(semitones, 3), 1)
    before, after = np.arange(count), np.arange(count) + held + 2 * near
    way, middle = centre[after] - centre[before], ((centre[after] + centre[before]) / 2)[:, None]
    sign = np.sign(way)
    left = (np.sign(spans[before] - middle) == -sign[:, None]).mean(1)
    come = (np.sign(spans[after] - middle) == sign[:, None]).mean(1)
    quick = (beside[after] - beside[before + held - 3]) * sign
    steps = (np.abs(way) > STEP_SEMITONES) & (quick > NEAR * np.abs(way)) & (np.minimum(left, come) >= HELD)
    steps &= np.minimum(said[before], said[after]) >= VOICED
    where = np.flatnonzero(steps)
    runs = np.split(where, np.flatnonzero(np.diff(where) > 1) + 1) if len(where) else []
    best = [run[quick[run] > 0.95 * quick[run].max()] for run in runs]
    return [(float(quick[run].max()), int(run.mean()) + held + near) for run in best]


def _one_pitch(sound: Sound, second: float, span: tuple[float, float]) -> bool:
    """Whether the sound has one pitch before and after, with octaves told apart as they are in a note of its own."""
    at, held = round(second * sound.rate), round((HELD_SECONDS + NEAR_SECONDS) * sound.rate)
    pitches = []
    for part in (sound.samples[max(at - held, 0) : at], sound.samples[at : at + held]):
        try:
            pitches.append(track(Sound(part, sound.rate), *span).pitch)
        except Unpitched as error:
            pitches.append(error.guess if error.guess is not None else np.nan)
    return bool(abs(pitches[0] - pitches[1]) < 0.5)


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
