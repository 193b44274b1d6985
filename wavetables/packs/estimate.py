"""How many files a pack would have, how large it would be, and how long it would take. Nothing is written."""

from __future__ import annotations

from collections.abc import Callable

import soundfile

from nsynth_core import parallel
from wavetables import page
from wavetables.estimate import Estimate
from wavetables.loudness import F0
from wavetables.packs import conclusion, plan, sweeps
from wavetables.packs.plan import Item, Pack, Recording, Sweep
from wavetables.table import FRAME_SIZE, MAX_FRAMES

# bytes of a frame in each format; of the others those of float32
FRAME_BYTES = {"vital": 4 * FRAME_SIZE * 4 // 3, "wt16": 2 * FRAME_SIZE}
PREVIEW_BYTES, NOTE_BYTES = 100_000, 1_152_000  # FLAC of four seconds; 24-bit stereo of four seconds at 48 kHz
PICTURE_BYTES, PANEL_BYTES, SHEET_BYTES = 115_000, 130_000, 17_000  # of a rainbowgram; of a table on a contact sheet
FACTS_BYTES, TEXT_BYTES = 2_300, 4_000  # of an item in the manifest; of the texts
# CPU seconds, measured on two cores of 2.1 GHz
START_SECONDS = 2.0
RECORDING_SECONDS, SECONDS_PER_SECOND = 0.05, 0.05  # for a recording, and for each second of it
SWEEP_SECONDS, FORMAT_SECONDS, NOTE_SECONDS = 0.1, 0.015, 0.14
PICTURES_SECONDS, SHEET_SECONDS = 2.2, 0.006  # for each table
NSYNTH_SECONDS = 20.0  # for each second of sound
NSYNTH_FRAME, NSYNTH_NOTE = 0.25, 4.0  # seconds of sound that NSynth makes for a mix of a table, and for a note


def estimate(
    pack: Pack,
    *,
    workers: int | None = None,
    archive: bool = False,
    update: Callable[[int, int], None] = lambda done, total: None,
) -> Estimate:
    """What `make_planned` would make of the plan `pack` in an empty folder.

    workers: processes, by default one per core, and one with NSynth
    archive: whether a .zip is made, too
    update: called with (items looked at, items in all)
    The number of files is exact, the size and the time are about right. Recordings that cannot be read count as empty.

    >>> import tempfile
    >>> from pathlib import Path
    >>> from nsynth_core import audio
    >>> from wavetables.packs.planning import plan_pack
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     audio.write(Path(folder, "horn.wav"), audio.sine(110.0))
    ...     estimate(plan_pack(folder, pictures="none")[0]).files
    6
    """
    total_bytes, seconds, table_files = 0.0, 0.0, 0
    frames_of_largest = 1
    for number, item in enumerate(pack.items, 1):
        length = _sound_seconds(item)
        frames = _frames(pack, item, length)
        frames_of_largest = max(frames_of_largest, frames)
        total_bytes += _item_bytes(pack, item, frames)
        seconds += _item_seconds(pack, item, length)
        table_files += len(plan.paths(pack, item))
        update(number, len(pack.items))
    sheets = 0 if pack.pictures == "none" else -(-len(pack.items) // conclusion.SHEET)
    total_bytes += TEXT_BYTES + _page_bytes(len(pack.items), frames_of_largest)
    files = table_files + sheets + len(conclusion.TEXTS) + 1  # and the manifest
    processes = workers or (1 if pack.nsynth is not None else parallel.cores())
    duration = START_SECONDS + seconds / max(1, min(processes, len(pack.items)))
    if archive:
        files, total_bytes = files + 1, 2 * total_bytes
    return Estimate(files, round(total_bytes), duration)


def _sound_seconds(item: Item) -> float:
    """The length of a recording in seconds; 0 for a sweep, and where it cannot be read."""
    if not isinstance(item.source, Recording):
        return 0.0
    try:
        return float(soundfile.info(str(item.source.path)).duration)
    except (RuntimeError, OSError):  # soundfile's own errors are RuntimeErrors
        return 0.0


def _frames(pack: Pack, item: Item, length: float) -> int:
    """About how many frames the table has: of a recording as many as C3 has cycles in `length` seconds."""
    if isinstance(item.source, Sweep):
        return pack.frames or plan.SWEEP_FRAMES
    return max(1, min(pack.frames or MAX_FRAMES, int(length * F0)))


def _item_bytes(pack: Pack, item: Item, frames: int) -> int:
    size = FACTS_BYTES + sum(frames * FRAME_BYTES.get(name, 4 * FRAME_SIZE) for name in pack.formats)
    size += PREVIEW_BYTES * pack.previews + NOTE_BYTES * len(plan.sample_paths(pack, item))
    size += SHEET_BYTES * (pack.pictures != "none")
    panels = 2 if isinstance(item.source, Recording) else len(item.source.corners) + 1
    return size + (PICTURE_BYTES + PANEL_BYTES * panels) * (pack.pictures == "all")


def _item_seconds(pack: Pack, item: Item, length: float) -> float:
    seconds = FORMAT_SECONDS * len(pack.formats) + SHEET_SECONDS * (pack.pictures != "none")
    seconds += PICTURES_SECONDS * (pack.pictures == "all")
    if isinstance(item.source, Recording):
        return seconds + RECORDING_SECONDS + SECONDS_PER_SECOND * length
    notes = len(plan.sample_paths(pack, item))
    if pack.nsynth is not None:
        return seconds + NSYNTH_SECONDS * (sweeps.MIXES * NSYNTH_FRAME + notes * NSYNTH_NOTE)
    return seconds + SWEEP_SECONDS + NOTE_SECONDS * notes


def _page_bytes(tables: int, frames: int) -> float:
    """About the size of the page: two bytes for each harmonic, in base64. Half of the harmonics are silent."""
    most_frames, harmonics = page.detail(tables)
    return tables * min(frames, most_frames) * harmonics / 2 * 2 * 4 / 3
