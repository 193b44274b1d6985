"""The dilated convolutions of all layers, BLOCK samples at a time: by their definition, or with a third fewer products.

A layer of dilation d filters its input at the times t - 2d, t - d and t with the taps g0, g1 and g2.

`Direct` is for few streams, where reading the filters from memory takes the time. Both past inputs are known min(d,
BLOCK) samples ahead. So these two thirds of a filter are applied to as many samples in one product: the filter is read
once a block, not once a sample, and the sum is the same.

`Paired` is for many streams, where the arithmetic takes the time. Two samples d apart share products (Winograd's
F(2, 3): The Arithmetic Complexity of Computations, 1980). With the inputs x0 ... x3 at t - 2d ... t + d,

    y(t)     = (x0 - x2) g0 + p + q        p = (x1 + x2) (g0 + g1 + g2) / 2
    y(t + d) = p - q + (x3 - x1) g2        q = (x2 - x1) (g0 - g1 + g2) / 2

Three products of inputs known at t and one at t + d replace six. Of every 2d samples, the first half computes three and
keeps p - q, and the second half computes one. The sums differ only by rounding, but that is enough for a stream to draw
other samples.
"""

from __future__ import annotations

from collections.abc import Generator
from typing import Protocol, TypeAlias

import numpy as np

from nsynth_core.audio import Floats
from nsynth_core.lazy import tf
from nsynth_core.wavenet.checkpoint import DILATIONS
from nsynth_core.wavenet.products import packed, product

BLOCK = 16

Known: TypeAlias = "list[tf.Tensor]"
Turn: TypeAlias = "Generator[Known, list[tf.Tensor], None]"


class Convolution(Protocol):
    """The convolutions of `count` streams. Their state is in `variables`, which are zero at time 0."""

    variables: list[tf.Variable]

    def turn(self, block: tf.Tensor, conditions: list[tf.Tensor]) -> Turn:
        """One block. Before each sample it yields what is known, and is sent the inputs of the layers at this sample.
        At the end it yields an empty list. `conditions` (count, outputs) are added to each layer."""

    def layer(self, layer: int, x: tf.Tensor, known: Known) -> tf.Tensor:
        """The output (count, outputs) of a layer at a sample, from its input `x` (count, width) and what is known."""


class Direct:
    """Tap by tap, with the past taps computed ahead. `taps` (3, width, outputs) of each layer."""

    def __init__(self, taps: list[Floats], count: int, kind: tf.DType):
        self.count, self.width = count, taps[0].shape[1]
        rows = [count * min(d, BLOCK) for d in DILATIONS]
        self._past = [[packed(tap, n, kind) for tap in past] for (*past, _), n in zip(taps, rows, strict=True)]
        self._present = [packed(present, count, kind) for *_, present in taps]
        self.variables = [
            tf.Variable(tf.zeros((max(1, 2 * d // BLOCK), BLOCK, count, self.width), kind), name=f"ring{i}")
            for i, d in enumerate(DILATIONS)
        ]

    def turn(self, block: tf.Tensor, conditions: list[tf.Tensor]) -> Turn:
        rings = self.variables
        rows = [[] if d >= BLOCK else tf.unstack(ring[0]) for d, ring in zip(DILATIONS, rings, strict=True)]
        past: list[list[tf.Tensor]] = [[]] * len(rings)
        for j in range(BLOCK):
            for i, d in enumerate(DILATIONS):
                if d >= BLOCK and j == 0:
                    slots = 2 * d // BLOCK
                    older, newer = (tf.gather(rings[i], (block + s) % slots) for s in (0, slots // 2))
                    past[i] = self._ahead(i, older, newer, conditions[i])
                elif j % d == 0:
                    past[i] = self._ahead(i, tf.stack(rows[i][-2 * d : -d]), tf.stack(rows[i][-d:]), conditions[i])
            inputs = yield [past[i][j % min(d, BLOCK)] for i, d in enumerate(DILATIONS)]
            for row, x in zip(rows, inputs, strict=True):
                row.append(x)
        for row, ring in zip(rows, rings, strict=True):
            ring.scatter_update(tf.IndexedSlices(tf.stack(row[-BLOCK:])[None], (block % ring.shape[0])[None]))
        yield []

    def _ahead(self, layer: int, older: tf.Tensor, newer: tf.Tensor, condition: tf.Tensor) -> list[tf.Tensor]:
        """The sum of the two past taps and the conditioning for the next samples, as many as there are rows."""
        first, second = self._past[layer]
        flat = (-1, self.width)
        z = product(tf.reshape(older, flat), first) + product(tf.reshape(newer, flat), second)
        ahead: list[tf.Tensor] = tf.unstack(tf.reshape(z, (newer.shape[0], self.count, -1)) + condition)
        return ahead

    def layer(self, layer: int, x: tf.Tensor, known: Known) -> tf.Tensor:
        return product(x, self._present[layer]) + known[layer]


class Paired:
    """In pairs of samples that are a dilation apart. `taps` as in `Direct`."""

    def __init__(self, taps: list[Floats], count: int, kind: tf.DType):
        self._filters = [[packed(filter_, count, kind) for filter_ in _transformed(three)] for three in taps]
        width, outputs = taps[0].shape[1:]
        self._inputs = [
            tf.Variable(tf.zeros((2 * d, count, width), kind), name=f"ring{i}") for i, d in enumerate(DILATIONS)
        ]
        self._kept = [tf.Variable(tf.zeros((d, count, outputs)), name=f"kept{i}") for i, d in enumerate(DILATIONS)]
        self.variables = [*self._inputs, *self._kept]

    def turn(self, block: tf.Tensor, conditions: list[tf.Tensor]) -> Turn:
        for j in range(BLOCK):
            yield [BLOCK * block + j, *conditions]
        yield []

    def layer(self, layer: int, x: tf.Tensor, known: Known) -> tf.Tensor:
        time, condition, d = known[0], known[1 + layer], DILATIONS[layer]
        first, sum_, difference, last = self._filters[layer]
        inputs, kept = self._inputs[layer], self._kept[layer]
        slot, place = time % (2 * d), time % d
        older = tf.gather(inputs, slot)  # 2d ago

        def earlier() -> tf.Tensor:
            newer = tf.gather(inputs, slot + d)
            p, q = product(newer + x, sum_), product(x - newer, difference)
            kept.scatter_update(tf.IndexedSlices(p - q, place))
            return tf.add_n([product(older - x, first), p, q, condition])

        def later() -> tf.Tensor:
            return tf.add_n([product(x - older, last), tf.gather(kept, place), condition])

        y = tf.ensure_shape(tf.cond(slot < d, earlier, later), condition.shape)
        inputs.scatter_update(tf.IndexedSlices(x, slot))
        return y


def _transformed(taps: Floats) -> list[Floats]:
    """The four filters of a pair from three taps, each rounded once."""
    g0, g1, g2 = taps.astype(np.float64)
    return [np.asarray(filter_, dtype=np.float32) for filter_ in (g0, (g0 + g1 + g2) / 2, (g0 - g1 + g2) / 2, g2)]
