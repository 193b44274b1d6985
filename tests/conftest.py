"""Sounds and features known in closed form."""

from __future__ import annotations

import os
import signal
from importlib.util import find_spec

from wavetables.cli import BLAS_THREADS

# before numpy is imported, as the program does: how many threads share a product decides its last bits
os.environ.update(dict.fromkeys(BLAS_THREADS, "1"))
# a shell's background jobs ignore Ctrl-C, and so would the programs that tests interrupt
if os.name != "nt" and signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

import numpy as np
import pytest

from nsynth_core.audio import Sound
from nsynth_core.pitch import HOP_SECONDS, PitchTrack
from nsynth_core.sound.features import FLOOR_DB, NOISE_BANDS, Features


@pytest.hookimpl(tryfirst=True)
def pytest_cmdline_main(config: pytest.Config) -> None:
    """One process for `--benchmark-only` and `-s`: in several, nothing is measured and no print is shown."""
    if config.getoption("benchmark_only") or config.getoption("capture") == "no":
        config.option.numprocesses = None


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "tensorflow: needs the extra `nsynth` or `train`; skipped where it is missing")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    if find_spec("tensorflow") is None:
        for item in items:
            if item.get_closest_marker("tensorflow"):
                item.add_marker(pytest.mark.skip(reason="TensorFlow is not installed"))


@pytest.fixture(scope="session")
def saw():
    """saw(f0, seconds, rate, amplitude): mono, partial k of amplitude / k, up to min(20 kHz, 0.49 rate)."""

    def make(f0: float, seconds: float = 0.5, rate: int = 48_000, amplitude: float = 0.3) -> Sound:
        t = np.arange(round(seconds * rate)) / rate
        number = np.arange(1, int(min(20_000, 0.49 * rate) / f0) + 1)
        x = sum(np.sin(2 * np.pi * k * f0 * t) / k for k in number) * amplitude
        return Sound(np.asarray(x, dtype=np.float32)[:, None], rate)

    return make


@pytest.fixture(scope="session")
def held():
    """held(f0, seconds): the pitch track of a note that stays where it is."""

    def make(f0: float, seconds: float = 0.5) -> PitchTrack:
        count = int(seconds / HOP_SECONDS) + 2
        return PitchTrack(np.full(count, float(f0)), np.ones(count, dtype=bool), 1.0)

    return make


@pytest.fixture(scope="session")
def plain():
    """plain(f0, frames, partials_db, ...): the same features in every frame; mono, without noise."""

    def make(f0=220.0, frames=51, partials_db=(-10.0,), noise_db=FLOOR_DB, balance_db=0.0, correlation=1.0) -> Features:
        bands = np.ones((frames, NOISE_BANDS), dtype=np.float32)
        return Features(
            f0_hz=np.broadcast_to(np.float32(f0), (frames,)).copy(),
            partials_db=np.tile(np.float32(partials_db), (frames, 1)),
            noise_db=bands * np.float32(noise_db),
            balance_db=bands * np.float32(balance_db),
            correlation=bands * np.float32(correlation),
        )

    return make
