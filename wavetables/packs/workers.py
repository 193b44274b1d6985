"""Workers make the items of a pack: this process, several processes of this machine, or a Dask cluster.

Results come as they are finished. Only a few jobs are under way at once, so that memory does not grow with the pack.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from itertools import islice
from pathlib import Path
from typing import Any, TypeVar

from nsynth_core.errors import MissingExtra
from nsynth_core.parallel import in_processes
from wavetables.caching import program
from wavetables.packs.errors import ClusterError

AHEAD = 3  # jobs that wait for each thread of the cluster, so that no thread idles
CONNECT_SECONDS = 10
M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3  # glibc's malloc.h
Result = TypeVar("Result")


def results(jobs: Sequence[Callable[[], Result]], folder: Path, workers: int, cluster: str | None) -> Iterator[Result]:
    """The results of the jobs, as they are finished.

    jobs: functions that can be pickled and raise nothing
    folder: where they write
    workers: processes on this machine
    cluster: the address of a Dask scheduler, None for this machine
    Raises WorkerKilled: the system ended a process, most often because memory ran out. Raises ClusterError: the cluster
    does not answer or cannot do the work. Raises MissingExtra: Dask is not installed.

    >>> from functools import partial
    >>> list(results([partial(pow, 2, 3)], Path("out"), 1, None))
    [8]
    """
    if not jobs:
        return iter(())
    if cluster is not None:
        return _on_cluster(jobs, folder, cluster)
    return in_processes(jobs, workers, ordered=False)


def _on_cluster(jobs: Sequence[Callable[[], Result]], folder: Path, address: str) -> Iterator[Result]:
    try:
        from distributed import Client, as_completed
    except ImportError as error:
        raise MissingExtra("cluster", "Dask") from error
    try:
        client: Any = Client(address, timeout=CONNECT_SECONDS)
    except (OSError, ValueError, TypeError) as error:
        raise ClusterError(address, "no Dask scheduler answers there; start one with 'dask scheduler'") from error
    with client:
        threads = sum(_checked_threads(client, address, folder).values())
        queue: Any = as_completed()
        waiting = iter(jobs)
        for job in islice(waiting, AHEAD * threads):
            queue.add(client.submit(job, pure=False))
        for future in queue:
            try:
                yield future.result()
            except Exception as error:  # an error of the cluster: the job itself raises none
                raise ClusterError(address, f"{type(error).__name__}: {error}", begun=True) from error
            future.release()
            for job in islice(waiting, 1):
                queue.add(client.submit(job, pure=False))


def _keep_memory() -> None:
    """Set the limits of glibc's allocator to those of any other process.

    Dask starts its workers with an allocator that returns every page at once (MALLOC_TRIM_THRESHOLD_) and then gets it
    again, empty. On arrays of a few MB that doubles the time.
    """
    with suppress(OSError, AttributeError, TypeError):  # another C library
        libc = ctypes.CDLL(None)
        libc.mallopt(M_MMAP_THRESHOLD, 32 << 20)
        libc.mallopt(M_TRIM_THRESHOLD, 64 << 20)


def _checked_threads(client: Any, address: str, folder: Path) -> dict[str, int]:
    """The threads of each worker. Raises ClusterError: there is no worker, or one runs another release or does not see
    `folder`."""
    threads: dict[str, int] = client.nthreads()
    if not threads:
        raise ClusterError(address, f"no workers there; start some with 'dask worker {address}'")
    try:
        programs = client.run(program)
        sees = client.run(folder.is_dir)
    except ImportError as error:
        raise ClusterError(address, "make-wavetable is not installed where its workers run") from error
    client.run(_keep_memory)
    for worker in threads:
        if programs[worker] != program():
            raise ClusterError(address, f"worker {worker} runs another release of make-wavetable or numpy")
        if not sees[worker]:
            raise ClusterError(
                address, f"worker {worker} does not see {folder}; the pack must be in a folder all share"
            )
    return threads
