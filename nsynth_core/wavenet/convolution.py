"""The dilated convolutions of all layers, BLOCK samples at a time: by their definition, or with a third fewer products.

A layer of dilation d sees its own input at times t - 2d, t - d and t through the taps g0, g1 and g2 of its filter.

`Direct` is for few streams, which wait for filters to come from memory. Both past inputs are known min(d, BLOCK)
samples ahead, so these two thirds of a filter are applied to that many samples in one product: the filter is read once
a block, not once a sample, and the sum is the same.

`Paired` is for many streams, which wait for the arithmetic. Two samples d apart share products (Winograd's F(2, 3):
The Arithmetic Complexity of Computations, 1980): with the inputs x0 ... x3 at t - 2d ... t + d

    y(t)     = (x0 - x2) g0 + p + q        p = (x1 + x2) (g0 + g1 + g2) / 2
    y(t + d) = p - q + (x3 - x1) g2        q = (x2 - x1) (g0 - g1 + g2) / 2

so that three products, of what is known at t, and one at t + d stand for six. The first half of every 2d samples takes
three and keeps p - q, the second takes one. The sums are the same but for rounding, which is enough to send a stream
another way.
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
    """The convolutions of `count` streams. What changes is in `variables`, all zero at time 0."""

    variables: list[tf.Variable]

    def turn(self, block: tf.Tensor, conditions: list[tf.Tensor]) -> Turn:
        """One block: yields what is known before each sample, is sent the layers' inputs at it, and at last yields
        nothing. `conditions` (count, outputs) are added to each layer."""

    def layer(self, layer: int, x: tf.Tensor, known: Known) -> tf.Tensor:
        """One layer's output (count, outputs) at a sample from its input `x` (count, width) and what is known."""


class Direct:
    """Tap by tap, the past ones ahead. `taps` (3, width, outputs) of each layer."""

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
            for row, seen in zip(rows, inputs, strict=True):
                row.append(seen)
        for row, ring in zip(rows, rings, strict=True):
            ring.scatter_update(tf.IndexedSlices(tf.stack(row[-BLOCK:])[None], (block % ring.shape[0])[None]))
        yield []

    def _ahead(self, layer: int, older: tf.Tensor, newer: tf.Tensor, condition: tf.Tensor) -> list[tf.Tensor]:
        """What a layer's two past taps and its conditioning give for the next samples, as many as there are rows."""
        first, second = self._past[layer]
        flat = (-1, self.width)
        z = product(tf.reshape(older, flat), first) + product(tf.reshape(newer, flat), second)
        ahead: list[tf.Tensor] = tf.unstack(tf.reshape(z, (newer.shape[0], self.count, -1)) + condition)
        return ahead

    def layer(self, layer: int, x: tf.Tensor, known: Known) -> tf.Tensor:
        return product(x, self._present[layer]) + known[layer]


class Paired:
    """In pairs of samples a dilation apart. `taps` as of `Direct`."""

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
        here, place = time % (2 * d), time % d
        older = tf.gather(inputs, here)  # 2d ago

        def earlier() -> tf.Tensor:
            newer = tf.gather(inputs, here + d)
            p, q = product(newer + x, sum_), product(x - newer, difference)
            kept.scatter_update(tf.IndexedSlices(p - q, place))
            return tf.add_n([product(older - x, first), p, q, condition])

        def later() -> tf.Tensor:
            return tf.add_n([product(x - older, last), tf.gather(kept, place), condition])

        y = tf.ensure_shape(tf.cond(here < d, earlier, later), condition.shape)
        inputs.scatter_update(tf.IndexedSlices(x, here))
        return y


def _transformed(taps: Floats) -> list[Floats]:
    """The four filters of a pair for three taps, rounded once."""
    g0, g1, g2 = taps.astype(np.float64)
    return [np.asarray(each, dtype=np.float32) for each in (g0, (g0 + g1 + g2) / 2, (g0 - g1 + g2) / 2, g2)]
