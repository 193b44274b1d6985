"""Vital's `.vitaltable`, and the tables inside `.vital` presets: JSON with frames of 2048 float32 in base64.

Structure as in mtytel/vital, src/common/wavetable. Vital renders 257 positions from key frames at integer positions and
selects one of them, so that n frames belong on 256 * i / (n - 1), not on 0..n-1.
"""

from __future__ import annotations

import base64
import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

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
    resize,
)
from wavetables.table import FRAME_SIZE, Table

VERSION = "1.0.7"
OWN = "make_wavetable"  # a member that Vital does not know and passes over
LAST = 256
MAX_BYTES = 1 << 24
MAX_KEYFRAMES = 1024
CROSSFADE, SPECTRAL = 0, 1


# -------------------------------------------------------------------------------------------------------------- writing
def write(path: str | os.PathLike[str], table: Table, force: bool = False) -> None:
    """Write `table` as a `.vitaltable`, bit-exact, its frames spread over the whole of the position knob; in between
    Vital crossfades. Raises UserError: peaks above full scale, the file exists (unless `force`), an unwritable
    place."""
    check_peak(path, table)
    with atomic(path, force) as temporary:
        temporary.write_text(json.dumps(document(table), ensure_ascii=True), encoding="ascii")


def document(table: Table) -> dict[str, object]:
    """The JSON object of a `.vitaltable`, which is also what a preset holds in settings.wavetables."""
    places = positions(len(table.frames))
    keyframes = [
        {"position": place, "wave_data": base64.b64encode(frame.astype("<f4").tobytes()).decode("ascii")}
        for place, frame in zip(places, table.frames, strict=True)
    ]
    source = {
        "type": "Wave Source",
        "interpolation": CROSSFADE,
        "interpolation_style": 1,
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
    """Where `count` (1..257) frames stand on Vital's positions 0..256."""
    return [round(LAST * index / max(count - 1, 1)) for index in range(count)]


# -------------------------------------------------------------------------------------------------------------- reading
def read(path: str | os.PathLike[str]) -> Table:
    """The table of a `.vitaltable`, or the first one that sounds in a `.vital` preset.
    Raises UserError: missing, not Vital's JSON, a component that holds no samples, damaged data, NaN."""
    return load(path).table(Path(path).stem)


def load(path: str | os.PathLike[str]) -> Loaded:
    """Read it as it is: the key frames themselves where they are evenly spaced, else the positions between them as
    Vital renders them. Errors as in `read`."""
    data = _json(path)
    remarks: list[str] = []
    if "groups" not in data:
        data = _of_preset(data, path, remarks)
    version = _version(data.get("version"))
    if version == (0, 0, 0):
        remarks.append("names no version: Vital refuses to load it")
    found = [_group(group, version, path, remarks) for group in _list(data.get("groups"), "groups", path)]
    if not found:
        raise UserError(f"{path}: holds no wavetable (no groups); export it again")
    frames, decision, encoding = found[0]
    if len(found) > 1:
        most = max(len(each) for each, _, _ in found)
        frames = np.asarray(sum(_spread(each, most) for each, _, _ in found) / len(found), dtype=np.float32)
        decision = f"the mean of {len(found)} groups, {decision}"
    root: float | None = None
    provenance: dict[str, str] = {}
    try:
        root, provenance = facts_of(data.get(OWN, {}))
    except ValueError:
        remarks.append("its provenance is damaged")
    author = data.get("author")
    if isinstance(author, str) and author and "author" not in provenance:
        provenance["author"] = author
    name = data.get("name")
    return Loaded(
        "vital",
        check_finite(path, frames),
        decision,
        encoding,
        name=name if isinstance(name, str) else "",
        root_pitch=root,
        provenance=provenance,
        remarks=tuple(dict.fromkeys(remarks)),
    )


def _json(path: str | os.PathLike[str]) -> dict[str, Any]:
    try:
        data = json.loads(read_bytes(path, MAX_BYTES).decode("utf-8-sig"))
    except (ValueError, RecursionError) as error:
        raise UserError(f"{path}: not a Vital table ({str(error) or 'nested too deeply'}); export it again") from error
    if not isinstance(data, dict):
        raise UserError(f"{path}: not a Vital table (no JSON object); export it again")
    return data


def _of_preset(data: Mapping[str, Any], path: str | os.PathLike[str], remarks: list[str]) -> dict[str, Any]:
    settings = data.get("settings")
    tables = settings.get("wavetables") if isinstance(settings, dict) else None
    if not isinstance(settings, dict) or not isinstance(tables, list) or not tables:
        raise UserError(f"{path}: JSON, but neither a Vital table nor a Vital preset with one")
    heard = [k for k in range(len(tables)) if settings.get(f"osc_{k + 1}_on") == 1] or [0]
    chosen = tables[heard[0]]
    if not isinstance(chosen, dict) or "groups" not in chosen:
        raise UserError(f"{path}: the preset's table of oscillator {heard[0] + 1} is damaged; save it again")
    remarks.append(f"a preset; the table of oscillator {heard[0] + 1} is taken, of {len(tables)}")
    return chosen


def _version(text: object) -> tuple[int, int, int]:
    parts = text.split(".") if isinstance(text, str) else []
    numbers = [int(part) if part.isdecimal() and len(part) < 6 else 0 for part in [*parts[:3], "", "", ""]]
    return numbers[0], numbers[1], numbers[2]


def _list(value: object, what: str, path: str | os.PathLike[str]) -> list[Any]:
    if not isinstance(value, list) or len(value) > MAX_KEYFRAMES:
        raise UserError(f"{path}: damaged Vital table ({what}); export it again")
    return value


def _group(
    group: object, version: tuple[int, int, int], path: str | os.PathLike[str], remarks: list[str]
) -> tuple[Floats, str, str]:
    """(frames, decision, encoding) of one group: its source; what changes the source is only named."""
    components = _list(group.get("components") if isinstance(group, dict) else None, "components", path)
    source: tuple[Floats, str, str] | None = None
    for component in components:
        if not isinstance(component, dict):
            raise UserError(f"{path}: damaged Vital table (component); export it again")
        kind = component.get("type")
        if source is None and (kind == "Wave Source" or (kind == 0 and version < (0, 3, 3))):
            source = _wave_source(component, version, path, remarks)
        elif source is None and kind == "Audio File Source":
            source = _file_source(component, version, path)
        elif kind == "Line Source":
            raise UserError(f"{path}: holds drawn lines, not samples; export it from Vital as WAV and use that")
        else:
            remarks.append(f"the {str(kind)[:40]} in it is not applied; export it from Vital as WAV to have it")
    if source is None:
        raise UserError(f"{path}: holds no samples (no Wave Source); export it from Vital as WAV")
    return source


def _wave_source(
    source: Mapping[str, Any], version: tuple[int, int, int], path: str | os.PathLike[str], remarks: list[str]
) -> tuple[Floats, str, str]:
    int16 = (0, 3, 7) <= version < (0, 3, 9)
    found: dict[int, Floats] = {}
    for keyframe in _list(source.get("keyframes"), "keyframes", path):
        place = keyframe.get("position") if isinstance(keyframe, dict) else None
        if isinstance(place, bool) or not isinstance(place, (int, float)) or not 0 <= place <= LAST:
            raise UserError(f"{path}: damaged Vital table (a key frame's position is outside 0..{LAST})")
        if int(place) in found:
            remarks.append(f"two key frames at position {int(place)}; the later one counts")
        found[int(place)] = _samples(keyframe.get("wave_data"), int16, path, remarks)
    if not found:
        raise UserError(f"{path}: holds no key frames; export it again")
    places = sorted(found)
    frames = np.stack([found[place] for place in places])
    encoding = "int16" if int16 else "float32"
    gaps = np.diff(places)
    even = np.round(np.linspace(places[0], places[-1], len(places)))
    if len(places) == 1 or (np.abs(np.asarray(places) - even).max() <= 1 and gaps.max() - gaps.min() <= 1):
        if places[-1] < LAST and len(places) > 1:
            remarks.append(f"ends at position {places[-1]} of {LAST}: the rest of the knob does nothing")
        return frames, f"{len(places)} key frames, evenly spaced", encoding
    style, blend = source.get("interpolation_style", 1), source.get("interpolation")
    if style == 2:
        remarks.append("cubic blends between its key frames are taken as straight ones")
    held = style == 0
    rendered = _between(frames, places, blend == SPECTRAL, held)
    return (
        rendered,
        f"{len(places)} key frames, unevenly spaced: the {len(rendered)} positions that Vital plays",
        encoding,
    )


def _samples(text: object, int16: bool, path: str | os.PathLike[str], remarks: list[str]) -> Floats:
    if not isinstance(text, str):
        raise UserError(f"{path}: damaged Vital table (a key frame without wave_data)")
    plain = "".join(text.split())
    if plain != text:
        remarks.append("line breaks in the base64: Vital plays such a frame damaged")
    try:
        data = base64.b64decode(plain + "=" * (-len(plain) % 4), validate=True)
    except ValueError as error:
        raise UserError(f"{path}: damaged Vital table (wave_data is no base64); export it again") from error
    width = 2 if int16 else 4
    if len(data) < FRAME_SIZE * width:
        raise UserError(
            f"{path}: a key frame of {len(data)} bytes; {FRAME_SIZE * width} are needed: Vital would play noise"
        )
    if int16:
        return np.asarray(np.frombuffer(data, "<i2", FRAME_SIZE) / np.float32(32767), dtype=np.float32)
    return np.frombuffer(data, "<f4", FRAME_SIZE).astype(np.float32)


def _between(frames: Floats, places: Sequence[int], spectral: bool, held: bool) -> Floats:
    """The frames at every integer position from 0 to the last key frame."""
    at = np.arange(places[-1] + 1)
    place = np.interp(at, places, np.arange(len(places)))
    low = np.minimum(place.astype(np.int64), len(places) - 1)
    high = np.minimum(low + 1, len(places) - 1)
    share = np.zeros((len(at), 1)) if held else (place - low)[:, None]
    if not spectral:
        return np.asarray(frames[low] * (1 - share) + frames[high] * share, dtype=np.float32)
    # square roots of the amplitudes and the shorter way between the phases, harmonic by harmonic
    spectrum: NDArray[np.complex128] = np.fft.rfft(frames.astype(np.float64))
    first, second = spectrum[low], spectrum[high]
    size = (np.sqrt(np.abs(first)) * (1 - share) + np.sqrt(np.abs(second)) * share) ** 2
    turn = np.angle(second * first.conj())
    blended = np.fft.irfft(size * np.exp(1j * (np.angle(first) + share * turn)), FRAME_SIZE).astype(np.float32)
    exact = (share == 0.0)[:, 0]
    blended[exact] = frames[low[exact]]
    return np.asarray(blended, dtype=np.float32)


def _file_source(
    source: Mapping[str, Any], version: tuple[int, int, int], path: str | os.PathLike[str]
) -> tuple[Floats, str, str]:
    """What Vital keeps of an imported WAV: the audio, and the window that moves over it."""
    text, window = source.get("audio_file"), source.get("window_size")
    try:
        data = base64.b64decode(text + "=" * (-len(text) % 4)) if isinstance(text, str) else b""
    except ValueError as error:
        raise UserError(f"{path}: damaged Vital table (audio_file is no base64); export it again") from error
    if isinstance(window, bool) or not isinstance(window, (int, float)) or not 0 < window < 1e5:
        raise UserError(f"{path}: damaged Vital table (no window size); export it again")
    int16 = version >= (0, 3, 7)
    if int16:
        audio = (np.frombuffer(data, "<i2", len(data) // 2) / np.float32(32767)).astype(np.float32)
    else:
        audio = np.frombuffer(data, "<f4", len(data) // 4).astype(np.float32)
    size = round(window)
    if size not in SIZES or len(audio) < size:
        raise UserError(f"{path}: damaged Vital table ({len(audio)} samples in windows of {size}); export it again")
    starts = [
        float(keyframe["start_position"])
        for keyframe in _list(source.get("keyframes"), "keyframes", path)
        if isinstance(keyframe, dict)
        and isinstance(keyframe.get("start_position"), (int, float))
        and 0 <= keyframe["start_position"] < 1e9
    ]
    starts = [min(max(start, 0.0), float(len(audio) - size)) for start in starts] or [0.0]
    count = min(round((max(starts) - min(starts)) / size) + 1, MAX_FILE_FRAMES)
    at = np.round(np.linspace(min(starts), max(starts), count)).astype(np.int64)
    cycles = resize(check_finite(path, np.stack([audio[start : start + size] for start in at])), FRAME_SIZE)
    return cycles, f"an imported sound, cut every {size} samples", "int16" if int16 else "float32"


def _spread(frames: Floats, count: int) -> Floats:
    """`count` positions of a table, nearest frames."""
    return frames[np.round(np.linspace(0, len(frames) - 1, count)).astype(np.int64)]
