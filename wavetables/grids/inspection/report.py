"""The report on a laid out grid: facts, problems, and the command that makes the grid again."""

from __future__ import annotations

import json
import os
import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from nsynth_core.errors import UserError
from nsynth_core.notes import note_name
from wavetables.formats.common import read_bytes

TITLES = {"m4l": "Max for Live grid", "nsynth-super": "Open NSynth Super pads", "sfz": "SFZ instrument of notes"}
SHOWN = 3  # names that a list shows


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


def concluded(
    path: str | os.PathLike[str],
    layout: str,
    facts: Mapping[str, object],
    problems: Sequence[str],
    folder: Path,
    foreign: bool = False,
) -> LayoutInspection:
    """The report of a layout, with the command that mends it; `foreign`: files lie there that are not its own."""
    mending = _again(layout, folder, foreign) if problems else ""
    return LayoutInspection(str(path), layout, dict(facts), tuple(problems), (mending,) * len(problems))


def _again(layout: str, folder: Path, foreign: bool) -> str:
    """The command that makes the grid in `folder` again, from the manifest beside it, else with its sounds left open;
    into a new folder where foreign files lie, which no other grid removes."""
    command = f"make-wavetable grid SOUNDS --layout {layout}"
    try:
        manifest = json.loads(read_bytes(folder / "manifest.json", 1 << 24))
        made_by = manifest["command"] if manifest["layout"] == layout else ""
        if made_by.startswith("make-wavetable grid ") and made_by.isprintable():
            command = made_by
    except (UserError, ValueError, RecursionError, LookupError, TypeError, AttributeError):
        pass  # no manifest, or none of ours
    place = folder.absolute()
    if foreign:
        return f"{command} -o {shlex.quote(f'{place}-mended')}"
    return f"{command} -o {shlex.quote(str(place))} --force"


def differences(what: str, lacking: int, missing: Sequence[str], foreign: Sequence[str]) -> Iterator[str]:
    """A line for what is missing, of which `missing` names the first, and one for files that do not belong there."""
    if lacking:
        yield f"{lacking} {what}{'s' * (lacking > 1)} missing: {some(missing, lacking)}"
    if foreign:
        yield f"{len(foreign)} foreign file{'s' * (len(foreign) > 1)}: {some(foreign, len(foreign))}"


def some(names: Sequence[str], count: int) -> str:
    """The first names of `count`, and how many more there are."""
    return ", ".join(names[:SHOWN]) + (f" and {count - SHOWN} more" if count > SHOWN else "")


def runs(keys: Sequence[int]) -> str:
    """Ascending keys as ranges, by number and name."""
    edges = [k for k in range(1, len(keys)) if keys[k] != keys[k - 1] + 1]
    ends = [(keys[a], keys[b - 1]) for a, b in zip([0, *edges], [*edges, len(keys)], strict=True) if a < b]
    return ", ".join(f"{a}..{b} ({note_name(a)}..{note_name(b)})" for a, b in ends)


def decibels(peak: int) -> float:
    """dBFS of a 16-bit peak.

    >>> round(decibels(16384), 1)
    -6.0
    """
    return 20 * float(np.log10(peak / 32768))


def _text(value: object) -> str:
    return " ".join(map(str, value)) if isinstance(value, tuple) else "none" if value is None else str(value)
