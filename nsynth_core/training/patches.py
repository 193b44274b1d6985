"""Notes made of partials, without aliasing: the spectrum of a patch over time -> wavetable -> sound.

A patch gives the complex partials of a note below TOP_HZ, frame by frame. Each frame becomes one cycle of a wavetable,
which is read at the phase of f0(t). Voices, vibrato, noise and level follow.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

from nsynth_core.audio import Sound
from nsynth_core.sound.interpolation import lagrange

TOP_HZ = 20_000.0
CONTROL_RATE = 50  # cycles of the wavetable a second; it is interpolated linearly between them
TAIL_SECONDS = 0.7
PEAK = 0.5

Reals = NDArray[np.float64]
Complexes = NDArray[np.complex128]


@dataclass(frozen=True)
class NoteRequest:
    """The note that a patch is asked to play.

    f0: Hz · velocity: 0..1 · t: (T, 1) seconds of the frames · k: (1, K) numbers of the partials
    """

    f0: float
    velocity: float
    t: Reals
    k: Reals

    @property
    def hz(self) -> Reals:
        """The frequencies (1, K) of the partials."""
        return self.k * self.f0


Partials = Callable[
    [NoteRequest], Complexes
]  # (T, K): the sound is the real part of sum over k of p_k exp(2 pi i k f0 t)
Gain = Callable[[NoteRequest, Reals], Complexes]  # (T, n) at the given frequencies, (1, n) Hz


@dataclass(frozen=True)
class Patch:
    """How an instrument sounds. Times are in seconds, detune and vibrato in cents.

    partials  of a note
    voices    that play together, detuned by up to +-`spread` cents and spread over the stereo field
    noise     filter of white noise, which is `noise_db` louder than the partials
    """

    partials: Partials
    attack: float = 0.005
    decay: float = 1.0
    sustain: float = 1.0
    release: float = 0.15
    voices: int = 1
    spread: float = 0.0
    vibrato: float = 0.0
    vibrato_hz: float = 5.5
    jitter: float = 0.0
    noise: Gain | None = None
    noise_db: float = -30.0


def seeded(*key: object) -> np.random.Generator:
    """A random generator that `key` alone decides.

    >>> bool(seeded("a", 1).integers(100) == seeded("a", 1).integers(100))
    True
    """
    return np.random.default_rng(crc32("/".join(map(str, key)).encode()))


def log_uniform(rng: np.random.Generator, low: float, high: float) -> float:
    """A random number between `low` and `high`, evenly distributed in its logarithm."""
    return float(np.exp(rng.uniform(np.log(low), np.log(high))))


def series(note: NoteRequest, waveform: Callable[[Reals, Reals], Reals]) -> Complexes:
    """The Fourier coefficients (T, K) of one period of `waveform`, which therefore is band-limited.

    waveform: of phase (1, N) in cycles and time (T, 1) in seconds
    """
    count = note.k.shape[1]
    size = int(2 ** np.ceil(np.log2(max(16 * count, 1024))))
    phase = (np.arange(size) + 0.5)[None] / size
    half_step = np.exp(-1j * np.pi * note.k / size)
    out = np.empty((len(note.t), count), dtype=np.complex128)
    for start in range(0, len(note.t), 16):  # in slices that fit the processor's cache
        t = note.t[start : start + 16]
        cycles = np.broadcast_to(waveform(phase, t), (len(t), size))
        out[start : start + 16] = np.fft.rfft(cycles, axis=1)[:, 1 : count + 1] * (2 / size) * half_step
    return out


def read_table(partials: Complexes, phase: Reals, frame: Reals) -> Reals:
    """The wavetable of `partials` (T, K) at the `phase` (n,) in cycles and the `frame` (n,): cubic in phase, linear in
    time."""
    frames, count = partials.shape
    size = int(2 ** np.ceil(np.log2(max(16 * count, 256))))
    spectrum = np.zeros((frames, size // 2 + 1), dtype=np.complex64)
    spectrum[:, 1 : count + 1] = partials * (size / 2)
    table = np.fft.irfft(spectrum, axis=1).astype(np.float32)
    table = np.concatenate(
        [table[:, -1:], table, table[:, :2]], axis=1
    )  # the neighbours that the cubic needs beyond the ends
    position = (phase % 1.0) * size
    index = np.minimum(position.astype(np.int64), size - 1)
    u = (position - index).astype(np.float32)
    row = np.minimum(frame.astype(np.int64), frames - 2)
    v = (frame - row).astype(np.float32)
    weights = lagrange(u)
    flat, width = table.ravel(), table.shape[1]
    at = row * width + index
    out = np.zeros(len(phase), dtype=np.float32)
    for tap, weight in enumerate(weights):
        now = flat[at + tap]
        out += weight * (now + v * (flat[at + width + tap] - now))
    return out.astype(np.float64)


def play(patch: Patch, midi: float, velocity: int, rate: int, held: float, luck: np.random.Generator) -> Sound:
    """One note of a patch, stereo, with a peak of PEAK or less.

    midi: its pitch · velocity: 1..127 · rate: Hz · held: seconds until its release, which lasts TAIL_SECONDS
    luck: decides what differs between notes: the phases of the voices, their jitter and the noise
    """
    total = held + TAIL_SECONDS
    count = round(total * rate)
    n = np.arange(count) / rate
    f0 = 440.0 * 2 ** ((midi - 69) / 12)
    top = max(1, int(min(TOP_HZ, 0.45 * rate) / f0))
    t = np.arange(int(np.ceil(total * CONTROL_RATE)) + 2)[:, None] / CONTROL_RATE
    note = NoteRequest(f0, velocity / 127, t, np.arange(1.0, top + 1)[None])
    partials = patch.partials(note)
    frame = np.minimum(n * CONTROL_RATE, len(t) - 1.001)
    stereo = np.zeros((count, 2))
    for index in range(patch.voices):
        place = 0.0 if patch.voices == 1 else 2 * index / (patch.voices - 1) - 1
        cents = patch.spread * place + patch.jitter * _drift(luck, count, rate)
        cents = cents + patch.vibrato * np.sin(2 * np.pi * (patch.vibrato_hz * n + luck.uniform())) * np.clip(
            n / 0.4, 0, 1
        )
        start = 0.0 if patch.voices == 1 else luck.uniform()
        voice = read_table(partials, start + np.cumsum(f0 * 2 ** (cents / 1200)) / rate, frame)
        # neighbours in detune go to opposite sides, so that both sides hold the whole spread
        angle = np.pi / 4 * (1 + 0.8 * abs(place) * (-1) ** index)
        stereo += voice[:, None] * (np.cos(angle), np.sin(angle))
    if patch.noise is not None:
        level = np.sqrt((stereo**2).mean()) * 10 ** (patch.noise_db / 20)
        stereo += level * _noise(luck, note, patch.noise, count, rate)
    rise = 0.5 - 0.5 * np.cos(np.pi * np.clip(n / patch.attack, 0, 1))
    shape = rise * (patch.sustain + (1 - patch.sustain) * np.exp(-np.maximum(n - patch.attack, 0) / patch.decay))
    shape *= np.exp(-np.maximum(n - held, 0) / (patch.release / 3)) * np.clip((total - n) / 0.05, 0, 1)
    stereo *= shape[:, None]
    loudness = PEAK * (0.3 + 0.7 * note.velocity) / max(float(np.abs(stereo).max()), 1e-9)
    return Sound((stereo * loudness).astype(np.float32), rate)


def _drift(rng: np.random.Generator, count: int, rate: int) -> Reals:
    """A slow random curve (count,) of unit spread: smoothed noise at 25 Hz, interpolated to `rate`."""
    window = np.hanning(7) / np.sqrt((np.hanning(7) ** 2).sum())
    points = np.convolve(rng.normal(size=int(count / rate * 25) + 8), window, "same")
    return np.interp(np.arange(count) * 25 / rate, np.arange(len(points)), points)


def _noise(rng: np.random.Generator, note: NoteRequest, gain: Gain, count: int, rate: int) -> Reals:
    """White noise (count, 2) through the filter `gain` has in the middle of the note; unit power, channels partly
    alike."""
    hz = np.fft.rfftfreq(count, 1 / rate)
    middle = NoteRequest(note.f0, note.velocity, note.t[len(note.t) // 2 :][:1], note.k)
    response = np.abs(gain(middle, np.maximum(hz, 20.0)[None]))[0] * (hz < min(TOP_HZ, 0.45 * rate))
    white = np.fft.rfft(0.8 * rng.normal(size=(count, 1)) + 0.6 * rng.normal(size=(count, 2)), axis=0)
    noise = np.fft.irfft(white * response[:, None], count, axis=0)
    return np.asarray(noise / np.sqrt((noise**2).mean()))
