"""Vital's `.vitaltable`, and the tables inside `.vital` presets: JSON with frames of 2048 float32 in base64.

The structure is that of mtytel/vital, src/common/wavetable. Vital renders 257 positions from key frames at whole
positions, and plays one of them. That is why n frames go to the positions 256 * i / (n - 1), and not to 0..n-1.
"""

from __future__ import annotations

import base64
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from nsynth_core.audio import Floats
from nsynth_core.errors import UserError
from nsynth_core.files import atomic
from wavetables.formats.common import (
    MAX_FILE_FRAMES,
    SIZES,
    Loaded,
    check_finite,
    check_peak,
    facts_of,
    facts_text,
    read_bytes,
)
from wavetables.formats.vital_components import (
    CROSSFADE,
    HELD,
    LAST,
    SOURCES,
    SPECTRAL,
    STRAIGHT,
    Component,
    Version,
    is_int16,
    listed,
    number_in,
    parse,
)
from wavetables.formats.vital_sources import render
from wavetables.resizing import resize
from wavetables.table import FRAME_SIZE, Table

VERSION = "1.0.7"
OWN = "make_wavetable"  # a member that Vital does not know and ignores
MAX_BYTES = 1 << 24
MAX_COMPONENTS = 32  # bounds the time of rendering a file made to take long
ROUNDING = 1e-6  # a smaller mean of a frame is the rounding of its float32 samples


# -------------------------------------------------------------------------------------------------------------- writing
def write(path: str | os.PathLike[str], table: Table, force: bool = False) -> None:
    """Write a table as a `.vitaltable`, bit-exact. Its frames are spread over the whole position knob, and Vital
    crossfades between them.
    Raises UserError: a table that clips, a file that exists (unless `force`), a place that cannot be written.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write(Path(folder) / "saw.vitaltable", Table(np.zeros((3, 2048), np.float32), "saw"))
    ...     read(Path(folder) / "saw.vitaltable").frames.shape
    (3, 2048)
    """
    check_peak(path, table)
    with atomic(path, force) as temporary:
        temporary.write_text(json.dumps(document(table), ensure_ascii=True), encoding="ascii")


def document(table: Table) -> dict[str, object]:
    """The JSON object of a `.vitaltable`. A preset holds the same in settings.wavetables."""
    places = positions(len(table.frames))
    keyframes = [
        {"position": place, "wave_data": base64.b64encode(frame.astype("<f4").tobytes()).decode("ascii")}
        for place, frame in zip(places, table.frames, strict=True)
    ]
    source = {
        "type": "Wave Source",
        "interpolation": CROSSFADE,
        "interpolation_style": STRAIGHT,
        "keyframes": keyframes,
    }
    return {
        "name": table.name,
        "author": table.provenance.get("author", ""),
        "version": VERSION,
        "remove_all_dc": True,
        "full_normalize": False,  # the samples play as they are stored
        "groups": [{"components": [source]}],
        OWN: json.loads(facts_text(table)),
    }


def positions(count: int) -> list[int]:
    """The positions 0..256 of `count` (1..257) frames in Vital.

    >>> positions(3)
    [0, 128, 256]
    """
    return [round(LAST * index / max(count - 1, 1)) for index in range(count)]


# -------------------------------------------------------------------------------------------------------------- reading
def read(path: str | os.PathLike[str]) -> Table:
    """The table of a `.vitaltable`, or the first one that sounds in a `.vital` preset.
    Raises UserError: missing, no JSON of Vital, no source of samples or lines in it, damaged data, NaN."""
    return load(path).table(Path(path).stem)


def load(path: str | os.PathLike[str], oscillator: int | None = None) -> Loaded:
    """Read a table as it is.

    oscillator: 1..3, whose table of a preset; by default the first that sounds
    Evenly spaced key frames, and the windows of an imported table, are taken themselves. Of any other table, every
    position from the first to the last key frame is rendered as Vital does it, with all modifiers.
    Raises UserError as `read`, and for a preset without that oscillator.
    """
    data = _json(path)
    remarks: list[str] = []
    owner = ""
    other_oscillators: tuple[int, ...] = ()
    if "groups" not in data:
        data, owner, other_oscillators = _from_preset(data, path, oscillator)
    elif oscillator is not None:
        raise UserError("a single table, no preset with oscillators to choose from", path=path)
    version = _version(data.get("version"))
    if version == (0, 0, 0):
        remarks.append("names no version: Vital refuses to load it")
    try:
        frames, decision = _frames(data, version, remarks)
    except ValueError as error:
        raise UserError(f"damaged Vital table ({error}); export it again", path=path) from error
    root: float | None = None
    provenance: dict[str, str] = {}
    try:
        root, provenance = facts_of(data.get(OWN, {}))
    except ValueError:
        remarks.append("its provenance is damaged")
    author, name = data.get("author"), data.get("name")
    if isinstance(author, str) and author and "author" not in provenance:
        provenance["author"] = author
    return Loaded(
        "vital",
        check_finite(path, frames),
        owner + decision,
        "int16" if is_int16(version) or "imported" in decision else "float32",
        name=name if isinstance(name, str) else "",
        root_pitch=root,
        provenance=provenance,
        remarks=tuple(dict.fromkeys(remarks)),
        oscillators=other_oscillators,
    )


def _json(path: str | os.PathLike[str]) -> dict[str, Any]:
    try:
        data = json.loads(read_bytes(path, MAX_BYTES).decode("utf-8-sig"))
    except (ValueError, RecursionError) as error:
        raise UserError(
            f"not a Vital table ({str(error) or 'nested too deeply'}); export it again", path=path
        ) from error
    if not isinstance(data, dict):
        raise UserError("not a Vital table (no JSON object); export it again", path=path)
    return data


def _from_preset(
    data: Mapping[str, Any], path: str | os.PathLike[str], oscillator: int | None
) -> tuple[dict[str, Any], str, tuple[int, ...]]:
    """The table of a preset, which oscillator's it is, and the others that sound, where none was asked for."""
    settings = data.get("settings")
    tables = settings.get("wavetables") if isinstance(settings, dict) else None
    if not isinstance(settings, dict) or not isinstance(tables, list) or not tables:
        raise UserError("JSON, but neither a Vital table nor a Vital preset with one", path=path)
    sounding = [k + 1 for k in range(len(tables)) if settings.get(f"osc_{k + 1}_on") == 1]
    number = oscillator if oscillator is not None else (sounding or [1])[0]
    if number > len(tables):
        raise UserError(f"no oscillator {number}; it has {len(tables)}", path=path)
    chosen = tables[number - 1]
    if not isinstance(chosen, dict) or "groups" not in chosen:
        raise UserError(f"the preset's table of oscillator {number} is damaged; save it again", path=path)
    others = tuple(other for other in sounding if other != number) if oscillator is None else ()
    return chosen, f"oscillator {number} of a preset: ", others


def _version(text: object) -> Version:
    """The numbers of "1.0.7", (0, 0, 0) for anything else."""
    parts = text.split(".") if isinstance(text, str) else []
    numbers = [int(part) if part.isdecimal() and len(part) < 6 else 0 for part in [*parts[:3], "", "", ""]]
    return numbers[0], numbers[1], numbers[2]


def _frames(data: Mapping[str, Any], version: Version, remarks: list[str]) -> tuple[Floats, str]:
    """(frames, where they come from). Raises ValueError that says what is damaged."""
    groups = []
    for group in listed(data.get("groups"), "groups"):
        members = group.get("components") if isinstance(group, dict) else None
        components = [parse(component, version, remarks) for component in listed(members, "components")]
        if known := [component for component in components if component is not None]:
            groups.append(known)
    if sum(map(len, groups)) > MAX_COMPONENTS:
        raise ValueError(f"more than {MAX_COMPONENTS} components")
    if not any(component.kind in SOURCES for group in groups for component in group):
        raise ValueError("no source of samples or lines in it")
    if len(groups) == len(groups[0]) == 1 and (stored := _stored(groups[0][0], remarks)):
        return stored
    count = max(component.last for group in groups for component in group) + 1
    with np.errstate(over="ignore", invalid="ignore"):  # absurd numbers give NaN, which is refused
        frames = render(groups, count)
        if data.get("remove_all_dc", version >= (0, 3, 8)) is True:
            means = frames.mean(1, keepdims=True)
            frames = np.where(np.abs(means) > ROUNDING, frames - means, frames)
        span = float((frames.max(1) - frames.min(1)).max())
        if data.get("full_normalize") is True and version >= (0, 4, 7) and span > 0:
            frames = frames * (2 / span)
        peak = float(np.abs(frames).max())
        if peak > 1.0:
            remarks.append(f"peaks at {20 * np.log10(peak):+.1f} dBFS as Vital plays it; turned down as a whole")
            frames = frames / peak
        kinds = dict.fromkeys(component.kind for group in groups for component in group)
        return frames.astype(np.float32), f"rendered as Vital plays it: {', '.join(kinds)}"


def _stored(source: Component, remarks: list[str]) -> tuple[Floats, str] | None:
    """(frames, where they come from) of a source whose own frames are all that Vital plays; None for any other."""
    places, style = source.places, source.choice("interpolation_style", 3, STRAIGHT)
    gaps = np.diff(places)
    if source.kind == "Wave Source":
        even = np.round(np.linspace(places[0], places[-1], len(places)))
        crossfaded = style == HELD or (style == STRAIGHT and source.choice("interpolation", 2, SPECTRAL) == CROSSFADE)
        if len(gaps) and (
            np.abs(places - even).max() > 1 or gaps.max() - gaps.min() > 1 or (gaps.max() > 2 and not crossfaded)
        ):
            return None
        if places[-1] < LAST and len(places) > 1:
            remarks.append(f"ends at position {places[-1]} of {LAST}: the rest of the knob does nothing")
        with np.errstate(over="ignore"):
            return source.samples.astype(np.float32), f"{_count(len(places))}, evenly spaced"
    if source.kind != "Audio File Source":
        return None
    # the frames of an imported table are taken themselves, as long as they are neither spliced nor changed
    window = number_in(source.members, "window_size", FRAME_SIZE, 1, 1e5)
    changed = source.choice("phase_style", 3) != 0 or source.members.get("normalize_mult", True) is True
    if source.choice("fade_style", 4) == 0 or changed or window not in SIZES:
        return None
    size = int(window)
    starts = source.along(np.asarray([places[0], places[-1]], dtype=np.float64), "start_position", 0.0, 0, 1e7)[:, 0]
    first, last = (min(int(start) // size, len(source.samples) // size - 1) for start in starts)
    if not 0 <= first <= last < MAX_FILE_FRAMES:
        return None
    frames = source.samples[first * size : (last + 1) * size].reshape(-1, size)
    return resize(frames.astype(np.float32), FRAME_SIZE), f"an imported table, cut every {size} samples"


def _count(number: int) -> str:
    return f"{number} key frame{'' if number == 1 else 's'}"
