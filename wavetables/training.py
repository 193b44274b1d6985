"""Makes the shipped model again. This module joins the training of nsynth_core and the bank of presets, which lies
above it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from nsynth_core.blending.engine import Update, Watch, unwatched
from nsynth_core.training import run
from wavetables.provenance import version

if TYPE_CHECKING:
    from nsynth_core.blending.coder import Coder


def train_model(
    corpus: Path,
    output: Path,
    *,
    seed: int = 0,
    steps: int = run.STEPS,
    soundfonts: Path | None = None,
    resume: bool = True,
    watch: Watch = unwatched,
) -> dict[str, float]:
    """Fit the networks on a corpus and write the weights, their model card and the bank of built-in instruments.

    corpus      folder that `nsynth_core.training.corpus.build` wrote
    output      folder for the files; those of an older run are replaced
    seed        decides everything that is random: 0 or more
    steps       of the fit, 1 or more: 20,000 for the shipped weights
    soundfonts  folder of the two soundfonts, None for the places where distributions put them
    resume      True goes on with an interrupted run of the same corpus, seed and steps
    watch       shows progress

    Returns the figures of the model card. Raises UserError as `nsynth_core.training.run.train` does, and for a missing
    soundfont, FluidSynth or espeak-ng.

    >>> train_model(Path("corpus"), Path("model"))["validation"]  # doctest: +SKIP
    2.9
    """

    def write_bank(path: Path, coder: Coder, progress: Update) -> None:
        from presets import bank

        bank.build(path, coder, seed, soundfonts, progress, force=True)

    made_by = f"make-wavetable {version()}"
    return run.train(corpus, output, write_bank, seed=seed, steps=steps, resume=resume, made_by=made_by, watch=watch)
