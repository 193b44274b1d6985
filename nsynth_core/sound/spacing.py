"""Even perceptual steps along a walk between spectra."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from nsynth_core.audio import Floats
from nsynth_core.metrics import RANGE_DB
from nsynth_core.sound.features import Features
from nsynth_core.sound.spectral_envelope import envelope, relative

FINE_STEPS = 2  # at which a walk is first looked at, for every row of it or frame asked of it
PASSES = 3

Places = NDArray[np.float64]


def seen(levels_db: Floats, whole_db: Floats, f0_hz: Floats) -> Floats:
    """(T, ENVELOPE_POINTS) dB: the ERB envelopes of partials `levels_db` (T, K) within 60 dB of their level `whole_db`
    (T,), at `f0_hz` (T,). A listener's step between two spectra is the root mean square of their difference."""
    return np.maximum(envelope(relative(levels_db, whole_db), f0_hz), -RANGE_DB)


def steps(features: Features) -> Floats:
    """Perceptual distance between neighbouring frames, (T - 1,)."""
    return _distances(seen(features.partials_db, features.level_db(), features.f0_hz))


def even_places(look: Callable[[Places], Floats], rows: int, count: int) -> Places:
    """Where `count` frames lie on a walk of `rows` rows, in fractional rows, each equally far from its neighbours; the
    ends stay. `look` gives what is `seen` at places (n,), (n, ENVELOPE_POINTS).

    First by the length of the walk; then twice by how far apart the frames came out, as the walk bends between them,
    and near its ends runs faster than any grid foretells.
    """
    if rows < 2 or count < 3:
        return np.linspace(0, rows - 1, count)
    place = np.linspace(0, rows - 1, FINE_STEPS * (max(rows, count) - 1) + 1)
    for _ in range(PASSES):
        way = np.concatenate([[0.0], np.cumsum(_distances(look(place)))])
        if way[-1] == 0:
            return np.linspace(0, rows - 1, count)
        place = np.interp(np.linspace(0, way[-1], count), way, place)
    return place


def _distances(walk: Floats) -> Floats:
    return np.asarray(np.sqrt((np.diff(walk, axis=0) ** 2).mean(1)), dtype=np.float32)
