"""The harmonic engine's networks in Keras: the field (encoder, branch, trunk), and what lies between two spectra
(matching, correction).

Only training imports this.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from nsynth_core.harmonic.between import CORRECTION_INPUTS, CORRECTIONS, HALFWAY, MATCH_INPUTS
from nsynth_core.harmonic.inputs import CONDITIONS, CONTEXT, ENVELOPE_POINTS, INPUTS, RANK, TRUNK_INPUTS
from nsynth_core.lazy import keras
from nsynth_core.sound.features import NOISE_BANDS

DIMS = 32
WIDTH, TRUNK_WIDTH, CORRECTION_WIDTH = 384, 160, 256
KEYS, MATCH_WIDTH = 16, 32
STEPS_APART = 7  # points of the envelope to either side of a place halfway that are compared: up to 9 ERB apart

HEADS = {"noise": NOISE_BANDS, "balance": NOISE_BANDS, "correlation": NOISE_BANDS}
BRANCH_OUTPUTS = RANK + 1 + sum(HEADS.values())


def encoder(dims: int = DIMS) -> keras.Model:
    """(N, len(CONTEXT) * INPUTS) → z (N, dims). It is not told f0."""
    x = inputs = keras.Input((len(CONTEXT) * INPUTS,))
    x = keras.layers.Dense(WIDTH, activation="gelu")(x)
    x = _residual(x, WIDTH)
    x = _residual(x, WIDTH)
    return keras.Model(inputs, keras.layers.Dense(dims)(x), name="encoder")


def branch(dims: int = DIMS) -> keras.Model:
    """(N, dims + CONDITIONS) → (N, BRANCH_OUTPUTS): RANK coefficients, an offset, and the heads of noise and stereo."""
    x = inputs = keras.Input((dims + CONDITIONS,))
    x = keras.layers.Dense(WIDTH, activation="gelu")(x)
    x = _residual(x, WIDTH)
    x = _residual(x, WIDTH)
    return keras.Model(inputs, keras.layers.Dense(BRANCH_OUTPUTS)(x), name="branch")


def trunk() -> keras.Model:
    """(N, TRUNK_INPUTS) → (N, RANK): the basis of the field at a partial's number and frequency."""
    x = inputs = keras.Input((TRUNK_INPUTS,))
    x = keras.layers.Dense(TRUNK_WIDTH, activation="gelu")(x)
    x = _residual(x, TRUNK_WIDTH)
    return keras.Model(inputs, keras.layers.Dense(RANK)(x), name="trunk")


def matching() -> keras.Model:
    """(N, MATCH_INPUTS) → (N, MEETINGS): how far apart what meets halfway lies in two envelopes.

    Every point of either has a key, which knows its neighbourhood. How alike the keys of two points are makes a
    picture, of all places halfway and of how far apart the points lie; that is looked at place by place among its
    neighbours. Exchanged, the envelopes are as far apart in the other direction. Untrained it says next to nothing.
    """
    pair = inputs = keras.Input((MATCH_INPUTS,))
    pair = keras.layers.Reshape((2, ENVELOPE_POINTS, 1))(pair)
    first, second = pair[:, 0], pair[:, 1]
    place = keras.ops.ones_like(first) * np.linspace(-1, 1, ENVELOPE_POINTS, dtype=np.float32).reshape(1, -1, 1)
    near, far, key = _convolution(KEYS, 9), _convolution(KEYS, 5, 2), _convolution(KEYS, 1, activation=None)

    def keys(envelope: keras.KerasTensor) -> keras.KerasTensor:
        x = near(keras.ops.concatenate([envelope, place], -1))
        x = key(keras.ops.concatenate([x, far(x)], -1))
        return x / keras.ops.sqrt(keras.ops.sum(x**2, -1, keepdims=True) + 0.1)

    halfway, apart = np.arange(0, ENVELOPE_POINTS, HALFWAY)[:, None], np.arange(-STEPS_APART, STEPS_APART + 1)
    there = np.stack([halfway - apart, halfway + apart])
    inside = ((there >= 0) & (there < ENVELOPE_POINTS)).all(0).astype(np.float32)
    index = np.ravel_multi_index(there, (ENVELOPE_POINTS, ENVELOPE_POINTS), mode="clip")
    alike = keras.ops.matmul(keys(first), keras.ops.transpose(keys(second), (0, 2, 1)))
    alike = keras.ops.take(keras.layers.Reshape((-1,))(alike), index.ravel(), axis=1)
    alike = keras.layers.Reshape(index.shape)(alike) * inside

    look, out = _convolution(MATCH_WIDTH, 5), _convolution(1, 5, activation=None, kernel_initializer=_quiet(1e-2))
    again = [(keras.layers.LayerNormalization(), _convolution(MATCH_WIDTH, 3, dilation)) for dilation in (2, 4)]

    def seen(picture: keras.KerasTensor, one: keras.KerasTensor, other: keras.KerasTensor) -> keras.KerasTensor:
        x = look(keras.ops.concatenate([picture, *(each[:, ::HALFWAY] for each in (one, other, place))], -1))
        for norm, convolution in again:
            x = x + convolution(norm(x))
        return out(x)[..., 0]

    return keras.Model(inputs, seen(alike, first, second) - seen(alike[..., ::-1], second, first), name="matching")


def correction() -> keras.Model:
    """(N, CORRECTION_INPUTS) → (N, CORRECTIONS): what is added to the mean of two spectra, as the first has it.

    Untrained it says next to nothing.
    """
    x = inputs = keras.Input((CORRECTION_INPUTS,))
    x = keras.layers.Dense(CORRECTION_WIDTH, activation="gelu")(x)
    for _ in range(3):
        x = _residual(x, CORRECTION_WIDTH)
    return keras.Model(inputs, keras.layers.Dense(CORRECTIONS, kernel_initializer=_quiet(1e-3))(x), name="correction")


def _convolution(units: int, width: int, dilation: int = 1, **given: Any) -> keras.layers.Conv1D:
    return keras.layers.Conv1D(units, width, padding="same", dilation_rate=dilation, **{"activation": "gelu"} | given)


def _quiet(size: float) -> keras.initializers.Initializer:
    return keras.initializers.RandomNormal(stddev=size)


def _residual(x: keras.KerasTensor, width: int) -> keras.KerasTensor:
    return keras.layers.Add()([x, keras.layers.Dense(width, activation="gelu")(keras.layers.LayerNormalization()(x))])
