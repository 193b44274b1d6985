"""Installing packs: where synths look, and that nothing is lost there."""

from __future__ import annotations

import json
from pathlib import Path

import platformdirs
import pytest

from wavetables.cli import main
from wavetables.cli.words import sentence
from wavetables.packs import conclusion, install
from wavetables.packs.errors import NoRelease
from wavetables.packs.plan import Pack


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A user's home with a pack of two tables in it."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("XDG_DATA_HOME", raising=False)
    monkeypatch.setattr(Path, "home", lambda: tmp_path)
    monkeypatch.setattr(platformdirs, "user_documents_dir", lambda: str(tmp_path / "Documents"))
    files = {"serum": "Serum/Keys/A.wav", "vital": "Vital/Keys/A.vitaltable", "wt": "Surge/Keys/A.wt"}
    for path in files.values():
        (tmp_path / "pack" / path).parent.mkdir(parents=True)
        (tmp_path / "pack" / path).write_bytes(path.encode())
    facts = {"key": "1", "name": "A", "tables": files, "files": dict.fromkeys(files.values(), "0")}
    data = {"title": "First Light", "files": {}, "items": [facts]}
    (tmp_path / "pack" / "pack.json").write_text(json.dumps(data))
    return tmp_path


@pytest.mark.parametrize(
    ("synth", "platform", "below"),
    [
        ("serum", "win32", "Documents/Xfer/Serum Presets/Tables"),
        ("serum2", "win32", "Documents/Xfer/Serum 2 Presets/Tables"),
        ("vital", "win32", "Documents/Vital"),
        ("vital", "darwin", "Music/Vital"),
        ("vital", "linux", ".local/share/vital"),
        ("surge", "win32", "Documents/Surge XT/Wavetables"),
        ("surge", "darwin", "Documents/Surge XT/Wavetables"),
        ("surge", "linux", "Documents/Surge XT/Wavetables"),
    ],
)
def test_where_a_synth_looks(home, synth, platform, below):
    assert install.place(synth, platform) == home / below


def test_where_serum_looks_on_a_mac_and_not_on_linux(home):
    there = Path("/Library/Audio/Presets/Xfer Records")
    assert install.place("serum", "darwin") == there / "Serum Presets/Tables"
    assert install.place("serum2", "darwin") == there / "Serum 2 Presets/Tables"
    with pytest.raises(NoRelease) as raised:
        install.place("serum", "linux")
    advice = "Serum has no Linux release; give the Tables folder of your Wine prefix with --to"
    assert sentence(raised.value) == advice


def test_the_readme_of_a_pack_names_the_same_folders(home):
    text = conclusion.readme(Pack("First Light", formats=("serum", "vital", "wt16")), [])
    for line in (
        "Windows:    Documents/Xfer/Serum Presets/Tables/First Light",
        "macOS:      /Library/Audio/Presets/Xfer Records/Serum Presets/Tables/First Light",
        "Linux:      .local/share/vital/First Light/Wavetables",
        "Everywhere: Documents/Surge XT/Wavetables/First Light",
    ):
        assert f"    {line}\r\n" in text
    assert install.place("vital", "linux") == home / ".local/share/vital"


def test_vital_is_found_where_the_desktop_keeps_data(home, monkeypatch):
    monkeypatch.setenv("XDG_DATA_HOME", "/data")
    assert install.place("vital", "linux") == Path("/data/vital")


def test_it_only_says_where_until_told_to(home, capsys):
    assert main(["install", "pack", "--synth", "surge", "--to", "there"]) == 0
    out, err = capsys.readouterr()
    assert out == f"{Path('there/First Light/Keys/A.wt')}\n"
    assert "add --yes to copy" in err
    assert not Path("there").exists()


@pytest.mark.parametrize(
    ("synth", "path"),
    [
        ("serum", "First Light/Keys/A.wav"),
        ("vital", "First Light/Wavetables/Keys/A.vitaltable"),
        ("surge", "First Light/Keys/A.wt"),
    ],
)
def test_it_copies_and_finds_its_copies_again(home, capsys, synth, path):
    for said in ("1 table copied, 0 there already", "0 tables copied, 1 there already"):
        assert main(["install", "pack", "--synth", synth, "--to", "there", "--yes"]) == 0
        assert said in capsys.readouterr().err
    assert [found for found in Path("there").rglob("*") if found.is_file()] == [Path("there") / path]


def test_another_file_is_not_replaced_unasked(home, capsys):
    other = Path("there/First Light/Keys/A.wav")
    other.parent.mkdir(parents=True)
    other.write_bytes(b"older")
    line = ["install", "pack", "--synth", "serum", "--to", "there", "--yes"]
    assert main(line) == 1
    assert "is another file already; add --force" in capsys.readouterr().err
    assert other.read_bytes() == b"older"
    assert main([*line, "--force"]) == 0
    assert other.read_bytes() == b"Serum/Keys/A.wav"


@pytest.mark.parametrize(
    ("line", "code", "said"),
    [
        ("install pack", 2, "needs --synth"),
        ("install pack --synth syrum", 2, "did you mean serum?"),
        ("install pack --synth serum,vital --to x", 2, "give one --synth"),
        ("install nothing --synth vital", 1, "no pack"),
        ("install nothing --zip", 1, "no pack"),
    ],
)
def test_wrong_usage_is_one_clear_line(home, capsys, line, code, said):
    assert main(line.split()) == code
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert said in error


def test_a_pack_without_the_format_says_how_to_get_it(home, capsys):
    data = json.loads(Path("pack/pack.json").read_text())
    del data["items"][0]["tables"]["vital"]
    Path("pack/pack.json").write_text(json.dumps(data))
    assert main(["install", "pack", "--synth", "vital"]) == 1
    assert "make the pack with --format vital" in capsys.readouterr().err


@pytest.mark.parametrize("bad", ["../../.bashrc", "/etc/passwd", "C:\\x", "Serum/../../x"])
def test_a_hostile_manifest_leads_nowhere(home, capsys, bad):
    data = json.loads(Path("pack/pack.json").read_text())
    data["items"][0]["tables"]["serum"] = bad
    Path("pack/pack.json").write_text(json.dumps(data))
    assert main(["install", "pack", "--synth", "serum", "--to", "there", "--yes"]) == 1
    assert "not the manifest of a pack" in capsys.readouterr().err
