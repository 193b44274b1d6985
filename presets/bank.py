"""The bank of built-in instruments: embeddings at keys half an octave apart, in one file of a few megabytes."""

from __future__ import annotations

import zipfile
from collections.abc import Callable
from functools import cache, lru_cache
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from nsynth_core.audio import Floats
from nsynth_core.blending.coder import Coder
from nsynth_core.blending.embedding import Embedding, Part, stretch, timing
from nsynth_core.errors import UserError
from nsynth_core.files import atomic
from nsynth_core.notes import midi_to_hz
from nsynth_core.sound.features import NOISE_BANDS

if TYPE_CHECKING:
    from nsynth_core.blending.instrument import Instrument

KEYS = tuple(range(24, 97, 6))
FRAMES = 401
HELD_SECONDS, VELOCITY = 3.3, 96
LEVEL_DB = -20.0  # of every note's loudest frame
LEVEL_STEP_DB = 0.4
RESIDUAL_STEP_DB = 0.5
FINE = 30  # pans and correlations are kept in steps of RESIDUAL_STEP_DB / FINE
# the partials whose residual is kept, and between which it is interpolated; the last is the lowest key's highest
NUMBERS = np.concatenate([np.arange(1, 65), np.rint(np.geomspace(68, 612, 32)).astype(int)])
# where codes are kept: every frame while a note speaks, every fifth after
KNOTS = np.concatenate([np.arange(0, 30), np.arange(30, FRAMES + 4, 5)]).clip(max=FRAMES - 1)


def path() -> Path:
    """Where the shipped bank is."""
    return Path(str(resources.files("presets") / "bank" / "bank.npz"))


@lru_cache(maxsize=1)
def _bank() -> dict[str, NDArray[Any]]:
    try:
        with np.load(path(), allow_pickle=False) as data:
            return {name: data[name] for name in data.files}
    except (OSError, ValueError, KeyError, zipfile.BadZipFile) as error:
        raise UserError(
            f"{path()}: the bank of instruments cannot be read ({error}); install make-wavetable again"
        ) from error


def load_instrument(name: str, coder: Coder) -> Instrument:
    """The built-in instrument `name`, an entry of instruments.toml, for any coder.

    The bank holds the harmonic coder's codes; another coder is given what that one decodes from them.
    """
    from nsynth_core.blending.coder import load_coder
    from nsynth_core.blending.instrument import Instrument

    harmonic = load_coder("harmonic")
    bank = _bank()
    if str(bank["weights"]) != harmonic.version:
        raise UserError(f"{path()}: made for other weights ({bank['weights']}, not {harmonic.version}); install again")
    row = list(bank["names"]).index(name)
    present = np.flatnonzero(bank["present"][row])

    @cache
    def load(i: int) -> Embedding:
        embedding = _embedding(bank, row, int(present[i]))
        if coder.name == harmonic.name:
            return embedding
        return coder.encode(harmonic.decode(embedding, embedding.f0_hz))

    return Instrument(name, tuple(float(KEYS[i]) for i in present), load)


def _embedding(bank: dict[str, NDArray[Any]], row: int, key: int) -> Embedding:
    frames = np.arange(FRAMES)
    codes = bank["codes"][row, key].astype(np.float32) * bank["scale"]
    z = np.stack([np.interp(frames, KNOTS, column) for column in codes.T], axis=1).astype(np.float32)
    level = (LEVEL_DB - bank["level"][row, key].astype(np.float32) * LEVEL_STEP_DB).astype(np.float32)
    f0 = np.full(FRAMES, midi_to_hz(KEYS[key]), dtype=np.float32)
    residual = bank["residual"][row, key].astype(np.float32) * RESIDUAL_STEP_DB
    fields = np.split(residual, np.cumsum([len(NUMBERS), NOISE_BANDS, NOISE_BANDS]))
    fields[0] = np.interp(np.arange(1, NUMBERS[-1] + 1), NUMBERS, fields[0]).astype(np.float32)
    fields[2:] = [field / FINE for field in fields[2:]]
    part = Part(np.ones(FRAMES, dtype=np.float32), z, f0, *(np.broadcast_to(x, (FRAMES, len(x))) for x in fields))
    return Embedding(z, f0, level, *timing(level), (part,))


def build(
    target: Path,
    coder: Coder,
    seed: int,
    soundfonts: Path | None,
    progress: Callable[[int, int, str], None],
    force: bool = False,
) -> None:
    """Render every instrument of instruments.toml at KEYS, encode it, and write the bank to `target`.

    What the network misses is kept as its mean over the loud frames: the colour of an instrument, not its motion.
    """
    from nsynth_core.pitch import follow
    from nsynth_core.sound.analysis import analyse
    from nsynth_core.training.sources import catalogue
    from presets.builtin import instruments

    sources = {source.name: source for source in catalogue(seed, soundfonts)}
    entries = instruments()
    dims = 0
    codes: dict[tuple[int, int], Floats] = {}
    shape = (len(entries), len(KEYS))
    present = np.zeros(shape, dtype=bool)
    level = np.zeros((*shape, FRAMES), dtype=np.uint8)
    residual = np.zeros((*shape, len(NUMBERS) + 3 * NOISE_BANDS), dtype=np.int8)
    for row, entry in enumerate(entries):
        source = sources[entry.source]
        for key, midi in enumerate(KEYS):
            if not source.low <= midi <= source.high:
                continue
            sound = source.render(midi, VELOCITY, 48_000, HELD_SECONDS)
            if float(np.abs(sound.samples).max()) < 1e-3:
                continue
            embedding = _whole(coder.encode(analyse(sound, follow(sound, midi, cents=80))))
            codes[row, key] = embedding.z[KNOTS]
            dims = embedding.z.shape[1]
            present[row, key] = True
            level[row, key] = np.clip(np.rint(-embedding.below_peak / LEVEL_STEP_DB), 0, 255)
            residual[row, key] = _colour(embedding)
        progress(row + 1, len(entries), entry.name)
    scale = np.max([np.abs(z).max(0) for z in codes.values()], axis=0) / 127
    quantised = np.zeros((*shape, len(KNOTS), dims), dtype=np.int8)
    for place, z in codes.items():
        quantised[place] = np.rint(z / scale)
    with atomic(target, force) as temporary, temporary.open("wb") as file:
        np.savez_compressed(
            file,
            names=np.asarray([entry.name for entry in entries]),
            weights=np.asarray(coder.version),
            codes=quantised,
            scale=scale.astype(np.float32),
            level=level,
            residual=residual,
            present=present,
        )


def _whole(embedding: Embedding) -> Embedding:
    return embedding if embedding.frames == FRAMES else stretch(embedding, FRAMES)


def _colour(embedding: Embedding) -> NDArray[np.int8]:
    """The mean residual of the loud frames, quantised."""
    part = embedding.parts[0]
    weight = np.where(embedding.below_peak > -20, 10 ** (embedding.below_peak / 20), 0)
    weight /= weight.sum()
    partials, *rest = (weight @ x for x in (part.partials, part.noise, part.pan * FINE, part.correlation * FINE))
    partials = np.pad(partials, (0, max(0, NUMBERS[-1] - len(partials))), mode="edge")
    # each kept number stands for those up to halfway to its neighbours
    edges = np.concatenate([[0], (NUMBERS[:-1] + NUMBERS[1:]) // 2])
    kept = np.add.reduceat(partials[: NUMBERS[-1]], edges) / np.diff(edges, append=NUMBERS[-1])
    return np.asarray(np.clip(np.rint(np.concatenate([kept, *rest]) / RESIDUAL_STEP_DB), -127, 127), dtype=np.int8)
