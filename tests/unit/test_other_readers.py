"""What synths that cannot be run here make of a file: their parsing rules, as their code and manuals state them.

Surge XT: WAVFileSupport.cpp, Wavetable.h, WT fileformat.txt. Deluge: audio_file_format.cpp. Korg modwave: Importing
Wavetables. WaveEdit, E352: bank.cpp. Groove 3rd Wave: manual p. 97. Vital's WAV export: wavetable_edit_section.cpp.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

import numpy as np
import pytest
import soundfile

from wavetables.cli import main
from wavetables.formats import devices, registry, wav
from wavetables.inspection import describe, inspect
from wavetables.table import FRAME_SIZE, Table

PCM, FLOAT, EXTENSIBLE = 1, 3, 0xFFFE


class Refused(Exception):
    pass


def frames(count: int) -> np.ndarray:
    t = np.arange(FRAME_SIZE) / FRAME_SIZE
    return np.stack([0.7 * np.sin(2 * np.pi * t) + 0.001 * k * np.sin(4 * np.pi * t) for k in range(count)]).astype(
        "f4"
    )


def chunks(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    assert data[:4] == b"RIFF"
    assert data[8:12] == b"WAVE"
    at = 12
    while at + 8 <= len(data):
        name, size = struct.unpack("<4sI", data[at : at + 8])
        yield name, data[at + 8 : at + 8 + size]
        at += 8 + size + size % 2


def surge(data: bytes) -> tuple[str, int, int]:
    """(table or one-shot, samples a frame, frames) that Surge XT loads. Raises Refused."""
    found = dict(reversed(list(chunks(data))))
    tag, channels, _, _, _, bits = struct.unpack("<HHIIHH", found[b"fmt "][:16])
    if (tag, bits) not in {(PCM, 16), (FLOAT, 32)}:
        raise Refused("sample format")
    samples = len(found[b"data"]) // (channels * bits // 8)
    kind, size = "table", 0
    if found.get(b"clm ", b"")[3:7] == b"2048" or b"uhWT" in found:
        size = 2048
    elif b"cue " in found:
        points = np.frombuffer(found[b"cue "], "<u4", offset=4).reshape(-1, 6)[:, 5].astype(int)
        if len(points) > 1 and len(set(np.diff(points))) == 1:
            raise Refused("cue points give a size, but make no table")
        kind = "one-shot"
    elif b"srge" in found:
        version, size = struct.unpack("<II", found[b"srge"][:8])
        assert version == 1
    elif b"smpl" in found:
        loops = struct.unpack("<I", found[b"smpl"][28:32])[0]
        start, stop = struct.unpack("<II", found[b"smpl"][44:52]) if loops else (0, 2047)
        size = stop - start + 1
    else:
        kind = "one-shot"
    if kind == "one-shot":
        size = 1024
        while samples // size < 4 and size > 2:
            size //= 2
    if size & (size - 1) or not 2 <= size <= 4096 or samples < size:
        raise Refused("frame size")
    return kind, size, min(samples // size, 512)


def surge_wt(data: bytes) -> tuple[int, int, float]:
    """(samples a frame, frames, full scale) of a .wt. Raises Refused."""
    magic, size, count, flags = struct.unpack("<4sIHH", data[:12])
    if magic != b"vawt" or size & (size - 1) or not 2 <= size <= 4096 or not 1 <= count <= 512:
        raise Refused("header")
    end = 12 + size * count * (2 if flags & 4 else 4)
    if len(data) < end or (not flags & 16 and len(data) != end):
        raise Refused("length")
    if flags & 16:
        assert data[end:].endswith(b"\0")
    return size, count, 1.0 if not flags & 4 else 32768.0 if flags & 8 else 16384.0


def deluge(data: bytes) -> tuple[int, int]:
    """(samples a cycle, cycles) that the Deluge loads. Raises Refused."""
    size = 0
    for name, body in chunks(data):
        if name == b"fmt ":
            tag, channels, _, _, _, bits = struct.unpack("<HHIIHH", body[:16])
            if (tag, bits) not in {(PCM, 8), (PCM, 16), (PCM, 24), (PCM, 32), (FLOAT, 32)}:
                raise Refused("sample format")
            if channels != 1:
                raise Refused("stereo")
        elif name == b"clm " and body[:3] == b"<!>":
            size = int(body[3:7].split(b" ")[0])
        elif name == b"data":  # what follows is never looked at
            samples = len(body) // (bits // 8)
            if not size and samples % 2048:
                raise Refused("no wavetable")
            return size or 2048, samples // (size or 2048)
    raise Refused("no data")


@pytest.mark.parametrize("name", [name for name, each in registry.FORMATS.items() if each.suffix == ".wav"])
@pytest.mark.parametrize("count", [1, 3, 64, 256])
def test_our_waves(tmp_path, name, count):
    path = tmp_path / "x.wav"
    registry.write(path, Table(frames(count), "x", 60.0, {"author": "me"}), name=name)
    data, device = path.read_bytes(), devices.DEVICES.get(name)
    size = device.size if device else FRAME_SIZE
    number = count if device is None else device.count if device.exact else min(count, device.count)
    if device and not device.mark:  # hardware wants nothing but the samples
        assert [kind for kind, _ in chunks(data)] == [b"fmt ", b"data"]
        assert surge(data)[0] == "one-shot"
        return
    assert surge(data) == ("table", size, number)
    if name != "ableton":
        assert deluge(data) == (size, number)


@pytest.mark.parametrize("name", ["wt", "wt16"])
@pytest.mark.parametrize("told", [{}, {"author": "me"}])
def test_our_wt(tmp_path, name, told):
    registry.write(tmp_path / "x.wt", Table(frames(5), "x", None, told), name=name)
    assert surge_wt((tmp_path / "x.wt").read_bytes()) == (2048, 5, 1.0 if name == "wt" else 32768.0)


BANKS = {  # frames, samples a frame, format, bits
    "modwave": (64, 2048, FLOAT, 32),
    "modwave-small": (64, 256, PCM, 16),
    "wavedit": (64, 256, PCM, 16),
    "e352": (64, 256, PCM, 16),
    "microfreak": (32, 256, PCM, 16),
    "3rdwave": (64, 128, PCM, 16),
    "behringer-wave": (64, 128, PCM, 16),
    "blofeld": (64, 128, PCM, 16),
    "tonverk": (64, 2048, FLOAT, 32),
    "ableton": (100, 1024, FLOAT, 32),
}


@pytest.mark.parametrize("name", BANKS)
def test_hardware_gets_its_size(tmp_path, name):
    count, size, tag, bits = BANKS[name]
    devices.write(tmp_path / "x.wav", Table(frames(100), "x"), device=name)
    found = dict(chunks((tmp_path / "x.wav").read_bytes()))
    assert struct.unpack("<HHIIHH", found[b"fmt "]) == (tag, 1, 44100, 44100 * bits // 8, bits // 8, bits)
    assert len(found[b"data"]) == count * size * bits // 8


def wave(*parts: tuple[bytes, bytes], tag: int = FLOAT, bits: int = 32, channels: int = 1, count: int = 4) -> bytes:
    """A WAV whose data chunk stands where `parts` name it, last by default."""
    block = channels * bits // 8
    extra = struct.pack("<HHIH14s", 22, bits, 4, PCM, b"\0\0\0\0\x10\0\x80\0\0\xaa\0\x38\x9b\x71") * (tag == EXTENSIBLE)
    raw = np.repeat(frames(count).ravel(), channels)
    wide = (raw * 2.0**31).astype("<i4").view(np.uint8).reshape(-1, 4)
    data = raw.astype("<f4").tobytes() if tag == FLOAT else np.ascontiguousarray(wide[:, 4 - bits // 8 :]).tobytes()
    named = list(parts) if any(name == b"data" for name, _ in parts) else [*parts, (b"data", b"")]
    body = b"WAVE"
    head = struct.pack("<HHIIHH", tag, channels, 44100, 44100 * block, block, bits) + extra
    for name, content in [(b"fmt ", head), *((name, data if name == b"data" else content) for name, content in named)]:
        body += name + struct.pack("<I", len(content)) + content + b"\0" * (len(content) % 2)
    return b"RIFF" + struct.pack("<I", len(body)) + body


def cue(step: int, count: int = 4) -> bytes:
    points = (struct.pack("<II4sIII", k, k * step, b"data", 0, 0, k * step) for k in range(count))
    return struct.pack("<I", count) + b"".join(points)


def smpl(start: int, stop: int) -> bytes:
    return struct.pack("<9I", 0, 0, 22676, 60, 0, 0, 0, 1, 0) + struct.pack("<6I", 0, 0, start, stop, 0, 0)


CLM, SMALL_CLM = b"<!>2048 10000000 wavetable".ljust(48), b"<!>256 10000000 wavetable"
UHWT, SRGE = struct.pack("<4I256x", 0, 4, 2048, 0), struct.pack("<II", 1, 512)


@pytest.mark.parametrize(
    ("parts", "size"),
    [
        ([(b"clm ", CLM), (b"srge", SRGE)], 2048),
        ([(b"srge", SRGE), (b"clm ", CLM)], 2048),
        ([(b"uhWT", UHWT), (b"srge", SRGE), (b"cue ", cue(512))], 2048),
        ([(b"srge", SRGE), (b"smpl", smpl(0, 1023))], 512),
        ([(b"data", b""), (b"srge", SRGE)], 512),
        ([(b"smpl", smpl(0, 1023))], 1024),
        ([(b"data", b""), (b"clm ", CLM)], 2048),
    ],
)
def test_the_same_frames_as_surge(tmp_path, parts, size):
    """Priority of the marks: clm, uhWT, srge, smpl."""
    data = wave(*parts)
    (tmp_path / "x.wav").write_bytes(data)
    assert surge(data)[:2] == ("table", size)
    assert wav.load(tmp_path / "x.wav").size == size


@pytest.mark.parametrize(
    ("data", "by_surge", "by_deluge"),
    [
        (wave((b"clm ", CLM), tag=PCM, bits=24), "sample format", None),
        (wave((b"clm ", CLM), tag=EXTENSIBLE, bits=16), "sample format", "sample format"),
        (wave((b"clm ", CLM), channels=2), None, "stereo"),
        (wave((b"cue ", cue(2048))), "cue points", None),
        (wave((b"cue ", cue(512)), (b"data", b"")), "cue points", None),
        (wave((b"smpl", smpl(0, 1499))), "frame size", None),
    ],
)
def test_what_they_refuse_is_named_and_mended(tmp_path, monkeypatch, capsys, data, by_surge, by_deluge):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "x.wav").write_bytes(data)
    for reader, why in ((surge, by_surge), (deluge, by_deluge)):
        if why:
            with pytest.raises(Refused, match=why):
                reader(data)
    assert inspect("x.wav").problems
    assert main(["convert", "x.wav", "y.wav", "--size", "2048"]) == 0
    mended = (tmp_path / "y.wav").read_bytes()
    assert surge(mended) == ("table", 2048, 4)
    assert deluge(mended) == (2048, 4)
    capsys.readouterr()


def test_a_clm_behind_the_data_is_lost_on_the_deluge(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    small = wave((b"data", b""), (b"clm ", SMALL_CLM), count=1)
    cut = small.replace(struct.pack("<I", 8192), struct.pack("<I", 7168), 1)  # seven cycles of 256
    data = cut[: cut.index(b"data") + 8 + 7168] + cut[cut.index(b"clm ") :]
    (tmp_path / "x.wav").write_bytes(data)
    with pytest.raises(Refused, match="no wavetable"):
        deluge(data)
    assert wav.load("x.wav").frames.shape == (7, 256)
    assert any("Deluge never sees it" in describe(problem) for problem in inspect("x.wav").problems)
    assert main(["convert", "x.wav", "y.wav"]) == 0
    assert deluge((tmp_path / "y.wav").read_bytes()) == (2048, 7)
    capsys.readouterr()


def test_vitals_own_export(tmp_path):
    """256 frames of 16 bits at 88200 Hz, a JUNK chunk first."""
    told = b"<!>2048 20000000 wavetable (vital.audio)"
    soundfile.write(tmp_path / "x.wav", frames(256).ravel(), 88200, "PCM_16")
    plain = dict(chunks((tmp_path / "x.wav").read_bytes()))
    body = b"WAVE" + b"".join(
        name + struct.pack("<I", len(content)) + content
        for name, content in (
            (b"JUNK", bytes(28)),
            (b"fmt ", plain[b"fmt "]),
            (b"clm ", told),
            (b"data", plain[b"data"]),
        )
    )
    (tmp_path / "x.wav").write_bytes(b"RIFF" + struct.pack("<I", len(body)) + body)
    found = wav.load(tmp_path / "x.wav")
    assert (found.rate, found.flags, found.decision, found.remarks) == (88200, "20000000", "clm chunk", ())
    assert np.abs(found.frames - frames(256)).max() <= 2.0**-15


def test_surges_own_export(tmp_path):
    """RIFF size off by two, block align and byte rate in bits."""
    data = bytearray(wave((b"srge", struct.pack("<II", 1, 2048)), (b"data", b""), (b"wtmd", b"<xml/>\0")))
    data[4:8] = struct.pack("<I", struct.unpack("<I", data[4:8])[0] + 2)
    at = data.index(b"fmt ") + 8
    data[at + 8 : at + 14] = struct.pack("<IH", 44100 * 32, 32)
    (tmp_path / "x.wav").write_bytes(data)
    found = wav.load(tmp_path / "x.wav")
    np.testing.assert_array_equal(found.frames, frames(4))
    assert found.decision == "srge chunk"


@pytest.mark.parametrize("size", [0, 0xFFFFFFFF])
@pytest.mark.parametrize("tail", [16, 18])
def test_streamed_files(tmp_path, size, tail):
    data = bytearray(wave((b"clm ", CLM)))
    at = data.index(b"data") + 4
    data[at : at + 4] = struct.pack("<I", size)
    if tail == 18:
        place = data.index(b"fmt ") + 4
        data[place : place + 4] = struct.pack("<I", 18)
        data[place + 20 : place + 20] = b"\0\0"
    (tmp_path / "x.wav").write_bytes(data)
    np.testing.assert_array_equal(wav.load(tmp_path / "x.wav").frames, frames(4))
