"""The sound of a table in a few bytes: it finds near-duplicates in a pack, and words for the sound."""

from __future__ import annotations

from base64 import b64decode, b64encode
from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from nsynth_core.audio import Floats

POSITIONS, HARMONICS = 8, 48
RANGE_DB, STEP_DB = 60.0, 0.25
NEAR_DB = 1.5  # about the difference that listeners hear in the spectrum of a steady tone
ROWS = 256  # compared at once


def fingerprint(frames: Floats) -> str:
    """The spectrum of a table as text (base64).

    frames: float32 (n, 2048)
    The text holds the levels of the first 48 harmonics at 8 positions along the table, in quarters of a dB below the
    strongest one, down to -60 dB. It does not depend on phase, level and number of frames.

    >>> sine = np.sin(2 * np.pi * np.arange(2048) / 2048).astype(np.float32)
    >>> fingerprint(sine[None]) == fingerprint(np.roll(0.5 * sine, 100)[None])
    True
    """
    level = np.abs(np.fft.rfft(_at_positions(frames)))[:, 1 : HARMONICS + 1]
    below = -20 * np.log10(level / max(float(level.max()), 1e-30) + 1e-9)
    steps = np.clip(np.rint(below / STEP_DB), 0, RANGE_DB / STEP_DB)
    return b64encode(steps.astype(np.uint8).tobytes()).decode()


def _at_positions(frames: Floats) -> NDArray[np.float64]:
    at = np.round(np.linspace(0, len(frames) - 1, POSITIONS)).astype(np.int64)
    return frames[at].astype(np.float64)


def levels(text: str) -> Floats:
    """The levels in a fingerprint: float32 (8, 48) dB, 0..-60."""
    steps = np.frombuffer(b64decode(text), dtype=np.uint8).reshape(POSITIONS, HARMONICS)
    return np.asarray(-STEP_DB * steps, dtype=np.float32)


def duplicates(fingerprints: Sequence[str]) -> Iterator[tuple[int, int, float]]:
    """(first, second, distance in dB) of every pair of tables that sound alike: the distance is below 1.5 dB.

    The distance is the root mean square difference over the harmonics that either table has within 60 dB of its
    strongest one.

    >>> sine = np.sin(2 * np.pi * np.arange(2048) / 2048).astype(np.float32)
    >>> list(duplicates([fingerprint(sine[None]), fingerprint(0.5 * sine[None])]))
    [(0, 1, 0.0)]
    """
    if len(fingerprints) < 2:
        return
    rows = np.stack([levels(text).ravel() for text in fingerprints])
    square = (rows.astype(np.float64) ** 2).sum(1)
    used = (rows > -RANGE_DB).astype(np.float32)
    for start in range(0, len(rows), ROWS):
        part, mine = rows[start : start + ROWS], used[start : start + ROWS]
        # two harmonics at -60 dB have no difference, so only the count needs the mask
        error = square[start : start + ROWS, None] + square - 2 * part.astype(np.float64) @ rows.T
        count = mine.sum(1)[:, None] + used.sum(1) - mine @ used.T
        distance = np.sqrt(np.maximum(error, 0) / np.maximum(count, 1))
        for i, j in zip(*np.nonzero(distance < NEAR_DB), strict=True):
            if start + i < j:
                yield int(start + i), int(j), float(distance[i, j])


def words(frames: Floats, spectrum: str) -> tuple[str, ...]:
    """Words for the sound of a table: how bright it is, what its harmonics are like, whether it moves.

    frames: float32 (n, 2048)
    spectrum: the fingerprint of the frames

    >>> sine = np.sin(2 * np.pi * np.arange(2048) / 2048).astype(np.float32)
    >>> words(sine[None], fingerprint(sine[None]))
    ('dark', 'pure', 'steady')
    """
    power = np.abs(np.fft.rfft(_at_positions(frames)))[:, 1:] ** 2
    total = power.sum(1, keepdims=True) + 1e-30
    share: NDArray[np.float64] = (power / total).mean(0)
    number = np.arange(1, len(share) + 1)
    centroid = float(2 ** (share @ np.log2(number)))
    chosen = ["dark" if centroid < 2 else "bright" if centroid > 6 else "warm"]
    if share[0] > 0.9:
        chosen.append("pure")
    elif share[::2].sum() > 0.97:
        chosen.append("hollow")
    elif share[0] < 0.05:
        chosen.append("thin")
    shape = levels(spectrum)
    moves = float(np.sqrt((np.diff(shape, axis=0) ** 2).mean(1)).sum())
    chosen.append("moving" if moves > 12 else "steady" if moves < 3 else "evolving")
    return tuple(chosen)
