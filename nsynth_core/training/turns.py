"""Patches whose one knob turns evenly while the note sounds: any moment is the true middle of two others.

A blend of two instruments has no right answer; between two settings of one knob there is one, and the network is shown
it (see `batches`). The settings are drawn from the name and a seed, none is one the report asks for.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from nsynth_core.training import waves
from nsynth_core.training.synthetic import Partials, Patch, Reals
from nsynth_core.training.waves import Colour, Path

Rng = np.random.Generator

FAMILY = "turn"
START, END = 0.1, 2.4  # seconds: where the turn begins and ends; the note is held a little longer


def position(seconds: Reals) -> Reals:
    """Where the knob is, 0..1."""
    return np.asarray(np.clip((seconds - START) / (END - START), 0, 1))


def _turn(low: float, high: float) -> Path:
    return lambda t: low + (high - low) * position(t)


def _oscillator(rng: Rng, colour: Colour) -> Partials:
    if rng.random() < 0.3:
        return waves.pulse(waves.still(float(rng.uniform(0.08, 0.5))), colour)
    saw, square, triangle = (float(share) for share in rng.dirichlet([0.8, 0.6, 0.2]))
    return waves.analog(saw, square, triangle, colour, float(rng.uniform(-0.3, 0.3)))


def _cutoff(rng: Rng) -> Patch:
    kind = str(rng.choice(["low", "low", "low4", "band", "band"]))
    low = float(rng.uniform(8.0, 10.0))
    octave = _turn(low, low + float(rng.uniform(1.5, 4.0)))
    q = float(np.exp(rng.uniform(np.log(0.7), np.log(9))))
    colour = waves.filtered(kind, octave, q, float(rng.uniform(0, 0.6)), 0.01 if kind == "band" else 0.0)
    return Patch(_oscillator(rng, colour))


def _pulse(rng: Rng) -> Patch:
    wide = float(rng.uniform(0.3, 0.5))
    return Patch(waves.pulse(_turn(wide, float(rng.uniform(0.05, wide - 0.1)))))


def _fm(rng: Rng) -> Patch:
    carrier, modulator = int(rng.choice([1, 1, 1, 2, 3])), int(rng.choice([1, 1, 2, 2, 3, 4]))
    low = float(rng.uniform(0.1, 1.0))
    third = float(rng.uniform(0, 1.2)) if rng.random() < 0.3 else 0.0
    return Patch(waves.fm(carrier, modulator, _turn(low, low + float(rng.uniform(1.5, 4.5))), third, 0.0))


def _fold(rng: Rng) -> Patch:
    low = float(rng.uniform(0.4, 1.5))
    bias = float(rng.uniform(0, 1.2)) if rng.random() < 0.6 else 0.0
    drive = _turn(low, low + float(rng.uniform(2, 6)))
    return Patch(waves.fold(drive, waves.still(bias), float(rng.choice([1.0, rng.uniform(0, 1)]))))


def _sync(rng: Rng) -> Patch:
    low = float(rng.uniform(1.0, 2.5))
    shape = str(rng.choice(["saw", "sine", "square"]))
    return Patch(waves.sync(_turn(low, low + float(rng.uniform(0.5, 2.5))), shape))


def _vowel(rng: Rng) -> Patch:
    size = rng.uniform(0.92, 1.08)
    first, last = rng.choice(sorted(waves.VOWELS), 2, replace=False)
    speaker = int(rng.integers(3))
    start, end = (tuple(hz * size for hz in waves.formants(vowel, speaker)) for vowel in (first, last))
    tract = waves.Tract(start, end, _turn(0.0, 1.0), float(rng.uniform(0.7, 1.9)))
    if rng.random() < 0.5:
        return Patch(waves.analog(1.0, 0.0, 0.0, lambda note: tract.gain(note, note.hz), float(rng.uniform(-0.5, 0.5))))
    return Patch(waves.sung(tract, float(rng.uniform(0.5, 0.75)), float(rng.uniform(0.2, 1.2))))


TURNS: dict[str, tuple[int, Callable[[Rng], Patch]]] = {
    "cutoff": (24, _cutoff),
    "pulse": (10, _pulse),
    "fm": (16, _fm),
    "fold": (12, _fold),
    "sync": (6, _sync),
    "vowel": (16, _vowel),
}


def names() -> list[str]:
    """The names of all turns, such as "turn/cutoff-03"."""
    return [f"{FAMILY}/{kind}-{n:02d}" for kind, (count, _) in TURNS.items() for n in range(count)]


def patch(name: str, rng: Rng) -> Patch:
    """The patch called `name`, its settings drawn from `rng`."""
    return TURNS[name.split("/")[1].rsplit("-", 1)[0]][1](rng)
