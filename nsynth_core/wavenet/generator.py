"""Encodings → audio: any number of streams, in batches that fit the memory, reproducible and resumable."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from nsynth_core.audio import Floats
from nsynth_core.errors import UserError
from nsynth_core.files import atomic
from nsynth_core.wavenet import memory
from nsynth_core.wavenet.checkpoint import DILATIONS, LAYERS, Weights
from nsynth_core.wavenet.convolution import BLOCK
from nsynth_core.wavenet.encoder import Update
from nsynth_core.wavenet.mulaw import CLASSES, HALF, restore
from nsynth_core.wavenet.network import HOP
from nsynth_core.wavenet.options import PRECISIONS
from nsynth_core.wavenet.products import LEAST
from nsynth_core.wavenet.streams import CALL, State, Streams

BATCH = 64  # streams at once: more make a sample no cheaper
WIDE = 24  # streams of a run from which convolutions in pairs are clearly faster (measured: docs/nsynth.md)
GRAPH_BYTES = 300 << 20  # the compiled loop
WORKING = 6  # values a layer, sample of a block and channel that are alive at once
AUDIO = restore(np.arange(CLASSES) - HALF)

Classes = NDArray[np.uint8]


def generate(
    weights: Weights,
    encodings: Floats,
    *,
    seed: int = 0,
    streams: Sequence[int] | None = None,
    samples: int | None = None,
    batch: int | None = None,
    precision: str = PRECISIONS[0],
    wide: bool | None = None,
    uniforms: NDArray[np.float64] | None = None,
    unfinished: Path | None = None,
    progress: Update = lambda done, total, note: None,
) -> Floats:
    """Sample audio (N, samples) at 16 kHz, float32 within +-1, for encodings (N, frames, latent).

    `samples` is at most, and by default, 512 * frames. Stream n draws with the uniforms numbered `streams[n]` (its
    place n by default) of `seed` >= 0: the same seed, number and encoding give the same samples on one machine, in any
    batch. Give one number to left and right to draw both with one noise. `uniforms` (N, samples) in [0, 1)
    takes the place of the seed. `precision` is one of PRECISIONS.

    Many streams are computed another way than few, which rounds otherwise: another take of the same sound. `wide` says
    which; by default it is as `is_wide` says of N, so give it where these are a part of what was asked for.

    `batch` streams run together, by default as many as fit the memory, up to 64. `progress(samples done, samples in
    all, what is being done)` is called about every second. With `unfinished`, what is done when the run is interrupted
    is kept in that file, and the next run with the same arguments goes on from there, sample by sample the same; the
    file is removed at the end. Raises UserError where not even two streams fit the memory, or for encodings of
    another size than the checkpoint's.
    """
    count, frames, latent = encodings.shape
    length = frames * HOP if samples is None else samples
    if latent != weights.latent or not 0 < length <= frames * HOP or not np.isfinite(encodings).all():
        raise UserError(
            f"encodings of {frames} frames x {latent} do not give {length} samples with this checkpoint: it takes "
            f"finite numbers, {weights.latent} a frame, and a frame is {HOP} samples"
        )
    if not count:
        return np.zeros((0, length), dtype=np.float32)
    numbers = np.arange(count) if streams is None else np.asarray(streams)
    wide = is_wide(count, precision) if wide is None else wide
    size = batch_size(weights, count, batch, precision, wide)
    mark = _fingerprint(weights, encodings, seed, numbers, length, uniforms, precision, wide) if unfinished else ""
    kept = _read(unfinished, mark) or _Kept(np.zeros((count, length), np.uint8), np.zeros(count, bool))
    run: Streams | None = None
    started = False
    try:
        while not kept.finished.all():
            members = kept.members if kept.state else [int(i) for i in np.flatnonzero(~kept.finished)[:size]]
            # every batch has the same width, the last one repeats itself: another width would have to be compiled
            rows = np.resize(members, len(kept.state["input"]) if kept.state else max(LEAST, size))
            before = int(kept.finished.sum()) * length
            resumed = min(length, int(kept.state["block"]) * BLOCK) if kept.state else 0
            progress(before + len(members) * resumed, count * length, "compiling")
            if run is None or run.count != len(rows):
                run = Streams(weights, len(rows), length, precision, wide)
            run.reset()
            if kept.state:
                run.restore(kept.state)
            kept.members, started = members, True
            for start in range(run.done, length, CALL):
                if start % HOP == 0 or start == run.done:
                    conditioning = run.condition(encodings[rows, start // HOP])
                stop = min(start + CALL, length)
                run.draw(conditioning, _noise(seed, numbers[rows], start, stop, uniforms, rows))
                note = f"{len(members)} of {count} at once" if count > len(members) else ""
                progress(before + len(members) * stop, count * length, note)
            kept.classes[members] = run.classes()[:length, : len(members)].T
            kept.finished[members] = True
            kept.members, kept.state, started = [], {}, False
            _write(unfinished, mark, kept)
    except BaseException:  # Ctrl-C and the program's end too
        if unfinished and run is not None and started:
            kept.state = run.state()
            _write(unfinished, mark, kept)
        raise
    if unfinished:
        unfinished.unlink(missing_ok=True)
    return AUDIO[kept.classes]


def uniforms_of(seed: int, stream: int, start: int, stop: int) -> NDArray[np.float64]:
    """The uniforms of samples start..stop of a stream, `start` a multiple of 4. Any part can be had without the others.

    Philox (Salmon et al. 2011): a counter turned into four numbers by a keyed hash.
    """
    source = np.random.Philox(key=[seed, stream], counter=[start // 4, 0, 0, 0])
    return np.random.Generator(source).random(stop - start)


def is_wide(streams: int, precision: str = PRECISIONS[0]) -> bool:
    """Whether a run of so many streams, in whatever batches, does its convolutions in pairs (`convolution.Paired`)."""
    return streams >= WIDE and precision == PRECISIONS[0]


def memory_needed(weights: Weights, streams: int, precision: str = PRECISIONS[0], wide: bool | None = None) -> int:
    """Bytes that generating so many streams at once takes, beside TensorFlow and the loaded weights (measured)."""
    wide = is_wide(streams, precision) if wide is None else wide
    bytes_ = 4 if precision == PRECISIONS[0] else 2
    filters: int = sum(array.size for name, array in weights.arrays.items() if not name.startswith("ae_"))
    if wide:  # four filters for three taps, and of each pair's first sample what the second needs
        filters += sum(weights.arrays[f"dilatedconv_{i + 1}/W"][0, 0].size for i in range(LAYERS))
    state = sum(4 * d if wide else max(2 * d, BLOCK) for d in DILATIONS)
    working = WORKING * LAYERS * BLOCK
    return bytes_ * filters + GRAPH_BYTES + streams * weights.width * (bytes_ * state + 4 * working)


def batch_size(
    weights: Weights,
    count: int = LEAST,
    batch: int | None = None,
    precision: str = PRECISIONS[0],
    wide: bool | None = None,
) -> int:
    """How many of `count` streams run at once, batches being even. Raises UserError: not even two fit the memory."""
    wide = is_wide(count, precision) if wide is None else wide
    free = memory.free()
    least = memory_needed(weights, 0, precision, wide)
    one = memory_needed(weights, 1, precision, wide) - least
    fit = BATCH if free is None else int((memory.USABLE * free - least) / one)
    if fit < LEAST:
        raise UserError(
            f"not enough memory: this checkpoint needs {(least + LEAST * one) / 1e9:.1f} GB to generate, "
            f"{(free or 0) / 1e9:.1f} GB are free; close other programs"
        )
    batches = -(-count // min(fit, batch or BATCH))
    return -(-count // batches)


def _noise(
    seed: int,
    numbers: NDArray[np.int64],
    start: int,
    stop: int,
    given: NDArray[np.float64] | None,
    rows: NDArray[np.int64],
) -> NDArray[np.float64]:
    """Uniforms (samples up to a whole block, streams)."""
    if given is None:
        columns = {number: uniforms_of(seed, number, start, stop) for number in set(numbers.tolist())}
        drawn = np.stack([columns[number] for number in numbers.tolist()], axis=1)
    else:
        drawn = given[rows, start:stop].T.astype(np.float64)
    return np.pad(drawn, ((0, -len(drawn) % BLOCK), (0, 0)))


@dataclass
class _Kept:
    """What a run has done: `classes` (N, samples) of the streams that are `finished`; of one batch also its state."""

    classes: Classes
    finished: NDArray[np.bool_]
    members: list[int] = field(default_factory=list)
    state: State = field(default_factory=dict)


def _fingerprint(weights: Weights, *run: Any) -> str:
    sum_ = hashlib.sha256(weights.digest.encode())
    for part in run:
        sum_.update(part.tobytes() if isinstance(part, np.ndarray) else repr(part).encode())
    return sum_.hexdigest()


def _read(path: Path | None, mark: str) -> _Kept | None:
    if path is None or not path.exists():
        return None
    try:
        with np.load(path) as data:
            if str(data["mark"]) != mark:
                raise UserError(f"{path}: belongs to another run; remove it, or give another name")
            state = {name.removeprefix("state/"): data[name] for name in data.files if name.startswith("state/")}
            return _Kept(data["classes"], data["finished"], data["members"].tolist(), state)
    except (OSError, ValueError, KeyError, EOFError, BadZipFile) as error:
        raise UserError(f"{path}: cannot be read; remove it to start again") from error


def _write(path: Path | None, mark: str, kept: _Kept) -> None:
    if path is None:
        return
    state = {f"state/{name}": array for name, array in kept.state.items()}
    members = np.asarray(kept.members, dtype=np.int64)
    with atomic(path, force=True) as temporary, temporary.open("wb") as file:
        np.savez(
            file, allow_pickle=False, mark=mark, classes=kept.classes, finished=kept.finished, members=members, **state
        )
