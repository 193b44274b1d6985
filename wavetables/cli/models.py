"""make-wavetable models: which engines are installed, and whether a checkpoint is one of NSynth's."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from nsynth_core.errors import UsageError
from wavetables.cli.console import emit
from wavetables.cli.options import Averages, Checkpoint, Json

if TYPE_CHECKING:
    from nsynth_core.wavenet.inspection import CheckpointFacts

METHODS = {
    "crossfade": "mean of the amplitudes; no weights",
    "envelope": "mean in dB; no weights",
    "transport": "optimal transport of the spectra; no weights",
}

CheckpointArgument = Annotated[Path | None, typer.Argument(metavar="[CHECKPOINT]", hidden=True)]


def models(
    given: CheckpointArgument = None,
    checkpoint: Checkpoint = None,
    averages: Averages = False,
    as_json: Json = False,
) -> None:
    """List the installed engines, or check a checkpoint of NSynth.

    CHECKPOINT is Magenta's wavenet-ckpt: its folder, its .tar or its prefix (.../model.ckpt-200000). Every variable is
    read. An error names the one that is missing or damaged.

    \b
    make-wavetable models
    make-wavetable models wavenet-ckpt.tar
    """
    if given is not None and checkpoint is not None:
        raise UsageError("give one checkpoint, not two")
    path = given or checkpoint
    lines = installed() if path is None else checked(path, averages)
    if as_json:
        emit(lines)
        return
    for name, value in lines.items():
        print(f"{name}: {', '.join(map(str, value)) if isinstance(value, list) else value}")


def installed() -> dict[str, str]:
    """Engine -> what is installed of it."""
    from importlib import metadata

    from nsynth_core.blending.coder import CODERS, load_coder

    harmonic = {"harmonic": f"weights {load_coder('harmonic').version}, the default"}
    try:
        tensorflow = f"TensorFlow {metadata.version('tensorflow')}"
    except metadata.PackageNotFoundError:
        tensorflow = "TensorFlow of another name, or none"
    needs = f"{tensorflow}; needs --checkpoint: Magenta's wavenet-ckpt (.tar, folder or prefix)"
    return harmonic | {name: METHODS[name] for name in CODERS if name in METHODS} | {"nsynth": needs}


def checked(path: Path, averages: bool) -> dict[str, Any]:
    """The facts of a checkpoint in words. Raises UserError for one that cannot be used."""
    from nsynth_core.wavenet.inspection import inspect_checkpoint

    return _lines(inspect_checkpoint(path, averages))


def _lines(facts: CheckpointFacts) -> dict[str, Any]:
    memory = [f"{size / 1e9:.1f} GB for {count} streams at once" for count, size in facts.memory_bytes.items()]
    return {
        "checkpoint": str(facts.path),
        "weights": "moving averages" if facts.averages else "raw",
        "sha256": facts.sha256,
        "variables": facts.variables,
        "numbers": facts.numbers,
        "encoder": "yes" if facts.has_encoder else "no: it decodes encodings, but encodes no sounds",
        "width": facts.width,
        "skip": facts.skip,
        "latent": facts.latent,
        "memory beside TensorFlow": memory,
    }
