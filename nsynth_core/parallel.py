"""Several jobs at once: in threads, where NumPy releases the interpreter, or in processes, for long jobs of their own.

The number of cores changes only the time, never a result: no job depends on another, and a process computes with one
thread, because the way in which BLAS divides a sum among threads decides its last bits.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from typing import TypeVar

from nsynth_core.errors import UserError

MAX_WAITING = 64  # jobs and results of `in_threads` in memory at once
FEWEST_BLOCKS = 32  # with fewer blocks, starting threads takes longer than it saves
IDLE_SECONDS = 30  # after which a process without a job ends, for example because its parent was killed
Result = TypeVar("Result")


class WorkerKilled(UserError):
    """The system ended a worker process, most often because memory ran out."""

    def __init__(self) -> None:
        super().__init__("a worker process was killed, perhaps because memory ran out")


def cores() -> int:
    """The number of processor cores, 1 where it is unknown.

    >>> cores() >= 1
    True
    """
    return os.cpu_count() or 1


def in_threads(jobs: Iterable[Callable[[], Result]]) -> Iterator[Result]:
    """The results of `jobs` in order, computed in one thread per core.

    jobs: functions without arguments. They are taken one by one, and at most 64 jobs and results wait in memory.
    Raises what a job raises, in its place. Jobs that have not begun are then dropped.

    >>> list(in_threads(lambda number=number: number**2 for number in range(4)))
    [0, 1, 4, 9]
    """
    from concurrent.futures import ThreadPoolExecutor

    remaining = iter(jobs)
    with ThreadPoolExecutor(cores()) as pool:
        waiting = deque(pool.submit(job) for job in islice(remaining, MAX_WAITING))
        try:
            while waiting:
                yield waiting.popleft().result()
                waiting.extend(pool.submit(job) for job in islice(remaining, 1))
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise


def blocks_in_threads(work: Callable[[int], None], blocks: range) -> None:
    """Call `work` with the start of every block, in one thread per core where there are 32 blocks or more.

    Each call must write its own part of the result, so that the order does not matter. Raises what `work` raises.

    >>> squares = [0] * 4
    >>> blocks_in_threads(lambda start: squares.__setitem__(start, start**2), range(4))
    >>> squares
    [0, 1, 4, 9]
    """
    if len(blocks) < FEWEST_BLOCKS or cores() == 1:
        for start in blocks:
            work(start)
        return
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(cores()) as pool:
        for _ in pool.map(work, blocks):
            pass


def in_processes(
    jobs: Sequence[Callable[[], Result]], workers: int | None = None, *, ordered: bool = True
) -> Iterator[Result]:
    """The results of `jobs`, computed in `workers` processes with one thread of arithmetic each.

    jobs: functions without arguments that can be pickled
    workers: 1 or more, one per core by default. With 1, or with one job, the jobs run in this process.
    ordered: True gives the results in the order of the jobs, False as they are finished
    Raises WorkerKilled when the system ends a process, and what a job raises.

    >>> from functools import partial
    >>> list(in_processes([partial(pow, number, 2) for number in range(4)], workers=1))
    [0, 1, 4, 9]
    """
    processes = min(workers or cores(), len(jobs))
    if processes <= 1:
        yield from (job() for job in jobs)
        return
    from joblib import Parallel, delayed, parallel_config
    from joblib.externals.loky.process_executor import TerminatedWorkerError

    with parallel_config("loky", inner_max_num_threads=1, idle_worker_timeout=IDLE_SECONDS):
        pool = Parallel(processes, return_as="generator" if ordered else "generator_unordered", batch_size=1)
        try:
            yield from pool(delayed(job)() for job in jobs)
        except TerminatedWorkerError as error:
            raise WorkerKilled from error
