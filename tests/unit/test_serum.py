"""The Serum file: its bytes, every reader's view of them, and what hostile bytes do to our own reader."""

from __future__ import annotations

import contextlib
import re
import runpy
import struct
from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from nsynth_core.errors import UserError
from wavetables.cli.words import sentence
from wavetables.formats import serum
from wavetables.formats.common import Clipping
from wavetables.table import FRAME_SIZE, Table

GOLDEN = Path(__file__).parents[1] / "golden" / "serum.wav"
golden_table = runpy.run_path(str(GOLDEN.with_name("make_golden.py")))["table"]
many = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def chunks(data: bytes) -> list[tuple[bytes, bytes]]:
    """An independent, strict RIFF parser."""
    assert data[:4] == b"RIFF"
    assert data[8:12] == b"WAVE"
    assert struct.unpack("<I", data[4:8])[0] == len(data) - 8
    found, at = [], 12
    while at < len(data):
        name, size = struct.unpack("<4sI", data[at : at + 8])
        assert size % 2 == 0
        assert at + 8 + size <= len(data)
        found.append((name, data[at + 8 : at + 8 + size]))
        at += 8 + size
    return found


def wav(*parts: tuple[bytes, bytes], riff: int | None = None, fmt: bytes | None = None) -> bytes:
    body = b"WAVE"
    for name, content in [(b"fmt ", fmt or struct.pack("<HHIIHH", 3, 1, 44100, 176400, 4, 32)), *parts]:
        body += name + struct.pack("<I", len(content)) + content + b"\0" * (len(content) % 2)
    return b"RIFF" + struct.pack("<I", len(body) if riff is None else riff) + body


def sines(frames: int, size: int = FRAME_SIZE) -> np.ndarray:
    t = np.arange(size) / size
    return np.stack([np.sin(2 * np.pi * t) * (k + 1) / frames for k in range(frames)]).astype(np.float32)


def save(folder: Path, data: bytes, name: str = "x.wav") -> Path:
    path = folder / name
    path.write_bytes(data)
    return path


class TestWrite:
    def test_golden_bytes(self, tmp_path):
        serum.write(tmp_path / "x.wav", golden_table())
        assert (tmp_path / "x.wav").read_bytes() == GOLDEN.read_bytes()

    def test_layout(self):
        found = chunks(GOLDEN.read_bytes())
        assert [name for name, _ in found] == [b"fmt ", b"clm ", b"data", b"LIST"]
        assert found[0][1] == struct.pack("<HHIIHH", 3, 1, 44100, 176400, 4, 32)
        assert found[1][1] == b"<!>2048 10000000 wavetable (golden)".ljust(48)
        assert found[2][1] == golden_table().frames.astype("<f4").tobytes()

    @pytest.mark.filterwarnings("ignore:Chunk")
    def test_other_readers(self):
        truth = golden_table().frames.ravel()
        samples, rate = soundfile.read(GOLDEN, dtype="float32")
        assert rate == 44100
        np.testing.assert_array_equal(samples, truth)
        from scipy.io import wavfile

        np.testing.assert_array_equal(wavfile.read(GOLDEN)[1], truth)

    @pytest.mark.parametrize("name", ["", "ä" * 40, "a" * 100, "[author] (x)", "odd"])
    def test_any_name_fits(self, tmp_path, name):
        serum.write(tmp_path / "x.wav", Table(sines(1), name))
        clm = dict(chunks((tmp_path / "x.wav").read_bytes()))[b"clm "]
        assert len(clm) == 48
        assert clm.isascii()
        assert clm[16:].count(b"(") == 1
        assert b"[" not in clm
        assert serum.read(tmp_path / "x.wav").name == (name or "x")

    def test_overwrites_only_when_told(self, tmp_path):
        path = save(tmp_path, b"mine")
        with pytest.raises(UserError, match="exists already"):
            serum.write(path, Table(sines(1), "x"))
        assert path.read_bytes() == b"mine"
        serum.write(path, Table(sines(1), "x"), force=True)
        assert len(serum.read(path).frames) == 1

    def test_refuses_to_clip(self, tmp_path):
        with pytest.raises(Clipping, match=r"\+6\.0 dBFS") as refused:
            serum.write(tmp_path / "x.wav", Table(2 * sines(1), "x"))
        assert re.search(r"\+6\.0 dBFS; normalize", sentence(refused.value))
        assert list(tmp_path.iterdir()) == []

    @many
    @given(
        frames=arrays(
            np.float32, st.tuples(st.integers(1, 4), st.just(FRAME_SIZE)), elements=st.floats(-1, 1, width=32)
        ),
        name=st.text(max_size=40).filter(lambda s: "\0" not in s and s.strip() and s.isprintable()),
        root=st.none() | st.floats(-12, 144),
        facts=st.dictionaries(st.text(max_size=9), st.text(max_size=30), max_size=4),
    )
    def test_survives(self, tmp_path, frames, name, root, facts):
        serum.write(tmp_path / "x.wav", Table(frames, name, root, facts), force=True)
        back = serum.read(tmp_path / "x.wav")
        assert back.frames.tobytes() == frames.tobytes()
        assert (back.name, back.root_pitch, back.provenance) == (name, root, facts)

    def test_full_table(self, tmp_path):
        frames = np.random.default_rng(1).uniform(-1, 1, (256, FRAME_SIZE)).astype(np.float32)
        serum.write(tmp_path / "x.wav", Table(frames, "x"))
        assert serum.read(tmp_path / "x.wav").frames.tobytes() == frames.tobytes()


CLM = (b"clm ", b"<!>2048 10000000 wavetable (x)  ")


class TestRead:
    @pytest.mark.parametrize("subtype", ["PCM_U8", "PCM_16", "PCM_24", "PCM_32", "FLOAT", "DOUBLE"])
    @pytest.mark.parametrize("kind", ["WAV", "WAVEX"])
    def test_encodings(self, tmp_path, subtype, kind):
        frames = sines(3) * 0.9
        soundfile.write(tmp_path / "x.wav", frames.ravel(), 48000, subtype, format=kind)
        file = serum.load(tmp_path / "x.wav")
        step = {"PCM_U8": 2**-7, "PCM_16": 2**-15}.get(subtype, 1e-6)
        np.testing.assert_allclose(file.frames, frames, atol=step)
        assert (file.rate, file.flags, file.size) == (48000, None, 2048)
        assert "no mark" in file.decision

    def test_first_channel(self, tmp_path):
        frames = sines(2)
        soundfile.write(tmp_path / "x.wav", np.stack([frames.ravel(), -frames.ravel()], 1), 44100, "FLOAT")
        file = serum.load(tmp_path / "x.wav")
        np.testing.assert_array_equal(file.frames, frames)
        assert "2 channels; the first one is used" in file.remarks

    @pytest.mark.parametrize("size", [0, 7, 0xFFFFFFFF])
    def test_wrong_riff_size(self, tmp_path, size):
        file = serum.load(save(tmp_path, wav(CLM, (b"data", sines(2).tobytes()), riff=size)))
        np.testing.assert_array_equal(file.frames, sines(2))
        assert "the RIFF size field is wrong" in file.remarks

    @pytest.mark.parametrize("size", [0, 0xFFFFFFFF])
    def test_streamed_data(self, tmp_path, size):
        data = wav(CLM, (b"data", sines(2).tobytes()))
        at = data.index(b"data") + 4
        file = serum.load(save(tmp_path, data[:at] + struct.pack("<I", size) + data[at + 4 :]))
        np.testing.assert_array_equal(file.frames, sines(2))

    def test_block_align_is_not_trusted(self, tmp_path):
        fmt = struct.pack("<HHIIHH", 3, 1, 88200, 0, 32, 32)
        file = serum.load(save(tmp_path, wav(CLM, (b"data", sines(2).tobytes()), fmt=fmt)))
        np.testing.assert_array_equal(file.frames, sines(2))

    def test_clm_after_data_and_odd_chunks(self, tmp_path):
        data = wav((b"junk", b"abc"), (b"data", sines(2).tobytes()), (b"clm ", b"<!>2048 01000000 x"))
        file = serum.load(save(tmp_path, data))
        assert (file.flags, file.decision) == ("01000000", "clm chunk")
        assert file.chunks == ("fmt ", "junk", "data", "clm ")

    def test_tail_dropped(self, tmp_path):
        file = serum.load(save(tmp_path, wav(CLM, (b"data", sines(2).tobytes()[:-40]))))
        assert len(file.frames) == 1
        assert "2038 samples after the last whole frame dropped" in file.remarks

    @pytest.mark.parametrize(
        ("mark", "size", "why"),
        [
            ((b"clm ", b"<!>1024 10000000 x"), 1024, "clm chunk"),
            ((b"uhWT", b"\0" * 8), 2048, "uhWT chunk"),
            ((b"srge", struct.pack("<II", 1, 512)), 512, "srge chunk"),
            (
                (b"cue ", struct.pack("<I", 3) + b"".join(struct.pack("<6I", *[0] * 5, k * 256) for k in range(3))),
                256,
                "cue",
            ),
            ((b"smpl", b"\0" * 36 + struct.pack("<6I", 0, 0, 0, 1023, 0, 0)), 1024, "sample loop"),
        ],
    )
    def test_frame_size(self, tmp_path, mark, size, why):
        path = save(tmp_path, wav(mark, (b"data", sines(4, size).tobytes() * 2)))
        file = serum.load(path)
        assert file.size == size
        assert why in file.decision
        # a sine of another size is the same sine at 2048
        np.testing.assert_allclose(serum.read(path).frames[:4], sines(4), atol=1e-6)
        assert serum.is_marked(path) == (mark[0] in {b"clm ", b"uhWT", b"srge"})

    def test_size_in_the_name_and_asked_for(self, tmp_path):
        path = save(tmp_path, wav((b"data", sines(6, 512).tobytes())), "pad_WT512.wav")
        assert (serum.load(path).size, serum.load(path).decision) == (512, "the file's name")
        assert serum.load(path, 1024).size == 1024

    def test_too_many_frames_are_thinned(self, tmp_path):
        frames = sines(512)
        back = serum.read(save(tmp_path, wav(CLM, (b"data", frames.tobytes()))))
        assert len(back.frames) == 256
        np.testing.assert_array_equal(back.frames[[0, -1]], frames[[0, -1]])

    @pytest.mark.parametrize(
        ("data", "message"),
        [
            (b"", "the file is empty"),
            (b"RIFF", "no RIFF/WAVE header"),
            (b"ID3 and some music that is no WAV", "no RIFF/WAVE header"),
            (wav(), "holds no samples"),
            (wav(CLM, (b"data", b"")), "holds no samples"),
            (wav(CLM, (b"data", b"\0" * 400)), "less than one frame"),
            (wav((b"data", b"\0" * 40_004)), "no sign of a wavetable"),
            (wav(CLM, (b"data", np.full(2048, np.nan, "<f4").tobytes())), "NaN"),
            (wav(CLM, (b"data", b"\0" * 8192), fmt=struct.pack("<HHIIHH", 2, 1, 44100, 0, 0, 4)), "format 2"),
            (wav(CLM, (b"data", b"\0" * 8192), fmt=struct.pack("<HHIIHH", 3, 0, 44100, 0, 0, 32)), "0 channels"),
            (wav(CLM, (b"data", b"\0" * 8192), fmt=b"short"), "no format chunk"),
        ],
    )
    def test_refusals(self, tmp_path, data, message):
        path = save(tmp_path, data)
        with pytest.raises(UserError, match=message) as caught:
            serum.read(path)
        assert str(path) in str(caught.value)

    def test_missing_and_folder(self, tmp_path):
        with pytest.raises(UserError, match="no such file"):
            serum.read(tmp_path / "no.wav")
        with pytest.raises(UserError, match="is a folder"):
            serum.read(tmp_path)
        assert not serum.is_marked(tmp_path)

    def test_a_recording_of_gigabytes_is_not_read(self, tmp_path):
        path = tmp_path / "big.wav"
        head = wav(CLM, (b"data", b""))
        with path.open("wb") as file:  # sparse
            file.write(head[:-4] + struct.pack("<I", 3_000_000_000))
            file.truncate(3_000_000_000)
        with pytest.raises(UserError, match="too long for a wavetable"):
            serum.read(path)

    @many
    @given(data=st.data())
    def test_hostile_bytes(self, tmp_path, data):
        valid = GOLDEN.read_bytes()
        cut = valid[: data.draw(st.integers(0, len(valid)))]
        damaged = bytearray(cut)
        header = list(range(min(120, len(cut)))) + list(range(24_600, len(cut)))
        if header:
            for at in data.draw(st.lists(st.sampled_from(header), max_size=12)):
                damaged[at] = data.draw(st.integers(0, 255))
        path = save(tmp_path, bytes(damaged))
        serum.is_marked(path)
        with contextlib.suppress(UserError):
            assert np.isfinite(serum.read(path).frames).all()

    @many
    @given(st.binary(max_size=300))
    def test_any_bytes(self, tmp_path, data):
        path = save(tmp_path, b"RIFF" + data[:4] + b"WAVE" + data[4:])
        with pytest.raises(UserError):
            serum.read(path)

    def test_foreign_comment_is_kept(self, tmp_path):
        info = b"INFO" + b"ICMT" + struct.pack("<I", 6) + b"hello\0"
        table = serum.read(save(tmp_path, wav(CLM, (b"data", sines(1).tobytes()), (b"LIST", info))))
        assert table.provenance == {"comment": "hello"}
        assert table.root_pitch is None


class TestTable:
    @pytest.mark.parametrize("shape", [(0, 2048), (257, 2048), (1, 1024), (2048,), (1, 1, 2048)])
    def test_shape(self, shape):
        with pytest.raises(UserError, match=r"1\.\.256 x 2048"):
            Table(np.zeros(shape, np.float32), "x")

    def test_type_and_values(self):
        with pytest.raises(UserError, match="float32 is needed"):
            Table(np.zeros((1, 2048)), "x")
        with pytest.raises(UserError, match="NaN"):
            Table(np.full((1, 2048), np.inf, np.float32), "x")
