"""Grids laid out for players: Max for Live's folder, Open NSynth Super's pads, SFZ instruments."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from operator import itemgetter
from pathlib import Path
from typing import TYPE_CHECKING

from nsynth_core.errors import UsageError, UserError
from nsynth_core.parallel import in_threads

if TYPE_CHECKING:
    from nsynth_core.audio import Sound
    from nsynth_core.blending.engine import Blend, Engine, Row, Watch
    from nsynth_core.blending.instrument import Instrument
    from presets.schema import Preset

    Notes = Callable[..., Iterator[Callable[[], Sound]]]  # of a matrix, points, rate and seconds

LAYOUTS = ("folder", "m4l", "nsynth-super", "sfz")
MAX_NOTES = 20_000
Point = tuple[int, int, float]  # (ix, iy, pitch), iy from the top down


@dataclass(frozen=True)
class Plan:
    """What is to be laid out.

    matrix      sounds[u][v], u to the right, v downwards, square; of two sounds the columns are alike and `rows` is 1
    choices     of pads: the sounds of each corner (top left, top right, bottom left, bottom right)
    resolution  points from one sound to the next
    length      samples a note at 16 kHz;  rate  of notes that are not 16 kHz
    """

    name: str
    matrix: tuple[tuple[str | Path, ...], ...]
    choices: tuple[tuple[str | Path, ...], ...]
    resolution: int
    pitches: tuple[float, ...]
    length: int
    rate: int
    weights: str
    rows: int

    @property
    def side(self) -> int:
        """Points a side."""
        return (self.resolution - 1) * (len(self.matrix) - 1) + 1


def of_preset(preset: Preset, name: str, choices: tuple[tuple[str | Path, ...], ...] = ()) -> Plan:
    """The plan of a preset; `choices` where a corner has more sounds than one."""
    across = len(preset.corners) if preset.rows == 1 else math.isqrt(len(preset.corners))
    corners = preset.corners * (2 if preset.rows == 1 else 1)
    matrix = tuple(corners[u::across] for u in range(across))
    choices = choices or tuple((matrix[u][v],) for v in (0, -1) for u in (0, -1))
    length = round(preset.seconds * 16_000)
    return Plan(name, matrix, choices, preset.mixes, preset.pitches, length, preset.rate, preset.weights, preset.rows)


def check(plan: Plan, layout: str) -> int:
    """How many files the layout makes. Raises UsageError, UserError: what it cannot hold."""
    from wavetables.formats import nsynth_grid

    if layout == "sfz":
        return plan.side * plan.rows
    nsynth_grid.evenly_spaced(plan.pitches)
    if plan.rows == 1:
        raise UsageError(f"--layout {layout} needs four corners")
    if layout == "nsynth-super" and len(plan.matrix) > 2:
        raise UsageError("--layout nsynth-super lies between four corners; for a larger matrix use --layout m4l")
    pads = 1
    for names in plan.choices if layout == "nsynth-super" else ():
        pads *= len(names)
    notes = plan.side**2 * len(plan.pitches) * pads
    if notes > MAX_NOTES:
        raise UserError(f"{notes} notes; at most {MAX_NOTES} are rendered at once: fewer sounds or --pitches")
    return pads if layout == "nsynth-super" else notes


def write(
    plan: Plan,
    layout: str,
    folder: Path,
    engine: Engine,
    load: Callable[[str | Path], Instrument],
    watch: Watch,
    provenance: Mapping[str, str],
) -> Iterator[Path]:
    """Render the plan and write it in the layout; yields every sound file as it is there. Files that can say where they
    come from (SFZ) say `provenance`."""
    writers: dict[str, Callable[..., Iterator[Path]]]
    writers = {"m4l": _m4l, "nsynth-super": _pads, "sfz": partial(_sfz, provenance=provenance)}
    specs = dict.fromkeys(itertools.chain(*plan.matrix, *plan.choices))
    known = {spec: load(spec) for spec in specs}
    # the others than SFZ are NSynth's own, and mono
    play = partial(engine.blend, mono=layout != "sfz", watch=watch)
    yield from writers[layout](plan, folder, partial(_notes, plan, known, play))


def _notes(
    plan: Plan,
    known: Mapping[str | Path, Instrument],
    play: Callable[..., Iterator[Blend]],
    matrix: tuple[tuple[str | Path, ...], ...],
    points: Iterable[Point],
    rate: int,
    seconds: float,
) -> Iterator[Callable[[], Sound]]:
    """What gives the note at each of the points by `play`, an engine's blend; it may be called in any thread."""
    from nsynth_core.blending.instrument import within_full_scale

    sounds = [[known[spec] for spec in row] for row in matrix]
    for made in play(_rows(plan, sounds, points), seconds, rate):
        for note in made.notes:
            yield lambda note=note: within_full_scale(note())  # type: ignore[misc]


def _rows(plan: Plan, sounds: Sequence[Sequence[Instrument]], points: Iterable[Point]) -> Iterator[Row]:
    """The points as far as they follow one another in one cell, between four neighbours, at one pitch."""
    from nsynth_core.blending.engine import Row
    from nsynth_core.blending.instrument import corner_weights
    from wavetables.formats.nsynth_grid import cell

    def placed(point: Point) -> tuple[tuple[int, int, float], tuple[float, float]]:
        (u, x), (v, y) = (cell(index, plan.resolution, len(sounds)) for index in point[:2])
        return (u, v, point[2]), (x, y)

    for (u, v, pitch), near in itertools.groupby(map(placed, points), itemgetter(0)):
        corners = sounds[u][v], sounds[u + 1][v], sounds[u][v + 1], sounds[u + 1][v + 1]
        yield Row(corners, pitch, [corner_weights(x, y, 4, plan.weights) for _, (x, y) in near])


def _m4l(plan: Plan, folder: Path, notes: Notes) -> Iterator[Path]:
    from wavetables.formats import nsynth_grid as form

    name, side = form.plain(plan.name).replace("-", "_"), plan.side
    place, shape = folder / name, (side, len(plan.matrix))

    def jobs() -> Iterator[Callable[[], Path]]:
        places = list(itertools.product(plan.pitches, range(side), range(side)))
        # y runs from the bottom up
        points = ((ix, side - 1 - iy, pitch) for pitch, iy, ix in places)
        made = notes(plan.matrix, points, form.RATE, plan.length / form.RATE)
        for (pitch, iy, ix), note in zip(places, made, strict=True):
            yield lambda note=note, at=(ix, iy), pitch=int(pitch): form.write_grid_note(  # type: ignore[misc]
                place, name, at, pitch, note(), shape
            )

    yield from in_threads(jobs())
    yield form.write_grid_options(place, name, plan.pitches, side, len(plan.matrix))


def _pads(plan: Plan, folder: Path, notes: Notes) -> Iterator[Path]:
    from wavetables.formats import nsynth_grid as form
    from wavetables.instruments import sound_name

    length, side = min(plan.length, form.PAD_LENGTH), plan.resolution
    names = {spec: form.plain(sound_name(str(spec))) for spec in itertools.chain(*plan.choices)}
    for a, b, c, d in itertools.product(*plan.choices):
        places = list(itertools.product(range(len(plan.pitches)), range(side), range(side)))
        points = ((ix, iy, plan.pitches[number]) for number, iy, ix in places)
        made = notes(((a, c), (b, d)), points, form.RATE, length / form.RATE)
        rows = in_threads(lambda note=note: form.pad_note(note(), length) for note in made)  # type: ignore[misc]
        path = folder / "pads" / form.pad_name([names[each] for each in (a, b, c, d)])
        both = zip(places, rows, strict=True)
        form.write_pad(path, side, plan.pitches, length, ((ix, iy, n, row) for (n, iy, ix), row in both), force=True)  # type: ignore[misc]
        yield path
    corners = [[names[spec] for spec in choice] for choice in plan.choices]
    form.write_device_settings(folder / "settings.json", side, plan.pitches, length, corners, force=True)


def _sfz(plan: Plan, folder: Path, notes: Notes, provenance: Mapping[str, str]) -> Iterator[Path]:
    from wavetables.formats import sfz

    places = list(itertools.product(range(plan.rows), range(plan.side)))
    points = ((ix, iy, pitch) for iy, ix in places for pitch in plan.pitches)
    made = in_threads(notes(plan.matrix, points, plan.rate, plan.length / 16_000))
    for iy, ix in places:
        path = folder / f"x{ix}y{iy}.sfz"
        mix = {"mix": f"{ix / (plan.side - 1):g},{iy / max(plan.rows - 1, 1):g}"} if provenance else {}
        own = itertools.islice(made, len(plan.pitches))
        sfz.write_notes(path, dict(zip(plan.pitches, own, strict=True)), True, {**provenance, **mix})
        yield path
