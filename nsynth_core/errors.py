"""The exceptions a user may see. They carry facts; the command line turns them into sentences that say what to do."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TypeVar

Raised = TypeVar("Raised", bound="UserError")


class UserError(Exception):
    """Bad input or an impossible request.

    message: what is wrong, without the name of the file
    path: the file it is about; None where it is about no file, or where the function that raises does not know it

    `str(error)` is one line, "path: message". The command line prints it and exits with 1.

    >>> str(UserError("silent", path="a.wav"))
    'a.wav: silent'
    """

    def __init__(self, message: str, *, path: str | os.PathLike[str] | None = None):
        self.message = _one_line(message)
        self.path = None if path is None else Path(path)
        super().__init__(self.message)

    def __str__(self) -> str:
        return self.message if self.path is None else f"{_one_line(str(self.path))}: {self.message}"

    def __reduce__(self) -> tuple[object, ...]:
        return _restored, (type(self), self.args, self.__dict__)

    def located(self: Raised, path: str | os.PathLike[str]) -> Raised:
        """This error, about the file `path` unless it names a file already. For callers that know the file.

        >>> str(UserError("silent").located("a.wav"))
        'a.wav: silent'
        """
        if self.path is None:
            self.path = Path(path)
        return self


class UsageError(UserError):
    """The command itself is wrong (an unknown name, a value out of its range); the command line exits with 2."""


class FileExists(UserError):
    """The file `path` exists, and replacing it was not allowed."""

    path: Path

    def __init__(self, path: str | os.PathLike[str]):
        super().__init__("exists already", path=path)

    def __str__(self) -> str:
        return f"{_one_line(str(self.path))} exists already"


class NotWritable(UserError):
    """The file `path` cannot be written. `message` says why, such as "Permission denied"."""

    path: Path

    def __init__(self, path: str | os.PathLike[str], why: str):
        super().__init__(why, path=path)

    def __str__(self) -> str:
        return f"cannot write {_one_line(str(self.path))}: {self.message}"


class MissingExtra(UserError):
    """`what` (such as "TensorFlow") is not installed. The optional dependencies called `extra` bring it: "nsynth",
    "train", "plot" or "cluster"."""

    def __init__(self, extra: str, what: str):
        self.extra, self.what = extra, what
        super().__init__(f"{what} is not installed")


# module → the extra that installs it, and its usual name
OPTIONAL_MODULES = {
    "distributed": ("cluster", "Dask"),
    "fluidsynth": ("train", "pyfluidsynth"),
    "keras": ("train", "Keras"),
    "matplotlib": ("plot", "matplotlib"),
    "tensorflow": ("nsynth", "TensorFlow"),
}


def missing_extra(error: ImportError) -> MissingExtra | None:
    """The MissingExtra that a failed import stands for; None where the module is not an optional dependency.

    >>> str(missing_extra(ModuleNotFoundError("No module named 'matplotlib'", name="matplotlib.figure")))
    'matplotlib is not installed'
    """
    module = (error.name or "").partition(".")[0]
    if not isinstance(error, ModuleNotFoundError) or module not in OPTIONAL_MODULES:
        return None
    return MissingExtra(*OPTIONAL_MODULES[module])


def did_you_mean(word: str, known: list[str]) -> str:
    """A hint at the names in `known` that are closest to `word`, "" where none is close.

    >>> did_you_mean("flut", ["flute", "choir"])
    'did you mean flute?'
    """
    import difflib

    near = difflib.get_close_matches(word, known, 3, 0.6)
    return f"did you mean {' or '.join(near)}?" if near else ""


def _one_line(text: str) -> str:
    return " ".join(text.split())


def _restored(kind: type[UserError], args: tuple[object, ...], state: dict[str, object]) -> UserError:
    """An unpickled error, made without a call of its class, whose arguments may be different ones."""
    error = kind.__new__(kind, *args)
    error.__dict__.update(state)
    return error
