"""Patches with one knob to turn, in closed form: between two settings of it lies a sound that is known.

A blend of two instruments has no right answer; between two settings of one knob there is one. The corpus holds notes
whose knob turns while they sound; `pairs` shows the network of what lies between two spectra the ends of a turn and the
way there. The settings are drawn from a generator, and none is one the report asks for.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from nsynth_core.sound.features import hz_to_erb
from nsynth_core.training import waves
from nsynth_core.training.patches import Complexes, NoteRequest, Partials, Patch, Reals, series
from nsynth_core.training.waves import Colour, Path

Rng = np.random.Generator
Oscillator = Callable[[Rng], Partials]  # draws what a filter is put behind
Knob = Callable[[Rng, Oscillator], Partials]  # draws a patch; its knob stands at position(note.t)

FAMILY = "turn"
START, END = 0.1, 2.4  # seconds: where the turn begins and ends; the note is held a little longer


def position(seconds: Reals) -> Reals:
    """Where the knob is, 0..1."""
    return np.asarray(np.clip((seconds - START) / (END - START), 0, 1))


def seconds(position: Reals) -> Reals:
    """When the knob is there: the inverse of `position`."""
    return START + np.asarray(position) * (END - START)


def _turn(low: float, high: float, bend: float = 1.0) -> Path:
    """From `low` to `high` as position ** bend."""
    return lambda t: low + (high - low) * position(t) ** bend


def _even(rng: Rng, low: float, high: float) -> float:
    """Drawn evenly in the logarithm."""
    return float(np.exp(rng.uniform(np.log(low), np.log(high))))


def oscillator(rng: Rng) -> Partials:
    """A wave to put a filter behind: saw, square, triangle and what lies between, pulses, rough spectra."""
    kind = rng.random()
    tilt = float(rng.uniform(-0.4, 0.6)) if rng.random() < 0.6 else 0.0
    if kind < 0.35:
        return waves.analog(1.0, 0.0, 0.0, tilt=tilt)
    if kind < 0.6:
        return waves.pulse(waves.still(0.5 if rng.random() < 0.4 else float(rng.uniform(0.05, 0.5))))
    if kind < 0.85:
        saw, square, triangle = (float(share) for share in rng.dirichlet([0.8, 0.6, 0.3]))
        return waves.analog(saw, square, triangle, tilt=tilt)
    rough = np.abs(rng.normal(0, 6, 40))
    place = np.linspace(0, 10, len(rough))
    return lambda note: np.asarray(10 ** (np.interp(np.log2(note.k), place, rough) / 20) / note.k ** (1 + tilt) + 0j)


def _behind(source: Partials, colour: Colour) -> Partials:
    return lambda note: np.asarray(source(note) * colour(note))


def _filter(kind: str, octave: Path, q: Path, dry: float = 0.0) -> Colour:
    """waves.filtered without a key or a velocity to follow, its quality a path, too."""

    def gain(note: NoteRequest) -> Complexes:
        cutoff = 2.0 ** octave(note.t)
        if kind == "low4":
            low = waves.resonator(note.hz, cutoff, 0.54, "low") * waves.resonator(note.hz, cutoff, q(note.t), "low")
            return low + dry
        if kind == "notch":
            return np.asarray(1 - waves.resonator(note.hz, cutoff, q(note.t), "band") + dry)
        return waves.resonator(note.hz, cutoff, q(note.t), kind) + dry

    return gain


def _cutoff(rng: Rng, source: Oscillator) -> Partials:
    kind = str(rng.choice(["low", "low", "low", "low4", "band", "band", "high", "notch"]))
    span = float(rng.uniform(0.7, 4.8))
    low = float(rng.uniform(6.6, 13.6 - span))
    q = 0.71 if kind in ("low", "low4") and rng.random() < 0.3 else _even(rng, 0.5, 16)
    dry = _even(rng, 0.001, 0.1) if rng.random() < 0.25 else 0.0
    return _behind(source(rng), _filter(kind, _turn(low, low + span), waves.still(q), dry))


def _resonance(rng: Rng, source: Oscillator) -> Partials:
    kind = str(rng.choice(["low", "low", "low4", "band", "high"]))
    low, high = _even(rng, 0.4, 1.5), _even(rng, 3, 25)
    damping = rng.random() < 0.5  # some filters turn 1 / q evenly, others octaves of q

    def q(t: Reals) -> Reals:
        x = position(t)
        return np.asarray(1 / ((1 - x) / low + x / high) if damping else low ** (1 - x) * high**x)

    return _behind(source(rng), _filter(kind, waves.still(float(rng.uniform(7.5, 13))), q))


def _formants(rng: Rng) -> tuple[float, ...]:
    if rng.random() < 0.6:
        size = rng.uniform(0.88, 1.14)
        return tuple(hz * size for hz in waves.formants(str(rng.choice(sorted(waves.VOWELS))), int(rng.integers(3))))
    ranges = ((200, 1100), (700, 2900), (1800, 3800), (3000, 5000), (4000, 6000), (5000, 7500))
    return tuple(sorted(_even(rng, low, high) for low, high in ranges))


def _vowel(rng: Rng, source: Oscillator) -> Partials:
    start, end = _formants(rng), _formants(rng)
    if rng.random() < 0.35:
        return _behind(source(rng), _bank(rng, start, end))
    count = int(rng.choice([2, 3, 3, 4, 5, 6, 6]))
    tract = waves.Tract(start[:count], end[:count], _turn(0.0, 1.0), float(rng.uniform(0.5, 2.0)))
    if rng.random() < 0.2:
        return waves.sung(tract, float(rng.uniform(0.5, 0.75)), float(rng.uniform(0.2, 1.2)))
    return _behind(source(rng), lambda note: tract.gain(note, note.hz))


def _bank(rng: Rng, start: tuple[float, ...], end: tuple[float, ...]) -> Colour:
    """Band-passes side by side, as formant filters of synths have them; each glides in octaves, its gain in dB."""
    count = int(rng.integers(2, 6))
    levels = rng.uniform(-24, 0, (2, count))
    q = _even(rng, 3, 20)

    def gain(note: NoteRequest) -> Complexes:
        x = position(note.t)
        out = np.zeros((len(note.t), note.k.shape[1]), dtype=np.complex128)
        for number in range(count):
            centre = start[number] ** (1 - x) * end[number] ** x
            level = 10 ** (((1 - x) * levels[0, number] + x * levels[1, number]) / 20)
            out += level * waves.resonator(note.hz, centre, q, "band")
        return out

    return gain


def _lobes(rng: Rng, source: Oscillator) -> Partials:
    """Formants as speech synthesisers draw them: lobes, and next to nothing between them, over an even spectrum or
    another sound's. They glide in octaves or, as from one vowel to the next, in Hz."""
    start, end = _formants(rng), _formants(rng)
    count = int(rng.integers(1, 7))
    levels = np.cumsum(rng.uniform(-14, 2, (2, count)), axis=1)
    widths = np.exp(rng.uniform(np.log(50), np.log(250), (2, count)))
    floor, octaves = _even(rng, 1e-5, 1e-2), rng.random() < 0.5

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

    return _behind(source(rng), gain) if rng.random() < 0.5 else gain


def _pulse(rng: Rng, _: Oscillator) -> Partials:
    wide = 0.5 if rng.random() < 0.4 else float(rng.uniform(0.25, 0.5))
    return waves.pulse(_turn(wide, float(rng.uniform(0.03, wide - 0.05))))


def _fm(rng: Rng, _: Oscillator) -> Partials:
    carrier, modulator = int(rng.choice([1, 1, 1, 2, 3])), int(rng.choice([1, 1, 1, 2, 2, 3, 4]))
    low = 0.0 if rng.random() < 0.3 else float(rng.uniform(0.0, 1.2))
    # from nothing on, many synths turn their depths by squares
    index = _turn(low, low + _even(rng, 1.0, 12.0), 2.0 if low == 0 and rng.random() < 0.5 else 1.0)
    if rng.random() < 0.15:
        return _feedback(index)
    third = float(rng.uniform(0, 1.5)) if rng.random() < 0.3 else 0.0
    phase = float(rng.uniform(0, 2 * np.pi)) if rng.random() < 0.3 else 0.0
    square = rng.random() < 0.15  # a richer modulator

    def waveform(cycle: Reals, t: Reals) -> Reals:
        turn = 2 * np.pi * cycle
        inner = np.sin(modulator * turn + phase + third * np.sin(turn))
        return np.asarray(np.sin(carrier * turn + index(t) * (np.tanh(2 * inner) if square else inner)))

    return lambda note: series(note, waveform)


def _feedback(index: Path) -> Partials:
    """An oscillator that modulates its own phase (Tomisawa 1981), by some steps of its fixed point."""

    def waveform(cycle: Reals, t: Reals) -> Reals:
        depth = np.minimum(index(t) / 4, 1.2)
        out = np.zeros((len(t), cycle.shape[1]))
        for _ in range(6):
            out = np.sin(2 * np.pi * cycle + depth * out)
        return out

    return lambda note: series(note, waveform)


SHAPERS: dict[str, Callable[[Reals], Reals]] = {
    "sine": np.sin,
    "soft": np.tanh,
    "triangle": lambda x: np.arcsin(np.sin(x)),
    "hard": lambda x: np.clip(x, -1, 1),
}


def _fold(rng: Rng, _: Oscillator) -> Partials:
    kind = str(rng.choice(["sine", "sine", "sine", "soft", "triangle", "hard"]))
    shape = SHAPERS[kind]
    low = float(rng.uniform(0.3, 1.6))
    drive = _turn(low, (low + float(rng.uniform(1.5, 6.5))) * (2 if kind in ("soft", "hard") else 1))
    bias = float(rng.uniform(0, 1.2)) if rng.random() < 0.5 else 0.0
    blunt = 1.0 if rng.random() < 0.6 else float(rng.uniform(0, 1))

    def waveform(cycle: Reals, t: Reals) -> Reals:
        sine = np.sin(2 * np.pi * cycle)
        return shape(drive(t) * (blunt * sine + (1 - blunt) * np.arcsin(sine) * (2 / np.pi)) + bias)

    return lambda note: series(note, waveform)


def _sync(rng: Rng, _: Oscillator) -> Partials:
    low = float(rng.uniform(1.0, 3.0))
    shape = str(rng.choice(["saw", "sine", "square"]))
    return waves.sync(_turn(low, low + float(rng.uniform(0.5, 3.5))), shape)


def _tilt(rng: Rng, source: Oscillator) -> Partials:
    """Steeper or flatter, by 6 dB an octave; often with the even partials going up or down."""
    slope = _turn(*(float(each) for each in rng.uniform(-0.6, 1.5, 2)))
    even = _turn(*(float(each) for each in rng.uniform(-40, 0, 2))) if rng.random() < 0.4 else waves.still(0.0)

    def colour(note: NoteRequest) -> Complexes:
        steep = note.k ** -slope(note.t)
        return np.asarray(steep * np.where(note.k % 2 == 0, 10 ** (even(note.t) / 20), 1), dtype=np.complex128)

    return _behind(source(rng), colour)


def _comb(rng: Rng, source: Oscillator) -> Partials:
    """A short delay laid on the sound, or fed back: flangers, and strings plucked or picked up elsewhere."""
    octave = _turn(0.0, float(rng.uniform(0.5, 2.0)))
    delay = _even(rng, 2e-4, 1e-3)
    depth = float(rng.uniform(0.4, 0.95) * rng.choice([-1, 1]))
    back = rng.random() < 0.4

    def colour(note: NoteRequest) -> Complexes:
        echo = depth * np.exp(-2j * np.pi * note.hz * delay * 2 ** octave(note.t))
        return np.asarray(1 / (1 - 0.8 * echo) if back else 1 + echo)

    return _behind(source(rng), colour)


def _point(rng: Rng, _: Oscillator) -> Partials:
    """A string plucked here or there."""
    point, tone = _turn(*(float(each) for each in rng.uniform(0.05, 0.5, 2))), float(rng.uniform(0.5, 2.0))
    return lambda note: np.asarray(np.sin(np.pi * note.k * point(note.t)) * note.k**-tone + 0j)


def _peaks(rng: Rng, source: Oscillator) -> Partials:
    """Bumps and dips of a body, an equaliser or a mouth, moving over the ERB scale."""
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

    return _behind(source(rng), colour)


def _fade(rng: Rng, source: Oscillator) -> Partials:
    """Two waves in phase, one faded into the other."""
    first, second, share = source(rng), source(rng), _turn(0.0, 1.0)
    return lambda note: np.asarray(
        (1 - share(note.t)) * np.abs(first(note)) + share(note.t) * np.abs(second(note)) + 0j
    )


TURNS: dict[str, tuple[int, float, Knob]] = {  # notes' patches in the corpus, share of the pairs, knob
    "cutoff": (24, 0.22, _cutoff),
    "resonance": (6, 0.06, _resonance),
    "vowel": (16, 0.22, _vowel),
    "lobes": (0, 0.20, _lobes),
    "pulse": (10, 0.07, _pulse),
    "fm": (16, 0.14, _fm),
    "fold": (12, 0.09, _fold),
    "sync": (6, 0.04, _sync),
    "tilt": (0, 0.04, _tilt),
    "comb": (4, 0.03, _comb),
    "point": (4, 0.03, _point),
    "peaks": (6, 0.14, _peaks),
    "fade": (0, 0.01, _fade),
}


def names() -> list[str]:
    """The names of all patches of the corpus, such as "turn/cutoff-03"."""
    return [f"{FAMILY}/{kind}-{n:02d}" for kind, (count, _, _) in TURNS.items() for n in range(count)]


def patch(name: str, rng: Rng) -> Patch:
    """The patch called `name`, its settings drawn from `rng`."""
    knob = TURNS[name.split("/")[1].rsplit("-", 1)[0]][2]
    return Patch(knob(rng, oscillator))
