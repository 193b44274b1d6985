"""Engines by name, and what the protocol promises of those on features; NSynth's promises: test_nsynth_engine."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from nsynth_core.blending import instrument as blend
from nsynth_core.blending.coder import CODERS
from nsynth_core.blending.engine import ENGINES, Row
from nsynth_core.blending.engines import load_engine, single_note
from nsynth_core.blending.feature_engine import FeatureEngine
from nsynth_core.blending.instrument import Instrument
from nsynth_core.blending.weights import line_weights
from nsynth_core.errors import UsageError
from nsynth_core.notes import midi_to_hz
from nsynth_core.sound import synthesis
from nsynth_core.sound.knobs import Knobs
from nsynth_core.wavenet.options import NSynthOptions
from wavetables.engines import load_engine as load_any_engine


def instruments(coder, plain) -> tuple[Instrument, ...]:
    """A recording and a built-in sound, an octave apart."""
    made = [plain(midi_to_hz(key), 81, levels) for key, levels in ((48, (-20.0, -30.0)), (60, (-25.0, -22.0, -40.0)))]
    embeddings = [coder.encode(each) for each in made]
    return tuple(
        Instrument(f"{key}", (float(key),), lambda _, e=embedding: e, moving=key == 48)
        for key, embedding in zip((48, 60), embeddings, strict=True)
    )


def test_by_name():
    assert {*CODERS, "nsynth"} == set(ENGINES)
    for name in CODERS:
        engine = load_engine(name)
        assert (engine.name, engine.coder.name, engine.version) == (name, name, engine.coder.version)
        assert (engine.latent, engine.facts, engine.versions) == (None, {}, {})
    for arguments in (("wavenet2",), ("nsynth",), ("nsynth", Knobs(detail=0.5), NSynthOptions(Path("none")))):
        with pytest.raises(UsageError):
            load_engine(*arguments)
        with pytest.raises(UsageError):
            load_any_engine(*arguments)


@pytest.mark.parametrize("name", CODERS)
def test_rows_become_notes_and_tables(plain, name):
    knobs = Knobs(brightness=2.0, width=0.5)
    engine = load_engine(name, knobs)
    pair = instruments(engine.coder, plain)
    walk = line_weights([0.0, 0.3, 1.0])
    rows = [Row(pair, 55.0, walk, walk), Row(pair, None, [walk], walk)]
    made = list(engine.blend(rows, 0.4, 44_100))
    assert [len(each.notes) for each in made] == [3, 1]
    how = {"seconds": 0.4, "rate": 44_100}
    for note, weights in zip(made[0].notes, walk, strict=True):
        expected = single_note(engine, pair, weights, pitch=55.0, **how).samples
        np.testing.assert_array_equal(blend.within_full_scale(note()).samples, expected)
    morph = single_note(engine, pair, walk, **how).samples
    np.testing.assert_array_equal(blend.within_full_scale(made[1].notes[0]()).samples, morph)
    (alone,) = engine.blend(rows[:1])
    assert not alone.notes  # no rate, no notes
    moments = [blend.steady_moment(embedding) for embedding in blend.align(pair, 55.0, None)[0]]
    features = blend.path_features(engine.coder, moments, walk, midi_to_hz(55.0), knobs, even=True)
    for stereo, expected in ((False, synthesis.cycles(features)[None]), (True, synthesis.stereo_cycles(features))):
        frames = alone.walk(stereo)
        assert frames.shape == (1 + stereo, 3, 2048)
        np.testing.assert_array_equal(frames, expected)


def test_rows_at_one_pitch_share_a_timeline(plain):
    engine = FeatureEngine(load_engine("envelope").coder)
    loads = []
    (first, second) = instruments(engine.coder, plain)
    counted = Instrument("x", first.pitches, lambda i: loads.append(i) or first.load(i), moving=True)
    pair = (counted, second)
    rows = [Row(pair, pitch, line_weights([m])) for m in (0.0, 0.5) for pitch in (50.0, 52.0)]
    made = engine.blend(iter(rows), 0.2, 16_000)
    assert loads == []  # nothing is laid before it is asked for
    assert len(list(made)) == 4
    assert len(loads) == 2


def test_nothing_heavy_is_imported():
    code = (
        "import sys; from wavetables.engines import load_engine; from wavetables.importing import slicing;"
        "load_engine('harmonic'); assert not {'tensorflow', 'keras', 'matplotlib', 'rich'} & set(sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_the_stages_can_be_had_one_by_one(plain):
    """Features → embedding → features, as the pipeline has them."""
    features, engine = plain(196.0, 30, np.linspace(-10, -50, 40)), load_engine("harmonic")
    again = engine.decode(engine.encode(features), features.f0_hz)
    np.testing.assert_allclose(again.partials_db[:, :40], features.partials_db[:, :40], atol=0.1)
