"""The network's 8-bit mu-law: audio ↔ quantised value -128..127 ↔ class 0..255, and what the network sees."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from nsynth_core.audio import Floats

Classes = NDArray[np.int32]

MU = 255
CLASSES = 256
HALF = CLASSES // 2


def quantise(audio: Floats) -> Classes:
    """floor(128 sign(x) ln(1 + 255|x|) / ln 256) of audio of any shape: -128..127 where -1 <= x < 1, and 128 at x = 1.

    In float32 with `log`, not `log1p`: as the published weights were trained, ringing below 2e-10 is silence and -1.0
    is -128.
    """
    x = np.asarray(audio, dtype=np.float32)
    compressed = np.sign(x) * np.log(1 + np.float32(MU) * np.abs(x)) / np.log(np.float32(1 + MU))
    steps: Classes = np.floor(compressed * np.float32(HALF)).astype(np.int32)
    return steps


def restore(quantised: NDArray[np.integer]) -> Floats:
    """The audio in the middle of each step of the quantiser, float32; 0 gives 0."""
    v = (quantised.astype(np.float64) + 0.5) / HALF
    audio: NDArray[np.float64] = np.sign(v) / MU * ((1.0 + MU) ** np.abs(v) - 1)
    audio[quantised == 0] = 0
    return audio.astype(np.float32)


def network_input(quantised: NDArray[np.integer]) -> Floats:
    """What the network is given of a quantised value: a 128th of it, float32."""
    scaled: Floats = quantised.astype(np.float32) / np.float32(HALF)
    return scaled
