"""Grids laid out for players: Max for Live's folder, Open NSynth Super's pads, SFZ instruments."""

from __future__ import annotations

import itertools
import math
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from nsynth_core.errors import UsageError, UserError
from wavetables.cli import nsynth

if TYPE_CHECKING:
    from nsynth_core.audio import Sound
    from nsynth_core.blend import Instrument
    from nsynth_core.coder import Coder
    from nsynth_core.grid import GridPitch
    from nsynth_core.knobs import Knobs
    from nsynth_core.wavenet.engine import NSynth, Sources
    from presets.schema import Preset

LAYOUTS = ("folder", "m4l", "nsynth-super", "sfz")
MAX_NOTES = 20_000
MAX_GATHERED = 64  # cells and results that wait in memory
Result = TypeVar("Result")
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
    engine: Coder,
    coder: NSynth | None,
    knobs: Knobs,
    quiet: bool,
    provenance: Mapping[str, str],
) -> Iterator[Path]:
    """Render the plan by `engine`, or by `coder`, and write it in the layout; yields every sound file as it is there.
    Files that can say where they come from (SFZ) say `provenance`."""
    from wavetables.cli.common import load_instrument

    writers: dict[str, Callable[..., Iterator[Path]]]
    writers = {"m4l": _m4l, "nsynth-super": _pads, "sfz": partial(_sfz, provenance=provenance)}
    known: dict[str | Path, Instrument] = {}
    for spec in itertools.chain(*plan.matrix, *plan.choices):
        if spec not in known and coder:
            known[spec] = nsynth.instrument(coder, spec, None, quiet)
        elif spec not in known:
            known[spec] = load_instrument(spec, engine, quiet=quiet)
    mono = layout != "sfz"  # the others are NSynth's own
    lattice = (
        partial(_Drawn, plan, known, coder, mono, quiet) if coder else partial(_Lattice, plan, known, engine, knobs)
    )
    yield from writers[layout](plan, folder, lattice)


class _Cells:
    """A plan's sounds, every cell between four neighbours a grid of its own."""

    def __init__(
        self, plan: Plan, known: dict[str | Path, Instrument], matrix: tuple[tuple[str | Path, ...], ...]
    ) -> None:
        self._plan = plan
        self._matrix = [[known[spec] for spec in row] for row in matrix]

    def at(self, ix: int, iy: int) -> tuple[tuple[int, int], float, float]:
        """The cell (u, v) of a point, iy from the top down, and where in it the point lies."""
        from wavetables.formats.nsynth_grid import cell

        (u, x), (v, y) = (cell(index, self._plan.resolution, len(self._matrix)) for index in (ix, iy))
        return (u, v), x, y

    def corners(self, u: int, v: int) -> list[Instrument]:
        columns = self._matrix[u], self._matrix[u + 1]
        return [columns[0][v], columns[1][v], columns[0][v + 1], columns[1][v + 1]]


class _Lattice(_Cells):
    """The notes of a plan by an engine of features."""

    def __init__(
        self,
        plan: Plan,
        known: dict[str | Path, Instrument],
        engine: Coder,
        knobs: Knobs,
        matrix: tuple[tuple[str | Path, ...], ...],
        rate: int,
        seconds: float,
    ) -> None:
        super().__init__(plan, known, matrix)
        self._engine = engine
        self._options = (seconds, rate, plan.weights, 64, knobs)
        self._grids: dict[tuple[int, int, float], GridPitch] = {}

    def notes(self, points: Iterable[Point]) -> Iterator[Callable[[], Sound]]:
        """What renders the note at each of the points; it may be called in any thread."""
        from nsynth_core.grid import GridSpec, render

        for ix, iy, pitch in points:
            (u, v), x, y = self.at(ix, iy)
            if (u, v, pitch) not in self._grids:
                spec = GridSpec(self._plan.resolution, (pitch,), *self._options)
                if len(self._grids) >= MAX_GATHERED:
                    self._grids.clear()
                self._grids[u, v, pitch] = next(render(spec, self.corners(u, v), self._engine))
            yield partial(self._grids[u, v, pitch].note, x, y)


class _Drawn(_Cells):
    """The notes of a plan by NSynth, in as few batches as can be."""

    def __init__(
        self,
        plan: Plan,
        known: dict[str | Path, Instrument],
        coder: NSynth,
        mono: bool,
        quiet: bool,
        matrix: tuple[tuple[str | Path, ...], ...],
        rate: int,
        seconds: float,
    ) -> None:
        super().__init__(plan, known, matrix)
        self._coder, self._mono, self._quiet, self._rate, self._seconds = coder, mono, quiet, rate, seconds

    def notes(self, points: Iterable[Point]) -> Iterator[Callable[[], Sound]]:
        """As those of `_Lattice`; rendered already."""
        from nsynth_core.blend import corner_weights, within_full_scale

        sources: dict[tuple[int, int, float], Sources] = {}
        wanted = []
        for ix, iy, pitch in points:
            (u, v), x, y = self.at(ix, iy)
            if (u, v, pitch) not in sources:
                corners = self.corners(u, v)
                sources[u, v, pitch] = nsynth.encoded(
                    self._coder, corners, pitch, self._seconds, self._quiet, self._mono
                )
            weights = corner_weights(x, y, 4, self._plan.weights)
            wanted.append(self._coder.note(sources[u, v, pitch], weights))
        for note in nsynth.render(self._coder, wanted, self._rate, self._quiet):
            yield partial(within_full_scale, note)


def _m4l(plan: Plan, folder: Path, lattice: Callable[..., _Lattice | _Drawn]) -> Iterator[Path]:
    from wavetables.formats import nsynth_grid as form

    name, side = form.plain(plan.name).replace("-", "_"), plan.side
    made = lattice(plan.matrix, form.RATE, plan.length / form.RATE)
    place, shape = folder / name, (side, len(plan.matrix))

    def jobs() -> Iterator[Callable[[], Path]]:
        places = list(itertools.product(plan.pitches, range(side), range(side)))
        # y runs from the bottom up
        notes = made.notes((ix, side - 1 - iy, pitch) for pitch, iy, ix in places)
        for (pitch, iy, ix), note in zip(places, notes, strict=True):
            yield lambda note=note, at=(ix, iy), pitch=int(pitch): form.write_grid_note(  # type: ignore[misc]
                place, name, at, pitch, note(), shape
            )

    yield from _gathered(jobs())
    yield form.write_grid_options(place, name, plan.pitches, side, len(plan.matrix))


def _pads(plan: Plan, folder: Path, lattice: Callable[..., _Lattice | _Drawn]) -> Iterator[Path]:
    from wavetables.cli.common import sound_name
    from wavetables.formats import nsynth_grid as form

    length, side = min(plan.length, form.PAD_LENGTH), plan.resolution
    names = {spec: form.plain(sound_name(str(spec))) for spec in itertools.chain(*plan.choices)}
    for a, b, c, d in itertools.product(*plan.choices):
        made = lattice(((a, c), (b, d)), form.RATE, length / form.RATE)
        points = list(itertools.product(range(len(plan.pitches)), range(side), range(side)))

        def rows(made: _Lattice | _Drawn = made) -> Iterator[Callable[[], object]]:
            for note in made.notes((ix, iy, plan.pitches[number]) for number, iy, ix in points):  # noqa: B023
                yield lambda note=note: form.pad_note(note(), length)  # type: ignore[misc]

        path = folder / "pads" / form.pad_name([names[each] for each in (a, b, c, d)])
        both = zip(points, _gathered(rows()), strict=True)
        form.write_pad(path, side, plan.pitches, length, ((ix, iy, n, row) for (n, iy, ix), row in both), force=True)  # type: ignore[misc]
        yield path
    corners = [[names[spec] for spec in choice] for choice in plan.choices]
    form.write_device_settings(folder / "settings.json", side, plan.pitches, length, corners, force=True)


def _sfz(
    plan: Plan, folder: Path, lattice: Callable[..., _Lattice | _Drawn], provenance: Mapping[str, str]
) -> Iterator[Path]:
    from wavetables.formats import sfz

    made = lattice(plan.matrix, plan.rate, plan.length / 16_000)
    places = list(itertools.product(range(plan.rows), range(plan.side)))
    notes = _gathered(made.notes((ix, iy, pitch) for iy, ix in places for pitch in plan.pitches))
    for iy, ix in places:
        path = folder / f"x{ix}y{iy}.sfz"
        mix = {"mix": f"{ix / (plan.side - 1):g},{iy / max(plan.rows - 1, 1):g}"} if provenance else {}
        own = itertools.islice(notes, len(plan.pitches))
        sfz.write_notes(path, dict(zip(plan.pitches, own, strict=True)), True, {**provenance, **mix})
        yield path


def _gathered(jobs: Iterator[Callable[[], Result]]) -> Iterator[Result]:
    """The results of `jobs` in order, a few made at once; jobs are fetched one by one, so that few wait in memory."""
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        waiting = [pool.submit(job) for job in itertools.islice(jobs, MAX_GATHERED)]
        try:
            while waiting:
                yield waiting.pop(0).result()
                waiting += [pool.submit(job) for job in itertools.islice(jobs, 1)]
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise
