"""--engine nsynth: NSynth's own WaveNet in blend and grid, from a checkpoint that the user has."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING

from nsynth_core.errors import UsageError, UserError
from wavetables.cli.common import check_choice, check_unused, count, is_coded, load_instrument, progress, say

if TYPE_CHECKING:
    from nsynth_core.audio import Floats, Sound
    from nsynth_core.blend import Instrument
    from nsynth_core.wavenet.engine import Note, NSynth, Sources
    from nsynth_core.wavenet.options import Options
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
) -> Options | None:
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
    from nsynth_core.wavenet.options import PRECISIONS, Options

    kind = check_choice(precision or PRECISIONS[0], PRECISIONS, "precision")
    return Options(checkpoint, averages, seed or 0, enhance, kind)


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


def load(given: Options, sounds: Sequence[str | Path]) -> NSynth:
    """The engine for `sounds`. Raises UserError for a damaged or foreign checkpoint, or one without an encoder where it
    is needed."""
    engine = given.load()
    if not engine.weights.has_encoder and not all(map(is_coded, sounds)):
        raise UserError(
            f"{given.checkpoint}: holds only the decoder; to encode sounds, give one with the ae_ variables too"
        )
    return engine


def instrument(engine: NSynth, spec: str | Path, pitch: float | None, quiet: bool) -> Instrument:
    """As `common.load_instrument`, and for a .npy of encodings."""
    if not is_coded(spec):
        return load_instrument(spec, engine.harmonic, pitch, quiet)
    import presets
    from nsynth_core.wavenet import embeddings

    path, given = presets.given_pitch(Path(presets.corner(spec) if isinstance(spec, str) else spec))
    latent = engine.weights.latent
    try:
        found = embeddings.load_instrument(path, latent, given)
    except UserError:
        if given is not None or pitch is None:
            raise
        found = embeddings.load_instrument(path, latent, pitch)
    for line in found.said:
        say(line, quiet)
    return found


def encoding(
    engine: NSynth,
    instruments: Sequence[Instrument],
    weights: Floats,
    pitch: float | None,
    seconds: float | None,
    quiet: bool,
) -> Floats:
    """The encoding (frames, latent) of a blended note, of which nothing is decoded; mono, as Magenta's tools encode."""
    sources = encoded(engine, instruments, pitch, seconds, quiet, mono=True)
    codes: Floats = engine.note(sources, weights).codes[0]
    return codes


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
    from wavetables.slicing import table_frames

    sources = encoded(engine, instruments, pitch, None, quiet)
    moments = [engine.moment(sources, row, seconds or TABLE_SECONDS) for row in weights]
    notes = [settled(made) for made in render(engine, moments, engine.table_rate, quiet)]
    return table_frames(notes, root_pitch(instruments, pitch), stereo, len(notes))


def encoded(
    engine: NSynth,
    instruments: Sequence[Instrument],
    pitch: float | None,
    seconds: float | None,
    quiet: bool,
    mono: bool = False,
) -> Sources:
    """The instruments encoded, with progress."""
    with progress("nsynth encodes", quiet) as update:
        return engine.sources(instruments, pitch, seconds, update, mono)


def render(engine: NSynth, notes: Sequence[Note], rate: int, quiet: bool) -> Iterator[Sound]:
    """The notes, with progress and time left; says first what it takes."""
    streams, once, size = engine.memory(notes)
    each = f"{count(len(notes), 'note')} of {notes[0].samples / 16_000:.3g} s, {count(streams, 'stream')}"
    say(f"nsynth {engine.version}: {each}, {once} at once; {size / 1e9:.1f} GB more memory", quiet)
    with progress("nsynth samples", quiet) as update:
        yield from engine.render(notes, rate, update)
