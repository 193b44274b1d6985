"""A small NSynth WaveNet, trained for minutes on one timbre, plays it at its pitch; and full size is reproducible."""

from __future__ import annotations

import numpy as np
import pytest

from nsynth_core import audio
from nsynth_core.audio import Sound
from nsynth_core.wavenet import encoder, generator
from nsynth_core.wavenet.checkpoint import Weights, load
from nsynth_core.wavenet.mulaw import CLASSES, HALF, quantise
from nsynth_core.wavenet.network import HOP, RATE
from nsynth_core.wavenet.options import PRECISIONS
from nsynth_core.wavenet.products import LEAST
from nsynth_core.wavenet.streams import Streams
from nsynth_core.wavenet.training import initial_weights, train

F0 = 220.0
pytestmark = pytest.mark.slow  # minutes of training, and a decoder of full size


@pytest.fixture(scope="module")
def timbre() -> np.ndarray:
    """Two seconds of a sine with a weak octave, as noisy as a recording."""
    t = np.arange(2 * RATE) / RATE
    noise = 0.01 * np.random.default_rng(0).standard_normal(len(t))
    return (0.5 * np.sin(2 * np.pi * F0 * t) + 0.1 * np.sin(4 * np.pi * F0 * t) + noise).astype(np.float32)


@pytest.fixture(scope="module")
def learnt(timbre, tmp_path_factory) -> tuple[Weights, list[float]]:
    """A small network trained on it, and its losses."""
    folder = tmp_path_factory.mktemp("learnt")
    audio.write(folder / "timbre.wav", Sound(timbre[:, None], RATE))
    losses: list[float] = []
    prefix = train(
        [folder / "timbre.wav"],
        folder / "ckpt",
        steps=250,
        batch=1,
        width=32,
        rate=10.0,
        report=lambda step, steps, loss: losses.append(loss),
    )
    return load(prefix), losses


@pytest.mark.parametrize("precision", PRECISIONS)
def test_a_small_network_plays_what_it_learnt(timbre, learnt, precision):
    weights, losses = learnt
    codes = encoder.encode(weights, timbre[None, : 16 * 512])
    made = generator.generate(weights, codes, seed=0, precision=precision)[0, 1024:]
    spectrum = np.abs(np.fft.rfft(made * np.hanning(len(made)), 1 << 17))
    found = float(spectrum.argmax()) * RATE / (1 << 17)
    cents = 1200 * np.log2(found / F0)
    print(f"\nloss {losses[0]:.2f} → {losses[-1]:.2f} nats; {found:.2f} Hz, {cents:+.1f} cents from {F0} Hz")
    assert losses[-1] < 0.5 * losses[0]
    assert abs(cents) < 3
    assert abs(20 * np.log10(made.std() / timbre.std())) < 1.5


def test_what_bfloat16_does_to_the_distribution(timbre, learnt):
    """Told the true samples of what it learnt: the distribution of every sample, and what it thinks of the true one."""
    weights, _ = learnt
    length = 4 * HOP
    classes = np.repeat(quantise(timbre[:length, None]) + HALF, LEAST, axis=1)
    codes = np.repeat(encoder.encode(weights, timbre[None, :length]), LEAST, axis=0)
    p, q = (_followed(weights, classes, codes, precision) for precision in PRECISIONS)
    divergence = (p * np.log(p / q)).sum(1)
    losses = [-np.log(each[np.arange(length), classes[:, 0]]).mean() for each in (p, q)]
    shift = ((q - p) * np.arange(CLASSES)).sum(1)
    print(
        f"\nKullback-Leibler divergence {divergence.mean():.1e} nats, at most {divergence.max():.1e}; total variation "
        f"{np.abs(p - q).sum(1).mean() / 2:.1e}; loss {losses[0]:.4f} → {losses[1]:.4f} nats; mean class moved by "
        f"{shift.mean():+.3f}, RMS {np.sqrt((shift**2).mean()):.3f}"
    )
    assert divergence.mean() < 2e-3
    assert abs(losses[1] - losses[0]) < 0.01
    assert abs(shift.mean()) < 0.2


def _followed(weights: Weights, classes: np.ndarray, codes: np.ndarray, precision: str) -> np.ndarray:
    """Probabilities (samples, 256) of the first stream."""
    streams = Streams(weights, LEAST, len(classes), precision)
    found = [
        streams.follow(streams.condition(codes[:, frame]), classes[frame * HOP : (frame + 1) * HOP].astype(np.int32))
        for frame in range(codes.shape[1])
    ]
    return np.maximum(np.concatenate(found)[:, 0].astype(np.float64), 1e-12)


@pytest.mark.parametrize(
    ("precision", "count", "wide"), [("float32", 5, False), ("bfloat16", 5, False), ("float32", 48, True)]
)
def test_full_size_is_the_same_in_any_batch(precision, count, wide):
    """One last bit and a stream goes another way: 192 samples of some streams, alone, in pairs and together."""
    weights = initial_weights(0)
    encodings = np.random.default_rng(0).standard_normal((count, 1, 16)).astype(np.float32)
    run = {"samples": 192, "precision": precision, "wide": wide}
    together = generator.generate(weights, encodings, **run)
    alone = generator.generate(weights, encodings[:2], batch=1, **run)
    assert (alone == together[:2]).all()
