"""The protocol of an engine: its request (Row), its result (Blend), and how it reports progress (Watch)."""

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
Update = Callable[[int, int, str], None]  # items done, number of items, a remark
Watch = Callable[[str, str], AbstractContextManager[Update]]  # name of the counted items, message before the start
# cuts frames out of the notes of an engine: (notes, MIDI pitch, frames, stereo) → (channels, frames, 2048)
Cut = Callable[[Sequence[Sound], float, int, bool], Floats]


@dataclass(frozen=True)
class Row:
    """A request to an engine: notes between `instruments`, and one table.

    pitch: MIDI number; None for the pitch contour of the leading recording
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
    """The result of an engine for one Row.

    notes: one function for each of the row's mixes. It renders the note. Its level is not normalised.
    walk: `walk(stereo)` gives the frames of the row's table, float32 (channels, frames, 2048), not yet shaped: one
        channel, or left and right

    All of them may be called in any thread.
    """

    notes: Sequence[Callable[[], Sound]]
    walk: Callable[[bool], Floats]


class Engine(Protocol):
    """Blends instruments into notes and tables.

    coder     the coder with which instruments must be loaded (`nsynth_core.blending.instrument.load_instrument`)
    latent    numbers per frame of the encodings that are accepted as sounds; None accepts no encodings
    seed      of its noise
    name      one of ENGINES
    version   for provenance
    facts     further facts for provenance
    versions  of the libraries that this engine alone needs
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
        """Blend every row, in order.

        seconds: length of the notes; None for that of the leading recording
        rate: of the stereo notes in Hz; None makes no notes
        mono: left and right may be equal
        moment: seconds of a note from which only a frame is cut; None for the engine's default
        watch: shows the progress
        """
        ...


def unwatched(what: str, message: str) -> AbstractContextManager[Update]:
    """A Watch that shows nothing."""
    return nullcontext(lambda done, total, note: None)
