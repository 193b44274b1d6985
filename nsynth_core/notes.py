"""Note names, MIDI numbers and Hz. C4 is MIDI 60 and A4 is 440 Hz. MIDI 60.5 is C4 +50 cents."""

from __future__ import annotations

import math
import re

from nsynth_core.errors import UsageError

NAMES = ("C", "C#", "D", "D#", "E", "F", "F#", "G", "G#", "A", "A#", "B")
LOW_MIDI, HIGH_MIDI = -12.0, 144.0  # 4.1 Hz .. 33.5 kHz: no key a synthesiser has lies outside

_NUMBER = r"\d+(?:\.\d*)?|\.\d+"
_NOTE = re.compile(rf"([A-Ga-g])([#♯sb♭]?)(-?\d{{1,2}})(?:([+-](?:{_NUMBER}))(?:c|cents?)?)?")
_HERTZ = re.compile(rf"({_NUMBER})hz", re.IGNORECASE)
_MIDI = re.compile(rf"-?(?:{_NUMBER})")


def midi_to_hz(midi: float) -> float:
    """Convert a MIDI number to Hz in equal temperament.

    >>> midi_to_hz(69), round(midi_to_hz(60), 2)
    (440.0, 261.63)
    """
    return float(440.0 * 2.0 ** ((midi - 69.0) / 12.0))


def hz_to_midi(hz: float) -> float:
    """Convert a frequency in Hz, > 0, to a fractional MIDI number.

    >>> hz_to_midi(220)
    57.0
    """
    return 69.0 + 12.0 * math.log2(hz / 440.0)


def note_name(midi: float) -> str:
    """The name of the nearest key.

    >>> note_name(57), note_name(61.2), note_name(-1)
    ('A3', 'C#4', 'B-2')
    """
    key = math.floor(midi + 0.5)
    return f"{NAMES[key % 12]}{key // 12 - 1}"


def cents_name(midi: float) -> str:
    """The name of the nearest key, and the deviation of the pitch from it in cents.

    >>> cents_name(57.12), cents_name(57.0)
    ('A3 +12 cents', 'A3')
    """
    cents = round(100 * (midi - math.floor(midi + 0.5)))
    return note_name(midi) + (f" {cents:+d} cents" if cents else "")


def _from_name(letter: str, accidental: str, octave: str) -> float:
    shift = {"": 0, "#": 1, "♯": 1, "s": 1, "b": -1, "♭": -1}[accidental]
    return float(NAMES.index(letter.upper()) + shift + 12 * (int(octave) + 1))


def parse_pitch(text: str) -> float:
    """Convert a note name (with cents), a MIDI number or a frequency to a MIDI number.

    Raises UsageError for any other text and for pitches outside LOW_MIDI..HIGH_MIDI.

    >>> [parse_pitch(text) for text in ("C3", "Eb2", "F#-1", "A3+12", "60.5", "440Hz")]
    [48.0, 39.0, 6.0, 57.12, 60.5, 69.0]
    """
    plain = re.sub(r"\s", "", text)
    if match := _NOTE.fullmatch(plain):
        midi = _from_name(*match.group(1, 2, 3)) + float(match.group(4) or 0) / 100
    elif match := _HERTZ.fullmatch(plain):
        midi = hz_to_midi(max(float(match.group(1)), 1e-9))
    elif _MIDI.fullmatch(plain):
        midi = float(plain)
    else:
        raise UsageError(f"'{text}' is not a pitch; write a note (C3, F#2, A3+12 cents), a MIDI number (60) or 440Hz")
    if not LOW_MIDI <= midi <= HIGH_MIDI:
        raise UsageError(f"pitch '{text}' lies outside {note_name(LOW_MIDI)}..{note_name(HIGH_MIDI)} (C4 is MIDI 60)")
    return midi


def pitch_in_name(stem: str) -> float | None:
    """The MIDI number at the end of a file's stem; None where there is none.

    It is a note name, or a number in one of NSynth's forms: NAME_PITCH, NAME_ID-PITCH-VELOCITY of its dataset, and
    NAME_PITCH_embeddings of its tools.

    >>> [pitch_in_name(stem) for stem in ("flute_48", "bass_018-036-127", "a_48_embeddings", "Piano Eb2", "pad-F#-1")]
    [48.0, 36.0, 48.0, 39.0, 6.0]
    """
    stem = stem.removesuffix("_embeddings")
    if match := re.search(r"(?:^|_)\d{3}-(\d{3})-\d{3}$", stem):
        return float(match.group(1)) if int(match.group(1)) <= 127 else None
    # a dash before the octave is a minus sign: "pad-F#-1"
    if match := re.search(r"(?:^|[_\s.\-])([A-Ga-g])(#|♯|s|b|♭)?(-?\d)$", stem):
        return _from_name(match.group(1), match.group(2) or "", match.group(3))
    if match := re.search(r"_(\d{1,3})$", stem):
        return float(match.group(1)) if int(match.group(1)) <= 127 else None
    return None
