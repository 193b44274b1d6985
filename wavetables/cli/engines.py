"""The options that choose an engine and turn its knobs. NSynth takes a checkpoint and has no knobs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING

from nsynth_core.errors import UsageError
from wavetables.cli.checks import check_choice, check_number, check_unused

if TYPE_CHECKING:
    from nsynth_core.sound.knobs import Knobs
    from nsynth_core.wavenet.options import NSynthOptions
    from presets.schema import Preset

NSYNTH = "nsynth"
NO_KNOB = "it turns what the other engines know of a sound; NSynth has no such knob"


@dataclass(frozen=True)
class NSynthChoice:
    """The options of --engine nsynth, as they are given."""

    checkpoint: Path | None
    averages: bool
    enhance: bool
    seed: int | None
    precision: str | None

    def options(self, engine: str, knobs: Mapping[str, object]) -> NSynthOptions | None:
        """What NSynth is asked for; None for another engine. Raises UsageError for options of the other kind of engine
        (`knobs`, by option), for an engine that is none, and for NSynth without a checkpoint."""
        from wavetables.engines import ENGINES

        check_choice(engine, ENGINES, "engine")
        if engine != NSYNTH:
            own = {"--checkpoint": self.checkpoint, "--averages": self.averages, "--enhance": self.enhance}
            check_unused({**own, "--seed": self.seed, "--precision": self.precision}, "it is for --engine nsynth")
            return None
        check_unused(knobs, NO_KNOB)
        if self.checkpoint is None:
            raise UsageError(
                "--engine nsynth needs --checkpoint PATH: Magenta's wavenet-ckpt, as a folder, .tar or prefix; "
                "'make-wavetable models' says more"
            )
        from nsynth_core.wavenet.options import PRECISIONS, NSynthOptions

        kind = check_choice(self.precision or PRECISIONS[0], PRECISIONS, "precision")
        return NSynthOptions(self.checkpoint, self.averages, self.seed or 0, self.enhance, kind)


def check_preset(preset: Preset, engine: str) -> None:
    """Raise UsageError for a preset that turns knobs, by NSynth."""
    from nsynth_core.sound.knobs import Knobs

    turned = [knob.name for knob in fields(Knobs) if getattr(preset.knobs, knob.name) != knob.default]
    if engine == NSYNTH and turned:
        raise UsageError(f"the preset's {turned[0]}: {NO_KNOB}; take it out, or choose another --engine")


@dataclass(frozen=True)
class KnobChoice:
    """The options that turn knobs, as they are given."""

    detail: float | None
    brightness: float | None
    noise: float | None
    width: float | None
    envelope: str | None

    @property
    def options(self) -> dict[str, object]:
        """Every option by its name; None where it is not given."""
        return {f"--{knob.name}": getattr(self, knob.name) for knob in fields(self)}

    def knobs(self, sounds: int) -> Knobs:
        """The knobs of a blend of so many sounds. Raises UsageError for a value out of range."""
        from nsynth_core.sound.knobs import RANGES, Knobs, envelope_of

        levels = {name: getattr(self, name) for name in RANGES if getattr(self, name) is not None}
        for name, value in levels.items():
            check_number(value, *RANGES[name], f"--{name}")
        return Knobs(**levels, envelope=envelope_of(self.envelope or "mix", sounds))
