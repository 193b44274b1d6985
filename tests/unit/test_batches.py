"""Batches of training: what is asked of the network has a known answer."""

from __future__ import annotations

import numpy as np
import pytest

from nsynth_core.harmonic.inputs import CONTEXT, INPUTS, TRUNK_INPUTS
from nsynth_core.sound.features import NOISE_BANDS
from nsynth_core.sound.spectral_envelope import ENVELOPE_POINTS, FLOOR
from nsynth_core.training.batches import FIRST, FRAMES, NOTES, OTHERS, SHIFTED, Batches, make
from nsynth_core.training.corpus import PARTIALS, Corpus, partial_numbers

LENGTH = 125
PEAK = 10  # the partial that stands out


@pytest.fixture(scope="module")
def corpus() -> Corpus:
    """Two sources of two notes; one partial of twenty stands 40 dB out."""
    partials = np.full((4, LENGTH, PARTIALS), -60.0, dtype=np.float32)
    partials[:, :, PEAK - 1] = -20.0
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
    return Corpus(arrays, np.asarray([0, 0, 1, 1]), ["one", "other"], ["voice", "synth"])


def test_shapes(corpus: Corpus) -> None:
    batch = Batches(corpus, seed=0, steps=10)()
    assert batch.inputs.shape == (NOTES * FRAMES, len(CONTEXT) * INPUTS)
    assert batch.points.shape == (NOTES * (FIRST + OTHERS), TRUNK_INPUTS)
    assert batch.target.shape == batch.mask.shape == (NOTES, FRAMES, FIRST + OTHERS)
    assert all(field.dtype == np.float32 and np.isfinite(field).all() for field in batch)


def test_the_seed_decides(corpus: Corpus) -> None:
    one, again, other = (Batches(corpus, seed, steps=10)() for seed in (3, 3, 4))
    for a, b in zip(one, again, strict=True):
        np.testing.assert_array_equal(a, b)
    assert (one.target != other.target).any()


def test_moved_formants_move_in_code_and_target(corpus: Corpus) -> None:
    """The peak of a note with its formants moved lies elsewhere, at the same place in what is coded and asked for."""
    batch = Batches(corpus, seed=1, steps=10)()
    middle = batch.inputs.reshape(NOTES, FRAMES, len(CONTEXT), INPUTS)[:, 0, len(CONTEXT) // 2]
    coded = middle[:, ENVELOPE_POINTS : ENVELOPE_POINTS + FIRST].argmax(1) + 1
    asked = batch.target[:, 0, :FIRST].argmax(1) + 1
    np.testing.assert_array_equal(coded[:SHIFTED], asked[:SHIFTED])
    assert np.ptp(coded[:SHIFTED]) >= 3
    assert (np.abs(coded[SHIFTED:] - PEAK) <= 0).mean() > 0.6  # equalised and layered, but where it was


def test_without_strength_nothing_is_changed(corpus: Corpus) -> None:
    notes = np.zeros(NOTES, dtype=np.int64)
    batch = make(corpus, notes, notes, np.random.default_rng(0), strength=0.0)
    level = 10 * np.log10(10**-2 + 89 * 10**-6 + NOISE_BANDS * 10 ** (FLOOR / 10))
    np.testing.assert_allclose(batch.target[:, :, PEAK - 1], -20.0 - level, atol=1e-3)
