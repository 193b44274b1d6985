"""Loudness, near-duplicates and words of tables."""

from __future__ import annotations

import numpy as np
import pyloudnorm
import pytest

from nsynth_core.audio import Sound
from wavetables import loudness
from wavetables.packs import spectra
from wavetables.resizing import resize
from wavetables.shaping import PEAK

PHASE = 2 * np.pi * np.arange(2048) / 2048


def wave(levels: dict[int, float]) -> np.ndarray:
    return sum(level * np.sin(number * PHASE) for number, level in levels.items())


def table(*frames: np.ndarray) -> np.ndarray:
    return np.stack(frames).astype(np.float32)


SAW = wave({k: 0.4 / k for k in range(1, 512)})
SINE = wave({1: 0.5})
SQUARE = wave({k: 0.5 / k for k in range(1, 512, 2)})
QUIET = wave({3: 0.002})
TABLES = {
    "sine": table(SINE),
    "saw": table(SAW),
    "saw to sine": table(SAW, SINE),
    "many": table(*(SAW * (1 - x) + SQUARE * x for x in np.linspace(0, 1, 64))),
    "gated": table(SAW, SAW, QUIET, QUIET, QUIET),
    "opposed": table(SINE, -SINE, SINE),
}


@pytest.mark.parametrize("name", TABLES)
def test_loudness_is_that_of_an_independent_meter(name):
    """The meter hears the rendered note; the fades of 10 ms are in it, too."""
    heard = pyloudnorm.Meter(loudness.RATE).integrated_loudness(loudness.played(TABLES[name]).astype(np.float64))
    assert loudness.loudness(TABLES[name]) == pytest.approx(heard, abs=0.1)


@pytest.mark.parametrize(("frames", "period"), [(1, 100), (2, 367), (256, 367), (256, 1746), (9, 23)])
def test_a_table_is_played_as_a_synth_crossfades_its_frames(frames, period):
    rng = np.random.default_rng(frames)
    cycles = rng.uniform(-0.5, 0.5, (frames, 2048)).astype(np.float32)
    note = loudness.played(cycles, period)
    short = resize(cycles, period).astype(np.float64)
    for sample in rng.integers(loudness.FADE, len(note) - loudness.FADE, 500):
        place = sample / len(note) * (frames - 1)
        low, share = int(place), place % 1
        ends = short[low, sample % period], short[min(low + 1, frames - 1), sample % period]
        assert note[sample] == pytest.approx(ends[0] * (1 - share) + ends[1] * share, abs=1e-6)


@pytest.mark.parametrize("rate", [44_100, 48_000])
@pytest.mark.parametrize("channels", [1, 2])
def test_a_note_is_measured_and_levelled_as_an_independent_meter_hears_it(rate, channels):
    seconds = np.arange(2 * rate) / rate
    partials = sum(np.sin(2 * np.pi * 220 * k * seconds + k * k) / k for k in range(1, 40))
    fade = np.exp(-4 * seconds)  # its end is gated
    note = Sound(np.float32(0.2 * fade * partials)[:, None] * np.float32([1.0, 0.3])[:channels], rate)
    meter = pyloudnorm.Meter(rate)
    assert loudness.of_note(note) == pytest.approx(meter.integrated_loudness(note.samples.astype(float)), abs=0.1)
    levelled = loudness.levelled_note(note, -24.0)
    assert meter.integrated_loudness(levelled.samples.astype(float)) == pytest.approx(-24.0, abs=0.1)
    assert np.abs(loudness.levelled_note(note, -6.0).samples).max() <= np.float32(PEAK)
    assert loudness.levelled_note(note, None) is note
    silent = Sound(np.zeros((100, channels), np.float32), rate)
    assert loudness.of_note(silent) == loudness.SILENT
    assert loudness.levelled_note(silent, -18.0) is silent


def test_the_k_weighting_is_the_standards():
    """BS.1770: a sine of 997 Hz at 0 dBFS in one channel measures -3.01 LKFS."""
    gain = 10 * np.log10(loudness.k_weighting(np.asarray([997.0])))[0]
    assert -0.691 + gain + 10 * np.log10(0.5) == pytest.approx(-3.01, abs=0.01)


@pytest.mark.parametrize("name", TABLES)
def test_a_table_is_brought_to_the_asked_loudness(name):
    levelled, level = loudness.levelled(TABLES[name], -24.0)
    assert level == pytest.approx(loudness.loudness(levelled), abs=1e-3)
    assert loudness.loudness(levelled) == pytest.approx(-24.0, abs=0.01)
    assert levelled.dtype == np.float32


def test_no_peak_passes_full_scale():
    click = table(wave({k: 0.01 for k in range(1, 200)}))
    levelled, level = loudness.levelled(click, -6.0)
    assert level == pytest.approx(loudness.loudness(levelled), abs=1e-3)
    assert np.abs(levelled).max() == pytest.approx(PEAK, abs=1e-6)
    assert loudness.loudness(levelled) < -6.0


def test_frames_are_levelled_one_by_one_or_kept():
    frames = table(SAW, 0.1 * SINE, QUIET)
    each, _ = loudness.levelled(frames, -20.0, "frame")
    assert [loudness.loudness(frame[None]) for frame in each] == pytest.approx([-20.0] * 3, abs=0.01)
    assert loudness.levelled(frames, None)[0] is frames


def test_silence_stays_silent():
    silence = np.zeros((3, 2048), dtype=np.float32)
    assert loudness.loudness(silence) == loudness.SILENT
    assert not loudness.levelled(silence, -18.0)[0].any()


def test_a_played_table_is_at_its_pitch_and_does_not_alias():
    note = loudness.played(table(wave({k: 0.5 / k for k in range(1, 1024)})))
    spectrum = np.abs(np.fft.rfft(note * np.hanning(len(note))))
    hz = np.fft.rfftfreq(len(note), 1 / loudness.RATE)
    number = hz / loudness.F0
    beside = np.abs(number - np.round(number)) > 0.1
    assert hz[spectrum.argmax()] == pytest.approx(130.8, abs=0.3)
    assert 20 * np.log10(spectrum[beside].max() / spectrum.max()) < -90


def test_tables_that_sound_alike_are_found():
    rng = np.random.default_rng(0)
    others = [table(wave({k: rng.random() ** 3 / k for k in range(1, 60)})) for _ in range(300)]
    turned = np.roll(0.3 * TABLES["many"], 100, axis=1)  # phase and level do not matter
    grainy = TABLES["many"] + rng.normal(0, 1e-5, TABLES["many"].shape).astype(np.float32)
    found = list(spectra.duplicates([spectra.fingerprint(t) for t in (TABLES["many"], *others, turned, grainy)]))
    assert sorted((a, b) for a, b, _ in found) == [(0, 301), (0, 302), (301, 302)]
    assert max(distance for _, _, distance in found) < 0.5


def test_the_distance_is_the_rms_over_harmonics_heard_in_either():
    near = wave({1: 0.5, 2: 0.25, 3: 0.1})
    moved = wave({1: 0.5, 2: 0.25 * 10 ** (1 / 20), 3: 0.1})
    prints = [spectra.fingerprint(table(near)), spectra.fingerprint(table(moved))]
    ((_, _, distance),) = spectra.duplicates(prints)
    assert distance == pytest.approx(1 / np.sqrt(3), abs=0.1)


def test_a_sweep_the_other_way_round_is_another_table():
    prints = [spectra.fingerprint(TABLES["many"]), spectra.fingerprint(TABLES["many"][::-1])]
    assert list(spectra.duplicates(prints)) == []


def test_words_say_how_a_table_sounds():
    def words(frames):
        return spectra.words(frames, spectra.fingerprint(frames))

    assert words(TABLES["sine"]) == ("dark", "pure", "steady")
    assert "hollow" in words(table(SQUARE))
    assert "bright" in words(table(wave({k: 0.01 for k in range(1, 100)})))
    assert words(table(wave({1: 0.5, 2: 0.001}), wave({k: 0.02 for k in range(1, 40)})))[-1] == "moving"
