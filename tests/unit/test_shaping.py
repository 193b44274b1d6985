from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nsynth_core.sound.spectral_envelope import envelope, relative
from wavetables import shaping
from wavetables.table import FRAME_SIZE


def cycles(spectra: np.ndarray) -> np.ndarray:
    """Frames of complex cosine amplitudes (n, harmonics)."""
    full = np.zeros((len(spectra), FRAME_SIZE // 2 + 1), complex)
    full[:, 1 : spectra.shape[1] + 1] = spectra * FRAME_SIZE / 2
    return np.fft.irfft(full, FRAME_SIZE).astype(np.float32)


def random_table(seed: int = 1, frames: int = 8, harmonics: int = 40, fundamental: float = 1.0) -> np.ndarray:
    """One timbre, each frame turned somewhere else."""
    rng = np.random.default_rng(seed)
    number = np.arange(1, harmonics + 1)
    one = rng.uniform(0.2, 1, harmonics) / number * np.exp(2j * np.pi * rng.random(harmonics))
    one[0] = 0.8 * fundamental
    turned = one * np.exp(2j * np.pi * rng.random(frames)[:, None] * number)
    return 0.3 * cycles(turned)


def test_remove_dc():
    frames = random_table() + np.arange(8, dtype=np.float32)[:, None]
    assert np.abs(shaping.remove_dc(frames).mean(1)).max() < 1e-8


@given(st.floats(1e-6, 1e6), st.floats(0.01, 1.0))
@settings(max_examples=20, deadline=None)
def test_normalize_is_one_gain(gain, peak):
    frames = random_table()
    out = shaping.normalize(frames * np.float32(gain), peak)
    assert np.abs(out).max() <= np.float32(peak)
    assert np.abs(out).max() == pytest.approx(peak, rel=1e-6)
    np.testing.assert_allclose(out, frames * peak / np.abs(frames).max(), atol=1e-6)


def test_normalize_keeps_silence():
    assert not shaping.normalize(np.zeros((2, FRAME_SIZE), np.float32)).any()


@pytest.mark.parametrize("fundamental", [1.0, 0.0])
def test_align_undoes_any_turning(fundamental):
    frames = shaping.align(random_table(fundamental=fundamental))
    assert np.abs(frames - frames[0]).max() < (2e-6 if fundamental else 2e-3)
    level = np.abs(np.fft.rfft(random_table(fundamental=fundamental)))
    np.testing.assert_allclose(np.abs(np.fft.rfft(frames)), level, atol=1e-3)


def test_align_puts_fundamentals_in_sine_phase():
    frames = shaping.align(random_table())
    np.testing.assert_allclose(np.angle(np.fft.rfft(frames)[:, 1]), -np.pi / 2, atol=1e-4)


def test_align_of_one_or_silent_frames():
    for frames in (random_table(frames=1), np.zeros((3, FRAME_SIZE), np.float32)):
        assert shaping.align(frames).shape == frames.shape
        assert np.isfinite(shaping.align(frames)).all()


def test_seam_of_a_saw_and_of_silence():
    saw = np.linspace(-1, 1, FRAME_SIZE, dtype=np.float32)[None]
    assert shaping.seam(saw)[0] == pytest.approx(2047, rel=1e-2)
    assert shaping.seam(np.zeros((1, FRAME_SIZE), np.float32))[0] == 0.0


def test_settled_seam_is_quiet_and_only_turns():
    number = np.arange(1, 1000)
    edge = cycles(np.stack([-0.5j / number, -0.5j / number**1.5]))
    assert shaping.seam(edge).max() > 20
    settled = shaping.settle_seam(edge)
    assert shaping.seam(settled).max() <= 1.0
    turn = int(np.flatnonzero((settled[0] == edge[0, 0]) & (np.roll(settled[0], -1) == edge[0, 1]))[0])
    np.testing.assert_array_equal(np.roll(settled, -turn, 1), edge)


@given(st.integers(1, 12), st.integers(1, 30))
@settings(max_examples=30, deadline=None)
def test_resample_frames(have, want):
    frames = np.arange(have, dtype=np.float32)[:, None] * np.ones(FRAME_SIZE, np.float32)
    out = shaping.resample_frames(frames, want)
    assert out.shape == (want, FRAME_SIZE)
    assert out.dtype == np.float32
    np.testing.assert_allclose(out[:, 5], np.linspace(0, have - 1, want) if want > 1 else [0], atol=1e-5)
    if have == want:
        np.testing.assert_array_equal(out, frames)


def test_shape_keeps_its_promises():
    rng = np.random.default_rng(3)
    out = shaping.shape(random_table(frames=20) * rng.uniform(0.1, 9, (20, 1)).astype(np.float32) + np.float32(0.3))
    first = np.fft.rfft(out)[:, 1]
    assert np.abs(out.mean(1)).max() < 1e-7
    assert np.abs(out).max() == pytest.approx(shaping.PEAK, rel=1e-6)
    assert shaping.seam(out).max() <= 1.0
    np.testing.assert_allclose(np.angle(first / first[0]), 0, atol=1e-3)


def test_frames_that_share_no_quiet_place_are_eased():
    rng = np.random.default_rng(5)
    spectra = rng.normal(size=(200, 30, 2)) @ [1, 1j] / np.arange(1, 31)
    frames = shaping.align(cycles(0.2 * spectra))
    eased = shaping.settle_seam(frames)
    assert shaping.seam(eased).max() <= 1.0
    before, after = (np.fft.rfft(x) / (FRAME_SIZE / 2) for x in (frames, eased))
    change = np.sqrt(((np.abs(after) - np.abs(before)) ** 2).sum() / (np.abs(before) ** 2).sum())
    assert change < 0.05
    assert np.abs(after[:, 31:]).max() < 1e-6
    np.testing.assert_allclose(np.abs(after[:, 1]), np.abs(before[:, 1]), atol=1e-5)
    turned = np.angle(after[:, 1] / before[:, 1])
    np.testing.assert_allclose(np.angle(np.exp(1j * (turned - turned[0]))), 0, atol=1e-4)


def test_some_weak_fundamentals_leave_the_others_in_phase():
    frames = random_table(frames=12)
    spectrum = np.fft.rfft(frames)
    spectrum[[0, 1, 6], 1] = 0.0
    frames = shaping.align(np.fft.irfft(spectrum, FRAME_SIZE).astype(np.float32))
    first = np.delete(np.fft.rfft(frames)[:, 1], [0, 1, 6])
    np.testing.assert_allclose(np.angle(first), -np.pi / 2, atol=1e-4)
    # one timbre: without its fundamental, too, a frame lies on its neighbours
    rest = np.fft.irfft(np.fft.rfft(frames) * (np.arange(FRAME_SIZE // 2 + 1) > 1), FRAME_SIZE)
    assert np.abs(rest - rest[3]).max() < 5e-3


def test_a_pair_is_turned_and_scaled_as_one():
    rng = np.random.default_rng(0)
    spectrum = np.zeros((2, 5, 1025), dtype=np.complex128)
    spectrum[..., 1:200] = rng.standard_normal((2, 5, 199)) / np.arange(1, 200)
    pair = np.fft.irfft(-1j * spectrum).astype(np.float32)
    made = shaping.shape_pair(pair)
    assert made.shape == pair.shape
    assert np.abs(made).max() == pytest.approx(shaping.PEAK, abs=1e-6)
    assert shaping.seam(made.reshape(-1, 2048)).max() <= 1.0
    # between the channels nothing has changed: levels and phases of all harmonics
    before, after = (np.fft.rfft(x)[..., 1:50] for x in (pair, made))
    np.testing.assert_allclose(after[0] / after[1], before[0] / before[1], rtol=0.05, atol=0.02)
    np.testing.assert_allclose(np.abs(after) / np.abs(before), np.abs(after[0, 0, 0] / before[0, 0, 0]), rtol=0.05)


def test_mid_and_side():
    pair = np.random.default_rng(0).standard_normal((2, 3, 64)).astype(np.float32)
    mid, side = shaping.mid_side(pair)
    np.testing.assert_allclose([mid + side, mid - side], pair, atol=1e-6)
    assert not shaping.mid_side(pair[[0, 0]])[1].any()
    silent = shaping.shape_pair(shaping.mid_side(pair[[0, 0]]))[1]
    assert not silent.any()


def test_frames_at_even_steps():
    """Where the timbre hurries, more frames; both channels walk together, and the ends stay."""
    number, place = np.arange(1, 60), np.arange(2048) / 2048
    walk = [(np.sin(2 * np.pi * np.outer(place, number)) / number**slope).sum(1) for slope in (0.5, 0.6, 0.7, 2, 2.1)]
    channels = np.float32([walk, np.multiply(walk, 0.3)])

    def unevenness(frames):
        power = np.abs(np.fft.rfft(frames)[:, 1:-1]) ** 2
        levels = 10 * np.log10(np.maximum(power, 1e-20))
        seen = envelope(relative(levels, 10 * np.log10(power.sum(1))), np.full(len(frames), 131, np.float32))
        step = np.sqrt((np.diff(np.maximum(seen, -60), axis=0) ** 2).mean(1))
        return step.max() / step.mean()

    made = shaping.even_frames(channels, 33, 131.0)
    assert made.shape == (2, 33, 2048)
    np.testing.assert_allclose(made[:, [0, -1]], channels[:, [0, -1]], atol=1e-6)
    np.testing.assert_allclose(made[1], 0.3 * made[0], atol=1e-5)
    assert unevenness(made[0]) < 1.4 < 4 < unevenness(shaping.resample_frames(channels[0], 33))
    same = shaping.even_frames(np.repeat(channels[:, :1], 3, axis=1), 7, 131.0)
    np.testing.assert_allclose(same, np.repeat(channels[:, :1], 7, axis=1), atol=1e-6)
