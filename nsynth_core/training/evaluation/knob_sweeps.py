"""Synth patches with one knob: the blend of two positions should be the sound of the position between them."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np
from numpy.typing import NDArray

from nsynth_core.sound.features import FLOOR_DB, NOISE_BANDS, TOP_HZ, Features

Reals = NDArray[np.float64]
PERIOD = 8192
FRAMES = 12


def knob_sweeps(f0: float) -> dict[str, Callable[[float], Features]]:
    """{name: patch}, where patch(x) gives the steady features of a patch at `f0` Hz with its knob at x, 0..1.

    Knobs of frequencies move in octaves, all others evenly.

    >>> knob_sweeps(220.0)["FM index"](0.5).partials_db.shape
    (12, 90)
    """
    number = np.arange(1, int(TOP_HZ / f0) + 1)
    hz: Reals = np.asarray(number * f0, dtype=np.float64)
    saw: Reals = 1 / number

    def octaves(low: float, high: float, x: float) -> float:
        return float(low * (high / low) ** x)

    patches: dict[str, Callable[[float], Reals]] = {
        "low-pass cutoff": lambda x: saw * _low_pass(hz, octaves(400, 5000, x), 0.9),
        "resonant low-pass": lambda x: saw * _low_pass(hz, octaves(500, 4000, x), 6.0),
        "band-pass": lambda x: saw * _resonance(hz, octaves(400, 4000, x), 4.0),
        "vowel a to i": lambda x: saw * _formants(hz, (730, 1090, 2440), (270, 2290, 3010), x),
        "vowel o to e": lambda x: saw * _formants(hz, (570, 840, 2410), (530, 1840, 2480), x),
        "pulse width": lambda x: np.abs(np.sin(np.pi * number * (0.5 - 0.42 * x))) / number,
        "FM index": lambda x: _spectrum(lambda u: np.sin(u + (0.3 + 3.7 * x) * np.sin(u)), number),
        "FM 1:2 index": lambda x: _spectrum(lambda u: np.sin(u + (0.3 + 2.7 * x) * np.sin(2 * u)), number),
        "wavefolding": lambda x: _spectrum(lambda u: np.sin((0.5 + 5 * x) * np.sin(u)), number),
    }
    return {name: partial(_turned, patch, f0) for name, patch in patches.items()}


def _turned(patch: Callable[[float], Reals], f0: float, x: float) -> Features:
    return _features(patch(x), f0)


def _low_pass(hz: Reals, cutoff: float, q: float) -> Reals:
    """Two poles: 1 / |1 - r^2 + i r / q|, r = f / cutoff."""
    r = hz / cutoff
    return np.asarray(1 / np.abs(1 - r**2 + 1j * r / q))


def _resonance(hz: Reals, centre: float, q: float) -> Reals:
    r = hz / centre
    return np.asarray(np.abs(1j * r / q / (1 - r**2 + 1j * r / q)))


def _formants(hz: Reals, start: tuple[int, ...], end: tuple[int, ...], x: float) -> Reals:
    """All-pole vowel (cascade of resonators of 80 to 140 Hz), formants gliding in octaves (Peterson & Barney 1952)."""
    gain = np.ones(len(hz), dtype=np.complex128)
    for i, (a, b) in enumerate(zip(start, end, strict=True)):
        f, width = a * (b / a) ** x, 80 + 30 * i
        gain *= f**2 / (f**2 - hz**2 + 1j * hz * width)
    return np.abs(gain)


def _spectrum(wave: Callable[[Reals], Reals], number: NDArray[np.int64]) -> Reals:
    spectrum = np.abs(np.fft.rfft(wave(2 * np.pi * np.arange(PERIOD) / PERIOD)))
    return np.asarray(spectrum[number])


def _features(amplitude: Reals, f0: float) -> Features:
    level = 20 * np.log10(amplitude / np.sqrt((amplitude**2).sum()) + 1e-9) - 20

    def steady(row: Reals) -> NDArray[np.float32]:
        return np.broadcast_to(row, (FRAMES, len(row))).astype(np.float32)

    bands = np.ones(NOISE_BANDS)
    return Features(
        f0_hz=np.full(FRAMES, f0, dtype=np.float32),
        partials_db=np.maximum(steady(level), FLOOR_DB),
        noise_db=steady(FLOOR_DB * bands),
        balance_db=steady(0 * bands),
        correlation=steady(bands),
    )
