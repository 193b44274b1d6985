"""The sources of a Vital table, and how Vital renders components at every position of its knob.

Every function works on all positions at once: `at` (n,) are positions 0..256, frames are float64 (n, 2048). All curves
are those of Vital 1.0, compared with it through `vita`. A ValueError says what is damaged.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from wavetables.formats.vital_components import CUBIC, LAST, MAX_POINTS, SPECTRAL, STRAIGHT, Array, Component, number_in
from wavetables.formats.vital_modifiers import MODIFIERS, PLACE, bent, levelled
from wavetables.table import FRAME_SIZE

Spectrum = NDArray[np.complex128]


def render(groups: Sequence[Sequence[Component]], count: int) -> Array:
    """Render groups of components at the positions 0..count - 1.

    Returns float64 (count, 2048), the mean of the groups. Of several sources in a group the last one counts, and the
    modifiers after it. Raises ValueError: numbers that are missing or absurd.
    """
    at = np.arange(count, dtype=np.float64)
    total = np.zeros((count, FRAME_SIZE))
    for group in groups:
        frames = np.zeros((count, FRAME_SIZE))
        for component in group:
            if component.kind in SOURCES:
                frames = SOURCES[component.kind](component, at)
            else:
                frames = MODIFIERS[component.kind](component, at, frames)
        total += frames
    return total / len(groups)


def _waves(source: Component, at: Array) -> Array:
    """Wave Source: its key frames; between them samples or harmonics follow straight or cubic lines."""
    before, after, share = source.between(at)
    part = share[:, None]
    spectral = source.choice("interpolation", 2, SPECTRAL) == SPECTRAL
    if source.choice("interpolation_style", 3, STRAIGHT) == CUBIC:
        blended = _cubic(source, before, part, spectral)
    elif spectral:
        spectrum = np.fft.rfft(source.samples)
        blended = np.fft.irfft(_morphed(spectrum[before], spectrum[after], part))
    else:
        blended = source.samples[before] * (1 - part) + source.samples[after] * part
    exact = share == 0.0
    blended[exact] = source.samples[before[exact]]
    return blended


def _morphed(first: Spectrum, second: Spectrum, share: Array) -> Spectrum:
    """Harmonic by harmonic, straight lines between the square roots of the amplitudes, and the shorter way between the
    phases. The mean and the highest harmonic have no phase and follow straight lines."""
    size = (np.sqrt(np.abs(first)) * (1 - share) + np.sqrt(np.abs(second)) * share) ** 2
    phase = np.where(first == 0, np.angle(second), np.angle(first) + share * np.angle(second * first.conj()))
    blended = size * np.exp(1j * phase)
    for edge in (0, -1):
        blended[:, edge] = (first[:, edge] * (1 - share[:, 0]) + second[:, edge] * share[:, 0]).real
    return np.asarray(blended, dtype=np.complex128)


def _cubic(source: Component, index: NDArray[np.int64], share: Array, spectral: bool) -> Array:
    """Curves whose slope at a key frame is that of the line through its neighbours. They are level at both ends of the
    table."""
    count = len(source.places)
    numbers = (
        np.where(index > 0, index - 1, np.minimum(index + 1, count - 1)),
        index,
        np.minimum(index + 1, count - 1),
        np.where(index + 2 < count, index + 2, index),
    )
    places = [source.places[number].astype(np.float64)[:, None] for number in numbers]
    spans = [after - before for before, after in pairwise(places)]
    if not spectral:
        return _curve([source.samples[number] for number in numbers], spans, share)
    spectrum = np.fft.rfft(source.samples)
    four = [spectrum[number] for number in numbers]
    size = _curve([np.sqrt(np.abs(harmonics)) for harmonics in four], spans, share) ** 2
    phases = [np.angle(four[0])]
    for before, after in pairwise(four):
        phases.append(phases[-1] + np.where(after != 0, np.angle(after * before.conj()), 0.0))
    blended = size * np.exp(1j * _curve(phases, spans, share))
    for edge in (0, -1):
        blended[:, edge] = _curve([harmonics[:, edge, None].real for harmonics in four], spans, share)[:, 0]
    return np.fft.irfft(blended)


def _curve(values: Sequence[Array], spans: Sequence[Array], share: Array) -> Array:
    """The curve through the two middle ones of four values, at `share` (0..1) of the way between them. `spans` are the
    three distances between the four."""
    early, start, stop, late = values
    safe = np.where(spans[1] > 0, spans[1], 1.0)
    rise = np.where(spans[0] > 0, (stop - early) / (1 + np.maximum(spans[0], 0) / safe), 0.0)
    fall = np.where(spans[2] > 0, (late - start) / (1 + np.maximum(spans[2], 0) / safe), 0.0)
    straight = stop - start
    bend = share * (1 - share) * ((1 - share) * (rise - straight) + share * (straight - fall))
    return np.asarray(start + share * straight + bend)


def _octaves(source: Component, at: Array) -> Array:
    """Shepard Tone Source: a key frame that turns into itself an octave higher."""
    low = np.fft.rfft(source.samples[:1])
    high = np.zeros_like(low)
    high[:, ::2] = low[:, : FRAME_SIZE // 4 + 1]
    share = at[:, None] / LAST
    if source.choice("interpolation", 2, SPECTRAL) == SPECTRAL:
        return np.fft.irfft(_morphed(np.repeat(low, len(at), 0), np.repeat(high, len(at), 0), share))
    return np.asarray(source.samples[:1] * (1 - share) + np.fft.irfft(high) * share)


def _lines(source: Component, at: Array) -> Array:
    """Line Source: points joined by curves of a power. Points and powers move between the key frames."""
    points, powers, smooth = zip(*map(_line, source.keyframes), strict=True)
    pulls = np.asarray([number_in(keyframe, "pull_power", 0.0, -100, 100) for keyframe in source.keyframes])
    before, after, share = source.between(at)
    share = bent(share, pulls[before] - pulls[after])
    frames = np.empty((len(at), FRAME_SIZE))
    for row, (low, high, part) in enumerate(zip(before, after, share, strict=True)):
        count = len(powers[low])
        ends = points[low] * (1 - part) + _padded(points[high], count) * part
        bends = powers[low] * (1 - part) + _padded(powers[high], count) * part
        frames[row] = 1 - 2 * _drawn(ends, bends, smooth[low])
    return frames


def _line(keyframe: Mapping[str, Any]) -> tuple[Array, Array, bool]:
    """(points (k, 2), powers (k,), whether the curves are rounded) of a key frame."""
    line = keyframe.get("line")
    if not isinstance(line, Mapping):
        raise ValueError("a key frame without its line")
    points, powers = line.get("points"), line.get("powers")
    if not isinstance(points, list) or not isinstance(powers, list) or not 1 <= len(powers) <= MAX_POINTS:
        raise ValueError("points of a line")
    if len(points) < 2 * len(powers):
        raise ValueError("points of a line")
    ends = [number_in({"point": number}, "point", 0.0, -10, 10) for number in points[: 2 * len(powers)]]
    bends = [number_in({"power": number}, "power", 0.0, -100, 100) for number in powers]
    count = int(number_in(line, "num_points", len(powers), 1, MAX_POINTS))
    return _padded(np.reshape(ends, (-1, 2)), count), _padded(np.asarray(bends), count), line.get("smooth") is True


def _padded(values: Array, count: int) -> Array:
    return np.concatenate([values[:count], np.zeros((max(count - len(values), 0), *values.shape[1:]))])


def _drawn(points: Array, powers: Array, smooth: bool) -> Array:
    """(2048,): heights 0..1 of a line through `points` (k, 2). As in Vital, corners come one sample late: a sample
    belongs to the stretch in which the sample before it lies."""
    behind = np.concatenate([[-1.0], PLACE[:-1]])
    end = np.searchsorted(np.maximum.accumulate(points[:, 0]), behind, side="left")
    around = np.concatenate(
        [points[:1], points, points[:1] + np.asarray([1.0, 0.0])]
    )  # end - 1 and end, one further on
    (x0, y0), (x1, y1) = around[end].T, around[end + 1].T
    wide = x1 > x0
    share = np.where(wide, (PLACE - x0) / np.where(wide, x1 - x0, 1.0), 1.0)
    if smooth:
        share = 0.5 * np.sin((share - 0.5) * np.pi) + 0.5
    bend = np.concatenate([[0.0], powers])[end]
    return np.asarray(y0 + np.clip(bent(share, bend), 0, 1) * (y1 - y0))


def _sound(source: Component, at: Array) -> Array:
    """Audio File Source: a window that moves over an imported sound."""
    window = number_in(source.members, "window_size", FRAME_SIZE, 1, 1e5)
    start = source.along(at, "start_position", 0.0, 0, 1e7)
    style = source.choice("fade_style", 4)
    share = np.arange(FRAME_SIZE) / FRAME_SIZE
    if style == 0:
        frames = _spliced(source, at, start, window)
    else:
        cycle = np.floor(start / window)
        part = start / window - cycle
        frames, later = (_read(source.samples, (cycle + step + share) * window) for step in (0, 1))
        if style == 2:
            frames = frames * (1 - part) + later * part
        elif style == 3:
            frames = np.fft.irfft(_morphed(np.fft.rfft(frames), np.fft.rfft(later), part))
    phases = source.choice("phase_style", 3)
    if phases:
        size = np.abs(np.fft.rfft(frames))
        turns = np.resize([-0.5, 0.5], size.shape[1]) * np.pi if phases == 1 else _scattered(source, size.shape[1])
        frames = np.fft.irfft(size * np.exp(1j * turns))
    if source.members.get("normalize_mult", True) is True:
        frames = levelled(frames, source.members.get("normalize_gain") is True)
    return frames


def _spliced(source: Component, at: Array, start: Array, window: float) -> Array:
    """The window, its beginning crossfaded from what follows its end, and turned so that neighbours stay in phase."""
    fade = (source.along(at, "window_fade", 1.0, 0, 1) * FRAME_SIZE).astype(np.int64)
    number = np.arange(FRAME_SIZE)
    frames = _read(source.samples, start + number / FRAME_SIZE * window)
    along = np.minimum(number / np.maximum(fade - 1, 1), 1.0)
    later = _read(source.samples, start + window + along * fade * (window / FRAME_SIZE))
    share = np.where(number < fade, 0.5 + 0.5 * np.cos(np.pi * along), 0.0)
    frames = frames * (1 - share) + later * share
    turn = (start * FRAME_SIZE / window + window / 2 + FRAME_SIZE / 2).astype(np.int64)
    return np.take_along_axis(frames, (number - turn) % FRAME_SIZE, axis=1)


def _read(audio: Array, place: Array) -> Array:
    """`audio` at fractional places, by Catmull-Rom curves between its samples."""
    place = np.clip(place, 0, len(audio) - 1)
    index = place.astype(np.int64)
    t = place - index
    a, b, c, d = (audio[np.clip(index + step, 0, len(audio) - 1)] for step in (-1, 0, 1, 2))
    return np.asarray(b + 0.5 * t * (c - a + t * (2 * a - 5 * b + 4 * c - d + t * (3 * (b - c) + d - a))))


def _scattered(source: Component, count: int) -> Array:
    """Vital's own random phases: those of a Mersenne twister whose seed the file holds."""
    twister = np.random.MT19937()
    twister._legacy_seeding(int(number_in(source.members, "random_seed", 0, -(2**31), 2**32 - 1)) & 0xFFFFFFFF)
    return np.asarray((twister.random_raw(count) / 2.0**32 * 2 - 1) * np.pi)


SOURCES: dict[str, Callable[[Component, Array], Array]] = {
    "Wave Source": _waves,
    "Line Source": _lines,
    "Audio File Source": _sound,
    "Shepard Tone Source": _octaves,
}
