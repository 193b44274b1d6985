from __future__ import annotations

import numpy as np
import pytest

from nsynth_core.sound.spacing import even_places


def walk(place, rows=33):
    """Fast at its beginning, bent and never back where it was."""
    t = place / (rows - 1)
    return np.stack([60 * t**0.5, 12 * np.sin(6 * t), 12 * np.cos(6 * t)], axis=1).astype(np.float32)


def ratio(places):
    lengths = np.linalg.norm(np.diff(walk(places), axis=0), axis=1)
    return lengths.max() / lengths.mean()


@pytest.mark.parametrize("count", [9, 33, 64])
def test_frames_are_equally_far_from_their_neighbours(count):
    places = even_places(walk, 33, count)
    assert places[0] == 0
    assert places[-1] == 32
    assert (np.diff(places) > 0).all()
    even = np.linspace(0, 32, count)
    assert ratio(places) < min(1.2, 0.6 * ratio(even))


def test_what_does_not_move_or_is_too_short_is_left_alone():
    def still(place):
        return np.zeros((len(place), 5), dtype=np.float32)

    np.testing.assert_array_equal(even_places(still, 9, 17), np.linspace(0, 8, 17))
    np.testing.assert_array_equal(even_places(walk, 33, 2), [0, 32])
    np.testing.assert_array_equal(even_places(walk, 1, 4), np.zeros(4))
