"""Presets: the built-in ones are sound; whatever is wrong with a file is one line that says what is legal."""

from __future__ import annotations

from pathlib import Path

import pytest

import presets
from nsynth_core.errors import UsageError, UserError
from nsynth_core.sound.knobs import Knobs
from presets.checking import check_name
from presets.schema import MAX_NOTES

GOOD = {
    "title": '"Reed and air"',
    "why": '"a reason"',
    "corners": '["flute", "choir"]',
    "mixes": "5",
    "pitches": '["C2", 48, 60.5]',
    "seconds": "2",
    "rate": "44100",
    "weights": '"nsynth"',
}


def write(folder: Path, name: str = "mine.toml", **keys: str | None) -> Path:
    """A preset file: the good one with some keys replaced, or left out (None)."""
    lines = [f"{key} = {value}" for key, value in {**GOOD, **keys}.items() if value is not None]
    path = folder / name
    path.write_text("\n".join(lines), encoding="utf-8")
    return path


def refused(path: Path | str) -> str:
    """The one line that loading `path` is refused with."""
    with pytest.raises(UserError) as caught:
        presets.load(path)
    line = str(caught.value)
    assert "\n" not in line
    assert len(line) < 400
    assert "pydantic" not in line.lower()
    return line


def test_there_are_ten_presets_and_grid5_is_the_default() -> None:
    assert len(presets.names()) >= 10
    assert presets.names()[0] == presets.DEFAULT == "grid5"
    assert "instruments" not in presets.names()


@pytest.mark.parametrize("name", presets.names())
def test_every_preset_is_a_musical_idea(name: str) -> None:
    preset = presets.load(name)
    assert len(set(preset.corners)) == len(preset.corners)
    assert {entry.name for entry in presets.instruments()}.issuperset(preset.corners)
    assert 24 <= min(preset.pitches) <= max(preset.pitches) <= 96, "the bank serves 24..96"
    assert len(preset.why) > 60
    assert preset.title != preset.why


def test_presets_differ() -> None:
    found = [presets.load(name) for name in presets.names()]
    assert len({preset.title for preset in found}) == len(found)
    assert len({preset.why for preset in found}) == len(found)
    assert len({frozenset(preset.corners) for preset in found}) == len(found)


def test_grid5_is_what_the_design_says() -> None:
    preset = presets.load("grid5")
    assert len(preset.corners) == 4
    assert preset.pitches == tuple(float(pitch) for pitch in range(24, 85, 4))
    assert (preset.mixes, preset.seconds, preset.rate, preset.weights) == (5, 4.0, 48_000, "bilinear")
    assert (preset.notes, preset.tables) == (400, 80)


def test_the_bank_is_broad_and_licensed() -> None:
    entries = presets.instruments()
    names = [entry.name for entry in entries]
    assert len(names) == len(set(names)) >= 48
    assert len({entry.family for entry in entries}) >= 8
    assert all(entry.licence and entry.source for entry in entries)
    assert not set(names) & set(presets.names())
    for name in names:
        check_name(name)


def test_a_users_file_works_alike(tmp_path: Path) -> None:
    preset = presets.load(write(tmp_path))
    assert preset.pitches == (36.0, 48.0, 60.5)
    assert (preset.rows, preset.notes, preset.tables) == (1, 15, 3)
    assert presets.load(str(write(tmp_path, "Mine.TOML"))) == preset


def test_knobs_of_a_preset(tmp_path: Path) -> None:
    assert presets.load("grid5").knobs == Knobs()
    keys = {"detail": "0.5", "brightness": "-2", "noise": "0", "width": "1.5", "envelope": '"B"', "stereo": '"ms"'}
    preset = presets.load(write(tmp_path, **keys))
    assert preset.knobs == Knobs(0.5, -2.0, 0.0, 1.5, 1)
    assert preset.stereo == "ms"
    again = presets.changed(preset, envelope="mix", brightness=1.0)
    assert again.knobs == Knobs(0.5, 1.0, 0.0, 1.5, None)


def test_a_matrix_of_sounds(tmp_path: Path) -> None:
    nine = ["flute", "choir", "celesta", "clarinet", "marimba", "kalimba", "harp", "koto", "sitar"]
    preset = presets.load(write(tmp_path, corners=str(nine).replace("'", '"'), mixes="3"))
    assert (preset.side, preset.rows, preset.notes, preset.tables) == (5, 5, 75, 15)
    with pytest.raises(UsageError, match="n x n"):
        presets.changed(preset, corners=nine[:3])


def test_defaults(tmp_path: Path) -> None:
    preset = presets.load(write(tmp_path, mixes=None, seconds=None, rate=None, weights=None))
    assert (preset.mixes, preset.seconds, preset.rate, preset.weights) == (5, 4.0, 48_000, "bilinear")


def test_windows_text_is_read(tmp_path: Path) -> None:
    path = write(tmp_path)
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes().replace(b"\n", b"\r\n"))
    assert presets.load(path).mixes == 5


def test_pitches_as_a_range(tmp_path: Path) -> None:
    assert presets.load(write(tmp_path, pitches='{from = "C2", to = 47, step = 4}')).pitches == (36.0, 40.0, 44.0)
    assert presets.load(write(tmp_path, pitches="{from = 60, to = 61, step = 0.1}")).pitches[-1] == pytest.approx(61)


def test_corners_may_be_sounds_beside_the_file(tmp_path: Path) -> None:
    (tmp_path / "sounds").mkdir()
    (tmp_path / "sounds" / "pad.wav").touch()
    preset = presets.load(write(tmp_path, corners='["sounds/pad.wav", "flute", "sounds", "choir"]'))
    assert preset.corners == (tmp_path / "sounds" / "pad.wav", "flute", tmp_path / "sounds", "choir")


@pytest.mark.parametrize(
    ("keys", "words"),
    [
        ({"mixxes": "5"}, ["mixxes", "did you mean mixes"]),
        ({"colour": "5"}, ["colour", "corners", "weights"]),
        ({"why": None}, ["'why'", "missing"]),
        ({"title": '""'}, ["title", "300"]),
        ({"title": '"two\\nlines"'}, ["title", "one line"]),
        ({"mixes": "1"}, ["mixes = 1", "2..33"]),
        ({"mixes": "1000"}, ["mixes = 1000", "2..33"]),
        ({"mixes": "true"}, ["mixes = True", "2..33"]),
        ({"mixes": '"5"'}, ["mixes = '5'", "2..33"]),
        ({"mixes": "9" * 5000}, ["TOML"]),
        ({"seconds": "0"}, ["seconds = 0", "0.1..60"]),
        ({"seconds": "1e9"}, ["seconds", "0.1..60"]),
        ({"seconds": "nan"}, ["seconds", "0.1..60"]),
        ({"seconds": "true"}, ["seconds", "0.1..60"]),
        ({"rate": "22050"}, ["rate = 22050", "48000"]),
        ({"weights": '"linear"'}, ["weights", "nsynth"]),
        ({"brightness": "7"}, ["brightness = 7", "-6..6"]),
        ({"width": "true"}, ["width", "0..2"]),
        ({"noise": "nan"}, ["noise", "0..4"]),
        ({"envelope": '"C"'}, ["'C'", "A, B or mix"]),
        ({"stereo": '"left"'}, ["stereo", "lr"]),
        ({"corners": '["flute"]'}, ["corners", "2 or 4"]),
        ({"corners": '"flute"'}, ["corners", "2 or 4"]),
        ({"corners": '["flute", 3]'}, ["corners", "2 or 4"]),
        ({"corners": '["flute", "choirr"]'}, ["'choirr'", "did you mean choir"]),
        ({"corners": '["flute", "qqqq"]'}, ["'qqqq'", "make-wavetable presets"]),
        ({"corners": '["flute", "none.wav"]'}, ["'none.wav'", "no such sound"]),
        ({"corners": '["flute", "../x.wav"]'}, ["'../x.wav'", "leaves the folder of this file"]),
        ({"corners": '["flute", "a/../../x.wav"]'}, ["leaves the folder of this file"]),
        ({"corners": r'["flute", "..\\x.wav"]'}, ["leaves the folder of this file"]),
        ({"corners": '["flute", "/etc/passwd"]'}, ["leaves the folder of this file"]),
        ({"corners": '["flute", "~/x.wav"]'}, ["leaves the folder of this file"]),
        ({"corners": '["flute", "C:/x.wav"]'}, ["no file name"]),
        ({"corners": '["flute", "con"]'}, ["reserved"]),
        ({"corners": '["flute", "sub/NUL.wav"]'}, ["reserved"]),
        ({"corners": r'["flute", "a\u0000b"]'}, ["no file name"]),
        ({"corners": '["flute", ""]'}, ["''"]),
        ({"corners": '["flute", "."]'}, ["'.'"]),
        ({"pitches": "[]"}, ["pitches", "1..128"]),
        ({"pitches": '["H2"]'}, ["'H2'"]),
        ({"pitches": "[128]"}, ["128", "0..127"]),
        ({"pitches": "[-1]"}, ["-1", "0..127"]),
        ({"pitches": "[nan]"}, ["nan", "0..127"]),
        ({"pitches": "[true]"}, ["True"]),
        ({"pitches": "[60, 60.0]"}, ["twice"]),
        ({"pitches": "{from = 24, to = 84}"}, ["step"]),
        ({"pitches": "{from = 24, to = 84, step = 0}"}, ["step", "above 0"]),
        ({"pitches": "{from = 24, to = 84, step = -1}"}, ["step"]),
        ({"pitches": "{from = 84, to = 24, step = 1}"}, ["from <= to"]),
        ({"pitches": "{from = 0, to = 127, step = 0.0001}"}, ["1270001", "128"]),
        ({"pitches": "{from = 0, to = 127, step = 1e-320}"}, ["pitches", "128"]),
        ({"pitches": "{from = 0, to = 127, step = inf}"}, ["step"]),
        (
            {"mixes": "33", "pitches": "{from = 0, to = 127, step = 1}", "corners": "FOUR"},
            ["139392 notes", str(MAX_NOTES)],
        ),
        ({"mixes": "20", "seconds": "60", "corners": "FOUR"}, ["20 hours", "12"]),
        ({"title": "[[[["}, ["TOML"]),
        ({"title": "[" * 5000}, ["TOML"]),
    ],
)
def test_what_breaks_the_schema_is_one_line(tmp_path: Path, keys: dict[str, str | None], words: list[str]) -> None:
    if keys.get("corners") == "FOUR":
        keys = {**keys, "corners": '["flute", "choir", "celesta", "clarinet"]'}
    path = write(tmp_path, **keys)
    line = refused(path)
    assert line.startswith(str(path))
    for word in words:
        assert word in line, line


def test_several_errors_are_counted(tmp_path: Path) -> None:
    assert refused(write(tmp_path, mixes="1", rate="1")).endswith("(and 1 more)")


def test_what_is_no_preset_file(tmp_path: Path) -> None:
    assert "no such preset file" in refused(tmp_path / "none.toml")
    assert "no such preset file" in refused("none.toml")
    assert "is a folder" in refused(tmp_path)
    (tmp_path / "bytes.toml").write_bytes(b"\xff\xfe\x00")
    assert "UTF-8" in refused(tmp_path / "bytes.toml")
    (tmp_path / "empty.toml").touch()
    assert "missing" in refused(tmp_path / "empty.toml")
    (tmp_path / "huge.toml").write_bytes(b"#" * 200_000)
    assert "larger than" in refused(tmp_path / "huge.toml")
    assert "reserved" in refused(write(tmp_path, "con.toml"))


@pytest.mark.parametrize("name", ["grid6", "../grid5", "presets/grid5", "grid5\0", "", "instruments", "GRID5"])
def test_unknown_names(name: str) -> None:
    with pytest.raises(UsageError, match="no preset is named"):
        presets.load(name)
    if name == "grid6":
        assert "did you mean grid5" in refused(name)


def test_changes_are_checked() -> None:
    preset = presets.load("grid5")
    assert presets.changed(preset, pitches=[36.0], rate=44_100).pitches == (36.0,)
    assert presets.changed(preset, rate=44_100).corners == preset.corners
    for changes in ({"rate": 1}, {"pitches": [300.0]}, {"seconds": 0.0}):
        with pytest.raises(UsageError):
            presets.changed(preset, **changes)


def test_corners_on_the_command_line(tmp_path: Path) -> None:
    (tmp_path / "pad.wav").touch()
    assert presets.corner("flute") == "flute"
    assert presets.corner(str(tmp_path / "pad.wav")) == tmp_path / "pad.wav"
    with pytest.raises(UserError, match="no such file"):
        presets.corner(str(tmp_path / "none.wav"))
    with pytest.raises(UsageError, match="did you mean flute"):
        presets.corner("fluet")
