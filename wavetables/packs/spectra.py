"""What a table sounds like in a few bytes: near-duplicates in a pack, and words for its sound."""

from __future__ import annotations

from base64 import b64decode, b64encode
from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from nsynth_core.audio import Floats

POSITIONS, HARMONICS = 8, 48
RANGE_DB, STEP_DB = 60.0, 0.25
NEAR_DB = 1.5  # about what listeners tell apart in the spectrum of a steady tone
ROWS = 256  # compared at once


def fingerprint(frames: Floats) -> str:
    """Levels of the first 48 harmonics at 8 positions along a table (n, 2048), in quarters of a dB below the table's
    strongest, 60 dB deep; as text. Phase, level and number of frames do not matter."""
    level = np.abs(np.fft.rfft(_some(frames)))[:, 1 : HARMONICS + 1]
    below = -20 * np.log10(level / max(float(level.max()), 1e-30) + 1e-9)
    steps = np.clip(np.rint(below / STEP_DB), 0, RANGE_DB / STEP_DB)
    return b64encode(steps.astype(np.uint8).tobytes()).decode()


def _some(frames: Floats) -> NDArray[np.float64]:
    at = np.round(np.linspace(0, len(frames) - 1, POSITIONS)).astype(np.int64)
    return frames[at].astype(np.float64)


def levels(text: str) -> Floats:
    """(8, 48) dB, 0..-60, of a fingerprint."""
    steps = np.frombuffer(b64decode(text), dtype=np.uint8).reshape(POSITIONS, HARMONICS)
    return np.asarray(-STEP_DB * steps, dtype=np.float32)


def duplicates(fingerprints: Sequence[str]) -> Iterator[tuple[int, int, float]]:
    """(first, second, distance in dB) of every pair that sounds alike: root mean square difference over the harmonics
    that either has within 60 dB of its table's strongest, below NEAR_DB."""
    if len(fingerprints) < 2:
        return
    rows = np.stack([levels(text).ravel() for text in fingerprints])
    square = (rows.astype(np.float64) ** 2).sum(1)
    used = (rows > -RANGE_DB).astype(np.float32)
    for start in range(0, len(rows), ROWS):
        part, mine = rows[start : start + ROWS], used[start : start + ROWS]
        # what both have at the floor differs by nothing, so only the count needs the mask
        error = square[start : start + ROWS, None] + square - 2 * part.astype(np.float64) @ rows.T
        count = mine.sum(1)[:, None] + used.sum(1) - mine @ used.T
        distance = np.sqrt(np.maximum(error, 0) / np.maximum(count, 1))
        for i, j in zip(*np.nonzero(distance < NEAR_DB), strict=True):
            if start + i < j:
                yield int(start + i), int(j), float(distance[i, j])


def words(frames: Floats, spectrum: str) -> tuple[str, ...]:
    """Words for the sound of a table with the fingerprint `spectrum`: how bright, how even its harmonics, whether it
    moves."""
    power = np.abs(np.fft.rfft(_some(frames)))[:, 1:] ** 2
    total = power.sum(1, keepdims=True) + 1e-30
    share: NDArray[np.float64] = (power / total).mean(0)
    number = np.arange(1, len(share) + 1)
    centroid = float(2 ** (share @ np.log2(number)))
    found = ["dark" if centroid < 2 else "bright" if centroid > 6 else "warm"]
    if share[0] > 0.9:
        found.append("pure")
    elif share[::2].sum() > 0.97:
        found.append("hollow")
    elif share[0] < 0.05:
        found.append("thin")
    shape = levels(spectrum)
    moves = float(np.sqrt((np.diff(shape, axis=0) ** 2).mean(1)).sum())
    found.append("moving" if moves > 12 else "steady" if moves < 3 else "evolving")
    return tuple(found)
