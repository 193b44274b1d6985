"""RIFF/WAVE files of wavetables: chunks are written, and read without trust in any length field."""

from __future__ import annotations

import os
import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO, NamedTuple

import numpy as np
from numpy.typing import NDArray

from nsynth_core.audio import Floats
from nsynth_core.errors import UserError
from wavetables.formats.common import facts_text, to_int16
from wavetables.table import FRAME_SIZE, Table

RATE = 44_100
SOFTWARE = "make-wavetable"
CLM_BYTES = 48  # as in Serum's own files
FLAGS = "10000000"
MAX_CHUNKS = 1000  # in a file
MAX_DATA_BYTES = 1 << 26
MAX_TEXT_BYTES = 1 << 20
ENCODINGS = {  # format tag, bits
    (1, 8): "uint8",
    (1, 16): "int16",
    (1, 24): "int24",
    (1, 32): "int32",
    (3, 32): "float32",
    (3, 64): "float64",
}
CREDITS = {"author": "IART", "licence": "ICOP"}  # where sound browsers look for author and licence
WANTED = ("fmt ", "clm ", "data", "uhWT", "srge", "srgo", "cue ", "smpl", "LIST")


# -------------------------------------------------------------------------------------------------------------- writing
def wave(frames: Floats, *, before: bytes = b"", after: bytes = b"", int16: bool = False, rate: int = RATE) -> bytes:
    """The bytes of a mono WAV that holds `frames` one after the other.

    frames: float32 (n, samples), within -1..1
    before, after: whole chunks (see `chunk`) before and after the samples
    int16: 16-bit samples instead of float32
    rate: in Hz

    >>> wave(np.zeros((1, 2048), np.float32))[:4]
    b'RIFF'
    """
    tag, width = (1, 2) if int16 else (3, 4)
    data = to_int16(frames) if int16 else np.ascontiguousarray(frames, dtype="<f4")
    body = b"WAVE" + chunk(b"fmt ", struct.pack("<HHIIHH", tag, 1, rate, rate * width, width, 8 * width))
    body += before + chunk(b"data", data.tobytes()) + after
    return b"RIFF" + struct.pack("<I", len(body)) + body


def chunk(name: bytes, content: bytes) -> bytes:
    """The bytes of one chunk. Its content is padded to an even size, and the size counts the pad byte: some readers,
    such as Vital's scan for `clm `, miss one that is not counted.

    >>> chunk(b"note", b"abc")
    b'note\\x04\\x00\\x00\\x00abc\\x00'
    """
    content += b"\0" * (len(content) % 2)
    return name + struct.pack("<I", len(content)) + content


def clm(name: str) -> bytes:
    """The chunk that announces frames of 2048 samples (KVR forum, topic 517146): `<!>2048 `, eight digits, free text.

    The first digit, 1, makes Serum crossfade between frames. The second stands for factory content; it stays 0, or
    presets would not carry the table."""
    head = f"<!>{FRAME_SIZE} {FLAGS} wavetable ("
    # Vital takes text in square brackets for the author's name
    plain = re.sub(r"[^ -~]|[\[\]()]", "", name)[: CLM_BYTES - len(head) - 1].strip()
    return chunk(b"clm ", f"{head}{plain or SOFTWARE})".ljust(CLM_BYTES).encode("ascii"))


def info(table: Table) -> bytes:
    """The LIST/INFO chunk of a table: its name (INAM), the program (ISFT), author (IART) and licence (ICOP) where they
    are known, and root pitch and provenance (ICMT, as JSON)."""
    known = {tag: table.provenance[key] for key, tag in CREDITS.items() if table.provenance.get(key)}
    texts = {"INAM": table.name, "ISFT": SOFTWARE, **known, "ICMT": facts_text(table)}
    entries = (chunk(key.encode(), text.encode("utf-8", "replace") + b"\0") for key, text in texts.items())
    return chunk(b"LIST", b"INFO" + b"".join(entries))


# -------------------------------------------------------------------------------------------------------------- reading
@dataclass
class Chunks:
    """The chunks of a WAV that matter to wavetables, bounded in size.

    order: the names of all chunks
    bodies: the content by name, of the first chunk with that name
    info: the texts of LIST/INFO by id
    remarks: what is wrong with the file, one sentence each
    too_long: whether the data chunk is longer than any wavetable
    """

    order: list[str] = field(default_factory=list)
    bodies: dict[str, bytes] = field(default_factory=dict)
    info: dict[str, str] = field(default_factory=dict)
    remarks: list[str] = field(default_factory=list)
    too_long: bool = False


class Samples(NamedTuple):
    """The samples of a WAV: rate in Hz, number of channels, encoding such as "int16", and the first channel as float32
    (n,)."""

    rate: int
    channels: int
    encoding: str
    first_channel: Floats


def scan(path: str | os.PathLike[str]) -> Chunks:
    """Read the chunks of a WAV. Raises UserError: missing, a folder, unreadable, no WAV."""
    name = Path(path)
    if os.path.isdir(name):  # unlike Path.is_dir, never raises
        raise UserError("is a folder; a wavetable file is needed here", path=name)
    try:
        with name.open("rb") as file:
            return _scan(file, name)
    except FileNotFoundError:
        raise UserError("no such file", path=name) from None
    except (OSError, ValueError) as error:
        raise UserError(f"cannot be read ({getattr(error, 'strerror', None) or error})", path=name) from error


def _scan(file: BinaryIO, name: Path) -> Chunks:
    end = file.seek(0, os.SEEK_END)
    file.seek(0)
    head = file.read(12)
    if len(head) < 12 or head[:4] != b"RIFF" or head[8:] != b"WAVE":
        reason = "the file is empty" if end == 0 else "no RIFF/WAVE header"
        raise UserError(f"not a wavetable WAV ({reason}); import it as a sound if it is one", path=name)
    chunks = Chunks()
    if struct.unpack("<I", head[4:8])[0] != end - 8:
        chunks.remarks.append("the RIFF size field is wrong")
    for kind, offset, length in _chunks(file, end, chunks.remarks):
        chunks.order.append(kind)
        if kind == "data" and length > MAX_DATA_BYTES:
            chunks.too_long = True
        elif kind in WANTED:
            file.seek(offset)
            body = file.read(min(length, MAX_DATA_BYTES if kind == "data" else MAX_TEXT_BYTES))
            if kind == "LIST" and body[:4] == b"INFO":
                chunks.info.update(_texts(body[4:]))
            else:
                chunks.bodies.setdefault(kind, body)
    return chunks


def _chunks(file: BinaryIO, end: int, remarks: list[str]) -> Iterator[tuple[str, int, int]]:
    """(name, offset of the content, number of its bytes that the file holds) of each chunk."""
    position = 12
    for _ in range(MAX_CHUNKS):
        if position + 8 > end:
            return
        file.seek(position)
        name, length = struct.unpack("<4sI", file.read(8))
        position += 8
        present = min(length, end - position)
        if name == b"data" and length in (0, 0xFFFFFFFF):
            remarks.append("the data size was never filled in; everything after it is taken")
            present = length = end - position
        elif present < length:
            remarks.append(f"chunk {name.decode('latin-1')!r} is cut short")
        yield name.decode("latin-1"), position, present
        position += present + (length & 1)
    remarks.append(f"more than {MAX_CHUNKS} chunks; the rest is not looked at")


def _texts(body: bytes) -> Iterator[tuple[str, str]]:
    position = 0
    while position + 8 <= len(body):
        name, length = struct.unpack("<4sI", body[position : position + 8])
        text = body[position + 8 : position + 8 + length].split(b"\0")[0]
        yield name.decode("latin-1"), text.decode("utf-8", "replace")
        position += 8 + length + (length & 1)


def samples(chunks: Chunks, path: str | os.PathLike[str]) -> Samples:
    """The samples in the chunks of the WAV `path`. Raises UserError: no format, an unknown one, no samples."""
    header, data = chunks.bodies.get("fmt ", b""), chunks.bodies.get("data", b"")
    if len(header) < 16:
        raise UserError("damaged WAV (no format chunk); export it again", path=path)
    if chunks.too_long:
        raise UserError("too long for a wavetable; import it as a sound instead", path=path)
    # block align and byte rate are wrong in files of Surge and u-he: the width comes from the bits alone
    tag, channels, rate, _, _, bits = struct.unpack("<HHIIHH", header[:16])
    if tag == 0xFFFE and len(header) >= 26:
        tag = struct.unpack("<H", header[24:26])[0]
    encoding = ENCODINGS.get((tag, bits))
    if encoding is None or not channels:
        raise UserError(
            f"{bits}-bit samples of format {tag}, {channels} channels; export it as 32-bit float WAV", path=path
        )
    width = bits // 8
    count = len(data) // (width * channels)
    if count == 0:
        raise UserError("holds no samples; not a wavetable", path=path)
    block = np.frombuffer(data, np.uint8, count * width * channels).reshape(count, channels * width)[:, :width]
    return Samples(rate, channels, encoding, _decoded(np.ascontiguousarray(block), encoding))


def _decoded(block: NDArray[np.uint8], encoding: str) -> Floats:
    if encoding == "float32":
        return np.ascontiguousarray(block.view("<f4")[:, 0]).astype(np.float32, copy=False)
    if encoding == "float64":
        with np.errstate(over="ignore", invalid="ignore"):
            return np.asarray(block.view("<f8")[:, 0].astype(np.float32))
    if encoding == "uint8":
        return np.asarray((block[:, 0].astype(np.float32) - 128) / 128, dtype=np.float32)
    wide = np.zeros((len(block), 4), np.uint8)
    wide[:, 4 - block.shape[1] :] = block
    return np.asarray(wide.view("<i4")[:, 0] / 2.0**31, dtype=np.float32)
