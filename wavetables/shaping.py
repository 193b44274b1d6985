"""Makes a playable table of cycles: no DC, fundamentals in phase, a quiet seam, one level. Pure functions on frames.

Frames are float32 (n, 2048), n >= 1. Every function returns a new float32 array of the same width, and leaves its input
as it is.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from nsynth_core.audio import Floats
from nsynth_core.sound.spacing import compared_envelopes, even_places

PEAK = 10 ** (-0.1 / 20)  # -0.1 dBFS, since a synth's interpolation may overshoot the samples a little
EASINGS = 4  # passes of `_eased`
FLOOR_DB = 100.0  # below the strongest harmonic: `minimum_phase` takes lower levels for this
WEAK_FUNDAMENTAL = 0.01  # of the strongest harmonic: the phase of a weaker fundamental is mostly noise


def remove_dc(frames: Floats) -> Floats:
    """Every frame with mean zero."""
    wide = frames.astype(np.float64)
    return np.asarray(wide - wide.mean(1, keepdims=True), dtype=np.float32)


def normalize(frames: Floats, peak: float = PEAK) -> Floats:
    """Give the whole table one gain, so that its largest magnitude is `peak` (0 < peak <= 1). Silence stays silent.

    >>> normalize(np.float32([[0.0, 0.5], [0.0, -0.25]]), 1.0).tolist()
    [[0.0, 1.0], [0.0, -0.5]]
    """
    top = float(np.abs(frames).max())
    if top == 0.0:
        return frames.astype(np.float32)
    return np.clip((frames.astype(np.float64) * (peak / top)).astype(np.float32), -np.float32(peak), np.float32(peak))


def has_fundamental(frames: Floats, share: float = WEAK_FUNDAMENTAL) -> NDArray[np.bool_]:
    """(n,): whether the first harmonic of a frame is above `share` of its strongest, so that its phase can be used."""
    level = np.abs(np.fft.rfft(frames))[:, 1:]
    return np.asarray(level[:, 0] > share * level.max(1))


def align(frames: Floats) -> Floats:
    """Rotate every frame, so that neighbours do not cancel while a synth crossfades them.

    Fundamentals come into sine phase. A frame with a weak fundamental is turned to its best correlation with the frames
    beside it. Frames are rotated by fractions of a sample; the levels of their harmonics stay.

    >>> cosine = np.cos(2 * np.pi * np.arange(2048) / 2048).astype(np.float32)
    >>> bool(abs(align(cosine[None])[0, 512] - 1) < 1e-6)
    True
    """
    return rotate(frames, aligning(frames))


def aligning(frames: Floats) -> NDArray[np.float64]:
    """(n,): the cycles by which `align` turns each frame back."""
    spectrum = np.fft.rfft(frames.astype(np.float64))
    turns = np.angle(spectrum[:, 1]) / (2 * np.pi) + 0.25  # a sine's is -1/4
    return _chained(spectrum, turns, has_fundamental(frames))


def likeness(frames: Floats) -> float:
    """The mean correlation of each frame with the next, -1..1; 1 for a single frame."""
    unit = frames.astype(np.float64)
    unit /= np.linalg.norm(unit, axis=1, keepdims=True) + 1e-30
    return float((unit[1:] * unit[:-1]).sum(1).mean()) if len(unit) > 1 else 1.0


def rotate(frames: Floats, turns: NDArray[np.float64]) -> Floats:
    """Turn each frame back by its share (n,) of a cycle."""
    spectrum = np.fft.rfft(frames.astype(np.float64))
    spectrum *= _rotation(turns, spectrum.shape[1])
    spectrum[:, -1] = 0.0
    return np.asarray(np.fft.irfft(spectrum, frames.shape[1]), dtype=np.float32)


def all_sines(frames: Floats) -> Floats:
    """Put every harmonic into sine phase. The levels of the harmonics stay, and frames never cancel."""
    return _of_spectra(-1j * _levels(frames), frames.shape[1])


def minimum_phase(frames: Floats) -> Floats:
    """Give each frame the phases of least delay for its levels: the energy is at the front, and frames with similar
    levels have similar shapes.

    By the folded cepstrum (Oppenheim & Schafer, "Discrete-Time Signal Processing", 12.2). Levels more than FLOOR_DB
    below the strongest count as FLOOR_DB below it."""
    level = _levels(frames)
    known = np.maximum(level, level.max(1, keepdims=True) * 10 ** (-FLOOR_DB / 20) + 1e-30)
    known[:, 0] = known[:, 1]
    cepstrum = np.fft.irfft(np.log(known))
    half = cepstrum.shape[1] // 2
    cepstrum[:, 1:half] *= 2
    cepstrum[:, half + 1 :] = 0.0
    return _of_spectra(level * np.exp(1j * np.fft.rfft(cepstrum).imag), frames.shape[1])


def _levels(frames: Floats) -> NDArray[np.float64]:
    """(n, bins): the levels of the harmonics, 0 for the mean and the Nyquist frequency."""
    level = np.abs(np.fft.rfft(frames.astype(np.float64)))
    level[:, [0, -1]] = 0.0
    return np.asarray(level, dtype=np.float64)


def _of_spectra(spectra: NDArray[np.complexfloating[Any, Any]], size: int) -> Floats:
    return np.asarray(np.fft.irfft(spectra, size), dtype=np.float32)


def _rotation(turns: NDArray[np.float64], bins: int) -> NDArray[np.complex128]:
    """(n, bins) factors that turn each spectrum back by `turns` (n,) cycles."""
    return np.asarray(np.exp(-2j * np.pi * turns[:, None] * np.arange(bins)), dtype=np.complex128)


def _chained(
    spectrum: NDArray[np.complex128], turns: NDArray[np.float64], known: NDArray[np.bool_]
) -> NDArray[np.float64]:
    """`turns` (n,) where `known`; elsewhere the turn at which a frame best correlates with a fading mean of the frames
    turned before it. Frames after the first known one are turned first, in order, then those before it, backwards."""
    bins = spectrum.shape[1]
    width = 8 * (bins - 1)
    if known.all():
        return turns
    turns = np.where(known, turns, 0.0)
    unit = spectrum / (np.linalg.norm(spectrum, axis=1, keepdims=True) + 1e-30)
    first = int(known.argmax())
    for order in (range(first + 1, len(unit)), range(first - 1, -1, -1)):
        mean = unit[first] * _rotation(turns[first : first + 1], bins)[0]
        for k in order:
            if not known[k]:
                match = np.fft.irfft(unit[k] * mean.conj(), width)
                top = int(match.argmax())
                left, mid, right = match[top - 1], match[top], match[(top + 1) % width]
                bend = left - 2 * mid + right
                turns[k] = -(top + (0.5 * (left - right) / bend if bend < 0 else 0.0)) / width
            mean = 0.75 * mean + 0.25 * unit[k] * _rotation(turns[k : k + 1], bins)[0]
    return turns


def seam(frames: Floats) -> NDArray[np.float64]:
    """(n,): the step from the last sample back to the first, over the median step of the frame. A seam of 1 cannot be
    told from any other step; a silent frame has 0.

    >>> saw = np.linspace(-1, 1, 2048, dtype=np.float32)
    >>> round(float(seam(saw[None])[0]))
    2047
    """
    steps = np.abs(np.diff(frames, axis=1, append=frames[:, :1]))
    last, half = steps[:, -1].astype(np.float64), steps.shape[1] // 2
    steps.partition((half - 1, half) if steps.shape[1] % 2 == 0 else half, axis=1)
    median = steps[:, half - 1 + steps.shape[1] % 2 : half + 1].mean(1, dtype=np.float64)
    return np.asarray(last / np.maximum(median, 1e-9))


def settle_seam(frames: Floats) -> Floats:
    """Rotate all frames alike, by whole samples, to where their seams are smallest (`turned_to_rest`). Frames that
    still have a loud seam there, as in speech and noise, are each changed by the least that settles it."""
    turned = turned_to_rest(frames)
    loud = np.flatnonzero(seam(turned) > 1.0)
    turned[loud] = _eased(turned[loud])
    return turned


def turned_to_rest(frames: Floats) -> Floats:
    """Rotate all frames alike, by whole samples, so that the seam lies where the wave is quiet and not on the edge of a
    saw. Phases between frames stay."""
    steps = np.abs(frames.astype(np.float64) - np.roll(frames, 1, axis=1))  # [k]: the step into sample k
    seams = steps / np.maximum(np.median(steps, 1, keepdims=True), 1e-9)
    cost = (np.maximum(seams - 1.0, 0.0) ** 2).sum(0) + 0.01 * seams.max(0)
    return np.ascontiguousarray(np.roll(frames, -int(cost.argmin()), axis=1), dtype=np.float32)


def _eased(frames: Floats) -> Floats:
    """`frames` with wrap steps no larger than their median steps.

    The harmonics from the second on are changed by the least in proportion to them: least sum of |change / harmonic|^2,
    by a Lagrange multiplier. So no harmonic appears that was not there, and the fundamental keeps its phase."""
    wide = frames.astype(np.float64)
    for _ in range(EASINGS):  # several times, since the median moves a little, too
        steps = np.diff(wide, axis=1, append=wide[:, :1])
        excess = np.maximum(np.abs(steps[:, -1]) - 0.95 * np.median(np.abs(steps), 1), 0.0) * np.sign(steps[:, -1])
        spectrum = np.fft.rfft(wide)
        spectrum[:, :2] = spectrum[:, -1:] = 0.0
        # the wrap step is the sum over harmonics of Re(c (1 - conj(w))), with w the turn of one sample; this is its
        # gradient
        turn = 1 - np.exp(2j * np.pi * np.arange(spectrum.shape[1]) / wide.shape[1])
        change = np.fft.irfft(np.abs(spectrum) ** 2 * turn, wide.shape[1])
        step = change[:, 0] - change[:, -1]
        wide -= change * (excess / np.where(step > 0, step, 1.0))[:, None]
    return wide.astype(np.float32)


def resample_frames(frames: Floats, count: int) -> Floats:
    """Spread `count` frames evenly over a table, on straight lines between neighbours, as a synth crossfades them. The
    first and last frame stay.

    >>> resample_frames(np.float32([[0, 0], [1, 1]]), 3).tolist()
    [[0.0, 0.0], [0.5, 0.5], [1.0, 1.0]]
    """
    place = np.linspace(0.0, len(frames) - 1.0, count) if count > 1 else np.zeros(1)
    resampled: Floats = _read(frames[None], place)[0]
    return resampled


def even_frames(channels: Floats, count: int, f0_hz: float) -> Floats:
    """Frames (channels, count, width) at even perceptual steps along `channels` (channels, n, width), on straight lines
    between neighbours. The ends stay. `f0_hz` is the frequency at which they are played."""

    def look(place: NDArray[np.float64]) -> Floats:
        power = (np.abs(np.fft.rfft(_read(channels, place))[..., 1:-1]) ** 2).mean(0)
        levels, whole = (10 * np.log10(np.maximum(values, 1e-20)) for values in (power, power.sum(1)))
        return compared_envelopes(levels, whole, np.full(len(place), f0_hz, np.float32))

    return _read(channels, even_places(look, channels.shape[1], count))


def _read(channels: Floats, place: NDArray[np.float64]) -> Floats:
    """Frames (channels, m, width) at the fractional rows `place` (m,) of `channels` (channels, n, width)."""
    low = np.minimum(place.astype(np.int64), max(channels.shape[1] - 2, 0))
    after = np.minimum(low + 1, channels.shape[1] - 1)
    share = (place - low)[:, None]
    return np.asarray(channels[:, low] * (1 - share) + channels[:, after] * share, dtype=np.float32)


def level_each(frames: Floats, level: NDArray[np.float64]) -> Floats:
    """Give all frames the same level, and the table its peak at PEAK. `level` (n,) are the present ones by any measure
    of amplitude, 0 for silent frames, which stay silent.

    >>> [f"{peak:.3f}" for peak in level_each(np.float32([[0.5, 0], [0.25, 0]]), np.array([0.5, 0.25])).max(1)]
    ['0.989', '0.989']
    """
    gain = np.where(level > 0, level.max() / np.maximum(level, 1e-12 * level.max() + 1e-30), 0.0)
    return normalize(np.asarray(frames * gain[:, None], dtype=np.float32))


def shape(frames: Floats, peak: float = PEAK) -> Floats:
    """Do all of it: fundamentals in phase, seam settled, no DC, peak at `peak`.

    >>> saw = np.linspace(-1, 1, 2048, dtype=np.float32)
    >>> bool(seam(shape(saw[None]))[0] <= 1)
    True
    """
    return normalize(remove_dc(settle_seam(align(frames))), peak)


def shape_pair(pair: Floats, peak: float = PEAK) -> Floats:
    """`shape` for two channels (2, n, width) whose frames are in phase along the table. Both are turned alike and get
    one gain, so that together they are the stereo sound they were."""
    frames = pair.reshape(-1, pair.shape[-1])
    return normalize(remove_dc(settle_seam(frames)), peak).reshape(pair.shape)


def mid_side(pair: Floats) -> Floats:
    """Mid and side of left and right (2, ...): left is mid + side, right is mid - side.

    >>> mid_side(np.float32([[1, 0], [0, 0]])).tolist()
    [[0.5, 0.0], [0.5, 0.0]]
    """
    left, right = pair
    return np.asarray([(left + right) / 2, (left - right) / 2], dtype=np.float32)
