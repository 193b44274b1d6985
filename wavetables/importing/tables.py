"""A sound file becomes tables: its pitch is found, its cycles become frames. A wavetable file keeps its frames."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from importlib import metadata
from pathlib import Path

import numpy as np

from nsynth_core import audio
from nsynth_core.audio import Sound
from nsynth_core.errors import UsageError, UserError
from nsynth_core.notes import HIGH_MIDI, LOW_MIDI, hz_to_midi, note_name, pitch_in_name
from wavetables import shaping
from wavetables.formats import registry
from wavetables.formats.cycles import natural
from wavetables.importing import explain, splitting
from wavetables.importing.decision import Decision, decide
from wavetables.importing.result import CutFacts, Facts, Imported, NoteFacts, SourceFacts, SourceKind
from wavetables.importing.settings import Settings
from wavetables.importing.shaped import shaped_frames
from wavetables.importing.slicing import Slices, slice_channels
from wavetables.importing.unpitched import slice_cycle, slice_windows
from wavetables.table import MAX_FRAMES, Table

PAIRS = {"ms": ("M", "S"), "lr": ("L", "R")}  # parts of the two tables of a stereo sound
DIFFERENT = 1e-3  # of the level: channels closer than that are alike
SHOWN_HARMONICS = 128  # whose averaging is told


def import_sound(
    path: str | os.PathLike[str], pitch: float | None = None, frames: int | None = None, name: str | None = None
) -> Table:
    """The table of the one note in a sound file: `import_tables` with no other settings."""
    return import_tables(path, Settings(pitch=pitch, frames=frames), name)[0].table


def import_tables(
    path: str | os.PathLike[str], settings: Settings | None = None, name: str | None = None
) -> list[Imported]:
    """Make the tables of a sound file.

    path: a sound file, or a wavetable file of any format
    settings: how, see Settings
    name: of the table; the file's name by default
    Returns one table; two with stereo "ms" and "lr"; one for each note with `split`. Their frames have no DC, close
    without a click, are in phase along the table and peak at -0.1 dBFS, unless `settings` say otherwise.

    A file that says itself that it is a wavetable is not analysed again: its frames stay as they are, fewer where
    `frames` asks for fewer, with one gain where they clip. A short file that does not repeat itself is a single cycle.

    Raises UserError: a file that cannot be read, a note shorter than a period, a channel that is not there.
    Raises Unpitched: no pitch is found, and none is given.

    >>> import tempfile
    >>> from nsynth_core import audio
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     audio.write(Path(folder) / "a3.wav", audio.sine(220.0))
    ...     imported = import_tables(Path(folder) / "a3.wav", Settings(frames=16))[0]
    >>> imported.table.frames.shape
    (16, 2048)
    >>> round(imported.facts.pitch.midi, 1)
    57.0
    """
    settings, source = settings or Settings(), Path(path)
    provenance = {"source": source.name, "program": _program()}
    if registry.is_table(source):
        table = _kept(source, settings.frames, name, provenance)
        return [Imported(table, Facts(SourceKind.TABLE, stored_pitch=table.provenance.get("pitch", "")))]
    whole = audio.read(source)
    try:
        part = _stretch(whole, settings)
        sound = _channels(part, settings.stereo)
        facts = SourceFacts(part.seconds, part.rate, part.channels, settings.stereo)
        origin = _Origin(name or source.stem, provenance, facts, pitch_in_name(source.stem))
        return _split(sound, settings, origin) if settings.split else _tables(sound, settings, origin)
    except UserError as error:
        error.located(source)
        raise


def join(paths: Sequence[Path], settings: Settings, name: str) -> Imported:
    """Make one table with a frame of each file.

    paths: at most 256 files, sorted as people sort ("2" before "10")
    settings: as of `import_tables`, without `split` and without the stereo pairs
    name: of the table
    The frame of a file is its single cycle, the first frame of a wavetable, or the cycle in the middle of a
    recording's energy. Raises UserError and Unpitched as `import_tables`, and UserError for more than 256 files.
    """
    if len(paths) > MAX_FRAMES:
        raise UserError(f"{len(paths)} files to join; a table has at most {MAX_FRAMES} frames")
    if settings.stereo in PAIRS or settings.split:
        raise UsageError("joining makes one table; it goes neither with splitting nor with the stereo pairs ms and lr")
    ordered = sorted(paths, key=natural)
    # each as recorded: the joined table as a whole is put in phase and given its level
    unchanged = replace(settings, frames=1, phase="source", level="keep")
    tables = [import_tables(path, unchanged)[0].table for path in ordered]
    pitches = {table.root_pitch for table in tables if table.root_pitch is not None}
    pitch = float(np.median(list(pitches))) if pitches else None
    frames = np.concatenate([table.frames for table in tables])
    if settings.frames is not None and settings.frames < len(frames):
        frames = shaping.resample_frames(frames, settings.frames)
    provenance = {"source": f"{len(ordered)} files, {ordered[0].name} to {ordered[-1].name}", "program": _program()}
    table = Table(shaped_frames(frames[None], settings)[0], name, pitch, provenance)
    return Imported(table, Facts(SourceKind.JOINED, joined=tuple(path.name for path in ordered)))


@dataclass(frozen=True)
class _Origin:
    """Where a sound comes from: the name of its tables, their provenance, the facts of its source, and the pitch (MIDI)
    that the file's name ends in."""

    name: str
    provenance: Mapping[str, str]
    source: SourceFacts
    name_hint: float | None = None


# -------------------------------------------------------------------------------------------------------- what is read
def _stretch(sound: Sound, settings: Settings) -> Sound:
    """The part between the start and the end of `settings`."""
    if not settings.by_hand:
        return sound
    first, last = settings.start or 0.0, min(settings.end or sound.seconds, sound.seconds)
    part = sound.samples[round(first * sound.rate) : round(last * sound.rate)]
    if len(part) < 2:
        raise UserError(f"nothing between {first:g} and {last:g} s: the sound has {sound.seconds:.2f} s")
    return Sound(part, sound.rate)


def _channels(sound: Sound, stereo: str) -> Sound:
    """The channels that tables are made of: see Settings.stereo."""
    if stereo == "mid":
        return Sound(sound.mid()[:, None], sound.rate)
    if sound.channels == 1:
        if stereo in ("left", "right"):
            return sound
        raise UserError(f"mono, so that there are no two channels for a pair of tables ({stereo}); use its mean (mid)")
    left, right = sound.samples[:, 0], sound.samples[:, 1]
    if stereo in ("left", "right"):
        chosen = left if stereo == "left" else right
        if not np.ptp(chosen) > 0.0:
            raise UserError(f"its {stereo} channel is silent; use the other one, or the mean of both (mid)")
        return Sound(chosen[:, None], sound.rate)
    pair = np.stack([left, right] if stereo == "lr" else [(left + right) / 2, (left - right) / 2], 1)
    for index, channel in enumerate(("left", "right") if stereo == "lr" else ("mid", "side")):
        if np.ptp(pair[:, index]) <= DIFFERENT * np.ptp(pair):
            raise UserError(f"its {channel} channel is silent; make one table of it, of the mean of both (mid)")
    return Sound(pair, sound.rate)


def _kept(source: Path, frames: int | None, name: str | None, provenance: Mapping[str, str]) -> Table:
    """The table in a wavetable file, with at most so many frames."""
    table = registry.read(source)
    cycles = table.frames
    if frames is not None and frames < len(cycles):
        cycles = shaping.resample_frames(cycles, frames)
    if float(np.abs(cycles).max()) > 1.0:
        cycles = shaping.normalize(cycles)
    # what the table says of its own origin is worth more than that it was read once more
    return Table(cycles, name or table.name, table.root_pitch, {**provenance, **table.provenance})


# ------------------------------------------------------------------------------------------------------- what is made
def _tables(sound: Sound, settings: Settings, origin: _Origin) -> list[Imported]:
    """One table for each channel of `sound`."""
    decision = decide(sound, settings, origin.name_hint)
    slices = _slices(sound, decision, settings)
    if not np.abs(slices.frames).max() > 0.0:
        raise UserError("holds nothing at this pitch; give another pitch, or none to have it found")
    provenance = dict(origin.provenance)
    if decision.pitch is not None:
        provenance["pitch"] = explain.pitch_words(decision.pitch)
    root_pitch = _root_pitch(sound, decision)
    facts = Facts(
        decision.kind,
        origin.source,
        decision.pitch,
        _cut_facts(slices, settings) if decision.kind is SourceKind.PITCHED else None,
        cycle_samples=0 if decision.cycle is None else int(decision.cycle.shape[1]),
        windows=len(slices.seconds) if decision.kind is SourceKind.WINDOWS else 0,
    )
    mono, seconds = Sound(sound.mid()[:, None], sound.rate), tuple(float(second) for second in slices.seconds)
    imported = []
    for frames, part in zip(shaped_frames(slices.frames, settings), PAIRS.get(settings.stereo, ("",)), strict=True):
        channel = {"channel": part} if part else {}
        table = Table(frames, f"{origin.name} {part}".strip(), root_pitch, provenance | channel)
        imported.append(Imported(table, facts, part, mono, decision.track, seconds))
    return imported


def _slices(sound: Sound, decision: Decision, settings: Settings) -> Slices:
    if decision.cycle is not None:
        return slice_cycle(decision.cycle)
    if decision.track is None:
        return slice_windows(sound, settings.frames)
    return slice_channels(
        sound,
        decision.track,
        settings.frames,
        even=settings.spacing == "even",
        average=settings.average,
        everywhere=settings.by_hand or settings.split,
    )


def _root_pitch(sound: Sound, decision: Decision) -> float | None:
    """The pitch of the table, None where there is none or it lies outside the MIDI numbers that a note can have."""
    if decision.cycle is not None:
        pitch = hz_to_midi(sound.rate / decision.cycle.shape[1])
    elif decision.pitch is not None:
        pitch = decision.pitch.midi
    else:
        return None
    return pitch if LOW_MIDI <= pitch <= HIGH_MIDI else None


def _cut_facts(slices: Slices, settings: Settings) -> CutFacts:
    def span(periods: Sequence[int]) -> tuple[int, int]:
        return min(periods), max(periods)

    low = slices.periods[: explain.LOW_HARMONICS].tolist()
    high = slices.periods[explain.LOW_HARMONICS : SHOWN_HARMONICS].tolist()
    return CutFacts(
        frames=int(slices.frames.shape[1]),
        used=slices.used,
        cycles=slices.cycles,
        spacing=settings.spacing,
        average=settings.average,
        periods=span(low),
        high_periods=span(high) if high else None,
    )


def _split(sound: Sound, settings: Settings, origin: _Origin) -> list[Imported]:
    """The tables of every note. A note that cannot become a table is left out, unless this is so of all."""
    spans = splitting.notes(sound, settings.low_hz, settings.high_hz)
    imported: list[Imported] = []
    refused: UserError | None = None
    digits = len(str(len(spans)))
    for number, (start, end) in enumerate(spans, 1):
        note = Sound(sound.samples[round(start * sound.rate) : round(end * sound.rate)], sound.rate)
        source = replace(origin.source, note=NoteFacts(number, len(spans), start, end))
        try:
            tables = _tables(note, settings, _Origin(f"{origin.name} {number:0{digits}}", origin.provenance, source))
        except UserError as error:
            refused = error
            continue
        pitch = note_name(tables[0].table.root_pitch) if tables[0].table.root_pitch is not None else ""
        for table in tables:
            imported.append(replace(table, part="-".join(filter(None, (f"{number:0{digits}}", pitch, table.part)))))
    if not imported:
        raise refused or UserError("no note found in it; import it whole, or give its pitch")
    return imported


def _program() -> str:
    try:
        return f"make-wavetable {metadata.version('make-wavetable')}"
    except metadata.PackageNotFoundError:
        return "make-wavetable (not installed)"
