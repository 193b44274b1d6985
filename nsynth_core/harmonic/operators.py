"""TensorFlow Lite's operators in NumPy: those of which the shipped networks are made, in float32.

Each takes the values of its inputs and its options, and gives the value of its output. What an operator can do beyond
what these networks use is refused with BadGraph.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from nsynth_core.harmonic.tflite import MOST_ELEMENTS, Array, BadGraph

Options = Mapping[str, int]
SAME, VALID = 0, 1  # the paddings of a convolution
# erfc(z) = (a1 t + ... + a5 t^5) exp(-z^2), t = 1 / (1 + p z), off by 1.5e-7 at most; a5 comes first here
_ERF_P = 0.3275911
_ERF_A = (1.061405429, -1.453152027, 1.421413741, -0.284496736, 0.254829592)


def gelu(x: Array) -> Array:
    """x * Phi(x) of float32 `x`, where Phi is the exact normal distribution (Hendrycks & Gimpel 2016), by erf.

    erf is formula 7.1.26 of Abramowitz and Stegun (1964). The result is within 4e-7 of the exact one for every x; with
    SciPy's erf, rounded to float32 in between, it is within 5e-7 and takes three times as long.

    >>> gelu(np.float32([-1, 0, 1])).round(4).tolist() == np.float32([-0.1587, 0, 0.8413]).tolist()
    True
    """
    size = np.abs(x)
    t = size * np.float32(_ERF_P * math.sqrt(0.5))
    t += 1
    np.reciprocal(t, out=t)
    tail = t * np.float32(_ERF_A[0] / 2)  # becomes the weight of the normal distribution beyond |x|
    for coefficient in _ERF_A[1:]:
        tail += np.float32(coefficient / 2)
        tail *= t
    np.multiply(x, x, out=t)
    t *= np.float32(-0.5)
    np.exp(t, out=t)
    tail *= t
    tail *= size
    np.maximum(x, 0, out=t)
    t -= tail
    return np.asarray(t)


def _add(inputs: Sequence[Array], options: Options) -> Array:
    return np.add(*inputs)


def _sub(inputs: Sequence[Array], options: Options) -> Array:
    return np.subtract(*inputs)


def _mul(inputs: Sequence[Array], options: Options) -> Array:
    return np.multiply(*inputs)


def _neg(inputs: Sequence[Array], options: Options) -> Array:
    return np.negative(inputs[0])


def _squared_difference(inputs: Sequence[Array], options: Options) -> Array:
    difference = np.subtract(*inputs)
    return np.multiply(difference, difference, out=difference)


def _rsqrt(inputs: Sequence[Array], options: Options) -> Array:
    return np.asarray(1 / np.sqrt(inputs[0]))


def _gelu(inputs: Sequence[Array], options: Options) -> Array:
    if options["approximate"]:
        raise BadGraph("the approximate GELU is not known here")
    return gelu(inputs[0])


def _dequantize(inputs: Sequence[Array], options: Options) -> Array:
    return inputs[0].astype(np.float32)


def _mean(inputs: Sequence[Array], options: Options) -> Array:
    x, axes = inputs
    return np.asarray(x.mean(_axes(axes), keepdims=bool(options["keep_dims"])))


def _sum(inputs: Sequence[Array], options: Options) -> Array:
    x, axes = inputs
    return np.asarray(x.sum(_axes(axes), keepdims=bool(options["keep_dims"])))


def _fully_connected(inputs: Sequence[Array], options: Options) -> Array:
    """x (N, K), weights (M, K), bias (M,) → (N, M)."""
    x, weights = inputs[:2]
    if options["weights_format"] or x.ndim != 2:
        raise BadGraph("weights of another format than rows are not known here")
    out = x @ weights.T
    if len(inputs) > 2:
        out += inputs[2]
    return np.asarray(out)


def _conv_2d(inputs: Sequence[Array], options: Options) -> Array:
    """x (N, H, W, C), filters (M, h, w, C), bias (M,) → (N, H', W', M): one product over all taps."""
    x, filters = inputs[:2]
    steps = [options[name] for name in ("stride_h", "stride_w", "dilation_h", "dilation_w")]
    if steps != [1, 1, 1, 1]:
        raise BadGraph("a convolution with strides or dilation is not known here")
    count, *taps, channels = filters.shape
    if options["padding"] == SAME:
        x = _padded(x, [(0, 0), *(((size - 1) // 2, size // 2) for size in taps), (0, 0)])
    if x.ndim != 4 or x.shape[3] != channels:
        raise BadGraph("damaged: a convolution's input has another number of channels than its filters")
    windows = sliding_window_view(x, taps, axis=(1, 2)).transpose(0, 1, 2, 4, 5, 3)  # (N, H', W', h, w, C)
    rows = windows.reshape(-1, math.prod(filters.shape[1:]))
    out = rows @ filters.reshape(count, -1).T
    if len(inputs) > 2:
        out += inputs[2]
    return np.asarray(out.reshape(*windows.shape[:3], count))


def _batch_matmul(inputs: Sequence[Array], options: Options) -> Array:
    x, y = inputs
    x = x.swapaxes(-1, -2) if options["adjoint_x"] else x
    y = y.swapaxes(-1, -2) if options["adjoint_y"] else y
    return np.asarray(x @ y)


def _shape(inputs: Sequence[Array], options: Options) -> Array:
    return np.asarray(inputs[0].shape, dtype=np.int32)


def _reshape(inputs: Sequence[Array], options: Options) -> Array:
    return inputs[0].reshape(_integers(inputs[1]))


def _expand_dims(inputs: Sequence[Array], options: Options) -> Array:
    return np.expand_dims(inputs[0], int(inputs[1].reshape(())))


def _broadcast_to(inputs: Sequence[Array], options: Options) -> Array:
    shape = _integers(inputs[1])
    _check_size(shape)
    return np.broadcast_to(inputs[0], shape)


def _pack(inputs: Sequence[Array], options: Options) -> Array:
    return np.stack(inputs, options["axis"])


def _concatenation(inputs: Sequence[Array], options: Options) -> Array:
    return np.concatenate(inputs, options["axis"])


def _gather(inputs: Sequence[Array], options: Options) -> Array:
    x, places = inputs
    if options["batch_dims"]:
        raise BadGraph("GATHER in batches is not known here")
    return np.take(x, places, options["axis"])


def _strided_slice(inputs: Sequence[Array], options: Options) -> Array:
    """x[begin:end:step] on every axis. In the masks, bit k is for axis k."""
    x = inputs[0]
    begin, end, step = (_integers(values) for values in inputs[1:])
    if options["ellipsis_mask"] or options["new_axis_mask"]:
        raise BadGraph("a slice with an ellipsis or a new axis is not known here")
    parts: list[slice | int] = []
    for axis, (low, high, stride) in enumerate(zip(begin, end, step, strict=True)):
        if options["shrink_axis_mask"] >> axis & 1:
            parts.append(low)
            continue
        first = None if options["begin_mask"] >> axis & 1 else low
        last = None if options["end_mask"] >> axis & 1 else high
        parts.append(slice(first, last, stride))
    return np.asarray(x[tuple(parts)])


def _space_to_batch(inputs: Sequence[Array], options: Options) -> Array:
    """(N, W, C) → (N * b, W / b, C): every b-th place to its own row, after padding. One axis only."""
    x, block, padding = _blocks(inputs)
    x = _padded(x, [(0, 0), padding, (0, 0)])
    count, width, channels = x.shape
    x = x.reshape(count, width // block, block, channels).transpose(2, 0, 1, 3)
    return np.asarray(x.reshape(block * count, width // block, channels))


def _batch_to_space(inputs: Sequence[Array], options: Options) -> Array:
    """The inverse of _space_to_batch: what was padding is cut off."""
    x, block, (before, after) = _blocks(inputs)
    count, width, channels = x.shape
    x = x.reshape(block, count // block, width, channels).transpose(1, 2, 0, 3)
    return np.asarray(x.reshape(count // block, width * block, channels)[:, before : width * block - after])


def _blocks(inputs: Sequence[Array]) -> tuple[Array, int, tuple[int, int]]:
    x, blocks, edges = inputs
    if x.ndim != 3 or blocks.shape != (1,) or edges.shape != (1, 2) or blocks[0] < 1 or edges.min() < 0:
        raise BadGraph("blocks of more than one axis are not known here")
    return x, int(blocks[0]), (int(edges[0, 0]), int(edges[0, 1]))


def _padded(x: Array, edges: Sequence[tuple[int, int]]) -> Array:
    """Zeros before and after each axis."""
    shape = [size + before + after for size, (before, after) in zip(x.shape, edges, strict=True)]
    _check_size(shape)
    out = np.zeros(shape, dtype=x.dtype)
    out[tuple(slice(before, before + size) for size, (before, _) in zip(x.shape, edges, strict=True))] = x
    return out


def _check_size(shape: Sequence[int]) -> None:
    if math.prod(shape) > MOST_ELEMENTS:
        raise BadGraph("damaged: a tensor would be too large")


def _axes(values: Array) -> tuple[int, ...]:
    return _integers(values.reshape(-1))


def _integers(values: Array) -> tuple[int, ...]:
    return tuple(int(value) for value in values)


COMPUTE: Mapping[str, Callable[[Sequence[Array], Options], Array]] = {
    "ADD": _add,
    "BATCH_MATMUL": _batch_matmul,
    "BATCH_TO_SPACE_ND": _batch_to_space,
    "BROADCAST_TO": _broadcast_to,
    "CONCATENATION": _concatenation,
    "CONV_2D": _conv_2d,
    "DEQUANTIZE": _dequantize,
    "EXPAND_DIMS": _expand_dims,
    "FULLY_CONNECTED": _fully_connected,
    "GATHER": _gather,
    "GELU": _gelu,
    "MEAN": _mean,
    "MUL": _mul,
    "NEG": _neg,
    "PACK": _pack,
    "RESHAPE": _reshape,
    "RSQRT": _rsqrt,
    "SHAPE": _shape,
    "SPACE_TO_BATCH_ND": _space_to_batch,
    "SQUARED_DIFFERENCE": _squared_difference,
    "STRIDED_SLICE": _strided_slice,
    "SUB": _sub,
    "SUM": _sum,
}
