"""A small NSynth WaveNet, trained for minutes on one timbre, plays it at its pitch; and full size is reproducible."""

from __future__ import annotations

import numpy as np
import pytest

from nsynth_core import audio
from nsynth_core.audio import Sound
from nsynth_core.wavenet import encoder, generator
from nsynth_core.wavenet.checkpoint import load
from nsynth_core.wavenet.network import RATE
from nsynth_core.wavenet.training import initial_weights, train

F0 = 220.0


@pytest.fixture(scope="module")
def timbre() -> np.ndarray:
    """Two seconds of a sine with a weak octave, as noisy as a recording."""
    t = np.arange(2 * RATE) / RATE
    noise = 0.01 * np.random.default_rng(0).standard_normal(len(t))
    return (0.5 * np.sin(2 * np.pi * F0 * t) + 0.1 * np.sin(4 * np.pi * F0 * t) + noise).astype(np.float32)


def test_a_small_network_plays_what_it_learnt(timbre, tmp_path):
    audio.write(tmp_path / "timbre.wav", Sound(timbre[:, None], RATE))
    losses = []
    prefix = train(
        [tmp_path / "timbre.wav"],
        tmp_path / "ckpt",
        steps=250,
        batch=1,
        width=32,
        rate=10.0,
        report=lambda step, steps, loss: losses.append(loss),
    )
    weights = load(prefix)
    codes = encoder.encode(weights, timbre[None, : 16 * 512])
    made = generator.generate(weights, codes, seed=0)[0, 1024:]
    spectrum = np.abs(np.fft.rfft(made * np.hanning(len(made)), 1 << 17))
    found = float(spectrum.argmax()) * RATE / (1 << 17)
    cents = 1200 * np.log2(found / F0)
    print(f"\nloss {losses[0]:.2f} → {losses[-1]:.2f} nats; {found:.2f} Hz, {cents:+.1f} cents from {F0} Hz")
    assert losses[-1] < 0.5 * losses[0]
    assert abs(cents) < 3
    assert abs(20 * np.log10(made.std() / timbre.std())) < 1.5


def test_full_size_is_the_same_in_any_batch():
    """One last bit and a stream goes another way: 192 samples of 5 streams, alone, in pairs and together."""
    weights = initial_weights(0)
    encodings = np.random.default_rng(0).standard_normal((5, 1, 16)).astype(np.float32)
    together = generator.generate(weights, encodings, samples=192)
    alone = generator.generate(weights, encodings[:2], samples=192, batch=1)
    assert (alone == together[:2]).all()
