"""The sound between two or more sounds: their envelopes move towards each other, and a network corrects the mean.

Between a peak at 500 Hz and one at 1100 Hz lies one peak, not two that are half as high. But the missing even partials
of a clarinet fade in where they are. So the partials of a source are split: into an envelope, which moves along the ERB
scale, and into what lies under the envelope, the gaps, which stay with their partials. The envelope is the closing of
the partials over three neighbours (Serra 1982): it fills the gaps and leaves peaks and slopes as they are. For sources
i with weights w and s(x) = 10 ** (x / COMPRESSED_DB),

    blend = s^-1(sum_i w_i s(envelope_i(erb + sum_j (w_i + w_j) d_ij) + gaps_i)) + sum_ij 4 w_i w_j c_ij

The network `matching` compares both envelopes and predicts the offset d at which each is read. It registers them as
pictures are registered, or as two performances are aligned (dynamic time warping, Sakoe & Chiba 1978): for each point h
halfway, it predicts the distance v(h) between the two points that meet there. They lie at h - v(h) / 2 in the first
envelope and at h + v(h) / 2 in the second. At the mix m = w_j / (w_i + w_j) of the two sounds they meet at
x = h + (m - 1/2) v(h), so d_ij(x) = -m v(h) and d_ji(x) = (1 - m) v(h).

The network `correction` predicts c, which is added to the mean, from both spectra, their match and their mix. Both
networks learned from pairs whose middles are known: synth patches with one knob at several positions
(`nsynth_core.training.pairs`). Where one source has all the weight, the blend is this source, whatever the networks
predict.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import combinations

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import maximum_filter1d, minimum_filter1d

from nsynth_core.audio import Floats
from nsynth_core.harmonic.inputs import F0_STEPS, FIRST_PARTIALS
from nsynth_core.harmonic.scales import INPUT_DB, level_input, pitch_input
from nsynth_core.sound.features import TOP_ERB, TOP_HZ, erb_to_hz, hz_to_erb
from nsynth_core.sound.spectral_envelope import ENVELOPE_POINTS, FLOOR, envelope, envelope_hz

COMPRESSED_DB = 32.0  # 20 would give the mean of amplitudes, infinity the mean in dB
RANGE_DB = 60.0  # under the loudest point: fainter points are not compared
ALIKE_DB = 4.0  # envelopes that differ by less move and are corrected less
SPECTRUM_INPUTS = ENVELOPE_POINTS + FIRST_PARTIALS
MATCH_INPUTS = 2 * ENVELOPE_POINTS
CORRECTION_INPUTS = 2 * SPECTRUM_INPUTS + ENVELOPE_POINTS + 3
CURVE_POINTS, SINGLE = 32, 24  # of a correction: a curve for the odd and one for the even partials, then single ones
CORRECTIONS = 2 * CURVE_POINTS + SINGLE
REACH_ERB, REACH_DB = 4.0, 10.0  # units of the outputs of `matching` and of `correction`
PLACES = hz_to_erb(envelope_hz()).astype(np.float32)  # where envelopes are read, evenly spaced in ERB
HALFWAY = 2  # every second of PLACES is a point where two envelopes meet halfway
MEETINGS = ENVELOPE_POINTS // HALFWAY
LEAST_STEP = 0.05  # ERB, the least distance between neighbours where a match would reverse their order
EVERY = 4  # the networks run on every fourth frame, 25 times a second
NEIGHBOURS = 3
ATONAL = -30.0, -10.0  # dB of the partials under the frame: where they are fainter the envelopes do not move
SILENT_DB = -100.0

# the networks by name: "matching" (N, MATCH_INPUTS) → (N, MEETINGS), "correction" (N, CORRECTION_INPUTS) →
# (N, CORRECTIONS)
Predict = Callable[[str, Floats], Floats]


def spectrum_inputs(partials: Floats, f0: Floats) -> Floats:
    """What the networks are given of one spectrum of a pair, float32 (N, ENVELOPE_POINTS + FIRST_PARTIALS).

    partials: (N, K) dB under their own level
    f0: (N,) Hz

    >>> spectrum_inputs(np.full((2, 50), -20, np.float32), np.full(2, 220, np.float32)).shape
    (2, 112)
    """
    clipped = np.maximum(partials, FLOOR)
    first = clipped[:, :FIRST_PARTIALS]
    first = np.pad(first, ((0, 0), (0, FIRST_PARTIALS - first.shape[1])), constant_values=FLOOR)
    return np.asarray(level_input(np.concatenate([envelope(clipped, f0), first], axis=1)), dtype=np.float32)


def travelled(match: Floats, mix: Floats) -> Floats:
    """The offsets in ERB from their PLACES at which two envelopes are read at `mix`, float32 (N, 2, ENVELOPE_POINTS).

    match: (N, MEETINGS) ERB between the two points that meet at a point halfway
    mix: (N,) 0..1, of the second sound

    >>> travelled(np.full((1, MEETINGS), 2, np.float32), np.float32([0.25]))[0, :, 20].tolist()
    [-0.5, 1.5]
    """
    meeting = PLACES[::HALFWAY] + (mix[:, None] - 0.5) * match
    after = np.clip((meeting[:, None] <= PLACES[:, None]).sum(-1), 1, MEETINGS - 1)
    x0, x1, y0, y1 = (np.take_along_axis(v, after - k, 1) for v in (meeting, match) for k in (1, 0))
    distance = y0 + np.clip((PLACES - x0) / np.maximum(x1 - x0, LEAST_STEP), 0, 1) * (y1 - y0)
    return np.asarray(np.stack([-mix[:, None] * distance, (1 - mix[:, None]) * distance], axis=1), dtype=np.float32)


def apart(first: Floats, second: Floats) -> Floats:
    """How different the envelopes of two spectrum_inputs (N, ...) are, (N,): 0 for equal ones, 1 from ALIKE_DB on.

    Between two sounds that are alike nothing moves and nothing is corrected.
    """
    db = INPUT_DB * np.stack([first, second])[..., :ENVELOPE_POINTS]
    db = np.maximum(db, db.max((0, 2), keepdims=True) - RANGE_DB)
    return np.asarray(np.minimum(np.sqrt(((db[0] - db[1]) ** 2).mean(1)) / ALIKE_DB, 1), dtype=np.float32)


def correction_inputs(first: Floats, second: Floats, away: Floats, mix: Floats, f0: Floats) -> Floats:
    """What `correction` is given, float32 (N, CORRECTION_INPUTS).

    first, second: spectrum_inputs
    away: (N, ENVELOPE_POINTS) ERB by which the first envelope has moved
    mix: (N,) 0..1, of the second sound
    f0: (N,) Hz
    """
    octave = pitch_input(f0)[:, None]
    return np.concatenate([first, second, away / REACH_ERB, mix[:, None], octave, octave**2], axis=1).astype(np.float32)


def correction_basis(f0: float, count: int) -> Floats:
    """What each number of a correction adds to each partial of a note at `f0` Hz, float32 (count, CORRECTIONS)."""
    number = np.arange(1, count + 1)
    place = np.minimum(hz_to_erb(number * f0) / TOP_ERB, 1) * (CURVE_POINTS - 1)
    tent = np.maximum(0, 1 - np.abs(place[:, None] - np.arange(CURVE_POINTS)))
    odd = (number % 2)[:, None]
    single = number[:, None] == np.arange(1, SINGLE + 1)
    return np.concatenate([tent * odd, tent * (1 - odd), single], axis=1).astype(np.float32)


def blend(predict: Predict, sources: Floats, weights: Floats, f0: Floats) -> Floats:
    """The partials between several sounds at one pitch, float32 (T, K).

    predict: runs the networks, for example `nsynth_core.harmonic.runtime.load()`
    sources: (S, T, K) dB under the level of the frame
    weights: (S, T) 0 or more; they sum to 1 over S
    f0: (T,) Hz
    The level of all partials together is the mean of the sources' levels.

    >>> sources = np.linspace(0, -60, 40, dtype=np.float32) * np.float32([1, 2])[:, None, None] * np.ones((1, 3, 1))
    >>> halves, f0 = np.full((2, 3), 0.5, np.float32), np.full(3, 220, np.float32)
    >>> blend(lambda name, x: np.zeros((len(x), {"matching": 32, "correction": 88}[name])), sources, halves, f0).shape
    (3, 40)
    """
    used = np.flatnonzero(weights.any(axis=1))
    if len(used) == 1:
        return np.asarray(sources[used[0]])
    sources, weights = sources[used], weights[used]
    level = _level(sources)
    displaced, correction = _moves_and_correction(predict, sources - level, level, weights, f0)
    erb = hz_to_erb(np.arange(1, sources.shape[2] + 1, dtype=np.float32) * f0[:, None])
    sum_ = np.zeros_like(sources[0])
    for source, share, away in zip(sources, weights, displaced, strict=True):
        sum_ += share[:, None] * _compressed(_moved(source, away, erb, f0))
    out = np.float32(COMPRESSED_DB) * np.log10(np.maximum(sum_, np.float32(1e-5))) + correction
    mean = np.float32(COMPRESSED_DB) * np.log10((weights[..., None] * _compressed(level)).sum(0))
    return np.asarray(np.maximum(out + mean - _level(out), SILENT_DB), dtype=np.float32)


def mean_db(values: Floats, weights: Floats) -> Floats:
    """The weighted mean (T, B) of levels (S, T, B) in dB for weights (S, T), on the scale of the partials' mean.

    >>> mean_db(np.float32([[[-20]], [[-20]]]), np.float32([[0.5], [0.5]])).round(3).tolist()
    [[-20.0]]
    """
    mean = (weights[..., None] * _compressed(values)).sum(0)
    return np.asarray(COMPRESSED_DB * np.log10(np.maximum(mean, 1e-5)), dtype=np.float32)


def _moves_and_correction(
    predict: Predict, shapes: Floats, level: Floats, weights: Floats, f0: Floats
) -> tuple[Floats, Floats]:
    """The offset at which each envelope is read, (S, T, ENVELOPE_POINTS) ERB, and what is added to the mean, (T, K)
    dB."""
    frames = len(f0)
    rows = np.unique(np.append(np.arange(0, frames, EVERY), frames - 1))
    inputs = [spectrum_inputs(shape[rows], f0[rows]) for shape in shapes]
    low, high = ATONAL
    tonal = np.clip((level[..., 0] - low) / (high - low), 0, 1)
    away = np.zeros((len(shapes), frames, ENVELOPE_POINTS), dtype=np.float32)
    added = np.zeros((frames, CORRECTIONS), dtype=np.float32)
    for i, j in combinations(range(len(shapes)), 2):
        share = (weights[i] * weights[j] > 0) * np.minimum(tonal[i], tonal[j])
        if not share.any():
            continue
        both = weights[[i, j]][:, rows]
        mix = both[1] / np.maximum(both.sum(0), 1e-9)
        far = apart(inputs[i], inputs[j])[:, None]
        envelopes = np.concatenate([inputs[i][:, :ENVELOPE_POINTS], inputs[j][:, :ENVELOPE_POINTS]], axis=1)
        moved = travelled(REACH_ERB * far * predict("matching", envelopes), mix)
        both_ways = [
            correction_inputs(inputs[i], inputs[j], moved[:, 0], mix, f0[rows]),
            correction_inputs(inputs[j], inputs[i], moved[:, 1], 1 - mix, f0[rows]),
        ]
        corrections = far * predict("correction", np.concatenate(both_ways)).reshape(2, len(rows), -1).sum(0)
        together = (weights[i] + weights[j])[:, None]
        for source, offsets in zip((i, j), moved.swapaxes(0, 1), strict=True):
            away[source] += together * share[:, None] * _between_rows(offsets, rows, frames)
        added += (4 * weights[i] * weights[j] * share)[:, None] * _between_rows(corrections, rows, frames)
    return away, REACH_DB * _on_partials(added, f0, shapes.shape[2])


def _between_rows(values: Floats, rows: NDArray[np.int64], frames: int) -> Floats:
    """Values (len(rows), d) at `rows`, interpolated to all frames."""
    place = np.interp(np.arange(frames), rows, np.arange(len(rows)))
    low = np.minimum(place.astype(np.int64), max(len(rows) - 2, 0))
    share = (place - low).astype(np.float32)[:, None]
    after = np.minimum(low + 1, len(rows) - 1)
    return np.asarray(values[low] + share * (values[after] - values[low]))


def _on_partials(numbers: Floats, f0: Floats, count: int) -> Floats:
    """Corrections (T, CORRECTIONS) on the partials of each frame, (T, count)."""
    out = np.empty((len(f0), count), dtype=np.float32)
    step = np.round(np.log2(f0) * F0_STEPS).astype(np.int64)
    for value in np.unique(step):
        chosen = np.flatnonzero(step == value)
        out[chosen] = numbers[chosen] @ correction_basis(2 ** (value / F0_STEPS), count).T
    return out


def _moved(partials: Floats, away: Floats, erb: Floats, f0: Floats) -> Floats:
    """The partials (T, K) at `erb` (T, K) under their moved envelope, which is read at the offset `away`
    (T, ENVELOPE_POINTS) ERB."""
    if not away.any():
        return partials
    top = maximum_filter1d(partials, NEIGHBOURS, axis=1, mode="nearest")
    closed = minimum_filter1d(top, NEIGHBOURS, axis=1, mode="nearest")
    displaced = erb + _read(away, np.clip((erb - PLACES[0]) / (PLACES[1] - PLACES[0]), 0, ENVELOPE_POINTS - 1))
    last = np.maximum(np.minimum(TOP_HZ / f0, partials.shape[1]), 1)[:, None]
    place = np.clip(erb_to_hz(displaced) / f0[:, None], 1, last) - 1
    return np.asarray(_read(closed, place) + partials - closed)


def _read(values: Floats, place: Floats) -> Floats:
    """`values` (T, K) at the fractional indices `place` (T, N), 0 or more."""
    last = values.shape[1] - 1
    low = np.minimum(place.astype(np.int64), last)
    at, after = np.take_along_axis(values, low, 1), np.take_along_axis(values, np.minimum(low + 1, last), 1)
    return np.asarray(at + (place - low).astype(np.float32) * (after - at), dtype=np.float32)


def _level(partials: Floats) -> Floats:
    """Total level (..., 1) of partials (..., K), dB."""
    return np.asarray(10 * np.log10((10 ** (partials / 10)).sum(-1, keepdims=True) + 1e-12), dtype=np.float32)


def _compressed(db: Floats) -> Floats:
    return np.asarray(10 ** (db / np.float32(COMPRESSED_DB)), dtype=np.float32)
