"""Fits the networks `matching` and `correction` to pairs of spectra whose middles are known.

The loss is the log-spectral distance of the blend from the true middle. Two unrelated spectra have no true middle.
Their loss is the detour of what a listener hears (brightness, width and others) on the way from one to the other.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from nsynth_core.audio import Floats
from nsynth_core.harmonic import network
from nsynth_core.harmonic.between import (
    COMPRESSED_DB,
    CURVE_POINTS,
    HALFWAY,
    LEAST_STEP,
    MEETINGS,
    NEIGHBOURS,
    PLACES,
    REACH_DB,
    REACH_ERB,
    SINGLE,
    apart,
)
from nsynth_core.harmonic.scales import MIDDLE_C_HZ, PITCH_OCTAVES
from nsynth_core.lazy import keras, tf
from nsynth_core.metrics import RANGE_DB, TOP_SHARE
from nsynth_core.sound.features import TOP_ERB, TOP_HZ
from nsynth_core.sound.spectral_envelope import ENVELOPE_POINTS
from nsynth_core.training.descent import Descent
from nsynth_core.training.pairs import MIDDLES, PARTIALS, Pairs

BATCH, STRANGERS, STATIONS = 128, 40, 5  # pairs and unrelated pairs in a step, mixes of the latter
HIGHEST_HZ = 700.0  # of unrelated spectra: higher notes have too few partials
NEAR = 40  # two unrelated spectra are at most so many places apart in the order of their pitches
WANDER_WEIGHT, SIZE_WEIGHT = 8.0, 0.01
RATES, WARM_UP = (1e-3, 2e-5), 300
EDGES = (6.0, 10.0, 14.0, 18.0, 22.0, 26.0)  # on the ERB scale: 210 Hz to 3.4 kHz
HARDLY = 0.03  # a descriptor that changes less than this, on the scale of `metrics.descriptors`, may bend
DESCRIPTOR_WEIGHTS = (1.0, 1.0, 1.0, 1.0, 1.0, *(1 / 6 for _ in EDGES))
LOG_10 = float(np.log(10))

Indices = NDArray[np.int64]
Reals = NDArray[np.floating[Any]]


class PairBatch(NamedTuple):
    """N pairs at M mixes each.

    f0 (N,) Hz · inputs (N, 2, SPECTRUM_INPUTS) · apart (N,) as `nsynth_core.harmonic.between.apart` measures it ·
    ends (N, 2, PARTIALS) dB · mix (N, M) · middle (N, PARTIALS) dB, empty where it is unknown
    """

    f0: Floats
    inputs: Floats
    apart: Floats
    ends: Floats
    mix: Floats
    middle: Floats


class Spectra:
    """What depends on the pitch alone, for N spectra at f0 (N,) Hz.

    erb (N, PARTIALS) · count (N, 1) of partials below TOP_HZ, mask (N, PARTIALS) · basis (N, PARTIALS, CORRECTIONS)
    """

    def __init__(self, f0: tf.Tensor):
        self.f0 = f0[:, None]
        number = tf.range(1, PARTIALS + 1, dtype=tf.float32)
        self.erb = 21.4 * tf.math.log(1 + 0.00437 * number * self.f0) / LOG_10
        self.count = tf.minimum(tf.floor(TOP_HZ / self.f0), PARTIALS)
        self.mask = tf.cast(number <= self.count, tf.float32)
        place = tf.minimum(self.erb / TOP_ERB, 1) * (CURVE_POINTS - 1)
        tent = tf.nn.relu(1 - tf.abs(place[..., None] - tf.range(CURVE_POINTS, dtype=tf.float32)))
        odd = tf.math.floormod(number, 2)[:, None]
        single = tf.broadcast_to(tf.eye(PARTIALS, SINGLE), (tf.shape(f0)[0], PARTIALS, SINGLE))
        self.basis = tf.concat([tent * odd, tent * (1 - odd), single], axis=2)


class Graphs(NamedTuple):
    """The networks that are fitted here; `nsynth_core.harmonic.between` runs them."""

    matching: keras.Model
    correction: keras.Model


def blends(graphs: Graphs, at: Spectra, batch: PairBatch) -> tuple[list[tf.Tensor], tf.Tensor]:
    """The blends (N, PARTIALS) at each of the mixes, computed as in `nsynth_core.harmonic.between.blend`, and the mean
    square of the corrections."""
    octave = tf.math.log(at.f0 / MIDDLE_C_HZ) / np.log(2) / PITCH_OCTAVES
    far = batch.apart[:, None]
    envelopes = batch.inputs[:, :, :ENVELOPE_POINTS]
    match = REACH_ERB * far * graphs.matching(tf.reshape(envelopes, (envelopes.shape[0], -1)))
    out, size = [], 0.0
    for number in range(batch.mix.shape[1]):
        mix = batch.mix[:, number, None]
        away = travelled(match, mix)
        inputs = [
            tf.concat([batch.inputs[:, a], batch.inputs[:, 1 - a], away[a] / REACH_ERB, share, octave, octave**2], 1)
            for a, share in ((0, mix), (1, 1 - mix))
        ]
        corrections = graphs.correction(tf.concat(inputs, 0))
        size += tf.reduce_mean(corrections**2) / batch.mix.shape[1]
        mean = sum(
            near * compressed(_moved(batch.ends[:, end], away[end], at)) for end, near in ((0, 1 - mix), (1, mix))
        )
        mean = COMPRESSED_DB / LOG_10 * tf.math.log(tf.maximum(mean, 1e-5))
        added = 4 * mix * (1 - mix) * far * tf.add_n(tf.split(corrections, 2))
        out.append(mean + REACH_DB * tf.einsum("nc,npc->np", added, at.basis))
    return out, size


def travelled(match: tf.Tensor, mix: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """As `nsynth_core.harmonic.between.travelled`, on tensors."""
    come = PLACES[::HALFWAY] + (mix - 0.5) * match
    after = tf.reduce_sum(tf.cast(come[:, None] <= PLACES[:, None], tf.int32), -1)
    after = tf.clip_by_value(after, 1, MEETINGS - 1)
    x0, x1, y0, y1 = (tf.gather(v, after - k, batch_dims=1) for v in (come, match) for k in (1, 0))
    distance_ = y0 + tf.clip_by_value((PLACES - x0) / tf.maximum(x1 - x0, LEAST_STEP), 0.0, 1.0) * (y1 - y0)
    return -mix * distance_, (1 - mix) * distance_


def _moved(partials: tf.Tensor, away: tf.Tensor, at: Spectra) -> tf.Tensor:
    top = tf.nn.max_pool1d(partials[..., None], NEIGHBOURS, 1, "SAME")
    closed = -tf.nn.max_pool1d(-top, NEIGHBOURS, 1, "SAME")[..., 0]
    place = (at.erb - PLACES[0]) / (PLACES[1] - PLACES[0])
    displaced = at.erb + _read(away, tf.clip_by_value(place, 0.0, ENVELOPE_POINTS - 1.0))
    hz = (10 ** (tf.clip_by_value(displaced, 0.0, TOP_ERB + 2) / 21.4) - 1) / 0.00437
    return _read(closed, tf.clip_by_value(hz / at.f0, 1.0, at.count) - 1) + partials - closed


def _read(values: tf.Tensor, place: tf.Tensor) -> tf.Tensor:
    low = tf.minimum(tf.cast(place, tf.int32), values.shape[1] - 2)
    below, above = (tf.gather(values, low + k, batch_dims=1) for k in (0, 1))
    return below + (place - tf.cast(low, tf.float32)) * (above - below)


def compressed(db: tf.Tensor) -> tf.Tensor:
    """Levels in dB on the scale on which partials are averaged."""
    return 10 ** (db / COMPRESSED_DB)


def levelled(partials: tf.Tensor, at: Spectra) -> tf.Tensor:
    """Partials in dB under the level of all of them together."""
    return partials - 10 / LOG_10 * tf.math.log(tf.reduce_sum(at.mask * 10 ** (partials / 10), 1, keepdims=True) + 1e-9)


def distance(true: tf.Tensor, other: tf.Tensor, at: Spectra) -> tf.Tensor:
    """The log-spectral distance (N,) in dB. A partial that is RANGE_DB or more under the strongest counts only where
    the blend is too loud."""
    true, other = levelled(true, at), levelled(other, at)
    floor = tf.reduce_max(true - 200 * (1 - at.mask), axis=1, keepdims=True) - RANGE_DB
    error = tf.where(true > floor, tf.maximum(other, floor - 20) - true, tf.nn.relu(other - floor))
    used = at.mask * tf.cast((true > floor) | (other > floor), tf.float32)
    return tf.sqrt(tf.reduce_sum(used * error**2, 1) / tf.maximum(tf.reduce_sum(used, 1), 1) + 0.05)


def descriptors(partials: tf.Tensor, at: Spectra) -> tf.Tensor:
    """What a listener hears, (N, 5 + len(EDGES)): brightness, width, top and the shares of the fundamental and of odd
    partials, as in `metrics.descriptors`, and the shares below each of EDGES."""
    power = at.mask * 10 ** (partials / 10)
    share = power / (tf.reduce_sum(power, 1, keepdims=True) + 1e-9)
    centroid = tf.reduce_sum(share * at.erb, 1)
    spread = tf.sqrt(tf.reduce_sum(share * (at.erb - centroid[:, None]) ** 2, 1) + 1e-3)
    odd = tf.reduce_sum(share[:, ::2], 1)
    reached = tf.cumsum(share, 1)
    index = tf.argmax(reached >= TOP_SHARE, 1, output_type=tf.int32)[:, None]
    share_at_top = tf.gather(share, index, batch_dims=1)
    inside = (TOP_SHARE - tf.gather(reached, index, batch_dims=1) + share_at_top) / (share_at_top + 1e-6)
    hz = (tf.cast(index, tf.float32) + inside) * at.f0
    top = 21.4 / LOG_10 * tf.math.log(1 + 0.00437 * hz)[:, 0]
    below = [tf.reduce_sum(share * tf.sigmoid(2 * (edge - at.erb)), 1) for edge in EDGES]
    return tf.stack([centroid / 20, spread / 10, top / 20, share[:, 0], odd, *below], axis=1)


def wandering(path: list[tf.Tensor], at: Spectra) -> tf.Tensor:
    """The share of the descriptors' movement along `path` that is detour: 0 is straight.

    As `metrics.monotony`, it leaves out descriptors that hardly change.
    """
    stations = [descriptors(partials, at) for partials in path]
    length = tf.add_n([tf.abs(after - before) for before, after in pairwise(stations)])
    net = tf.abs(stations[-1] - stations[0])
    counted = tf.constant(DESCRIPTOR_WEIGHTS) * net**2 / (net**2 + HARDLY**2)
    detour = (length - net) / (length + HARDLY / 3)
    return tf.reduce_sum(counted * detour) / tf.reduce_sum(counted)


def losses(graphs: Graphs, known: PairBatch, strangers: PairBatch) -> dict[str, tf.Tensor]:
    """The parts of the loss and their weighted sum "total"."""
    at, beside = Spectra(known.f0), Spectra(strangers.f0)
    (middle,), size = blends(graphs, at, known)
    path, strange = blends(graphs, beside, strangers)
    parts = {
        "distance": tf.reduce_mean(distance(known.middle, middle, at)),
        "wander": wandering([strangers.ends[:, 0], *path, strangers.ends[:, 1]], beside),
        "size": size + strange,
    }
    parts["total"] = parts["distance"] + WANDER_WEIGHT * parts["wander"] + SIZE_WEIGHT * parts["size"]
    return parts


def train(
    pairs: Pairs,
    held_out: Pairs,
    seed: int,
    steps: int,
    report: Callable[[int, int, dict[str, float]], None] = lambda step, steps, figures: None,
) -> tuple[Graphs, dict[str, float]]:
    """Fit the networks on `pairs`. Returns them with averaged weights, and the figures of the last step.

    held_out: pairs that are only measured, for the figure "validation" in dB
    seed: decides everything that is random
    report: called every 100 steps with the step, the number of steps and the figures
    """
    keras.utils.set_random_seed(seed)
    rng = np.random.default_rng(seed)
    graphs = Graphs(network.matching(), network.correction())
    variables = [v for graph in graphs for v in graph.trainable_variables]
    descent = Descent(variables, steps, RATES, WARM_UP)

    @tf.function(jit_compile=True)  # type: ignore[untyped-decorator]
    def step(known: PairBatch, strangers: PairBatch, number: tf.Tensor) -> dict[str, tf.Tensor]:
        with tf.GradientTape() as tape:
            parts = losses(graphs, known, strangers)
        descent.step(tape, parts["total"], number)
        return parts

    moves = (pairs.spectra[:, 0] != pairs.spectra[:, -1]).any(1)
    turned, single = np.flatnonzero(moves), np.flatnonzero(~moves)
    single = single[pairs.f0[single] < HIGHEST_HZ]
    single = single[np.argsort(pairs.f0[single], kind="stable")]
    started = time.monotonic()
    figures: dict[str, float] = {}
    for i in range(1, steps + 1):
        known = _known(pairs, rng.choice(turned, BATCH), rng)
        parts = step(known, _strangers(pairs, single, rng), tf.constant(i, tf.float32))
        if i % 100 == 0 or i == steps:
            figures = {name: float(value) for name, value in parts.items()}
            figures["minutes"] = (time.monotonic() - started) / 60
            report(i, steps, figures)
    descent.assign(descent.average())
    rng, errors = np.random.default_rng(seed), []
    for chosen in np.array_split(np.arange(len(held_out.f0)), max(1, len(held_out.f0) // BATCH)):
        batch = _known(held_out, chosen, rng)
        at = Spectra(batch.f0)
        (middle,), _ = blends(graphs, at, batch)
        errors.append(float(tf.reduce_mean(distance(batch.middle, middle, at))))
    return graphs, figures | {"validation": float(np.mean(errors))}


def _pair_batch(f0: Floats, inputs: Reals, ends: Reals, mix: Floats, middle: Reals) -> PairBatch:
    far = apart(inputs[:, 0].astype(np.float32), inputs[:, 1].astype(np.float32))
    return PairBatch(*(x.astype(np.float32) for x in (f0, inputs, far, ends, mix, middle)))


def _known(pairs: Pairs, chosen: Indices, rng: np.random.Generator) -> PairBatch:
    which = rng.integers(MIDDLES, size=len(chosen))
    return _pair_batch(
        pairs.f0[chosen],
        pairs.inputs[chosen],
        pairs.spectra[chosen][:, [0, -1]],
        pairs.mix[chosen, which][:, None],
        pairs.spectra[chosen, 1 + which],
    )


def _strangers(pairs: Pairs, single: Indices, rng: np.random.Generator) -> PairBatch:
    """Unrelated pairs of the `single` spectra, which are in the order of their pitches. Both are taken to have the
    pitch of the first. They are blended at STATIONS mixes."""
    place = rng.integers(len(single), size=STRANGERS)
    beside = np.clip(place + rng.integers(-NEAR, NEAR + 1, STRANGERS), 0, len(single) - 1)
    first, second = single[place], single[beside]
    mix = (np.arange(STATIONS) + rng.random((STRANGERS, STATIONS))) / STATIONS
    return _pair_batch(
        pairs.f0[first],
        np.stack([pairs.inputs[first, 0], pairs.inputs[second, 0]], axis=1),
        np.stack([pairs.spectra[first, 0], pairs.spectra[second, 0]], axis=1),
        mix.astype(np.float32),
        np.zeros((STRANGERS, 0)),
    )
