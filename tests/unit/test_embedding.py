"""The arithmetic of blending, on curves worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest

from nsynth_core.blending.embedding import (
    ATTACK_SECONDS,
    Embedding,
    Part,
    at_frames,
    at_pitch,
    load,
    mix,
    save,
    stretch,
    timing,
)
from nsynth_core.errors import UserError
from nsynth_core.sound.features import FRAME_RATE

ATTACK = int(ATTACK_SECONDS * FRAME_RATE)


def embedding(frames: int = 101, onset: int = 10, f0: float = 200.0, seed: int = 0) -> Embedding:
    rng = np.random.default_rng(seed)

    def curve(*shape: int) -> np.ndarray:
        return rng.standard_normal((frames, *shape)).astype(np.float32)

    level = np.where(np.arange(frames) < onset, -90.0, -10.0 - np.arange(frames) / 10).astype(np.float32)
    hz = np.full(frames, f0, dtype=np.float32)
    part = Part(np.ones(frames, dtype=np.float32), curve(4), hz, curve(6), curve(24), curve(24), curve(24))
    # the first code is the frame's own number: where a stretched frame came from can be read off it
    z = np.concatenate([np.arange(frames, dtype=np.float32)[:, None], curve(3)], axis=1)
    return Embedding(z, hz, level, *timing(level), (part,))


def test_timing_finds_the_onset():
    level = np.asarray([-90, -70, -35, -12, -10, -20, -60], dtype=np.float32)
    below, since = timing(level)
    np.testing.assert_allclose(below, level + 10)
    np.testing.assert_allclose(since, np.arange(-2, 5) / FRAME_RATE, atol=1e-7)
    assert embedding(onset=10).onset() == 10


def test_reading_at_frames_is_linear_and_f0_geometric():
    one = embedding()
    np.testing.assert_array_equal(at_frames(one, np.arange(101.0)).z, one.z)
    half = at_frames(one, np.asarray([3.5, 100.0, 0.0]))
    np.testing.assert_allclose(half.z[0], (one.z[3] + one.z[4]) / 2, rtol=1e-6)
    np.testing.assert_allclose(half.parts[0].partials[0], (one.parts[0].partials[3] + one.parts[0].partials[4]) / 2)
    np.testing.assert_array_equal(half.z[1:], one.z[[100, 0]])
    rising = Embedding(**{**vars(one), "f0_hz": np.geomspace(100, 400, 101).astype(np.float32)})
    assert at_frames(rising, np.asarray([50.0])).f0_hz[0] == pytest.approx(200, rel=1e-5)


def test_one_frame_can_be_read_at_any_place():
    moment = at_frames(embedding(), np.asarray([20.0]))
    np.testing.assert_array_equal(at_frames(moment, np.zeros(5)).z, np.tile(moment.z, (5, 1)))


@pytest.mark.parametrize("frames", [2, 3, 30, 101, 250, 1000])
@pytest.mark.parametrize("onset", [None, 0, 5, 10, 40])
def test_stretch_keeps_the_attack_and_lands_on_the_end(frames, onset):
    source = embedding()
    out = stretch(source, frames, onset)
    where = out.z[:, 0]
    target = min(10 if onset is None else onset, frames - 2)
    assert out.frames == frames
    assert where[-1] == 100
    assert where[target] == 10
    assert (np.diff(where) >= 0).all()
    attack = min(ATTACK, (101 - 1 - 10) // 2, (frames - 1 - target) // 2)
    np.testing.assert_allclose(np.diff(where[target : target + attack + 1]), 1)
    rest = np.diff(where[target + attack :])
    np.testing.assert_allclose(rest, rest.mean(), rtol=1e-3)
    if onset is not None and onset <= 10:
        np.testing.assert_allclose(np.diff(where[: target + 1]), 1)


def test_stretch_to_its_own_length_is_the_same():
    source = embedding()
    assert stretch(source, 101) is source
    assert stretch(source, 101, 10) is source


def test_mix_with_one_weight_is_the_source():
    a, b = embedding(seed=1), embedding(seed=2, f0=300)
    for weights, source in (([1, 0], a), ([0, 1], b)):
        out = mix([a, b], weights)
        for name in ("z", "level_db", "f0_hz"):
            np.testing.assert_allclose(getattr(out, name), getattr(source, name), rtol=1e-6)
        assert len(out.parts) == 1
        np.testing.assert_array_equal(out.parts[0].partials, source.parts[0].partials)


def test_mix_is_the_weighted_mean():
    a, b = embedding(seed=1, f0=200), embedding(seed=2, f0=800)
    out = mix([a, b], [0.25, 0.75])
    np.testing.assert_allclose(out.z, 0.25 * a.z + 0.75 * b.z, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(out.f0_hz, 200**0.25 * 800**0.75, rtol=1e-5)
    assert [float(part.weight[0]) for part in out.parts] == [0.25, 0.75]


def test_weights_may_be_curves():
    a, b = embedding(seed=1), embedding(seed=2)
    walk = np.linspace(0, 1, 101, dtype=np.float32)
    out = mix([a, b], [1 - walk, walk])
    np.testing.assert_allclose(out.z[0], a.z[0], atol=1e-6)
    np.testing.assert_allclose(out.z[-1], b.z[-1], rtol=1e-6)
    np.testing.assert_allclose(out.z[50], (a.z[50] + b.z[50]) / 2, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(out.parts[1].weight, walk)


def test_mixes_of_mixes_multiply_their_weights():
    a, b, c = (embedding(seed=seed) for seed in (1, 2, 3))
    nested = mix([mix([a, b], [0.5, 0.5]), c], [0.4, 0.6])
    flat = mix([a, b, c], [0.2, 0.2, 0.6])
    np.testing.assert_allclose(nested.z, flat.z, rtol=1e-5, atol=1e-5)
    for one, other in zip(nested.parts, flat.parts, strict=True):
        np.testing.assert_allclose(one.weight, other.weight, rtol=1e-6)


def curves(partials, f0, frames=3):
    return np.tile(np.float32(partials), (frames, 1)), np.full(frames, f0, dtype=np.float32)


def test_at_pitch_keeps_its_own_pitch():
    partials, f0 = curves([1, 5, 2, 8], 200)
    np.testing.assert_array_equal(at_pitch(partials, f0, f0, 4, 0), partials)
    np.testing.assert_array_equal(at_pitch(partials, f0, f0, 2, 0), partials[:, :2])
    np.testing.assert_array_equal(at_pitch(partials, f0, f0, 6, -7)[0], [1, 5, 2, 8, -7, -7])


def test_an_octave_up_is_the_mean_of_number_and_hertz():
    partials, f0 = curves([1, 5, 2, 8], 200)
    # by number 1 5 2 8; in Hz partials 2 4 6 8 of the source: 5 8 and two beyond its last
    np.testing.assert_allclose(at_pitch(partials, f0, 2 * f0, 4, -20)[0], [3, 6.5, (2 - 20) / 2, (8 - 20) / 2])


def test_an_octave_down_reads_between():
    partials, f0 = curves([1, 5, 2, 8], 200)
    # in Hz partials 1/2 (the first), 1, 3/2, 2 of the source
    np.testing.assert_allclose(at_pitch(partials, f0, f0 / 2, 4, -20)[0], [1, 3, 2.5, 6.5])


def test_only_frames_that_move_change():
    partials, f0 = curves([1, 5, 2, 8], 200)
    to = f0.copy()
    to[1] *= 2
    out = at_pitch(partials, f0, to, 4, -20)
    np.testing.assert_allclose(out[[0, 2]], partials[[0, 2]], atol=1e-4)
    assert not np.allclose(out[1], partials[1])


def test_save_and_load(tmp_path):
    one = mix([embedding(seed=1), embedding(seed=2)], [0.5, 0.5])
    save(tmp_path / "a.npz", one)
    again = load(tmp_path / "a.npz")
    assert len(again.parts) == 2
    for name in ("z", "f0_hz", "level_db", "below_peak", "since_onset"):
        np.testing.assert_array_equal(getattr(again, name), getattr(one, name))
    for part, other in zip(again.parts, one.parts, strict=True):
        for name in vars(part):
            np.testing.assert_array_equal(getattr(part, name), getattr(other, name))
    with pytest.raises(UserError, match="exists already"):
        save(tmp_path / "a.npz", one)


@pytest.mark.parametrize("content", [b"", b"no zip at all", b"PK\x03\x04 a zip that is none"])
def test_load_of_anything_else(tmp_path, content):
    path = tmp_path / "a.npz"
    path.write_bytes(content)
    with pytest.raises(UserError, match="not an embedding"):
        load(path)
    with pytest.raises(UserError, match="not an embedding"):
        load(tmp_path / "missing.npz")


def test_load_of_other_arrays(tmp_path):
    np.savez(tmp_path / "a.npz", z=np.ones(3))
    np.save(tmp_path / "b.npy", np.ones(3))
    for name in ("a.npz", "b.npy"):
        with pytest.raises(UserError, match="not an embedding"):
            load(tmp_path / name)
