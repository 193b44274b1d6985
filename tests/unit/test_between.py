"""What lies between sounds: the ends stay, the order of sources means nothing, peaks move."""

from __future__ import annotations

import numpy as np
import pytest

from nsynth_core.harmonic import between
from nsynth_core.harmonic.between import CORRECTIONS, MEETINGS, PLACES, blend, travelled
from nsynth_core.harmonic.runtime import load
from nsynth_core.metrics import spectral_distance
from nsynth_core.sound.features import TOP_HZ, hz_to_erb
from nsynth_core.sound.spectral_envelope import ENVELOPE_POINTS
from nsynth_core.training.evaluation.knob_sweeps import knob_sweeps

OUTPUTS = {"matching": MEETINGS, "correction": CORRECTIONS}


def shipped(name, inputs):
    return load()(name, inputs)


def silent(name, inputs):
    return np.zeros((len(inputs), OUTPUTS[name]), dtype=np.float32)


def loud(name, inputs):
    """Says something else of every pair, and of a pair exchanged the opposite way."""
    weights = np.random.default_rng(0).normal(0, 0.05, (inputs.shape[1], OUTPUTS[name]))
    said = np.tanh(inputs @ weights)
    if name == "matching":
        said = said - np.tanh(np.roll(inputs, ENVELOPE_POINTS, axis=1) @ weights)
    return said.astype(np.float32)


def spectrum(f0: float, peak: float = 800.0, frames: int = 6) -> np.ndarray:
    hz = np.arange(1, int(TOP_HZ / f0) + 1) * f0
    level = -12 * np.log2(hz / f0) + 30 * np.exp(
        -(((hz_to_erb(np.float32(hz)) - hz_to_erb(np.float32(peak))) / 1.5) ** 2)
    )
    level -= 10 * np.log10((10 ** (level / 10)).sum()) + 0.5
    return np.repeat(level[None], frames, axis=0).astype(np.float32)


def at(f0: float, frames: int = 6) -> np.ndarray:
    return np.full(frames, f0, dtype=np.float32)


def line(mix: float, frames: int = 6) -> np.ndarray:
    return np.repeat(np.float32([[1 - mix], [mix]]), frames, axis=1)


NETWORKS = {"silent": silent, "loud": loud, "shipped": shipped}


@pytest.mark.parametrize("network", NETWORKS)
def test_the_ends_are_the_sources_whatever_the_network_says(network):
    sources = np.stack([spectrum(110, 500), spectrum(110, 2000)])
    for mix, end in ((0.0, 0), (1.0, 1)):
        np.testing.assert_array_equal(blend(NETWORKS[network], sources, line(mix), at(110)), sources[end])
    # and next to the ends it is next to them
    near = blend(NETWORKS[network], sources, line(1e-3), at(110))
    np.testing.assert_allclose(near, sources[0], atol=0.5)


@pytest.mark.parametrize("network", NETWORKS)
def test_the_order_of_the_sources_means_nothing(network):
    sources = np.stack([spectrum(150, peak) for peak in (400, 900, 2100, 5000)])
    weights = np.repeat(np.float32([[0.1], [0.2], [0.3], [0.4]]), 6, axis=1)
    there = blend(NETWORKS[network], sources, weights, at(150))
    back = blend(NETWORKS[network], sources[::-1], weights[::-1], at(150))
    np.testing.assert_allclose(there, back, atol=1e-3)


def test_without_a_network_it_is_the_mean_of_powers_of_amplitudes():
    sources = np.stack([spectrum(110, 500), spectrum(110, 2000)])
    out = blend(silent, sources, line(0.5), at(110))
    mean = between.mean_db(sources, line(0.5))
    shift = out - mean
    assert np.ptp(shift) < 1e-3  # but for the level
    level = 10 * np.log10((10 ** (out / 10)).sum(1))
    np.testing.assert_allclose(level, -0.5, atol=1e-3)


def test_a_displaced_envelope_moves_its_peak_and_leaves_its_gaps():
    source = spectrum(110, 800)
    source[:, 1::2] -= 50  # odd partials only
    hz = np.arange(1, source.shape[1] + 1) * 110.0
    erb = hz_to_erb(np.float32(hz))[None].repeat(6, axis=0)
    away = np.full(
        (6, ENVELOPE_POINTS), 3.0, dtype=np.float32
    )  # read from 3 ERB higher: the peak comes down by as much
    moved = between._moved(source, away, erb, at(110))
    middle = slice(4, 60, 2)
    before, after = (hz[middle][np.argmax(x[0, middle] + 12 * np.log2(hz[middle]))] for x in (source, moved))
    assert 2 < hz_to_erb(np.float32(before)) - hz_to_erb(np.float32(after)) < 4
    assert (moved[:, 2:60:2] - moved[:, 1:59:2] > 15).all()
    np.testing.assert_array_equal(between._moved(source, 0 * away, erb, at(110)), source)


def test_what_meets_halfway_travels_evenly():
    """Of a match that is the same everywhere, either envelope has gone its share of the way."""
    match, mix = np.full((3, MEETINGS), 4.0, dtype=np.float32), np.float32([0.0, 0.25, 1.0])
    away = travelled(match, mix)
    np.testing.assert_allclose(away[:, 0], np.repeat(-4 * mix[:, None], ENVELOPE_POINTS, axis=1), atol=1e-5)
    np.testing.assert_allclose(away[:, 1], np.repeat(4 * (1 - mix[:, None]), ENVELOPE_POINTS, axis=1), atol=1e-5)


def test_what_meets_is_read_from_both_ends():
    """What lies at 14 ERB in the first and at 20 in the second is read from there, wherever it has come."""
    places = PLACES[:: between.HALFWAY]
    match = np.clip(8 - np.abs(places - 17), 0, 6)[None].astype(np.float32)
    for mix in np.float32([0.2, 0.5, 0.9]):
        first, second = travelled(match, np.asarray([mix]))[0]
        here = 14 + 6 * mix
        assert here + np.interp(here, PLACES, first) == pytest.approx(14, abs=0.3)
        assert here + np.interp(here, PLACES, second) == pytest.approx(20, abs=0.3)


@pytest.mark.parametrize("knob", ["low-pass cutoff", "resonant low-pass", "band-pass", "vowel o to e", "vowel a to i"])
@pytest.mark.parametrize("f0", [82.4, 147.0])
def test_peaks_move_instead_of_fading(knob, f0):
    """The blend of a filter at two settings is nearer to the filter between them than the mean in dB is."""
    turn = knob_sweeps(f0)[knob]
    first, true, second = (turn(x).partials_db[:1] - turn(x).level_db()[:1, None] for x in (0.0, 0.5, 1.0))
    out = blend(shipped, np.stack([first, second]), line(0.5, 1), at(f0, 1))
    level = 10 * np.log10((10 ** (out / 10)).sum())
    faded = (first + second) / 2
    faded -= 10 * np.log10((10 ** (faded / 10)).sum())
    assert spectral_distance(true, out - level) < 0.7 * spectral_distance(true, faded)


@pytest.mark.parametrize("peaks", [(400, 800), (500, 1100), (700, 1600), (900, 2000)])
def test_a_lone_peak_travels(peaks):
    """Of a resonance here and one there, one is left halfway, and little where they were."""
    f0 = 82.4
    ends = np.stack([spectrum(f0, peak, 1) for peak in peaks])
    hz = np.arange(1, ends.shape[2] + 1) * f0
    erb = hz_to_erb(np.float32(hz))
    first, second = hz_to_erb(np.float32(peaks))
    out = blend(shipped, ends, line(0.5, 1), at(f0, 1))[0] + 12 * np.log2(hz / f0)
    strongest = np.argmax(np.where(hz < 4000, out, -np.inf))
    assert erb[strongest] == pytest.approx((first + second) / 2, abs=1.0)  # a partial
    assert out[strongest] > np.interp([first, second], erb, out).max() + 2


def test_sounds_alike_stay_themselves():
    """Between a sound and itself there is nothing to add."""
    source = spectrum(110, 800)
    near = source + np.float32(0.3) * np.sin(np.arange(source.shape[1], dtype=np.float32))
    out = blend(shipped, np.stack([source, source]), line(0.5), at(110))
    np.testing.assert_allclose(out, source, atol=1e-3)
    between_them = blend(shipped, np.stack([source, near]), line(0.5), at(110))
    assert np.abs(between_them - source)[source > -70].max() < 0.6


def test_frames_of_noise_draw_nothing():
    voiced, unvoiced = spectrum(110, 800), np.full_like(spectrum(110), -100)
    plain = blend(silent, np.stack([voiced, unvoiced]), line(0.5), at(110))
    np.testing.assert_allclose(blend(loud, np.stack([voiced, unvoiced]), line(0.5), at(110)), plain, atol=1e-3)


@pytest.mark.parametrize("f0", [27.5, 440.0, 4000.0, 15_000.0])
@pytest.mark.parametrize("frames", [1, 2, 4, 5, 41])
def test_any_pitch_and_any_number_of_frames(f0, frames):
    sources = np.stack([spectrum(f0, peak, frames) for peak in (300, 1000, 3000)])
    weights = np.repeat(np.float32([[0.2], [0.3], [0.5]]), frames, axis=1)
    out = blend(shipped, sources, weights, at(f0, frames))
    assert out.shape == sources[0].shape
    assert out.dtype == np.float32
    assert np.isfinite(out).all()
    np.testing.assert_allclose(out, out[:1].repeat(frames, axis=0), atol=1e-3)


def test_a_path_is_smooth_in_time():
    """The pair is looked at every few frames; the weights are not."""
    frames = 81
    sources = np.stack([spectrum(110, 500, frames), spectrum(110, 2000, frames)])
    way = np.linspace(0, 1, frames, dtype=np.float32)
    out = blend(shipped, sources, np.stack([1 - way, way]), at(110, frames))
    audible = np.maximum(out, out.max() - 60)
    step = np.abs(np.diff(audible, axis=0)).max(1)
    assert step.max() < 6 * step.mean()


def test_the_network_is_trained_on_what_is_played():
    """The blend in TensorFlow is the blend in numpy."""
    tf = pytest.importorskip("tensorflow")
    from nsynth_core.training import fit_between
    from nsynth_core.training.pairs import PARTIALS

    f0 = 150.0
    ends = np.stack([spectrum(f0, peak, 1)[0, :PARTIALS] for peak in (500, 1900)])
    ends -= 10 * np.log10((10 ** (ends / 10)).sum(1, keepdims=True))
    inputs = between.spectrum_inputs(ends, np.full(2, f0, dtype=np.float32))
    padded = np.full((1, 2, PARTIALS), -100, dtype=np.float32)
    padded[0, :, : ends.shape[1]] = ends
    where = fit_between.Spectra(tf.constant([f0]))
    graphs = fit_between.Graphs(
        *(lambda x, name=name: tf.constant(loud(name, x.numpy())) for name in fit_between.Graphs._fields)
    )
    for mix in np.float32([[[0.25]], [[0.6]]]):
        far = between.apart(inputs[:1], inputs[1:])
        asked = fit_between.PairBatch(np.float32([f0]), inputs[None], far, padded, mix, padded[:, 0])
        (trained,), _ = fit_between.blends(graphs, where, fit_between.PairBatch(*map(tf.constant, asked)))
        trained = fit_between.levelled(trained, where).numpy()[0, : ends.shape[1]]
        played = blend(loud, ends[:, None], line(float(mix[0, 0]), 1), at(f0, 1))[0]
        heard = played > played.max() - 60
        # the basis is read at a quarter of a semitone at run time
        np.testing.assert_allclose(played[heard], trained[heard], atol=0.3)


def test_the_network_hears_what_blends_are_judged_by():
    """Brightness, width, top, fundamental and odd partials are those of the report, and so is the detour."""
    tf = pytest.importorskip("tensorflow")
    from nsynth_core.metrics import descriptors, monotony
    from nsynth_core.sound.features import NOISE_BANDS, Features
    from nsynth_core.training import fit_between
    from nsynth_core.training.pairs import PARTIALS

    f0, path = 150.0, np.concatenate([spectrum(150.0, peak, 1)[:, :PARTIALS] for peak in (500, 1900, 1200)])
    frames, count = path.shape
    noise = np.full((frames, NOISE_BANDS), -120, dtype=np.float32)
    zeros = np.zeros_like(noise)
    judged = descriptors(Features(np.full(frames, f0, dtype=np.float32), path, noise, zeros, zeros + 1))[:, :5]
    padded = np.full((frames, PARTIALS), -100, dtype=np.float32)
    padded[:, :count] = path
    where = fit_between.Spectra(tf.constant([f0]))
    stations = [fit_between.descriptors(tf.constant(row[None]), where).numpy()[0] for row in padded]
    np.testing.assert_allclose(np.stack(stations)[:, :5], judged, atol=0.01)
    detour = float(fit_between.wandering([tf.constant(row[None]) for row in padded], where))
    assert detour == pytest.approx(1 - monotony(judged), abs=0.05)
