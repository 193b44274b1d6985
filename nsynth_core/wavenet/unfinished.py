"""What an interrupted run of the generator has done, in a file from which the next run continues."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from nsynth_core.errors import UserError
from nsynth_core.files import atomic
from nsynth_core.wavenet.checkpoint import Weights
from nsynth_core.wavenet.streams import State

Classes = NDArray[np.uint8]


@dataclass
class Unfinished:
    """What a run has done.

    classes   (N, samples) of the streams that are `finished` (N,)
    members   the streams of the batch that was interrupted, and `state` the decoder's; both empty between batches
    """

    classes: Classes
    finished: NDArray[np.bool_]
    members: list[int] = field(default_factory=list)
    state: State = field(default_factory=dict)

    @classmethod
    def empty(cls, count: int, samples: int) -> Unfinished:
        """Of a run that has not begun."""
        return cls(np.zeros((count, samples), np.uint8), np.zeros(count, bool))


def fingerprint(weights: Weights, *arguments: Any) -> str:
    """A hash of everything that decides what a run generates."""
    hash_ = hashlib.sha256(weights.digest.encode())
    for argument in arguments:
        hash_.update(argument.tobytes() if isinstance(argument, np.ndarray) else repr(argument).encode())
    return hash_.hexdigest()


def read(path: Path | None, mark: str) -> Unfinished | None:
    """The run with the fingerprint `mark` that was interrupted, None where there is none.

    Raises UserError for the file of another run, and for a damaged file.
    """
    if path is None or not path.exists():
        return None
    try:
        with np.load(path) as data:
            if str(data["mark"]) != mark:
                raise UserError("belongs to another run; remove it, or give another name", path=path)
            state = {name.removeprefix("state/"): data[name] for name in data.files if name.startswith("state/")}
            return Unfinished(data["classes"], data["finished"], data["members"].tolist(), state)
    except (OSError, ValueError, KeyError, EOFError, BadZipFile) as error:
        raise UserError("cannot be read; remove it to start again", path=path) from error


def write(path: Path | None, mark: str, run: Unfinished) -> None:
    """Write a run to `path`, if there is one."""
    if path is None:
        return
    state = {f"state/{name}": array for name, array in run.state.items()}
    members = np.asarray(run.members, dtype=np.int64)
    with atomic(path, force=True) as temporary, temporary.open("wb") as file:
        np.savez(
            file, allow_pickle=False, mark=mark, classes=run.classes, finished=run.finished, members=members, **state
        )
