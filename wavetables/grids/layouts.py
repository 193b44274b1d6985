"""Grids laid out for players: Max for Live's folder, Open NSynth Super's pads, SFZ instruments."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from operator import itemgetter
from pathlib import Path
from typing import TYPE_CHECKING

from nsynth_core.errors import UsageError, UserError
from nsynth_core.parallel import in_threads
from wavetables.instruments import source_name

if TYPE_CHECKING:
    from nsynth_core.audio import Sound
    from nsynth_core.blending.engine import Engine, Row, Watch
    from nsynth_core.blending.instrument import Instrument
    from presets.schema import Preset


MAX_NOTES = 20_000
Place = tuple[int, int, float]  # (ix, iy, pitch): a column, a row from the top down, and a MIDI pitch
Matrix = tuple[tuple[str | Path, ...], ...]
Note = Callable[[], "Sound"]  # renders it; may be called in any thread


@dataclass(frozen=True)
class Plan:
    """What is laid out.

    matrix: sounds[u][v], square; u counts to the right, v downwards. Of two sounds the columns are alike, and `rows`
        is 1.
    choices: of pads, the sounds of each corner (top left, top right, bottom left, bottom right)
    resolution: points from one sound to the next
    pitches: MIDI numbers
    length: samples of a note at 16 kHz
    rate: Hz, of the layouts that are not at 16 kHz
    weights: "bilinear" or "nsynth"
    """

    name: str
    matrix: Matrix
    choices: Matrix
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


def of_preset(preset: Preset, name: str, choices: Matrix = ()) -> Plan:
    """The plan of a preset, called `name`. `choices`: of pads with several sounds a corner, the sounds of each."""
    across = len(preset.corners) if preset.rows == 1 else math.isqrt(len(preset.corners))
    corners = preset.corners * (2 if preset.rows == 1 else 1)
    matrix = tuple(corners[u::across] for u in range(across))
    choices = choices or tuple((matrix[u][v],) for v in (0, -1) for u in (0, -1))
    length = round(preset.seconds * 16_000)
    return Plan(name, matrix, choices, preset.mixes, preset.pitches, length, preset.rate, preset.weights, preset.rows)


def file_count(plan: Plan, layout: str) -> int:
    """The number of sound files that the layout makes. Raises UsageError for a plan that the layout cannot hold, and
    UserError for too many notes."""
    from wavetables.formats import nsynth_grid

    if layout == "sfz":
        return plan.side * plan.rows
    nsynth_grid.evenly_spaced(plan.pitches)
    if plan.rows == 1:
        raise UsageError(f"the layout {layout} needs four corners")
    if layout == "nsynth-super" and len(plan.matrix) > 2:
        raise UsageError("the layout nsynth-super lies between four corners; for a larger matrix use m4l")
    pads = math.prod(map(len, plan.choices)) if layout == "nsynth-super" else 1
    notes = plan.side**2 * len(plan.pitches) * pads
    if notes > MAX_NOTES:
        raise UserError(f"{notes} notes; at most {MAX_NOTES} are rendered at once: fewer sounds or pitches")
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
    """Render the plan, write it in the layout, and yield every sound file as soon as it is there.

    layout: "m4l", "nsynth-super" or "sfz"
    load: gives the instrument of each sound
    provenance: what the files say of their origin, in the layouts that can (SFZ)
    """
    sounds = dict.fromkeys(itertools.chain(*plan.matrix, *plan.choices))
    instruments = {sound: load(sound) for sound in sounds}
    notes = _Notes(plan, instruments, engine, mono=layout != "sfz", watch=watch)  # NSynth's own players are mono
    if layout == "m4l":
        yield from _write_m4l(plan, folder, notes)
    elif layout == "nsynth-super":
        yield from _write_pads(plan, folder, notes)
    else:
        yield from _write_sfz(plan, folder, notes, provenance)


@dataclass(frozen=True)
class _Notes:
    """Renders the notes of a plan by an engine."""

    plan: Plan
    instruments: Mapping[str | Path, Instrument]
    engine: Engine
    mono: bool
    watch: Watch

    def at(self, matrix: Matrix, places: Iterable[Place], rate: int, seconds: float) -> Iterator[Note]:
        """The note at each of the places between the sounds of `matrix`."""
        from nsynth_core.blending.instrument import within_full_scale

        sounds = [[self.instruments[sound] for sound in column] for column in matrix]
        rows = self._rows(sounds, places)
        for blend in self.engine.blend(rows, seconds, rate, mono=self.mono, watch=self.watch):
            for note in blend.notes:
                yield lambda note=note: within_full_scale(note())  # type: ignore[misc]

    def _rows(self, sounds: Sequence[Sequence[Instrument]], places: Iterable[Place]) -> Iterator[Row]:
        """The places as rows: those that follow one another between the same four sounds, at one pitch."""
        from nsynth_core.blending.engine import Row
        from nsynth_core.blending.weights import corner_weights
        from wavetables.formats.nsynth_settings import cell

        def located(place: Place) -> tuple[tuple[int, int, float], tuple[float, float]]:
            (u, x), (v, y) = (cell(index, self.plan.resolution, len(sounds)) for index in place[:2])
            return (u, v, place[2]), (x, y)

        for (u, v, pitch), near in itertools.groupby(map(located, places), itemgetter(0)):
            corners = sounds[u][v], sounds[u + 1][v], sounds[u][v + 1], sounds[u + 1][v + 1]
            yield Row(corners, pitch, [corner_weights(x, y, 4, self.plan.weights) for _, (x, y) in near])


def _write_m4l(plan: Plan, folder: Path, notes: _Notes) -> Iterator[Path]:
    """Max for Live: one file a note, and a file of options. y runs from the bottom up."""
    from wavetables.formats import nsynth_grid as form
    from wavetables.formats import nsynth_settings

    name, side = form.plain(plan.name).replace("-", "_"), plan.side
    target, shape = folder / name, (side, len(plan.matrix))

    def jobs() -> Iterator[Callable[[], Path]]:
        points = list(itertools.product(plan.pitches, range(side), range(side)))
        places = ((ix, side - 1 - iy, pitch) for pitch, iy, ix in points)
        rendered = notes.at(plan.matrix, places, nsynth_settings.RATE, plan.length / nsynth_settings.RATE)
        for (pitch, iy, ix), note in zip(points, rendered, strict=True):
            yield lambda note=note, at=(ix, iy), pitch=int(pitch): form.write_grid_note(  # type: ignore[misc]
                target, name, at, pitch, note(), shape
            )

    yield from in_threads(jobs())
    yield form.write_grid_options(target, name, plan.pitches, side, len(plan.matrix))


def _write_pads(plan: Plan, folder: Path, notes: _Notes) -> Iterator[Path]:
    """Open NSynth Super: one file for each choice of four sounds, and the settings."""
    from wavetables.formats import nsynth_grid as form
    from wavetables.formats import nsynth_settings

    length, side = min(plan.length, nsynth_settings.PAD_LENGTH), plan.resolution
    names = {sound: form.plain(source_name(sound)) for sound in itertools.chain(*plan.choices)}
    for a, b, c, d in itertools.product(*plan.choices):
        points = list(itertools.product(range(len(plan.pitches)), range(side), range(side)))
        places = ((ix, iy, plan.pitches[number]) for number, iy, ix in points)
        rendered = notes.at(((a, c), (b, d)), places, nsynth_settings.RATE, length / nsynth_settings.RATE)
        samples = in_threads(lambda note=note: form.pad_note(note(), length) for note in rendered)  # type: ignore[misc]
        path = folder / "pads" / form.pad_name([names[sound] for sound in (a, b, c, d)])
        placed = ((ix, iy, number, row) for (number, iy, ix), row in zip(points, samples, strict=True))
        form.write_pad(path, side, plan.pitches, length, placed, force=True)
        yield path
    corners = [[names[sound] for sound in choice] for choice in plan.choices]
    nsynth_settings.write_device_settings(folder / "settings.json", side, plan.pitches, length, corners, force=True)


def _write_sfz(plan: Plan, folder: Path, notes: _Notes, provenance: Mapping[str, str]) -> Iterator[Path]:
    """SFZ: one instrument for each mix."""
    from wavetables.formats import sfz

    points = list(itertools.product(range(plan.rows), range(plan.side)))
    places = ((ix, iy, pitch) for iy, ix in points for pitch in plan.pitches)
    rendered = in_threads(notes.at(plan.matrix, places, plan.rate, plan.length / 16_000))
    for iy, ix in points:
        path = folder / f"x{ix}y{iy}.sfz"
        mix = {"mix": f"{ix / (plan.side - 1):g},{iy / max(plan.rows - 1, 1):g}"} if provenance else {}
        own = itertools.islice(rendered, len(plan.pitches))
        sfz.write_notes(path, dict(zip(plan.pitches, own, strict=True)), True, {**provenance, **mix})
        yield path
