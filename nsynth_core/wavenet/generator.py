"""Encodings -> audio: any number of streams, in batches that fit the memory. Runs can be repeated and resumed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from nsynth_core.audio import Floats
from nsynth_core.errors import UserError
from nsynth_core.wavenet import memory
from nsynth_core.wavenet.checkpoint import DILATIONS, LAYERS, Weights
from nsynth_core.wavenet.convolution import BLOCK
from nsynth_core.wavenet.encoder import Update
from nsynth_core.wavenet.mulaw import CLASSES, HALF, restore
from nsynth_core.wavenet.network import HOP
from nsynth_core.wavenet.options import PRECISIONS
from nsynth_core.wavenet.products import LEAST
from nsynth_core.wavenet.streams import CALL, Streams
from nsynth_core.wavenet.unfinished import Unfinished, fingerprint, read, write

BATCH = 64  # streams at once; with more, a sample takes as long
WIDE = 24  # from so many streams on, convolutions in pairs are clearly faster (docs/nsynth.md has the measurements)
GRAPH_BYTES = 300 << 20  # the compiled loop
WORKING = 6  # values in memory at once for each layer, sample of a block and channel
AUDIO = restore(np.arange(CLASSES) - HALF)


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
    """Sample audio from encodings with the WaveNet decoder.

    encodings   (N, frames, latent), finite, with as many numbers in a frame as the checkpoint has: one for each stream
    seed        of the random numbers, 0 or more
    streams     (N,) the number of each stream, by default its place. The same seed, number and encoding give the same
                samples on one machine, in any batch. With the same number, left and right use the same random numbers.
    samples     of each stream, at most and by default 512 * frames
    batch       how many streams run at once, by default as many as fit the memory, up to 64
    precision   of the filters, one of PRECISIONS
    wide        whether convolutions are computed in pairs, which rounds differently, and so gives another take of the
                same sound; by default as `is_wide` says for N streams
    uniforms    (N, samples) in [0, 1): random numbers that replace those of the seed
    unfinished  a file that keeps what is done when the run is interrupted. The next run with the same arguments
                continues from it, and gives the same samples. It is removed at the end.
    progress    called about every second with the samples done, the samples in all, and what is being done

    Returns float32 (N, samples) at 16 kHz, within -1..1. Raises UserError where the memory does not hold two streams,
    for encodings of another size than the checkpoint's, and for a file of another run.
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
    run = _Run(weights, encodings, length, precision, wide, batch_size(weights, count, batch, precision, wide))
    run.draw = lambda rows, start, stop: _noise(seed, numbers[rows], start, stop, uniforms, rows)
    run.progress = progress
    mark = fingerprint(weights, encodings, seed, numbers, length, uniforms, precision, wide) if unfinished else ""
    run.done = read(unfinished, mark) or run.done
    try:
        while not run.done.finished.all():
            run.next_batch()
            write(unfinished, mark, run.done)
    except BaseException:  # Ctrl-C and the program's end too
        if unfinished and run.keep_state():
            write(unfinished, mark, run.done)
        raise
    if unfinished:
        unfinished.unlink(missing_ok=True)
    return AUDIO[run.done.classes]


class _Run:
    """One run over all streams, batch by batch. `draw(rows, start, stop)` gives uniforms (samples, rows)."""

    draw: Callable[[NDArray[np.int64], int, int], NDArray[np.float64]]
    progress: Update

    def __init__(self, weights: Weights, encodings: Floats, length: int, precision: str, wide: bool, size: int):
        self.weights, self.encodings, self.length = weights, encodings, length
        self.precision, self.wide, self.size = precision, wide, size
        self.done = Unfinished.empty(len(encodings), length)
        self._streams: Streams | None = None
        self._within_batch = False

    def next_batch(self) -> None:
        """Generate the streams of one batch, or the rest of one that was interrupted."""
        done, length, count = self.done, self.length, len(self.encodings)
        members = done.members if done.state else [int(i) for i in np.flatnonzero(~done.finished)[: self.size]]
        # every batch has the same width, the last one repeats itself: another width would have to be compiled
        rows = np.resize(members, len(done.state["input"]) if done.state else max(LEAST, self.size))
        before = int(done.finished.sum()) * length
        resumed = min(length, int(done.state["block"]) * BLOCK) if done.state else 0
        self.progress(before + len(members) * resumed, count * length, "compiling")
        streams = self._prepared(len(rows))
        done.members, self._within_batch = members, True
        for start in range(streams.done, length, CALL):
            if start % HOP == 0 or start == streams.done:
                conditioning = streams.condition(self.encodings[rows, start // HOP])
            stop = min(start + CALL, length)
            streams.draw(conditioning, self.draw(rows, start, stop))
            note = f"{len(members)} of {count} at once" if count > len(members) else ""
            self.progress(before + len(members) * stop, count * length, note)
        done.classes[members] = streams.classes()[:length, : len(members)].T
        done.finished[members] = True
        done.members, done.state, self._within_batch = [], {}, False

    def _prepared(self, count: int) -> Streams:
        """The decoder for so many streams, at time 0 or where an interrupted batch was."""
        if self._streams is None or self._streams.count != count:
            self._streams = Streams(self.weights, count, self.length, self.precision, self.wide)
        self._streams.reset()
        if self.done.state:
            self._streams.restore(self.done.state)
        return self._streams

    def keep_state(self) -> bool:
        """Keep where the batch is. False where none has begun since the last one was kept."""
        if self._streams is None or not self._within_batch:
            return False
        self.done.state = self._streams.state()
        return True


def uniforms_of(seed: int, stream: int, start: int, stop: int) -> NDArray[np.float64]:
    """The random numbers in [0, 1) of the samples start..stop of a stream. `start` is a multiple of 4.

    Any part can be computed without the others: Philox (Salmon et al. 2011) turns a counter into four numbers by a hash
    with a key.

    >>> bool((uniforms_of(0, 1, 0, 8)[4:] == uniforms_of(0, 1, 4, 8)).all())
    True
    """
    source = np.random.Philox(key=[seed, stream], counter=[start // 4, 0, 0, 0])
    return np.random.Generator(source).random(stop - start)


def is_wide(streams: int, precision: str = PRECISIONS[0]) -> bool:
    """Whether a run of so many streams, in any batches, computes convolutions in pairs (`convolution.Paired`).

    >>> is_wide(2), is_wide(64)
    (False, True)
    """
    return streams >= WIDE and precision == PRECISIONS[0]


def memory_needed(weights: Weights, streams: int, precision: str = PRECISIONS[0], wide: bool | None = None) -> int:
    """Bytes that generating so many streams at once needs, without TensorFlow and the loaded weights (measured)."""
    wide = is_wide(streams, precision) if wide is None else wide
    bytes_ = 4 if precision == PRECISIONS[0] else 2
    filters: int = sum(array.size for name, array in weights.arrays.items() if not name.startswith("ae_"))
    if wide:  # four filters for three taps, and what the second sample of a pair needs of the first
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
    """How many of `count` streams run at once, in batches of about the same size.

    Raises UserError where the memory does not hold two streams.
    """
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
    """Random numbers (samples, streams), with zeros up to a whole block."""
    if given is None:
        columns = {number: uniforms_of(seed, number, start, stop) for number in set(numbers.tolist())}
        drawn = np.stack([columns[number] for number in numbers.tolist()], axis=1)
    else:
        drawn = given[rows, start:stop].T.astype(np.float64)
    return np.pad(drawn, ((0, -len(drawn) % BLOCK), (0, 0)))
