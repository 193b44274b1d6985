"""grid --layout: what lies where in the folders of NSynth's players and in SFZ instruments."""

from __future__ import annotations

import json

import numpy as np
import pytest
import soundfile

import presets
from nsynth_core.blending.engine import Row
from nsynth_core.blending.engines import load_engine
from wavetables.cli import main
from wavetables.formats import nsynth_grid, nsynth_settings
from wavetables.grids import layouts, read_request

CORNERS = ("flute", "choir", "celesta", "clarinet")  # of grid5: top left, top right, bottom left, bottom right


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


@pytest.fixture(scope="module")
def alone():
    """alone(name, pitch, seconds): a built-in instrument by itself at 16 kHz."""
    engine = load_engine("harmonic")

    def note(name: str, pitch: float, seconds: float):
        both = (presets.load_instrument(name, engine.coder),) * 2
        (made,) = engine.blend([Row(both, pitch, np.float32([[1, 0]]))], seconds, 16_000)
        return made.notes[0]()

    return note


def run(line: str) -> int:
    return main(line.split())


def alike(first: np.ndarray, second: np.ndarray) -> float:
    """Correlation of the magnitude spectra."""
    size = min(len(first), len(second))
    a, b = (np.abs(np.fft.rfft(each[:size])) for each in (first, second))
    return float(a @ b / np.sqrt((a @ a) * (b @ b)))


def settings(matrix: list[list[str]], **more: object) -> None:
    data = {"instruments": matrix, "pitches": [48, 52], "resolution": 3, "final_length": 16000, "name": "multi"}
    with open("settings.json", "w") as file:
        json.dump({**data, **more}, file)


def test_pads_and_their_settings(tmp_path, alone):
    assert run("grid grid5 -o out --layout nsynth-super --pitches 48,52 --duration 1 -q") == 0
    path = tmp_path / "out" / "pads" / "flute_choir_celesta_clarinet.bin"
    device = json.loads((tmp_path / "out" / "settings.json").read_text())["nsynth"]
    side, count, length = device["resolution"], len(device["pitches"]), device["length"]
    data = np.frombuffer(path.read_bytes(), "<i2").reshape(side, side, count, length)
    assert (side, count, length) == (5, 2, 16_000)
    assert 20 * np.log10(np.abs(data[2, 2, 0]).max() / 32768) == pytest.approx(-12, abs=0.2)
    for name, row, column in zip(CORNERS, (0, 0, -1, -1), (0, -1, 0, -1), strict=True):
        heard = data[row, column, 1].astype(float)
        expected = {other: nsynth_grid.pad_note(alone(other, 52, 1.0), length).astype(float) for other in CORNERS}
        scores = {other: alike(heard, sound) for other, sound in expected.items()}
        assert max(scores, key=scores.get) == name
        assert scores[name] > 0.99
    manifest = json.loads((tmp_path / "out" / "manifest.json").read_text())
    assert manifest["layout"] == "nsynth-super"
    assert len(manifest["files"]) == 1


def test_the_whole_pad_has_the_devices_size():
    plan = layouts.of_preset(presets.changed(presets.load("grid5"), mixes=9), "x")
    assert min(plan.length, nsynth_settings.PAD_LENGTH) * 2 * plan.side**2 * len(plan.pitches) == 155_520_000


@pytest.mark.parametrize("upwards", [False, True])
def test_max_for_live_folder(tmp_path, alone, upwards):
    """x is the outer index of the settings, y the inner one, from the bottom up; instruments lie on points."""
    names = ["flute", "celesta", "clarinet"]
    settings([names] * 3 if upwards else [[name] * 3 for name in names])
    assert run("grid settings.json -o out --layout m4l -q") == 0
    folder = tmp_path / "out" / "multi"
    assert (folder / "options").read_bytes() == b"1, 48 4 2 5 5 3 3 multi;\n"
    files = sorted(path.name for path in folder.glob("*.mp3"))
    assert len(files) == 5 * 5 * 2
    assert files[0] == "multi_000000_x0.00_y0.00_pitch48.mp3"
    assert files[-1] == "multi_000024_x2.00_y2.00_pitch52.mp3"
    for step, name in enumerate(names):
        at = (0, 2 * step) if upwards else (2 * step, 0)
        path = folder / f"multi_{at[1] * 5 + at[0]:06}_x{at[0] / 2:.2f}_y{at[1] / 2:.2f}_pitch48.mp3"
        heard, rate = soundfile.read(path)
        assert rate == 16_000
        scores = {other: alike(heard, alone(other, 48, 1.0).mid()) for other in names}
        assert max(scores, key=scores.get) == name


def test_settings_with_recordings(tmp_path):
    (tmp_path / "audio_input").mkdir()
    n = np.arange(16_000)
    for name, shape in (("saw", 1.0), ("soft", 2.5)):
        for pitch in (48, 60):
            hz = 440 * 2 ** ((pitch - 69) / 12)
            wave = sum(np.sin(2 * np.pi * k * hz * n / 16_000) / k**shape for k in range(1, 20)) * 0.2
            soundfile.write(tmp_path / "audio_input" / f"{name}_{pitch}.wav", wave, 16_000)
    settings([["saw", "soft"], ["soft", "saw"]], pitches=[50])
    assert run("grid settings.json -o out --layout m4l -q") == 0
    assert len(list((tmp_path / "out" / "multi").glob("*.mp3"))) == 9
    settings([["saw", "soft"], ["soft", "bassoonist"]])
    assert run("grid settings.json -o other --layout m4l -q") == 1


def test_settings_are_a_preset(tmp_path, capsys):
    """The square row by row from the top; y runs upwards in magenta-demos, downwards in pads."""
    settings([["flute", "choir"], ["celesta", "clarinet"]])
    found = read_request("settings.json").preset
    assert found.corners == ("choir", "clarinet", "flute", "celesta")
    assert (found.mixes, found.pitches, found.seconds, found.weights) == (3, (48.0, 52.0), 1.0, "nsynth")
    assert run("presets settings.json") == 0
    assert run("grid settings.json -o out --pitches 48 --no-notes -q") == 0
    assert len(list((tmp_path / "out" / "tables").glob("multi-row*_48.wav"))) == 3
    pads = {"NW": ["flute", "choir"], "NE": ["celesta"], "SW": ["clarinet"], "SE": ["violin"]}
    with open("settings.json", "w") as file:
        json.dump({"pads": pads, "pitches": [48], "resolution": 2, "final_length": 16000}, file)
    assert read_request("settings.json").preset.corners == ("flute", "celesta", "violin", "clarinet")
    assert run("grid settings.json -o pads --layout nsynth-super -q") == 0
    names = ["choir_celesta_violin_clarinet.bin", "flute_celesta_violin_clarinet.bin"]
    assert sorted(path.name for path in (tmp_path / "pads" / "pads").iterdir()) == names
    capsys.readouterr()


def test_nsynths_own_settings_are_within_bounds():
    settings([["flute"] * 4] * 4, pitches=list(range(24, 85, 4)), resolution=9, final_length=64000)
    found = read_request("settings.json").preset
    assert (found.side, found.notes) == (25, 10_000)


def test_sfz_instruments(tmp_path):
    assert run("grid flute celesta -o out --layout sfz --pitches 48,60 --duration 1 -q --author Mia") == 0
    assert sorted(path.name for path in (tmp_path / "out").glob("*.sfz")) == [f"x{k}y0.sfz" for k in range(5)]
    text = (tmp_path / "out" / "x0y0.sfz").read_text()
    assert text.count("<region>") == 2
    assert "// author: Mia\n" in text
    assert "// mix: 0,0\n" in text
    assert json.loads((tmp_path / "out" / "manifest.json").read_text())["author"] == "Mia"
    assert soundfile.info(tmp_path / "out" / "x0y0" / "x0y0_48.wav").samplerate == 48_000


@pytest.mark.parametrize(
    ("line", "code", "why"),
    [
        ("grid5 --layout m4", 2, "did you mean m4l"),
        ("flute celesta --layout m4l", 2, "four corners"),
        ("grid5 --layout m4l --pitches 48,52,57", 1, "even steps"),
        ("settings.json --layout nsynth-super", 2, "four corners"),
        ("no.json --layout m4l", 1, "no such file"),
    ],
)
def test_refused(tmp_path, capsys, line, code, why):
    settings([["flute"] * 3] * 3)
    assert main(["grid", *line.split(), "-o", "out"]) == code
    assert why in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
