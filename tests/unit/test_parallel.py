"""Results in order or as they are finished, few in memory, errors in their place; the same with one core."""

import os
import signal
import threading
from collections.abc import Iterator
from functools import partial

import pytest

from nsynth_core import parallel
from nsynth_core.parallel import MAX_WAITING, WorkerKilled, blocks_in_threads, in_processes, in_threads


@pytest.fixture(params=[1, 3])
def cores(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> int:
    monkeypatch.setattr(os, "cpu_count", lambda: request.param)
    assert parallel.cores() == request.param
    return int(request.param)


def test_threads_give_results_in_order(cores: int) -> None:
    assert list(in_threads(partial(pow, number, 2) for number in range(200))) == [n**2 for n in range(200)]


def test_few_jobs_wait_in_memory(cores: int) -> None:
    fetched = 0

    def jobs() -> Iterator[partial[int]]:
        nonlocal fetched
        for number in range(1000):
            fetched = number + 1
            yield partial(int, number)

    results = in_threads(jobs())
    for number, result in enumerate(results):
        assert result == number
        assert fetched <= number + 1 + MAX_WAITING
        if number == 100:
            break
    results.close()  # type: ignore[attr-defined]
    assert fetched < 200


def test_an_error_comes_in_its_place(cores: int) -> None:
    results = in_threads(iter([partial(int, 7), partial(int, "seven"), partial(int, 8)]))
    assert next(results) == 7
    with pytest.raises(ValueError, match="seven"):
        next(results)


@pytest.mark.parametrize("count", [0, 3, parallel.FEWEST_BLOCKS, 100])
def test_every_block_is_worked_once(cores: int, count: int) -> None:
    worked, lock = [], threading.Lock()

    def work(start: int) -> None:
        with lock:
            worked.append(start)

    blocks_in_threads(work, range(0, 10 * count, 10))
    assert sorted(worked) == list(range(0, 10 * count, 10))


def test_blocks_raise_what_the_work_raises(cores: int) -> None:
    with pytest.raises(ZeroDivisionError):
        blocks_in_threads(lambda start: print(1 / start), range(100))


@pytest.mark.parametrize("ordered", [True, False])
@pytest.mark.parametrize("workers", [1, 2])
def test_processes_do_every_job(ordered: bool, workers: int) -> None:
    results = list(in_processes([partial(pow, number, 2) for number in range(9)], workers, ordered=ordered))
    assert (results if ordered else sorted(results)) == [n**2 for n in range(9)]
    assert list(in_processes([], workers)) == []


def test_one_worker_is_this_process() -> None:
    assert list(in_processes([os.getpid, os.getpid], 1)) == [os.getpid()] * 2
    assert os.getpid() not in set(in_processes([os.getpid, os.getpid], 2))


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="no such signal on Windows")
def test_a_killed_process_is_told() -> None:
    with pytest.raises(WorkerKilled, match="memory"):
        # raised in the worker itself; a function of this file could not be found there
        list(in_processes([partial(signal.raise_signal, signal.SIGKILL)] * 3, 2))
