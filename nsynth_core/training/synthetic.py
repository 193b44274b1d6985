"""Closed-form instruments: cycles built from their partials, so that nothing aliases, static or moving.

Every kind goes one way: a waveform or spectrum of one period, as a function of time → its complex partials below TOP_HZ
→ filter → wavetable of the note, read at the phase of f0(t). FM with integer ratios, wavefolding and hard sync are
periodic at f0, so their band-limited form is the truncated Fourier series of one finely sampled period.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

from nsynth_core.audio import Sound

TOP_HZ = 20_000.0
CONTROL_RATE = 50  # wavetable cycles a second; read with linear interpolation between them
RELEASE_SECONDS = 0.15
TAIL_SECONDS = 0.7
PEAK = 0.5

Reals = NDArray[np.float64]
Complexes = NDArray[np.complex128]
Parameters = dict[str, Any]


def _rng(*key: object) -> np.random.Generator:
    return np.random.default_rng(crc32("/".join(map(str, key)).encode()))


# --- one note ---


@dataclass(frozen=True)
class Note:
    """What a kind is asked for. `t` (T, 1) seconds of the control frames, `k` (1, K) partial numbers below TOP_HZ."""

    f0: float
    velocity: float  # 0..1
    t: Reals
    k: Reals

    @property
    def hz(self) -> Reals:
        return self.k * self.f0


def _series(note: Note, waveform: Callable[[Reals, Reals], Reals]) -> Complexes:
    """Fourier coefficients of `waveform(phase, t)`, phase (1, N) in cycles: (T, K)."""
    count = note.k.shape[1]
    size = int(2 ** np.ceil(np.log2(max(16 * count, 1024))))
    phase = (np.arange(size) + 0.5)[None] / size
    half_step = np.exp(-1j * np.pi * note.k / size)
    out = np.empty((len(note.t), count), dtype=np.complex128)
    for start in range(0, len(note.t), 16):  # in slices: the cycles of a low note would fill the cache many times
        cycles = np.broadcast_to(waveform(phase, note.t[start : start + 16]), (len(note.t[start : start + 16]), size))
        out[start : start + 16] = np.fft.rfft(cycles, axis=1)[:, 1 : count + 1] * (2 / size) * half_step
    return out


def _read(partials: Complexes, phase: Reals, frame: Reals) -> Reals:
    """The wavetable of `partials` (T, K) at `phase` (n,) cycles and `frame` (n,): cubic in phase, linear in time."""
    frames, count = partials.shape
    size = int(2 ** np.ceil(np.log2(max(16 * count, 256))))
    spectrum = np.zeros((frames, size // 2 + 1), dtype=np.complex64)
    spectrum[:, 1 : count + 1] = partials * (size / 2)
    table = np.fft.irfft(spectrum, axis=1).astype(np.float32)
    table = np.concatenate([table[:, -1:], table, table[:, :2]], axis=1)  # neighbours of the cubic beyond the seam
    position = (phase % 1.0) * size
    index = np.minimum(position.astype(np.int64), size - 1)
    u = (position - index).astype(np.float32)
    row = np.minimum(frame.astype(np.int64), frames - 2)
    v = (frame - row).astype(np.float32)
    # 4-point Lagrange
    weights = (
        -u * (u - 1) * (u - 2) / 6,
        (u + 1) * (u - 1) * (u - 2) / 2,
        -(u + 1) * u * (u - 2) / 2,
        (u + 1) * u * (u - 1) / 6,
    )
    flat, width = table.ravel(), table.shape[1]
    at = row * width + index
    out = np.zeros(len(phase), dtype=np.float32)
    for tap, weight in enumerate(weights):
        now = flat[at + tap]
        out += weight * (now + v * (flat[at + width + tap] - now))
    return out.astype(np.float64)


def _envelope(t: Reals, attack: float, decay: float, sustain: float) -> Reals:
    """Raised-cosine attack, exponential decay to `sustain`."""
    rise = 0.5 - 0.5 * np.cos(np.pi * np.clip(t / attack, 0, 1))
    return np.asarray(rise * (sustain + (1 - sustain) * np.exp(-np.maximum(t - attack, 0) / decay)))


def _move(rng: np.random.Generator, low: float, high: float) -> Callable[[Reals], Reals]:
    """A random path of time within low..high: still, a decay, a rise or a slow wave."""
    a, b = rng.uniform(low, high, 2)
    kind = rng.choice(["still", "decay", "rise", "wave"], p=[0.3, 0.35, 0.15, 0.2])
    pace, turn = rng.uniform(0.15, 1.0), rng.uniform(0, 1)
    if kind == "still":
        return lambda t: np.full_like(t, a)
    if kind == "decay":
        return lambda t: min(a, b) + abs(a - b) * np.exp(-t / pace)
    if kind == "rise":
        return lambda t: max(a, b) - abs(a - b) * np.exp(-t / pace)
    return lambda t: (a + b) / 2 + (a - b) / 2 * np.sin(2 * np.pi * (t * 0.8 / pace + turn))


# --- filters: gain (complex) at each partial ---


def _resonator(hz: Reals, cutoff: Reals, q: float, kind: str) -> Complexes:
    """Two-pole low-pass, band-pass or high-pass at `cutoff` Hz."""
    s = 1j * hz / cutoff
    passed = {"low": s**0, "band": s / q, "high": s**2}[kind]
    return np.asarray(passed / (1 + s / q + s**2))


def _random_filter(rng: np.random.Generator) -> Callable[[Note], Complexes | float]:
    """Nothing, or a low-, band- or high-pass whose cutoff is fixed in Hz or follows the key, and moves."""
    kind = rng.choice(["none", "low", "low", "low4", "band", "high"])
    if kind == "none":
        return lambda note: 1.0
    q = float(np.exp(rng.uniform(np.log(0.6), np.log(9.0))))
    tracking = rng.uniform(0, 1)
    octaves = _move(rng, 0.0, 5.0)
    base = float(rng.uniform(np.log2(150), np.log2(900))) if kind != "high" else float(rng.uniform(6, 8))

    def gain(note: Note) -> Complexes:
        keyed = tracking * np.log2(note.f0 / 261.6)
        cutoff = 2.0 ** np.clip(base + keyed + octaves(note.t) * (0.5 + 0.5 * note.velocity), 5.5, 14.3)
        if kind == "low4":
            return _resonator(note.hz, cutoff, 0.54, "low") * _resonator(note.hz, cutoff, q, "low")
        # a little of the dry sound keeps the notes far from the band alive
        return _resonator(note.hz, cutoff, q, str(kind)) + (0.0 if kind == "low" else 0.03)

    return gain


# --- kinds: random parameters → partials of a note ---

Partials = Callable[[Note], Complexes]


def _fm(rng: np.random.Generator) -> Partials:
    carrier = int(rng.choice([1, 1, 1, 1, 2, 3]))
    modulator = int(rng.choice([1, 1, 2, 2, 3, 4, 5, 7, 9, 11, 14]))
    index = _move(rng, 0.0, float(np.exp(rng.uniform(np.log(0.8), np.log(8)))))
    third = float(rng.uniform(0, 1.5)) if rng.random() < 0.3 else 0.0
    by_key = rng.uniform(0.0, 0.5)

    def partials(note: Note) -> Complexes:
        depth = (0.4 + 0.6 * note.velocity) * min(1.0, (261.6 / note.f0) ** by_key)

        def wave(phase: Reals, t: Reals) -> Reals:
            turn = 2 * np.pi * phase
            inner = third * np.sin(turn)
            return np.asarray(np.sin(carrier * turn + depth * index(t) * np.sin(modulator * turn + inner)))

        return _series(note, wave)

    return partials


def _pwm(rng: np.random.Generator) -> Partials:
    width, colour = _move(rng, 0.04, 0.5), _random_filter(rng)

    def partials(note: Note) -> Complexes:
        return np.asarray(np.sin(np.pi * note.k * width(note.t)) / note.k * colour(note) * -1j)

    return partials


def _sync(rng: np.random.Generator) -> Partials:
    ratio, colour = _move(rng, 1.0, float(rng.uniform(2, 7))), _random_filter(rng)
    shape = rng.choice(["saw", "sine", "square"])

    def partials(note: Note) -> Complexes:
        def wave(phase: Reals, t: Reals) -> Reals:
            slave = (phase * ratio(t)) % 1.0
            if shape == "sine":
                return np.asarray(np.sin(2 * np.pi * slave))
            return np.asarray(1 - 2 * slave) if shape == "saw" else np.where(slave < 0.5, 1.0, -1.0)

        return _series(note, wave) * colour(note)

    return partials


def _analog(rng: np.random.Generator) -> Partials:
    """Saw, square and triangle in any proportion, through a filter."""
    saw, square, triangle = rng.dirichlet([0.6, 0.6, 0.4])
    colour, bend = _random_filter(rng), rng.uniform(-0.2, 0.4)

    def partials(note: Note) -> Complexes:
        odd = note.k % 2
        series = (saw + 2 * odd * square) / note.k + triangle * odd * 2.5 / note.k**2
        return np.asarray(-1j * series * note.k**-bend * colour(note))

    return partials


def _additive(rng: np.random.Generator) -> Partials:
    """Random spectra: slope, odd/even balance, combs, bumps in Hz; from one to another over time."""

    def spectrum() -> Callable[[Note], Reals]:
        slope, even, comb = rng.uniform(3, 15), rng.uniform(-40, 0) * (rng.random() < 0.4), rng.integers(2, 8)
        rough = rng.normal(0, rng.uniform(0, 9), 1024)
        keep = rng.random(1024) < (rng.uniform(0.25, 0.7) if rng.random() < 0.3 else 1.0)
        combed = rng.uniform(0, 25) * (rng.random() < 0.4)
        centres = 2 ** rng.uniform(np.log2(250), np.log2(9000), 4)
        heights, widths = rng.uniform(-15, 18, 4), rng.uniform(0.15, 0.7, 4)

        def db(note: Note) -> Reals:
            k = note.k.astype(int)
            level = -slope * np.log2(note.k) + even * (k % 2 == 0) - combed * (k % comb == 0) + rough[k % 1024]
            level -= 60.0 * ~(keep[k % 1024] | (k == 1))
            octaves = np.log2(note.hz[..., None] / centres)
            return np.asarray(level + (heights * np.exp(-0.5 * (octaves / widths) ** 2)).sum(-1))

        return db

    first, second, way = spectrum(), spectrum(), _move(rng, 0.0, 1.0)
    phases = rng.uniform(0, 2 * np.pi, 1024)

    def partials(note: Note) -> Complexes:
        mix = way(note.t)
        db = first(note) * (1 - mix) + second(note) * mix
        return np.asarray(10 ** (db / 20) * np.exp(1j * phases[note.k.astype(int) % 1024]))

    return partials


def _fold(rng: np.random.Generator) -> Partials:
    """Sine or triangle driven into a sine folder: sin(drive * x + bias)."""
    drive, bias, colour = _move(rng, 0.5, float(rng.uniform(3, 14))), _move(rng, 0, 1.5), _random_filter(rng)
    blunt = rng.uniform(0, 1)

    def partials(note: Note) -> Complexes:
        def wave(phase: Reals, t: Reals) -> Reals:
            sine = np.sin(2 * np.pi * phase)
            source = blunt * sine + (1 - blunt) * np.arcsin(sine) * (2 / np.pi)
            return np.asarray(np.sin(drive(t) * (0.5 + 0.5 * note.velocity) * source + bias(t)))

        return _series(note, wave) * colour(note)

    return partials


def _pluck(rng: np.random.Generator) -> Partials:
    """A string plucked at a point and heard at another, each partial with its own decay (Fletcher & Rossing, ch. 2)."""
    point, pickup = rng.uniform(0.04, 0.5), rng.uniform(0.04, 0.5) if rng.random() < 0.6 else 0.5
    tone, life, loss = rng.uniform(0.5, 2.2), rng.uniform(0.3, 2.5), rng.uniform(0.2, 1.4)
    body = 2 ** rng.uniform(np.log2(90), np.log2(1500), 5)
    gain, width = rng.uniform(0, 12, 5), rng.uniform(0.08, 0.5, 5)

    def partials(note: Note) -> Complexes:
        level = np.sin(np.pi * note.k * point) * (0.15 + np.abs(np.sin(np.pi * note.k * pickup))) / note.k**tone
        octaves = np.log2(note.hz[..., None] / body)
        level = level * 10 ** ((gain * np.exp(-0.5 * (octaves / width) ** 2)).sum(-1) / 20)
        level = level * np.exp(-note.k * (1 - note.velocity) * 0.08)
        rate = (1 / life) * (note.f0 / 220) ** 0.5 * (1 + loss * (note.hz / 1000) ** 1.2)
        return np.asarray(-1j * level * np.exp(-note.t * rate))

    return partials


BARS = ([1, 4, 10, 18], [1, 3, 6, 10], [1, 2, 3, 4, 5, 6, 8, 10, 12], [1, 2, 5, 9, 14], [1, 2, 4, 6, 9, 12, 16])


def _bell(rng: np.random.Generator) -> Partials:
    """A few partials far apart, each with its own decay: bars tuned 1:4:10 or 1:3:6, glass, music boxes."""
    tuned = BARS[rng.integers(len(BARS))]
    level = rng.normal(0, 5, len(tuned)) - rng.uniform(0.3, 1.6) * 6 * np.log2(tuned)
    life = rng.uniform(0.3, 3.0) / np.asarray(tuned) ** rng.uniform(0.2, 1.1)
    faint, beat, depth = rng.uniform(-70, -45), rng.uniform(0.5, 5.0, len(tuned)), rng.uniform(0, 0.5)

    def partials(note: Note) -> Complexes:
        out = np.zeros((len(note.t), note.k.shape[1]))
        out += 10 ** (faint / 20) / note.k * np.exp(-note.t * 8)
        for number, db, seconds, hz in zip(tuned, level, life, beat, strict=True):
            if number <= out.shape[1]:
                ring = np.exp(-note.t[:, 0] / (seconds * (261.6 / note.f0) ** 0.4))
                shimmer = 1 - depth * (0.5 - 0.5 * np.cos(2 * np.pi * hz * note.t[:, 0]))
                out[:, number - 1] += 10 ** ((db - (1 - note.velocity) * 6 * np.log2(number)) / 20) * ring * shimmer
        return np.asarray(-1j * out)

    return partials


# Formants in Hz of men, women and children: Peterson & Barney 1952 (F1-F3); the higher ones by vocal-tract length
VOWELS = {
    "a": ((730, 1090, 2440), (850, 1220, 2810), (1030, 1370, 3170)),
    "e": ((530, 1840, 2480), (610, 2330, 2990), (690, 2610, 3570)),
    "i": ((270, 2290, 3010), (310, 2790, 3310), (370, 3200, 3730)),
    "o": ((570, 840, 2410), (590, 920, 2710), (680, 1060, 3180)),
    "u": ((300, 870, 2240), (370, 950, 2670), (430, 1170, 3260)),
    "ae": ((660, 1720, 2410), (860, 2050, 2850), (1010, 2320, 3320)),
    "er": ((490, 1350, 1690), (500, 1640, 1960), (560, 1820, 2160)),
}
HIGHER = ((3500, 4500, 5500), (4000, 5100, 6200), (4500, 5700, 7000))
BANDWIDTHS = np.array([70.0, 90.0, 130.0, 220.0, 300.0, 400.0])


def formant_gain(hz: Reals, formants: Reals, bandwidths: Reals) -> Complexes:
    """Vocal tract as a cascade of resonances with unity gain at DC (Klatt 1980). `formants` (..., F) in Hz."""
    out = np.ones(np.broadcast_shapes(hz.shape, formants[..., 0].shape), dtype=np.complex128)
    for at in range(formants.shape[-1]):
        centre, width = formants[..., at], bandwidths[at]
        out = out * (centre**2 / (centre**2 - hz**2 + 1j * hz * width))
    return out


@dataclass(frozen=True)
class Tract:
    """The vocal tract of a vowel source at time t: (T, 1, F) formants in Hz."""

    start: tuple[float, ...]
    end: tuple[float, ...]
    pace: float
    bandwidth: float

    def formants(self, note: Note) -> Reals:
        way = 1 - np.exp(-note.t / self.pace)
        path = np.asarray(self.start) * (1 - way) + np.asarray(self.end) * way
        # singers raise the first formant to the fundamental (Sundberg 1987): without it high notes fall silent
        path[:, 0] = np.maximum(path[:, 0], note.f0 * 1.05)
        path[:, 1] = np.maximum(path[:, 1], path[:, 0] * 1.15)
        return np.asarray(path[:, None, :])

    def gain(self, note: Note, hz: Reals) -> Complexes:
        return formant_gain(hz, self.formants(note), BANDWIDTHS * self.bandwidth)


def _tract(rng: np.random.Generator, vowel: str, voice: int) -> Tract:
    size = rng.uniform(0.94, 1.06)

    def of(name: str) -> tuple[float, ...]:
        return tuple(float(f * size * rng.uniform(0.97, 1.03)) for f in VOWELS[name][voice] + HIGHER[voice])

    start, end = of(vowel[0]) if "-" in vowel else of(vowel), of(vowel.split("-")[-1])
    return Tract(start, end if "-" in vowel else start, float(rng.uniform(0.3, 1.0)), float(rng.uniform(0.8, 1.8)))


# --- instruments ---

KINDS: dict[str, tuple[str, int, Callable[[np.random.Generator], Partials]]] = {
    "fm": ("synth", 28, _fm),
    "pwm": ("synth", 12, _pwm),
    "sync": ("lead", 12, _sync),
    "analog": ("synth", 24, _analog),
    "supersaw": ("lead", 10, _analog),
    "additive": ("synth", 24, _additive),
    "fold": ("synth", 12, _fold),
    "pluck": ("plucked", 14, _pluck),
    "bell": ("bell", 12, _bell),
    "breath": ("pipe", 8, _additive),
}
SUNG = {"a": 7, "e": 6, "i": 6, "o": 6, "u": 6, "ae": 3, "er": 3, "a-i": 2, "o-a": 2, "u-i": 2, "i-a": 2}
DECAYING = {"pluck", "bell"}


def names() -> dict[str, str]:
    """{name: family} of every closed-form source."""
    found = {f"{kind}/{n:03d}": family for kind, (family, count, _) in KINDS.items() for n in range(count)}
    found.update({f"vowel/{vowel}-{n:02d}": "voice" for vowel, count in SUNG.items() for n in range(count)})
    return found


@dataclass(frozen=True)
class Instrument:
    """A closed-form source: `name` as in names(); everything random about it comes from the name and `seed`."""

    name: str
    seed: int = 0

    def __call__(self, midi: float, velocity: int, rate: int, held: float) -> Sound:
        """The note `midi`, held `held` seconds and released; stereo, peak at or below PEAK."""
        kind, rest = self.name.split("/")
        rng = _rng(self.seed, self.name)
        luck = _rng(self.seed, self.name, round(midi * 100), velocity)  # what differs from note to note
        total = held + TAIL_SECONDS
        f0 = 440.0 * 2 ** ((midi - 69) / 12)
        t = np.arange(int(np.ceil(total * CONTROL_RATE)) + 2)[:, None] / CONTROL_RATE
        k = np.arange(1, max(1, int(min(TOP_HZ, 0.45 * rate) / f0)) + 1, dtype=np.float64)[None]
        note = Note(f0, velocity / 127, t, k)
        count = round(total * rate)
        n = np.arange(count) / rate
        noise_gain: Callable[[Note, Reals], Complexes] | None = None
        if kind == "vowel":
            vowel = rest.rsplit("-", 1)[0]
            voice = int(rng.integers(3))
            tract, tilt, open_ = _tract(rng, vowel, voice), rng.uniform(0.2, 1.1), rng.uniform(0.5, 0.8)
            glottis = _glottis(note, open_, tilt + 0.6 * (1 - note.velocity))
            partials = glottis * tract.gain(note, note.hz)
            noise_gain = tract.gain
            breath_db, voices = rng.uniform(-48, -24), int(rng.choice([1, 1, 1, 4]))
            vibrato, jitter, spread = rng.uniform(0, 30), rng.uniform(2, 8), rng.uniform(6, 14)
        else:
            partials = KINDS[kind][2](rng)(note)
            breath_db = rng.uniform(-34, -16) if kind == "breath" else -200.0
            noise_gain = _blow(rng) if kind == "breath" else None
            voices = int(rng.choice([5, 7])) if kind == "supersaw" else 1
            vibrato = rng.uniform(0, 20) if rng.random() < 0.2 and kind not in DECAYING else 0.0
            jitter, spread = 0.0, rng.uniform(4, 16)
        if kind in DECAYING:
            attack, decay, sustain = 0.002, 1.0, 1.0
        else:
            attack = float(np.exp(rng.uniform(np.log(0.004), np.log(0.25))))
            decay, sustain = rng.uniform(0.2, 1.5), rng.choice([1.0, rng.uniform(0.2, 0.9)])
        wobble = rng.uniform(4.5, 6.5)
        frame = np.minimum(n * CONTROL_RATE, len(t) - 1.001)
        left, right = np.zeros(count), np.zeros(count)
        for index in range(voices):
            place = 0.0 if voices == 1 else 2 * index / (voices - 1) - 1
            cents = vibrato * np.sin(2 * np.pi * (wobble * n + luck.uniform())) * np.clip(n / 0.4, 0, 1)
            cents = cents + spread * place + (jitter * _drift(luck, count, rate) if jitter else 0.0)
            phase = np.cumsum(f0 * 2 ** (cents / 1200)) / rate + (0.0 if voices == 1 else luck.uniform())
            voice_sound = _read(partials, phase, frame)
            angle = np.pi / 4 * (1 + 0.8 * np.sign(place) * abs(place) ** 0.7 * (-1) ** index)
            left, right = left + np.cos(angle) * voice_sound, right + np.sin(angle) * voice_sound
        stereo = np.stack([left, right], 1)
        if noise_gain is not None:
            level = np.sqrt((stereo**2).mean()) * 10 ** (breath_db / 20)
            stereo += level * _noise(luck, note, noise_gain, count, rate)
        shape = _envelope(n, attack, float(decay), float(sustain))
        shape *= np.exp(-np.maximum(n - held, 0) / (RELEASE_SECONDS / 3)) * np.clip((total - n) / 0.05, 0, 1)
        stereo *= shape[:, None]
        loudness = PEAK * (0.3 + 0.7 * note.velocity) / max(float(np.abs(stereo).max()), 1e-9)
        return Sound((stereo * loudness).astype(np.float32), rate)


def _glottis(note: Note, open_: float, tilt: float) -> Complexes:
    """Derivative of Rosenberg's 1971 glottal pulse, with a further tilt in units of 6 dB an octave."""

    def pulse(phase: Reals, t: Reals) -> Reals:
        closing = open_ * 1.25
        rise = 0.5 * (1 - np.cos(np.pi * phase / open_))
        fall = np.cos(0.5 * np.pi * (phase - open_) / (closing - open_))
        return np.where(phase < open_, rise, np.where(phase < closing, fall, 0.0))

    still = Note(note.f0, note.velocity, note.t[:1], note.k)
    series = _series(still, pulse) * 1j * note.k
    return np.asarray(series * (1 + (note.hz / 1000) ** 2) ** (-tilt / 2))


def _drift(rng: np.random.Generator, count: int, rate: int) -> Reals:
    """Slow random wander of unit spread: noise at 25 Hz, smoothed, read at `rate`."""
    points = rng.normal(size=int(count / rate * 25) + 8)
    points = np.convolve(points, np.hanning(7) / np.sqrt((np.hanning(7) ** 2).sum()), "same")
    return np.interp(np.arange(count) * 25 / rate, np.arange(len(points)), points)


def _blow(rng: np.random.Generator) -> Callable[[Note, Reals], Complexes]:
    """Noise of a blown pipe: a wide band somewhere above the fundamental."""
    centre, q = float(2 ** rng.uniform(np.log2(600), np.log2(6000))), float(rng.uniform(0.4, 2))
    return lambda note, hz: _resonator(hz, np.full((len(note.t), 1), centre), q, "band")


def _noise(
    rng: np.random.Generator, note: Note, gain: Callable[[Note, Reals], Complexes], count: int, rate: int
) -> Reals:
    """White noise through `gain` of the middle of the note, nearly the same in both channels; unit power."""
    hz = np.fft.rfftfreq(count, 1 / rate)
    middle = Note(note.f0, note.velocity, note.t[len(note.t) // 2 :][:1], note.k)
    response = np.abs(gain(middle, np.maximum(hz, 20.0)[None]))[0] * (hz < min(TOP_HZ, 0.45 * rate))
    shared, own = rng.normal(size=(count, 1)), rng.normal(size=(count, 2))
    white = np.fft.rfft(0.8 * shared + 0.6 * own, axis=0)
    noise = np.fft.irfft(white * response[:, None], count, axis=0)
    return np.asarray(noise / np.sqrt((noise**2).mean()))
