"""Packs: recipes, what is written, what stands after a crash, and every way in which it can go wrong."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import pickle
import re
import shutil
import zipfile
from pathlib import Path

import numpy as np
import pytest
import soundfile

from nsynth_core import audio, cache
from nsynth_core.errors import UsageError, UserError
from nsynth_core.parallel import WorkerKilled
from wavetables import loudness, pictures
from wavetables.cli import main
from wavetables.cli.words import sentence
from wavetables.formats import registry
from wavetables.packs import archive, errors, journal, make_pack, making, planning, run
from wavetables.packs.plan import Pack
from wavetables.shaping import shape
from wavetables.table import Table

RATE = 48_000


def hum(path: Path, partials: int, tilt: float = 1.0) -> Path:
    """A wavetable of three frames: nothing to analyse, so that the tests are quick."""
    phase = 2 * np.pi * np.arange(2048) / 2048
    number = np.arange(1, partials + 1)
    frames = [np.sin(np.outer(phase, number)) @ number ** -(tilt + 0.1 * step) for step in range(3)]
    registry.write(path, Table(shape(np.stack(frames)), path.stem, 45.0), True)
    return path


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of recordings and a recipe; a cache of its own; the commands run here."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv(cache.FOLDER, str(tmp_path / "cache"))
    # drawing takes longer than all the rest
    monkeypatch.setattr(planning, "default_pictures", lambda: "none")
    hum(tmp_path / "sounds" / "soft_horn_A2.wav", 8, 2.0)
    hum(tmp_path / "sounds" / "reeds" / "oboe.wav", 30, 0.5)
    recipe("""
        title = "First Light"
        author = "A. Maker"
        licence = "CC0-1.0"
        formats = ["serum", "vital", "wt"]
        [[table]]
        source = "sounds"
        tags = ["mine"]
        [[sweep]]
        sounds = ["flute", "choir"]
        pitches = ["C3"]
        category = "Breath"
    """)
    return tmp_path


def recipe(text: str, name: str = "recipe.toml") -> Path:
    path = Path(name)
    path.write_text("\n".join(line.strip() for line in text.splitlines()), encoding="utf-8")
    return path


def pack(line: str, code: int = 0) -> None:
    assert main(["pack", *line.split(), "--workers", "1"]) == code


def tree(folder: Path) -> dict[str, str]:
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def manifest(folder: str | Path = "out") -> dict:
    return json.loads((Path(folder) / "pack.json").read_text("utf-8"))


# ------------------------------------------------------------------------------------------------------- what is made
def test_a_recipe_becomes_a_pack(place, capsys):
    pack("recipe.toml -o out --pictures sheet")
    names = {"Recordings/Soft Horn A2", "Reeds/Oboe", "Breath/Flute-Choir C3"}
    expected = {f"Serum/{name}.wav" for name in names} | {f"Vital/{name}.vitaltable" for name in names}
    expected |= {f"Surge/{name}.wt" for name in names} | {f"Previews/{Path(name).name}.flac" for name in names}
    expected |= {"index.html", "pack.json", "LICENSE", "README.txt", "Pictures/_Contact Sheet.png"}
    assert set(tree(Path("out"))) == expected
    out, err = capsys.readouterr()
    assert out == "out\n"
    assert "out: 3 tables" in err


def test_every_table_is_as_loud_as_asked_and_without_fault(place):
    pack("recipe.toml -o out --loudness -20")
    for facts in manifest()["items"]:
        frames = {kind: registry.read(Path("out") / path).frames for kind, path in facts["tables"].items()}
        for each in frames.values():
            assert loudness.loudness(each) == pytest.approx(-20, abs=0.1)
            assert np.array_equal(each, frames["serum"])
        assert facts["loudness"] == pytest.approx(-20, abs=0.1)
        assert np.abs(frames["serum"].mean(1)).max() < 1e-4
    assert manifest()["odd"] == {}


def test_tables_say_whose_they_are_and_the_texts_say_it_too(place):
    pack("recipe.toml -o out")
    table = registry.read("out/Serum/Breath/Flute-Choir C3.wav")
    assert table.root_pitch == 48
    assert table.provenance["pack"] == "First Light"
    assert table.provenance["author"] == "A. Maker"
    assert table.provenance["licence"] == "CC0-1.0"
    assert table.provenance["sounds"] == "Flute Choir"
    readme = Path("out/README.txt").read_text("utf-8")
    assert "First Light by A. Maker" in readme
    assert "Flute-Choir C3" in readme
    licence = Path("out/LICENSE").read_text("utf-8")
    assert "Licence: CC0-1.0" in licence
    assert re.search(r"Flute: MIT", licence)
    assert "First Light" in Path("out/index.html").read_text("utf-8")


def test_the_manifest_lists_every_file_with_its_hash(place):
    pack("recipe.toml -o out")
    data = manifest()
    listed = data["files"] | {path: sha for facts in data["items"] for path, sha in facts["files"].items()}
    found = tree(Path("out"))
    del found["pack.json"]
    assert listed == found
    assert [facts["name"] for facts in data["items"]] == ["Oboe", "Soft Horn A2", "Flute-Choir C3"]
    assert str(place) not in json.dumps(data)


def test_previews_play_the_table(place):
    pack("recipe.toml -o out")
    note, rate = soundfile.read("out/Previews/Soft Horn A2.flac")
    assert rate == RATE
    assert len(note) == loudness.SECONDS * RATE
    spectrum = np.abs(np.fft.rfft(note * np.hanning(len(note))))
    assert np.fft.rfftfreq(len(note), 1 / RATE)[spectrum.argmax()] == pytest.approx(loudness.F0, abs=0.3)


def test_a_folder_becomes_a_pack_its_subfolders_categories(place):
    pack("sounds -o out --author Me --format serum,wt --level frame")
    assert set(tree(Path("out/Serum"))) == {"Recordings/Soft Horn A2.wav", "Reeds/Oboe.wav"}
    assert set(tree(Path("out/Surge"))) == {"Recordings/Soft Horn A2.wt", "Reeds/Oboe.wt"}
    assert manifest()["title"] == "Sounds"
    for frame in registry.read("out/Serum/Reeds/Oboe.wav").frames:
        assert loudness.loudness(frame[None]) == pytest.approx(-18, abs=0.05)


def test_levels_can_be_kept(place):
    pack("sounds -o out --level kept")
    assert np.abs(registry.read("out/Serum/Reeds/Oboe.wav").frames).max() == pytest.approx(10 ** (-0.1 / 20), abs=1e-4)


def test_a_grid_becomes_a_table_for_each_row_and_pitch_and_notes_if_asked(place):
    recipe("""
        title = "Grid"
        samples = true
        previews = false
        [[grid]]
        preset = "mine.toml"
    """)
    recipe(
        """
        title = "Mine"
        why = "a test"
        corners = ["flute", "choir", "celesta", "clarinet"]
        mixes = 3
        pitches = ["C2", "C3"]
        """,
        "mine.toml",
    )
    pack("recipe.toml -o out")
    names = [facts["name"] for facts in manifest()["items"]]
    assert names[:3] == ["Flute-Choir C2", "Flute-Choir 50-50 Celesta-Clarinet C2", "Celesta-Clarinet C2"]
    assert len(names) == 6
    note = soundfile.info("out/Samples/Mine/Flute-Choir C2 at 50.wav")
    assert (note.channels, note.samplerate) == (2, 48_000)
    notes = list(Path("out/Samples/Mine").iterdir())
    assert len(notes) == 30
    told = manifest()["odd"]
    for path in notes:
        name, at = path.stem.split(" at ")
        if f"its note at {at} is" not in " ".join(told.get(name, [])):  # what a peak keeps down is told
            assert loudness.of_note(audio.read(path)) == pytest.approx(-18, abs=0.55)
    assert len(told) < 4


def test_one_preset_twice_makes_two_pads(place):
    preset = """
        title = "Mine"
        why = "a test"
        corners = ["flute", "choir"]
        pitches = ["C3"]
        """
    recipe(preset, "mine.toml")
    recipe("""
        title = "Grids"
        previews = false
        frames = 4
        [[grid]]
        preset = "mine.toml"
        [[grid]]
        preset = "mine.toml"
        pitches = ["C2"]
    """)
    pack("recipe.toml -o out")
    page = Path("out/index.html").read_text("utf-8")
    assert page.count('"pitches":[48.0]') == page.count('"pitches":[36.0]') == 1
    assert '"name":"Mine 2"' in page


def test_pictures_of_every_table_and_its_sounds(place):
    pack("recipe.toml -o out --pictures all")
    found = {path.relative_to("out/Pictures").as_posix() for path in Path("out/Pictures").rglob("*.png")}
    names = ("Oboe", "Soft Horn A2", "Flute-Choir C3")
    assert found == {"_Contact Sheet.png", *(f"{below}{name}.png" for below in ("", "Rainbowgrams/") for name in names)}
    for path in Path("out/Pictures").rglob("*.png"):
        assert path.read_bytes().startswith(b"\x89PNG")


def test_rainbowgrams_show_the_sounds_beside_their_blend(place, monkeypatch):
    shown = []
    blank = pictures.contact_sheet([(registry.read("sounds/reeds/oboe.wav"), "")])
    monkeypatch.setattr(
        pictures, "rainbowgrams", lambda panels, *rest: shown.append([title for title, _ in panels]) or blank
    )
    recipe("""
        title = "Seen"
        pictures = "all"
        previews = false
        frames = 2
        [[table]]
        source = "sounds/reeds/oboe.wav"
        [[sweep]]
        sounds = ["flute", "choir"]
        [[sweep]]
        sounds = ["flute", "choir"]
        start = [0.25, 0.0]
        name = "Late"
        [[sweep]]
        sounds = ["flute", "choir", "celesta", "clarinet"]
        end = [1.0, 1.0]
    """)
    pack("recipe.toml -o out")
    assert shown == [
        ["the table, played at its pitch"],
        ["Flute", "blend, half way", "Choir"],
        ["Flute", "blend, beginning", "blend, half way", "Choir"],
        ["Flute", "Choir", "Celesta", "Clarinet", "blend, half way"],
    ]


def test_large_packs_have_several_sheets(place, monkeypatch):
    monkeypatch.setattr("wavetables.packs.conclusion.SHEET", 2)
    pack("recipe.toml -o out --pictures sheet")
    assert set(tree(Path("out/Pictures"))) == {"_Contact Sheet 1.png", "_Contact Sheet 2.png"}
    monkeypatch.setattr("wavetables.packs.conclusion.SHEET", 3)
    Path("out/Serum/Reeds/Oboe.wav").unlink()  # so that there is something to do
    pack("recipe.toml -o out --pictures sheet")
    assert set(tree(Path("out/Pictures"))) == {"_Contact Sheet.png"}


def test_without_matplotlib_pictures_are_left_out_or_asked_for_in_vain(place, monkeypatch, capsys):
    monkeypatch.undo()
    assert planning.default_pictures() == "sheet"
    monkeypatch.setattr(pictures, "find_spec", lambda name: None)
    monkeypatch.chdir(place)
    pack("sounds -o out --pictures sheet", 1)
    assert "the extra plot brings it: pip install matplotlib" in capsys.readouterr().err
    assert planning.default_pictures() == "none"


def test_what_sounds_alike_is_reported(place, capsys):
    shutil.copy("sounds/reeds/oboe.wav", "sounds/reeds/oboe again.wav")
    pack("sounds -o out")
    (pair,) = manifest()["near_duplicates"]
    assert pair["tables"] == ["Oboe Again", "Oboe"]
    assert pair["distance_db"] < 0.1
    assert "alike: Oboe Again and Oboe" in capsys.readouterr().err


def test_what_is_odd_is_listed_by_file(place, capsys):
    """A recording: its pitch is found, and its level falls at once."""
    place = np.arange(RATE // 2)
    loud = np.sin(2 * np.pi * 110 * place / RATE) * np.where(place < RATE / 4, 0.9, 0.02)
    soundfile.write("sounds/stepping.wav", loud, RATE, subtype="FLOAT")
    pack("sounds -o out")
    assert "the level jumps" in manifest()["odd"]["Stepping"][0]
    assert "odd: Stepping: the level jumps" in capsys.readouterr().err


def test_json_is_a_line_for_each_table_and_one_at_the_end(place, capsys):
    pack("recipe.toml -o out --json")
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [line["done"] for line in lines[:-1]] == [1, 2, 3]
    assert all(line["total"] == 3 and line["loudness"] and line["tables"]["serum"] for line in lines[:-1])
    assert lines[-1]["made"] == 3
    assert lines[-1]["output"] == ["out"]


def test_json_has_its_last_line_where_nothing_could_be_made(place, capsys):
    (place / "noise").mkdir()
    soundfile.write("noise/hiss.wav", 0.1 * np.random.default_rng(1).standard_normal(RATE // 2), RATE)
    pack("noise -o out --json", code=1)
    out, err = capsys.readouterr()
    failed, last = map(json.loads, out.splitlines())
    assert failed["error"] == last["failed"][0]["why"]
    assert (last["output"], last["made"]) == ([], 0)
    assert 'in a recipe: "hiss.wav@C3"' in err
    assert "--pitch" not in err
    assert not Path("out").exists()


def test_the_archive_has_the_same_bytes_each_time(place):
    pack("recipe.toml -o out --zip")
    first = Path("out.zip").read_bytes()
    for path in Path("out").rglob("*"):
        os.utime(path, (10**9, 10**9))
    Path("out/foreign.txt").write_text("not of the pack")
    assert main(["install", "out", "--zip"]) == 1  # is there already
    assert main(["install", "out", "--zip", "--force"]) == 0
    assert Path("out.zip").read_bytes() == first
    with zipfile.ZipFile("out.zip") as file:
        assert file.testzip() is None
        assert {f"out/{name}" for name in tree(Path("out")) if name != "foreign.txt"} == set(file.namelist())
        assert {entry.date_time for entry in file.infolist()} == {archive.EPOCH}


# --------------------------------------------------------------------------------------------------- run again, resume
def test_a_finished_pack_is_left_alone(place, capsys):
    pack("recipe.toml -o out")
    before = {path: path.stat().st_mtime_ns for path in Path("out").rglob("*")}
    pack("recipe.toml -o out")
    assert {path: path.stat().st_mtime_ns for path in Path("out").rglob("*")} == before
    assert "3 of them there already" in capsys.readouterr().err


def test_the_same_recipe_gives_the_same_bytes_anywhere(place):
    pack("recipe.toml -o out")
    (place / "elsewhere").mkdir()
    shutil.copytree("sounds", "elsewhere/sounds")
    shutil.copy("recipe.toml", "elsewhere")
    shutil.rmtree("cache")
    pack("elsewhere/recipe.toml -o other")
    assert tree(Path("out")) == tree(Path("other"))


def test_what_is_missing_is_made_again(place):
    pack("recipe.toml -o out")
    whole = tree(Path("out"))
    Path("out/Vital/Reeds/Oboe.vitaltable").unlink()
    Path("out/index.html").unlink()
    pack("recipe.toml -o out")
    assert tree(Path("out")) == whole


@pytest.mark.parametrize("after", [0, 1, 2])
def test_a_run_that_breaks_off_goes_on_where_it_was(place, monkeypatch, capsys, after):
    pack("recipe.toml -o whole")
    calls = []

    def breaking(*args):
        if len(calls) == after:
            raise KeyboardInterrupt
        calls.append(args)
        return making.make(*args)

    monkeypatch.setattr(run, "make", breaking)
    pack("recipe.toml -o out", 130)
    assert Path("out", journal.NAME).exists() == (after > 0)
    assert not Path("out/pack.json").exists()
    # as a kill at the worst moments leaves it: a line half written, a temporary file
    if after:
        with Path("out", journal.NAME).open("ab") as file:
            file.write(b'{"key": "torn')
        Path("out/Serum/.Oboe.0123abcd.part.wav").write_bytes(b"half")
    monkeypatch.setattr(run, "make", making.make)
    capsys.readouterr()
    pack("recipe.toml -o out")
    assert ("there already" in capsys.readouterr().err) == (after > 0)
    assert tree(Path("out")) == tree(Path("whole"))


def test_a_changed_recipe_needs_force_and_then_leaves_nothing_old(place, capsys):
    pack("recipe.toml -o out")
    recipe("""
        title = "First Light"
        [[table]]
        source = "sounds/reeds"
        category = "Reeds"
    """)
    whole = tree(Path("out"))
    pack("recipe.toml -o out", 1)
    assert "made from another recipe" in capsys.readouterr().err
    assert tree(Path("out")) == whole
    Path("out/Serum/Breath/mine.wav").write_bytes(b"foreign")
    pack("recipe.toml -o out --force")
    Path("out/Serum/Breath/mine.wav").unlink()
    Path("out/Serum/Breath").rmdir()
    pack("recipe.toml -o other")
    assert tree(Path("out")) == tree(Path("other"))


@pytest.mark.parametrize("path", ["Serum/Reeds/Oboe.wav", "README.txt"])
def test_a_file_that_somebody_changed_is_not_replaced_unasked(place, capsys, path):
    pack("recipe.toml -o out")
    whole = tree(Path("out"))
    Path("out", path).write_bytes(b"mine now")
    pack("recipe.toml -o out", 1)
    assert "changed since the pack was made" in capsys.readouterr().err
    assert Path("out", path).read_bytes() == b"mine now"
    pack("recipe.toml -o out --force")
    assert tree(Path("out")) == whole


def test_a_changed_recording_is_noticed(place, capsys):
    pack("sounds -o out")
    hum(Path("sounds/reeds/oboe.wav"), 3)
    pack("sounds -o out", 1)
    assert "Oboe changed" in capsys.readouterr().err
    pack("sounds -o out --force")
    assert "1 of them there already" in capsys.readouterr().err


def test_two_runs_into_one_folder_are_one_too_many(place, capsys):
    with journal.opened(Path("out")):
        pack("recipe.toml -o out", 1)
    assert "another run is making this pack" in capsys.readouterr().err
    pack("recipe.toml -o out")


@pytest.mark.skipif(os.name == "nt", reason="Windows removes no open file")
def test_a_run_that_waited_for_a_lock_file_that_went_away_starts_anew(place):
    with journal.opened(Path("out")) as first:
        first.add({"key": "a", "files": {}})
        late = os.open(Path("out", journal.NAME), os.O_RDWR)
    with journal.opened(Path("out")) as second:
        assert second.done == {}
        assert not os.path.samestat(os.fstat(late), Path("out", journal.NAME).stat())
    os.close(late)


# ------------------------------------------------------------------------------------------------------------- dry runs
@pytest.mark.parametrize(
    "line", ["recipe.toml --zip", "sounds --pictures sheet --format serum,wt16 --frames 3", "grid.toml"]
)
def test_a_dry_run_knows_the_files_and_about_how_large_they_are(place, capsys, line):
    recipe(
        """
        title = "Grid"
        samples = true
        frames = 8
        [[grid]]
        preset = "grid5"
        pitches = ["C3"]
        """,
        "grid.toml",
    )
    pack(f"{line} -o out --dry-run --json")
    told = json.loads(capsys.readouterr().out)
    assert not Path("out").exists()
    pack(f"{line} -o out")
    files = [path for path in place.glob("out*/**/*") if path.is_file()] + [*place.glob("out*.zip")]
    assert told["output"] == "out"
    assert told["files"] == len(files)
    assert told["bytes"] == pytest.approx(sum(path.stat().st_size for path in files), rel=1.0)
    assert told["seconds"] > 0


def test_a_dry_run_is_said_in_words(place, capsys):
    pack("recipe.toml -o out --dry-run")
    assert re.fullmatch(r"out: 16 files, about \d+\.\d MB, about \d+ s; nothing was written\n", capsys.readouterr().out)
    assert not Path("out").exists()


# ------------------------------------------------------------------------------------------------------ what goes wrong
def test_a_bad_source_is_named_and_the_rest_is_made(place, capsys):
    Path("sounds/broken.wav").write_bytes(b"RIFF nothing")
    pack("sounds -o out", 3)
    assert "broken.wav: not a readable sound file" in capsys.readouterr().err
    assert [failure["name"] for failure in manifest()["failed"]] == ["Broken"]
    assert len(manifest()["items"]) == 2
    hum(Path("sounds/broken.wav"), 5)
    pack("sounds -o out")
    assert len(manifest()["items"]) == 3


def test_a_source_that_vanishes_is_named(place, monkeypatch, capsys):
    def vanishing(*args):
        Path("sounds/reeds/oboe.wav").unlink(missing_ok=True)
        return making.make(*args)

    monkeypatch.setattr(run, "make", vanishing)
    pack("sounds -o out", 3)
    assert "oboe.wav: No such file" in capsys.readouterr().err


def test_a_source_that_changes_while_it_is_read_is_named(place, monkeypatch, capsys):
    real = making.import_tables

    def changing(path, *args):
        found = real(path, *args)
        os.utime(path, ns=(1, 1))
        return found

    monkeypatch.setattr(making, "import_tables", changing)
    pack("sounds -o out", 1)
    assert "oboe.wav: changed while it was read" in capsys.readouterr().err
    assert not Path("out").exists()


def test_a_bug_in_one_table_does_not_stop_the_others(place, monkeypatch, capsys):
    real = making.import_tables

    def failing(path, *args):
        if path.name == "oboe.wav":
            raise ZeroDivisionError("by nought")
        return real(path, *args)

    monkeypatch.setattr(making, "import_tables", failing)
    pack("sounds -o out", 3)
    assert "oboe.wav: ZeroDivisionError: by nought; this is a bug" in capsys.readouterr().err


@pytest.mark.parametrize("full", ["Oboe.vitaltable", "Oboe.flac", "Oboe.wav", "Soft Horn A2.wt", "index.html"])
def test_a_full_disk_is_said_and_leaves_no_half_file(place, monkeypatch, capsys, full):
    pack("recipe.toml -o whole")
    real = os.replace

    def refusing(source, target):
        if Path(target).name == full:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(target))
        real(source, target)

    monkeypatch.setattr(os, "replace", refusing)
    pack("recipe.toml -o out", 1)
    said = capsys.readouterr().err
    assert "No space left on device" in said
    assert "make room, then run the same command again" in said
    assert not [path for path in Path("out").rglob("*") if ".part" in path.name]
    monkeypatch.setattr(os, "replace", real)
    pack("recipe.toml -o out")
    assert tree(Path("out")) == tree(Path("whole"))


def test_a_folder_with_something_else_in_it_is_left_alone(place, capsys):
    Path("out").mkdir()
    Path("out/thesis.txt").write_text("three years of work")
    pack("recipe.toml -o out", 1)
    assert "holds no pack" in capsys.readouterr().err
    pack("recipe.toml -o out/thesis.txt", 1)
    assert "is a file" in capsys.readouterr().err
    pack("recipe.toml -o out --force")
    assert Path("out/thesis.txt").read_text() == "three years of work"


def test_a_pack_is_not_made_within_its_own_recordings(place, capsys):
    pack("sounds -o sounds/pack", 1)
    assert "lies in sounds" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('title = "x"', "holds no [[table]], [[sweep]] or [[grid]]"),
        ('title = "x"\n[[table]]\nsource = "nowhere.wav"', "no such sound beside"),
        ('title = "x"\n[[table]]\nsource = "../up.wav"', "leaves the folder of this file"),
        ('title = "x"\n[[table]]\nsource = "/etc/passwd"', "leaves the folder of this file"),
        ('title = "../x"\n[[table]]\nsource = "sounds"', "no name that every file system takes"),
        ('title = "x"\n[[table]]\nsource = "sounds"\ncategory = "a/b"', "no name that every file system takes"),
        ('title = "x"\n[[table]]\nsource = "sounds/reeds/oboe.wav"\nname = "nul"', "no name that every file system"),
        ('title = "x"\n[[table]]\nsource = "sounds"\nname = "All"', "leave out name"),
        ('title = "x"\n[[table]]\nsource = "flute"', "a built-in instrument"),
        ('title = "x"\n[[table]]\nsource = "sounds"\nspeed = 3', "[[table]] number 1: unknown key 'speed'"),
        ('title = "x"\nlouder = 3\n[[table]]\nsource = "sounds"', "unknown key 'louder'; did you mean loudness?"),
        ('title = "x"\nloudness = 3\n[[table]]\nsource = "sounds"', "loudness = 3; legal: LUFS, -40..-6"),
        ('title = "x"\nformats = ["cycles"]\n[[table]]\nsource = "sounds"', "no format is named 'cycles'"),
        ('title = "x"\nformats = ["wt", "wt"]\n[[table]]\nsource = "sounds"', "legal: a list of serum"),
        ('title = "x"\nlevel = "loud"\n[[table]]\nsource = "sounds"', 'legal: "table", "frame" or "kept"'),
        ('title = "x"\nlicence_file = "../l"\n[[table]]\nsource = "sounds"', "put the text beside the recipe"),
        ('title = "x"\n[[sweep]]\nsounds = ["flute"]', "legal: 2 or 4 instruments or sounds"),
        ('title = "x"\n[[sweep]]\nsounds = ["flute", "chior"]', "did you mean choir"),
        ('title = "x"\n[[sweep]]\nsounds = ["flute", "choir"]\nstart = [0, 2]', "legal: [x, y] of the first frame"),
        ('title = "x"\n[[sweep]]\nsounds = ["flute", "choir"]\npitches = ["H3"]', "'H3' is not a pitch"),
        ('title = "x"\n[[grid]]\npreset = "gird5"', "no preset is named 'gird5'; did you mean grid5?"),
        ("title = ", "not a TOML file"),
    ],
)
def test_a_bad_recipe_is_one_clear_line(place, capsys, text, said):
    Path("bad.toml").write_text(text)
    pack("bad.toml -o out", 1)
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert "bad.toml" in error
    assert said in error
    assert not Path("out").exists()


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("nothing.toml -o out", "no such recipe"),
        ("sounds -o out --format serum,cycles", "no format is named 'cycles'"),
        ("sounds -o out --level loud", "no way to level is named 'loud'"),
        ("sounds -o out --loudness 0", "loudness 0 is outside -40..-6"),
        ("sounds -o out --title a/b", "no name that every file system takes"),
        ("sounds -o out --cluster tcp://127.0.0.1:1", "leave one of them out"),
    ],
)
def test_wrong_usage_is_one_clear_line(place, capsys, line, said):
    assert main(["pack", *line.split(), "--workers", "1"]) in (1, 2)
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert said in error


def test_settings_from_python_are_checked_as_options_are(place):
    for settings, why in (
        ({"loudnes": -18}, "no setting 'loudnes'; did you mean loudness?"),
        ({"formats": ("serum", "vitel")}, "did you mean vital?"),
        ({"frames": 300}, "frames 300 is outside 1..256"),
        ({"engine": "nsynth"}, "needs a checkpoint"),
    ):
        with pytest.raises(UsageError, match=re.escape(why)):
            make_pack("recipe.toml", "out", workers=1, **settings)
    assert not Path("out").exists()


def test_python_gets_what_the_command_writes(place):
    pack("recipe.toml -o one --level frame --zip")
    made = make_pack("recipe.toml", "two/one", level="frame", archive=True, workers=1)
    assert tree(Path("one")) == tree(made.folder)
    assert made.archive is not None
    assert made.archive.read_bytes() == Path("one.zip").read_bytes()
    assert (made.kept, made.failures, len(made.manifest["items"])) == (0, (), 3)


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (errors.ClusterError("tcp://a:1", "KilledWorker: x", begun=True), "run the same command again"),
        (errors.OutOfMemory("horn.wav"), "horn.wav: not enough memory; use fewer --workers or a shorter sound"),
        (WorkerKilled(), "use fewer --workers; run the same command again"),
    ],
)
def test_errors_say_what_to_do(error, line):
    assert line in sentence(pickle.loads(pickle.dumps(error)), "pack")


def test_a_manifest_cannot_lead_out_of_its_folder(place):
    pack("sounds -o out")
    data = manifest()
    data["items"][0]["files"] = {"../../precious.txt": "0"}
    Path("out/pack.json").write_text(json.dumps(data))
    with pytest.raises(UserError, match="not the manifest of a pack"):
        journal.manifest(Path("out"))


def test_two_workers_make_the_same_bytes(place):
    pack("recipe.toml -o one")
    shutil.rmtree("cache")
    assert main(["pack", "recipe.toml", "-o", "two", "--workers", "2", "--quiet"]) == 0
    assert tree(Path("one")) == tree(Path("two"))


def test_the_plan_is_the_same_however_names_are_composed(place):
    decomposed, composed = Path("sounds/e\u0301tude.wav"), Path("other/\u00e9tude.wav")
    hum(decomposed, 4)
    hum(composed, 4)
    first = planning.of_folder(Path("sounds"), Pack("x"))
    second = planning.of_folder(Path("other"), Pack("x"))
    assert [item.name for item in first.items if "tude" in item.name] == [item.name for item in second.items]


def test_update_is_told_of_every_item(place):
    told = []
    plan = planning.of_recipe(Path("recipe.toml"))
    run.build(plan, Path("out"), lambda done, total, result: told.append((done, total, result and result["name"])))
    assert told == [(0, 3, None), (1, 3, "Oboe"), (2, 3, "Soft Horn A2"), (3, 3, "Flute-Choir C3")]
