"""Blend sounds: `blend_note` gives one note, `blend_table` one table, `blend_encoding` NSynth's encoding of a note."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from nsynth_core.audio import Floats, Sound
from nsynth_core.blending import instrument as instruments
from nsynth_core.blending.engine import Engine, Row, Watch, unwatched
from nsynth_core.blending.layering import finished
from nsynth_core.blending.weights import corner_weights
from nsynth_core.errors import UsageError
from nsynth_core.notes import note_name, parse_pitch
from nsynth_core.sound.knobs import Knobs
from presets.corners import CORNERS
from wavetables import engines, provenance
from wavetables.instruments import Heard, NothingToLayer, load_sound, source_name, unheard
from wavetables.mixes import Mix
from wavetables.provenance import NO_ORIGIN, Origin
from wavetables.stereo import PAIRS, shape_tables
from wavetables.table import MAX_FRAMES, Table

if TYPE_CHECKING:
    from nsynth_core.wavenet.options import NSynthOptions

WALK_POINTS = 64  # places on the way of a note that moves, and frames of a table
Source = str | Path | Sound
Place = float | tuple[float, float]


@dataclass(frozen=True, kw_only=True)
class Method:
    """How sounds are blended.

    engine: "harmonic", "crossfade", "envelope", "transport" or "nsynth", or an engine that is loaded already
    knobs: detail, brightness, noise, width and envelope; NSynth has none
    nsynth: NSynth's checkpoint, seed and precision
    weights: how a place weighs the sounds: "bilinear", or "nsynth" for 1 - distance
    pitch: MIDI number or note name of the blend, None for the first recording's own
    watch: shows progress; heard: is called with each sound that was loaded, and what was found out about it
    """

    engine: str | Engine = "harmonic"
    knobs: Knobs = field(default_factory=Knobs)
    nsynth: NSynthOptions | None = None
    weights: str = "bilinear"
    pitch: float | str | None = None
    watch: Watch = unwatched
    heard: Heard = unheard

    def load(self) -> Engine:
        """The engine. Raises UsageError for a name that is none, UserError for a bad checkpoint."""
        if not isinstance(self.engine, str):
            return self.engine
        if self.engine not in engines.ENGINES:
            raise UsageError(f"no engine is named {self.engine!r}; legal: {', '.join(engines.ENGINES)}")
        return engines.load_engine(self.engine, self.knobs, self.nsynth)


@dataclass(frozen=True, eq=False)
class BlendedNote:
    """A note and the facts about it: sounds, mix, pitch, engine."""

    sound: Sound
    facts: Mapping[str, str]


@dataclass(frozen=True, eq=False)
class BlendedTable:
    """One table, or the two of a pair (left and right, or mid and side), and the facts about them."""

    tables: tuple[Table, ...]
    root_pitch: float
    facts: Mapping[str, str]

    @property
    def table(self) -> Table:
        """The only table, or the first of a pair."""
        return self.tables[0]


@dataclass(frozen=True, eq=False)
class BlendedEncoding:
    """NSynth's encoding (frames, 16) float32 of a note, and the facts about it."""

    encoding: Floats
    facts: Mapping[str, str]


def blend_note(
    sounds: Sequence[Source],
    mix: Place | Mix = 0.5,
    *,
    to: Place | None = None,
    seconds: float | None = None,
    rate: int = 48_000,
    dry: float = 0.0,
    origin: Origin = NO_ORIGIN,
    **method: Any,
) -> BlendedNote:
    """One note between `sounds`.

    sounds: 2, 4, 9, 16 ... 64 of them, row by row (NSynth takes one, too): paths, names of built-in instruments, or
        Sounds. A path may end in its pitch: "thunder.wav@C2".
    mix: x, or (x, y) between four sounds and more, each 0..1. 0 is the first sound.
    to: where the mix goes along the note; None for a note that does not move
    seconds: 0.1..60, None for the first recording's own length
    rate: 8000..192000 Hz
    dry: 0..1, how loud the first recording itself lies under the blend
    method: the fields of `Method`, such as engine="transport", pitch="C3", knobs=Knobs(brightness=2)
    Returns stereo float32 within +-0.97. Raises UserError: a sound is missing, unreadable or without a pitch; and
    UsageError for values out of range.

    >>> from nsynth_core.audio import Sound
    >>> cycle = np.sin(2 * np.pi * 220 * np.arange(12_000) / 48_000).astype(np.float32)[:, None]
    >>> note = blend_note([Sound(0.5 * cycle, 48_000), Sound(cycle**3, 48_000)], 0.3, engine="crossfade")
    >>> note.sound.samples.shape[1], note.sound.rate, note.facts["mix"]
    (2, 48000, '0.3')
    """
    way = _mix(mix, to, WALK_POINTS, len(sounds))
    asked = _Asked.of(sounds, way, way.count > 1, Method(**method), origin)
    if dry and not asked.leads_recording:
        raise NothingToLayer
    (blend,) = asked.engine.blend([asked.row], seconds, rate, watch=asked.method.watch)
    note = finished(blend.notes[0](), asked.row.instruments, seconds, dry)
    return BlendedNote(note, asked.facts)


def blend_table(
    sounds: Sequence[Source],
    mix: Place | Mix = 0.0,
    *,
    to: Place | None = 1.0,
    frames: int = WALK_POINTS,
    stereo: str = "mono",
    seconds: float | None = None,
    names: Sequence[str] = (),
    origin: Origin = NO_ORIGIN,
    **method: Any,
) -> BlendedTable:
    """A table between `sounds`: its frames walk from `mix` to `to`.

    sounds, mix, method: as in `blend_note`
    frames: 1..256
    stereo: "mono" gives one table, "lr" left and right, "ms" mid and side
    seconds: of each note that NSynth's frames are cut from
    names: of the tables; by default those of the sounds
    origin: the author, licence and command that the tables' files name
    Every table is ready to play: zero mean, fundamentals in phase, peak -0.1 dBFS. Raises as `blend_note`.

    >>> from nsynth_core.audio import Sound
    >>> cycle = np.sin(2 * np.pi * 220 * np.arange(12_000) / 48_000).astype(np.float32)[:, None]
    >>> made = blend_table([Sound(0.5 * cycle, 48_000), Sound(cycle**3, 48_000)], frames=8, engine="crossfade")
    >>> made.table.frames.shape
    (8, 2048)
    """
    if not 1 <= frames <= MAX_FRAMES:
        raise UsageError(f"{frames} frames are outside 1..{MAX_FRAMES}")
    if stereo not in PAIRS:
        raise UsageError(f"no kind of stereo is named {stereo!r}; legal: {', '.join(PAIRS)}")
    asked = _Asked.of(sounds, _mix(mix, to, frames, len(sounds)), False, Method(**method), origin)
    (blend,) = asked.engine.blend([asked.row], moment=seconds, watch=asked.method.watch)
    cycles = blend.walk(stereo != "mono")
    facts = origin.completed(asked.facts)
    stem = "-".join(map(source_name, sounds))
    called = names or [f"{stem}{mark}" for mark in PAIRS[stereo]]
    shaped = zip(called, shape_tables(cycles, stereo), strict=True)
    return BlendedTable(tuple(Table(each, name, asked.root, facts) for name, each in shaped), asked.root, asked.facts)


def blend_encoding(
    sounds: Sequence[Source],
    mix: Place | Mix = 0.5,
    *,
    to: Place | None = None,
    seconds: float | None = None,
    origin: Origin = NO_ORIGIN,
    **method: Any,
) -> BlendedEncoding:
    """NSynth's encoding of a note between `sounds`, not decoded. Everything as in `blend_note`; `nsynth` is needed.
    Raises UsageError for another engine."""
    from nsynth_core.wavenet.engine import NSynth

    way = _mix(mix, to, WALK_POINTS, len(sounds))
    asked = _Asked.of(sounds, way, way.count > 1, Method(**{"engine": "nsynth", **method}), origin)
    if not isinstance(asked.engine, NSynth):
        raise UsageError("only the engine nsynth has encodings")
    return BlendedEncoding(asked.engine.encoding(asked.row, seconds, asked.method.watch), asked.facts)


@dataclass(frozen=True, eq=False)
class _Asked:
    """What an engine is asked for, and the facts that files name."""

    method: Method
    engine: Engine
    mix: Mix
    row: Row
    root: float
    facts: Mapping[str, str]

    @property
    def leads_recording(self) -> bool:
        sounds = self.row.instruments
        return sounds[instruments.leading(sounds)].moving

    @classmethod
    def of(cls, sources: Sequence[Source], mix: Mix, moves: bool, method: Method, origin: Origin) -> _Asked:
        """`moves`: the one note walks the places of `mix`, instead of a note or frame at each."""
        _check_count(len(sources), method)
        engine = method.load()
        pitch = parse_pitch(method.pitch) if isinstance(method.pitch, str) else method.pitch
        loaded = tuple(load_sound(source, engine, pitch, method.heard) for source in sources)
        root = instruments.root_pitch(loaded, pitch)
        path = np.stack([corner_weights(x, y, len(sources), method.weights) for x, y in mix.places])
        row = Row(loaded, pitch, path[None] if moves else path, path)
        follows = pitch is None and loaded[instruments.leading(loaded)].moving
        facts = {
            **origin.credits([source for source in sources if not isinstance(source, Sound)]),
            "sounds": " ".join(map(source_name, sources)),
            "mix": "alone" if len(sources) == 1 else mix.name,
            "pitch": f"{note_name(root)}, the first recording's" if follows else note_name(root),
            "engine": provenance.engine_name(engine),
            **engine.facts,
        }
        return cls(method, engine, mix, row, root, facts)


def _check_count(sounds: int, method: Method) -> None:
    name = method.engine if isinstance(method.engine, str) else method.engine.name
    if sounds not in CORNERS and not (sounds == 1 and name == "nsynth"):
        raise UsageError(f"two sounds are blended, or a square of them (4, 9, 16 ... 64), not {sounds}")


def _mix(mix: Place | Mix, to: Place | None, count: int, sounds: int) -> Mix:
    if isinstance(mix, Mix):
        return mix
    start = _place(mix, sounds)
    return Mix(start, start) if to is None else Mix(start, _place(to, sounds), count)


def _place(place: Place, sounds: int) -> tuple[float, float]:
    x, y = place if isinstance(place, tuple) else (place, 0.0 if sounds <= 2 else 0.5)
    if not (0 <= x <= 1 and 0 <= y <= 1):
        raise UsageError(f"the mix {place} is outside 0..1")
    return float(x), float(y)
