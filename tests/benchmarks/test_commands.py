"""Whole commands, started cold: pytest tests/benchmarks --benchmark-only -s

Each stands beside the start of a bare Python in the same run.
"""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from nsynth_core import audio

PROGRAM = [sys.executable, "-m", "wavetables"]


def run(*command: str) -> float:
    start = time.perf_counter()
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return time.perf_counter() - start


@pytest.fixture(scope="module")
def bare() -> float:
    """Seconds that Python itself needs to start."""
    return min(run(sys.executable, "-c", "pass") for _ in range(5))


def say(name: str, seconds: float, bare: float) -> None:
    print(f"\n{name}: {seconds:.2f} s, {seconds / bare:.0f} x the start of Python ({bare * 1000:.0f} ms)")


def test_help(benchmark, bare):
    benchmark.pedantic(lambda: run(*PROGRAM, "--help"), rounds=5, warmup_rounds=1)
    say("--help", benchmark.stats.stats.min, bare)
    assert benchmark.stats.stats.min <= 0.5


def test_import(benchmark, bare, saw, tmp_path):
    """A note of four seconds; the limit is one second."""
    audio.write(tmp_path / "note.wav", saw(110.0, 4.0))
    command = (*PROGRAM, "import", str(tmp_path / "note.wav"), "-o", str(tmp_path / "table.wav"), "--force", "--quiet")
    benchmark.pedantic(lambda: run(*command), rounds=3, warmup_rounds=1)
    say("import of four seconds", benchmark.stats.stats.min, bare)
    assert benchmark.stats.stats.min <= 1.0


def test_import_of_ten_minutes(benchmark, bare, saw, tmp_path):
    """The limits are 15 seconds and 1 GiB."""
    resource = pytest.importorskip("resource")
    part = saw(220.0, 10.0).samples
    audio.write(tmp_path / "long.wav", audio.Sound(np.tile(part, (60, 2)), 48_000), subtype="PCM_16")
    command = (*PROGRAM, "import", str(tmp_path / "long.wav"), "-o", str(tmp_path / "table.wav"), "--quiet")
    benchmark.pedantic(lambda: run(*command), rounds=1)
    say("import of ten minutes, stereo", benchmark.stats.stats.min, bare)
    kibibytes = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    print(f"{kibibytes / 1024:.0f} MiB")
    assert benchmark.stats.stats.min <= 15
    assert kibibytes <= 1024 * 1024 or sys.platform == "darwin"  # which counts in bytes


def test_blend(benchmark, bare, saw, tmp_path):
    """Two stereo recordings of four seconds; the limit is four seconds."""
    for name, f0 in (("a", 110.0), ("b", 165.0)):
        mono = saw(f0, 4.0)
        audio.write(tmp_path / f"{name}.wav", audio.Sound(mono.samples * np.float32([1.0, 0.6]), mono.rate))
    sounds = [str(tmp_path / f"{name}.wav") for name in "ab"]
    command = (*PROGRAM, "blend", *sounds, "--mix", "0.5", "-o", str(tmp_path / "out.wav"), "--force", "--quiet")
    benchmark.pedantic(lambda: run(*command), rounds=3, warmup_rounds=1)
    say("blend of two stereo recordings of four seconds", benchmark.stats.stats.min, bare)
    assert benchmark.stats.stats.min <= 4


def test_grid5(benchmark, bare, tmp_path):
    """400 notes of four seconds and 80 tables; the limit is one minute."""
    folder = tmp_path / "grid"
    benchmark.pedantic(lambda: run(*PROGRAM, "grid", "grid5", "-o", str(folder), "--quiet"), rounds=1)
    seconds = benchmark.stats.stats.min
    files = [path for path in Path(folder).rglob("*.wav")]
    say("grid5", seconds, bare)
    print(f"{1600 / seconds:.0f} x real time, files and all")
    assert len(files) == 480
    assert seconds <= 60
