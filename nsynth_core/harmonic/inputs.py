"""What the network sees of a sound, and where its field is asked: shared by training and run time, numpy only."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from nsynth_core.audio import Floats
from nsynth_core.harmonic.scales import balance_input, below_peak_input, level_input, pitch_input
from nsynth_core.sound.features import NOISE_BANDS, TOP_ERB, Features, erb_to_hz, hz_to_erb

ENVELOPE_POINTS = 64
FIRST_PARTIALS = 48
CONTEXT = (-4, -2, 0, 2, 4)  # frames of 10 ms
FLOOR = -80.0  # dB under the frame's total level
INPUTS = ENVELOPE_POINTS + FIRST_PARTIALS + NOISE_BANDS + 2 * NOISE_BANDS
CONDITIONS = 5
ONE_HOT = 24
OCTAVES = 6
RANK = 96  # basis functions of the field
TRUNK_INPUTS = ONE_HOT + 4 * OCTAVES + 4
ATONAL_DB = -20.0  # partials that together lie so far under the frame's level say nothing about its timbre
F0_STEPS = 48  # the trunk is asked at steps of a quarter of a semitone


def envelope_hz() -> Floats:
    """The ENVELOPE_POINTS frequencies of the spectral envelope, evenly spaced in ERB from 40 Hz to TOP_HZ."""
    low, high = hz_to_erb(np.float32(40.0)), TOP_ERB
    return erb_to_hz(np.linspace(low, high, ENVELOPE_POINTS)).astype(np.float32)


def relative(db: Floats, level: Floats) -> Floats:
    """dB under the frame's total level (T,), floored at FLOOR: the scale of all inputs and targets."""
    return np.asarray(np.maximum(db - level[:, None], FLOOR), dtype=np.float32)


def envelope(partials: Floats, f0: Floats) -> Floats:
    """Mean level around each envelope point, (T, ENVELOPE_POINTS): the integral of the polyline through the partials.

    Where partials are denser than points this averages them, where they are sparser it interpolates.
    """
    frames, count = partials.shape
    nodes = np.concatenate([partials[:, :1], partials, np.full((frames, 1), FLOOR, dtype=np.float32)], axis=1)
    integral = np.zeros((frames, count + 2))
    np.cumsum((nodes[:, 1:] + nodes[:, :-1]) / 2, axis=1, out=integral[:, 1:])
    points = hz_to_erb(envelope_hz())
    half = (points[1] - points[0]) / 2
    edges = erb_to_hz(np.concatenate([points - half, points[-1:] + half])).astype(np.float32)
    x = edges / f0[:, None]
    i = np.minimum(x.astype(np.int64), count)
    share = np.minimum(x - i, 1.0)
    beyond = np.maximum(x - (count + 1), 0.0)
    at, after = (np.take_along_axis(nodes, i + k, 1) for k in (0, 1))
    value = np.take_along_axis(integral, i, 1) + share * at + share**2 / 2 * (after - at) + beyond * FLOOR
    return np.asarray(np.diff(value, axis=1) / np.diff(x, axis=1), dtype=np.float32)


def frame_inputs(env: Floats, partials: Floats, noise: Floats, balance: Floats, correlation: Floats) -> Floats:
    """One frame's INPUTS numbers, (..., INPUTS), each about -1..1. dB values are relative to the frame's level."""
    first = partials[..., :FIRST_PARTIALS]
    missing = FIRST_PARTIALS - first.shape[-1]
    if missing > 0:
        first = np.concatenate([first, np.full((*first.shape[:-1], missing), FLOOR, dtype=np.float32)], axis=-1)
    levels = level_input(np.concatenate([env, first, noise], axis=-1))
    return np.asarray(np.concatenate([levels, balance_input(balance), correlation], axis=-1), dtype=np.float32)


def encoder_inputs(features: Features) -> Floats:
    """(T, len(CONTEXT), INPUTS) for every frame of `features`; the ends are repeated.

    A frame of noise only has no timbre to code, nor was the network trained on any: the nearest other stands for it.
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
    """(T,): the nearest frame whose partials (T, K), dB under the level, together reach ATONAL_DB."""
    frames = np.arange(len(partials))
    tonal = np.flatnonzero((10 ** (partials / 10)).sum(1) > 10 ** (ATONAL_DB / 10))
    if len(tonal) == 0:
        return frames
    return np.asarray(tonal[np.searchsorted((tonal[1:] + tonal[:-1]) / 2, frames)])


def conditions(f0: Floats, below_peak: Floats, since_onset: Floats) -> Floats:
    """(..., CONDITIONS) of arrays alike in shape: pitch and its square, level under the note's loudest frame in dB,
    and the seconds since the onset on a short and a long scale."""
    octave = pitch_input(f0)
    since = np.maximum(since_onset, 0)
    parts = [octave, octave**2, below_peak_input(below_peak), np.exp(-since / 0.08), np.exp(-since / 0.8)]
    return np.stack(parts, axis=-1).astype(np.float32)


def trunk_inputs(number: NDArray[np.int64], hz: Floats) -> Floats:
    """Where the field is asked, (N, TRUNK_INPUTS): partial number (one-hot, parity, waves of its log) and frequency."""
    place = (hz_to_erb(np.minimum(hz, 24_000)) / TOP_ERB).astype(np.float32)
    order = (np.log2(number) / 10).astype(np.float32)
    scale = (np.pi * 2.0 ** np.arange(OCTAVES)).astype(np.float32)
    waves = [f(np.outer(x, scale)) for x in (place, order) for f in (np.sin, np.cos)]
    one_hot = (number[:, None] == np.arange(1, ONE_HOT + 1)).astype(np.float32)
    plain = np.stack([place, order, (number % 2).astype(np.float32), 1 / number], axis=1)
    return np.concatenate([one_hot, *waves, plain], axis=1).astype(np.float32)
