"""Instruments by name: a built-in one, a sound file, a folder of notes, or encodings of NSynth."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from nsynth_core.errors import UserError

if TYPE_CHECKING:
    from nsynth_core.blending.engine import Engine
    from nsynth_core.blending.instrument import Instrument


def load(spec: str | Path, engine: Engine, pitch: float | None = None) -> Instrument:
    """The instrument that `spec` names, coded for `engine`.

    spec: the name of a built-in instrument; or a sound file, perhaps with its pitch (thunder.wav@C2); or a folder of
        NAME_PITCH files; or a file of encodings, where the engine is NSynth. A Path is never a built-in instrument.
    pitch: MIDI number for a sound without a pitch of its own
    What was found out about it is in `said`. Raises UserError: missing, unreadable, or without a pitch.
    """
    import presets
    from nsynth_core.blending import instrument as instruments
    from nsynth_core.pitch import Unpitched
    from nsynth_core.wavenet import embeddings

    corner = presets.corner(spec) if isinstance(spec, str) else spec
    if isinstance(corner, str):
        return presets.load_instrument(corner, engine.coder)
    path, own_pitch = presets.given_pitch(corner)
    if embeddings.is_coded(path):
        if engine.latent is None:
            raise UserError(
                f"{path}: holds encodings of NSynth; --engine nsynth decodes them, the others need the sound"
            )
        return embeddings.load_instrument(path, engine.latent, own_pitch, pitch)
    try:
        return instruments.load_instrument(path, engine.coder, own_pitch)
    except Unpitched:
        if pitch is None:
            raise
        return instruments.load_instrument(path, engine.coder, pitch)


def sound_name(spec: str | Path) -> str:
    """What a sound, preset or instrument is called in the names of outputs: its file name without the suffix.

    >>> sound_name("voices/ah.wav"), sound_name("flute"), sound_name("audio_input/choir_*.wav")
    ('ah', 'flute', 'choir')
    """
    import presets

    path = presets.given_pitch(Path(spec))[0]
    return (path.resolve().name if path.is_dir() else path.stem.removesuffix("_*")) or "sound"
