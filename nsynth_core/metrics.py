"""Distances between spectra, and scores of a blend."""

from __future__ import annotations

import numpy as np

from nsynth_core.audio import Floats
from nsynth_core.sound.features import Features, hz_to_erb

RANGE_DB = 60.0
NEGLIGIBLE = 0.02
TOP_SHARE = 0.85  # of the power, below the rolloff


def spectral_distance(true_db: Floats, other_db: Floats, range_db: float = RANGE_DB) -> Floats:
    """Log-spectral distance in dB of each frame, (T, K) and (T, K) → (T,).

    Root mean square over the partials that either has within `range_db` of the true frame's strongest; what lies lower
    counts as lying there, so a spurious partial counts and an inaudible one does not.
    """
    floor = true_db.max(1, keepdims=True) - range_db
    used = (true_db > floor) | (other_db > floor)
    error = np.maximum(true_db, floor) - np.maximum(other_db, floor)
    return np.asarray(np.sqrt((error**2 * used).sum(1) / np.maximum(used.sum(1), 1)), dtype=np.float32)


def partial_error(true_db: Floats, other_db: Floats, range_db: float = RANGE_DB) -> Floats:
    """Absolute errors in dB of all partials within `range_db` of their true frame's strongest, one flat array."""
    used = true_db > true_db.max(1, keepdims=True) - range_db
    return np.asarray(np.abs(true_db - other_db)[used])


def descriptors(features: Features) -> Floats:
    """(T, 6) of a listener's first words about a steady sound, each scaled to a range of about 1:

    brightness (centroid), width (spread), top (85 % rolloff), all on the ERB scale; share of the fundamental; share of
    odd partials; share of noise (Peeters et al. 2011, "The Timbre Toolbox").
    """
    power = 10.0 ** (features.partials_db / 10)
    total = power.sum(1, keepdims=True) + 1e-15
    share = power / total
    number = np.arange(1, power.shape[1] + 1)
    place = hz_to_erb(number * features.f0_hz[:, None])
    centroid = (share * place).sum(1)
    spread = np.sqrt(np.maximum((share * (place - centroid[:, None]) ** 2).sum(1), 0))
    cumulated = np.cumsum(share, axis=1)
    # interpolated between partials: the index alone would jump
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
    """How directly the columns of (n, d) go from first to last value: mean of |net change| / total variation.

    1 is monotone. Columns that hardly change (by less than NEGLIGIBLE) do not count; None where none does.
    """
    exact = values.astype(np.float64)  # in single precision the way may come out shorter than its ends are apart
    net = np.abs(exact[-1] - exact[0])
    path = np.maximum(np.abs(np.diff(exact, axis=0)).sum(0), net)
    counted = net > NEGLIGIBLE
    return float((net[counted] / path[counted]).mean()) if counted.any() else None


def level_dip(level_db: Floats) -> float:
    """How far a path's level falls under the straight line between its ends, dB >= 0."""
    line = np.linspace(level_db[0], level_db[-1], len(level_db))
    return float(np.maximum(line - level_db, 0).max())


def step_ratio(steps: Floats) -> float:
    """Largest over mean of a path's steps; 1 is even."""
    return float(steps.max() / max(float(steps.mean()), 1e-9))
