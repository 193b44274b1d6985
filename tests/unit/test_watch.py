"""watch: a recording that is whole becomes a table, once."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import soundfile

from nsynth_core.errors import UserError
from wavetables.cli import main
from wavetables.formats import registry
from wavetables.packs import watching

RATE = 44_100


def hum(path: Path, hz: float = 110.0) -> bytes:
    time = np.arange(RATE // 3) / RATE
    soundfile.write(path, 0.3 * np.sin(2 * np.pi * hz * np.outer(time, [1, 2])) @ [1, 0.5], RATE)
    return path.read_bytes()


@pytest.fixture
def looks(tmp_path, monkeypatch):
    """looks(change, ...): what arrives in tmp_path / "in" when each change is made between two looks."""
    (tmp_path / "in").mkdir()

    def made(*changes):
        steps = iter(changes)
        found: list[str] = []

        def sleep(seconds):
            step = next(steps, None)
            if step is None:
                raise KeyboardInterrupt
            step()

        monkeypatch.setattr(watching.time, "sleep", sleep)
        with contextlib.suppress(KeyboardInterrupt):
            for path in watching.arrivals(tmp_path / "in"):
                found.append(path.relative_to(tmp_path / "in").as_posix())
        return found

    return made


def test_a_recording_is_taken_when_it_has_stopped_growing(tmp_path, looks):
    file = tmp_path / "in" / "a.wav"
    grow = [lambda n=n: file.write_bytes(b"x" * n) for n in (0, 10, 20, 30)]
    rest = [lambda: None] * 3
    assert looks(*grow) == []
    file.unlink()
    assert looks(*grow, *rest) == ["a.wav"]


def test_a_recording_that_changes_is_taken_again(tmp_path, looks):
    file = tmp_path / "in" / "a.wav"
    still = [lambda: None] * 2
    assert looks(lambda: file.write_bytes(b"1"), *still, lambda: file.write_bytes(b"22"), *still) == ["a.wav", "a.wav"]


def test_a_recording_that_goes_and_comes_back_is_taken_again(tmp_path, looks):
    file = tmp_path / "in" / "a.wav"

    def back():
        file.write_bytes(b"1")
        os.utime(file, (1, 1))

    still = [lambda: None] * 2
    assert looks(back, *still, file.unlink, lambda: None, back, *still) == ["a.wav", "a.wav"]


def test_a_folder_that_goes_away_ends_the_watch(tmp_path, looks):
    with pytest.raises(UserError, match="gone while it was watched"):
        looks(lambda: None, (tmp_path / "in").rmdir, lambda: None)


def test_what_is_no_recording_is_left_alone(tmp_path, looks):
    (tmp_path / "in" / ".hidden").mkdir()
    (tmp_path / "in" / "sub").mkdir()
    for name in ("notes.txt", ".a.wav", "a.wav.part", ".hidden/b.wav", "sub/c.FLAC"):
        (tmp_path / "in" / name).write_bytes(b"1")
    assert looks(*[lambda: None] * 3) == ["sub/c.FLAC"]


def test_a_recording_dropped_into_a_folder_becomes_a_table(tmp_path):
    """The command itself, a file that arrives in two halves, a bad one, and Ctrl-C."""
    (tmp_path / "in").mkdir()
    data = hum(tmp_path / "whole.wav")
    command = [sys.executable, "-m", "wavetables", "watch", "in", "-o", "out", "--format", "serum,wt", "--json"]
    process = subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stderr is not None
    try:
        assert "watching in" in process.stderr.readline()
        with (tmp_path / "in" / "note.wav").open("wb", buffering=0) as file:
            file.write(data[: len(data) // 2])
            time.sleep(0.2)
            file.write(data[len(data) // 2 :])
        (tmp_path / "in" / "bad.wav").write_bytes(b"no sound")
        until = time.monotonic() + 120
        while not (tmp_path / "out" / "note.wt").exists() and time.monotonic() < until:
            time.sleep(0.1)
        time.sleep(3)
    finally:
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=60)
    assert process.returncode == 0, err
    assert [json.loads(line)["output"] for line in out.splitlines()] == ["out/note.wav", "out/note.wt"]
    assert "bad.wav: not a readable sound file" in err
    assert "1 table made" in err
    table = registry.read(tmp_path / "out" / "note.wav")
    assert table.root_pitch == pytest.approx(45, abs=0.02)


@pytest.mark.parametrize(
    ("line", "code", "said"),
    [
        ("watch nowhere", 1, "no such folder"),
        ("watch in -o in/tables", 1, "lies in in"),
        ("watch in --format serum,hive", 2, "would be one .wav file"),
        ("watch in --format sermu", 2, "did you mean serum?"),
    ],
)
def test_wrong_usage_is_one_clear_line(tmp_path, monkeypatch, capsys, line, code, said):
    monkeypatch.chdir(tmp_path)
    Path("in").mkdir()
    assert main(line.split()) == code
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert said in error
