"""SFZ instruments whose samples are notes."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path

import soundfile

from nsynth_core.errors import UsageError, UserError
from nsynth_core.notes import parse_pitch
from wavetables.formats import sfz
from wavetables.formats.common import SIZES, read_bytes
from wavetables.grids.inspection.report import LayoutInspection, concluded, runs, some


def inspect_notes(path: str | os.PathLike[str]) -> LayoutInspection | None:
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
        problems.insert(0, f"unreadable samples: {some(broken, len(broken))}")
    if gone:
        problems.insert(0, f"missing samples: {some(gone, len(gone))}")
    if silent := sorted(set(range(128)) - covered):
        problems.append(f"keys that play nothing: {runs(silent)}")
    facts = {
        "regions": len(regions),
        "samples": len(samples),
        "loops": loops,
        "keys": runs(sorted(covered)) or "none",
    }
    return concluded(path, "sfz", facts, problems, name.parent)


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
