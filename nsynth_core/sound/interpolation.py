"""Reading samples between samples."""

from __future__ import annotations

from typing import Any

from nsynth_core.audio import Floats


def lagrange(x: Floats) -> tuple[Any, Any, Any, Any]:
    """Weights of the four samples around a place for cubic interpolation (Lagrange).

    x: how far the place lies behind the second of the four samples, 0..1, any shape
    Returns four arrays of that shape.

    >>> import numpy as np
    >>> [float(weight[0]) for weight in lagrange(np.float32([0.5]))]
    [-0.0625, 0.5625, 0.5625, -0.0625]
    """
    return (
        -x * (x - 1) * (x - 2) / 6,
        (x + 1) * (x - 1) * (x - 2) / 2,
        -(x + 1) * x * (x - 2) / 2,
        (x + 1) * x * (x - 1) / 6,
    )
