"""The Coder protocol, features to embedding and back, and the coders by name."""

from __future__ import annotations

from functools import lru_cache
from typing import Protocol

from nsynth_core.audio import Floats
from nsynth_core.blending.embedding import Embedding
from nsynth_core.errors import UsageError
from nsynth_core.sound.features import Features

CODERS = ("harmonic", "crossfade", "envelope", "transport")


class Coder(Protocol):
    """Turns features into an embedding and back. Embeddings are blended by `nsynth_core.blending.embedding.mix`."""

    name: str
    version: str  # for provenance: of the harmonic coder, the hash of its weights

    def encode(self, features: Features) -> Embedding:
        """The embedding of a sound. decode(encode(features), features.f0_hz) gives the features back."""
        ...

    def decode(self, embedding: Embedding, f0_hz: Floats, detail: float = 1.0) -> Features:
        """Features of `embedding` at the pitch `f0_hz` (T,). `detail` 0..1 scales what a network misses of sources."""
        ...


@lru_cache(maxsize=len(CODERS))
def load_coder(name: str) -> Coder:
    """The coder called `name`, one of CODERS. Raises UsageError for another name."""
    if name == "harmonic":
        from nsynth_core.harmonic.coder import HarmonicCoder

        return HarmonicCoder()
    if name in CODERS:
        from nsynth_core.blending.classical import ClassicalCoder

        return ClassicalCoder(name)
    raise UsageError(f"no coder is called '{name}'; choose one of {', '.join(CODERS)}")
