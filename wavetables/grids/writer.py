"""Write a grid: its notes and tables, and last of all the manifest that says how it was made."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nsynth_core.errors import UsageError
from nsynth_core.files import atomic
from nsynth_core.parallel import in_threads
from wavetables.grids.request import Request, read_request
from wavetables.instruments import Heard, load_sound, source_name, unheard
from wavetables.provenance import NO_ORIGIN, Origin
from wavetables.stereo import PAIRS, shape_tables

if TYPE_CHECKING:
    from nsynth_core.audio import Sound
    from nsynth_core.blending.engine import Blend, Engine, Watch
    from nsynth_core.blending.grid import GridSpec
    from nsynth_core.wavenet.options import NSynthOptions
    from presets.schema import Preset

LAYOUTS = ("folder", "m4l", "nsynth-super", "sfz")
Facts = dict[str, object]


@dataclass(frozen=True)
class WrittenGrid:
    """A grid on disk. `manifest` is what manifest.json holds."""

    folder: Path
    manifest: Mapping[str, Any]

    @property
    def files(self) -> list[Path]:
        """The files of the grid without the manifest."""
        return [self.folder / file["path"] for file in self.manifest["files"]]


def write_grid(
    what: Request | Preset | str | Path | Sequence[str | Path],
    folder: str | Path,
    *,
    layout: str = "folder",
    notes: bool = True,
    tables: bool = True,
    engine: str | Engine = "harmonic",
    nsynth: NSynthOptions | None = None,
    moment: float | None = None,
    origin: Origin = NO_ORIGIN,
    force: bool = False,
    watch: Watch | None = None,
    heard: Heard = unheard,
) -> WrittenGrid:
    """Render the grid that `what` names, and write it into `folder`.

    what: a Request or Preset, or what `read_request` takes: the name of a preset, a file, or sounds for the corners
    layout: "folder" for notes and tables; "m4l" for NSynth's Max for Live device, "nsynth-super" for Open NSynth
        Super's pads, "sfz" for an SFZ instrument at each mix. The last three hold notes only.
    notes, tables: of the layout "folder", what is written
    engine, nsynth: what blends, as in `wavetables.blending.Method`
    moment: seconds of the notes that NSynth's frames are cut from, where no notes are written
    origin: author, licence and command for the files
    force: replace files that exist
    watch: shows progress; heard: is called with each sound that was loaded
    Returns the folder and its manifest. Raises UserError: a bad sound, a file that exists, too many notes; and
    UsageError for what the layout cannot hold.

    >>> import tempfile
    >>> request = read_request(["flute", "choir"]).changed(pitches=(48.0,), mixes=2, seconds=0.2)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     grid = write_grid(request, folder, notes=False)
    >>> [file["path"] for file in grid.manifest["files"]]
    ['tables/flute-choir-row0_48.wav']
    """
    from nsynth_core.blending.engine import unwatched

    if layout not in LAYOUTS:
        raise UsageError(f"no layout is named {layout!r}; legal: {', '.join(LAYOUTS)}")
    request = _request(what)
    work = _Work(request, Path(folder), engine, nsynth, origin, force, watch or unwatched, heard)
    manifest = work.folders(notes, tables, moment) if layout == "folder" else work.laid_out(layout)
    with atomic(work.folder / "manifest.json", force) as temporary:
        temporary.write_text(json.dumps(manifest, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    return WrittenGrid(work.folder, manifest)


def _request(what: Request | Preset | str | Path | Sequence[str | Path]) -> Request:
    if isinstance(what, Request):
        return what
    if isinstance(what, (str, Path, Sequence)):
        return read_request(what)
    return Request(what, "-".join(map(source_name, what.corners[:4])))


@dataclass(frozen=True)
class _Work:
    """One grid that is to be written."""

    request: Request
    folder: Path
    engine: str | Engine
    nsynth: NSynthOptions | None
    origin: Origin
    force: bool
    watch: Watch
    heard: Heard

    def folders(self, notes: bool, tables: bool, moment: float | None) -> Facts:
        """Write notes and tables, and return the manifest."""
        from nsynth_core.blending.grid import GridSpec
        from wavetables import provenance

        preset, engine = self.request.preset, self._load_engine()
        spec = GridSpec(preset.mixes, preset.pitches, preset.seconds, preset.rate, preset.weights)
        instruments = [load_sound(corner, engine, heard=self.heard) for corner in preset.corners]
        facts = {
            **self.origin.program(),
            "preset": self.request.name,
            "sounds": " ".join(map(source_name, preset.corners)),
            "engine": provenance.engine_name(engine),
            **engine.facts,
            **self.origin.credits(preset.corners),
        }
        files = _Files(spec, len(instruments), self.folder, facts, preset.stereo, self.origin.written, self.force)
        total = preset.notes * notes + preset.tables * len(PAIRS[preset.stereo]) * tables
        written: list[Facts] = []
        rows = list(spec.rows(instruments))
        with self.watch(self.request.name, "") as update:
            rate = spec.rate if notes else None
            blends = engine.blend([row for _, _, row in rows], spec.seconds, rate, moment=moment, watch=self.watch)
            for fact in chain.from_iterable(in_threads(files.jobs(rows, blends, tables))):
                written.append(fact)
                update(len(written), total, "")
        written.sort(key=lambda fact: (preset.pitches.index(fact["pitch"]), fact["kind"]))  # type: ignore[arg-type]
        return {
            **facts,
            "versions": {**provenance.versions(), **engine.versions},
            "recipe": {**preset.model_dump(mode="json"), "corners": list(map(str, preset.corners))},
            "options": {"frames": spec.frames, "notes": notes, "tables": tables},
            "seed": engine.seed,
            "sources": list(map(provenance.source, preset.corners, instruments)),
            "files": written,
        }

    def laid_out(self, layout: str) -> Facts:
        """Write the notes in a layout, and return the manifest."""
        from dataclasses import asdict

        from nsynth_core.files import sha256
        from wavetables import provenance
        from wavetables.grids import layouts

        preset = self.request.preset
        if len(preset.corners) > 4 and preset.knobs.envelope is not None:
            raise UsageError("a layout's cells have four sounds each, so its level curves cannot be those of one sound")
        plan = layouts.of_preset(preset, self.request.name, self.request.choices)
        total = layouts.file_count(plan, layout)
        engine = self._load_engine()
        credits = self.origin.credits([*chain(*plan.matrix, *plan.choices)])
        facts = {**credits, **self.origin.program(), **engine.facts}
        named = {**facts, "engine": provenance.engine_name(engine)} if self.origin.written else {}
        load = partial(load_sound, engine=engine, heard=self.heard)
        written: list[Facts] = []
        with self.watch(plan.name, "") as update:
            for path in layouts.write(plan, layout, self.folder, engine, load, self.watch, named):
                written.append({"path": path.relative_to(self.folder).as_posix(), "sha256": sha256(path)})
                update(min(len(written), total), total, "")
        return {
            **facts,
            "layout": layout,
            "engine": provenance.engine_name(engine),
            "versions": {**provenance.versions(), **engine.versions},
            "sounds": [[str(sound) for sound in row] for row in plan.matrix],
            "pitches": plan.pitches,
            "points": plan.side,
            "weights": plan.weights,
            "knobs": asdict(preset.knobs),
            "seed": engine.seed,
            "files": written,
        }

    def _load_engine(self) -> Engine:
        from wavetables.blending import Method

        return Method(engine=self.engine, knobs=self.request.preset.knobs, nsynth=self.nsynth).load()


@dataclass(frozen=True)
class _Files:
    """Writes the notes and tables of a grid of so many `sounds`, and gives the facts about each. `stereo`: the kind of
    the tables."""

    spec: GridSpec
    sounds: int
    folder: Path
    facts: Mapping[str, str]
    stereo: str
    provenance: bool
    force: bool

    def jobs(
        self, rows: Sequence[tuple[float, float, Any]], blends: Iterator[Blend], tables: bool
    ) -> Iterator[Callable[[], list[Facts]]]:
        """What writes each note and table, row by row."""
        for (pitch, y, _), blend in zip(rows, blends, strict=True):
            for x, note in zip(self.spec.places(self.sounds), blend.notes, strict=False):
                yield partial(self.note, pitch, x, y, note)
            if tables:
                yield partial(self.table, pitch, y, blend)

    def note(self, pitch: float, x: float, y: float, render: Callable[[], Sound]) -> list[Facts]:
        """The notes of one mix are a folder of NAME_PITCH files, so that it can be an instrument again."""
        from nsynth_core import audio
        from nsynth_core.blending.instrument import within_full_scale
        from nsynth_core.files import sha256

        last = self.spec.side(self.sounds) - 1
        mix = f"x{round(x * last)}y{round(y * last)}"
        path = Path("notes", mix, f"{mix}_{pitch:g}.wav")
        audio.write(self.folder / path, within_full_scale(render()), self.force)
        facts = {"kind": "note", "pitch": pitch, "x": x, "y": y}
        return [{"path": path.as_posix(), **facts, "sha256": sha256(self.folder / path)}]

    def table(self, pitch: float, y: float, blend: Blend) -> list[Facts]:
        """The table of a row, or its pair."""
        from nsynth_core.files import sha256
        from nsynth_core.notes import note_name
        from wavetables.formats import serum
        from wavetables.table import Table

        cycles = blend.walk(self.stereo != "mono")
        row = f"row{round(y * (self.spec.side(self.sounds) - 1))}"
        place = {"mix": "0:1" if self.sounds == 2 else f"0:1,{y:g}", "pitch": note_name(pitch)}
        written: list[Facts] = []
        for mark, frames in zip(PAIRS[self.stereo], shape_tables(cycles, self.stereo), strict=True):
            path = Path("tables", f"{self.facts['preset']}-{row}{mark}_{pitch:g}.wav")
            table = Table(frames, path.stem, pitch, {**self.facts, **place} if self.provenance else {})
            serum.write(self.folder / path, table, self.force)
            facts = {"kind": "table", "pitch": pitch, "y": y, "frames": len(frames)}
            written.append({"path": path.as_posix(), **facts, "sha256": sha256(self.folder / path)})
        return written
