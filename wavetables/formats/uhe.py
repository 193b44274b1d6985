"""u-he Hive: a Serum WAV with Hive's own `uhWT` chunk as well (KVR forum, post 8744977): both synths know it."""

from __future__ import annotations

import os
import struct
from pathlib import Path

from nsynth_core.files import atomic
from wavetables.formats import riff, wav
from wavetables.formats.common import check_peak
from wavetables.table import Table


def write(path: str | os.PathLike[str], table: Table, force: bool = False) -> None:
    """Write `table` bit-exact: `fmt `, `clm `, `uhWT` (272 bytes), `data`, then what the table says of itself.
    Raises UserError: peaks above full scale, the file exists (unless `force`), an unwritable place."""
    check_peak(path, table)
    count, size = table.frames.shape
    text = table.name.encode("ascii", "replace")[:255]
    mark = riff.chunk(b"uhWT", struct.pack("<IIII256s", 0, count, size, 0, text))
    with atomic(path, force) as temporary:
        temporary.write_bytes(riff.wave(table.frames, before=riff.clm(table.name) + mark, after=riff.info(table)))


def read(path: str | os.PathLike[str]) -> Table:
    """The table of a WAV with or without Hive's chunk. Raises UserError as wav.load."""
    return wav.load(path).table(Path(path).stem)
