"""Grids of NSynth's own devices: magenta-demos' for Max for Live, and pads of Open NSynth Super.

Both devices play 16 kHz mono with peaks at -12 dBFS. `nsynth_settings` reads and writes their settings.json.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from itertools import pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from nsynth_core import audio
from nsynth_core.audio import Floats, Sound
from nsynth_core.errors import UserError
from nsynth_core.files import atomic
from wavetables.formats.common import to_int16
from wavetables.formats.nsynth_settings import RATE

PEAK = 10 ** (-12 / 20)
RISE = 0.1  # of the peak: the first sample above it is the onset
LEAD, FADE = 16, 8  # samples kept before the onset, samples faded at both ends


def evenly_spaced(pitches: Sequence[float]) -> tuple[int, int, int]:
    """(first, step, count) of whole, evenly spaced MIDI pitches. Raises UserError for others: no device finds notes at
    them.

    >>> evenly_spaced([24, 28, 32])
    (24, 4, 3)
    """
    whole = [round(pitch) for pitch in pitches]
    steps = {after - before for before, after in pairwise(whole)}
    if list(pitches) != whole or len(steps) > 1 or not 0 <= whole[0] <= whole[-1] <= 127:
        raise UserError("an NSynth grid needs whole MIDI pitches in even steps, such as 24, 28, 32")
    return whole[0], steps.pop() if steps else 1, len(whole)


def write_grid_note(
    folder: Path, name: str, at: tuple[int, int], pitch: int, sound: Sound, shape: tuple[int, int]
) -> Path:
    """Write one note of a Max for Live grid as mp3, and return its path.

    name: of the grid
    at: the point (ix, iy), iy from the bottom up
    pitch: MIDI number
    shape: (points a side, instruments a side)
    Raises UserError when it cannot be written.
    """
    path = folder / grid_note_name(name, at, pitch, shape)
    audio.write(path, Sound(_level(_mono(sound))[:, None], RATE), force=True)
    return path


def grid_note_name(name: str, at: tuple[int, int], pitch: int, shape: tuple[int, int]) -> str:
    """The file name of a note of a Max for Live grid; arguments as of `write_grid_note`.

    >>> grid_note_name("grid", (1, 0), 48, (9, 2))
    'grid_000001_x0.12_y0.00_pitch48.mp3'
    """
    points, instruments = shape
    scale = (instruments - 1) / (points - 1)
    # the reference prints 0.125 as 0.12; without the small difference it would become 0.13
    x, y = (max(place * scale - 1e-10, 0.0) for place in at)
    return f"{name}_{at[1] * points + at[0]:06d}_x{x:.2f}_y{y:.2f}_pitch{pitch}.mp3"


def write_grid_options(folder: Path, name: str, pitches: Sequence[float], points: int, instruments: int) -> Path:
    """Write the file `options` that the device reads, one line in the form of a Max coll, and return its path. Raises
    UserError as `evenly_spaced`."""
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
    """Write a pad of Open NSynth Super: int16 at 16 kHz without a header, first along pitch, then along x, then along y
    from the top down.

    points: points a side
    pitches: MIDI numbers
    length: samples a note
    notes: (ix, iy, index of the pitch, samples from `pad_note`) of every note, in any order
    Raises UserError: a file that exists (unless `force`), a missing note, a place that cannot be written.
    """
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
            raise UserError(f"{int(missing.sum())} of {count} notes are missing", path=path)


def pad_note(sound: Sound, length: int) -> NDArray[np.int16]:
    """A note of a pad: int16 (length,), mono, peak at -12 dBFS.

    It begins 16 samples before the onset, is cut or filled with silence, and has fades of 8 samples. (The reference
    also sends its notes through mp3, which only loses.)

    >>> pad_note(audio.sine(220.0, seconds=0.1), 4000).shape
    (4000,)
    """
    samples = _level(_mono(sound))
    loud = np.abs(samples) > RISE * float(np.abs(samples).max())
    start = max(int(loud.argmax()) - LEAD, 0)
    cut = np.zeros(length, dtype=np.float32)
    kept = samples[start : start + length]
    cut[: len(kept)] = kept
    ramp = np.linspace(0, 1, FADE, dtype=np.float32)
    cut[:FADE] *= ramp
    end = len(kept)
    cut[max(end - FADE, 0) : end] *= ramp[::-1][-min(FADE, end) :] if end else 1
    return to_int16(cut)


def pad_name(names: Sequence[str]) -> str:
    """The file name of a pad, as the device looks for it: its corners joined by underscores.

    >>> pad_name(["flute", "choir pad"])
    'flute_choir-pad.bin'
    """
    return "_".join(map(plain, names)) + ".bin"


def plain(name: str) -> str:
    """`name` as the devices take it: letters and digits, and hyphens for everything else."""
    return re.sub(r"[^A-Za-z0-9]+", "-", name).strip("-") or "sound"


def _mono(sound: Sound) -> Floats:
    mono = Sound(np.ascontiguousarray(sound.mid()[:, None]), sound.rate)
    return audio.resample(mono, RATE).samples[:, 0]


def _level(samples: Floats) -> Floats:
    peak = float(np.abs(samples).max()) if len(samples) else 0.0
    return samples if peak == 0.0 else np.asarray(samples * np.float32(PEAK / peak), dtype=np.float32)
