"""What a pack's sweeps are made of: the sounds they go between, and their frames and notes by any engine."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from nsynth_core import audio, blend, cache, embedding
from nsynth_core.audio import Floats, Sound
from nsynth_core.coder import Coder, load_coder
from nsynth_core.errors import UserError
from nsynth_core.notes import hz_to_midi, note_name
from nsynth_core.wavenet import embeddings
from wavetables.packs import loudness
from wavetables.packs.plan import Corner, Pack, Sweep
from wavetables.slicing import table_frames

if TYPE_CHECKING:
    from nsynth_core.wavenet.engine import NSynth

MIXES = 9  # of a sweep that NSynth decodes, a quarter of a second each; between them frames are crossfaded


def frames(pack: Pack, source: Sweep, count: int, engine: Coder) -> tuple[Floats, dict[str, str]]:
    """The sweep's frames (count, 2048) before they are shaped, and what is told of them."""
    instruments = _instruments(source, engine)
    drawn: dict[str, str] = {}
    if pack.nsynth is not None:
        cycles, drawn = _drawn(pack.nsynth.load(), source, instruments, count)
    else:
        weights = walk(source, np.linspace(0, 1, count))
        cycles = blend.blend_frames(engine, instruments, weights, pitch=source.pitch, knobs=source.knobs, even=True)
    told = {
        "sounds": " ".join(corner.name for corner in source.corners),
        "mix": ",".join(f"{a:g}:{b:g}" for a, b in zip(source.start, source.end, strict=True)),
        "pitch": note_name(source.pitch),
        "engine": f"{pack.engine} {pack.nsynth.load().version if pack.nsynth else engine.version}",
        **drawn,
    }
    return cycles, told


def _drawn(
    coder: NSynth, source: Sweep, instruments: list[blend.Instrument], count: int
) -> tuple[Floats, dict[str, str]]:
    """Frames (count, 2048) of a sweep by NSynth, and what is said of it."""
    from nsynth_core.wavenet.engine import settled

    sources = coder.sources(instruments, source.pitch, mono=True)
    moments = [coder.moment(sources, weights) for weights in walk(source, np.linspace(0, 1, MIXES))]
    notes = [settled(made) for made in coder.render(moments, coder.table_rate)]
    return table_frames(notes, source.pitch, False, count), coder.facts


def _instruments(source: Sweep, engine: Coder) -> list[blend.Instrument]:
    return [_loaded(corner, engine.name, state(corner.files)) for corner in source.corners]


def state(files: tuple[Path, ...]) -> tuple[tuple[int, int], ...]:
    """What changes when one of the files does."""
    try:
        return tuple((path.stat().st_mtime_ns, path.stat().st_size) for path in files)
    except OSError as error:
        raise UserError(f"{error.filename}: {error.strerror}; it was there when the pack was planned") from error


@lru_cache(maxsize=16)  # a worker meets the same corners table after table
def _loaded(corner: Corner, engine: str, state: object) -> blend.Instrument:
    return corner.load(load_coder(engine))


def instrument(path: Path, pitch: float | None, engine: Coder) -> blend.Instrument:
    """The instrument in a sound file, its embedding from the cache where it is known; or in a folder of NAME_PITCH
    files; or NSynth's encodings. Raises UserError."""
    if embeddings.is_coded(path):
        return embeddings.load_instrument(path, None, pitch)
    if path.is_dir():
        return blend.load_instrument(path, engine)
    name = cache.digest("embedding", cache.sha256(path), pitch, engine.name, engine.version)
    code = cache.remember(
        name,
        lambda: blend.load_instrument(path, engine, pitch).load(0),
        lambda to, value: embedding.save(to, value, True),
        embedding.load,
    )
    found = hz_to_midi(float(np.median(code.f0_hz)))
    return blend.Instrument(path.stem, (found,), lambda _: code, moving=True, recording=lambda _: audio.read(path))


def engine_of(pack: Pack) -> Coder:
    """The engine that knows the pack's sounds: beside NSynth, which knows encodings, the harmonic one."""
    return load_coder("harmonic" if pack.nsynth else pack.engine)


def engine_version(pack: Pack) -> str:
    """What decides the sound of the pack's sweeps. Raises UserError: NSynth's checkpoint is missing or damaged."""
    if pack.nsynth is None:
        return engine_of(pack).version
    return cache.digest(engine_of(pack).version, pack.nsynth.load().facts)


def walk(source: Sweep, places: NDArray[np.float64]) -> Floats:
    """Weights (n, corners) at `places` (n,), each 0..1, of its way."""
    walk = places[:, None] * np.subtract(source.end, source.start) + source.start
    return np.stack([blend.corner_weights(float(x), float(y), len(source.corners), source.rule) for x, y in walk])


def notes(pack: Pack, source: Sweep, weights: Floats, engine: Coder) -> Iterable[Sound]:
    """The sweep's notes with `weights` (n, corners), those of NSynth decoded together."""
    instruments = _instruments(source, engine)
    if pack.nsynth is None:
        return (blend.blend_note(engine, instruments, row, pitch=source.pitch, knobs=source.knobs) for row in weights)
    coder = pack.nsynth.load()
    sources = coder.sources(instruments, source.pitch)
    drawn = coder.render([coder.note(sources, row) for row in weights], loudness.RATE)
    return map(blend.within_full_scale, drawn)
