"""Single cycles as files of their own: a folder of numbered WAVs is written; a folder, or one file, of cycles of any
length is read, such as those of the AKWF collection."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from nsynth_core.audio import Floats
from nsynth_core.errors import FileExists, NotWritable, UserError
from nsynth_core.files import atomic
from wavetables.formats import riff, wav
from wavetables.formats.common import MAX_FILE_FRAMES, SIZES, Loaded, check_peak
from wavetables.resizing import resize
from wavetables.table import FRAME_SIZE, Table

SHOWN_SIZES = 4


def write(path: str | os.PathLike[str], table: Table, force: bool = False) -> None:
    """Write every frame to `path`/000.wav and so on: mono float32, 2048 samples, bit-exact.
    Raises UserError: a table that clips, a folder that holds files (unless `force`), a place that cannot be written."""
    check_peak(path, table)
    folder = Path(path)
    if folder.exists() and not folder.is_dir():
        raise NotWritable(folder, "it is a file, and single cycles need a folder")
    if folder.is_dir() and any(folder.iterdir()) and not force:
        raise FileExists(folder)
    for index, frame in enumerate(table.frames):
        with atomic(folder / f"{index:03}.wav", force) as temporary:
            temporary.write_bytes(riff.wave(frame[None], after=riff.info(_one_frame(table, index))))


def _one_frame(table: Table, index: int) -> Table:
    return Table(table.frames[index : index + 1], f"{table.name} {index + 1}", table.root_pitch, table.provenance)


def read(path: str | os.PathLike[str]) -> Table:
    """The table of a folder of single cycles, or of one cycle. Raises UserError: missing, no cycles in it, too many, a
    file that is more than one cycle."""
    name = Path(path)
    return load(name).table(name.resolve().name if name.is_dir() else name.stem)


def load(path: str | os.PathLike[str]) -> Loaded:
    """Read the WAVs of a folder, each as one cycle of 2..8192 samples, sorted as people sort ("2" before "10").

    Frames keep their size where all have the same; else all are resized to 2048. Raises UserError as `read`.
    """
    name = Path(path)
    paths = sorted(_wavs(name), key=natural) if name.is_dir() else [name]
    if not paths:
        raise UserError("no single cycles in this folder (.wav files)", path=name)
    if len(paths) > MAX_FILE_FRAMES:
        raise UserError(f"{len(paths)} files; a table has at most 256 frames", path=name)
    cycles = [load_one(path) for path in paths]
    first = cycles[0]
    sizes = sorted({cycle.size for cycle in cycles})
    lengths = ", ".join(map(str, sizes[:SHOWN_SIZES])) + " ..." * (len(sizes) > SHOWN_SIZES)
    return Loaded(
        "cycles",
        one_size(cycles),
        f"{len(cycles)} single cycles of {lengths} samples",
        " ".join(sorted({cycle.encoding for cycle in cycles})),
        first.rate,
        max(cycle.channels for cycle in cycles),
        root_pitch=first.root_pitch,
        provenance=first.provenance,
        remarks=tuple(dict.fromkeys(remark for cycle in cycles for remark in cycle.remarks)),
    )


def one_size(cycles: Sequence[Loaded]) -> Floats:
    """The frames of all `cycles`, resized to 2048 samples where their sizes differ."""
    if len({cycle.size for cycle in cycles}) == 1:
        return np.concatenate([cycle.frames for cycle in cycles])
    return np.concatenate([resize(cycle.frames, FRAME_SIZE) for cycle in cycles])


def natural(path: Path) -> list[tuple[int, str]]:
    """The sort key of people.

    >>> [path.name for path in sorted([Path("wave 10"), Path("wave 2")], key=natural)]
    ['wave 2', 'wave 10']
    """
    parts = re.split(r"(\d+)", path.name.lower())
    return [(int(part), "") if index % 2 else (-1, part) for index, part in enumerate(parts)]


def _wavs(folder: Path) -> list[Path]:
    return [path for path in folder.iterdir() if path.suffix.lower() == ".wav" and not path.name.startswith(".")]


def load_one(path: Path) -> Loaded:
    """Read a WAV as one cycle. Raises UserError as riff.scan and wav.load, and for more samples than a cycle has."""
    length = len(riff.samples(riff.scan(path), path).first_channel)
    if length not in SIZES:
        raise UserError(
            f"{length} samples; a single cycle has {SIZES[0]}..{SIZES[-1]}: import it as a sound", path=path
        )
    return wav.load(path, length)
