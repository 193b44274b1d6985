"""The options of the engine "nsynth": plain values, which need no TensorFlow and can be sent to other processes."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

PRECISIONS = ("float32", "bfloat16")


@dataclass(frozen=True)
class NSynthOptions:
    """How NSynth is loaded, and how it computes.

    checkpoint  Magenta's wavenet-ckpt: a folder, an archive or a prefix
    averages    True reads the moving averages of its weights
    seed        of the random numbers, 0 or more
    enhance     True adds what the sounds have above 8 kHz
    precision   of the decoder, one of PRECISIONS

    >>> NSynthOptions(Path("wavenet-ckpt.tar"), seed=1).precision
    'float32'
    """

    checkpoint: Path
    averages: bool = False
    seed: int = 0
    enhance: bool = False
    precision: str = PRECISIONS[0]
