"""Load the sounds of a command, and tell what was found out about each."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from wavetables.cli.console import say
from wavetables.cli.words import length_remark

if TYPE_CHECKING:
    from nsynth_core.blending.engine import Engine
    from nsynth_core.blending.instrument import Instrument


def load_instrument(spec: str | Path, engine: Engine, pitch: float | None = None, quiet: bool = False) -> Instrument:
    """`wavetables.instruments.load`, with a message for each fact about the sound."""
    from wavetables import instruments

    instrument = instruments.load(spec, engine, pitch)
    tell_instrument(spec, instrument, quiet)
    return instrument


def tell_instrument(spec: str | Path, instrument: Instrument, quiet: bool = False) -> None:
    """Say what was found out about the instrument that was loaded from `spec`."""
    import presets
    from nsynth_core.audio import length_of

    for line in instrument.said:
        say(line, quiet)
    if instrument.sound is not None:  # a recording in one file
        path = presets.given_pitch(Path(spec))[0]
        if remark := length_remark(length_of(path)):
            say(f"{path}: {remark}", quiet)
