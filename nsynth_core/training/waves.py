"""The partials of classic synthesis in closed form: oscillators, filters, strings, bars and vocal tracts.

FM with integer ratios, wavefolding and hard sync are periodic at f0. So their band-limited form is the Fourier series
of one finely sampled period, cut off at the highest partial.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from nsynth_core.training.patches import Complexes, NoteRequest, Partials, Reals, series

Path = Callable[[Reals], Reals]  # a parameter over time: seconds (T, 1) → value (T, 1)
Colour = Callable[[NoteRequest], Complexes]  # a filter: gain at each partial, broadcastable to (T, K)


# --- paths ---


def still(value: float) -> Path:
    """A parameter that does not move."""
    return lambda t: np.full_like(t, value)


def glide(start: float, end: float, seconds: float) -> Path:
    """A parameter that goes from `start` towards `end` with a time constant of so many seconds."""
    return lambda t: end + (start - end) * np.exp(-t / seconds)


def wave(low: float, high: float, hz: float, turn: float = 0.0) -> Path:
    """A parameter that moves between `low` and `high` as a sine of `hz`, which begins at `turn` 0..1 of its period."""
    return lambda t: (low + high) / 2 + (high - low) / 2 * np.sin(2 * np.pi * (hz * t + turn))


# --- filters ---


def resonator(hz: Reals, cutoff: Reals | float, q: Reals | float, kind: str) -> Complexes:
    """The gain at `hz` of a two-pole filter of `kind` low, band or high, at `cutoff` Hz."""
    s = 1j * hz / cutoff
    passed = {"low": s**0, "band": s / q, "high": s**2}[kind]
    return np.asarray(passed / (1 + s / q + s**2))


def bright(note: NoteRequest) -> Complexes:
    """No filter."""
    return np.ones((1, 1), dtype=np.complex128)


def filtered(kind: str, octave: Path, q: float = 0.7, tracking: float = 0.5, dry: float = 0.0) -> Colour:
    """A filter of `kind` low, low4 (four poles), band or high.

    octave: of its cutoff, 2 ** octave Hz for C4 and velocity 0.8; louder notes open it further
    tracking: 0..1, how far it follows the key
    dry: how much of the sound is added unfiltered
    """

    def gain(note: NoteRequest) -> Complexes:
        played = octave(note.t) + tracking * np.log2(note.f0 / 261.6) + 2.0 * (note.velocity - 0.8)
        cutoff = 2.0 ** np.clip(played, 5.5, 14.3)
        if kind == "low4":
            return resonator(note.hz, cutoff, 0.54, "low") * resonator(note.hz, cutoff, q, "low") + dry
        return resonator(note.hz, cutoff, q, kind) + dry

    return gain


# --- oscillators ---


def fm(carrier: int, modulator: int, index: Path, third: float = 0.0, by_key: float = 0.3) -> Partials:
    """sin(carrier + index sin(modulator + third sin)), with ratios of f0. The index falls by 2 ** by_key an octave."""

    def partials(note: NoteRequest) -> Complexes:
        depth = (0.4 + 0.6 * note.velocity) * min(1.0, (261.6 / note.f0) ** by_key)

        def waveform(phase: Reals, t: Reals) -> Reals:
            turn = 2 * np.pi * phase
            inner = third * np.sin(turn)
            return np.asarray(np.sin(carrier * turn + depth * index(t) * np.sin(modulator * turn + inner)))

        return series(note, waveform)

    return partials


def pulse(width: Path, colour: Colour = bright) -> Partials:
    """A pulse whose duty cycle is `width`, 0..1."""
    return lambda note: np.asarray(-1j * np.sin(np.pi * note.k * width(note.t)) / note.k * colour(note))


def analog(saw: float, square: float, triangle: float, colour: Colour = bright, tilt: float = 0.0) -> Partials:
    """Saw, square and triangle in these proportions. A `tilt` of 1 makes the spectrum 6 dB an octave steeper."""

    def partials(note: NoteRequest) -> Complexes:
        odd = note.k % 2
        level = (saw + 2 * odd * square) / note.k + triangle * odd * 2.5 / note.k**2
        return np.asarray(-1j * level * note.k**-tilt * colour(note))

    return partials


def sync(ratio: Path, shape: str, colour: Colour = bright) -> Partials:
    """An oscillator at `ratio` x f0 that restarts in each period. `shape` is saw, square or sine."""

    def partials(note: NoteRequest) -> Complexes:
        def waveform(phase: Reals, t: Reals) -> Reals:
            slave = (phase * ratio(t)) % 1.0
            if shape == "sine":
                return np.asarray(np.sin(2 * np.pi * slave))
            return np.asarray(1 - 2 * slave) if shape == "saw" else np.where(slave < 0.5, 1.0, -1.0)

        return series(note, waveform) * colour(note)

    return partials


def fold(drive: Path, bias: Path, blunt: float, colour: Colour = bright) -> Partials:
    """sin(drive x + bias), where x is a triangle for `blunt` 0, a sine for 1, and a mixture between."""

    def partials(note: NoteRequest) -> Complexes:
        def waveform(phase: Reals, t: Reals) -> Reals:
            sine = np.sin(2 * np.pi * phase)
            x = blunt * sine + (1 - blunt) * np.arcsin(sine) * (2 / np.pi)
            return np.asarray(np.sin(drive(t) * (0.5 + 0.5 * note.velocity) * x + bias(t)))

        return series(note, waveform) * colour(note)

    return partials


# --- struck and plucked ---


def string(point: float, pickup: float, tone: float, life: float, loss: float, body: Sequence[Reals] = ()) -> Partials:
    """A plucked string whose partials each have their own decay (Fletcher & Rossing 1998, ch. 2).

    point, pickup: where it is plucked and heard, 0..0.5 of its length
    tone: how fast the levels fall with the number of the partial
    life: seconds that it sounds at A3
    loss: how much faster high partials decay
    body: resonances: arrays of Hz, dB and widths in octaves
    """

    def partials(note: NoteRequest) -> Complexes:
        level = np.sin(np.pi * note.k * point) * (0.15 + np.abs(np.sin(np.pi * note.k * pickup))) / note.k**tone
        if body:
            centre, gain, width = body
            octaves = np.log2(note.hz[..., None] / centre)
            level = level * 10 ** ((gain * np.exp(-0.5 * (octaves / width) ** 2)).sum(-1) / 20)
        level = level * np.exp(-note.k * (1 - note.velocity) * 0.08)
        rate = (1 / life) * (note.f0 / 220) ** 0.5 * (1 + loss * (note.hz / 1000) ** 1.2)
        return np.asarray(-1j * level * np.exp(-note.t * rate))

    return partials


@dataclass(frozen=True)
class Mode:
    """One mode of a bar or a bell: number of the harmonic, level in dB, decay in seconds at C4, depth 0..1 and rate of
    its beating."""

    number: int
    db: float
    life: float
    depth: float = 0.0
    beat_hz: float = 1.0


def bars(modes: Sequence[Mode], faint_db: float = -60.0) -> Partials:
    """A bar, a glass or a music box: a few modes far apart, and a short faint click of all partials."""

    def partials(note: NoteRequest) -> Complexes:
        t = note.t[:, 0]
        out = 10 ** (faint_db / 20) / note.k * np.exp(-note.t * 8)
        for mode in modes:
            if mode.number <= out.shape[1]:
                ring = np.exp(-t / (mode.life * (261.6 / note.f0) ** 0.4))
                shimmer = 1 - mode.depth * (0.5 - 0.5 * np.cos(2 * np.pi * mode.beat_hz * t))
                db = mode.db - (1 - note.velocity) * 6 * np.log2(mode.number)
                out[:, mode.number - 1] += 10 ** (db / 20) * ring * shimmer
        return np.asarray(-1j * out)

    return partials


# --- voices ---

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
BANDWIDTHS = np.array([80.0, 100.0, 140.0, 220.0, 300.0, 400.0])
MAN, WOMAN, CHILD = 0, 1, 2


def formants(vowel: str, speaker: int) -> tuple[float, ...]:
    """The six formants of a vowel in Hz."""
    return tuple(float(hz) for hz in VOWELS[vowel][speaker] + HIGHER[speaker])


@dataclass(frozen=True)
class Tract:
    """A vocal tract whose formants in Hz glide, in octaves, from `start` (`way` 0) to `end` (`way` 1)."""

    start: tuple[float, ...]
    end: tuple[float, ...]
    way: Path
    bandwidth: float = 1.0  # x BANDWIDTHS

    def gain(self, note: NoteRequest, hz: Reals) -> Complexes:
        """The gain (T, n) at `hz` (1, n): a cascade of resonances that is 1 at 0 Hz (Klatt 1980)."""
        path = self.way(note.t)
        centres = np.asarray(self.start) ** (1 - path) * np.asarray(self.end) ** path
        # singers raise the first formant to the fundamental (Sundberg 1987), or high notes would be silent
        centres[:, 0] = np.maximum(centres[:, 0], note.f0 * 1.05)
        centres[:, 1] = np.maximum(centres[:, 1], centres[:, 0] * 1.15)
        out = np.ones((len(note.t), hz.shape[1]), dtype=np.complex128)
        for centre, width in zip(centres.T[:, :, None], BANDWIDTHS[: len(self.start)] * self.bandwidth, strict=True):
            out *= centre**2 / (centre**2 - hz**2 + 1j * hz * width)
        return out


def sung(tract: Tract, open_: float = 0.6, tilt: float = 0.6) -> Partials:
    """The derivative of Rosenberg's glottal pulse (1971) through `tract`.

    open_: the share of the period during which the glottis is open
    tilt: 1 is 6 dB an octave above 1 kHz; soft notes have more
    """

    def pulse_(phase: Reals, t: Reals) -> Reals:
        closed = open_ * 1.25
        rise = 0.5 * (1 - np.cos(np.pi * phase / open_))
        fall = np.cos(0.5 * np.pi * (phase - open_) / (closed - open_))
        return np.where(phase < open_, rise, np.where(phase < closed, fall, 0.0))

    def partials(note: NoteRequest) -> Complexes:
        still_ = NoteRequest(note.f0, note.velocity, note.t[:1], note.k)
        slope = tilt + 0.6 * (1 - note.velocity)
        source = series(still_, pulse_) * 1j * note.k * (1 + (note.hz / 1000) ** 2) ** (-slope / 2)
        return np.asarray(source * tract.gain(note, note.hz))

    return partials
