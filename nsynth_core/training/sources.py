"""The catalogue of sounds the network is trained on and the built-in instruments are made from."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

import numpy as np

from nsynth_core.audio import Sound
from nsynth_core.training import soundfont, synthetic
from nsynth_core.training.soundfont import Preset

HELD_SECONDS = 2.5
LOW_KEY, HIGH_KEY, KEY_STEP = 24, 100, 5
VELOCITIES = (55, 110)
TEST_SHARE, VALIDATION_SHARE = 0.12, 0.10
SILENT = 1e-3  # a note whose peak stays below -60 dBFS is not there

Render = Callable[[float, int, int, float], Sound]


@dataclass(frozen=True)
class Source:
    """One instrument. `name` such as "fluidr3/000-073-flute"; `split` train, validation or test; keys `low`..`high`.

    `play(midi, velocity 1..127, rate in Hz, seconds held)` gives a stereo note. Pickles: workers can share a catalogue.
    """

    name: str
    family: str
    split: str
    licence: str
    play: Render
    low: int = LOW_KEY
    high: int = HIGH_KEY

    def render(self, midi: float, velocity: int = 100, rate: int = 48_000, held: float = HELD_SECONDS) -> Sound:
        """The note whose fundamental is `midi` (float), held for `held` seconds, and its release."""
        return self.play(midi, velocity, rate, held)


def _hash(text: str) -> int:
    return int.from_bytes(sha256(text.encode()).digest()[:8], "big")


def split_of(group: str, seed: int = 0) -> str:
    """train, validation or test, by hash: a new source never moves an old one."""
    place = _hash(f"{seed}/{group}") / 2**64
    return "test" if place < TEST_SHARE else "validation" if place < TEST_SHARE + VALIDATION_SHARE else "train"


FAMILIES = {  # the first General MIDI program of each run
    0: "piano", 6: "plucked", 8: "mallet", 14: "bell", 15: "plucked", 16: "organ", 22: "reed", 23: "organ",
    24: "guitar", 32: "bass", 40: "strings", 45: "plucked", 47: "mallet", 48: "ensemble", 52: "voice", 55: "effects",
    56: "brass", 64: "reed", 72: "pipe", 80: "lead", 88: "pad", 104: "plucked", 109: "reed", 110: "strings",
    111: "reed", 112: "bell", 114: "mallet", 115: "effects",
}  # fmt: skip

# MuseScore's banks 17, 18, 21, 26 ... hold the same samples as the others, with velocity on a controller
BANKS = (0, 8, 16, 20, 25, 30, 40, 50)
# hits, drums and noises: no pitch to follow
UNPITCHED = {55, 113, *range(115, 128)}
UNPITCHED_VARIATIONS = {(8, 31)}
# programs made of the same samples stay in one split
SAME = {1: 0, 3: 0, 110: 40, 49: 48, 44: 48, 14: 14, 5: 5}

COLLECTIONS = {"fluidr3": "FluidR3_GM.sf2", "musescore": "MuseScore_General.sf3"}


def _slug(text: str) -> str:
    words = "".join(c if c.isalnum() else " " for c in text.lower()).split()
    return "-".join(words)


def _family(program: int) -> str:
    return [family for first, family in FAMILIES.items() if first <= program][-1]


def _presets(seed: int, folder: Path | None) -> Iterator[Source]:
    for collection, file in COLLECTIONS.items():
        path = soundfont.find_soundfont(file, folder)
        for (bank, program), name in soundfont.preset_names(path).items():
            if bank not in BANKS or program in UNPITCHED or (bank, program) in UNPITCHED_VARIATIONS:
                continue
            full = f"{collection}/{bank:03d}-{program:03d}-{_slug(name)}"
            split = split_of(f"gm/{SAME.get(program, program)}", seed)
            yield Source(full, _family(program), split, "MIT", Preset(path, bank, program))


def catalogue(seed: int = 0, soundfonts: Path | None = None) -> list[Source]:
    """Every source, in a fixed order. Whole presets are held out; what shares its samples shares its split.

    Raises UserError when a soundfont or FluidSynth is missing.
    """
    found = list(_presets(seed, soundfonts))
    for name, family in synthetic.names().items():
        play = synthetic.Instrument(name, seed)
        found.append(Source(name, family, split_of(name, seed), "Apache-2.0", play))
    return found


def plan(source: Source, seed: int = 0) -> list[tuple[int, int]]:
    """The (midi, velocity) of the source's notes: keys KEY_STEP apart, two velocities each, jittered by `seed`."""
    rng = np.random.default_rng(_hash(f"{seed}/{source.name}"))
    wanted = []
    for key in range(source.low, source.high + 1, KEY_STEP):
        midi = int(np.clip(key + rng.integers(-2, 3), source.low, source.high))
        wanted += [(midi, velocity + int(rng.integers(-12, 13))) for velocity in VELOCITIES]
    return wanted


def notes(source: Source, seed: int = 0, rate: int = 48_000) -> Iterator[tuple[int, int, Sound]]:
    """(midi, velocity, sound) of every note of plan() that sounds; keys on which a preset is silent are left out."""
    for midi, velocity in plan(source, seed):
        sound = source.render(midi, velocity, rate)
        if np.abs(sound.samples).max() > SILENT:
            yield midi, velocity, sound
