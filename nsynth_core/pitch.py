"""f0 of a sound over time; note names ↔ MIDI ↔ Hz."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nsynth_core.audio import Sound
from nsynth_core.errors import UserError

LOW_HZ, HIGH_HZ = 27.5, 4200.0
HOP_SECONDS = 0.005


@dataclass(frozen=True)
class PitchTrack:
    """f0 over time. `f0_hz` float64 (T,), one value each HOP_SECONDS from time 0, positive everywhere: unvoiced stretches
    are bridged. `voiced` bool (T,). `confidence` 0..1 for the track as a whole."""

    f0_hz: NDArray[np.float64]
    voiced: NDArray[np.bool_]
    confidence: float
