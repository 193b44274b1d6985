"""The harmonic engine and its runtime: what must hold whatever the weights are."""

from __future__ import annotations

import dataclasses
import json
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from nsynth_core.blending.coder import load_coder
from nsynth_core.blending.embedding import mix, stretch
from nsynth_core.errors import UserError
from nsynth_core.harmonic.coder import HarmonicCoder
from nsynth_core.harmonic.inputs import CONTEXT, INPUTS, TRUNK_INPUTS, encoder_inputs, trunk_inputs
from nsynth_core.harmonic.runtime import GRAPHS, Network, load, weights_folder
from nsynth_core.sound.features import NOISE_BANDS, TOP_HZ, Features
from nsynth_core.sound.spectral_envelope import ENVELOPE_POINTS, envelope, envelope_hz

MEGABYTE = 1_000_000


@pytest.fixture(scope="module")
def engine() -> HarmonicCoder:
    return load_coder("harmonic")


def note(f0: float = 220.0, frames: int = 60, seed: int = 0, contour=None) -> Features:
    rng = np.random.default_rng(seed)
    hz = np.full(frames, f0, dtype=np.float32) if contour is None else np.asarray(contour, dtype=np.float32)
    frames = len(hz)
    number = np.arange(1, int(TOP_HZ / hz.min()) + 1)
    fade = -0.2 * np.arange(frames)[:, None]
    partials = -20 - 15 * np.log10(number) + fade + rng.normal(0, 4, (frames, len(number)))
    partials[hz[:, None] * number > TOP_HZ] = -120
    return Features(
        f0_hz=hz,
        partials_db=partials.astype(np.float32),
        noise_db=(rng.normal(-70, 5, (frames, NOISE_BANDS)) + fade).astype(np.float32),
        balance_db=rng.normal(0, 8, (frames, NOISE_BANDS)).astype(np.float32),
        correlation=rng.uniform(-1, 1, (frames, NOISE_BANDS)).astype(np.float32),
    )


CONTOURS = {
    "lowest": np.full(40, 27.5),
    "low": np.full(40, 65.4),
    "middle": np.full(40, 441.3),
    "high": np.full(40, 4000.0),
    "highest": np.full(40, 15_000.0),
    "glide": np.geomspace(60, 1200, 40),
    "vibrato": 330 * 2 ** (0.5 / 12 * np.sin(np.arange(40))),
    "jumps": np.where(np.arange(40) % 7 < 3, 110.0, 233.0),
}


@pytest.mark.parametrize("contour", CONTOURS)
def test_decode_gives_back_what_was_encoded(engine, contour):
    features = note(contour=CONTOURS[contour])
    out = engine.decode(engine.encode(features), features.f0_hz)
    for field in dataclasses.fields(Features):
        true, given = getattr(features, field.name), getattr(out, field.name)
        assert given.dtype == np.float32
        if field.name == "partials_db":
            heard = features.f0_hz[:, None] * np.arange(1, true.shape[1] + 1) <= TOP_HZ
            np.testing.assert_allclose(given[heard], true[heard], atol=2e-3)
            assert (given[~heard] <= -100).all()
        else:
            np.testing.assert_allclose(given, true, atol=2e-3)


def test_mix_at_the_ends_gives_the_sources_back(engine):
    a, b = note(seed=1), note(seed=2)
    embeddings = [engine.encode(x) for x in (a, b)]
    for weights, source in (([1, 0], a), ([0, 1], b)):
        out = engine.decode(mix(embeddings, weights), source.f0_hz)
        np.testing.assert_allclose(out.partials_db, source.partials_db, atol=2e-3)
        np.testing.assert_allclose(out.noise_db, source.noise_db, atol=2e-3)


@pytest.mark.parametrize("contour", CONTOURS)
@pytest.mark.parametrize("detail", [0.0, 0.5, 1.0])
def test_any_pitch_of_any_note_is_finite_and_has_its_level(engine, contour, detail):
    embedding = stretch(engine.encode(note(196.0)), 40)
    out = engine.decode(embedding, CONTOURS[contour], detail)
    assert out.partials_db.shape == (40, int(TOP_HZ / np.float32(CONTOURS[contour].min())))
    for field in dataclasses.fields(Features):
        assert np.isfinite(getattr(out, field.name)).all()
    assert np.abs(out.balance_db).max() <= 60
    assert np.abs(out.correlation).max() <= 1
    np.testing.assert_allclose(out.level_db(), embedding.level_db, atol=0.01)


def test_detail_walks_from_the_network_to_the_source(engine):
    features = note()
    embedding = engine.encode(features)
    bare, half, full = (engine.decode(embedding, features.f0_hz, detail) for detail in (0.0, 0.5, 1.0))
    error = [np.abs(x.partials_db - features.partials_db).mean() for x in (bare, half, full)]
    assert error[0] > error[1] > error[2]
    assert error[2] < 1e-3


def test_levels_shift_alone(engine):
    features = note()
    louder = dataclasses.replace(features, partials_db=features.partials_db + 12, noise_db=features.noise_db + 12)
    one, other = engine.encode(features), engine.encode(louder)
    np.testing.assert_allclose(one.z, other.z, atol=1e-4)
    np.testing.assert_allclose(other.level_db - one.level_db, 12, atol=1e-4)


def test_silence_encodes(engine):
    quiet = dataclasses.replace(note(), partials_db=note().partials_db * 0 - 120, noise_db=note().noise_db * 0 - 120)
    embedding = engine.encode(quiet)
    assert np.isfinite(embedding.z).all()
    out = engine.decode(embedding, quiet.f0_hz)
    assert out.level_db().max() < -80


@pytest.mark.parametrize("frames", [1, 2, 3, 500])
def test_any_number_of_frames(engine, frames):
    features = note(frames=frames)
    embedding = engine.encode(features)
    assert embedding.z.shape[0] == frames
    assert 16 <= embedding.z.shape[1] <= 32
    assert engine.decode(embedding, features.f0_hz).frames == frames


def test_threads_do_not_disturb_one_another(engine):
    sounds = [note(110.0 * (i + 1), frames=30 + 7 * i, seed=i) for i in range(8)]

    def road(features):
        return engine.decode(engine.encode(features), features.f0_hz * np.float32(1.5), 0.7).partials_db

    alone = [road(x) for x in sounds]
    with ThreadPoolExecutor(4) as pool:
        for one, other in zip(alone, pool.map(road, sounds), strict=True):
            np.testing.assert_array_equal(one, other)


def test_engines_of_other_folders(tmp_path, engine):
    with pytest.raises(UserError, match=r"encoder\.tflite: missing"):
        HarmonicCoder(tmp_path)
    copy = tmp_path / "weights"
    shutil.copytree(weights_folder(), copy)
    assert HarmonicCoder(copy).version == engine.version
    (copy / "trunk.tflite").write_bytes((copy / "trunk.tflite").read_bytes() + b"\0")
    assert Network(copy).hash != engine.version


def test_weights_are_shipped_small_with_their_card():
    folder = weights_folder()
    assert sum(path.stat().st_size for path in folder.iterdir()) <= 4 * MEGABYTE
    assert {f"{name}.tflite" for name in GRAPHS} <= {path.name for path in folder.iterdir()}
    card = json.loads((folder / "model_card.json").read_text())
    assert isinstance(card, dict)
    assert card


def test_graphs_take_and_give_what_the_engine_thinks():
    network = load()
    z = network("encoder", np.zeros((3, len(CONTEXT) * INPUTS), dtype=np.float32))
    assert z.shape[0] == 3
    numbers = np.arange(1, 8)
    basis = network("trunk", trunk_inputs(numbers, numbers.astype(np.float32) * 100))
    assert basis.shape[0] == 7
    # one row does not depend on the others
    np.testing.assert_allclose(network("trunk", trunk_inputs(numbers[:1], np.float32([100])))[0], basis[0], atol=1e-5)
    assert load() is network


def test_inputs_have_their_shapes_and_range():
    inputs = encoder_inputs(note(frames=20))
    assert inputs.shape == (20, len(CONTEXT), INPUTS)
    assert np.abs(inputs).max() < 3
    # the ends are repeated
    np.testing.assert_array_equal(inputs[0, 0], inputs[0, 2])
    assert trunk_inputs(np.arange(1, 4), np.float32([100, 200, 300])).shape == (3, TRUNK_INPUTS)


@pytest.mark.parametrize("f0", [30.0, 200.0, 1000.0])
def test_envelope_reads_a_straight_line(f0):
    number = np.arange(1, int(TOP_HZ / f0) + 1)
    line = (-0.001 * number * f0).astype(np.float32)[None]
    read = envelope(line, np.float32([f0]))
    assert read.shape == (1, ENVELOPE_POINTS)
    hz = envelope_hz()
    inside = (hz > 2 * f0) & (hz < 0.9 * TOP_HZ)
    np.testing.assert_allclose(read[0, inside], -0.001 * hz[inside], atol=0.15)


def test_run_time_never_imports_tensorflow():
    code = (
        "import sys; from nsynth_core.blending import instrument; from nsynth_core.blending.coder import load_coder;"
        "load_coder('harmonic'); assert not {'tensorflow', 'keras', 'matplotlib'} & set(sys.modules), 'heavy'"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "XNNPACK" not in done.stderr


def test_a_consonant_takes_its_code_from_the_vowels_around_it(engine):
    """Frames of noise only are nothing the network was trained on: codes of them would be anything."""
    sound = note(frames=60, seed=5)
    partials = sound.partials_db.copy()
    partials[20:30] = -120
    noise = sound.noise_db.copy()
    noise[20:30] = -30
    spoken = dataclasses.replace(sound, partials_db=partials, noise_db=noise)
    embedding = engine.encode(spoken)
    np.testing.assert_array_equal(embedding.z[:16], engine.encode(sound).z[:16])
    vowels = np.concatenate([embedding.z[:16], embedding.z[34:]])
    assert np.abs(embedding.z[16:34]).max() < 1.5 * np.abs(vowels).max()
    again = engine.decode(embedding, spoken.f0_hz)
    assert (again.partials_db[20:30] < -100).all()
    np.testing.assert_allclose(again.noise_db, spoken.noise_db, atol=0.05)


def test_what_the_network_missed_comes_in_at_its_own_strength(engine):
    """A partial that only one source has, and that the network missed, is between its strengths halfway: were its
    residual a factor on what the network puts there, it would stand out or vanish."""
    quiet = note(frames=8, seed=1)
    strong = quiet.partials_db.copy()
    strong[:, 40] = -12.0
    loud = dataclasses.replace(quiet, partials_db=strong)
    a, b = engine.encode(quiet), engine.encode(loud)
    strength = [engine.decode(mix([a, b], [1 - m, m]), quiet.f0_hz) for m in (0.0, 0.25, 0.5, 0.75, 1.0)]
    levels = np.stack([x.partials_db[:, 40] - x.level_db() for x in strength])
    assert (np.diff(levels.mean(axis=1)) > 0).all()
    # frame by frame envelopes are drawn to and fro, but never so far that it stands out or loses half its power
    assert (levels[2] > levels[0] - 3).all()
    assert (levels[2] < levels[4]).all()
