"""make-wavetable corpus and train: make the shipped model again."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from nsynth_core.errors import UserError
from wavetables.cli.common import Force, Quiet, Seed, check_folder, progress, say, version

CORPUS, MODEL = Path("corpus"), Path("model")
STEPS = 24_000


def corpus(
    output: Annotated[Path, typer.Option("--output", "-o", metavar="DIR", help="The corpus is written here.")] = CORPUS,
    soundfonts: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="The folder of the two soundfonts, if not where Debian puts them."),
    ] = None,
    seed: Seed = 0,
    force: Force = False,
    quiet: Quiet = False,
) -> None:
    """Render the sounds that the network is trained on."""
    check_folder(output, force)
    from nsynth_core.training.corpus import build

    with progress("corpus", quiet) as update:
        counts = build(output, seed, soundfonts, update)
    say(", ".join(f"{count} {what.replace('_', ' ')}" for what, count in counts.items()), quiet)
    print(output)


def train(
    source: Annotated[Path, typer.Argument(metavar="CORPUS", hidden=True)],
    output: Annotated[
        Path, typer.Option("--output", "-o", metavar="DIR", help="The weights are written here.")
    ] = MODEL,
    seed: Seed = 0,
    force: Force = False,
    quiet: Quiet = False,
) -> None:
    """Train the network on a corpus.

    CORPUS is the folder that 'make-wavetable corpus' made.
    """
    if not source.is_dir():
        raise UserError(f"{source}: no such corpus folder; 'make-wavetable corpus -o {source}' makes one")
    check_folder(output, force)
    # TensorFlow's greeting is no message of ours; it reads this once, when it is imported
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    from nsynth_core.training.corpus import load

    learn, held_out = load(source, ("train",)), load(source, ("validation",))
    from nsynth_core.training import export, fit

    with progress("train", quiet) as update:
        model = fit.train(
            learn,
            held_out,
            output / "checkpoint",
            seed,
            STEPS,
            report=lambda step, steps, figures: update(
                step, steps, " ".join(f"{name} {figure:.3f}" for name, figure in figures.items())
            ),
        )
    card: dict[str, object] = {"program": f"make-wavetable {version()}", "seed": seed, "steps": STEPS}
    export.export(model, output, {**card, "notes": len(learn)})
    print(output)
