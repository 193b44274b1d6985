"""The Coder protocol, which turns features into an embedding and back, and the coders by name."""

from __future__ import annotations

from functools import lru_cache
from typing import Protocol

from nsynth_core.audio import Floats
from nsynth_core.blending.embedding import Embedding
from nsynth_core.errors import UsageError
from nsynth_core.sound.features import Features

CODERS = ("harmonic", "crossfade", "envelope", "transport")


class Coder(Protocol):
    """Turns features into an embedding and back. `nsynth_core.blending.embedding.mix` blends embeddings.

    name: one of CODERS
    version: for provenance; the harmonic coder's is the hash of its weights
    """

    name: str
    version: str

    def encode(self, features: Features) -> Embedding:
        """The embedding of a sound. decode(encode(features), features.f0_hz) restores the features."""
        ...

    def decode(self, embedding: Embedding, f0_hz: Floats, detail: float = 1.0) -> Features:
        """The features of `embedding` at the pitch `f0_hz` (T,) in Hz. `detail`, 0..1, scales residuals."""
        ...


@lru_cache(maxsize=len(CODERS))
def load_coder(name: str) -> Coder:
    """The coder called `name`, one of CODERS. Raises UsageError for any other name.

    >>> load_coder("envelope").version
    '1'
    """
    if name == "harmonic":
        from nsynth_core.harmonic.coder import HarmonicCoder

        return HarmonicCoder()
    if name in CODERS:
        from nsynth_core.blending.classical import ClassicalCoder

        return ClassicalCoder(name)
    raise UsageError(f"no coder is called '{name}'; choose one of {', '.join(CODERS)}")
