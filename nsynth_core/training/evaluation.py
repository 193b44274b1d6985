"""The quality report: the network beside PCA and the classical blends, on instruments it never saw, in one run."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nsynth_core import synthesis
from nsynth_core.analysis import analyse
from nsynth_core.audio import Floats, Sound
from nsynth_core.blend import Instrument, blend_note, line_weights, path_features, steady_moment, steps
from nsynth_core.embedding import at_frames, at_pitch
from nsynth_core.engine import ENGINES, Engine, load_engine
from nsynth_core.errors import UserError
from nsynth_core.features import Features, hz_to_erb, rows
from nsynth_core.harmonic.inputs import ENVELOPE_POINTS, FIRST_PARTIALS, FLOOR, envelope, envelope_hz, relative
from nsynth_core.harmonic.runtime import load, weights_folder
from nsynth_core.metrics import descriptors, level_dip, monotony, partial_error, spectral_distance, step_ratio
from nsynth_core.notes import midi_to_hz
from nsynth_core.pitch import follow
from nsynth_core.training.sources import Source, catalogue
from nsynth_core.training.sweeps import FRAMES, sweeps

KEYS = (36, 48, 60, 72)
OCTAVES = ((36, 48), (48, 60), (60, 72), (60, 48), (36, 60), (48, 72), (72, 48))
VELOCITY = 90
RATE = 48_000
EVERY = 8
LOUD_DB = 40.0
PATH = 33
SWEEP_HZ = (82.4, 196.0, 392.0)
SWEEP_MIXES = (0.25, 0.5, 0.75)
PAIRS = 60
ENDS = 40
MIN_CONFIDENCE = 0.25


@dataclass(frozen=True)
class Note:
    source: Source
    midi: int
    sound: Sound
    features: Features
    frames: NDArray[np.int64]


@dataclass(frozen=True)
class Pca:
    """The linear code of the same size, fitted on the same corpus: mean (V,) and axes (dims, V) of pca_vector."""

    mean: Floats
    axes: Floats

    def partials(self, features: Features) -> Floats:
        """Partials (T, K) in dB under the level after coding: the first by number, the rest from the envelope."""
        level = features.level_db()
        partials = relative(features.partials_db, level)
        vector = pca_vector(partials, relative(features.noise_db, level), features.f0_hz)
        coded = (vector - self.mean) @ self.axes.T @ self.axes + self.mean
        out = np.empty_like(partials)
        place, at = hz_to_erb(envelope_hz()), np.arange(1, partials.shape[1] + 1)
        for t, f0 in enumerate(features.f0_hz):
            out[t] = np.interp(hz_to_erb(at * f0), place, coded[t, :ENVELOPE_POINTS])
        first = min(FIRST_PARTIALS, partials.shape[1])
        out[:, :first] = coded[:, ENVELOPE_POINTS : ENVELOPE_POINTS + first]
        return out


def pca_vector(partials: Floats, noise: Floats, f0: Floats) -> Floats:
    """What the linear code sees: what the encoder sees of the spectrum, in dB."""
    missing = max(0, FIRST_PARTIALS - partials.shape[1])
    first = np.pad(partials[:, :FIRST_PARTIALS], ((0, 0), (0, missing)), constant_values=FLOOR)
    return np.concatenate([envelope(partials, f0), first, noise], axis=1)


def load_pca() -> Pca:
    """The PCA that 'train' wrote next to the weights."""
    path = weights_folder() / "pca.npz"
    if not path.exists():
        raise UserError(f"{path}: missing; install make-wavetable again")
    with np.load(path) as data:
        return Pca(data["mean"].astype(np.float32), data["axes"].astype(np.float32))


def held_out(seed: int, soundfonts: Path | None, limit: int | None) -> Iterator[Note]:
    """Notes of the sources of split "test" at KEYS; those that do not sound at their pitch are left out."""
    sources = [source for source in catalogue(seed, soundfonts) if source.split == "test"]
    if limit is not None:
        sources = [sources[i] for i in np.unique(np.linspace(0, len(sources) - 1, limit).astype(int))]
    for source in sources:
        for midi in KEYS:
            if not source.low <= midi <= source.high:
                continue
            sound = source.render(midi, VELOCITY, RATE)
            if float(np.abs(sound.samples).max()) < 1e-3:
                continue
            track = follow(sound, midi, cents=80)
            if track.confidence < MIN_CONFIDENCE:
                continue
            features = analyse(sound, track)
            level = features.level_db()
            yield Note(source, midi, sound, features, np.flatnonzero(level > level.max() - LOUD_DB)[::EVERY])


def _relative(features: Features) -> Floats:
    return relative(features.partials_db, features.level_db())


def reconstruction(notes: list[Note], engine: Engine, pca: Pca) -> dict[str, Any]:
    """Log-spectral distance of the coded to the true partials; mean over frames, by family too."""
    network: list[Floats] = []
    linear: list[Floats] = []
    family: list[str] = []
    group: list[bool] = []
    for note in notes:
        embedding = engine.encode(note.features)
        decoded = engine.decode(embedding, note.features.f0_hz, detail=0.0)
        true = rows(note.features, note.frames)
        count = min(decoded.partials_db.shape[1], true.partials_db.shape[1])
        network.append(spectral_distance(_relative(true)[:, :count], _relative(rows(decoded, note.frames))[:, :count]))
        linear.append(spectral_distance(_relative(true)[:, :count], pca.partials(true)[:, :count]))
        family += [note.source.family] * len(note.frames)
        group += [note.source.licence == "MIT"] * len(note.frames)  # the soundfonts
    a, b, kinds = np.concatenate(network), np.concatenate(linear), np.asarray(family)
    recorded = np.asarray(group)

    def mean(chosen: NDArray[np.bool_]) -> dict[str, float]:
        return {"network": float(a[chosen].mean()), "pca": float(b[chosen].mean())} if chosen.any() else {}

    return {
        "network": float(a.mean()),
        "pca": float(b.mean()),
        "ratio": float(a.mean() / b.mean()),
        "network_median": float(np.median(a)),
        "pca_median": float(np.median(b)),
        "recordings": mean(recorded),
        "closed_forms": mean(~recorded),
        "families": {kind: mean(kinds == kind) for kind in sorted(set(family))},
    }


def other_octaves(notes: list[Note], engine: Engine) -> dict[str, Any]:
    """The same note predicted 12 or 24 semitones away, against keeping partials by number, in Hz, or their mean."""
    found: dict[str, list[Floats]] = {"network": [], "network_bare": [], "number": [], "hertz": [], "mean": []}
    by_key = {(note.source.name, note.midi): note for note in notes}
    for low, high in OCTAVES:
        for (name, midi), note in by_key.items():
            target = by_key.get((name, high))
            if midi != low or target is None:
                continue
            frames = target.frames[target.frames < note.features.frames]
            true, source = rows(target.features, frames), rows(note.features, frames)
            f0 = target.features.f0_hz[frames]
            embedding = at_frames(engine.encode(note.features), frames.astype(np.float64))
            count = true.partials_db.shape[1]
            reference = _relative(true)
            guesses = {
                "network": _relative(engine.decode(embedding, f0)),
                "network_bare": _relative(engine.decode(embedding, f0, detail=0.0)),
                **keep(_relative(source), source.f0_hz, f0, count),
            }
            for kind, guess in guesses.items():
                guess = np.pad(guess, ((0, 0), (0, max(0, count - guess.shape[1]))), constant_values=FLOOR)[:, :count]
                found[kind].append(spectral_distance(reference, guess))
    means = {kind: float(np.concatenate(values).mean()) for kind, values in found.items()}
    return means | {"ratio": means["network"] / means["mean"]}


def keep(partials: Floats, f0_from: Floats, f0_to: Floats, count: int) -> dict[str, Floats]:
    """Three guesses without a model, (T, count): by number, in Hz, and the mean of both in dB."""
    mean = at_pitch(partials, f0_from, f0_to, count, FLOOR)
    number = np.pad(partials, ((0, 0), (0, max(0, count - partials.shape[1]))), constant_values=FLOOR)[:, :count]
    return {"number": number, "hertz": 2 * mean - number, "mean": mean}


def blends(notes: list[Note], seed: int) -> dict[str, Any]:
    """Scores of the path between random pairs of held-out notes of one pitch, for each engine."""
    rng = np.random.default_rng(seed)
    pairs: list[tuple[Note, Note]] = []
    while len(pairs) < PAIRS:
        a, b = (notes[i] for i in rng.integers(len(notes), size=2))
        if a.midi == b.midi and a.source.name != b.source.name:
            pairs.append((a, b))
    out = {}
    weights = line_weights(np.linspace(0, 1, PATH))
    for name in ENGINES:
        engine = load_engine(name)
        scores: dict[str, list[float]] = {"monotone": [], "step": [], "step_even": [], "dip": []}
        for a, b in pairs:
            moments = []
            for note in (a, b):
                moments.append(steady_moment(engine.encode(note.features)))
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


def between() -> dict[str, Any]:
    """A patch with a knob turned partly, against the blend of its two ends: dB, for each engine and knob."""
    found: dict[str, dict[str, list[float]]] = {name: {} for name in ENGINES}
    for f0 in SWEEP_HZ:
        for knob, turn in sweeps(f0).items():
            for name in ENGINES:
                engine = load_engine(name)
                moments = [at_frames(engine.encode(turn(x)), np.asarray([FRAMES / 2])) for x in (0.0, 1.0)]
                blended = path_features(engine, moments, line_weights(SWEEP_MIXES), f0)
                true = np.concatenate([turn(m).partials_db[:1] for m in SWEEP_MIXES])
                count = min(true.shape[1], blended.partials_db.shape[1])
                other = _relative(blended)[:, :count]
                error = spectral_distance(true[:, :count] + 20, other)
                found[name].setdefault(knob, []).append(float(error.mean()))
    knobs = {name: {knob: float(np.mean(x)) for knob, x in each.items()} for name, each in found.items()}
    means = {name: float(np.mean(list(each.values()))) for name, each in knobs.items()}
    better = {knob: min(knobs["crossfade"][knob], knobs["envelope"][knob]) for knob in knobs["crossfade"]}
    ratio = means["harmonic"] / float(np.mean(list(better.values())))
    return means | {"ratio": ratio, "knobs": knobs}


def ends(notes: list[Note], engine: Engine) -> dict[str, float]:
    """Median partial error, dB: sound → features → sound with no network, and blends at mix 0 and 1."""
    plain, zero, one = [], [], []
    ordered = sorted(notes, key=lambda note: note.midi)  # stable: neighbours are different instruments
    pairs = [(a, b) for a, b in pairwise(ordered) if a.midi == b.midi]
    for a, b in pairs[:: max(1, len(pairs) // ENDS)]:
        pair = [_recording(a, engine), _recording(b, engine)]
        plain.append(_error(a, synthesis.render(a.features, RATE)))
        zero.append(_error(a, blend_note(engine, pair, [1.0, 0.0])))
        one.append(_error(b, blend_note(engine, pair[::-1], [1.0, 0.0])))
    return {name: float(np.median(np.concatenate(x))) for name, x in (("plain", plain), ("mix0", zero), ("mix1", one))}


def _recording(note: Note, engine: Engine) -> Instrument:
    embedding = engine.encode(note.features)
    return Instrument(note.source.name, (float(note.midi),), lambda _: embedding, moving=True)


def _error(note: Note, rendered: Sound) -> Floats:
    again = analyse(rendered, follow(note.sound, note.midi, cents=80))
    frames = note.frames[note.frames < again.frames]
    true, other = note.features.partials_db[frames], again.partials_db[frames]
    count = min(true.shape[1], other.shape[1])
    gain = _gain(true[:, :count], other[:, :count])
    return partial_error(true[:, :count], other[:, :count] + gain)


def _gain(true: Floats, other: Floats) -> float:
    """One gain for the whole note: a blend is turned down where it would clip."""
    return float(10 * np.log10((10 ** (true / 10)).sum() / (10 ** (other / 10)).sum()))


def speed(engine: Engine, notes: list[Note]) -> dict[str, float]:
    """Decode, embedding → 48 kHz stereo sound, as a multiple of real time; best of three a note."""
    rates = []
    for note in notes[:: max(1, len(notes) // 12)]:
        embedding = engine.encode(note.features)
        f0 = np.full(embedding.frames, midi_to_hz(note.midi), dtype=np.float32)
        best = np.inf
        for _ in range(3):
            start = time.perf_counter()
            synthesis.render(engine.decode(embedding, f0), RATE)
            best = min(best, time.perf_counter() - start)
        rates.append(embedding.seconds / best)
    return {"median": float(np.median(rates)), "slowest": float(np.min(rates))}


def report(
    seed: int = 0,
    soundfonts: Path | None = None,
    limit: int | None = None,
    progress: Callable[[str], None] = lambda line: None,
) -> dict[str, Any]:
    """All figures of the report. `limit` takes that many held-out sources, evenly; None takes all."""
    engine, pca = load_engine("harmonic"), load_pca()
    progress("rendering the held-out instruments")
    notes = list(held_out(seed, soundfonts, limit))
    out: dict[str, Any] = {
        "weights": load().hash,
        "seed": seed,
        "dims": len(pca.axes),
        "sources": len({note.source.name for note in notes}),
        "notes": len(notes),
    }
    progress(f"{out['notes']} notes of {out['sources']} instruments; reconstruction")
    out["reconstruction"] = reconstruction(notes, engine, pca)
    progress("the same notes in other octaves")
    out["octaves"] = other_octaves(notes, engine)
    progress("blends")
    out["blends"] = blends(notes, seed)
    progress("patches halfway")
    out["between"] = between()
    progress("ends")
    out["ends"] = ends(notes, engine)
    progress("speed")
    out["speed"] = speed(engine, notes)
    return out
