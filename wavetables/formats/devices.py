"""Plain WAVs of the size that a device or program expects: fewer frames, other frame sizes, 16 bits, no marks.

The sizes come from the makers' manuals and code: Korg modwave (Importing Wavetables), Synthesis Technology E352 and
E370 and WaveEdit (bank.cpp), Groove 3rd Wave (manual p. 97), Behringer Wave (p. 27), Ableton Live (Using your own
wavetables), Deluge firmware (audio_file_format.cpp). Those of MicroFreak and Blofeld are described by third parties.
"""

from __future__ import annotations

import os
import struct
from dataclasses import dataclass
from pathlib import Path

from nsynth_core.files import atomic
from wavetables.formats import riff, wav
from wavetables.formats.common import check_peak, within_full_scale
from wavetables.resizing import resize
from wavetables.shaping import resample_frames
from wavetables.table import FRAME_SIZE, Table


@dataclass(frozen=True)
class Device:
    """What a device reads.

    title: its name
    size: samples a frame
    count: number of frames; `exact` says whether it must be so many, or at most
    int16: 16-bit samples, else float32
    mark: the chunk that tells the size: "clm " before the samples, "srge" after them, "" none, for devices that read
        one size alone
    """

    title: str
    size: int
    count: int
    exact: bool
    int16: bool
    mark: str = ""


DEVICES = {
    "ableton": Device("Ableton Live Wavetable, Raw", 1024, 256, exact=False, int16=False, mark="srge"),
    "modwave": Device("Korg modwave", FRAME_SIZE, 64, exact=False, int16=False),
    "modwave-small": Device("Korg modwave, 256 samples", 256, 64, exact=False, int16=True),
    "wavedit": Device("WaveEdit, Synthesis Technology E352 and E370", 256, 64, exact=True, int16=True),
    "e352": Device("Synthesis Technology E352", 256, 64, exact=True, int16=True),
    "microfreak": Device("Arturia MicroFreak", 256, 32, exact=True, int16=True),
    "3rdwave": Device("Groove Synthesis 3rd Wave", 128, 64, exact=True, int16=True),
    "behringer-wave": Device("Behringer Wave", 128, 64, exact=True, int16=True),
    "blofeld": Device("Waldorf Blofeld", 128, 64, exact=True, int16=True),
    "tonverk": Device("Elektron Tonverk", FRAME_SIZE, 64, exact=True, int16=False),
    "deluge": Device("Synthstrom Deluge", FRAME_SIZE, 256, exact=False, int16=False, mark="clm "),
}


def write(path: str | os.PathLike[str], table: Table, force: bool = False, device: str = "ableton") -> None:
    """Write a table as a device reads it.

    device: a key of DEVICES
    The frames are spread evenly over the device's count and resized to its size, under one gain where that takes a peak
    above full scale. Only files with a mark hold root pitch and provenance.
    Raises UserError: a table that clips, a file that exists (unless `force`), a place that cannot be written.

    >>> import tempfile
    >>> import numpy as np
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write(Path(folder) / "bank.wav", Table(np.zeros((3, 2048), np.float32), "saw"), device="e352")
    ...     wav.load(Path(folder) / "bank.wav", 256).frames.shape
    (64, 256)
    """
    check_peak(path, table)
    kind = DEVICES[device]
    frames = table.frames
    if len(frames) > kind.count or (kind.exact and len(frames) != kind.count):
        frames = resample_frames(frames, kind.count)
    frames = within_full_scale(resize(frames, kind.size))
    before, after = riff.clm(table.name) if kind.mark == "clm " else b"", b""
    if kind.mark:
        after = riff.info(table)
    if kind.mark == "srge":
        after = riff.chunk(b"srge", struct.pack("<II", 1, kind.size)) + after
    with atomic(path, force) as temporary:
        temporary.write_bytes(riff.wave(frames, before=before, after=after, int16=kind.int16))


def read(path: str | os.PathLike[str], device: str | None = None) -> Table:
    """The table of such a file, its frames resized to 2048 samples. `device` tells the frame size of a file without a
    mark. Raises UserError as wav.load."""
    return wav.load(path, DEVICES[device].size if device else None).table(Path(path).stem)
