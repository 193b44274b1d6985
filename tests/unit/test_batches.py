"""Batches of training: what is asked of the network has a known answer."""

from __future__ import annotations

import numpy as np
import pytest

from nsynth_core.features import FRAME_RATE, NOISE_BANDS
from nsynth_core.harmonic.inputs import ENVELOPE_POINTS, FLOOR
from nsynth_core.training import turns
from nsynth_core.training.batches import FRAMES, INPUTS, NOTES, SHIFTED, TWICE, Batches
from nsynth_core.training.corpus import HOP, PARTIALS, Corpus, partial_numbers

LENGTH = 125
SLOPE = 20.0  # dB: how far partial 2 rises while the knob turns


@pytest.fixture(scope="module")
def corpus() -> Corpus:
    """Two still notes and two turns; in a turn, partial 2 rises evenly with the knob."""
    knob = turns.position(np.arange(LENGTH) * HOP / FRAME_RATE)
    partials = np.full((4, LENGTH, PARTIALS), -60.0, dtype=np.float32)
    partials[:, :, 0] = 0.0
    partials[2:, :, 1] = -40.0 + SLOPE * knob
    arrays = {
        "env": np.full((4, LENGTH, ENVELOPE_POINTS), -30.0, dtype=np.float32),
        "partials": partials,
        "noise": np.full((4, LENGTH, NOISE_BANDS), FLOOR, dtype=np.float32),
        "balance": np.zeros((4, LENGTH, NOISE_BANDS), dtype=np.float32),
        "correlation": np.ones((4, LENGTH, NOISE_BANDS), dtype=np.float32),
        "level": np.zeros((4, LENGTH), dtype=np.float32),
        "length": np.full(4, LENGTH),
        "onset": np.zeros(4, dtype=np.int32),
        "f0": np.full(4, 220.0, dtype=np.float32),
        "numbers": np.stack([partial_numbers(90)] * 4),
        "midi": np.full(4, 57.0, dtype=np.float32),
    }
    return Corpus(arrays, np.asarray([0, 0, 1, 1]), ["still", "turn"], ["voice", turns.FAMILY])


def test_a_turn_is_asked_for_the_setting_between_the_two_that_are_coded(corpus: Corpus) -> None:
    batches = Batches(corpus, seed=3, steps=10)
    found = 0
    for _ in range(4):
        batch = batches()
        second_partial = ENVELOPE_POINTS + 1
        middle = batch.inputs.shape[1] // INPUTS // 2 * INPUTS + second_partial
        first = batch.inputs.reshape(NOTES, FRAMES, -1)[SHIFTED:TWICE, :, middle]
        again = batch.second.reshape(TWICE, FRAMES, -1)[SHIFTED:, :, middle]
        # inputs are dB / 40 + 1, targets dB; both under the level, which a weak partial hardly changes
        between = (batch.target[SHIFTED:TWICE, :, 1] / 40) + 1
        way = batch.mix[SHIFTED:, :, 0]
        assert ((way >= 0) & (way <= 1)).all()
        plain = np.abs(again - first) > 0.05
        found += int(plain.sum())
        np.testing.assert_allclose((first + way * (again - first))[plain], between[plain], atol=0.03)
    assert found > 50


def test_turns_keep_to_their_place_in_the_batch(corpus: Corpus) -> None:
    batch = Batches(corpus, seed=0, steps=10)()
    assert batch.own.shape == (NOTES, 1, 1)
    assert (batch.own[SHIFTED:TWICE] == 1).all()
    # the shifted share one way a note, the turned one a frame
    assert np.ptp(batch.mix[:SHIFTED], axis=1).max() == 0
    assert np.ptp(batch.mix[SHIFTED:], axis=1).max() > 0.1
