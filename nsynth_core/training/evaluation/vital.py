"""A real synth with a knob: Vital, through the package vita. That is GPL, so it is a test dependency only."""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nsynth_core.audio import Floats, Sound
from nsynth_core.errors import UserError

CYCLE = 2048
SECONDS = 0.8
WIDTHS = (0.5, 0.06, 33)  # first and last duty of the pulses in the table, and how many

Reals = NDArray[np.float64]


def pulse(width: float) -> Reals:
    """One cycle of a pulse of duty `width`, band-limited, peak 1."""
    number = np.arange(1, CYCLE // 2)
    spectrum = np.zeros(CYCLE // 2 + 1, dtype=np.complex128)
    spectrum[1:-1] = np.sin(np.pi * number * width) / number * np.exp(-1j * np.pi * number * width)
    cycle = np.fft.irfft(spectrum)
    return np.asarray(cycle / np.abs(cycle).max())


def sine() -> Reals:
    """One cycle of a sine."""
    return np.asarray(np.sin(2 * np.pi * np.arange(CYCLE) / CYCLE))


@dataclass(frozen=True)
class VitalPatch:
    """A patch of Vital with one knob.

    control   the knob, and its ends `low` and `high`
    settings  that differ from Vital's first preset
    waves     the cycles of each oscillator's table; without them it plays a saw
    """

    control: str
    low: float
    high: float
    settings: dict[str, float] = field(default_factory=dict)
    waves: tuple[Sequence[Reals], ...] = ()


PATCHES = {  # cutoff in MIDI semitones, FM amount and resonance 0..1, a table's position 0..256
    "filter cutoff": VitalPatch("filter_1_cutoff", 50, 110, {"filter_1_on": 1, "filter_1_resonance": 0.4}),
    "resonance": VitalPatch("filter_1_resonance", 0.0, 0.85, {"filter_1_on": 1, "filter_1_cutoff": 86}),
    "formant filter": VitalPatch("filter_1_formant_x", 0, 1, {"filter_1_on": 1, "filter_1_model": 5}),
    "FM amount": VitalPatch(
        "osc_1_distortion_amount",
        *(0.0, 0.5),
        {"osc_1_distortion_type": 7, "osc_2_on": 1, "osc_2_level": 0},
        ([sine()], [sine()]),
    ),
    "pulse-width table": VitalPatch(
        "osc_1_wave_frame", 0, 256, {}, ([pulse(width) for width in np.linspace(*WIDTHS)],)
    ),
}
STILL = {  # every note starts in the same phase, and nothing moves
    **{"osc_1_on": 1, "osc_1_phase": 0, "osc_1_random_phase": 0, "osc_2_random_phase": 0},
    **{"env_1_attack": 0, "env_1_sustain": 1},
}


def play(midi: int, turns: Sequence[float], rate: int) -> Iterator[tuple[str, list[Sound]]]:
    """(name, sounds) of each of PATCHES: the note `midi` with the knob at each of `turns`, 0..1, held for SECONDS.

    Raises UserError where vita is not installed.
    """
    try:
        import vita
    except ImportError as error:
        raise UserError("vita: not installed (Vital's patches); pip install vita") from error
    # Vital makes its thread flush subnormal numbers to zero for good, so it must not run in the caller's
    with ThreadPoolExecutor(1) as thread:
        synth = thread.submit(vita.Synth).result()
        for name, patch in PATCHES.items():
            yield name, thread.submit(_turned, synth, patch, midi, turns, rate).result()


def _turned(synth: Any, patch: VitalPatch, midi: int, turns: Sequence[float], rate: int) -> list[Sound]:
    synth.set_sample_rate(rate)
    synth.load_init_preset()
    preset = json.loads(synth.to_json())
    settings = preset["settings"]
    settings |= {key: 0.0 for key in settings if key.endswith("_on")} | STILL | patch.settings
    for place, waves in enumerate(patch.waves):
        positions = np.linspace(0, 256, max(2, len(waves)))
        settings["wavetables"][place]["groups"][0]["components"][0]["keyframes"] = [
            {"position": round(float(at)), "wave_data": b64encode(wave.astype("<f4").tobytes()).decode()}
            for at, wave in zip(positions, waves, strict=False)
        ]
    if not synth.load_json(json.dumps(preset)):
        raise UserError("vita: refuses a patch of this program; pip install -U vita")
    sounds = []
    for turn in turns:
        synth.get_controls()[patch.control].set(patch.low + (patch.high - patch.low) * turn)
        synth.render(midi, 1.0, 0.5, 0.5)  # controls glide from where they were
        samples: Floats = np.ascontiguousarray(synth.render(midi, 1.0, SECONDS, SECONDS).T, dtype=np.float32)
        sounds.append(Sound(samples, rate))
    return sounds
