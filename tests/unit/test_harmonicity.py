"""Sounds that are one note, and sounds that are not: the user is told of the latter, and of nothing else."""

from __future__ import annotations

import numpy as np
import pytest

from nsynth_core.audio import Sound
from nsynth_core.blending.coder import load_coder
from nsynth_core.blending.instrument import embed, from_sound
from nsynth_core.notes import midi_to_hz
from nsynth_core.pitch import PitchTrack, Unpitched, follow, track
from nsynth_core.sound.analysis import analyse
from nsynth_core.sound.harmonicity import MOST_STRAY, MissingFundamental, StrayTones, doubts, lowest, stray
from nsynth_core.sound.synthesis import render
from wavetables.instruments import describe

RATE = 48_000


def saws(*pitches: float, seconds: float = 1.5, vibrato: float = 0.0, noise: float = 0.0, offset: float = 0.0) -> Sound:
    """Sawtooths of 20 partials at MIDI pitches, each beginning elsewhere in its cycle."""
    t = np.arange(round(seconds * RATE)) / RATE
    turns = t + vibrato * np.sin(2 * np.pi * 5 * t) / (10 * np.pi)
    x = sum(
        np.sin(2 * np.pi * k * (midi_to_hz(pitch) * turns + 0.37 * i)) / k
        for i, pitch in enumerate(pitches)
        for k in range(1, 21)
    )
    x = 0.25 * np.asarray(x) / np.abs(x).max() + offset
    x = x + noise * np.random.default_rng(0).standard_normal(len(t))
    return Sound(x[:, None].astype(np.float32), RATE)


def heard(sound: Sound, pitch: float | None = None) -> tuple[PitchTrack, float]:
    found = track(sound) if pitch is None else follow(sound, pitch)
    return found, stray(sound, found)


ONE = {
    "a saw": saws(48),
    "high": saws(88),
    "low": saws(26),
    "vibrato": saws(57, vibrato=0.02),
    "breath": saws(57, noise=0.05),
    "an offset": saws(76, offset=0.2),
    "octaves": saws(48, 60),
    "detuned by 50 cents": saws(*(48 + 0.5 * np.linspace(-0.5, 0.5, 7)), seconds=3.0),
}


@pytest.mark.parametrize("name", ONE)
def test_one_note_has_nothing_stray(name):
    found, share = heard(ONE[name])
    assert share < 0.02
    assert doubts(ONE[name], found, analyse(ONE[name], found)) == ()


@pytest.mark.parametrize(
    "pitches", [(57, 60, 64), (60, 64), (60, 62), (60, 61)], ids=["minor chord", "third", "second", "minor second"]
)
@pytest.mark.parametrize("given", [False, True])
def test_chords_are_told(pitches, given):
    sound = saws(*pitches)
    try:
        found, share = heard(sound, pitches[0] if given else None)
    except Unpitched:  # refused is told, too
        return
    features = analyse(sound, found)
    (doubt,) = doubts(sound, found, features)
    (line,) = describe(from_sound(sound, load_coder("envelope"), pitches[0] if given else None))
    if share > MOST_STRAY:
        assert doubt == StrayTones(share, found.pitch)
        assert f"not one note: {share:.0%}" in line
    else:  # it fits the harmonics of a low note
        assert not given
        number = 4 if pitches == (60, 64) else 8  # C4 is partial 4 of C2, over which E4 is 5, and 8 of C1, D4 9
        assert lowest(features) == number
        assert isinstance(doubt, MissingFundamental)
        assert doubt.partial == number
        assert f"lowest partial is number {number} (C4)" in line


def test_a_chord_on_the_harmonics_of_a_low_note_is_told():
    sound = saws(48, 55)  # a fifth: partials 2 and 3 of C2
    instrument = from_sound(sound, load_coder("envelope"))
    assert instrument.pitches[0] == pytest.approx(36, abs=0.05)
    (line,) = describe(instrument)
    assert "lowest partial is number 2 (C3)" in line
    major = saws(60, 64, 67)
    found = track(major)
    assert lowest(analyse(major, found)) >= 4 or stray(major, found) > MOST_STRAY


def test_the_doubts_are_in_the_detection_and_in_its_description():
    sound, coder = saws(60, 64), load_coder("envelope")
    assert isinstance(embed(sound, coder, 60)[1].doubts[0], StrayTones)
    (line,) = describe(from_sound(sound, coder, 60))
    assert line.startswith("sound: given C4; not one note: ")


def test_very_short_sounds_are_not_judged():
    sound = saws(48, seconds=0.1)
    assert stray(sound, follow(sound, 48)) == 0.0


def test_wide_unison_comes_back_as_wide_and_beats_as_much():
    """What lies within a quarter of f0 around a harmonic is its beating: rendered, not lost."""
    sound = ONE["detuned by 50 cents"]
    found = track(sound)
    features = analyse(sound, found)
    given, made = (x.mid().astype(np.float64) for x in (sound, render(features, RATE)))
    size = min(len(given), len(made))
    window = np.hanning(size)
    hz = np.fft.rfftfreq(size, 1 / RATE)
    spectra = [np.abs(np.fft.rfft(x[:size] * window)) ** 2 for x in (given, made)]
    f0 = midi_to_hz(found.pitch)
    for k in range(1, 17):
        near = np.abs(hz - k * f0) < f0 / 2
        width, level = [], []
        for power in (each[near] for each in spectra):
            cents = 1200 * np.log2(hz[near] / (k * f0))
            width.append(np.sqrt((power * cents**2).sum() / power.sum()))
            level.append(10 * np.log10(power.sum()))
        assert width[0] == pytest.approx(17, abs=2)
        assert width[1] == pytest.approx(width[0], abs=6)
        assert level[1] == pytest.approx(level[0], abs=1.0)
