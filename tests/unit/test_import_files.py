"""The calls of the library behind `import`, `convert` and `inspect`: what they write, and the facts that they give."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import soundfile

from nsynth_core.audio import Length
from nsynth_core.errors import FileExists, NotWritable, UsageError, UserError
from nsynth_core.notes import midi_to_hz
from nsynth_core.pitch import Unpitched
from wavetables.cli import main
from wavetables.converting import convert
from wavetables.formats import registry, serum, vital
from wavetables.formats.common import Clipping
from wavetables.importing import Settings, import_files, import_tables
from wavetables.importing.explain import summary
from wavetables.importing.result import SourceKind
from wavetables.inspection import Mend, ProblemKind, describe, inspect
from wavetables.table import FRAME_SIZE, Table

RATE = 44100
SINE = np.sin(2 * np.pi * np.arange(FRAME_SIZE) / FRAME_SIZE)


def note(path: Path, midi: float = 57.0, seconds: float = 0.4) -> Path:
    time = np.arange(int(seconds * RATE)) / RATE
    samples = sum(np.sin(2 * np.pi * midi_to_hz(midi) * number * time) / number for number in range(1, 9))
    soundfile.write(path, 0.2 * samples * np.minimum(1, np.minimum(time, seconds - time) / 0.005), RATE, "FLOAT")
    return path


def noise(path: Path) -> Path:
    soundfile.write(path, 0.1 * np.random.default_rng(1).normal(size=RATE), RATE)
    return path


class TestImportFiles:
    def test_what_becomes_of_each_file(self, tmp_path):
        (tmp_path / "in" / "deep").mkdir(parents=True)
        note(tmp_path / "in" / "a.wav")
        note(tmp_path / "in" / "deep" / "b.wav", 60.0)
        noise(tmp_path / "in" / "hiss;2.wav")
        batch = import_files([tmp_path / "in"], tmp_path / "out", Settings(frames=4), formats=["serum", "vital"])
        assert len(batch) == 3
        assert not (tmp_path / "out").exists()  # nothing is done before it is asked for
        first, second, refused = batch
        assert [path.name for path in first.tables[0].outputs] == ["a.wav", "a.vitaltable"]
        assert second.tables[0].outputs[0] == tmp_path / "out" / "deep" / "b.wav"
        assert (first.error, first.length, first.tables[0].frames) == (None, Length.TRUE, 4)
        assert isinstance(refused.error, Unpitched)
        assert refused.error.path == tmp_path / "in" / "hiss;2.wav"
        assert "hiss;2.wav: no " in str(refused.error)
        assert refused.tables == ()

    def test_errors_come_whole_out_of_other_processes(self, tmp_path):
        (tmp_path / "in").mkdir()
        for number in range(6):
            noise(tmp_path / "in" / f"{number}.wav")
        results = list(import_files([tmp_path / "in"], tmp_path / "out"))
        assert all(isinstance(result.error, Unpitched) for result in results)
        assert [result.error.path.name for result in results] == [f"{number}.wav" for number in range(6)]

    def test_facts_of_a_pitch(self, tmp_path):
        facts = import_tables(note(tmp_path / "flute_A3.wav"), Settings(octave=1))[0].facts
        assert facts.kind is SourceKind.PITCHED
        assert facts.pitch.source_midi == pytest.approx(57, abs=0.02)
        assert facts.pitch.midi == pytest.approx(69, abs=0.02)
        assert (facts.pitch.given, facts.pitch.name_hint, facts.pitch.hint_holds) == (None, 57.0, True)
        assert facts.pitch.confidence > 0.9
        assert facts.pitch.high_midi - facts.pitch.low_midi < 0.1
        assert (facts.source.rate, facts.source.channels, facts.source.seconds) == (RATE, 1, pytest.approx(0.4))
        assert facts.cut.used <= facts.cut.cycles
        assert 1 <= facts.cut.periods[0] <= facts.cut.periods[1]

    def test_facts_of_other_sources(self, tmp_path):
        soundfile.write(tmp_path / "cycle.wav", 0.3 * np.sin(2 * np.pi * np.arange(600) / 600), RATE)
        cycle = import_tables(tmp_path / "cycle.wav")[0].facts
        assert (cycle.kind, cycle.cycle_samples, cycle.pitch, cycle.cut) == (SourceKind.CYCLE, 600, None, None)
        windows = import_tables(noise(tmp_path / "hiss.wav"), Settings(unpitched=True, frames=5))[0].facts
        assert (windows.kind, windows.windows) == (SourceKind.WINDOWS, 5)
        assert "5 windows" in summary(windows)
        serum.write(tmp_path / "table.wav", Table(SINE[None].astype(np.float32) * np.float32(0.9), "table"))
        assert import_tables(tmp_path / "table.wav")[0].facts.kind is SourceKind.TABLE

    def test_provenance(self, tmp_path):
        source = note(tmp_path / "a.wav")
        for name, options in (("with", {"provenance": {"author": "Me"}}), ("none", {"provenance": None})):
            list(
                import_files(
                    [source], tmp_path / f"{name}.wav", command=lambda files: f"again {files[0].name}", **options
                )
            )
        told = serum.read(tmp_path / "with.wav").provenance
        assert (told["author"], told["command"], told["source"]) == ("Me", "again a.wav", "a.wav")
        assert told["pitch"].startswith("A3, confidence")
        assert serum.read(tmp_path / "none.wav").provenance == {}

    def test_a_join_is_one_file(self, tmp_path):
        paths = [note(tmp_path / f"{midi}.wav", midi) for midi in (48, 60)]
        (joined,) = import_files(paths, tmp_path / "joined.wav", join=True)
        assert joined.sources == tuple(paths)
        assert joined.source == tmp_path
        assert joined.tables[0].facts.joined == ("48.wav", "60.wav")
        assert summary(joined.tables[0].facts) == "joined"

    def test_refusals(self, tmp_path):
        source = note(tmp_path / "a.wav")
        with pytest.raises(UsageError, match=r"one \.wav file"):
            import_files([source], tmp_path / "x.wav", formats=["serum", "hive"])
        with pytest.raises(UsageError, match="folder"):
            import_files([source, source])
        with pytest.raises(NotWritable, match="it is a file"):
            import_files([source, source], source)
        (result,) = import_files([source], source, force=True)
        assert isinstance(result.error, NotWritable)
        (tmp_path / "there.wav").write_bytes(b"mine")
        (result,) = import_files([source], tmp_path / "there.wav")
        assert isinstance(result.error, FileExists)
        assert (tmp_path / "there.wav").read_bytes() == b"mine"


class TestConvert:
    def test_facts(self, tmp_path):
        frames = np.stack([0.5 * SINE, 0.5 * SINE, 0.4 * SINE]).astype(np.float32)
        registry.write(tmp_path / "a.wav", Table(frames, "a", 57.0, {"author": "Me"}))
        converted = convert(tmp_path / "a.wav", tmp_path / "a.wt", provenance={"licence": "CC0-1.0"})
        assert (converted.format, converted.frames_before, converted.frames, converted.size) == ("wt", 3, 3, 2048)
        assert registry.read(tmp_path / "a.wt").provenance == {"author": "Me", "licence": "CC0-1.0"}
        np.testing.assert_array_equal(registry.read(tmp_path / "a.wt").frames, frames)
        fixed = convert(tmp_path / "a.wav", tmp_path / "b.wav", "hive", fix=True, provenance=None)
        assert (fixed.format, fixed.frames_before, fixed.frames, fixed.fixed) == ("hive", 3, 2, True)
        assert registry.read(tmp_path / "b.wav").provenance == {}

    def test_refusals(self, tmp_path):
        registry.write(tmp_path / "a.wav", Table(0.5 * SINE[None].astype(np.float32), "a"))
        with pytest.raises(NotWritable, match="replaced by what is made from it"):
            convert(tmp_path / "a.wav", tmp_path / "a.wav", force=True)
        with pytest.raises(UsageError, match="no format ends in"):
            convert(tmp_path / "a.wav", tmp_path / "a.xyz")
        with pytest.raises(UserError, match=r"b\.wav: no such file"):
            convert(tmp_path / "b.wav", tmp_path / "c.wav")

    def test_other_oscillators_are_named_by_the_command(self, tmp_path, capsys):
        tables = [vital.document(Table(0.5 * SINE[None].astype(np.float32), name)) for name in "abc"]
        preset = {"settings": {"wavetables": tables, "osc_1_on": 1, "osc_3_on": 1}}
        (tmp_path / "lead.vital").write_text(json.dumps(preset))
        assert convert(tmp_path / "lead.vital", tmp_path / "a.wav").oscillators == (3,)
        assert main(["convert", str(tmp_path / "lead.vital"), str(tmp_path / "b.wav")]) == 0
        assert "--oscillator 3" in capsys.readouterr().err

    def test_a_table_that_clips_is_refused_with_its_peak(self, tmp_path, capsys):
        loud = tmp_path / "loud.wav"
        registry.write(loud, Table(0.5 * SINE[None].astype(np.float32), "loud"))
        data = loud.read_bytes()
        quiet, clipped = (level * SINE.astype(np.float32) for level in (np.float32(0.5), np.float32(2.0)))
        loud.write_bytes(data.replace(quiet.tobytes(), clipped.tobytes()))
        with pytest.raises(Clipping) as refused:
            convert(loud, tmp_path / "x.vitaltable")
        assert refused.value.peak_dbfs == pytest.approx(20 * np.log10(2), abs=0.01)
        assert main(["convert", str(loud), str(tmp_path / "x.vitaltable")]) == 1
        assert "--fix" in capsys.readouterr().err


def test_problems_are_data(tmp_path):
    frames = np.stack([0.5 * SINE, 0.5 * SINE, 0 * SINE, 0.5 * SINE + 0.1]).astype(np.float32)
    registry.write(tmp_path / "a.wav", Table(frames, "a"))
    problems = {problem.kind: problem for problem in inspect(tmp_path / "a.wav").problems}
    assert problems[ProblemKind.SILENT_FRAMES].frames == (3,)
    assert problems[ProblemKind.DUPLICATES].frames == (2,)
    offset = problems[ProblemKind.DC]
    assert (offset.frames, offset.value, offset.mend) == ((4,), pytest.approx(0.1, abs=1e-4), Mend.FIX)
    assert describe(offset) == "DC offset up to 0.1 in frame 4"
