"""Distances between spectra, and measures of the path of a blend."""

from __future__ import annotations

import numpy as np

from nsynth_core.audio import Floats
from nsynth_core.sound.features import Features, hz_to_erb

RANGE_DB = 60.0  # below the strongest partial; lower levels do not count
NEGLIGIBLE = 0.02  # change of a descriptor that `monotony` ignores
TOP_SHARE = 0.85  # share of the power below the rolloff frequency


def spectral_distance(true_db: Floats, other_db: Floats, range_db: float = RANGE_DB) -> Floats:
    """The log-spectral distance of each frame in dB, float32 (T,).

    true_db, other_db: (T, K) levels of partials
    range_db: levels lower than this below the true frame's strongest partial are raised to that floor
    It is the root mean square difference over the partials above the floor in either frame. So a spurious partial
    counts, and an inaudible one does not.

    >>> spectral_distance(np.float32([[0, -10, -90]]), np.float32([[0, -16, -80]])).round().tolist()
    [4.0]
    """
    floor = true_db.max(1, keepdims=True) - range_db
    used = (true_db > floor) | (other_db > floor)
    error = np.maximum(true_db, floor) - np.maximum(other_db, floor)
    return np.asarray(np.sqrt((error**2 * used).sum(1) / np.maximum(used.sum(1), 1)), dtype=np.float32)


def partial_error(true_db: Floats, other_db: Floats, range_db: float = RANGE_DB) -> Floats:
    """The absolute errors in dB of all partials within `range_db` of their true frame's strongest, as a flat array.

    >>> partial_error(np.float32([[0, -10, -90]]), np.float32([[1, -16, 0]])).tolist()
    [1.0, 6.0]
    """
    used = true_db > true_db.max(1, keepdims=True) - range_db
    return np.asarray(np.abs(true_db - other_db)[used])


def descriptors(features: Features) -> Floats:
    """Six timbre descriptors of each frame, each scaled to a range of about 1, float32 (T, 6).

    They are the centroid, the spread and the 85 % rolloff on the ERB scale; the share of the fundamental; the share of
    odd partials; the share of noise (Peeters et al. 2011, "The Timbre Toolbox").
    """
    power = 10.0 ** (features.partials_db / 10)
    total = power.sum(1, keepdims=True) + 1e-15
    share = power / total
    number = np.arange(1, power.shape[1] + 1)
    place = hz_to_erb(number * features.f0_hz[:, None])
    centroid = (share * place).sum(1)
    spread = np.sqrt(np.maximum((share * (place - centroid[:, None]) ** 2).sum(1), 0))
    cumulated = np.cumsum(share, axis=1)
    # interpolated between partials, because the index would jump
    index = np.argmax(cumulated >= TOP_SHARE, axis=1)
    rows = np.arange(len(index))
    before = np.where(index > 0, cumulated[rows, np.maximum(index - 1, 0)], 0)
    inside = (TOP_SHARE - before) / np.maximum(cumulated[rows, index] - before, 1e-9)
    rolloff = hz_to_erb((index + inside) * features.f0_hz)
    noise = (10.0 ** (features.noise_db / 10)).sum(1)
    noisiness = np.clip((10 * np.log10((noise + 1e-12) / total[:, 0]) + 60) / 60, 0, 2)
    columns = [centroid / 20, spread / 10, rolloff / 20, share[:, 0], share[:, ::2].sum(1), noisiness]
    return np.stack(columns, axis=1).astype(np.float32)


def monotony(values: Floats) -> float | None:
    """How directly the columns of `values` (n, d) go from their first to their last value, 0..1; 1 is monotone.

    It is the mean of |net change| / total variation over the columns. Columns that change by NEGLIGIBLE or less do not
    count. None where no column counts.

    >>> monotony(np.float32([[0.0], [1.0], [0.5], [1.5]]))
    0.6
    """
    exact = values.astype(np.float64)  # in single precision the variation may come out smaller than the net change
    net = np.abs(exact[-1] - exact[0])
    path = np.maximum(np.abs(np.diff(exact, axis=0)).sum(0), net)
    counted = net > NEGLIGIBLE
    return float((net[counted] / path[counted]).mean()) if counted.any() else None


def level_dip(level_db: Floats) -> float:
    """How far the level of a path (n,) in dB falls below the straight line between its ends, >= 0.

    >>> level_dip(np.asarray([-10.0, -16.0, -12.0]))
    5.0
    """
    line = np.linspace(level_db[0], level_db[-1], len(level_db))
    return float(np.maximum(line - level_db, 0).max())


def step_ratio(steps: Floats) -> float:
    """The largest step of a path (n,) divided by the mean step, >= 1; 1 is even.

    >>> step_ratio(np.asarray([1.0, 3.0, 2.0]))
    1.5
    """
    return float(steps.max() / max(float(steps.mean()), 1e-9))
