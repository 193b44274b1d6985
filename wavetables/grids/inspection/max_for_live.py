"""Grids of NSynth's Max for Live device: a folder of notes, and the file `options`."""

from __future__ import annotations

import itertools
import os
import re
from pathlib import Path

from wavetables.formats import nsynth_grid
from wavetables.formats.common import read_bytes
from wavetables.grids.inspection.report import SHOWN, LayoutInspection, concluded, differences, some

_GRID_NOTE = re.compile(r"(.+)_(\d{6})_x\d+\.\d\d_y\d+\.\d\d_pitch(\d{1,3})\.mp3")
_OPTIONS = re.compile(r"1, (\d{1,3}) (\d{1,3}) (\d{1,3}) (\d{1,3}) (\d{1,3}) (\d{1,2}) (\d{1,2}) ([^\s;/\\]{1,60});\s*")


def is_max_for_live(folder: Path) -> bool:
    return (folder / "options").is_file() or any(_GRID_NOTE.fullmatch(name) for name in os.listdir(folder))


def inspect_max_for_live(path: str | os.PathLike[str], folder: Path) -> LayoutInspection:
    names = {name for name in os.listdir(folder) if name != "options" and not name.startswith(".")}
    empty = sorted(each for each in names if (folder / each).is_file() and not (folder / each).stat().st_size)
    problems = [f"empty: {some(empty, len(empty))}"] if empty else []
    facts: dict[str, object] = {"notes": sum(1 for name in names if _GRID_NOTE.fullmatch(name))}
    file = folder / "options"
    if not file.is_file():
        return concluded(
            path, "m4l", facts, ["no file options: the device finds nothing", *problems], folder.absolute().parent
        )
    match = _OPTIONS.fullmatch(read_bytes(file, 1 << 12).decode("utf-8", "replace"))
    first, step, count, *shape = map(int, match.groups()[:-1]) if match else (0,) * 7
    points, down, instruments, deep = shape
    last = first + (count - 1) * step
    if not match or not count or last > 127 or (count > 1 and not step) or not 2 <= instruments <= points:
        wanted = "1, FIRST STEP PITCHES POINTS POINTS SOUNDS SOUNDS NAME;"
        return concluded(path, "m4l", facts, [f"options is no line {wanted}", *problems], folder.absolute().parent)
    name, pitches = match.group(8), range(first, last + 1, max(step, 1))
    if points != down or instruments != deep:
        problems.append(f"options says {points} x {down} points of {instruments} x {deep} sounds: no square")
    elif (points - 1) % (instruments - 1):
        problems.append(f"{points} points a side put the sounds between the points: {instruments} do not divide them")

    def note(index: int, pitch: int) -> str:
        at = (index % points, index // points)
        return nsynth_grid.grid_note_name(name, at, pitch, (points, instruments))

    def belongs(file_name: str) -> bool:
        read = _GRID_NOTE.fullmatch(file_name)
        index, pitch = map(int, read.group(2, 3)) if read else (-1, -1)
        return 0 <= index < points**2 and pitch in pitches and file_name == note(index, pitch)

    known = {each for each in names if belongs(each)}
    wanted_names = (
        note(index, pitch) for pitch in pitches for index in range(points**2)
    )  # up to millions: asked lazily
    lacking = points**2 * len(pitches) - len(known)
    missing = list(itertools.islice((each for each in wanted_names if each not in known), min(lacking, SHOWN)))
    problems += differences("note", lacking, missing, sorted(names - known))
    facts |= {"name": name, "points": points, "sounds": instruments, "pitches": tuple(pitches)}
    return concluded(path, "m4l", facts, problems, folder.absolute().parent, bool(names - known))
