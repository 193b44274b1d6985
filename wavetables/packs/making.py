"""One item of a pack → its files, and what is to be said of them. Runs in any process on any machine."""

from __future__ import annotations

import errno
import io
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
from numpy.typing import NDArray

from nsynth_core import audio, cache
from nsynth_core.audio import Floats, Sound
from nsynth_core.blending.engine import Watch, unwatched
from nsynth_core.errors import UserError
from nsynth_core.files import atomic, sha256
from nsynth_core.notes import midi_to_hz, note_name
from nsynth_core.pitch import Unpitched
from wavetables import loudness, pictures
from wavetables.formats import registry
from wavetables.formats.common import facts_from, facts_text, to_int16
from wavetables.importing import import_sound
from wavetables.inspection import describe, inspect
from wavetables.packs import plan, spectra, sweeps
from wavetables.packs.plan import Item, Pack, Recording, Sweep
from wavetables.shaping import shape
from wavetables.table import Table

SURE = 0.5  # confidence of a pitch below which somebody should listen
SHORT_DB = 0.5  # below the asked loudness
FULL = (errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC))
Facts = dict[str, Any]


@dataclass(frozen=True)
class Failure:
    """Why an item has no files; `full` when the disk is."""

    name: str
    why: str
    full: bool = False


def make(pack: Pack, item: Item, folder: Path, watch: Watch = unwatched) -> Facts | Failure:
    """Write the files of `item` below `folder`, each whole or not at all, and give the facts that the manifest lists:
    plain values, the same for the same sources. Nothing is raised: one bad source is no reason to stop the others."""
    try:
        return _make(pack, item, folder, watch)
    except UserError as error:
        return Failure(item.name, _why(error), is_full(error))
    except MemoryError:
        return Failure(item.name, f"{_sources(item)}: not enough memory; use fewer --workers or a shorter sound")
    except Exception as error:
        if is_full(error):
            return Failure(item.name, f"cannot write {item.name}: {error}", True)
        return Failure(item.name, f"{_sources(item)}: {type(error).__name__}: {error}; this is a bug, please report it")


def _make(pack: Pack, item: Item, folder: Path, watch: Watch) -> Facts:
    found = sweeps.state(item.source.files)
    hashes = [[path.name, sha256(path)] for path in item.source.files]
    table = _table(pack, item, hashes, watch)
    if sweeps.state(item.source.files) != found:
        raise UserError(f"{_sources(item)}: changed while it was read; run the same command again")
    frames, level = loudness.levelled(table.frames, pack.target, pack.level)
    said = {"pack": pack.title, "author": pack.author, "licence": pack.licence}
    made = Table(frames, item.name, table.root_pitch, {**table.provenance, **{k: v for k, v in said.items() if v}})
    paths = plan.table_paths(pack, item)
    for kind, path in paths.items():
        registry.write(folder / path, made, True, kind)
    files = list(paths.values())
    if pack.previews:
        files.append(plan.preview_path(item))
        _write(folder / files[-1], _encoded(to_int16(loudness.played(frames)), loudness.RATE, "FLAC", "PCM_16"))
    odd = []
    if samples := plan.sample_paths(pack, item):
        assert isinstance(item.source, Sweep)
        notes = sweeps.notes(pack, item.source, sweeps.walk(item.source, np.asarray(list(samples))), watch)
        for (at, path), note in zip(samples.items(), notes, strict=True):
            sound = loudness.levelled_note(note, pack.target)
            if pack.target is not None and (heard := loudness.of_note(sound)) < pack.target - SHORT_DB:
                odd.append(f"its note at {100 * at:g} is {_short(pack.target - heard)}")
            _write(folder / path, _encoded(sound.samples, sound.rate, "WAV", "PCM_24"))
            files.append(path)
    for path, figure in zip(plan.picture_paths(pack, item), (_picture, _rainbowgrams), strict=False):
        _write(folder / path, pictures.png(figure(pack, item, made, watch)))
        files.append(path)
    spectrum = spectra.fingerprint(frames)
    return {
        **plan.describe(item),
        "words": list(spectra.words(frames, spectrum)),
        "frames": len(frames),
        "root_pitch": made.root_pitch,
        "loudness": round(level, 2),
        "sources": hashes,
        "tables": paths,
        "files": {path: sha256(folder / path) for path in files},
        "odd": [*_odd(pack, made, level), *odd, *map(describe, inspect(folder / files[0]).problems)],
        "spectrum": spectrum,
    }


# --------------------------------------------------------------------------------------------------------------- tables
def _table(pack: Pack, item: Item, hashes: list[list[str]], watch: Watch) -> Table:
    """The item's table before it is levelled, from the cache where it is known."""
    source = item.source
    if isinstance(source, Recording):
        name = cache.digest("table", source.path.name, hashes, source.pitch, pack.frames)
        return cache.remember(name, lambda: import_sound(source.path, source.pitch, pack.frames), _save, _load)
    cycles, told = sweeps.frames(pack, source, pack.frames or plan.SWEEP_FRAMES, watch)
    return Table(shape(cycles), item.name, source.pitch, told)


def _save(path: Path, table: Table) -> None:
    with atomic(path, True) as temporary, temporary.open("wb") as file:
        np.savez(file, frames=table.frames, name=np.asarray(table.name), facts=np.asarray(facts_text(table)))


def _load(path: Path) -> Table:
    try:
        with np.load(path, allow_pickle=False) as data:
            root, provenance = facts_from(str(data["facts"]))
            return Table(data["frames"], str(data["name"]), root, provenance)
    except Exception as error:  # zip, zlib and numpy each have their own for damaged files
        raise UserError(f"{path}: not a cached table") from error


# ---------------------------------------------------------------------------------------------------------------- files
def _encoded(samples: Floats | NDArray[np.int16], rate: int, kind: str, subtype: str) -> bytes:
    """In memory, so that a full disk is the system's own error and not libsndfile's."""
    data = io.BytesIO()
    effort = {"compression_level": 0.5} if kind == "FLAC" else {}  # the last thousandth of the size takes a tenth more
    soundfile.write(data, samples, rate, format=kind, subtype=subtype, **effort)
    return data.getvalue()


def _write(path: Path, data: bytes) -> None:
    with atomic(path, True) as temporary:
        temporary.write_bytes(data)


# ------------------------------------------------------------------------------------------------------------- pictures
def _picture(pack: Pack, item: Item, table: Table, watch: Watch) -> Any:
    return pictures.table_picture(table)


def _rainbowgrams(pack: Pack, item: Item, table: Table, watch: Watch) -> Any:
    """The recording beside the table played at its pitch; or the sounds that a sweep goes between, with their blend at
    the beginning, half way and at the end, as far as those are not one sound alone."""
    source = item.source
    if isinstance(source, Sweep):
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
    panels = [("the table, played at its pitch", _at_its_pitch(table))]
    if not registry.is_table(source.path):
        panels.insert(0, (source.path.name, audio.read(source.path)))
    return pictures.rainbowgrams(panels)


def _at_its_pitch(table: Table) -> Sound:
    hz = float(midi_to_hz(loudness.REFERENCE_PITCH if table.root_pitch is None else table.root_pitch))
    period = max(2, round(loudness.RATE / hz))
    # a whole number of samples, and the rate makes up for what that is off
    return Sound(loudness.played(table.frames, period)[:, None], round(period * hz))


def sheet(tables: tuple[Path, ...], target: Path, title: str) -> str | Failure:
    """Write a contact sheet of the files `tables` under `title`; its path. Nothing is raised."""
    try:
        cells = [(_thumbnail(path), path.parent.name) for path in tables]
        _write(target, pictures.png(pictures.contact_sheet(cells, title)))
        return str(target)
    except (UserError, OSError) as error:
        return Failure(target.name, str(error), is_full(error))


def _thumbnail(path: Path) -> Table:
    """A few frames of the table, so that a sheet of long tables takes little memory."""
    frames = registry.read(path).frames
    some = np.unique(np.linspace(0, len(frames) - 1, pictures.SHEET_LINES).round().astype(np.int64))
    return Table(frames[some], path.stem)


# ----------------------------------------------------------------------------------------------------------------- odds
def _odd(pack: Pack, table: Table, level: float) -> list[str]:
    found = []
    if pack.target is not None and pack.level == "table" and level < pack.target - SHORT_DB:
        found.append(_short(pack.target - level))
    sure = re.search(r"confidence (\d\.\d+)", table.provenance.get("pitch", ""))
    if sure and float(sure.group(1)) < SURE:
        found.append(f"pitch uncertain ({table.provenance['pitch']}); listen, or give it")
    return found


def _short(decibels: float) -> str:
    return f"{decibels:.1f} dB quieter than the pack: its peak is at full scale"


def _why(error: UserError) -> str:
    """What is wrong with a source, and of one without a pitch, how a recipe gives it."""
    if not isinstance(error, Unpitched):
        return str(error)
    note = "C3" if error.guess is None else note_name(error.guess)
    return f'{error}; give its pitch, in a recipe: "{error.path.name if error.path else "SOUND.wav"}@{note}"'


def _sources(item: Item) -> str:
    return ", ".join(path.name for path in item.source.files) or item.name


def is_full(error: BaseException | None) -> bool:
    """True when the disk has no room left, however the error was wrapped."""
    while error is not None:
        if isinstance(error, OSError) and error.errno in FULL:
            return True
        error = error.__cause__ or error.__context__
    return False
