"""A grid: the blends of two or four corner instruments over pitch x mix."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from nsynth_core import synthesis
from nsynth_core.audio import Floats, Sound
from nsynth_core.blend import (
    AS_IT_IS,
    Instrument,
    align,
    blended,
    corner_weights,
    path_features,
    side,
    steady_moment,
    within_full_scale,
)
from nsynth_core.coder import Coder
from nsynth_core.embedding import Embedding
from nsynth_core.features import Features
from nsynth_core.knobs import Knobs
from nsynth_core.notes import midi_to_hz


@dataclass(frozen=True)
class GridSpec:
    """`mixes` points from one sound to the next, MIDI `pitches`, `seconds` and `rate` of notes, `frames` of tables."""

    mixes: int
    pitches: tuple[float, ...]
    seconds: float = 4.0
    rate: int = 48_000
    weights: str = "bilinear"
    frames: int = 64
    knobs: Knobs = AS_IT_IS

    def side(self, corners: int) -> int:
        """Points a side between two corners, or a square of n x n: the sounds lie on points."""
        return (self.mixes - 1) * (side(corners) - 1) + 1

    def points(self, corners: int) -> list[tuple[float, float]]:
        """(x, y) of every mix, row by row, x fastest; two corners make one row."""
        line = np.linspace(0, 1, self.side(corners))
        return [(float(x), float(y)) for y in (line if corners > 2 else [0.0]) for x in line]


@dataclass(frozen=True)
class GridPitch:
    """One pitch of a grid. `note(x, y)` renders a mix; `features(y)` are the frames of the table that walks row y from
    left to right, for `synthesis.cycles` or `stereo_cycles`."""

    pitch: float
    note: Callable[[float, float], Sound]
    features: Callable[[float], Features]

    def table(self, y: float) -> Floats:
        """The single cycles (n, 2048) of row y."""
        return synthesis.cycles(self.features(y))


def render(spec: GridSpec, instruments: Sequence[Instrument], engine: Coder) -> Iterator[GridPitch]:
    """The grid pitch by pitch. Notes and tables are made when they are asked for; safe to ask from several threads."""
    for pitch in spec.pitches:
        embeddings, f0 = align(instruments, pitch, spec.seconds)
        moments = [steady_moment(embedding) for embedding in embeddings]
        yield GridPitch(pitch, _noter(spec, embeddings, f0, engine), _tabler(spec, moments, pitch, engine))


def _noter(spec: GridSpec, embeddings: list[Embedding], f0: Floats, engine: Coder) -> Callable[[float, float], Sound]:
    def note(x: float, y: float) -> Sound:
        weights = corner_weights(x, y, len(embeddings), spec.weights)
        return within_full_scale(synthesis.render(blended(engine, embeddings, weights, f0, spec.knobs), spec.rate))

    return note


def _tabler(spec: GridSpec, moments: list[Embedding], pitch: float, engine: Coder) -> Callable[[float], Features]:
    def features(y: float) -> Features:
        path = np.stack([corner_weights(x, y, len(moments), spec.weights) for x in np.linspace(0, 1, spec.frames)])
        return path_features(engine, moments, path, midi_to_hz(pitch), spec.knobs, even=True)

    return features
