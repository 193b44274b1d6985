"""The inputs of the networks, for training and run time alike. NumPy only."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from nsynth_core.audio import Floats
from nsynth_core.harmonic.scales import balance_input, below_peak_input, level_input, pitch_input
from nsynth_core.sound.features import NOISE_BANDS, TOP_ERB, Features, hz_to_erb
from nsynth_core.sound.spectral_envelope import ENVELOPE_POINTS, FLOOR, envelope, relative

FIRST_PARTIALS = 48  # whose levels the encoder gets one by one
CONTEXT = (-4, -2, 0, 2, 4)  # frames of 10 ms
INPUTS = ENVELOPE_POINTS + FIRST_PARTIALS + NOISE_BANDS + 2 * NOISE_BANDS
CONDITIONS = 5
ONE_HOT = 24  # partials that the trunk knows by number
OCTAVES = 6  # waves a position is written in, each twice as fast as the one before
RANK = 96  # basis functions of the field
TRUNK_INPUTS = ONE_HOT + 4 * OCTAVES + 4
ATONAL_DB = -20.0  # frames whose partials together are fainter than this, under the frame's level, are noise
F0_STEPS = 48  # an octave: the trunk runs at steps of a quarter of a semitone


def frame_inputs(env: Floats, partials: Floats, noise: Floats, balance: Floats, correlation: Floats) -> Floats:
    """What the encoder gets of one frame, float32 (..., INPUTS), about -1..1. Levels are in dB under the frame's."""
    first = partials[..., :FIRST_PARTIALS]
    missing = FIRST_PARTIALS - first.shape[-1]
    if missing > 0:
        first = np.concatenate([first, np.full((*first.shape[:-1], missing), FLOOR, dtype=np.float32)], axis=-1)
    levels = level_input(np.concatenate([env, first, noise], axis=-1))
    return np.asarray(np.concatenate([levels, balance_input(balance), correlation], axis=-1), dtype=np.float32)


def encoder_inputs(features: Features) -> Floats:
    """What the encoder gets for each frame and its neighbours, float32 (T, len(CONTEXT), INPUTS).

    The first and the last frame are repeated beyond the ends. A frame of noise has no timbre to code, and the network
    was not trained on any: the nearest frame with partials takes its place.
    """
    level = features.level_db()
    partials = relative(features.partials_db, level)
    frames = frame_inputs(
        envelope(partials, features.f0_hz),
        partials,
        relative(features.noise_db, level),
        features.balance_db,
        features.correlation,
    )
    index = np.clip(np.arange(len(frames))[:, None] + np.asarray(CONTEXT), 0, len(frames) - 1)
    return np.asarray(frames[_nearest_tonal(partials)[index]])


def _nearest_tonal(partials: Floats) -> NDArray[np.int64]:
    """The number (T,) of the nearest frame whose partials (T, K), in dB under the level, together reach ATONAL_DB."""
    frames = np.arange(len(partials))
    tonal = np.flatnonzero((10 ** (partials / 10)).sum(1) > 10 ** (ATONAL_DB / 10))
    if len(tonal) == 0:
        return frames
    return np.asarray(tonal[np.searchsorted((tonal[1:] + tonal[:-1]) / 2, frames)])


def conditions(f0: Floats, below_peak: Floats, since_onset: Floats) -> Floats:
    """What the branch gets beside the codes, float32 (..., CONDITIONS), of arrays of one shape.

    f0: Hz
    below_peak: dB under the loudest frame of the note
    since_onset: seconds, which decay on a short and on a long scale
    """
    octave = pitch_input(f0)
    since = np.maximum(since_onset, 0)
    parts = [octave, octave**2, below_peak_input(below_peak), np.exp(-since / 0.08), np.exp(-since / 0.8)]
    return np.stack(parts, axis=-1).astype(np.float32)


def trunk_inputs(number: NDArray[np.int64], hz: Floats) -> Floats:
    """What the trunk gets for partials, float32 (N, TRUNK_INPUTS): their numbers, 1 or more, and frequencies in Hz."""
    place = (hz_to_erb(np.minimum(hz, 24_000)) / TOP_ERB).astype(np.float32)
    order = (np.log2(number) / 10).astype(np.float32)
    scale = (np.pi * 2.0 ** np.arange(OCTAVES)).astype(np.float32)
    waves = [f(np.outer(x, scale)) for x in (place, order) for f in (np.sin, np.cos)]
    one_hot = (number[:, None] == np.arange(1, ONE_HOT + 1)).astype(np.float32)
    plain = np.stack([place, order, (number % 2).astype(np.float32), 1 / number], axis=1)
    return np.concatenate([one_hot, *waves, plain], axis=1).astype(np.float32)
