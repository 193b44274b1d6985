"""Names of tables: as a person would write them, and legal on every file system."""

from __future__ import annotations

import re
import unicodedata
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

from nsynth_core.errors import UserError
from nsynth_core.files import is_reserved_name
from nsynth_core.notes import note_name, pitch_in_name

LONGEST = 80  # letters: with two folders above, a path stays below the 260 of Windows
BYTES = 200  # of UTF-8: file systems allow 255, and a temporary name is longer
FORBIDDEN = re.compile(r'[<>:"/\\|?*\x00-\x1f\x7f]')
UNTITLED = "Untitled"
SMALL_WORDS = {
    "a",
    "an",
    "and",
    "at",
    "by",
    "for",
    "from",
    "in",
    "of",
    "on",
    "or",
    "the",
    "to",
    "with",
}  # inside a title


def safe(text: str) -> str:
    """`text` as a name, without a suffix, that files and folders can have on Linux, macOS and Windows.

    The name has 1..80 letters, in composed Unicode (macOS decomposes it). It has no invisible or forbidden letters, and
    it is none that Windows reserves.

    >>> safe("a/b: Flute"), safe("con"), safe("")
    ('a-b- Flute', 'con_', 'Untitled')
    """
    text = unicodedata.normalize("NFC", text)
    # control, format (joiners, right-to-left marks), surrogate and unassigned letters cannot be seen or typed
    text = "".join(" " if letter.isspace() else letter for letter in text)
    text = "".join(letter for letter in text if unicodedata.category(letter)[0] != "C")
    text = " ".join(FORBIDDEN.sub("-", text).split())[:LONGEST]
    while len(text.encode()) > BYTES:
        text = text[:-1]
    text = text.lstrip(". -~_").rstrip(". ")
    if is_reserved_name(text):
        text += "_" if "." not in text else ""
        text = text.replace(".", "_")
    return text or UNTITLED


def check(text: str) -> str:
    """`text`, in composed Unicode, when it is a name as `safe` makes them. Raises UserError, which names a legal one.

    >>> check("Flute & Choir #2")
    'Flute & Choir #2'
    """
    composed = unicodedata.normalize("NFC", text)
    if safe(composed) != composed:
        raise UserError(f"{text!r} is no name that every file system takes; write {safe(text)!r}")
    return composed


def fold(name: str) -> str:
    """The same text for two names that some file system takes for one.

    >>> fold("PAD") == fold("pad")
    True
    """
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", name).casefold())


def tidy(stem: str) -> str:
    """The stem of a file name as a person would write it. A name that has capitals keeps them.

    >>> tidy("soft_flute_48"), tidy("saw-pad"), tidy("McCoy Tyner Eb2")
    ('Soft Flute C3', 'Saw Pad', 'McCoy Tyner D#2')
    """
    pitch = pitch_in_name(stem)
    ending = re.search(r"-\d{3}-\d{3}$|[_\s.\-]-?[^_\s.\-]+$", stem)
    if pitch is not None and ending and ending.start():
        return safe(f"{_words(stem[: ending.start()])} {pitch_label(pitch)}")
    return safe(_words(stem))


def _words(stem: str) -> str:
    words = " ".join(stem.replace("_", " ").split())
    if words == words.lower():
        words = re.sub(r"(?<=\w)-(?=\w)", " ", words)
        parts = enumerate(words.split())
        words = " ".join(word if k and word in SMALL_WORDS else word[:1].upper() + word[1:] for k, word in parts)
    return words


def pitch_label(midi: float) -> str:
    """The name of a pitch, a MIDI number, with its cents.

    >>> pitch_label(48), pitch_label(42), pitch_label(60.5)
    ('C3', 'F#2', 'C4+50')
    """
    cents = round(100 * (midi - round(midi)))
    return note_name(round(midi)) + (f"{cents:+d}" if cents else "")


def of_recording(path: Path) -> list[str]:
    """The names for the table of a recording, the best first, for `unique`.

    path: relative to the collection
    The first name is that of the file, the next one has the folder's in front, and the last one the format behind.

    >>> of_recording(Path("reeds/oboe.wav"))
    ['Oboe', 'Reeds Oboe', 'Reeds Oboe WAV']
    """
    below = PurePosixPath(path.as_posix())
    own = tidy(below.stem)
    beside = f"{tidy(below.parent.name)} {own}" if below.parent.name else own
    return list(dict.fromkeys([own, beside, f"{beside} {below.suffix.lstrip('.').upper()}"]))


def unique(wishes: Sequence[Sequence[str]]) -> list[str]:
    """One safe name for each list of wishes, the best first, so that no file system takes two of them for one.

    All that would share a name take their next wish, so that the order of the sounds decides nothing. Where no wish is
    left, all but the first are numbered from 2.

    >>> unique([["Flute", "A Flute"], ["flute", "B Flute"], ["Horn"]])
    ['A Flute', 'B Flute', 'Horn']
    """
    wish = [0] * len(wishes)  # which of its wishes each has
    while True:
        names = [safe(own[k]) for own, k in zip(wishes, wish, strict=True)]
        alike = defaultdict(list)
        for index, name in enumerate(names):
            alike[fold(name)].append(index)
        stuck = [group for group in alike.values() if len(group) > 1]
        moving = [index for group in stuck for index in group if wish[index] + 1 < len(wishes[index])]
        if not moving:
            break
        for index in moving:
            wish[index] += 1
    for group in stuck:
        number = 2
        for index in group[1:]:
            while fold(f"{names[index]} {number}") in alike:
                number += 1
            names[index] = f"{safe(names[index])[: LONGEST - 5].strip()} {number}"
            alike[fold(names[index])] = [index]
    return names
