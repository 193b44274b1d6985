"""Checks the index of a checkpoint before TensorFlow reads it, which a malformed entry would make abort the process.

The index is a table in the format of LevelDB: blocks of entries, a block with their places, and a footer with the place
of this block. An entry is a name and a value: for a variable a BundleEntryProto, for the name "" a BundleHeaderProto.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path

FOOTER, MAGIC = 48, 0xDB4775248B80FB57
MOST_BYTES = 64 << 20  # the index of the published network has 0.1 MB
MOST_NUMBERS, MOST_AXES, MOST_FILES = 1 << 40, 254, 99_999
SNAPPY = 1  # the kind of a compressed block; 0 is a plain one


def check(path: Path) -> None:
    """Raise ValueError, which says why, for a malformed index or an impossible entry, and OSError for an unreadable
    file."""
    from google.protobuf.message import DecodeError

    if path.stat().st_size > MOST_BYTES:
        raise ValueError("its index is larger than any")
    data = path.read_bytes()
    if len(data) < FOOTER or int.from_bytes(data[-8:], "little") != MAGIC:
        raise ValueError("its index is none, or cut short")
    try:
        _, _, at = _place(data, len(data) - FOOTER)
        start, size, _ = _place(data, at)
        for _, where in _entries(_block(data, start, size)):
            start, size, _ = _place(where, 0)
            for name, value in _entries(_block(data, start, size)):
                _check_entry(name, value)
    except (IndexError, DecodeError) as error:
        raise ValueError("its index is malformed") from error


def _check_entry(name: bytes, value: bytes) -> None:
    from tensorflow.core.protobuf.tensor_bundle_pb2 import BundleEntryProto, BundleHeaderProto

    if not name:
        if not 1 <= BundleHeaderProto.FromString(value).num_shards <= MOST_FILES:
            raise ValueError("its index names an impossible number of files")
        return
    entry = BundleEntryProto.FromString(value)
    sizes = [axis.size for axis in entry.shape.dim]
    if (
        entry.shape.unknown_rank
        or len(sizes) > MOST_AXES
        or min([*sizes, entry.offset, entry.size, entry.shard_id]) < 0
        or math.prod(max(size, 1) for size in sizes) > MOST_NUMBERS
    ):
        raise ValueError(f"its index says impossible things of {name.decode('utf-8', 'replace')[:80]!r}")


def _number(data: bytes, at: int) -> tuple[int, int]:
    """A number stored with seven bits in each byte, and where it ends."""
    number = shift = 0
    while True:
        byte = data[at]
        number |= (byte & 127) << shift
        at, shift = at + 1, shift + 7
        if byte < 128:
            return number, at
        if shift > 63:
            raise ValueError("its index is malformed")


def _place(data: bytes, at: int) -> tuple[int, int, int]:
    """Where a block starts, how many bytes it has, and where this information ends."""
    start, at = _number(data, at)
    size, at = _number(data, at)
    return start, size, at


def _block(data: bytes, start: int, size: int) -> bytes:
    """The entries of a block, without the list at its end of the places where a name is stored whole."""
    block, kind = data[start : start + size], data[start + size]
    if kind == SNAPPY:
        block = _unpacked(block)
    restarts = int.from_bytes(block[-4:], "little")
    end = len(block) - 4 - 4 * restarts
    if end < 0 or kind > SNAPPY:
        raise ValueError("its index is malformed")
    return block[:end]


def _entries(block: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Names and values. Of a name, only the part that differs from the name before is stored."""
    name, at = b"", 0
    while at < len(block):
        shared, at = _number(block, at)
        own, at = _number(block, at)
        size, at = _number(block, at)
        if shared > len(name) or at + own + size > len(block):
            raise ValueError("its index is malformed")
        name = name[:shared] + block[at : at + own]
        yield name, block[at + own : at + own + size]
        at += own + size


def _unpacked(packed: bytes) -> bytes:
    """Decompress Snappy: literal pieces, and copies of what was decompressed before."""
    length, at = _number(packed, 0)
    out = bytearray()
    while at < len(packed):
        tag, at = packed[at], at + 1
        size, kind = (tag >> 2) + 1, tag & 3
        if kind == 0:
            if size > 60:
                more = size - 60
                size, at = int.from_bytes(packed[at : at + more], "little") + 1, at + more
            out += packed[at : at + size]
            at += size
        else:
            if kind == 1:
                size, back, at = (tag >> 2 & 7) + 4, (tag >> 5 << 8) | packed[at], at + 1
            else:
                wide = 2 if kind == 2 else 4
                back, at = int.from_bytes(packed[at : at + wide], "little"), at + wide
            if not 0 < back <= len(out):
                raise ValueError("its index is malformed")
            for _ in range(size):
                out.append(out[-back])
        if len(out) > min(length, MOST_BYTES):
            raise ValueError("its index is malformed")
    return bytes(out)
