from __future__ import annotations

import numpy as np
import pytest

from nsynth_core.audio import Sound
from nsynth_core.errors import UserError
from nsynth_core.notes import hz_to_midi
from nsynth_core.pitch import HOP_SECONDS, PitchTrack, follow
from wavetables.importing.cycle_reader import Reader
from wavetables.importing.slicing import slice_channels, slice_cycles
from wavetables.shaping import align
from wavetables.table import FRAME_SIZE


def track_of(hz, seconds: float, voiced=None) -> PitchTrack:
    count = int(seconds / HOP_SECONDS) + 1
    f0 = np.broadcast_to(np.asarray(hz, dtype=np.float64), count).copy()
    return PitchTrack(f0, np.ones(count, bool) if voiced is None else voiced, 1.0)


def tone(hz, seconds: float = 1.0, rate: int = 44100, levels=(1.0, 0.5, 0.3, 0.2), top: float = 0.45) -> Sound:
    """Harmonic sum; hz a number or a function of time."""
    t = np.arange(int(seconds * rate)) / rate
    f0 = hz(t) if callable(hz) else np.full(len(t), hz)
    turns = np.concatenate([[0], np.cumsum((f0[1:] + f0[:-1]) / 2)]) / rate
    x = sum(a * np.sin(2 * np.pi * (k + 1) * turns) for k, a in enumerate(levels) if (k + 1) * f0.max() < top * rate)
    return Sound((0.3 * x).astype(np.float32)[:, None], rate)


def levels_of(frames: np.ndarray, count: int) -> np.ndarray:
    return np.abs(np.fft.rfft(frames))[:, 1 : count + 1] / (FRAME_SIZE / 2) / 0.3


@pytest.mark.parametrize("rate", [8000, 22050, 44100, 48000, 96000, 192000])
@pytest.mark.parametrize("hz", [27.5, 110.3, 997.0])
def test_steady_tone_at_any_rate(rate, hz):
    frames = slice_cycles(tone(hz, 0.5, rate), track_of(hz, 0.5))
    assert frames.shape == (min(256, int(0.5 * hz)), FRAME_SIZE)
    assert frames.dtype == np.float32
    want = np.where(np.arange(1, 5) * hz < 0.45 * rate, (1.0, 0.5, 0.3, 0.2), 0.0)
    inner = frames[3:-3]  # the sound begins and ends with a step
    assert np.abs(levels_of(inner, 4) - want).max() < 3e-3
    assert np.abs(align(inner) - align(inner)[0]).max() < 2e-3


def test_nothing_above_the_nyquist_of_the_source():
    hz, rate = 301.0, 16000
    x = tone(hz, 1.0, rate, levels=1 / np.arange(1, 27), top=0.499)
    spectrum = np.abs(np.fft.rfft(slice_cycles(x, track_of(hz, 1.0))))
    assert spectrum[:, int(0.5 * rate / hz) + 1 :].max() < 1e-5 * spectrum.max()


@pytest.mark.parametrize("cents", [0.3, -2.0, 8.0])
def test_a_pitch_that_is_given_wrong_is_corrected(cents):
    """A hundred harmonics of 55 Hz: eight cents wrong would smear the upper ones over each other."""
    x = tone(55.0, 1.5, levels=np.ones(100) / 10)
    frames = slice_cycles(x, follow(x, hz_to_midi(55.0) + cents / 100))[2:-2]
    assert np.abs(20 * np.log10(levels_of(frames, 100) / 0.1)).max() < 0.2


def test_vibrato_and_glide():
    def wobble(t):
        return 150 * 2 ** (t / 2 + 0.03 * np.sin(2 * np.pi * 5.5 * t))

    times = np.arange(0, 2.0, HOP_SECONDS)
    frames = slice_cycles(tone(wobble, 2.0, levels=np.ones(40) / 10), track_of(wobble(np.append(times, 2.0)), 2.0))
    assert np.abs(20 * np.log10(levels_of(frames[2:-2], 40) / 0.1)).max() < 0.3


def test_moving_timbre_is_followed():
    t = np.arange(88200) / 44100
    x = np.sin(2 * np.pi * 200 * t) + t / 2 * np.sin(2 * np.pi * 600 * t)
    frames = slice_cycles(Sound((0.3 * x).astype(np.float32)[:, None], 44100), track_of(200.0, 2.0))
    np.testing.assert_allclose(levels_of(frames, 3)[:, 2], np.linspace(0, 1, len(frames)), atol=0.01)


@pytest.mark.parametrize("average", [None, 1, 2, 8])
def test_what_grows_steadily_is_neither_smeared_nor_torn(average):
    """Each frame is the wave of its moment to -70 dB; a single cycle as it is would not."""
    number, t = np.arange(1, 40), np.arange(44100) / 44100
    start, growth = np.random.default_rng(2).random((2, len(number)))
    waves = np.sin(2 * np.pi * (number * 150 * t[:, None] + start))
    x = (waves * (0.02 + growth * t[:, None]) / number).sum(1)
    cut = slice_channels(Sound((0.2 * x).astype(np.float32)[:, None], 44100), track_of(150.0, 1.0), average=average)
    truth, found = (0.02 + growth * cut.seconds[:, None]) / number, levels_of(cut.frames[0], len(number)) * 1.5
    error = 10 * np.log10(((found - truth) ** 2).sum(1) / (truth**2).sum(1))
    assert np.median(error) < -70


def test_noise_is_averaged_where_the_note_stands_still():
    rng = np.random.default_rng(1)
    clean = tone(220.0, 2.0, levels=1 / np.arange(1, 40))
    noisy = Sound(clean.samples + rng.normal(0, 0.02, clean.samples.shape).astype(np.float32), 44100)
    truth, found = (levels_of(slice_cycles(s, track_of(220.0, 2.0)), 100) for s in (clean, noisy))
    # one cycle alone would be off by noise * sqrt(2 / samples of a cycle)
    alone = 0.02 / 0.3 * np.sqrt(2 / (44100 / 220))
    assert np.sqrt(((found - truth) ** 2).mean()) < 0.5 * alone


def shaped(level_db, seconds: float = 2.0) -> Sound:
    """A tone of 220 Hz whose level is given in dB at times (t, dB)."""
    x = tone(220.0, seconds).samples[:, 0]
    times, db = np.array(level_db).T
    return Sound((x * 10 ** (np.interp(np.arange(len(x)) / 44100, times, db) / 20)).astype(np.float32)[:, None], 44100)


@pytest.mark.parametrize(
    ("level_db", "least", "most"),
    [
        ([(0, 0), (1.4, 0), (1.43, -14), (2, -36)], -3.0, 0.1),  # let go, and a room
        ([(0, 0), (0.2, -36), (2, -90)], -45.0, -30.0),  # a mallet: steady, as fast as a release
        ([(0, 0), (0.03, -14), (2, -25)], -30.0, -20.0),  # a pluck's attack
        ([(0, 0), (1.4, 0), (1.43, -14), (2, -14)], -16.0, -12.0),  # played on, softer: not decaying, kept
        ([(0, 0), (1.2, 0), (1.23, -14), (1.4, -14), (1.43, 0), (2, 0)], -16.0, -12.0),  # comes back
    ],
)
def test_the_note_ends_where_it_is_let_go(level_db, least, most):
    level = levels_of(slice_cycles(shaped(level_db), track_of(220.0, 2.0)), 1)
    assert least < 20 * np.log10(level.min()) < most


def test_silence_and_unvoiced_parts_make_no_frames():
    note = tone(220.0, 1.0).samples
    gap = np.zeros((22050, 1), np.float32)
    sound = Sound(np.concatenate([gap, note, gap, 1e-3 * note]), 44100)
    frames = slice_cycles(sound, track_of(220.0, sound.seconds))
    assert levels_of(frames, 1).min() > 0.2
    voiced = np.arange(int(1 / HOP_SECONDS) + 1) < 100
    assert len(slice_cycles(tone(220.0, 1.0), track_of(220.0, 1.0, voiced))) == pytest.approx(110, abs=1)


@pytest.mark.parametrize("frames", [1, 2, 100, 256])
def test_frame_count(frames):
    assert len(slice_cycles(tone(440.0, 1.0), track_of(440.0, 1.0), frames)) == frames


def test_three_periods_are_enough_and_none_is_refused():
    frames = slice_cycles(tone(100.0, 0.0301), track_of(100.0, 0.0301))
    assert len(frames) == 3
    assert np.abs(levels_of(frames[1:2], 4) - (1.0, 0.5, 0.3, 0.2)).max() < 0.05
    with pytest.raises(UserError, match="less than one period"):
        slice_cycles(tone(100.0, 0.005), track_of(100.0, 0.005))


def test_zero_dc_even_with_an_offset():
    sound = tone(220.0)
    frames = slice_cycles(Sound(sound.samples + np.float32(0.2), 44100), track_of(220.0, 1.0))
    assert np.abs(frames.mean(1)).max() < 1e-7


def test_reader_is_band_limited_to_nine_tenths_of_nyquist():
    rate, places = 1000, np.random.default_rng(1).uniform(100, 900, 5000)
    for hz in (1.0, 123.4, 400.0, 450.0):
        x = np.sin(2 * np.pi * hz * np.arange(1000) / rate)
        error = Reader(x, rate, 100.0).at(places) - np.sin(2 * np.pi * hz * places / rate)
        assert np.abs(error).max() < (1e-4 if hz <= 400 else 1e-2), hz


def test_the_edges_of_a_moving_pulse_stay_sharp():
    """Its upper harmonics turn by much of a period from cycle to cycle: averaged, they would be gone."""
    hz, rate, count = 65.0, 44100, 120
    t = np.arange(2 * rate) / rate
    h = np.arange(1, count + 1)

    def level(at):
        width = 0.29 - 0.21 * np.cos(2 * np.pi * 1.5 * at)
        return 2 * np.sin(np.pi * np.outer(width, h)) / (np.pi * h)

    x = (level(t) * np.cos(2 * np.pi * hz * np.outer(t, h))).sum(1)
    cut = slice_channels(Sound((0.3 * x).astype(np.float32)[:, None], rate), track_of(hz, 2.0))
    found, true = levels_of(cut.frames[0], count), np.abs(level(cut.seconds))
    for low, high in ((1, 10), (10, 30), (30, 60), (60, 120)):
        energy = [(x[:, low:high] ** 2).sum() for x in (found, true)]
        assert abs(10 * np.log10(energy[0] / energy[1])) < 1, (low, high)
