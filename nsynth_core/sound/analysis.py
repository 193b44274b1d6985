"""Sound → Features, by a discrete Fourier transform that follows the pitch.

The sound is resampled onto a uniform grid of *phase*, with P samples per period. N periods are then N * P samples for
any movement of the pitch, and partial k of the note lies exactly in bin k * N. A Hann window over N >= 4 whole periods
is zero in the bins of all other harmonics. The power between the harmonics is noise.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nsynth_core.audio import Floats, Sound, resample
from nsynth_core.pitch import PitchTrack
from nsynth_core.sound.features import BALANCE_LIMIT_DB, FLOOR_DB, FRAME_RATE, NOISE_BANDS, TOP_HZ, Features, band_edges
from nsynth_core.sound.interpolation import warp

WINDOW_SECONDS = 0.024
MIN_PERIODS = 4
LEVEL_SECONDS, MOST_GAIN = 0.01, 4.0
FEWEST_PERIODS = 3  # in a window of a very short sound: its partials are still apart, but no bins lie between them
HIGHEST_RATE = 48_000  # a higher rate adds frequencies above TOP_HZ, which would fold onto lower ones
BLOCK_SECONDS = 20.0
STEREO_SMOOTHING = 9  # frames
NOISE_SMOOTHING = 9  # frames
OVERSUBTRACTION, LEAST_GAIN = 1.2, 0.01
MOST_HUM = 0.5  # times the noise's power: partials above it are a tone, even where the pitch track is unvoiced
SHORTEST_NOISE = 6  # frames: a shorter unvoiced stretch is a rough tone, and would flicker as noise


def analyse(sound: Sound, track: PitchTrack) -> Features:
    """Measure the features of `sound` along the pitch `track`.

    sound: any rate and number of channels; more than two channels are mixed to mono
    Returns at least two frames. Frame t is centred on t / FRAME_RATE s. It averages over MIN_PERIODS periods or
    WINDOW_SECONDS, whichever is longer. Near the ends its window stays inside the sound.
    Accuracy: on steady harmonic sounds the levels of the partials err by at most 0.1 dB.

    >>> from nsynth_core.audio import sine
    >>> from nsynth_core.pitch import follow
    >>> sound = sine(440)
    >>> features = analyse(sound, follow(sound, 69))
    >>> features.frames, round(float(features.partials_db[25, 0]), 1)
    (51, -9.0)
    """
    if sound.rate > HIGHEST_RATE:
        sound = resample(sound, HIGHEST_RATE)
    samples = sound.samples if sound.channels <= 2 else sound.mid()[:, None]
    count = max(1, round(sound.seconds * FRAME_RATE)) + 1
    times = np.arange(count) / FRAME_RATE
    f0 = track.at(times)
    top = min(TOP_HZ, 0.49 * sound.rate)
    partials = max(1, int(top / np.percentile(f0, 1)))
    per_block = int(BLOCK_SECONDS * FRAME_RATE)
    blocks = [
        _analyse_block(samples, sound.rate, track, times[i : i + per_block], f0[i : i + per_block], top, partials)
        for i in range(0, count, per_block)
    ]
    partials_power, noise_power, spectra = (np.concatenate(part) for part in zip(*blocks, strict=True))
    _leave_noise_alone(partials_power, noise_power, f0, track.voiced_at(times))
    balance, correlation = _stereo_image(spectra)
    return Features(
        f0_hz=f0.astype(np.float32),
        partials_db=_db(partials_power),
        noise_db=_db(noise_power),
        balance_db=balance,
        correlation=correlation,
    )


@dataclass(frozen=True)
class _Grid:
    """A stretch of sound on a uniform grid of phase, and the positions of its windows.

    size: samples per period
    width, periods: length of a window in samples and in periods
    place: (T,) phase of the frames, in cycles
    centre: (T,) centres of the windows, in samples; the windows stay inside the sound
    first: number of the first sample
    begin, end: phase of the sound's ends, in cycles
    warped: (n, channels) the samples on the grid
    inside: (n,) 1 within the sound, else 0
    """

    size: int
    width: int
    periods: int
    place: NDArray[np.float64]
    centre: NDArray[np.int64]
    first: int
    begin: float
    end: float
    warped: Floats
    inside: Floats


def _grid(
    samples: Floats, rate: int, track: PitchTrack, times: NDArray[np.float64], f0: NDArray[np.float64], top: float
) -> _Grid:
    """Read the sound around `times` (T,) at equal steps of phase."""
    begin, end = track.cycles(np.asarray([0.0, len(samples) / rate]))
    periods = max(MIN_PERIODS, round(WINDOW_SECONDS * float(np.median(f0))))
    periods = max(FEWEST_PERIODS, min(periods, int(end - begin + 0.01)))
    low = float(np.percentile(f0, 1))
    # samples per period: enough that frequencies above `top` fold onto frequencies above `top` only
    size = 1 << int(np.ceil(np.log2((top + 0.5 * rate) / low)))
    width = periods * size
    grid_t = np.linspace(times[0] - periods / low, times[-1] + periods / low, max(64, int(2000 * np.ptp(times)) + 64))
    grid_phase = track.cycles(grid_t)
    # a window that hung over the sound's edge would measure the cut as noise
    half = periods / 2
    place = np.interp(times, grid_t, grid_phase)
    centre = np.round(np.clip(place, begin + half, max(begin + half, end - half)) * size).astype(np.int64)
    first = int(centre[0]) - width // 2
    length = int(centre[-1]) - first + width
    phase = (np.arange(length) + first) / size
    seconds = np.interp(phase, grid_phase, grid_t)
    cut = max(0, int((seconds[0] - 0.01) * rate))
    piece = samples[cut : int((seconds[-1] + 0.01) * rate) + 1]
    warped = warp(piece, rate, seconds - cut / rate)
    inside = ((seconds >= 0) & (seconds <= len(samples) / rate)).astype(np.float32)
    return _Grid(size, width, periods, place, centre, first, begin, end, warped, inside)


def _analyse_block(
    samples: Floats,
    rate: int,
    track: PitchTrack,
    times: NDArray[np.float64],
    f0: NDArray[np.float64],
    top: float,
    partials: int,
) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]]:
    """Measure partial powers (T, K), noise powers (T, B) and band powers (T, B, 3): left, right, real cross power."""
    grid = _grid(samples, rate, track, times, f0, top)
    window = (0.5 - 0.5 * np.cos(2 * np.pi * np.arange(grid.width) / grid.width)).astype(np.float32)
    partial_power = np.zeros((len(times), partials), dtype=np.float32)
    under = np.zeros_like(partial_power)
    noise_power = np.zeros((len(times), NOISE_BANDS), dtype=np.float32)
    spectra = np.zeros((len(times), NOISE_BANDS, 3), dtype=np.float32)
    step = max(1, 2_000_000 // grid.width)
    for i in range(0, len(times), step):
        rows = np.arange(i, min(i + step, len(times)))
        partial_power[rows], under[rows], noise_power[rows], spectra[rows] = _spectra(
            grid, window, rows, f0[rows], top, partials
        )
    level = _edge_levels(grid, window, f0)
    return _without_noise(partial_power, under) * level, noise_power * level, spectra


def _spectra(
    grid: _Grid, window: Floats, rows: NDArray[np.int64], hz: NDArray[np.float64], top: float, partials: int
) -> tuple[Floats, Floats, Floats, Floats]:
    """Measure the frames `rows` (R,).

    Returns the powers of the partials (R, K), of the noise under them (R, K), of the noise in the bands (R, B), and the
    band powers (R, B, 3).
    """
    width, periods, size, warped = grid.width, grid.periods, grid.size, grid.warped
    edges = band_edges()
    bins = np.arange(width // 2 + 1)
    between = np.abs((bins + periods // 2) % periods - periods // 2) >= 2
    between[:2] = False
    number = np.minimum(np.arange(1, partials + 1), size // 2 - 1)
    index = (grid.centre[rows] - width // 2 - grid.first)[:, None] + np.arange(width)
    # a window that is longer than the sound is normalised by its part inside the sound
    weight = window * grid.inside[index]
    full = np.maximum(weight.sum(1), 0.02 * window.sum())[:, None]
    square = np.maximum((weight * weight).sum(1), 0.004 * window.sum())[:, None]
    spectrum = [np.fft.rfft(warped[index, c] * window) for c in range(warped.shape[1])]
    power = np.asarray(np.mean([np.abs(s) ** 2 for s in spectrum], axis=0), dtype=np.float32)

    scale = width / (size * hz)  # bins per hertz
    edge = np.minimum(np.rint(np.minimum(edges, top) * scale[:, None]).astype(np.int64), width // 2)
    density = _band_mean(power * between, between.astype(np.float32), edge)
    noise_power = density / square * 2 * np.diff(np.minimum(edges, top)) * scale[:, None] / width

    # the main lobe of a Hann window: 1/4 + 1 + 1/4 of the peak's power
    lobe = power[:, number * periods] + power[:, number * periods - 1] + power[:, number * periods + 1]
    band = np.clip(np.searchsorted(edges, number * hz[:, None]) - 1, 0, NOISE_BANDS - 1)
    lobe[number * hz[:, None] > top] = 0
    lobe[:, np.arange(1, partials + 1) > size // 2 - 1] = 0
    under = 3 * np.take_along_axis(density, band, 1) / 1.5 * 2 / full**2
    if len(spectrum) == 2:
        left, right = spectrum
        cross = (left * np.conj(right)).real
        parts: tuple[Any, ...] = (np.abs(left) ** 2, np.abs(right) ** 2, cross)
        spectra = np.stack([_band_sum(part, edge) / full**2 for part in parts], axis=2)
    else:
        spectra = np.repeat((_band_sum(power, edge) / full**2)[..., None], 3, axis=2)
    return lobe / 1.5 * 2 / full**2, under, noise_power, spectra


def _edge_levels(grid: _Grid, window: Floats, f0: NDArray[np.float64]) -> Floats:
    """Gains (T, 1) of power for frames whose window was moved to stay inside the sound.

    The moved window gives the spectrum of the sound's edge. The level is taken from the few periods around the frame.
    """
    level = np.ones((len(f0), 1), dtype=np.float32)
    few = min(max(1, round(LEVEL_SECONDS * float(np.median(f0)))), grid.periods)
    total = np.concatenate([[0.0], np.cumsum((grid.warped.astype(np.float64) ** 2).mean(1))])
    begin, end, size = grid.begin, grid.end, grid.size
    for i in np.flatnonzero(np.abs(grid.place * size - grid.centre) > 1).tolist():
        start = round(min(max(grid.place[i] - few / 2, begin), max(end - few, begin)) * size) - grid.first
        whole = int(grid.centre[i]) - grid.width // 2 - grid.first
        power = window @ np.diff(total[whole : whole + grid.width + 1]) / window.sum()
        level[i] = min((total[start + few * size] - total[start]) / (few * size * max(power, 1e-20)), MOST_GAIN)
    return level


def _without_noise(lobes: NDArray[np.float32], noise: NDArray[np.float32]) -> NDArray[np.float32]:
    """Subtract the noise under the partials from their powers (T, K), by a Wiener gain.

    The ratio of powers is averaged over NOISE_SMOOTHING frames. Without it partials come and go as the noise
    fluctuates, which is heard as "musical noise" (Cappé 1994).
    """
    from scipy.ndimage import uniform_filter1d

    signal, under = (uniform_filter1d(x, NOISE_SMOOTHING, axis=0, mode="nearest") for x in (lobes, noise))
    gain = np.clip(1 - OVERSUBTRACTION * under / np.maximum(signal, 1e-30), LEAST_GAIN, 1)
    return np.asarray(lobes * gain, dtype=np.float32)


def _leave_noise_alone(
    partials: NDArray[np.float32], noise: NDArray[np.float32], f0: NDArray[np.float64], voiced: NDArray[np.bool_]
) -> None:
    """Move the partial powers (T, K) of unvoiced, noisy frames to the noise powers (T, B) of their bands, in place.

    Otherwise noise in the partials' bins would hum in every consonant.
    """
    from scipy.ndimage import binary_opening

    alone = ~voiced & (partials.sum(1) < MOST_HUM * noise.sum(1))
    for t in np.flatnonzero(binary_opening(alone, np.ones(SHORTEST_NOISE))).tolist():
        hz = np.arange(1, partials.shape[1] + 1) * f0[t]
        band = np.clip(np.searchsorted(band_edges(), hz) - 1, 0, NOISE_BANDS - 1)
        noise[t] += np.bincount(band, partials[t], NOISE_BANDS).astype(np.float32)
        partials[t] = 0.0


def _band_sum(values: NDArray[np.float32], edge: NDArray[np.int64]) -> NDArray[np.float64]:
    """The sum of `values` (T, bins) over each band, whose edges are the bins `edge` (T, B + 1)."""
    total = np.zeros((len(values), values.shape[1] + 1))
    np.cumsum(values, axis=1, out=total[:, 1:])
    sums = np.diff(np.take_along_axis(total, edge, 1), axis=1)
    return np.asarray(np.maximum(sums, 0) if values.min() >= 0 else sums)


def _band_mean(values: NDArray[np.float32], mask: NDArray[np.float32], edge: NDArray[np.int64]) -> NDArray[np.float64]:
    """The mean of `values` over the masked bins of each band. A band without any takes that of the one below."""
    count = _band_sum(np.broadcast_to(mask, values.shape), edge)
    mean = _band_sum(values, edge) / np.maximum(count, 1)
    for b in range(1, mean.shape[1]):
        mean[:, b] = np.where(count[:, b] > 0, mean[:, b], mean[:, b - 1])
    return mean


def _stereo_image(spectra: NDArray[np.float32]) -> tuple[Floats, Floats]:
    """The balance in dB and the correlation of each band, (T, B) both. Silent bands take those of the whole sound."""
    kernel = np.hanning(STEREO_SMOOTHING + 2)[1:-1]
    frames = len(spectra)
    flat = spectra.reshape(frames, -1).astype(np.float64)
    smooth = np.apply_along_axis(lambda x: np.convolve(x, kernel / kernel.sum(), "same"), 0, flat)
    smooth = smooth[:frames] if len(smooth) > frames else smooth
    smooth = smooth.reshape(frames, NOISE_BANDS, 3)
    smooth += 1e-4 * smooth.sum(1, keepdims=True) + 1e-6 * smooth.sum(1, keepdims=True).mean(0) + 1e-30
    left, right, cross = smooth[..., 0], smooth[..., 1], smooth[..., 2]
    balance = np.clip(10 * np.log10(right / left), -BALANCE_LIMIT_DB, BALANCE_LIMIT_DB)
    # the correlation with a channel 50 dB below the other is inaudible
    correlation = np.clip(cross / np.sqrt(left * right), -1, 1)
    correlation = np.where(np.abs(balance) > 50, 1.0, correlation)
    return balance.astype(np.float32), correlation.astype(np.float32)


def _db(power: NDArray[np.float32]) -> Floats:
    return np.asarray(np.maximum(10 * np.log10(power + 1e-20), FLOOR_DB), dtype=np.float32)
