"""The five networks of the harmonic engine in Keras. Only training imports this module.

The field has three: the encoder, the branch and the trunk. The other two, matching and correction, predict the sound
between two spectra.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from nsynth_core.harmonic.between import CORRECTION_INPUTS, CORRECTIONS, HALFWAY, MATCH_INPUTS
from nsynth_core.harmonic.inputs import CONDITIONS, CONTEXT, INPUTS, RANK, TRUNK_INPUTS
from nsynth_core.lazy import keras
from nsynth_core.sound.features import NOISE_BANDS
from nsynth_core.sound.spectral_envelope import ENVELOPE_POINTS

DIMS = 32
WIDTH, TRUNK_WIDTH, CORRECTION_WIDTH = 384, 160, 256
KEYS, MATCH_WIDTH = 16, 32
STEPS_APART = 7  # points of the envelope compared on either side of a point halfway: up to 9 ERB apart

HEADS = {"noise": NOISE_BANDS, "balance": NOISE_BANDS, "correlation": NOISE_BANDS}
BRANCH_OUTPUTS = RANK + 1 + sum(HEADS.values())


def encoder(dims: int = DIMS) -> keras.Model:
    """(N, len(CONTEXT) * INPUTS) → codes (N, dims). The pitch is not among its inputs."""
    x = inputs = keras.Input((len(CONTEXT) * INPUTS,))
    x = keras.layers.Dense(WIDTH, activation="gelu")(x)
    x = _residual(x, WIDTH)
    x = _residual(x, WIDTH)
    return keras.Model(inputs, keras.layers.Dense(dims)(x), name="encoder")


def branch(dims: int = DIMS) -> keras.Model:
    """(N, dims + CONDITIONS) → (N, BRANCH_OUTPUTS): RANK coefficients, an offset, noise, balance and
    correlation."""
    x = inputs = keras.Input((dims + CONDITIONS,))
    x = keras.layers.Dense(WIDTH, activation="gelu")(x)
    x = _residual(x, WIDTH)
    x = _residual(x, WIDTH)
    return keras.Model(inputs, keras.layers.Dense(BRANCH_OUTPUTS)(x), name="branch")


def trunk() -> keras.Model:
    """(N, TRUNK_INPUTS) → (N, RANK): the basis of the field at the number and the frequency of a partial."""
    x = inputs = keras.Input((TRUNK_INPUTS,))
    x = keras.layers.Dense(TRUNK_WIDTH, activation="gelu")(x)
    x = _residual(x, TRUNK_WIDTH)
    return keras.Model(inputs, keras.layers.Dense(RANK)(x), name="trunk")


def matching() -> keras.Model:
    """(N, MATCH_INPUTS) → (N, MEETINGS): the distance between the two points that meet at each point halfway.

    Each point of either envelope gets a key, which describes its neighbourhood. The likeness of the keys of two points
    is a picture: one axis is the point halfway, the other how far apart both points are. Convolutions read it.
    Exchanged envelopes give the negative distances. An untrained network predicts distances near 0.
    """
    pair = inputs = keras.Input((MATCH_INPUTS,))
    pair = keras.layers.Reshape((2, ENVELOPE_POINTS, 1))(pair)
    first, second = pair[:, 0], pair[:, 1]
    place = keras.ops.ones_like(first) * np.linspace(-1, 1, ENVELOPE_POINTS, dtype=np.float32).reshape(1, -1, 1)
    narrow, wide, key = _convolution(KEYS, 9), _convolution(KEYS, 5, 2), _convolution(KEYS, 1, activation=None)

    def keys(envelope: keras.KerasTensor) -> keras.KerasTensor:
        x = narrow(keras.ops.concatenate([envelope, place], -1))
        x = key(keras.ops.concatenate([x, wide(x)], -1))
        return x / keras.ops.sqrt(keras.ops.sum(x**2, -1, keepdims=True) + 0.1)

    halfway, apart = np.arange(0, ENVELOPE_POINTS, HALFWAY)[:, None], np.arange(-STEPS_APART, STEPS_APART + 1)
    points = np.stack([halfway - apart, halfway + apart])
    inside = ((points >= 0) & (points < ENVELOPE_POINTS)).all(0).astype(np.float32)
    index = np.ravel_multi_index(points, (ENVELOPE_POINTS, ENVELOPE_POINTS), mode="clip")
    alike = keras.ops.matmul(keys(first), keras.ops.transpose(keys(second), (0, 2, 1)))
    alike = keras.ops.take(keras.layers.Reshape((-1,))(alike), index.ravel(), axis=1)
    alike = keras.layers.Reshape(index.shape)(alike) * inside

    look, out = _convolution(MATCH_WIDTH, 5), _convolution(1, 5, activation=None, kernel_initializer=_near_zero(1e-2))
    again = [(keras.layers.LayerNormalization(), _convolution(MATCH_WIDTH, 3, dilation)) for dilation in (2, 4)]

    def distance(picture: keras.KerasTensor, near: keras.KerasTensor, far: keras.KerasTensor) -> keras.KerasTensor:
        x = look(keras.ops.concatenate([picture, *(curve[:, ::HALFWAY] for curve in (near, far, place))], -1))
        for norm, convolution in again:
            x = x + convolution(norm(x))
        return out(x)[..., 0]

    return keras.Model(
        inputs, distance(alike, first, second) - distance(alike[..., ::-1], second, first), name="matching"
    )


def correction() -> keras.Model:
    """(N, CORRECTION_INPUTS) → (N, CORRECTIONS): what is added to the mean of two spectra, seen from the first.

    An untrained network predicts corrections near 0.
    """
    x = inputs = keras.Input((CORRECTION_INPUTS,))
    x = keras.layers.Dense(CORRECTION_WIDTH, activation="gelu")(x)
    for _ in range(3):
        x = _residual(x, CORRECTION_WIDTH)
    return keras.Model(
        inputs, keras.layers.Dense(CORRECTIONS, kernel_initializer=_near_zero(1e-3))(x), name="correction"
    )


def _convolution(units: int, width: int, dilation: int = 1, **options: Any) -> keras.layers.Conv1D:
    return keras.layers.Conv1D(units, width, padding="same", dilation_rate=dilation, **{"activation": "gelu"} | options)


def _near_zero(size: float) -> keras.initializers.Initializer:
    return keras.initializers.RandomNormal(stddev=size)


def _residual(x: keras.KerasTensor, width: int) -> keras.KerasTensor:
    return keras.layers.Add()([x, keras.layers.Dense(width, activation="gelu")(keras.layers.LayerNormalization()(x))])
