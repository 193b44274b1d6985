"""Turned knobs, and the pairs of spectra that they give."""

from __future__ import annotations

import numpy as np
import pytest

from nsynth_core.harmonic.between import SILENT_DB, spectrum_inputs
from nsynth_core.sound.features import TOP_HZ
from nsynth_core.training import knob_motion, knob_patches, pairs
from nsynth_core.training.corpus import FIELDS, FRAMES, PARTIALS, Corpus, partial_numbers
from nsynth_core.training.patches import NoteRequest

RNG = np.random.default_rng


def asked(f0: float, places: list[float]) -> NoteRequest:
    seconds = knob_motion.seconds(np.asarray(places)[:, None])
    return NoteRequest(f0, 1.0, seconds, np.arange(1.0, int(TOP_HZ / f0) + 1)[None])


@pytest.fixture(scope="module")
def corpus() -> Corpus:
    """Three notes on two keys; of the lower one not every partial is kept."""
    arrays = {name: np.zeros((3, *shape), dtype=np.float16) for name, shape in FIELDS.items()}
    numbers = [partial_numbers(int(TOP_HZ / f0)) for f0 in (55.0, 220.0, 220.0)]
    arrays["partials"][:] = -6 * np.log2(np.maximum(numbers, 1))[:, None]
    arrays |= {
        "length": np.full(3, FRAMES),
        "f0": np.asarray([55, 220, 220], dtype=np.float32),
        "numbers": np.stack(numbers),
    }
    return Corpus(arrays, np.asarray([0, 0, 1]), ["one", "other"], ["voice", "synth"])


@pytest.mark.parametrize("kind", knob_patches.KNOBS)
def test_every_knob_changes_the_sound_by_degrees(kind: str) -> None:
    changed = []
    for seed in range(12):
        patch = knob_patches.KNOBS[kind][2](RNG(seed), knob_motion.oscillator)
        spectra = np.abs(patch(asked(110.0, [0.0, 0.49, 0.51, 1.0])))
        assert spectra.shape == (4, 181)
        assert np.isfinite(spectra).all()
        spectra = spectra / np.linalg.norm(spectra, axis=1, keepdims=True)
        changed.append(np.linalg.norm(spectra[0] - spectra[-1]))
        assert np.linalg.norm(spectra[1] - spectra[2]) < 0.35
    assert np.median(changed) > 0.05


def test_names_and_patches_of_the_corpus() -> None:
    names = knob_patches.names()
    assert len(names) == len(set(names)) == sum(count for count, _, _ in knob_patches.KNOBS.values())
    one, again = (np.abs(knob_patches.patch(names[0], RNG(5)).partials(asked(220.0, [0.3]))) for _ in range(2))
    np.testing.assert_array_equal(one, again)


def test_position_and_seconds_are_inverse() -> None:
    place = np.linspace(0, 1, 9)
    np.testing.assert_allclose(knob_motion.position(knob_motion.seconds(place)), place, atol=1e-12)


def test_single_spectra_are_the_corpus(corpus: Corpus) -> None:
    f0, partials = pairs.stills(corpus, 40, RNG(0))
    assert set(np.unique(f0)) == {55.0, 220.0}
    for hz, row in zip(f0, partials, strict=True):
        there = min(int(TOP_HZ / hz), pairs.PARTIALS)
        np.testing.assert_allclose(row[:there], -6 * np.log2(np.arange(1, there + 1)), atol=0.1)
        assert (row[there:] == SILENT_DB).all()


def test_pairs_hold_the_way_between_two_settings(corpus: Corpus) -> None:
    recorded = pairs.stills(corpus, 10, RNG(0))[1]
    f0, mix, spectra, inputs = zip(*(pairs._pair(RNG([7, n]), recorded) for n in range(60)), strict=True)
    for hz, way, rows, seen in zip(f0, mix, spectra, inputs, strict=True):
        assert (np.diff(way) > 0).all()
        there = min(int(TOP_HZ / hz), pairs.PARTIALS)
        assert (rows[:, there:] == SILENT_DB).all()
        assert rows.max() <= 0.01
        power = (10.0 ** (rows[:, :there].astype(np.float64) / 10)).sum(1)
        assert power.max() < 1.01
        if there < pairs.PARTIALS:  # all its partials are here
            ends = rows[[0, -1], :there].astype(np.float32)
            np.testing.assert_allclose(seen, spectrum_inputs(ends, np.full(2, hz, np.float32)), atol=0.01)
    assert len(set(f0)) == 60


def test_pairs_are_made_again_with_the_same_seed(corpus: Corpus) -> None:
    one, again = (pairs.make(corpus, pairs.CHUNK, 3, lambda *_: None) for _ in range(2))
    for a, b in zip(one, again, strict=True):
        np.testing.assert_array_equal(a, b)
    assert len(one.f0) == pairs.CHUNK + pairs.CHUNK // 4
    still = one.spectra[: pairs.CHUNK // 4].astype(np.float32)
    assert (still == still[:, :1]).all()
    assert PARTIALS < pairs.PARTIALS


@pytest.mark.slow
def test_the_fit_learns(corpus: Corpus) -> None:
    pytest.importorskip("tensorflow")
    from nsynth_core.training import fit_between

    known = pairs.make(corpus, pairs.CHUNK, 3, lambda *_: None)
    found = [fit_between.train(known, known, 0, steps)[1]["validation"] for steps in (1, 120)]
    assert found[1] < 0.8 * found[0]
