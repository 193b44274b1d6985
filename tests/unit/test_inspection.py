from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import soundfile

from nsynth_core.errors import UserError
from wavetables.cli.inspect import report, to_dict
from wavetables.formats import serum
from wavetables.inspection import describe, inspect
from wavetables.shaping import shape
from wavetables.table import FRAME_SIZE, Table

T = np.arange(FRAME_SIZE) / FRAME_SIZE


def frames(count: int = 4) -> np.ndarray:
    return np.stack([np.sin(2 * np.pi * T) + k / 9 * np.sin(4 * np.pi * T) for k in range(count)]).astype(np.float32)


def saved(folder: Path, cycles: np.ndarray) -> Path:
    serum.write(folder / "x.wav", Table(np.clip(cycles, -1, 1).astype(np.float32), "x"), force=True)
    return folder / "x.wav"


def test_a_clean_table(tmp_path):
    table = Table(shape(frames()), "clean", 57.12, {"source": "flute.wav"})
    serum.write(tmp_path / "x.wav", table)
    found = inspect(tmp_path / "x.wav")
    assert found.problems == ()
    assert (found.frames, found.size, found.flags, found.rate, found.channels) == (4, 2048, "10000000", 44100, 1)
    assert (found.encoding, found.chunks) == ("float32", ("fmt ", "clm ", "data", "LIST"))
    assert (found.name, found.root_pitch, found.provenance) == ("clean", 57.12, {"source": "flute.wav"})
    assert found.peak_dbfs == pytest.approx(-0.1, abs=1e-4)
    assert found.in_phase is True
    assert found.seam <= 1.0
    assert abs(found.dc) < 1e-7
    text = report(found)
    for part in ("clean", "A3", "4 frames of 2048", "clm chunk", "10000000", "-0.10 dBFS", "flute.wav", "no problems"):
        assert part in text
    assert json.loads(json.dumps(to_dict(found)))["frames"] == 4


@pytest.mark.parametrize(
    ("cycles", "problem"),
    [
        (0.5 * frames() + 0.1, "DC offset up to 0.1 in frames 1, 2, 3, 4"),
        (np.stack([frames(1)[0], np.zeros(FRAME_SIZE)]), "silent: frame 2"),
        (np.zeros((2, FRAME_SIZE)), "the whole table is silent"),
        (np.repeat(frames(1), 3, 0), "equal to the frame before: frames 2, 3"),
        (np.stack([frames(1)[0], -frames(1)[0]]), "fundamentals out of phase"),
        (np.stack([2 * T - 1]), "the wrap steps up to 2047 times"),
    ],
)
def test_problems_of_the_frames(tmp_path, cycles, problem):
    found = inspect(saved(tmp_path, cycles))
    assert any(problem in describe(each) for each in found.problems), found.problems
    assert f"problem: {problem}" in report(found)


def test_problems_of_the_file(tmp_path):
    soundfile.write(tmp_path / "x.wav", np.stack([frames(2).ravel() * 0.5] * 2, 1), 48000, "PCM_16")
    found = inspect(tmp_path / "x.wav")
    text = " ".join(map(describe, found.problems))
    for part in ("no clm chunk", "int16 in 2 channels", "the first one is used"):
        assert part in text
    data = saved(tmp_path, frames(2)).read_bytes()
    (tmp_path / "y.wav").write_bytes(data.replace(b"<!>2048 10000000", b"<!>1024 01000000") + b"odd")
    text = " ".join(map(describe, inspect(tmp_path / "y.wav").problems))
    for part in ("1024 samples a frame", "factory digit", "RIFF size"):
        assert part in text


def test_peaks_above_full_scale(tmp_path):
    path = saved(tmp_path, frames(1) * 0.5)
    data = path.read_bytes()
    path.write_bytes(data.replace((frames(1) * np.float32(0.5)).tobytes(), (frames(1) * np.float32(2)).tobytes()))
    assert "peaks at +6.0" in describe(inspect(path).problems[0])


def test_not_a_table(tmp_path):
    with pytest.raises(UserError, match="no such file"):
        inspect(tmp_path / "x.wav")
