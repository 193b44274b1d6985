"""Jobs to workers and results back, in the order in which they are done: in this process, in several on this machine,
or on a Dask cluster. No more than a few are ever under way, so memory does not grow with the pack."""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from itertools import islice
from pathlib import Path
from typing import Any, TypeVar

from nsynth_core.cache import program
from nsynth_core.errors import UserError
from nsynth_core.parallel import WorkerKilled, in_processes

AHEAD = 3  # jobs a thread of the cluster has waiting, so that none idles
CONNECT_SECONDS = 10
M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3  # glibc's malloc.h
AGAIN = "run the same command again: it goes on from here"
Result = TypeVar("Result")


def results(jobs: Sequence[Callable[[], Result]], folder: Path, workers: int, cluster: str | None) -> Iterator[Result]:
    """What each job gives; it can be sent to another process and raises nothing. `folder` is where they write. Raises
    UserError: the cluster cannot be reached or is not fit, a worker was killed."""
    if not jobs:
        return iter(())
    if cluster is not None:
        return _on_cluster(jobs, folder, cluster)
    return _local(jobs, workers)


def _local(jobs: Sequence[Callable[[], Result]], workers: int) -> Iterator[Result]:
    try:
        yield from in_processes(jobs, workers, ordered=False)
    except WorkerKilled as error:
        raise UserError(f"{error}; use fewer --workers; {AGAIN}") from error


def _on_cluster(jobs: Sequence[Callable[[], Result]], folder: Path, address: str) -> Iterator[Result]:
    try:
        from distributed import Client, as_completed
    except ImportError as error:
        raise UserError("--cluster needs Dask; pip install 'make-wavetable[cluster]'") from error
    try:
        client: Any = Client(address, timeout=CONNECT_SECONDS)
    except (OSError, ValueError, TypeError) as error:
        raise UserError(
            f"--cluster {address}: no Dask scheduler answers there; start one with 'dask scheduler'"
        ) from error
    with client:
        threads = sum(_fit(client, address, folder).values())
        queue: Any = as_completed()
        waiting = iter(jobs)
        for job in islice(waiting, AHEAD * threads):
            queue.add(client.submit(job, pure=False))
        for future in queue:
            try:
                yield future.result()
            except Exception as error:  # of the cluster: the job itself raises none
                raise UserError(f"--cluster {address}: {type(error).__name__}: {error}; {AGAIN}") from error
            future.release()
            for job in islice(waiting, 1):
                queue.add(client.submit(job, pure=False))


def _keep_memory() -> None:
    """Dask starts its workers with an allocator that gives every page back at once (MALLOC_TRIM_THRESHOLD_), only to be
    given it again, empty: on arrays of a few MB that doubles the time. glibc's own limits, as in any other process."""
    with suppress(OSError, AttributeError, TypeError):  # another C library
        libc = ctypes.CDLL(None)
        libc.mallopt(M_MMAP_THRESHOLD, 32 << 20)
        libc.mallopt(M_TRIM_THRESHOLD, 64 << 20)


def _fit(client: Any, address: str, folder: Path) -> dict[str, int]:
    """Threads of each worker. Raises UserError: there is none, one runs another release or does not see `folder`."""
    threads: dict[str, int] = client.nthreads()
    if not threads:
        raise UserError(f"--cluster {address}: no workers there; start some with 'dask worker {address}'")
    try:
        programs = client.run(program)
        sees = client.run(folder.is_dir)
    except ImportError as error:
        raise UserError(f"--cluster {address}: make-wavetable is not installed where its workers run") from error
    client.run(_keep_memory)
    for worker in threads:
        if programs[worker] != program():
            raise UserError(f"--cluster {address}: worker {worker} runs another release of make-wavetable or numpy")
        if not sees[worker]:
            raise UserError(
                f"--cluster {address}: worker {worker} does not see {folder}; the pack must be in a folder all share"
            )
    return threads
