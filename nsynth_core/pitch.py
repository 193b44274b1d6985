"""f0 of a sound over time: found (`track`) or refined around a known pitch (`follow`).

Normalised correlation and a Viterbi path give f0 to some cents (nsynth_core.periodicity), a spectral test settles the
octave, and a phase lock to the partials makes it exact: the sound is demodulated at multiples of the f0 found so far,
and what each partial's phase still turns, divided by its number, is the error left.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import ArrayLike, NDArray

from nsynth_core.audio import Floats, Sound, resample
from nsynth_core.errors import UserError
from nsynth_core.notes import hz_to_midi, midi_to_hz, note_name, parse_pitch, pitch_in_name
from nsynth_core.periodicity import BLOCK, LOW_RATE, Doubles, best_path, candidates

__all__ = [
    "HIGH_HZ",
    "HOP_SECONDS",
    "LOW_HZ",
    "PitchTrack",
    "Unpitched",
    "describe",
    "follow",
    "hz_to_midi",
    "midi_to_hz",
    "note_name",
    "parse_pitch",
    "pitch_in_name",
    "track",
]

LOW_HZ, HIGH_HZ = 27.5, 4200.0
HOP_SECONDS = 0.005

QUIET_DB = -65.0  # below the loudest frame: no longer the note
MIN_CONFIDENCE = 0.5
PARTIALS = 12  # tracked by the phase lock
LOCK_PERIODS = 4.0  # of its window: a Hann window then nulls the neighbouring partials
OCTAVE_DB = -30.0  # partials weaker than this beside the others make no octave


@dataclass(frozen=True)
class PitchTrack:
    """f0 over time. `f0_hz` float64 (T,), one value each HOP_SECONDS from time 0, positive everywhere: unvoiced
    stretches are bridged. `voiced` bool (T,). `confidence` 0..1 for the track as a whole. `energy` float64 (T,), mean
    square of the sound around each value, any scale (None: all alike)."""

    f0_hz: Doubles
    voiced: NDArray[np.bool_]
    confidence: float
    energy: Doubles | None = None

    @property
    def times(self) -> Doubles:
        """Seconds of each value, (T,)."""
        return np.arange(len(self.f0_hz), dtype=np.float64) * HOP_SECONDS

    @property
    def pitch(self) -> float:
        """The note's MIDI pitch: the median over the voiced part, weighted by amplitude."""
        weight = self.voiced.astype(np.float64) if self.voiced.any() else np.ones(len(self.f0_hz))
        if self.energy is not None:
            weight = weight * np.sqrt(self.energy) + 1e-12
        return hz_to_midi(float(_weighted_median(self.f0_hz[None], weight[None])[0]))

    def at(self, seconds: ArrayLike) -> Doubles:
        """f0 in Hz at any times, straight lines in log frequency between the values, constant beyond the ends."""
        return np.asarray(
            np.exp(np.interp(np.asarray(seconds, dtype=np.float64), self.times, np.log(self.f0_hz))), dtype=np.float64
        )

    def cycles(self, seconds: ArrayLike) -> Doubles:
        """Phase in cycles at any times: the integral of f0 (straight between its values) from time 0, negative before
        it."""
        s = np.asarray(seconds, dtype=np.float64) / HOP_SECONDS
        f = self.f0_hz * HOP_SECONDS
        turned = np.concatenate([[0.0], np.cumsum((f[1:] + f[:-1]) / 2)])
        i = np.clip(s.astype(np.int64), 0, len(f) - 1)
        u = s - i
        slope = np.append(np.diff(f), 0.0)[i] * (u > 0)
        return np.asarray(turned[i] + f[i] * u + 0.5 * slope * u * u, dtype=np.float64)


class Unpitched(UserError):
    """No pitch to be found. `guess`: the best guess as a MIDI number, None where there is not even that."""

    def __init__(self, guess: float | None, confidence: float):
        self.guess = guess
        if guess is None:
            found, example = "no pitch found", "C3"
        else:
            found, example = (
                f"no clear pitch (best guess {_cents_name(guess)}, confidence {confidence:.2f})",
                note_name(guess),
            )
        super().__init__(f"{found}: it sounds like noise, a drum or silence; give its pitch, e.g. --pitch {example}")


def track(sound: Sound, low_hz: float = LOW_HZ, high_hz: float = HIGH_HZ) -> PitchTrack:
    """The pitch of `sound` within low_hz..high_hz, found without help. Raises Unpitched for noise, drums, silence."""
    audio = _Audio(sound)
    high_hz = min(high_hz, 0.45 * sound.rate)
    hz, found = audio.path(low_hz, high_hz)
    if not (hz > 0).any():
        raise Unpitched(None, 0.0)
    voiced = hz > 0
    rough = PitchTrack(_bridge(hz, voiced), voiced, 1.0, audio.energy)
    first = _lock(audio, rough, partials=3)
    ratio = _octave(audio, first)
    if ratio != 1.0 and low_hz <= float(np.median(hz[voiced])) * ratio <= high_hz:
        first = replace(first, f0_hz=first.f0_hz * ratio)
    locked = _lock(audio, first)
    confidence = _confidence(audio, hz, found)
    result = replace(locked, confidence=confidence)
    if confidence < MIN_CONFIDENCE:
        raise Unpitched(result.pitch, confidence)
    return result


def follow(sound: Sound, pitch: float, cents: float = 100.0) -> PitchTrack:
    """f0 of `sound` within +-`cents` of the MIDI `pitch`. Never refuses: where the sound is not periodic the track
    stays on `pitch` and `voiced` is False."""
    audio = _Audio(sound)
    centre, span = midi_to_hz(pitch), 2.0 ** (cents / 1200.0)
    if centre > 0.45 * sound.rate:
        return PitchTrack(np.full(len(audio.energy), centre), np.zeros(len(audio.energy), np.bool_), 0.0, audio.energy)
    hz, found = audio.path(centre / span, min(centre * span, 0.45 * sound.rate))
    voiced = hz > 0
    start = PitchTrack(np.where(voiced, hz, centre), voiced, 1.0, audio.energy)
    if not voiced.any():
        return replace(start, confidence=0.0)
    locked = _lock(audio, _lock(audio, start, partials=3))
    f0 = np.where(voiced, np.clip(locked.f0_hz, centre / span, centre * span), centre)
    return replace(locked, f0_hz=f0, confidence=_confidence(audio, hz, found))


def describe(track: PitchTrack) -> str:
    """ "A3 +12 cents, confidence 0.97" """
    return f"{_cents_name(track.pitch)}, confidence {track.confidence:.2f}"


def _cents_name(midi: float) -> str:
    cents = round(100 * (midi - np.floor(midi + 0.5)))
    return note_name(midi) + (f" {cents:+d} cents" if cents else "")


class _Audio:
    """One channel at the two rates the search works at, and its level at the track's times."""

    def __init__(self, sound: Sound):
        from scipy.ndimage import uniform_filter1d

        samples = sound.mid()
        mono = Sound(np.pad(samples, (0, max(0, 64 - len(samples))))[:, None], sound.rate)
        # short periods need many samples a period; partials above 22 kHz say nothing about pitch
        mono = resample(mono, 48_000) if not 40_000 <= sound.rate <= 50_000 else mono
        self.rate = mono.rate
        x = mono.samples[:, 0]
        peak = float(np.abs(x).max(initial=0.0))
        x = x / np.float32(peak) if peak > 0 else x
        # an offset or rumble correlates at every lag; less a moving average is less what lies below 15 Hz
        size = self.rate // 15
        self.x: Floats = x - (uniform_filter1d(x, size, mode="nearest") if len(x) > 2 * size else x.mean())
        self.slow = self.at_rate(LOW_RATE)
        self.times: Doubles = np.arange(int(sound.seconds / HOP_SECONDS) + 1, dtype=np.float64) * HOP_SECONDS
        smooth = uniform_filter1d(self.slow.astype(np.float64) ** 2, LOW_RATE // 50, mode="constant")
        at = np.minimum(np.round(self.times * LOW_RATE).astype(np.int64), len(smooth) - 1)
        self.energy: Doubles = np.maximum(smooth[at], 0.0)

    def at_rate(self, rate: int) -> Floats:
        if rate == self.rate:
            return self.x
        return resample(Sound(self.x[:, None], self.rate), rate).samples[:, 0]

    def path(self, low_hz: float, high_hz: float) -> tuple[Doubles, Doubles]:
        loud = self.energy > max(10 ** (QUIET_DB / 10) * float(self.energy.max()), 1e-12)
        hz, strength = candidates(self.x, self.slow, self.rate, LOW_RATE, self.times, low_hz, high_hz)
        return best_path(hz, strength, loud)


def _bridge(hz: Doubles, voiced: NDArray[np.bool_]) -> Doubles:
    known = np.flatnonzero(voiced)
    return np.asarray(np.exp(np.interp(np.arange(len(hz)), known, np.log(hz[known]))), dtype=np.float64)


def _weighted_median(values: Doubles, weights: Doubles) -> Doubles:
    """Along the last axis."""
    order = np.argsort(values, -1)
    total = np.cumsum(np.take_along_axis(weights, order, -1), -1)
    middle = (total < total[..., -1:] / 2).sum(-1, keepdims=True)
    middle = np.minimum(middle, values.shape[-1] - 1)
    return np.asarray(np.take_along_axis(values, np.take_along_axis(order, middle, -1), -1)[..., 0])


def _demodulate(
    audio: _Audio, track: PitchTrack, numbers: Doubles, periods: float, rows: NDArray[np.int64]
) -> NDArray[np.complex128]:
    """Amplitudes (rows, numbers) at `numbers` x f0 under Hann windows of `periods` around the track's `rows`."""
    top = float(np.quantile(track.f0_hz[rows], 0.98)) * float(numbers[-1])
    rate = int(min(audio.rate, max(2.6 * top, 1000.0)))
    x = audio.at_rate(rate)
    widths = np.minimum(periods * rate / track.f0_hz[rows], len(x))
    centres = np.clip(rows * HOP_SECONDS * rate, widths / 2, len(x) - widths / 2)
    out = np.empty((len(rows), len(numbers)), dtype=np.complex128)
    step = max(1, min(500, BLOCK // 8 // int(widths.max() + 2)))
    for a in range(0, len(rows), step):
        width, centre = widths[a : a + step, None], centres[a : a + step, None]
        window = min(int(width.max()) + 2, len(x))
        starts = np.clip(np.round(centre[:, 0] - window / 2).astype(np.int64), 0, len(x) - window)
        first, last = int(starts.min()), int(starts.max()) + window
        u = (starts[:, None] + np.arange(window) - centre) / width
        hann = np.where(np.abs(u) < 0.5, 0.5 + 0.5 * np.cos(2 * np.pi * u), 0.0)
        hann /= hann.sum(1, keepdims=True)
        turns = track.cycles(np.arange(first, last) / rate)
        for k, number in enumerate(numbers):
            down = x[first:last] * np.exp(-2j * np.pi * (number * turns % 1.0))
            out[a : a + step, k] = np.einsum("tw,tw->t", sliding_window_view(down, window)[starts - first], hann)
    return out


def _smooth(values: Doubles, frames: int) -> Doubles:
    """Along time (axis 0), Hann kernel, unnormalised."""
    from scipy.ndimage import convolve1d

    return np.asarray(convolve1d(values, np.hanning(frames + 2)[1:-1], axis=0, mode="nearest"))


def _lock(audio: _Audio, start: PitchTrack, partials: int = PARTIALS, rounds: int = 2) -> PitchTrack:
    """`start` with its f0 locked to the phases of its partials."""
    rows = np.arange(len(start.f0_hz))
    if len(rows) < 3:
        return start
    top = float(np.quantile(start.f0_hz[start.voiced], 0.98))
    numbers = np.arange(1.0, int(np.clip(0.45 * audio.rate / top, 1, partials)) + 1)
    result = start
    for _ in range(rounds):
        z = _demodulate(audio, result, numbers, LOCK_PERIODS, rows)
        turn = z[1:] * z[:-1].conj()
        error = np.angle(turn) / (2 * np.pi * HOP_SECONDS * numbers)  # Hz of f0, each partial's opinion
        power = np.abs(turn)
        weight = numbers * np.sqrt(power)
        middle = _weighted_median(error, weight)[:, None]
        floor = (1e-5 * result.f0_hz[1:, None]) ** 2
        for _ in range(2):
            # inverse variance, as observed around here: noise, leakage and moving formants all show in it
            spread = _smooth(power * (error - middle) ** 2, 9) / (_smooth(power, 9) + 1e-30)
            weight = 1 / (spread + floor)
            weight *= power / (power + 1e-6 * power.max(1, keepdims=True) + 1e-30)
            middle = ((weight * error).sum(1) / (weight.sum(1) + 1e-30))[:, None]
        loud = power.sum(1)
        delta = _smooth(loud * middle[:, 0], 3) / (_smooth(loud, 3) + 1e-30)
        delta = np.convolve(np.pad(delta, 1, "edge"), [0.5, 0.5], "valid")  # from the intervals to their ends
        f0 = result.f0_hz * np.clip(1 + delta / result.f0_hz, 0.95, 1.05)
        result = replace(result, f0_hz=_bridge(f0, result.voiced))
    return result


def _octave(audio: _Audio, track: PitchTrack) -> float:
    """What to multiply f0 by so that all strong partials are multiples of it, and not all are multiples of more."""
    f0 = track.f0_hz
    rows = np.flatnonzero(track.voiced)
    if len(audio.x) / audio.rate < 14 / float(np.median(f0[rows])):
        return 1.0
    rows = rows[np.argsort(-audio.energy[rows])[: max(1, len(rows) // 2)]]
    rows = np.sort(rows[:: max(1, len(rows) // 100)])
    top = float(np.quantile(f0[rows], 0.9))
    sixths = np.arange(1.0, 6 * int(np.clip(0.45 * audio.rate / top, 1, 8)) + 1)
    power = np.abs(_demodulate(audio, track, sixths / 6, 12.0, rows)) ** 2
    power /= power.sum(1, keepdims=True) + 1e-30
    power = np.median(power, 0)
    j = sixths.astype(int)
    whole, noise = j % 6 == 0, float(np.mean(power[(j % 6 == 1) | (j % 6 == 5)]))
    total = float(power[whole].sum())
    few = 10 ** (OCTAVE_DB / 10) * total

    def real(which: NDArray[np.bool_]) -> bool:
        return bool(power[which].sum() > few + 3 * noise * which.sum())

    if real(j % 6 == 3):
        return 0.5
    if real((j % 6 == 2) | (j % 6 == 4)):
        return 1 / 3
    for n in (3, 2):
        if not real(whole & (j // 6 % n != 0)):
            return float(n)
    return 1.0


def _confidence(audio: _Audio, hz: Doubles, found: Doubles) -> float:
    weight = np.sqrt(audio.energy) * (audio.energy > 1e-4 * audio.energy.max())
    return float(np.clip((weight * found * (hz > 0)).sum() / (weight.sum() + 1e-30), 0, 1))
