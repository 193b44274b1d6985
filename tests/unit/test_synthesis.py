"""Synthesis against closed forms, and against analysis."""

from __future__ import annotations

import dataclasses
from itertools import pairwise

import numpy as np
import pytest

from nsynth_core.sound.analysis import analyse
from nsynth_core.sound.features import FRAME_RATE, TOP_HZ, band_edges
from nsynth_core.sound.synthesis import (
    BLOCK,
    FADE_IN,
    FADE_OUT,
    channel_gains,
    cycles,
    render,
    stereo_amplitudes,
    stereo_cycles,
)

RATE = 48_000
EDGES = band_edges()


def inside(samples: np.ndarray, rate: int = RATE) -> np.ndarray:
    """Without the fades."""
    return samples[round(FADE_IN * rate) : -round(FADE_OUT * rate)]


def db(x: np.ndarray) -> float:
    return float(10 * np.log10((x.astype(np.float64) ** 2).mean() + 1e-20))


@pytest.mark.parametrize("rate", [11_025, 22_050, 44_100, 48_000, 96_000, 192_000])
def test_one_partial_is_a_sine(plain, rate):
    sound = render(plain(f0=300.0, partials_db=(-120, -9.03)), rate)
    assert sound.samples.shape == (rate // 2, 2)
    assert sound.samples.dtype == np.float32
    true = 0.5 * np.sin(2 * np.pi * 600 * np.arange(rate // 2) / rate)
    for channel in sound.samples.T:
        np.testing.assert_allclose(inside(channel, rate), inside(true, rate), atol=2e-4)


@pytest.mark.parametrize("f0", [100.0, 100.01])
def test_phase_is_exact_across_pieces(plain, f0):
    frames = 2 * BLOCK + 301
    features = plain(f0=f0, frames=frames, partials_db=(-9.03, -120, -9.03))
    t = np.arange((frames - 1) * RATE // FRAME_RATE) / RATE
    turns = (np.float32(f0).astype(np.float64) * t) % 1.0
    true = 0.5 * (np.sin(2 * np.pi * turns) + np.sin(6 * np.pi * turns))
    np.testing.assert_allclose(inside(render(features, RATE).samples[:, 0]), inside(true), atol=5e-4)


def test_moving_pitch_has_its_phase_and_no_steps_at_pieces(plain):
    frames = BLOCK + 401
    features = plain(frames=frames, partials_db=(-9.03,))
    time = np.arange(frames) / FRAME_RATE
    f0 = 200 * 2 ** (0.5 / 12 * np.sin(2 * np.pi * 5 * time))
    features = dataclasses.replace(features, f0_hz=f0.astype(np.float32))
    t = np.arange((frames - 1) * RATE // FRAME_RATE) / RATE
    hz = np.exp(np.interp(t, time, np.log(features.f0_hz.astype(np.float64))))
    turns = np.concatenate([[0.0], np.cumsum(hz)[:-1]]) / RATE
    np.testing.assert_allclose(
        inside(render(features, RATE).samples[:, 1]), inside(0.5 * np.sin(2 * np.pi * turns)), atol=1e-3
    )


@pytest.mark.parametrize("f0", [40.0, 440.0, 2000.0])
def test_moving_and_steady_pitch_sound_alike(plain, f0):
    number = np.arange(1, int(19_000 / f0) + 1)
    features = plain(f0=f0, partials_db=-10 - 20 * np.log10(number), balance_db=6.0, correlation=0.5)
    bent = dataclasses.replace(features, f0_hz=features.f0_hz * np.linspace(1, 1.0002, 51, dtype=np.float32))
    one, other = (inside(render(x, RATE).samples) for x in (features, bent))
    early = slice(0, 500)  # before the phases part
    assert db(one[early] - other[early]) < db(one[early]) - 25
    assert db(other) == pytest.approx(db(one), abs=0.05)


def test_level_between_frames_is_a_straight_line(plain):
    features = plain(f0=1000.0, partials_db=(-9.03,))
    features.partials_db[25:] = -29.03
    x = render(features, RATE).samples[:, 0]
    peaks = np.abs(x[: len(x) // 48 * 48]).reshape(-1, 48).max(1)  # of every millisecond
    np.testing.assert_allclose(peaks[240:250], 0.5 - 0.045 * (np.arange(10) + 0.5), atol=0.03)
    np.testing.assert_allclose(peaks[5:239], 0.5, atol=1e-3)
    np.testing.assert_allclose(peaks[251:490], 0.05, atol=1e-3)


@pytest.mark.parametrize("moving", [False, True])
def test_nothing_above_20_khz_or_nyquist(plain, moving):
    for rate, top in ((44_100, TOP_HZ), (22_050, 0.49 * 22_050), (96_000, TOP_HZ)):
        features = plain(f0=700.0, frames=101, partials_db=[-20] * 60)
        if moving:
            wobble = 1 + 0.001 * np.sin(np.arange(101))
            features = dataclasses.replace(features, f0_hz=(700 * wobble).astype(np.float32))
        x = inside(render(features, rate).samples[:, 0], rate)
        spectrum = np.abs(np.fft.rfft(x * np.blackman(len(x))))
        hz = np.fft.rfftfreq(len(x), 1 / rate)
        assert spectrum[hz > top + 100].max(initial=0) < 1e-3 * spectrum.max()


def test_a_note_that_is_cut_off_does_not_click(plain):
    features = plain(f0=110.0, partials_db=(-10,) * 100, noise_db=-40, correlation=0.0)
    x = render(features, RATE).samples
    assert np.abs(x[0]).max() < 1e-2
    assert np.abs(x[-1]).max() < 1e-2
    widest = np.abs(np.diff(inside(x), axis=0)).max()
    assert np.abs(np.diff(x[-240:], axis=0)).max() <= widest


@pytest.mark.parametrize("rate", [8000, 22_050, 44_100, 48_000, 96_000])
def test_noise_has_its_level_in_every_band(plain, rate):
    features = plain(frames=2001, partials_db=(-200,), noise_db=-40.0)
    x = inside(render(features, rate).samples, rate)
    power = (np.abs(np.fft.rfft(x, axis=0)) ** 2).mean(1) * 2 / len(x) ** 2
    hz = np.fft.rfftfreq(len(x), 1 / rate)
    for low, high in pairwise(EDGES[2:]):
        if high < 0.49 * rate:
            assert 10 * np.log10(power[(hz >= low) & (hz < high)].sum()) == pytest.approx(-40, abs=1.2)


def test_noise_does_not_pulse(plain):
    x = inside(render(plain(frames=2001, partials_db=(-200,), noise_db=-40.0), RATE).samples)
    # 100 frames a second: the mean power of all first, second ... milliseconds of a frame
    power = (x[: len(x) // 480 * 480] ** 2).reshape(-1, 10, 48, 2).mean((0, 2, 3))
    assert 10 * np.log10(power.max() / power.min()) < 0.5


@pytest.mark.parametrize("correlation", [1.0, 0.3, 0.0, -1.0])
@pytest.mark.parametrize("balance", [-60.0, -6.0, 0.0])
def test_noise_has_its_stereo_image(plain, correlation, balance):
    features = plain(frames=2001, partials_db=(-200,), noise_db=-40, balance_db=balance, correlation=correlation)
    left, right = inside(render(features, RATE).samples).T.astype(np.float64)
    assert db(right) - db(left) == pytest.approx(balance, abs=0.3)
    assert (left * right).sum() / np.sqrt((left**2).sum() * (right**2).sum()) == pytest.approx(correlation, abs=0.05)


@pytest.mark.parametrize("correlation", [1.0, 0.3, 0.0, -0.5, -1.0])
@pytest.mark.parametrize("balance", [-60.0, -6.0, 0.0, 6.0])
def test_partials_have_their_stereo_image(plain, correlation, balance):
    number = np.arange(1, 80)
    features = plain(f0=240.0, partials_db=-30 - 0 * number, balance_db=balance, correlation=correlation)
    left, right = inside(render(features, RATE).samples)[:20_000].T.astype(np.float64)  # whole periods
    assert db(right) - db(left) == pytest.approx(balance, abs=0.05)
    assert (left * right).sum() / np.sqrt((left**2).sum() * (right**2).sum()) == pytest.approx(correlation, abs=0.01)
    assert 10 * np.log10((10 ** (db(left) / 10) + 10 ** (db(right) / 10)) / 2) == pytest.approx(
        -30 + 10 * np.log10(79), abs=0.05
    )


def test_channel_gains_keep_the_mean_power():
    balance = np.linspace(-60, 60, 25)
    left, right = channel_gains(balance)
    np.testing.assert_allclose((left**2 + right**2) / 2, 1)
    np.testing.assert_allclose(20 * np.log10(right / left), balance, atol=1e-9)


def test_mono_features_make_equal_channels(plain):
    x = render(plain(partials_db=(-10, -20, -30), noise_db=-40), RATE).samples
    np.testing.assert_allclose(x[:, 0], x[:, 1], atol=1e-6)
    assert (stereo_amplitudes(plain(), TOP_HZ).imag == 0).all()


def test_same_features_same_samples(plain):
    features = plain(noise_db=-30, correlation=0.0)
    np.testing.assert_array_equal(render(features, RATE).samples, render(features, RATE).samples)


@pytest.mark.parametrize("noisy", [False, True])
@pytest.mark.parametrize("f0", [55.0, 330.0])
def test_analysis_gives_back_what_was_rendered(plain, held, f0, noisy):
    rng = np.random.default_rng(5)
    number = np.arange(1, int(20_000 / f0) + 1)
    ripple = rng.uniform(-6, 6, len(number)) - 12 - 20 * np.log10(number)
    features = plain(f0, 101, ripple, noise_db=-75 if noisy else -120, balance_db=3.0, correlation=0.7)
    again = analyse(render(features, RATE), held(f0, 1))
    error = np.abs(again.partials_db - features.partials_db)[5:-5]
    strong = ripple > (-50 if noisy else -80)
    assert error[:, strong].max() < (1.5 if noisy else 0.1)
    assert np.median(error[:, strong]) < 0.1
    if noisy:
        measured = 10 * np.log10((10 ** (again.noise_db[5:-5] / 10)).mean(0))[EDGES[:-1] > f0]
        np.testing.assert_allclose(measured, -75, atol=2.5)
    above = (EDGES[1:] > f0) & (EDGES[:-1] > f0)
    np.testing.assert_allclose(again.balance_db[20][above][:15], 3.0, atol=1.0)


def test_cycles_are_the_fourier_series(plain):
    features = plain(f0=100.0, frames=3, partials_db=(-9.03, -15.05, -120, -29.03))
    frame = cycles(features)
    assert frame.shape == (3, 2048)
    phase = 2 * np.pi * np.arange(2048) / 2048
    true = 0.5 * np.sin(phase) + 0.25 * np.sin(2 * phase) + 0.05 * np.sin(4 * phase)
    np.testing.assert_allclose(frame, np.tile(true, (3, 1)), atol=3e-4)
    assert cycles(features, 256).shape == (3, 256)


def test_cycles_are_the_cycles_heard(plain):
    features = plain(f0=RATE / 240, partials_db=-10 - 20 * np.log10(np.arange(1, 100)))
    heard = render(features, RATE).samples[2400:2640, 0]
    np.testing.assert_allclose(heard, cycles(features, 240)[0], atol=1e-5)


def test_stereo_cycles_are_the_cycles_heard(plain):
    features = plain(f0=46.875, frames=21, partials_db=-20.0 - np.arange(300) / 10, balance_db=4.0, correlation=0.3)
    pair = stereo_cycles(features)
    assert pair.shape == (2, 21, 2048)
    heard = render(features, RATE).samples  # a period is 1024 samples
    for channel in (0, 1):
        np.testing.assert_allclose(heard[4096:5120, channel], pair[channel, 4, ::2], atol=2e-4)
    left, right = pair[:, 4].astype(np.float64)
    assert db(right) - db(left) == pytest.approx(4.0, abs=0.01)
    np.testing.assert_array_equal(pair[:, 0], pair[:, 20])


def test_stereo_cycles_of_mono_are_the_cycles(plain):
    features = plain(f0=200.0, frames=3, partials_db=-10.0 - np.arange(150))
    np.testing.assert_allclose(stereo_cycles(features), np.stack([cycles(features)] * 2), atol=1e-6)


def test_cycles_hold_nothing_above_20_khz(plain):
    spectrum = np.abs(np.fft.rfft(cycles(plain(f0=1500.0, partials_db=[-20] * 40))))
    assert spectrum[:, 14:].max() < 1e-3 * spectrum.max()
    assert spectrum[:, 13].min() > 0.9 * spectrum.max()
    assert spectrum[:, 0].max() < 1e-3


def test_odd_and_extreme_features_are_finite(plain):
    for features in (
        plain(frames=2),
        plain(f0=20.0, partials_db=[-60] * 1000),
        plain(f0=5000.0, partials_db=(0, 0, 0, 0, 0)),
        plain(partials_db=(-120,)),
        plain(noise_db=0, balance_db=60, correlation=-1),
    ):
        for rate in (8000, 44_100, 192_000):
            assert np.isfinite(render(features, rate).samples).all()
