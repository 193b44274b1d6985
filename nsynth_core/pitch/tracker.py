"""f0 of a sound over time: detected (`track`), or refined around a known pitch (`follow`).

There are three steps. Normalised correlation and a Viterbi path give f0 to a few cents (candidates). The partials
decide the octave (octaves). A phase lock to the partials makes f0 exact (lock).
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from nsynth_core.audio import Floats, Sound, resample
from nsynth_core.errors import UserError
from nsynth_core.notes import hz_to_midi, midi_to_hz
from nsynth_core.pitch import candidates as periodicity
from nsynth_core.pitch import lock as phaselock
from nsynth_core.pitch import octaves, partials
from nsynth_core.pitch.candidates import HOP_SECONDS, Doubles
from nsynth_core.pitch.partials import bridge
from nsynth_core.pitch.result import PitchTrack, Unpitched

LOW_HZ, HIGH_HZ = 27.5, 4200.0

QUIET_DB = -65.0  # a frame this far below the loudest no longer belongs to the note
MIN_CONFIDENCE = 0.5
NO_GUESS = 0.05  # a guess with a lower confidence is not reported, because it would mislead
CERTAINTY = 0.7, 5.0  # exponent of the confidence, and per period heard; 0.5 separates breathy notes from snares
MOST_PERIODS = partials.PERIODS / partials.LEAST_SECONDS  # per second: more periods in one window add no evidence
LEAST_COHERENCE = 0.7  # times the whole note's: frames with less belong to a ringing consonant
LEAP, SHORTEST_LEAP = 0.4, 0.05  # octaves in one step of the track; seconds between two leaps
FEW_CYCLES = 8.0  # f0 of a shorter sound is taken as constant
# Freeing a block of this size raises the limit above which glibc returns freed memory to the system. Otherwise the
# blocks of a long sound come as new zeroed pages each time, which takes as long as the arithmetic.
KEPT_BYTES = 31 << 20
# of an octave between two notes; with JUMP_COST a note of half a second would be taken for its octave
NOTES_JUMP_COST = 0.2
OUTLIER_SEMITONES = 7.0  # outside the range of the middle 70 % of the sound


def track(sound: Sound, low_hz: float = LOW_HZ, high_hz: float = HIGH_HZ, hint: float | None = None) -> PitchTrack:
    """Detect the pitch of a sound over time.

    low_hz, high_hz: the range that is searched
    hint: MIDI number; it decides between two octaves that are about equally likely
    Raises Unpitched for noise, drums, silence and a pitch above the range; UserError for a range above 0.45 times the
    sample rate.

    >>> from nsynth_core.audio import sine
    >>> round(track(sine(440)).pitch, 3)
    69.0
    """
    audio = _Audio(sound)
    high_hz = _highest(sound, low_hz, high_hz)
    hz, correlation = audio.path(low_hz, high_hz)
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
    confidence = audio.confidence(correlation, voiced, coherent, centre)
    result = PitchTrack(f0, voiced, confidence, audio.energy)
    if confidence < MIN_CONFIDENCE:
        raise Unpitched(result.pitch if confidence > NO_GUESS else None, confidence)
    return result


def contour(sound: Sound, low_hz: float = LOW_HZ, high_hz: float = HIGH_HZ) -> tuple[Doubles, Doubles]:
    """Measure f0 to a few cents, also of a sequence of notes at any intervals.

    low_hz, high_hz: the range that is searched
    Returns f0 in Hz (T,), 0 where unvoiced, and the energy (T,), both every HOP_SECONDS. Any sound is accepted.
    Raises UserError for a range above 0.45 times the sample rate.

    >>> from nsynth_core.audio import sine
    >>> hz, energy = contour(sine(440))
    >>> round(float(np.median(hz)))
    440
    """
    audio = _Audio(sound)
    return audio.path(low_hz, _highest(sound, low_hz, high_hz), one_note=False)[0], audio.energy


def _highest(sound: Sound, low_hz: float, high_hz: float) -> float:
    """The upper end of the range, 0.45 times the sample rate at most. Raises UserError where nothing is left of it."""
    high = min(high_hz, 0.45 * sound.rate)
    if low_hz >= high:
        raise UserError(f"sampled at {sound.rate} Hz, it holds no pitch above {high:.0f} Hz; search a lower range")
    return high


def follow(sound: Sound, pitch: float, cents: float = 100.0) -> PitchTrack:
    """Measure f0 around a known pitch.

    pitch: MIDI number
    cents: f0 is searched within +-`cents` of it
    Any sound is accepted. Where it is not periodic, f0 is that of `pitch` and `voiced` is False.

    >>> from nsynth_core.audio import sine
    >>> round(follow(sine(445), 69).pitch, 2)
    69.2
    """
    audio = _Audio(sound)
    centre, span = midi_to_hz(pitch), 2.0 ** (cents / 1200.0)
    low, high = centre / span, min(centre * span, 0.45 * sound.rate)
    hz, correlation = audio.path(low, high) if low < high else (np.zeros(len(audio.energy)),) * 2
    voiced = hz > 0
    f0, coherent = np.full(len(hz), centre), 0.0
    if voiced.any():
        locked = audio.refined(bridge(hz, voiced), voiced)
        f0[voiced] = np.clip(locked, centre / span, centre * span)[voiced]
        coherent = phaselock.coherence(audio, f0, voiced, 0.0, centre)[0]
    return PitchTrack(f0, voiced, audio.confidence(correlation, voiced, coherent, centre), audio.energy)


def _without_leaps(audio: _Audio, f0_hz: Doubles, voiced: NDArray[np.bool_]) -> Doubles:
    """Correct leaps of f0 (T,) to another octave and back.

    The octave of each stretch between two leaps is decided by its own partials. It is changed when that removes a leap.
    Reverberation causes such leaps: in it the sound may resemble itself more after two periods than after one.
    """
    f0_hz = f0_hz.copy()
    edges = np.concatenate([[0], np.flatnonzero(np.abs(np.diff(np.log2(f0_hz))) > LEAP) + 1, [len(f0_hz)]])
    for a, b in pairwise(edges) if len(edges) > 2 else ():
        stretch = voiced & (np.arange(len(f0_hz)) >= a) & (np.arange(len(f0_hz)) < b)
        if stretch.sum() < SHORTEST_LEAP / HOP_SECONDS:
            continue
        ratio = octaves.octave(audio, f0_hz, stretch, audio.energy, 0.0)
        beside = [f0_hz[k] / f0_hz[j] for k, j in ((a - 1, a), (b, b - 1)) if 0 <= k < len(f0_hz)]
        if any(abs(np.log2(other / ratio)) < LEAP for other in beside):
            f0_hz[a:b] *= ratio
    return f0_hz


def _above_8_hz(x: Floats, rate: int) -> Floats:
    """`x` minus its moving average, because a DC offset or rumble would correlate at every lag."""
    half = rate // 16
    if len(x) <= 4 * half:
        return np.asarray(x - x.mean(), dtype=np.float32)
    place = np.arange(len(x))
    inside = np.minimum(np.minimum(place, place[::-1]), half) + half + 1
    return np.asarray(x - periodicity.moving_sum(x, 2 * half + 1) / inside, dtype=np.float32)


class _Audio:
    """One channel of a sound at any rate, and its energy at the times of the pitch track."""

    def __init__(self, sound: Sound):
        np.empty(KEPT_BYTES, dtype=np.uint8)
        x = sound.mid()
        peak = float(np.abs(x).max(initial=0.0))
        self.rate = sound.rate
        self.x: Floats = np.asarray((x - x.mean()) / np.float32(peak or 1.0), dtype=np.float32)
        self._kept: tuple[int, Floats] = sound.rate, self.x
        self._sources = [self._kept]
        # a very short sound is not resampled, because the resampler's ends would be most of it
        rate = periodicity.RATE if sound.seconds > 0.03 else max(periodicity.RATE, sound.rate)
        self.slow_rate, slow = rate, self.at_rate(rate)
        self._sources = sorted([(rate, slow), (self.rate, self.x)], key=lambda source: source[0])
        self.slow = _above_8_hz(slow, rate) if len(slow) > 4 else np.zeros(4, dtype=np.float32)
        self.times: Doubles = np.arange(int(sound.seconds / HOP_SECONDS) + 1, dtype=np.float64) * HOP_SECONDS
        smooth = periodicity.moving_sum(self.slow.astype(np.float64) ** 2, rate // 50) / (rate // 50)
        at = np.minimum(np.round(self.times * rate).astype(np.int64), len(smooth) - 1)
        self.energy: Doubles = np.maximum(smooth[at], 0.0)

    def at_rate(self, rate: int) -> Floats:
        """The channel at `rate` Hz, float32 (n,). The last rate is kept."""
        if rate == self.rate:
            return self.x
        if rate != self._kept[0]:
            # resampled from the lowest rate that is high enough
            source, x = next((source for source in self._sources if rate <= source[0]), self._sources[-1])
            self._kept = rate, resample(Sound(x[:, None], source), rate).samples[:, 0]
        return self._kept[1]

    def path(self, low_hz: float, high_hz: float, one_note: bool = True) -> tuple[Doubles, Doubles]:
        """The best path: f0 in Hz (T,), 0 where unvoiced, and the correlation (T,)."""
        loud = self.energy > max(10 ** (QUIET_DB / 10) * float(self.energy.max()), 1e-12)
        hz, strength = periodicity.candidates(self.slow, self.slow_rate, self.times, low_hz, high_hz)
        jump = periodicity.JUMP_COST if one_note else NOTES_JUMP_COST
        path, correlation = periodicity.best_path(hz, strength, loud, jump)
        if one_note and (path > 0).any():
            # a short part far outside the range of the rest is noise or a creak: the path is found again without it
            order = np.argsort(path)
            total = np.cumsum((self.energy**0.25 * correlation * (path > 0))[order])
            low, high = path[order[np.searchsorted(total, [0.15 * total[-1], 0.85 * total[-1]])]]
            span = 2 ** (OUTLIER_SEMITONES / 12)
            if ((path > 0) & ((path < low / span) | (path > high * span))).any():
                hz = np.where((hz >= low / span) & (hz <= high * span), hz, 0.0)
                path, correlation = periodicity.best_path(hz, strength, loud)
        return path, correlation

    def refined(self, f0_hz: Doubles, voiced: NDArray[np.bool_], stiffness: float = 0.0) -> Doubles:
        """The exact f0 (T,): by the phase lock, or constant for a sound of a few periods."""
        middle = float(np.median(f0_hz[voiced]))
        if len(self.x) / self.rate * middle < FEW_CYCLES or len(f0_hz) < 4:
            return np.full(len(f0_hz), octaves.steady(self, middle))
        return phaselock.lock(self, f0_hz, voiced, b=stiffness)[0]

    def confidence(self, correlation: Doubles, voiced: NDArray[np.bool_], coherent: float, hz: float) -> float:
        """The confidence 0..1 that the sound has the pitch `hz`.

        It is the product of three measures: the correlation with the sound one period later (T,), weighted by
        amplitude; the coherence of the phases (`coherent`); and the voiced share. It is reduced when the energy lies in
        few periods: a snare correlates as well as a breathy flute, but for ten periods, not for hundreds.
        """
        loud = self.energy * (self.energy > 1e-4 * self.energy.max())
        weight = np.sqrt(loud) * voiced
        share = weight.sum() / (np.sqrt(loud).sum() + 1e-30)
        like = (weight * correlation).sum() / (weight.sum() + 1e-30)
        periods = (weight**2).sum() ** 2 / ((weight**4).sum() + 1e-30) * HOP_SECONDS * min(hz, MOST_PERIODS)
        value = np.clip(like * np.sqrt(share) * max(coherent, 0.0), 0, 1)
        return float(value ** (CERTAINTY[0] + CERTAINTY[1] / max(periods, 1.0)))
