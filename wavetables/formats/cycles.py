"""Single cycles as files of their own: a folder of numbered WAVs out; a folder or one file of any length in (AKWF)."""

from __future__ import annotations

import os
import re
from pathlib import Path

import numpy as np

from nsynth_core.errors import UserError
from nsynth_core.files import atomic
from wavetables.formats import riff, wav
from wavetables.formats.common import MAX_FILE_FRAMES, SIZES, Loaded, check_peak
from wavetables.resizing import resize
from wavetables.table import FRAME_SIZE, Table


def write(path: str | os.PathLike[str], table: Table, force: bool = False) -> None:
    """Write every frame to `path`/000.wav ..., mono float32, 2048 samples, bit-exact. Raises UserError: peaks above
    full scale, a folder in use (unless `force`), an unwritable place."""
    check_peak(path, table)
    folder = Path(path)
    if folder.exists() and not folder.is_dir():
        raise UserError(f"{folder} is a file; single cycles need a folder, choose another -o")
    if folder.is_dir() and any(folder.iterdir()) and not force:
        raise UserError(f"{folder} exists already and is not empty; choose another -o or add --force")
    for index, frame in enumerate(table.frames):
        with atomic(folder / f"{index:03}.wav", force) as temporary:
            temporary.write_bytes(riff.wave(frame[None], after=riff.info(_named(table, index))))


def _named(table: Table, index: int) -> Table:
    return Table(table.frames[index : index + 1], f"{table.name} {index + 1}", table.root_pitch, table.provenance)


def read(path: str | os.PathLike[str]) -> Table:
    """The table of a folder of single cycles, or of one. Raises UserError: missing, no cycles in it, too many, a file
    that is more than one cycle."""
    name = Path(path)
    return load(name).table(name.resolve().name if name.is_dir() else name.stem)


def load(path: str | os.PathLike[str]) -> Loaded:
    """Read a folder's WAVs in the order of their names, numbers as numbers, every file one cycle of any length
    (2..8192). Frames keep their size where all have the same; else all are brought to 2048. Errors as in `read`."""
    name = Path(path)
    files = sorted(_files(name), key=natural) if name.is_dir() else [name]
    if not files:
        raise UserError(f"{name}: no single cycles in this folder (.wav files)")
    if len(files) > MAX_FILE_FRAMES:
        raise UserError(f"{name}: {len(files)} files; a table has at most 256 frames")
    loaded = [load_one(file) for file in files]
    sizes = {each.size for each in loaded}
    frames = [each.frames if len(sizes) == 1 else resize(each.frames, FRAME_SIZE) for each in loaded]
    decision = (
        f"{len(loaded)} single cycles of {', '.join(map(str, sorted(sizes)[:4]))}{' ...' * (len(sizes) > 4)} samples"
    )
    first = loaded[0]
    return Loaded(
        "cycles",
        np.concatenate(frames),
        decision,
        " ".join(sorted({each.encoding for each in loaded})),
        first.rate,
        max(each.channels for each in loaded),
        root_pitch=first.root_pitch,
        provenance=first.provenance,
        remarks=tuple(dict.fromkeys(remark for each in loaded for remark in each.remarks)),
    )


def natural(path: Path) -> list[tuple[int, str]]:
    """The sort key that puts "wave 2" before "wave 10"."""
    parts = re.split(r"(\d+)", path.name.lower())
    return [(int(part), "") if index % 2 else (-1, part) for index, part in enumerate(parts)]


def _files(folder: Path) -> list[Path]:
    return [each for each in folder.iterdir() if each.suffix.lower() == ".wav" and not each.name.startswith(".")]


def load_one(path: Path) -> Loaded:
    """Read a WAV as one cycle. Raises UserError: as riff.scan and wav.load, or it is more than one cycle."""
    found = riff.scan(path)
    length = len(riff.samples(found, path)[3])
    if length not in SIZES:
        raise UserError(f"{path}: {length} samples; a single cycle has {SIZES[0]}..{SIZES[-1]}: import it as a sound")
    return wav.load(path, length)
