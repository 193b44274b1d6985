"""Sounds in, sounds out, and every way a file can be wrong."""

from __future__ import annotations

import numpy as np
import pytest
import soundfile

from nsynth_core.audio import MAX_SECONDS, Sound, read, resample, write
from nsynth_core.errors import UserError

RATE = 48_000


def noise(count: int = 1000, channels: int = 2, seed: int = 0) -> np.ndarray:
    return (np.random.default_rng(seed).standard_normal((count, channels)) * 0.1).astype(np.float32)


def sine(hz: float, rate: int, seconds: float = 1.0) -> np.ndarray:
    return np.sin(2 * np.pi * hz * np.arange(round(seconds * rate)) / rate).astype(np.float32)[:, None]


@pytest.mark.parametrize(("suffix", "step"), [(".wav", 2**-23), (".flac", 2**-23), (".aiff", 2**-23), (".aif", 2**-23)])
@pytest.mark.parametrize("channels", [1, 2])
def test_round_trip_is_24_bit(tmp_path, suffix, step, channels):
    path = tmp_path / f"x{suffix}"
    sound = Sound(noise(channels=channels), 44_100)
    write(path, sound)
    again = read(path)
    assert (again.rate, again.channels) == (44_100, channels)
    assert again.samples.dtype == np.float32
    np.testing.assert_allclose(again.samples, sound.samples, atol=step)


def test_round_trip_of_floats_is_exact(tmp_path):
    sound = Sound(noise() * 20, RATE)  # above full scale
    write(tmp_path / "x.wav", sound, subtype="FLOAT")
    np.testing.assert_array_equal(read(tmp_path / "x.wav").samples, sound.samples)


@pytest.mark.parametrize("suffix", [".ogg", ".mp3"])
def test_lossy_formats(tmp_path, suffix):
    write(tmp_path / f"x{suffix}", Sound(np.tile(sine(440, RATE) * np.float32(0.5), (1, 2)), RATE))
    again = read(tmp_path / f"x{suffix}").samples[4800:-4800]
    assert np.sqrt((again**2).mean()) == pytest.approx(0.5 / np.sqrt(2), rel=0.02)


def test_same_sound_same_bytes(tmp_path):
    for name in ("a.wav", "b.wav"):
        write(tmp_path / name, Sound(noise(), RATE))
    assert (tmp_path / "a.wav").read_bytes() == (tmp_path / "b.wav").read_bytes()


@pytest.mark.parametrize("name", ["x", "x.txt", "x.wav.zip", "x.raw"])
def test_formats_it_cannot_write(tmp_path, name):
    with pytest.raises(UserError, match=r"cannot write.*\.wav"):
        write(tmp_path / name, Sound(noise(), RATE))
    assert list(tmp_path.iterdir()) == []


def broken(path, kind):
    if kind == "empty":
        path.write_bytes(b"")
    elif kind == "text":
        path.write_text("this is not a sound\n" * 100)
    elif kind == "header only":
        soundfile.write(path, np.zeros((0, 1)), RATE)
    elif kind == "one sample":
        soundfile.write(path, np.ones((1, 1)) * 0.5, RATE)
    elif kind == "silent":
        soundfile.write(path, np.zeros((4800, 2)), RATE)
    elif kind == "nan":
        x = noise()
        x[500] = np.nan
        soundfile.write(path, x, RATE, subtype="FLOAT")
    elif kind == "infinite":
        x = noise()
        x[500] = np.inf
        soundfile.write(path, x, RATE, subtype="FLOAT")
    elif kind == "slow":
        soundfile.write(path, noise(), 100)
    elif kind == "long":
        soundfile.write(path, np.ones((int(MAX_SECONDS * 1000) + 1000, 1)), 1000, subtype="PCM_U8")
    elif kind == "folder":
        path.mkdir()
    elif kind == "cut in the header":
        soundfile.write(path, noise(), RATE)
        path.write_bytes(path.read_bytes()[:30])


BROKEN = {
    "missing": "no such file",
    "empty": "empty",
    "text": "not a readable sound file",
    "header only": "no more than one sample",
    "one sample": "no more than one sample",
    "silent": "silent",
    "nan": "NaN",
    "infinite": "infinite",
    "slow": "sample rate 100 Hz",
    "long": "longer than 600 s",
    "folder": "is a folder",
    "cut in the header": "not a readable sound file",
}


@pytest.mark.parametrize("kind", BROKEN)
def test_every_bad_file_gets_one_line(tmp_path, kind):
    path = tmp_path / "bad.wav"
    broken(path, kind)
    with pytest.raises(UserError) as caught:
        read(path)
    message = str(caught.value)
    assert BROKEN[kind] in message
    assert str(path) in message
    assert "\n" not in message


def test_truncated_file_is_what_is_left_of_it(tmp_path):
    path = tmp_path / "x.wav"
    write(path, Sound(noise(48_000), RATE))
    path.write_bytes(path.read_bytes()[:100_000])
    assert 16_000 < len(read(path).samples) < 17_000


def test_mid_is_the_mean():
    x = noise()
    np.testing.assert_allclose(Sound(x, RATE).mid(), x.mean(1), atol=1e-7)
    np.testing.assert_array_equal(Sound(x[:, :1], RATE).mid(), x[:, 0])


def test_mid_where_channels_cancel_is_the_loudest():
    x = noise(channels=1)
    np.testing.assert_array_equal(Sound(np.hstack([x, -x * 1.1]), RATE).mid(), -x[:, 0] * np.float32(1.1))
    six = np.zeros((1000, 6), dtype=np.float32)
    six[:, 2] = x[:, 0]
    np.testing.assert_array_equal(Sound(six, RATE).mid(), x[:, 0])


def test_mid_of_one_sided_sound_is_half():
    x = noise(channels=1)
    np.testing.assert_allclose(Sound(np.hstack([x, 0 * x]), RATE).mid(), x[:, 0] / 2)


@pytest.mark.parametrize("rate", [8000, 22_050, 44_100, 96_000, 192_000])
def test_resampling_keeps_level_pitch_and_time(rate):
    sound = resample(Sound(sine(1000, rate), rate), RATE)
    assert sound.rate == RATE
    assert len(sound.samples) == pytest.approx(RATE, abs=2)
    np.testing.assert_allclose(sound.samples[2400:-2400], sine(1000, RATE)[2400 : len(sound.samples) - 2400], atol=1e-4)


def test_resampling_to_the_same_rate_is_the_same_sound():
    sound = Sound(noise(), RATE)
    assert resample(sound, RATE) is sound


def test_resampling_removes_what_would_fold():
    assert np.abs(resample(Sound(sine(30_000, 96_000), 96_000), RATE).samples[2400:-2400]).max() < 1e-5
