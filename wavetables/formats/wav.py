"""The reader of every wavetable WAV: of Serum, Hive, Surge, a sampler, a hardware bank, or a bare single cycle.

The frame size comes from the first of these that is there: the caller, `clm `, `uhWT`, `srge` or `srgo`, evenly spaced
`cue ` points, the loop of a `smpl` chunk, the file's name (WT512), its length and content. Loaded.decision says which.
"""

from __future__ import annotations

import os
import re
import struct
from pathlib import Path

import numpy as np

from nsynth_core.audio import Floats
from nsynth_core.errors import UserError
from wavetables.formats import riff
from wavetables.formats.common import MAX_FILE_FRAMES, SIZES, Loaded, check_finite, facts_from
from wavetables.table import FRAME_SIZE, MAX_FRAMES

BANKS = {16384: (256,), 8192: (128, 256)}  # samples of unmarked banks that hardware reads, frame sizes they may have
SMOOTH = 4.0  # times the typical step of a wave: with a larger step at its end, a cycle does not go on into itself


def load(path: str | os.PathLike[str], size: int | None = None) -> Loaded:
    """Read a wavetable WAV as it is.

    size: samples a frame, 2..8192, whatever the file says
    Up to 8192 samples that fit no table are a single cycle. No length field is trusted, and memory stays bounded.
    Raises UserError: missing, no WAV, a recording, cut short to nothing, NaN.
    """
    name = Path(path)
    chunks = riff.scan(name)
    remarks = list(chunks.remarks)
    rate, channels, encoding, samples = riff.samples(chunks, name)
    decided, decision = (size, "asked for") if size is not None else _frame_size(chunks, samples, name, remarks)
    if decided not in SIZES:
        raise UserError(f"frames of {decided} samples; {SIZES[0]}..{SIZES[-1]} are possible", path=name)
    count, rest = divmod(len(samples), decided)
    if count == 0:
        raise UserError(
            f"{len(samples)} samples are less than one frame of {decided}; not a whole wavetable", path=name
        )
    if count > MAX_FILE_FRAMES:
        raise UserError(
            f"{count} frames of {decided} samples; a recording, not a wavetable: import it instead", path=name
        )
    if rest:
        remarks.append(f"{rest} samples after the last whole frame dropped")
    if channels > 1:
        remarks.append(f"{channels} channels; the first one is used")
    root, provenance = facts_from(chunks.info.get("ICMT", ""))
    provenance = {**_credits(chunks), **provenance}
    return Loaded(
        "wav",
        check_finite(name, samples[: count * decided].reshape(count, decided)),
        decision,
        encoding,
        rate,
        channels,
        _flags(chunks),
        tuple(chunks.order),
        chunks.info.get("INAM", ""),
        root,
        provenance,
        tuple(remarks),
        chunks.bodies["fmt "][:2] == b"\xfe\xff",
    )


def is_marked(path: str | os.PathLike[str]) -> bool:
    """True for a WAV that says itself that it is a wavetable (`clm `, `uhWT`, `srge`, `srgo`)."""
    try:
        chunks = riff.scan(path)
    except UserError:
        return False
    return "data" in chunks.order and _marked_size(chunks, []) is not None


def _credits(chunks: riff.Chunks) -> dict[str, str]:
    """Author and licence as other programs write them. Vital's own files name the author in the clm chunk."""
    credits = {key: chunks.info[tag] for key, tag in riff.CREDITS.items() if chunks.info.get(tag)}
    bracketed = re.search(rb"\[([^\]]+)\]", chunks.bodies.get("clm ", b"")[:256])
    return {**({"author": bracketed.group(1).decode("utf-8", "replace")} if bracketed else {}), **credits}


def _flags(chunks: riff.Chunks) -> str | None:
    """The eight digits of the clm chunk."""
    match = re.match(rb"<!>.{0,8}? ([0-9]{8})", chunks.bodies.get("clm ", b""), re.DOTALL)
    return match.group(1).decode("ascii") if match else None


def _marked_size(chunks: riff.Chunks, remarks: list[str]) -> tuple[int, str] | None:
    """(samples a frame, which chunk says it), None without such a chunk."""
    bodies = chunks.bodies
    if match := re.match(rb"<!>([0-9]{1,5})", bodies.get("clm ", b"")):
        if int(match.group(1)) in SIZES:
            return int(match.group(1)), "clm chunk"
        remarks.append("the clm chunk names an impossible frame size")
    if "uhWT" in bodies:
        return FRAME_SIZE, "uhWT chunk"
    for chunk in ("srge", "srgo"):
        if len(bodies.get(chunk, b"")) >= 8:
            size = struct.unpack("<I", bodies[chunk][4:8])[0]
            if size in SIZES:
                return size, f"{chunk} chunk"
    return None


def _frame_size(chunks: riff.Chunks, samples: Floats, name: Path, remarks: list[str]) -> tuple[int, str]:
    """(samples a frame, what tells it). Raises UserError."""
    if marked := _marked_size(chunks, remarks):
        return marked
    if (step := _cue_step(chunks.bodies.get("cue ", b""))) in SIZES:
        return step, "evenly spaced cue points"
    if (loop := _loop(chunks.bodies.get("smpl", b""))) in SIZES and loop & (loop - 1) == 0:
        return loop, "length of the sample loop"
    if (match := re.search(r"(?i)(?:^|[^a-z])wt[-_ ]?(\d{2,4})(?!\d)", name.stem)) and int(match.group(1)) in SIZES:
        return int(match.group(1)), "the file's name"
    length = len(samples)
    for size in BANKS.get(length, ()):
        if _wraps(samples, size):
            return size, f"no mark, but {length // size} cycles of {size}, as a hardware bank has them"
    if length % FRAME_SIZE == 0 and length <= MAX_FRAMES * FRAME_SIZE:
        return FRAME_SIZE, f"no mark, but a whole number of frames of {FRAME_SIZE}"
    if length in SIZES:
        return length, "no mark, and too short for anything but a single cycle"
    raise UserError(f"no sign of a wavetable ({length} samples, no clm chunk); import it as a sound instead", path=name)


def _wraps(samples: Floats, size: int) -> bool:
    """True when cycles of `size` samples go on from their end into their beginning, in value and in slope: with steps
    not much larger than elsewhere in the wave."""
    frames = samples.reshape(-1, size).astype(np.float64)
    around = np.concatenate([frames[:, -2:], frames[:, :2]], axis=1)
    for order in (1, 2):
        typical = np.sqrt(np.mean(np.diff(frames, order, axis=1) ** 2))
        if not np.sqrt(np.mean(np.diff(around, order, axis=1) ** 2)) <= SMOOTH * typical or typical == 0.0:
            return False
    return True


def _cue_step(body: bytes) -> int:
    """Samples between the points of a `cue ` chunk, 0 where they are not evenly spaced."""
    if len(body) < 52:
        return 0
    points = np.frombuffer(body, "<u4", (len(body) - 4) // 24 * 6, 4).reshape(-1, 6)[:, 5]
    steps = np.diff(points.astype(np.int64))
    return int(steps[0]) if (steps == steps[0]).all() else 0


def _loop(body: bytes) -> int:
    """Samples in the first loop of a `smpl` chunk, 0 without one."""
    if len(body) < 60:
        return 0
    start, stop = struct.unpack("<II", body[44:52])
    return int(stop - start + 1)
