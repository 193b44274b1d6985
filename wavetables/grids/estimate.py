"""How many files a grid has, how large they are, and how long they take.

Sizes of notes, tables and pads follow from their lengths. Sizes of MP3s and all times are measured figures.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from wavetables.estimate import Estimate
from wavetables.grids import layouts
from wavetables.grids.request import Request, read_request
from wavetables.stereo import PAIRS

if TYPE_CHECKING:
    from presets.schema import Preset

# measured on two cores at 2.5 GHz, stereo at 48 kHz
LOAD_SECONDS = 0.9  # the engine and its network
SOUND_SECONDS = 0.5  # a sound that is read and encoded
NOTE_SECONDS = 0.01  # for each second of a note
NSYNTH_SECONDS, NSYNTH_FRAME = 20.0, 0.25  # for each second of NSynth's sound; of its note for a frame
TABLE_SECONDS = 0.07  # a table of 64 frames
FRAMES = 64
NOTE_HEADER, NOTE_FRAME = 44, 6  # bytes: 24 bit, two channels
TABLE_BYTES = FRAMES * 2048 * 4 + 1_000  # float32, and about 1 kB that names its origin
MP3_BYTES = 4_000  # for each second of an MP3 at 16 kHz
SFZ_BYTES = 2_000  # the text of an instrument
MANIFEST_BYTES = 200  # for each file


def estimate(
    what: Request | str | Path | Sequence[str | Path],
    *,
    layout: str = "folder",
    notes: bool = True,
    tables: bool = True,
    engine: str = "harmonic",
) -> Estimate:
    """What `write_grid` would write with the same arguments. Nothing is loaded, rendered or written.

    The number of files is exact and includes the manifest. The size and the time are about right.
    Raises what `read_request` raises, and UsageError for what the layout cannot hold.

    >>> estimate("grid5", notes=False).files
    81
    """
    request = what if isinstance(what, Request) else read_request(what)
    folders = layout == "folder"
    contents = _folders(request.preset, notes, tables) if folders else _laid_out(request, layout)
    sounds = sum(1 for corner in request.preset.corners if isinstance(corner, Path))
    seconds = contents.seconds
    if engine == "nsynth":
        seconds = NSYNTH_SECONDS * _sounding(request, layout, notes)
    start = LOAD_SECONDS + SOUND_SECONDS * sounds
    return Estimate(
        contents.files + 1, contents.bytes + MANIFEST_BYTES * contents.files + 3_000, round(start + seconds, 1)
    )


def _sounding(request: Request, layout: str, notes: bool) -> float:
    """Seconds of sound that NSynth makes: every note, or a short one for each mix of a table."""
    preset = request.preset
    pads = math.prod(map(len, request.choices)) if layout == "nsynth-super" and request.choices else 1
    return preset.notes * pads * (preset.seconds if notes else NSYNTH_FRAME)


def _folders(preset: Preset, notes: bool, tables: bool) -> Estimate:
    samples = round(preset.seconds * 100) * preset.rate // 100  # rendered in steps of 10 ms
    pace = NOTE_SECONDS * preset.seconds * preset.rate / 48_000
    note_files = preset.notes if notes else 0
    table_files = preset.tables * len(PAIRS[preset.stereo]) if tables else 0
    size = note_files * (NOTE_HEADER + NOTE_FRAME * samples) + table_files * TABLE_BYTES
    return Estimate(
        note_files + table_files, size, note_files * pace + (preset.tables * TABLE_SECONDS if tables else 0.0)
    )


def _laid_out(request: Request, layout: str) -> Estimate:
    from wavetables.formats.nsynth_settings import PAD_LENGTH

    plan = layouts.of_preset(request.preset, request.name, request.choices)
    files = layouts.file_count(plan, layout)
    columns = plan.side if layout != "nsynth-super" else plan.resolution
    notes = columns * (columns if plan.rows > 1 else 1) * len(plan.pitches)
    if layout == "nsynth-super":
        pads = math.prod(map(len, plan.choices))
        length = min(plan.length, PAD_LENGTH)
        return Estimate(files + 1, 2 * length * notes * pads, notes * pads * NOTE_SECONDS * length / 16_000)
    seconds = plan.length / 16_000
    time = notes * NOTE_SECONDS * seconds
    if layout == "m4l":
        return Estimate(files + 1, round(notes * seconds * MP3_BYTES), time)
    samples = round(seconds * 100) * plan.rate // 100
    return Estimate(files + notes, files * SFZ_BYTES + notes * (NOTE_HEADER + NOTE_FRAME * samples), time)
