"""The Engine protocol, and the engines by name."""

from __future__ import annotations

from functools import lru_cache
from typing import Protocol

from nsynth_core.audio import Floats
from nsynth_core.embedding import Embedding
from nsynth_core.errors import UsageError
from nsynth_core.features import Features

ENGINES = ("harmonic", "crossfade", "envelope", "transport")  # NSynth codes sound: nsynth_core.wavenet.engine


class Engine(Protocol):
    """Turns features into an embedding and back. Embeddings are blended by `nsynth_core.embedding.mix`."""

    name: str
    version: str  # for provenance: of the harmonic engine, the hash of its weights

    def encode(self, features: Features) -> Embedding:
        """The embedding of a sound. decode(encode(features), features.f0_hz) gives the features back."""
        ...

    def decode(self, embedding: Embedding, f0_hz: Floats, detail: float = 1.0) -> Features:
        """Features of `embedding` at the pitch `f0_hz` (T,). `detail` 0..1 scales what a network misses of sources."""
        ...


@lru_cache(maxsize=len(ENGINES))
def load_engine(name: str) -> Engine:
    """The engine called `name`, one of ENGINES. Raises UsageError for another name, and for NSynth, which codes sound
    and not features and is an engine of its own kind (nsynth_core.wavenet.engine)."""
    if name == "harmonic":
        from nsynth_core.harmonic.engine import HarmonicEngine

        return HarmonicEngine()
    if name in ENGINES:
        from nsynth_core.classical import ClassicalEngine

        return ClassicalEngine(name)
    if name == "nsynth":
        raise UsageError("the nsynth engine needs a checkpoint: nsynth_core.wavenet.options.Options(checkpoint).load()")
    raise UsageError(f"no engine is called '{name}'; choose one of {', '.join(ENGINES)}")
