"""One training run of the harmonic engine: a corpus becomes weights, their model card, and the bank of instruments."""

from __future__ import annotations

import hashlib
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from nsynth_core.blending.engine import Update, Watch, unwatched
from nsynth_core.errors import NotWritable, UserError
from nsynth_core.files import atomic
from nsynth_core.lazy import require_tensorflow
from nsynth_core.training.corpus import Corpus, load

if TYPE_CHECKING:
    from nsynth_core.blending.coder import Coder
    from nsynth_core.training.fit_between import Graphs
    from nsynth_core.training.fit_field import Model

STEPS = 20_000  # of the field of the shipped weights
PAIRS, PAIR_STEPS = 100_000, 16_000  # of the networks between two spectra; fewer steps take fewer of both
HELD_OUT = 20  # for so many pairs one more is made, and only measured
CHECKPOINT, BANK = "checkpoint", "bank.npz"  # in the output folder; the bank is written last

BankWriter = Callable[[Path, "Coder", Update], None]  # file, coder with the new weights, progress
Figures = dict[str, float]


def is_unfinished(output: Path) -> bool:
    """True where `output` holds a run that was interrupted: it has begun to write, but has no bank yet."""
    return (output / CHECKPOINT).is_dir() and not (output / BANK).exists()


def train(
    corpus: Path,
    output: Path,
    write_bank: BankWriter,
    *,
    seed: int = 0,
    steps: int = STEPS,
    resume: bool = True,
    made_by: str = "make-wavetable",
    watch: Watch = unwatched,
) -> Figures:
    """Fit the networks of the harmonic engine, and write everything that the shipped weights consist of.

    corpus      folder that `nsynth_core.training.corpus.build` wrote
    output      folder for NAME.tflite of five graphs, model_card.json, pca.npz and bank.npz; made where it is missing.
                Its folder `checkpoint` holds the weights in Keras' format. Older files are replaced.
    write_bank  writes the bank of instruments: `presets.bank.build`, which lies above this package and so is passed in
    seed        decides everything that is random: 0 or more
    steps       of the field, 1 or more; the networks between two spectra take a share of this
    resume      True goes on after the field, where `output` holds a field of the same corpus, seed and steps
    made_by     program and version, for the model card
    watch       shows progress: "train", "pairs", "between" and "bank"

    Returns the figures that the model card names, among them the errors on held-out notes in dB.
    Raises UserError for a folder without a corpus, and for a folder that cannot be written.
    """
    require_tensorflow("train")
    if not corpus.is_dir():
        raise UserError("no such corpus folder; 'make-wavetable corpus' makes one", path=corpus)
    learn, held_out = load(corpus, ("train",)), load(corpus, ("validation",))
    try:
        output.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise NotWritable(output, error.strerror or str(error)) from error
    from nsynth_core.training import export

    field, figures, field_commit = _field(learn, held_out, output / CHECKPOINT, seed, steps, resume, watch)
    between, between_figures = _between(learn, held_out, seed, steps, watch)
    figures |= {f"between_{name}": figure for name, figure in between_figures.items()}
    for name, graph in between._asdict().items():
        graph.save_weights(output / CHECKPOINT / f"{name}.weights.h5")
    card = _card(learn, seed, steps, figures, made_by, field_commit)
    export.export(field.graphs | between._asdict(), output, card)
    _write_linear_code(output / "pca.npz", learn, seed)

    from nsynth_core.harmonic.coder import HarmonicCoder

    with watch("bank", "") as update:
        write_bank(output / BANK, HarmonicCoder(output), update)
    return figures


def _field(
    learn: Corpus, held_out: Corpus, checkpoint: Path, seed: int, steps: int, resume: bool, watch: Watch
) -> tuple[Model, Figures, str | None]:
    """The field, its figures, and the commit of the checkout that fitted it: now, or in a run that was interrupted."""
    from nsynth_core.training import fit_field

    run = {"seed": seed, "steps": steps, "corpus": _digest(learn)}
    record = fit_field.read_record(checkpoint) if resume else {}
    if record.get("run") == run:
        model = fit_field.build()
        model.restore(checkpoint)
        return model, record["figures"], record["commit"]
    with watch("train", "") as update:
        model, figures = fit_field.train(learn, held_out, checkpoint, seed, steps, report=_figured(update))
    commit = _commit()
    fit_field.write_record(checkpoint, {"run": run, "figures": figures, "commit": commit})
    return model, figures, commit


def _between(learn: Corpus, held_out: Corpus, seed: int, steps: int, watch: Watch) -> tuple[Graphs, Figures]:
    """The networks between two spectra, and their figures."""
    from nsynth_core.training import fit_between, pairs

    share = steps / STEPS
    with watch("pairs", "") as update:
        known = pairs.make(learn, max(1, round(share * PAIRS)), seed, update)
        unseen = pairs.make(held_out, max(1, round(share * PAIRS / HELD_OUT)), seed + 1, update)
    with watch("between", "") as update:
        return fit_between.train(known, unseen, seed, max(1, round(share * PAIR_STEPS)), report=_figured(update))


def _figured(update: Update) -> Callable[[int, int, Figures], None]:
    """Progress with the figures of a step as its note."""
    return lambda step, steps, figures: update(step, steps, " ".join(f"{name} {x:.3f}" for name, x in figures.items()))


def _digest(corpus: Corpus) -> str:
    """Tells corpora apart: by their sources, and the pitches and lengths of their notes."""
    parts = ["\n".join(corpus.names).encode(), *(corpus.arrays[name].tobytes() for name in ("f0", "length"))]
    return hashlib.sha256(b"".join(parts)).hexdigest()[:12]


def _card(
    learn: Corpus, seed: int, steps: int, figures: Figures, made_by: str, field_commit: str | None
) -> dict[str, Any]:
    """What a reader of the weights wants to know. The field may have been fitted by an earlier run."""
    from nsynth_core.harmonic.network import DIMS

    families = {name: learn.families.count(name) for name in sorted(set(learn.families))}
    collections = sorted({name.partition("/")[0] for name in learn.names})
    return {
        "what": "harmonic field (encoder, branch, trunk) and what lies between two spectra, in LiteRT, half precision",
        "made_by": f"{made_by}: make-wavetable corpus, make-wavetable train",
        "commit": _commit(),
        "field_commit": field_commit,
        "seed": seed,
        "steps": steps,
        "dims": DIMS,
        "data": {
            "sources": len(learn.names),
            "notes": len(learn),
            "collections": {first: sum(name.startswith(f"{first}/") for name in learn.names) for first in collections},
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
    """Write the linear code that the report compares the network with."""
    from nsynth_core.harmonic.network import DIMS
    from nsynth_core.training.fit_field import linear_code

    mean, axes = linear_code(learn, DIMS, seed)
    with atomic(path, force=True) as temporary, temporary.open("wb") as file:
        np.savez(file, mean=mean.astype(np.float32), axes=axes.astype(np.float16))
