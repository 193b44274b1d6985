"""Blends without a network, for comparison: crossfade, interpolation of envelopes in dB, optimal transport."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from nsynth_core.audio import Floats
from nsynth_core.blending.embedding import Embedding, Part, at_pitch, timing
from nsynth_core.sound.features import FLOOR_DB, TOP_ERB, TOP_HZ, Features, balance_of, hz_to_erb, pan_angle

ERB_POINTS = 384  # points of the spectral envelopes that `transport` pairs
RANGE_DB = 80.0  # these envelopes end this far below their peak


class ClassicalCoder:
    """A coder whose embedding is the features themselves. `name` is one of METHODS.

    >>> ClassicalCoder("transport").name
    'transport'
    """

    version = "1"

    def __init__(self, name: str):
        self.name = name
        self._combine = METHODS[name]

    def encode(self, features: Features) -> Embedding:
        """The embedding: no codes, and the features as its only part."""
        level = features.level_db()
        none = np.zeros((features.frames, 0), dtype=np.float32)
        part = Part(
            np.ones_like(level),
            none,
            features.f0_hz,
            features.partials_db,
            features.noise_db,
            pan_angle(features.balance_db),
            features.correlation,
        )
        below, since = timing(level)
        return Embedding(none, features.f0_hz, level, below, since, (part,))

    def decode(self, embedding: Embedding, f0_hz: Floats, detail: float = 1.0) -> Features:
        """The features of the parts, moved to `f0_hz` (T,) and combined. `detail` has no effect."""
        count = max(1, int(TOP_HZ / float(f0_hz.min())))
        parts = embedding.parts
        weights = np.stack([part.weight for part in parts])
        moved = np.stack([at_pitch(part.partials, part.f0_hz, f0_hz, count, FLOOR_DB) for part in parts])
        partials, noise = self._combine(moved, np.stack([part.noise for part in parts]), weights, f0_hz)
        return Features(
            f0_hz=np.asarray(f0_hz, dtype=np.float32),
            partials_db=np.maximum(partials, FLOOR_DB).astype(np.float32),
            noise_db=np.maximum(noise, FLOOR_DB).astype(np.float32),
            balance_db=balance_of(_mean(np.stack([part.pan for part in parts]), weights)),
            correlation=_mean(np.stack([part.correlation for part in parts]), weights),
        )


def _mean(values: Floats, weights: Floats) -> Floats:
    return np.asarray(np.einsum("stk,st->tk", values, weights), dtype=np.float32)


def crossfade(partials: Floats, noise: Floats, weights: Floats, f0: Floats) -> tuple[Floats, Floats]:
    """Combine S sounds as a mixer does when they are in phase: amplitudes of partials add, powers of noise add.

    partials: (S, T, K) dB
    noise: (S, T, B) dB
    weights: (S, T)
    f0: (T,) Hz
    Returns partials (T, K) and noise (T, B) in dB. `envelope` and `transport` take and return the same.

    >>> half = np.full((2, 1), 0.5)
    >>> partials, noise = crossfade(np.zeros((2, 1, 1)), np.zeros((2, 1, 1)), half, np.asarray([220.0]))
    >>> partials.round(1).tolist(), noise.round(1).tolist()
    ([[0.0]], [[-3.0]])
    """
    amplitude = np.einsum("stk,st->tk", 10.0 ** (partials / 20), weights)
    power = np.einsum("stk,st->tk", 10.0 ** (noise / 10), weights**2)
    return 20 * np.log10(amplitude + 1e-9), 10 * np.log10(power + 1e-15)


def envelope(partials: Floats, noise: Floats, weights: Floats, f0: Floats) -> tuple[Floats, Floats]:
    """Interpolate every partial and every band in dB.

    >>> levels = np.asarray([[[0.0]], [[-20.0]]])
    >>> envelope(levels, levels, np.full((2, 1), 0.5), np.asarray([220.0]))[0].tolist()
    [[-10.0]]
    """
    return _mean(partials, weights), _mean(noise, weights)


def transport(partials: Floats, noise: Floats, weights: Floats, f0: Floats) -> tuple[Floats, Floats]:
    """Interpolate the spectral envelopes by optimal transport, as distributions of power over the ERB scale.

    In one dimension the optimal plan pairs equal quantiles. A quantile of the blend is the weighted mean of those of
    the sources. The density there is 1 / sum(w / p), by the change of variables (Henderson & Solomon 2019, "Audio
    transport"). The level and the noise are interpolated in dB.
    """
    if len(weights) == 1:
        return envelope(partials, noise, weights, f0)
    erb = np.linspace(0, float(TOP_ERB), ERB_POINTS)
    number = np.arange(1, partials.shape[2] + 1)
    out = np.empty(partials.shape[1:])
    for t in range(partials.shape[1]):
        used = np.flatnonzero(weights[:, t] > 0)
        place = hz_to_erb(number * f0[t])
        densities = [_density(erb, place, partials[s, t]) for s in used]
        cumulated = [np.cumsum(density) / density.sum() for density in densities]
        # the quantiles are the sources' cumulative values, which resolve levels 80 dB below the peak
        share = np.unique(np.concatenate(cumulated))
        quantiles = [np.interp(share, c, erb) for c in cumulated]
        at = [np.interp(q, erb, d / d.sum()) for q, d in zip(quantiles, densities, strict=True)]
        quantile = sum(w * q for w, q in zip(weights[used, t], quantiles, strict=True))
        density = 1 / sum(w / p for w, p in zip(weights[used, t], at, strict=True))
        out[t] = np.interp(place, quantile, 10 * np.log10(density))
    level = np.einsum("st,st->t", 10 * np.log10((10.0 ** (partials / 10)).sum(2) + 1e-15), weights)
    out += (level - 10 * np.log10((10 ** (out / 10)).sum(1)))[:, None]
    return np.asarray(out, dtype=np.float32), _mean(noise, weights)


def _density(erb: NDArray[np.float64], place: Floats, partials: Floats) -> NDArray[np.float64]:
    """The spectral envelope of the partials as power on the ERB grid, at least RANGE_DB below its peak."""
    level = np.interp(erb, place, partials)
    return np.asarray(10 ** (np.maximum(level, level.max() - RANGE_DB) / 10))


METHODS: dict[str, Callable[[Floats, Floats, Floats, Floats], tuple[Floats, Floats]]] = {
    "crossfade": crossfade,
    "envelope": envelope,
    "transport": transport,
}
