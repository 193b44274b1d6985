"""The network over whole clips: the encoder, and the decoder with the true samples as its past ("teacher forcing").

Both are differentiable, so training uses them too. `generator` runs the decoder sample by sample.
Tensors are (N, time, channels). Sources: Engel et al. 2017, section 2, and Magenta's `h512_bo16`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeAlias

from nsynth_core.lazy import tf
from nsynth_core.wavenet.checkpoint import DILATIONS

HOP = 512  # samples in a frame of the encoding
RATE = 16_000
EDGE = 1 + sum(DILATIONS)  # 3070: samples on either side that an encoding depends on

Variables: TypeAlias = "Mapping[str, tf.Tensor]"
Tap: TypeAlias = "Callable[[str, tf.Tensor], None]"


def ignore(scope: str, value: tf.Tensor) -> None:
    """The tap that does nothing."""


def encode(variables: Variables, x: tf.Tensor, tap: Tap = ignore) -> tf.Tensor:
    """Encodings (N, T / HOP, latent) of the input x (N, T), where T is a multiple of HOP.

    tap: called with the name and the value of every convolution
    """

    def conv(scope: str, y: tf.Tensor, dilation: int = 0) -> tf.Tensor:
        out = _convolve(variables, scope, y, (-dilation, 0, dilation) if dilation else (0,))
        tap(scope, out)
        return out

    e = conv("ae_startconv", x[..., None], 1)
    for i, dilation in enumerate(DILATIONS, 1):
        hidden = tf.nn.relu(conv(f"ae_dilatedconv_{i}", tf.nn.relu(e), dilation))
        e += conv(f"ae_res_{i}", hidden)
    code = conv("ae_bottleneck", e)
    return tf.reduce_mean(tf.reshape(code, (code.shape[0], -1, HOP, code.shape[2])), 2)


def decode(variables: Variables, x: tf.Tensor, encodings: tf.Tensor, tap: Tap = ignore) -> tf.Tensor:
    """The logits (N, T, 256) of the class of each sample, from the samples before it.

    x: (N, T) the input for the true samples; it is shifted by one here
    encodings: (N, T / HOP, latent)
    tap: called with the name and the value of every convolution
    """

    def conv(scope: str, y: tf.Tensor, dilation: int = 0) -> tf.Tensor:
        out = _convolve(variables, scope, y, (-2 * dilation, -dilation, 0) if dilation else (0,))
        tap(scope, out)
        return out

    def conditioned(y: tf.Tensor, scope: str) -> tf.Tensor:
        held = conv(scope, encodings)[:, :, None]  # a frame is held, not interpolated
        framed = tf.reshape(y, (y.shape[0], -1, HOP, y.shape[2])) + held
        return tf.reshape(framed, y.shape)

    past = tf.pad(x[:, :-1], ((0, 0), (1, 0)))
    l = conv("startconv", past[..., None], 1)  # noqa: E741 (the literature's name)
    s = conv("skip_start", l)
    for i, dilation in enumerate(DILATIONS, 1):
        gate, value = tf.split(conditioned(conv(f"dilatedconv_{i}", l, dilation), f"cond_map_{i}"), 2, axis=2)
        g = tf.sigmoid(gate) * tf.tanh(value)
        s += conv(f"skip_{i}", g)
        l += conv(f"res_{i}", g)  # noqa: E741 (nothing reads the last one; compiled, it is never computed)
    h = tf.nn.relu(conditioned(conv("out1", tf.nn.relu(s)), "cond_map_out1"))
    return conv("logits", h)


def _convolve(variables: Variables, scope: str, y: tf.Tensor, offsets: tuple[int, ...]) -> tf.Tensor:
    """bias + sum over taps of W[tap]·y[t + offset], with y = 0 outside, as one matrix product with the taps side by
    side."""
    count, time, channels = y.shape
    before, after = max(0, -offsets[0]), max(0, offsets[-1])
    padded = tf.pad(y, ((0, 0), (before, after), (0, 0))) if before or after else y
    shifted = [padded[:, before + offset : before + offset + time] for offset in offsets]
    stacked = tf.reshape(tf.concat(shifted, 2) if len(shifted) > 1 else y, (-1, len(offsets) * channels))
    w = variables[f"{scope}/W"]
    product = tf.matmul(stacked, tf.reshape(w, (len(offsets) * channels, w.shape[3]))) + variables[f"{scope}/biases"]
    return tf.reshape(product, (count, time, w.shape[3]))
