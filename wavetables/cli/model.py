"""make-wavetable corpus and train: make the shipped model again."""

from __future__ import annotations

import hashlib
import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from nsynth_core.errors import UsageError, UserError
from wavetables.cli.checks import check_folder
from wavetables.cli.console import progress, say
from wavetables.cli.options import Force, Quiet, Seed, Soundfonts
from wavetables.provenance import version

if TYPE_CHECKING:
    from nsynth_core.training.corpus import Corpus

CORPUS, MODEL = Path("corpus"), Path("model")
STEPS = 20_000  # of the shipped weights
PAIRS, PAIR_STEPS = 100_000, 16_000  # of the network that says what lies between two sounds


def corpus(
    output: Annotated[Path, typer.Option("--output", "-o", metavar="DIR", help="The corpus is written here.")] = CORPUS,
    soundfonts: Soundfonts = None,
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
        Path, typer.Option("--output", "-o", metavar="DIR", help="The weights and the bank are written here.")
    ] = MODEL,
    soundfonts: Soundfonts = None,
    seed: Seed = 0,
    engine: Annotated[
        str, typer.Option(metavar="NAME", help="harmonic, or nsynth: NSynth's own WaveNet.")
    ] = "harmonic",
    steps: Annotated[
        int | None, typer.Option(min=1, metavar="N", help=f"How long to train: {STEPS}, nsynth 200000.")
    ] = None,
    width: Annotated[
        int | None, typer.Option(min=2, max=4096, metavar="N", help="Of nsynth: 512 as published.")
    ] = None,
    batch: Annotated[int | None, typer.Option(min=1, metavar="N", help="Of nsynth: crops a step, 32.")] = None,
    force: Force = False,
    quiet: Quiet = False,
) -> None:
    """Train the network on a corpus, and make the bank of instruments.

    CORPUS is the folder that 'make-wavetable corpus' made. What is written takes the place of the shipped weights in
    nsynth_core/harmonic/weights/ and of the bank in presets/bank/. With --engine nsynth it is any folder of sounds, and
    checkpoints of NSynth's own layout are written. An interrupted run goes on with the same command: NSynth's where it
    was, the other after the field, where that was fitted.
    """
    if engine not in ("harmonic", "nsynth"):
        raise UsageError(f"no engine called '{engine}' is trained; choose harmonic or nsynth")
    if engine == "nsynth":
        if soundfonts is not None:
            raise UsageError("--soundfonts means nothing to the nsynth engine: it is trained on the sounds of a folder")
        _train_nsynth(source, output, seed, steps, width, batch, force, quiet)
        return
    if width is not None or batch is not None:
        raise UsageError("--width and --batch are those of --engine nsynth")
    if not source.is_dir():
        raise UserError(f"{source}: no such corpus folder; 'make-wavetable corpus -o {source}' makes one")
    unfinished = (output / "checkpoint").is_dir() and not (output / "bank.npz").exists()
    if force or not unfinished:  # else the run goes on
        check_folder(output, force)
    from nsynth_core.training.corpus import load

    learn, held_out = load(source, ("train",)), load(source, ("validation",))
    try:
        output.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"{output}: cannot be made: {error.strerror}; choose another -o") from error
    # TensorFlow's greeting is no message of ours; it reads this once, when it is imported
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    from nsynth_core.training import export, fit_between, fit_field, pairs

    def figured(update: Callable[[int, int, str], None]) -> Callable[[int, int, dict[str, float]], None]:
        return lambda step, of, figures: update(step, of, " ".join(f"{name} {x:.3f}" for name, x in figures.items()))

    share = (steps or STEPS) / STEPS
    run = {"seed": seed, "steps": steps or STEPS, "corpus": _digest(learn)}
    told = {} if force else fit_field.kept(output / "checkpoint")
    if told.get("run") == run:
        model, figures = fit_field.build(), told["figures"]
        model.restore(output / "checkpoint")
    else:
        with progress("train", quiet) as update:
            model, figures = fit_field.train(
                learn, held_out, output / "checkpoint", seed, steps or STEPS, report=figured(update)
            )
        told = {"run": run, "figures": figures, "commit": _commit()}
        fit_field.keep(output / "checkpoint", told)
    with progress("pairs", quiet) as update:
        known = pairs.make(learn, max(1, round(share * PAIRS)), seed, update)
        unseen = pairs.make(held_out, max(1, round(share * PAIRS / 20)), seed + 1, update)
    with progress("between", quiet) as update:
        graphs, found = fit_between.train(
            known, unseen, seed, max(1, round(share * PAIR_STEPS)), report=figured(update)
        )
    figures |= {f"between_{name}": figure for name, figure in found.items()}
    drawn = graphs._asdict()
    for name, graph in drawn.items():
        graph.save_weights(output / "checkpoint" / f"{name}.weights.h5")
    export.export(model.graphs | drawn, output, _card(learn, seed, steps or STEPS, figures, told["commit"]))
    _write_linear_code(output / "pca.npz", learn, seed)
    _write_bank(output, seed, soundfonts, quiet)
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
) -> None:
    if not source.is_dir():
        raise UserError(f"{source}: no such folder; the nsynth engine is trained on a folder of sounds")
    from nsynth_core.wavenet import training

    if force or not training.is_trained(output):  # else the run goes on
        check_folder(output, force)
    with progress("train", quiet) as update:
        prefix = training.train(
            training.sounds(source),
            output,
            seed=seed,
            steps=steps or training.STEPS,
            batch=batch or training.BATCH,
            width=width or training.WIDTH,
            resume=not force,
            report=lambda step, of, loss: update(step, of, f"{loss:.3f} nats"),
        )
    print(prefix)


def _digest(corpus: Corpus) -> str:
    """Tells corpora apart: by their sources, and the pitches and lengths of their notes."""
    parts = ["\n".join(corpus.names).encode(), *(corpus.arrays[name].tobytes() for name in ("f0", "length"))]
    return hashlib.sha256(b"".join(parts)).hexdigest()[:12]


def _card(
    learn: Corpus, seed: int, steps: int, figures: dict[str, float], field_commit: str | None
) -> dict[str, object]:
    """What a reader of the weights wants to know of them. The field may have been fitted by an earlier run."""
    from nsynth_core.harmonic.network import DIMS

    families = {name: learn.families.count(name) for name in sorted(set(learn.families))}
    collections = sorted({name.partition("/")[0] for name in learn.names})
    return {
        "what": "harmonic field (encoder, branch, trunk) and what lies between two spectra, in LiteRT, half precision",
        "made_by": f"make-wavetable {version()}: make-wavetable corpus, make-wavetable train",
        "commit": _commit(),
        "field_commit": field_commit,
        "seed": seed,
        "steps": steps,
        "dims": DIMS,
        "data": {
            "sources": len(learn.names),
            "notes": len(learn),
            "collections": {each: sum(name.startswith(f"{each}/") for name in learn.names) for each in collections},
            "families": families,
            "held_out": "whole presets and programs of every family, for validation and for test",
        },
        "licences": {
            "FluidR3_GM, MuseScore_General": "MIT, parts public domain or CC0; see docs/soundfont-licences.md",
            "espeak-ng": "held vowels and other sounds of speech, trained on only",
            "closed forms": "Apache-2.0, this project's own",
        },
        "figures": {name: round(figure, 4) for name, figure in figures.items()},
        "licence": "Apache-2.0",
    }


def _commit() -> str | None:
    """The commit of the checkout that trains, if it is one."""
    command = ["git", "-C", str(Path(__file__).parent), "rev-parse", "HEAD"]
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return None


def _write_linear_code(path: Path, learn: Corpus, seed: int) -> None:
    import numpy as np

    from nsynth_core.files import atomic
    from nsynth_core.harmonic.network import DIMS
    from nsynth_core.training.fit_field import linear_code

    mean, axes = linear_code(learn, DIMS, seed)
    with atomic(path, force=True) as temporary, temporary.open("wb") as file:
        np.savez(file, mean=mean.astype(np.float32), axes=axes.astype(np.float16))


def _write_bank(folder: Path, seed: int, soundfonts: Path | None, quiet: bool) -> None:
    from nsynth_core.harmonic.coder import HarmonicCoder
    from presets import bank

    with progress("bank", quiet) as update:
        bank.build(folder / "bank.npz", HarmonicCoder(folder), seed, soundfonts, update, force=True)
