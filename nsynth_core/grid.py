"""A grid: the blends of two or four corner instruments over pitch x mix."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from nsynth_core import synthesis
from nsynth_core.audio import Floats, Sound
from nsynth_core.blend import Instrument, align, corner_weights, path_features, steady_moment, within_full_scale
from nsynth_core.embedding import Embedding, mix
from nsynth_core.engine import Engine
from nsynth_core.notes import midi_to_hz


@dataclass(frozen=True)
class GridSpec:
    """`mixes` points a side (two corners: one row), MIDI `pitches`, notes of `seconds` at `rate` Hz."""

    mixes: int
    pitches: tuple[float, ...]
    seconds: float = 4.0
    rate: int = 48_000
    weights: str = "bilinear"
    frames: int = 64
    detail: float = 1.0

    def points(self, corners: int) -> list[tuple[float, float]]:
        """(x, y) of every mix, row by row, x fastest."""
        line = np.linspace(0, 1, self.mixes)
        return [(float(x), float(y)) for y in (line if corners == 4 else [0.0]) for x in line]


@dataclass(frozen=True)
class GridPitch:
    """One pitch of a grid. `note(x, y)` renders a mix; `table(y)` gives the frames (n, 2048) that walk row y from left
    to right."""

    pitch: float
    note: Callable[[float, float], Sound]
    table: Callable[[float], Floats]


def render(spec: GridSpec, instruments: Sequence[Instrument], engine: Engine) -> Iterator[GridPitch]:
    """The grid pitch by pitch. Notes and tables are made when they are asked for; safe to ask from several threads."""
    for pitch in spec.pitches:
        embeddings, f0 = align(instruments, pitch, spec.seconds)
        moments = [steady_moment(embedding) for embedding in embeddings]
        yield GridPitch(pitch, _noter(spec, embeddings, f0, engine), _tabler(spec, moments, pitch, engine))


def _noter(spec: GridSpec, embeddings: list[Embedding], f0: Floats, engine: Engine) -> Callable[[float, float], Sound]:
    def note(x: float, y: float) -> Sound:
        blended = mix(embeddings, list(corner_weights(x, y, len(embeddings), spec.weights)))
        return within_full_scale(synthesis.render(engine.decode(blended, f0, spec.detail), spec.rate))

    return note


def _tabler(spec: GridSpec, moments: list[Embedding], pitch: float, engine: Engine) -> Callable[[float], Floats]:
    def table(y: float) -> Floats:
        path = np.stack([corner_weights(x, y, len(moments), spec.weights) for x in np.linspace(0, 1, spec.frames)])
        return synthesis.cycles(path_features(engine, moments, path, midi_to_hz(pitch), spec.detail, even=True))

    return table
