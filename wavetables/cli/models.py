"""make-wavetable models: which engines are installed, and whether a checkpoint is one of NSynth's."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from nsynth_core.errors import UsageError
from wavetables.cli.console import emit
from wavetables.cli.options import Averages, Checkpoint, Json

WORDS = {
    "crossfade": "mean of the amplitudes; no weights",
    "envelope": "mean in dB; no weights",
    "transport": "optimal transport of the spectra; no weights",
}


def models(
    given: Annotated[Path | None, typer.Argument(metavar="[CHECKPOINT]", hidden=True)] = None,
    checkpoint: Checkpoint = None,
    averages: Averages = False,
    as_json: Json = False,
) -> None:
    """Say which engines are installed, or check a checkpoint of NSynth.

    A checkpoint is Magenta's wavenet-ckpt: its folder, its .tar or its prefix (.../model.ckpt-200000). Every variable
    is looked at; what is missing or damaged is named.

    \b
    make-wavetable models
    make-wavetable models wavenet-ckpt.tar
    """
    if given is not None and checkpoint is not None:
        raise UsageError("give one checkpoint, not two")
    path = given or checkpoint
    facts = installed() if path is None else checked(path, averages)
    if as_json:
        emit(facts)
        return
    for name, value in facts.items():
        print(f"{name}: {', '.join(map(str, value)) if isinstance(value, list) else value}")


def installed() -> dict[str, Any]:
    """Engine → what there is of it."""
    from importlib import metadata

    from nsynth_core.blending.coder import CODERS, load_coder

    harmonic = {"harmonic": f"weights {load_coder('harmonic').version}, the default"}
    try:
        tensorflow = f"TensorFlow {metadata.version('tensorflow')}"
    except metadata.PackageNotFoundError:
        tensorflow = "TensorFlow of another name, or none"
    needs = f"{tensorflow}; needs --checkpoint: Magenta's wavenet-ckpt (.tar, folder or prefix)"
    return harmonic | {name: WORDS[name] for name in CODERS if name in WORDS} | {"nsynth": needs}


def checked(path: Path, averages: bool) -> dict[str, Any]:
    """What is in a checkpoint. Raises UserError: what `wavenet.checkpoint.load` refuses."""
    from nsynth_core.wavenet import generator
    from nsynth_core.wavenet.checkpoint import load

    weights = load(path, averages)
    numbers = sum(array.size for array in weights.arrays.values())
    need = {n: (4 * numbers + generator.memory_needed(weights, n)) / 1e9 for n in (2, 8, generator.BATCH)}
    return {
        "checkpoint": str(path),
        "weights": "moving averages" if averages else "raw",
        "sha256": weights.digest,
        "variables": len(weights.arrays),
        "numbers": numbers,
        "encoder": "yes" if weights.has_encoder else "no: it decodes encodings, but encodes no sounds",
        "width": weights.width,
        "skip": weights.skip,
        "latent": weights.latent,
        "memory beside TensorFlow": [f"{size:.1f} GB for {n} streams at once" for n, size in need.items()],
    }
