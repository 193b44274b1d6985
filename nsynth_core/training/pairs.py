"""Pairs of spectra whose middles are known: a patch with its knob at two positions, and at some between them.

Half of the filters work on spectra of the corpus, so that the networks learn from instruments too. Single spectra of
the corpus come with them: `fit_between` pairs unrelated ones, whose blends should change steadily.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from nsynth_core.audio import Floats
from nsynth_core.harmonic.between import SILENT_DB, spectrum_inputs
from nsynth_core.notes import midi_to_hz
from nsynth_core.parallel import in_processes
from nsynth_core.sound.features import TOP_HZ
from nsynth_core.training import knob_motion, knob_patches
from nsynth_core.training.corpus import Corpus
from nsynth_core.training.patches import Complexes, NoteRequest, Partials, Reals

PARTIALS = 256  # that the loss compares; the inputs are made of all
MIDDLES = 3
LOWEST, HIGHEST = 26.0, 88.0  # MIDI
RECORDED_SHARE = 0.5
LOUD_DB = 30.0
OSCILLATORS = 2000  # spectra of the corpus that filters work on
CHUNK = 500

Rng = np.random.Generator


class Pairs(NamedTuple):
    """N pairs.

    f0       (N,) Hz
    mix      (N, MIDDLES) 0..1, ascending
    spectra  (N, 2 + MIDDLES, PARTIALS) float16: the first, the middles and the second, in dB under the level of the
             tone. Partials above TOP_HZ have SILENT_DB.
    inputs   (N, 2, ENVELOPE_POINTS + FIRST_PARTIALS) float16 of the first and the second
    """

    f0: Floats
    mix: Floats
    spectra: NDArray[np.float16]
    inputs: NDArray[np.float16]


def make(corpus: Corpus, count: int, seed: int, progress: Callable[[int, int, str], None]) -> Pairs:
    """Make `count` pairs from `corpus`, and a quarter as many single spectra, whose ends and middles are all the same.

    seed: decides everything that is random
    progress: called with the chunks done, the chunks in all and a note
    """
    recorded = stills(corpus, -(-count // 4), np.random.default_rng(seed))
    chunks = [(start, min(CHUNK, count - start)) for start in range(0, count, CHUNK)]
    parts = [_single(recorded)]
    jobs = [partial(_turned, recorded[1][:OSCILLATORS], seed, chunk) for chunk in chunks]
    for done, part in enumerate(in_processes(jobs), 1):
        parts.append(part)
        progress(done, len(chunks), "pairs")
    return Pairs(*(np.concatenate(fields) for fields in zip(*parts, strict=True)))


def stills(corpus: Corpus, count: int, rng: Rng) -> tuple[Floats, Floats]:
    """f0 (count,) in Hz and partials (count, PARTIALS) in dB of random frames of the corpus.

    Each is within LOUD_DB of the loudest frame of its note. All sources are equally likely.
    """
    arrays: dict[str, NDArray[Any]] = corpus.arrays
    first = np.searchsorted(corpus.source, np.arange(len(corpus.names) + 1))
    f0, partials = np.empty(count, np.float32), np.full((count, PARTIALS), SILENT_DB, np.float32)
    for row, source in enumerate(rng.integers(len(corpus.names), size=count)):
        note = int(rng.integers(first[source], first[source + 1]))
        level = arrays["level"][note, : int(arrays["length"][note])].astype(np.float32)
        frame = int(rng.choice(np.flatnonzero(level > level.max() - LOUD_DB)))
        numbers = arrays["numbers"][note][arrays["numbers"][note] > 0]
        known = arrays["partials"][note, frame, : len(numbers)].astype(np.float32)
        f0[row] = arrays["f0"][note]
        size = min(PARTIALS, int(numbers[-1]))
        partials[row, :size] = np.interp(np.arange(1, size + 1), numbers, known)
    return f0, partials


def _single(recorded: tuple[Floats, Floats]) -> Pairs:
    f0, partials = recorded
    partials = partials - 10 * np.log10((10 ** (partials / 10)).sum(1, keepdims=True))
    spectra = np.repeat(np.maximum(partials, SILENT_DB)[:, None], 2 + MIDDLES, axis=1)
    inputs = np.repeat(spectrum_inputs(partials, f0)[:, None], 2, axis=1)
    mix = np.tile(np.linspace(0.25, 0.75, MIDDLES, dtype=np.float32), (len(f0), 1))
    return Pairs(f0, mix, spectra.astype(np.float16), inputs.astype(np.float16))


def _turned(recorded: Floats, seed: int, chunk: tuple[int, int]) -> Pairs:
    start, count = chunk
    rng = np.random.default_rng([seed, start])
    rows = [_pair(rng, recorded) for _ in range(count)]
    f0, mix, spectra, inputs = (np.stack(field) for field in zip(*rows, strict=True))
    return Pairs(f0.astype(np.float32), mix.astype(np.float32), spectra, inputs)


def _pair(rng: Rng, recorded: Floats) -> tuple[float, Reals, NDArray[np.float16], NDArray[np.float16]]:
    kinds = list(knob_patches.KNOBS.values())
    share = np.asarray([weight for _, weight, _ in kinds])

    def oscillator(rng: Rng) -> Partials:
        if len(recorded) and rng.random() < RECORDED_SHARE:
            return _measured(recorded[rng.integers(len(recorded))])
        return knob_motion.oscillator(rng)

    while True:
        patch = kinds[int(rng.choice(len(kinds), p=share / share.sum()))][2](rng, oscillator)
        f0 = midi_to_hz(float(rng.uniform(LOWEST, HIGHEST)))
        ends = np.sort(rng.random(2)) if rng.random() < 0.35 else np.asarray([0.0, 1.0])
        ends = ends if rng.random() < 0.5 else ends[::-1]
        mix = np.clip((np.arange(MIDDLES) + rng.random(MIDDLES)) / MIDDLES, 0.02, 0.98)
        place = ends[0] + (ends[1] - ends[0]) * np.concatenate([[0.0], mix, [1.0]])
        note = NoteRequest(f0, 1.0, knob_motion.seconds(place[:, None]), np.arange(1.0, int(TOP_HZ / f0) + 1)[None])
        amplitude = np.abs(patch(note)) * _colour(rng, note)
        power = (amplitude**2).sum(1, keepdims=True)
        if np.isfinite(power).all() and (power > 0).all() and abs(ends[1] - ends[0]) > 0.1:
            break
    db = np.maximum(20 * np.log10(amplitude / np.sqrt(power) + _floor(rng, amplitude.shape)), SILENT_DB)
    spectra = np.full((2 + MIDDLES, PARTIALS), SILENT_DB, dtype=np.float16)
    spectra[:, : db.shape[1]] = db[:, :PARTIALS]
    inputs = spectrum_inputs(db[[0, -1]].astype(np.float32), np.full(2, f0, dtype=np.float32))
    return f0, mix, spectra, inputs.astype(np.float16)


def _measured(partials: Floats) -> Partials:
    """A spectrum of the corpus as an oscillator. Beyond its last partial it has -90 dB."""

    def play(note: NoteRequest) -> Complexes:
        level = np.interp(note.k[0], np.arange(1, len(partials) + 1), np.maximum(partials, -90.0), right=-90.0)
        return np.asarray(10 ** (level[None] / 20) + 0j)

    return play


def _colour(rng: Rng, note: NoteRequest) -> Reals:
    """A random filter that both positions of a knob share, as a room or a microphone."""
    if rng.random() < 0.6:
        return np.ones((1, 1))
    curve = np.cumsum(rng.normal(0, 3, 14))
    db = np.interp(np.log2(note.hz), np.linspace(5, 14.3, len(curve)), curve - curve.mean())
    return np.asarray(10 ** (db / 20))


def _floor(rng: Rng, shape: tuple[int, ...]) -> Reals:
    """Amplitudes of the noise that analysis finds where there is no partial."""
    if rng.random() < 0.5:
        return np.full(shape, 1e-6)
    return np.asarray(10 ** (rng.uniform(-110, -65) / 20) * np.sqrt(rng.exponential(1, shape)))
