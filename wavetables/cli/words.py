"""Facts as sentences for the terminal. Only here does an error name the options that help."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nsynth_core.errors import UserError

if TYPE_CHECKING:
    from nsynth_core.audio import Length

LENGTH_REMARKS = {  # by the values of nsynth_core.audio.Length
    "cut short": "cut short; what is there is used",
    "undeclared": "its header declares no samples, as that of a stream; those it holds are used",
    "declared shorter": "its header declares less than the file holds; what it declares is used",
}


def sentence(error: UserError) -> str:
    """The one line that the terminal shows for `error`: what, which file, why, and what to do.

    >>> sentence(UserError("a.wav: not a sound file"))
    'a.wav: not a sound file'
    """
    return str(error)


def count(number: int, what: str) -> str:
    """A number and its noun.

    >>> count(1, "frame"), count(2, "frame")
    ('1 frame', '2 frames')
    """
    return f"{number} {what}{'' if number == 1 else 's'}"


def length_remark(length: Length) -> str:
    """What to say about a sound file whose header gives a wrong length. "" for a right one."""
    return LENGTH_REMARKS.get(length.value, "")
