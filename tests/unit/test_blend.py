"""Instruments, weights, notes and frames."""

from __future__ import annotations

import numpy as np
import pytest

from nsynth_core import audio
from nsynth_core.audio import Sound
from nsynth_core.blending import instrument as blend
from nsynth_core.blending.coder import CODERS, load_coder
from nsynth_core.blending.embedding import at_frames
from nsynth_core.blending.engines import single_note, single_table
from nsynth_core.blending.feature_engine import FeatureEngine
from nsynth_core.blending.instrument import (
    Instrument,
    align,
    embed,
)
from nsynth_core.blending.weights import corner_weights, line_weights
from nsynth_core.errors import UsageError, UserError
from nsynth_core.notes import midi_to_hz
from nsynth_core.sound import synthesis
from nsynth_core.sound.features import FRAME_RATE
from nsynth_core.sound.knobs import Knobs
from nsynth_core.sound.spacing import steps
from wavetables.cli.words import sentence
from wavetables.instruments import describe

PLAIN = load_coder("envelope")  # its embedding is the features: every value can be worked out
BLENDER = FeatureEngine(PLAIN)


def uneven_frames(coder, instruments, weights, pitch=None):
    """Single cycles (n, 2048) at the weights, not re-spaced."""
    moments = [blend.steady_moment(embedding) for embedding in blend.align(instruments, pitch, None)[0]]
    hz = midi_to_hz(blend.root_pitch(instruments, pitch))
    return synthesis.cycles(blend.path_features(coder, moments, weights, hz))


def still(plain, name="still", pitches=(60.0,), frames=101, moving=False, level=0.0) -> Instrument:
    made = {
        pitch: PLAIN.encode(plain(midi_to_hz(pitch), frames, -20.0 + level - 6 * np.arange(20) / (1 + i)))
        for i, pitch in enumerate(pitches)
    }
    return Instrument(name, tuple(pitches), lambda i: made[pitches[i]], moving)


def test_line_weights():
    np.testing.assert_allclose(line_weights([0, 0.25, 1]), [[1, 0], [0.75, 0.25], [0, 1]])


@pytest.mark.parametrize(
    ("x", "y", "weights"),
    [
        (0, 0, [1, 0, 0, 0]),
        (1, 0, [0, 1, 0, 0]),
        (0, 1, [0, 0, 1, 0]),
        (1, 1, [0, 0, 0, 1]),
        (0.5, 0.5, [0.25] * 4),
        (0.25, 0.5, [0.375, 0.125, 0.375, 0.125]),
        (0.25, 0.25, [0.5625, 0.1875, 0.1875, 0.0625]),
    ],
)
def test_bilinear_weights(x, y, weights):
    np.testing.assert_allclose(corner_weights(x, y), weights, atol=1e-6)


@pytest.mark.parametrize(
    ("x", "y", "weights"),
    [
        (0, 0, [1, 0, 0, 0]),
        (0.25, 0.25, [0.607, 0.197, 0.197, 0]),
        (0.5, 0.5, [0.25] * 4),
        (0.5, 0, [0.5, 0.5, 0, 0]),
    ],
)
def test_nsynth_weights(x, y, weights):
    np.testing.assert_allclose(corner_weights(x, y, rule="nsynth"), weights, atol=6e-4)


@pytest.mark.parametrize("rule", ["bilinear", "nsynth"])
@pytest.mark.parametrize("corners", [2, 4])
def test_weights_sum_to_one_everywhere(rule, corners):
    for x in np.linspace(0, 1, 9):
        for y in np.linspace(0, 1, 9):
            weights = corner_weights(x, y, corners, rule)
            assert weights.sum() == pytest.approx(1, abs=1e-6)
            assert (weights >= 0).all()


@pytest.mark.parametrize("rule", ["bilinear", "nsynth"])
@pytest.mark.parametrize(("corners", "last"), [(9, 2), (16, 3)])
def test_a_matrix_is_made_of_squares_of_four(rule, corners, last):
    width = last + 1
    for u in range(last):
        for v in range(last):
            for x, y in ((0, 0), (1, 0), (0.5, 0), (0.25, 0.75), (0.5, 0.5)):
                weights = corner_weights((u + x) / last, (v + y) / last, corners, rule).reshape(width, width)
                expected = np.zeros((width, width))
                expected[v : v + 2, u : u + 2] = corner_weights(x, y, 4, rule).reshape(2, 2)
                np.testing.assert_allclose(weights, expected, atol=1e-6)


def test_two_corners_are_a_line():
    np.testing.assert_allclose(corner_weights(0.3, 0.9, 2), [0.7, 0.3], atol=1e-6)


def test_instrument_between_its_keys(plain):
    instrument = still(plain, pitches=(48.0, 60.0))
    assert instrument.at(30) is instrument.load(0)
    assert instrument.at(48) is instrument.load(0)
    assert instrument.at(99) is instrument.load(1)
    between = instrument.at(51)
    np.testing.assert_allclose(between.f0_hz, midi_to_hz(51), rtol=1e-5)
    assert [float(part.weight[0]) for part in between.parts] == pytest.approx([0.75, 0.25])


def test_keys_of_unequal_length(plain):
    long, short = (PLAIN.encode(plain(200.0, frames)) for frames in (201, 60))
    assert Instrument("x", (48.0, 60.0), lambda i: (long, short)[i]).at(54).frames == 201


def test_blend_lasts_as_long_as_the_first_recording(plain):
    bank, voice = still(plain, frames=301), still(plain, frames=121, moving=True, pitches=(64.3,))
    for pair in ([bank, voice], [voice, bank]):
        embeddings, f0 = align(pair, None, None)
        assert [e.frames for e in embeddings] == [121, 121]
        np.testing.assert_allclose(f0, midi_to_hz(64.3), rtol=1e-5)
    embeddings, _ = align([bank, voice], 50, None)  # a pitch of its own changes nothing of its length
    assert [e.frames for e in embeddings] == [121, 121]
    embeddings, f0 = align([bank, voice], 50, 2.5)
    assert [e.frames for e in embeddings] == [251, 251]
    np.testing.assert_allclose(f0, midi_to_hz(50), rtol=1e-5)
    _, f0 = align([bank, bank], None, None)
    np.testing.assert_allclose(f0, midi_to_hz(48), rtol=1e-5)


@pytest.mark.parametrize("engine", CODERS)
def test_note_has_its_length_rate_and_level(saw, engine):
    runner = load_coder(engine)
    embedding, detection = embed(saw(220), runner, 57)
    instrument = Instrument("saw", (detection.pitch,), lambda _: embedding, moving=True)
    note = single_note(FeatureEngine(runner), [instrument, instrument], [0.5, 0.5], seconds=0.7, rate=44_100)
    assert (note.rate, note.samples.shape) == (44_100, (30_870, 2))
    middle = note.samples[5000:-5000]
    own = saw(220, 0.7).samples[5000:-5000]
    assert np.sqrt((middle**2).mean()) == pytest.approx(np.sqrt((own**2).mean()), rel=0.02)
    low = single_note(FeatureEngine(runner), [instrument, instrument], [0.5, 0.5], pitch=45, seconds=0.5)
    assert np.isfinite(low.samples).all()
    assert np.abs(low.samples).max() <= blend.PEAK + 1e-6


def test_loud_notes_are_turned_down_and_quiet_ones_left():
    loud, quiet = (Sound(np.full((10, 2), level, dtype=np.float32), 48_000) for level in (3.0, 0.5))
    assert np.abs(blend.within_full_scale(loud).samples).max() == pytest.approx(blend.PEAK)
    assert blend.within_full_scale(quiet) is quiet


def test_a_note_that_morphs_goes_from_one_to_the_other(plain):
    hollow, full = (
        Instrument("x", (48.0,), {0: PLAIN.encode(plain(midi_to_hz(48), 201, db))}.__getitem__)
        for db in ((-20.0, -60.0, -20.0), (-20.0, -20.0, -20.0))
    )
    path = line_weights(np.linspace(0, 1, 5))
    note = single_note(BLENDER, [hollow, full], path, seconds=2.0).samples[:, 0].astype(np.float64)
    for at in (0.25, 0.5, 1.0, 1.5, 1.75):
        piece = note[round((at - 0.05) * 48_000) : round((at + 0.05) * 48_000)]
        t = np.arange(len(piece)) / 48_000
        basis = [f(2 * np.pi * k * midi_to_hz(48) * t) for k in (1, 2, 3) for f in (np.sin, np.cos)]
        found = np.linalg.lstsq(np.stack(basis, 1), piece, rcond=None)[0]
        first, second, _ = 20 * np.log10(np.hypot(found[::2], found[1::2]))
        assert second - first == pytest.approx(-40 + 20 * at, abs=0.5)


@pytest.mark.parametrize("rate", [44_100, 48_000])
def test_the_dry_sound_lies_under_the_blend_to_the_sample(saw, tmp_path, rate):
    audio.write(tmp_path / "lead.wav", saw(220, 0.7233, 44_100))
    lead = blend.load_instrument(tmp_path / "lead.wav", PLAIN)
    own = audio.resample(audio.read(tmp_path / "lead.wav"), rate).samples
    wet, half, full = (
        single_note(BLENDER, [lead, lead], [1, 0], rate=rate, dry=dry).samples for dry in (0.0, 0.25, 0.5)
    )
    for dry, gain in ((half, 0.25), (full, 0.5)):
        rest = dry.astype(np.float64)
        rest[: len(own)] -= gain * own
        np.testing.assert_allclose(rest[: len(wet)], wet, atol=1e-5)
        assert len(dry) == max(len(own), len(wet))
    still_sound = Instrument("x", (57.0,), lead.load)
    for pair, seconds in (([still_sound, still_sound], None), ([lead, lead], 0.5)):
        with pytest.raises(UsageError, match="recording"):
            single_note(BLENDER, pair, [1, 0], seconds=seconds, dry=0.5)


@pytest.mark.parametrize("number", [0, 1])
def test_envelope_of_one_of_two(plain, number):
    level = np.stack([-20.0 - np.arange(101) / 2, -20.0 - np.abs(np.arange(101) - 50) / 2]).astype(np.float32)
    pair = []
    for curve in level:
        features = plain(midi_to_hz(48), 101, (-20.0, -30.0))
        features.partials_db[:] += curve[:, None] + 20
        embedding = PLAIN.encode(features)
        pair.append(Instrument("x", (48.0,), lambda _, e=embedding: e))
    embeddings, f0 = align(pair, 48, 1.0)
    out = blend.blended(PLAIN, embeddings, np.asarray([0.5, 0.5]), f0, Knobs(envelope=number)).level_db()
    np.testing.assert_allclose(out - out.max(), level[number] - level[number].max(), atol=0.15)


def test_embed_tells_how_the_pitch_was_determined(saw):
    _, detection = embed(saw(220), PLAIN)
    assert detection.pitch == pytest.approx(57, abs=0.02)
    assert (detection.given, detection.doubts) == (None, ())
    assert detection.confidence > 0.9
    assert embed(saw(220), PLAIN, 57)[1].given == 57
    assert describe(blend.from_sound(saw(220), PLAIN))[0].startswith("sound: detected A3")
    assert describe(blend.from_sound(saw(220), PLAIN, 57)) == ["sound: given A3"]


def test_file_is_an_instrument(saw, tmp_path):
    audio.write(tmp_path / "lead.wav", saw(220))
    instrument = blend.load_instrument(tmp_path / "lead.wav", PLAIN)
    assert (instrument.name, instrument.moving) == ("lead", True)
    assert instrument.pitches[0] == pytest.approx(57, abs=0.02)
    assert "lead.wav: detected A3" in describe(instrument)[0]


def test_folder_is_an_instrument_of_many_pitches(saw, tmp_path):
    for midi in (45, 57, 60):
        audio.write(tmp_path / f"lead_{midi}.wav", saw(midi_to_hz(midi)))
    (tmp_path / "readme_60.txt").write_text("no sound")
    audio.write(tmp_path / "without a pitch.wav", saw(100))
    instrument = blend.load_instrument(tmp_path, PLAIN)
    assert instrument.pitches == (45, 57, 60)
    assert not instrument.moving
    for i, midi in enumerate(instrument.pitches):
        np.testing.assert_allclose(instrument.load(i).f0_hz, midi_to_hz(midi), rtol=1e-3)


def test_folder_without_notes(tmp_path):
    with pytest.raises(UserError, match="NAME_PITCH"):
        blend.load_instrument(tmp_path, PLAIN)


def test_errors_name_the_file(tmp_path):
    rng = np.random.default_rng(0)
    audio.write(tmp_path / "drum.wav", Sound((rng.standard_normal((24_000, 1)) * 0.1).astype(np.float32), 48_000))
    with pytest.raises(UserError) as caught:
        blend.load_instrument(tmp_path / "drum.wav", PLAIN)
    assert "drum.wav" in str(caught.value)
    assert f"e.g. {tmp_path / 'drum.wav'}@" in sentence(caught.value, "blend")
    instrument = blend.load_instrument(tmp_path / "drum.wav", PLAIN, 60)
    assert np.isfinite(single_note(BLENDER, [instrument, instrument], [0.5, 0.5]).samples).all()


def test_steady_frame_is_loud_and_calm(plain):
    features = plain(frames=201, partials_db=-20.0 - np.arange(20))
    rng = np.random.default_rng(0)
    features.partials_db[:80] += rng.normal(0, 6, (80, 20)).astype(np.float32)  # restless
    features.partials_db[140:] -= 40  # faint
    frame = blend.steady_frame(PLAIN.encode(features))
    assert 80 <= frame <= 140


@pytest.mark.parametrize("frames", [2, 3, 5])
def test_steady_frame_of_the_shortest(plain, frames):
    assert 0 <= blend.steady_frame(PLAIN.encode(plain(frames=frames))) < frames


def test_frames_walk_from_one_sound_to_the_other_at_one_level(plain):
    slopes = [-20 - 6.0 * np.arange(40), -20 - 0.5 * np.arange(40)]
    dull, bright = (
        Instrument("x", (48.0,), {0: PLAIN.encode(plain(midi_to_hz(48), 101, db))}.__getitem__) for db in slopes
    )
    frames = uneven_frames(PLAIN, [dull, bright], line_weights(np.linspace(0, 1, 9)))
    assert frames.shape == (9, 2048)
    ends = [db - 10 * np.log10((10 ** (db / 10)).sum()) + blend.MOMENT_DB for db in slopes]
    level = 20 * np.log10(np.abs(np.fft.rfft(frames))[:, 1:13] / 1024) - 3.01
    np.testing.assert_allclose(level[0], ends[0][:12], atol=0.01)
    np.testing.assert_allclose(level[-1], ends[1][:12], atol=0.01)
    np.testing.assert_allclose(level[4], (ends[0] + ends[1])[:12] / 2, atol=0.01)


@pytest.mark.parametrize("engine", CODERS)
def test_even_steps_keep_the_ends(saw, engine):
    runner = load_coder(engine)
    dull = Sound(np.convolve(saw(131).samples[:, 0], np.hanning(50) / 25)[:24_000, None].astype(np.float32), 48_000)
    instruments = []
    for sound in (saw(131), dull):
        embedding = embed(sound, runner, 48)[0]
        instruments.append(Instrument("x", (48.0,), lambda _, e=embedding: e))
    weights = line_weights(np.linspace(0, 1, 17) ** 3)  # a path that hurries
    plain_way = uneven_frames(runner, instruments, weights)
    (even,) = single_table(FeatureEngine(runner), instruments, weights)
    np.testing.assert_allclose(even[[0, -1]], plain_way[[0, -1]], atol=1e-5)
    moments = [at_frames(i.at(48), np.asarray([blend.steady_frame(i.at(48))])) for i in instruments]
    raw, spaced = (
        steps(blend.path_features(runner, moments, weights, midi_to_hz(48), even=flag)) for flag in (False, True)
    )
    assert raw.max() / raw.mean() > 1.8
    assert spaced.max() / spaced.mean() <= 1.4


def test_a_path_that_does_not_move(plain):
    same = still(plain)
    (frames,) = single_table(BLENDER, [same, same], line_weights(np.linspace(0, 1, 5)))
    np.testing.assert_allclose(frames, frames[:1].repeat(5, 0), atol=1e-6)


def test_step_is_the_mean_change_in_decibels(plain):
    features = plain(frames=3, partials_db=[-20.0] * 90)
    features.partials_db[2] -= 7  # level alone is no step of timbre
    np.testing.assert_allclose(steps(features), 0, atol=1e-4)
    features.partials_db[1, 60:] -= 10
    assert steps(features)[0] > 1
    assert FRAME_RATE == 100
