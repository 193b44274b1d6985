"""Speed of the engine: pytest tests/benchmarks --benchmark-only -s

Each figure stands beside a reference measured in the same run: an oscillator bank as one would first write it.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from nsynth_core.audio import Sound
from nsynth_core.blending.coder import load_coder
from nsynth_core.blending.embedding import Embedding, mix
from nsynth_core.blending.engines import single_table
from nsynth_core.blending.feature_engine import FeatureEngine
from nsynth_core.blending.instrument import align
from nsynth_core.blending.weights import line_weights
from nsynth_core.pitch import track
from nsynth_core.sound import synthesis
from nsynth_core.sound.analysis import analyse
from nsynth_core.sound.features import FRAME_RATE, Features
from presets import bank

RATE, SECONDS = 48_000, 4.0
ENGINE = load_coder("harmonic")
PITCHES = (36, 48, 60, 72)
MOST_STFTS = {"pitch": 10.0, "analysis": 10.0, "encode": 2.0}  # twice and more what was measured: 4.2, 4.5 and 0.6


def embeddings() -> list[tuple[Embedding, np.ndarray]]:
    """Blends of two built-in instruments at PITCHES, and their f0."""
    pair = [bank.load_instrument(name, ENGINE) for name in ("flute", "choir")]
    made = []
    for pitch in PITCHES:
        aligned, f0 = align(pair, pitch, SECONDS)
        made.append((mix(aligned, [0.5, 0.5]), f0))
    return made


def decode(job: tuple[Embedding, np.ndarray]) -> Sound:
    return synthesis.render(ENGINE.decode(*job), RATE)


def oscillators(features: Features) -> np.ndarray:
    """A sine for every partial and channel, its level a line between frames; no noise."""
    time_ = np.arange(round(features.seconds * RATE)) / RATE
    frames = np.arange(features.frames) / FRAME_RATE
    turns = np.cumsum(np.interp(time_, frames, features.f0_hz)) / RATE
    out = np.zeros((len(turns), 2))
    for k, level in enumerate(synthesis.stereo_amplitudes(features, 20_000.0).transpose(2, 0, 1), 1):
        for c in range(2):
            out[:, c] += np.interp(time_, frames, np.abs(level[c])) * np.sin(2 * np.pi * k * turns)
    return out


def seconds(function: Callable[[], object], rounds: int = 1) -> float:
    best = np.inf
    for _ in range(rounds):
        start = time.perf_counter()
        function()
        best = min(best, time.perf_counter() - start)
    return best


@pytest.mark.parametrize("threads", [1, 2])
def test_decode(benchmark, threads):
    """Embedding → 48 kHz stereo sound; the floor is 40 x real time on two cores."""
    jobs = embeddings() * 2
    decode(jobs[0])
    with ThreadPoolExecutor(threads) as pool:
        benchmark.pedantic(lambda: list(pool.map(decode, jobs)), rounds=5, warmup_rounds=1)
    fastest = benchmark.stats.stats.min
    bank_ = sum(seconds(lambda j=job: oscillators(ENGINE.decode(*j))) for job in jobs[:4]) * 2
    speed = len(jobs) * SECONDS / fastest
    benchmark.extra_info |= {"real_time": speed, "oscillators": len(jobs) * SECONDS / bank_}
    print(f"\ndecode, {threads} threads: {speed:.0f} x real time; oscillator bank {len(jobs) * SECONDS / bank_:.1f} x")
    assert speed >= 20 * threads


def test_frames(benchmark):
    """A table of 64 re-spaced frames between two built-in instruments."""
    pair = [bank.load_instrument(name, ENGINE) for name in ("flute", "choir")]
    weights = line_weights(np.linspace(0, 1, 64))
    benchmark(lambda: single_table(FeatureEngine(ENGINE), pair, weights, pitch=48))
    one = seconds(lambda: [single_table(FeatureEngine(ENGINE), pair, weights[i : i + 1], pitch=48) for i in range(64)])
    print(f"\ntable: {benchmark.stats.stats.min * 1000:.0f} ms; frame by frame, not re-spaced, {one * 1000:.0f} ms")
    assert benchmark.stats.stats.min < 0.5 * one


@pytest.mark.parametrize("step", ["pitch", "analysis", "encode"])
def test_way_in(benchmark, saw, step):
    """The way in, of ten seconds of a stereo recording; the reference is one pass of an STFT over it."""
    mono = saw(110.0, 10.0).samples
    sound = Sound(np.hstack([mono, mono * np.float32(0.5)]), RATE)
    found = track(sound)
    features = analyse(sound, found)
    work = {
        "pitch": lambda: track(sound),
        "analysis": lambda: analyse(sound, found),
        "encode": lambda: ENGINE.encode(features),
    }[step]
    benchmark.pedantic(work, rounds=3, warmup_rounds=1)
    frames = np.lib.stride_tricks.sliding_window_view(sound.samples, 2048, axis=0)[:: RATE // FRAME_RATE]
    plain = seconds(lambda: np.abs(np.fft.rfft(frames * np.hanning(2048))), 3)
    fastest = benchmark.stats.stats.min
    print(f"\n{step}: {10 / fastest:.0f} x real time, {fastest / plain:.1f} x the time of an STFT")
    assert fastest / plain < MOST_STFTS[step]
