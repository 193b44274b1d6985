"""u-he Hive: a WAV with Serum's `clm ` chunk and Hive's own `uhWT` chunk (KVR forum, post 8744977), for both synths."""

from __future__ import annotations

import os
import struct
from pathlib import Path

from nsynth_core.files import atomic
from wavetables.formats import riff, wav
from wavetables.formats.common import check_peak
from wavetables.table import Table


def write(path: str | os.PathLike[str], table: Table, force: bool = False) -> None:
    """Write a table bit-exact: `fmt `, `clm `, `uhWT` (272 bytes), `data`, then name, root pitch and provenance.
    Raises UserError: a table that clips, a file that exists (unless `force`), a place that cannot be written."""
    check_peak(path, table)
    count, size = table.frames.shape
    name = table.name.encode("ascii", "replace")[:255]
    mark = riff.chunk(b"uhWT", struct.pack("<IIII256s", 0, count, size, 0, name))
    with atomic(path, force) as temporary:
        temporary.write_bytes(riff.wave(table.frames, before=riff.clm(table.name) + mark, after=riff.info(table)))


def read(path: str | os.PathLike[str]) -> Table:
    """The table of a WAV with or without Hive's chunk. Raises UserError as wav.load."""
    return wav.load(path).table(Path(path).stem)
