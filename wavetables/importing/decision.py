"""A sound file → tables: its pitch is found, its cycles become frames. A wavetable file is kept frame by frame."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from importlib import metadata
from pathlib import Path

import numpy as np

from nsynth_core import audio
from nsynth_core.audio import Floats, Sound
from nsynth_core.errors import UsageError, UserError
from nsynth_core.notes import HIGH_MIDI, LOW_MIDI, hz_to_midi, midi_to_hz, note_name, pitch_in_name
from nsynth_core.pitch import HIGH_HZ, LOW_HZ, PitchTrack, Unpitched, describe, follow, track
from wavetables import shaping
from wavetables.formats import registry
from wavetables.formats.cycles import natural
from wavetables.importing import splitting
from wavetables.importing.explain import about
from wavetables.importing.slicing import MAX_SPAN, slice_channels
from wavetables.importing.unpitched import slice_cycle, slice_windows
from wavetables.table import MAX_FRAMES, Table

PHASES = ("align", "sine", "source", "minimum")
SPACINGS = ("time", "even")
LEVELS = ("table", "frame", "keep", "loudness")
STEREO = ("mid", "left", "right", "ms", "lr")
TORN = 0.005  # of the correlation of neighbours
NAMED_CONFIDENCE = 0.3  # enough where the file's name says the same pitch
PARTS = {"ms": ("M", "S"), "lr": ("L", "R")}
DIFFERENT = 1e-3  # of the level: channels closer than that are alike


@dataclass(frozen=True)
class Settings:
    """How a sound becomes tables.

    pitch       MIDI number where it is known: the track stays within a semitone, no sound is refused as unpitched
    octave      octaves to move the pitch by: +1 makes two frames of what would be one, -1 puts two cycles in a frame
    low_hz, high_hz   the range the pitch is looked for in
    frames      1..256, at most so many; None for as many as there are cycles
    phase       of the harmonics (PHASES): fundamentals in phase; all sines; as recorded; minimum phase
    average     periods in each frame, 1..64; None for as many as serve each harmonic
    spacing     of the frames (SPACINGS): even in time, or in timbre
    start, end  seconds; frames then come from all of that stretch
    level       (LEVELS) one peak for the table; one for each frame; as recorded; all frames alike loud
    stereo      (STEREO) the mean of the channels, one of them, or a pair of tables cut and turned alike
    unpitched   evenly spaced windows with crossfaded seams, no pitch looked for
    split       one table for each note of the sound

    Raises UsageError: a value out of its range.
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
            raise UsageError("the start lies at 0 seconds or later, and the end behind it")
        for name, legal in (("phase", PHASES), ("spacing", SPACINGS), ("level", LEVELS), ("stereo", STEREO)):
            if getattr(self, name) not in legal:
                raise UsageError(f"no {name} {getattr(self, name)!r}; legal: {', '.join(legal)}")


@dataclass(frozen=True, eq=False)
class Imported:
    """A `table`; `part` tells it from others of one file ("L", "02-C3"; "" where it is alone); `said` is what was
    decided, sentence by sentence; `sound`, `track` and `seconds` (n,) say where its frames were cut, if they were."""

    table: Table
    part: str = ""
    said: tuple[str, ...] = ()
    sound: Sound | None = None
    track: PitchTrack | None = None
    seconds: tuple[float, ...] = ()


def import_sound(
    path: str | os.PathLike[str], pitch: float | None = None, frames: int | None = None, name: str | None = None
) -> Table:
    """The table of the one note in a sound file, with no other settings: see `import_tables`."""
    return import_tables(path, Settings(pitch=pitch, frames=frames), name)[0].table


def import_tables(
    path: str | os.PathLike[str], settings: Settings | None = None, name: str | None = None
) -> list[Imported]:
    """The tables of a sound file: frames without DC, closed, in phase along the table, peak at -0.1 dBFS, as `settings`
    say. One table; a pair with stereo "ms" and "lr"; one a note with `split`. `name` is by default the file's.

    A file that says itself that it is a wavetable, in any format, is not analysed again: its frames stay as they are
    (fewer where `frames` asks for fewer; one gain where they clip). A short file that does not repeat is a single
    cycle.

    Raises UserError: what audio.read and pitch.track refuse, a note shorter than a period, a channel that is not there.
    """
    settings, source = settings or Settings(), Path(path)
    facts = {"source": source.name, "program": _program()}
    if registry.is_table(source):
        return [
            Imported(_kept(source, settings.frames, name, facts), said=("a wavetable already: its frames are kept",))
        ]
    name = name or source.stem
    sound = audio.read(source)
    try:
        sound, told = _channels(_stretch(sound, settings), settings.stereo)
        if not settings.split:
            return _tables(sound, settings, name, facts, pitch_in_name(source.stem), told)
        return _split(sound, settings, name, facts, told)
    except UserError as error:
        # the pitch tracker does not know the file's name; its own type, with the guess it carries, is kept
        error.args = (str(error) if source.name in str(error) else f"{source}: {error}",)
        raise


def join(paths: Sequence[Path], settings: Settings, name: str) -> Imported:
    """One table with a frame of each file, sorted as people sort ("2" before "10"): a single cycle, the first frame of
    a wavetable, or the cycle in the middle of a recording's energy. Raises UserError as `import_tables`, and for more
    than 256 files."""
    if len(paths) > MAX_FRAMES:
        raise UserError(f"{len(paths)} files to join; a table has at most {MAX_FRAMES} frames")
    if settings.stereo in ("ms", "lr") or settings.split:
        raise UsageError("--join makes one table; it goes with neither --split nor --stereo ms and lr")
    ordered = sorted(paths, key=natural)
    # as recorded: the table as a whole is put in phase and given its level
    plain = replace(settings, frames=1, phase="source", level="keep")
    parts = [import_tables(path, plain)[0] for path in ordered]
    pitches = {part.table.root_pitch for part in parts if part.table.root_pitch is not None}
    pitch = float(np.median(list(pitches))) if pitches else None
    frames = np.concatenate([part.table.frames for part in parts])
    if settings.frames is not None and settings.frames < len(frames):
        frames = shaping.resample_frames(frames, settings.frames)
    facts = {"source": f"{len(ordered)} files, {ordered[0].name} to {ordered[-1].name}", "program": _program()}
    said = tuple(f"frame {k}: {path.name}" for k, path in enumerate(ordered, 1))
    return Imported(Table(_shaped(frames[None], settings)[0], name, pitch, facts), said=said)


# -------------------------------------------------------------------------------------------------------- what is read
def _stretch(sound: Sound, settings: Settings) -> Sound:
    """What lies between start and end."""
    if settings.start is None and settings.end is None:
        return sound
    first, last = settings.start or 0.0, min(settings.end or sound.seconds, sound.seconds)
    part = sound.samples[round(first * sound.rate) : round(last * sound.rate)]
    if len(part) < 2:
        raise UserError(f"nothing between {first:g} and {last:g} s: the sound has {sound.seconds:.2f} s")
    return Sound(part, sound.rate)


def _channels(sound: Sound, stereo: str) -> tuple[Sound, str]:
    """The channels that tables are made of, and in words what they are."""
    kind = {1: "mono", 2: "stereo"}.get(sound.channels, f"{sound.channels} channels")
    about = f"{sound.seconds:.2f} s at {sound.rate} Hz, {kind}"
    if stereo == "mid":
        return Sound(sound.mid()[:, None], sound.rate), about + ("" if sound.channels == 1 else "; their mean is used")
    if sound.channels == 1:
        if stereo in ("left", "right"):
            return sound, f"{about}; its only channel is used"
        raise UserError(f"mono, so there are no two channels to make tables of; leave out --stereo {stereo}")
    left, right = sound.samples[:, 0], sound.samples[:, 1]
    if stereo in ("left", "right"):
        chosen = left if stereo == "left" else right
        if not np.ptp(chosen) > 0.0:
            raise UserError(f"its {stereo} channel is silent; choose another --stereo")
        return Sound(chosen[:, None], sound.rate), f"{about}; the {stereo} channel is used"
    pair = np.stack([left, right] if stereo == "lr" else [(left + right) / 2, (left - right) / 2], 1)
    names = ("left", "right") if stereo == "lr" else ("mid", "side")
    for index, part in enumerate(names):
        if np.ptp(pair[:, index]) <= DIFFERENT * np.ptp(pair):
            raise UserError(f"its {part} channel is silent; make one table of it, e.g. --stereo mid")
    return Sound(pair, sound.rate), f"{about}; {' and '.join(names)} become two tables, cut and turned alike"


# ------------------------------------------------------------------------------------------------------- what is made
def _tables(
    sound: Sound,
    settings: Settings,
    name: str,
    facts: dict[str, str],
    hint: float | None,
    told: str,
    refused: bool = False,
) -> list[Imported]:
    """One table for each channel of `sound`; `refused` says that no pitch is in it."""
    by_hand = settings.start is not None or settings.end is not None
    cycle = None if settings.pitch is not None or by_hand else splitting.single_cycle(sound, refused)
    found, said = None, [told]
    if settings.unpitched:
        cut, pitch = slice_windows(sound, settings.frames), None
        said.append(f"no pitch is looked for: {len(cut.seconds)} windows, evenly spaced, the seams crossfaded")
    elif cycle is not None:
        cut, pitch = slice_cycle(cycle), hz_to_midi(sound.rate / cycle.shape[1])
        said.append(f"a single cycle of {cycle.shape[1]} samples")
    else:
        try:
            found, decided = _pitched(sound, settings, hint)
        except Unpitched:
            if refused or by_hand or splitting.single_cycle(sound, unpitched=True) is None:
                raise
            return _tables(sound, settings, name, facts, hint, told, refused=True)
        pitch = found.pitch
        even = settings.spacing == "even"
        cut = slice_channels(
            sound, found, settings.frames, even=even, average=settings.average, everywhere=by_hand or settings.split
        )
        said += [decided, *about(found, cut, even, settings.average)]
    if not np.abs(cut.frames).max() > 0.0:
        raise UserError("holds nothing at this pitch; give another, e.g. --pitch C3, or none to have it found")
    if found is not None:
        facts = {**facts, "pitch": describe(found) if settings.pitch is None else f"{note_name(found.pitch)}, given"}
    pitch = pitch if pitch is not None and LOW_MIDI <= pitch <= HIGH_MIDI else None
    shaped, parts = _shaped(cut.frames, settings), PARTS.get(settings.stereo, ("",))
    mono = Sound(sound.mid()[:, None], sound.rate)
    seconds = tuple(float(second) for second in cut.seconds)
    return [
        Imported(
            Table(frames, f"{name} {part}".strip(), pitch, facts | ({"channel": part} if part else {})),
            part,
            tuple(said),
            mono,
            found,
            seconds,
        )
        for frames, part in zip(shaped, parts, strict=True)
    ]


def _pitched(sound: Sound, settings: Settings, hint: float | None) -> tuple[PitchTrack, str]:
    """The pitch, moved by the octaves asked for, and the decision in words."""
    if settings.pitch is not None:
        found, how = follow(sound, settings.pitch), f"pitch {note_name(settings.pitch)}, given"
    else:
        found, how = _found(sound, settings, hint)
    if settings.octave:
        found = replace(found, f0_hz=found.f0_hz * 2.0**settings.octave)
        middle = midi_to_hz(found.pitch)
        if not midi_to_hz(LOW_MIDI) <= middle < 0.45 * sound.rate:
            raise UserError(f"{settings.octave:+d} octaves move its pitch to {middle:.1f} Hz, which is out of reach")
        how += f"; moved by {settings.octave:+d} octave{'s' * (abs(settings.octave) > 1)}, as asked"
    return found, how


def _found(sound: Sound, settings: Settings, hint: float | None) -> tuple[PitchTrack, str]:
    named = "" if hint is None else f", as the file's name says ({note_name(hint)})"
    try:
        found = track(sound, settings.low_hz, settings.high_hz, hint)
    except Unpitched as error:
        # what alone would be too little is enough where the name of the file says the same
        near = error.guess is not None and hint is not None and abs((error.guess - hint + 6) % 12 - 6) < 1
        if near and hint is not None and (found := follow(sound, hint)).confidence >= NAMED_CONFIDENCE:
            return found, f"pitch {describe(found)}{named}"
        if settings.low_hz == LOW_HZ and (deep := _below(sound)) is not None:
            raise Unpitched(deep, 0.0, (settings.low_hz, settings.high_hz)) from None
        error.args = (f"{error}, or use --unpitched",)
        raise
    if hint is not None and abs(found.pitch - hint) > 0.5:
        named = f"; the file's name says {note_name(hint)}, the sound does not"
    return found, f"pitch {describe(found)}{named}"


def _below(sound: Sound) -> float | None:
    """The pitch of a sound that has one below the range, such as the lowest pipes of an organ."""
    try:
        return track(sound, midi_to_hz(LOW_MIDI), 1.5 * LOW_HZ).pitch
    except Unpitched:
        return None


def _split(sound: Sound, settings: Settings, name: str, facts: dict[str, str], told: str) -> list[Imported]:
    """The tables of every note; a note that cannot be one is left out and told, unless it is so of all."""
    spans = splitting.notes(sound, settings.low_hz, settings.high_hz)
    made: list[Imported] = []
    refused: UserError | None = None
    width = len(str(len(spans)))
    for number, (start, end) in enumerate(spans, 1):
        note = Sound(sound.samples[round(start * sound.rate) : round(end * sound.rate)], sound.rate)
        where = f"note {number} of {len(spans)}, {start:.2f}..{end:.2f} s"
        try:
            tables = _tables(note, settings, f"{name} {number:0{width}}", facts, None, f"{where} of {told}")
        except UserError as error:
            refused = error
            continue
        pitch = note_name(tables[0].table.root_pitch) if tables[0].table.root_pitch is not None else ""
        made += [
            replace(each, part="-".join(filter(None, (f"{number:0{width}}", pitch, each.part)))) for each in tables
        ]
    if not made:
        raise refused or UserError("no note found in it; import it whole, or give its pitch, e.g. --pitch C3")
    return made


def _shaped(channels: Floats, settings: Settings) -> Floats:
    """Channels of frames (k, n, 2048) under the rules of phase and level, the same for all channels."""
    count, flat = len(channels), np.concatenate(list(channels))
    if settings.phase == "align":
        louder = channels[int(np.argmax((channels.astype(np.float64) ** 2).sum((1, 2))))]
        turns = shaping.aligning(louder)
        # where the fundamental is weak, noisy or on its own way, it would tear neighbours apart that are in phase as
        # the track of all partials has them
        if shaping.likeness(shaping.rotate(louder, turns)) > shaping.likeness(louder) - TORN:
            flat = shaping.rotate(flat, np.tile(turns, count))
        flat = shaping.settle_seam(flat)
    elif settings.phase == "source":
        flat = shaping.turned_to_rest(flat)
    else:
        flat = shaping.all_sines(flat) if settings.phase == "sine" else shaping.minimum_phase(flat)
    return _levelled(shaping.remove_dc(flat), count, settings.level).reshape(channels.shape)


def _levelled(flat: Floats, count: int, level: str) -> Floats:
    if level == "table" or (level == "keep" and float(np.abs(flat).max()) > 1.0):
        return shaping.normalize(flat)
    if level == "keep":
        return flat
    if level == "frame":
        each = np.abs(flat).max(1).astype(np.float64)
    else:
        from wavetables.loudness import SILENT, loudness

        lufs = np.array([loudness(frame[None]) for frame in flat])
        each = np.where(lufs > SILENT, 10 ** (lufs / 20), 0.0)
    # a pair keeps its balance: its louder channel sets the gain of both
    return shaping.level_each(flat, np.tile(each.reshape(count, -1).max(0), count))


def _kept(source: Path, frames: int | None, name: str | None, facts: dict[str, str]) -> Table:
    table = registry.read(source)
    cycles = table.frames
    if frames is not None and frames < len(cycles):
        cycles = shaping.resample_frames(cycles, frames)
    if float(np.abs(cycles).max()) > 1.0:
        cycles = shaping.normalize(cycles)
    # what the table says of its own origin is worth more than that it was read once more
    return Table(cycles, name or table.name, table.root_pitch, {**facts, **table.provenance})


def _program() -> str:
    try:
        return f"make-wavetable {metadata.version('make-wavetable')}"
    except metadata.PackageNotFoundError:
        return "make-wavetable (not installed)"
