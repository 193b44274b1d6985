"""Held vowels and consonants spoken by espeak-ng, a GPL program. They are only trained on; none of them is shipped."""

from __future__ import annotations

import io
import shutil
import subprocess
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import soundfile
import soxr

from nsynth_core.audio import Floats, Sound
from nsynth_core.errors import UserError
from nsynth_core.pitch import track

SETTINGS = (50, 75, 99)  # of espeak-ng's pitch; pitches between them are resampled
REPEATS = 12  # a long vowel lasts 0.2 s; so many are joined
FADE_SECONDS = 0.06

# left out: the voices f1 to f3 and m1, whose periods alternate in strength, so that their octave is not clear
SPOKEN = {  # source name: (voice, phoneme)
    "espeak/a-m3": ("de+m3", "a:"),
    "espeak/a-f5": ("de+f5", "a:"),
    "espeak/a-klatt": ("de+klatt", "a:"),
    "espeak/a-m7": ("it+m7", "a"),
    "espeak/e-klatt3": ("de+klatt3", "e:"),
    "espeak/e-f5": ("de+f5", "e:"),
    "espeak/i-m4": ("de+m4", "i:"),
    "espeak/i-m8": ("de+m8", "i:"),
    "espeak/i-f5": ("de+f5", "i:"),
    "espeak/o-m5": ("de+m5", "o:"),
    "espeak/o-klatt2": ("de+klatt2", "o:"),
    "espeak/o-f5": ("de+f5", "o:"),
    "espeak/u-m6": ("de+m6", "u:"),
    "espeak/u-f5": ("de+f5", "u:"),
    "espeak/y-m2": ("de+m2", "y:"),
    "espeak/y-m4": ("de+m4", "y:"),
}

# more voices, each with two of SOUNDS: many voices teach more than many vowels of one
FAMILY = "speech"
SPEAKERS = (
    "Alex", "Andrea", "Andy", "Denis", "Diogo", "Gene", "Henrique", "Hugo", "Lee", "Marco", "Mario", "Mike",
    "Nguyen", "Storm", "Tweaky", "adam", "anika", "antonio", "belinda", "benjamin", "boris", "ed", "edward", "iven",
    "john", "linda", "marcelo", "max", "michel", "miguel", "norbert", "pablo", "paul", "quincy", "robert", "steph",
)  # fmt: skip
HIGH = ("f5", "Andrea", "anika", "belinda", "linda", "steph")
SOUNDS = (
    "a:", "E:", "e:", "i:", "o:", "u:", "y:", "W:", "I", "O", "U", "3", "m", "N", "l", "w", "j", "aI", "aU", "OY",
)  # fmt: skip


def speech() -> dict[str, tuple[str, str]]:
    """{source name: (voice, phoneme)} of all SPEAKERS."""
    sounds = [(name, SOUNDS[(2 * i + 9 * j) % len(SOUNDS)]) for i, name in enumerate(SPEAKERS) for j in range(2)]
    return {f"{FAMILY}/{name.lower()}-{sound.strip(':')}": (f"de+{name}", sound) for name, sound in sounds}


def check_installed() -> None:
    """Raise UserError when espeak-ng is missing."""
    if shutil.which("espeak-ng") is None:
        raise UserError("espeak-ng is not installed; install the Debian package espeak-ng")


def keys(voice: str) -> tuple[int, int]:
    """The lowest and the highest MIDI key of `voice`, which half an octave of resampling reaches."""
    return (50, 70) if voice.endswith(HIGH) else (42, 64)


@lru_cache(maxsize=64)
def _spoken(voice: str, phoneme: str, setting: int) -> tuple[Floats, int, float]:
    """(samples (n,), rate, f0 in Hz) of the sound on one steady pitch, without silence at its ends."""
    # espeak-ng would read a closing tag aloud
    text = f'<prosody range="0">[[{phoneme * REPEATS}]]'
    command = ["espeak-ng", "--stdout", "-m", "-v", voice, "-p", str(setting), "-s", "80", text]
    try:
        done = subprocess.run(command, capture_output=True, check=True)
    except OSError as error:
        raise UserError(f"espeak-ng cannot be run: {error.strerror}; install the Debian package espeak-ng") from error
    except subprocess.CalledProcessError as error:
        raise UserError(f"espeak-ng cannot speak '{voice}': {error.stderr.decode(errors='replace')}") from error
    samples, rate = soundfile.read(io.BytesIO(done.stdout), dtype="float32")
    loud = np.flatnonzero(np.abs(samples) > 0.05 * np.abs(samples).max())
    samples = samples[loud[0] : loud[-1]]
    middle = samples[len(samples) // 4 : 3 * len(samples) // 4]
    pitch = track(Sound(middle[:, None], rate), low_hz=70.0, high_hz=500.0)
    return samples, rate, float(np.median(pitch.f0_hz[pitch.voiced]))


@dataclass(frozen=True)
class SpokenVowel:
    """A sound of one espeak-ng voice that can be played as a `Source`."""

    voice: str
    phoneme: str

    def __call__(self, midi: float, velocity: int, rate: int, held: float) -> Sound:
        """The sound on the pitch `midi`, `held` seconds long or shorter. Both channels are alike."""
        f0 = 440.0 * 2 ** ((midi - 69) / 12)
        takes = [_spoken(self.voice, self.phoneme, setting) for setting in SETTINGS]
        samples, spoken_rate, spoken_hz = min(takes, key=lambda take: abs(np.log(take[2] / f0)))
        x = soxr.resample(samples, spoken_rate * f0 / spoken_hz, rate, quality="VHQ")[: round(held * rate)]
        fade = min(round(FADE_SECONDS * rate), len(x))
        x[len(x) - fade :] *= np.linspace(1, 0, fade, dtype=np.float32)
        x *= 0.5 * velocity / 127 / np.abs(x).max()
        return Sound(np.repeat(x[:, None], 2, axis=1).astype(np.float32), rate)
