"""Instruments by name: a built-in one, a sound file, a folder of notes, encodings of NSynth, or audio in memory."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from nsynth_core.errors import UsageError

if TYPE_CHECKING:
    from nsynth_core.audio import Sound, UnusableSound
    from nsynth_core.blending.engine import Engine
    from nsynth_core.blending.instrument import Instrument
    from nsynth_core.blending.origins import Detection
    from nsynth_core.sound.harmonicity import Doubt

Heard = Callable[["str | Path | Sound", "Instrument"], None]  # is told of each sound, once it is loaded


def unheard(source: str | Path | Sound, instrument: Instrument) -> None:
    """A Heard that does nothing."""


class NothingToLayer(UsageError):
    """A recording was to be layered under the blend, and no sound is one."""

    def __init__(self) -> None:
        super().__init__("only a recording can be layered under its blend, and all sounds are instruments")


def load_sound(
    source: str | Path | Sound, engine: Engine, pitch: float | None = None, heard: Heard = unheard
) -> Instrument:
    """The instrument that `source` names or is, coded for `engine`; `heard` is told of it."""
    instrument = load(source, engine, pitch)
    heard(source, instrument)
    return instrument


def load(source: str | Path | Sound, engine: Engine, pitch: float | None = None) -> Instrument:
    """The instrument that `source` names or is, coded for `engine`.

    source: the name of a built-in instrument; a sound file, perhaps with its pitch ("thunder.wav@C2"); a folder of
        NAME_PITCH files; for NSynth a file of encodings; or a Sound. A Path is never a built-in instrument.
    pitch: MIDI number for a sound that has no pitch of its own
    Raises Unpitched, NeedsSound, and UserError for a missing or
    unreadable file.
    """
    import presets
    from nsynth_core.blending import instrument as instruments
    from nsynth_core.pitch import Unpitched
    from nsynth_core.wavenet import embeddings

    corner = presets.corner(source) if isinstance(source, str) else source
    if isinstance(corner, str):
        return presets.load_instrument(corner, engine.coder)
    if not isinstance(corner, Path):
        return _of_sound(corner, engine, pitch)
    path, own_pitch = presets.given_pitch(corner)
    if embeddings.is_coded(path):
        if engine.latent is None:
            raise embeddings.NeedsSound(path)
        return embeddings.load_instrument(path, engine.latent, own_pitch, pitch)
    try:
        return instruments.load_instrument(path, engine.coder, own_pitch)
    except Unpitched:
        if pitch is None:
            raise
        return instruments.load_instrument(path, engine.coder, pitch)


def _of_sound(sound: Sound, engine: Engine, pitch: float | None) -> Instrument:
    from nsynth_core.blending import instrument as instruments

    return instruments.from_sound(sound, engine.coder, pitch)


def describe(instrument: Instrument) -> list[str]:
    """What is known of the sound behind `instrument`, as sentences for manifests and the terminal. A built-in
    instrument has none.

    >>> from nsynth_core.blending.instrument import Instrument
    >>> from nsynth_core.blending.origins import Detection
    >>> describe(Instrument("lead", (57.12,), load=None, origin=Detection(57.12, 0.97), label="lead.wav"))
    ['lead.wav: detected A3 +12 cents, confidence 0.97']
    """
    from nsynth_core.blending.origins import Detection, EncodedFiles, EncodedNote, NoteFiles
    from nsynth_core.notes import note_name

    origin = instrument.origin
    if isinstance(origin, Detection):
        text = "; ".join([_describe_pitch(origin), *map(_describe_doubt, origin.doubts)])
    elif isinstance(origin, NoteFiles):
        text = f"{origin.count} notes"
    elif isinstance(origin, EncodedFiles):
        text = f"{origin.count} encodings of NSynth's"
    elif isinstance(origin, EncodedNote):
        text = f"{origin.frames} frames of NSynth's, {note_name(origin.pitch)}"
    else:
        return []
    return [f"{instrument.label}: {text}"]


def with_advice(error: UnusableSound) -> str:
    """The line for a file that cannot be used as a sound: the fact, and what to do, for manifests and the terminal.

    >>> from nsynth_core.audio import SoundFault, UnusableSound
    >>> with_advice(UnusableSound(SoundFault.LENGTH, "longer than 600 s", Path("a.wav")))
    'a.wav: longer than 600 s; cut out the note first'
    """
    from nsynth_core.audio import SoundFault

    advice = {
        SoundFault.RATE: "; resample it first",
        SoundFault.CHANNELS: "; export it as mono or stereo first",
        SoundFault.LENGTH: "; cut out the note first",
        SoundFault.FORMAT: "; export it as WAV, AIFF, FLAC, OGG or MP3",
        SoundFault.NOT_FINITE: "; export it again",
        SoundFault.LEVEL: ": export it again",
    }
    return f"{error}{advice[error.fault]}"


def _describe_pitch(detection: Detection) -> str:
    from nsynth_core.notes import cents_name, note_name

    if detection.given is not None:
        return f"given {note_name(detection.given)}"
    return f"detected {cents_name(detection.pitch)}, confidence {detection.confidence:.2f}"


def _describe_doubt(doubt: Doubt) -> str:
    from nsynth_core.notes import note_name
    from nsynth_core.sound.harmonicity import StrayTones

    note = note_name(doubt.pitch)
    if isinstance(doubt, StrayTones):
        return (
            f"not one note: {doubt.share:.0%} of it are tones between the harmonics of {note} (a chord, a "
            "bell, wide detune), blended as noise; a single note blends better"
        )
    return (
        f"nothing sounds at its pitch, its lowest partial is number {doubt.partial} ({note}): of a chord or an "
        "interval, blend one note, or give the pitch behind the name"
    )


def source_name(source: str | Path | Sound) -> str:
    """What a sound, preset or instrument is called in the names of outputs: its file name without the suffix.

    >>> source_name("voices/ah.wav"), source_name("flute"), source_name("audio_input/choir_*.wav")
    ('ah', 'flute', 'choir')
    """
    import presets

    if not isinstance(source, (str, Path)):
        return "sound"
    path = presets.given_pitch(Path(source))[0]
    return (path.resolve().name if path.is_dir() else path.stem.removesuffix("_*")) or "sound"
