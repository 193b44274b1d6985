"""The 8-bit mu-law of the network: audio <-> quantised value -128..127 <-> class 0..255, and the network's input."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from nsynth_core.audio import Floats

Classes = NDArray[np.int32]

MU = 255
CLASSES = 256
HALF = CLASSES // 2


def quantise(audio: Floats) -> Classes:
    """floor(128 sign(x) ln(1 + 255|x|) / ln 256) of audio of any shape: -128..127 for -1 <= x < 1, and 128 for x = 1.

    It is computed in float32 with `log`, not `log1p`, as when the published weights were trained: values below 2e-10
    are silence, and -1.0 gives -128.

    >>> quantise(np.float32([-1, 0, 0.5])).tolist()
    [-128, 0, 112]
    """
    x = np.asarray(audio, dtype=np.float32)
    compressed = np.sign(x) * np.log(1 + np.float32(MU) * np.abs(x)) / np.log(np.float32(1 + MU))
    steps: Classes = np.floor(compressed * np.float32(HALF)).astype(np.int32)
    return steps


def restore(quantised: NDArray[np.integer]) -> Floats:
    """The audio in the middle of each step of the quantiser, float32. 0 gives 0.

    >>> restore(np.array([0, 64])).round(2).tolist()[0]
    0.0
    """
    v = (quantised.astype(np.float64) + 0.5) / HALF
    audio: NDArray[np.float64] = np.sign(v) / MU * ((1.0 + MU) ** np.abs(v) - 1)
    audio[quantised == 0] = 0
    return audio.astype(np.float32)


def network_input(quantised: NDArray[np.integer]) -> Floats:
    """The input of the network for quantised values: a 128th of them, float32."""
    scaled: Floats = quantised.astype(np.float32) / np.float32(HALF)
    return scaled
