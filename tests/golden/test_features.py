"""Analysis and synthesis as they were when last looked at: a change of a figure is seen, whoever makes it."""

from __future__ import annotations

import runpy
from pathlib import Path

import numpy as np
import pytest

HERE = Path(__file__).parent
# dB, Hz or full scale; libraries differ in their last digits, and faint bands more
TOLERANCE = {"f0_hz": 1e-3, "partials_db": 0.1, "noise_db": 0.3, "balance_db": 0.1, "correlation": 0.01}


@pytest.fixture(scope="module")
def made():
    return runpy.run_path(str(HERE / "make_golden.py"))["features"]()


@pytest.mark.parametrize(
    "name", ["f0_hz", "partials_db", "noise_db", "balance_db", "correlation", "rendered", "cycles"]
)
def test_as_before(made, name):
    with np.load(HERE / "features.npz") as data:
        golden = data[name]
    now = made[name]
    assert now.shape == golden.shape
    if name == "partials_db":  # what is faint is mostly rounding
        golden, now = (np.maximum(x, -80) for x in (golden, now))
    np.testing.assert_allclose(now, golden, atol=TOLERANCE.get(name, 1e-4))
