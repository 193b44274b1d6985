"""Fits the harmonic field to a corpus.

The loss is what the report measures: the log-spectral distance over the partials within RANGE dB of a frame's strongest.
Half of every batch decodes a *different* note of the same source from the code of one note, so that the code holds the
timbre and the branch learns what a change of register does to it.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from nsynth_core.audio import Floats
from nsynth_core.features import FRAME_RATE, NOISE_BANDS, band_edges, hz_to_erb
from nsynth_core.harmonic import network
from nsynth_core.harmonic.inputs import (
    CONTEXT,
    FIRST_PARTIALS,
    FLOOR,
    INPUTS,
    conditions,
    envelope_hz,
    frame_inputs,
    trunk_inputs,
)
from nsynth_core.training.corpus import HOP, Corpus

NOTES, FRAMES_A_NOTE = 64, 12
FIRST, OTHERS = 24, 40  # partials asked of the field a note: the first, and a random choice of the rest
RANGE_DB = 60.0
CROSS_SHARE = 0.5
CROSS_SEMITONES = 26.0
QUIET_DB = 50.0
NOISE_WEIGHT, STEREO_WEIGHT = 0.35, 0.1
CODE_NOISE = 0.05
AVERAGE = 0.999
PEAK_RATE, END_RATE = 1.5e-3, 2e-5


@dataclass(frozen=True)
class Model:
    """The three networks of the field."""

    encoder: keras.Model
    branch: keras.Model
    trunk: keras.Model

    @property
    def variables(self) -> list[keras.Variable]:
        return [v for part in (self.encoder, self.branch, self.trunk) for v in part.trainable_variables]

    def save(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        for name in ("encoder", "branch", "trunk"):
            getattr(self, name).save_weights(folder / f"{name}.weights.h5")

    def restore(self, folder: Path) -> None:
        for name in ("encoder", "branch", "trunk"):
            getattr(self, name).load_weights(folder / f"{name}.weights.h5")


def build(dims: int = network.DIMS) -> Model:
    """A fresh field with `dims` dimensions a frame."""
    return Model(network.encoder(dims), network.branch(dims), network.trunk())


class Batches:
    """Random batches of a corpus. State: the random generator and, for each source, where its notes are."""

    def __init__(self, corpus: Corpus, seed: int):
        self.corpus = corpus
        self.rng = np.random.default_rng(seed)
        self.of_source = [np.flatnonzero(corpus.source == i) for i in range(len(corpus.names))]
        self.midi = corpus.arrays["midi"].astype(np.float32)

    def __call__(self) -> tuple[Floats, ...]:
        rng, corpus = self.rng, self.corpus
        # every source alike, however many keys it has
        a = np.asarray([rng.choice(self.of_source[i]) for i in rng.integers(len(self.of_source), size=NOTES)])
        b = np.asarray([self._partner(i) if rng.random() < CROSS_SHARE else i for i in a])
        return make_batch(corpus, a, b, rng, augment=True)

    def _partner(self, note: int) -> int:
        others = self.of_source[int(self.corpus.source[note])]
        near = others[np.abs(self.midi[others] - self.midi[note]) <= CROSS_SEMITONES]
        return int(self.rng.choice(near))


def make_batch(
    corpus: Corpus, a: NDArray[np.int64], b: NDArray[np.int64], rng: np.random.Generator, augment: bool
) -> tuple[Floats, ...]:
    """Code notes `a`, decode notes `b` (N,): encoder inputs (N*F, C*INPUTS), conditions (N*F, .), trunk inputs (N*P, .),
    targets of partials (N, F, P), noise, balance, correlation (N, F, B), and the partials' mask (N, F, P)."""
    arrays = corpus.arrays
    count = len(a)
    frames = np.empty((count, FRAMES_A_NOTE), dtype=np.int64)
    for n, (i, j) in enumerate(zip(a, b, strict=True)):
        last = min(int(arrays["length"][i]), int(arrays["length"][j]))
        near = rng.integers(0, min(25, last), size=FRAMES_A_NOTE // 3)
        frames[n] = np.concatenate([near, rng.integers(0, last, size=FRAMES_A_NOTE - len(near))])
    context = frames[:, :, None] + np.asarray(CONTEXT) // HOP
    context = np.clip(context, 0, arrays["length"][a][:, None, None] - 1)
    scale_a = scale_b = np.ones(count, dtype=np.float32)
    curves = np.zeros((count, CURVE_POINTS), dtype=np.float32)
    env_hz = envelope_hz()
    edges = band_edges()
    band_hz = np.maximum((edges[1:] + edges[:-1]) / 2, 40)
    if augment:
        # a transposition moves the whole spectrum with the pitch; an equaliser colours code and target alike
        scale_a = scale_b = np.where(rng.random(count) < 0.5, 2 ** (rng.uniform(-5, 5, count) / 12), 1).astype(
            np.float32
        )
        curves = _equalisers(rng, count)

    share = _shares(rng, corpus, a, b) if augment else np.ones(count, dtype=np.float32)
    other = rng.choice(np.flatnonzero(arrays["f0"] >= LAYER_F0), count)

    def part(name: str, notes: NDArray[np.int64], index: NDArray[np.int64]) -> Floats:
        rows = notes.reshape(-1, *[1] * (index.ndim - 1))
        values = np.asarray(arrays[name][rows, index], dtype=np.float32)
        mixed = np.flatnonzero(share < 1)
        if name in ("env", "partials", "noise") and len(mixed):
            # the same partials of another note lie under this one's: two sources of one pitch, each at its share of the power
            beside = other[mixed].reshape(-1, *[1] * (index.ndim - 1))
            second = arrays[name][beside, np.minimum(index[mixed], arrays["length"][beside] - 1)].astype(np.float32)
            if name == "env":
                second = _shift(second, env_hz, arrays["f0"][notes[mixed]] / arrays["f0"][other[mixed]])
            w = share[mixed].reshape(-1, *[1] * (values.ndim - 1))
            values[mixed] = 10 * np.log10(w * 10 ** (values[mixed] / 10) + (1 - w) * 10 ** (second / 10))
        return values

    # the code's note
    env = _shift(part("env", a, context), env_hz, scale_a) + _read(curves, env_hz)[:, None, None]
    f0_a = arrays["f0"][a] * scale_a
    first_hz = f0_a[:, None] * np.arange(1, FIRST_PARTIALS + 1)
    first = part("partials", a, context)[..., :FIRST_PARTIALS] + _read(curves, first_hz)[:, None, None]
    noise = _shift(part("noise", a, context), band_hz, scale_a) + _read(curves, band_hz)[:, None, None]
    if augment:
        gain = _level_change(
            part("partials", a, context), part("noise", a, context), arrays["numbers"][a], curves, f0_a
        )
        env, first, noise = (np.clip(x - gain[..., None], FLOOR, 0) for x in (env, first, noise))
    inputs = frame_inputs(env, first, noise, part("balance", a, context), part("correlation", a, context))

    # the note to decode
    f0_b = arrays["f0"][b] * scale_b
    numbers = arrays["numbers"][b]
    size = (numbers > 0).sum(1)
    pick = np.zeros((count, FIRST + OTHERS), dtype=np.int64)
    for n in range(count):
        first_n = np.arange(FIRST)
        rest = rng.choice(np.arange(FIRST, size[n]), OTHERS) if size[n] > FIRST else np.zeros(OTHERS, dtype=np.int64)
        pick[n] = np.concatenate([first_n, rest])
    number = np.take_along_axis(numbers, pick, 1)
    hz = np.maximum(number, 1) * f0_b[:, None]
    target = (
        np.take_along_axis(part("partials", b, frames), pick[:, None, :].repeat(FRAMES_A_NOTE, 1), 2)
        + _read(curves, hz)[:, None]
    )
    target_noise = _shift(part("noise", b, frames), band_hz, scale_b) + _read(curves, band_hz)[:, None]
    if augment:
        gain = _level_change(part("partials", b, frames), part("noise", b, frames), numbers, curves, f0_b)
        target, target_noise = (np.clip(x - gain[..., None], FLOOR, 0) for x in (target, target_noise))
    valid = (number > 0) & (hz < 20_000)
    level = part("level", b, frames)
    peak = (
        arrays["level"][b].astype(np.float32).max(1, where=np.arange(160) < arrays["length"][b][:, None], initial=-200)
    )
    loud = (level > peak[:, None] - QUIET_DB)[..., None]
    mask = (valid[:, None, :] & loud).astype(np.float32)

    since = (frames - arrays["onset"][b][:, None]) * (HOP / FRAME_RATE)
    cond = conditions(np.broadcast_to(f0_b[:, None], level.shape), level - peak[:, None], since)
    return (
        inputs.reshape(count * FRAMES_A_NOTE, len(CONTEXT) * INPUTS),
        cond.reshape(count * FRAMES_A_NOTE, -1),
        trunk_inputs(np.maximum(number, 1).reshape(-1), hz.reshape(-1).astype(np.float32)),
        target.astype(np.float32),
        target_noise.astype(np.float32),
        part("balance", b, frames),
        part("correlation", b, frames),
        mask,
    )


CURVE_POINTS = 48
LAYER_F0 = 102.0  # above it the corpus keeps every partial, so two notes' partials have the same numbers


def _shares(rng: np.random.Generator, corpus: Corpus, a: NDArray[np.int64], b: NDArray[np.int64]) -> Floats:
    """The share of its power each note keeps when another is layered on it: 1 for most, and for all that cross pitches."""
    able = (a == b) & (corpus.arrays["f0"][a] >= LAYER_F0) & (rng.random(len(a)) < 0.5)
    return np.where(able, 1 / (1 + 10 ** (rng.normal(0, 8, len(a)) / 10)), 1).astype(np.float32)


def _equalisers(rng: np.random.Generator, count: int) -> Floats:
    """Random smooth responses in dB on CURVE_POINTS ERB-spaced points: tilts, peaks, low- and high-cuts; a third stay flat."""
    x = np.linspace(0, 1, CURVE_POINTS)
    curves = np.zeros((count, CURVE_POINTS))
    for n in range(count):
        if rng.random() < 0.33:
            continue
        curves[n] += rng.normal(0, 8) * (x - 0.4)
        for _ in range(rng.integers(0, 4)):
            curves[n] += rng.normal(0, 8) * np.exp(-(((x - rng.random()) / rng.uniform(0.03, 0.2)) ** 2))
        if rng.random() < 0.3:
            curves[n] -= np.maximum(x - rng.uniform(0.25, 0.9), 0) * rng.uniform(20, 200)
        if rng.random() < 0.15:
            curves[n] -= np.maximum(rng.uniform(0.1, 0.5) - x, 0) * rng.uniform(20, 100)
    return curves.astype(np.float32)


def _read(curves: Floats, hz: Floats) -> Floats:
    """Curves (N, CURVE_POINTS) at frequencies (P,) or (N, P)."""
    place = np.clip(hz_to_erb(hz) / hz_to_erb(np.float32(20_000)), 0, 1) * (CURVE_POINTS - 1)
    place = np.broadcast_to(place, (len(curves), place.shape[-1]))
    low = np.minimum(place.astype(np.int64), CURVE_POINTS - 2)
    share = place - low
    at = np.take_along_axis(curves, low, 1) * (1 - share) + np.take_along_axis(curves, low + 1, 1) * share
    return np.asarray(at, dtype=np.float32)


def _shift(values: Floats, hz: Floats, scale: Floats) -> Floats:
    """Envelopes (N, ..., P) at `hz` moved up in frequency by `scale` (N,)."""
    erb = hz_to_erb(hz)
    source = np.stack([np.interp(hz_to_erb(hz / s), erb, np.arange(len(hz))) for s in scale])
    low = np.minimum(source.astype(np.int64), len(hz) - 2)
    share = (source - low).astype(np.float32)
    shape = (len(scale), *[1] * (values.ndim - 2), len(hz))
    low, share = low.reshape(shape), share.reshape(shape)
    low = np.broadcast_to(low, values.shape)
    return np.asarray(
        np.take_along_axis(values, low, -1) * (1 - share) + np.take_along_axis(values, low + 1, -1) * share
    )


def _level_change(partials: Floats, noise: Floats, numbers: NDArray[np.int32], curves: Floats, f0: Floats) -> Floats:
    """How much the equalisers change each frame's total level, dB: partials (N, ..., PARTIALS) → (N, ...)."""
    shape = (len(numbers), *[1] * (partials.ndim - 2), -1)
    # where the corpus keeps one partial in several, it stands for those left out
    width = np.maximum(np.diff(numbers, axis=1, append=0), 1)
    gain = _read(curves, np.maximum(numbers, 1) * f0[:, None]) + 10 * np.log10(width) - 200.0 * (numbers == 0)
    edges = band_edges()
    noise_gain = _read(curves, np.maximum((edges[1:] + edges[:-1]) / 2, 40))
    after = (10 ** ((partials + gain.reshape(shape)) / 10)).sum(-1) + (
        10 ** ((noise + noise_gain.reshape(shape)) / 10)
    ).sum(-1)
    return np.asarray(10 * np.log10(after + 1e-12), dtype=np.float32)


def decode(model: Model, z: tf.Tensor, cond: tf.Tensor, points: tf.Tensor, notes: int) -> tuple[tf.Tensor, ...]:
    """Partials (N, F, P) in dB under the level, noise, balance (dB), correlation (N, F, B)."""
    out = tf.reshape(model.branch(tf.concat([z, cond], 1)), (notes, -1, network.BRANCH_OUTPUTS))
    basis = tf.reshape(model.trunk(points), (notes, -1, network.RANK))
    partials = (
        tf.einsum("nfr,npr->nfp", out[..., : network.RANK], basis) + out[..., network.RANK : network.RANK + 1]
    ) * 20 - 40
    noise, balance, correlation = tf.split(out[..., network.RANK + 1 :], 3, axis=2)
    return partials, noise * 20 - 40, balance * 30, correlation


def losses(batch: tuple[tf.Tensor, ...], model: Model, code_noise: float) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    inputs, cond, points, target, noise, balance, correlation, mask = batch
    z = model.encoder(inputs)
    z_used = z + code_noise * tf.random.normal(tf.shape(z))
    partials, noise_out, balance_out, correlation_out = decode(model, z_used, cond, points, target.shape[0])
    floor = tf.reduce_max(target - 200 * (1 - mask), axis=2, keepdims=True) - RANGE_DB
    # below the range only being too loud is wrong
    wanted = tf.maximum(target, floor)
    error = tf.where(target > floor, partials - wanted, tf.nn.relu(partials - floor))
    inside = mask * tf.cast((target > floor) | (partials > floor), tf.float32)
    inside = tf.stop_gradient(inside)
    mean = tf.reduce_sum(inside * error**2, 2) / tf.maximum(tf.reduce_sum(inside, 2), 1)
    used = tf.cast(tf.reduce_sum(mask, 2) > 0, tf.float32)
    distance = tf.reduce_sum(used * tf.sqrt(mean + 0.05)) / tf.maximum(tf.reduce_sum(used), 1)
    noise_error = tf.nn.relu(tf.abs(noise_out - noise) - 0.5) * tf.cast(noise > FLOOR + 5, tf.float32)
    noise_loss = tf.reduce_sum(used[..., None] * noise_error) / tf.maximum(tf.reduce_sum(used) * NOISE_BANDS, 1)
    stereo = tf.reduce_mean(tf.abs(balance_out - balance) + 10 * tf.abs(correlation_out - correlation))
    # codes near the unit sphere: a straight line between two of them stays where the decoder has been
    size = tf.reduce_mean(tf.nn.relu(tf.reduce_mean(z**2, 1) - 1.0))
    total = distance + NOISE_WEIGHT * noise_loss + STEREO_WEIGHT * stereo + 0.1 * size
    return total, distance, noise_loss


def train(
    corpus: Corpus,
    validation: Corpus,
    folder: Path,
    seed: int,
    steps: int,
    dims: int = network.DIMS,
    report: Callable[[int, int, dict[str, float]], None] = lambda step, steps, figures: None,
    minutes: float | None = None,
) -> Model:
    """Fit a field on `corpus` for `steps` steps; checkpoints and the averaged weights go to `folder`.

    Adam, cosine schedule, exponential moving average of the weights (decay AVERAGE). One seed decides everything.
    """
    keras.utils.set_random_seed(seed)
    model = build(dims)
    batches = Batches(corpus, seed)
    schedule = keras.optimizers.schedules.CosineDecay(
        0.0, steps, END_RATE / PEAK_RATE, warmup_target=PEAK_RATE, warmup_steps=500
    )
    optimizer = keras.optimizers.Adam(schedule, beta_2=0.99, global_clipnorm=1.0)
    optimizer.build(model.variables)
    average = [tf.Variable(v.value, trainable=False) for v in model.variables]

    @tf.function
    def step(batch: tuple[tf.Tensor, ...], number: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        with tf.GradientTape() as tape:
            total, distance, noise_loss = losses(batch, model, CODE_NOISE)
        gradients = tape.gradient(total, [v.value for v in model.variables])
        optimizer.apply_gradients(zip(gradients, model.variables, strict=True))
        # a young average forgets its random start
        decay = tf.minimum(AVERAGE, (1.0 + number) / (10.0 + number))
        for kept, now in zip(average, model.variables, strict=True):
            kept.assign(decay * kept + (1 - decay) * now.value)
        return total, distance, noise_loss

    held_out = [
        make_batch(validation, chosen, chosen, np.random.default_rng(1), augment=False)
        for chosen in np.array_split(np.random.default_rng(0).permutation(len(validation))[: 8 * NOTES], 8)
    ]
    started = time.monotonic()
    source = tf.data.Dataset.from_generator(
        lambda: iter(batches, None), output_signature=tuple(tf.TensorSpec(x.shape, tf.float32) for x in batches())
    ).prefetch(4)
    figures: dict[str, float] = {}
    for i, batch in enumerate(source.take(steps), 1):
        total, distance, noise_loss = step(batch, tf.constant(i, tf.float32))
        if i % 100 == 0:
            figures |= {"loss": float(total), "distance": float(distance), "noise": float(noise_loss)}
            report(i, steps, figures)
        if i % 1000 == 0 or i == steps:
            current = [v.numpy() for v in model.variables]
            _assign(model, [v.numpy() for v in average])
            model.save(folder)
            figures["validation"] = float(np.mean([float(losses(b, model, 0.0)[1]) for b in held_out]))
            figures["minutes"] = (time.monotonic() - started) / 60
            report(i, steps, figures)
            if i < steps:
                _assign(model, current)
    return model


def linear_code(corpus: Corpus, dims: int, seed: int) -> tuple[Floats, Floats]:
    """PCA of what the encoder sees of the spectrum: mean (V,) and axes (dims, V). The baseline of the report.

    Fitted on the corpus's frames within QUIET_DB of their note's loudest, eight a note.
    """
    rng = np.random.default_rng(seed)
    arrays = corpus.arrays
    rows = []
    for i in range(len(corpus)):
        level = arrays["level"][i, : arrays["length"][i]].astype(np.float32)
        frames = rng.choice(np.flatnonzero(level > level.max() - QUIET_DB), 8)
        parts = (arrays["env"][i, frames], arrays["partials"][i, frames, :FIRST_PARTIALS], arrays["noise"][i, frames])
        rows.append(np.concatenate(parts, axis=1).astype(np.float32))
    vectors = np.concatenate(rows)
    mean = vectors.mean(0)
    _, axes = np.linalg.eigh(np.cov((vectors - mean).T))
    return mean, np.ascontiguousarray(axes[:, : -dims - 1 : -1].T, dtype=np.float32)


def _assign(model: Model, values: list[NDArray[np.float32]]) -> None:
    for variable, value in zip(model.variables, values, strict=True):
        variable.assign(value)
