"""Random batches of the corpus, with random changes to the features. NumPy only.

Each change has a known result. A transposition moves pitch and spectrum together. An equaliser adds the same curve to
the input and to the target. A second note adds its partials to those of the first. A formant shift moves the spectrum
under a fixed pitch.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from nsynth_core.audio import Floats
from nsynth_core.harmonic.inputs import (
    CONTEXT,
    FIRST_PARTIALS,
    INPUTS,
    conditions,
    frame_inputs,
    trunk_inputs,
)
from nsynth_core.sound.features import FRAME_RATE, TOP_ERB, TOP_HZ, band_edges, hz_to_erb
from nsynth_core.sound.spectral_envelope import FLOOR, envelope_hz
from nsynth_core.training.corpus import HOP, Corpus

NOTES, FRAMES = 64, 8
SHIFTED = 12  # of the NOTES, the first ones, have their formants moved
FIRST, OTHERS = 24, 40  # partials of a note that are decoded: the first, and random ones of the rest
CROSS_SHARE, CROSS_SEMITONES = 0.25, 26.0
QUIET_DB = 50.0
CURVE_POINTS = 48
LAYER_F0 = 102.0  # Hz: above it the corpus keeps each partial, so the partials of two notes have the same numbers
MAX_SHIFT = 0.45  # octaves
WEAKENS, WEAKEST = 0.6, 0.25  # after this part of the training, changes become rarer, down to this share

Indices = NDArray[np.int64]


class Batch(NamedTuple):
    """N notes, F frames, P partials, B noise bands; all float32."""

    inputs: Floats  # (N F, C INPUTS)
    conditions: Floats  # (N F, CONDITIONS)
    points: Floats  # (N P, TRUNK_INPUTS)
    target: Floats  # (N, F, P) dB under the frame's level
    noise: Floats  # (N, F, B)
    balance: Floats  # (N, F, B)
    correlation: Floats  # (N, F, B)
    mask: Floats  # (N, F, P)


class Batches:
    """The batches of a fit of `steps` steps. Each call makes the next one."""

    def __init__(self, corpus: Corpus, seed: int, steps: int):
        self.corpus = corpus
        self.rng = np.random.default_rng(seed)
        self.steps, self.made = steps, 0
        self.of_source = [np.flatnonzero(corpus.source == i) for i in range(len(corpus.names))]

    def __call__(self) -> Batch:
        # all sources are equally likely, however many keys they have
        chosen = self.rng.integers(len(self.of_source), size=NOTES)
        a = np.asarray([self.rng.choice(self.of_source[i]) for i in chosen])
        b = a.copy()
        for i in np.flatnonzero(self.rng.random(NOTES) < CROSS_SHARE):
            b[i] = self._partner(a[i])
        strength = float(np.interp(self.made / self.steps, [WEAKENS, 1], [1, WEAKEST]))
        self.made += 1
        return make(self.corpus, a, b, self.rng, strength)

    def _partner(self, note: int) -> int:
        midi = self.corpus.arrays["midi"]
        others = self.of_source[int(self.corpus.source[note])]
        return int(self.rng.choice(others[np.abs(midi[others] - midi[note]) <= CROSS_SEMITONES]))


class _View:
    """Notes of the corpus with one random set of changes."""

    def __init__(self, corpus: Corpus, a: Indices, b: Indices, rng: np.random.Generator, strength: float):
        self.arrays: dict[str, NDArray[Any]] = corpus.arrays
        count = len(a)
        self.scale = np.ones(count, dtype=np.float32)
        self.curves = np.zeros((count, CURVE_POINTS), dtype=np.float32)
        self.share = np.ones(count, dtype=np.float32)
        self.other = rng.choice(np.flatnonzero(self.arrays["f0"] >= LAYER_F0), count)
        if strength > 0:
            semitones = np.where(rng.random(count) < 0.5, rng.uniform(-5, 5, count), 0)
            self.scale = (2 ** (semitones / 12)).astype(np.float32)
            self.curves = _equalisers(rng, count, strength)
            layered = (a == b) & (self.arrays["f0"][a] >= LAYER_F0) & (rng.random(count) < 0.5 * strength)
            self.share = np.where(layered, 1 / (1 + 10 ** (rng.normal(0, 8, count) / 10)), 1).astype(np.float32)

    def read(self, name: str, notes: Indices, frames: Indices) -> Floats:
        """The array `name` of notes (N,) at frames (N, ...)."""
        tail = [1] * (frames.ndim - 1)
        values = np.asarray(self.arrays[name][notes.reshape(-1, *tail), frames], dtype=np.float32)
        mixed = np.flatnonzero(self.share < 1)
        if name in ("env", "partials", "noise") and len(mixed):
            beside = self.other[mixed].reshape(-1, *tail)
            index = np.minimum(frames[mixed], self.arrays["length"][beside] - 1)
            second = self.arrays[name][beside, index].astype(np.float32)
            if name == "env":  # the same partial numbers at this note's pitch
                ratio = self.arrays["f0"][notes[mixed]] / self.arrays["f0"][self.other[mixed]]
                second = _moved(second, envelope_hz(), ratio)
            share = self.share[mixed].reshape(-1, *[1] * (values.ndim - 1))
            values[mixed] = 10 * np.log10(share * 10 ** (values[mixed] / 10) + (1 - share) * 10 ** (second / 10))
        return values

    def spectrum(self, notes: Indices, frames: Indices, shift: Floats) -> tuple[Floats, Floats, Floats]:
        """Envelope, partials and noise of frames (N, ...) in dB under their level, formants moved by `shift` (N,)."""
        n, scale, curves = len(notes), self.scale, self.curves
        numbers, f0 = self.arrays["numbers"][notes], self.arrays["f0"][notes] * scale
        tail = (1,) * (frames.ndim - 1)
        env = _moved(self.read("env", notes, frames), envelope_hz(), scale * shift)
        noise = _moved(self.read("noise", notes, frames), _band_hz(), scale * shift)
        partials = _respaced(self.read("partials", notes, frames), numbers, shift)
        hz = np.maximum(numbers, 1) * f0[:, None]
        env += _response(curves, envelope_hz()).reshape(n, *tail, -1)
        noise += _response(curves, _band_hz()).reshape(n, *tail, -1)
        partials += _response(curves, hz).reshape(n, *tail, -1)
        # where the corpus keeps one partial of several, it also counts for those left out
        width = np.maximum(np.diff(numbers, axis=1, append=0), 1) * (numbers > 0)
        power = (10 ** (partials / 10) * width.reshape(n, *tail, -1)).sum(-1) + (10 ** (noise / 10)).sum(-1)
        level = 10 * np.log10(power + 1e-12)[..., None]
        return tuple(np.clip(x - level, FLOOR, 0).astype(np.float32) for x in (env, partials, noise))  # type: ignore[return-value]


def make(corpus: Corpus, a: Indices, b: Indices, rng: np.random.Generator, strength: float) -> Batch:
    """A batch that codes notes `a` (N,) and decodes notes `b` (N,) of the same sources.

    strength: of the changes, 0..1
    """
    arrays: dict[str, NDArray[Any]] = corpus.arrays
    view = _View(corpus, a, b, rng, strength)
    count = len(a)
    frames = _frames(arrays["length"][a], arrays["length"][b], rng)
    shift = np.ones(count, dtype=np.float32)
    if strength > 0:
        shift[:SHIFTED] = 2 ** rng.uniform(-MAX_SHIFT, MAX_SHIFT, SHIFTED)

    spectrum = view.spectrum(b, frames, shift)
    numbers, f0 = arrays["numbers"][b], arrays["f0"][b] * view.scale
    pick = _picked((numbers > 0).sum(1), rng)
    number = np.maximum(np.take_along_axis(numbers, pick, 1), 1)
    hz = (number * f0[:, None]).astype(np.float32)
    inside = (
        (np.take_along_axis(numbers, pick, 1) > 0)
        & (hz < TOP_HZ)
        & (number / shift[:, None] <= numbers.max(1)[:, None])
    )

    level = arrays["level"][b[:, None], frames].astype(np.float32)
    known = np.arange(arrays["level"].shape[1]) < arrays["length"][b][:, None]
    below = level - arrays["level"][b].astype(np.float32).max(1, where=known, initial=-200)[:, None]
    since = ((frames - arrays["onset"][b][:, None]) * (HOP / FRAME_RATE)).astype(np.float32)
    moments = conditions(np.broadcast_to(f0[:, None], level.shape), below, since)
    return Batch(
        inputs=_inputs(view, a, frames, shift),
        conditions=moments.reshape(count * FRAMES, -1),
        points=trunk_inputs(number.reshape(-1), hz.reshape(-1)),
        target=np.take_along_axis(spectrum[1], pick[:, None, :].repeat(FRAMES, 1), 2),
        noise=spectrum[2],
        balance=arrays["balance"][b[:, None], frames].astype(np.float32),
        correlation=arrays["correlation"][b[:, None], frames].astype(np.float32),
        mask=(inside[:, None, :] & (below > -QUIET_DB)[..., None]).astype(np.float32),
    )


def _inputs(view: _View, notes: Indices, frames: Indices, shift: Floats) -> Floats:
    last = view.arrays["length"][notes][:, None, None] - 1
    context = np.clip(frames[:, :, None] + np.asarray(CONTEXT) // HOP, 0, last)
    env, partials, noise = view.spectrum(notes, context, shift)
    balance, correlation = (view.read(name, notes, context) for name in ("balance", "correlation"))
    inputs = frame_inputs(env, partials[..., :FIRST_PARTIALS], noise, balance, correlation)
    return inputs.reshape(-1, len(CONTEXT) * INPUTS)


def _frames(length_a: Indices, length_b: Indices, rng: np.random.Generator) -> Indices:
    """Random frames (N, FRAMES) of each note, a third of them in its first half second."""
    last = np.minimum(length_a, length_b)[:, None]
    early = rng.random((len(last), FRAMES)) < 1 / 3
    return np.asarray(rng.random((len(last), FRAMES)) * np.where(early, np.minimum(last, 25), last), dtype=np.int64)


def _picked(size: Indices, rng: np.random.Generator) -> Indices:
    """Which of the stored partials are decoded, (N, FIRST + OTHERS)."""
    rest = np.maximum(size - FIRST, 1)[:, None]
    random = FIRST + (rng.random((len(size), OTHERS)) * rest).astype(np.int64)
    return np.concatenate([np.broadcast_to(np.arange(FIRST), (len(size), FIRST)), random], axis=1)


def _equalisers(rng: np.random.Generator, count: int, strength: float) -> Floats:
    """Random smooth responses in dB on CURVE_POINTS ERB-spaced points: tilts, peaks, cuts; a third stay flat."""
    x = np.linspace(0, 1, CURVE_POINTS)
    curves = np.zeros((count, CURVE_POINTS))
    for n in np.flatnonzero(rng.random(count) < 0.67 * strength):
        curves[n] += rng.normal(0, 8) * (x - 0.4)
        for _ in range(rng.integers(0, 4)):
            curves[n] += rng.normal(0, 8) * np.exp(-(((x - rng.random()) / rng.uniform(0.03, 0.2)) ** 2))
        if rng.random() < 0.3:
            curves[n] -= np.maximum(x - rng.uniform(0.25, 0.9), 0) * rng.uniform(20, 200)
        if rng.random() < 0.15:
            curves[n] -= np.maximum(rng.uniform(0.1, 0.5) - x, 0) * rng.uniform(20, 100)
    return curves.astype(np.float32)


def _band_hz() -> Floats:
    edges = band_edges()
    return np.asarray(np.maximum((edges[1:] + edges[:-1]) / 2, 40), dtype=np.float32)


def _response(curves: Floats, hz: Floats) -> Floats:
    """Curves (N, CURVE_POINTS) at frequencies (P,) or (N, P) → (N, P)."""
    place = np.clip(hz_to_erb(hz) / TOP_ERB, 0, 1) * (CURVE_POINTS - 1)
    return _at(curves, np.broadcast_to(place, (len(curves), place.shape[-1])))


def _moved(values: Floats, hz: Floats, ratio: Floats) -> Floats:
    """Spectra (N, ..., P) known at `hz`, moved up in frequency by `ratio` (N,); the ends hold."""
    erb, index = hz_to_erb(hz), np.arange(len(hz))
    place = np.stack([np.interp(hz_to_erb(hz / r), erb, index) for r in ratio])
    return _at(values, place.reshape(len(ratio), *[1] * (values.ndim - 2), -1))


def _respaced(partials: Floats, numbers: NDArray[np.int32], shift: Floats) -> Floats:
    """Partials (N, ..., P) at `numbers` (N, P), the spectrum moved up by `shift` under them: p'(k) = p(k / shift)."""
    if (shift == 1).all():
        return partials
    index = np.arange(numbers.shape[1])
    place = np.empty(numbers.shape)
    for n, (row, s) in enumerate(zip(numbers, shift, strict=True)):
        size = int((row > 0).sum())
        place[n] = np.interp(np.maximum(row, 1) / s, row[:size], index[:size])
    return _at(partials, place.reshape(len(shift), *[1] * (partials.ndim - 2), -1))


def _at(values: Floats, place: NDArray[Any]) -> Floats:
    """`values` (N, ..., P) at fractional indices `place` of their last axis."""
    low = np.minimum(place.astype(np.int64), values.shape[-1] - 2)
    share = (place - low).astype(np.float32)
    low = np.broadcast_to(low, (*values.shape[:-1], place.shape[-1]))
    below, above = np.take_along_axis(values, low, -1), np.take_along_axis(values, low + 1, -1)
    return np.asarray(below + share * (above - below), dtype=np.float32)
