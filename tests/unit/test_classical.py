"""The classical blends against values worked out by hand."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from nsynth_core.blending.classical import METHODS, ClassicalCoder, crossfade, envelope, transport
from nsynth_core.blending.coder import CODERS, load_coder
from nsynth_core.blending.embedding import mix
from nsynth_core.errors import UsageError
from nsynth_core.sound.features import Features, hz_to_erb


def two(first, second, share=0.5, f0=200.0, frames=2):
    partials = np.stack([np.tile(np.float32(x), (frames, 1)) for x in (first, second)])
    noise = np.full((2, frames, 24), -60, dtype=np.float32)
    weights = np.stack([np.full(frames, w, dtype=np.float32) for w in (1 - share, share)])
    return partials, noise, weights, np.full(frames, f0, dtype=np.float32)


def test_crossfade_adds_amplitudes():
    partials, noise = crossfade(*two([0, -20, -40], [0, -40, -20], 0.25))
    # .75 * 1 + .25 * 1; .75 * .1 + .25 * .01; .75 * .01 + .25 * .1
    np.testing.assert_allclose(10 ** (partials[0] / 20), [1, 0.0775, 0.0325], rtol=1e-4)
    # powers of independent noise: .75^2 + .25^2
    np.testing.assert_allclose(noise, -60 + 10 * np.log10(0.625), atol=1e-3)


def test_envelope_adds_decibels():
    partials, noise = envelope(*two([0, -20, -40], [0, -40, -20], 0.25))
    np.testing.assert_allclose(partials[0], [0, -25, -35], atol=1e-5)
    np.testing.assert_allclose(noise, -60, atol=1e-4)


def hump(place: float, count: int = 90, f0: float = 200.0) -> np.ndarray:
    """A spectrum around `place` on the ERB scale."""
    erb = hz_to_erb(np.arange(1, count + 1) * f0)
    return np.float32(-20 - 4 * (erb - place) ** 2).clip(-110)


@pytest.mark.parametrize("share", [0.25, 0.5, 0.75])
def test_transport_moves_what_the_others_fade(share):
    erb = hz_to_erb(np.arange(1, 91) * 200.0)
    given = two(hump(12), hump(24), share)
    moved, _ = transport(*given)
    power = 10 ** (moved[0] / 10)
    centre = (power * erb).sum() / power.sum()
    assert centre == pytest.approx(12 + 12 * share, abs=1.0)
    assert moved[0].argmax() == np.abs(erb - (12 + 12 * share)).argmin() or abs(erb[moved[0].argmax()] - centre) < 1.5
    faded = 10 ** (crossfade(*given)[0][0] / 20)
    assert faded[np.abs(erb - 12).argmin()] > faded[np.abs(erb - 18).argmin()] * 2


def test_transport_keeps_the_level_in_decibels():
    given = two(hump(12), hump(24) - 20, 0.25)
    level = 10 * np.log10((10 ** (given[0] / 10)).sum(2))[:, 0]
    moved, _ = transport(*given)
    assert 10 * np.log10((10 ** (moved[0] / 10)).sum()) == pytest.approx(0.75 * level[0] + 0.25 * level[1], abs=0.01)


def test_transport_of_two_equal_sounds_is_the_sound():
    given = two(hump(15), hump(15))
    moved, _ = transport(*given)
    loud = given[0][0, 0] > -45
    np.testing.assert_allclose(moved[0][loud], given[0][0, 0][loud], atol=2.0)


@pytest.mark.parametrize("name", METHODS)
def test_ends_are_exact(plain, name):
    engine = load_coder(name)
    assert engine.name == name
    first = plain(200.0, 11, hump(12, 100), noise_db=-50, balance_db=-5, correlation=0.2)
    second = plain(200.0, 11, hump(24, 100), noise_db=-70, balance_db=5, correlation=0.8)
    embeddings = [engine.encode(x) for x in (first, second)]
    for weights, source in (([1, 0], first), ([0, 1], second)):
        out = engine.decode(mix(embeddings, weights), source.f0_hz)
        for field in dataclasses.fields(Features):
            true = getattr(source, field.name)
            np.testing.assert_allclose(getattr(out, field.name), true, atol=1e-2 if name == "crossfade" else 1e-4)


@pytest.mark.parametrize("name", METHODS)
def test_stereo_is_the_mean_and_all_is_finite(plain, name):
    engine = load_coder(name)
    a = engine.encode(plain(200.0, 5, hump(12, 100), balance_db=-6, correlation=0.2))
    b = engine.encode(plain(300.0, 5, hump(24, 60), balance_db=6, correlation=0.8))
    out = engine.decode(mix([a, b], [0.5, 0.5]), np.full(5, 150.0))
    assert out.partials_db.shape == (5, 133)
    np.testing.assert_allclose(out.balance_db, 0, atol=1e-5)
    np.testing.assert_allclose(out.correlation, 0.5, atol=1e-5)
    for field in dataclasses.fields(Features):
        assert np.isfinite(getattr(out, field.name)).all()


def test_coders_by_name():
    assert {*METHODS, "harmonic"} == set(CODERS)
    assert load_coder("crossfade") is load_coder("crossfade")
    assert isinstance(load_coder("transport"), ClassicalCoder)
    with pytest.raises(UsageError, match="harmonic"):
        load_coder("wavenet2")
