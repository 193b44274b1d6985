"""The harmonic coder: a network codes each sound, and what it misses is kept beside the code.

residual = features - decode(encode(features)), so a blend at mix 0 or 1 gives the source back, whatever the networks
predict. At the pitch of the blend, each source is what its code decodes to, plus its residual. Two small networks then
predict the sound between the sources (`nsynth_core.harmonic.between`). They learned from synth patches with one knob at
several positions. On such patches, the mean of two codes misses the true middle by 7.2 dB (closed forms) and 9.3 dB
(Vital); these networks miss it by 3.9 and 6.5 dB.
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from nsynth_core.audio import Floats
from nsynth_core.blending.embedding import Embedding, Part, at_pitch, timing
from nsynth_core.harmonic import between
from nsynth_core.harmonic.inputs import F0_STEPS, RANK, conditions, encoder_inputs, trunk_inputs
from nsynth_core.harmonic.runtime import Network, load
from nsynth_core.harmonic.scales import balance_of_output, level_of_output
from nsynth_core.sound.features import FLOOR_DB, NOISE_BANDS, TOP_HZ, Features, balance_of, pan_angle

# A residual is right at its own pitch. One or two octaves away, the network alone misses held-out instruments by
# 7.6 dB, with the whole residual by 9.9 dB. So the residual fades as exp(-(semitones / REACH)^2). Noise and stereo
# image are in Hz: they stay.
REACH = 7.0
SILENT_DB = -100.0  # under the level of the frame: a missing partial
LOUDEST_DB = 6.0  # the most that a network may predict above the level of the frame


class HarmonicCoder:
    """The coder "harmonic" (see `nsynth_core.blending.coder.Coder`).

    folder: of the weights, None for the shipped ones
    Raises UserError where a file of the weights is missing.

    >>> from nsynth_core.training.evaluation.knob_sweeps import knob_sweeps
    >>> features = knob_sweeps(220.0)["pulse width"](0.5)
    >>> coder = HarmonicCoder()
    >>> decoded = coder.decode(coder.encode(features), features.f0_hz)
    >>> bool(np.abs(decoded.partials_db - features.partials_db).max() < 0.01)
    True
    """

    name = "harmonic"

    def __init__(self, folder: Path | None = None):
        self._network: Network = load(folder)
        self.version = self._network.hash
        self._basis = lru_cache(maxsize=256)(self._read_trunk)

    def encode(self, features: Features) -> Embedding:
        """The codes of a sound, 32 numbers a frame, and what they miss of it."""
        level = features.level_db()
        inputs = encoder_inputs(features)
        z = self._network("encoder", inputs.reshape(len(inputs), -1))
        below, since = timing(level)
        bare = Embedding(z, features.f0_hz, level, below, since)
        partials, noise, pan, correlation = self._field(z, bare, features.f0_hz, features.partials_db.shape[1])
        part = Part(
            np.ones_like(level),
            z,
            features.f0_hz,
            np.maximum(features.partials_db - level[:, None], SILENT_DB) - partials,
            np.maximum(features.noise_db - level[:, None], SILENT_DB) - noise,
            pan_angle(features.balance_db) - pan,
            features.correlation - correlation,
        )
        return Embedding(z, features.f0_hz, level, below, since, (part,))

    def decode(self, embedding: Embedding, f0_hz: Floats, detail: float = 1.0) -> Features:
        """The features of an embedding at the pitch f0_hz (T,). `detail` 0..1 scales what the codes miss."""
        f0 = np.asarray(f0_hz, dtype=np.float32)
        count = max(1, int(TOP_HZ / float(f0.min())))
        sources = [self._source(part, embedding, f0, count, np.float32(detail)) for part in embedding.parts]
        weights = np.stack([part.weight for part in embedding.parts])
        partials, noise, pan, correlation = (np.stack(fields) for fields in zip(*sources, strict=True))
        partials = between.blend(self._network, partials, weights, f0)
        noise = between.mean_db(noise, weights)
        partials = np.where(np.arange(1, count + 1) * f0[:, None] <= TOP_HZ, partials, -200)
        power = (10 ** (partials / 10)).sum(1) + (10 ** (noise / 10)).sum(1)
        gain = (embedding.level_db - 10 * np.log10(power + 1e-15))[:, None]
        return Features(
            f0_hz=f0,
            partials_db=np.maximum(partials + gain, FLOOR_DB).astype(np.float32),
            noise_db=np.maximum(noise + gain, FLOOR_DB).astype(np.float32),
            balance_db=balance_of((weights[..., None] * pan).sum(0)),
            correlation=np.clip((weights[..., None] * correlation).sum(0), -1, 1).astype(np.float32),
        )

    def _source(
        self, part: Part, at: Embedding, f0: Floats, count: int, detail: np.float32
    ) -> tuple[Floats, Floats, Floats, Floats]:
        """One source of a blend at the blend's pitch and moments: partials (T, count) and noise in dB under the level,
        pan, correlation."""
        partials, noise, pan, correlation = self._field(part.z, at, f0, count)
        if detail > 0:
            fade = detail * np.exp(-((12 / REACH * np.log2(f0 / part.f0_hz)) ** 2))[:, None]
            partials += fade * at_pitch(part.partials, part.f0_hz, f0, count, 0.0)
            noise += detail * part.noise
            pan += detail * part.pan
            correlation += detail * part.correlation
        return np.maximum(partials, SILENT_DB), np.maximum(noise, SILENT_DB), pan, correlation

    def _field(self, z: Floats, at: Embedding, f0: Floats, count: int) -> tuple[Floats, Floats, Floats, Floats]:
        """What the network alone decodes from codes `z` at the moments and levels of the note `at`: partials (T, count)
        and noise in dB under the level, pan, correlation."""
        moments = conditions(f0, at.below_peak, at.since_onset)
        out = self._network("branch", np.concatenate([z, moments], axis=1))
        partials = np.empty((len(f0), count), dtype=np.float32)
        # the basis changes slowly with pitch: the trunk runs once for each quarter of a semitone
        step = np.round(np.log2(f0) * F0_STEPS).astype(np.int64)
        for value in np.unique(step):
            rows = np.flatnonzero(step == value)
            partials[rows] = out[rows, :RANK] @ self._basis(int(value), count).T
        partials += out[:, RANK : RANK + 1]
        noise, balance, correlation = np.split(out[:, RANK + 1 :], 3, axis=1)
        assert noise.shape[1] == NOISE_BANDS
        return _decibels(partials), _decibels(noise), pan_angle(balance_of_output(balance)), correlation.copy()

    def _read_trunk(self, step: int, count: int) -> Floats:
        number: NDArray[np.int64] = np.arange(1, count + 1)
        return self._network("trunk", trunk_inputs(number, (number * 2 ** (step / F0_STEPS)).astype(np.float32)))


def _decibels(out: Floats) -> Floats:
    """A network's levels under the level of the frame, bounded by LOUDEST_DB."""
    return np.asarray(np.minimum(level_of_output(out), LOUDEST_DB), dtype=np.float32)
