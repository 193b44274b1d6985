"""NSynth's own world: the Max for Live grid of magenta-demos, the pads of Open NSynth Super, and their settings.json.

A lattice has exactly (resolution - 1) * (instruments - 1) + 1 points a side, so that every instrument lies on a point;
the reference script of magenta-demos draws one too many. Both devices play 16 kHz mono with peaks at -12 dBFS.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nsynth_core import audio
from nsynth_core.audio import Floats, Sound
from nsynth_core.errors import UserError
from nsynth_core.files import atomic
from wavetables.formats.common import read_bytes, to_int16

RATE = 16_000
PEAK = 10 ** (-12 / 20)
PAD_LENGTH, GRID_LENGTH = 60_000, 64_000  # samples of a note in each world
RISE, LEAD, FADE = 0.1, 16, 8  # the onset: first sample above this part of the peak, samples kept before it, faded ends
MAX_BYTES = 1 << 20
CORNERS = ("NW", "NE", "SE", "SW")  # as the pipeline joins them: (0,0), (1,0), (0,1), (1,1)


@dataclass(frozen=True)
class NSynthSettings:
    """What a settings.json asks for.

    matrix       instruments[u][v] with u along x and v along y, square, 2..8 a side; of pads one list per corner is
    kept in `choices`, and the matrix holds the first of each
    downwards    y runs from the top down (pads) instead of from the bottom up (grids)
    pitches      MIDI numbers, ascending;  resolution  points from one instrument to the next, 2..33
    length       samples a note at 16 kHz;  name  of the grid
    """

    matrix: tuple[tuple[str, ...], ...]
    downwards: bool
    pitches: tuple[int, ...]
    resolution: int
    length: int
    name: str
    choices: tuple[tuple[str, ...], ...] = ()

    @property
    def side(self) -> int:
        """Points a side of the whole lattice."""
        return side(self.resolution, len(self.matrix))


def side(resolution: int, instruments: int) -> int:
    """Points a side of a lattice of `instruments` a side with `resolution` points from one to the next."""
    return (resolution - 1) * (instruments - 1) + 1


def cell(index: int, resolution: int, instruments: int) -> tuple[int, float]:
    """The instrument before the point `index` of a side, and how far (0..1) it lies from it to the next."""
    before = min(index // (resolution - 1), instruments - 2)
    return before, (index - before * (resolution - 1)) / (resolution - 1)


# -------------------------------------------------------------------------------------------------------------- reading
def read_settings(path: str | os.PathLike[str]) -> NSynthSettings:
    """The settings.json of magenta-demos (`instruments`) or of Open NSynth Super's pipeline (`pads`) or device
    (`corners`). Raises UserError: missing, neither, values out of range."""
    name = Path(path)
    try:
        data = json.loads(read_bytes(name, MAX_BYTES).decode("utf-8-sig"))
    except (ValueError, RecursionError) as error:
        raise UserError(f"{name}: not a settings.json ({str(error) or 'nested too deeply'})") from error
    if not isinstance(data, dict):
        raise UserError(f"{name}: not a settings.json (no JSON object)")
    pads = data.get("pads")
    if isinstance(pads, dict):
        return _pads(data, [pads.get(corner) for corner in CORNERS], data.get("final_length", PAD_LENGTH), name)
    corners, device = data.get("corners"), data.get("nsynth")
    if isinstance(corners, list) and isinstance(device, dict):
        lists = [each.get("instruments") if isinstance(each, dict) else None for each in corners]
        names = [[i.get("name") if isinstance(i, dict) else None for i in each or []] for each in lists]
        return _pads(device, names, device.get("length", PAD_LENGTH), name)
    rows = data.get("instruments")
    if not isinstance(rows, list):
        raise UserError(f"{name}: no settings of NSynth (neither instruments, pads nor corners)")
    if not 2 <= len(rows) <= 8 or any(not isinstance(row, list) or len(row) != len(rows) for row in rows):
        raise UserError(f"{name}: instruments is no square of 2..8 x 2..8 names")
    matrix = tuple(tuple(_name(each, name) for each in row) for row in rows)
    title = data.get("name", f"multigrid_{len(rows)}")
    if not isinstance(title, str) or not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,59}", title):
        raise UserError(f"{name}: its name is not made of letters, digits, - and _")
    return NSynthSettings(matrix, False, *_common(data, data.get("final_length", GRID_LENGTH), name), title)


def _pads(data: dict[str, Any], lists: Sequence[Any], length: object, path: Path) -> NSynthSettings:
    if len(lists) != 4 or any(not isinstance(each, list) or not 1 <= len(each) <= 32 for each in lists):
        raise UserError(f"{path}: four corners with 1..32 instruments each are needed")
    choices = tuple(tuple(_name(each, path) for each in names) for names in lists)
    (a, *_), (b, *_), (c, *_), (d, *_) = choices
    return NSynthSettings(((a, c), (b, d)), True, *_common(data, length, path), "pads", choices)


def _name(value: object, path: Path) -> str:
    if not isinstance(value, str) or not re.fullmatch(r"[^\W_][^\x00-\x1f/\\_:*?\"<>|]{0,59}", value):
        raise UserError(f"{path}: {str(value)[:40]!r} is no name of an instrument (letters and digits, no underscore)")
    return value


def _common(data: dict[str, Any], length: object, path: Path) -> tuple[tuple[int, ...], int, int]:
    pitches, resolution = data.get("pitches", list(range(24, 85, 4))), data.get("resolution", 9)
    if not isinstance(pitches, list) or not 1 <= len(pitches) <= 128 or not all(_whole(p, 0, 127) for p in pitches):
        raise UserError(f"{path}: pitches are no list of MIDI numbers 0..127")
    if not _whole(resolution, 2, 33):
        raise UserError(f"{path}: resolution is outside 2..33")
    if not _whole(length, 1600, 60 * RATE):
        raise UserError(f"{path}: the length of a note is outside 1600..{60 * RATE} samples")
    return tuple(sorted(set(pitches))), resolution, int(str(length))


def _whole(value: object, low: int, high: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and low <= value <= high


# -------------------------------------------------------------------------------------------------------------- writing
def evenly_spaced(pitches: Sequence[float]) -> tuple[int, int, int]:
    """(first, step, count) of whole, evenly spaced pitches. Raises UserError for others: no device could find the
    notes."""
    whole = [round(pitch) for pitch in pitches]
    steps = {after - before for before, after in pairwise(whole)}
    if list(pitches) != whole or len(steps) > 1 or not 0 <= whole[0] <= whole[-1] <= 127:
        raise UserError("an NSynth grid needs whole MIDI pitches in even steps, such as 24, 28, 32; choose --pitches")
    return whole[0], steps.pop() if steps else 1, len(whole)


def write_grid_note(
    folder: Path, name: str, at: tuple[int, int], pitch: int, sound: Sound, shape: tuple[int, int]
) -> Path:
    """Write one note of a Max for Live grid as mp3 and return its path: `at` (ix, iy) with iy from the bottom up,
    `shape` (points a side, instruments a side). Raises UserError when it exists or cannot be written."""
    path = folder / grid_note_name(name, at, pitch, shape)
    audio.write(path, Sound(_level(_mono(sound))[:, None], RATE), force=True)
    return path


def grid_note_name(name: str, at: tuple[int, int], pitch: int, shape: tuple[int, int]) -> str:
    """The file name of a note of a Max for Live grid, arguments as of `write_grid_note`."""
    points, instruments = shape
    scale = (instruments - 1) / (points - 1)
    # as the reference prints them: a hair below, so that 0.125 becomes 0.12
    x, y = (max(place * scale - 1e-10, 0.0) for place in at)
    return f"{name}_{at[1] * points + at[0]:06d}_x{x:.2f}_y{y:.2f}_pitch{pitch}.mp3"


def write_grid_options(folder: Path, name: str, pitches: Sequence[float], points: int, instruments: int) -> Path:
    """Write the file `options` that the device reads: one line in the form of a Max coll."""
    first, step, count = evenly_spaced(pitches)
    line = f"1, {first} {step} {count} {points} {points} {instruments} {instruments} {name};\n"
    with atomic(folder / "options", force=True) as temporary:
        temporary.write_text(line, encoding="ascii", newline="\n")
    return folder / "options"


def write_pad(
    path: Path,
    points: int,
    pitches: Sequence[float],
    length: int,
    notes: Iterable[tuple[int, int, int, NDArray[np.int16]]],
    force: bool = False,
) -> None:
    """Write a pad of Open NSynth Super: int16 at 16 kHz without a header, `length` samples a note, pitch fastest, then
    x, then y from the top down. `notes` gives (ix, iy, number of the pitch, samples from `pad_note`) of all, in any
    order. Raises UserError: it exists (unless `force`), a note is missing, an unwritable place."""
    count = points * points * len(pitches)
    missing = np.ones(count, dtype=bool)
    with atomic(path, force) as temporary:
        with temporary.open("r+b") as file:
            file.truncate(count * length * 2)
            for ix, iy, number, samples in notes:
                row = (iy * points + ix) * len(pitches) + number
                file.seek(row * length * 2)
                file.write(samples.tobytes())
                missing[row] = False
        if missing.any():
            raise UserError(f"{path}: {int(missing.sum())} of {count} notes are missing")


def pad_note(sound: Sound, length: int) -> NDArray[np.int16]:
    """(length,) int16: mono, peak at -12 dBFS, 16 samples before the onset first, cut or filled with silence, 8-sample
    fades. The reference sends its notes through mp3 first, which only loses."""
    samples = _level(_mono(sound))
    loud = np.abs(samples) > RISE * float(np.abs(samples).max())
    start = max(int(loud.argmax()) - LEAD, 0)
    cut = np.zeros(length, dtype=np.float32)
    there = samples[start : start + length]
    cut[: len(there)] = there
    ramp = np.linspace(0, 1, FADE, dtype=np.float32)
    cut[:FADE] *= ramp
    end = len(there)
    cut[max(end - FADE, 0) : end] *= ramp[::-1][-min(FADE, end) :] if end else 1
    return to_int16(cut)


def write_device_settings(
    path: Path,
    points: int,
    pitches: Sequence[float],
    length: int,
    corners: Sequence[Sequence[str]],
    force: bool = False,
) -> None:
    """Write the settings.json of the device that plays these pads: nothing checks a pad's size there, so both belong
    together. `corners` in the order top left, top right, bottom left, bottom right.
    Raises UserError: it exists (unless `force`), an unwritable place."""
    names = sorted({name for corner in corners for name in corner})
    short = _abbreviations(names)
    data = {
        "debug": False,
        "nsynth": {
            "dataDirectory": "/home/pi/pads",
            "resolution": points,
            "pitches": [int(pitch) for pitch in pitches],
            "length": length,
            "sampleRate": RATE,
            "looping": True,
            "loopStart": 0.2,
            "loopEnd": 0.41,
        },
        "corners": [
            {"instruments": [{"name": n, "display": n.upper()[:8], "abbr": short[n]} for n in corner]}
            for corner in corners
        ],
        "audio": {"sampleRate": 48000, "bufferSize": 128},
        "midi": {"device": "/dev/ttyAMA0", "channel": 1},
        "osc": {"in": {"portNumber": 8000, "port": 8000}},
    }
    with atomic(path, force) as temporary:
        temporary.write_text(json.dumps(data, indent=4) + "\n", encoding="utf-8", newline="\n")


def pad_name(names: Sequence[str]) -> str:
    """The pad's file name that the device looks for: corners joined by underscores, which names must not hold."""
    return "_".join(map(plain, names)) + ".bin"


def plain(name: str) -> str:
    """`name` as the devices take it: letters and digits, everything else a hyphen."""
    return re.sub(r"[^A-Za-z0-9]+", "-", name).strip("-") or "sound"


def _abbreviations(names: Sequence[str]) -> dict[str, str]:
    found: dict[str, str] = {}
    for name in names:
        letters = [letter for letter in name.upper() if letter.isalnum()] or ["X"]
        pairs = [letters[0] + other for other in [*letters[1:], *"0123456789"]]
        found[name] = next((pair for pair in pairs if pair not in found.values()), pairs[0])
    return found


def _mono(sound: Sound) -> Floats:
    mono = Sound(np.ascontiguousarray(sound.mid()[:, None]), sound.rate)
    return audio.resample(mono, RATE).samples[:, 0]


def _level(samples: Floats) -> Floats:
    peak = float(np.abs(samples).max()) if len(samples) else 0.0
    return samples if peak == 0.0 else np.asarray(samples * np.float32(PEAK / peak), dtype=np.float32)
