"""Audio -> encodings, in pieces, so that memory is bounded."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nsynth_core.audio import Floats
from nsynth_core.errors import UserError
from nsynth_core.lazy import tf
from nsynth_core.wavenet import network
from nsynth_core.wavenet.checkpoint import Weights
from nsynth_core.wavenet.mulaw import network_input, quantise
from nsynth_core.wavenet.network import EDGE, HOP

PIECE = 128  # frames encoded at once; an activation of them has 64 MB at full width
OVERLAP = -(-EDGE // HOP)  # frames on either side of a piece that its encodings depend on
Update = Callable[[int, int, str], None]


@lru_cache(maxsize=1)
def _compiled() -> Any:
    """The encoder as a TensorFlow function."""
    return tf.function(network.encode, autograph=False)


def encode(weights: Weights, audio: Floats, progress: Update = lambda done, total, note: None) -> Floats:
    """Encode sounds.

    audio: (N, samples) mono at 16 kHz, -1 <= x < 1; samples beyond are clipped
    progress: called with the pieces done, the pieces in all and a note
    Returns float32 (N, samples // 512, latent). The rest of the samples is cut off, as NSynth does. The first and the
    last six frames depend on what is outside the sound: zeros between the layers, as in training, which is not the same
    as silence.
    Raises UserError for fewer than 512 samples, and for a checkpoint without an encoder.
    """
    count, samples = audio.shape
    frames = samples // HOP
    if not weights.has_encoder:
        raise UserError("this checkpoint holds only the decoder; to encode sounds, give one with the ae_ variables too")
    if frames == 0:
        raise UserError(f"{samples} samples at 16 kHz are too short to encode; at least {HOP} are needed (32 ms)")
    # beyond full scale there is no class; exactly +1 gives 128, as when the published network was trained
    x = network_input(quantise(np.clip(audio, -1, 1)))
    variables = {name: tf.constant(array) for name, array in weights.arrays.items() if name.startswith("ae_")}
    out = np.empty((count, frames, weights.latent), dtype=np.float32)
    spans = [(start, min(start + PIECE, frames)) for start in range(0, frames, PIECE)]
    for i in range(count):
        for n, (start, end) in enumerate(spans, 1):
            first, last = max(0, start - OVERLAP), min(frames, end + OVERLAP)
            piece: NDArray[np.float32] = _compiled()(
                variables, tf.constant(x[i : i + 1, first * HOP : last * HOP])
            ).numpy()
            out[i, start:end] = piece[0, start - first : end - first]
            progress(i * len(spans) + n, count * len(spans), "")
    return out
