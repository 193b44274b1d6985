"""What --engine nsynth takes, a checkpoint, and what it has none of, knobs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING

from nsynth_core.errors import UsageError
from wavetables.cli.checks import check_choice, check_unused

if TYPE_CHECKING:
    from nsynth_core.wavenet.options import NSynthOptions
    from presets.schema import Preset

NAME = "nsynth"
KNOBS = "it turns what the other engines know of a sound; NSynth has no such knob"


def options(
    engine: str,
    checkpoint: Path | None,
    averages: bool,
    enhance: bool,
    seed: int | None,
    precision: str | None,
    knobs: Mapping[str, object],
) -> NSynthOptions | None:
    """What NSynth is asked for; None for another engine. Raises UsageError for options of the other kind of engine, and
    for NSynth without a checkpoint."""
    if engine != NAME:
        own = {"--checkpoint": checkpoint, "--averages": averages, "--enhance": enhance, "--seed": seed}
        check_unused({**own, "--precision": precision}, "it is for --engine nsynth")
        return None
    check_unused(knobs, KNOBS)
    if checkpoint is None:
        raise UsageError(
            "--engine nsynth needs --checkpoint DIR: Magenta's wavenet-ckpt, as a folder, .tar or prefix; "
            "'make-wavetable models' says more"
        )
    from nsynth_core.wavenet.options import PRECISIONS, NSynthOptions

    kind = check_choice(precision or PRECISIONS[0], PRECISIONS, "precision")
    return NSynthOptions(checkpoint, averages, seed or 0, enhance, kind)


def check_preset(preset: Preset, engine: str) -> None:
    """Raise UsageError for a preset that turns knobs, by NSynth."""
    from nsynth_core.sound.knobs import Knobs

    turned = [knob.name for knob in fields(Knobs) if getattr(preset.knobs, knob.name) != knob.default]
    if engine == NAME and turned:
        raise UsageError(f"the preset's {turned[0]}: {KNOBS}; take it out, or choose another --engine")
