"""The measures, measured."""

from __future__ import annotations

import numpy as np
import pytest

from nsynth_core.metrics import descriptors, level_dip, monotony, partial_error, spectral_distance, step_ratio


def test_spectral_distance():
    true = np.float32([[0, -10, -20], [0, -10, -90]])
    np.testing.assert_allclose(spectral_distance(true, true), 0)
    np.testing.assert_allclose(spectral_distance(true, true + 3), [3, 3])
    np.testing.assert_allclose(
        spectral_distance(true, true + np.float32([3, 0, 0])), [3 / 3**0.5, 3 / 2**0.5], rtol=1e-5
    )


def test_what_is_inaudible_does_not_count_and_what_is_spurious_does():
    true = np.float32([[0, -90]])
    assert spectral_distance(true, np.float32([[0, -110]])) == 0
    assert spectral_distance(true, np.float32([[0, -40]])) == pytest.approx(20 / 2**0.5)


def test_partial_error_is_over_the_true_partials():
    true = np.float32([[0, -10, -90], [-50, 0, -55]])
    np.testing.assert_allclose(partial_error(true, true + np.float32([1, -2, 30])), [1, 2, 1, 2, 30], rtol=1e-5)


def test_monotony():
    line = np.linspace(0, 1, 11)
    assert monotony(np.stack([line, -line], 1)) == pytest.approx(1)
    there_and_half_back = np.concatenate([np.linspace(0, 1, 11), np.linspace(1, 0.5, 6)[1:]])
    assert monotony(there_and_half_back[:, None]) == pytest.approx(0.5 / 1.5)
    assert monotony(np.stack([line, 0 * line], 1)) == pytest.approx(1)
    assert monotony(0 * line[:, None]) is None


def test_level_dip_and_step_ratio():
    assert level_dip(np.float32([-10, -13, -10])) == 3
    assert level_dip(np.float32([-10, -15, -20])) == 0
    assert level_dip(np.float32([-10, -5, -20])) == 0
    assert step_ratio(np.float32([1, 1, 1])) == 1
    assert step_ratio(np.float32([1, 1, 4])) == 2


def test_descriptors_say_what_they_say(plain):
    number = np.arange(1, 60)
    dull = descriptors(plain(partials_db=-10.0 * number))[0]
    bright = descriptors(plain(partials_db=-0.5 * number))[0]
    assert (bright[:3] > dull[:3]).all()
    assert dull[3] > 0.8 > bright[3]
    odd = descriptors(plain(partials_db=np.where(number % 2 == 1, -20, -120)))[0]
    assert odd[4] == pytest.approx(1, abs=1e-3)
    assert descriptors(plain(noise_db=-30))[0, 5] > descriptors(plain(noise_db=-60))[0, 5]
    assert np.isfinite(descriptors(plain(partials_db=(-120,)))).all()
