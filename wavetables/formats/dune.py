"""Dune's `.wt`, read only: the one description of it is what other readers do. It has no magic; Surge's `.wt` has."""

from __future__ import annotations

import os
import struct
from pathlib import Path

import numpy as np

from nsynth_core.errors import UserError
from wavetables.formats.common import MAX_FILE_FRAMES, SIZES, Loaded, from_int16, read_bytes
from wavetables.table import Table

HEADER = 351
MAX_BYTES = 1 << 26


def read(path: str | os.PathLike[str]) -> Table:
    """The table of a Dune file. Raises UserError: missing, not one, cut short."""
    return load(path).table(Path(path).stem)


def load(path: str | os.PathLike[str]) -> Loaded:
    """Read it as it is: frame size at byte 12, width code at 16, frames at 20, data from 351 on. Errors as in
    `read`."""
    data = read_bytes(path, MAX_BYTES)
    if len(data) < HEADER:
        raise UserError(f"{path}: not a .wt wavetable (too short, and no 'vawt' at its start)")
    size = struct.unpack("<h", data[12:14])[0]
    code, count = struct.unpack("<ii", data[16:24])
    width = 2 if code == 1 else 4
    there = min(count, (len(data) - HEADER) // (width * size)) if size in SIZES else 0
    if there < 1 or count > MAX_FILE_FRAMES:
        raise UserError(f"{path}: not a .wt wavetable (neither Surge's 'vawt' nor Dune's header)")
    if width == 2:
        frames = from_int16(np.frombuffer(data, "<i2", there * size, HEADER))
    else:
        frames = np.asarray(np.frombuffer(data, "<i4", there * size, HEADER) / 2.0**31, dtype=np.float32)
    remarks = (
        "Dune's .wt, read as other programs understand it",
        *((f"cut short: {there} of {count} frames",) * (there < count)),
    )
    return Loaded("dune", frames.reshape(there, size), "the header", f"int{8 * width}", remarks=remarks)
