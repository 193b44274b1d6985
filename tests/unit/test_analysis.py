"""Analysis against sounds whose partials, noise and stereo image are known in closed form."""

from __future__ import annotations

import numpy as np
import pytest

from nsynth_core.audio import Sound
from nsynth_core.pitch import HOP_SECONDS, PitchTrack
from nsynth_core.sound.analysis import BLOCK_SECONDS, analyse
from nsynth_core.sound.features import FLOOR_DB, NOISE_BANDS, band_edges
from nsynth_core.sound.interpolation import warp

RATE = 48_000
EDGES = band_edges()


def total(db: np.ndarray) -> np.ndarray:
    return 10 * np.log10((10 ** (db / 10)).sum(-1) + 1e-15)


def saw_db(features, amplitude: float = 0.3) -> np.ndarray:
    return 20 * np.log10(amplitude / np.arange(1, features.partials_db.shape[1] + 1)) - 3.01


@pytest.mark.parametrize("rate", [8000, 11_025, 16_000, 22_050, 44_100, 48_000, 96_000, 192_000])
@pytest.mark.parametrize("f0", [55.0, 221.7, 1000.0])
def test_partials_of_a_saw_are_one_over_k_in_every_frame(saw, held, rate, f0):
    sound = saw(f0, 0.4, rate)
    features = analyse(sound, held(f0))
    assert features.partials_db.shape == (41, int(min(20_000, 0.49 * rate) / f0))
    # the first and the last frame, too: a window cut off there would smear
    np.testing.assert_allclose(features.partials_db, np.tile(saw_db(features), (41, 1)), atol=0.1)
    assert total(features.noise_db).max() < -65
    np.testing.assert_allclose(features.f0_hz, f0, rtol=1e-6)
    np.testing.assert_allclose(features.balance_db, 0, atol=1e-4)
    np.testing.assert_allclose(features.correlation, 1, atol=1e-4)


def test_mono_and_equal_channels_are_alike(saw, held):
    mono = saw(220)
    stereo = Sound(np.tile(mono.samples, (1, 2)), RATE)
    one, two = analyse(mono, held(220)), analyse(stereo, held(220))
    for name in ("partials_db", "noise_db", "balance_db", "correlation"):
        np.testing.assert_allclose(getattr(one, name), getattr(two, name), atol=1e-3)


@pytest.mark.parametrize("gain", [0.5, 0.1, 3.0])
def test_balance_is_the_ratio_of_the_channels(saw, held, gain):
    x = saw(220).samples
    features = analyse(Sound(np.hstack([x, gain * x]), RATE), held(220))
    full = np.flatnonzero(EDGES[1:] > 220)
    np.testing.assert_allclose(features.balance_db[:, full], 20 * np.log10(gain), atol=0.05)
    np.testing.assert_allclose(features.correlation[:, full], 1, atol=1e-3)
    # the partials are those of the mean power
    level = saw_db(features) + 10 * np.log10((1 + gain**2) / 2)
    np.testing.assert_allclose(features.partials_db[25], level, atol=0.1)


def test_hard_sides(saw, held):
    x = saw(220).samples
    assert analyse(Sound(np.hstack([x, 0 * x]), RATE), held(220)).balance_db.max() < -50
    assert analyse(Sound(np.hstack([0 * x, x]), RATE), held(220)).balance_db.min() > 50


@pytest.mark.parametrize("degrees", [0, 60, 90, 180])
def test_correlation_is_the_cosine_of_the_phase(held, degrees):
    t = np.arange(RATE // 2)[:, None] / RATE
    number = np.arange(1, 60)
    phase = np.stack([np.zeros(59), np.full(59, np.radians(degrees))], axis=1)
    x = sum(0.02 * np.sin(2 * np.pi * 300 * k * t + phase[k - 1]) for k in number)
    features = analyse(Sound(x.astype(np.float32), RATE), held(300))
    np.testing.assert_allclose(features.correlation[:, 6:22], np.cos(np.radians(degrees)), atol=0.01)
    np.testing.assert_allclose(features.partials_db[:, :59], 20 * np.log10(0.02) - 3.01, atol=0.2)


def test_independent_noise_has_no_correlation(held):
    x = (np.random.default_rng(0).standard_normal((RATE * 4, 2)) * 0.1).astype(np.float32)
    features = analyse(Sound(x, RATE), held(200, 4))
    assert np.abs(features.correlation.mean(0)[2:]).max() < 0.15
    assert np.abs(features.balance_db.mean(0)[2:]).max() < 0.7


@pytest.mark.parametrize("rate", [8000, 16_000, 44_100, 48_000, 96_000])
def test_white_noise_has_its_level_in_every_band(held, rate):
    x = (np.random.default_rng(1).standard_normal((rate * 3, 2)) * 0.1).astype(np.float32)
    features = analyse(Sound(x, rate), held(60, 3))
    width = np.diff(np.minimum(EDGES, min(20_000, 0.49 * rate)))
    measured = 10 * np.log10((10 ** (features.noise_db / 10)).mean(0))
    true = 10 * np.log10(0.01 * np.maximum(width, 1e-9) / (rate / 2))
    # some bands hold few bins: what is left is the scatter of their mean
    np.testing.assert_allclose(measured[width > 0], true[width > 0], atol=1.2)
    assert np.abs((measured - true)[(width > 0) & (np.arange(NOISE_BANDS) > 5)]).max() < 0.5
    np.testing.assert_allclose(measured[width <= 0], FLOOR_DB, atol=1e-3)


@pytest.mark.parametrize("f0", [60.0, 220.0])
def test_noise_beside_partials_is_told_apart(saw, held, f0):
    clean = saw(f0, 3)
    x = clean.samples + (np.random.default_rng(2).standard_normal(clean.samples.shape) * 0.003).astype(np.float32)
    features = analyse(Sound(x, RATE), held(f0, 3))
    measured = 10 * np.log10((10 ** (features.noise_db / 10)).mean(0))
    true = 10 * np.log10(0.003**2 * np.diff(EDGES) / (RATE / 2))
    above = EDGES[:-1] > f0
    np.testing.assert_allclose(measured[above], true[above], atol=1.0)
    strong = saw_db(features) > -45
    np.testing.assert_allclose(features.partials_db[:, strong].mean(0), saw_db(features)[strong], atol=0.1)


def test_what_lies_above_20_khz_does_not_fold(saw, held):
    sound = saw(220, 0.4, 96_000)
    t = np.arange(len(sound.samples)) / 96_000
    above = sum(0.05 * np.sin(2 * np.pi * hz * t) for hz in (23_011.0, 27_013.0, 31_017.0, 45_019.0))
    features = analyse(Sound(sound.samples + above.astype(np.float32)[:, None], 96_000), held(220))
    assert total(features.noise_db)[3:-3].max() < -75
    np.testing.assert_allclose(features.partials_db[20], saw_db(features), atol=0.1)


@pytest.mark.parametrize(("f0", "cents", "hertz"), [(110.0, 50, 5.5), (440.0, 50, 5.5), (220.0, 100, 6.0)])
def test_moving_pitch_does_not_smear(f0, cents, hertz):
    t = np.arange(RATE) / RATE

    def contour(t):
        return f0 * 2 ** (cents / 1200 * np.sin(2 * np.pi * hertz * t))

    turns = np.concatenate([[0.0], np.cumsum((contour(t)[1:] + contour(t)[:-1]) / 2)]) / RATE
    count = int(18_000 / f0)
    x = sum(0.3 / k * np.sin(2 * np.pi * k * turns) for k in range(1, count + 1))
    times = np.arange(int(1 / HOP_SECONDS) + 2) * HOP_SECONDS
    track = PitchTrack(contour(times), np.ones(len(times), dtype=bool), 1.0)
    features = analyse(Sound(x.astype(np.float32)[:, None], RATE), track)
    error = features.partials_db[:, :count] - saw_db(features)[:count]
    assert np.abs(error[5:-5]).max() < 0.1
    assert total(features.noise_db)[5:-5].max() < -60


def test_pieces_of_a_long_sound_meet(saw, held):
    seconds = 2 * BLOCK_SECONDS + 1
    sound = saw(1234.5, seconds, 8000)
    features = analyse(sound, held(1234.5, seconds))
    assert features.frames == round(seconds * 100) + 1
    np.testing.assert_allclose(features.partials_db - saw_db(features), 0, atol=0.1)
    assert total(features.noise_db).max() < -65


@pytest.mark.parametrize(("f0", "periods"), [(30, 3), (440, 3), (440, 4), (1000, 3), (3000, 3)])
def test_three_periods_are_enough(saw, held, f0, periods):
    features = analyse(saw(f0, periods / f0), held(f0))
    assert features.frames >= 2
    first = min(12, features.partials_db.shape[1])
    # of so few samples, the oversampling's own ends are a part
    np.testing.assert_allclose(features.partials_db[:, :first] - saw_db(features)[:first], 0, atol=1.5)


def test_amplitude_follows_the_note(held):
    t = np.arange(RATE) / RATE
    level = 10 ** (-40 * t / 20)
    features = analyse(Sound((level * np.sin(2 * np.pi * 440 * t)).astype(np.float32)[:, None], RATE), held(440, 1))
    np.testing.assert_allclose(features.partials_db[3:-3, 0], -40 * np.arange(101)[3:-3] / 100 - 3.01, atol=0.1)


def test_many_channels_keep_their_level(saw, held):
    x = saw(220).samples
    six = np.zeros((len(x), 6), dtype=np.float32)
    six[:, 4] = x[:, 0]
    features = analyse(Sound(six, RATE), held(220))
    np.testing.assert_allclose(features.partials_db[20], saw_db(features), atol=0.1)
    assert np.ptp(features.balance_db) < 1e-3


def test_silence_is_the_floor(held):
    features = analyse(Sound(np.zeros((4800, 2), dtype=np.float32), RATE), held(100))
    assert features.partials_db.max() == FLOOR_DB
    assert features.noise_db.max() == FLOOR_DB
    for values in (features.balance_db, features.correlation):
        assert np.isfinite(values).all()


def test_loudness_shifts_everything_alike(saw, held):
    sound = saw(220)
    x = sound.samples + (np.random.default_rng(3).standard_normal((len(sound.samples), 1)) * 0.01).astype(np.float32)
    loud, soft = (analyse(Sound(x * np.float32(g), RATE), held(220)) for g in (1.0, 0.1))
    np.testing.assert_allclose(loud.partials_db - soft.partials_db, 20, atol=0.05)
    np.testing.assert_allclose((loud.noise_db - soft.noise_db)[:, 3:], 20, atol=0.05)


def test_warp_reads_between_samples():
    t = np.arange(4800) / RATE
    place = np.random.default_rng(4).uniform(0.02, 0.08, 1000)
    read = warp(np.sin(2 * np.pi * 5000 * t).astype(np.float32)[:, None], RATE, place)[:, 0]
    np.testing.assert_allclose(read, np.sin(2 * np.pi * 5000 * place), atol=1e-4)
    outside = warp(np.ones((480, 1), dtype=np.float32), RATE, np.asarray([-1.0, 1.0]))
    np.testing.assert_array_equal(outside, 0)


def test_noise_is_no_flicker_of_partials(held):
    x = (np.random.default_rng(6).standard_normal((RATE * 2, 2)) * 0.1).astype(np.float32)
    features = analyse(Sound(x, RATE), held(150, 2))
    power = 10 ** (features.partials_db / 10)
    assert 10 * np.log10(power.sum(1).mean() / 0.01) < -12
    # a gate for each frame alone lets them change by 3.9 dB from frame to frame
    assert np.abs(np.diff(features.partials_db, axis=0)).mean() < 3.2


def test_a_late_attack_stays_late(held):
    # silence for 12 ms, then a low note: windows of 4 periods all reach across its onset
    t = np.arange(RATE // 2) / RATE
    x = sum(0.1 * np.sin(2 * np.pi * 110 * k * (t - 0.012)) for k in range(1, 20)) * (t > 0.012)
    features = analyse(Sound(x.astype(np.float32)[:, None], RATE), held(110))
    level = total(features.partials_db)
    assert level[0] < level[10] - 6
    assert level[2] > level[10] - 3


def test_unvoiced_noise_has_no_partials_and_a_tone_keeps_them(saw):
    rng = np.random.default_rng(0)
    count = int(1.0 / HOP_SECONDS) + 2
    track = PitchTrack(np.full(count, 220.0), np.arange(count) < count // 2, 1.0)
    hiss = Sound((0.1 * rng.standard_normal((RATE, 1))).astype(np.float32), RATE)
    features = analyse(hiss, track)
    tonal = 10 * np.log10((10 ** (features.partials_db / 10)).sum(1))
    total = features.level_db()
    assert (tonal[55:95] < total[55:95] - 60).all()
    np.testing.assert_allclose(total[5:95].mean(), -20.0 + 10 * np.log10(20 / 24), atol=0.3)  # up to 20 kHz
    # where the pitch track is wrong, what is a tone stays one
    steady = saw(220, 1.0)
    np.testing.assert_array_equal(
        analyse(steady, track).partials_db, analyse(steady, PitchTrack(track.f0_hz, track.f0_hz > 0, 1.0)).partials_db
    )
