"""The sweeps of a pack: the sounds between which they walk, and their frames and notes by any engine."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from nsynth_core import audio, cache
from nsynth_core.audio import Floats, Sound
from nsynth_core.blending import embedding, instrument
from nsynth_core.blending.coder import Coder, load_coder
from nsynth_core.blending.engine import Engine, Row, Watch
from nsynth_core.blending.instrument import Instrument
from nsynth_core.blending.weights import corner_weights
from nsynth_core.errors import UserError
from nsynth_core.files import sha256
from nsynth_core.notes import hz_to_midi, note_name
from nsynth_core.wavenet import embeddings
from wavetables import loudness
from wavetables.caching import digest
from wavetables.engines import load_engine
from wavetables.packs.plan import Corner, Pack, Sweep

MIXES = 9  # that an engine decodes which cuts frames from notes; the frames between them are crossfaded


def frames(pack: Pack, source: Sweep, count: int, watch: Watch) -> tuple[Floats, dict[str, str]]:
    """The sweep's frames, float32 (count, 2048), before they are shaped, and their provenance."""
    engine = _engine(pack, source)
    mixes, path = (walk(source, np.linspace(0, 1, steps)) for steps in (MIXES, count))
    (blend,) = engine.blend([Row(_instruments(source, engine), source.pitch, mixes, path)], mono=True, watch=watch)
    provenance = {
        "sounds": " ".join(corner.name for corner in source.corners),
        "mix": ",".join(f"{a:g}:{b:g}" for a, b in zip(source.start, source.end, strict=True)),
        "pitch": note_name(source.pitch),
        "engine": f"{engine.name} {engine.version}",
        **engine.facts,
    }
    return blend.walk(False)[0], provenance


def notes(pack: Pack, source: Sweep, weights: Floats, watch: Watch) -> Iterator[Sound]:
    """A note of the sweep for each row of `weights` (n, corners), one after another."""
    engine = _engine(pack, source)
    row = Row(_instruments(source, engine), source.pitch, weights)
    (blend,) = engine.blend([row], rate=loudness.RATE, watch=watch)
    return (instrument.within_full_scale(note()) for note in blend.notes)


def _instruments(source: Sweep, engine: Engine) -> tuple[Instrument, ...]:
    return tuple(_loaded(corner, engine.coder.name, state(corner.files)) for corner in source.corners)


def state(files: tuple[Path, ...]) -> tuple[tuple[int, int], ...]:
    """(time of the last change, bytes) of each file: it changes when a file does. Raises UserError: a file is gone."""
    try:
        return tuple((path.stat().st_mtime_ns, path.stat().st_size) for path in files)
    except OSError as error:
        raise UserError(f"{error.strerror}; it was there when the pack was planned", path=error.filename) from error


@lru_cache(maxsize=16)  # a worker needs the same corners for many tables
def _loaded(corner: Corner, coder: str, state: object) -> Instrument:
    return corner.load(load_coder(coder))


def load_sound(path: Path, pitch: float | None, coder: Coder) -> Instrument:
    """The instrument in a sound file, in a folder of NAME_PITCH files, or in a file of NSynth's encodings.

    pitch: MIDI number, None where it is to be found
    The embedding of a sound file comes from the cache where it is known. Raises UserError.
    """
    if embeddings.is_coded(path):
        return embeddings.load_instrument(path, None, pitch)
    if path.is_dir():
        return instrument.load_instrument(path, coder)
    name = digest("embedding", sha256(path), pitch, coder.name, coder.version)
    code = cache.remember(
        name,
        lambda: instrument.load_instrument(path, coder, pitch).load(0),
        lambda to, value: embedding.save(to, value, True),
        embedding.load,
    )
    midi = hz_to_midi(float(np.median(code.f0_hz)))
    return Instrument(path.stem, (midi,), lambda _: code, moving=True, recording=lambda _: audio.read(path))


def _engine(pack: Pack, source: Sweep) -> Engine:
    return load_engine(pack.engine, source.knobs, pack.nsynth)


def engine_version(pack: Pack) -> str:
    """A hash of what decides the sound of the pack's sweeps: the engine and its weights. Raises UserError: NSynth's
    checkpoint is missing or damaged."""
    engine = load_engine(pack.engine, nsynth=pack.nsynth)
    return digest(engine.coder.version, engine.version, engine.facts)


def walk(source: Sweep, places: NDArray[np.float64]) -> Floats:
    """The weights of the corners, float32 (n, corners), at `places` (n,), 0..1, along the sweep.

    >>> from functools import partial
    >>> import presets
    >>> corners = tuple(Corner(name, partial(presets.load_instrument, name)) for name in ("flute", "choir"))
    >>> walk(Sweep(corners, 48.0), np.array([0.0, 0.25, 1.0])).tolist()
    [[1.0, 0.0], [0.75, 0.25], [0.0, 1.0]]
    """
    points = places[:, None] * np.subtract(source.end, source.start) + source.start
    count = len(source.corners)
    return np.stack([corner_weights(float(x), float(y), count, source.rule) for x, y in points])
