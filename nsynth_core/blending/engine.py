"""The protocol of an engine: what is asked of it (Row), what it makes (Blend), and how its progress is shown."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Protocol

from nsynth_core.audio import Floats, Sound
from nsynth_core.blending.coder import CODERS, Coder
from nsynth_core.blending.instrument import Instrument

ENGINES = (*CODERS, "nsynth")
MAX_TIMELINES = 64  # kept in memory: rows between the same instruments at the same pitch share one
Update = Callable[[int, int, str], None]  # items done, items in all, a remark
Watch = Callable[[str, str], AbstractContextManager[Update]]  # what is counted, what to say before it starts
# how an engine that makes notes only gets frames: (notes, MIDI pitch, frames, stereo) → (channels, frames, 2048)
Cut = Callable[[Sequence[Sound], float, int, bool], Floats]


@dataclass(frozen=True)
class Row:
    """What is asked of an engine: notes between `instruments`, and one table.

    pitch: MIDI; None for the pitch of the leading recording, note by note as it moves
    mixes: one for each note. Each holds weights (instruments,), or a path of weights (n, instruments) that the note
        walks from its start to its end. Weights are >= 0 and sum to 1.
    path: weights (frames, instruments) along the table; None where no table is wanted. An engine that cuts frames out
        of notes decodes `mixes` only, so they must lie on the path.
    """

    instruments: tuple[Instrument, ...]
    pitch: float | None
    mixes: Sequence[Floats] | Floats
    path: Floats | None = None


@dataclass(frozen=True)
class Blend:
    """What an engine made of a Row.

    notes: one function for each of the row's mixes. It renders the note, at the level at which it came out.
    walk: `walk(stereo)` gives the frames of the row's table, float32 (channels, frames, 2048), not yet shaped: one
        channel, or left and right

    All may be called in any thread.
    """

    notes: Sequence[Callable[[], Sound]]
    walk: Callable[[bool], Floats]


class Engine(Protocol):
    """Blends instruments into notes and tables.

    coder     what the instruments must have been coded by (`nsynth_core.blending.instrument.load_instrument`)
    latent    numbers a frame of encodings that are taken for sounds; None takes none
    seed      of its noise
    facts     what files say of it beside its name and `version`; `versions` of the libraries that it alone needs
    """

    coder: Coder
    seed: int

    @property
    def name(self) -> str: ...
    @property
    def version(self) -> str: ...
    @property
    def latent(self) -> int | None: ...
    @property
    def facts(self) -> Mapping[str, str]: ...
    @property
    def versions(self) -> Mapping[str, str]: ...

    def blend(
        self,
        rows: Iterable[Row],
        seconds: float | None = None,
        rate: int | None = None,
        *,
        mono: bool = False,
        moment: float | None = None,
        watch: Watch = ...,
    ) -> Iterator[Blend]:
        """The rows in order. Notes last `seconds`, None as long as the leading recording, and are stereo at `rate` Hz;
        without a rate none are made. `mono`: left and right may be alike. `moment`: seconds of a note that only a
        frame is cut from, where one is; None for the engine's own."""
        ...


def unwatched(what: str, said: str) -> AbstractContextManager[Update]:
    """A Watch that shows nothing."""
    return nullcontext(lambda done, total, note: None)
