"""Items to workers and results back, in the order in which they are done: in this process, in several on this machine,
or on a Dask cluster. No more than a few are ever under way, so memory does not grow with the pack."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from nsynth_core.cache import program
from nsynth_core.errors import UserError
from wavetables.packs.journal import Facts
from wavetables.packs.making import Failure, make
from wavetables.packs.plan import Item, Pack

AHEAD = 3  # items a thread of the cluster has waiting, so that none idles
CONNECT_SECONDS = 10
Result = Facts | Failure


def results(pack: Pack, items: Sequence[Item], folder: Path, workers: int, cluster: str | None) -> Iterator[Result]:
    """What `making.make` gives for each of `items`. Raises UserError: the cluster cannot be reached or is not fit, a
    worker was killed."""
    bare = replace(pack, items=(), licence_text="")  # every job carries it
    if not items:
        return iter(())
    if cluster is not None:
        return _on_cluster(bare, items, folder.resolve(), cluster)
    if min(workers, len(items)) == 1:
        return (make(bare, item, folder) for item in items)
    return _local(bare, items, folder, min(workers, len(items)))


def _local(pack: Pack, items: Sequence[Item], folder: Path, workers: int) -> Iterator[Result]:
    from joblib import Parallel, delayed, parallel_config
    from joblib.externals.loky.process_executor import TerminatedWorkerError

    # one thread of arithmetic a process: how BLAS divides a sum decides its last bits
    with parallel_config("loky", inner_max_num_threads=1):
        pool = Parallel(workers, return_as="generator_unordered", batch_size=1)
        try:
            yield from pool(delayed(make)(pack, item, folder) for item in items)
        except TerminatedWorkerError as error:
            raise UserError(
                "a worker was killed, perhaps for want of memory; run the same command again with fewer --workers:"
                " it goes on from here"
            ) from error


def _on_cluster(pack: Pack, items: Sequence[Item], folder: Path, address: str) -> Iterator[Result]:
    try:
        from distributed import Client, as_completed
    except ImportError as error:
        raise UserError("--cluster needs Dask; pip install 'make-wavetable[cluster]'") from error
    try:
        client: Any = Client(address, timeout=CONNECT_SECONDS)  # type: ignore[no-untyped-call]
    except (OSError, ValueError, TypeError) as error:
        raise UserError(
            f"--cluster {address}: no Dask scheduler answers there; start one with 'dask scheduler'"
        ) from error
    with client:
        threads = sum(_fit(client, address, folder).values())
        waiting = iter(items)
        queue: Any = as_completed()  # type: ignore[no-untyped-call]
        running = {}

        def submit() -> None:
            item = next(waiting, None)
            if item is not None:
                future = client.submit(make, pack, item, folder, pure=False)
                running[future.key] = item
                queue.add(future)

        for _ in range(AHEAD * threads):
            submit()
        for future in queue:
            item = running.pop(future.key)
            trouble = future.exception()  # of the cluster: make raises none
            yield future.result() if trouble is None else Failure(item.name, f"{item.name}: {trouble}")
            future.release()
            submit()


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
    for worker in threads:
        if programs[worker] != program():
            raise UserError(f"--cluster {address}: worker {worker} runs another release of make-wavetable or numpy")
        if not sees[worker]:
            raise UserError(
                f"--cluster {address}: worker {worker} does not see {folder}; the pack must be in a folder all share"
            )
    return threads
