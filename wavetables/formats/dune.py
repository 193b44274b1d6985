"""Dune's `.wt`, which is only read. It has no description but what other readers do, and no magic number; Surge's
`.wt` has one."""

from __future__ import annotations

import os
import struct
from pathlib import Path

import numpy as np

from nsynth_core.errors import UserError
from wavetables.formats.common import MAX_FILE_FRAMES, SIZES, Loaded, from_int16, read_bytes
from wavetables.table import Table

HEADER = 351  # bytes before the samples
MAX_BYTES = 1 << 26


def read(path: str | os.PathLike[str]) -> Table:
    """The table of a Dune file. Raises UserError: missing, another format, cut short."""
    return load(path).table(Path(path).stem)


def load(path: str | os.PathLike[str]) -> Loaded:
    """Read a Dune file as it is: the frame size is at byte 12, the sample width at 16, the number of frames at 20, and
    the samples begin at 351. Raises UserError as `read`."""
    data = read_bytes(path, MAX_BYTES)
    if len(data) < HEADER:
        raise UserError("not a .wt wavetable (too short, and no 'vawt' at its start)", path=path)
    size = struct.unpack("<h", data[12:14])[0]
    width_code, declared_count = struct.unpack("<ii", data[16:24])
    width = 2 if width_code == 1 else 4
    count = min(declared_count, (len(data) - HEADER) // (width * size)) if size in SIZES else 0
    if count < 1 or declared_count > MAX_FILE_FRAMES:
        raise UserError("not a .wt wavetable (neither Surge's 'vawt' nor Dune's header)", path=path)
    if width == 2:
        frames = from_int16(np.frombuffer(data, "<i2", count * size, HEADER))
    else:
        frames = np.asarray(np.frombuffer(data, "<i4", count * size, HEADER) / 2.0**31, dtype=np.float32)
    remarks = ["Dune's .wt, read as other programs understand it"]
    if count < declared_count:
        remarks.append(f"cut short: {count} of {declared_count} frames")
    return Loaded("dune", frames.reshape(count, size), "the header", f"int{8 * width}", remarks=tuple(remarks))
