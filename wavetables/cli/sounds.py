"""Print what is known of the sounds of a command."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from wavetables.cli.console import say
from wavetables.cli.words import length_remark

if TYPE_CHECKING:
    from nsynth_core.audio import Sound
    from nsynth_core.blending.instrument import Instrument


def tell_instrument(source: str | Path | Sound, instrument: Instrument, quiet: bool = False) -> None:
    """Print what is known of the instrument that was loaded from `source`."""
    import presets
    from nsynth_core.audio import length_of
    from wavetables.instruments import describe

    for line in describe(instrument):
        say(line, quiet)
    if instrument.sound is not None and isinstance(source, (str, Path)):  # a recording in one file
        path = presets.given_pitch(Path(source))[0]
        if remark := length_remark(length_of(path)):
            say(f"{path}: {remark}", quiet)
