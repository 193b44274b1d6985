"""make-wavetable corpus and train: make the shipped model again."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from nsynth_core.errors import UsageError
from wavetables.cli.checks import check_folder, check_unused
from wavetables.cli.console import progress, say, watch
from wavetables.cli.options import Force, Quiet, Seed, Soundfonts

ENGINES = ("harmonic", "nsynth")

Corpus = Annotated[Path, typer.Argument(metavar="CORPUS", hidden=True)]
CorpusOutput = Annotated[Path, typer.Option("--output", "-o", metavar="DIR", help="The folder to write the corpus to.")]
ModelOutput = Annotated[
    Path, typer.Option("--output", "-o", metavar="DIR", help="The folder to write the weights and the bank to.")
]
Engine = Annotated[
    str,
    typer.Option(metavar="NAME", help="harmonic: this project's network. nsynth: NSynth's own WaveNet."),
]
Steps = Annotated[
    int | None,
    typer.Option(min=1, metavar="N", help="How many steps to train. Default: 20000, for nsynth 200000."),
]
LayerWidth = Annotated[
    int | None,
    typer.Option("--width", min=2, max=4096, metavar="N", help="nsynth only: channels of a layer. Default: 512."),
]
Batch = Annotated[
    int | None, typer.Option(min=1, metavar="N", help="nsynth only: crops of sounds in a step. Default: 32.")
]


def corpus(
    output: CorpusOutput = Path("corpus"),
    soundfonts: Soundfonts = None,
    seed: Seed = 0,
    force: Force = False,
    quiet: Quiet = False,
) -> None:
    """Render and analyse the sounds that the network is trained on.

    This needs both soundfonts, FluidSynth and espeak-ng.

    \b
    make-wavetable corpus -o corpus
    """
    check_folder(output, force)
    from nsynth_core.training.corpus import build

    with progress("corpus", quiet) as update:
        counts = build(output, seed, soundfonts, update)
    say(", ".join(f"{count} {what.replace('_', ' ')}" for what, count in counts.items()), quiet)
    print(output)


def train(
    source: Corpus,
    output: ModelOutput = Path("model"),
    soundfonts: Soundfonts = None,
    seed: Seed = 0,
    engine: Engine = "harmonic",
    steps: Steps = None,
    width: LayerWidth = None,
    batch: Batch = None,
    force: Force = False,
    quiet: Quiet = False,
) -> None:
    """Train the network and make the bank of built-in instruments.

    CORPUS is the folder that 'make-wavetable corpus' wrote. The results replace the shipped weights in
    nsynth_core/harmonic/weights/ and the bank in presets/bank/.

    With --engine nsynth, CORPUS is any folder of sounds, and checkpoints in NSynth's own layout are written.

    An interrupted run continues with the same command. With nsynth it continues at its last checkpoint. With harmonic
    it continues after the first of its two fits, if that one was finished.

    \b
    make-wavetable train corpus -o model
    make-wavetable train my-sounds -o my-nsynth --engine nsynth --width 64 --steps 5000
    """
    if engine not in ENGINES:
        raise UsageError(f"no engine called '{engine}' is trained; choose harmonic or nsynth")
    if engine == "nsynth":
        check_unused({"--soundfonts": soundfonts}, "the nsynth engine is trained on the sounds of a folder")
        print(_train_nsynth(source, output, seed, steps, width, batch, force, quiet))
        return
    check_unused({"--width": width, "--batch": batch}, "it is for --engine nsynth")
    from nsynth_core.training import run
    from wavetables.training import train_model

    if force or not run.is_unfinished(output):
        check_folder(output, force)
    train_model(
        source,
        output,
        seed=seed,
        steps=steps or run.STEPS,
        soundfonts=soundfonts,
        resume=not force,
        watch=watch(quiet),
    )
    print(output)


def _train_nsynth(
    source: Path,
    output: Path,
    seed: int,
    steps: int | None,
    width: int | None,
    batch: int | None,
    force: bool,
    quiet: bool,
) -> Path:
    """Train NSynth's WaveNet. Returns the prefix of the last checkpoint."""
    from nsynth_core.wavenet import training

    files = training.sounds(source)
    if force or not training.is_trained(output):
        check_folder(output, force)
    with progress("train", quiet) as update:
        return training.train(
            files,
            output,
            seed=seed,
            steps=steps or training.STEPS,
            batch=batch or training.BATCH,
            width=width or training.WIDTH,
            resume=not force,
            report=lambda step, of, loss: update(step, of, f"{loss:.3f} nats"),
        )
