"""--mix: where between the sounds; a point gives a note, a walk gives the frames of a table."""

from __future__ import annotations

import math

from nsynth_core.errors import UsageError

MAX_POINTS = 256  # a table has at most so many frames
DEFAULT_POINTS = 64

Point = tuple[float, float]  # (x, y): x from left to right sound, y from the upper to the lower pair


def points(text: str | None, sounds: int, frames: int | None, walk: bool, morph: bool = False) -> list[Point]:
    """The mix points that --mix, --frames, --table and --morph ask for; more than one of them is a walk.

    `text` is X or, between more than two sounds, X,Y; each is a number 0..1 or FROM:TO or FROM:TO:COUNT. Without it a
    note is halfway, and a `walk` (a table's frames, a note that morphs) is x from 0 to 1. Raises UsageError.
    """
    if text is None:
        text = "0:1" if walk or frames is not None else "0.5"
    parts = text.split(",")
    if len(parts) > (1 if sounds <= 2 else 2):
        takes = "one number or range between two sounds" if sounds <= 2 else "X or X,Y"
        raise UsageError(f"--mix {text}: give {takes}")
    walks = [_axis(part, text) for part in parts]
    if len(walks) == 1:
        walks.append((0.0, 0.0, None) if sounds <= 2 else (0.5, 0.5, None))
    counts = {count for _, _, count in walks if count is not None} | ({frames} if frames is not None else set())
    if len(counts) > 1:
        raise UsageError(f"--mix {text}: two different numbers of frames ({', '.join(map(str, sorted(counts)))})")
    moves = any(start != end for start, end, _ in walks) or any(count is not None for _, _, count in walks)
    if morph and any(count is not None for _, _, count in walks):
        raise UsageError(f"--mix {text}: a note has no frames to count; with --morph write FROM:TO")
    if morph and not moves:
        raise UsageError(f"--morph needs a --mix that moves, such as 0:1, not {text}")
    if not moves and frames is not None and frames > 1:
        raise UsageError(f"--frames {frames} needs a --mix that moves, such as 0:1")
    total = counts.pop() if counts else DEFAULT_POINTS if moves else 1
    (x0, x1, _), (y0, y1, _) = walks
    steps = [index / max(total - 1, 1) for index in range(total)]
    return [(x0 + (x1 - x0) * step, y0 + (y1 - y0) * step) for step in steps]


def _axis(part: str, text: str) -> tuple[float, float, int | None]:
    """One axis as (from, to, count or None)."""
    pieces = part.split(":")
    try:
        if not 1 <= len(pieces) <= 3:
            raise ValueError
        start, end = float(pieces[0]), float(pieces[1] if len(pieces) > 1 else pieces[0])
        count = int(pieces[2]) if len(pieces) == 3 else None
    except ValueError:
        raise UsageError(f"--mix {text}: write a number (0.3) or a range (0:1 or 0:1:64)") from None
    if not all(math.isfinite(value) and 0 <= value <= 1 for value in (start, end)):
        raise UsageError(f"--mix {text}: a mix is 0..1, 0 is the first sound and 1 the second")
    if count is not None and not 2 <= count <= MAX_POINTS:
        raise UsageError(f"--mix {text}: {count} frames; legal: 2..{MAX_POINTS}")
    return start, end, count
