"""The spectral envelope of a frame: the level of its partials at fixed frequencies, independent of its pitch."""

from __future__ import annotations

import numpy as np

from nsynth_core.audio import Floats
from nsynth_core.sound.features import TOP_ERB, erb_to_hz, hz_to_erb

ENVELOPE_POINTS = 64
FLOOR = -80.0  # dB under the frame's total level


def envelope_hz() -> Floats:
    """The frequencies of the spectral envelope, float32 (ENVELOPE_POINTS,): even steps in ERB from 40 to 20,000 Hz."""
    low, high = hz_to_erb(np.float32(40.0)), TOP_ERB
    return erb_to_hz(np.linspace(low, high, ENVELOPE_POINTS)).astype(np.float32)


def relative(db: Floats, level: Floats) -> Floats:
    """Levels `db` (T, K) relative to the `level` of their frame (T,), FLOOR or more, float32.

    >>> relative(np.float32([[-20, -200]]), np.float32([-10])).tolist()
    [[-10.0, -80.0]]
    """
    return np.asarray(np.maximum(db - level[:, None], FLOOR), dtype=np.float32)


def envelope(partials: Floats, f0: Floats) -> Floats:
    """The mean level around each point of the envelope, float32 (T, ENVELOPE_POINTS).

    partials: (T, K) dB
    f0: (T,) Hz
    It is the integral of the polyline through the partials: an average where they are denser than the points, an
    interpolation where they are sparser.

    >>> envelope(np.full((1, 100), -20, np.float32), np.float32([220]))[0, :3].round().tolist()
    [-20.0, -20.0, -20.0]
    """
    frames, count = partials.shape
    nodes = np.concatenate([partials[:, :1], partials, np.full((frames, 1), FLOOR, dtype=np.float32)], axis=1)
    integral = np.zeros((frames, count + 2))
    np.cumsum((nodes[:, 1:] + nodes[:, :-1]) / 2, axis=1, out=integral[:, 1:])
    points = hz_to_erb(envelope_hz())
    half = (points[1] - points[0]) / 2
    edges = erb_to_hz(np.concatenate([points - half, points[-1:] + half])).astype(np.float32)
    x = edges / f0[:, None]
    i = np.minimum(x.astype(np.int64), count)
    share = np.minimum(x - i, 1.0)
    beyond = np.maximum(x - (count + 1), 0.0)
    at, after = (np.take_along_axis(nodes, i + k, 1) for k in (0, 1))
    value = np.take_along_axis(integral, i, 1) + share * at + share**2 / 2 * (after - at) + beyond * FLOOR
    return np.asarray(np.diff(value, axis=1) / np.diff(x, axis=1), dtype=np.float32)
