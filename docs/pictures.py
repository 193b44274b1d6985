"""Makes the picture of the README: python docs/pictures.py (needs matplotlib and, for the voice, alsa-utils)."""

from __future__ import annotations

from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
from scipy.signal import stft

from nsynth_core import blend
from nsynth_core.audio import Sound
from nsynth_core.engine import load_engine
from presets import load_instrument

VOICE = Path("/usr/share/sounds/alsa/Front_Center.wav")
PAD = "saw-pad"
TARGET = Path(__file__).with_name("voice-and-pad.png")


def draw(axes: plt.Axes, sound: Sound, title: str) -> None:
    f, t, z = stft(sound.mid(), sound.rate, nperseg=2048, noverlap=1792)
    level = 20 * np.log10(np.abs(z) + 1e-7)
    axes.pcolormesh(t, f, level, vmin=level.max() - 70, vmax=level.max(), cmap="magma", shading="auto", rasterized=True)
    axes.set(title=title, yscale="log", ylim=(80, 16_000), xlabel="seconds", ylabel="Hz")
    axes.set_yticks([100, 300, 1000, 3000, 10_000], ["100", "300", "1 k", "3 k", "10 k"])


def main() -> None:
    figure, axes = plt.subplots(2, 3, figsize=(15, 8), constrained_layout=True)
    panels = [
        ("harmonic", 0.0, "mix 0: the voice"),
        ("harmonic", 0.3, "mix 0.3"),
        ("harmonic", 0.5, "mix 0.5"),
        ("harmonic", 0.7, "mix 0.7"),
        ("harmonic", 1.0, "mix 1: the pad on the voice's pitch"),
        ("crossfade", 0.5, "for comparison: a crossfade at 0.5"),
    ]
    for place, (name, mix, title) in zip(axes.flat, panels, strict=True):
        engine = load_engine(name)
        pair = [blend.load_instrument(VOICE, engine), load_instrument(PAD, engine)]
        draw(place, blend.blend_note(engine, pair, [1 - mix, mix]), title)
    figure.savefig(TARGET, dpi=80)


if __name__ == "__main__":
    main()
