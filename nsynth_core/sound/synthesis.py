"""Features → Sound, Features → single cycles. Partials start in sine phase, so cycles of any two frames add up."""

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
BLOCK = 1000  # frames; a multiple of FRAME_RATE, so that pieces meet on a sample at any rate
FADE_IN, FADE_OUT = 0.002, 0.005  # seconds


def render(features: Features, rate: int) -> Sound:
    """Stereo `Sound` of `features` at `rate` Hz: partials below min(TOP_HZ, 0.49 rate), plus noise. The level is kept;
    the first FADE_IN and the last FADE_OUT seconds are faded, for a note cut out of a longer one would click."""
    last = features.frames - 1
    top = min(TOP_HZ, 0.49 * rate)
    steady = np.ptp(features.f0_hz) < 1e-4 * float(features.f0_hz.mean()) and rate % FRAME_RATE == 0
    samples = np.empty((round(last * rate / FRAME_RATE), 2), dtype=np.float32)
    turns = 0.0  # of the fundamental so far
    # what lies between two frames depends on these two only, so a long sound is made piece by piece
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
    for seconds, side in ((FADE_IN, samples), (FADE_OUT, samples[::-1])):
        width = min(round(seconds * rate), len(samples) // 4)
        side[:width] *= np.sin(0.5 * np.pi * (np.arange(width, dtype=np.float32) + 0.5) / max(width, 1))[:, None] ** 2
    return samples


def cycles(features: Features, size: int = 2048) -> Floats:
    """One mono cycle of `size` samples a frame, (T, size): every partial below TOP_HZ and size / 2, in sine phase."""
    number = np.arange(1, min(features.partials_db.shape[1], size // 2 - 1) + 1)
    amplitude = _amplitude(features.partials_db[:, : len(number)])
    return _cycles(amplitude * (number * features.f0_hz[:, None] <= TOP_HZ), size)


def stereo_cycles(features: Features, size: int = 2048) -> Floats:
    """The cycles of the left and the right channel, (2, T, size), their partials turned against each other as far as
    the bands' correlation says: frame by frame of one phase with each other and with all other frames."""
    return _cycles(stereo_amplitudes(features, TOP_HZ)[..., : size // 2 - 1], size)


def _cycles(amplitudes: NDArray[Any], size: int) -> Floats:
    """Single cycles (..., size) of complex partials (..., K); a real amplitude is a sine's."""
    spectrum = np.zeros((*amplitudes.shape[:-1], size // 2 + 1), dtype=np.complex64)
    spectrum[..., 1 : amplitudes.shape[-1] + 1] = amplitudes * (-0.5j * size)
    return np.asarray(np.fft.irfft(spectrum, size, axis=-1), dtype=np.float32)


def stereo_amplitudes(features: Features, top_hz: float) -> NDArray[np.complex64]:
    """(2, T, K) complex amplitudes of the partials for left and right.

    Two equal sinusoids with a phase difference d correlate by cos(d); so a band's inter-channel correlation r is a
    difference of arccos(r), its sign alternating irregularly from partial to partial.
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
    """Left and right gains of a balance; the mean power of the two is 1."""
    ratio = 10.0 ** (balance_db / 10)
    return np.sqrt(2 / (1 + ratio)), np.sqrt(2 * ratio / (1 + ratio))


def _amplitude(db: Floats) -> Floats:
    return np.where(db > AUDIBLE_DB, np.sqrt(2) * 10.0 ** (db / 20), 0).astype(np.float32)


def _at_hz(bands: Floats, hz: Floats) -> Floats:
    """Band values (T, B) read at frequencies (T, K): constant within a band, as they were measured."""
    band = np.clip(np.searchsorted(band_edges(), hz) - 1, 0, NOISE_BANDS - 1)
    return np.take_along_axis(bands, band, 1)


def _steady(amplitudes: NDArray[np.complex64], f0: float, rate: int, turns: float) -> Floats:
    """At a constant pitch all frames share one set of oscillators: rendering is a matrix product, exact to float32.

    Frame i covers [-hop, hop) around its centre under a triangle, so neighbours crossfade linearly. The first frame
    stands where the fundamental has made `turns`.
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
    """A moving pitch reads single cycles as a table: 4-point Lagrange on cycles oversampled at least eight times.

    Returns the samples and the turns of the fundamental at their end.
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
    """Two independent white spectra of BLOCK frames, which come round again: after ten seconds nobody knows them. One
    seed for all sounds: the noise of neighbouring mixes is the same noise."""
    rng = np.random.default_rng(NOISE_SEED)
    parts = rng.standard_normal((BLOCK, 2, bins, 2), dtype=np.float32)
    return np.asarray(parts.view(np.complex64)[..., 0].transpose(1, 0, 2))


def _noise(features: Features, rate: int, length: int) -> Floats:
    """Noise of the bands' levels, (length, 2): white spectra shaped, overlapped under sine windows (constant power)."""
    hop = -(-rate // FRAME_RATE)
    size = 2 * hop
    out = np.zeros((length + 2 * size, 2), dtype=np.float32)
    if float(features.noise_db.max()) <= NOISE_FLOOR_DB:
        return out[:length]
    # share of each band's power that falls to each bin
    half = rate / size / 2
    centre = np.fft.rfftfreq(size, 1 / rate)
    edges = band_edges()
    overlap = np.minimum(edges[1:, None], centre + half) - np.maximum(edges[:-1, None], centre - half)
    share = (np.maximum(overlap, 0) / np.diff(edges)[:, None]).astype(np.float32)
    power = 10.0 ** (features.noise_db / 10) * (features.noise_db > NOISE_FLOOR_DB)
    gains = channel_gains(features.balance_db)
    angle = np.arccos(np.clip(features.correlation, -1, 1)) / 2
    # |X|^2 summed over the whole spectrum is size^2 times the mean square; a bin's two parts have variance 1 each
    scale = size / 2
    one, two = _white(hop + 1)[:, np.arange(features.frames) % BLOCK]
    window = np.sin(np.pi * (np.arange(size) + 0.5) / size).astype(np.float32)
    starts = np.round(np.arange(features.frames) * (rate / FRAME_RATE)).astype(np.int64)
    for c, (gain, sign) in enumerate(zip(gains, (1, -1), strict=True)):
        first = scale * np.sqrt((power * (gain * np.cos(angle)) ** 2).astype(np.float32) @ share)
        second = scale * np.sqrt((power * (gain * np.sin(angle)) ** 2).astype(np.float32) @ share)
        shaped = np.fft.irfft(one * first + sign * two * second, size, axis=1).astype(np.float32) * window
        for start, block in zip(starts, shaped, strict=True):
            out[start : start + size, c] += block
    return out[hop : hop + length]
