"""The modifiers of a Vital table. Each changes the frames of all positions at once: `at` (n,) are positions 0..256, the
frames float64 (n, 2048)."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from wavetables.formats.vital_components import Array, Component
from wavetables.table import FRAME_SIZE

PLACE = np.arange(FRAME_SIZE) / (FRAME_SIZE - 1)  # of a sample in its frame, 0..1


def bent(value: Array, power: Array | float) -> Array:
    """`value` (-1..1) along an exponential curve of that power, odd around 0. Near power 0 it is a straight line."""
    power = np.broadcast_to(power, value.shape)
    flat = np.abs(power) < 0.01
    safe = np.where(flat, 1.0, power)
    return np.where(flat, value, np.sign(value) * np.expm1(safe * np.abs(value)) / np.expm1(safe))


def levelled(frames: Array, louder: bool) -> Array:
    """Every frame with its peak at 1. Frames with a lower peak stay as they are, unless `louder`."""
    peak = np.abs(frames).max(1, keepdims=True)
    return np.asarray(frames / np.maximum(peak, 1e-7 if louder else 1.0))


def _phases(modifier: Component, at: Array, frames: Array) -> Array:
    """Phase Shift: all harmonics turn alike, or in proportion to their number; in some styles the odd ones turn the
    other way."""
    turn, mix = modifier.along(at, "phase", 0.0, -1e4, 1e4), modifier.along(at, "mix", 1.0, -1, 2)
    spectrum = np.fft.rfft(frames)
    number = np.arange(spectrum.shape[1])
    style = modifier.choice("style", 5)
    if style == 4:
        return np.fft.irfft(np.abs(spectrum).astype(np.complex128))
    sign = np.where(number % 2, -1.0, 1.0) if style in (1, 3) else np.ones(len(number))
    turned = np.exp(-1j * turn * sign * (number if style < 2 else 1.0))
    return np.fft.irfft(spectrum * (mix * turned + 1 - mix))


def _window(modifier: Component, at: Array, frames: Array) -> Array:
    """Wave Window: both ends of the frame are faded."""
    left, right = modifier.along(at, "left_position", 0.25, -1, 2), modifier.along(at, "right_position", 0.75, -1, 2)
    shape = modifier.choice("window_shape", 5)
    for inside, t in (
        (left > PLACE, PLACE / np.where(left > 0, left, 1.0)),
        (right < PLACE, (1 - PLACE) / np.where(right < 1, 1 - right, 1.0)),
    ):
        curve = (
            0.5 - 0.5 * np.cos(np.pi * t),
            np.sin(np.pi * t / 2),
            t,
            np.where(t < 1, 0.0, 1.0),
            t * np.cos(np.pi * (1.5 * t + 0.5)),
        )[shape]
        frames = np.where(inside, frames * curve, frames)
    return frames


def _filtered(modifier: Component, at: Array, frames: Array) -> Array:
    """Frequency Filter: the harmonics are weighted by a slope, a triangle or a comb."""
    corner = 2.0 ** modifier.along(at, "cutoff", 4.0, -20, 20)
    shape = modifier.along(at, "shape", 0.5, 0, 1)
    spectrum = np.fft.rfft(frames)
    number = np.arange(spectrum.shape[1])
    style = modifier.choice("style", 4)
    if style == 3:
        teeth = 1 - np.abs(2 * ((number / (2 * corner)) % 1) - 1)
        gain = 2 * bent(teeth, 18 * shape - 9)
    else:
        over = (number - corner) / (1 + 127 * shape**2)
        gain = np.clip(1 - (over, np.abs(over), -over)[style], 0, 1)
    frames = np.fft.irfft(spectrum * gain)
    return levelled(frames, True) if modifier.members.get("normalize", True) is True else frames


def _slewed(modifier: Component, at: Array, frames: Array) -> Array:
    """Slew Limiter: steps up and down are limited in size, twice around the frame."""
    up, down = (
        2 / FRAME_SIZE / np.maximum(modifier.along(at, key, 0.0, -1e4, 1e4)[:, 0], 1 / FRAME_SIZE)
        for key in ("up_run_rise", "down_run_rise")
    )
    frames = frames.copy()
    value = frames[:, 0]
    for step in range(1, 2 * FRAME_SIZE):
        column = frames[:, step % FRAME_SIZE]
        value = value + np.clip(column - value, -down, up)
        frames[:, step % FRAME_SIZE] = value
    return frames


def _folded(modifier: Component, at: Array, frames: Array) -> Array:
    """Wave Folder: the wave is taken as the sine of an angle, and the angle is multiplied."""
    boost = modifier.along(at, "fold_boost", 1.0, -1e3, 1e3)
    peak = np.maximum(np.abs(frames).max(1, keepdims=True), 1.0)
    return np.asarray(np.sin(peak * boost * np.arcsin(np.clip(frames / peak, -1, 1))))


def _warped(modifier: Component, at: Array, frames: Array) -> Array:
    """Wave Warp: time and height follow exponential curves, from the middle or from one side."""
    across, upright = (modifier.along(at, f"{key}_power", 0.0, -100, 100) for key in ("horizontal", "vertical"))
    place = np.broadcast_to(PLACE, frames.shape)
    if modifier.members.get("horizontal_asymmetric") is True:
        place = bent(place, across)
    else:
        place = 0.5 * bent(2 * place - 1, across) + 0.5
    place = place * (FRAME_SIZE - 1)
    index = np.clip(place.astype(np.int64), 0, FRAME_SIZE - 2)
    low, high = (np.take_along_axis(frames, index + step, axis=1) for step in (0, 1))
    height = np.clip(low + (high - low) * (place - index), -1, 1)
    if modifier.members.get("vertical_asymmetric") is True:
        return 2 * bent(0.5 * height + 0.5, upright) - 1
    return bent(height, upright)


MODIFIERS: dict[str, Callable[[Component, Array, Array], Array]] = {
    "Phase Shift": _phases,
    "Wave Window": _window,
    "Frequency Filter": _filtered,
    "Slew Limiter": _slewed,
    "Wave Folder": _folded,
    "Wave Warp": _warped,
}
