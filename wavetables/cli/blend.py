"""make-wavetable blend: the instrument between two sounds, or four, as a note or a table."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from nsynth_core.errors import UsageError
from nsynth_core.files import check_no_source
from presets.corners import CORNERS
from wavetables.cli import mix, options
from wavetables.cli.checks import check_choice, check_credits, check_note_suffix, check_number, check_unused, pitch_of
from wavetables.cli.console import emit, say, watch
from wavetables.cli.engines import NSYNTH, KnobChoice, NSynthChoice
from wavetables.cli.sounds import tell_instrument
from wavetables.cli.words import count
from wavetables.instruments import source_name
from wavetables.provenance import Origin, command
from wavetables.stereo import PAIRS

if TYPE_CHECKING:
    from wavetables.mixes import Mix

Facts = dict[str, object]
TABLE_SUFFIXES = (".wav", ".vitaltable", ".wt", ".sfz")
EXAMPLES = """
Examples:

\b
make-wavetable blend voice.wav pad.wav --mix 0.3 -o note.wav
make-wavetable blend voice.wav pad.wav --mix 0:1:64 -o table.wav
make-wavetable blend voice.wav pad.wav --mix 0:1 --morph --dry 0.5 -o note.wav
make-wavetable blend flute choir celesta clarinet --mix 0.5,0.2 --pitch C3 -o note.wav
make-wavetable blend flute.wav voice.wav --engine nsynth --checkpoint wavenet-ckpt.tar -o note.wav
make-wavetable blend a_60_embeddings.npy voice.wav --engine nsynth --checkpoint wavenet-ckpt.tar -o mixed.npy
"""

Sounds = Annotated[list[str], typer.Argument(metavar="SOUND", hidden=True)]
Output = Annotated[
    Path | None, typer.Option("--output", "-o", metavar="OUT", help="The note or the table. Default: A-B.wav.")
]
Position = Annotated[
    str | None,
    typer.Option(
        "--mix",
        metavar="MIX",
        help="Where between the sounds. 0.3: a note, nearer to the first. 0:1:64: a table of 64 frames from the first "
        "to the second. X,Y: between four sounds. Default: 0.5.",
    ),
]
AsTable = Annotated[bool, typer.Option("--table", help="Write a table instead of a note.")]
Morph = Annotated[
    bool, typer.Option("--morph", help="Move the mix along the note. --mix 0:1 goes from the first to the second.")
]
Dry = Annotated[
    float | None,
    typer.Option(
        metavar="0..1", help="Layer the first recording under the blend, in time with it. 1: as loud as it is."
    ),
]
Duration = Annotated[
    float | None,
    typer.Option(
        metavar="SECONDS",
        help="Length of the note, 0.1..60. Default: the first recording's. For an nsynth table: of the note for each "
        "frame, default 0.25.",
    ),
]


def blend(
    context: typer.Context,
    sounds: Sounds,
    output: Output = None,
    position: Position = None,
    table: AsTable = False,
    morph: Morph = False,
    frames: options.Frames = None,
    stereo: options.Stereo = None,
    pitch: options.Pitch = None,
    engine: options.EngineName = "harmonic",
    checkpoint: options.Checkpoint = None,
    averages: options.Averages = False,
    enhance: options.Enhance = False,
    seed: options.DrawSeed = None,
    precision: options.Precision = None,
    weights: options.Weights = None,
    detail: options.Detail = None,
    brightness: options.Brightness = None,
    noise: options.Noise = None,
    width: options.Width = None,
    envelope: options.Envelope = None,
    dry: Dry = None,
    duration: Duration = None,
    rate: options.Rate = None,
    author: options.Author = None,
    licence: options.Licence = None,
    provenance: options.Provenance = True,
    force: options.Force = False,
    quiet: options.Quiet = False,
    as_json: options.Json = False,
) -> None:
    """Blend two or four sounds into one note or one table.

    A SOUND is a sound file, a folder of NAME_PITCH.wav files, or a built-in instrument. Give two, or a square of 4, 9,
    16 ... 64, row by row. The pitch of a file is detected, or given after its name: thunder.wav@C2. The blend has the
    pitch of the first file unless --pitch sets it. nsynth also takes one sound, and encodings (NAME_PITCH.npy).
    """
    _check_sounds(sounds, engine, position)
    way = mix.parse(position, len(sounds), frames, table or morph, morph)
    voice = NSynthChoice(checkpoint, averages, enhance, seed, precision)
    knobs = KnobChoice(detail, brightness, noise, width, envelope)
    note = _NoteChoice(duration, rate, dry)
    tables = _TableChoice(table, frames, stereo, author, licence)
    rule = check_choice(weights or "bilinear", options.WEIGHTS, "rule of weights")
    method: dict[str, Any] = {"engine": engine, "weights": rule}
    method |= {"pitch": pitch_of(pitch), "watch": watch(quiet), "heard": partial(tell_instrument, quiet=quiet)}
    check_credits(author, licence, provenance)
    as_table = not morph and (table or way.count > 1)
    if as_table:
        note.check_none(engine, knobs, tables.kind)
    else:
        tables.check_none()
    note.check()
    method |= {"nsynth": voice.options(engine, knobs.options), "knobs": knobs.knobs(len(sounds))}
    target = _target(output, sounds, as_table, engine, tables.kind)
    target.check(sounds, note, voice, force)
    method["origin"] = Origin(author, licence, command(context.obj), provenance)
    facts = target.make(sounds, way, note, method, force)
    _tell(target, facts, quiet, as_json)


def _check_sounds(sounds: list[str], engine: str, position: str | None) -> None:
    if len(sounds) not in CORNERS and not (len(sounds) == 1 and engine == NSYNTH):
        raise UsageError(f"blend takes two sounds, or a square of them (4, 9, 16 ... 64), not {len(sounds)}")
    check_unused({"--mix": position} if len(sounds) == 1 else {}, "there is one sound")


@dataclass(frozen=True)
class _NoteChoice:
    """The options of a note, as they are given."""

    duration: float | None
    rate: int | None
    dry: float | None

    def check(self) -> None:
        """Raise UsageError for a value out of range."""
        if self.duration is not None:
            check_number(self.duration, 0.1, options.MAX_SECONDS, "--duration")
        if self.dry is not None:
            check_number(self.dry, 0, 1, "--dry")
            check_unused({"--duration": self.duration}, "--dry keeps the recording's own length")

    def check_none(self, engine: str, knobs: KnobChoice, stereo: str) -> None:
        """Raise UsageError for an option that a table has not."""
        given = {"--rate": self.rate, "--noise": knobs.noise, "--envelope": knobs.envelope, "--dry": self.dry}
        given |= {} if engine == NSYNTH else {"--duration": self.duration}
        check_unused({**given, "--width": knobs.width if stereo == "mono" else None}, "a table of cycles has none")


@dataclass(frozen=True)
class _TableChoice:
    """The options of a table, as they are given."""

    wanted: bool
    frames: int | None
    stereo: str | None
    author: str | None
    licence: str | None

    @property
    def kind(self) -> str:
        """The kind of stereo. Raises UsageError for a word that is none."""
        return check_choice(self.stereo or "mono", PAIRS, "kind of stereo")

    def check_none(self) -> None:
        """Raise UsageError for an option that a note has not."""
        given = {"--stereo": self.stereo, "--frames": self.frames, "--table": self.wanted}
        given |= {"--author": self.author, "--licence": self.licence}
        check_unused(given, "it is for tables, and this is a note")


def _target(output: Path | None, sounds: list[str], as_table: bool, engine: str, stereo: str) -> _Target:
    """What is written to -o, or to a file named after the sounds."""
    path = output if output is not None else Path()
    if path.is_dir():
        path /= "-".join(map(source_name, sounds)) + ".wav"
    if engine == NSYNTH and path.suffix.lower() == ".npy":
        return _Encoding(path, as_table)
    return _Tables(path, stereo) if as_table else _Note(path)


@dataclass(frozen=True)
class _Target:
    """What is written, and to which file."""

    path: Path

    @property
    def paths(self) -> list[Path]:
        """Every file that is written."""
        return [self.path]

    def check(self, sounds: list[str], note: _NoteChoice, voice: NSynthChoice, force: bool) -> None:
        """Raise an error for a file that cannot be written, before any work."""
        from nsynth_core.files import check_free

        self.check_name(note, voice)
        for path in self.paths:
            check_no_source(path, map(Path, sounds))
            check_free(path, force)

    def check_name(self, note: _NoteChoice, voice: NSynthChoice) -> None:
        """Raise UsageError for a name that does not fit."""
        raise NotImplementedError

    def make(self, sounds: list[str], way: Mix, note: _NoteChoice, method: Mapping[str, Any], force: bool) -> Facts:
        """Blend, write, and return the facts."""
        raise NotImplementedError


@dataclass(frozen=True)
class _Note(_Target):
    def check_name(self, note: _NoteChoice, voice: NSynthChoice) -> None:
        check_note_suffix(self.path)

    def make(self, sounds: list[str], way: Mix, note: _NoteChoice, method: Mapping[str, Any], force: bool) -> Facts:
        from nsynth_core import audio
        from wavetables.blending import blend_note

        blended = blend_note(
            sounds, way, seconds=note.duration, rate=note.rate or 48_000, dry=note.dry or 0.0, **method
        )
        sound = blended.sound
        audio.write(self.path, sound, force)
        facts = {"seconds": round(sound.seconds, 3), "rate": sound.rate, "channels": sound.channels}
        return {"kind": "note", **blended.facts, **facts}


@dataclass(frozen=True)
class _Tables(_Target):
    stereo: str

    @property
    def paths(self) -> list[Path]:
        return [self.path.with_name(self.path.stem + mark + self.path.suffix) for mark in PAIRS[self.stereo]]

    def check_name(self, note: _NoteChoice, voice: NSynthChoice) -> None:
        if self.path.suffix not in TABLE_SUFFIXES:
            raise UsageError(f"-o {self.path}: a Serum table is a .wav file; others end in .vitaltable, .wt or .sfz")

    def make(self, sounds: list[str], way: Mix, note: _NoteChoice, method: Mapping[str, Any], force: bool) -> Facts:
        from wavetables.blending import blend_table
        from wavetables.formats import registry

        names = [path.stem for path in self.paths]
        blended = blend_table(sounds, way, stereo=self.stereo, seconds=note.duration, names=names, **method)
        for path, table in zip(self.paths, blended.tables, strict=True):
            registry.write(path, table, force)
        frames = len(blended.table.frames)
        return {"kind": "table", **blended.facts, "frames": frames, "root_pitch": blended.root_pitch}


@dataclass(frozen=True)
class _Encoding(_Target):
    several: bool

    def check_name(self, note: _NoteChoice, voice: NSynthChoice) -> None:
        check_unused({"--mix of several places": self.several}, "a .npy holds one blend")
        given = {"--rate": note.rate, "--dry": note.dry, "--enhance": voice.enhance}
        check_unused({**given, "--seed": voice.seed, "--precision": voice.precision}, "encodings are not decoded")

    def make(self, sounds: list[str], way: Mix, note: _NoteChoice, method: Mapping[str, Any], force: bool) -> Facts:
        from nsynth_core.wavenet import embeddings
        from wavetables.blending import blend_encoding

        blended = blend_encoding(sounds, way, seconds=note.duration, **method)
        embeddings.write(self.path, blended.encoding, force)
        return {"kind": "encoding", **blended.facts, "frames": len(blended.encoding)}


def _tell(target: _Target, facts: Facts, quiet: bool, as_json: bool) -> None:
    paths = target.paths
    if as_json:
        emit({"output": str(paths[0]), **({"pair": list(map(str, paths))} if len(paths) == 2 else {}), **facts})
        return
    size = f"{facts['seconds']} s" if "seconds" in facts else count(int(str(facts["frames"])), "frame")
    say(f"{facts['kind']} of {size}, mix {facts['mix']}, pitch {facts['pitch']}, {facts['engine']}", quiet)
    for path in paths:
        print(path)
