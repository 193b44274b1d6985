"""The harmonic engine: the network decodes the blended codes, and what it misses of each source is blended beside it.

residual = features - decode(encode(features)), so a blend at mix 0 or 1 gives the source back, whatever the network.
Residuals blend as amplitudes, as in a crossfade. Next to blending them in dB, this takes the error against patches with
a knob turned partly from 8.4 to 7.7 dB, and the largest over the mean step of a path from 1.43 to 1.39.
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from nsynth_core.audio import Floats
from nsynth_core.embedding import Embedding, Part, at_pitch, timing
from nsynth_core.features import FLOOR_DB, NOISE_BANDS, TOP_HZ, Features, balance_of, pan_angle
from nsynth_core.harmonic.inputs import F0_STEPS, RANK, conditions, encoder_inputs, trunk_inputs
from nsynth_core.harmonic.runtime import Network, load

# A residual belongs to its pitch: one or two octaves away the network alone errs by 7.6 dB on held-out instruments,
# with the whole residual by 9.9 dB. So it fades as exp(-(semitones / REACH)^2); noise and image, in Hz, stay.
REACH = 7.0
SILENT_DB = -100.0  # under the frame's level: a partial that is not there


class HarmonicEngine:
    """Engine "harmonic" on the weights of `folder`, by default the shipped ones."""

    name = "harmonic"

    def __init__(self, folder: Path | None = None):
        self._network: Network = load(folder)
        self.version = self._network.hash
        self._basis = lru_cache(maxsize=256)(self._read_trunk)

    def encode(self, features: Features) -> Embedding:
        level = features.level_db()
        inputs = encoder_inputs(features)
        z = self._network("encoder", inputs.reshape(len(inputs), -1))
        below, since = timing(level)
        bare = Embedding(z, features.f0_hz, level, below, since)
        partials, noise, pan, correlation = self._field(bare, features.f0_hz, features.partials_db.shape[1])
        part = Part(
            np.ones_like(level),
            features.f0_hz,
            np.maximum(features.partials_db - level[:, None], SILENT_DB) - partials,
            np.maximum(features.noise_db - level[:, None], SILENT_DB) - noise,
            pan_angle(features.balance_db) - pan,
            features.correlation - correlation,
        )
        return Embedding(z, features.f0_hz, level, below, since, (part,))

    def decode(self, embedding: Embedding, f0_hz: Floats, detail: float = 1.0) -> Features:
        f0 = np.asarray(f0_hz, dtype=np.float32)
        count = max(1, int(TOP_HZ / float(f0.min())))
        partials, noise, pan, correlation = self._field(embedding, f0, count)
        if embedding.parts and detail > 0:
            colour, hiss = np.zeros_like(partials), np.zeros_like(noise)
            for part in embedding.parts:
                share = part.weight[:, None]
                fade = np.exp(-((12 / REACH * np.log2(f0 / part.f0_hz)) ** 2))[:, None]
                moved = fade * at_pitch(part.partials, part.f0_hz, f0, count, 0.0)
                colour += share * 10 ** (np.float32(detail / 20) * moved)
                hiss += share * 10 ** (np.float32(detail / 20) * part.noise)
                pan += np.float32(detail) * share * part.pan
                correlation += np.float32(detail) * share * part.correlation
            partials += 20 * np.log10(colour)
            noise += 20 * np.log10(hiss)
        partials = np.where(np.arange(1, count + 1) * f0[:, None] <= TOP_HZ, partials, -200)
        power = (10 ** (partials / 10)).sum(1) + (10 ** (noise / 10)).sum(1)
        gain = (embedding.level_db - 10 * np.log10(power + 1e-15))[:, None]
        return Features(
            f0_hz=f0,
            partials_db=np.maximum(partials + gain, FLOOR_DB).astype(np.float32),
            noise_db=np.maximum(noise + gain, FLOOR_DB).astype(np.float32),
            balance_db=balance_of(pan),
            correlation=np.clip(correlation, -1, 1).astype(np.float32),
        )

    def _field(self, embedding: Embedding, f0: Floats, count: int) -> tuple[Floats, Floats, Floats, Floats]:
        """What the network alone says: partials (T, count) and noise in dB under the level, pan, correlation."""
        given = conditions(f0, embedding.below_peak, embedding.since_onset)
        out = self._network("branch", np.concatenate([embedding.z, given], axis=1))
        partials = np.empty((len(f0), count), dtype=np.float32)
        # the basis changes slowly with pitch: one reading for each quarter of a semitone
        step = np.round(np.log2(f0) * F0_STEPS).astype(np.int64)
        for value in np.unique(step):
            rows = np.flatnonzero(step == value)
            partials[rows] = out[rows, :RANK] @ self._basis(int(value), count).T
        partials += out[:, RANK : RANK + 1]
        noise, balance, correlation = np.split(out[:, RANK + 1 :], 3, axis=1)
        assert noise.shape[1] == NOISE_BANDS
        return partials * 20 - 40, noise * 20 - 40, pan_angle(balance * 30), correlation.copy()

    def _read_trunk(self, step: int, count: int) -> Floats:
        number: NDArray[np.int64] = np.arange(1, count + 1)
        return self._network("trunk", trunk_inputs(number, (number * 2 ** (step / F0_STEPS)).astype(np.float32)))
