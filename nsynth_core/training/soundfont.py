"""Notes of SoundFont presets, rendered by FluidSynth in this process: stereo, float, without reverb and chorus."""

from __future__ import annotations

import ctypes
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from nsynth_core.audio import Floats, Sound
from nsynth_core.errors import UserError, missing_extra

TAIL_SECONDS = 0.7
GAIN = 0.75  # the loudest note of both soundfonts (velocity 127) peaks below full scale
BLOCK = 64  # FluidSynth renders in blocks of this many samples; notes start on a block

FOLDERS = (Path("/usr/share/sounds/sf2"), Path("/usr/share/sounds/sf3"), Path("/usr/share/soundfonts"))
PACKAGES = {
    "FluidR3_GM.sf2": "fluid-soundfont-gm",
    "MuseScore_General.sf3": "musescore-general-soundfont",
    "TimGM6mb.sf2": "timgm6mb-soundfont",  # this one and the next are only measured, in the report
    "OPL-3_FM_128M.sf2": "opl3-soundfont",
}


def find_soundfont(file: str, folder: Path | None = None) -> Path:
    """The path of the soundfont `file` in `folder`, None for the places where distributions put it.

    Raises UserError where it is missing.
    """
    for place in (folder,) if folder else FOLDERS:
        path = place / file
        if path.is_file():
            return path
    where = f"not in {folder}" if folder else "not installed"
    raise UserError(f"{file}: {where}; install the Debian package {PACKAGES[file]}, or give the folder that holds it")


@lru_cache(maxsize=4)
def _library() -> tuple[Any, Any, Any]:
    try:
        import fluidsynth
    except ImportError as error:  # the package is missing, or the library that it looks for
        raise missing_extra(error) or UserError(
            f"FluidSynth is missing ({error}); install the Debian package libfluidsynth3"
        ) from error
    pointer, number = ctypes.c_void_p, ctypes.c_int
    # pyfluidsynth has only the 16-bit writer
    write = fluidsynth.cfunc(
        "fluid_synth_write_float",
        number,
        ("synth", pointer, 1),
        ("len", number, 1),
        ("lout", pointer, 1),
        ("loff", number, 1),
        ("lincr", number, 1),
        ("rout", pointer, 1),
        ("roff", number, 1),
        ("rincr", number, 1),
    )
    interpolation = fluidsynth.cfunc(
        "fluid_synth_set_interp_method",
        number,
        ("synth", pointer, 1),
        ("chan", number, 1),
        ("interp_method", number, 1),
    )
    return fluidsynth, write, interpolation


@lru_cache(maxsize=4)
def _loaded(path: Path, rate: int) -> tuple[Any, int]:
    fluidsynth, _, interpolation = _library()
    synth = fluidsynth.Synth(
        gain=GAIN,
        samplerate=float(rate),
        **{"synth.reverb.active": 0, "synth.chorus.active": 0, "synth.dynamic-sample-loading": 1},
    )
    number = synth.sfload(str(path))
    if number < 0:
        raise UserError("not a soundfont FluidSynth can load; install its Debian package again", path=path)
    interpolation(synth.synth, -1, 7)  # 7th order: the least aliasing FluidSynth offers
    return synth, number


def _write(synth: Any, count: int) -> Floats:
    _, write, _ = _library()
    samples = np.zeros((count, 2), dtype=np.float32)
    at = samples.ctypes.data
    write(synth.synth, count, at, 0, 2, at, 1, 2)
    return samples


def _silence(synth: Any) -> None:
    synth.all_sounds_off(0)
    _write(synth, 16 * BLOCK)  # voices that are cut fade within a block or two


def preset_names(path: Path) -> dict[tuple[int, int], str]:
    """{(bank, program): name} of every preset of the soundfont at `path`."""
    synth, number = _loaded(path, 48_000)
    names = {}
    for bank in range(129):
        for program in range(128):
            name = synth.sfpreset_name(number, bank, program)
            if name:
                names[bank, program] = str(name)
    return names


@dataclass(frozen=True)
class SoundfontPreset:
    """A preset of a soundfont that can be played as a `Source`. `octave`: semitones from the key to the sound."""

    path: Path
    bank: int
    program: int
    octave: int = 0

    def __call__(self, midi: float, velocity: int, rate: int, held: float) -> Sound:
        """The note that sounds at `midi`, held for `held` seconds, and TAIL_SECONDS of its release."""
        synth, number = _loaded(self.path, rate)
        key = int(np.clip(round(midi - self.octave), 0, 127))
        synth.program_select(0, number, self.bank, self.program)
        # +-8192 is +-2 semitones, 0 no bend
        synth.pitch_bend(0, int(np.clip(round((midi - self.octave - key) * 4096), -8192, 8191)))
        on, off = round(held * rate / BLOCK) * BLOCK, round(TAIL_SECONDS * rate / BLOCK) * BLOCK
        # the first block of a voice keeps something of what it played before: that must always be this note
        synth.noteon(0, key, velocity)
        _write(synth, 64 * BLOCK)
        _silence(synth)
        synth.noteon(0, key, velocity)
        sustained = _write(synth, on)
        synth.noteoff(0, key)
        released = _write(synth, off)
        _silence(synth)
        return Sound(np.concatenate([sustained, released]), rate)
