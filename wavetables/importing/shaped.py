"""The frames of an import under its rules of phase and level."""

from __future__ import annotations

import numpy as np

from nsynth_core.audio import Floats
from wavetables import shaping
from wavetables.importing.settings import Settings

TORN = 0.005  # of the correlation of neighbours: aligning may not cost more


def shaped_frames(channels: Floats, settings: Settings) -> Floats:
    """Put frames in phase, settle their seams, remove their DC and give them their level.

    channels: float32 (k, n, 2048), frames of k channels that belong together
    settings: `phase` and `level` count
    Returns float32 (k, n, 2048). All channels are turned alike and get the same gains, so that a pair stays a pair.

    >>> shaped_frames(np.sin(np.linspace(0, 6, 2 * 2048)).reshape(1, 2, 2048).astype(np.float32), Settings()).shape
    (1, 2, 2048)
    """
    count, flat = len(channels), np.concatenate(list(channels))
    if settings.phase == "align":
        louder = channels[int(np.argmax((channels.astype(np.float64) ** 2).sum((1, 2))))]
        turns = shaping.aligning(louder)
        # The track of all partials has neighbours in phase. A fundamental that is weak, noisy or moves by itself would
        # tear them apart.
        if shaping.likeness(shaping.rotate(louder, turns)) > shaping.likeness(louder) - TORN:
            flat = shaping.rotate(flat, np.tile(turns, count))
        flat = shaping.settle_seam(flat)
    elif settings.phase == "source":
        flat = shaping.turned_to_rest(flat)
    else:
        flat = shaping.all_sines(flat) if settings.phase == "sine" else shaping.minimum_phase(flat)
    return _levelled(shaping.remove_dc(flat), count, settings.level).reshape(channels.shape)


def _levelled(flat: Floats, count: int, level: str) -> Floats:
    """Frames (count * n, 2048) of `count` channels under a rule of Settings.level."""
    if level == "table" or (level == "keep" and float(np.abs(flat).max()) > 1.0):
        return shaping.normalize(flat)
    if level == "keep":
        return flat
    if level == "frame":
        levels = np.abs(flat).max(1).astype(np.float64)
    else:
        from wavetables.loudness import SILENT, loudness

        lufs = np.array([loudness(frame[None]) for frame in flat])
        levels = np.where(lufs > SILENT, 10 ** (lufs / 20), 0.0)
    # a pair keeps its balance: its louder channel sets the gain of both
    return shaping.level_each(flat, np.tile(levels.reshape(count, -1).max(0), count))
