"""--engine nsynth: NSynth's own WaveNet in blend and grid, from a checkpoint that the user has."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING

from nsynth_core.errors import UsageError, UserError
from wavetables.cli.common import check_unused, count, progress, say

if TYPE_CHECKING:
    from nsynth_core.audio import Floats, Sound
    from nsynth_core.blend import Instrument
    from nsynth_core.wavenet.engine import Note, NSynth, Sources
    from presets.schema import Preset

NAME = "nsynth"
KNOBS = "it turns what the other engines know of a sound; NSynth has no such knob"


def check_options(
    engine: str,
    checkpoint: Path | None,
    averages: bool,
    enhance: bool,
    seed: int | None,
    knobs: Mapping[str, object],
) -> None:
    """Raise UsageError for options of the other kind of engine, and for NSynth without a checkpoint."""
    if engine != NAME:
        own = {"--checkpoint": checkpoint, "--averages": averages, "--enhance": enhance, "--seed": seed}
        check_unused(own, "it is for --engine nsynth")
        return
    check_unused(knobs, KNOBS)
    if checkpoint is None:
        raise UsageError(
            "--engine nsynth needs --checkpoint DIR: Magenta's wavenet-ckpt, as a folder, .tar or prefix; "
            "'make-wavetable models' says more"
        )


def check_preset(preset: Preset) -> None:
    """Raise UsageError for a preset that turns knobs."""
    from nsynth_core.knobs import Knobs

    turned = [knob.name for knob in fields(Knobs) if getattr(preset.knobs, knob.name) != knob.default]
    if turned:
        raise UsageError(f"the preset's {turned[0]}: {KNOBS}; take it out, or choose another --engine")


def versions() -> dict[str, str]:
    """Of what decides NSynth's samples."""
    import tensorflow as tf

    return {"tensorflow": str(tf.__version__)}


def load(checkpoint: Path | None, averages: bool, enhance: bool, seed: int | None) -> NSynth:
    """The engine of a checkpoint. Raises UserError for a damaged or foreign one, or one without an encoder."""
    from nsynth_core.wavenet.checkpoint import load as load_weights
    from nsynth_core.wavenet.engine import NSynth

    assert checkpoint is not None  # checked before
    weights = load_weights(checkpoint, averages)
    if not weights.has_encoder:
        raise UserError(f"{checkpoint}: holds only the decoder; to encode sounds, give one with the ae_ variables too")
    return NSynth(weights, seed or 0, enhance)


def facts(engine: NSynth) -> dict[str, str]:
    """What files say of it beside the engine's name."""
    return {"checkpoint": engine.weights.digest, "seed": str(engine.seed)} | (
        {"enhance": "above 8 kHz by the harmonic engine"} if engine.enhance else {}
    )


def note(
    engine: NSynth,
    instruments: Sequence[Instrument],
    weights: Floats,
    pitch: float | None,
    seconds: float | None,
    rate: int,
    quiet: bool,
) -> Sound:
    """A blended note; the arguments as those of `blend.blend_note`."""
    sources = encoded(engine, instruments, pitch, seconds, quiet)
    (made,) = render(engine, [engine.note(sources, weights)], rate, quiet)
    return made


def table(
    engine: NSynth,
    instruments: Sequence[Instrument],
    weights: Floats,
    pitch: float | None,
    seconds: float | None,
    stereo: bool,
    quiet: bool,
) -> Floats:
    """Single cycles for `weights` (n, instruments), each cut from a short note: as `blend.blend_frames` gives them."""
    from nsynth_core.blend import root_pitch
    from nsynth_core.wavenet.engine import TABLE_SECONDS, settled

    sources = encoded(engine, instruments, pitch, None, quiet)
    moments = [engine.moment(sources, row, seconds or TABLE_SECONDS) for row in weights]
    notes = [settled(made) for made in render(engine, moments, table_rate(engine), quiet)]
    return cycles(notes, root_pitch(instruments, pitch), stereo)


def encoded(
    engine: NSynth, instruments: Sequence[Instrument], pitch: float | None, seconds: float | None, quiet: bool
) -> Sources:
    """The instruments encoded, with progress."""
    with progress("nsynth encodes", quiet) as update:
        return engine.sources(instruments, pitch, seconds, update)


def render(engine: NSynth, notes: Sequence[Note], rate: int, quiet: bool) -> Iterator[Sound]:
    """The notes, with progress and time left; says first what it takes."""
    streams, once, size = engine.memory(notes)
    each = f"{count(len(notes), 'note')} of {notes[0].samples / 16_000:.3g} s, {count(streams, 'stream')}"
    say(f"nsynth {engine.version}: {each}, {once} at once; {size / 1e9:.1f} GB more memory", quiet)
    with progress("nsynth samples", quiet) as update:
        yield from engine.render(notes, rate, update)


def cycles(notes: Sequence[Sound], pitch: float, stereo: bool) -> Floats:
    """Single cycles of `notes` at MIDI `pitch`, (n, 2048), or of left and right, (2, n, 2048)."""
    from nsynth_core.audio import Sound
    from wavetables.slicing import slice_each

    if stereo:
        return slice_each(notes, pitch)
    mono: Floats = slice_each([Sound(note.mid()[:, None], note.rate) for note in notes], pitch)[0]
    return mono


def table_rate(engine: NSynth) -> int:
    """At which cycles are cut: without --enhance 16 kHz is all there is."""
    return 48_000 if engine.enhance else 16_000
