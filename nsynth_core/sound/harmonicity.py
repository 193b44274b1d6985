"""Tests whether a sound is a single note. Chords, bells and wide detune have strong tones between the harmonics."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from nsynth_core.audio import Floats, Sound
from nsynth_core.notes import hz_to_midi
from nsynth_core.pitch import PitchTrack
from nsynth_core.sound.features import Features
from nsynth_core.sound.interpolation import warp

# Share of power. Of 163 notes of FluidR3's melodic programs five have more, among them a glockenspiel, a music box and
# tubular bells. A third has 0.75, a second 0.89, a minor chord 0.30 and a bell 0.30. Seven saws over 50 cents have
# 0.01, spoken words up to 0.04.
MOST_STRAY = 0.1
PERIODS, FEWEST_PERIODS = 32, 8  # in a window: a longer one separates tones that are nearer to a harmonic
LOW_HZ, TOP_HZ = 20.0, 5000.0  # DC offsets lie below; above, a chord is not heard as one
CENTS, WIDEST = 35.0, 0.25  # a tone this near to a harmonic (cents, share of f0) is rendered as its beating
RESOLUTION = 2.5  # bins that a harmonic fills on either side
STEP_SECONDS = 0.001
LOUD = 1e-3  # times the energy of the loudest window
TONE = 6.0  # times the noise around it
MOST_WINDOWS = 200
MISSING_DB = 40.0


@dataclass(frozen=True)
class StrayTones:
    """Much of a sound is tones between the harmonics of its pitch, as in a chord or a bell.

    share: of the power between LOW_HZ and TOP_HZ, MOST_STRAY..1
    pitch: MIDI number of the pitch track
    """

    share: float
    pitch: float


@dataclass(frozen=True)
class MissingFundamental:
    """A sound has no partial at its pitch. It may be a chord whose notes are harmonics of a lower note.

    partial: number of its lowest partial, 2 or more
    pitch: MIDI number of that partial
    """

    partial: int
    pitch: float


Doubt = StrayTones | MissingFundamental


def stray(sound: Sound, track: PitchTrack) -> float:
    """The share 0..1 of a sound's power in steady tones that are not harmonics of `track`.

    Counted is the power between LOW_HZ and TOP_HZ. A sound shorter than two windows of FEWEST_PERIODS gives 0.
    The sound is read at equal steps of phase, so that its pitch is constant. The harmonics then lie in every PERIODS-th
    bin of long windows. In the mean of the windows the noise between them is flat, and other tones are peaks in it.

    >>> from nsynth_core.audio import sine
    >>> from nsynth_core.pitch import follow
    >>> chord = Sound(sine(440).samples + sine(554).samples, 48_000)
    >>> round(stray(chord, follow(chord, 69)), 1)
    0.5
    """
    from scipy.ndimage import percentile_filter

    f0 = float(np.median(track.f0_hz))
    times = np.arange(0.0, sound.seconds + STEP_SECONDS, STEP_SECONDS)
    cycles = track.cycles(times)
    count = int(cycles[-1])
    periods = min(PERIODS, count // 2)
    if periods < FEWEST_PERIODS:
        return 0.0
    top = min(TOP_HZ, 0.45 * sound.rate)
    size = 1 << int(np.ceil(np.log2(2.5 * top / f0)))
    width = periods * size
    seconds = np.interp(np.arange(count * size) / size, cycles, times)
    samples = warp(sound.mid()[:, None], sound.rate, seconds)[:, 0]
    starts = np.arange(0, len(samples) - width + 1, width // 2)
    starts = starts[np.linspace(0, len(starts) - 1, min(len(starts), MOST_WINDOWS)).astype(np.int64)]
    window = np.hanning(width + 1)[:-1].astype(np.float32)
    low = int(max(LOW_HZ / f0 * periods, RESOLUTION)) + 1  # the window spreads a DC offset over these bins
    power = np.stack([_power(samples[start : start + width] * window, int(top / f0 * periods)) for start in starts])
    power[:, :low] = 0.0
    energy = power.sum(1)
    loud = energy > LOUD * energy.max()
    voiced = loud & track.voiced_at(seconds[starts + width // 2])
    mean = power[voiced if voiced.any() else loud].mean(0)

    place = np.arange(len(mean))
    number = np.maximum(1, np.rint(place / periods))
    near = np.clip((2 ** (CENTS / 1200) - 1) * number * periods, RESOLUTION, WIDEST * periods)
    noise = percentile_filter(mean, 30, 2 * periods + 1)
    tones = (np.abs(place - number * periods) > near) & (mean > TONE * noise)
    return float((mean - noise)[tones].sum() / max(float(mean.sum()), 1e-30))


def _power(piece: Floats, bins: int) -> Floats:
    return np.asarray(np.abs(np.fft.rfft(piece)[:bins]) ** 2, dtype=np.float32)


def lowest(features: Features) -> int:
    """The number of the lowest partial within MISSING_DB of the strongest, by their mean powers over the sound."""
    power = (10.0 ** (features.partials_db / 10)).mean(0)
    return int(np.argmax(power > power.max() * 10 ** (-MISSING_DB / 10))) + 1


def doubts(sound: Sound, track: PitchTrack, features: Features) -> tuple[Doubt, ...]:
    """Reasons to think that `sound` is more than one note; mostly none.

    features: of `sound` along `track`

    >>> from nsynth_core.audio import sine
    >>> from nsynth_core.pitch import follow
    >>> from nsynth_core.sound.analysis import analyse
    >>> sound = sine(440)
    >>> track = follow(sound, 57)  # an octave below the sine
    >>> [(doubt.partial, round(doubt.pitch)) for doubt in doubts(sound, track, analyse(sound, track))]
    [(2, 69)]
    """
    share, partial = stray(sound, track), lowest(features)
    if share > MOST_STRAY:
        return (StrayTones(share, track.pitch),)
    if partial > 1:
        return (MissingFundamental(partial, hz_to_midi(partial * float(np.median(track.f0_hz)))),)
    return ()
