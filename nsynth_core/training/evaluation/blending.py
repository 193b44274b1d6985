"""Figures of blends: do they change steadily, evenly and without a dip in level, and is the middle right?"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from nsynth_core.audio import Sound
from nsynth_core.blending.coder import load_coder
from nsynth_core.blending.embedding import at_frames
from nsynth_core.blending.instrument import path_features, steady_moment
from nsynth_core.blending.weights import line_weights
from nsynth_core.errors import UserError
from nsynth_core.metrics import descriptors, level_dip, monotony, spectral_distance, step_ratio
from nsynth_core.notes import midi_to_hz
from nsynth_core.pitch import follow
from nsynth_core.sound.analysis import analyse
from nsynth_core.sound.features import Features, rows
from nsynth_core.sound.spacing import steps
from nsynth_core.training.evaluation import vital
from nsynth_core.training.evaluation.knob_sweeps import knob_sweeps
from nsynth_core.training.evaluation.sounds import RATE, HeldOutNote, below_level, glides

COMPARED = ("harmonic", "crossfade", "envelope", "transport")  # engines on features
PATH = 33
PAIRS = 240
SWEEP_HZ = (82.4, 196.0, 392.0)
SYNTH_KEYS = (40, 55, 67)
SWEEP_MIXES = (0.25, 0.5, 0.75)
STEADY, STILL = slice(30, 70), 12  # frames of a held note; of a moment that is held

Turns = tuple[str, float, list[Features]]  # a knob's name, f0, the patch at 0, SWEEP_MIXES and 1


def blends(notes: list[HeldOutNote], seed: int) -> dict[str, Any]:
    """Scores of the blends between random pairs of held-out notes of one pitch, for each engine."""
    pairs = _pairs(notes, seed)
    if not pairs:
        return {}
    out = {}
    weights = line_weights(np.linspace(0, 1, PATH))
    for name in COMPARED:
        engine = load_coder(name)
        scores: dict[str, list[float]] = {"monotone": [], "step": [], "step_even": [], "dip": []}
        for a, b in pairs:
            moments = [steady_moment(engine.encode(note.features)) for note in (a, b)]
            hz = midi_to_hz(a.midi)
            path = path_features(engine, moments, weights, hz)
            direct = monotony(descriptors(path))
            if direct is not None:
                scores["monotone"].append(direct)
            scores["step"].append(step_ratio(steps(path)))
            scores["step_even"].append(step_ratio(steps(path_features(engine, moments, weights, hz, even=True))))
            scores["dip"].append(level_dip(path.level_db()))
        out[name] = {kind: float(np.mean(values)) for kind, values in scores.items()}
    return out


def _pairs(notes: list[HeldOutNote], seed: int) -> list[tuple[HeldOutNote, HeldOutNote]]:
    """At most PAIRS random pairs of notes of one pitch and of two instruments. There may be fewer."""
    rng = np.random.default_rng(seed)
    pairs: list[tuple[HeldOutNote, HeldOutNote]] = []
    for i, j in rng.integers(len(notes), size=(100 * PAIRS, 2)):
        if len(pairs) < PAIRS and notes[i].midi == notes[j].midi and notes[i].source.name != notes[j].source.name:
            pairs.append((notes[i], notes[j]))
    return pairs


def between() -> dict[str, Any]:
    """How far, in dB, the blend of both ends of a knob is from the patch with the knob between them, by engine."""
    return _between(_closed_forms())


def between_synth(left_out: Callable[[str], None] = lambda line: None) -> dict[str, Any]:
    """As `between`, with patches that Vital plays, analysed as any recording. Empty where vita is not installed."""
    try:
        return _between(_played())
    except UserError as error:
        left_out(str(error))
        return {}


def between_voices(left_out: Callable[[str], None] = lambda line: None) -> dict[str, Any]:
    """As `between`, with voices that glide from one vowel to another. Halfway is where half of the spectral change is
    done. Empty where espeak-ng is not installed."""
    try:
        return _between(_glides())
    except UserError as error:
        left_out(str(error))
        return {}


def _glides() -> Iterator[Turns]:
    for name, features in glides():
        shape = below_level(features)
        gone = np.append(0, np.cumsum(spectral_distance(shape[1:], shape[:-1])))
        stations = np.abs(gone - gone[-1] * np.c_[[0, *SWEEP_MIXES, 1]]).argmin(1)
        yield name, float(np.median(features.f0_hz)), [rows(features, np.full(STILL, at)) for at in stations]


def _closed_forms() -> Iterator[Turns]:
    for f0 in SWEEP_HZ:
        for knob, turn in knob_sweeps(f0).items():
            yield knob, f0, [turn(x) for x in (0.0, *SWEEP_MIXES, 1.0)]


def _played() -> Iterator[Turns]:
    for midi in SYNTH_KEYS:
        for knob, sounds in vital.play(midi, (0.0, *SWEEP_MIXES, 1.0), RATE):
            yield knob, midi_to_hz(midi), [_held(sound, midi) for sound in sounds]


def _held(sound: Sound, midi: float) -> Features:
    return rows(analyse(sound, follow(sound, midi)), STEADY)


def _between(patches: Iterator[Turns]) -> dict[str, Any]:
    errors: dict[str, dict[str, list[float]]] = {name: {} for name in COMPARED}
    for knob, f0, turns in patches:
        middle = np.asarray([turns[0].frames / 2])
        halfway = [below_level(turn)[turn.frames // 2] for turn in turns[1:-1]]
        for name in COMPARED:
            engine = load_coder(name)
            moments = [at_frames(engine.encode(turn), middle) for turn in (turns[0], turns[-1])]
            blended = below_level(path_features(engine, moments, line_weights(SWEEP_MIXES), f0))
            count = min(blended.shape[1], *map(len, halfway))
            error = spectral_distance(np.stack([true[:count] for true in halfway]), blended[:, :count])
            errors[name].setdefault(knob, []).append(float(error.mean()))
    knobs = {name: {knob: float(np.mean(x)) for knob, x in values.items()} for name, values in errors.items()}
    means = {name: float(np.mean(list(values.values()))) for name, values in knobs.items()}
    better = {knob: min(knobs["crossfade"][knob], knobs["envelope"][knob]) for knob in knobs["crossfade"]}
    ratio = means["harmonic"] / float(np.mean(list(better.values())))
    return means | {"ratio": ratio, "knobs": knobs}
