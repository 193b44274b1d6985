"""The incremental decoder: many streams at once, with BLOCK samples in each turn of one compiled loop.

`convolution` computes the convolution of each layer in one of two ways. One more product for each sample leads to the
next layer and to the sum of the skips; their filters are side by side. The caller gives the conditioning once a frame.
The thirtieth residual of the published network has no effect and is left out.

The samples of a stream do not depend on how many others run with it (`products` says why). They do depend on how the
convolutions are computed: sooner or later their rounding leads to another class.

With the precision bfloat16, filters, their inputs and the results of products are rounded to 8 bits of mantissa. All
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

CALL = 64  # samples in one call of the loop, which Ctrl-C has to wait for

Choose: TypeAlias = "Callable[[tf.Tensor, tf.Tensor, int], tf.Tensor]"
State = dict[str, NDArray[np.generic]]


class Streams:
    """Streams of one network, at time 0.

    count: of streams, `products.LEAST` or more
    samples: the most that can be generated
    precision: one of PRECISIONS
    wide: True computes convolutions in pairs, which is faster for many streams
    The state is in TensorFlow variables, so that nothing is copied between calls. `state` and `restore` move it to
    another process.
    """

    def __init__(self, weights: Weights, count: int, samples: int, precision: str = PRECISIONS[0], wide: bool = False):
        self.count, self.width, self.skip = count, weights.width, weights.skip
        self._kind = tf.as_dtype(precision)
        self._prepare(weights, Paired if wide else Direct)
        self._input = tf.Variable(tf.zeros((count, 3)), name="input")
        self._drawn = tf.Variable(tf.zeros((-(-samples // BLOCK), BLOCK, count), tf.uint8), name="drawn")
        self._block = tf.Variable(0, name="block")
        # traced once for any number of blocks
        conditioning = tf.TensorSpec((count, self._outputs * LAYERS + self.skip), tf.float32)
        uniforms, classes = (tf.TensorSpec((None, BLOCK, count), kind) for kind in (tf.float64, tf.int32))
        self._draw = tf.function(self._run_drawing, autograph=False, input_signature=(conditioning, uniforms))
        self._follow = tf.function(self._run_following, autograph=False, input_signature=(conditioning, classes))
        # called, not inlined: as fast, with a sixteenth of the graph, which compiles in half the time
        self._sample = tf.function(self._one_sample, autograph=False, experimental_attributes={"_noinline": True})
        self._condition = tf.function(self._conditioning, autograph=False)

    def _prepare(self, weights: Weights, convolution: type[Direct] | type[Paired]) -> None:
        """Arrange the filters for the loop. Since sigmoid(x) = (tanh(x / 2) + 1) / 2, both halves of a gate take one
        tanh."""
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
        # the last layer has only a skip, and the input of the first layer has one too
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
        """What the encoding (count, latent) of a frame adds to each layer, for `draw` and `follow`."""
        return self._condition(tf.constant(encoding))

    def draw(self, conditioning: tf.Tensor, uniforms: NDArray[np.float64]) -> None:
        """Generate a sample for each row of `uniforms` (k * BLOCK, count) in [0, 1), by inverting the distribution."""
        self._draw(conditioning, tf.constant(uniforms.reshape(-1, BLOCK, self.count)))

    def follow(self, conditioning: tf.Tensor, classes: NDArray[np.int32]) -> Floats:
        """Take `classes` (k * BLOCK, count) as samples. Returns the probabilities (k * BLOCK, count, 256) of each."""
        given_classes = tf.constant(classes.reshape(-1, BLOCK, self.count))
        probabilities: Floats = self._follow(conditioning, given_classes).numpy()
        return probabilities.reshape(-1, self.count, CLASSES)

    def classes(self) -> NDArray[np.uint8]:
        """The classes generated so far, uint8 (done, count)."""
        drawn: NDArray[np.uint8] = self._drawn[: int(self._block)].numpy()
        return drawn.reshape(-1, self.count)

    def _variables(self) -> list[tf.Variable]:
        return [*self._convolution.variables, self._input, self._drawn, self._block]

    def state(self) -> State:
        """All that changes, for `restore`."""
        # bfloat16 as its bits, because NumPy's files have no such type
        arrays = {variable.name.partition(":")[0]: variable.numpy() for variable in self._variables()}
        return {name: array.view(np.uint16) if array.dtype == _bfloat16() else array for name, array in arrays.items()}

    def restore(self, state: State) -> None:
        """Return to where `state` was taken, bit by bit."""
        for variable in self._variables():
            array = state[variable.name.partition(":")[0]]
            variable.assign(array.view(_bfloat16()) if variable.dtype == tf.bfloat16 else array)

    def reset(self) -> None:
        """Return to time 0."""
        for variable in self._variables():
            variable.assign(tf.zeros_like(variable))

    def _conditioning(self, encoding: tf.Tensor) -> tf.Tensor:
        return tf.matmul(encoding, self._map) + self._map_bias

    def _run_drawing(self, conditioning: tf.Tensor, uniforms: tf.Tensor) -> None:
        def choose(block: tf.Tensor, probabilities: tf.Tensor, j: int) -> tf.Tensor:
            below = tf.cast(tf.cumsum(probabilities, 1), tf.float64) < uniforms[block, j][:, None]
            # in float32 the distribution may end below 1: a class beyond the last becomes the last
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
    """The NumPy type that TensorFlow adds."""
    kind: type = tf.bfloat16.as_numpy_dtype
    return kind
