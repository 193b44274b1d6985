"""The incremental decoder: many streams at once, BLOCK samples a turn of one compiled loop.

A layer of dilation d sees its own input d and 2d samples ago. Both are known min(d, BLOCK) samples ahead, so these two
thirds of its filter are applied to that many samples in one product: the filter is read from memory once a block, not
once a sample, and the sum is the same. What remains a sample is one product with the present tap and one with the
residual filter; the skips of all layers are one product at the end. Conditioning comes ready from the caller, once a
frame. The published network's thirtieth residual changes nothing and is left out.

Sums must not depend on how many streams run together, or a seed would give another sound in another batch (one last
bit, once, and a stream goes another way). Products of at least two rows over one filter tap have this property in
TensorFlow on x86 (oneDNN adds up in one order whatever the rows, and whatever blocks of columns it is asked for);
products over two taps at once and of a single row do not. Hence a tap a product, and at least two streams.

Few rows wait for the filter to come from memory, which is faster where each block of columns lies together than row by
row, a page apart. So filters that meet few rows are kept as blocks of columns.

With `precision` bfloat16 filters, their inputs and what a product gives are rounded to 8 bits of mantissa; everything
else (sums of products, gates, the residual stream, the last two layers) stays in float32.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from nsynth_core.audio import Floats
from nsynth_core.wavenet.checkpoint import DILATIONS, LAYERS, Weights
from nsynth_core.wavenet.mulaw import CLASSES, HALF
from nsynth_core.wavenet.options import PRECISIONS

BLOCK = 16
COLUMNS = 64  # of a block of a filter; half as many where few rows meet it and all the time goes into reading
FEW_ROWS, FEW_COLUMNS = 16, 32
CALL = 64  # samples a call into the loop: what Ctrl-C waits for
LEAST = 2  # streams, see above

Choose = Callable[[tf.Tensor, tf.Tensor, int], tf.Tensor]
State = dict[str, NDArray[np.generic]]
BFLOAT16 = tf.bfloat16.as_numpy_dtype


class Streams:
    """`count` streams (at least LEAST) of one network, at time 0 with an empty past; room for `samples` samples.
    `precision` is one of PRECISIONS.

    Its state are TensorFlow variables, so that nothing is copied between calls: `state` and `restore` carry it over to
    another process.
    """

    def __init__(self, weights: Weights, count: int, samples: int, precision: str = PRECISIONS[0]):
        self.count, self.width, self.skip = count, weights.width, weights.skip
        self._kind = tf.as_dtype(precision)
        self._prepare(weights)
        self._rings = [
            tf.Variable(tf.zeros((max(1, 2 * d // BLOCK), BLOCK, count, self.width), self._kind), name=f"ring{i}")
            for i, d in enumerate(DILATIONS)
        ]
        self._input = tf.Variable(tf.zeros((count, 3)), name="input")
        self._drawn = tf.Variable(tf.zeros((-(-samples // BLOCK), BLOCK, count), tf.uint8), name="drawn")
        self._block = tf.Variable(0, name="block")
        # one trace for any number of blocks
        conditioning = tf.TensorSpec((count, 2 * self.width * LAYERS + self.skip), tf.float32)
        uniforms, classes = (tf.TensorSpec((None, BLOCK, count), kind) for kind in (tf.float64, tf.int32))
        self._draw = tf.function(self._run_drawing, autograph=False, input_signature=(conditioning, uniforms))
        self._follow = tf.function(self._run_following, autograph=False, input_signature=(conditioning, classes))
        # called, not inlined: the same speed, and a graph a sixteenth the size is ready in half the time
        self._sample = tf.function(self._one_sample, autograph=False, experimental_attributes={"_noinline": True})
        self._condition = tf.function(self._conditioning, autograph=False)

    def _prepare(self, weights: Weights) -> None:
        """Filters as the loop wants them. sigmoid(x) = (tanh(x / 2) + 1) / 2: both halves of a gate become one tanh."""
        arrays, width = weights.arrays, weights.width
        halved = np.repeat(np.asarray([0.5, 1], dtype=np.float32), width)

        def filters(scope: str, taps: slice = slice(None)) -> list[tf.Tensor]:
            return [tf.constant(tap) for tap in arrays[f"{scope}/W"][0, taps]]

        def bias(scope: str) -> Floats:
            return arrays[f"{scope}/biases"]

        layers = range(1, LAYERS + 1)
        taps = [[tap * halved for tap in arrays[f"dilatedconv_{i}/W"][0]] for i in layers]
        self._past = [
            [self._filter(tap, d < BLOCK) for tap in past] for (*past, _), d in zip(taps, DILATIONS, strict=True)
        ]
        self._present = [self._filter(present) for *_, present in taps]
        self._res = [self._filter(arrays[f"res_{i}/W"][0, 0] * np.float32(0.5)) for i in layers[:-1]]
        self._res_bias = [tf.constant(bias(f"res_{i}")) for i in layers[:-1]]
        self._start, self._start_bias = tf.constant(arrays["startconv/W"][0, :, 0]), tf.constant(bias("startconv"))
        skips = [arrays[f"skip_{i}/W"][0, 0] * np.float32(0.5) for i in layers]
        self._skip = self._filter(np.concatenate([arrays["skip_start/W"][0, 0], *skips]))
        self._skip_bias = tf.constant(np.sum([bias("skip_start"), *(bias(f"skip_{i}") for i in layers)], axis=0))
        (self._out,), (self._logits,) = filters("out1"), filters("logits")
        self._logits_bias = tf.constant(bias("logits"))
        maps = [arrays[f"cond_map_{i}/W"][0, 0] * halved for i in layers]
        self._map = tf.constant(np.concatenate([*maps, arrays["cond_map_out1/W"][0, 0]], axis=1))
        offsets = [(bias(f"cond_map_{i}") + bias(f"dilatedconv_{i}")) * halved for i in layers]
        self._map_bias = tf.constant(np.concatenate([*offsets, bias("cond_map_out1") + bias("out1")]))

    def _filter(self, array: Floats, few: bool = True) -> tf.Tensor:
        """A filter for `_product`: (inputs, outputs), or where it meets `few` rows (blocks, inputs, outputs of one)."""
        columns = FEW_COLUMNS if self.count <= FEW_ROWS and self._kind == tf.float32 else COLUMNS
        if few and array.shape[1] % columns == 0:
            array = np.ascontiguousarray(array.reshape(len(array), -1, columns).transpose(1, 0, 2))
        elif few:
            array = array[None]
        return tf.cast(tf.constant(array), self._kind)

    def _product(self, x: tf.Tensor, filter_: tf.Tensor) -> tf.Tensor:
        """`x` (rows, inputs) times a filter, (rows, outputs) in float32."""
        if len(filter_.shape) == 2:
            return tf.cast(tf.matmul(x, filter_), tf.float32)
        blocks = tf.matmul(x[None], filter_)
        y = blocks[0] if filter_.shape[0] == 1 else tf.reshape(tf.transpose(blocks, (1, 0, 2)), (x.shape[0], -1))
        return tf.cast(y, tf.float32)

    @property
    def done(self) -> int:
        """Samples generated so far."""
        return int(self._block) * BLOCK

    def condition(self, encoding: Floats) -> tf.Tensor:
        """What a frame's encoding (count, latent) adds to every layer; for `draw` and `follow`."""
        return self._condition(tf.constant(encoding))

    def draw(self, conditioning: tf.Tensor, uniforms: NDArray[np.float64]) -> None:
        """Generate a sample for every row of `uniforms` (k * BLOCK, count), 0 <= u < 1, by inverting the CDF."""
        self._draw(conditioning, tf.constant(uniforms.reshape(-1, BLOCK, self.count)))

    def follow(self, conditioning: tf.Tensor, classes: NDArray[np.int32]) -> Floats:
        """Take `classes` (k * BLOCK, count) as the samples; the probabilities (k * BLOCK, count, 256) of each."""
        given = tf.constant(classes.reshape(-1, BLOCK, self.count))
        found: Floats = self._follow(conditioning, given).numpy()
        return found.reshape(-1, self.count, CLASSES)

    def classes(self) -> NDArray[np.uint8]:
        """What was drawn so far, (done, count)."""
        drawn: NDArray[np.uint8] = self._drawn[: int(self._block)].numpy()
        return drawn.reshape(-1, self.count)

    def _variables(self) -> list[tf.Variable]:
        return [*self._rings, self._input, self._drawn, self._block]

    def state(self) -> State:
        """Everything that changes, for `restore`."""
        # bfloat16 as its bits: NumPy's files know no such numbers
        arrays = {variable.name.partition(":")[0]: variable.numpy() for variable in self._variables()}
        return {name: array.view(np.uint16) if array.dtype == BFLOAT16 else array for name, array in arrays.items()}

    def restore(self, state: State) -> None:
        """Go on where `state` was taken, bit by bit."""
        for variable in self._variables():
            array = state[variable.name.partition(":")[0]]
            variable.assign(array.view(BFLOAT16) if variable.dtype == tf.bfloat16 else array)

    def reset(self) -> None:
        """Back to time 0."""
        for variable in self._variables():
            variable.assign(tf.zeros_like(variable))

    def _conditioning(self, encoding: tf.Tensor) -> tf.Tensor:
        return tf.matmul(encoding, self._map) + self._map_bias

    def _run_drawing(self, conditioning: tf.Tensor, uniforms: tf.Tensor) -> None:
        def choose(block: tf.Tensor, probabilities: tf.Tensor, j: int) -> tf.Tensor:
            below = tf.cast(tf.cumsum(probabilities, 1), tf.float64) < uniforms[block, j][:, None]
            # in float32 the CDF may end below 1: a class beyond the last is the last
            return tf.minimum(tf.reduce_sum(tf.cast(below, tf.int32), 1), CLASSES - 1)

        self._loop(conditioning, tf.shape(uniforms)[0], choose, [])

    def _run_following(self, conditioning: tf.Tensor, given: tf.Tensor) -> tf.Tensor:
        blocks = tf.shape(given)[0]
        found = tf.TensorArray(tf.float32, blocks, element_shape=(BLOCK, self.count, CLASSES))
        return self._loop(conditioning, blocks, lambda block, _, j: given[block, j], [found])[0].stack()

    def _loop(
        self, conditioning: tf.Tensor, blocks: tf.Tensor, choose: Choose, found: list[tf.TensorArray]
    ) -> list[tf.TensorArray]:
        """The compiled loop. `choose` gives the classes (count,) of a sample; `found` collects what it chose from."""
        *conditions, out_condition = tf.split(conditioning, [2 * self.width] * LAYERS + [self.skip], 1)

        def turn(k: tf.Tensor, block: tf.Tensor, x: tf.Tensor, *found: tf.TensorArray) -> tuple[tf.Tensor, ...]:
            rows = [[] if d >= BLOCK else tf.unstack(ring[0]) for d, ring in zip(DILATIONS, self._rings, strict=True)]
            past: list[list[tf.Tensor]] = [[]] * LAYERS
            classes, probabilities = [], []
            for j in range(BLOCK):
                for i, d in enumerate(DILATIONS):
                    if d >= BLOCK and j == 0:
                        slots = 2 * d // BLOCK
                        older, newer = (tf.gather(self._rings[i], (block + s) % slots) for s in (0, slots // 2))
                        past[i] = self._ahead(i, older, newer, conditions[i])
                    elif j % d == 0:
                        past[i] = self._ahead(i, tf.stack(rows[i][-2 * d : -d]), tf.stack(rows[i][-d:]), conditions[i])
                inputs, p = self._sample(
                    x, [past[i][j % min(d, BLOCK)] for i, d in enumerate(DILATIONS)], out_condition
                )
                for row, seen in zip(rows, inputs, strict=True):
                    row.append(seen)
                c = choose(k, p, j)
                x = tf.concat([x[:, 1:], tf.cast(c - HALF, tf.float32)[:, None] / HALF], 1)
                classes.append(tf.cast(tf.minimum(c, CLASSES - 1), tf.uint8))
                probabilities.append(p)
            for row, ring in zip(rows, self._rings, strict=True):
                ring.scatter_update(tf.IndexedSlices(tf.stack(row[-BLOCK:])[None], (block % ring.shape[0])[None]))
            self._drawn.scatter_update(tf.IndexedSlices(tf.stack(classes)[None], block[None]))
            return (k + 1, block + 1, x, *(array.write(k, tf.stack(probabilities)) for array in found))

        start = (0, self._block.read_value(), self._input.read_value(), *found)
        _, block, x, *collected = tf.while_loop(lambda k, *_: k < blocks, turn, start, parallel_iterations=1)
        self._block.assign(block)
        self._input.assign(x)
        results: list[tf.TensorArray] = collected
        return results

    def _ahead(self, layer: int, older: tf.Tensor, newer: tf.Tensor, condition: tf.Tensor) -> list[tf.Tensor]:
        """What a layer's two past taps and its conditioning give for the next samples, as many as there are rows."""
        first, second = self._past[layer]
        flat = (-1, self.width)
        z = self._product(tf.reshape(older, flat), first) + self._product(tf.reshape(newer, flat), second)
        ahead: list[tf.Tensor] = tf.unstack(tf.reshape(z, (newer.shape[0], self.count, -1)) + condition)
        return ahead

    def _one_sample(
        self, x: tf.Tensor, past: list[tf.Tensor], out_condition: tf.Tensor
    ) -> tuple[list[tf.Tensor], tf.Tensor]:
        """Every layer's input at this sample, and the probabilities (count, 256) of the sample's class."""
        l = tf.matmul(x, self._start) + self._start_bias  # noqa: E741 (the literature's name)
        inputs, seen = [], [tf.cast(l, self._kind)]
        for i in range(LAYERS):
            inputs.append(tf.cast(l, self._kind))
            gates = tf.tanh(self._product(inputs[-1], self._present[i]) + past[i])
            seen.append(tf.cast((gates[:, : self.width] + 1) * gates[:, self.width :], self._kind))
            if i < LAYERS - 1:
                l += self._product(seen[-1], self._res[i]) + self._res_bias[i]  # noqa: E741
        s = tf.nn.relu(self._product(tf.concat(seen, 1), self._skip) + self._skip_bias)
        h = tf.nn.relu(tf.matmul(s, self._out) + out_condition)
        return inputs, tf.nn.softmax(tf.matmul(h, self._logits) + self._logits_bias)
