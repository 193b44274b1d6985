"""The notes and tables of a grid, rendered and written."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from nsynth_core.parallel import in_threads
from wavetables.stereo import PAIRS, shape_tables

if TYPE_CHECKING:
    from nsynth_core.audio import Sound
    from nsynth_core.blending.engine import Blend, Engine, Watch
    from nsynth_core.blending.grid import GridSpec
    from nsynth_core.blending.instrument import Instrument


def render(
    spec: GridSpec,
    instruments: Sequence[Instrument],
    engine: Engine,
    folder: Path,
    told: Mapping[str, str],
    notes: bool,
    tables: str | Literal[False],
    provenance: bool,
    force: bool,
    moment: float | None,
    watch: Watch,
) -> Iterator[dict[str, object]]:
    """Render and write every file, a few at a time, and say what it is. `tables`: their kind of stereo; `moment`: the
    seconds of a note that only a frame is cut from."""
    files = _Files(spec, len(instruments), folder, told, tables or "mono", provenance, force)
    rows = list(spec.rows(instruments))
    blends = engine.blend(
        [row for _, _, row in rows],
        spec.seconds,
        spec.rate if notes else None,
        moment=moment,
        watch=watch,
    )

    def jobs() -> Iterator[Callable[[], list[dict[str, object]]]]:
        for (pitch, y, _), made in zip(rows, blends, strict=True):
            for x, note in zip(spec.places(len(instruments)), made.notes, strict=False):
                yield partial(files.note, pitch, x, y, note)
            if tables:
                yield partial(files.table, pitch, y, made)

    yield from chain.from_iterable(in_threads(jobs()))


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

    def note(self, pitch: float, x: float, y: float, render: Callable[[], Sound]) -> list[dict[str, object]]:
        """A mix's notes are a folder of NAME_PITCH files, so that it can be an instrument again."""
        from nsynth_core import audio
        from nsynth_core.blending.instrument import within_full_scale
        from nsynth_core.files import sha256

        last = self.spec.side(self.sounds) - 1
        mix = f"x{round(x * last)}y{round(y * last)}"
        path = Path("notes", mix, f"{mix}_{pitch:g}.wav")
        audio.write(self.folder / path, within_full_scale(render()), self.force)
        facts = {"kind": "note", "pitch": pitch, "x": x, "y": y}
        return [{"path": path.as_posix(), **facts, "sha256": sha256(self.folder / path)}]

    def table(self, pitch: float, y: float, blend: Blend) -> list[dict[str, object]]:
        """The table of a row, or its pair."""
        from nsynth_core.files import sha256
        from nsynth_core.notes import note_name
        from wavetables.formats import serum
        from wavetables.table import Table

        cycles = blend.walk(len(PAIRS[self.stereo]) == 2)
        row = f"row{round(y * (self.spec.side(self.sounds) - 1))}"
        where = {"mix": "0:1" if self.sounds == 2 else f"0:1,{y:g}", "pitch": note_name(pitch)}
        facts: list[dict[str, object]] = []
        for mark, channel in zip(PAIRS[self.stereo], shape_tables(cycles, self.stereo), strict=True):
            path = Path("tables", f"{self.told['preset']}-{row}{mark}_{pitch:g}.wav")
            made = Table(channel, path.stem, pitch, {**self.told, **where} if self.provenance else {})
            serum.write(self.folder / path, made, self.force)
            said = {"kind": "table", "pitch": pitch, "y": y, "frames": len(channel)}
            facts.append({"path": path.as_posix(), **said, "sha256": sha256(self.folder / path)})
        return facts
