"""Instruments: sounds that are ready for blending, how they are loaded, and the features of their blends."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from nsynth_core import audio
from nsynth_core.audio import Floats, Sound
from nsynth_core.blending.coder import Coder
from nsynth_core.blending.embedding import Embedding, at_frames, at_level, mix, stretch
from nsynth_core.blending.origins import Detection, NoteFiles, Origin
from nsynth_core.blending.weights import read_path
from nsynth_core.errors import UserError
from nsynth_core.notes import midi_to_hz, pitch_in_name
from nsynth_core.pitch import follow, track
from nsynth_core.sound.analysis import analyse
from nsynth_core.sound.features import FRAME_RATE, Features
from nsynth_core.sound.harmonicity import doubts
from nsynth_core.sound.knobs import Knobs, turned
from nsynth_core.sound.smoothing import settled
from nsynth_core.sound.spacing import compared_envelopes, even_places

PEAK = 0.97  # -0.3 dBFS; louder notes are turned down, and no note is turned up
DEFAULT_PITCH = 48.0
STEADY_DB = 9.0  # the steady frame is at most this far below the loudest
MOMENT_DB = -20.0  # level of the single frames of a table
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
        """The embedding at MIDI `pitch`: the mean of the two keys around it, weighted by their distances.

        Codes are averaged. Residuals, which the codes do not hold, are those of the nearer key.
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
    """Load an instrument from a sound file, a folder, or a pattern such as audio_input/flute_*.wav.

    source: the files of a folder or pattern are called NAME_PITCH, with a MIDI number (NSynth's convention)
    pitch: MIDI number of a single file; None detects it
    Raises UserError for an unreadable file and for a folder without such files; Unpitched for a file without a pitch.

    >>> import tempfile
    >>> from nsynth_core.blending.coder import load_coder
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     audio.write(Path(folder) / "sine.wav", audio.sine(440))
    ...     load_instrument(Path(folder) / "sine.wav", load_coder("envelope")).name
    'sine'
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
    """The NAME_PITCH sound files in a folder, as a dictionary from MIDI pitch to path."""
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


def leading(instruments: Sequence[Instrument]) -> int:
    """The number of the sound whose length, onset and pitch a blend follows: the first recording, else sound 0."""
    return next((number for number, instrument in enumerate(instruments) if instrument.moving), 0)


def root_pitch(instruments: Sequence[Instrument], pitch: float | None) -> float:
    """The MIDI pitch of a blend: `pitch`; without it that of the leading recording; without a recording C3."""
    lead = instruments[leading(instruments)]
    return pitch if pitch is not None else lead.pitches[0] if lead.moving else DEFAULT_PITCH


def align(
    instruments: Sequence[Instrument], pitch: float | None, seconds: float | None
) -> tuple[list[Embedding], Floats]:
    """Put the instruments on one timeline with a common onset.

    pitch: MIDI number; None follows the contour of the first recording, or gives C3 where there is no recording
    seconds: length; None for that of the first recording, or else of the first instrument
    Returns the embeddings, of T frames each, and the f0 of their blend in Hz, float32 (T,).

    >>> from nsynth_core.blending.coder import load_coder
    >>> pair = [from_sound(audio.sine(hz, 0.3), load_coder("envelope")) for hz in (220, 440)]
    >>> embeddings, f0_hz = align(pair, pitch=57, seconds=0.5)
    >>> [embedding.frames for embedding in embeddings], float(f0_hz[0])
    ([51, 51], 220.0)
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
    """Blend embeddings into features of T frames.

    embeddings: of T frames each
    weights: (embeddings,), or a path (n, embeddings) along the note; >= 0, sum 1
    f0_hz: (T,) pitch of the blend

    >>> from nsynth_core.blending.coder import load_coder
    >>> coder = load_coder("envelope")
    >>> pair = [from_sound(audio.sine(hz, 0.3), coder) for hz in (220, 440)]
    >>> embeddings, f0_hz = align(pair, pitch=57, seconds=0.5)
    >>> blended(coder, embeddings, np.float32([0.5, 0.5]), f0_hz).frames
    51
    """
    path = np.asarray(weights, dtype=np.float32)
    if path.ndim == 2:
        path = read_path(path, np.linspace(0, len(path) - 1, len(f0_hz)))
    features = settled(coder.decode(mix(embeddings, list(path.T)), f0_hz, knobs.detail))
    return turned(features, knobs, None if knobs.envelope is None else embeddings[knobs.envelope].level_db)


def within_full_scale(sound: Sound) -> Sound:
    """The sound, turned down so that its peak is at most PEAK.

    >>> loud = Sound(4 * audio.sine(440).samples, 48_000)
    >>> round(float(within_full_scale(loud).samples.max()), 2)
    0.97
    """
    peak = float(np.abs(sound.samples).max(initial=0.0))
    return sound if peak <= PEAK else Sound(sound.samples * np.float32(PEAK / peak), sound.rate)


def steady_frame(embedding: Embedding) -> float:
    """The number of the frame that represents a sound in a table: the middle of its steadiest 0.1 s among loud ones."""
    width = min(10, max(1, embedding.frames // 4))
    loud = embedding.below_peak > -STEADY_DB
    late = embedding.since_onset >= min(0.1, 0.25 * embedding.seconds)
    allowed = loud & late if (loud & late).any() else loud
    codes = np.concatenate([embedding.z, *(part.partials[:, :32] / 10 for part in embedding.parts)], axis=1)
    change = np.abs(np.diff(codes, axis=0, prepend=codes[:1])).mean(1)
    calm = np.convolve(change, np.ones(width) / width, "same")
    return float(np.argmin(np.where(allowed, calm, np.inf)))


def steady_moment(embedding: Embedding) -> Embedding:
    """The steady frame at the level MOMENT_DB, so that all sounds of a table are equally loud."""
    return at_level(at_frames(embedding, np.asarray([steady_frame(embedding)])), MOMENT_DB)


def path_features(
    coder: Coder,
    moments: Sequence[Embedding],
    weights: Floats,
    f0_hz: float,
    knobs: Knobs = AS_IT_IS,
    even: bool = False,
) -> Features:
    """Blend one-frame embeddings along a path: features of n frames.

    weights: (n, len(moments)); >= 0, sum 1
    f0_hz: pitch at which the features are decoded
    knobs: `envelope` is ignored, because the frames of a table are equally loud
    even: moves the frames along the path so that their perceptual distances are equal
    """

    def decoded(place: NDArray[np.float64]) -> Features:
        return _decode_path(coder, moments, read_path(weights, place), f0_hz, knobs)

    def look(place: NDArray[np.float64]) -> Floats:
        walk = decoded(place)
        return compared_envelopes(walk.partials_db, walk.level_db(), walk.f0_hz)

    if not even:
        return _decode_path(coder, moments, weights, f0_hz, knobs)
    return decoded(even_places(look, len(weights), len(weights)))


def _decode_path(coder: Coder, moments: Sequence[Embedding], path: Floats, f0_hz: float, knobs: Knobs) -> Features:
    rows = np.zeros(len(path))
    whole = mix([at_frames(moment, rows) for moment in moments], list(np.asarray(path, dtype=np.float32).T))
    return turned(coder.decode(whole, np.full(len(path), f0_hz, dtype=np.float32), knobs.detail), knobs)
