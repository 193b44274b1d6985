"""What the formats share: a loaded file, 16-bit samples, checks, and the text in which a table describes itself."""

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
MAX_FILE_FRAMES = 4096  # a file with more holds a recording, not a table


@dataclass(frozen=True, eq=False)
class Loaded:
    """What a wavetable file holds, before anything is changed.

    format: a name in the registry, or "dune", "sfz" or "cycles"
    frames: float32 (n, size) as stored, n in 1..4096, size in 2..8192, all finite
    decision: where the frame size comes from, in words
    encoding: of the samples, such as "float32"
    rate: in Hz, 0 where the format has none
    channels: number of channels in the file; `frames` come from the first
    flags: the eight digits of a `clm ` chunk, None without one
    chunks: the names of a RIFF file's chunks, in order
    name, root_pitch, provenance: what the file says of itself; root_pitch is a MIDI number
    remarks: what was wrong or had to be guessed, one sentence each
    extensible: a WAV of format 0xFFFE, which some readers refuse
    oscillators: the other oscillators of a Vital preset that sound; empty where one was asked for
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

    def table(self, fallback_name: str) -> Table:
        """The Table in the file. Frames of 2048 samples stay bit-exact, others are resized to 2048. Of more than 256
        frames, 256 evenly spaced ones are taken. `fallback_name` names the table where the file does not."""
        frames = self.frames
        if len(frames) > MAX_FRAMES:
            frames = frames[np.round(np.linspace(0, len(frames) - 1, MAX_FRAMES)).astype(np.int64)]
        return Table(resize(frames, FRAME_SIZE), self.name or fallback_name, self.root_pitch, self.provenance)


class Clipping(UserError):
    """A table peaks above full scale, `peak_dbfs` > 0, and cannot be written to the file `path`."""

    def __init__(self, path: str | os.PathLike[str], peak_dbfs: float):
        self.peak_dbfs = peak_dbfs
        super().__init__(f"the table peaks at {peak_dbfs:+.1f} dBFS", path=path)


# -------------------------------------------------------------------------------------------------------------- samples
def to_int16(frames: Floats) -> NDArray[np.int16]:
    """16-bit integers of samples within -1..1, rounded; +1.0 becomes 32767.

    `from_int16` gives every sample back within half a step of 2^-15, and +1.0 within a whole step. What was read from
    16 bits comes back exactly.

    >>> to_int16(np.float32([-1.0, 0.5, 1.0])).tolist()
    [-32768, 16384, 32767]
    """
    return np.clip(np.rint(frames.astype(np.float64) * 32768.0), -32768, 32767).astype("<i2")


def from_int16(values: NDArray[np.int16], full_scale: float = 32768.0) -> Floats:
    """float32 of 16-bit integers, of which `full_scale` becomes 1."""
    return np.asarray(values.astype(np.float32) / np.float32(full_scale), dtype=np.float32)


def within_full_scale(frames: Floats) -> Floats:
    """`frames` under one gain, where resizing took a peak above 1."""
    peak = float(np.abs(frames).max())
    return frames if peak <= 1.0 else np.clip(frames * np.float32(1.0 / peak), -1, 1).astype(np.float32)


def check_peak(path: str | os.PathLike[str], table: Table) -> None:
    """Raise Clipping when the table peaks above full scale."""
    if table.peak > 1.0:
        raise Clipping(path, 20 * math.log10(table.peak))


def check_finite(path: str | os.PathLike[str], frames: Floats) -> Floats:
    """`frames`, when they hold numbers alone. Raises UserError for NaN and infinity."""
    if not np.isfinite(frames).all():
        raise UserError("holds NaN or infinite samples; export it again", path=path)
    return frames


# ---------------------------------------------------------------------------------------------------------------- files
def read_bytes(path: str | os.PathLike[str], most: int) -> bytes:
    """A whole file of at most `most` bytes. Raises UserError: missing, a folder, unreadable, larger."""
    name = Path(path)
    if os.path.isdir(name):  # unlike Path.is_dir, never raises
        raise UserError("is a folder; a wavetable file is needed here", path=name)
    try:
        with name.open("rb") as file:
            data = file.read(most + 1)
    except FileNotFoundError:
        raise UserError("no such file", path=name) from None
    except (OSError, ValueError) as error:
        raise UserError(f"cannot be read ({getattr(error, 'strerror', None) or error})", path=name) from error
    if len(data) > most:
        raise UserError(f"larger than {most >> 20} MB; no wavetable of this kind", path=name)
    return data


# ------------------------------------------------------------------------------------------ what a table says of itself
def facts_text(table: Table) -> str:
    """Root pitch and provenance as one line of ASCII JSON, keys sorted: the same table gives the same text.

    >>> facts_text(Table(np.zeros((1, 2048), np.float32), "saw", 57.0, {"source": "saw.wav"}))
    '{"provenance": {"source": "saw.wav"}, "root_pitch": 57.0}'
    """
    facts: dict[str, object] = {"provenance": {str(key): str(value) for key, value in table.provenance.items()}}
    if table.root_pitch is not None:
        facts["root_pitch"] = float(table.root_pitch)
    return json.dumps(facts, sort_keys=True)


def facts_from(text: str) -> tuple[float | None, dict[str, str]]:
    """(root pitch, provenance) of the text of `facts_text`. Any other text becomes the provenance's "comment".

    >>> facts_from('{"provenance": {}, "root_pitch": 57.0}'), facts_from("a saw")
    ((57.0, {}), (None, {'comment': 'a saw'}))
    """
    try:
        return facts_of(json.loads(text))
    except (ValueError, RecursionError):
        return None, {"comment": text} if text else {}


def facts_of(data: object) -> tuple[float | None, dict[str, str]]:
    """(root pitch, provenance) of the parsed JSON of `facts_text`. Raises ValueError for any other JSON."""
    if not isinstance(data, dict):
        raise ValueError("no facts")
    root, provenance = data.get("root_pitch"), data.get("provenance", {})
    if not isinstance(provenance, dict):
        raise ValueError("no facts")
    known = isinstance(root, (int, float)) and not isinstance(root, bool) and abs(root) < 1e6  # NaN is not below it
    return (float(root or 0.0) if known else None), {str(key): str(value) for key, value in provenance.items()}
