"""Even perceptual steps along a path of spectra."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from nsynth_core.audio import Floats
from nsynth_core.metrics import RANGE_DB
from nsynth_core.sound.features import Features
from nsynth_core.sound.spectral_envelope import envelope, relative

FINE_STEPS = 2  # points of the first measurement per row of the path, or per frame asked for
PASSES = 3

Places = NDArray[np.float64]


def compared_envelopes(levels_db: Floats, whole_db: Floats, f0_hz: Floats) -> Floats:
    """The spectral envelopes by which spectra are compared, dB, float32 (T, ENVELOPE_POINTS).

    levels_db: (T, K) levels of the partials
    whole_db: (T,) total levels; envelopes end 60 dB below them
    f0_hz: (T,)
    The perceptual distance of two spectra is the root mean square of the difference of these envelopes.
    """
    return np.maximum(envelope(relative(levels_db, whole_db), f0_hz), -RANGE_DB)


def steps(features: Features) -> Floats:
    """The perceptual distances between neighbouring frames in dB, float32 (T - 1,).

    >>> frames = np.ones((2, 1), np.float32)
    >>> noise = np.repeat(frames, 24, axis=1)
    >>> steps(Features(440 * frames[:, 0], -9 * frames, -120 * noise, 0 * noise, noise)).tolist()
    [0.0]
    """
    return _distances(compared_envelopes(features.partials_db, features.level_db(), features.f0_hz))


def even_places(look: Callable[[Places], Floats], rows: int, count: int) -> Places:
    """The positions of `count` frames on a path, spaced at equal perceptual distances: float64 (count,), in rows.

    look: gives the compared envelopes (n, ENVELOPE_POINTS) at fractional rows (n,)
    rows: number of rows of the path; the first and the last position are 0 and rows - 1
    The first pass divides the length of the path evenly. Two more passes correct the distances that were measured
    between the frames, because the path bends between them and changes fastest near its ends.

    >>> even_places(lambda place: place[:, None] ** 2, rows=3, count=3).round(2).tolist()
    [0.0, 1.41, 2.0]
    """
    if rows < 2 or count < 3:
        return np.linspace(0, rows - 1, count)
    place = np.linspace(0, rows - 1, FINE_STEPS * (max(rows, count) - 1) + 1)
    for _ in range(PASSES):
        travelled = np.concatenate([[0.0], np.cumsum(_distances(look(place)))])
        if travelled[-1] == 0:
            return np.linspace(0, rows - 1, count)
        place = np.interp(np.linspace(0, travelled[-1], count), travelled, place)
    return place


def _distances(walk: Floats) -> Floats:
    """Root mean square differences of neighbouring rows of `walk` (n, points), (n - 1,)."""
    return np.asarray(np.sqrt((np.diff(walk, axis=0) ** 2).mean(1)), dtype=np.float32)
