"""Serum-style wavetables, the default: mono float32 WAV, 2048 samples a frame, announced by a `clm ` chunk.

The chunk is described by Serum's author (KVR forum, topic 517146); `riff.clm` writes it, `wav` reads it and every other
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
    """Write `table`, whole or not at all; the same table gives the same bytes.

    `fmt `, `clm ` and `data` come first and alone matter to synths; name, root pitch and provenance follow in a
    LIST/INFO chunk (INAM, ISFT, ICMT as JSON). Raises UserError: peaks above full scale, the file exists (unless
    `force`), an unwritable place.
    """
    check_peak(path, table)
    with atomic(path, force) as temporary:
        temporary.write_bytes(riff.wave(table.frames, before=riff.clm(table.name), after=riff.info(table)))


def read(path: str | os.PathLike[str], size: int | None = None) -> Table:
    """The table in a wavetable WAV. Frames of 2048 samples are kept bit-exact; others are brought to 2048 band-limited.
    Of more than 256 frames, 256 evenly spaced ones are kept. `size` overrules the file's own frame size.
    Raises UserError: missing, not WAV, not a wavetable, truncated to nothing, NaN."""
    return load(path, size).table(Path(path).stem)
