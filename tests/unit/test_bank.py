"""The built-in instruments: every one complete and playable, whatever the weights are."""

from __future__ import annotations

import numpy as np
import pytest

import presets
from nsynth_core.blending.coder import load_coder
from nsynth_core.blending.instrument import steady_frame
from nsynth_core.notes import midi_to_hz
from presets import bank

NAMES = [entry.name for entry in presets.instruments()]


@pytest.fixture(scope="module")
def engine():
    return load_coder("harmonic")


def test_bank_is_wide_and_small():
    assert len(NAMES) >= 48
    assert len(set(NAMES)) == len(NAMES)
    assert bank.path().stat().st_size <= 8_000_000
    assert sorted(bank._bank()["names"]) == sorted(NAMES)


def test_bank_was_made_for_the_shipped_weights(engine):
    assert str(bank._bank()["weights"]) == engine.version


@pytest.mark.parametrize("name", NAMES)
def test_every_instrument_is_whole(engine, name):
    instrument = bank.load_instrument(name, engine)
    assert instrument.name == name
    assert len(instrument.pitches) >= 4
    assert list(instrument.pitches) == sorted(set(instrument.pitches))
    # keys a listener asks for are at most an octave away from one that was recorded
    assert min(instrument.pitches) <= 24 + 24
    assert max(instrument.pitches) >= 96 - 24
    for i, pitch in enumerate(instrument.pitches):
        embedding = instrument.load(i)
        assert embedding.frames == bank.FRAMES
        assert embedding.level_db.max() == pytest.approx(bank.LEVEL_DB, abs=0.01)
        assert np.isfinite(embedding.z).all()
        assert np.isfinite(embedding.parts[0].partials).all()
        np.testing.assert_allclose(embedding.f0_hz, midi_to_hz(pitch), rtol=1e-5)
        assert embedding.onset() < 50


@pytest.mark.parametrize("name", NAMES[::6])
def test_every_pitch_sounds(engine, name):
    instrument = bank.load_instrument(name, engine)
    for pitch in (24, 41, 60, 79, 96):
        embedding = instrument.at(pitch)
        f0 = np.full(embedding.frames, midi_to_hz(pitch), dtype=np.float32)
        features = engine.decode(embedding, f0)
        assert features.level_db().max() == pytest.approx(
            bank.LEVEL_DB, abs=3.0
        )  # between two keys the loudest moments may differ
        frame = round(steady_frame(embedding))
        tonal = 10 * np.log10((10 ** (features.partials_db[frame] / 10)).sum())
        assert tonal > features.level_db()[frame] - 6, "more noise than note"


def test_other_engines_play_the_bank_too(engine):
    name = NAMES[0]
    own = bank.load_instrument(name, engine)
    plain = load_coder("envelope")
    other = bank.load_instrument(name, plain)
    assert other.pitches == own.pitches
    true = engine.decode(own.load(2), own.load(2).f0_hz)
    out = plain.decode(other.load(2), other.load(2).f0_hz)
    np.testing.assert_allclose(out.partials_db, true.partials_db, atol=1e-3)
