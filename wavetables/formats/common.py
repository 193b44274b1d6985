"""What the formats share: a loaded file, frames of another size, 16 bits, and what a table says of itself as text."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from nsynth_core.audio import Floats
from nsynth_core.errors import UserError
from wavetables.resizing import resize
from wavetables.table import FRAME_SIZE, MAX_FRAMES, Table

SIZES = range(2, 8193)  # samples a frame that a file may have
MAX_FILE_FRAMES = 4096  # beyond it is a recording, not a table


@dataclass(frozen=True, eq=False)
class Loaded:
    """What a wavetable file holds, before anything is changed.

    format      its name in the registry
    frames      (n, size) float32 as stored, n in 1..4096, size in 2..8192, finite
    decision    where the frame size comes from
    encoding    such as "float32";  rate in Hz, 0 where the format has none;  channels
    flags       the eight digits of a `clm ` chunk, None without one;  chunks  of a RIFF file, in order
    name, root_pitch, provenance   what the file says of itself
    remarks     what was wrong or had to be guessed
    extensible  a WAV in the form that some readers refuse (format 0xFFFE)
    oscillators the other oscillators of a Vital preset that sound, none where one was asked for
    """

    format: str
    frames: Floats
    decision: str
    encoding: str
    rate: int = 0
    channels: int = 1
    flags: str | None = None
    chunks: tuple[str, ...] = ()
    name: str = ""
    root_pitch: float | None = None
    provenance: Mapping[str, str] = field(default_factory=dict)
    remarks: tuple[str, ...] = ()
    extensible: bool = False
    oscillators: tuple[int, ...] = ()

    @property
    def size(self) -> int:
        """Samples a frame."""
        return int(self.frames.shape[1])

    def table(self, fallback: str) -> Table:
        """The Table in it: frames of 2048 samples bit-exact, others band-limited to 2048; of more than 256 frames, 256
        evenly spaced ones. `fallback` is its name where the file holds none."""
        frames = self.frames
        if len(frames) > MAX_FRAMES:
            frames = frames[np.round(np.linspace(0, len(frames) - 1, MAX_FRAMES)).astype(np.int64)]
        return Table(resize(frames, FRAME_SIZE), self.name or fallback, self.root_pitch, self.provenance)


def to_int16(frames: Floats) -> NDArray[np.int16]:
    """16-bit integers, full scale 32768: rounded, +1.0 becomes 32767. `from_int16` gives back within half a step of
    2^-15 (one whole step at +1.0); what came from 16 bits comes back exactly."""
    return np.clip(np.rint(frames.astype(np.float64) * 32768.0), -32768, 32767).astype("<i2")


def from_int16(values: NDArray[np.int16], full_scale: float = 32768.0) -> Floats:
    """float32 of 16-bit integers."""
    return np.asarray(values.astype(np.float32) / np.float32(full_scale), dtype=np.float32)


def within_full_scale(frames: Floats) -> Floats:
    """`frames`, all turned down alike where resizing took a peak above 1."""
    peak = float(np.abs(frames).max())
    return frames if peak <= 1.0 else np.clip(frames * np.float32(1.0 / peak), -1, 1).astype(np.float32)


def check_peak(path: str | os.PathLike[str], table: Table) -> None:
    """Raise UserError when the table would clip."""
    if table.peak > 1.0:
        over = 20 * math.log10(table.peak)
        raise UserError(f"{path}: the table peaks at {over:+.1f} dBFS; normalize it first (convert --fix)")


def read_bytes(path: str | os.PathLike[str], most: int) -> bytes:
    """A whole file of at most `most` bytes. Raises UserError: missing, a folder, unreadable, larger."""
    name = Path(path)
    if os.path.isdir(name):  # unlike Path.is_dir, never raises
        raise UserError(f"{name} is a folder; a wavetable file is needed here")
    try:
        with name.open("rb") as file:
            data = file.read(most + 1)
    except FileNotFoundError:
        raise UserError(f"{name}: no such file") from None
    except (OSError, ValueError) as error:
        raise UserError(f"{name}: cannot be read ({getattr(error, 'strerror', None) or error})") from error
    if len(data) > most:
        raise UserError(f"{name}: larger than {most >> 20} MB; no wavetable of this kind")
    return data


def check_finite(path: str | os.PathLike[str], frames: Floats) -> Floats:
    """`frames`, all numbers. Raises UserError for NaN and infinity."""
    if not np.isfinite(frames).all():
        raise UserError(f"{path}: holds NaN or infinite samples; export it again")
    return frames


def facts_text(table: Table) -> str:
    """Root pitch and provenance as one line of ASCII JSON, keys sorted: the same table, the same text."""
    facts: dict[str, object] = {"provenance": {str(key): str(value) for key, value in table.provenance.items()}}
    if table.root_pitch is not None:
        facts["root_pitch"] = float(table.root_pitch)
    return json.dumps(facts, sort_keys=True)


def facts_from(text: str) -> tuple[float | None, dict[str, str]]:
    """(root pitch, provenance) of `facts_text`; any other text becomes the provenance's "comment"."""
    try:
        return facts_of(json.loads(text))
    except (ValueError, RecursionError):
        return None, {"comment": text} if text else {}


def facts_of(data: object) -> tuple[float | None, dict[str, str]]:
    """The same of parsed JSON. Raises ValueError when it is something else."""
    if not isinstance(data, dict):
        raise ValueError("no facts")
    root, provenance = data.get("root_pitch"), data.get("provenance", {})
    if not isinstance(provenance, dict):
        raise ValueError("no facts")
    known = isinstance(root, (int, float)) and not isinstance(root, bool) and abs(root) < 1e6  # NaN is not below it
    return (float(root or 0.0) if known else None), {str(key): str(value) for key, value in provenance.items()}
