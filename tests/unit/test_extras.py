"""Without an optional dependency, the commands that need it end in one line that names the extra; the others work."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from nsynth_core.audio import sine, write
from nsynth_core.errors import missing_extra

RUN = "import sys; sys.modules.update(dict.fromkeys({hidden}, None)); from wavetables.cli import main; sys.exit(main())"
TENSORFLOW = ("tensorflow", "keras")


def without(modules: tuple[str, ...], folder: Path, line: str) -> subprocess.CompletedProcess[str]:
    """The command line in `folder`, where `modules` cannot be imported."""
    command = [sys.executable, "-c", RUN.format(hidden=modules), *line.split()]
    root = str(Path(__file__).parents[2])
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([root, os.environ.get("PYTHONPATH", "")])}
    return subprocess.run(
        command, cwd=folder, capture_output=True, text=True, timeout=120, check=False, env=environment
    )


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a sound, an empty corpus, and what could be a checkpoint."""
    place = tmp_path_factory.mktemp("extras")
    write(place / "a.wav", sine(220))
    (place / "sounds").mkdir()
    write(place / "sounds" / "b_C4.wav", sine(261.63))
    (place / "model.ckpt-1.index").write_bytes(b"index")
    (place / "model.ckpt-1.data-00000-of-00001").write_bytes(b"data")
    return place


@pytest.mark.parametrize(
    ("line", "extra", "packages"),
    [
        ("models model.ckpt-1", "nsynth", "tensorflow"),
        ("blend a.wav sounds/b_C4.wav --engine nsynth --checkpoint model.ckpt-1 -o x.wav", "nsynth", "tensorflow"),
        ("train sounds --engine nsynth -o trained", "train", "pyfluidsynth tensorflow"),
    ],
)
def test_without_tensorflow_the_extra_is_named(folder: Path, line: str, extra: str, packages: str) -> None:
    done = without(TENSORFLOW, folder, line)
    assert done.returncode == 1
    assert done.stderr == (
        f"make-wavetable: error: TensorFlow is not installed; the extra {extra} brings it: pip install {packages}\n"
    )


def test_without_matplotlib_the_extra_is_named(folder: Path) -> None:
    done = without(("matplotlib",), folder, "import a.wav -o x.wav --plot x.png")
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].endswith(
        "matplotlib is not installed; the extra plot brings it: pip install matplotlib"
    )


def test_without_any_extra_the_daily_commands_work(folder: Path) -> None:
    hidden = (*TENSORFLOW, "matplotlib", "distributed", "fluidsynth")
    for line in (
        "blend a.wav choir --duration 0.5 -o note.wav",
        "import a.wav -o table.wav",
        "inspect table.wav",
        "convert table.wav table.vitaltable",
        "models",
        "presets grid5",
        "pack sounds -o pack --title T --author A --licence CC0-1.0",
    ):
        done = without(hidden, folder, line)
        assert done.returncode == 0, (line, done.stderr)


def test_only_known_modules_stand_for_an_extra() -> None:
    assert missing_extra(ModuleNotFoundError(name="numpy")) is None
    assert missing_extra(ImportError("libfluidsynth", name="fluidsynth")) is None
    error = missing_extra(ModuleNotFoundError(name="distributed.client"))
    assert error is not None
    assert (error.extra, error.what) == ("cluster", "Dask")
