"""What an import gives: tables, and the facts about how they were made. `explain` puts the facts into words."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from nsynth_core.audio import Sound
from nsynth_core.pitch import PitchTrack
from wavetables.table import Table


class SourceKind(Enum):
    """What a source was taken for."""

    TABLE = "table"  # a wavetable file: its frames are kept
    CYCLE = "cycle"  # a single cycle
    PITCHED = "pitched"  # a note, cut into its cycles
    WINDOWS = "windows"  # a sound in which no pitch was looked for, cut into windows
    JOINED = "joined"  # several files, a frame of each


@dataclass(frozen=True)
class SourceFacts:
    """The sound that was read: its length in seconds, its sample rate in Hz, its number of channels, which of them were
    used (as in Settings.stereo), and which note of the file it is."""

    seconds: float
    rate: int
    channels: int
    stereo: str
    note: NoteFacts | None = None


@dataclass(frozen=True)
class NoteFacts:
    """Note `number` of `count` in a file, from `start` to `end` in seconds."""

    number: int
    count: int
    start: float
    end: float


@dataclass(frozen=True)
class PitchFacts:
    """The pitch of a note.

    midi: the pitch of the table, a MIDI number
    source_midi: the pitch of the sound, before it was moved by `octave` octaves
    given: the pitch that the settings gave, None where the pitch was found
    confidence: of the pitch found, 0..1
    name_hint: the pitch that the file's name ends in, None without one; hint_holds: whether the sound has it
    low_midi, high_midi: the range in which the pitch moves (1 % and 99 % quantiles of the voiced part)
    """

    midi: float
    source_midi: float
    given: float | None
    confidence: float
    name_hint: float | None
    hint_holds: bool
    octave: int
    low_midi: float
    high_midi: float


@dataclass(frozen=True)
class CutFacts:
    """How the cycles of a sound became frames.

    frames: number of frames
    used, cycles: cycles that hold the note, of all cycles in the sound
    spacing: "time" or "even", as in Settings
    average: periods that the settings asked for, None where each harmonic got as many as serve it
    periods, high_periods: the fewest and the most periods that were averaged, for harmonics 1..16 and for those above
        up to 128 (None where there are none)
    """

    frames: int
    used: int
    cycles: int
    spacing: str
    average: int | None
    periods: tuple[int, int]
    high_periods: tuple[int, int] | None


@dataclass(frozen=True)
class Facts:
    """What was decided about a table, as plain values that go to other processes.

    source: None for a wavetable file and for joined files
    pitch: None where none was looked for
    cut: None where nothing was cut along a pitch
    cycle_samples: samples of a single cycle, 0 for anything else
    windows: number of windows of a sound without a pitch, 0 for anything else
    stored_pitch: what a wavetable file says of its pitch itself, "" where it says nothing
    joined: the names of the joined files, in the order of their frames
    """

    kind: SourceKind
    source: SourceFacts | None = None
    pitch: PitchFacts | None = None
    cut: CutFacts | None = None
    cycle_samples: int = 0
    windows: int = 0
    stored_pitch: str = ""
    joined: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class Imported:
    """One table of an import.

    part: tells the table from others of the same file ("L", "02-C3"), "" where it is the only one
    sound, track, seconds: the sound, its pitch track, and where in it (seconds) each frame was cut, if one was
    """

    table: Table
    facts: Facts
    part: str = ""
    sound: Sound | None = None
    track: PitchTrack | None = None
    seconds: tuple[float, ...] = ()
