"""The scales of the features."""

from __future__ import annotations

import numpy as np
import pytest

from nsynth_core.sound.features import FRAME_RATE, NOISE_BANDS, TOP_HZ, band_edges, erb_to_hz, hz_to_erb, rows


def test_erb_scale_is_glasberg_and_moores():
    assert hz_to_erb(1000.0) == pytest.approx(15.62, abs=0.01)
    assert hz_to_erb(0.0) == 0
    # one step of the scale is one equivalent rectangular bandwidth, 24.7 (4.37 kHz + 1)
    for hz in (100.0, 1000.0, 10_000.0):
        assert 1 / (hz_to_erb(hz + 0.5) - hz_to_erb(hz - 0.5)) == pytest.approx(24.7 * (4.37 * hz / 1000 + 1), rel=0.01)


def test_erb_scale_inverts():
    hz = np.geomspace(20, 20_000, 50)
    np.testing.assert_allclose(erb_to_hz(hz_to_erb(hz)), hz, rtol=1e-9)


def test_band_edges_are_even_in_erb():
    edges = band_edges()
    assert edges.shape == (NOISE_BANDS + 1,)
    assert edges[0] == 0
    assert edges[-1] == pytest.approx(TOP_HZ, rel=1e-5)
    np.testing.assert_allclose(np.diff(hz_to_erb(edges)), hz_to_erb(TOP_HZ) / NOISE_BANDS, rtol=1e-3)


def test_level_is_the_sum_of_powers(plain):
    assert plain(partials_db=(-20, -20)).level_db() == pytest.approx(-16.99, abs=0.01)
    assert plain(partials_db=(-200,), noise_db=-40).level_db() == pytest.approx(
        -40 + 10 * np.log10(NOISE_BANDS), abs=0.01
    )
    assert np.isfinite(plain(partials_db=(-2000,), noise_db=-2000).level_db()).all()


def test_rows_and_length(plain):
    features = plain(frames=101)
    assert features.seconds == 100 / FRAME_RATE
    some = rows(features, slice(10, 21))
    assert (some.frames, some.partials_db.shape, some.noise_db.shape) == (11, (11, 1), (11, NOISE_BANDS))
