"""Audio → encodings, in pieces of bounded memory."""

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

PIECE = 128  # frames encoded at once: 64 MB an activation at full width
OVERLAP = -(-EDGE // HOP)  # frames beyond a piece that its encodings see
Update = Callable[[int, int, str], None]


@lru_cache(maxsize=1)
def _compiled() -> Any:
    return tf.function(network.encode, autograph=False)


def encode(weights: Weights, audio: Floats, progress: Update = lambda done, total, note: None) -> Floats:
    """The encodings (N, frames, latent) of audio (N, samples) at 16 kHz, mono, nominally -1 <= x < 1.

    frames = samples // 512; what is left over is cut off, as NSynth does. The last six frames depend on what follows
    them, the first six on what precedes: silence outside is not assumed, the network's own zero padding is (it was
    trained on cut clips). Raises UserError below 512 samples, and for a checkpoint without an encoder.
    """
    count, samples = audio.shape
    frames = samples // HOP
    if not weights.has_encoder:
        raise UserError("this checkpoint holds only the decoder; to encode sounds, give one with the ae_ variables too")
    if frames == 0:
        raise UserError(f"{samples} samples at 16 kHz are too short to encode; at least {HOP} are needed (32 ms)")
    # beyond full scale is no legal class; at exactly +1 the published network saw 128, so that stays
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
