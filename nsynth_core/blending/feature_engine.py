"""The engine that blends features: mix, decode, render."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import lru_cache, partial

from nsynth_core.audio import Floats, Sound
from nsynth_core.blending.coder import Coder
from nsynth_core.blending.embedding import Embedding
from nsynth_core.blending.engine import MAX_TIMELINES, Blend, Row, Watch, unwatched
from nsynth_core.blending.instrument import (
    AS_IT_IS,
    align,
    blended,
    path_features,
    root_pitch,
    steady_moment,
)
from nsynth_core.notes import midi_to_hz
from nsynth_core.sound import synthesis
from nsynth_core.sound.knobs import Knobs


class FeatureEngine:
    """The engine of a coder: it mixes the embeddings, decodes the mix and renders the result, with `knobs` applied.

    Frames of tables are decoded, not cut out of notes, and lie at even perceptual steps.

    >>> from nsynth_core.audio import sine
    >>> from nsynth_core.blending.coder import load_coder
    >>> from nsynth_core.blending.instrument import from_sound
    >>> from nsynth_core.blending.weights import line_weights
    >>> engine = FeatureEngine(load_coder("envelope"))
    >>> pair = tuple(from_sound(sine(hz, 0.3), engine.coder) for hz in (220, 440))
    >>> path = line_weights([0, 0.5, 1])
    >>> (blend,) = engine.blend([Row(pair, 57.0, mixes=path, path=path)], rate=48_000)
    >>> blend.walk(False).shape, blend.notes[1]().samples.shape
    ((1, 3, 2048), (14400, 2))
    """

    latent: int | None = None
    seed = synthesis.NOISE_SEED

    def __init__(self, coder: Coder, knobs: Knobs = AS_IT_IS) -> None:
        self.coder, self.knobs = coder, knobs
        self.name, self.version = coder.name, coder.version
        self.facts: Mapping[str, str] = {}
        self.versions: Mapping[str, str] = {}
        self.encode, self.decode = coder.encode, coder.decode  # for callers that run the stages separately

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
        laid = lru_cache(MAX_TIMELINES)(partial(align, seconds=seconds))
        for row in rows:
            embeddings, f0 = laid(row.instruments, row.pitch)
            notes = [partial(self._note, embeddings, mix, f0, rate) for mix in row.mixes] if rate else []
            yield Blend(notes, partial(self._walk, row, embeddings))

    def _note(self, embeddings: Sequence[Embedding], mix: Floats, f0_hz: Floats, rate: int) -> Sound:
        return synthesis.render(blended(self.coder, embeddings, mix, f0_hz, self.knobs), rate)

    def _walk(self, row: Row, embeddings: Sequence[Embedding], stereo: bool) -> Floats:
        assert row.path is not None
        hz = midi_to_hz(root_pitch(row.instruments, row.pitch))
        moments = [steady_moment(embedding) for embedding in embeddings]
        features = path_features(self.coder, moments, row.path, hz, self.knobs, even=True)
        return synthesis.stereo_cycles(features) if stereo else synthesis.cycles(features)[None]
