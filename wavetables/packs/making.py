"""Make one item of a pack: its files, and the facts about them. Runs in any process on any machine."""

from __future__ import annotations

import errno
import io
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
from numpy.typing import NDArray

from nsynth_core import audio, cache
from nsynth_core.audio import Floats, Sound, UnusableSound
from nsynth_core.blending.engine import Watch, unwatched
from nsynth_core.errors import UserError
from nsynth_core.files import atomic, sha256
from nsynth_core.notes import midi_to_hz, note_name
from nsynth_core.pitch import Unpitched
from wavetables import loudness, pictures
from wavetables.caching import digest
from wavetables.formats import registry
from wavetables.formats.common import facts_from, facts_text, to_int16
from wavetables.importing import Settings, import_tables
from wavetables.inspection import describe, inspect
from wavetables.instruments import with_advice
from wavetables.packs import plan, spectra, sweeps
from wavetables.packs.errors import OutOfMemory
from wavetables.packs.plan import Item, Pack, Recording, Sweep
from wavetables.shaping import shape
from wavetables.table import Table

SURE = 0.5  # confidence of a pitch below which somebody should listen
QUIET_DB = 0.5  # below the loudness that was asked for
DISK_FULL = (errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC))
Facts = dict[str, Any]


@dataclass(frozen=True)
class Failure:
    """The item called `name` has no files because of `error`; `full` where the disk is."""

    name: str
    error: UserError
    full: bool = False

    @property
    def why(self) -> str:
        """The reason in words, as the manifest holds it. For a sound without a pitch they say how a recipe gives it."""
        if isinstance(self.error, UnusableSound):
            return with_advice(self.error)
        if not isinstance(self.error, Unpitched):
            return str(self.error)
        note = "C3" if self.error.guess is None else note_name(self.error.guess)
        file = "SOUND.wav" if self.error.path is None else self.error.path.name
        return f'{self.error}; give its pitch, in a recipe: "{file}@{note}"'


def make(pack: Pack, item: Item, folder: Path, watch: Watch = unwatched) -> Facts | Failure:
    """Write the files of `item` below `folder`, each whole or not at all.

    Returns the facts that the manifest lists: plain values, the same for the same sources. Nothing is raised, because
    one bad source is no reason to stop the others.
    """
    try:
        return _make(pack, item, folder, watch)
    except UserError as error:
        return Failure(item.name, error, is_full(error))
    except MemoryError:
        return Failure(item.name, OutOfMemory(_sources(item)))
    except Exception as error:
        if is_full(error):
            return Failure(item.name, UserError(f"cannot write {item.name}: {error}"), True)
        bug = f"{_sources(item)}: {type(error).__name__}: {error}; this is a bug, please report it"
        return Failure(item.name, UserError(bug))


def _make(pack: Pack, item: Item, folder: Path, watch: Watch) -> Facts:
    state = sweeps.state(item.source.files)
    hashes = [[path.name, sha256(path)] for path in item.source.files]
    source_table, confidence = _table(pack, item, hashes, watch)
    if sweeps.state(item.source.files) != state:
        raise UserError(f"{_sources(item)}: changed while it was read; run the same command again")
    frames, level = loudness.levelled(source_table.frames, pack.target, pack.level)
    table = Table(frames, item.name, source_table.root_pitch, {**source_table.provenance, **_credits(pack)})
    paths = plan.table_paths(pack, item)
    for kind, path in paths.items():
        registry.write(folder / path, table, True, kind)
    notes, quiet_notes = _write_notes(pack, item, folder, watch)
    files = [
        *paths.values(),
        *_write_preview(pack, item, frames, folder),
        *notes,
        *_write_pictures(pack, item, table, folder, watch),
    ]
    spectrum = spectra.fingerprint(frames)
    return {
        **plan.describe(item),
        "words": list(spectra.words(frames, spectrum)),
        "frames": len(frames),
        "root_pitch": table.root_pitch,
        "loudness": round(level, 2),
        "sources": hashes,
        "tables": paths,
        "files": {path: sha256(folder / path) for path in files},
        "odd": [
            *_odd(pack, table, level, confidence),
            *quiet_notes,
            *map(describe, inspect(folder / files[0]).problems),
        ],
        "spectrum": spectrum,
    }


# --------------------------------------------------------------------------------------------------------------- tables
def _table(pack: Pack, item: Item, hashes: list[list[str]], watch: Watch) -> tuple[Table, float]:
    """The item's table before it is levelled, and how sure its pitch is (0..1, 1 where it was not looked for). The
    table of a recording comes from the cache where it is known."""
    source = item.source
    if isinstance(source, Recording):
        name = digest("table", source.path.name, hashes, source.pitch, pack.frames)
        return cache.remember(name, lambda: _imported(source, pack.frames), _save, _load)
    cycles, provenance = sweeps.frames(pack, source, pack.frames or plan.SWEEP_FRAMES, watch)
    return Table(shape(cycles), item.name, source.pitch, provenance), 1.0


def _imported(source: Recording, frames: int | None) -> tuple[Table, float]:
    imported = import_tables(source.path, Settings(pitch=source.pitch, frames=frames))[0]
    pitch = imported.facts.pitch
    return imported.table, 1.0 if pitch is None or pitch.given is not None else pitch.confidence


def _save(path: Path, entry: tuple[Table, float]) -> None:
    table, confidence = entry
    facts = np.asarray(facts_text(table))
    with atomic(path, True) as temporary, temporary.open("wb") as file:
        np.savez(file, frames=table.frames, name=np.asarray(table.name), facts=facts, confidence=confidence)


def _load(path: Path) -> tuple[Table, float]:
    try:
        with np.load(path, allow_pickle=False) as data:
            root_pitch, provenance = facts_from(str(data["facts"]))
            table = Table(data["frames"], str(data["name"]), root_pitch, provenance)
            return table, float(data["confidence"])
    except Exception as error:  # zip, zlib and numpy each have their own for damaged files
        raise UserError("not a cached table", path=path) from error


def _credits(pack: Pack) -> dict[str, str]:
    """What every table of the pack says about it."""
    words = {"pack": pack.title, "author": pack.author, "licence": pack.licence}
    return {key: text for key, text in words.items() if text}


# ---------------------------------------------------------------------------------------------------------------- files
def _write_preview(pack: Pack, item: Item, frames: Floats, folder: Path) -> Iterator[str]:
    if pack.previews:
        path = plan.preview_path(item)
        _write(folder / path, _encoded(to_int16(loudness.played(frames)), loudness.RATE, "FLAC", "PCM_16"))
        yield path


def _write_notes(pack: Pack, item: Item, folder: Path, watch: Watch) -> tuple[list[str], list[str]]:
    """The paths of a sweep's notes, and words about those that are too quiet."""
    paths = plan.sample_paths(pack, item)
    if not paths:
        return [], []
    assert isinstance(item.source, Sweep)
    quiet = []
    notes = sweeps.notes(pack, item.source, sweeps.walk(item.source, np.asarray(list(paths))), watch)
    for (at, path), note in zip(paths.items(), notes, strict=True):
        sound = loudness.levelled_note(note, pack.target)
        if pack.target is not None and (level := loudness.of_note(sound)) < pack.target - QUIET_DB:
            quiet.append(f"its note at {100 * at:g} is {_quiet_words(pack.target - level)}")
        _write(folder / path, _encoded(sound.samples, sound.rate, "WAV", "PCM_24"))
    return list(paths.values()), quiet


def _write_pictures(pack: Pack, item: Item, table: Table, folder: Path, watch: Watch) -> Iterator[str]:
    paths = plan.picture_paths(pack, item)
    if paths:
        for path, draw in zip(paths, (_picture, _rainbowgrams), strict=True):
            _write(folder / path, pictures.png(draw(pack, item, table, watch)))
            yield path


def _encoded(samples: Floats | NDArray[np.int16], rate: int, kind: str, subtype: str) -> bytes:
    """A sound file in memory, so that a full disk is the system's own error and not libsndfile's."""
    data = io.BytesIO()
    # the highest compression saves another thousandth and takes a tenth longer
    effort = {"compression_level": 0.5} if kind == "FLAC" else {}
    soundfile.write(data, samples, rate, format=kind, subtype=subtype, **effort)
    return data.getvalue()


def _write(path: Path, data: bytes) -> None:
    with atomic(path, True) as temporary:
        temporary.write_bytes(data)


# ------------------------------------------------------------------------------------------------------------- pictures
def _picture(pack: Pack, item: Item, table: Table, watch: Watch) -> Any:
    return pictures.table_picture(table)


def _rainbowgrams(pack: Pack, item: Item, table: Table, watch: Watch) -> Any:
    """Rainbowgrams of a recording and its table played at its pitch; or of the sounds of a sweep and their blends."""
    source = item.source
    if isinstance(source, Sweep):
        return _sweep_rainbowgrams(pack, source, watch)
    panels = [("the table, played at its pitch", _at_its_pitch(table))]
    if not registry.is_table(source.path):
        panels.insert(0, (source.path.name, audio.read(source.path)))
    return pictures.rainbowgrams(panels)


def _sweep_rainbowgrams(pack: Pack, source: Sweep, watch: Watch) -> Any:
    """The sounds that take part in a sweep, and their blends at its beginning, half way and end, except where a blend
    is one sound alone."""
    shares = sweeps.walk(source, np.linspace(0, 1, 3))
    ends = zip(source.corners, np.eye(len(source.corners), dtype=np.float32), shares.T, strict=True)
    sounds = [(corner.name, alone) for corner, alone, share in ends if share.any()]
    places = zip(("beginning", "half way", "end"), shares, strict=True)
    blends = [(f"blend, {place}", share) for place, share in places if share.max() < 1]
    panels = [sounds[0], *blends, sounds[1]] if len(sounds) == 2 else [*sounds, *blends]
    titles, weights = zip(*panels, strict=True)
    notes = sweeps.notes(pack, source, np.stack(weights), watch)
    columns = len(panels) if len(panels) < 5 else -(-len(panels) // 2)
    return pictures.rainbowgrams(list(zip(titles, notes, strict=True)), columns)


def _at_its_pitch(table: Table) -> Sound:
    hz = float(midi_to_hz(loudness.REFERENCE_PITCH if table.root_pitch is None else table.root_pitch))
    period = max(2, round(loudness.RATE / hz))
    # a whole number of samples, and the sample rate corrects the pitch
    return Sound(loudness.played(table.frames, period)[:, None], round(period * hz))


def sheet(tables: tuple[Path, ...], target: Path, title: str) -> str | Failure:
    """Write a contact sheet of the files `tables` under `title` to `target`, and return its path. Nothing is raised."""
    try:
        cells = [(_thumbnail(path), path.parent.name) for path in tables]
        _write(target, pictures.png(pictures.contact_sheet(cells, title)))
        return str(target)
    except UserError as error:
        return Failure(target.name, error, is_full(error))
    except OSError as error:
        return Failure(target.name, UserError(str(error)), is_full(error))


def _thumbnail(path: Path) -> Table:
    """A few frames of the table, so that a sheet of long tables takes little memory."""
    frames = registry.read(path).frames
    some = np.unique(np.linspace(0, len(frames) - 1, pictures.SHEET_LINES).round().astype(np.int64))
    return Table(frames[some], path.stem)


# ----------------------------------------------------------------------------------------------------------------- odds
def _odd(pack: Pack, table: Table, level: float, confidence: float) -> Iterator[str]:
    """Words about what somebody should listen to, as the manifest holds them."""
    if pack.target is not None and pack.level == "table" and level < pack.target - QUIET_DB:
        yield _quiet_words(pack.target - level)
    if confidence < SURE:
        yield f"pitch uncertain ({table.provenance['pitch']}); listen, or give it"


def _quiet_words(decibels: float) -> str:
    return f"{decibels:.1f} dB quieter than the pack: its peak is at full scale"


def _sources(item: Item) -> str:
    return ", ".join(path.name for path in item.source.files) or item.name


def is_full(error: BaseException | None) -> bool:
    """True when the disk has no room left, however the error was wrapped.

    >>> is_full(OSError(errno.ENOSPC, "No space left on device")), is_full(ValueError())
    (True, False)
    """
    while error is not None:
        if isinstance(error, OSError) and error.errno in DISK_FULL:
            return True
        error = error.__cause__ or error.__context__
    return False
