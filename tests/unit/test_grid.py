"""A grid's points, notes and tables."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import numpy as np
import pytest

from nsynth_core.audio import Sound
from nsynth_core.blending.coder import load_coder
from nsynth_core.blending.engine import Blend
from nsynth_core.blending.feature_engine import FeatureEngine
from nsynth_core.blending.grid import GridSpec
from nsynth_core.blending.instrument import AS_IT_IS, Instrument
from nsynth_core.blending.weights import corner_weights
from nsynth_core.notes import midi_to_hz
from nsynth_core.sound.knobs import Knobs

PLAIN = load_coder("envelope")


@dataclass
class At:
    """A grid at one pitch: its notes at (x, y) and its tables, one a row."""

    pitch: float
    places: list[float]
    rows: dict[float, Blend] = field(default_factory=dict)

    def note(self, x: float, y: float) -> Sound:
        return self.rows[y].notes[self.places.index(x)]()

    def table(self, y: float) -> np.ndarray:
        return self.rows[y].walk(False)[0]


def render(spec: GridSpec, corners: list[Instrument], knobs: Knobs = AS_IT_IS) -> Iterator[At]:
    rows = list(spec.rows(corners))
    made = FeatureEngine(PLAIN, knobs).blend([row for _, _, row in rows], spec.seconds, spec.rate)
    found: dict[float, At] = {}
    for (pitch, y, _), each in zip(rows, made, strict=True):
        found.setdefault(pitch, At(pitch, spec.places(len(corners)))).rows[y] = each
    return iter(found.values())


@pytest.fixture
def corners(plain):
    """Four one-key instruments, each one partial at its own level under the fundamental."""

    def make(level: float, key: int = 60) -> Instrument:
        embedding = PLAIN.encode(plain(midi_to_hz(key), 101, (-20.0, -20.0 - level)))
        return Instrument("x", (float(key),), lambda _: embedding)

    return [make(level) for level in (0.0, 10.0, 20.0, 40.0)]


def second_over_first(frames: np.ndarray) -> np.ndarray:
    level = np.abs(np.fft.rfft(frames))
    return 20 * np.log10(level[:, 2] / level[:, 1])


def test_points_row_by_row(corners):
    def points(mixes: int, sounds: int) -> list[tuple[float, float]]:
        spec = GridSpec(mixes, (60.0,))
        found = []
        for pitch, y, row in spec.rows((corners * 3)[:sounds]):
            assert (pitch, row.pitch, len(row.path)) == (60, 60, 64)
            for x, weights in zip(spec.places(sounds), row.mixes, strict=True):
                np.testing.assert_array_equal(weights, corner_weights(x, y, sounds))
                found.append((x, y))
            if mixes > 1:
                np.testing.assert_array_equal(row.path[[0, -1]], row.mixes[[0, -1]])
        return found

    assert points(3, 4)[:4] == [(0, 0), (0.5, 0), (1, 0), (0, 0.5)]
    assert len(points(3, 4)) == 9
    assert points(3, 2) == [(0, 0), (0.5, 0), (1, 0)]
    assert points(1, 4) == [(0, 0)]
    assert len(points(3, 9)) == 25


def test_tables_walk_each_row(corners):
    (at,) = render(GridSpec(3, (60.0,), 0.5, frames=9), corners)
    np.testing.assert_allclose(second_over_first(at.table(0.0))[[0, -1]], [0, -10], atol=0.01)
    np.testing.assert_allclose(second_over_first(at.table(1.0))[[0, -1]], [-20, -40], atol=0.01)
    middle = second_over_first(at.table(0.5))
    np.testing.assert_allclose(middle, np.linspace(-10, -25, 9), atol=1.2)
    assert at.table(0.5).shape == (9, 2048)


def test_notes_sit_on_their_mix_and_pitch(corners):
    for at in render(GridSpec(5, (48.0, 60.0, 72.0), 0.5), corners):
        note = at.note(0.5, 0.5)
        assert note.samples.shape == (24_000, 2)
        x = note.samples[1200:-1200, 0].astype(np.float64)
        t = np.arange(len(x)) / 48_000
        basis = [f(2 * np.pi * k * midi_to_hz(at.pitch) * t) for k in (1, 2) for f in (np.sin, np.cos)]
        found = np.linalg.lstsq(np.stack(basis, 1), x, rcond=None)[0]
        first, second = np.hypot(found[::2], found[1::2])
        residual = x - np.stack(basis, 1) @ found
        assert (residual**2).mean() < 1e-3 * (x**2).mean()
        if at.pitch == 60:
            assert 20 * np.log10(second / first) == pytest.approx(-17.5, abs=0.05)


def test_a_matrix_has_its_sounds_on_points(corners):
    assert [GridSpec(5, (60.0,)).side(n) for n in (2, 4, 9, 16)] == [5, 5, 9, 13]
    nine = [corners[i % 4] for i in range(9)]
    spec = GridSpec(3, (60.0,), 0.2, frames=5)
    assert len(list(spec.rows(nine))) == len(spec.places(9)) == 5
    (at,) = render(spec, nine)
    row = second_over_first(at.table(0.5))  # sounds 3, 4, 5: -40, 0, -10 dB
    np.testing.assert_allclose(row[[0, -1]], [-40, -10], atol=0.01)
    (alone,) = render(spec, [corners[0]] * 2)
    np.testing.assert_allclose(at.note(0.5, 0.5).samples, alone.note(0, 0).samples, atol=1e-6)


def test_knobs_turn_notes_and_tables(corners):
    (plain_at,) = render(GridSpec(2, (60.0,), 0.3, frames=3), corners)
    (bright,) = render(GridSpec(2, (60.0,), 0.3, frames=3), corners, Knobs(brightness=6.0))
    change = second_over_first(bright.table(0.0)) - second_over_first(plain_at.table(0.0))
    np.testing.assert_allclose(change[[0, -1]], 6.0, atol=0.01)
    for x, y in ((0.0, 0.0), (1.0, 1.0)):
        x0, x1 = (
            np.abs(np.fft.rfft(at.note(x, y).samples[2400:9600, 0] * np.hanning(7200))) for at in (plain_at, bright)
        )
        first, second = (round(k * midi_to_hz(60) * 7200 / 48_000) for k in (1, 2))
        assert 20 * np.log10(x1[second] * x0[first] / x1[first] / x0[second]) == pytest.approx(6.0, abs=0.1)


def test_two_corners(corners):
    (at,) = render(GridSpec(5, (60.0,), 0.2, frames=5), corners[:2])
    np.testing.assert_allclose(second_over_first(at.table(0.0)), [0, -2.5, -5, -7.5, -10], atol=0.3)


def test_nsynth_rule_is_used(corners):
    (at,) = render(GridSpec(5, (60.0,), 0.2, weights="nsynth", frames=5), corners)
    (plain_at,) = render(GridSpec(5, (60.0,), 0.2, frames=5), corners)
    assert not np.allclose(at.note(0.25, 0.25).samples, plain_at.note(0.25, 0.25).samples)


def test_threads_make_the_same(corners):
    (at,) = render(GridSpec(3, (60.0,), 0.3), corners)
    points = [(x, y) for x in (0.0, 0.5, 1.0) for y in (0.0, 0.5, 1.0)]
    alone = [at.note(x, y).samples for x, y in points]
    with ThreadPoolExecutor(4) as pool:
        for one, other in zip(alone, pool.map(lambda p: at.note(*p).samples, points), strict=True):
            np.testing.assert_array_equal(one, other)
