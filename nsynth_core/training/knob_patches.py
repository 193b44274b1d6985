"""Patches with one knob, in closed form: the sound between two positions of the knob is known.

Nobody knows the true blend of two instruments. Between two positions of one knob there is one. The corpus holds notes
whose knob moves while they sound. `pairs` shows the networks between two spectra both ends of a movement and the way
from one to the other. The settings are random, and none of them is one that the report measures.
"""

from __future__ import annotations

from nsynth_core.training import knob_filters, knob_oscillators
from nsynth_core.training.knob_motion import Knob, Rng, oscillator
from nsynth_core.training.patches import Patch

FAMILY = "turn"

KNOBS: dict[str, tuple[int, float, Knob]] = {  # patches in the corpus, share of the pairs, function that draws one
    "cutoff": (24, 0.22, knob_filters.cutoff),
    "resonance": (6, 0.06, knob_filters.resonance),
    "vowel": (16, 0.22, knob_filters.vowel),
    "lobes": (0, 0.20, knob_filters.lobes),
    "pulse": (10, 0.07, knob_oscillators.pulse),
    "fm": (16, 0.14, knob_oscillators.fm),
    "fold": (12, 0.09, knob_oscillators.fold),
    "sync": (6, 0.04, knob_oscillators.sync),
    "tilt": (0, 0.04, knob_filters.tilt),
    "comb": (4, 0.03, knob_filters.comb),
    "point": (4, 0.03, knob_oscillators.point),
    "peaks": (6, 0.14, knob_filters.peaks),
    "fade": (0, 0.01, knob_oscillators.fade),
}


def names() -> list[str]:
    """The names of all patches of the corpus, such as "turn/cutoff-03"."""
    return [f"{FAMILY}/{kind}-{n:02d}" for kind, (count, _, _) in KNOBS.items() for n in range(count)]


def patch(name: str, rng: Rng) -> Patch:
    """The patch called `name`, its settings drawn from `rng`."""
    knob = KNOBS[name.split("/")[1].rsplit("-", 1)[0]][2]
    return Patch(knob(rng, oscillator))
