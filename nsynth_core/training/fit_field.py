"""Fits the harmonic field (encoder, branch and trunk) to a corpus.

The loss is what the report measures: the log-spectral distance over the partials within RANGE_DB of the strongest one
of a frame. A quarter of each batch decodes a *different* note of the same source than the one that was coded. So the
code holds the timbre, and the branch learns how the register changes it.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from nsynth_core.audio import Floats
from nsynth_core.files import atomic
from nsynth_core.harmonic import network
from nsynth_core.harmonic.inputs import FIRST_PARTIALS, RANK
from nsynth_core.harmonic.scales import balance_of_output, level_of_output
from nsynth_core.lazy import keras, tf
from nsynth_core.sound.spectral_envelope import FLOOR
from nsynth_core.training.batches import NOTES, QUIET_DB, Batch, Batches, make
from nsynth_core.training.corpus import Corpus
from nsynth_core.training.descent import Descent

RANGE_DB = 60.0
NOISE_WEIGHT, STEREO_WEIGHT, SIZE_WEIGHT = 0.35, 0.1, 0.1
CODE_NOISE = 0.03
RATES, WARM_UP = (1.5e-3, 2e-5), 500
CHECKPOINT_STEPS = 1000
RECORD = "field.json"  # beside the weights of a field that is fitted


@dataclass(frozen=True)
class Model:
    """The three networks of the field."""

    encoder: keras.Model
    branch: keras.Model
    trunk: keras.Model

    @property
    def graphs(self) -> dict[str, keras.Model]:
        return {"encoder": self.encoder, "branch": self.branch, "trunk": self.trunk}

    @property
    def variables(self) -> list[keras.Variable]:
        return [v for part in self.graphs.values() for v in part.trainable_variables]

    def save(self, folder: Path) -> None:
        """Write the weights of the three parts, over older ones."""
        folder.mkdir(parents=True, exist_ok=True)
        for name, part in self.graphs.items():
            part.save_weights(folder / f"{name}.weights.h5")

    def restore(self, folder: Path) -> None:
        """Read what `save` wrote."""
        for name, part in self.graphs.items():
            part.load_weights(folder / f"{name}.weights.h5")


def build(dims: int = network.DIMS) -> Model:
    """A fresh field with `dims` dimensions a frame."""
    return Model(network.encoder(dims), network.branch(dims), network.trunk())


def write_record(folder: Path, record: Mapping[str, object]) -> None:
    """Record in `folder` that its field is fitted, and facts about the fit."""
    with atomic(folder / RECORD, force=True) as temporary:
        temporary.write_text(json.dumps(record, indent=1) + "\n")


def read_record(folder: Path) -> dict[str, Any]:
    """What `write_record` recorded of the field in `folder`; empty where no field is fitted."""
    try:
        record: dict[str, Any] = json.loads((folder / RECORD).read_text())
    except (OSError, ValueError):
        return {}
    return record


def decode(model: Model, z: tf.Tensor, conditions: tf.Tensor, basis: tf.Tensor) -> tuple[tf.Tensor, ...]:
    """Partials (N, F, P) in dB under the level, noise, balance (dB), correlation (N, F, B); `basis` (N, P, RANK)."""
    out = model.branch(tf.concat([z, conditions], 1))
    out = tf.reshape(out, (basis.shape[0], -1, network.BRANCH_OUTPUTS))
    partials = tf.einsum("nfr,npr->nfp", out[..., :RANK], basis) + out[..., RANK : RANK + 1]
    noise, balance, correlation = tf.split(out[..., RANK + 1 :], 3, axis=2)
    return level_of_output(partials), level_of_output(noise), balance_of_output(balance), correlation


def distance(target: tf.Tensor, partials: tf.Tensor, mask: tf.Tensor) -> tf.Tensor:
    """The mean log-spectral distance in dB. A partial that is RANGE_DB or more under the strongest of its frame counts
    only where it is decoded too loud."""
    floor = tf.reduce_max(target - 200 * (1 - mask), axis=2, keepdims=True) - RANGE_DB
    error = tf.where(target > floor, partials - target, tf.nn.relu(partials - floor))
    inside = mask * tf.cast((target > floor) | (partials > floor), tf.float32)
    mean = tf.reduce_sum(inside * error**2, 2) / tf.maximum(tf.reduce_sum(inside, 2), 1)
    used = tf.cast(tf.reduce_sum(mask, 2) > 0, tf.float32)
    return tf.reduce_sum(used * tf.sqrt(mean + 0.05)) / tf.maximum(tf.reduce_sum(used), 1)


def losses(batch: Batch, model: Model, code_noise: float) -> dict[str, tf.Tensor]:
    """The parts of the loss, and their weighted sum "total"."""
    z = model.encoder(batch.inputs)
    used = z + code_noise * tf.random.normal(z.shape)
    basis = tf.reshape(model.trunk(batch.points), (batch.target.shape[0], -1, RANK))
    partials, noise, balance, correlation = decode(model, used, batch.conditions, basis)
    loud = tf.cast(tf.reduce_sum(batch.mask, 2) > 0, tf.float32)[..., None]
    noise_error = tf.nn.relu(tf.abs(noise - batch.noise) - 0.5) * tf.cast(batch.noise > FLOOR + 5, tf.float32)
    parts = {
        "distance": distance(batch.target, partials, batch.mask),
        "noise": tf.reduce_mean(noise_error * loud),
        "stereo": tf.reduce_mean(tf.abs(balance - batch.balance) + 10 * tf.abs(correlation - batch.correlation)),
        # codes stay near the unit sphere, so that the mean of two codes is one that the decoder has seen
        "size": tf.reduce_mean(tf.nn.relu(tf.reduce_mean(z**2, 1) - 1.0)),
    }
    weights = {"noise": NOISE_WEIGHT, "stereo": STEREO_WEIGHT, "size": SIZE_WEIGHT}
    parts["total"] = parts["distance"] + tf.add_n([weight * parts[name] for name, weight in weights.items()])
    return parts


def train(
    corpus: Corpus,
    validation: Corpus,
    folder: Path,
    seed: int,
    steps: int,
    dims: int = network.DIMS,
    report: Callable[[int, int, dict[str, float]], None] = lambda step, steps, figures: None,
) -> tuple[Model, dict[str, float]]:
    """Fit a field on `corpus`. Returns it with averaged weights, and the figures of the last step.

    validation: notes that are only measured, for the figure "validation" in dB
    folder: the weights are written here every 1000 steps
    seed: decides everything that is random
    dims: numbers in the code of a frame
    report: called every 100 steps with the step, the number of steps and the figures
    """
    keras.utils.set_random_seed(seed)
    model = build(dims)
    batches = Batches(corpus, seed, steps)
    descent = Descent(model.variables, steps, RATES, WARM_UP)

    @tf.function(jit_compile=True)  # type: ignore[untyped-decorator]
    def step(batch: Batch, number: tf.Tensor) -> dict[str, tf.Tensor]:
        with tf.GradientTape() as tape:
            parts = losses(batch, model, CODE_NOISE)
        descent.step(tape, parts["total"], number)
        return parts

    order = np.random.default_rng(0).permutation(len(validation))[: 8 * NOTES]
    groups = np.array_split(order, max(1, len(order) // NOTES))
    held_out = [make(validation, notes, notes, np.random.default_rng(1), strength=0.0) for notes in groups]
    started = time.monotonic()
    source = tf.data.Dataset.from_generator(
        lambda: (tuple(batch) for batch in iter(batches, None)),
        output_signature=tuple(tf.TensorSpec(x.shape, tf.float32) for x in batches()),
    ).prefetch(4)
    figures: dict[str, float] = {}
    for i, arrays in enumerate(source.take(steps), 1):
        parts = step(Batch(*arrays), tf.constant(i, tf.float32))
        if i % 100 == 0 or i == steps:
            figures |= {name: float(value) for name, value in parts.items()}
            report(i, steps, figures)
        if i % CHECKPOINT_STEPS == 0 or i == steps:
            current = [v.numpy() for v in model.variables]
            descent.assign(descent.average())
            model.save(folder)
            errors = [float(losses(Batch(*map(tf.constant, b)), model, 0.0)["distance"]) for b in held_out]
            figures["validation"] = float(np.mean(errors))
            figures["minutes"] = (time.monotonic() - started) / 60
            report(i, steps, figures)
            if i < steps:
                descent.assign(current)
    return model, figures


def linear_code(corpus: Corpus, dims: int, seed: int) -> tuple[Floats, Floats]:
    """The baseline of the report: a PCA of the encoder's inputs without the stereo image.

    It is fitted on eight frames of each note, within QUIET_DB of the note's loudest.
    Returns float32 mean (V,) and axes (dims, V).
    """
    rng = np.random.default_rng(seed)
    arrays = corpus.arrays
    rows = []
    for i in range(len(corpus)):
        level = arrays["level"][i, : int(arrays["length"][i])].astype(np.float32)
        frames = rng.choice(np.flatnonzero(level > level.max() - QUIET_DB), 8)
        parts = (arrays["env"][i, frames], arrays["partials"][i, frames, :FIRST_PARTIALS], arrays["noise"][i, frames])
        rows.append(np.concatenate(parts, axis=1).astype(np.float32))
    vectors = np.concatenate(rows)
    mean = vectors.mean(0)
    _, axes = np.linalg.eigh(np.cov((vectors - mean).T))
    return mean, np.ascontiguousarray(axes[:, : -dims - 1 : -1].T, dtype=np.float32)
