"""The incremental decoder: many streams at once, BLOCK samples a turn of one compiled loop.

Each layer's convolution is done by `convolution`, in one of two ways. What remains a sample is one product with the
filters that lead to the next layer and to the sum of the skips, which lie side by side. Conditioning comes ready from
the caller, once a frame. The published network's thirtieth residual changes nothing and is left out.

A stream's samples do not depend on how many run beside it (`products` says why), but on how the convolutions are done:
their rounding sooner or later chooses another class.

With `precision` bfloat16 filters, their inputs and what a product gives are rounded to 8 bits of mantissa; everything
else (sums of products, gates, the residual stream, the last two layers) stays in float32.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from nsynth_core.audio import Floats
from nsynth_core.lazy import tf
from nsynth_core.wavenet import products
from nsynth_core.wavenet.checkpoint import LAYERS, Weights
from nsynth_core.wavenet.convolution import BLOCK, Convolution, Direct, Paired
from nsynth_core.wavenet.mulaw import CLASSES, HALF
from nsynth_core.wavenet.options import PRECISIONS
from nsynth_core.wavenet.products import packed, product

CALL = 64  # samples a call into the loop: what Ctrl-C waits for

Choose: TypeAlias = "Callable[[tf.Tensor, tf.Tensor, int], tf.Tensor]"
State = dict[str, NDArray[np.generic]]


class Streams:
    """`count` streams (at least `products.LEAST`) of one network, at time 0 with an empty past; room for `samples`
    samples. `precision` is one of PRECISIONS; `wide` does the convolutions in pairs, which is for many streams.

    Its state are TensorFlow variables, so that nothing is copied between calls: `state` and `restore` carry it over to
    another process.
    """

    def __init__(self, weights: Weights, count: int, samples: int, precision: str = PRECISIONS[0], wide: bool = False):
        self.count, self.width, self.skip = count, weights.width, weights.skip
        self._kind = tf.as_dtype(precision)
        self._prepare(weights, Paired if wide else Direct)
        self._input = tf.Variable(tf.zeros((count, 3)), name="input")
        self._drawn = tf.Variable(tf.zeros((-(-samples // BLOCK), BLOCK, count), tf.uint8), name="drawn")
        self._block = tf.Variable(0, name="block")
        # one trace for any number of blocks
        conditioning = tf.TensorSpec((count, self._outputs * LAYERS + self.skip), tf.float32)
        uniforms, classes = (tf.TensorSpec((None, BLOCK, count), kind) for kind in (tf.float64, tf.int32))
        self._draw = tf.function(self._run_drawing, autograph=False, input_signature=(conditioning, uniforms))
        self._follow = tf.function(self._run_following, autograph=False, input_signature=(conditioning, classes))
        # called, not inlined: the same speed, and a graph a sixteenth the size is ready in half the time
        self._sample = tf.function(self._one_sample, autograph=False, experimental_attributes={"_noinline": True})
        self._condition = tf.function(self._conditioning, autograph=False)

    def _prepare(self, weights: Weights, convolution: type[Direct] | type[Paired]) -> None:
        """Filters as the loop wants them. sigmoid(x) = (tanh(x / 2) + 1) / 2: both halves of a gate become one tanh."""
        arrays, layers, half = weights.arrays, range(1, LAYERS + 1), np.float32(0.5)
        halved = np.repeat(np.asarray([0.5, 1], dtype=np.float32), weights.width)
        idle = products.idle(2 * weights.width, self.count)
        self._outputs = 2 * weights.width + idle

        def gates(array: Floats) -> Floats:
            return np.pad(array * halved, [(0, 0)] * (array.ndim - 1) + [(0, idle)])

        def filter_(scope: str) -> Floats:
            array: Floats = arrays[f"{scope}/W"][0, 0]
            return array

        def bias(scope: str) -> Floats:
            return arrays[f"{scope}/biases"]

        taps = [gates(arrays[f"dilatedconv_{i}/W"][0]) for i in layers]
        self._convolution: Convolution = convolution(taps, self.count, self._kind)
        self._start, self._start_bias = tf.constant(arrays["startconv/W"][0, :, 0]), tf.constant(bias("startconv"))
        onward = [np.concatenate([filter_(f"res_{i}"), filter_(f"skip_{i}")], 1) * half for i in layers[:-1]]
        # of the last layer only its skip, and of the first's input itself
        self._skip_start, *self._onward, self._skip_last = (
            packed(array, self.count, self._kind)
            for array in (filter_("skip_start"), *onward, filter_(f"skip_{LAYERS}") * half)
        )
        self._onward_bias = [tf.constant(np.concatenate([bias(f"res_{i}"), bias(f"skip_{i}")])) for i in layers[:-1]]
        self._skip_bias = tf.constant(bias("skip_start") + bias(f"skip_{LAYERS}"))
        self._out, self._logits = tf.constant(filter_("out1")), tf.constant(filter_("logits"))
        self._logits_bias = tf.constant(bias("logits"))
        maps = [gates(filter_(f"cond_map_{i}")) for i in layers]
        self._map = tf.constant(np.concatenate([*maps, filter_("cond_map_out1")], axis=1))
        offsets = [gates(bias(f"cond_map_{i}") + bias(f"dilatedconv_{i}")) for i in layers]
        self._map_bias = tf.constant(np.concatenate([*offsets, bias("cond_map_out1") + bias("out1")]))

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
        blocks_ = tf.constant(classes.reshape(-1, BLOCK, self.count))
        probabilities: Floats = self._follow(conditioning, blocks_).numpy()
        return probabilities.reshape(-1, self.count, CLASSES)

    def classes(self) -> NDArray[np.uint8]:
        """What was drawn so far, (done, count)."""
        drawn: NDArray[np.uint8] = self._drawn[: int(self._block)].numpy()
        return drawn.reshape(-1, self.count)

    def _variables(self) -> list[tf.Variable]:
        return [*self._convolution.variables, self._input, self._drawn, self._block]

    def state(self) -> State:
        """Everything that changes, for `restore`."""
        # bfloat16 as its bits: NumPy's files know no such numbers
        arrays = {variable.name.partition(":")[0]: variable.numpy() for variable in self._variables()}
        return {name: array.view(np.uint16) if array.dtype == _bfloat16() else array for name, array in arrays.items()}

    def restore(self, state: State) -> None:
        """Go on where `state` was taken, bit by bit."""
        for variable in self._variables():
            array = state[variable.name.partition(":")[0]]
            variable.assign(array.view(_bfloat16()) if variable.dtype == tf.bfloat16 else array)

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

    def _run_following(self, conditioning: tf.Tensor, classes: tf.Tensor) -> tf.Tensor:
        blocks = tf.shape(classes)[0]
        array = tf.TensorArray(tf.float32, blocks, element_shape=(BLOCK, self.count, CLASSES))
        return self._loop(conditioning, blocks, lambda block, _, j: classes[block, j], [array])[0].stack()

    def _loop(
        self, conditioning: tf.Tensor, blocks: tf.Tensor, choose: Choose, chosen_from: list[tf.TensorArray]
    ) -> list[tf.TensorArray]:
        """The compiled loop. `choose` gives the classes (count,) of a sample. `chosen_from` collects their
        probabilities."""
        *conditions, out_condition = tf.split(conditioning, [self._outputs] * LAYERS + [self.skip], 1)

        def turn(k: tf.Tensor, block: tf.Tensor, x: tf.Tensor, *chosen_from: tf.TensorArray) -> tuple[tf.Tensor, ...]:
            convolving = self._convolution.turn(block, conditions)
            known = next(convolving)
            classes, probabilities = [], []
            for j in range(BLOCK):
                inputs, p = self._sample(x, known, out_condition)
                known = convolving.send(inputs)
                c = choose(k, p, j)
                x = tf.concat([x[:, 1:], tf.cast(c - HALF, tf.float32)[:, None] / HALF], 1)
                classes.append(tf.cast(tf.minimum(c, CLASSES - 1), tf.uint8))
                probabilities.append(p)
            self._drawn.scatter_update(tf.IndexedSlices(tf.stack(classes)[None], block[None]))
            return (k + 1, block + 1, x, *(array.write(k, tf.stack(probabilities)) for array in chosen_from))

        start = (0, self._block.read_value(), self._input.read_value(), *chosen_from)
        _, block, x, *collected = tf.while_loop(lambda k, *_: k < blocks, turn, start, parallel_iterations=1)
        self._block.assign(block)
        self._input.assign(x)
        results: list[tf.TensorArray] = collected
        return results

    def _one_sample(
        self, x: tf.Tensor, known: list[tf.Tensor], out_condition: tf.Tensor
    ) -> tuple[list[tf.Tensor], tf.Tensor]:
        """Every layer's input at this sample, and the probabilities (count, 256) of the sample's class."""
        width = self.width
        l = tf.matmul(x, self._start) + self._start_bias  # noqa: E741 (the literature's name)
        skip = product(tf.cast(l, self._kind), self._skip_start) + self._skip_bias
        both, inputs = tf.concat([l, skip], 1), []
        for i in range(LAYERS):
            inputs.append(tf.cast(both[:, :width], self._kind))
            gates = tf.tanh(self._convolution.layer(i, inputs[-1], known))
            sigmoid, tanh, _ = tf.split(gates, [width, width, self._outputs - 2 * width], 1)
            gated = tf.cast((sigmoid + 1) * tanh, self._kind)
            if i < LAYERS - 1:
                both += tf.nn.bias_add(product(gated, self._onward[i]), self._onward_bias[i])
        s = tf.nn.relu(both[:, width:] + product(gated, self._skip_last))
        h = tf.nn.relu(tf.matmul(s, self._out) + out_condition)
        return inputs, tf.nn.softmax(tf.matmul(h, self._logits) + self._logits_bias)


def _bfloat16() -> type:
    """NumPy has no such type of its own."""
    kind: type = tf.bfloat16.as_numpy_dtype
    return kind
