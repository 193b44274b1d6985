"""The Engine protocol: what blends whole sounds; and the engines by name."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from functools import lru_cache, partial
from typing import TYPE_CHECKING, Protocol

from nsynth_core.audio import Floats, Sound
from nsynth_core.blending.coder import CODERS, Coder, load_coder
from nsynth_core.blending.embedding import Embedding
from nsynth_core.blending.instrument import (
    AS_IT_IS,
    Instrument,
    align,
    blended,
    path_features,
    root_pitch,
    steady_moment,
)
from nsynth_core.errors import UsageError
from nsynth_core.notes import midi_to_hz
from nsynth_core.sound import synthesis
from nsynth_core.sound.features import Features
from nsynth_core.sound.knobs import Knobs

if TYPE_CHECKING:
    from nsynth_core.wavenet.options import NSynthOptions

ENGINES = (*CODERS, "nsynth")
LAID = 64  # timelines that are kept: rows between the same instruments at the same pitch share one
Update = Callable[[int, int, str], None]  # what is done, of how many, a note
Watch = Callable[[str, str], AbstractContextManager[Update]]  # what is counted, what is to be said of it first


@dataclass(frozen=True)
class Row:
    """What is asked for between `instruments` at MIDI `pitch`, None for the leading recording's own: a note at each of
    `mixes`, weights (instruments,) or a path (n, instruments) that the note walks; and, where `path` (frames,
    instruments) is given, the table that walks along it, of which `mixes` are what an engine that cuts frames from
    notes decodes."""

    instruments: tuple[Instrument, ...]
    pitch: float | None
    mixes: Sequence[Floats] | Floats
    path: Floats | None = None


@dataclass(frozen=True)
class Blend:
    """What an engine made of a Row. `notes` give each mix, as loud as it came out; `walk` what a table's frames are
    made of (`table_frames`): the features of each frame, or notes along the way that frames are
    cut from. Both may be called in any thread, and a note is rendered when it is called for, or was before."""

    notes: Sequence[Callable[[], Sound]]
    walk: Callable[[], Features | Sequence[Sound]]


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


class FeatureEngine:
    """The engine of a coder: what it codes is mixed, decoded and rendered, with `knobs` turned. Frames of tables are
    decoded, not cut from notes, at even perceptual steps."""

    latent: int | None = None
    seed = synthesis.NOISE_SEED

    def __init__(self, coder: Coder, knobs: Knobs = AS_IT_IS) -> None:
        self.coder, self.knobs = coder, knobs
        self.name, self.version = coder.name, coder.version
        self.facts: Mapping[str, str] = {}
        self.versions: Mapping[str, str] = {}
        self.encode, self.decode = coder.encode, coder.decode  # for who takes the stages one by one

    def blend(
        self,
        rows: Iterable[Row],
        seconds: float | None = None,
        rate: int | None = None,
        *,
        mono: bool = False,
        moment: float | None = None,
        watch: Watch = unwatched,
    ) -> Iterator[Blend]:
        laid = lru_cache(LAID)(partial(align, seconds=seconds))
        for row in rows:
            embeddings, f0 = laid(row.instruments, row.pitch)
            notes = [partial(self._note, embeddings, mix, f0, rate) for mix in row.mixes] if rate else []
            yield Blend(notes, partial(self._walk, row, embeddings))

    def _note(self, embeddings: Sequence[Embedding], mix: Floats, f0_hz: Floats, rate: int) -> Sound:
        return synthesis.render(blended(self.coder, embeddings, mix, f0_hz, self.knobs), rate)

    def _walk(self, row: Row, embeddings: Sequence[Embedding]) -> Features:
        assert row.path is not None
        hz = midi_to_hz(root_pitch(row.instruments, row.pitch))
        return path_features(self.coder, list(map(steady_moment, embeddings)), row.path, hz, self.knobs, even=True)


def load_engine(name: str, knobs: Knobs = AS_IT_IS, nsynth: NSynthOptions | None = None) -> Engine:
    """The engine called `name`, one of ENGINES, with `knobs` turned; "nsynth", which has none, as `nsynth` says. Raises
    UsageError for another name, and for NSynth without a checkpoint or with a knob; UserError for a bad checkpoint."""
    if name != "nsynth":
        return FeatureEngine(load_coder(name), knobs)
    if nsynth is None or knobs != AS_IT_IS:
        raise UsageError(
            "NSynth needs a checkpoint and has no knobs: load_engine('nsynth', nsynth=NSynthOptions(checkpoint))"
        )
    return nsynth.load()
