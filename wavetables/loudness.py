"""Loudness of a table after ITU-R BS.1770-4, in closed form: no note is rendered.

The note that is measured is C3, four seconds long, while the position moves from the first frame to the last. Its power
under the K-weighting is a sum over harmonics. A synth crossfades between two frames, so the power is a quadratic in
time.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from nsynth_core.audio import Floats, Sound, resample
from nsynth_core.notes import midi_to_hz
from wavetables.shaping import PEAK

REFERENCE_PITCH = 48.0
SECONDS = 4.0
RATE = 48_000
PERIOD = round(RATE / midi_to_hz(REFERENCE_PITCH))  # whole samples, so that nothing is interpolated: 0.3 cents off
F0 = RATE / PERIOD
SILENT = -120.0  # LUFS of everything that is as quiet or quieter
BLOCK, STEP = 0.4, 0.1  # seconds
ABSOLUTE_GATE, RELATIVE_GATE = -70.0, -10.0
FADE = 480  # samples
PASSES = 4  # of the search for a gain, since a gain lifts blocks above the absolute gate

# BS.1770-4, tables 1 and 2, at 48 kHz: the shelf of the head, then the high pass
STAGES = (
    ((1.53512485958697, -2.69169618940638, 1.19839281085285), (1.0, -1.69065929318241, 0.73248077421585)),
    ((1.0, -2.0, 1.0), (1.0, -1.99004745483398, 0.99007225036621)),
)
Doubles = NDArray[np.float64]


def k_weighting(hz: Doubles) -> Doubles:
    """Power gain of the K-weighting of BS.1770-4.

    hz: frequencies in 0..24000 Hz, any shape
    Returns the gain of each, in the same shape.

    >>> bool(k_weighting(np.array([2000.0]))[0] > k_weighting(np.array([100.0]))[0])
    True
    """
    z = np.exp(-2j * np.pi * hz / RATE)
    gain = np.ones(np.shape(hz))
    for b, a in STAGES:
        gain *= np.abs(np.polyval(b[::-1], z) / np.polyval(a[::-1], z)) ** 2
    return gain


def loudness(frames: Floats) -> float:
    """The loudness of a table in LUFS: integrated, gated, one channel.

    frames: float32 (n, 2048)
    Returns LUFS, at least -120.

    >>> sine = np.sin(2 * np.pi * np.arange(2048) / 2048).astype(np.float32)
    >>> round(loudness(sine[None]), 1)
    -4.4
    """
    return _integrated(*_powers(frames))


def _integrated(power: Doubles, shared: Doubles) -> float:
    """The gated loudness of what `_powers` returns."""
    if len(power) == 1:
        return _lufs(float(power[0]))
    left, right = power[:-1], power[1:]
    whole = np.concatenate([[0.0], np.cumsum((left + shared + right) / 3)])
    start = np.arange(0.0, SECONDS - BLOCK + 1e-9, STEP)
    place = np.stack([start, start + BLOCK]) / SECONDS * len(left)
    at = np.minimum(place.astype(np.int64), len(left) - 1)
    t = place - at
    # the integral over a crossfade |a (1 - t) + b t|^2 up to t
    inside = left[at] * (t - t**2 + t**3 / 3) + shared[at] * (t**2 - 2 * t**3 / 3) + right[at] * t**3 / 3
    early, late = whole[at] + inside
    blocks = (late - early) / (BLOCK / SECONDS * len(left))
    return _gated(blocks)


def of_note(sound: Sound) -> float:
    """The loudness of a sound in LUFS: integrated, gated, over all channels; at least -120.

    A sound shorter than 0.4 s, a block of the standard, is measured with silence behind it.

    >>> from nsynth_core.audio import sine
    >>> of_note(Sound(np.zeros((100, 1), np.float32), 48_000))
    -120.0
    >>> of_note(sine(440.0)) < of_note(sine(3000.0))
    True
    """
    from scipy.signal import lfilter  # takes a third of a second to import

    samples = resample(sound, RATE).samples.astype(np.float64)
    for b, a in STAGES:
        samples = lfilter(b, a, samples, axis=0)
    length, step = round(BLOCK * RATE), round(STEP * RATE)
    power = np.pad((samples**2).sum(1), (0, max(0, length - len(samples))))
    whole = np.concatenate([[0.0], np.cumsum(power)])
    start = np.arange(0, len(power) - length + 1, step)
    return _gated((whole[start + length] - whole[start]) / length)


def levelled_note(sound: Sound, target: float | None) -> Sound:
    """`sound` with the loudness `target` in LUFS, or less where its peak would pass -0.1 dBFS. None keeps the level.

    >>> from nsynth_core.audio import sine
    >>> round(of_note(levelled_note(sine(440.0), -24.0)), 1)
    -24.0
    """
    now, peak = of_note(sound), float(np.abs(sound.samples).max(initial=0.0))
    if target is None or now <= SILENT:
        return sound
    gain = min(10 ** ((target - now) / 20), PEAK / peak)
    return Sound(np.clip((sound.samples * gain).astype(np.float32), -PEAK, PEAK), sound.rate)


def _gated(blocks: Doubles) -> float:
    audible = blocks[blocks > 10 ** ((ABSOLUTE_GATE + 0.691) / 10)]
    if not len(audible):
        return SILENT
    return _lufs(float(audible[audible > audible.mean() * 10 ** (RELATIVE_GATE / 10)].mean()))


def levelled(frames: Floats, target: float | None, how: str = "table") -> tuple[Floats, float]:
    """Frames with a loudness that is asked for, and the loudness of the table then.

    frames: float32 (n, 2048)
    target: LUFS; None keeps the level
    how: "table" gives the whole table one gain, "frame" gives each frame a gain of its own
    Returns frames of the same shape and LUFS. No peak passes -0.1 dBFS; a table that would pass it stays below the
    target.

    >>> sine = np.sin(2 * np.pi * np.arange(2048) / 2048).astype(np.float32)
    >>> frames, lufs = levelled(sine[None], -18.0)
    >>> round(lufs, 1), round(float(frames.max()), 2)
    (-18.0, 0.21)
    """
    if target is not None and how == "table":
        return _gained(frames, target)
    if target is not None:
        frames = np.concatenate([_gained(frame[None], target)[0] for frame in frames])
    return frames, loudness(frames)


def _gained(frames: Floats, target: float) -> tuple[Floats, float]:
    """Frames with one gain, and the loudness of the table then."""
    power, shared = _powers(frames)
    now, peak = _integrated(power, shared), float(np.abs(frames).max())
    if now <= SILENT or peak == 0.0:
        return frames, now
    gain = 1.0
    for _ in range(PASSES):
        gain *= 10 ** ((target - now) / 20)
        now = _integrated(power * gain**2, shared * gain**2)
        if abs(now - target) < 0.005:
            break
    if gain * peak > PEAK:
        gain = PEAK / peak
        now = _integrated(power * gain**2, shared * gain**2)
    loud = frames * np.float32(gain)
    return np.clip(loud, -np.float32(PEAK), np.float32(PEAK), out=loud), now


def played(frames: Floats, period: int = PERIOD) -> Floats:
    """The note that is measured: four seconds at 48 kHz, faded in and out over 10 ms.

    frames: float32 (n, 2048)
    period: samples of a cycle. Each frame is band-limited to that length, so that nothing is interpolated and nothing
        aliases.
    Returns float32 (192000,).

    >>> sine = np.sin(2 * np.pi * np.arange(2048) / 2048).astype(np.float32)
    >>> played(sine[None]).shape
    (192000,)
    """
    top = (min(period, frames.shape[1]) + 1) // 2
    spectra = np.fft.rfft(frames)[:, :top].astype(np.complex64)
    cycles = np.concatenate([spectra.real, spectra.imag], axis=1) @ _inverse(top, period, frames.shape[1])
    count = int(SECONDS * RATE)
    turns = -(-count // period)
    step = (len(cycles) - 1) / count
    start = np.arange(turns) * (period * step)
    low = np.minimum(start.astype(np.int64), max(len(cycles) - 2, 0))
    share = (start - low).astype(np.float32)[:, None] + (np.arange(period) * step).astype(np.float32)
    note = _between(cycles, low, share)
    passed = 1  # frames that one cycle moves past
    while len(late := np.flatnonzero((share[:, -1] >= passed) & (low + passed < len(cycles) - 1))):
        at = share[late] - passed
        note[late] = np.where(at < 0, note[late], _between(cycles, low[late] + passed, at))
        passed += 1
    note = note.reshape(-1)[:count]
    ramp = np.linspace(0, 1, FADE, dtype=np.float32)
    note[:FADE] *= ramp
    note[-FADE:] *= ramp[::-1]
    return note


@lru_cache(maxsize=2)
def _inverse(top: int, period: int, before: int) -> Floats:
    """A matrix (2 top, period): real and imaginary parts of the first `top` harmonics of cycles of `before` samples to
    cycles of `period` samples.

    PERIOD is a prime, and an inverse Fourier transform of a prime length takes six times as long as the product.
    """
    turns = np.arange(top)[:, None] * np.arange(period) / period
    share = np.where(np.arange(top) > 0, 2.0, 1.0)[:, None] / before
    return np.concatenate([share * np.cos(2 * np.pi * turns), -share * np.sin(2 * np.pi * turns)]).astype(np.float32)


def _between(cycles: Floats, low: NDArray[np.int64], share: Floats) -> Floats:
    """Samples (m, period), `share` (m, period) of the way, 0..1, from the cycles `low` (m,) to the next ones."""
    first, note = cycles[low], cycles[np.minimum(low + 1, len(cycles) - 1)]
    note -= first
    note *= share
    note += first
    return note


def _powers(frames: Floats) -> tuple[Doubles, Doubles]:
    """K-weighted mean squares of the frames (n,), and K-weighted mean products of neighbours (n - 1,)."""
    top = PERIOD // 2 + PERIOD % 2  # harmonics below the Nyquist frequency
    spectra = np.fft.rfft(frames)[:, 1:top].astype(np.complex128) / (frames.shape[1] / 2)
    weight = k_weighting(np.arange(1.0, top) * F0) / 2
    shared = (spectra[:-1] * spectra[1:].conj()).real @ weight
    return np.asarray((np.abs(spectra) ** 2) @ weight), np.asarray(shared)


def _lufs(power: float) -> float:
    return max(-0.691 + 10 * float(np.log10(power + 1e-30)), SILENT)
