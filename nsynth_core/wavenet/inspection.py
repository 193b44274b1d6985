"""What a checkpoint of NSynth holds, and how much memory it needs."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from nsynth_core.wavenet import generator
from nsynth_core.wavenet.checkpoint import load

STREAM_COUNTS = (2, 8, generator.BATCH)  # for which memory is stated


@dataclass(frozen=True)
class CheckpointFacts:
    """A checkpoint that could be read whole.

    averages      True: the moving averages of the weights were read
    sha256        of names, shapes and numbers, whatever file they came from
    variables     how many there are; `numbers` in all of them together
    has_encoder   False: it decodes encodings, but encodes no sounds
    width         channels of the decoder's layers, `skip` of its sum of skips, `latent` numbers in a frame
    memory_bytes  number of streams generated at once -> bytes in all, TensorFlow not counted
    """

    path: Path
    averages: bool
    sha256: str
    variables: int
    numbers: int
    has_encoder: bool
    width: int
    skip: int
    latent: int
    memory_bytes: dict[int, int]


def inspect_checkpoint(path: Path, averages: bool = False) -> CheckpointFacts:
    """Read every variable of a checkpoint and say what it holds.

    path: its folder, its .tar or its prefix (.../model.ckpt-200000)
    Raises UserError for what `nsynth_core.wavenet.checkpoint.load` refuses: a missing, damaged or foreign checkpoint.
    """
    weights = load(path, averages)
    numbers = sum(array.size for array in weights.arrays.values())
    return CheckpointFacts(
        path,
        averages,
        weights.digest,
        len(weights.arrays),
        numbers,
        weights.has_encoder,
        weights.width,
        weights.skip,
        weights.latent,
        {count: 4 * numbers + generator.memory_needed(weights, count) for count in STREAM_COUNTS},
    )
