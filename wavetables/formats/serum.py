"""Serum-style wavetables: mono float32 WAV, 2048 samples a frame, announced by a `clm ` chunk.

The chunk is described by Serum's author (KVR forum, topic 517146): `<!>2048 `, eight digits, free text; the first digit
is the interpolation between frames, the second marks factory content. The reader allows for what other programs write:
wrong RIFF sizes, block align in bits, empty data sizes, `uhWT`, `srge`, `cue `, `smpl` (Surge XT, Vital, u-he).
"""

from __future__ import annotations

import json
import os
import re
import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

import numpy as np

from nsynth_core.audio import Floats
from nsynth_core.errors import UserError
from nsynth_core.files import atomic
from wavetables.table import FRAME_SIZE, MAX_FRAMES, Table

RATE = 44_100
CLM_BYTES = 48  # as in Serum's own files
FLAGS = "10000000"  # crossfade between frames; never factory, or presets would not carry the table
SOFTWARE = "make-wavetable"

MAX_CHUNKS = 1000
MAX_DATA_BYTES = 1 << 26
MAX_TEXT_BYTES = 1 << 20
MAX_FILE_FRAMES = 4096  # beyond it is a recording, not a table
SIZES = range(2, 8193)
ENCODINGS = {  # format tag, bits
    (1, 8): "uint8",
    (1, 16): "int16",
    (1, 24): "int24",
    (1, 32): "int32",
    (3, 32): "float32",
    (3, 64): "float64",
}


# -------------------------------------------------------------------------------------------------------------- writing
def write(path: str | os.PathLike[str], table: Table, force: bool = False) -> None:
    """Write `table`, whole or not at all; the same table gives the same bytes.

    `fmt `, `clm ` and `data` come first and alone matter to synths; name, root pitch and provenance follow in a
    LIST/INFO chunk (INAM, ISFT, ICMT as JSON). Raises UserError: peaks above full scale, the file exists (unless
    `force`), an unwritable place.
    """
    if table.peak > 1.0:
        raise UserError(f"{path}: the table peaks at {20 * np.log10(table.peak):+.1f} dBFS; normalize it first")
    body = b"WAVE" + _chunk(b"fmt ", struct.pack("<HHIIHH", 3, 1, RATE, RATE * 4, 4, 32))
    body += _chunk(b"clm ", _announcement(table.name))
    body += _chunk(b"data", np.ascontiguousarray(table.frames, dtype="<f4").tobytes())
    body += _chunk(b"LIST", _info(table))
    with atomic(path, force) as temporary:
        temporary.write_bytes(b"RIFF" + struct.pack("<I", len(body)) + body)


def _chunk(name: bytes, content: bytes) -> bytes:
    # an even size needs no pad byte: Vital's scan for `clm ` does not skip one
    content += b"\0" * (len(content) % 2)
    return name + struct.pack("<I", len(content)) + content


def _announcement(name: str) -> bytes:
    head = f"<!>{FRAME_SIZE} {FLAGS} wavetable ("
    # square brackets would be taken for the author's name by Vital
    plain = re.sub(r"[^ -~]|[\[\]()]", "", name)[: CLM_BYTES - len(head) - 1].strip()
    return f"{head}{plain or SOFTWARE})".ljust(CLM_BYTES).encode("ascii")


def _info(table: Table) -> bytes:
    facts: dict[str, object] = {"provenance": {str(k): str(v) for k, v in table.provenance.items()}}
    if table.root_pitch is not None:
        facts["root_pitch"] = float(table.root_pitch)
    texts = {"INAM": table.name, "ISFT": SOFTWARE, "ICMT": json.dumps(facts, sort_keys=True)}
    return b"INFO" + b"".join(_chunk(k.encode(), t.encode("utf-8", "replace") + b"\0") for k, t in texts.items())


# -------------------------------------------------------------------------------------------------------------- reading
@dataclass(frozen=True, eq=False)
class SerumFile:
    """What a wavetable WAV holds, before anything is changed.

    frames      (n, size) float32, first channel, as stored
    size        samples a frame in the file; `decision` says where the number comes from
    flags       the eight digits of the `clm ` chunk, None without one
    chunks      chunk names in file order;  rate in Hz;  channels;  encoding such as "float32"
    info        texts of the LIST/INFO chunk by id;  remarks  what was wrong or had to be guessed
    """

    frames: Floats
    size: int
    decision: str
    flags: str | None
    chunks: tuple[str, ...]
    rate: int
    channels: int
    encoding: str
    info: Mapping[str, str] = field(default_factory=dict)
    remarks: tuple[str, ...] = ()


def read(path: str | os.PathLike[str], size: int | None = None) -> Table:
    """The table in a wavetable WAV. Frames of 2048 samples are kept bit-exact; others are brought to 2048 band-limited.
    Of more than 256 frames, 256 evenly spaced ones are kept. `size` overrules the file's own frame size.
    Raises UserError: missing, not WAV, not a wavetable, truncated to nothing, NaN."""
    return to_table(load(path, size), Path(path).stem)


def to_table(file: SerumFile, fallback_name: str) -> Table:
    """The Table of a loaded file, with the name, root pitch and provenance this program stored in it, if any."""
    frames = file.frames
    if len(frames) > MAX_FRAMES:
        frames = frames[np.round(np.linspace(0, len(frames) - 1, MAX_FRAMES)).astype(np.int64)]
    if file.size != FRAME_SIZE:
        spectrum = np.fft.rfft(frames.astype(np.float64))
        spectrum[:, FRAME_SIZE // 2 :] = 0.0
        if file.size <= FRAME_SIZE and file.size % 2 == 0:
            spectrum[:, -1] *= 0.5  # the Nyquist bin stands for both signs
        frames = (np.fft.irfft(spectrum, FRAME_SIZE) * (FRAME_SIZE / file.size)).astype(np.float32)
    root, provenance = _facts(file.info.get("ICMT", ""))
    name = file.info.get("INAM") or fallback_name
    return Table(np.ascontiguousarray(frames, dtype=np.float32), name, root, provenance)


def load(path: str | os.PathLike[str], size: int | None = None) -> SerumFile:
    """Read a wavetable WAV as it is. No length field is trusted; memory stays bounded. Errors as in `read`."""
    name = Path(path)
    with _open(name) as file:
        found = _scan(file, name)
        remarks = list(found.remarks)
        rate, channels, encoding, samples = _samples(found, name)
        decided, why = _frame_size(found, len(samples), name) if size is None else (size, "asked for")
    count, rest = divmod(len(samples), decided)
    if count == 0:
        raise UserError(f"{name}: {len(samples)} samples are less than one frame of {decided}; not a whole wavetable")
    if count > MAX_FILE_FRAMES:
        raise UserError(f"{name}: {count} frames of {decided} samples; a recording, not a wavetable: import it instead")
    if rest:
        remarks.append(f"{rest} samples after the last whole frame dropped")
    if channels > 1:
        remarks.append(f"{channels} channels; the first one is used")
    frames = samples[: count * decided].reshape(count, decided)
    if not np.isfinite(frames).all():
        raise UserError(f"{name}: holds NaN or infinite samples; export it again")
    return SerumFile(
        frames, decided, why, found.flags, tuple(found.order), rate, channels, encoding, found.info, tuple(remarks)
    )


def is_marked(path: str | os.PathLike[str]) -> bool:
    """True when the file is a WAV that says itself that it is a wavetable (`clm `, `uhWT`, `srge`, `srgo`)."""
    try:
        with _open(Path(path)) as file:
            found = _scan(file, Path(path))
            return "data" in found.order and _marked_size(found) is not None
    except UserError:
        return False


@dataclass
class _Found:
    """Chunks of interest, bounded in size."""

    order: list[str] = field(default_factory=list)
    bodies: dict[str, bytes] = field(default_factory=dict)
    info: dict[str, str] = field(default_factory=dict)
    remarks: list[str] = field(default_factory=list)
    flags: str | None = None


def _open(name: Path) -> BinaryIO:
    if name.is_dir():
        raise UserError(f"{name} is a folder; a wavetable file is needed here")
    try:
        return name.open("rb")
    except FileNotFoundError:
        raise UserError(f"{name}: no such file") from None
    except (OSError, ValueError) as error:
        raise UserError(f"{name}: cannot be read ({getattr(error, 'strerror', None) or error})") from error


def _scan(file: BinaryIO, name: Path) -> _Found:
    try:
        end = file.seek(0, os.SEEK_END)
        file.seek(0)
        head = file.read(12)
        if len(head) < 12 or head[:4] != b"RIFF" or head[8:] != b"WAVE":
            why = "the file is empty" if end == 0 else "no RIFF/WAVE header"
            raise UserError(f"{name}: not a wavetable WAV ({why}); import it as a sound if it is one")
        found = _Found()
        if struct.unpack("<I", head[4:8])[0] != end - 8:
            found.remarks.append("the RIFF size field is wrong")
        for chunk, offset, length in _chunks(file, end, found.remarks):
            found.order.append(chunk)
            wanted = MAX_DATA_BYTES if chunk == "data" else MAX_TEXT_BYTES
            if chunk == "data" and length > MAX_DATA_BYTES:
                found.remarks.append("too long for a wavetable")
                found.bodies["too long"] = b""
            elif chunk in {"fmt ", "clm ", "data", "uhWT", "srge", "srgo", "cue ", "smpl", "LIST"}:
                file.seek(offset)
                body = file.read(min(length, wanted))
                if chunk == "LIST" and body[:4] == b"INFO":
                    found.info.update(_texts(body[4:]))
                else:
                    found.bodies.setdefault(chunk, body)
    except OSError as error:
        raise UserError(f"{name}: cannot be read ({error.strerror or error})") from error
    if match := re.match(rb"<!>.{0,8}? ([0-9]{8})", found.bodies.get("clm ", b""), re.DOTALL):
        found.flags = match.group(1).decode("ascii")
    return found


def _chunks(file: BinaryIO, end: int, remarks: list[str]) -> Iterator[tuple[str, int, int]]:
    """(name, offset of the content, length that is really there) of each chunk."""
    position = 12
    for _ in range(MAX_CHUNKS):
        if position + 8 > end:
            return
        file.seek(position)
        name, length = struct.unpack("<4sI", file.read(8))
        position += 8
        there = min(length, end - position)
        if name == b"data" and length in (0, 0xFFFFFFFF):
            remarks.append("the data size was never filled in; everything after it is taken")
            there = length = end - position
        elif there < length:
            remarks.append(f"chunk {name.decode('latin-1')!r} is cut short")
        yield name.decode("latin-1"), position, there
        position += there + (length & 1)
    remarks.append(f"more than {MAX_CHUNKS} chunks; the rest is not looked at")


def _texts(body: bytes) -> Iterator[tuple[str, str]]:
    position = 0
    while position + 8 <= len(body):
        name, length = struct.unpack("<4sI", body[position : position + 8])
        text = body[position + 8 : position + 8 + length].split(b"\0")[0]
        yield name.decode("latin-1"), text.decode("utf-8", "replace")
        position += 8 + length + (length & 1)


def _facts(comment: str) -> tuple[float | None, dict[str, str]]:
    try:
        facts = json.loads(comment)
        root, provenance = facts.get("root_pitch"), facts.get("provenance", {})
        known = isinstance(root, (int, float)) and not isinstance(root, bool) and np.isfinite(root)
        return (float(root) if known else None), {str(k): str(v) for k, v in provenance.items()}
    except (ValueError, AttributeError, RecursionError, OverflowError):
        return None, {"comment": comment} if comment else {}


def _samples(found: _Found, name: Path) -> tuple[int, int, str, Floats]:
    """rate, channels, encoding, first channel as float32."""
    header, data = found.bodies.get("fmt ", b""), found.bodies.get("data", b"")
    if len(header) < 16:
        raise UserError(f"{name}: damaged WAV (no format chunk); export it again")
    if "too long" in found.bodies:
        raise UserError(f"{name}: too long for a wavetable; import it as a sound instead")
    # block align and byte rate are wrong in Surge's and u-he's files: the width comes from the bits alone
    tag, channels, rate, _, _, bits = struct.unpack("<HHIIHH", header[:16])
    if tag == 0xFFFE and len(header) >= 26:
        tag = struct.unpack("<H", header[24:26])[0]
    encoding = ENCODINGS.get((tag, bits))
    if encoding is None or not channels:
        raise UserError(
            f"{name}: {bits}-bit samples of format {tag}, {channels} channels; export it as 32-bit float WAV"
        )
    width = bits // 8
    count = len(data) // (width * channels)
    if count == 0:
        raise UserError(f"{name}: holds no samples; not a wavetable")
    block = np.frombuffer(data, np.uint8, count * width * channels).reshape(count, channels * width)[:, :width]
    return rate, channels, encoding, _decoded(np.ascontiguousarray(block), encoding)


def _decoded(block: np.ndarray[tuple[int, int], np.dtype[np.uint8]], encoding: str) -> Floats:
    if encoding == "float32":
        return np.ascontiguousarray(block.view("<f4")[:, 0]).astype(np.float32, copy=False)
    if encoding == "float64":
        with np.errstate(over="ignore"):
            return np.asarray(block.view("<f8")[:, 0].astype(np.float32))
    if encoding == "uint8":
        return np.asarray((block[:, 0].astype(np.float32) - 128) / 128, dtype=np.float32)
    wide = np.zeros((len(block), 4), np.uint8)
    wide[:, 4 - block.shape[1] :] = block
    return np.asarray(wide.view("<i4")[:, 0] / 2.0**31, dtype=np.float32)


# ----------------------------------------------------------------------------------------------------------- frame size
def _marked_size(found: _Found) -> tuple[int, str] | None:
    bodies = found.bodies
    if match := re.match(rb"<!>([0-9]{1,5})", bodies.get("clm ", b"")):
        if int(match.group(1)) in SIZES:
            return int(match.group(1)), "clm chunk"
        found.remarks.append("the clm chunk names an impossible frame size")
    if "uhWT" in bodies:
        return FRAME_SIZE, "uhWT chunk"
    for chunk in ("srge", "srgo"):
        if len(bodies.get(chunk, b"")) >= 8:
            size = struct.unpack("<I", bodies[chunk][4:8])[0]
            if size in SIZES:
                return size, f"{chunk} chunk"
    return None


def _frame_size(found: _Found, length: int, name: Path) -> tuple[int, str]:
    """In order of trust: marks, `cue `, `smpl`, the file's name, its length."""
    if marked := _marked_size(found):
        return marked
    if (step := _cue_step(found.bodies.get("cue ", b""))) in SIZES:
        return step, "evenly spaced cue points"
    if (loop := _loop(found.bodies.get("smpl", b""))) in SIZES and loop & (loop - 1) == 0:
        return loop, "length of the sample loop"
    if (match := re.search(r"(?i)(?:^|[^a-z])wt[-_ ]?(\d{2,4})(?!\d)", name.stem)) and int(match.group(1)) in SIZES:
        return int(match.group(1)), "the file's name"
    if length % FRAME_SIZE == 0 and length <= MAX_FRAMES * FRAME_SIZE:
        return FRAME_SIZE, f"no mark, but a whole number of frames of {FRAME_SIZE}"
    raise UserError(f"{name}: no sign of a wavetable ({length} samples, no clm chunk); import it as a sound instead")


def _cue_step(body: bytes) -> int:
    if len(body) < 52:
        return 0
    points = np.frombuffer(body, "<u4", (len(body) - 4) // 24 * 6, 4).reshape(-1, 6)[:, 5]
    steps = np.diff(points.astype(np.int64))
    return int(steps[0]) if (steps == steps[0]).all() else 0


def _loop(body: bytes) -> int:
    if len(body) < 60:
        return 0
    start, stop = struct.unpack("<II", body[44:52])
    return int(stop - start + 1)
