"""Tables of stereo sounds: one of the mean, or a pair in phase."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from nsynth_core.audio import Floats

PAIRS = {"mono": ("",), "lr": ("-L", "-R"), "ms": ("-M", "-S")}  # what the file names of each kind end in


def shape_tables(cycles: Floats, kind: str) -> list[Floats]:
    """The frames of each table, ready to play.

    cycles: (channels, n, 2048), of "mono" one channel, else left and right
    kind: "mono", "lr" (left, right) or "ms" (mid, side)
    Returns one array (n, 2048) float32 for each of PAIRS[kind].
    """
    from wavetables.shaping import mid_side, shape, shape_pair

    if kind == "mono":
        return [shape(cycles[0])]
    return list(shape_pair(mid_side(cycles) if kind == "ms" else cycles))
