"""The settings of an import: how a sound becomes tables."""

from __future__ import annotations

from dataclasses import dataclass

from nsynth_core.errors import UsageError
from nsynth_core.pitch import HIGH_HZ, LOW_HZ
from wavetables.importing.slicing import MAX_SPAN
from wavetables.table import MAX_FRAMES

PHASES = ("align", "sine", "source", "minimum")
SPACINGS = ("time", "even")
LEVELS = ("table", "frame", "keep", "loudness")
STEREO = ("mid", "left", "right", "ms", "lr")


@dataclass(frozen=True)
class Settings:
    """How a sound becomes tables.

    pitch: MIDI number, where it is known. The track then stays within a semitone of it, and no sound is refused as
        unpitched. None: the pitch is found.
    octave: octaves by which the pitch is moved. +1 makes two frames of each frame, -1 puts two cycles into a frame.
    low_hz, high_hz: the range in Hz in which the pitch is looked for
    frames: number of frames at most, 1..256. None: as many as there are cycles, at most 256
    phase: of the harmonics. "align" turns each frame until the fundamentals are in phase. "sine" puts every harmonic
        into sine phase. "source" keeps the phases of the recording. "minimum" gives each frame minimum phase.
    average: periods averaged into a frame, 1..64. None: as many as serve each harmonic best
    spacing: of the frames. "time" spaces them evenly in time, "even" at equal steps of timbre.
    start, end: seconds. The frames come from everything in between.
    level: "table" gives the whole table one gain, so that it peaks at -0.1 dBFS. "frame" gives each frame a gain of its
        own. "keep" keeps the recorded level, unless it clips. "loudness" makes all frames equally loud.
    stereo: "mid" uses the mean of the channels, "left" and "right" one channel. "ms" (mid and side) and "lr" (left and
        right) make two tables, cut at the same places and turned alike.
    unpitched: make evenly spaced windows whose seams are crossfaded, and look for no pitch
    split: make one table for each note of the sound

    Raises UsageError: a value outside its range.

    >>> Settings(frames=64, phase="sine").frames
    64
    """

    pitch: float | None = None
    octave: int = 0
    low_hz: float = LOW_HZ
    high_hz: float = HIGH_HZ
    frames: int | None = None
    phase: str = "align"
    average: int | None = None
    spacing: str = "time"
    start: float | None = None
    end: float | None = None
    level: str = "table"
    stereo: str = "mid"
    unpitched: bool = False
    split: bool = False

    def __post_init__(self) -> None:
        if self.frames is not None and not 1 <= self.frames <= MAX_FRAMES:
            raise UsageError(f"{self.frames} frames; a table has 1..{MAX_FRAMES}")
        if self.average is not None and not 1 <= self.average <= MAX_SPAN:
            raise UsageError(f"an average over {self.average} periods; 1..{MAX_SPAN} are possible")
        if not 0 < self.low_hz < self.high_hz:
            raise UsageError(f"a range of {self.low_hz:g}..{self.high_hz:g} Hz is empty; give the lower pitch first")
        first = self.start or 0.0
        if first < 0 or (self.end is not None and self.end <= first):
            raise UsageError("the end must be later than the start, and the start 0 seconds or later")
        for name, legal in (("phase", PHASES), ("spacing", SPACINGS), ("level", LEVELS), ("stereo", STEREO)):
            if getattr(self, name) not in legal:
                raise UsageError(f"no {name} {getattr(self, name)!r}; legal: {', '.join(legal)}")

    @property
    def by_hand(self) -> bool:
        """Whether `start` or `end` chooses a part of the sound."""
        return self.start is not None or self.end is not None
