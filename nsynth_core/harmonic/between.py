"""What lies between sounds: envelopes drawn towards each other, their mean there, and what a network adds.

A peak at 500 and one at 1100 Hz have a peak between them, not two half as high; a clarinet's missing even partials fade
in where they are. So the envelope of a source is read from elsewhere on the ERB scale: the closing of its partials over
three neighbours, which fills the gaps of missing partials and leaves peaks and slopes alone (Serra 1982). What lies
under it, the gaps, stays with its partials. For sources i of weight w, with s(x) = 10 ** (x / COMPRESSED_DB),

    blend = s^-1(sum_i w_i s(envelope_i(erb + sum_j (w_i + w_j) d_ij) + gaps_i)) + sum_ij 4 w_i w_j c_ij

Where either is read, d, says the graph "matching", which looks at what follows what in two envelopes as one registers
pictures or lays two performances on one another (dynamic time warping, Sakoe & Chiba 1978). Halfway between both, at h,
what lies at h - v(h) / 2 in the first meets what lies at h + v(h) / 2 in the second. At the mix of the two,
m = w_j / (w_i + w_j), it has come to x = h + (m - 1/2) v(h), and d_ij(x) = -m v(h), d_ji(x) = (1 - m) v(h). What is
added to the mean, c, says the graph "correction" of both spectra, their match and their mix. Both were shown pairs of
which every middle is known, the settings of synth knobs (`nsynth_core.training.pairs`). Where one source has all the
weight the blend is that source, whatever the networks say.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import combinations

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import maximum_filter1d, minimum_filter1d

from nsynth_core.audio import Floats
from nsynth_core.harmonic.inputs import (
    ENVELOPE_POINTS,
    F0_STEPS,
    FIRST_PARTIALS,
    FLOOR,
    envelope,
    envelope_hz,
)
from nsynth_core.harmonic.scales import INPUT_DB, level_input, pitch_input
from nsynth_core.sound.features import TOP_ERB, TOP_HZ, erb_to_hz, hz_to_erb

COMPRESSED_DB = 32.0  # the mean of amplitudes is at 20, that of dB at infinity
RANGE_DB = 60.0
ALIKE_DB = 4.0
SPECTRUM_INPUTS = ENVELOPE_POINTS + FIRST_PARTIALS
MATCH_INPUTS = 2 * ENVELOPE_POINTS
CORRECTION_INPUTS = 2 * SPECTRUM_INPUTS + ENVELOPE_POINTS + 3
CURVE_POINTS, SINGLE = 32, 24  # of corrections: a curve for odd, one for even partials, and the first ones singly
CORRECTIONS = 2 * CURVE_POINTS + SINGLE
REACH_ERB, REACH_DB = 4.0, 10.0  # units of what the graphs say
PLACES = hz_to_erb(envelope_hz()).astype(np.float32)  # on the ERB scale, evenly spaced: where envelopes are read
HALFWAY = 2  # every second of them is a place where two envelopes meet halfway
MEETINGS = ENVELOPE_POINTS // HALFWAY
LEAST_STEP = 0.05  # ERB between what meets: what a match turns round is drawn apart again
EVERY = 4  # frames: the pair is looked at 25 times a second
NEIGHBOURS = 3
ATONAL = -30.0, -10.0  # dB under the frame's level: partials that faint have no timbre to draw anywhere
SILENT_DB = -100.0

Say = Callable[[str, Floats], Floats]  # the graphs by name: "matching" (N, MATCH_INPUTS) → (N, MEETINGS),
# "correction" (N, CORRECTION_INPUTS) → (N, CORRECTIONS)


def spectrum_inputs(partials: Floats, f0: Floats) -> Floats:
    """One spectrum of a pair, (N, ENVELOPE_POINTS + FIRST_PARTIALS): `partials` (N, K) dB under their own level."""
    clipped = np.maximum(partials, FLOOR)
    first = clipped[:, :FIRST_PARTIALS]
    first = np.pad(first, ((0, 0), (0, FIRST_PARTIALS - first.shape[1])), constant_values=FLOOR)
    return np.asarray(level_input(np.concatenate([envelope(clipped, f0), first], axis=1)), dtype=np.float32)


def travelled(match: Floats, mix: Floats) -> Floats:
    """How far from their PLACES two envelopes are read at `mix` (N,), in ERB, (N, 2, ENVELOPE_POINTS), of their `match`
    (N, MEETINGS): how far apart, in ERB, what meets at a place halfway lies in both."""
    come = PLACES[::HALFWAY] + (mix[:, None] - 0.5) * match
    after = np.clip((come[:, None] <= PLACES[:, None]).sum(-1), 1, MEETINGS - 1)
    x0, x1, y0, y1 = (np.take_along_axis(v, after - k, 1) for v in (come, match) for k in (1, 0))
    here = y0 + np.clip((PLACES - x0) / np.maximum(x1 - x0, LEAST_STEP), 0, 1) * (y1 - y0)
    return np.asarray(np.stack([-mix[:, None] * here, (1 - mix[:, None]) * here], axis=1), dtype=np.float32)


def apart(first: Floats, second: Floats) -> Floats:
    """How far the envelopes of two spectrum_inputs (N, ...) are apart, (N,), 1 from ALIKE_DB on.

    Between two sounds alike the network has nothing to say.
    """
    db = INPUT_DB * np.stack([first, second])[..., :ENVELOPE_POINTS]
    db = np.maximum(db, db.max((0, 2), keepdims=True) - RANGE_DB)
    return np.asarray(np.minimum(np.sqrt(((db[0] - db[1]) ** 2).mean(1)) / ALIKE_DB, 1), dtype=np.float32)


def correction_inputs(first: Floats, second: Floats, away: Floats, mix: Floats, f0: Floats) -> Floats:
    """(N, CORRECTION_INPUTS) of two spectrum_inputs, how far the first has travelled (N, ENVELOPE_POINTS), the mix of
    the two (N,), 0..1, and their f0 (N,)."""
    octave = pitch_input(f0)[:, None]
    return np.concatenate([first, second, away / REACH_ERB, mix[:, None], octave, octave**2], axis=1).astype(np.float32)


def correction_basis(f0: float, count: int) -> Floats:
    """(count, CORRECTIONS): what each number of a correction adds to each partial of a note at `f0` Hz."""
    number = np.arange(1, count + 1)
    place = np.minimum(hz_to_erb(number * f0) / TOP_ERB, 1) * (CURVE_POINTS - 1)
    tent = np.maximum(0, 1 - np.abs(place[:, None] - np.arange(CURVE_POINTS)))
    odd = (number % 2)[:, None]
    single = number[:, None] == np.arange(1, SINGLE + 1)
    return np.concatenate([tent * odd, tent * (1 - odd), single], axis=1).astype(np.float32)


def blend(say: Say, sources: Floats, weights: Floats, f0: Floats) -> Floats:
    """Partials (T, K) between `sources` (S, T, K), dB under the frame's level, at `f0` (T,) Hz, for `weights` (S, T)
    >= 0 that sum to 1. The level of the tone is the mean of theirs."""
    used = np.flatnonzero(weights.any(axis=1))
    if len(used) == 1:
        return np.asarray(sources[used[0]])
    sources, weights = sources[used], weights[used]
    level = _level(sources)
    displaced, correction = _drawn(say, sources - level, level, weights, f0)
    erb = hz_to_erb(np.arange(1, sources.shape[2] + 1, dtype=np.float32) * f0[:, None])
    sum_ = np.zeros_like(sources[0])
    for source, share, away in zip(sources, weights, displaced, strict=True):
        sum_ += share[:, None] * _compressed(_moved(source, away, erb, f0))
    out = np.float32(COMPRESSED_DB) * np.log10(np.maximum(sum_, np.float32(1e-5))) + correction
    mean = np.float32(COMPRESSED_DB) * np.log10((weights[..., None] * _compressed(level)).sum(0))
    return np.asarray(np.maximum(out + mean - _level(out), SILENT_DB), dtype=np.float32)


def mean_db(values: Floats, weights: Floats) -> Floats:
    """(T, B): the mean of levels (S, T, B) for weights (S, T), as that of partials."""
    mean = (weights[..., None] * _compressed(values)).sum(0)
    return np.asarray(COMPRESSED_DB * np.log10(np.maximum(mean, 1e-5)), dtype=np.float32)


def _drawn(say: Say, shapes: Floats, level: Floats, weights: Floats, f0: Floats) -> tuple[Floats, Floats]:
    """How far each source is read from its place, (S, T, ENVELOPE_POINTS) in ERB, and what is added to the mean,
    (T, K) dB."""
    frames = len(f0)
    rows = np.unique(np.append(np.arange(0, frames, EVERY), frames - 1))
    given = [spectrum_inputs(shape[rows], f0[rows]) for shape in shapes]
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
        far = apart(given[i], given[j])[:, None]
        envelopes = np.concatenate([given[i][:, :ENVELOPE_POINTS], given[j][:, :ENVELOPE_POINTS]], axis=1)
        moved = travelled(REACH_ERB * far * say("matching", envelopes), mix)
        asked = [
            correction_inputs(given[i], given[j], moved[:, 0], mix, f0[rows]),
            correction_inputs(given[j], given[i], moved[:, 1], 1 - mix, f0[rows]),
        ]
        said = far * say("correction", np.concatenate(asked)).reshape(2, len(rows), -1).sum(0)
        together = (weights[i] + weights[j])[:, None]
        for source, drawn in zip((i, j), moved.swapaxes(0, 1), strict=True):
            away[source] += together * share[:, None] * _between_rows(drawn, rows, frames)
        added += (4 * weights[i] * weights[j] * share)[:, None] * _between_rows(said, rows, frames)
    return away, REACH_DB * _on_partials(added, f0, shapes.shape[2])


def _between_rows(values: Floats, rows: NDArray[np.int64], frames: int) -> Floats:
    """Values (len(rows), d) known at `rows`, on all frames."""
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
    """The partials (T, K) that lie at `erb` (T, K), under their envelope as read `away` (T, ENVELOPE_POINTS) from its
    place."""
    if not away.any():
        return partials
    top = maximum_filter1d(partials, NEIGHBOURS, axis=1, mode="nearest")
    closed = minimum_filter1d(top, NEIGHBOURS, axis=1, mode="nearest")
    displaced = erb + _read(away, np.clip((erb - PLACES[0]) / (PLACES[1] - PLACES[0]), 0, ENVELOPE_POINTS - 1))
    last = np.maximum(np.minimum(TOP_HZ / f0, partials.shape[1]), 1)[:, None]
    there = np.clip(erb_to_hz(displaced) / f0[:, None], 1, last) - 1
    return np.asarray(_read(closed, there) + partials - closed)


def _read(values: Floats, place: Floats) -> Floats:
    """(T, N) of `values` (T, K) at fractional indices `place` (T, N) >= 0."""
    last = values.shape[1] - 1
    low = np.minimum(place.astype(np.int64), last)
    at, after = np.take_along_axis(values, low, 1), np.take_along_axis(values, np.minimum(low + 1, last), 1)
    return np.asarray(at + (place - low).astype(np.float32) * (after - at), dtype=np.float32)


def _level(partials: Floats) -> Floats:
    """Total level (..., 1) of partials (..., K), dB."""
    return np.asarray(10 * np.log10((10 ** (partials / 10)).sum(-1, keepdims=True) + 1e-12), dtype=np.float32)


def _compressed(db: Floats) -> Floats:
    return np.asarray(10 ** (db / np.float32(COMPRESSED_DB)), dtype=np.float32)
