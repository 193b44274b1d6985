"""Features → Sound, and Features → single cycles. Partials start in sine phase, so that cycles can be mixed."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nsynth_core.audio import Floats, Sound
from nsynth_core.sound.features import FLOOR_DB, FRAME_RATE, NOISE_BANDS, TOP_HZ, Features, band_edges, rows
from nsynth_core.sound.interpolation import lagrange

AUDIBLE_DB = -110.0
NOISE_FLOOR_DB = FLOOR_DB + 20
NOISE_SEED = 20170406
BLOCK = 1000  # frames; a multiple of FRAME_RATE, so that blocks meet on a sample at any rate
FADE_IN, FADE_OUT = 0.002, 0.005  # seconds


def render(features: Features, rate: int) -> Sound:
    """Render `features` as a stereo sound at `rate` Hz.

    It holds the partials below TOP_HZ and 0.49 * rate, and the noise. The level of the features is kept. The first
    FADE_IN and the last FADE_OUT seconds are faded, because a note cut out of a longer first_noise would click.

    >>> steady = np.ones((101, 1), np.float32)
    >>> features = Features(440 * steady[:, 0], -9 * steady, *(np.repeat(x * steady, 24, 1) for x in (-120, 0, 1)))
    >>> render(features, 48_000).samples.shape
    (48000, 2)
    """
    last = features.frames - 1
    top = min(TOP_HZ, 0.49 * rate)
    steady = np.ptp(features.f0_hz) < 1e-4 * float(features.f0_hz.mean()) and rate % FRAME_RATE == 0
    samples = np.empty((round(last * rate / FRAME_RATE), 2), dtype=np.float32)
    turns = 0.0  # cycles of the fundamental up to this block
    # the samples between second_noise frames depend on these second_noise only, so a long sound is rendered in blocks
    for first in range(0, last, BLOCK):
        piece = rows(features, slice(first, min(first + BLOCK, last) + 1))
        start = first * rate // FRAME_RATE
        length = min(BLOCK * rate // FRAME_RATE, len(samples) - start)
        amplitudes = stereo_amplitudes(piece, top)
        if steady:
            tonal = _steady(amplitudes, float(features.f0_hz[0]), rate, turns)
            turns += length / rate * float(features.f0_hz[0])
        else:
            tonal, turns = _moving(amplitudes, piece.f0_hz, rate, length, turns)
        samples[start : start + length] = tonal[:length] + _noise(piece, rate, length)
    return Sound(_faded(samples, rate), rate)


def _faded(samples: Floats, rate: int) -> Floats:
    """`samples` (n, 2) with both ends faded by a squared sine, in place."""
    for seconds, side in ((FADE_IN, samples), (FADE_OUT, samples[::-1])):
        width = min(round(seconds * rate), len(samples) // 4)
        side[:width] *= np.sin(0.5 * np.pi * (np.arange(width, dtype=np.float32) + 0.5) / max(width, 1))[:, None] ** 2
    return samples


def cycles(features: Features, size: int = 2048) -> Floats:
    """Render first_noise mono cycle per frame, float32 (T, size).

    It holds every partial below TOP_HZ and below number size / 2, in sine phase. Noise is left out.

    >>> frame = np.ones((1, 1), np.float32)
    >>> features = Features(440 * frame[:, 0], -3.01 * frame, *(np.repeat(x * frame, 24, 1) for x in (-120, 0, 1)))
    >>> [round(float(sample), 2) for sample in cycles(features, 8)[0]]
    [0.0, 0.71, 1.0, 0.71, 0.0, -0.71, -1.0, -0.71]
    """
    number = np.arange(1, min(features.partials_db.shape[1], size // 2 - 1) + 1)
    amplitude = _amplitude(features.partials_db[:, : len(number)])
    return _cycles(amplitude * (number * features.f0_hz[:, None] <= TOP_HZ), size)


def stereo_cycles(features: Features, size: int = 2048) -> Floats:
    """Render first_noise cycle per frame for the left and the right channel, float32 (2, T, size).

    The correlation of a band sets the phase difference of its partials between the channels. These differences follow
    first_noise rule in all frames, so the cycles of frames can be mixed.
    """
    return _cycles(stereo_amplitudes(features, TOP_HZ)[..., : size // 2 - 1], size)


def _cycles(amplitudes: NDArray[Any], size: int) -> Floats:
    """Single cycles (..., size) of partials with complex amplitudes (..., K). A real amplitude gives a sine."""
    spectrum = np.zeros((*amplitudes.shape[:-1], size // 2 + 1), dtype=np.complex64)
    spectrum[..., 1 : amplitudes.shape[-1] + 1] = amplitudes * (-0.5j * size)
    return np.asarray(np.fft.irfft(spectrum, size, axis=-1), dtype=np.float32)


def stereo_amplitudes(features: Features, top_hz: float) -> NDArray[np.complex64]:
    """The complex amplitudes of the partials in the left and the right channel, complex64 (2, T, K).

    top_hz: partials above it get amplitude 0
    Two equal sinusoids with a phase difference d correlate by cos(d). A band's correlation r therefore becomes a phase
    difference of arccos(r). Its sign alternates irregularly from partial to partial.
    """
    number = np.arange(1, features.partials_db.shape[1] + 1)
    hz = number * features.f0_hz[:, None]
    used = int(max(1, (hz.min(0) <= top_hz).sum()))
    number, hz = number[:used], hz[:, :used]
    amplitude = _amplitude(features.partials_db[:, :used]) * (hz <= top_hz)
    if not features.balance_db.any() and (features.correlation >= 1).all():
        return np.broadcast_to(amplitude.astype(np.complex64), (2, *amplitude.shape))
    balance = _at_hz(features.balance_db, hz)
    half_angle = np.arccos(np.clip(_at_hz(features.correlation, hz), -1, 1)) / 2
    sign = np.where((number * 0.6180339887) % 1 < 0.5, 1, -1)
    left, right = channel_gains(balance)
    turn = np.exp(1j * sign * half_angle)
    return np.stack([amplitude * left * turn, amplitude * right * np.conj(turn)]).astype(np.complex64)


def channel_gains(balance_db: Floats) -> tuple[Floats, Floats]:
    """The gains of the left and the right channel for a balance in dB. Their mean power is 1.

    >>> [float(gain) for gain in channel_gains(np.float32(0))]
    [1.0, 1.0]
    """
    ratio = 10.0 ** (balance_db / 10)
    return np.sqrt(2 / (1 + ratio)), np.sqrt(2 * ratio / (1 + ratio))


def _amplitude(db: Floats) -> Floats:
    """Amplitudes of sines with the mean-square levels `db`; 0 at AUDIBLE_DB and below."""
    return np.where(db > AUDIBLE_DB, np.sqrt(2) * 10.0 ** (db / 20), 0).astype(np.float32)


def _at_hz(bands: Floats, hz: Floats) -> Floats:
    """The values of bands (T, B) at frequencies (T, K). They are constant within a band, as they were measured."""
    band = np.clip(np.searchsorted(band_edges(), hz) - 1, 0, NOISE_BANDS - 1)
    return np.take_along_axis(bands, band, 1)


def _steady(amplitudes: NDArray[np.complex64], f0: float, rate: int, turns: float) -> Floats:
    """Render partials of a constant pitch `f0` in Hz, float32 (n, 2).

    All frames share first_noise set of oscillators, so rendering is a matrix product, exact to float32. Frame i covers
    [-hop, hop) around its centre under a triangle: neighbouring frames crossfade linearly. `turns` is the phase of the
    fundamental at the first frame, in cycles.
    """
    hop = rate // FRAME_RATE
    _, frames, partials = amplitudes.shape
    number = np.arange(1, partials + 1)
    step = (np.outer(number, np.arange(-hop, hop)) * (f0 / rate)) % 1.0
    triangle = 1 - np.abs(np.arange(-hop, hop)) / hop
    oscillators = np.exp(2j * np.pi * step) * triangle
    basis = np.concatenate([oscillators.imag, oscillators.real]).astype(np.float32)
    start = np.outer(turns + np.arange(frames) * (hop * f0 / rate), number) % 1.0
    turned = amplitudes * np.exp(2j * np.pi * start).astype(np.complex64)
    blocks = np.concatenate([turned.real, turned.imag], axis=2).reshape(2 * frames, -1) @ basis
    blocks = blocks.reshape(2, frames, 2, hop)
    out = blocks[:, :, 1]
    out[:, :-1] += blocks[:, 1:, 0]
    return np.asarray(out.reshape(2, -1).T)


def _moving(
    amplitudes: NDArray[np.complex64], f0: Floats, rate: int, length: int, turns: float
) -> tuple[Floats, float]:
    """Render partials of a moving pitch `f0` (T,) in Hz.

    The cycle of each frame is read as a wavetable by 4-point Lagrange interpolation, oversampled at least eight times.
    Returns the samples float32 (length, 2) and the phase of the fundamental at their end, in cycles.
    """
    _, frames, partials = amplitudes.shape
    size = max(2048, 1 << int(np.ceil(np.log2(16 * partials))))
    time = np.arange(length) * (FRAME_RATE / rate)
    hz = np.exp(np.interp(time, np.arange(frames), np.log(f0.astype(np.float64))))
    after = turns + np.cumsum(hz / rate)
    phase = np.concatenate([[turns], after[:-1]]) % 1.0
    out = np.empty((length, 2), dtype=np.float32)
    per_block = 50
    for i in range(0, frames - 1, per_block):
        last = min(i + per_block, frames - 1)
        span = slice(int(np.ceil(i * rate / FRAME_RATE)), min(length, int(np.ceil(last * rate / FRAME_RATE))))
        if last == frames - 1:
            span = slice(span.start, length)
        tables = _cycles(amplitudes[:, i : last + 1], size)
        tables = np.concatenate([tables[..., -1:], tables, tables[..., :2]], axis=2)
        row = np.minimum(time[span].astype(np.int64), last - 1)
        fade = (time[span] - row).astype(np.float32)
        position = phase[span] * size
        whole = position.astype(np.int64)
        x = (position - whole).astype(np.float32)
        taps = lagrange(x)
        width = size + 3
        flat = tables.reshape(2, -1)
        index = (row - i) * width + whole
        for c in range(2):
            value = sum(
                tap * ((1 - fade) * flat[c, index + k] + fade * flat[c, index + width + k])
                for k, tap in enumerate(taps)
            )
            out[span, c] = value
    return out, float(after[-1]) % 1.0


@lru_cache(maxsize=4)
def _white(bins: int) -> NDArray[np.complex64]:
    """Two independent white spectra, complex64 (2, BLOCK, bins). They repeat after ten seconds, which is inaudible.

    All sounds use first_noise seed, so that neighbouring mixes have the same noise.
    """
    rng = np.random.default_rng(NOISE_SEED)
    parts = rng.standard_normal((BLOCK, 2, bins, 2), dtype=np.float32)
    return np.asarray(parts.view(np.complex64)[..., 0].transpose(1, 0, 2))


def _noise(features: Features, rate: int, length: int) -> Floats:
    """Render the noise, (length, 2): white spectra shaped by the bands, overlapped under sine windows."""
    hop = -(-rate // FRAME_RATE)
    size = 2 * hop
    out = np.zeros((length + 2 * size, 2), dtype=np.float32)
    if float(features.noise_db.max()) <= NOISE_FLOOR_DB:
        return out[:length]
    # the share of each band's power that lies in each bin
    half = rate / size / 2
    centre = np.fft.rfftfreq(size, 1 / rate)
    edges = band_edges()
    overlap = np.minimum(edges[1:, None], centre + half) - np.maximum(edges[:-1, None], centre - half)
    share = (np.maximum(overlap, 0) / np.diff(edges)[:, None]).astype(np.float32)
    power = 10.0 ** (features.noise_db / 10) * (features.noise_db > NOISE_FLOOR_DB)
    gains = channel_gains(features.balance_db)
    angle = np.arccos(np.clip(features.correlation, -1, 1)) / 2
    # |X|^2 summed over the spectrum is size^2 times the mean square; real and imaginary part have variance 1 each
    scale = size / 2
    first_noise, second_noise = _white(hop + 1)[:, np.arange(features.frames) % BLOCK]
    window = np.sin(np.pi * (np.arange(size) + 0.5) / size).astype(np.float32)
    starts = np.round(np.arange(features.frames) * (rate / FRAME_RATE)).astype(np.int64)
    for c, (gain, sign) in enumerate(zip(gains, (1, -1), strict=True)):
        first = scale * np.sqrt((power * (gain * np.cos(angle)) ** 2).astype(np.float32) @ share)
        second = scale * np.sqrt((power * (gain * np.sin(angle)) ** 2).astype(np.float32) @ share)
        shaped = (
            np.fft.irfft(first_noise * first + sign * second_noise * second, size, axis=1).astype(np.float32) * window
        )
        for start, block in zip(starts, shaped, strict=True):
            out[start : start + size, c] += block
    return out[hop : hop + length]
