"""Figures of the network's code: beside a linear code of the same size, and beside the sound."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nsynth_core.audio import Floats
from nsynth_core.blending.coder import Coder
from nsynth_core.blending.embedding import at_frames, at_pitch
from nsynth_core.errors import UserError
from nsynth_core.harmonic.inputs import FIRST_PARTIALS
from nsynth_core.harmonic.runtime import weights_folder
from nsynth_core.metrics import spectral_distance
from nsynth_core.sound import synthesis
from nsynth_core.sound.features import Features, hz_to_erb, rows
from nsynth_core.sound.spectral_envelope import ENVELOPE_POINTS, FLOOR, envelope, envelope_hz, relative
from nsynth_core.training.evaluation.sounds import RATE, HeldOutNote, below_level, evenly

OCTAVES = ((36, 48), (48, 60), (60, 72), (60, 48), (36, 60), (48, 72), (72, 48))
LISTENED = 60  # notes: Zimtohrli takes a tenth of a second for each
LISTENING_RMS = 0.1  # Zimtohrli takes a full-scale sine for 80 dB SPL


@dataclass(frozen=True)
class Pca:
    """A linear code of the same size, fitted on the same corpus: mean (V,) and axes (dims, V) of `pca_vector`."""

    mean: Floats
    axes: Floats

    def partials(self, features: Features) -> Floats:
        """Partials (T, K) in dB under the level after coding: the first ones by number, the rest from the envelope."""
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
    """What the linear code gets, in dB: the encoder's inputs without the stereo image."""
    missing = max(0, FIRST_PARTIALS - partials.shape[1])
    first = np.pad(partials[:, :FIRST_PARTIALS], ((0, 0), (0, missing)), constant_values=FLOOR)
    return np.concatenate([envelope(partials, f0), first, noise], axis=1)


def load_pca() -> Pca:
    """The PCA that 'train' wrote next to the weights."""
    path = weights_folder() / "pca.npz"
    if not path.exists():
        raise UserError("missing; install make-wavetable again", path=path)
    with np.load(path) as data:
        return Pca(data["mean"].astype(np.float32), data["axes"].astype(np.float32))


def _coded(notes: list[HeldOutNote], engine: Coder, pca: Pca) -> tuple[Floats, Floats, NDArray[np.int64]]:
    """Log-spectral distance of the coded from the true partials, by the network and by PCA, and each frame's note."""
    network: list[Floats] = []
    linear: list[Floats] = []
    for note in notes:
        embedding = engine.encode(note.features)
        decoded = engine.decode(embedding, note.features.f0_hz, detail=0.0)
        true = rows(note.features, note.frames)
        count = min(decoded.partials_db.shape[1], true.partials_db.shape[1])
        reference = below_level(true)[:, :count]
        network.append(spectral_distance(reference, below_level(rows(decoded, note.frames))[:, :count]))
        linear.append(spectral_distance(reference, pca.partials(true)[:, :count]))
    of = np.repeat(np.arange(len(notes)), [len(note.frames) for note in notes])
    return np.concatenate(network), np.concatenate(linear), of


def reconstruction(notes: list[HeldOutNote], engine: Coder, pca: Pca) -> dict[str, Any]:
    """Log-spectral distance of the coded from the true partials in dB: the mean over all frames, and by family."""
    a, b, of = _coded(notes, engine, pca)
    kinds = np.asarray([note.source.family for note in notes])[of]
    recorded = np.asarray([note.source.licence == "MIT" for note in notes])[of]  # the soundfonts

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
        "families": {kind: mean(kinds == kind) for kind in sorted(set(kinds.tolist()))},
    }


def out_of_domain(notes: list[HeldOutNote], engine: Coder, pca: Pca) -> dict[str, Any]:
    """As `reconstruction`, with kinds of sounds that the network was not trained on. Each kind has the same weight."""
    if not notes:
        return {}
    kinds = reconstruction(notes, engine, pca)["families"]
    means = {name: float(np.mean([kind[name] for kind in kinds.values()])) for name in ("network", "pca")}
    return means | {"ratio": means["network"] / means["pca"], "kinds": kinds, "notes": len(notes)}


def other_octaves(notes: list[HeldOutNote], engine: Coder) -> dict[str, Any]:
    """How far, in dB, a note that is moved by 12 or 24 semitones is from the recorded note there.

    By the network, by keeping the levels by number or in Hz, and by the mean of both.
    """
    errors: dict[str, list[Floats]] = {"network": [], "network_bare": [], "number": [], "hertz": [], "mean": []}
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
            reference = below_level(true)
            guesses = {
                "network": below_level(engine.decode(embedding, f0)),
                "network_bare": below_level(engine.decode(embedding, f0, detail=0.0)),
                **keep(below_level(source), source.f0_hz, f0, count),
            }
            for kind, guess in guesses.items():
                guess = np.pad(guess, ((0, 0), (0, max(0, count - guess.shape[1]))), constant_values=FLOOR)[:, :count]
                errors[kind].append(spectral_distance(reference, guess))
    means = {kind: float(np.concatenate(values).mean()) for kind, values in errors.items()}
    return means | {"ratio": means["network"] / means["mean"]}


def keep(partials: Floats, f0_from: Floats, f0_to: Floats, count: int) -> dict[str, Floats]:
    """Three predictions without a network, (T, count): levels by number, in Hz, and the mean of both in dB."""
    mean = at_pitch(partials, f0_from, f0_to, count, FLOOR)
    number = np.pad(partials, ((0, 0), (0, max(0, count - partials.shape[1]))), constant_values=FLOOR)[:, :count]
    return {"number": number, "hertz": 2 * mean - number, "mean": mean}


def perceptual(
    notes: list[HeldOutNote], engine: Coder, left_out: Callable[[str], None] = lambda line: None
) -> dict[str, float]:
    """The Zimtohrli distance (Alakuijala et al. 2025) of rendered notes from the notes.

    "plain" without a network, "engine" as the engine renders them, "code" from the code alone (detail 0). Empty where
    zimtohrli is not installed.
    """
    try:
        from zimtohrli import Pyohrli
    except ImportError:
        left_out("zimtohrli: not installed (perceptual distance); pip install zimtohrli")
        return {}
    ear = Pyohrli()
    distances: dict[str, list[float]] = {"plain": [], "engine": [], "code": []}
    for note in evenly(notes, LISTENED):
        features = note.features
        embedding = engine.encode(features)
        true = note.sound.mid()
        gain = LISTENING_RMS / float(np.sqrt((true.astype(np.float64) ** 2).mean()))
        for name, version in (
            ("plain", features),
            ("engine", engine.decode(embedding, features.f0_hz)),
            ("code", engine.decode(embedding, features.f0_hz, detail=0.0)),
        ):
            rendered = synthesis.render(version, RATE).mid()
            count = min(len(true), len(rendered))
            distances[name].append(ear.distance(*(np.float32(gain) * x[:count] for x in (true, rendered))))
    means = {name: float(np.mean(values)) for name, values in distances.items()}
    return means | {"engine_ratio": means["engine"] / means["plain"], "code_ratio": means["code"] / means["plain"]}
