"""Packs under stress: killed at any moment, on a cluster, and what a table costs.

pytest tests/quality/test_pack.py -s
PACK_KILLS=50 pytest tests/quality/test_pack.py -s -k killed
PACK_TABLES=1000 pytest tests/quality/test_pack.py -s -k scale
"""

from __future__ import annotations

import hashlib
import json
import os
import random
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

import numpy as np
import psutil
import pytest
import soundfile

from wavetables.packs import journal

PROGRAM = [sys.executable, "-m", "wavetables"]
KILLS = int(os.environ.get("PACK_KILLS", "4"))
TABLES = int(os.environ.get("PACK_TABLES", "12"))
RATE = 44_100

pytestmark = pytest.mark.skipif(os.name == "nt", reason="kills process groups")


def recordings(folder: Path, count: int, seconds: float) -> Path:
    """Notes of random spectra and pitches; no two alike."""
    rng = np.random.default_rng(7)
    folder.mkdir(parents=True)
    time = np.arange(int(seconds * RATE)) / RATE
    for index in range(count):
        hz = 55 * 2 ** rng.uniform(0, 3)
        phase = 2 * np.pi * np.cumsum(hz * (1 + 0.004 * np.sin(2 * np.pi * 5 * time))) / RATE
        number = np.arange(1, int(min(60, 16_000 / hz)))
        level = rng.random(len(number)) / number ** rng.uniform(0.3, 1.5)
        fade = np.exp(-time[:, None] * number * rng.uniform(0, 0.1))
        wave = (np.sin(np.outer(phase, number)) * fade) @ level
        noise = 1e-3 * rng.standard_normal(len(time))
        soundfile.write(
            folder / f"note {index:04}.wav", 0.5 * wave / np.abs(wave).max() + noise, RATE, subtype="PCM_16"
        )
    return folder


def tree(folder: Path) -> dict[str, str]:
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def start(*arguments: object, cache: Path) -> subprocess.Popen[bytes]:
    environment = {**os.environ, "MAKE_WAVETABLE_CACHE": str(cache), "OMP_NUM_THREADS": "1"}
    command = [*PROGRAM, "pack", *map(str, arguments), "--quiet"]
    return subprocess.Popen(
        command, env=environment, start_new_session=True, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
    )


def finish(process: subprocess.Popen[bytes]) -> None:
    _, error = process.communicate(timeout=3000)
    assert process.returncode == 0, error.decode()


@pytest.mark.parametrize("workers", [1, 2])
@pytest.mark.slow
def test_killed_at_any_moment_a_pack_ends_byte_identical(tmp_path, workers):
    """kill -9, of the whole run or of its parent alone, then the same command again, until nothing is left to do."""
    sounds = recordings(tmp_path / "sounds", 10, 0.4)
    options = (sounds, "--format", "serum,vital,wt", "--workers", workers)
    begun = time.monotonic()
    finish(start(*options, "-o", tmp_path / "whole", cache=tmp_path / "cache0"))
    needed = time.monotonic() - begun
    whole = tree(tmp_path / "whole")
    dice = random.Random(workers)
    kills, resumed, rounds = 0, 0, 0
    while kills < KILLS:
        rounds += 1
        folder = tmp_path / f"out{rounds}" / "whole"
        while True:
            done = (folder / journal.NAME).read_bytes().count(b"\n") if (folder / journal.NAME).exists() else 0
            resumed += done > 0
            process = start(*options, "-o", folder, cache=tmp_path / f"cache{rounds}")
            try:
                _, error = process.communicate(timeout=dice.uniform(0.1, 1.0) * needed)
                assert process.returncode == 0, error.decode()
                break
            except subprocess.TimeoutExpired:
                kills += 1
                if dice.random() < 0.5:
                    os.killpg(process.pid, signal.SIGKILL)
                else:
                    process.kill()
                    time.sleep(dice.uniform(0, 0.3))  # orphans may still be writing
                    with suppress(ProcessLookupError):
                        os.killpg(process.pid, signal.SIGKILL)
                process.communicate()
            if kills >= KILLS:
                finish(start(*options, "-o", folder, cache=tmp_path / f"cache{rounds}"))
                break
        assert tree(folder) == whole
    print(f"\n{workers} workers: {kills} kills in {rounds} packs, {resumed} runs went on from finished tables")


@contextmanager
def cluster(tmp_path: Path, workers: int, cache: Path) -> Iterator[tuple[str, list[int]]]:
    """(address, process ids) of a Dask scheduler and workers of one thread each, as a user starts them."""
    address = tmp_path / "scheduler.json"
    environment = {**os.environ, "MAKE_WAVETABLE_CACHE": str(cache)}
    common = {"env": environment, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, "cwd": tmp_path}
    dask = [sys.executable, "-m", "distributed.cli.dask_scheduler", "--port", "0", "--no-dashboard", "--no-show"]
    processes = [subprocess.Popen([*dask, "--scheduler-file", str(address)], **common)]
    work = [sys.executable, "-m", "distributed.cli.dask_worker", "--scheduler-file", str(address), "--nthreads", "1"]
    processes += [subprocess.Popen([*work, "--no-dashboard"], **common) for _ in range(workers)]
    try:
        until = time.monotonic() + 120
        while not address.exists() and time.monotonic() < until:
            time.sleep(0.1)
        found = json.loads(address.read_text())["address"]
        from distributed import Client

        with Client(found, timeout=60) as client:
            client.wait_for_workers(workers, timeout=120)
        yield found, [process.pid for process in processes]
    finally:
        for process in reversed(processes):
            process.terminate()
        for process in processes:
            process.wait(timeout=60)


@pytest.mark.slow
def test_a_cluster_makes_the_same_bytes(tmp_path):
    """More tables than are ever on their way to the workers."""
    sounds = recordings(tmp_path / "sounds", 10, 0.2)
    finish(start(sounds, "-o", tmp_path / "here", "--workers", 1, cache=tmp_path / "cache1"))
    with cluster(tmp_path, 2, tmp_path / "cache2") as (address, _):
        finish(start(sounds, "-o", tmp_path / "there", "--cluster", address, cache=tmp_path / "cache3"))
    assert tree(tmp_path / "here") == tree(tmp_path / "there")


@pytest.mark.slow
def test_no_cluster_is_one_line(tmp_path):
    sounds = recordings(tmp_path / "sounds", 1, 0.3)
    process = start(sounds, "-o", tmp_path / "out", "--cluster", "tcp://127.0.0.1:9", cache=tmp_path / "cache")
    _, error = process.communicate(timeout=120)
    assert process.returncode == 1
    assert error.count(b"\n") == 1
    assert b"no Dask scheduler answers there" in error
    assert not (tmp_path / "out").exists()


BARE = """
import sys, time
from pathlib import Path
from wavetables.formats import serum
from wavetables.importing import import_sound

paths, out, rest = sorted(Path(sys.argv[1]).iterdir()), Path(sys.argv[2]), Path(sys.argv[2]) / "over"
import_sound(paths[0])
spent, made = 0.0, 0
while not (made and rest.exists()):
    for path in paths:
        begun = time.process_time()
        serum.write(out / path.name, import_sound(path), True)
        spent, made = spent + time.process_time() - begun, made + 1
        if made >= 10 and rest.exists():
            break
print(spent / made)
"""


@contextmanager
def bare(sounds: Path) -> Iterator[list[float]]:
    """Meanwhile analysis, slicing and writing alone, again and again in a process beside: at the end the list holds the
    CPU seconds a table costs so. Both then have the same machine, however busy that is."""
    out = sounds.parent / "bare"
    out.mkdir()
    environment = {**os.environ, **dict.fromkeys(("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS"), "1")}
    command = [sys.executable, "-c", BARE, str(sounds), str(out)]
    process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True)
    result: list[float] = []
    yield result
    (out / "over").touch()
    said, _ = process.communicate(timeout=600)
    result.append(float(said))


class Run(NamedTuple):
    """`cpu` of all processes that were waited for; `longest`: CPU seconds of the command and of its busiest worker, one
    after the other, which is what it takes at least where every worker has a processor to itself."""

    seconds: float
    cpu: float
    megabytes: float
    longest: float


def measured(process: subprocess.Popen[bytes], *others: psutil.Process) -> Run:
    """What a run takes; `others` work for it, too."""

    def family() -> Iterator[psutil.Process]:
        for member in (psutil.Process(process.pid), *others):
            with suppress(psutil.Error):
                yield from (member, *member.children(recursive=True))

    def spent(one: psutil.Process) -> float:
        return one.cpu_times().user + one.cpu_times().system

    begun, before = time.monotonic(), resource.getrusage(resource.RUSAGE_CHILDREN)
    earlier = {one.pid: spent(one) for one in family() if one.pid != process.pid}
    peak, cpu = 0, {process.pid: 0.0, 0: 0.0}
    while process.poll() is None:
        total = 0
        for one in family():
            with suppress(psutil.Error):
                total += one.memory_info().rss
                cpu[one.pid] = spent(one) - earlier.get(one.pid, 0.0)
        peak = max(peak, total)
        time.sleep(0.2)
    seconds = time.monotonic() - begun
    finish(process)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    waited = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    own = cpu.pop(process.pid)
    return Run(seconds, waited + sum(cpu[pid] for pid in earlier if pid in cpu), peak / 1e6, own + max(cpu.values()))


@pytest.mark.slow
def test_scale(tmp_path):
    """Figures of docs/packs.md. The limit holds for CPU time: what a table costs beside the bare work."""
    sounds = recordings(tmp_path / "sounds", TABLES, 1.0)
    few = recordings(tmp_path / "few", 1, 1.0)
    rows = {}
    start_up = measured(start(few, "-o", tmp_path / "one", "--workers", 1, cache=tmp_path / "cache0"))
    with bare(sounds) as alone:
        run = start(sounds, "-o", tmp_path / "beside", "--workers", 1, cache=tmp_path / "cache1")
        beside = measured(run)
    for workers in (1, 2) if TABLES > 100 else (2,):
        run = start(sounds, "-o", tmp_path / f"w{workers}", "--workers", workers, cache=tmp_path / f"cache-w{workers}")
        rows[f"{workers} workers"] = measured(run)
    if TABLES > 100:
        with cluster(tmp_path, 2, tmp_path / "cache3") as (address, pids):
            run = start(sounds, "-o", tmp_path / "dask", "--cluster", address, cache=tmp_path / "cache3")
            rows["Dask, 2 workers"] = measured(run, *map(psutil.Process, pids))
    for name, row in rows.items():
        told = f"{row.seconds:.1f} s, {row.cpu:.1f} s CPU, {row.longest:.1f} s of them one after the other"
        print(f"\n{TABLES} tables, {name}: {told}, at most {row.megabytes:.0f} MB together", end="")
    cost = (beside.cpu - start_up.cpu) / max(TABLES - 1, 1) / alone[0]
    print(f"\na table costs {cost:.2f} x the bare work of {1000 * alone[0]:.0f} ms")
    assert tree(tmp_path / "beside") == tree(tmp_path / "w2")
    if TABLES > 100:  # fewer are over before a clock tells them from what else the machine does
        assert cost < 1.3
