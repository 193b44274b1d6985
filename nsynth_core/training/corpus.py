"""The corpus: each note of the catalogue, analysed once, as arrays of fixed size on disk."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nsynth_core.errors import UserError
from nsynth_core.files import atomic
from nsynth_core.parallel import in_processes
from nsynth_core.pitch import follow
from nsynth_core.sound.analysis import analyse
from nsynth_core.sound.features import NOISE_BANDS, TOP_HZ, Features
from nsynth_core.sound.spectral_envelope import ENVELOPE_POINTS, FLOOR, envelope, relative
from nsynth_core.training.sources import Source, catalogue, notes

FRAMES = 160
HOP = 2  # feature frames: the corpus holds 50 a second
PARTIALS = 200  # kept of a note: the first DENSE, then fewer and fewer
DENSE = 96
RATE = 48_000
MIN_TONAL_DB = -12.0  # a note whose partials together are fainter than this, under its level, is left out

MIN_CONFIDENCE = 0.25  # below it the preset sounds at another pitch than its key

FIELDS = {
    "env": (FRAMES, ENVELOPE_POINTS),
    "partials": (FRAMES, PARTIALS),
    "noise": (FRAMES, NOISE_BANDS),
    "balance": (FRAMES, NOISE_BANDS),
    "correlation": (FRAMES, NOISE_BANDS),
    "level": (FRAMES,),
}


def partial_numbers(count: int) -> NDArray[np.int32]:
    """The numbers of the partials that the corpus keeps of `count`, int32 (PARTIALS,), with zeros at the end.

    They are all of the first 96, then logarithmically spaced ones.

    >>> partial_numbers(600)[[0, 95, 96, -1]].tolist()
    [1, 96, 97, 600]
    """
    if count <= PARTIALS:
        numbers = np.arange(1, count + 1)
    else:
        # log spacing would repeat numbers at first: take every number until the steps exceed one
        rest = np.geomspace(DENSE + 1, count, 4 * PARTIALS).astype(int)
        rest = np.unique(rest)
        rest = rest[np.unique(np.linspace(0, len(rest) - 1, PARTIALS - DENSE).astype(int))]
        numbers = np.concatenate([np.arange(1, DENSE + 1), rest])
    return np.pad(numbers, (0, PARTIALS - len(numbers))).astype(np.int32)


def note_arrays(features: Features) -> dict[str, NDArray[Any]] | None:
    """The arrays of one note, or None for a note that is too noisy or too short."""
    level = features.level_db()
    onset = int(np.argmax(level > level.max() - 30))
    last = len(level) - int(np.argmax(level[::-1] > level.max() - 55))
    chosen = np.arange(onset % HOP, last, HOP)[:FRAMES]
    tonal = 10 * np.log10((10 ** (features.partials_db / 10)).sum(1) + 1e-15) - level
    loud = level > level.max() - 20
    if len(chosen) < 10 or float(np.median(tonal[loud])) < MIN_TONAL_DB:
        return None
    partials = relative(features.partials_db, level)
    f0 = float(np.median(features.f0_hz))
    numbers = partial_numbers(min(partials.shape[1], int(TOP_HZ / f0)))
    kept = np.where(numbers > 0, partials[:, np.maximum(numbers, 1) - 1], FLOOR)
    values = {
        "env": envelope(partials, features.f0_hz),
        "partials": kept,
        "noise": relative(features.noise_db, level),
        "balance": features.balance_db,
        "correlation": features.correlation,
        "level": level,
    }
    arrays: dict[str, NDArray[Any]] = {}
    for name, shape in FIELDS.items():
        padded = np.zeros(shape, dtype=np.float16)
        padded[: len(chosen)] = values[name][chosen]
        arrays[name] = padded
    arrays["length"] = np.asarray(len(chosen), dtype=np.int32)
    arrays["onset"] = np.asarray(onset // HOP, dtype=np.int32)
    arrays["f0"] = np.asarray(f0, dtype=np.float32)
    arrays["numbers"] = numbers
    return arrays


def _file(folder: Path, source: str) -> Path:
    return folder / f"{source.replace('/', '_')}.npz"


@lru_cache(maxsize=1)
def _catalogue(seed: int, soundfonts: Path | None) -> list[Source]:
    return catalogue(seed, soundfonts)


def _analyse_source(job: tuple[int, int, Path | None, Path]) -> tuple[str, int, int]:
    index, seed, soundfonts, folder = job
    source = _catalogue(seed, soundfonts)[index]
    kept: list[dict[str, NDArray[Any]]] = []
    played = 0
    for i, (midi, velocity, sound) in enumerate(notes(source, seed=seed)):
        # one velocity for each key, soft and loud in turn: more keys teach more than more velocities
        if i % 4 in (1, 2):
            continue
        played += 1
        track = follow(sound, midi, cents=80)
        if track.confidence < MIN_CONFIDENCE:
            continue
        arrays = note_arrays(analyse(sound, track))
        if arrays is not None:
            kept.append(arrays | {"midi": np.asarray(midi, np.float32), "velocity": np.asarray(velocity, np.int32)})
    if kept:
        stacked: dict[str, Any] = {name: np.stack([k[name] for k in kept]) for name in kept[0]}
        with atomic(_file(folder, source.name), force=True) as temporary:
            np.savez(temporary, **stacked)
    return source.name, len(kept), played


def build(
    folder: Path, seed: int, soundfonts: Path | None, progress: Callable[[int, int, str], None], jobs: int | None = None
) -> dict[str, int]:
    """Render and analyse the catalogue, and write it to `folder`: one .npz for each source, and `corpus.json`.

    soundfonts: their folder, None for the places where distributions put them
    progress: called with the sources done, the sources in all, and a note
    jobs: processes, by default one for each core
    Sources whose file exists are not analysed again. Returns how many sources and notes there are.
    Raises UserError for a missing soundfont, FluidSynth or espeak-ng.
    """
    folder.mkdir(parents=True, exist_ok=True)
    sources = catalogue(seed, soundfonts)
    todo = [(i, seed, soundfonts, folder) for i in range(len(sources)) if not _file(folder, sources[i].name).exists()]
    total, kept = 0, 0
    analysed = in_processes([partial(_analyse_source, job) for job in todo], jobs)
    for done, (name, good, played) in enumerate(analysed, 1):
        total, kept = total + played, kept + good
        progress(done, len(todo), f"{name}: {good} of {played} notes")
    listing = [
        {"name": source.name, "family": source.family, "split": source.split}
        for source in sources
        if _file(folder, source.name).exists()
    ]
    (folder / "corpus.json").write_text(json.dumps({"seed": seed, "sources": listing}, indent=1))
    return {"sources": len(listing), "notes": kept, "notes_seen": total}


@dataclass(frozen=True)
class Corpus:
    """The N notes of one split.

    arrays    as `note_arrays` makes them, stacked, and "midi" and "velocity"
    source    (N,) the index of each note's source in `names` and `families`
    """

    arrays: dict[str, NDArray[Any]]
    source: NDArray[np.int64]
    names: list[str]
    families: list[str]

    def __len__(self) -> int:
        return len(self.source)


def load(folder: Path, splits: tuple[str, ...]) -> Corpus:
    """Read the notes of `splits`: "train", "validation" or "test". Raises UserError where `folder` holds no corpus."""
    index = folder / "corpus.json"
    if not index.exists():
        raise UserError("holds no corpus.json; make the corpus first, with make-wavetable corpus", path=folder)
    listing = [entry for entry in json.loads(index.read_text())["sources"] if entry["split"] in splits]
    parts = []
    for entry in listing:
        with np.load(_file(folder, entry["name"])) as data:
            parts.append({name: data[name] for name in data.files})
    return Corpus(
        {name: np.concatenate([part[name] for part in parts]) for name in parts[0]},
        np.concatenate([np.full(len(part["f0"]), i) for i, part in enumerate(parts)]),
        [entry["name"] for entry in listing],
        [entry["family"] for entry in listing],
    )
