"""What patches with a knob share: how the knob moves during a note, and the waves that filters work on."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from nsynth_core.training import waves
from nsynth_core.training.patches import Partials, Reals
from nsynth_core.training.waves import Colour, Path

Rng = np.random.Generator
Oscillator = Callable[[Rng], Partials]  # draws the wave that a filter works on
Knob = Callable[[Rng, Oscillator], Partials]  # draws a patch; its knob stands at position(note.t)

START, END = 0.1, 2.4  # seconds: the knob moves between them; the note is held a little longer


def position(seconds: Reals) -> Reals:
    """Where the knob is, 0..1, at so many seconds after the onset.

    >>> position(np.array([0.0, 1.25, 3.0]))
    array([0. , 0.5, 1. ])
    """
    return np.asarray(np.clip((seconds - START) / (END - START), 0, 1))


def seconds(position: Reals) -> Reals:
    """When the knob is there: the inverse of `position`.

    >>> float(seconds(np.array(0.5)))
    1.25
    """
    return START + np.asarray(position) * (END - START)


def turning(low: float, high: float, bend: float = 1.0) -> Path:
    """A parameter that goes from `low` to `high` as position ** bend."""
    return lambda t: low + (high - low) * position(t) ** bend


def oscillator(rng: Rng) -> Partials:
    """Draw a wave: a saw, square or triangle or a mixture of them, a pulse, or a rough spectrum."""
    kind = rng.random()
    tilt = float(rng.uniform(-0.4, 0.6)) if rng.random() < 0.6 else 0.0
    if kind < 0.35:
        return waves.analog(1.0, 0.0, 0.0, tilt=tilt)
    if kind < 0.6:
        return waves.pulse(waves.still(0.5 if rng.random() < 0.4 else float(rng.uniform(0.05, 0.5))))
    if kind < 0.85:
        saw, square, triangle = (float(share) for share in rng.dirichlet([0.8, 0.6, 0.3]))
        return waves.analog(saw, square, triangle, tilt=tilt)
    rough = np.abs(rng.normal(0, 6, 40))
    place = np.linspace(0, 10, len(rough))
    return lambda note: np.asarray(10 ** (np.interp(np.log2(note.k), place, rough) / 20) / note.k ** (1 + tilt) + 0j)


def behind(source: Partials, colour: Colour) -> Partials:
    """`source` through the filter `colour`."""
    return lambda note: np.asarray(source(note) * colour(note))
