"""Random instruments in closed form, of several kinds of synthesis. The name and a seed decide their parameters."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from nsynth_core.audio import Sound
from nsynth_core.training import knob_patches, waves
from nsynth_core.training.designs import DESIGNS
from nsynth_core.training.patches import Complexes, Gain, NoteRequest, Partials, Patch, Reals, log_uniform, play, seeded
from nsynth_core.training.waves import Colour, Path

Rng = np.random.Generator


def _path(rng: Rng, low: float, high: float) -> Path:
    """A random path within low..high: still, falling, rising or a slow wave."""
    a, b = sorted(rng.uniform(low, high, 2))
    pace, turn = float(rng.uniform(0.15, 1.0)), float(rng.uniform(0, 1))
    kind = rng.choice(["still", "fall", "rise", "wave"], p=[0.3, 0.35, 0.15, 0.2])
    if kind == "still":
        return waves.still(float(rng.choice([a, b])))
    if kind == "wave":
        return waves.wave(a, b, 0.8 / pace, turn)
    return waves.glide(b, a, pace) if kind == "fall" else waves.glide(a, b, pace)


def _colour(rng: Rng, lowest: float = 7.5) -> Colour:
    """No filter, or one with a cutoff of 2 ** lowest Hz or more, which stays or moves by up to five octaves."""
    kind = str(rng.choice(["none", "low", "low", "low4", "band", "high"]))
    if kind == "none":
        return waves.bright
    base = lowest + float(rng.uniform(0, 2.5))
    octave = _path(rng, base, base + 4) if kind != "high" else _path(rng, 6, 9)
    # a little of the dry sound, so that notes far from the band are not silent
    dry = 0.03 if kind in ("band", "high") else 0.0
    return waves.filtered(kind, octave, log_uniform(rng, 0.6, 9), float(rng.uniform(0, 1)), dry)


def _held(rng: Rng, partials: Partials) -> Patch:
    """A patch with a random envelope, and sometimes vibrato."""
    sustain = float(rng.choice([1.0, rng.uniform(0.2, 0.9)]))
    vibrato = float(rng.uniform(0, 20)) if rng.random() < 0.2 else 0.0
    return Patch(
        partials,
        attack=log_uniform(rng, 0.004, 0.25),
        decay=float(rng.uniform(0.2, 1.5)),
        sustain=sustain,
        vibrato=vibrato,
        vibrato_hz=float(rng.uniform(4.5, 6.5)),
    )


def _fm(rng: Rng) -> Patch:
    carrier = int(rng.choice([1, 1, 1, 1, 2, 3]))
    modulator = int(rng.choice([1, 1, 2, 2, 3, 4, 5, 7, 9, 11, 14]))
    third = float(rng.uniform(0, 1.5)) if rng.random() < 0.3 else 0.0
    index = _path(rng, 0.0, log_uniform(rng, 0.8, 8))
    return _held(rng, waves.fm(carrier, modulator, index, third, float(rng.uniform(0, 0.5))))


def _pwm(rng: Rng) -> Patch:
    return _held(rng, waves.pulse(_path(rng, 0.04, 0.5), _colour(rng)))


def _sync(rng: Rng) -> Patch:
    shape = str(rng.choice(["saw", "sine", "square"]))
    return _held(rng, waves.sync(_path(rng, 1.0, float(rng.uniform(2, 7))), shape, _colour(rng)))


def _analog(rng: Rng) -> Patch:
    saw, square, triangle = (float(share) for share in rng.dirichlet([0.6, 0.6, 0.3]))
    return _held(rng, waves.analog(saw, square, triangle, _colour(rng), float(rng.uniform(-0.3, 0.3))))


def _supersaw(rng: Rng) -> Patch:
    square = float(rng.choice([0.0, rng.uniform(0, 0.6)]))
    patch = _held(rng, waves.analog(1 - square, square, 0.0, _colour(rng, lowest=9.5), float(rng.uniform(-0.2, 0.2))))
    return replace(patch, voices=int(rng.choice([3, 5, 7])), spread=float(rng.uniform(4, 18)), vibrato=0.0)


def _fold(rng: Rng) -> Patch:
    drive, bias = _path(rng, 0.5, float(rng.uniform(3, 14))), _path(rng, 0, 1.5)
    return _held(rng, waves.fold(drive, bias, float(rng.uniform(0, 1)), _colour(rng)))


def _spectrum(rng: Rng) -> Callable[[NoteRequest], Reals]:
    """A random spectrum in dB: a slope, weaker even partials, weaker multiples, gaps, and bumps in Hz."""
    slope, comb = float(rng.uniform(3, 15)), int(rng.integers(2, 8))
    even, combed = (float(rng.uniform(0, db)) * (rng.random() < 0.4) for db in (40, 25))
    rough = rng.normal(0, rng.uniform(0, 9), 1024)
    gone = rng.random(1024) > (rng.uniform(0.25, 0.7) if rng.random() < 0.3 else 1.0)
    centres = 2 ** rng.uniform(np.log2(250), np.log2(9000), 4)
    heights, widths = rng.uniform(-15, 18, 4), rng.uniform(0.15, 0.7, 4)

    def db(note: NoteRequest) -> Reals:
        k = note.k.astype(int)
        level = rough[k % 1024] - slope * np.log2(note.k) - even * (k % 2 == 0) - combed * (k % comb == 0)
        level -= 60.0 * (gone[k % 1024] & (k > 1))
        octaves = np.log2(note.hz[..., None] / centres)
        return np.asarray(level + (heights * np.exp(-0.5 * (octaves / widths) ** 2)).sum(-1))

    return db


def _additive(rng: Rng) -> Patch:
    """A patch that goes from one random spectrum to another."""
    first, second, path = _spectrum(rng), _spectrum(rng), _path(rng, 0.0, 1.0)
    phases = rng.uniform(0, 2 * np.pi, 1024)

    def partials(note: NoteRequest) -> Complexes:
        mix = path(note.t)
        db = first(note) * (1 - mix) + second(note) * mix
        return np.asarray(10 ** (db / 20) * np.exp(1j * phases[note.k.astype(int) % 1024]))

    return _held(rng, partials)


def _breath(rng: Rng) -> Patch:
    """A blown pipe: a random spectrum and a wide band of noise above the fundamental."""
    centre, q = log_uniform(rng, 600, 6000), float(rng.uniform(0.4, 2))

    def blow(note: NoteRequest, hz: Reals) -> Complexes:
        return waves.resonator(hz, np.full((len(note.t), 1), centre), q, "band")

    return replace(_additive(rng), noise=blow, noise_db=float(rng.uniform(-34, -16)))


def _pluck(rng: Rng) -> Patch:
    pickup = float(rng.uniform(0.04, 0.5)) if rng.random() < 0.6 else 0.5
    body = (2 ** rng.uniform(np.log2(90), np.log2(1500), 5), rng.uniform(0, 12, 5), rng.uniform(0.08, 0.5, 5))
    point, tone, life, loss = (float(rng.uniform(a, b)) for a, b in ((0.04, 0.5), (0.3, 1.6), (0.3, 2.5), (0.2, 1.4)))
    return Patch(waves.string(point, pickup, tone, life, loss, body), attack=0.002)


BARS = ([1, 4, 10, 18], [1, 3, 6, 10], [1, 2, 3, 4, 5, 6, 8, 10, 12], [1, 2, 5, 9, 14], [1, 2, 4, 6, 9, 12, 16])


def _bell(rng: Rng) -> Patch:
    numbers = BARS[rng.integers(len(BARS))]
    slope, life, power = rng.uniform(0.3, 1.6), rng.uniform(0.3, 3.0), rng.uniform(0.2, 1.1)
    depth = float(rng.uniform(0, 0.5))
    modes = [
        waves.Mode(
            n, float(rng.normal(0, 5) - 6 * slope * np.log2(n)), life / n**power, depth, float(rng.uniform(0.5, 5))
        )
        for n in numbers
    ]
    return Patch(waves.bars(modes, float(rng.uniform(-70, -45))), attack=0.002)


def _vowel(rng: Rng, vowel: str) -> Patch:
    speaker, size = int(rng.integers(3)), rng.uniform(0.94, 1.06)

    def someone(vowel: str) -> tuple[float, ...]:
        return tuple(hz * size * float(rng.uniform(0.97, 1.03)) for hz in waves.formants(vowel, speaker))

    start, *rest = vowel.split("-")
    first = someone(start)
    last = someone(rest[0]) if rest else first
    tract = waves.Tract(first, last, waves.glide(0, 1, float(rng.uniform(0.3, 1.0))), float(rng.uniform(0.9, 1.9)))
    noise: Gain = tract.gain
    patch = _held(rng, waves.sung(tract, float(rng.uniform(0.5, 0.75)), float(rng.uniform(0.2, 1.2))))
    return replace(
        patch,
        voices=int(rng.choice([1, 1, 1, 4])),
        spread=float(rng.uniform(6, 14)),
        vibrato=float(rng.uniform(0, 30)),
        jitter=float(rng.uniform(2, 8)),
        noise=noise,
        noise_db=float(rng.uniform(-48, -24)),
    )


KINDS: dict[str, tuple[str, int, Callable[[Rng], Patch]]] = {
    "fm": ("synth", 28, _fm),
    "pwm": ("synth", 12, _pwm),
    "sync": ("lead", 12, _sync),
    "analog": ("synth", 24, _analog),
    "supersaw": ("lead", 10, _supersaw),
    "additive": ("synth", 24, _additive),
    "fold": ("synth", 12, _fold),
    "pluck": ("plucked", 14, _pluck),
    "bell": ("bell", 12, _bell),
    "breath": ("pipe", 8, _breath),
}
SUNG = {"a": 7, "e": 6, "i": 6, "o": 6, "u": 6, "ae": 3, "er": 3, "a-i": 2, "o-a": 2, "u-i": 2, "i-a": 2}


def names() -> dict[str, str]:
    """{name: family} of all instruments in closed form: the random kinds, vowels, designs, and patches with a knob."""
    families = {f"{kind}/{n:03d}": family for kind, (family, count, _) in KINDS.items() for n in range(count)}
    families.update({f"vowel/{vowel}-{n:02d}": "voice" for vowel, count in SUNG.items() for n in range(count)})
    families.update({f"design/{name}": family for name, (family, _) in DESIGNS.items()})
    families.update(dict.fromkeys(knob_patches.names(), knob_patches.FAMILY))
    return families


@dataclass(frozen=True)
class SyntheticInstrument:
    """An instrument in closed form that can be played as a `Source`. `name` is one of names(). The name and the seed
    decide everything random."""

    name: str
    seed: int = 0

    def patch(self) -> Patch:
        """How the instrument sounds."""
        kind, rest = self.name.split("/")
        if kind == "design":
            return DESIGNS[rest][1]
        rng = seeded(self.seed, self.name)
        if kind == knob_patches.FAMILY:
            return knob_patches.patch(self.name, rng)
        return _vowel(rng, rest.rsplit("-", 1)[0]) if kind == "vowel" else KINDS[kind][2](rng)

    def __call__(self, midi: float, velocity: int, rate: int, held: float) -> Sound:
        """The note `midi`, stereo, held for `held` seconds, and its release."""
        luck = seeded(self.seed, self.name, round(midi * 100), velocity)
        return play(self.patch(), midi, velocity, rate, held, luck)
