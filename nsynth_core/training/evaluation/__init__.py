"""The quality report: the network beside PCA and the classical blends, on sounds it was not trained on."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from nsynth_core.audio import Floats
from nsynth_core.blending.coder import Coder, load_coder
from nsynth_core.blending.embedding import Embedding
from nsynth_core.errors import UserError
from nsynth_core.harmonic.runtime import load, weights_folder
from nsynth_core.notes import midi_to_hz
from nsynth_core.sound import synthesis
from nsynth_core.training.evaluation.blending import between, between_synth, between_voices, blends
from nsynth_core.training.evaluation.coding import (
    Pca,
    load_pca,
    other_octaves,
    out_of_domain,
    pca_vector,
    perceptual,
    reconstruction,
)
from nsynth_core.training.evaluation.fidelity import ends
from nsynth_core.training.evaluation.sounds import RATE, HeldOutNote, elsewhere, evenly, held_out

__all__ = [
    "HeldOutNote",
    "Pca",
    "between",
    "between_synth",
    "between_voices",
    "blends",
    "elsewhere",
    "ends",
    "held_out",
    "load_pca",
    "other_octaves",
    "out_of_domain",
    "pca_vector",
    "perceptual",
    "reconstruction",
    "report",
    "speed",
]

TIMED = 12  # notes
STAGES = (
    "held_out", "reconstruction", "out_of_domain", "octaves", "blends", "between", "between_synth", "between_voices",
    "ends", "perceptual", "speed",
)  # fmt: skip


def speed(engine: Coder, notes: list[HeldOutNote]) -> dict[str, float]:
    """How fast embeddings become 48 kHz stereo sound, as a multiple of real time.

    "median" and "slowest" of TIMED notes, each the best of three runs, and "two_threads" for all of them at once.
    """
    jobs: list[tuple[Embedding, Floats]] = []
    for note in evenly(notes, TIMED):
        embedding = engine.encode(note.features)
        jobs.append((embedding, np.full(embedding.frames, midi_to_hz(note.midi), dtype=np.float32)))

    def decode(job: tuple[Embedding, Floats]) -> None:
        synthesis.render(engine.decode(*job), RATE)

    rates = [job[0].seconds / _seconds(partial(decode, job)) for job in jobs]
    with ThreadPoolExecutor(2) as pool:
        both = _seconds(lambda: list(pool.map(decode, jobs)))
    total = sum(embedding.seconds for embedding, _ in jobs)
    return {"median": float(np.median(rates)), "slowest": float(np.min(rates)), "two_threads": total / both}


def _seconds(work: Callable[[], object]) -> float:
    """The shortest of three runs of `work`, in seconds."""
    times = []
    for _ in range(3):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return min(times)


def report(
    seed: int = 0,
    soundfonts: Path | None = None,
    limit: int | None = None,
    progress: Callable[[str], None] = lambda stage: None,
) -> dict[str, Any]:
    """Measure the shipped network beside PCA and the classical blends, on sounds it was not trained on.

    seed        of the corpus whose held-out instruments are taken, and of the random pairs
    soundfonts  folder of the soundfonts, None for the places where distributions put them
    limit       how many sources of each kind are taken, spread over all of them; None takes all
    progress    called with each of STAGES when it begins

    Returns the figures by stage, and facts about the run. A stage is empty where its sounds, synth or measure is
    not installed; "left_out" names those.
    Raises UserError where not even the held-out instruments can be rendered.
    """
    engine, pca = load_coder("harmonic"), load_pca()
    left_out: list[str] = []
    progress("held_out")
    notes = list(held_out(seed, soundfonts, limit))
    if not notes:
        raise UserError("none of the held-out instruments has a note that can be measured; take more of them")
    foreign: list[HeldOutNote] = []

    def out_of_their_domain() -> dict[str, Any]:
        foreign.extend(elsewhere(soundfonts, limit, left_out.append))
        return out_of_domain(foreign, engine, pca)

    stages: dict[str, Callable[[], dict[str, Any]]] = {
        "reconstruction": lambda: reconstruction(notes, engine, pca),
        "out_of_domain": out_of_their_domain,
        "octaves": lambda: other_octaves(notes, engine),
        "blends": lambda: blends(notes, seed),
        "between": between,
        "between_synth": lambda: between_synth(left_out.append),
        "between_voices": lambda: between_voices(left_out.append),
        "ends": lambda: _ends(notes, foreign, engine),
        "perceptual": lambda: perceptual(notes, engine, left_out.append),
        "speed": lambda: speed(engine, notes),
    }
    figures = _facts(notes, pca, seed) | {"left_out": left_out}
    for stage, measure in stages.items():
        progress(stage)
        figures[stage] = measure()
    return figures


def _facts(notes: list[HeldOutNote], pca: Pca, seed: int) -> dict[str, Any]:
    """What was measured: the weights, and how many notes."""
    return {
        "weights": load().hash,
        "weights_mb": sum(path.stat().st_size for path in weights_folder().glob("*.tflite")) / 1e6,
        "seed": seed,
        "dims": len(pca.axes),
        "sources": len({note.source.name for note in notes}),
        "notes": len(notes),
    }


def _ends(notes: list[HeldOutNote], foreign: list[HeldOutNote], engine: Coder) -> dict[str, Any]:
    """`ends` for each kind of sound of which there are two."""
    recorded = [note for note in notes if note.source.licence == "MIT"]
    spoken = [note for note in foreign if note.source.family == "recorded voices"]
    kinds = {"held-out instruments": notes, "of them recordings": recorded, "recorded voices": spoken}
    return {kind: ends(chosen, engine) for kind, chosen in kinds.items() if len(chosen) > 1}
