"""What inspect finds is what convert --fix mends, and nothing else is touched."""

from __future__ import annotations

import json
import shlex
import struct

import numpy as np
import pytest
import soundfile

from wavetables.cli import main
from wavetables.cli.inspect import mending
from wavetables.formats import registry, serum
from wavetables.inspection import describe, inspect
from wavetables.mending import faults, mend
from wavetables.resizing import resize
from wavetables.shaping import shape
from wavetables.table import FRAME_SIZE, Table

T = np.arange(FRAME_SIZE) / FRAME_SIZE


def clean(count: int = 6, harmonics: int = 40, falling: float = 1.2) -> np.ndarray:
    number = np.arange(1, harmonics + 1)
    level = 1 / number ** np.linspace(falling, falling + 0.8, count)[:, None]
    level[:, 1:] *= np.random.default_rng(3).uniform(0.3, 1, (count, harmonics - 1))
    return shape((level @ np.sin(2 * np.pi * number[:, None] * T)).astype(np.float32))


def naive(kind: str) -> np.ndarray:
    waves = {
        "saw": 2 * T - 1,
        "square": np.where(T < 0.5, 0.9, -0.9),
        "triangle": 4 * np.abs((T + 0.25) % 1 - 0.5) - 1,
        "pulse": np.where(T < 0.1, 0.9, -0.1),
        "sine": np.sin(2 * np.pi * T),
    }
    return np.tile(waves[kind].astype(np.float32), (3, 1)) * np.float32([[0.7], [0.8], [0.9]])


def stretched(frames: np.ndarray, few: int, how: str) -> np.ndarray:
    small, factor = resize(frames, few), FRAME_SIZE // few
    if how == "holding":
        return np.repeat(small, factor, axis=1)
    share = np.arange(factor) / factor
    drawn = small[:, :, None] * (1 - share) + np.roll(small, -1, axis=1)[:, :, None] * share
    return drawn.reshape(frames.shape).astype(np.float32)


def test_a_clean_table_is_left_alone():
    frames = clean()
    assert mend(frames).tobytes() == frames.tobytes()
    assert mend(np.zeros((2, FRAME_SIZE), np.float32)).shape == (2, FRAME_SIZE)


@pytest.mark.parametrize("few", [128, 256, 512])
@pytest.mark.parametrize("how", ["holding", "straight lines"])
def test_images_of_stretched_frames(few, how):
    frames = resize(resize(clean(harmonics=60, falling=0.2), few), FRAME_SIZE)
    drawn = stretched(frames, few, how)
    found = faults(drawn)
    assert (found.images, found.stretched) == (few, how)
    np.testing.assert_allclose(mend(drawn), frames, atol=0.01)
    assert faults(mend(drawn)).images == 0


@pytest.mark.parametrize("kind", ["saw", "square", "triangle", "pulse", "sine"])
def test_simple_waves_are_not_called_stretched_or_clipped(kind):
    found = faults(naive(kind))
    assert found.images == 0
    assert not found.clipped.any()
    assert not faults(naive(kind) / np.abs(naive(kind)).max()).clipped.any()
    assert faults(clean(3, 900)).images == 0


@pytest.mark.parametrize("gain", [1.02, 1.05, 1.1])
@pytest.mark.parametrize("turn", [0, 5, 700])
def test_clipped_tops_are_rounded(gain, turn):
    wave = np.roll(sum(np.sin(2 * np.pi * h * T + h) / h**1.5 for h in range(1, 8)), turn)
    wave *= gain / np.abs(wave).max()
    frames = np.clip(wave, -1, 1).astype(np.float32)[None]
    assert faults(frames).clipped.all()
    assert not faults(0.5 * frames).clipped.any()
    mended = mend(frames)
    assert not faults(mended).clipped.any()
    first = lambda frame: np.abs(np.fft.rfft(frame)[1:40] / np.fft.rfft(frame)[1])  # noqa: E731
    before, after = (np.abs(first(each) - first(wave)).max() for each in (frames[0], mended[0]))
    assert after < 0.1 * before


def test_jumps():
    frames = clean(5) * np.float32([[1], [0.9], [0.01], [0.8], [1]])
    assert np.flatnonzero(faults(frames).jumps > 12).tolist() == [2, 3]
    mended = mend(frames)
    assert faults(mended).jumps.max() <= 12.01
    np.testing.assert_array_equal(mended[[0, 1, 3, 4]], frames[[0, 1, 3, 4]])


@pytest.mark.parametrize(
    "spoil",
    [
        lambda x: 0.5 * x + np.float32(0.1),
        lambda x: np.concatenate([x, 0 * x[:2], x[-1:]]),
        lambda x: np.repeat(x, 3, axis=0),
        lambda x: x * np.float32([1, -1] * (len(x) // 2))[:, None],
        lambda x: np.roll(x + 0.3 * np.sign(T - 0.5).astype(np.float32), 5, axis=1),
        lambda x: stretched(clean(harmonics=60, falling=0.2), 256, "straight lines"),
        lambda x: x * np.float32(1.9),
        lambda x: x * np.float32([1, 0.02] * (len(x) // 2))[:, None],
        lambda x: np.clip(x * np.float32(1.1), -1, 1),
    ],
)
def test_convert_mends_what_inspect_finds(tmp_path, monkeypatch, capsys, spoil):
    """The commands that inspect prints, run as they stand, leave a table without problems."""
    monkeypatch.chdir(tmp_path)
    frames = np.ascontiguousarray(spoil(clean()), dtype=np.float32)
    data = frames.astype("<f4").tobytes()
    head = struct.pack("<HHIIHH", 3, 1, 44100, 176400, 4, 32)
    body = b"WAVEfmt " + struct.pack("<I", 16) + head + b"data" + struct.pack("<I", len(data)) + data
    body += b"clm " + struct.pack("<I", 24) + b"<!>2048 01000000 factory"
    (tmp_path / "x.wav").write_bytes(b"RIFF" + struct.pack("<I", len(body)) + body)
    found = inspect("x.wav")
    assert len(found.problems) >= 3  # the digit, the place of the chunk, and what was spoiled
    assert len(mending(found)) == len(found.problems)
    command = next(line for line in mending(found) if line.endswith("--fix"))
    assert main(shlex.split(command)[1:]) == 0
    assert inspect("x-mended.wav").problems == ()
    capsys.readouterr()


@pytest.mark.parametrize("subtype", ["PCM_16", "PCM_24", "FLOAT"])
@pytest.mark.parametrize("kind", ["WAV", "WAVEX"])
@pytest.mark.parametrize("channels", [1, 2])
def test_files_of_other_programs(tmp_path, monkeypatch, capsys, subtype, kind, channels):
    monkeypatch.chdir(tmp_path)
    soundfile.write("x.wav", np.stack([clean().ravel()] * channels, 1), 48000, subtype, format=kind)
    found = inspect("x.wav")
    text = " ".join(map(describe, found.problems))
    assert ("EXTENSIBLE" in text) == (kind == "WAVEX")
    assert ("24" in text) == (subtype == "PCM_24")
    assert main(["convert", "x.wav", "y.wav"]) == 0
    assert inspect("y.wav").problems == ()
    np.testing.assert_allclose(serum.read("y.wav").frames, clean(), atol=2.0**-15)
    capsys.readouterr()


@pytest.mark.parametrize("name", ["wt", "vital", "sfz", "cycles", "ableton"])
def test_every_format_is_mended_in_its_own(tmp_path, monkeypatch, capsys, name):
    """Frames of another size (Ableton's), and faults in files that are no WAV: the command names a file of the kind."""
    monkeypatch.chdir(tmp_path)
    suffix = registry.FORMATS[name].suffix
    frames = clean() if name == "ableton" else np.ascontiguousarray(0.5 * clean() + np.float32(0.1))
    registry.write(f"x{suffix}", Table(frames, "x"), name=name)
    found = inspect(f"x{suffix}")
    assert any(
        ("1024 samples a frame" if name == "ableton" else "DC offset") in describe(problem)
        for problem in found.problems
    )
    assert main(shlex.split(mending(found)[0])[1:]) == 0
    mended = inspect(f"x-mended{suffix}")
    assert mended.problems == ()
    assert mended.format == found.format
    capsys.readouterr()


class TestConvert:
    @pytest.fixture
    def table(self, tmp_path, monkeypatch):
        monkeypatch.chdir(tmp_path)
        serum.write("x.wav", Table(clean(), "x", 57.0, {"author": "me"}))
        return tmp_path

    def test_round_through_every_exact_format(self, table, capsys):
        source = "x.wav"
        for name in [name for name, each in registry.FORMATS.items() if each.exact]:
            target = f"{name}{registry.FORMATS[name].suffix}"
            assert main(["convert", source, target, "--format", name]) == 0
            source = target
        assert main(["convert", source, "last.wav"]) == 0
        back = serum.read("last.wav")
        assert back.frames.tobytes() == clean().tobytes()
        assert (back.root_pitch, back.provenance) == (57.0, {"author": "me"})
        capsys.readouterr()

    def test_without_provenance(self, table, capsys):
        for suffix in ("wav", "wt", "vitaltable"):
            assert main(["convert", "x.wav", f"y.{suffix}", "--no-provenance"]) == 0
            assert b"author" not in (table / f"y.{suffix}").read_bytes().replace(b'"author": ""', b"")
        assert (table / "y.wt").stat().st_size == 12 + 6 * 8192
        capsys.readouterr()

    @pytest.mark.parametrize(
        ("line", "code", "why"),
        [
            ("x.wav x.wav --force", 1, "would be replaced"),
            ("x.wav y.flac", 2, "no format ends in"),
            ("x.wav y.wav --format nothing", 2, "no format is named"),
            ("x.wav y.wav --format vital", 2, "ends in .vitaltable"),
            ("no.wav y.wav", 1, "no such file"),
            ("x.wav y.wav --size 100000", 2, "invalid value"),
        ],
    )
    def test_refused(self, table, capsys, line, code, why):
        assert main(["convert", *line.split()]) == code
        assert why in capsys.readouterr().err
        assert sorted(path.name for path in table.iterdir()) == ["x.wav"]

    def test_as_json(self, table, capsys):
        assert main(["convert", "x.wav", "y.wt", "--json"]) == 0
        told = json.loads(capsys.readouterr().out)
        assert (told["format"], told["frames"], told["decision"]) == ("wt", 6, "clm chunk")

    def test_import_to_three_synths(self, table, capsys):
        assert main(["import", "x.wav", "-o", "y.wav", "--format", "serum,vital,wt"]) == 0
        for suffix in ("wav", "vitaltable", "wt"):
            np.testing.assert_array_equal(registry.read(f"y.{suffix}").frames, clean())
        assert main(["import", "y.wt", "-o", "z.vitaltable"]) == 0
        np.testing.assert_array_equal(registry.read("z.vitaltable").frames, clean())
        assert main(["import", "x.wav", "other.wav", "-o", "out", "--author", "Mia", "--licence", "CC0-1.0"]) == 3
        told = registry.load("out/x.wav").provenance
        assert (told["author"], told["licence"]) == ("Mia", "CC0-1.0")
        assert told["command"] == "make-wavetable import x.wav --author Mia --licence CC0-1.0"
        assert main(["import", "x.wav", "-o", "q.wav", "--format", "serum,hive"]) == 2
        assert main(["import", "x.wav", "-o", "q.wav", "--format", "serm"]) == 2
        capsys.readouterr()

    def test_inspect_reads_them_all(self, table, capsys):
        for name, each in registry.FORMATS.items():
            target = f"{name}{each.suffix}"
            assert main(["convert", "x.wav", target, "--format", name]) == 0
            capsys.readouterr()
            assert main(["inspect", target]) == 0
            assert "samples (" in capsys.readouterr().out

    def test_author_and_licence(self, table, capsys):
        import wavinfo

        line = ["--author", "Mia Öz", "--licence", "CC0-1.0"]
        for target in ("y.wav", "y.wt", "y.vitaltable", "y.sfz", "cycles"):
            assert main(["convert", "x.wav", target, *line]) == 0
            assert dict(registry.load(target).provenance) == {"author": "Mia Öz", "licence": "CC0-1.0"}
        found = wavinfo.WavInfoReader("y.wav", info_encoding="utf-8").info
        assert (found.artist, found.copyright) == ("Mia Öz", "CC0-1.0")
        assert json.loads((table / "y.vitaltable").read_text())["author"] == "Mia Öz"
        assert main(["convert", "x.wav", "z.wav", "--no-provenance", *line]) == 2
        assert "--author" in capsys.readouterr().err

    def test_the_author_that_other_programs_name(self, table):
        data = (table / "x.wav").read_bytes()
        at = data.index(b"clm ") + 8
        told = b"<!>2048 10000000 wavetable [Jo Doe]".ljust(48)
        (table / "y.wav").write_bytes(data[:at] + told + data[at + 48 : data.index(b"LIST")])
        assert dict(registry.load("y.wav").provenance) == {"author": "Jo Doe"}


class TestBlend:
    def test_a_table_for_any_synth_with_its_origin_or_without(self, tmp_path, monkeypatch, capsys):
        monkeypatch.chdir(tmp_path)
        for suffix in ("wav", "vitaltable", "wt"):
            for more, known in ((["--force"], True), (["--force", "--no-provenance"], False)):
                line = ["blend", "flute", "choir", "--mix", "0:1:4", "-q", "-o", f"x.{suffix}", *more]
                assert main(line) == 0
                told = registry.load(f"x.{suffix}").provenance
                assert ({"sounds", "mix", "pitch", "engine", "licence", "command"} <= set(told)) == known
                assert bool(told) == known
        assert main(["blend", "flute", "choir", "--mix", "0:1:4", "-o", "x.flac"]) == 2
        line = ["blend", "flute", "choir", "--mix", "0:1:4", "--author", "Mia", "--licence", "CC-BY-4.0"]
        assert main([*line, "-o", "y.wt"]) == 0
        told = registry.load("y.wt").provenance
        assert (told["author"], told["licence"], told["licence of the sounds"]) == ("Mia", "CC-BY-4.0", "MIT")
        assert main(["blend", "flute", "choir", "--mix", "0.5", "--author", "Mia", "-o", "note.wav"]) == 2
        capsys.readouterr()
