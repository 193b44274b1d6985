"""Knobs of filters and of what works like one: each function draws a patch, whose knob moves during the note."""

from __future__ import annotations

import numpy as np

from nsynth_core.sound.features import hz_to_erb
from nsynth_core.training import waves
from nsynth_core.training.knob_motion import Oscillator, Rng, behind, position, turning
from nsynth_core.training.patches import Complexes, NoteRequest, Partials, Reals, log_uniform
from nsynth_core.training.waves import Colour, Path


def _filter(kind: str, octave: Path, q: Path, dry: float = 0.0) -> Colour:
    """As `waves.filtered`, but it follows neither key nor velocity, and its quality is a path too."""

    def gain(note: NoteRequest) -> Complexes:
        cutoff = 2.0 ** octave(note.t)
        if kind == "low4":
            low = waves.resonator(note.hz, cutoff, 0.54, "low") * waves.resonator(note.hz, cutoff, q(note.t), "low")
            return low + dry
        if kind == "notch":
            return np.asarray(1 - waves.resonator(note.hz, cutoff, q(note.t), "band") + dry)
        return waves.resonator(note.hz, cutoff, q(note.t), kind) + dry

    return gain


def cutoff(rng: Rng, source: Oscillator) -> Partials:
    """A filter whose cutoff moves."""
    kind = str(rng.choice(["low", "low", "low", "low4", "band", "band", "high", "notch"]))
    span = float(rng.uniform(0.7, 4.8))
    low = float(rng.uniform(6.6, 13.6 - span))
    q = 0.71 if kind in ("low", "low4") and rng.random() < 0.3 else log_uniform(rng, 0.5, 16)
    dry = log_uniform(rng, 0.001, 0.1) if rng.random() < 0.25 else 0.0
    return behind(source(rng), _filter(kind, turning(low, low + span), waves.still(q), dry))


def resonance(rng: Rng, source: Oscillator) -> Partials:
    """A filter whose resonance grows."""
    kind = str(rng.choice(["low", "low", "low4", "band", "high"]))
    low, high = log_uniform(rng, 0.4, 1.5), log_uniform(rng, 3, 25)
    damping = rng.random() < 0.5  # some filters turn 1 / q evenly, others octaves of q

    def q(t: Reals) -> Reals:
        x = position(t)
        return np.asarray(1 / ((1 - x) / low + x / high) if damping else low ** (1 - x) * high**x)

    return behind(source(rng), _filter(kind, waves.still(float(rng.uniform(7.5, 13))), q))


def _formants(rng: Rng) -> tuple[float, ...]:
    if rng.random() < 0.6:
        size = rng.uniform(0.88, 1.14)
        return tuple(hz * size for hz in waves.formants(str(rng.choice(sorted(waves.VOWELS))), int(rng.integers(3))))
    ranges = ((200, 1100), (700, 2900), (1800, 3800), (3000, 5000), (4000, 6000), (5000, 7500))
    return tuple(sorted(log_uniform(rng, low, high) for low, high in ranges))


def vowel(rng: Rng, source: Oscillator) -> Partials:
    """A vocal tract, or a bank of formant filters, that goes from one vowel to another."""
    start, end = _formants(rng), _formants(rng)
    if rng.random() < 0.35:
        return behind(source(rng), _bank(rng, start, end))
    count = int(rng.choice([2, 3, 3, 4, 5, 6, 6]))
    tract = waves.Tract(start[:count], end[:count], turning(0.0, 1.0), float(rng.uniform(0.5, 2.0)))
    if rng.random() < 0.2:
        return waves.sung(tract, float(rng.uniform(0.5, 0.75)), float(rng.uniform(0.2, 1.2)))
    return behind(source(rng), lambda note: tract.gain(note, note.hz))


def _bank(rng: Rng, start: tuple[float, ...], end: tuple[float, ...]) -> Colour:
    """Parallel band-passes, as in the formant filters of synths. Each glides in octaves, and its gain in dB."""
    count = int(rng.integers(2, 6))
    levels = rng.uniform(-24, 0, (2, count))
    q = log_uniform(rng, 3, 20)

    def gain(note: NoteRequest) -> Complexes:
        x = position(note.t)
        out = np.zeros((len(note.t), note.k.shape[1]), dtype=np.complex128)
        for number in range(count):
            centre = start[number] ** (1 - x) * end[number] ** x
            level = 10 ** (((1 - x) * levels[0, number] + x * levels[1, number]) / 20)
            out += level * waves.resonator(note.hz, centre, q, "band")
        return out

    return gain


def lobes(rng: Rng, source: Oscillator) -> Partials:
    """Formants as in speech synthesisers: lobes, with next to nothing between them, over a flat spectrum or over that
    of another sound. They glide in octaves or in Hz."""
    start, end = _formants(rng), _formants(rng)
    count = int(rng.integers(1, 7))
    levels = np.cumsum(rng.uniform(-14, 2, (2, count)), axis=1)
    widths = np.exp(rng.uniform(np.log(50), np.log(250), (2, count)))
    floor, octaves = log_uniform(rng, 1e-5, 1e-2), rng.random() < 0.5

    def gain(note: NoteRequest) -> Complexes:
        x = position(note.t)
        out = np.full((len(note.t), note.k.shape[1]), floor, dtype=np.complex128)
        for number in range(count):
            low, high = start[number], end[number]
            centre = low ** (1 - x) * high**x if octaves else (1 - x) * low + x * high
            level = 10 ** (((1 - x) * levels[0, number] + x * levels[1, number]) / 20)
            width = (1 - x) * widths[0, number] + x * widths[1, number]
            out += level * np.exp(-0.5 * ((note.hz - centre) / width) ** 2)
        return out

    return behind(source(rng), gain) if rng.random() < 0.5 else gain


def tilt(rng: Rng, source: Oscillator) -> Partials:
    """A spectrum that gets steeper or flatter, sometimes with weaker even partials."""
    slope = turning(*(float(end) for end in rng.uniform(-0.6, 1.5, 2)))
    even = turning(*(float(end) for end in rng.uniform(-40, 0, 2))) if rng.random() < 0.4 else waves.still(0.0)

    def colour(note: NoteRequest) -> Complexes:
        steep = note.k ** -slope(note.t)
        return np.asarray(steep * np.where(note.k % 2 == 0, 10 ** (even(note.t) / 20), 1), dtype=np.complex128)

    return behind(source(rng), colour)


def comb(rng: Rng, source: Oscillator) -> Partials:
    """A short delay that is added or fed back, as in flangers."""
    octave = turning(0.0, float(rng.uniform(0.5, 2.0)))
    delay = log_uniform(rng, 2e-4, 1e-3)
    depth = float(rng.uniform(0.4, 0.95) * rng.choice([-1, 1]))
    back = rng.random() < 0.4

    def colour(note: NoteRequest) -> Complexes:
        echo = depth * np.exp(-2j * np.pi * note.hz * delay * 2 ** octave(note.t))
        return np.asarray(1 / (1 - 0.8 * echo) if back else 1 + echo)

    return behind(source(rng), colour)


def peaks(rng: Rng, source: Oscillator) -> Partials:
    """Bumps and dips, as of a body, an equaliser or a mouth, which move on the ERB scale."""
    count = int(rng.integers(1, 5))
    places, gains = rng.uniform(3, 38, (2, count)), rng.uniform(6, 30, (2, count))
    if rng.random() < 0.8:
        places.sort(axis=1)
    if rng.random() < 0.3:
        gains[1] = gains[0]
    gains *= np.where(rng.random(count) < 0.8, 1, -1)
    widths = np.exp(rng.uniform(np.log(0.5), np.log(4), count))

    def colour(note: NoteRequest) -> Complexes:
        erb, x = hz_to_erb(note.hz.astype(np.float32)), position(note.t)
        db = np.zeros((len(note.t), note.k.shape[1]))
        for number in range(count):
            place = (1 - x) * places[0, number] + x * places[1, number]
            gain = (1 - x) * gains[0, number] + x * gains[1, number]
            db += gain * np.exp(-0.5 * ((erb - place) / widths[number]) ** 2)
        return np.asarray(10 ** (db / 20) + 0j)

    return behind(source(rng), colour)
