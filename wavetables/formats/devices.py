"""Plain WAVs of the size that a device or program expects: fewer, smaller or larger frames, 16 bits, no marks.

Sizes from the makers' manuals and code: Korg modwave (Importing Wavetables), Synthesis Technology E352/E370 and
WaveEdit (bank.cpp), Groove 3rd Wave (manual p. 97), Behringer Wave (p. 27), Ableton Live (Using your own wavetables),
Deluge firmware (audio_file_format.cpp); MicroFreak and Blofeld as third parties describe them.
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
    """`size` samples a frame; `count` frames, exactly or at most; `int16` or float32.

    mark   what tells the size: "clm " before the data, "srge" after it, "" nothing, where devices take nothing else
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
    """Write `table` as `device` (a key of DEVICES) reads it: frames cut or spread evenly to its count, brought to its
    size band-limited, all turned down alike where that takes a peak above full scale. Only files with a mark hold root
    pitch and provenance: the others stay as bare as their readers want them.
    Raises UserError: peaks above full scale, the file exists (unless `force`), an unwritable place."""
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
    """The table of such a file, its frames brought to 2048; `device` says the frame size where nothing else does.
    Raises UserError as wav.load."""
    return wav.load(path, DEVICES[device].size if device else None).table(Path(path).stem)
