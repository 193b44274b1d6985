"""What is known of the sound behind an instrument, as data. `wavetables.instruments.describe` makes the sentences."""

from __future__ import annotations

from dataclasses import dataclass

from nsynth_core.sound.harmonicity import Doubt


@dataclass(frozen=True)
class Detection:
    """The pitch of one recording, and how it was determined.

    pitch: MIDI number, the median of the pitch track
    confidence: of the pitch track, 0..1
    given: MIDI number that the user gave; None where the pitch was detected
    doubts: reasons to think that the recording is more than one note; mostly none

    >>> Detection(57.0, 0.97).given is None
    True
    """

    pitch: float
    confidence: float
    given: float | None = None
    doubts: tuple[Doubt, ...] = ()


@dataclass(frozen=True)
class NoteFiles:
    """A folder or a pattern of NAME_PITCH sound files. count: the number of files."""

    count: int


@dataclass(frozen=True)
class EncodedNote:
    """One file of NSynth's encodings. frames: its length. pitch: MIDI number."""

    frames: int
    pitch: float


@dataclass(frozen=True)
class EncodedFiles:
    """A folder or a pattern of files of NSynth's encodings. count: the number of files."""

    count: int


Origin = Detection | NoteFiles | EncodedNote | EncodedFiles
