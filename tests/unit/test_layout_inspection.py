"""Layouts written by their own writers, whole and broken."""

from __future__ import annotations

import itertools
import json
import shutil

import numpy as np
import pytest
import soundfile

from nsynth_core.audio import Sound
from nsynth_core.errors import UserError
from wavetables.cli import main
from wavetables.formats import nsynth_grid, nsynth_settings, sfz
from wavetables.grids import inspection as layout_inspection
from wavetables.table import Table

POINTS, PITCHES, LENGTH = 2, (48, 60), 4000
NOTES = list(itertools.product(range(POINTS), range(POINTS), range(len(PITCHES))))
CORNERS = [["flute"], ["choir"], ["oboe"], ["harp"]]
PAD = "flute_choir_oboe_harp.bin"


def tone(seconds: float = 0.25, rate: int = 16_000) -> Sound:
    wave = 0.8 * np.sin(2 * np.pi * 220 * np.arange(round(seconds * rate)) / rate)
    return Sound(wave[:, None].astype(np.float32), rate)


@pytest.fixture
def pads(tmp_path):
    folder = tmp_path / "out"
    note = nsynth_grid.pad_note(tone(), LENGTH)
    (folder / "pads").mkdir(parents=True)
    nsynth_grid.write_pad(folder / "pads" / PAD, POINTS, PITCHES, LENGTH, ((*at, note) for at in NOTES))
    nsynth_settings.write_device_settings(folder / "settings.json", POINTS, PITCHES, LENGTH, CORNERS)
    return folder


@pytest.fixture(scope="module")
def made_grid(tmp_path_factory):
    folder = tmp_path_factory.mktemp("made") / "multi"
    for (ix, iy), pitch in itertools.product(itertools.product(range(3), range(3)), PITCHES):
        nsynth_grid.write_grid_note(folder, "multi", (ix, iy), pitch, tone(), (3, 2))
    nsynth_grid.write_grid_options(folder, "multi", PITCHES, 3, 2)
    return folder


@pytest.fixture
def grid(made_grid, tmp_path):
    return shutil.copytree(made_grid, tmp_path / "out" / "multi")


@pytest.fixture
def notes(tmp_path):
    sfz.write_notes(tmp_path / "x0y0.sfz", {48: tone(2.0, 44_100), 60.5: tone(2.0, 44_100)})
    return tmp_path / "x0y0.sfz"


def seen(path) -> layout_inspection.LayoutInspection:
    found = layout_inspection.inspect(path)
    assert found is not None
    assert len(found.mending) == len(found.problems)
    json.dumps(found.to_dict())
    return found


def only_problem(path) -> str:
    found = seen(path)
    assert len(found.problems) == 1, found
    assert f"--layout {found.format} -o " in found.mending[0]
    return found.problems[0]


class TestPads:
    @pytest.mark.parametrize("what", ["", f"pads/{PAD}"])
    def test_clean(self, pads, what):
        found = seen(pads / what)
        assert found.problems == ()
        assert found.facts["points"] == 2
        assert found.facts["pitches"] == (48, 60)
        assert (found.facts["length"], found.facts["notes"], found.facts["silent"]) == (4000, 8, 0)
        assert found.facts["peak_dbfs"] == pytest.approx(-12, abs=0.1)
        assert "no problems" in str(found)

    def test_size(self, pads):
        pad = pads / "pads" / PAD
        pad.write_bytes(pad.read_bytes()[:-2])
        assert "63998 bytes" in only_problem(pad)
        assert "64000" in only_problem(pads)

    @pytest.mark.parametrize(
        ("gain", "says"), [(0, "silent"), (2, "peaks as far from -12 dBFS as -6"), (0.5, "as -18")]
    )
    def test_levels(self, pads, gain, says):
        pad = pads / "pads" / PAD
        data = np.memmap(pad, "<i2", "r+", shape=(8, LENGTH))
        data[5] = np.clip(data[5] * float(gain), -32768, 32767).astype("<i2")  # x0 y1, the second pitch
        data.flush()
        problem = only_problem(pad)
        assert says in problem
        assert "1 of 8 notes (x0 y1 pitch 60)" in problem

    def test_clipped(self, pads):
        pad = pads / "pads" / PAD
        data = np.memmap(pad, "<i2", "r+", shape=(8, LENGTH))
        data[2] = np.clip(data[2] * 10.0, -32768, 32767).astype("<i2")
        data.flush()
        first, second = seen(pad).problems
        assert "clipped flat at full scale: 1 of 8 notes (x1 y0 pitch 48)" in first
        assert "peaks as far from -12 dBFS as 0.0" in second
        assert seen(pad).facts["clipped"] == 1

    def test_names_of_pads(self, pads):
        (pads / "pads" / PAD).rename(pads / "pads" / "flute_choir_oboe_bell.bin")
        found = seen(pads)
        assert f"1 pad missing: {PAD}" in found.problems
        assert "1 foreign file: flute_choir_oboe_bell.bin" in found.problems
        assert found.mending[0].endswith("out-mended")  # making it again there would leave the foreign one

    def test_without_its_settings(self, pads):
        (pads / "settings.json").unlink()
        with pytest.raises(UserError, match=r"no settings\.json"):
            layout_inspection.inspect(pads / "pads" / PAD)

    def test_the_manifest_says_how_to_make_it_again(self, pads):
        manifest = {"command": "make-wavetable grid grid5 --layout nsynth-super", "layout": "nsynth-super"}
        (pads / "manifest.json").write_text(json.dumps(manifest))
        (pads / "pads" / PAD).write_bytes(b"")
        assert seen(pads).mending[0] == f"make-wavetable grid grid5 --layout nsynth-super -o {pads} --force"


class TestGrid:
    def test_clean(self, grid):
        assert seen(grid).problems == ()
        assert seen(grid.parent).facts == {
            "notes": 18,
            "name": "multi",
            "points": 3,
            "sounds": 2,
            "pitches": (48, 60),
        }

    def test_here(self, grid, monkeypatch):
        monkeypatch.chdir(grid)
        (grid / "options").unlink()
        assert "no file options" in only_problem(".")
        assert seen(".").mending[0].endswith(f" -o {grid.parent} --force")

    def test_missing(self, grid):
        for name in ("multi_000004_x0.50_y0.50_pitch48.mp3", "multi_000008_x1.00_y1.00_pitch60.mp3"):
            (grid / name).unlink()
        problem = only_problem(grid)
        assert problem.startswith("2 notes missing: multi_000004_x0.50_y0.50_pitch48.mp3, multi_000008")

    @pytest.mark.parametrize(
        "name", ["other_000004_x0.50_y0.50_pitch48.mp3", "multi_000004_x0.50_y0.50_pitch50.mp3", "notes.txt"]
    )
    def test_foreign(self, grid, name):
        (grid / name).write_bytes(b"x")
        assert only_problem(grid) == f"1 foreign file: {name}"

    def test_empty(self, grid):
        (grid / "multi_000004_x0.50_y0.50_pitch48.mp3").write_bytes(b"")
        assert only_problem(grid) == "empty: multi_000004_x0.50_y0.50_pitch48.mp3"

    @pytest.mark.parametrize(
        "line",
        [
            "",
            "1, 48 12 2 3 3 2 multi;",
            "1, 48 0 2 3 3 2 2 multi;",
            "1, 48 99 2 3 3 2 2 m;",
            "1, 48 12 2 1 1 1 1 multi;",
        ],
    )
    def test_no_options(self, grid, line):
        (grid / "options").write_text(line)
        assert "options is no line" in only_problem(grid)

    def test_other_options(self, grid):
        (grid / "options").write_text("1, 48 12 3 3 3 2 2 multi;\n")
        assert only_problem(grid).startswith("9 notes missing: multi_000000_x0.00_y0.00_pitch72.mp3")
        (grid / "options").write_text("1, 0 1 128 999 999 99 99 multi;\n")  # millions are asked for, not listed
        assert any(line.startswith(f"{999 * 999 * 128 - 2} notes missing") for line in seen(grid).problems)

    def test_sounds_between_the_points(self, tmp_path):
        nsynth_grid.write_grid_note(tmp_path / "m", "m", (0, 0), 24, tone(), (26, 4))
        (tmp_path / "m" / "options").write_text("1, 24 4 1 26 26 4 4 m;\n")
        assert "between the points" in seen(tmp_path / "m").problems[0]


class TestNotes:
    def test_clean(self, notes):
        found = seen(notes)
        assert found.problems == ()
        assert found.facts == {"regions": 2, "samples": 2, "loops": 2, "keys": "0..127 (C-1..G9)"}

    def test_samples(self, notes):
        (notes.with_suffix("") / "x0y0_48.wav").unlink()
        assert only_problem(notes) == "missing samples: x0y0_48.wav"
        (notes.with_suffix("") / "x0y0_60.5.wav").write_bytes(b"RIFF")
        assert "unreadable samples: x0y0_60.5.wav" in seen(notes).problems

    def test_loops(self, notes):
        file = notes.with_suffix("") / "x0y0_48.wav"
        samples, rate = soundfile.read(file)
        soundfile.write(file, samples[: len(samples) // 2], rate)
        assert "x0y0_48.wav: its loop" in only_problem(notes)
        assert f"inside its {len(samples) // 2} samples" in only_problem(notes)

    def test_half_a_loop(self, notes):
        lines = [line.split(" loop_end=")[0] for line in notes.read_text().splitlines()]
        notes.write_text("\n".join(lines))
        assert all("only one point" in line for line in seen(notes).problems)
        assert len(seen(notes).problems) == 2

    def test_keys(self, notes):
        notes.write_text(notes.read_text().replace("lokey=0 ", "lokey=c1 ").replace("hikey=127", "hikey=100"))
        assert only_problem(notes) == "keys that play nothing: 0..23 (C-1..B0), 101..127 (F7..G9)"
        notes.write_text(notes.read_text().replace("lokey=c1", "lokey=low"))
        with pytest.raises(UserError, match="keys 'low'"):
            layout_inspection.inspect(notes)

    def test_outside(self, notes):
        notes.write_text(notes.read_text().replace("sample=", "sample=../"))
        with pytest.raises(UserError, match="outside its folder"):
            layout_inspection.inspect(notes)

    def test_single_cycles_are_a_table(self, tmp_path):
        frames = np.sin(2 * np.pi * np.arange(2048) / 2048)[None].astype(np.float32)
        sfz.write(tmp_path / "t.sfz", Table(frames, "t"))
        assert layout_inspection.inspect(tmp_path / "t.sfz") is None
        text = (tmp_path / "t.sfz").read_text().replace("oscillator=on ", "")
        (tmp_path / "t.sfz").write_text(text)
        assert layout_inspection.inspect(tmp_path / "t.sfz") is None


def test_regions_inherit():
    text = """<control> default_path=s/
    <global> a=1 b=1 <group> b=2 // c=9
    <region> sample=my tone.wav key=60
    <group> <region> sample=b.wav a=3"""
    assert sfz.regions(text) == [
        {"default_path": "s/", "a": "1", "b": "2", "sample": "my tone.wav", "key": "60"},
        {"default_path": "s/", "a": "3", "b": "1", "sample": "b.wav"},
    ]


def test_inspect_looks_at_layouts(pads, grid, notes, capsys):
    assert main(["inspect", "--json", str(pads), str(grid), str(notes)]) == 0
    found = json.loads(capsys.readouterr().out)
    assert [each["format"] for each in found] == ["nsynth-super", "m4l", "sfz"]
    assert main(["inspect", str(pads)]) == 0
    assert "Open NSynth Super pads" in capsys.readouterr().out
