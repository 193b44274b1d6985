"""The cache: by content, bounded, never in the way."""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import pytest

from nsynth_core import cache
from nsynth_core.errors import UserError
from wavetables.cli import main


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv(cache.FOLDER, str(tmp_path / "cache"))
    return tmp_path / "cache"


def save(path: Path, value: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as file:
        np.savez(file, value=value)


def load(path: Path) -> np.ndarray:
    try:
        with np.load(path) as data:
            return data["value"]
    except Exception as error:
        raise UserError("damaged") from error


class Made:
    """Counts how often it is asked for its value."""

    def __init__(self, size: int = 10):
        self.value, self.times = np.arange(size, dtype=np.float32), 0

    def __call__(self) -> np.ndarray:
        self.times += 1
        return self.value


def test_what_is_remembered_is_not_made_again():
    made, name = Made(), cache.digest("a")
    for _ in range(3):
        assert np.array_equal(cache.remember(name, made, save, load), made.value)
    assert made.times == 1
    cache.remember(cache.digest("b"), made, save, load)
    assert made.times == 2


def test_a_name_depends_on_all_that_decides_the_value(monkeypatch):
    first = cache.digest("table", "sha", 48.0, None)
    assert cache.digest("table", "sha", 48.0, None) == first
    assert cache.digest("table", "sha", 48.5, None) != first
    monkeypatch.setattr(cache, "program", lambda packages: ["other code"])
    assert cache.digest("table", "sha", 48.0, None) != first


def test_a_damaged_entry_is_made_again(folder):
    made, name = Made(), cache.digest("a")
    cache.remember(name, made, save, load)
    (path,) = folder.glob("*/*.npz")
    path.write_bytes(path.read_bytes()[:50])
    assert np.array_equal(cache.remember(name, made, save, load), made.value)
    assert made.times == 2
    assert np.array_equal(load(path), made.value)


def test_a_cache_that_cannot_be_written_costs_only_time(folder):
    folder.write_bytes(b"a file where the folder should be")
    made = Made()
    assert np.array_equal(cache.remember(cache.digest("a"), made, save, load), made.value)
    assert cache.info().entries == 0


def test_the_least_recently_used_go_first(folder):
    names = [cache.digest(index) for index in range(10)]
    for age, name in enumerate(reversed(names)):
        cache.remember(name, Made(1000), save, load)
        os.utime(folder / name[:2] / f"{name}.npz", (1e9 - age, 1e9 - age))  # the later made, the older
    cache.remember(names[0], Made(), save, load)  # used again: the youngest
    size = cache.info().bytes // 10
    cache.prune(10 * size)
    assert cache.info().entries == 10
    cache.prune(5 * size)
    left = {path.stem for path in folder.glob("*/*.npz")}
    assert names[0] in left
    assert len(left) == 4
    assert cache.info().bytes <= 5 * size
    made = Made()
    for name in names:
        cache.remember(name, made, save, load)
    assert made.times == 6


def test_it_is_pruned_while_it_grows(monkeypatch):
    monkeypatch.setattr(cache, "PRUNE_EVERY", 20_000)
    monkeypatch.setattr(cache.prune, "__defaults__", (30_000,))
    for index in range(30):
        cache.remember(cache.digest(index), Made(1000), save, load)
    assert cache.info().bytes < 60_000


def test_info_and_clear(folder, capsys):
    cache.remember(cache.digest("a"), Made(), save, load)
    assert main(["cache", "info"]) == 0
    assert f"{folder}: 1 file" in capsys.readouterr().out
    (folder / "mine.txt").write_text("not the cache's")
    assert main(["cache", "clear", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["entries"] == 1
    assert cache.info().entries == 0
    assert (folder / "mine.txt").exists()
    assert main(["cache", "clear"]) == 0
    assert main(["cache", "empty"]) == 2
    assert "no cache command is named 'empty'" in capsys.readouterr().err
