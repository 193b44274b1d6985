"""Frames of a sound without a pitch: evenly spaced windows, each crossfaded so that it loops. Also of single cycles."""

from __future__ import annotations

import numpy as np

from nsynth_core.audio import Floats, Sound
from wavetables.importing.slicing import Slices
from wavetables.resizing import resize
from wavetables.table import FRAME_SIZE, MAX_FRAMES

FADE = 0.25  # of a window, which fades into its beginning from what follows its end


def slice_windows(sound: Sound, frames: int | None = None) -> Slices:
    """Cut evenly spaced windows of 2048 samples out of every channel.

    sound: samples float32 (n, channels)
    frames: 1..256, at most so many; None: as many as lie side by side, at most 256
    Returns Slices with frames float32 (channels, n, 2048), without DC. What follows a window is crossfaded into its
    beginning at equal power, as noise needs, so that the window loops. A sound shorter than a window and its crossfade
    makes one frame, stretched.

    >>> noise = np.random.default_rng(1).normal(0, 0.1, (44100, 1)).astype(np.float32)
    >>> slice_windows(Sound(noise, 44100), frames=8).frames.shape
    (1, 8, 2048)
    """
    size = min(FRAME_SIZE, int(len(sound.samples) / (1 + FADE)))
    fade = len(sound.samples) - size if size < FRAME_SIZE else int(FADE * size)
    count = min(frames or MAX_FRAMES, MAX_FRAMES, max(1, (len(sound.samples) - fade) // size))
    starts = np.round(np.linspace(0, len(sound.samples) - size - fade, count)).astype(np.int64)
    if count == 1:
        starts += (len(sound.samples) - size - fade) // 2
    windows = np.stack([sound.samples[start : start + size + fade].T for start in starts], 1).astype(np.float64)
    turn = np.pi / 2 * (np.arange(fade) + 0.5) / max(fade, 1)
    cycles = windows[:, :, :size].copy()
    cycles[:, :, :fade] = cycles[:, :, :fade] * np.sin(turn) + windows[:, :, size:] * np.cos(turn)
    cycles -= cycles.mean(2, keepdims=True)
    shaped = np.stack([resize(np.asarray(channel, dtype=np.float32), FRAME_SIZE) for channel in cycles])
    seconds = (starts + (size + fade) / 2) / sound.rate
    return Slices(shaped, seconds, count, count, np.ones(1, dtype=np.int64))


def slice_cycle(cycle: Floats) -> Slices:
    """A single cycle (channels, n), n >= 4, resized to 2048 samples, without DC."""
    zero = cycle - cycle.mean(1, keepdims=True)
    return Slices(resize(zero, FRAME_SIZE)[:, None], np.zeros(1), 1, 1, np.ones(1, dtype=np.int64))
