"""The components of a Vital table as its JSON holds them. Sources make a frame at every position, modifiers change it.
Each has key frames. A ValueError says what is damaged."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from wavetables.table import FRAME_SIZE

Array = NDArray[np.float64]
Version = tuple[int, int, int]

LAST = 256  # positions 0..256
HELD, STRAIGHT, CUBIC = 0, 1, 2  # interpolation_style
CROSSFADE, SPECTRAL = 0, 1  # interpolation
MAX_KEYFRAMES = 1024
MAX_POINTS = 100  # of a line
SOURCES = ("Wave Source", "Line Source", "Audio File Source", "Shepard Tone Source")
MODIFIERS = ("Phase Shift", "Wave Window", "Frequency Filter", "Slew Limiter", "Wave Folder", "Wave Warp")
NUMBERED = (*SOURCES[:3], *MODIFIERS)  # before 0.3.3 kinds were numbers


@dataclass(frozen=True, eq=False)
class Component:
    """A source or a modifier.

    kind: its type, one of SOURCES or MODIFIERS
    members: its JSON object
    keyframes: the JSON objects of its key frames, by position
    places: (k,) the positions of the key frames, ascending, k >= 1
    samples: float64 (k, 2048) of a Wave Source, (n,) the audio of an Audio File Source, else empty
    """

    kind: str
    members: Mapping[str, Any]
    keyframes: Sequence[Mapping[str, Any]]
    places: NDArray[np.int64]
    samples: Array

    @property
    def last(self) -> int:
        """The last position at which it changes."""
        return LAST if self.kind == "Shepard Tone Source" else int(self.places[-1])

    def choice(self, key: str, count: int, default: int = 0) -> int:
        """The choice under `key`, one of 0..count - 1. Raises ValueError for anything else."""
        number = number_in(self.members, key, default, 0, count - 1)
        if number != int(number):
            raise ValueError(f"{key} of the {self.kind}")
        return int(number)

    def along(self, at: Array, key: str, default: float, low: float, high: float) -> Array:
        """The number under `key` of the key frames at the positions `at` (n,), as (n, 1)."""
        values = np.asarray([number_in(keyframe, key, default, low, high) for keyframe in self.keyframes])
        before, after, share = self.between(at)
        return np.asarray(values[before] * (1 - share) + values[after] * share)[:, None]

    def between(self, at: Array) -> tuple[NDArray[np.int64], NDArray[np.int64], Array]:
        """For positions `at` (n,): the numbers of the key frames before and after, and the share (0..1) of the way."""
        place = np.interp(at, self.places, np.arange(len(self.places)))
        before = place.astype(np.int64)
        after = np.minimum(before + 1, len(self.places) - 1)
        held = self.choice("interpolation_style", 3, STRAIGHT) == HELD
        return before, after, np.zeros(len(at)) if held else place - before


def number_in(members: Mapping[str, Any], key: str, default: float, low: float, high: float) -> float:
    """The number under `key`, `default` where there is none. Raises ValueError: no number, or one outside low..high.

    >>> number_in({"phase": 2}, "phase", 0.0, 0, 10), number_in({}, "phase", 0.5, 0, 10)
    (2.0, 0.5)
    """
    value = members.get(key, default)
    if not isinstance(value, (int, float)) or not low <= value <= high:  # NaN is not
        raise ValueError(f"{key} = {str(value)[:20]}")
    return float(value)


def parse(component: object, version: Version, remarks: list[str]) -> Component | None:
    """The component that a JSON object describes, its samples decoded; None for an unknown kind.

    version: of the Vital that wrote the file
    remarks: sentences about what is odd are appended
    Raises ValueError that says what is damaged.
    """
    if not isinstance(component, dict):
        raise ValueError("component")
    kind = component.get("type")
    if version < (0, 3, 3) and isinstance(kind, int) and 0 <= kind < len(NUMBERED):
        kind = NUMBERED[kind]
    if kind not in SOURCES and kind not in MODIFIERS:
        remarks.append(f"the {str(kind)[:40]} in it is unknown and left out")
        return None
    by_place: dict[int, Mapping[str, Any]] = {}
    for keyframe in listed(component.get("keyframes", []), "keyframes"):
        place = keyframe.get("position") if isinstance(keyframe, dict) else None
        if isinstance(place, bool) or not isinstance(place, (int, float)) or not 0 <= place <= LAST:
            raise ValueError(f"a key frame's position is outside 0..{LAST}")
        if int(place) in by_place:
            remarks.append(f"two key frames at position {int(place)}; the later one counts")
        by_place[int(place)] = keyframe
    if not by_place and kind in SOURCES:
        raise ValueError("no key frames")
    if kind != "Wave Source" and component.get("interpolation_style") == CUBIC and len(by_place) > 1:
        remarks.append(f"the {kind} moves on straight lines here; what Vital does between its key frames is undefined")
    places = sorted(by_place) or [0]
    keyframes = [by_place.get(place, {}) for place in places]
    samples = np.zeros(0)
    if kind in ("Wave Source", "Shepard Tone Source"):
        waves = [_wave(keyframe.get("wave_data"), is_int16(version), remarks) for keyframe in keyframes]
        samples = np.stack(waves)
    elif kind == "Audio File Source":
        samples = _decoded(component.get("audio_file"), version >= (0, 3, 7), "audio_file", remarks)
        if not len(samples):
            raise ValueError("an imported sound without samples")
    elif kind == "Line Source" and version < (0, 7, 7):
        keyframes = [{**keyframe, "line": _old_line(keyframe)} for keyframe in keyframes]
    return Component(kind, component, keyframes, np.asarray(places), samples)


def is_int16(version: Version) -> bool:
    """True for the versions that stored frames in 16 bits."""
    return (0, 3, 7) <= version < (0, 3, 9)


def listed(value: object, what: str) -> list[Any]:
    """`value` when it is a list of a sane length. Raises ValueError."""
    if not isinstance(value, list) or len(value) > MAX_KEYFRAMES:
        raise ValueError(what)
    return value


def _wave(text: object, int16: bool, remarks: list[str]) -> Array:
    """The 2048 samples of a key frame."""
    data = _decoded(text, int16, "wave_data", remarks)
    if len(data) < FRAME_SIZE:
        raise ValueError(f"a key frame of {len(data)} samples; {FRAME_SIZE} are needed: Vital would play noise")
    return data[:FRAME_SIZE]


def _decoded(text: object, int16: bool, what: str, remarks: list[str]) -> Array:
    if not isinstance(text, str):
        raise ValueError(f"{what} is missing")
    plain = "".join(text.split())
    if plain != text:
        remarks.append("line breaks in the base64: Vital plays such a frame damaged")
    try:
        data = base64.b64decode(plain + "=" * (-len(plain) % 4), validate=True)
    except ValueError:
        raise ValueError(f"{what} is no base64") from None
    if int16:
        return np.asarray(np.frombuffer(data, "<i2", len(data) // 2) / 32767.0)
    with np.errstate(invalid="ignore"):  # signalling NaN warn here; every NaN is refused later
        return np.frombuffer(data, "<f4", len(data) // 4).astype(np.float64)


def _old_line(keyframe: Mapping[str, Any]) -> dict[str, Any]:
    """The line of a key frame before 0.7.7 in today's form. It had heights of -1..1 and no points at its ends, where it
    went on around the cycle."""
    points, powers = (listed(keyframe.get(key), key) for key in ("points", "powers"))
    try:
        ends = np.asarray(points[: 2 * len(powers)], dtype=np.float64).reshape(-1, 2) * [1, 0.5] + [0, 0.5]
    except (TypeError, ValueError):
        raise ValueError("points of a line") from None
    if not 1 <= len(ends) <= MAX_POINTS - 2:
        raise ValueError("points of a line")
    (x0, y0), (x1, y1) = ends[0], ends[-1]
    gap = x0 - x1 + 1
    height = (y0 + y1) / 2 if gap < 0.001 else y1 + (y0 - y1) * (1 - x1) / gap
    around = [[0.0, height], *ends.tolist(), [1.0, height]]
    return {"points": [number for point in around for number in point], "powers": [0.0, *powers, 0.0]}
