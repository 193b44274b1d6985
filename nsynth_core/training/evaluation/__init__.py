"""The quality report: the network beside PCA and the classical blends, on sounds it never saw, in one run."""

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

TIMED = 12


def speed(engine: Coder, notes: list[HeldOutNote]) -> dict[str, float]:
    """Decode, embedding → 48 kHz stereo sound, as a multiple of real time: best of three a note, and all at once on two
    threads."""
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
    """The shortest of three times."""
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
    progress: Callable[[str], None] = lambda line: None,
) -> dict[str, Any]:
    """All figures of the report. `limit` takes that many sources of each kind, evenly; None takes all.

    Rows whose sounds, synth or measure are not installed are empty, and named in "left_out".
    """
    engine, pca = load_coder("harmonic"), load_pca()
    left_out: list[str] = []
    progress("rendering the held-out instruments")
    notes = list(held_out(seed, soundfonts, limit))
    if not notes:
        raise UserError("no held-out instrument sounds; take more with --limit")
    out: dict[str, Any] = {
        "weights": load().hash,
        "weights_mb": sum(path.stat().st_size for path in weights_folder().glob("*.tflite")) / 1e6,
        "seed": seed,
        "dims": len(pca.axes),
        "sources": len({note.source.name for note in notes}),
        "notes": len(notes),
        "left_out": left_out,
    }
    progress(f"{out['notes']} notes of {out['sources']} instruments; reconstruction")
    out["reconstruction"] = reconstruction(notes, engine, pca)
    progress("sounds of other kinds")
    foreign = list(elsewhere(soundfonts, limit, left_out.append))
    out["out_of_domain"] = out_of_domain(foreign, engine, pca)
    progress("the same notes in other octaves")
    out["octaves"] = other_octaves(notes, engine)
    progress("blends")
    out["blends"] = blends(notes, seed)
    progress("patches halfway")
    out["between"] = between()
    progress("a real synth's patches halfway")
    out["between_synth"] = between_synth(left_out.append)
    progress("voices halfway from vowel to vowel")
    out["between_voices"] = between_voices(left_out.append)
    progress("ends")
    recorded = [note for note in notes if note.source.licence == "MIT"]
    spoken = [note for note in foreign if note.source.family == "recorded voices"]
    kinds = {"held-out instruments": notes, "of them recordings": recorded, "recorded voices": spoken}
    out["ends"] = {kind: ends(chosen, engine) for kind, chosen in kinds.items() if len(chosen) > 1}
    progress("by ear")
    out["perceptual"] = perceptual(notes, engine, left_out.append)
    progress("speed")
    out["speed"] = speed(engine, notes)
    return out
