"""What a pack's sweeps are made of: the sounds they go between, and their frames and notes by any engine."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from nsynth_core import audio, cache
from nsynth_core.audio import Floats, Sound
from nsynth_core.blending import embedding
from nsynth_core.blending import instrument as blend
from nsynth_core.blending.coder import Coder, load_coder
from nsynth_core.blending.engine import Engine, Row, Watch
from nsynth_core.errors import UserError
from nsynth_core.files import sha256
from nsynth_core.notes import hz_to_midi, note_name
from nsynth_core.wavenet import embeddings
from wavetables import loudness
from wavetables.engines import load_engine
from wavetables.packs.plan import Corner, Pack, Sweep

MIXES = 9  # that an engine decodes which cuts frames from notes; between them frames are crossfaded


def frames(pack: Pack, source: Sweep, count: int, watch: Watch) -> tuple[Floats, dict[str, str]]:
    """The sweep's frames (count, 2048) before they are shaped, and what is told of them."""
    engine = _engine(pack, source)
    mixes, path = (walk(source, np.linspace(0, 1, steps)) for steps in (MIXES, count))
    (made,) = engine.blend([Row(_instruments(source, engine), source.pitch, mixes, path)], mono=True, watch=watch)
    told = {
        "sounds": " ".join(corner.name for corner in source.corners),
        "mix": ",".join(f"{a:g}:{b:g}" for a, b in zip(source.start, source.end, strict=True)),
        "pitch": note_name(source.pitch),
        "engine": f"{engine.name} {engine.version}",
        **engine.facts,
    }
    return made.walk(False)[0], told


def notes(pack: Pack, source: Sweep, weights: Floats, watch: Watch) -> Iterator[Sound]:
    """The sweep's notes with `weights` (n, corners)."""
    engine = _engine(pack, source)
    row = Row(_instruments(source, engine), source.pitch, weights)
    (made,) = engine.blend([row], rate=loudness.RATE, watch=watch)
    return (blend.within_full_scale(note()) for note in made.notes)


def _instruments(source: Sweep, engine: Engine) -> tuple[blend.Instrument, ...]:
    return tuple(_loaded(corner, engine.coder.name, state(corner.files)) for corner in source.corners)


def state(files: tuple[Path, ...]) -> tuple[tuple[int, int], ...]:
    """What changes when one of the files does."""
    try:
        return tuple((path.stat().st_mtime_ns, path.stat().st_size) for path in files)
    except OSError as error:
        raise UserError(f"{error.filename}: {error.strerror}; it was there when the pack was planned") from error


@lru_cache(maxsize=16)  # a worker meets the same corners table after table
def _loaded(corner: Corner, coder: str, state: object) -> blend.Instrument:
    return corner.load(load_coder(coder))


def instrument(path: Path, pitch: float | None, coder: Coder) -> blend.Instrument:
    """The instrument in a sound file, its embedding from the cache where it is known; or in a folder of NAME_PITCH
    files; or NSynth's encodings. Raises UserError."""
    if embeddings.is_coded(path):
        return embeddings.load_instrument(path, None, pitch)
    if path.is_dir():
        return blend.load_instrument(path, coder)
    name = cache.digest("embedding", sha256(path), pitch, coder.name, coder.version)
    code = cache.remember(
        name,
        lambda: blend.load_instrument(path, coder, pitch).load(0),
        lambda to, value: embedding.save(to, value, True),
        embedding.load,
    )
    found = hz_to_midi(float(np.median(code.f0_hz)))
    return blend.Instrument(path.stem, (found,), lambda _: code, moving=True, recording=lambda _: audio.read(path))


def _engine(pack: Pack, source: Sweep) -> Engine:
    return load_engine(pack.engine, source.knobs, pack.nsynth)


def engine_version(pack: Pack) -> str:
    """What decides the sound of the pack's sweeps. Raises UserError: NSynth's checkpoint is missing or damaged."""
    engine = load_engine(pack.engine, nsynth=pack.nsynth)
    return cache.digest(engine.coder.version, engine.version, engine.facts)


def walk(source: Sweep, places: NDArray[np.float64]) -> Floats:
    """Weights (n, corners) at `places` (n,), each 0..1, of its way."""
    walk = places[:, None] * np.subtract(source.end, source.start) + source.start
    return np.stack([blend.corner_weights(float(x), float(y), len(source.corners), source.rule) for x, y in walk])
