"""What NSynth is asked for: plain values, known without TensorFlow and sent to other processes as they are."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from nsynth_core.wavenet.engine import NSynth

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

    def load(self) -> NSynth:
        """The engine, read once a process. Raises UserError: a damaged or foreign checkpoint, too little memory."""
        return _load(self)


@lru_cache(maxsize=1)
def _load(options: NSynthOptions) -> NSynth:
    from nsynth_core.wavenet import checkpoint
    from nsynth_core.wavenet.engine import NSynth

    weights = checkpoint.load(options.checkpoint, options.averages)
    return NSynth(weights, options.seed, options.enhance, options.precision)
