"""The engines by name, with the way in which NSynth's notes become frames of tables."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from nsynth_core.blending import engines
from nsynth_core.blending.engine import ENGINES, Engine
from nsynth_core.blending.instrument import AS_IT_IS
from nsynth_core.sound.knobs import Knobs

if TYPE_CHECKING:
    from nsynth_core.audio import Floats, Sound
    from nsynth_core.wavenet.options import NSynthOptions

__all__ = ["ENGINES", "load_engine"]


def load_engine(name: str, knobs: Knobs = AS_IT_IS, nsynth: NSynthOptions | None = None) -> Engine:
    """The engine called `name`, one of ENGINES. Every engine makes notes and tables.

    knobs: what the engines on features apply to every blend
    nsynth: the checkpoint of NSynth, and how it is used
    Raises UsageError and UserError as `nsynth_core.blending.engines.load_engine`.

    >>> load_engine("crossfade").name
    'crossfade'
    """
    return engines.load_engine(name, knobs, nsynth, _cut_frames)


def _cut_frames(notes: Sequence[Sound], pitch: float, count: int, stereo: bool) -> Floats:
    from wavetables.importing.slicing import frames_of_notes

    return frames_of_notes(notes, pitch, count, stereo)
