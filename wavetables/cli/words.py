"""Facts as sentences for the terminal. Only here does an error name the options that help."""

from __future__ import annotations

import re
import shlex
from typing import TYPE_CHECKING

from nsynth_core.errors import FileExists, MissingExtra, NotWritable, UsageError, UserError

if TYPE_CHECKING:
    from nsynth_core.audio import Length
    from nsynth_core.pitch import Unpitched
    from wavetables.estimate import Estimate

LENGTH_REMARKS = {  # by the values of nsynth_core.audio.Length
    "cut short": "cut short; what is there is used",
    "undeclared": "its header declares no samples, as that of a stream; those it holds are used",
    "declared shorter": "its header declares less than the file holds; what it declares is used",
}


def sentence(error: UserError, command: str = "") -> str:
    """The one line that the terminal shows for `error`: what, which file, why, and what to do.

    command: the command that was given, such as "import". It decides which options the advice names.

    >>> sentence(UserError("not a sound file", path="a.wav"))
    'a.wav: not a sound file'
    >>> sentence(FileExists("note.wav"))
    'note.wav exists already; choose another -o or add --force'
    """
    if type(error) in (UserError, UsageError):
        return str(error)
    from nsynth_core.audio import UnusableSound
    from nsynth_core.parallel import WorkerKilled
    from nsynth_core.pitch import Unpitched
    from nsynth_core.wavenet.embeddings import SUFFIX, EncodingsWithoutPitch, NeedsSound
    from wavetables.formats.common import Clipping
    from wavetables.instruments import NothingToLayer, with_advice

    if isinstance(error, FileExists):
        other = "" if command == "install" else f"choose another {_output(command)} or "
        return f"{error}; {other}add --force"
    if isinstance(error, NotWritable):
        return f"{error}; choose another {_output(command)}"
    if isinstance(error, MissingExtra):
        return f"{error}; the extra {error.extra} brings it: pip install {' '.join(packages_of(error.extra))}"
    if isinstance(error, Unpitched):
        return f"{error}; {_pitch_advice(error, command)}"
    if isinstance(error, UnusableSound):
        return with_advice(error)
    if isinstance(error, Clipping):
        hint = "add --fix" if command == "convert" else "make-wavetable convert IN OUT --fix"
        return f"{error}; normalize it first: {hint}"
    if isinstance(error, NothingToLayer):
        return f"--dry: {error}; leave it out"
    if isinstance(error, EncodingsWithoutPitch) and error.path:
        example = shlex.quote(f"{error.path}@C3")
        return f"{error}; give it after its name, e.g. {example}, or end the name in _48{SUFFIX}"
    if isinstance(error, NeedsSound):
        return f"{error}; use --engine nsynth, or give the sound itself"
    if isinstance(error, WorkerKilled) and command == "import":
        return f"{error}; import fewer files at once"
    from wavetables.cli import pack_words

    advice = pack_words.advice(error)
    return f"{error}; {advice}" if advice else str(error)


def packages_of(extra: str) -> list[str]:
    """Names of the packages that an extra brings, as pip takes them; the extra itself where the program was not
    installed by pip.

    >>> packages_of("plot")
    ['matplotlib']
    """
    from importlib import metadata

    try:
        lines = metadata.requires("make-wavetable") or []
    except metadata.PackageNotFoundError:
        return [f"'.[{extra}]'"]
    named = [re.match(r"[\w.-]+", line) for line in lines if re.search(rf"extra == ['\"]{extra}['\"]", line)]
    return [match.group() for match in named if match]


def _output(command: str) -> str:
    """What `command` calls the file or folder that it writes."""
    return "OUT" if command == "convert" else "-o"


def pitch_word(midi: float) -> str:
    """A pitch as options take it: a note name, and the cents that it is off.

    >>> pitch_word(60.0), pitch_word(120.4), pitch_word(59.9)
    ('C4', 'C9+40', 'C4-10')
    """
    from nsynth_core.notes import note_name

    cents = round(100 * (midi - round(midi)))
    return note_name(midi) + (f"{cents:+d}" if cents else "")


def _pitch_advice(error: Unpitched, command: str) -> str:
    """How `command` is told the pitch of a sound."""
    note = "C3" if error.guess is None else pitch_word(error.guess)
    if command == "import":
        widen = "widen --range or " if error.span else ""
        return f"{widen}give its pitch, e.g. --pitch {note}, or use --unpitched"
    if command == "watch":
        return f"give its pitch, e.g. --pitch {note}"
    if error.span and error.guess:
        return "give a recording of a lower note"
    example = f"{error.path or 'SOUND.wav'}@{note}"
    return f"give its pitch after its name, e.g. {shlex.quote(example)}"


def count(number: int, what: str) -> str:
    """A number and its noun.

    >>> count(1, "frame"), count(2, "frame")
    ('1 frame', '2 frames')
    """
    return f"{number} {what}{'' if number == 1 else 's'}"


def estimate_words(estimate: Estimate) -> str:
    """The result of a dry run.

    >>> from wavetables.estimate import Estimate
    >>> estimate_words(Estimate(files=120, bytes=48_300_000, seconds=95.0))
    '120 files, about 48 MB, about 2 min'
    """
    size = estimate.bytes / 1e6
    large = f"{size / 1000:.1f} GB" if size >= 1000 else f"{size:.0f} MB" if size >= 10 else f"{size:.1f} MB"
    seconds = estimate.seconds
    time = f"{max(1, round(seconds))} s" if seconds < 90 else f"{round(seconds / 60)} min"
    if seconds >= 5400:
        time = f"{seconds / 3600:.1f} h"
    return f"{count(estimate.files, 'file')}, about {large}, about {time}"


def length_remark(length: Length) -> str:
    """What to say about a sound file whose header gives a wrong length. "" for a right one."""
    return LENGTH_REMARKS.get(length.value, "")
