"""Command line: exit codes, one-line errors, nothing half-written, nothing overwritten, and a fast start."""

from __future__ import annotations

import io
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile

from nsynth_core.errors import UsageError, UserError
from wavetables.cli import main, mix
from wavetables.cli.checks import check_folder
from wavetables.cli.console import progress, run_batch

HEAVY = ("tensorflow", "keras", "matplotlib", "ai_edge_litert")
RUN = "import sys; from wavetables.cli import main; sys.exit(main())"
RATE = 44_100


def process(*arguments: str | Path, code: str = RUN, **options: object) -> subprocess.CompletedProcess[str]:
    """The command line in a process of its own."""
    command = [sys.executable, "-c", code, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False, **options)  # type: ignore


def refused(capsys: pytest.CaptureFixture[str], code: int, *arguments: str | Path) -> str:
    """The one line on standard error that the command is refused with; nothing is on standard output."""
    assert main(list(map(str, arguments))) == code
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("make-wavetable: error: ")
    assert err.count("\n") == 1, err
    assert "Traceback" not in err
    assert "bug" not in err, err
    return err


def tone(path: Path, hz: float = 220.0, seconds: float = 0.6) -> Path:
    """A recording of a note with eight partials."""
    time_ = np.arange(int(seconds * RATE)) / RATE
    wave = sum(np.sin(2 * np.pi * hz * k * time_) / k for k in range(1, 9))
    soundfile.write(path, 0.3 * np.asarray(wave), RATE)
    return path


def bad_files(folder: Path) -> dict[str, Path]:
    """Every kind of file that is no pitched recording."""
    tone(folder / "good.wav")
    whole = (folder / "good.wav").read_bytes()
    rng = np.random.default_rng(0)
    contents: dict[str, np.ndarray | bytes] = {
        "empty": b"",
        "header-only": whole[:44],
        "truncated-header": whole[:20],
        "text": b"This is no sound at all.\n" * 100,
        "zeros": b"\0" * 4096,
        "silent": np.zeros(RATE),
        "nan": np.full(RATE, np.nan),
        "infinite": np.full(RATE, np.inf),
        "one-sample": np.ones(1),
        "noise": 0.2 * rng.standard_normal(RATE),
    }
    for name, content in contents.items():
        path = folder / f"{name}.wav"
        if isinstance(content, bytes):
            path.write_bytes(content)
        else:
            soundfile.write(path, content, RATE, subtype="FLOAT")
    return {"missing": folder / "missing.wav", "folder": folder, **{n: folder / f"{n}.wav" for n in contents}}


BAD = [
    *("missing", "empty", "header-only", "truncated-header", "text", "zeros"),
    *("silent", "nan", "infinite", "one-sample", "noise"),
]


# ---------------------------------------------------------------------------------------------------------- start-up
def test_help_names_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--help"]) == 0
    text = capsys.readouterr().out
    commands = ["import", "blend", "grid", "inspect", "presets", "report", "corpus", "train"]
    assert all(f"\n  {command} " in text for command in commands)
    assert "..." not in text.split("Commands:")[1], "a summary is cut off"
    for command in commands:
        assert main([command, "--help"]) == 0
        assert "Usage: make-wavetable " + command in capsys.readouterr().out
    assert main([]) == 0
    assert capsys.readouterr().out == text


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--version"]) == 0
    assert capsys.readouterr().out.startswith("make-wavetable ")


@pytest.mark.skipif(os.name == "nt", reason="the time that the processor spends is counted on POSIX alone")
def test_help_takes_half_a_second_of_the_processor() -> None:
    """Other tests run beside this one, so the benchmark has the seconds of the clock."""
    import resource

    def spent() -> float:
        usage = resource.getrusage(resource.RUSAGE_CHILDREN)
        return usage.ru_utime + usage.ru_stime

    def once() -> float:
        before = spent()
        assert process("--help").returncode == 0
        return spent() - before

    assert min(once() for _ in range(3)) <= 0.5


def modules_after(*arguments: str | Path) -> set[str]:
    """What the command has imported, top-level names and scipy's parts."""
    code = (
        "import sys; from wavetables.cli import main; code = main(); "
        "print('\\nMODULES', *sys.modules, file=sys.stderr); sys.exit(code)"
    )
    done = process(*arguments, code=code)
    assert done.returncode == 0, done.stderr
    return set(done.stderr.rsplit("MODULES", 1)[1].split())


def test_help_imports_nothing_heavy() -> None:
    for arguments in (["--help"], ["blend", "--help"], ["grid", "--help"]):
        loaded = modules_after(*arguments)
        assert not loaded & {*HEAVY, "numpy", "scipy", "soundfile"}


def test_presets_import_inspect_need_no_tensorflow(tmp_path: Path) -> None:
    source, table = tone(tmp_path / "note.wav"), tmp_path / "table.wav"
    for arguments in (["presets"], ["presets", "grid5"], ["import", source, "-o", table], ["inspect", table]):
        assert not modules_after(*arguments) & set(HEAVY), arguments


# ------------------------------------------------------------------------------------------------------- wrong usage
@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("frobnicate", ["frobnicate", "--help"]),
        ("--bogus", ["--bogus"]),
        ("blend", ["missing", "blend --help"]),
        ("blend flute", ["not 1"]),
        ("blend a b c", ["not 3"]),
        ("blend a b c d e", ["not 5"]),
        ("blend a b --bogus 3", ["--bogus"]),
        ("blend a b --detail 2", ["--detail", "0..1"]),
        ("blend a b --detail nan", ["--detail", "0..1"]),
        ("blend a b --detail x", ["--detail"]),
        ("blend a b --pitch H9", ["H9"]),
        ("blend a b --duration 0", ["--duration", "0.1..60"]),
        ("blend a b --duration inf", ["--duration"]),
        ("blend a b --rate 3", ["--rate"]),
        ("blend a b --frames 0", ["--frames"]),
        ("blend a b --frames 257", ["--frames"]),
        ("blend a b --mix 0.3 --frames 64", ["--frames", "moves"]),
        ("blend a b --mix 0:1 -o x.ogg", [".wav"]),
        ("blend a b --table --duration 2", ["--duration", "table", "leave it out"]),
        ("blend a b --table --rate 44100", ["--rate", "table"]),
        ("blend a b --mix 0:1 --noise 0", ["--noise", "table"]),
        ("blend a b --table --envelope A", ["--envelope", "table"]),
        ("blend a b --table --dry 1", ["--dry", "table"]),
        ("blend a b --table --width 0", ["--width", "table"]),
        ("blend a b --stereo lr", ["--stereo", "note"]),
        ("blend a b --table --stereo left", ["left", "mono, lr, ms"]),
        ("blend a b --morph --table", ["--table", "note"]),
        ("blend a b --morph --mix 0.5", ["--morph", "0:1"]),
        ("blend a b --morph --mix 0:1:64", ["0:1:64", "FROM:TO"]),
        ("blend a b --brightness 7", ["--brightness", "-6..6"]),
        ("blend a b --noise -1", ["--noise", "0..4"]),
        ("blend a b --width nan", ["--width", "0..2"]),
        ("blend a b --dry 2", ["--dry", "0..1"]),
        ("blend a b --dry 1 --duration 2", ["--duration", "--dry"]),
        ("blend flute choir --dry 1", ["--dry", "instruments"]),
        ("blend a b --envelope C", ["'C'", "A, B or mix"]),
        ("blend a b --weights linear", ["linear", "bilinear"]),
        ("blend flute choir --engine telepathy", ["telepathy", "harmonic"]),
        ("blend flute choir --engine crosfade", ["did you mean crossfade"]),
        ("grid", ["missing"]),
        ("grid grid55", ["grid55", "did you mean grid5"]),
        ("grid ../grid5", ["../grid5"]),
        ("grid flute choir celesta", ["not 3"]),
        ("grid flute chior", ["did you mean choir"]),
        ("grid grid5 --no-notes --no-tables", ["nothing to write"]),
        ("grid grid5 --rate 12345", ["12345", "48000"]),
        ("grid grid5 --brightness 7", ["brightness", "-6..6"]),
        ("grid grid5 --detail -1", ["detail", "0..1"]),
        ("grid grid5 --envelope E", ["'E'", "D or mix"]),
        ("grid grid5 --weights x", ["'x'", "nsynth"]),
        ("grid grid5 --stereo x", ["'x'", "lr"]),
        ("grid grid5 --stereo lr --no-tables", ["--stereo", "tables"]),
        ("grid grid5 --stereo lr --layout sfz", ["--stereo", "no tables"]),
        ("grid grid5 --noise 0 --no-notes", ["--noise", "notes"]),
        ("grid grid5 --duration 1e9", ["--duration"]),
        ("grid grid5 --pitches C2,,C3", ["pitch"]),
        ("grid grid5 --pitches C2,C2", ["twice"]),
        ("grid grid5 --pitches 140", ["140", "0..127"]),
        ("grid grid5 --engine none", ["none"]),
        ("import", ["missing"]),
        ("import a.wav --frames 1000", ["--frames"]),
        ("import a.wav b.wav", ["-o FOLDER"]),
        ("import a.wav -o table.mp3", [".wav"]),
        ("import a.wav --pitch x", ["'x'"]),
        ("inspect", ["missing"]),
        ("presets no-such-name", ["no-such-name"]),
        ("corpus --seed -1", ["--seed"]),
        ("corpus --seed x", ["--seed"]),
        ("train", ["missing"]),
    ],
)
def test_wrong_usage_exits_2(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, line: str, words: list[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    err = refused(capsys, 2, *line.split())
    for word in words:
        assert word in err
    assert not list(tmp_path.iterdir())


# --------------------------------------------------------------------------------------------------------- bad input
@pytest.mark.parametrize("kind", BAD)
def test_import_refuses_what_is_no_note(capsys: pytest.CaptureFixture[str], tmp_path: Path, kind: str) -> None:
    source = bad_files(tmp_path)[kind]
    err = refused(capsys, 1, "import", source, "-o", tmp_path / "out" / "table.wav")
    assert source.name in err
    assert not (tmp_path / "out" / "table.wav").exists()
    if kind == "noise":
        assert "--pitch" in err


@pytest.mark.parametrize("kind", BAD)
def test_blend_refuses_what_is_no_note(capsys: pytest.CaptureFixture[str], tmp_path: Path, kind: str) -> None:
    source = bad_files(tmp_path)[kind]
    err = refused(
        capsys, 1, "blend", source, tmp_path / "good.wav", "-o", tmp_path / "out.wav", "--engine", "crossfade"
    )
    assert source.name in err
    assert not (tmp_path / "out.wav").exists()


@pytest.mark.parametrize("kind", [*BAD[:-1], "folder"])
def test_inspect_refuses_what_is_no_table(capsys: pytest.CaptureFixture[str], tmp_path: Path, kind: str) -> None:
    path = bad_files(tmp_path)[kind]
    error = refused(capsys, 1, "inspect", path)
    assert path.name in error
    if kind in ("silent", "nan", "infinite", "one-sample"):  # sound files, but no tables
        assert "no sign of a wavetable" in error


@pytest.mark.tensorflow
def test_train_refuses_a_folder_that_is_missing(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert "no such corpus" in refused(capsys, 1, "train", tmp_path / "none", "-o", tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_grid_refuses_a_bad_preset_file(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    preset = tmp_path / "mine.toml"
    assert "no such preset file" in refused(capsys, 1, "grid", preset, "-o", tmp_path / "out")
    preset.write_text("title = 'x'\nmixxes = 5\n")
    assert "mine.toml" in refused(capsys, 1, "grid", preset, "-o", tmp_path / "out")
    assert "none.wav" in refused(capsys, 1, "grid", "flute", tmp_path / "none.wav", "-o", tmp_path / "out")
    assert not (tmp_path / "out").exists()


# ------------------------------------------------------------------------------------------------------------ outputs
def test_nothing_is_overwritten_unasked(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    source, output = tone(tmp_path / "note.wav"), tmp_path / "out.wav"
    output.write_bytes(b"mine")
    for arguments in (["import", source], ["blend", source, source, "--engine", "crossfade"]):
        assert "--force" in refused(capsys, 1, *arguments, "-o", output)
        assert output.read_bytes() == b"mine"
    folder = tmp_path / "full"
    folder.mkdir()
    (folder / "mine.txt").touch()
    for arguments in (["grid", "grid5"], ["corpus"], ["train", folder]):
        assert "--force" in refused(capsys, 1, *arguments, "-o", folder)
        assert [path.name for path in folder.iterdir()] == ["mine.txt"]


def test_a_place_that_cannot_be_written(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    # below a file nobody can write, not even root, whom a read-only folder does not stop
    source, wall = tone(tmp_path / "note.wav"), tmp_path / "wall"
    wall.touch()
    err = refused(capsys, 1, "import", source, "-o", wall / "out.wav")
    assert "wall" in err
    assert "-o" in err
    err = refused(capsys, 1, "grid", "grid5", "-o", wall / "out")
    assert "wall is a file" in err
    assert "is a file" in refused(capsys, 1, "import", source, source, "-o", wall)


@pytest.mark.skipif(os.name == "nt" or getattr(os, "geteuid", lambda: 0)() == 0, reason="root writes anywhere")
def test_a_read_only_folder(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    source, folder = tone(tmp_path / "note.wav"), tmp_path / "locked"
    folder.mkdir(mode=0o500)
    assert "cannot write" in refused(capsys, 1, "import", source, "-o", folder / "out.wav")


def test_import_writes_a_table(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    source, output = tone(tmp_path / "note.wav"), tmp_path / "new" / "table.wav"
    assert main(["import", str(source), "-o", str(output), "--frames", "8"]) == 0
    out, err = capsys.readouterr()
    assert out == f"{output}\n"
    assert "A3" in err
    first = output.read_bytes()
    assert main(["import", str(source), "-o", str(output), "--frames", "8", "--force", "--quiet", "--json"]) == 0
    out, err = capsys.readouterr()
    assert err == ""
    assert json.loads(out)[0]["frames"] == 8
    assert output.read_bytes() == first, "the same input gives the same bytes"
    assert sorted(path.name for path in output.parent.iterdir()) == ["table.wav"]


def test_import_never_replaces_its_source(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    source = tone(tmp_path / "note.wav")
    before = source.read_bytes()
    assert "made from it" in refused(capsys, 1, "import", source, "-o", source, "--force")
    assert source.read_bytes() == before


def test_a_batch_names_each_failure(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    folder, output = tmp_path / "in", tmp_path / "out"
    (folder / "sub").mkdir(parents=True)
    tone(folder / "a.wav")
    tone(folder / "sub" / "b.wav", 330)
    (folder / "bad.wav").write_bytes(b"no sound")
    assert main(["import", str(folder), "-o", str(output)]) == 3
    out, err = capsys.readouterr()
    assert out.splitlines() == [str(output / "a.wav"), str(output / "sub" / "b.wav")]
    assert "bad.wav" in err
    assert "1 of 3 failed" in err
    assert not (output / "bad.wav").exists()


def test_a_batch_numbers_names_that_collide(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    for name in ("x", "y"):
        (tmp_path / name).mkdir()
        tone(tmp_path / name / "a.wav")
    sources = [str(tmp_path / name / "a.wav") for name in ("x", "y")]
    assert main(["import", *sources, "-o", str(tmp_path / "out")]) == 0
    assert capsys.readouterr().out.splitlines() == [str(tmp_path / "out" / name) for name in ("a.wav", "a-2.wav")]
    (tmp_path / "void").mkdir()
    assert "no sound file" in refused(capsys, 1, "import", tmp_path / "void", "-o", tmp_path / "out")


def test_inspect_reads_a_table_back(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    output = tmp_path / "table.wav"
    assert main(["import", str(tone(tmp_path / "note.wav")), "-o", str(output), "--frames", "4", "-q"]) == 0
    capsys.readouterr()
    assert main(["inspect", str(output)]) == 0
    assert "4" in capsys.readouterr().out
    assert main(["inspect", "--json", str(output)]) == 0
    assert json.loads(capsys.readouterr().out)[0]["frames"] == 4


def test_presets_lists_and_shows(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["presets"]) == 0
    text = capsys.readouterr().out
    assert text.startswith("grid5")
    assert "flute" in text
    assert main(["presets", "--json"]) == 0
    listed = json.loads(capsys.readouterr().out)
    assert len(listed["presets"]) >= 10
    assert len(listed["instruments"]) >= 48
    assert main(["presets", "grid5", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["notes"] == 400
    assert main(["presets", "flute"]) == 0
    assert "licence" in capsys.readouterr().out


# ------------------------------------------------------------------------------------------------------- interruption
@pytest.mark.skipif(os.name == "nt", reason="SIGINT to one process")
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_interrupted_while_writing(tmp_path: Path, number: signal.Signals, code: int) -> None:
    output = tmp_path / "out.wav"
    script = f"""
import sys, time
import wavetables.importing.batch as module
from nsynth_core.files import atomic
def slow(job):
    with atomic({str(output)!r}) as temporary:
        temporary.write_bytes(b"half")
        print("writing", flush=True)
        time.sleep(60)
module.run = slow
{RUN}
"""
    command = [sys.executable, "-c", script, "import", str(tone(tmp_path / "note.wav")), "-o", str(output)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as running:
        assert running.stdout is not None
        assert running.stdout.readline() == "writing\n"
        running.send_signal(number)
        _, err = running.communicate(timeout=20)
    assert running.returncode == code
    assert err.count("\n") <= 1
    assert "Traceback" not in err
    assert [path.name for path in tmp_path.iterdir()] == ["note.wav"]


@pytest.mark.skipif(os.name == "nt", reason="pipes of POSIX")
def test_a_reader_that_leaves_is_no_error() -> None:
    read, write = os.pipe()
    os.close(read)
    try:
        done = subprocess.run([sys.executable, "-c", RUN, "presets"], stdout=write, stderr=subprocess.PIPE, check=False)
    finally:
        os.close(write)
    assert done.stderr == b""


def test_a_bug_is_one_line(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise ZeroDivisionError("on purpose")

    monkeypatch.setattr("presets.names", broken)
    assert main(["presets"]) == 1
    err = capsys.readouterr().err
    assert err.count("\n") == 1
    assert "ZeroDivisionError: on purpose" in err
    monkeypatch.setenv("MAKE_WAVETABLE_TRACEBACK", "1")
    with pytest.raises(ZeroDivisionError):
        main(["presets"])


# ------------------------------------------------------------------------------------------------------------- pieces
def test_mix_places() -> None:
    assert mix.parse(None, 2, None, False).places == [(0.5, 0.0)]
    assert mix.parse("0.3", 2, None, False).places == [(0.3, 0.0)]
    assert mix.parse("0.3", 2, None, True).places == [(0.3, 0.0)]
    assert len(mix.parse(None, 2, None, True).places) == 64
    assert len(mix.parse(None, 2, 7, False).places) == 7
    assert mix.parse("0:1:3", 2, None, False).places == [(0.0, 0.0), (0.5, 0.0), (1.0, 0.0)]
    assert mix.parse("1:0", 2, 3, False).places == [(1.0, 0.0), (0.5, 0.0), (0.0, 0.0)]
    assert mix.parse("0.25", 4, None, False).places == [(0.25, 0.5)]
    assert mix.parse("0.2,0.7", 4, None, False).places == [(0.2, 0.7)]
    assert mix.parse("0:1:3,0.2", 4, None, False).places == [(0.0, 0.2), (0.5, 0.2), (1.0, 0.2)]
    assert mix.parse("0:1:3,1:0", 4, None, False).places == [(0.0, 1.0), (0.5, 0.5), (1.0, 0.0)]


@pytest.mark.parametrize(
    ("text", "sounds", "frames"),
    [
        *[
            (text, 2, None)
            for text in ("", "x", "-0.1", "1.1", "nan", "0:1:1", "0:1:257", "0:1:2.5", "0:1:2:3", ":", "0.5,0.5")
        ],
        ("0,0,0", 4, None),
        ("0:1:4,0:1:5", 4, None),
        ("0:1:4", 2, 5),
    ],
)
def test_mix_refused(text: str, sounds: int, frames: int | None) -> None:
    with pytest.raises(UsageError, match="--mix"):
        mix.parse(text, sounds, frames, False)


def test_run_batch_exit_codes(capsys: pytest.CaptureFixture[str]) -> None:
    def work(item: int) -> None:
        if item < 0:
            raise UsageError(f"item {item}")

    assert run_batch([1, 2], work, "x", True) == 0
    assert run_batch([1, -2], work, "x", True) == 3
    assert run_batch([-1, -2], work, "x", True) == 1
    assert capsys.readouterr().err.count("make-wavetable: error: item") == 3
    with pytest.raises(UsageError):
        run_batch([-1], work, "x", True)


def test_progress_is_log_lines_without_a_terminal(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with progress("grid", False) as update:
        for done in range(1, 4):
            update(done, 3, "C3")
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("grid: 3/3, ")
    assert err.endswith(", 0:00 left, C3\n")
    with progress("grid", True) as update:
        update(1, 3, "")
    assert capsys.readouterr() == ("", "")

    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    terminal = Terminal()
    monkeypatch.setattr("sys.stderr", terminal)
    monkeypatch.setenv("TERM", "xterm")
    with progress("grid", False) as update:
        update(1, 3, "")
    assert "grid" in terminal.getvalue()
    assert "/3" in terminal.getvalue()
    with progress("files", False) as outer, progress("samples", False, "what it takes") as inner:
        inner(1, 3, "")
        outer(1, 5, "")
    for word in ("files", "samples", "/5", "what it takes"):
        assert word in terminal.getvalue()


def test_check_folder(tmp_path: Path) -> None:
    check_folder(tmp_path / "new" / "deep", False)
    assert not (tmp_path / "new").exists()  # a check makes nothing
    (tmp_path / "empty").mkdir()
    check_folder(tmp_path / "empty", False)
    (tmp_path / "empty" / "file").touch()
    with pytest.raises(UserError, match="not empty"):
        check_folder(tmp_path / "empty", False)
    check_folder(tmp_path / "empty", True)
    with pytest.raises(UserError, match="is a file"):
        check_folder(tmp_path / "empty" / "file" / "below", True)


def test_the_pace_is_that_of_the_work_itself(monkeypatch):
    """What is compiled first, or was done by an interrupted run, is no part of it."""
    from wavetables.cli import console

    now = iter([0.0, 60.0, 61.0, 64.0])
    monkeypatch.setattr(console.time, "monotonic", lambda: next(now))
    pace = console.Pace()
    pace.of(5000)
    assert [pace.of(5100), pace.of(5400)] == [100.0, 100.0]


@pytest.mark.parametrize(
    ("typed", "offered"),
    [
        ("make-wavetable bl", {"blend"}),
        ("make-wavetable c", {"convert", "cache", "corpus"}),
        ("make-wavetable blend --de", {"--detail"}),
        ("make-wavetable grid grid5 --la", {"--layout"}),
    ],
)
def test_a_shell_completes_commands_and_options(typed: str, offered: set[str]) -> None:
    words = {"COMP_WORDS": typed, "COMP_CWORD": str(typed.count(" ")), "_MAKE_WAVETABLE_COMPLETE": "complete_bash"}
    done = process(env={**os.environ, **words})
    assert set(done.stdout.split()) == offered, done.stderr


def test_the_completion_scripts_can_be_shown_and_installed(tmp_path: Path) -> None:
    for option in ("--show-completion", "--install-completion"):
        assert option in process("--help").stdout
    environment = {**os.environ, "HOME": str(tmp_path), "_TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION": "1"}
    shown = process("--show-completion", "bash", env=environment)
    assert shown.returncode == 0
    assert "complete -o default -F _make_wavetable_completion make-wavetable" in shown.stdout
    installed = process("--install-completion", "bash", env=environment)
    assert installed.returncode == 0
    written = "\n".join(path.read_text() for path in tmp_path.rglob("*") if path.is_file())
    assert "_MAKE_WAVETABLE_COMPLETE=complete_bash" in written
