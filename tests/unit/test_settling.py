import numpy as np
import pytest

from nsynth_core.sound.features import FLOOR_DB, FRAME_RATE, NOISE_BANDS, Features
from nsynth_core.sound.smoothing import settled

FRAMES = 300


def features(f0: float, partials_db: np.ndarray) -> Features:
    frames = len(partials_db)
    bands = np.zeros((frames, NOISE_BANDS), dtype=np.float32)
    return Features(
        np.full(frames, f0, dtype=np.float32),
        partials_db.astype(np.float32),
        bands + np.float32(FLOOR_DB),
        bands,
        bands + 1,
    )


def amplitudes(f: Features) -> np.ndarray:
    return 10 ** (f.partials_db.astype(np.float64) / 20)


@pytest.mark.parametrize(("times_f0", "least", "most"), [(1 / 16, 0.99, 1), (1 / 8, 0.93, 0.97), (0.45, 0, 0.07)])
@pytest.mark.parametrize("f0", [32.7, 65.4, 98.0])
def test_levels_keep_what_is_slow_beside_the_period(f0: float, times_f0: float, least: float, most: float) -> None:
    seconds = np.arange(FRAMES) / FRAME_RATE
    moves = 0.3 * np.cos(2 * np.pi * times_f0 * f0 * seconds + 0.4)
    levels = 20 * np.log10(np.stack([1 + moves, 0.1 * (1 - moves)], 1))
    found = amplitudes(settled(features(f0, levels)))[50:-50]
    for column, level, sign in zip(found.T, (1, 0.1), (1, -1), strict=True):
        kept = np.linalg.norm(column - level) / np.linalg.norm(level * moves[50:-50])
        assert least <= kept <= most
        if least:
            assert np.dot(column - level, sign * moves[50:-50]) > 0


def test_an_attack_stays_as_sharp_as_it_was() -> None:
    seconds = np.arange(FRAMES) / FRAME_RATE
    struck = np.where(seconds < 1, FLOOR_DB, -20 - 30 * (seconds - 1))
    given = features(40.0, np.maximum(np.stack([struck, struck - 6], 1), FLOOR_DB))
    found = settled(given)
    np.testing.assert_allclose(found.partials_db, given.partials_db, atol=0.2)
    np.testing.assert_array_equal(found.partials_db[:107], given.partials_db[:107])


def test_a_pitch_that_climbs_is_smoothed_where_it_is_low() -> None:
    levels = np.random.default_rng(1).normal(-20, 1, (FRAMES, 4))
    given = features(40.0, levels)
    given.f0_hz[:] = np.geomspace(40, 400, FRAMES)
    change = np.abs(settled(given).partials_db - given.partials_db).mean(1)
    assert change[20:120].mean() > 0.3
    assert change[given.f0_hz > 2.5 * FRAME_RATE].max() == 0


@pytest.mark.parametrize("frames", [1, 2, 3, 1003])
def test_any_number_of_frames(frames: int) -> None:
    given = features(50.0, np.full((frames, 3), -12.0))
    np.testing.assert_allclose(settled(given).partials_db, given.partials_db, atol=1e-4)


def test_high_notes_are_not_touched() -> None:
    given = features(260.0, np.random.default_rng(1).normal(-20, 3, (FRAMES, 4)))
    assert settled(given) is given
