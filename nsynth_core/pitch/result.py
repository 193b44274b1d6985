"""A pitch track, its description in words, and the error for a sound without a pitch."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from nsynth_core.errors import UserError
from nsynth_core.notes import cents_name, hz_to_midi, note_name
from nsynth_core.pitch import partials
from nsynth_core.pitch.candidates import HOP_SECONDS, Doubles
from nsynth_core.pitch.partials import weighted_median


@dataclass(frozen=True)
class PitchTrack:
    """f0 over time, one value every HOP_SECONDS from time 0.

    f0_hz: float64 (T,), > 0 everywhere; unvoiced stretches are interpolated
    voiced: bool (T,)
    confidence: of the whole track, 0..1
    energy: float64 (T,), mean square of the sound around each value, on any scale; None for equal energies

    >>> steady = PitchTrack(np.full(201, 220.0), np.ones(201, bool), 1.0)
    >>> steady.pitch, float(steady.cycles(0.5).round(6))
    (57.0, 110.0)
    """

    f0_hz: Doubles
    voiced: NDArray[np.bool_]
    confidence: float
    energy: Doubles | None = None

    @property
    def times(self) -> Doubles:
        """The time of each value in seconds, float64 (T,)."""
        return np.arange(len(self.f0_hz), dtype=np.float64) * HOP_SECONDS

    @property
    def pitch(self) -> float:
        """The MIDI pitch of the note: the weighted median of the voiced part.

        The weight is the fourth root of the energy, about the loudness. So neither a loud attack nor a long quiet tail
        decides alone.
        """
        weight = self.voiced.astype(np.float64) if self.voiced.any() else np.ones(len(self.f0_hz))
        if self.energy is not None:
            weight = weight * self.energy**0.25 + 1e-12
        return hz_to_midi(float(weighted_median(self.f0_hz[None], weight[None])[0]))

    def at(self, seconds: ArrayLike) -> Doubles:
        """f0 in Hz at any times: linear in log frequency between the values, constant beyond the ends."""
        return np.asarray(
            np.exp(np.interp(np.asarray(seconds, dtype=np.float64), self.times, np.log(self.f0_hz))), dtype=np.float64
        )

    def voiced_at(self, seconds: ArrayLike) -> NDArray[np.bool_]:
        """Whether the sound is voiced at any times, by the nearest value."""
        near = np.rint(np.asarray(seconds, dtype=np.float64) / HOP_SECONDS).astype(np.int64)
        return np.asarray(self.voiced[np.clip(near, 0, len(self.voiced) - 1)])

    def cycles(self, seconds: ArrayLike) -> Doubles:
        """The phase in cycles at any times: the integral of the linearly interpolated f0 from time 0. It is negative
        before time 0."""
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


def describe(track: PitchTrack) -> str:
    """The pitch and the confidence of a track in words.

    >>> describe(PitchTrack(np.full(4, 220.0), np.ones(4, bool), 0.97))
    'A3, confidence 0.97'
    """
    return f"{cents_name(track.pitch)}, confidence {track.confidence:.2f}"
