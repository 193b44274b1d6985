"""A sound file → a table: its pitch is found, its cycles become frames. A wavetable file is kept frame by frame."""

from __future__ import annotations

import os
from importlib import metadata
from pathlib import Path

import numpy as np

from nsynth_core import audio
from nsynth_core.errors import UserError
from nsynth_core.pitch import describe, follow, note_name, track
from wavetables.formats import registry
from wavetables.shaping import normalize, resample_frames, shape
from wavetables.slicing import slice_cycles
from wavetables.table import MAX_FRAMES, Table


def import_sound(
    path: str | os.PathLike[str],
    pitch: float | None = None,
    frames: int | None = None,
    name: str | None = None,
) -> Table:
    """The table of the note in a sound file: at most `frames` (1..256, default 256) cycles along it, zero DC, in phase,
    the seam in a quiet place, peak at -0.1 dBFS.

    pitch   MIDI number where it is known: the track stays within a semitone of it, and no sound is refused as unpitched
    name    of the table; by default the file's

    A file that says itself that it is a wavetable, in any format, is not analysed again: its frames stay as they are
    (fewer where `frames` asks for fewer; one gain where they clip).
    Raises UserError: what audio.read and pitch.track refuse, a note shorter than a period, a frame count out of range.
    """
    if frames is not None and not 1 <= frames <= MAX_FRAMES:
        raise UserError(f"{frames} frames; a table has 1..{MAX_FRAMES}")
    source = Path(path)
    facts = {"source": source.name, "program": f"make-wavetable {_version()}"}
    if registry.is_table(source):
        return _kept(source, frames, name, facts)
    sound = audio.read(source)
    try:
        found = track(sound) if pitch is None else follow(sound, pitch)
        cycles = slice_cycles(sound, found, frames)
    except UserError as error:
        # the pitch tracker does not know the file's name; its own type, with the guess it carries, is kept
        error.args = (str(error) if source.name in str(error) else f"{source}: {error}",)
        raise
    if not np.abs(cycles).max() > 0.0:
        raise UserError(
            f"{source}: holds nothing at this pitch; give another, e.g. --pitch C3, or none to have it found"
        )
    facts["pitch"] = describe(found) if pitch is None else f"{note_name(pitch)}, given"
    return Table(shape(cycles), name or source.stem, found.pitch, facts)


def _kept(source: Path, frames: int | None, name: str | None, facts: dict[str, str]) -> Table:
    table = registry.read(source)
    cycles = table.frames
    if frames is not None and frames < len(cycles):
        cycles = resample_frames(cycles, frames)
    if float(np.abs(cycles).max()) > 1.0:
        cycles = normalize(cycles)
    # what the table says of its own origin is worth more than that it was read once more
    return Table(cycles, name or table.name, table.root_pitch, {**facts, **table.provenance})


def _version() -> str:
    try:
        return metadata.version("make-wavetable")
    except metadata.PackageNotFoundError:
        return "(not installed)"
