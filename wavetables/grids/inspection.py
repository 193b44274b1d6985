"""What is in a grid laid out for NSynth's players or as SFZ instruments, what is wrong with it, and what mends it.

A layout is rendered, not edited: whatever is wrong with it, the grid is made again."""

from __future__ import annotations

import itertools
import json
import os
import re
import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import soundfile

from nsynth_core.errors import UsageError, UserError
from nsynth_core.notes import note_name, parse_pitch
from wavetables.formats import nsynth_grid, sfz
from wavetables.formats.common import SIZES, read_bytes
from wavetables.formats.nsynth_settings import NSynthSettings, read_settings
from wavetables.mending import FLAT

TITLES = {"m4l": "Max for Live grid", "nsynth-super": "Open NSynth Super pads", "sfz": "SFZ instrument of notes"}
TOLERANCE_DB = 1.0  # around -12 dBFS: pads of the reference went through mp3 after they were levelled
SHOWN = 3  # names of a list
_GRID_NOTE = re.compile(r"(.+)_(\d{6})_x\d+\.\d\d_y\d+\.\d\d_pitch(\d{1,3})\.mp3")
_OPTIONS = re.compile(r"1, (\d{1,3}) (\d{1,3}) (\d{1,3}) (\d{1,3}) (\d{1,3}) (\d{1,2}) (\d{1,2}) ([^\s;/\\]{1,60});\s*")


@dataclass(frozen=True)
class LayoutInspection:
    """Facts about a laid out grid. `str()` of it is for people, `to_dict()` for JSON.

    format     "m4l", "nsynth-super" or "sfz", as `grid --layout` calls it
    facts      by name: points a side, pitches or keys (MIDI), length in samples at 16 kHz, counts, peak in dBFS
    problems   one line each; empty for a clean layout
    mending    for each problem the command that mends it
    """

    path: str
    format: str
    facts: Mapping[str, object]
    problems: tuple[str, ...]
    mending: tuple[str, ...]

    def to_dict(self) -> dict[str, object]:
        """Plain types only."""
        return asdict(self)

    def __str__(self) -> str:
        facts = ", ".join(f"{name.replace('_dbfs', ' dBFS')} {_text(value)}" for name, value in self.facts.items())
        lines = [f"{self.path}: {TITLES[self.format]}", f"  {facts}"]
        lines += [f"  problem: {line}" for line in self.problems] or ["  no problems"]
        return "\n".join(lines + [f"    mend: {command}" for command in dict.fromkeys(self.mending)])


def inspect(path: str | os.PathLike[str]) -> LayoutInspection | None:
    """Look at a pad (.bin) or the folder of pads and their settings.json, a Max for Live grid or the folder it was
    written to, or an SFZ instrument whose samples are notes; None for anything else.
    Raises UserError: unreadable, a pad without settings, samples outside an instrument's folder."""
    name = Path(path)
    try:
        if os.path.isdir(name):  # unlike Path.is_dir, never raises
            if (name / "settings.json").is_file() and (pads := _bins(name)):
                return _of_pads(path, name / "settings.json", pads, whole=True)
            below = [each for each in sorted(name.iterdir()) if os.path.isfile(each / "options")]
            grids = [name] if _is_grid(name) else below
            return _of_grid(path, grids[0]) if len(grids) == 1 else None
        if name.suffix.lower() == ".bin" and os.path.isfile(name):
            settings = [each / "settings.json" for each in name.absolute().parents[:2]]
            found = next((each for each in settings if each.is_file()), None)
            if found is None:
                raise UserError(f"{name}: no settings.json beside it says what is in the pad; put the one it came with")
            return _of_pads(path, found, [name], whole=False)
        if name.suffix.lower() == ".sfz" and os.path.isfile(name):
            return _of_notes(path)
    except OSError as error:
        raise UserError(f"{name}: cannot be read ({error.strerror or error})") from error
    return None


# ----------------------------------------------------------------------------------------------------------------- pads
def _bins(folder: Path) -> list[Path]:
    return sorted({*folder.glob("*.bin"), *folder.glob("pads/*.bin")})


def _of_pads(path: str | os.PathLike[str], file: Path, pads: Sequence[Path], whole: bool) -> LayoutInspection:
    settings = read_settings(file)
    if not settings.downwards:
        raise UserError(f"{file}: settings of a Max for Live grid, not of pads; put the one the pads came with")
    points, count = settings.side, settings.side**2 * len(settings.pitches)
    problems: list[str] = []
    if whole:
        wanted = {nsynth_grid.pad_name(names) for names in itertools.product(*settings.choices)}
        there = {pad.name for pad in pads}
        problems += _differences("pad", len(wanted - there), sorted(wanted - there), sorted(there - wanted))
    peaks, silent, clipped = [0], 0, 0
    for pad in pads:
        size, expected = pad.stat().st_size, count * settings.length * 2
        if size != expected:
            problems.append(
                f"{pad.name}: {size} bytes, but {points} x {points} points, {len(settings.pitches)} pitches and"
                f" {settings.length} samples are {expected}: the device plays other notes, or beyond its end"
            )
        levels, flat = pad_levels(pad, count, settings.length)
        peaks += levels
        silent, clipped = silent + levels.count(0), clipped + sum(flat)
        if size == expected:  # else nothing tells which note is which
            problems += _of_levels(pad.name, levels, flat, settings)
    peak = max(peaks)
    facts = {
        "pads": len(pads),
        "points": points,
        "pitches": settings.pitches,
        "length": settings.length,
        "notes": len(peaks) - 1,
        "silent": silent,
        "clipped": clipped,
        "peak_dbfs": round(_db(peak), 2) if peak else None,
    }
    return _concluded(path, "nsynth-super", facts, problems, file.parent)


def pad_levels(path: Path, count: int, length: int) -> tuple[list[int], list[bool]]:
    """Of every whole note in a pad, at most `count`: its peak (0..32768), and whether it is clipped flat at full scale.
    One note of `length` samples at a time is in memory."""
    peaks: list[int] = []
    flat: list[bool] = []
    with path.open("rb") as file:
        while len(peaks) < count and len(samples := np.fromfile(file, "<i2", length)) == length:
            loud = np.abs(samples.astype(np.int32))
            peaks.append(int(loud.max()))
            full = loud >= 32767
            flat.append(bool(full.any() and np.lib.stride_tricks.sliding_window_view(full, FLAT).all(1).any()))
    return peaks, flat


def _of_levels(pad: str, levels: Sequence[int], flat: Sequence[bool], settings: NSynthSettings) -> Iterator[str]:
    def notes(rows: Sequence[int]) -> str:
        places = [divmod(row, len(settings.pitches)) for row in rows[:SHOWN]]
        side = settings.side
        names = [f"x{at % side} y{at // side} pitch {settings.pitches[number]}" for at, number in places]
        return f"{len(rows)} of {len(levels)} notes ({_some(names, len(rows))})"

    target = 20 * float(np.log10(nsynth_grid.PEAK))
    silent = [row for row, peak in enumerate(levels) if not peak]
    wrong = [row for row, peak in enumerate(levels) if peak and abs(_db(peak) - target) > TOLERANCE_DB]
    clipped = [row for row, each in enumerate(flat) if each]
    if silent:
        yield f"{pad}: silent: {notes(silent)}"
    if clipped:
        yield f"{pad}: clipped flat at full scale: {notes(clipped)}"
    if wrong:
        worst = max((_db(levels[row]) for row in wrong), key=lambda db: abs(db - target))
        yield f"{pad}: peaks as far from {target:.0f} dBFS as {worst:.1f}: {notes(wrong)}"


# ---------------------------------------------------------------------------------------------------------------- grids
def _is_grid(folder: Path) -> bool:
    return (folder / "options").is_file() or any(_GRID_NOTE.fullmatch(name) for name in os.listdir(folder))


def _of_grid(path: str | os.PathLike[str], folder: Path) -> LayoutInspection:
    names = {name for name in os.listdir(folder) if name != "options" and not name.startswith(".")}
    empty = sorted(each for each in names if (folder / each).is_file() and not (folder / each).stat().st_size)
    problems = [f"empty: {_some(empty, len(empty))}"] if empty else []
    facts: dict[str, object] = {"notes": sum(1 for name in names if _GRID_NOTE.fullmatch(name))}
    file = folder / "options"
    if not file.is_file():
        return _concluded(
            path, "m4l", facts, ["no file options: the device finds nothing", *problems], folder.absolute().parent
        )
    match = _OPTIONS.fullmatch(read_bytes(file, 1 << 12).decode("utf-8", "replace"))
    first, step, count, *shape = map(int, match.groups()[:-1]) if match else (0,) * 7
    points, down, instruments, deep = shape
    last = first + (count - 1) * step
    if not match or not count or last > 127 or (count > 1 and not step) or not 2 <= instruments <= points:
        wanted = "1, FIRST STEP PITCHES POINTS POINTS SOUNDS SOUNDS NAME;"
        return _concluded(path, "m4l", facts, [f"options is no line {wanted}", *problems], folder.absolute().parent)
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
    problems += _differences("note", lacking, missing, sorted(names - known))
    facts |= {"name": name, "points": points, "sounds": instruments, "pitches": tuple(pitches)}
    return _concluded(path, "m4l", facts, problems, folder.absolute().parent)


# ------------------------------------------------------------------------------------------------------------------ sfz
def _of_notes(path: str | os.PathLike[str]) -> LayoutInspection | None:
    name = Path(path)
    regions = [
        region
        for region in sfz.regions(read_bytes(name, sfz.MAX_BYTES).decode("utf-8", "replace"))
        if region.get("sample")
    ]
    oscillators = {region.get("oscillator") for region in regions}
    samples: dict[Path, int | None] = {}
    problems: list[str] = []
    if not regions or "on" in oscillators:
        return None
    files = [sfz.sample_path(name, region.get("default_path", ""), region["sample"]) for region in regions]
    for file in dict.fromkeys(files):
        try:
            samples[file] = soundfile.info(file).frames if file.is_file() else None
        except (soundfile.LibsndfileError, RuntimeError):
            samples[file] = 0
    lengths = [length for length in samples.values() if length]
    if "off" not in oscillators and max(lengths, default=0) <= SIZES[-1]:
        return None  # single cycles
    covered: set[int] = set()
    loops = 0
    for region, file in zip(regions, files, strict=True):
        covered.update(_keys(name, region))
        length = samples[file]
        looped, wrong = _loop(region, length or 0)
        loops += looped
        if length and wrong:
            problems.append(f"{file.name}: {wrong}")
    gone = [file.name for file, length in samples.items() if length is None]
    broken = [file.name for file, length in samples.items() if length == 0]
    if broken:
        problems.insert(0, f"unreadable samples: {_some(broken, len(broken))}")
    if gone:
        problems.insert(0, f"missing samples: {_some(gone, len(gone))}")
    if silent := sorted(set(range(128)) - covered):
        problems.append(f"keys that play nothing: {_runs(silent)}")
    facts = {
        "regions": len(regions),
        "samples": len(samples),
        "loops": loops,
        "keys": _runs(sorted(covered)) or "none",
    }
    return _concluded(path, "sfz", facts, problems, name.parent)


def _keys(path: Path, region: Mapping[str, str]) -> range:
    """The keys of a region: `key`, else `lokey` to `hikey`, 0 to 127 without them."""
    both = region.get("key", "0"), region.get("key", "127")
    low, high = region.get("lokey", both[0]), region.get("hikey", both[1])
    try:
        low_key, high_key = (
            int(text) if re.fullmatch(r"-?\d{1,3}", text) else parse_pitch(text) for text in (low, high)
        )
    except UsageError as error:
        raise UserError(f"{path}: a region's keys {low[:20]!r} to {high[:20]!r} are none; export it again") from error
    return range(max(round(low_key), 0), min(round(high_key), 127) + 1)


def _loop(region: Mapping[str, str], length: int) -> tuple[bool, str]:
    """(whether the region loops, what is wrong with that): ends are inclusive, and a loop needs both its points."""
    places = [region.get("loop_start"), region.get("loop_end")]
    mode = region.get("loop_mode", "loop_continuous" if any(places) else "no_loop")
    if mode in {"no_loop", "one_shot"} or places == [None, None]:  # without points the sample's own are taken
        return mode not in {"no_loop", "one_shot"}, ""
    if not all(place and re.fullmatch(r"\d{1,12}", place) for place in places):
        return True, "its loop has only one point, or none that is a number"
    start, end = (int(str(place)) for place in places)
    if not start < end < length:
        return True, f"its loop {start}..{end} does not lie inside its {length} samples"
    return True, ""


# --------------------------------------------------------------------------------------------------------------- common
def _concluded(
    path: str | os.PathLike[str], layout: str, facts: Mapping[str, object], problems: Sequence[str], folder: Path
) -> LayoutInspection:
    foreign = any("foreign file" in line for line in problems)
    mending = _again(layout, folder, foreign) if problems else ""
    return LayoutInspection(str(path), layout, dict(facts), tuple(problems), (mending,) * len(problems))


def _again(layout: str, folder: Path, foreign: bool) -> str:
    """The command that makes the grid in `folder` again, from the manifest beside it, else with its sounds left open;
    into a new folder where foreign files lie, which no other grid removes."""
    command = f"make-wavetable grid SOUNDS --layout {layout}"
    try:
        manifest = json.loads(read_bytes(folder / "manifest.json", 1 << 24))
        told = manifest["command"] if manifest["layout"] == layout else ""
        if told.startswith("make-wavetable grid ") and told.isprintable():
            command = told
    except (UserError, ValueError, RecursionError, LookupError, TypeError, AttributeError):
        pass  # no manifest, or none of ours
    place = folder.absolute()
    if foreign:
        return f"{command} -o {shlex.quote(f'{place}-mended')}"
    return f"{command} -o {shlex.quote(str(place))} --force"


def _differences(what: str, lacking: int, missing: Sequence[str], foreign: Sequence[str]) -> Iterator[str]:
    if lacking:
        yield f"{lacking} {what}{'s' * (lacking > 1)} missing: {_some(missing, lacking)}"
    if foreign:
        yield f"{len(foreign)} foreign file{'s' * (len(foreign) > 1)}: {_some(foreign, len(foreign))}"


def _some(names: Sequence[str], count: int) -> str:
    return ", ".join(names[:SHOWN]) + (f" and {count - SHOWN} more" if count > SHOWN else "")


def _runs(keys: Sequence[int]) -> str:
    """Ascending keys as ranges, by number and name."""
    edges = [k for k in range(1, len(keys)) if keys[k] != keys[k - 1] + 1]
    ends = [(keys[a], keys[b - 1]) for a, b in zip([0, *edges], [*edges, len(keys)], strict=True) if a < b]
    return ", ".join(f"{a}..{b} ({note_name(a)}..{note_name(b)})" for a, b in ends)


def _db(peak: int) -> float:
    return 20 * float(np.log10(peak / 32768))


def _text(value: object) -> str:
    return " ".join(map(str, value)) if isinstance(value, tuple) else "none" if value is None else str(value)
