"""f0 of a sound over time: found (`track`) or refined around a known pitch (`follow`).

Three steps: normalised correlation and a Viterbi path give f0 to some cents (candidates), a look at the
partials settles the octave, and a phase lock to them makes f0 exact (lock).
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import ArrayLike, NDArray

from nsynth_core.audio import Floats, Sound, resample
from nsynth_core.errors import UserError
from nsynth_core.notes import cents_name, hz_to_midi, midi_to_hz, note_name
from nsynth_core.pitch import candidates as periodicity
from nsynth_core.pitch import lock as phaselock
from nsynth_core.pitch import octaves, partials
from nsynth_core.pitch.candidates import HOP_SECONDS, Doubles
from nsynth_core.pitch.partials import bridge, weighted_median

LOW_HZ, HIGH_HZ = 27.5, 4200.0

QUIET_DB = -65.0  # below the loudest frame: no longer the note
MIN_CONFIDENCE = 0.5
NO_GUESS = 0.05  # confidence of a guess that would only mislead
CERTAINTY = 0.7, 5.0  # exponent of the confidence, and over the periods heard: 0.5 parts breathy notes from snares
MOST_PERIODS = partials.PERIODS / partials.LEAST_SECONDS  # a second: more in one window tell no more
LEAST_COHERENCE = 0.7  # beside the whole note's: what keeps its phases less is a consonant that rings
LEAP, SHORTEST_LEAP = 0.4, 0.05  # octaves in one step of the track, seconds
FEW_CYCLES = 8.0  # a shorter sound shows no change of f0
# glibc hands freed memory back to the system above a limit that freeing a block of this size raises: without, the
# blocks of a long sound come as new zeroed pages again and again, which takes as long as the arithmetic
KEPT_BYTES = 31 << 20
# of an octave between notes; at the cost within one, a note of half a second passes for the other octave's
NOTES_JUMP_COST = 0.2
OUTLIER_SEMITONES = 7.0  # beyond the range of 70 % of the sound


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
        """The note's MIDI pitch: the median over the voiced part, weighted by the fourth root of energy (about
        loudness), so that neither a loud attack nor a long quiet tail decides alone."""
        weight = self.voiced.astype(np.float64) if self.voiced.any() else np.ones(len(self.f0_hz))
        if self.energy is not None:
            weight = weight * self.energy**0.25 + 1e-12
        return hz_to_midi(float(weighted_median(self.f0_hz[None], weight[None])[0]))

    def at(self, seconds: ArrayLike) -> Doubles:
        """f0 in Hz at any times, straight lines in log frequency between the values, constant beyond the ends."""
        return np.asarray(
            np.exp(np.interp(np.asarray(seconds, dtype=np.float64), self.times, np.log(self.f0_hz))), dtype=np.float64
        )

    def voiced_at(self, seconds: ArrayLike) -> NDArray[np.bool_]:
        """Whether the sound is voiced at any times: as the nearest value says."""
        near = np.rint(np.asarray(seconds, dtype=np.float64) / HOP_SECONDS).astype(np.int64)
        return np.asarray(self.voiced[np.clip(near, 0, len(self.voiced) - 1)])

    def cycles(self, seconds: ArrayLike) -> Doubles:
        """Phase in cycles at any times: the integral of f0 (straight between its values) from time 0, negative before
        it."""
        return partials.cycles(self.f0_hz, np.asarray(seconds, dtype=np.float64))


class Unpitched(UserError):
    """A sound has no pitch that can be used.

    guess: the most likely pitch, a MIDI number; None where there is no guess
    confidence: of the guess, 0..1
    span: (lowest, highest) in Hz where the guess is sure but lies outside the range that was searched, else None

    >>> str(Unpitched(None, 0.0))
    'no pitch found: it sounds like noise, a drum or silence'
    >>> str(Unpitched(72.0, 0.0, (110.0, 440.0)))
    'its pitch, C5, is not within A2..A4'
    """

    def __init__(self, guess: float | None, confidence: float, span: tuple[float, float] | None = None):
        self.guess, self.confidence, self.span = guess, confidence, span
        if guess is None:
            fact = "no pitch found: it sounds like noise, a drum or silence"
        elif span is None:
            best = f"best guess {cents_name(guess)}, confidence {confidence:.2f}"
            fact = f"no clear pitch ({best}): it sounds like noise, a drum or silence"
        else:
            low, high = (note_name(hz_to_midi(hz)) for hz in span)
            fact = f"its pitch, {cents_name(guess)}, is not within {low}..{high}"
        super().__init__(fact)


def track(sound: Sound, low_hz: float = LOW_HZ, high_hz: float = HIGH_HZ, hint: float | None = None) -> PitchTrack:
    """The pitch of `sound` within low_hz..high_hz, found without help; a `hint` (a MIDI number) is heard where two
    octaves are nearly as likely. Raises Unpitched for noise, drums, silence, and a pitch above the range;
    UserError for a range above what the sound's rate can hold."""
    audio = _Audio(sound)
    high_hz = _highest(sound, low_hz, high_hz)
    hz, found = audio.path(low_hz, high_hz)
    voiced = hz > 0
    if not voiced.any():
        raise Unpitched(None, 0.0)
    f0, stiffness = phaselock.lock(audio, _without_leaps(audio, bridge(hz, voiced), voiced), voiced, stages=(3,))
    for _ in range(3):
        middle = float(np.median(f0[voiced]))
        hinted = 0.0 if hint is None else midi_to_hz(hint) / middle
        ratio = octaves.octave(audio, f0, voiced, audio.energy, stiffness, hinted)
        if ratio > 1.0 and middle * ratio > high_hz:
            raise Unpitched(hz_to_midi(middle * ratio), 0.0, (low_hz, high_hz))
        if ratio == 1.0 or not low_hz <= middle * ratio <= high_hz:
            break
        f0, stiffness = phaselock.lock(audio, f0 * ratio, voiced, stages=(3,))
    f0 = audio.refined(f0, voiced, stiffness)
    centre = midi_to_hz(PitchTrack(f0, voiced, 0.0, audio.energy).pitch)
    coherent, around = phaselock.coherence(audio, f0, voiced, stiffness, centre)
    kept = voiced & (around > LEAST_COHERENCE * coherent)
    if kept.any():
        f0, voiced = bridge(f0, kept), kept
    confidence = audio.confidence(found, voiced, coherent, centre)
    result = PitchTrack(f0, voiced, confidence, audio.energy)
    if confidence < MIN_CONFIDENCE:
        raise Unpitched(result.pitch if confidence > NO_GUESS else None, confidence)
    return result


def contour(sound: Sound, low_hz: float = LOW_HZ, high_hz: float = HIGH_HZ) -> tuple[Doubles, Doubles]:
    """f0 in Hz (T,), 0 where unvoiced, to some cents, and energy (T,), each HOP_SECONDS: also of several notes, however
    far apart. Refuses no sound; raises UserError for a range above what its rate can hold."""
    audio = _Audio(sound)
    return audio.path(low_hz, _highest(sound, low_hz, high_hz), one_note=False)[0], audio.energy


def _highest(sound: Sound, low_hz: float, high_hz: float) -> float:
    """What of a range a sound can hold. Raises UserError where that is nothing."""
    high = min(high_hz, 0.45 * sound.rate)
    if low_hz >= high:
        raise UserError(f"sampled at {sound.rate} Hz, it holds no pitch above {high:.0f} Hz; search a lower range")
    return high


def follow(sound: Sound, pitch: float, cents: float = 100.0) -> PitchTrack:
    """f0 of `sound` within +-`cents` of the MIDI `pitch`. Never refuses: where the sound is not periodic the track
    stays on `pitch` and `voiced` is False."""
    audio = _Audio(sound)
    centre, span = midi_to_hz(pitch), 2.0 ** (cents / 1200.0)
    low, high = centre / span, min(centre * span, 0.45 * sound.rate)
    hz, found = audio.path(low, high) if low < high else (np.zeros(len(audio.energy)),) * 2
    voiced = hz > 0
    f0, coherent = np.full(len(hz), centre), 0.0
    if voiced.any():
        locked = audio.refined(bridge(hz, voiced), voiced)
        f0[voiced] = np.clip(locked, centre / span, centre * span)[voiced]
        coherent = phaselock.coherence(audio, f0, voiced, 0.0, centre)[0]
    return PitchTrack(f0, voiced, audio.confidence(found, voiced, coherent, centre), audio.energy)


def describe(track: PitchTrack) -> str:
    """ "A3 +12 cents, confidence 0.97" """
    return f"{cents_name(track.pitch)}, confidence {track.confidence:.2f}"


def _without_leaps(audio: _Audio, f0_hz: Doubles, voiced: NDArray[np.bool_]) -> Doubles:
    """`f0_hz` (T,) without leaps to another octave and back: what lies between two leaps is looked at by itself, and
    moved where its partials say so and that takes a leap away. Within a room's answer, two periods resemble each other
    more than one does."""
    f0_hz = f0_hz.copy()
    edges = np.concatenate([[0], np.flatnonzero(np.abs(np.diff(np.log2(f0_hz))) > LEAP) + 1, [len(f0_hz)]])
    for a, b in pairwise(edges) if len(edges) > 2 else ():
        here = voiced & (np.arange(len(f0_hz)) >= a) & (np.arange(len(f0_hz)) < b)
        if here.sum() < SHORTEST_LEAP / HOP_SECONDS:
            continue
        ratio = octaves.octave(audio, f0_hz, here, audio.energy, 0.0)
        beside = [f0_hz[k] / f0_hz[j] for k, j in ((a - 1, a), (b, b - 1)) if 0 <= k < len(f0_hz)]
        if any(abs(np.log2(other / ratio)) < LEAP for other in beside):
            f0_hz[a:b] *= ratio
    return f0_hz


def _above_8_hz(x: Floats, rate: int) -> Floats:
    """`x` less its moving average: an offset or rumble would correlate at every lag."""
    half = rate // 16
    if len(x) <= 4 * half:
        return np.asarray(x - x.mean(), dtype=np.float32)
    place = np.arange(len(x))
    inside = np.minimum(np.minimum(place, place[::-1]), half) + half + 1
    return np.asarray(x - periodicity.moving_sum(x, 2 * half + 1) / inside, dtype=np.float32)


class _Audio:
    """One channel at the rates asked for, and its level at the track's times."""

    def __init__(self, sound: Sound):
        np.empty(KEPT_BYTES, dtype=np.uint8)
        x = sound.mid()
        peak = float(np.abs(x).max(initial=0.0))
        self.rate = sound.rate
        self.x: Floats = np.asarray((x - x.mean()) / np.float32(peak or 1.0), dtype=np.float32)
        self._kept: tuple[int, Floats] = sound.rate, self.x
        self._sources = [self._kept]
        # the resampler's ends would be most of a very short sound
        rate = periodicity.RATE if sound.seconds > 0.03 else max(periodicity.RATE, sound.rate)
        self.slow_rate, slow = rate, self.at_rate(rate)
        self._sources = sorted([(rate, slow), (self.rate, self.x)], key=lambda each: each[0])
        self.slow = _above_8_hz(slow, rate) if len(slow) > 4 else np.zeros(4, dtype=np.float32)
        self.times: Doubles = np.arange(int(sound.seconds / HOP_SECONDS) + 1, dtype=np.float64) * HOP_SECONDS
        smooth = periodicity.moving_sum(self.slow.astype(np.float64) ** 2, rate // 50) / (rate // 50)
        at = np.minimum(np.round(self.times * rate).astype(np.int64), len(smooth) - 1)
        self.energy: Doubles = np.maximum(smooth[at], 0.0)

    def at_rate(self, rate: int) -> Floats:
        if rate == self.rate:
            return self.x
        if rate != self._kept[0]:
            # a lower rate is made of what is low already
            source, x = next((each for each in self._sources if rate <= each[0]), self._sources[-1])
            self._kept = rate, resample(Sound(x[:, None], source), rate).samples[:, 0]
        return self._kept[1]

    def path(self, low_hz: float, high_hz: float, one_note: bool = True) -> tuple[Doubles, Doubles]:
        """Hz (T,), 0 where unvoiced, and correlation (T,)."""
        loud = self.energy > max(10 ** (QUIET_DB / 10) * float(self.energy.max()), 1e-12)
        hz, strength = periodicity.candidates(self.slow, self.slow_rate, self.times, low_hz, high_hz)
        jump = periodicity.JUMP_COST if one_note else NOTES_JUMP_COST
        path, found = periodicity.best_path(hz, strength, loud, jump)
        if one_note and (path > 0).any():
            # what little lies far outside the range of the rest is noise or a creak: choose again without
            order = np.argsort(path)
            total = np.cumsum((self.energy**0.25 * found * (path > 0))[order])
            low, high = path[order[np.searchsorted(total, [0.15 * total[-1], 0.85 * total[-1]])]]
            span = 2 ** (OUTLIER_SEMITONES / 12)
            if ((path > 0) & ((path < low / span) | (path > high * span))).any():
                hz = np.where((hz >= low / span) & (hz <= high * span), hz, 0.0)
                path, found = periodicity.best_path(hz, strength, loud)
        return path, found

    def refined(self, f0_hz: Doubles, voiced: NDArray[np.bool_], stiffness: float = 0.0) -> Doubles:
        middle = float(np.median(f0_hz[voiced]))
        if len(self.x) / self.rate * middle < FEW_CYCLES or len(f0_hz) < 4:
            return np.full(len(f0_hz), octaves.steady(self, middle))
        return phaselock.lock(self, f0_hz, voiced, b=stiffness)[0]

    def confidence(self, found: Doubles, voiced: NDArray[np.bool_], coherent: float, hz: float) -> float:
        """How far the sound, by amplitude, resembles itself a period of `hz` later (`found`), keeps its phases beyond
        that (`coherent`) and is voiced; the fewer periods carry its energy, the less that proves: a snare resembles
        itself as much as a breathy flute does, but for ten periods, not hundreds."""
        loud = self.energy * (self.energy > 1e-4 * self.energy.max())
        weight = np.sqrt(loud) * voiced
        share = weight.sum() / (np.sqrt(loud).sum() + 1e-30)
        like = (weight * found).sum() / (weight.sum() + 1e-30)
        periods = (weight**2).sum() ** 2 / ((weight**4).sum() + 1e-30) * HOP_SECONDS * min(hz, MOST_PERIODS)
        value = np.clip(like * np.sqrt(share) * max(coherent, 0.0), 0, 1)
        return float(value ** (CERTAINTY[0] + CERTAINTY[1] / max(periods, 1.0)))
