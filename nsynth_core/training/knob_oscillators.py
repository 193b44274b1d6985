"""Knobs of oscillators: each function draws a patch, whose knob moves during the note."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from nsynth_core.training import waves
from nsynth_core.training.knob_motion import Oscillator, Rng, turning
from nsynth_core.training.patches import Partials, Reals, log_uniform, series
from nsynth_core.training.waves import Path


def pulse(rng: Rng, _: Oscillator) -> Partials:
    """A pulse whose width moves."""
    wide = 0.5 if rng.random() < 0.4 else float(rng.uniform(0.25, 0.5))
    return waves.pulse(turning(wide, float(rng.uniform(0.03, wide - 0.05))))


def fm(rng: Rng, _: Oscillator) -> Partials:
    """Frequency modulation whose index grows."""
    carrier, modulator = int(rng.choice([1, 1, 1, 2, 3])), int(rng.choice([1, 1, 1, 2, 2, 3, 4]))
    low = 0.0 if rng.random() < 0.3 else float(rng.uniform(0.0, 1.2))
    # many synths have a quadratic scale for depths that begin at 0
    index = turning(low, low + log_uniform(rng, 1.0, 12.0), 2.0 if low == 0 and rng.random() < 0.5 else 1.0)
    if rng.random() < 0.15:
        return _feedback(index)
    third = float(rng.uniform(0, 1.5)) if rng.random() < 0.3 else 0.0
    phase = float(rng.uniform(0, 2 * np.pi)) if rng.random() < 0.3 else 0.0
    square = rng.random() < 0.15  # a richer modulator

    def waveform(cycle: Reals, t: Reals) -> Reals:
        turn = 2 * np.pi * cycle
        inner = np.sin(modulator * turn + phase + third * np.sin(turn))
        return np.asarray(np.sin(carrier * turn + index(t) * (np.tanh(2 * inner) if square else inner)))

    return lambda note: series(note, waveform)


def _feedback(index: Path) -> Partials:
    """An oscillator that modulates its own phase (Tomisawa 1981), computed in six steps towards its fixed point."""

    def waveform(cycle: Reals, t: Reals) -> Reals:
        depth = np.minimum(index(t) / 4, 1.2)
        out = np.zeros((len(t), cycle.shape[1]))
        for _ in range(6):
            out = np.sin(2 * np.pi * cycle + depth * out)
        return out

    return lambda note: series(note, waveform)


SHAPERS: dict[str, Callable[[Reals], Reals]] = {
    "sine": np.sin,
    "soft": np.tanh,
    "triangle": lambda x: np.arcsin(np.sin(x)),
    "hard": lambda x: np.clip(x, -1, 1),
}


def fold(rng: Rng, _: Oscillator) -> Partials:
    """A wavefolder or a waveshaper whose drive grows."""
    kind = str(rng.choice(["sine", "sine", "sine", "soft", "triangle", "hard"]))
    shape = SHAPERS[kind]
    low = float(rng.uniform(0.3, 1.6))
    drive = turning(low, (low + float(rng.uniform(1.5, 6.5))) * (2 if kind in ("soft", "hard") else 1))
    bias = float(rng.uniform(0, 1.2)) if rng.random() < 0.5 else 0.0
    blunt = 1.0 if rng.random() < 0.6 else float(rng.uniform(0, 1))

    def waveform(cycle: Reals, t: Reals) -> Reals:
        sine = np.sin(2 * np.pi * cycle)
        return shape(drive(t) * (blunt * sine + (1 - blunt) * np.arcsin(sine) * (2 / np.pi)) + bias)

    return lambda note: series(note, waveform)


def sync(rng: Rng, _: Oscillator) -> Partials:
    """An oscillator with hard sync whose frequency moves."""
    low = float(rng.uniform(1.0, 3.0))
    shape = str(rng.choice(["saw", "sine", "square"]))
    return waves.sync(turning(low, low + float(rng.uniform(0.5, 3.5))), shape)


def point(rng: Rng, _: Oscillator) -> Partials:
    """A plucked string whose plucking point moves."""
    point, tone = turning(*(float(end) for end in rng.uniform(0.05, 0.5, 2))), float(rng.uniform(0.5, 2.0))
    return lambda note: np.asarray(np.sin(np.pi * note.k * point(note.t)) * note.k**-tone + 0j)


def fade(rng: Rng, source: Oscillator) -> Partials:
    """A fade from one wave to another, in phase."""
    first, second, share = source(rng), source(rng), turning(0.0, 1.0)
    return lambda note: np.asarray(
        (1 - share(note.t)) * np.abs(first(note)) + share(note.t) * np.abs(second(note)) + 0j
    )
