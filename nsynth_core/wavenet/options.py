"""What NSynth is asked for: plain values, known without TensorFlow and sent to other processes as they are."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

PRECISIONS = ("float32", "bfloat16")


@dataclass(frozen=True)
class NSynthOptions:
    """`checkpoint` is a folder, an archive or a prefix; `averages` reads its moving averages; `seed` >= 0 chooses the
    noise; `enhance` adds what lies above 8 kHz; `precision` of the decoder is one of PRECISIONS."""

    checkpoint: Path
    averages: bool = False
    seed: int = 0
    enhance: bool = False
    precision: str = PRECISIONS[0]
