"""`.wt` of Surge XT and Bitwig: a 12-byte header that begins with `vawt`, then frames as float32 or int16.

Surge describes it in resources/data/wavetables/WT fileformat.txt and src/common/dsp/Wavetable.h. int16 without the flag
0x08 is on a 15-bit scale, and full-scale numbers play 6 dB too loud (Surge issue 7694). It is never written that way.
"""

from __future__ import annotations

import html
import os
import re
import struct
from pathlib import Path

import numpy as np

from nsynth_core.errors import UserError
from nsynth_core.files import atomic
from wavetables.formats.common import (
    MAX_FILE_FRAMES,
    SIZES,
    Loaded,
    check_finite,
    check_peak,
    facts_from,
    facts_text,
    from_int16,
    read_bytes,
    to_int16,
)
from wavetables.table import Table

MAGIC = b"vawt"
SAMPLE, LOOPED, INT16, FULL_RANGE, METADATA = 0x01, 0x02, 0x04, 0x08, 0x10
MAX_BYTES = 1 << 26


def write(path: str | os.PathLike[str], table: Table, force: bool = False, int16: bool = False) -> None:
    """Write a table as float32, bit-exact, or as full-range int16.

    Root pitch and provenance follow as XML (flag 0x10). Without either the file is as in the format's first version.
    Raises UserError: a table that clips, a file that exists (unless `force`), a place that cannot be written.
    """
    check_peak(path, table)
    has_facts = bool(table.provenance) or table.root_pitch is not None
    flags = (INT16 | FULL_RANGE if int16 else 0) | (METADATA if has_facts else 0)
    count, size = table.frames.shape
    data = to_int16(table.frames) if int16 else np.ascontiguousarray(table.frames, dtype="<f4")
    facts = html.escape(facts_text(table), quote=False)
    text = f"<wtmeta><make-wavetable>{facts}</make-wavetable></wtmeta>\0" if has_facts else ""
    with atomic(path, force) as temporary:
        temporary.write_bytes(MAGIC + struct.pack("<IHH", size, count, flags) + data.tobytes() + text.encode("ascii"))


def read(path: str | os.PathLike[str]) -> Table:
    """The table of a `.wt` file. Raises UserError: missing, another format, less than one frame, NaN."""
    return load(path).table(Path(path).stem)


def load(path: str | os.PathLike[str]) -> Loaded:
    """Read a `.wt` file as it is. No length field is trusted. Raises UserError as `read`."""
    data = read_bytes(path, MAX_BYTES)
    if len(data) < 12 or data[:4] != MAGIC:
        raise UserError("not a .wt wavetable (no 'vawt' at its start)", path=path)
    size, count, flags = struct.unpack("<IHH", data[4:12])
    if size not in SIZES or not 1 <= count <= MAX_FILE_FRAMES:
        raise UserError(f"damaged .wt header ({count} frames of {size} samples); export it again", path=path)
    width = 2 if flags & INT16 else 4
    present = min(count, (len(data) - 12) // (size * width))
    if present == 0:
        raise UserError("cut short before the end of the first frame; export it again", path=path)
    end = 12 + present * size * width
    remarks = []
    if present < count:
        remarks.append(f"cut short: {present} of {count} frames are there")
    elif len(data) > end and not flags & METADATA:
        remarks.append(f"{len(data) - end} bytes after the last frame")
    if flags & SAMPLE:
        remarks.append("marked as a one-shot sample: Surge plays it once instead of as a wavetable")
    if size & (size - 1) or size > 4096:
        remarks.append(f"{size} samples a frame: Surge takes powers of two from 2 to 4096")
    if flags & INT16:
        values = np.frombuffer(data, "<i2", present * size, 12)
        # without 0x08 full scale is 2^14: the largest int16 plays at twice full scale
        frames = from_int16(values, 32768.0 if flags & FULL_RANGE else 16384.0)
        if not flags & FULL_RANGE and np.abs(frames).max() > 1.0:
            remarks.append("16 bits without the full-range flag: plays up to 6 dB too loud")
    else:
        frames = np.frombuffer(data, "<f4", present * size, 12).astype(np.float32)
    root, provenance = _facts(data[end:]) if flags & METADATA and present == count else (None, {})
    return Loaded(
        "wt",
        check_finite(path, frames.reshape(present, size)),
        "the header",
        "int16" if flags & INT16 else "float32",
        root_pitch=root,
        provenance=provenance,
        remarks=tuple(remarks),
    )


def _facts(tail: bytes) -> tuple[float | None, dict[str, str]]:
    """(root pitch, provenance) of the metadata after the frames."""
    # by a pattern and not by an XML parser: the metadata of other programs may be anything
    text = tail[: 1 << 20].split(b"\0")[0].decode("utf-8", "replace")
    if own := re.search(r"<make-wavetable>([^<]*)</make-wavetable>", text):
        return facts_from(html.unescape(own.group(1)))
    return None, {"metadata": text} if text.strip() else {}
