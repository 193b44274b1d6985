"""The settings.json of NSynth's devices: read for what to render, and written beside pads.

A lattice has (resolution - 1) * (instruments - 1) + 1 points a side, so that every instrument lies on a point. (The
reference script of magenta-demos draws one too many.)
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nsynth_core.errors import UserError
from nsynth_core.files import atomic
from wavetables.formats.common import read_bytes

RATE = 16_000  # Hz, of both devices
PAD_LENGTH, GRID_LENGTH = 60_000, 64_000  # samples of a note
MAX_BYTES = 1 << 20
CORNERS = ("NW", "NE", "SE", "SW")  # in the order of the pipeline: (0,0), (1,0), (0,1), (1,1)


@dataclass(frozen=True)
class NSynthSettings:
    """What a settings.json of NSynth asks for.

    matrix: instruments[u][v] with u along x and v along y, square, 2..8 a side; of pads the first choice of each corner
    downwards: y runs from the top down (pads), else from the bottom up (grids)
    pitches: MIDI numbers, ascending
    resolution: points from one instrument to the next, 2..33
    length: samples a note at 16 kHz
    name: of the grid
    choices: of pads, all instruments of each corner
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
    """Points a side of a lattice of `instruments` a side, with `resolution` points from one to the next.

    >>> side(9, 4)
    25
    """
    return (resolution - 1) * (instruments - 1) + 1


def cell(index: int, resolution: int, instruments: int) -> tuple[int, float]:
    """The instrument before the point `index` of a side, and the share (0..1) of the way to the next.

    >>> cell(12, 9, 4)
    (1, 0.5)
    """
    before = min(index // (resolution - 1), instruments - 2)
    return before, (index - before * (resolution - 1)) / (resolution - 1)


# -------------------------------------------------------------------------------------------------------------- reading
def read_settings(path: str | os.PathLike[str]) -> NSynthSettings:
    """Read the settings.json of magenta-demos (`instruments`), or of Open NSynth Super's pipeline (`pads`) or device
    (`corners`). Raises UserError: missing, another file, values out of range."""
    name = Path(path)
    try:
        data = json.loads(read_bytes(name, MAX_BYTES).decode("utf-8-sig"))
    except (ValueError, RecursionError) as error:
        raise UserError(f"not a settings.json ({str(error) or 'nested too deeply'})", path=name) from error
    if not isinstance(data, dict):
        raise UserError("not a settings.json (no JSON object)", path=name)
    pads = data.get("pads")
    if isinstance(pads, dict):
        return _pads(data, [pads.get(corner) for corner in CORNERS], data.get("final_length", PAD_LENGTH), name)
    corners, device = data.get("corners"), data.get("nsynth")
    if isinstance(corners, list) and isinstance(device, dict):
        lists = [corner.get("instruments") if isinstance(corner, dict) else None for corner in corners]
        names = [
            [entry.get("name") if isinstance(entry, dict) else None for entry in entries or []] for entries in lists
        ]
        return _pads(device, names, device.get("length", PAD_LENGTH), name)
    rows = data.get("instruments")
    if not isinstance(rows, list):
        raise UserError("no settings of NSynth (neither instruments, pads nor corners)", path=name)
    if not 2 <= len(rows) <= 8 or any(not isinstance(row, list) or len(row) != len(rows) for row in rows):
        raise UserError("instruments is no square of 2..8 x 2..8 names", path=name)
    matrix = tuple(tuple(_name(instrument, name) for instrument in row) for row in rows)
    title = data.get("name", f"multigrid_{len(rows)}")
    if not isinstance(title, str) or not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,59}", title):
        raise UserError("its name is not made of letters, digits, - and _", path=name)
    return NSynthSettings(matrix, False, *_common(data, data.get("final_length", GRID_LENGTH), name), title)


def _pads(data: dict[str, Any], lists: Sequence[Any], length: object, path: Path) -> NSynthSettings:
    """The settings of pads whose corners may have the instruments of `lists`."""
    if len(lists) != 4 or any(not isinstance(names, list) or not 1 <= len(names) <= 32 for names in lists):
        raise UserError("four corners with 1..32 instruments each are needed", path=path)
    choices = tuple(tuple(_name(instrument, path) for instrument in names) for names in lists)
    (a, *_), (b, *_), (c, *_), (d, *_) = choices
    return NSynthSettings(((a, c), (b, d)), True, *_common(data, length, path), "pads", choices)


def _name(value: object, path: Path) -> str:
    if not isinstance(value, str) or not re.fullmatch(r"[^\W_][^\x00-\x1f/\\_:*?\"<>|]{0,59}", value):
        raise UserError(
            f"{str(value)[:40]!r} is no name of an instrument (letters and digits, no underscore)", path=path
        )
    return value


def _common(data: dict[str, Any], length: object, path: Path) -> tuple[tuple[int, ...], int, int]:
    """(pitches, resolution, length) of any settings."""
    pitches, resolution = data.get("pitches", list(range(24, 85, 4))), data.get("resolution", 9)
    if not isinstance(pitches, list) or not 1 <= len(pitches) <= 128 or not all(_whole(p, 0, 127) for p in pitches):
        raise UserError("pitches are no list of MIDI numbers 0..127", path=path)
    if not _whole(resolution, 2, 33):
        raise UserError("resolution is outside 2..33", path=path)
    if not _whole(length, 1600, 60 * RATE):
        raise UserError(f"the length of a note is outside 1600..{60 * RATE} samples", path=path)
    return tuple(sorted(set(pitches))), resolution, int(str(length))


def _whole(value: object, low: int, high: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and low <= value <= high


def write_device_settings(
    path: Path,
    points: int,
    pitches: Sequence[float],
    length: int,
    corners: Sequence[Sequence[str]],
    force: bool = False,
) -> None:
    """Write the settings.json of the device that plays these pads. The device does not check a pad's size, so that pads
    and settings belong together.

    corners: the instruments of the corners top left, top right, bottom left, bottom right
    Raises UserError: a file that exists (unless `force`), a place that cannot be written.
    """
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


def _abbreviations(names: Sequence[str]) -> dict[str, str]:
    """Two letters for each name, different ones as far as possible."""
    by_name: dict[str, str] = {}
    for name in names:
        letters = [letter for letter in name.upper() if letter.isalnum()] or ["X"]
        pairs = [letters[0] + other for other in [*letters[1:], *"0123456789"]]
        by_name[name] = next((pair for pair in pairs if pair not in by_name.values()), pairs[0])
    return by_name
