"""Blends without a network, to hear the difference: crossfade, dB interpolation of envelopes, optimal transport."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from nsynth_core.audio import Floats
from nsynth_core.embedding import Embedding, Part, at_pitch, timing
from nsynth_core.features import FLOOR_DB, TOP_HZ, Features, hz_to_erb

QUANTILES = 512
GRID = 384


class ClassicalEngine:
    """An engine whose embedding is the features themselves; `name` is one of METHODS."""

    version = "1"

    def __init__(self, name: str):
        self.name = name
        self._combine = METHODS[name]

    def encode(self, features: Features) -> Embedding:
        level = features.level_db()
        part = Part(
            np.ones_like(level),
            features.f0_hz,
            features.partials_db,
            features.noise_db,
            features.balance_db,
            features.correlation,
        )
        below, since = timing(level)
        return Embedding(np.zeros((features.frames, 0), dtype=np.float32), features.f0_hz, level, below, since, (part,))

    def decode(self, embedding: Embedding, f0_hz: Floats, detail: float = 1.0) -> Features:
        count = max(1, int(TOP_HZ / float(f0_hz.min())))
        parts = embedding.parts
        weights = np.stack([part.weight for part in parts])
        moved = np.stack([at_pitch(part.partials, part.f0_hz, f0_hz, count, FLOOR_DB) for part in parts])
        partials, noise = self._combine(moved, np.stack([part.noise for part in parts]), weights, f0_hz)
        return Features(
            f0_hz=np.asarray(f0_hz, dtype=np.float32),
            partials_db=np.maximum(partials, FLOOR_DB).astype(np.float32),
            noise_db=np.maximum(noise, FLOOR_DB).astype(np.float32),
            balance_db=_mean(np.stack([part.balance for part in parts]), weights),
            correlation=_mean(np.stack([part.correlation for part in parts]), weights),
        )


def _mean(values: Floats, weights: Floats) -> Floats:
    return np.asarray(np.einsum("stk,st->tk", values, weights), dtype=np.float32)


def crossfade(partials: Floats, noise: Floats, weights: Floats, f0: Floats) -> tuple[Floats, Floats]:
    """What a mixer does with phase-aligned sounds: amplitudes of partials add, powers of noise add."""
    amplitude = np.einsum("stk,st->tk", 10.0 ** (partials / 20), weights)
    power = np.einsum("stk,st->tk", 10.0 ** (noise / 10), weights**2)
    return 20 * np.log10(amplitude + 1e-9), 10 * np.log10(power + 1e-15)


def envelope(partials: Floats, noise: Floats, weights: Floats, f0: Floats) -> tuple[Floats, Floats]:
    """Interpolation in dB, partial by partial and band by band."""
    return _mean(partials, weights), _mean(noise, weights)


def transport(partials: Floats, noise: Floats, weights: Floats, f0: Floats) -> tuple[Floats, Floats]:
    """Displacement interpolation of the spectral envelopes as distributions of power over the ERB scale.

    In one dimension the optimal plan pairs equal quantiles, so the blend's quantile function is the weighted mean of the
    sources' (Henderson & Solomon 2019, "Audio transport"). The level is interpolated in dB.
    """
    if len(weights) == 1 or (weights.max(0) > 0.9999).all():
        return envelope(partials, noise, weights, f0)
    erb = np.linspace(0, hz_to_erb(np.float32(TOP_HZ)), GRID)
    share = (np.arange(QUANTILES) + 0.5) / QUANTILES
    power = 10.0 ** (partials / 10)
    level = np.einsum("st,st->t", 10 * np.log10(power.sum(2) + 1e-15), weights)
    out = np.empty(partials.shape[1:])
    number = np.arange(1, partials.shape[2] + 1)
    for t in range(partials.shape[1]):
        place = hz_to_erb(number * f0[t])
        quantile = np.zeros(QUANTILES)
        for s in range(len(weights)):
            if weights[s, t] == 0:
                continue
            density = 10 ** (np.interp(erb, place, partials[s, t], left=FLOOR_DB) / 10)
            quantile += weights[s, t] * _quantiles(erb, density, share)
        density = np.interp(erb, (quantile[1:] + quantile[:-1]) / 2, 1 / np.maximum(np.diff(quantile), 1e-3), 0, 0)
        line = np.interp(place, erb, density)
        # quantiles are too coarse for what lies far below the peak: there the dB mean stands
        faint = 10 ** (
            np.einsum("sk,s->k", partials[:, t] - 10 * np.log10(power[:, t].sum(1) + 1e-15)[:, None], weights[:, t])
            / 10
        )
        out[t] = 10 * np.log10(line / max(line.sum(), 1e-12) + 0.1 * faint + 1e-15)
    out += (level - 10 * np.log10((10 ** (out / 10)).sum(1)))[:, None]
    return out, _mean(noise, weights)


def _quantiles(x: NDArray[np.float64], density: NDArray[np.float64], share: NDArray[np.float64]) -> NDArray[np.float64]:
    total = np.concatenate([[0.0], np.cumsum((density[1:] + density[:-1]) / 2)])
    return np.interp(share * total[-1], total, x)


METHODS: dict[str, Callable[[Floats, Floats, Floats, Floats], tuple[Floats, Floats]]] = {
    "crossfade": crossfade,
    "envelope": envelope,
    "transport": transport,
}
