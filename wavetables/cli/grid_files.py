"""The notes and tables of a grid, rendered and written."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from wavetables.cli import nsynth
from wavetables.cli.common import STEREO

if TYPE_CHECKING:
    from nsynth_core.audio import Floats, Sound
    from nsynth_core.blend import Instrument
    from nsynth_core.coder import Coder
    from nsynth_core.grid import GridSpec
    from nsynth_core.wavenet.engine import NSynth


def render(
    spec: GridSpec,
    instruments: Sequence[Instrument],
    engine: Coder,
    folder: Path,
    told: Mapping[str, str],
    notes: bool,
    tables: str | Literal[False],
    provenance: bool,
    force: bool,
) -> Iterator[dict[str, object]]:
    """Render and write every file, a few at a time, and say what it is. `tables`: their kind of stereo."""
    from nsynth_core import synthesis
    from nsynth_core.grid import GridPitch
    from nsynth_core.grid import render as rendered

    files = _Files(spec, len(instruments), folder, told, tables or "mono", provenance, force)

    def note(at: GridPitch, x: float, y: float) -> list[dict[str, object]]:
        return files.note(at.pitch, x, y, at.note(x, y))

    def table(at: GridPitch, y: float) -> list[dict[str, object]]:
        features = at.features(y)
        return files.table(at.pitch, y, synthesis.stereo_cycles(features) if files.pair else synthesis.cycles(features))

    line = spec.points(len(instruments))
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        try:
            for at in rendered(spec, instruments, engine):
                jobs: list[Callable[[], list[dict[str, object]]]] = []
                jobs += [partial(note, at, x, y) for x, y in line] if notes else []
                jobs += [partial(table, at, y) for y in sorted({y for _, y in line})] if tables else []
                yield from chain.from_iterable(pool.map(lambda job: job(), jobs))
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise


def drawn(
    spec: GridSpec,
    instruments: Sequence[Instrument],
    engine: NSynth,
    folder: Path,
    told: Mapping[str, str],
    notes: bool,
    tables: str | Literal[False],
    provenance: bool,
    force: bool,
    moment: float | None,
    quiet: bool,
) -> Iterator[dict[str, object]]:
    """The same by NSynth, all notes of the grid in as few batches as can be: `render`'s arguments, and the seconds of
    a note that only a frame is cut from. A row's table is cut from its notes, and crossfaded between them."""
    from nsynth_core.blend import corner_weights, within_full_scale
    from nsynth_core.wavenet.engine import TABLE_SECONDS, settled
    from wavetables.slicing import table_frames

    files = _Files(spec, len(instruments), folder, told, tables or "mono", provenance, force)
    points = [(pitch, x, y) for pitch in spec.pitches for x, y in spec.points(len(instruments))]
    wanted = []
    for pitch in spec.pitches:
        sources = nsynth.encoded(engine, instruments, pitch, spec.seconds if notes else None, quiet)
        for x, y in spec.points(len(instruments)):
            weights = corner_weights(x, y, len(instruments), spec.weights)
            short = moment or TABLE_SECONDS
            wanted.append(engine.note(sources, weights) if notes else engine.moment(sources, weights, short))
    rate = spec.rate if notes else engine.table_rate
    row: list[Sound] = []
    for (pitch, x, y), made in zip(points, nsynth.render(engine, wanted, rate, quiet), strict=True):
        if notes:
            yield from files.note(pitch, x, y, within_full_scale(made))
        row.append(made if notes else settled(made))
        if len(row) == spec.side(len(instruments)):
            if tables:
                yield from files.table(pitch, y, table_frames(row, pitch, files.pair, spec.frames))
            row = []


@dataclass(frozen=True)
class _Files:
    """Writes what a grid of so many `sounds` is made of, and says what it is. `stereo`: the kind of the tables."""

    spec: GridSpec
    sounds: int
    folder: Path
    told: Mapping[str, str]
    stereo: str
    provenance: bool
    force: bool

    @property
    def pair(self) -> bool:
        return len(STEREO[self.stereo]) == 2

    def note(self, pitch: float, x: float, y: float, sound: Sound) -> list[dict[str, object]]:
        """A mix's notes are a folder of NAME_PITCH files, so that it can be an instrument again."""
        from nsynth_core import audio
        from wavetables.cli.recipe import sha256

        last = self.spec.side(self.sounds) - 1
        mix = f"x{round(x * last)}y{round(y * last)}"
        path = Path("notes", mix, f"{mix}_{pitch:g}.wav")
        audio.write(self.folder / path, sound, self.force)
        facts = {"kind": "note", "pitch": pitch, "x": x, "y": y}
        return [{"path": path.as_posix(), **facts, "sha256": sha256(self.folder / path)}]

    def table(self, pitch: float, y: float, cycles: Floats) -> list[dict[str, object]]:
        """The table of a row, or its pair: `cycles` (n, 2048), or (2, n, 2048) of left and right."""
        from nsynth_core.notes import note_name
        from wavetables.cli.recipe import sha256
        from wavetables.formats import serum
        from wavetables.shaping import mid_side, shape, shape_pair
        from wavetables.table import Table

        shaped = shape_pair(mid_side(cycles) if self.stereo == "ms" else cycles) if self.pair else [shape(cycles)]
        row = f"row{round(y * (self.spec.side(self.sounds) - 1))}"
        where = {"mix": "0:1" if self.sounds == 2 else f"0:1,{y:g}", "pitch": note_name(pitch)}
        facts: list[dict[str, object]] = []
        for mark, channel in zip(STEREO[self.stereo], shaped, strict=True):
            path = Path("tables", f"{self.told['preset']}-{row}{mark}_{pitch:g}.wav")
            made = Table(channel, path.stem, pitch, {**self.told, **where} if self.provenance else {})
            serum.write(self.folder / path, made, self.force)
            said = {"kind": "table", "pitch": pitch, "y": y, "frames": len(channel)}
            facts.append({"path": path.as_posix(), **said, "sha256": sha256(self.folder / path)})
        return facts
