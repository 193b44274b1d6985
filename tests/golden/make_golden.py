"""Writes the golden files beside it again: python tests/golden/make_golden.py. Look before committing."""

from pathlib import Path

import numpy as np

from nsynth_core.audio import Sound
from nsynth_core.pitch import HOP_SECONDS, PitchTrack
from nsynth_core.sound.analysis import analyse
from nsynth_core.sound.features import NOISE_BANDS, Features
from nsynth_core.sound.synthesis import cycles, render
from wavetables.formats import serum
from wavetables.table import Table

HERE = Path(__file__).parent
RATE = 44_100


def table() -> Table:
    """Three frames of whole numbers over 1024: exact in float32 on every machine."""
    ramp = (np.arange(2048) - 1023.5) / 1024
    frames = np.stack([ramp, -ramp, np.where(np.arange(2048) < 1024, 0.5, -0.5)])
    return Table(frames.astype(np.float32), "golden", 57.25, {"source": "made by hand", "program": "make-wavetable"})


def sound() -> tuple[Sound, PitchTrack]:
    """A third of a second of everything at once: a gliding note that opens, noise that fades, one side brighter."""
    t = np.arange(RATE // 3) / RATE
    times = np.arange(int(t[-1] / HOP_SECONDS) + 2) * HOP_SECONDS
    turns = 150 * t + 60 * t**2
    left, right = np.zeros(len(t)), np.zeros(len(t))
    for k in range(1, 60):
        level = 0.25 / k * (1 - np.exp(-t * 40 / k))
        left += level * np.sin(2 * np.pi * k * turns)
        right += level * np.sin(2 * np.pi * k * turns + 0.03 * k) * k**-0.2
    noise = np.random.default_rng(0).standard_normal((len(t), 2)) * 0.01 * np.exp(-8 * t)[:, None]
    samples = np.stack([left, right], axis=1) + noise
    return Sound(samples.astype(np.float32), RATE), PitchTrack(150 + 120 * times, np.ones(len(times), dtype=bool), 1.0)


def still() -> Features:
    """Eleven frames of a steady chord of partials with noise, off centre."""
    ones = np.ones((11, NOISE_BANDS), dtype=np.float32)
    ramp = np.linspace(0, 1, 11, dtype=np.float32)[:, None]
    partials = -15 - 9 * np.log2(np.arange(1, 31, dtype=np.float32)) - 12 * ramp
    return Features(np.full(11, 441, dtype=np.float32), partials, -60 * ones, 6 * ones * ramp, 0.5 * ones)


def features() -> dict[str, np.ndarray]:
    """What analysis finds in sound(), every fourth frame; and samples and cycles of still(), thinned out."""
    found = analyse(*sound())
    return {
        "f0_hz": found.f0_hz[::4],
        "partials_db": found.partials_db[::4, :60],
        "noise_db": found.noise_db[::4],
        "balance_db": found.balance_db[::4],
        "correlation": found.correlation[::4],
        "rendered": render(still(), RATE).samples[::4],
        "cycles": cycles(still())[::5, ::8],
    }


def main() -> None:
    serum.write(HERE / "serum.wav", table(), force=True)
    np.savez_compressed(HERE / "features.npz", **{k: v.astype(np.float32) for k, v in features().items()})


if __name__ == "__main__":
    main()
