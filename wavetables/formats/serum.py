"""Serum's wavetables, the default: a mono float32 WAV, 2048 samples a frame, announced by a `clm ` chunk.

Serum's author describes the chunk (KVR forum, topic 517146). `riff.clm` writes it, `wav` reads it and every other
wavetable WAV.
"""

from __future__ import annotations

import os
from pathlib import Path

from nsynth_core.files import atomic
from wavetables.formats import riff
from wavetables.formats.common import check_peak
from wavetables.formats.wav import is_marked, load
from wavetables.table import Table

__all__ = ["is_marked", "load", "read", "write"]


def write(path: str | os.PathLike[str], table: Table, force: bool = False) -> None:
    """Write a table bit-exact, whole or not at all. The same table gives the same bytes.

    `fmt `, `clm ` and `data` come first, and synths need no more. Name, root pitch and provenance follow in a LIST/INFO
    chunk (INAM, ISFT, ICMT as JSON).
    Raises UserError: a table that clips, a file that exists (unless `force`), a place that cannot be written.

    >>> import tempfile
    >>> import numpy as np
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write(Path(folder) / "saw.wav", Table(np.zeros((3, 2048), np.float32), "saw", root_pitch=57.0))
    ...     read(Path(folder) / "saw.wav").root_pitch
    57.0
    """
    check_peak(path, table)
    with atomic(path, force) as temporary:
        temporary.write_bytes(riff.wave(table.frames, before=riff.clm(table.name), after=riff.info(table)))


def read(path: str | os.PathLike[str], size: int | None = None) -> Table:
    """The table in a wavetable WAV.

    size: samples a frame, 2..8192, whatever the file says
    Frames of 2048 samples stay bit-exact, others are resized to 2048. Of more than 256 frames, 256 evenly spaced ones
    are taken. Raises UserError: missing, no WAV, no wavetable, cut short to nothing, NaN.
    """
    return load(path, size).table(Path(path).stem)
