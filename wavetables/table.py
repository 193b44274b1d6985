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
    """A wavetable.

    frames: float32 (n, 2048), n in 1..256, within -1..1
    name: for people
    root_pitch: the MIDI pitch of the sound it was cut from, None where unknown
    provenance: where the table comes from, text by key ("source", "command", "engine" ...)

    Raises UserError when the frames have another shape or type, or hold NaN or infinity. Only the writers refuse peaks
    above 1, so that a table that clips can still be inspected and mended.

    >>> Table(np.zeros((4, 2048), np.float32), "silence").peak
    0.0
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
