"""A wavetable file becomes a wavetable file of another format, mended on the way where that is asked for."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType

from nsynth_core.files import check_no_source
from wavetables.formats import registry
from wavetables.mending import mend
from wavetables.table import Table

NOTHING: Mapping[str, str] = MappingProxyType({})


@dataclass(frozen=True)
class Converted:
    """What was converted.

    format: the format written, a name in registry.FORMATS
    frames_before, frames: their number in the table that was read (at most 256) and in the one written
    size: samples a frame in the source; decision: where that number comes from
    remarks: what was wrong with the source, or had to be guessed
    oscillators: the other oscillators of a Vital preset whose tables could be had
    fixed: whether the frames were mended
    """

    source: Path
    target: Path
    format: str
    frames_before: int
    frames: int
    size: int
    decision: str
    remarks: tuple[str, ...]
    oscillators: tuple[int, ...]
    fixed: bool


def convert(
    source: str | os.PathLike[str],
    target: str | os.PathLike[str],
    format: str | None = None,
    *,
    fix: bool = False,
    size: int | None = None,
    oscillator: int | None = None,
    provenance: Mapping[str, str] | None = NOTHING,
    force: bool = False,
) -> Converted:
    """Write the table in `source` to `target`.

    source: a wavetable file of any format, or a folder of single cycles
    target: the file, or the folder of single cycles, to write
    format: a name in registry.FORMATS; by default the format that `target` ends in
    fix: mend what is wrong with the frames, see wavetables.mending.mend
    size: samples a frame of a WAV, 2..8192, where the file says something else or nothing
    oscillator: 1..3, whose table of a Vital preset; by default the first that sounds
    provenance: text by key, added to what the table says of its origin. None: the new file says nothing of it.
    force: replace a file that exists. The source is never replaced.

    Frames of 2048 samples stay bit-exact where `format` can hold them. Raises UserError: a file that cannot be read or
    written; UsageError: a format that does not exist, or that does not go with the suffix of `target`.

    >>> import tempfile
    >>> import numpy as np
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     table = Table(np.zeros((3, 2048), np.float32) + np.linspace(-0.5, 0.5, 2048, dtype=np.float32), "saw")
    ...     registry.write(Path(folder) / "saw.wav", table)
    ...     converted = convert(Path(folder) / "saw.wav", Path(folder) / "saw.vitaltable")
    >>> converted.format, converted.frames
    ('vital', 3)
    """
    source, target = Path(source), Path(target)
    format_name = registry.chosen(target, format)
    check_no_source(target, [source])
    loaded = registry.load(source, size, oscillator)
    table = loaded.table(source.resolve().name if source.is_dir() else source.stem)
    frames_before = len(table.frames)
    if fix and frames_before == len(loaded.frames):
        # at the size of the file, which still shows what a stretched frame was made from
        table = replace(loaded, frames=mend(loaded.frames)).table(table.name)
    elif fix:
        table = replace(table, frames=mend(table.frames))
    if provenance is None:
        table = Table(table.frames, table.name)
    else:
        table = replace(table, provenance={**table.provenance, **provenance})
    registry.write(target, table, force, format_name)
    counts = (frames_before, len(table.frames), loaded.size)
    return Converted(source, target, format_name, *counts, loaded.decision, loaded.remarks, loaded.oscillators, fix)
