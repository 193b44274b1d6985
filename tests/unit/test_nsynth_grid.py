"""Grids for Max for Live and pads for Open NSynth Super: lattice, names, bytes, settings."""

from __future__ import annotations

import json

import numpy as np
import pytest
import soundfile

from nsynth_core.audio import Sound
from nsynth_core.errors import UserError
from wavetables.formats import nsynth_grid as grid
from wavetables.formats import nsynth_settings

# as magenta-demos and Open NSynth Super ship them
MULTIGRID = {
    "instruments": [[f"i{u}{v}" for v in range(4)] for u in range(4)],
    "checkpoint_dir": "~/ckpt",
    "pitches": list(range(24, 85, 4)),
    "resolution": 9,
    "final_length": 64000,
    "gpus": 1,
    "name": "multigrid_4",
}
PADS = {
    "pads": {"NW": ["brass", "x"], "NE": ["fatpoly"], "SW": ["marimba"], "SE": ["synthbrass"]},
    "pitches": [24, 28],
    "resolution": 9,
    "final_length": 60000,
}
DEVICE = {
    "nsynth": {"resolution": 9, "pitches": [24, 28], "length": 60000, "sampleRate": 16000},
    "corners": [{"instruments": [{"name": name, "display": "X", "abbr": "X"}]} for name in ("a", "b", "c", "d")],
}


def saved(folder, data):
    path = folder / "settings.json"
    path.write_text(json.dumps(data) if not isinstance(data, str) else data)
    return path


def tone(seconds: float = 1.0, before: float = 0.1, rate: int = 48_000) -> Sound:
    n = np.arange(round(seconds * rate))
    samples = 0.7 * np.sin(2 * np.pi * 220 * n / rate) * (n >= before * rate)
    return Sound(np.stack([samples, samples], 1).astype(np.float32), rate)


class TestSettings:
    def test_multigrid(self, tmp_path):
        found = nsynth_settings.read_settings(saved(tmp_path, MULTIGRID))
        assert found.matrix[1][3] == "i13"
        assert found.side == 25
        assert (found.resolution, found.length, found.name, found.downwards) == (9, 64000, "multigrid_4", False)
        assert found.pitches == tuple(range(24, 85, 4))

    def test_pads_name_the_corners_by_where_they_sound(self, tmp_path):
        found = nsynth_settings.read_settings(saved(tmp_path, PADS))
        # (0,0), (1,0), (0,1), (1,1); the pipeline's SE lies below NW
        assert found.choices == (("brass", "x"), ("fatpoly",), ("synthbrass",), ("marimba",))
        assert found.matrix == (("brass", "synthbrass"), ("fatpoly", "marimba"))
        assert found.downwards

    def test_device(self, tmp_path):
        found = nsynth_settings.read_settings(saved(tmp_path, DEVICE))
        assert found.choices == (("a",), ("b",), ("c",), ("d",))

    @pytest.mark.parametrize(
        ("data", "why"),
        [
            ("", "not a settings.json"),
            ("[" * 100_000, "not a settings.json"),
            ([], "no JSON object"),
            ({}, "no settings of NSynth"),
            ({**MULTIGRID, "instruments": [["a"]]}, "no square"),
            ({**MULTIGRID, "instruments": [["a", "b"], ["c"]]}, "no square"),
            ({**MULTIGRID, "instruments": [["a", "../b"], ["c", "d"]]}, "no name of an instrument"),
            ({**MULTIGRID, "instruments": [["a", "b_c"], ["c", "d"]]}, "no name of an instrument"),
            ({**MULTIGRID, "name": "../x"}, "its name"),
            ({**MULTIGRID, "pitches": [24, 400]}, "pitches"),
            ({**MULTIGRID, "resolution": 10**9}, "resolution"),
            ({**MULTIGRID, "resolution": True}, "resolution"),
            ({**MULTIGRID, "final_length": 1e9}, "length"),
            ({**PADS, "pads": {"NW": ["a"]}}, "four corners"),
            ({**DEVICE, "corners": [1, 2, 3, 4]}, "four corners"),
        ],
    )
    def test_damaged(self, tmp_path, data, why):
        with pytest.raises(UserError, match=why):
            nsynth_settings.read_settings(saved(tmp_path, data))


class TestLattice:
    def test_instruments_lie_on_points(self):
        assert nsynth_settings.side(9, 4) == 25
        assert nsynth_settings.side(9, 2) == 9
        places = [nsynth_settings.cell(index, 9, 4) for index in range(25)]
        assert places[0] == (0, 0.0)
        assert places[8] == (1, 0.0)
        assert places[16] == (2, 0.0)
        assert places[24] == (2, 1.0)
        assert [u + x for u, x in places] == [index / 8 for index in range(25)]


class TestMaxForLive:
    def test_names_and_options(self, tmp_path):
        first = grid.write_grid_note(tmp_path, "multigrid_4", (0, 0), 24, tone(), (25, 4))
        assert first.name == "multigrid_4_000000_x0.00_y0.00_pitch24.mp3"
        other = grid.write_grid_note(tmp_path, "multigrid_4", (3, 24), 84, tone(), (25, 4))
        assert other.name == "multigrid_4_000603_x0.37_y3.00_pitch84.mp3"
        path = grid.write_grid_options(tmp_path, "multigrid_4", range(24, 85, 4), 25, 4)
        assert path.read_bytes() == b"1, 24 4 16 25 25 4 4 multigrid_4;\n"
        samples, rate = soundfile.read(first)
        assert rate == 16_000
        assert samples.ndim == 1
        assert 20 * np.log10(np.abs(samples[4000:-1000]).max()) == pytest.approx(-12, abs=0.3)

    @pytest.mark.parametrize("pitches", [[24, 28, 33], [24.5, 25.5], [24, 128]])
    def test_pitches_it_cannot_find(self, pitches):
        with pytest.raises(UserError, match="even steps"):
            grid.evenly_spaced(pitches)


class TestPads:
    def test_bytes(self, tmp_path):
        path, pitches, length = tmp_path / "a_b_c_d.bin", [24, 28], 2000
        notes = [
            (x, y, p, Sound(np.full((3000, 1), (1 + p + 2 * x + 6 * y) / 20, np.float32), 16_000))
            for y in range(3)
            for x in range(3)
            for p in range(2)
        ]
        levels = {}
        for x, y, p, _ in notes:
            n = np.arange(3000)
            wave = np.sin(2 * np.pi * (5 + p + 2 * x + 6 * y) * 16 * n / 16_000)
            levels[x, y, p] = Sound(wave[:, None].astype(np.float32), 16_000)
        grid.write_pad(
            path, 3, pitches, length, [(*key, grid.pad_note(sound, length)) for key, sound in reversed(levels.items())]
        )
        data = np.frombuffer(path.read_bytes(), "<i2").reshape(3, 3, 2, length)
        assert data.size * 2 == 3 * 3 * 2 * length * 2
        for (x, y, p), sound in levels.items():
            np.testing.assert_array_equal(data[y, x, p], grid.pad_note(sound, length))
        assert len({row.tobytes() for row in data.reshape(-1, length)}) == 18

    def test_a_missing_note_leaves_no_file(self, tmp_path):
        with pytest.raises(UserError, match="17 of 18 notes are missing"):
            grid.write_pad(tmp_path / "x.bin", 3, [24, 28], 100, [(0, 0, 0, grid.pad_note(tone(), 100))])
        assert not list(tmp_path.iterdir())

    def test_note(self):
        found = grid.pad_note(tone(1.0, 0.25), 20_000)
        assert found.dtype == np.int16
        assert 20 * np.log10(np.abs(found).max() / 32768) == pytest.approx(-12, abs=0.05)
        onset = int(np.argmax(np.abs(found) > 0.1 * np.abs(found).max()))
        assert onset == 16
        assert found[0] == 0
        assert not found[12_100:].any()  # what is not there is silence
        assert len(grid.pad_note(tone(3.0), 20_000)) == 20_000
        assert grid.pad_note(tone(3.0), 20_000)[-1] == 0
        assert not grid.pad_note(Sound(np.zeros((100, 1), np.float32), 16_000), 50).any()

    def test_settings_match_the_pads(self, tmp_path):
        corners = [["flute"], ["choir high"], ["celesta"], ["flute two"]]
        names = [[grid.plain(name) for name in corner] for corner in corners]
        nsynth_settings.write_device_settings(tmp_path / "settings.json", 5, [24, 28], 2000, names)
        data = json.loads((tmp_path / "settings.json").read_text())
        assert data["nsynth"]["resolution"] == 5
        assert data["nsynth"]["length"] == 2000
        assert data["nsynth"]["pitches"] == [24, 28]
        every = [each for corner in data["corners"] for each in corner["instruments"]]
        assert [each["name"] for each in every] == ["flute", "choir-high", "celesta", "flute-two"]
        assert all(len(each["display"]) <= 8 and len(each["abbr"]) == 2 for each in every)
        assert len({each["abbr"] for each in every}) == 4
        assert grid.pad_name([each["name"] for each in every]) == "flute_choir-high_celesta_flute-two.bin"
        assert nsynth_settings.read_settings(tmp_path / "settings.json").choices[1] == ("choir-high",)
