from __future__ import annotations

import numpy as np
import pytest
import soundfile

from nsynth_core.errors import UserError
from nsynth_core.pitch import Unpitched
from wavetables import shaping
from wavetables.cli.words import sentence
from wavetables.formats import serum
from wavetables.importing import import_sound
from wavetables.table import FRAME_SIZE, Table


def saw(hz: float, seconds: float = 1.0, rate: int = 44100) -> np.ndarray:
    t = np.arange(int(seconds * rate)) / rate
    number = np.arange(1, int(0.45 * rate / hz) + 1)
    return 0.3 * sum(np.sin(2 * np.pi * hz * k * t) / k for k in number)


@pytest.fixture
def note(tmp_path):
    soundfile.write(tmp_path / "saw.wav", saw(221.5), 44100, "PCM_24")
    return tmp_path / "saw.wav"


def test_a_note_becomes_a_clean_table(note, tmp_path):
    table = import_sound(note)
    assert table.name == "saw"
    assert table.root_pitch == pytest.approx(69 + 12 * np.log2(221.5 / 440), abs=0.01)
    assert table.provenance["source"] == "saw.wav"
    assert table.provenance["pitch"].startswith("A3 +12 cents")
    assert "make-wavetable" in table.provenance["program"]
    assert 200 < len(table.frames) <= 256
    assert np.abs(table.frames.mean(1)).max() < 1e-7
    assert shaping.seam(table.frames).max() <= 1.0
    assert table.peak == pytest.approx(shaping.PEAK, rel=1e-6)
    level = np.abs(np.fft.rfft(table.frames[5:-5]))[:, 1:80]
    assert np.abs(20 * np.log10(level / level[:, :1] * np.arange(1, 80))).max() < 0.1
    serum.write(tmp_path / "out.wav", table)


def test_same_note_same_bytes(note, tmp_path):
    for name in ("a.wav", "b.wav"):
        serum.write(tmp_path / name, import_sound(note))
    assert (tmp_path / "a.wav").read_bytes() == (tmp_path / "b.wav").read_bytes()


def test_frames_name_and_pitch_may_be_given(note):
    table = import_sound(note, 57.0, 16, "mine")
    assert (len(table.frames), table.name) == (16, "mine")
    assert table.provenance["pitch"] == "A3, given"
    octave = import_sound(note, 45.0)  # two cycles a frame, because he says so
    spectrum = np.abs(np.fft.rfft(octave.frames[5]))
    assert spectrum[1] < 1e-3 * spectrum[2]


@pytest.mark.parametrize("frames", [0, 257, -1])
def test_frame_count_out_of_range(note, frames):
    with pytest.raises(UserError, match=r"1\.\.256"):
        import_sound(note, frames=frames)


def test_noise_is_refused_by_name_unless_the_pitch_is_given(tmp_path):
    path = tmp_path / "hiss.wav"
    soundfile.write(path, 0.1 * np.random.default_rng(1).normal(size=44100), 44100)
    with pytest.raises(Unpitched, match=r"hiss\.wav: no pitch found") as caught:
        import_sound(path)
    assert "--pitch C3" in sentence(caught.value, "import")
    table = import_sound(path, 60.0)
    assert np.isfinite(table.frames).all()
    assert len(table.frames) > 100


def test_too_short(tmp_path):
    soundfile.write(tmp_path / "x.wav", saw(221.5)[:100], 44100)
    with pytest.raises(UserError, match=r"x\.wav: less than one period"):
        import_sound(tmp_path / "x.wav", 45.0)


@pytest.mark.parametrize("suffix", [".flac", ".ogg", ".aiff"])
def test_stereo_of_other_kinds(tmp_path, suffix):
    left = saw(150.0, rate=48000)
    soundfile.write(tmp_path / f"x{suffix}", np.stack([left, 0.5 * left], 1), 48000)
    assert import_sound(tmp_path / f"x{suffix}").root_pitch == pytest.approx(50.37, abs=0.02)


class TestWavetables:
    frames = np.random.default_rng(1).uniform(-1, 1, (5, FRAME_SIZE)).astype(np.float32)

    def test_kept_frame_by_frame(self, tmp_path):
        serum.write(tmp_path / "x.wav", Table(self.frames, "own name", 40.0, {"source": "flute.wav"}))
        table = import_sound(tmp_path / "x.wav", frames=256)
        np.testing.assert_array_equal(table.frames, self.frames)
        assert (table.name, table.root_pitch, table.provenance["source"]) == ("own name", 40.0, "flute.wav")

    def test_fewer_frames(self, tmp_path):
        serum.write(tmp_path / "x.wav", Table(self.frames, "x"))
        table = import_sound(tmp_path / "x.wav", frames=3)
        np.testing.assert_array_equal(table.frames, self.frames[::2])

    def test_a_clipping_table_gets_one_gain(self, tmp_path):
        serum.write(tmp_path / "x.wav", Table(self.frames, "x"))
        data = (tmp_path / "x.wav").read_bytes()
        (tmp_path / "x.wav").write_bytes(data.replace(self.frames.tobytes(), (4 * self.frames).tobytes()))
        table = import_sound(tmp_path / "x.wav")
        assert table.peak == pytest.approx(shaping.PEAK, rel=1e-6)
        np.testing.assert_allclose(table.frames, self.frames * shaping.PEAK / np.abs(self.frames).max(), atol=1e-6)

    def test_a_recording_of_a_round_length_is_a_recording(self, tmp_path):
        soundfile.write(tmp_path / "x.wav", saw(221.5)[: 16 * FRAME_SIZE], 44100, "FLOAT")
        assert import_sound(tmp_path / "x.wav").root_pitch == pytest.approx(57.12, abs=0.02)
