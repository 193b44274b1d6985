"""The catalogue: the sounds that the networks are trained on, and that the built-in instruments are made from."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path

import numpy as np

from nsynth_core.audio import Sound
from nsynth_core.training import espeak, knob_patches, soundfont, synthetic_instruments
from nsynth_core.training.soundfont import SoundfontPreset
from nsynth_core.training.synthetic_instruments import SyntheticInstrument

HELD_SECONDS = 2.5
LOW_KEY, HIGH_KEY, KEY_STEP = 24, 100, 5
VELOCITIES = (55, 110)
HELD_OUT = {"test": 0.12, "validation": 0.10}
NOT_SHIPPED = "training only"
SILENT = 1e-3  # the peak of a note, -60 dBFS, below which it counts as missing

Render = Callable[[float, int, int, float], Sound]


@dataclass(frozen=True)
class Source:
    """One instrument of the catalogue. It can be pickled, so that processes can share a catalogue.

    name      such as "fluidr3/000-073-flute"
    split     "train", "validation" or "test"
    play      play(midi, velocity 1..127, rate in Hz, seconds held) gives a stereo note
    low       its lowest and its highest key: MIDI numbers
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


FAMILIES = {  # the first General MIDI program of each run
    0: "piano", 6: "plucked", 8: "mallet", 14: "bell", 15: "plucked", 16: "organ", 22: "reed", 23: "organ",
    24: "guitar", 32: "bass", 40: "strings", 45: "plucked", 47: "mallet", 48: "ensemble", 52: "voice", 55: "effects",
    56: "brass", 64: "reed", 72: "pipe", 80: "lead", 88: "pad", 104: "plucked", 109: "reed", 110: "strings",
    111: "reed", 112: "bell", 114: "mallet", 115: "effects",
}  # fmt: skip

# MuseScore's banks 17, 18, 21, 26 ... hold the same samples as the others, with velocity on a controller
BANKS = (0, 8, 16, 20, 25, 30, 40, 50)

# Left out: hits, drums, noises and inharmonic sounds. The last have a median `fit` over seven keys below .60 that a
# lower pitch raises only because its multiples are denser: timpani .20, tubular bells .55, church bell .54
UNPITCHED = {47, 55, 113, *range(115, 128)}
BELLS = {(0, 14), (8, 14)}

# Semitones from the key to the sound, by `offset` at seven keys: organs with 16' stops or deeper, fifths, harmonics. A
# preset is in this table where most keys agree on a shift and the pitch of the key explains less than 90 %
OCTAVES = {
    (0, 16): -24,
    (0, 17): -12,
    (0, 18): -12,
    (0, 31): 24,
    (0, 86): -24,
    (0, 97): -12,
    (8, 16): -24,
    (8, 17): -24,
    (8, 19): -12,
}
LOWEST = {9: 72}  # below it the glockenspiel has only overtones

# Programs that share recordings stay in one split: those of which half or more of the samples are those of another, by
# the tables in the files. So do the presets of both soundfonts, and the variations, of one program
SAME = {
    1: 0, 3: 0, 84: 7, 98: 8, 17: 16, 22: 21, 23: 21, 99: 24, 107: 25, 28: 27, 36: 27, 103: 27, 39: 38, 86: 38, 87: 38,
    110: 40, 44: 48, 49: 48, 89: 48, 51: 50, 54: 52, 102: 52, 63: 62, 91: 85, 90: 88, 94: 88, 96: 88,
}  # fmt: skip

COLLECTIONS = {"fluidr3": "FluidR3_GM.sf2", "musescore": "MuseScore_General.sf3"}


def _slug(text: str) -> str:
    words = "".join(c if c.isalnum() else " " for c in text.lower()).split()
    return "-".join(words)


def _family(program: int) -> str:
    return [family for first, family in FAMILIES.items() if first <= program][-1]


def _presets(folder: Path | None) -> Iterator[tuple[str, Source]]:
    for collection, file in COLLECTIONS.items():
        path = soundfont.find_soundfont(file, folder)
        for (bank, program), name in soundfont.preset_names(path).items():
            if bank not in BANKS or program in UNPITCHED or (bank, program) in BELLS:
                continue
            full = f"{collection}/{bank:03d}-{program:03d}-{_slug(name)}"
            play = SoundfontPreset(path, bank, program, OCTAVES.get((bank, program), 0))
            low = LOWEST.get(program, LOW_KEY)
            yield f"gm/{SAME.get(program, program)}", Source(full, _family(program), "train", "MIT", play, low)


def _synthetic(seed: int) -> Iterator[tuple[str, Source]]:
    for name, family in synthetic_instruments.names().items():
        yield name, Source(name, family, "train", "Apache-2.0", SyntheticInstrument(name, seed))
    espeak.check_installed()
    for family, spoken in (("voice", espeak.SPOKEN), (espeak.FAMILY, espeak.speech())):
        for name, (voice, phoneme) in spoken.items():
            play = espeak.SpokenVowel(voice, phoneme)
            yield name, Source(name, family, "train", NOT_SHIPPED, play, *espeak.keys(voice))


def catalogue(seed: int = 0, soundfonts: Path | None = None) -> list[Source]:
    """Every source, in a fixed order. Whole presets are held out, and presets that share samples share a split.

    seed: decides the splits and the synthetic instruments
    soundfonts: the folder of the two soundfonts, None for the places where distributions put them
    Raises UserError for a missing soundfont, FluidSynth or espeak-ng.
    """
    grouped = [*_presets(soundfonts), *_synthetic(seed)]
    split = _splits(grouped, seed)
    return [replace(source, split=split[group]) for group, source in grouped]


def _splits(grouped: list[tuple[str, Source]], seed: int) -> dict[str, str]:
    """The split of each group. In each family, the groups in the order of their hash fill the held-out shares.

    Patches with a knob and speech are only trained on. The report measures other patches (`evaluation.knob_sweeps`),
    words, and other voices.
    """
    groups: dict[str, list[Source]] = {}
    for group, source in grouped:
        groups.setdefault(group, []).append(source)
    split = dict.fromkeys(groups, "train")
    for family in sorted({source.family for _, source in grouped} - {knob_patches.FAMILY, espeak.FAMILY}):
        order = sorted((g for g in groups if groups[g][0].family == family), key=lambda g: _hash(f"{seed}/{g}"))
        total = sum(len(groups[group]) for group in order)
        for name, share in HELD_OUT.items():
            room = max(2, round(share * total))  # 2: a program in both soundfonts
            for group in order:
                if split[group] == "train" and len(groups[group]) <= room:
                    split[group] = name
                    room -= len(groups[group])
    return split


def plan(source: Source, seed: int = 0) -> list[tuple[int, int]]:
    """The (midi, velocity) of the notes of `source`: keys KEY_STEP apart, two velocities each, varied by `seed`."""
    rng = np.random.default_rng(_hash(f"{seed}/{source.name}"))
    wanted = []
    for key in range(source.low, source.high + 1, KEY_STEP):
        midi = int(np.clip(key + rng.integers(-2, 3), source.low, source.high))
        wanted += [(midi, velocity + int(rng.integers(-12, 13))) for velocity in VELOCITIES]
    return wanted


def notes(source: Source, seed: int = 0, rate: int = 48_000) -> Iterator[tuple[int, int, Sound]]:
    """(midi, velocity, sound) of each note of plan() that is not silent."""
    for midi, velocity in plan(source, seed):
        sound = source.render(midi, velocity, rate)
        if np.abs(sound.samples).max() > SILENT:
            yield midi, velocity, sound


SHIFTS = (24, 19, 12, 0, -12, -19, -24)
WINDOW_SECONDS = (0.2, 0.88)


def fit(sound: Sound, midi: float) -> float:
    """The share of a sound's power, 0..1, within 35 cents of a multiple of the pitch `midi`. The attack is left out."""
    start, stop = (round(second * sound.rate) for second in WINDOW_SECONDS)
    x = sound.samples[start:stop]
    power = (np.abs(np.fft.rfft(x * np.hanning(len(x))[:, None], axis=0)) ** 2).sum(1)
    hz = np.fft.rfftfreq(len(x), 1 / sound.rate)
    f0 = 440.0 * 2 ** ((midi - 69) / 12)
    number = np.maximum(np.round(hz / f0), 1)
    near = np.minimum(np.maximum(0.02 * number * f0, 4.0), 0.2 * f0)
    band = (hz > 15) & (hz < 20_000)
    return float(power[band & (np.abs(hz - number * f0) <= near)].sum() / (power[band].sum() + 1e-30))


def offset(sound: Sound, midi: float) -> int:
    """Semitones from `midi` to the pitch of the sound: the highest of SHIFTS whose `fit` is within .05 of the best."""
    shares = {shift: fit(sound, midi + shift) for shift in SHIFTS}
    return next(shift for shift in SHIFTS if shares[shift] >= max(shares.values()) - 0.05)
