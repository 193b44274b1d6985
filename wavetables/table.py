"""Table: 1..256 single cycles of 2048 samples, ready for a synth."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from nsynth_core.audio import Floats
from nsynth_core.errors import UserError

FRAME_SIZE = 2048
MAX_FRAMES = 256


@dataclass(frozen=True, eq=False)
class Table:
    """`frames` float32 (n, 2048), n in 1..256, within +-1. `root_pitch` is the MIDI pitch of the sound it was cut from,
    None where unknown. `provenance` says where the table comes from: text by text key (source, command, engine ...).

    Raises UserError when the frames have another shape or type, or hold NaN or infinity. Peaks above 1 are refused by
    the writers only, so that a foreign table that clips can still be looked at and mended.
    """

    frames: Floats
    name: str
    root_pitch: float | None = None
    provenance: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        shape = self.frames.shape
        if len(shape) != 2 or shape[1] != FRAME_SIZE or not 1 <= shape[0] <= MAX_FRAMES:
            raise UserError(f"table {self.name!r}: frames of shape {shape}; 1..{MAX_FRAMES} x {FRAME_SIZE} are needed")
        if self.frames.dtype != np.float32:
            raise UserError(f"table {self.name!r}: frames of type {self.frames.dtype}; float32 is needed")
        if not np.isfinite(self.frames).all():
            raise UserError(f"table {self.name!r}: holds NaN or infinite samples")

    @property
    def peak(self) -> float:
        """The largest magnitude of the whole table."""
        return float(np.abs(self.frames).max())
