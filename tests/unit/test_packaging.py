"""What a built wheel and the project's metadata contain."""

from __future__ import annotations

import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

from nsynth_core.harmonic.runtime import GRAPHS

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

ROOT = Path(__file__).parents[2]
FOLDERS = ("nsynth_core", "presets", "wavetables")


@pytest.mark.slow
def test_wheel_and_sdist_contain_all_that_the_program_reads(tmp_path: Path) -> None:
    """The files that git knows, not those of this folder: nothing may depend on what an earlier build left."""
    pytest.importorskip("build")
    listed = subprocess.run(["git", "ls-files", *FOLDERS], cwd=ROOT, capture_output=True, text=True, check=False)
    if listed.returncode:
        pytest.skip("not a git checkout")
    known = set(listed.stdout.split())
    source = tmp_path / "source"
    for name in (*known, "pyproject.toml", "README.md", "LICENSE", "docs/soundfont-licences.md"):
        target = source / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes((ROOT / name).read_bytes())
    build = [sys.executable, "-m", "build", "--outdir", tmp_path, source]
    done = subprocess.run([*map(str, build)], capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    (wheel,), (sdist,) = tmp_path.glob("*.whl"), tmp_path.glob("*.tar.gz")
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
    assert known <= names
    assert {f"nsynth_core/harmonic/weights/{name}.tflite" for name in GRAPHS} <= names
    assert {"presets/bank/bank.npz", "presets/grid5.toml", "presets/instruments.toml"} <= names
    assert {f"{folder}/py.typed" for folder in FOLDERS} <= names
    assert any(name.endswith("web/index.html") for name in names)
    assert any(name.endswith("licenses/LICENSE") for name in names)
    with tarfile.open(sdist) as archive:
        unpacked = {name.partition("/")[2] for name in archive.getnames()}
    assert known <= unpacked


def test_tensorflow_comes_with_extras_only() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = project["optional-dependencies"]
    assert not [line for line in project["dependencies"] if line.startswith(("tensorflow", "keras", "matplotlib"))]
    for extra in ("nsynth", "train"):
        assert any(line.startswith("tensorflow") for line in extras[extra])
    assert extras["all"] == ["make-wavetable[cluster,nsynth,plot,train]"]
    assert extras["test"] == ["make-wavetable[all,test-tools]"]


def test_the_citation_names_this_version() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    fields = dict(
        line.split(": ", 1)
        for line in (ROOT / "CITATION.cff").read_text(encoding="utf-8").splitlines()
        if ": " in line and not line.startswith(" ")
    )
    assert fields["cff-version"] == "1.2.0"
    assert fields["version"] == project["version"]
    assert fields["license"] == project["license"]
    assert fields["title"] == project["name"]
