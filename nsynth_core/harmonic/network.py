"""The harmonic engine's networks in Keras: the field (encoder, branch, trunk), and what lies between two spectra.

Only training imports this.
"""

from __future__ import annotations

import keras

from nsynth_core.features import NOISE_BANDS
from nsynth_core.harmonic.between import PAIR_INPUTS, PAIR_OUTPUTS
from nsynth_core.harmonic.inputs import CONDITIONS, CONTEXT, INPUTS, RANK, TRUNK_INPUTS

DIMS = 32
WIDTH, TRUNK_WIDTH, PAIR_WIDTH = 384, 160, 256

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


def between() -> keras.Model:
    """(N, PAIR_INPUTS) → (N, PAIR_OUTPUTS): where the first of two spectra is read, and what is added to their blend.

    Untrained it says next to nothing, and envelopes are transported.
    """
    x = inputs = keras.Input((PAIR_INPUTS,))
    x = keras.layers.Dense(PAIR_WIDTH, activation="gelu")(x)
    for _ in range(3):
        x = _residual(x, PAIR_WIDTH)
    silent = keras.initializers.RandomNormal(stddev=1e-3)
    return keras.Model(inputs, keras.layers.Dense(PAIR_OUTPUTS, kernel_initializer=silent)(x), name="between")


def _residual(x: keras.KerasTensor, width: int) -> keras.KerasTensor:
    return keras.layers.Add()([x, keras.layers.Dense(width, activation="gelu")(keras.layers.LayerNormalization()(x))])
