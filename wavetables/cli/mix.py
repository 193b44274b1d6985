"""--mix: where between the sounds. One place gives a note, a way between two places the frames of a table."""

from __future__ import annotations

import math

from nsynth_core.errors import UsageError
from wavetables.mixes import Mix

MAX_PLACES = 256  # frames of a table
DEFAULT_PLACES = 64


def parse(text: str | None, sounds: int, frames: int | None, walk: bool, morph: bool = False) -> Mix:
    """The mix that --mix, --frames, --table and --morph ask for.

    text: X or, between more than two sounds, X,Y. Each is a number 0..1, or FROM:TO, or FROM:TO:COUNT. None for the
        middle, or for x from 0 to 1 where there is a `walk`: the frames of a table, or a note that morphs.
    frames: of --frames
    Raises UsageError.

    >>> parse("0:1:3", 2, None, False).places
    [(0.0, 0.0), (0.5, 0.0), (1.0, 0.0)]
    """
    given = text
    if text is None:
        text = "0:1" if walk or frames is not None else "0.5"
    parts = text.split(",")
    if len(parts) > (1 if sounds <= 2 else 2):
        takes = "one number or range between two sounds" if sounds <= 2 else "X or X,Y"
        raise UsageError(f"--mix {text}: give {takes}")
    axes = [_axis(part, text) for part in parts]
    if len(axes) == 1:
        axes.append((0.0, 0.0, None) if sounds <= 2 else (0.5, 0.5, None))
    counts = {count for _, _, count in axes if count is not None} | ({frames} if frames is not None else set())
    moves = any(start != end or count is not None for start, end, count in axes)
    _check(text, sorted(counts), moves, frames, morph and any(count is not None for _, _, count in axes), morph)
    (x0, x1, _), (y0, y1, _) = axes
    total = counts.pop() if counts else DEFAULT_PLACES if moves else 1
    return Mix((x0, y0), (x1, y1), total, given or ("0.5" if total == 1 else "0:1"))


def _check(text: str, counts: list[int], moves: bool, frames: int | None, counted: bool, morph: bool) -> None:
    if len(counts) > 1:
        raise UsageError(f"--mix {text}: two different numbers of frames ({', '.join(map(str, counts))})")
    if counted:
        raise UsageError(f"--mix {text}: a note has no frames to count; with --morph write FROM:TO")
    if morph and not moves:
        raise UsageError(f"--morph needs a --mix that moves, such as 0:1, not {text}")
    if not moves and frames is not None and frames > 1:
        raise UsageError(f"--frames {frames} needs a --mix that moves, such as 0:1")


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
    if count is not None and not 2 <= count <= MAX_PLACES:
        raise UsageError(f"--mix {text}: {count} frames; legal: 2..{MAX_PLACES}")
    return start, end, count
