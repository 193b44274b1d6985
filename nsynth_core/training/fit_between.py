"""Fits what the network says of two spectra to pairs whose middles are known.

The loss is the log-spectral distance of the blend to the true middle; for two spectra that have nothing to do with each
other, it is how far what a listener hears leaves the straight way between them.
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
from nsynth_core.harmonic.inputs import ENVELOPE_POINTS
from nsynth_core.harmonic.scales import MIDDLE_C_HZ, PITCH_OCTAVES
from nsynth_core.lazy import keras, tf
from nsynth_core.metrics import RANGE_DB, TOP_SHARE
from nsynth_core.sound.features import TOP_ERB, TOP_HZ
from nsynth_core.training.descent import Descent
from nsynth_core.training.pairs import MIDDLES, PARTIALS, Pairs

BATCH, STRANGERS, STATIONS = 128, 40, 5
HIGHEST_HZ = 700.0  # of strangers: above it too few partials are left to wander
NEAR = 40  # places apart, in the order of their pitches, that two strangers are at most
WANDER_WEIGHT, SIZE_WEIGHT = 8.0, 0.01
RATES, WARM_UP = (1e-3, 2e-5), 300
EDGES = (6.0, 10.0, 14.0, 18.0, 22.0, 26.0)  # on the ERB scale: 210 Hz to 3.4 kHz
HARDLY = 0.03  # of the scale of `metrics.descriptors`: a way so short may bend
HEARD = (1.0, 1.0, 1.0, 1.0, 1.0, *(1 / 6 for _ in EDGES))  # weights of what is `heard`
LOG_10 = float(np.log(10))

Indices = NDArray[np.int64]
Reals = NDArray[np.floating[Any]]


class Asked(NamedTuple):
    """N pairs at M mixes each: f0 (N,), inputs (N, 2, ...), how far `apart` they are (N,), ends (N, 2, PARTIALS), mix
    (N, M), and the true middle, where it is known (N, PARTIALS)."""

    f0: Floats
    inputs: Floats
    apart: Floats
    ends: Floats
    mix: Floats
    middle: Floats


class Spectra:
    """N spectra at f0 (N,) Hz and what depends on the pitch alone: ERB rates, the partials there are, the basis."""

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
    """What is fitted: the graphs of `nsynth_core.harmonic.between`."""

    matching: keras.Model
    correction: keras.Model


def blends(graphs: Graphs, at: Spectra, asked: Asked) -> tuple[list[tf.Tensor], tf.Tensor]:
    """The blends (N, PARTIALS) at each of the mixes, as of `nsynth_core.harmonic.between.blend`; and the mean square of
    the corrections."""
    octave = tf.math.log(at.f0 / MIDDLE_C_HZ) / np.log(2) / PITCH_OCTAVES
    far = asked.apart[:, None]
    envelopes = asked.inputs[:, :, :ENVELOPE_POINTS]
    match = REACH_ERB * far * graphs.matching(tf.reshape(envelopes, (envelopes.shape[0], -1)))
    out, size = [], 0.0
    for number in range(asked.mix.shape[1]):
        mix = asked.mix[:, number, None]
        away = travelled(match, mix)
        given = [
            tf.concat([asked.inputs[:, a], asked.inputs[:, 1 - a], away[a] / REACH_ERB, share, octave, octave**2], 1)
            for a, share in ((0, mix), (1, 1 - mix))
        ]
        said = graphs.correction(tf.concat(given, 0))
        size += tf.reduce_mean(said**2) / asked.mix.shape[1]
        mean = sum(
            near * compressed(_moved(asked.ends[:, end], away[end], at)) for end, near in ((0, 1 - mix), (1, mix))
        )
        mean = COMPRESSED_DB / LOG_10 * tf.math.log(tf.maximum(mean, 1e-5))
        added = 4 * mix * (1 - mix) * far * tf.add_n(tf.split(said, 2))
        out.append(mean + REACH_DB * tf.einsum("nc,npc->np", added, at.basis))
    return out, size


def travelled(match: tf.Tensor, mix: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """As of `nsynth_core.harmonic.between`."""
    come = PLACES[::HALFWAY] + (mix - 0.5) * match
    after = tf.reduce_sum(tf.cast(come[:, None] <= PLACES[:, None], tf.int32), -1)
    after = tf.clip_by_value(after, 1, MEETINGS - 1)
    x0, x1, y0, y1 = (tf.gather(v, after - k, batch_dims=1) for v in (come, match) for k in (1, 0))
    here = y0 + tf.clip_by_value((PLACES - x0) / tf.maximum(x1 - x0, LEAST_STEP), 0.0, 1.0) * (y1 - y0)
    return -mix * here, (1 - mix) * here


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
    return 10 ** (db / COMPRESSED_DB)


def levelled(partials: tf.Tensor, at: Spectra) -> tf.Tensor:
    """Under the tone's own level."""
    return partials - 10 / LOG_10 * tf.math.log(tf.reduce_sum(at.mask * 10 ** (partials / 10), 1, keepdims=True) + 1e-9)


def distance(true: tf.Tensor, other: tf.Tensor, at: Spectra) -> tf.Tensor:
    """The log-spectral distance (N,), dB. Below RANGE_DB under the strongest only being too loud is wrong."""
    true, other = levelled(true, at), levelled(other, at)
    floor = tf.reduce_max(true - 200 * (1 - at.mask), axis=1, keepdims=True) - RANGE_DB
    error = tf.where(true > floor, tf.maximum(other, floor - 20) - true, tf.nn.relu(other - floor))
    used = at.mask * tf.cast((true > floor) | (other > floor), tf.float32)
    return tf.sqrt(tf.reduce_sum(used * error**2, 1) / tf.maximum(tf.reduce_sum(used, 1), 1) + 0.05)


def heard(partials: tf.Tensor, at: Spectra) -> tf.Tensor:
    """(N, 5 + len(EDGES)): brightness, width, top, shares of the fundamental and of odd partials, as
    `metrics.descriptors` has them, and below EDGES."""
    power = at.mask * 10 ** (partials / 10)
    share = power / (tf.reduce_sum(power, 1, keepdims=True) + 1e-9)
    centroid = tf.reduce_sum(share * at.erb, 1)
    spread = tf.sqrt(tf.reduce_sum(share * (at.erb - centroid[:, None]) ** 2, 1) + 1e-3)
    odd = tf.reduce_sum(share[:, ::2], 1)
    reached = tf.cumsum(share, 1)
    index = tf.argmax(reached >= TOP_SHARE, 1, output_type=tf.int32)[:, None]
    here = tf.gather(share, index, batch_dims=1)
    inside = (TOP_SHARE - tf.gather(reached, index, batch_dims=1) + here) / (here + 1e-6)
    hz = (tf.cast(index, tf.float32) + inside) * at.f0
    top = 21.4 / LOG_10 * tf.math.log(1 + 0.00437 * hz)[:, 0]
    below = [tf.reduce_sum(share * tf.sigmoid(2 * (edge - at.erb)), 1) for edge in EDGES]
    return tf.stack([centroid / 20, spread / 10, top / 20, share[:, 0], odd, *below], axis=1)


def wandering(path: list[tf.Tensor], at: Spectra) -> tf.Tensor:
    """Which share of the way of what a listener hears is detour, from the first to the last of `path`: 0 is straight.

    As `metrics.monotony` says it, which leaves out what hardly changes.
    """
    stations = [heard(partials, at) for partials in path]
    length = tf.add_n([tf.abs(after - before) for before, after in pairwise(stations)])
    net = tf.abs(stations[-1] - stations[0])
    counted = tf.constant(HEARD) * net**2 / (net**2 + HARDLY**2)
    detour = (length - net) / (length + HARDLY / 3)
    return tf.reduce_sum(counted * detour) / tf.reduce_sum(counted)


def losses(graphs: Graphs, known: Asked, strangers: Asked) -> dict[str, tf.Tensor]:
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
    """Fit the graphs on `pairs` → (graphs with averaged weights, last figures).

    Adam, a warm-up and a cosine. `seed` decides everything that is random.
    """
    keras.utils.set_random_seed(seed)
    rng = np.random.default_rng(seed)
    graphs = Graphs(network.matching(), network.correction())
    variables = [v for graph in graphs for v in graph.trainable_variables]
    descent = Descent(variables, steps, RATES, WARM_UP)

    @tf.function(jit_compile=True)  # type: ignore[untyped-decorator]
    def step(known: Asked, strangers: Asked, number: tf.Tensor) -> dict[str, tf.Tensor]:
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
        asked = _known(held_out, chosen, rng)
        at = Spectra(asked.f0)
        (middle,), _ = blends(graphs, at, asked)
        errors.append(float(tf.reduce_mean(distance(asked.middle, middle, at))))
    return graphs, figures | {"validation": float(np.mean(errors))}


def _asked(f0: Floats, inputs: Reals, ends: Reals, mix: Floats, middle: Reals) -> Asked:
    far = apart(inputs[:, 0].astype(np.float32), inputs[:, 1].astype(np.float32))
    return Asked(*(x.astype(np.float32) for x in (f0, inputs, far, ends, mix, middle)))


def _known(pairs: Pairs, chosen: Indices, rng: np.random.Generator) -> Asked:
    which = rng.integers(MIDDLES, size=len(chosen))
    return _asked(
        pairs.f0[chosen],
        pairs.inputs[chosen],
        pairs.spectra[chosen][:, [0, -1]],
        pairs.mix[chosen, which][:, None],
        pairs.spectra[chosen, 1 + which],
    )


def _strangers(pairs: Pairs, single: Indices, rng: np.random.Generator) -> Asked:
    """Two of the `single` spectra, which lie in the order of their pitches, taken for sounds of one pitch, that of the
    first, at STATIONS between them."""
    place = rng.integers(len(single), size=STRANGERS)
    beside = np.clip(place + rng.integers(-NEAR, NEAR + 1, STRANGERS), 0, len(single) - 1)
    first, second = single[place], single[beside]
    mix = (np.arange(STATIONS) + rng.random((STRANGERS, STATIONS))) / STATIONS
    return _asked(
        pairs.f0[first],
        np.stack([pairs.inputs[first, 0], pairs.inputs[second, 0]], axis=1),
        np.stack([pairs.spectra[first, 0], pairs.spectra[second, 0]], axis=1),
        mix.astype(np.float32),
        np.zeros((STRANGERS, 0)),
    )
