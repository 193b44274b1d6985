"""The weights of sounds in a blend: along a line, in a square, and between the points of a path."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from nsynth_core.audio import Floats


def line_weights(mixes: Sequence[float] | NDArray[np.float64]) -> Floats:
    """The weights of two sounds, float32 (n, 2). mixes: (n,), 0 is the first sound and 1 the second.

    >>> line_weights([0, 0.25]).tolist()
    [[1.0, 0.0], [0.75, 0.25]]
    """
    m = np.asarray(mixes, dtype=np.float32)
    return np.stack([1 - m, m], axis=1)


def side(corners: int) -> int:
    """The number of sounds on a side of the square that `corners` sounds form. Two sounds form a line.

    >>> side(2), side(4), side(9)
    (2, 2, 3)
    """
    return 2 if corners == 2 else math.isqrt(corners)


def corner_weights(x: float, y: float, corners: int = 4, rule: str = "bilinear") -> Floats:
    """The weights of the sounds around a point, float32 (corners,), sum 1.

    x, y: 0..1, from left to right and from top to bottom
    corners: 2 (left, right), or a square number of sounds, row by row. Four: top left, top right, bottom left, bottom
        right
    rule: "bilinear", or "nsynth": max(0, 1 - distance to the sound), renormalised, as magenta-demos weighs its grids.
        The distance between neighbours is 1.

    >>> corner_weights(0.25, 0).tolist()
    [0.75, 0.25, 0.0, 0.0]
    """
    last = side(corners) - 1
    places = np.asarray([(i % (last + 1), i // (last + 1)) for i in range(corners)], dtype=np.float64)
    away = np.abs(places - (x * last, y * last if corners > 2 else 0.0))
    weights = np.maximum(0, 1 - np.hypot(*away.T)) if rule == "nsynth" else np.maximum(0, 1 - away).prod(1)
    return np.asarray(weights / weights.sum(), dtype=np.float32)


def read_path(path: Floats, place: NDArray[np.float64]) -> Floats:
    """The weights at fractional rows of a path, linearly interpolated: float32 (len(place), n).

    path: (rows, n)
    place: (m,), 0..rows - 1

    >>> read_path(line_weights([0, 1]), np.asarray([0.5])).tolist()
    [[0.5, 0.5]]
    """
    index = np.arange(len(path))
    return np.stack([np.interp(place, index, column) for column in path.T], axis=1).astype(np.float32)
