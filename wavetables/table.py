"""Table: 1..256 single cycles of 2048 samples, ready for a synth."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from nsynth_core.audio import Floats

FRAME_SIZE = 2048
MAX_FRAMES = 256


@dataclass(frozen=True)
class Table:
    """`frames` float32 (n, 2048), n in 1..256, within +-1. `root_pitch` is the MIDI pitch of the sound it was cut from,
    None where unknown. `provenance` says where the table comes from: text by text key (source, command, engine ...)."""

    frames: Floats
    name: str
    root_pitch: float | None = None
    provenance: Mapping[str, str] = field(default_factory=dict)
