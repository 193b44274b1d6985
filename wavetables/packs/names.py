"""Names a person would give, safe on every file system."""

from __future__ import annotations

import re
import unicodedata
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

from nsynth_core.errors import UserError
from nsynth_core.files import is_reserved_name
from nsynth_core.notes import note_name, pitch_in_name

LONGEST = 80  # letters; with two folders above, a path stays below Windows' 260
BYTES = 200  # of UTF-8; file systems take 255, temporary names need some
FORBIDDEN = re.compile(r'[<>:"/\\|?*\x00-\x1f\x7f]')
UNTITLED = "Untitled"
SMALL = {"a", "an", "and", "at", "by", "for", "from", "in", "of", "on", "or", "the", "to", "with"}  # inside a title


def safe(text: str) -> str:
    """`text` as the name of a file or folder on Linux, macOS and Windows alike, without a suffix: composed Unicode
    (macOS decomposes), no invisible or forbidden letters, no reserved name, 1..80 letters."""
    text = unicodedata.normalize("NFC", text)
    # control, format (joiners, right-to-left marks), surrogate and unassigned letters: what cannot be seen or typed
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
    """`text`, composed, when it is safe as it stands. Raises UserError that says what would be."""
    composed = unicodedata.normalize("NFC", text)
    if safe(composed) != composed:
        raise UserError(f"{text!r} is no name that every file system takes; write {safe(text)!r}")
    return composed


def fold(name: str) -> str:
    """What two names share that some file system takes for one."""
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", name).casefold())


def tidy(stem: str) -> str:
    """A file's stem as a person writes it: "soft_flute_48" → "Soft Flute C3", "saw-pad" → "Saw Pad"; a name that has
    capitals already keeps its own."""
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
        words = " ".join(word if k and word in SMALL else word[:1].upper() + word[1:] for k, word in parts)
    return words


def pitch_label(midi: float) -> str:
    """ "C3", "F#2"; "C4+50" half way to the next key."""
    cents = round(100 * (midi - round(midi)))
    return note_name(round(midi)) + (f"{cents:+d}" if cents else "")


def of_recording(path: Path) -> list[str]:
    """What to call the table of the recording at `path`, relative to its collection; longer names for when shorter ones
    are taken: by its own name, with its folder's, with its format's."""
    below = PurePosixPath(path.as_posix())
    own = tidy(below.stem)
    beside = f"{tidy(below.parent.name)} {own}" if below.parent.name else own
    return list(dict.fromkeys([own, beside, f"{beside} {below.suffix.lstrip('.').upper()}"]))


def unique(wishes: Sequence[Sequence[str]]) -> list[str]:
    """One name for each list of wishes (best first), no two alike on any file system, safe. All that would share a name
    go on to their next wish, so that the order of the sounds decides nothing; where no wish is left, all but the first
    are numbered from 2."""
    level = [0] * len(wishes)
    while True:
        names = [safe(each[k]) for each, k in zip(wishes, level, strict=True)]
        alike = defaultdict(list)
        for index, name in enumerate(names):
            alike[fold(name)].append(index)
        stuck = [group for group in alike.values() if len(group) > 1]
        moving = [index for group in stuck for index in group if level[index] + 1 < len(wishes[index])]
        if not moving:
            break
        for index in moving:
            level[index] += 1
    for group in stuck:
        number = 2
        for index in group[1:]:
            while fold(f"{names[index]} {number}") in alike:
                number += 1
            names[index] = f"{safe(names[index])[: LONGEST - 5].strip()} {number}"
            alike[fold(names[index])] = [index]
    return names
