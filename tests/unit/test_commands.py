"""The commands as a user runs them: what they make, what they say of it, and that it can be made again."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile

import presets
from nsynth_core import audio
from nsynth_core.audio import Length, length_of
from nsynth_core.errors import UsageError
from nsynth_core.harmonic.runtime import runtime_versions
from wavetables import provenance as recipe
from wavetables.cli import main

RATE = 48_000
PROGRAM = [sys.executable, "-m", "wavetables"]


def sing(path: Path, hz: float = 220.0, seconds: float = 0.8, vowel: float = 800.0, channels: int = 2) -> Path:
    """A held vowel with a little vibrato: partials under one formant, and breath."""
    time = np.arange(int(seconds * RATE)) / RATE
    phase = 2 * np.pi * np.cumsum(hz * (1 + 0.003 * np.sin(2 * np.pi * 5 * time))) / RATE
    number = np.arange(1, int(16_000 / hz))
    level = 1 / (1 + ((number * hz - vowel) / 300) ** 2) + 0.02 / number
    wave = 0.3 * (np.sin(np.outer(phase, number)) @ level) / level.sum()
    breath = 0.001 * np.random.default_rng(0).standard_normal((len(time), channels))
    soundfile.write(path, wave[:, None] * np.linspace(1.0, 0.7, channels) + breath, RATE, subtype="PCM_24")
    return path


@pytest.fixture
def sounds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with two sung notes, one noise, and a folder of notes; the commands run in it."""
    monkeypatch.chdir(tmp_path)
    sing(tmp_path / "ah.wav")
    sing(tmp_path / "oh.flac", 146.8, vowel=500, channels=1)
    noise = 0.2 * np.random.default_rng(1).standard_normal(RATE)
    soundfile.write(tmp_path / "noise.wav", noise, RATE)
    (tmp_path / "choir-of-two").mkdir()
    for midi in (48, 60):
        sing(tmp_path / "choir-of-two" / f"ee_{midi}.wav", 440 * 2 ** ((midi - 69) / 12), vowel=2200)
    return tmp_path


def run(line: str, code: int = 0) -> None:
    assert main(line.split()) == code


def inspected(capsys: pytest.CaptureFixture[str], *tables: Path) -> list[dict[str, object]]:
    capsys.readouterr()
    assert main(["inspect", "--json", *map(str, tables)]) == 0
    found: list[dict[str, object]] = json.loads(capsys.readouterr().out)
    return found


# -------------------------------------------------------------------------------------------------------------- blend
def test_a_blended_note_lasts_as_long_as_the_first_sound(sounds: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run("blend ah.wav oh.flac --mix 0.3 -o note.wav")
    out, err = capsys.readouterr()
    assert out == "note.wav\n"
    assert "ah.wav: detected A3" in err
    assert "oh.flac: detected D3" in err
    assert "pitch A3, the first recording's" in err
    note = soundfile.info("note.wav")
    assert (note.channels, note.samplerate, note.subtype) == (2, 48_000, "PCM_24")
    assert note.duration == pytest.approx(0.8, abs=0.011)
    samples, _ = soundfile.read("note.wav")
    assert np.isfinite(samples).all()
    assert 0.05 < np.abs(samples).max() < 1


def test_pitch_fixes_the_blend_and_leaves_the_sounds_their_own(
    sounds: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run("blend ah.wav oh.flac --pitch C3 --json -o note.wav")
    out, err = capsys.readouterr()
    assert "detected A3" in err
    assert json.loads(out)["pitch"] == "C3"
    samples, rate = soundfile.read("note.wav")
    middle = samples[len(samples) // 4 : 3 * len(samples) // 4, 0] * np.hanning(len(samples) // 2)
    power = np.abs(np.fft.rfft(middle, 1 << 18)) ** 2
    hz = np.fft.rfftfreq(1 << 18, 1 / rate)
    for partial in range(1, 5):
        near = np.abs(hz - 130.813 * partial) < 15
        assert hz[near][power[near].argmax()] == pytest.approx(130.813 * partial, abs=0.3)


def test_unpitched_sounds_are_refused_or_taken_at_the_pitch_given(
    sounds: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for line in ("blend noise.wav ah.wav -o x.wav", "grid noise.wav ah.wav -o x"):
        run(line, 1)
        err = capsys.readouterr().err
        assert err.count("\n") == 1
        assert "noise.wav@" in err
    for line in ("blend noise.wav ah.wav --pitch C3 -o a.wav", "blend noise.wav@C3 ah.wav -o b.wav"):
        run(line)
        assert "noise.wav: given C3" in capsys.readouterr().err
    run("blend noise.wav@H3 ah.wav -o c.wav", 2)
    run("blend choir-of-two@C3 ah.wav -o c.wav", 2)
    assert "leave out @C3" in capsys.readouterr().err
    assert not Path("c.wav").exists()


def test_a_refusal_keeps_its_reason_whatever_the_file_is_called(
    sounds: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("noise.wav").rename("take;2.wav")
    run("blend take;2.wav ah.wav -o x.wav", 1)
    err = capsys.readouterr().err
    assert "take;2.wav: no " in err
    assert "it sounds like noise, a drum or silence" in err
    assert "e.g. 'take;2.wav@" in err  # quoted, so that it can be pasted


def test_blend_of_a_sound_above_the_range_names_only_what_blend_has(
    sounds: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    audio.write("high.wav", audio.sine(6000))
    run("blend high.wav ah.wav -o x.wav", 1)
    err = capsys.readouterr().err
    assert err.count("\n") == 1
    assert "is not within A0..C8; give a recording of a lower note" in err
    for wrong in ("range", "--pitch", "--unpitched"):
        assert wrong not in err
    run("blend high.wav@F#8 ah.wav -o x.wav")


def test_a_blended_table_is_clean_and_knows_its_origin(sounds: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run("blend ah.wav choir-of-two --mix 0:1:16 -o walk.wav")
    run("blend ah.wav saw-pad --pitch C2 --table --engine crossfade -o fixed.wav")
    walk, fixed = inspected(capsys, Path("walk.wav"), Path("fixed.wav"))
    assert (walk["frames"], fixed["frames"]) == (16, 64)
    for found in (walk, fixed):
        assert found["problems"] == []
        assert found["seam"] <= 1  # type: ignore[operator]
        assert found["peak_dbfs"] <= 0  # type: ignore[operator]
        assert found["in_phase"]
    assert walk["root_pitch"] == pytest.approx(57, abs=0.1)
    assert fixed["root_pitch"] == 36
    told = walk["provenance"]
    assert isinstance(told, dict)
    assert told["sounds"] == "ah choir-of-two"
    assert told["mix"] == "0:1:16"
    assert told["engine"].startswith("harmonic ")
    assert told["command"] == "make-wavetable blend ah.wav choir-of-two --mix 0:1:16"


def test_the_same_sounds_and_options_give_the_same_bytes(sounds: Path) -> None:
    for folder, threads in (("one", "1"), ("two", "2")):
        for line in ("blend ah.wav oh.flac -o F/n.wav -q", "blend ah.wav oh.flac --table -o F/t.wav -q"):
            environment = {**os.environ, "OMP_NUM_THREADS": threads}
            subprocess.run([*PROGRAM, *line.replace("F", folder).split()], env=environment, check=True)
    for name in ("n.wav", "t.wav"):
        assert (sounds / "one" / name).read_bytes() == (sounds / "two" / name).read_bytes()


def test_a_recording_is_never_replaced(sounds: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = Path("ah.wav").read_bytes()
    run("blend ah.wav oh.flac -o ah.wav --force", 1)
    assert "choose another -o" in capsys.readouterr().err
    assert Path("ah.wav").read_bytes() == before
    run("blend ah.wav oh.flac -o note.xyz", 2)
    assert ".flac" in capsys.readouterr().err


def test_a_recording_that_is_cut_short_is_used_and_told(sounds: Path, capsys: pytest.CaptureFixture[str]) -> None:
    whole = Path("ah.wav").read_bytes()
    Path("half.wav").write_bytes(whole[: len(whole) // 2 + 1])
    assert length_of("half.wav") is Length.CUT_SHORT
    assert length_of("ah.wav") is Length.TRUE
    for line in ("blend half.wav oh.flac -o note.wav", "import half.wav -o table.wav"):
        run(line)
        assert "cut short" in capsys.readouterr().err


# --------------------------------------------------------------------------------------------------------------- grid
def test_a_grid_of_own_sounds_can_be_made_again_from_its_manifest(
    sounds: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run("grid ah.wav choir-of-two noise.wav@C3 flute -o out --pitches C3 --duration 0.3")
    assert capsys.readouterr().out == "out\n"
    manifest = json.loads(Path("out/manifest.json").read_text())
    assert manifest["command"] == (
        "make-wavetable grid ah.wav choir-of-two noise.wav@C3 flute --pitches C3 --duration 0.3"
    )
    libraries = {"make-wavetable", "python", "numpy", "scipy", "soxr", "soundfile", *runtime_versions()}
    assert libraries <= set(manifest["versions"])
    assert manifest["engine"].startswith("harmonic ")
    assert manifest["recipe"]["detail"] == 1
    assert isinstance(manifest["seed"], int)
    assert [source["sound"] for source in manifest["sources"]] == ["ah.wav", "choir-of-two", "noise.wav@C3", "flute"]
    assert manifest["sources"][0]["sha256"] == {"ah.wav": hashlib.sha256(Path("ah.wav").read_bytes()).hexdigest()}
    assert set(manifest["sources"][1]["sha256"]) == {"ee_48.wav", "ee_60.wav"}
    files = {each["path"]: each for each in manifest["files"]}
    assert sorted(files) == sorted(path.relative_to("out").as_posix() for path in Path("out").rglob("*.wav"))
    assert sum(each["kind"] == "note" for each in files.values()) == 25
    assert sum(each["kind"] == "table" for each in files.values()) == 5
    for path, each in files.items():
        assert hashlib.sha256((Path("out") / path).read_bytes()).hexdigest() == each["sha256"]

    for found in inspected(capsys, *sorted(Path("out/tables").iterdir())):
        assert found["problems"] == []
        assert found["seam"] <= 1  # type: ignore[operator]
        assert found["root_pitch"] == 48

    # the command in the manifest, and blend, give the same bytes elsewhere
    run(manifest["command"].removeprefix("make-wavetable ") + " -o again -q")
    for path in (*files, "manifest.json"):
        assert (Path("again") / path).read_bytes() == (Path("out") / path).read_bytes(), path
    run("blend ah.wav choir-of-two noise.wav@C3 flute --mix 0.25,0.5 --pitch C3 --duration 0.3 -o one.wav -q")
    assert Path("one.wav").read_bytes() == Path("out/notes/x1y2/x1y2_48.wav").read_bytes()


def test_knobs_and_pairs_of_a_grid_are_in_its_manifest(sounds: Path) -> None:
    line = "grid flute choir celesta clarinet --pitches C3 --duration 0.2 --brightness 3 --noise 0.5 --width 1.5"
    run(f"{line} --envelope D --weights nsynth --stereo lr -o out -q")
    manifest = json.loads(Path("out/manifest.json").read_text())
    told = {"weights": "nsynth", "brightness": 3, "noise": 0.5, "width": 1.5, "envelope": "D", "stereo": "lr"}
    assert {key: manifest["recipe"][key] for key in told} == told
    made = [each["path"] for each in manifest["files"] if each["kind"] == "table"]
    assert made == sorted(path.relative_to("out").as_posix() for path in Path("out/tables").iterdir())
    assert len(made) == 10
    assert made[0].endswith("row0-L_48.wav")
    # a preset file with the same recipe, and blend, give the same bytes
    keys = {**manifest["recipe"], **told}
    Path("mine.toml").write_text("".join(f"{key} = {json.dumps(value)}\n" for key, value in keys.items()))
    run("grid mine.toml -o again -q")
    for each in manifest["files"]:
        if each["kind"] == "note":
            assert (Path("again") / each["path"]).read_bytes() == (Path("out") / each["path"]).read_bytes()
    run(
        "blend flute choir celesta clarinet --pitch C3 --duration 0.2 --mix 0.25,0.5 --brightness 3 --noise 0.5 "
        "--width 1.5 --envelope D --weights nsynth -o one.wav -q"
    )
    assert Path("one.wav").read_bytes() == Path("out/notes/x1y2/x1y2_48.wav").read_bytes()


@pytest.mark.parametrize(("layout", "files"), [("sfz", 4), ("m4l", 5)])
def test_knobs_reach_the_layouts(sounds: Path, layout: str, files: int) -> None:
    Path("p.toml").write_text(
        'title = "t"\nwhy = "w"\ncorners = ["flute", "choir", "celesta", "harp"]\n'
        "pitches = [48]\nseconds = 0.2\nmixes = 2\n"
    )
    run(f"grid p.toml --layout {layout} -o dull --brightness -6 -q")
    run(f"grid p.toml --layout {layout} -o bright --brightness 6 -q")
    dull, bright = (json.loads(Path(name, "manifest.json").read_text()) for name in ("dull", "bright"))
    assert (dull["knobs"]["brightness"], bright["knobs"]["brightness"]) == (-6, 6)
    assert len(dull["files"]) == files
    sounds_of = [
        sorted(path for path in Path(name).rglob("*") if path.suffix in (".wav", ".mp3")) for name in ("dull", "bright")
    ]
    for one, other in zip(*sounds_of, strict=True):
        assert one.read_bytes() != other.read_bytes()


def test_stereo_tables_of_a_blend_make_the_sound_again(sounds: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run("blend ah.wav choir --mix 0:1:8 --stereo lr -o walk.wav --json")
    assert json.loads(capsys.readouterr().out)["pair"] == ["walk-L.wav", "walk-R.wav"]
    run("blend ah.wav choir --mix 0:1:8 --stereo ms -o walk.wav")
    assert capsys.readouterr().out == "walk-M.wav\nwalk-S.wav\n"
    left, right, mid, side = (soundfile.read(f"walk-{mark}.wav", dtype="float32")[0] for mark in "LRMS")
    for found in inspected(capsys, *(Path(f"walk-{mark}.wav") for mark in "LRMS")):
        assert found["frames"] == 8
    # each pair is turned and scaled as one
    gain = float(np.linalg.norm(mid + side) / np.linalg.norm(left))
    for one, other in ((left, mid + side), (right, mid - side)):
        turned = [np.abs(np.fft.rfft(x.reshape(8, 2048)))[:, 1:100] for x in (gain * one, other)]
        np.testing.assert_allclose(*turned, rtol=0.05, atol=0.01 * turned[0].max())
    # mix 0 leans as the recording does: its right channel is 3.1 dB down
    level = [float((x.reshape(8, 2048)[0].astype(float) ** 2).mean()) for x in (left, right)]
    assert 10 * np.log10(level[0] / level[1]) == pytest.approx(-20 * np.log10(0.7), abs=0.3)
    run("blend ah.wav choir --mix 0:1:8 --stereo lr -o walk.wav", 1)
    assert "--force" in capsys.readouterr().err


def test_a_note_that_morphs_and_one_over_its_original(sounds: Path) -> None:
    run("blend ah.wav oh.flac --mix 0:1 --morph -o morph.wav -q")
    run("blend ah.wav oh.flac --mix 0 -o first.wav -q")
    run("blend ah.wav oh.flac --mix 1 -o last.wav -q")
    morph, first, last = (soundfile.read(f"{name}.wav")[0] for name in ("morph", "first", "last"))

    def likeness(x: np.ndarray, y: np.ndarray) -> float:
        a, b = (np.abs(np.fft.rfft(each[:, 0] * np.hanning(len(each)))) for each in (x, y))
        return float(a @ b / np.sqrt((a @ a) * (b @ b)))

    n = len(morph) // 5
    assert likeness(morph[:n], first[:n]) > 0.98 > likeness(morph[:n], last[:n])
    assert likeness(morph[-n:], last[-n:]) > 0.98 > likeness(morph[-n:], first[-n:])
    run("blend ah.wav oh.flac --mix 1 --dry 0.5 -o dry.wav -q")
    dry, own = soundfile.read("dry.wav")[0], soundfile.read("ah.wav")[0]
    np.testing.assert_allclose(dry[: len(own)] - 0.5 * own, last[: len(own)], atol=1e-5)


def test_a_mix_of_a_grid_is_an_instrument_again(sounds: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run("grid flute choir -o out --pitches C3,C4 --duration 0.3 --no-tables")
    assert not Path("out/tables").exists()
    capsys.readouterr()
    run("blend out/notes/x2y0 celesta --pitch E3 --duration 0.2 -o note.wav")
    assert "x2y0: 2 notes" in capsys.readouterr().err


def test_a_preset_file_may_give_a_sound_its_pitch(sounds: Path) -> None:
    Path("my.toml").write_text(
        'title = "t"\nwhy = "w"\ncorners = ["noise.wav@A2", "flute"]\npitches = ["A2"]\nseconds = 0.2\nmixes = 2\n'
    )
    run("grid my.toml -o out -q")
    assert len(list(Path("out").rglob("*.wav"))) == 3


def test_daily_commands_import_no_tensorflow(sounds: Path) -> None:
    code = (
        "import sys; from wavetables.cli import main; code = main(); "
        "print(' '.join(sys.modules), file=sys.stderr); sys.exit(code)"
    )
    for line in ("blend ah.wav flute -o n.wav", "grid flute choir -o g --pitches C3 --duration 0.2"):
        done = subprocess.run([sys.executable, "-c", code, *line.split()], capture_output=True, text=True, check=True)
        assert not {"tensorflow", "keras", "matplotlib"} & set(done.stderr.split())


# ------------------------------------------------------------------------------------------------------------- recipes
def test_a_command_without_its_place() -> None:
    line = "blend a b -o x.wav --mix 0.3 --force --output=y -q --output z --json -opath"
    assert recipe.command(line.split()) == "make-wavetable blend a b --mix 0.3"
    assert recipe.command(["import", "my song.wav"]) == "make-wavetable import 'my song.wav'"


def test_a_pitch_behind_a_name(tmp_path: Path) -> None:
    plain, odd = tmp_path / "a.wav", tmp_path / "b@C3"
    plain.touch()
    odd.touch()
    assert presets.given_pitch(plain) == (plain, None)
    assert presets.given_pitch(tmp_path / "a.wav@C3") == (plain, 48.0)
    assert presets.given_pitch(tmp_path / "a.wav@440Hz") == (plain, 69.0)
    assert presets.given_pitch(odd) == (odd, None)
    assert presets.given_pitch(tmp_path / "none@C3") == (tmp_path / "none@C3", None)
    with pytest.raises(UsageError, match="not a pitch"):
        presets.given_pitch(tmp_path / "a.wav@loud")


# ------------------------------------------------------------------------------------------------------------- streams
@pytest.mark.skipif(os.name == "nt", reason="descriptors of POSIX")
def test_closed_streams_do_no_harm(sounds: Path) -> None:
    program = " ".join(PROGRAM)
    for closed in ("<&-", ">&-", "2>&-", "<&- >&- 2>&-"):
        line = f"{program} import ah.wav -o t.wav --frames 4 --force {closed}"
        done = subprocess.run(["bash", "-c", line], capture_output=True, text=True, check=False)
        assert done.returncode == 0, closed
        assert "error" not in done.stdout + done.stderr
        assert Path("t.wav").stat().st_size > 4 * 2048 * 4


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_an_output_that_is_full_is_one_line() -> None:
    with open("/dev/full", "w") as full:
        done = subprocess.run([*PROGRAM, "presets"], stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert "No space left" in done.stderr


def test_decoders_keep_quiet(sounds: Path) -> None:
    # libmpg123 writes its opinion of damaged files to standard error
    samples, rate = soundfile.read("ah.wav")
    soundfile.write("ah.mp3", samples, rate)
    damaged = bytearray(Path("ah.mp3").read_bytes()[:6000])
    damaged[3000:] = np.random.default_rng(0).integers(0, 256, len(damaged) - 3000, dtype=np.uint8).tobytes()
    Path("bad.mp3").write_bytes(damaged)
    done = subprocess.run([*PROGRAM, "import", "bad.mp3"], capture_output=True, text=True, check=False)
    assert done.stderr.count("\n") == 1, done.stderr
    assert "bad.mp3" in done.stderr


# --------------------------------------------------------------------------------------------------------------- train
@pytest.mark.slow
def test_a_short_training_makes_all_files(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("tensorflow")
    from nsynth_core.audio import read
    from nsynth_core.pitch import follow
    from nsynth_core.sound.analysis import analyse
    from nsynth_core.training import fit_between, fit_field, pairs
    from nsynth_core.training.corpus import note_arrays
    from presets import bank

    corpus, model = tmp_path / "corpus", tmp_path / "model"
    corpus.mkdir()
    listing = []
    made = (("a", "voice", "train", 700), ("b", "turn", "train", 1500), ("c", "voice", "validation", 1000))
    for name, family, split, vowel in made:
        kept = []
        for midi in (48.0, 60.0):
            hz = 440 * 2 ** ((midi - 69) / 12)
            sound = read(sing(tmp_path / "note.wav", hz, 1.0, vowel))
            arrays = note_arrays(analyse(sound, follow(sound, midi)))
            assert arrays is not None
            kept.append({**arrays, "midi": np.float32(midi), "velocity": np.int32(90)})
        np.savez(corpus / f"test_{name}.npz", **{key: np.stack([each[key] for each in kept]) for key in kept[0]})
        listing.append({"name": f"test/{name}", "family": family, "split": split})
    (corpus / "corpus.json").write_text(json.dumps({"seed": 0, "sources": listing}))

    built = []

    def build(target, engine, *_, **__):
        target.write_bytes(b"")
        built.append((target, engine.version))

    monkeypatch.setattr(bank, "build", build)
    fitted = []
    for module, name in ((pairs, "make"), (fit_between, "train")):
        plain = getattr(module, name)
        monkeypatch.setattr(
            module, name, lambda *given, plain=plain, **rest: fitted.append(plain(*given, **rest)) or fitted[-1]
        )
    assert main(["train", str(corpus), "-o", str(model), "--steps", "3", "-q"]) == 0
    assert capsys.readouterr() == (f"{model}\n", "")
    assert {path.name for path in model.iterdir()} >= {
        *("encoder.tflite", "branch.tflite", "trunk.tflite", "pca.npz", "model_card.json"),
    }
    assert sum(path.stat().st_size for path in model.glob("*.tflite")) < 4e6
    card = json.loads((model / "model_card.json").read_text())
    assert card["data"]["notes"] == 4
    assert (card["seed"], card["steps"]) == (0, 3)
    assert np.isfinite(list(card["figures"].values())).all()
    with np.load(model / "pca.npz") as linear:
        assert (linear["mean"].dtype, linear["axes"].dtype) == (np.float32, np.float16)
        assert linear["axes"].shape[1] == len(linear["mean"])
    assert [target for target, _ in built] == [model / "bank.npz"]
    # nothing is trained over
    assert main(["train", str(corpus), "-o", str(model), "--steps", "3"]) == 1
    assert "--force" in capsys.readouterr().err
    # what was interrupted after the field goes on there; another field is not taken for it
    known, unseen, between = fitted
    monkeypatch.setattr(pairs, "make", lambda corpus, *_: unseen if len(corpus) == 2 else known)
    monkeypatch.setattr(fit_between, "train", lambda *_, **__: between)
    monkeypatch.setattr(fit_field, "train", lambda *_, **__: pytest.fail("the field was fitted again"))
    (model / "bank.npz").unlink()
    assert main(["train", str(corpus), "-o", str(model), "--steps", "3", "-q"]) == 0
    assert len({version for _, version in built}) == 1  # the same field, bit by bit
    (model / "bank.npz").unlink()
    asked: list[int] = []
    monkeypatch.setattr(fit_field, "train", lambda *given, **_: asked.append(given[4]) or (fit_field.build(), {}))
    assert main(["train", str(corpus), "-o", str(model), "--steps", "2", "-q"]) == 0
    assert asked == [2]


@pytest.mark.parametrize("layout", ["folder", "m4l", "nsynth-super", "sfz"])
def test_a_dry_run_of_a_grid_foretells_its_files_and_size(
    layout: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    line = f"grid flute choir celesta clarinet -o out --pitches C3,C4 --duration 1 --layout {layout}"
    run(f"{line} --dry-run --json")
    told = json.loads(capsys.readouterr().out)
    assert not Path("out").exists()
    run(f"{line} -q")
    files = [path for path in Path("out").rglob("*") if path.is_file()]
    assert told["files"] == len(files)
    assert told["bytes"] == pytest.approx(sum(path.stat().st_size for path in files), rel=0.2)
    assert told["seconds"] > 0
    capsys.readouterr()
    run(f"{line} --dry-run")
    assert "nothing was written" in capsys.readouterr().out
