"""Instruments, and the notes and single cycles between them."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from nsynth_core import audio
from nsynth_core.audio import Floats, Sound, resample
from nsynth_core.blending.coder import Coder
from nsynth_core.blending.embedding import Embedding, at_frames, at_level, mix, stretch
from nsynth_core.blending.origins import Detection, NoteFiles, Origin
from nsynth_core.errors import UsageError, UserError
from nsynth_core.notes import midi_to_hz, pitch_in_name
from nsynth_core.pitch import follow, track
from nsynth_core.sound.analysis import analyse
from nsynth_core.sound.features import FRAME_RATE, Features
from nsynth_core.sound.harmonicity import doubts
from nsynth_core.sound.knobs import Knobs, turned
from nsynth_core.sound.smoothing import settled
from nsynth_core.sound.spacing import even_places, seen

PEAK = 0.97  # -0.3 dBFS; louder notes are turned down, no note is turned up
DEFAULT_PITCH = 48.0
STEADY_DB = 9.0
MOMENT_DB = -20.0
AS_IT_IS = Knobs()


@dataclass(frozen=True, eq=False)
class Instrument:
    """A sound at one or more pitches.

    name: what outputs call it, such as the file's name without its suffix
    pitches: MIDI numbers, ascending
    load: `load(i)` gives the embedding at `pitches[i]`
    moving: True for a single recording. A blend can then follow its pitch contour.
    origin: what is known of its sound; None for a built-in instrument
    label: what messages call it, such as the file's name with its suffix
    sound: the recording, where there is a single one
    recording: `recording(i)` gives the recording at `pitches[i]`; None where there are no recordings
    codes: `codes(i)` gives NSynth's encoding, float32 (frames, latent), where only encodings exist. `load` then raises
        UserError.
    """

    name: str
    pitches: tuple[float, ...]
    load: Callable[[int], Embedding]
    moving: bool = False
    origin: Origin | None = None
    label: str = ""
    sound: Sound | None = None
    recording: Callable[[int], Sound] | None = None
    codes: Callable[[int], Floats] | None = None

    def at(self, pitch: float) -> Embedding:
        """The embedding at MIDI `pitch`: the mean of the two keys around it, weighted by how near they are.

        Codes blend; what the codes leave out is the nearer key's.
        """
        place = float(np.interp(pitch, self.pitches, np.arange(len(self.pitches))))
        low = int(place)
        if place - low < 1e-6:
            return self.load(low)
        lower, upper = self.load(low), self.load(low + 1)
        upper = stretch(upper, lower.frames, lower.onset())
        between = mix([lower, upper], [1 - (place - low), place - low])
        if between.z.shape[1] == 0:
            return between
        nearer = lower if place - low < 0.5 else upper
        return replace(between, parts=tuple(replace(part, z=between.z) for part in nearer.parts))


def embed(sound: Sound, coder: Coder, pitch: float | None = None) -> tuple[Embedding, Detection]:
    """The embedding of a recording, and how its pitch was determined.

    pitch: MIDI number; f0 is then searched within 100 cents of it. None detects the pitch.
    Raises Unpitched where the pitch is to be detected and there is none.

    >>> from nsynth_core.blending.coder import load_coder
    >>> embedding, detection = embed(audio.sine(440), load_coder("envelope"))
    >>> embedding.frames, round(detection.pitch, 2), detection.given
    (51, 69.0, None)
    """
    pitch_track = track(sound) if pitch is None else follow(sound, pitch)
    features = analyse(sound, pitch_track)
    reasons = doubts(sound, pitch_track, features)
    return coder.encode(features), Detection(pitch_track.pitch, pitch_track.confidence, pitch, reasons)


def from_sound(sound: Sound, coder: Coder, pitch: float | None = None, name: str = "sound") -> Instrument:
    """The instrument of one recording.

    pitch: MIDI number; None detects it
    name: what messages and outputs call it
    Raises Unpitched where the pitch is to be detected and there is none.

    >>> from nsynth_core.blending.coder import load_coder
    >>> round(from_sound(audio.sine(440), load_coder("envelope")).pitches[0], 2)
    69.0
    """
    embedding, detection = embed(sound, coder, pitch)
    return Instrument(
        name, (detection.pitch,), lambda _: embedding, True, detection, name, sound=sound, recording=lambda _: sound
    )


def load_instrument(source: str | Path, coder: Coder, pitch: float | None = None) -> Instrument:
    """An instrument from a sound file, or from a folder of NAME_PITCH files (NSynth's convention: PITCH a MIDI number),
    or from those that a pattern picks (audio_input/flute_*.wav).

    Raises UserError for unreadable or unpitched sounds and for folders without such files.
    """
    path = Path(source)
    if path.is_dir():
        return _from_folder(path, coder)
    if "*" in path.name:
        return _from_folder(path.parent, coder, path.name)
    sound = audio.read(path)
    try:
        instrument = from_sound(sound, coder, pitch, path.name)
    except UserError as error:
        error.located(path)
        raise
    return replace(instrument, name=path.stem)


def sound_files(folder: Path, pattern: str = "*") -> dict[float, Path]:
    """MIDI pitch → file of the NAME_PITCH sounds in a folder."""
    files = {}
    for path in sorted(folder.glob(pattern)):
        if path.suffix.lower() in audio.SUFFIXES and not path.name.startswith("."):
            pitch = pitch_in_name(path.stem)
            if pitch is not None:
                files[pitch] = path
    return files


def _from_folder(folder: Path, coder: Coder, pattern: str = "*") -> Instrument:
    files = sound_files(folder, pattern)
    if not files:
        raise UserError(
            "holds no NAME_PITCH sound files (such as flute_60.wav); name the notes by their MIDI number", path=folder
        )
    pitches = tuple(sorted(files))

    @cache
    def load(i: int) -> Embedding:
        return embed(audio.read(files[pitches[i]]), coder, pitches[i])[0]

    name = folder.name if pattern == "*" else pattern.partition("_*")[0]
    return Instrument(
        name,
        pitches,
        load,
        origin=NoteFiles(len(files)),
        label=name,
        recording=lambda i: audio.read(files[pitches[i]]),
    )


def line_weights(mixes: Sequence[float] | NDArray[np.float64]) -> Floats:
    """(n, 2) weights of two sounds; mix 0 is the first, 1 the second."""
    m = np.asarray(mixes, dtype=np.float32)
    return np.stack([1 - m, m], axis=1)


def side(corners: int) -> int:
    """Sounds a side of the square that `corners` of them make: 4 lie 2 x 2, 9 lie 3 x 3; 2 are a line."""
    return 2 if corners == 2 else math.isqrt(corners)


def corner_weights(x: float, y: float, corners: int = 4, rule: str = "bilinear") -> Floats:
    """Weights (corners,) of the sounds around x (right) and y (down), 0..1: two (left, right), or a square of n x n row
    by row (four: top left, top right, bottom left, bottom right).

    "nsynth" is max(0, 1 - distance to the sound), renormalised, as magenta-demos weighs its grids; the distance between
    neighbours is 1.
    """
    last = side(corners) - 1
    places = np.asarray([(i % (last + 1), i // (last + 1)) for i in range(corners)], dtype=np.float64)
    away = np.abs(places - (x * last, y * last if corners > 2 else 0.0))
    weights = np.maximum(0, 1 - np.hypot(*away.T)) if rule == "nsynth" else np.maximum(0, 1 - away).prod(1)
    return np.asarray(weights / weights.sum(), dtype=np.float32)


def leading(instruments: Sequence[Instrument]) -> int:
    """Number of the sound whose length, onset and pitch a blend follows: the first recording, else the first."""
    return next((number for number, each in enumerate(instruments) if each.moving), 0)


def root_pitch(instruments: Sequence[Instrument], pitch: float | None) -> float:
    """The MIDI pitch of a blend: `pitch`, else the leading recording's, else C3."""
    lead = instruments[leading(instruments)]
    return pitch if pitch is not None else lead.pitches[0] if lead.moving else DEFAULT_PITCH


def align(
    instruments: Sequence[Instrument], pitch: float | None, seconds: float | None
) -> tuple[list[Embedding], Floats]:
    """The instruments on one timeline, and the f0 (T,) of their blend.

    Without `pitch` the blend follows the contour of the first recording, or C3 where all are built-in instruments;
    without `seconds` it lasts as long as that recording. Onsets are laid on one another.
    """
    lead, near = leading(instruments), root_pitch(instruments, pitch)
    embeddings = [instrument.at(near) for instrument in instruments]
    frames = embeddings[lead].frames if seconds is None else max(2, round(seconds * FRAME_RATE) + 1)
    stretched = [stretch(embedding, frames, embeddings[lead].onset()) for embedding in embeddings]
    if pitch is None and instruments[lead].moving:
        return stretched, stretched[lead].f0_hz
    return stretched, np.full(frames, midi_to_hz(near), dtype=np.float32)


def blended(
    coder: Coder, embeddings: Sequence[Embedding], weights: Floats, f0_hz: Floats, knobs: Knobs = AS_IT_IS
) -> Features:
    """Features (T frames) of embeddings of T frames each at the pitch `f0_hz` (T,). `weights` (embeddings,), or a path
    (n, embeddings) that the note walks at an even pace; they are >= 0 and sum to 1."""
    path = np.asarray(weights, dtype=np.float32)
    if path.ndim == 2:
        path = read_path(path, np.linspace(0, len(path) - 1, len(f0_hz)))
    features = settled(coder.decode(mix(embeddings, list(path.T)), f0_hz, knobs.detail))
    return turned(features, knobs, None if knobs.envelope is None else embeddings[knobs.envelope].level_db)


def finished(note: Sound, instruments: Sequence[Instrument], seconds: float | None = None, dry: float = 0.0) -> Sound:
    """A blended note with the leading recording layered under it times `dry`, within full scale."""
    original = instruments[leading(instruments)].sound
    if dry > 0:
        if original is None or seconds is not None:
            raise UsageError("only a recording can be layered under its blend, and only at its own length")
        note = layered(note, original, dry)
    return within_full_scale(note)


def layered(note: Sound, original: Sound, gain: float) -> Sound:
    """`note` plus `original` times `gain`, both from their first sample on, as long as the longer one."""
    under = resample(original, note.rate)
    pair = under.samples if under.channels == 2 else np.repeat(under.mid()[:, None], 2, axis=1)
    samples = np.zeros((max(len(pair), len(note.samples)), 2), dtype=np.float32)
    samples[: len(note.samples)] = note.samples
    samples[: len(pair)] += np.float32(gain) * pair
    return Sound(samples, note.rate)


def within_full_scale(sound: Sound) -> Sound:
    """The sound, turned down where its peak is above PEAK."""
    peak = float(np.abs(sound.samples).max(initial=0.0))
    return sound if peak <= PEAK else Sound(sound.samples * np.float32(PEAK / peak), sound.rate)


def steady_frame(embedding: Embedding) -> float:
    """The frame that stands for the whole sound in a table: the steadiest stretch of 0.1 s near the loudest."""
    width = min(10, max(1, embedding.frames // 4))
    loud = embedding.below_peak > -STEADY_DB
    late = embedding.since_onset >= min(0.1, 0.25 * embedding.seconds)
    allowed = loud & late if (loud & late).any() else loud
    codes = np.concatenate([embedding.z, *(part.partials[:, :32] / 10 for part in embedding.parts)], axis=1)
    change = np.abs(np.diff(codes, axis=0, prepend=codes[:1])).mean(1)
    calm = np.convolve(change, np.ones(width) / width, "same")
    return float(np.argmin(np.where(allowed, calm, np.inf)))


def steady_moment(embedding: Embedding) -> Embedding:
    """The steady frame at MOMENT_DB: all sounds of a table are alike loud, however far they have decayed by then."""
    return at_level(at_frames(embedding, np.asarray([steady_frame(embedding)])), MOMENT_DB)


def path_features(
    coder: Coder,
    moments: Sequence[Embedding],
    weights: Floats,
    f0_hz: float,
    knobs: Knobs = AS_IT_IS,
    even: bool = False,
) -> Features:
    """Features whose frames are the blends of one-frame embeddings along `weights` (n, len(moments)). The knob
    `envelope` means nothing here: a table's frames are all alike loud."""

    def decoded(place: NDArray[np.float64]) -> Features:
        return _decode_path(coder, moments, read_path(weights, place), f0_hz, knobs)

    def look(place: NDArray[np.float64]) -> Floats:
        walk = decoded(place)
        return seen(walk.partials_db, walk.level_db(), walk.f0_hz)

    if not even:
        return _decode_path(coder, moments, weights, f0_hz, knobs)
    return decoded(even_places(look, len(weights), len(weights)))


def read_path(path: Floats, place: NDArray[np.float64]) -> Floats:
    """Weights (len(place), n) along the path (k, n) at the fractional rows `place`, straight lines between."""
    index = np.arange(len(path))
    return np.stack([np.interp(place, index, column) for column in path.T], axis=1).astype(np.float32)


def _decode_path(coder: Coder, moments: Sequence[Embedding], path: Floats, f0_hz: float, knobs: Knobs) -> Features:
    rows = np.zeros(len(path))
    whole = mix([at_frames(moment, rows) for moment in moments], list(np.asarray(path, dtype=np.float32).T))
    return turned(coder.decode(whole, np.full(len(path), f0_hz, dtype=np.float32), knobs.detail), knobs)
