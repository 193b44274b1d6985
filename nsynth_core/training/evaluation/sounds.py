"""The sounds of the report: held-out instruments, and kinds of sounds that the corpus does not hold."""

from __future__ import annotations

import io
import subprocess
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np
import soundfile
from numpy.typing import NDArray

from nsynth_core import audio
from nsynth_core.audio import Floats, Sound
from nsynth_core.errors import UserError
from nsynth_core.pitch import PitchTrack, Unpitched, follow, track
from nsynth_core.sound.analysis import analyse
from nsynth_core.sound.features import FRAME_RATE, Features, rows
from nsynth_core.sound.spectral_envelope import relative
from nsynth_core.training import espeak, soundfont
from nsynth_core.training.sources import BELLS, UNPITCHED, Source, catalogue, offset

KEYS = (36, 48, 60, 72)
VELOCITY = 90
RATE = 48_000
EVERY = 8
LOUD_DB, GLIDING_DB = 40.0, 15.0
MIN_CONFIDENCE = 0.25
SILENT = 1e-3

RECORDINGS = Path("/usr/share/sounds/alsa")  # Debian's alsa-utils: eight places in a room, spoken
UNSEEN, UNSEEN_FM = "TimGM6mb.sf2", "OPL-3_FM_128M.sf2"
PADS = range(88, 96)  # General MIDI programs
UNSEEN_KEYS = (43, 55, 67)
UNSEEN_PRESETS = 16
WORDS = ("yellow", "moonlight", "away", "marmalade", "seven", "willow")
SPEAKERS = ("en-us", "it+m1", "fr+m3", "en-us+m1")  # in the corpus voices hold five vowels; none says a word
GLIDERS = ("en-us", "de+travis", "de+zac", "de+sandro", "de+Jacky", "de+grandma")  # none is in the corpus
GLIDES = {"a to i": "aI", "o to y": "OY", "a to u": "aU"}
VOWELS = (("en-us", "3:"), ("en-us+f4", "3:"), ("fr+m1", "@"), ("en-us+m3", "A:"), ("fr+f4", "y"), ("it+m1", "E"))
VOWEL_KEYS = (48, 55, 60)
NOT_SHIPPED = "for measuring only"
T = TypeVar("T")


@dataclass(frozen=True)
class HeldOutNote:
    """A note that the network was not trained on, and its analysis along `track`. `frames`: the loud ones, which are
    measured."""

    source: Source
    midi: float
    sound: Sound
    features: Features
    frames: NDArray[np.int64]
    track: PitchTrack


def held_out(seed: int, soundfonts: Path | None, limit: int | None) -> Iterator[HeldOutNote]:
    """Notes of the sources of the split "test" at KEYS. Notes that do not sound at their pitch are left out."""
    sources = [source for source in catalogue(seed, soundfonts) if source.split == "test"]
    for source in evenly(sources, limit):
        for midi in KEYS:
            if source.low <= midi <= source.high:
                yield from _played(source, midi)


def elsewhere(
    soundfonts: Path | None, limit: int | None, left_out: Callable[[str], None] = lambda line: None
) -> Iterator[HeldOutNote]:
    """Notes of kinds that the network was not trained on: two more soundfonts (recordings, pads, an FM chip), recorded
    voices, spoken words, and vowels of other voices. The family of the source says which. `left_out` is called with
    what is not installed."""
    recordings = [program for program in range(128) if program not in PADS]
    parts = (  # each raises UserError where something is missing
        _unseen(UNSEEN, "another soundfont", soundfonts, limit, recordings),
        _unseen(UNSEEN, "pads", soundfonts, limit, PADS),
        _unseen(UNSEEN_FM, "FM chip", soundfonts, limit, range(128)),
        recorded(limit),
        _words(limit),
        _vowels(limit),
    )
    for part in parts:
        try:
            yield from part
        except UserError as error:
            left_out(str(error))


def _played(source: Source, midi: int) -> Iterator[HeldOutNote]:
    sound = source.render(midi, VELOCITY, RATE)
    if float(np.abs(sound.samples).max()) < SILENT:
        return
    pitch = follow(sound, midi, cents=80)
    if pitch.confidence >= MIN_CONFIDENCE:
        features = analyse(sound, pitch)
        yield HeldOutNote(source, midi, sound, features, loud_frames(features), pitch)


def loud_frames(features: Features) -> NDArray[np.int64]:
    """Every eighth of the frames within LOUD_DB of the loudest."""
    level = features.level_db()
    return np.flatnonzero(level > level.max() - LOUD_DB)[::EVERY]


def _unseen(
    file: str, family: str, soundfonts: Path | None, limit: int | None, programs: Sequence[int]
) -> Iterator[HeldOutNote]:
    path = soundfont.find_soundfont(file, soundfonts)
    names = soundfont.preset_names(path)
    chosen = [p for p in programs if (0, p) in names and p not in UNPITCHED and (0, p) not in BELLS]
    for program in evenly(chosen, min(limit or UNSEEN_PRESETS, UNSEEN_PRESETS)):
        play = soundfont.SoundfontPreset(path, 0, program)
        source = Source(f"{path.stem}/{names[0, program]}", family, "elsewhere", NOT_SHIPPED, play)
        for midi in UNSEEN_KEYS:
            yield from _at_its_key(_played(source, midi))


def recorded(limit: int | None = None) -> Iterator[HeldOutNote]:
    """Spoken recordings. Raises UserError where there are none."""
    files = sorted(path for path in RECORDINGS.glob("*.wav") if path.stem != "Noise")
    if not files:
        raise UserError(f"{RECORDINGS}: no recordings; install the Debian package alsa-utils")
    for path in evenly(files, limit):
        yield from _spoken(path.stem, "recorded voices", audio.read(path))


def _words(limit: int | None) -> Iterator[HeldOutNote]:
    espeak.check_installed()
    spoken = [(word, SPEAKERS[i % len(SPEAKERS)]) for i, word in enumerate(WORDS)]
    for word, voice in evenly(spoken, limit):
        yield from _spoken(f"{word}, {voice}", "spoken words", _said(voice, "110", word))


def _said(voice: str, speed: str, text: str) -> Sound:
    command = ["espeak-ng", "--stdout", "-m", "-v", voice, "-s", speed, text]
    done = subprocess.run(command, capture_output=True, check=False)
    if done.returncode:
        raise UserError(f"espeak-ng cannot speak '{voice}': {done.stderr.decode(errors='replace')}")
    samples, rate = soundfile.read(io.BytesIO(done.stdout), dtype="float32", always_2d=True)
    return Sound(samples, rate)


def _spoken(name: str, family: str, sound: Sound) -> Iterator[HeldOutNote]:
    """A recording, of which only the voiced frames are measured."""
    try:
        pitch = track(sound)
    except Unpitched:
        return
    features = analyse(sound, pitch)
    frames = loud_frames(features)
    source = Source(name, family, "elsewhere", NOT_SHIPPED, lambda *_: sound)
    yield HeldOutNote(source, pitch.pitch, sound, features, frames[_voiced(pitch, frames)], pitch)


def _voiced(pitch: PitchTrack, frames: NDArray[np.int64]) -> NDArray[np.bool_]:
    nearest = np.searchsorted(pitch.times, frames / FRAME_RATE).clip(max=len(pitch.voiced) - 1)
    return np.asarray(pitch.voiced[nearest], dtype=np.bool_)


def _vowels(limit: int | None) -> Iterator[HeldOutNote]:
    espeak.check_installed()
    for voice, phoneme in evenly(VOWELS, limit):
        play = espeak.SpokenVowel(voice, phoneme)
        source = Source(f"{phoneme}, {voice}", "vowels", "elsewhere", NOT_SHIPPED, play)
        for midi in VOWEL_KEYS:
            yield from _at_its_key(_played(source, midi))


def _at_its_key(notes: Iterator[HeldOutNote]) -> Iterator[HeldOutNote]:
    """Those of `notes` that sound at the octave of their key."""
    return (note for note in notes if offset(note.sound, note.midi) == 0)


def evenly(items: Sequence[T], limit: int | None) -> list[T]:
    """At most `limit` of `items`, spread over all of them.

    >>> evenly(range(10), 3)
    [0, 4, 9]
    """
    if limit is None or limit >= len(items):
        return list(items)
    return [items[i] for i in np.unique(np.linspace(0, len(items) - 1, limit).astype(int))]


def glides() -> Iterator[tuple[str, Features]]:
    """(name, features) of diphthongs on one pitch, which hold the sounds between two vowels of a voice."""
    espeak.check_installed()
    for voice in GLIDERS:
        for name, phoneme in GLIDES.items():
            sound = _said(voice, "60", f'<prosody range="0">[[{phoneme}:]]')
            features = analyse(sound, track(sound))
            level = features.level_db()
            first, *_, last = np.flatnonzero(level > level.max() - GLIDING_DB)
            edge = (last - first) // 7  # at its beginning and its end the voice does not glide
            yield name, rows(features, slice(first + edge, last - edge))


def below_level(features: Features) -> Floats:
    """Partials (T, K) in dB under the level of the frame, as spectra are compared."""
    return relative(features.partials_db, features.level_db())
