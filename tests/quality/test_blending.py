"""What blends keep of their sounds: stereo, words, attacks, range. Run with -s to read the figures."""

from __future__ import annotations

from functools import lru_cache
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

import presets
from nsynth_core.audio import Sound
from nsynth_core.blending.coder import load_coder
from nsynth_core.blending.engines import single_note
from nsynth_core.blending.feature_engine import FeatureEngine
from nsynth_core.blending.instrument import Instrument, load_instrument
from nsynth_core.errors import UserError
from nsynth_core.pitch import follow
from nsynth_core.sound.analysis import analyse
from nsynth_core.sound.features import FRAME_RATE, NOISE_BANDS, Features
from nsynth_core.sound.synthesis import render
from nsynth_core.training import soundfont

RATE = 48_000
ENGINE = load_coder("harmonic")
BLENDER = FeatureEngine(ENGINE)
ALSA = Path("/usr/share/sounds/alsa")
VOICES = ("Front_Center", "Front_Left", "Rear_Right", "Side_Left")
# recorded in stereo: piano, vibraphone, violin, strings, choir, clarinet, flute, pad; key of each
STEREO = {0: 55, 11: 65, 40: 64, 48: 52, 52: 57, 71: 60, 73: 72, 89: 50}


def missing() -> str:
    try:
        soundfont.find_soundfont("FluidR3_GM.sf2")
        soundfont._library()
    except UserError as error:
        return str(error)
    return ""


needs_soundfont = pytest.mark.skipif(bool(missing()), reason=missing() or "installed")
needs_voices = pytest.mark.skipif(
    not all((ALSA / f"{name}.wav").exists() for name in VOICES), reason="needs the recordings of Debian's alsa-utils"
)


@lru_cache(maxsize=1)
def recorded() -> list[tuple[Sound, Instrument]]:
    path = soundfont.find_soundfont("FluidR3_GM.sf2")
    found = []
    for program, midi in STEREO.items():
        sound = soundfont.SoundfontPreset(path, 0, program)(midi, 95, RATE, 1.0)
        sound = Sound(sound.samples - sound.samples.mean(0), RATE)  # some samples have an offset, which nobody hears
        track = follow(sound, midi, cents=80)
        embedding = ENGINE.encode(analyse(sound, track))
        found.append((sound, Instrument("x", (track.pitch,), lambda _, e=embedding: e, moving=True)))
    return found


def image(samples: NDArray[np.float32]) -> tuple[float, float, float]:
    """Right over left in dB, correlation, and what is left of the level in mono, in dB."""
    left, right = samples.astype(np.float64).T
    p, q = (left**2).mean(), (right**2).mean()
    mono = ((left + right) ** 2).mean() / 4
    return 10 * np.log10(q / p), (left * right).mean() / np.sqrt(p * q), 10 * np.log10(2 * mono / (p + q))


@needs_soundfont
def test_stereo_recordings_keep_their_image_at_both_ends():
    notes = recorded()
    level, correlation = [], []
    for (sound, own), (_, other) in zip(notes, notes[1:] + notes[:1], strict=True):
        guest = Instrument("guest", other.pitches, other.load)
        for pair, weights in (([own, guest], [1.0, 0.0]), ([guest, own], [0.0, 1.0])):
            there, here = image(sound.samples), image(single_note(BLENDER, pair, weights).samples)
            level.append(abs(here[0] - there[0]))
            correlation.append(abs(here[1] - there[1]))
    print(f"\nends: right over left off by at most {max(level):.2f} dB, correlation by {max(correlation):.3f}", end="")
    assert max(level) <= 0.5
    assert max(correlation) <= 0.05


@needs_soundfont
def test_between_stereo_recordings_the_image_moves_and_mono_cancels_nothing():
    notes = recorded()
    for i, j in ((4, 5), (3, 6), (2, 7), (1, 5)):
        guest = Instrument("guest", notes[j][1].pitches, notes[j][1].load)
        path = [image(single_note(BLENDER, [notes[i][1], guest], [1 - m, m]).samples) for m in np.linspace(0, 1, 9)]
        _, correlation, mono = map(np.asarray, zip(*path, strict=True))
        print(f"\ncorrelation {np.round(correlation, 2)}, mono {np.round(mono, 1)} dB", end="")
        rise = np.diff(correlation) * np.sign(correlation[-1] - correlation[0])
        assert rise.min() > -0.05
        assert mono.min() > min(mono[0], mono[-1]) - 0.5


def envelopes(x: NDArray[np.float64]) -> NDArray[np.float64]:
    """(bands, T): thirds of octaves from 150 Hz to 5 kHz, roots of powers every 12.8 ms, as STOI takes them."""
    starts = np.arange(0, len(x) - 1229, 614)
    power = np.abs(np.fft.rfft(np.stack([x[s : s + 1229] for s in starts]) * np.hanning(1229), 4096)) ** 2
    hz = np.fft.rfftfreq(4096, 1 / RATE)
    edges = 150 * 2 ** (np.arange(16) / 3 - 1 / 6)
    return np.sqrt(np.stack([power[:, (hz >= a) & (hz < b)].sum(1) for a, b in pairwise(edges)]))


def intelligibility(clean: Sound, other: Sound) -> float:
    """Short-time objective intelligibility 0..1 (Taal et al. 2011): mean correlation of 384 ms of each band's envelope,
    normalised and clipped at -15 dB, over the frames within 40 dB of the loudest."""
    x, y = (sound.mid().astype(np.float64) for sound in (clean, other))
    size = min(len(x), len(y))
    a, b = envelopes(x[:size]), envelopes(y[:size])
    loud = (a**2).sum(0) > 1e-4 * (a**2).sum(0).max()
    a, b = a[:, loud], b[:, loud]
    scores = []
    for m in range(30, a.shape[1] + 1):
        u, v = a[:, m - 30 : m], b[:, m - 30 : m]
        v = v * (np.linalg.norm(u, axis=1) / (np.linalg.norm(v, axis=1) + 1e-12))[:, None]
        v = np.minimum(v, u * (1 + 10 ** (15 / 20)))
        u, v = u - u.mean(1, keepdims=True), v - v.mean(1, keepdims=True)
        scores.append((u * v).sum(1) / (np.linalg.norm(u, axis=1) * np.linalg.norm(v, axis=1) + 1e-12))
    return float(np.mean(scores))


@needs_voices
def test_words_stay_as_intelligible_as_the_mix_allows():
    pad = presets.load_instrument("saw-pad", ENGINE)
    mixes, layers = (0.0, 0.25, 0.5, 0.75, 1.0), (0.0, 0.5, 1.0)
    rows, dry = [], []
    for name in VOICES:
        voice = load_instrument(ALSA / f"{name}.wav", ENGINE)
        assert voice.sound is not None
        rows.append([intelligibility(voice.sound, single_note(BLENDER, [voice, pad], [1 - m, m])) for m in mixes])
        dry.append(
            [intelligibility(voice.sound, single_note(BLENDER, [voice, pad], [0.5, 0.5], dry=d)) for d in layers]
        )
    print(
        f"\nmix {mixes}: {np.mean(rows, 0).round(2)}; at 0.5 over the dry voice {layers}: {np.mean(dry, 0).round(2)}",
        end="",
    )
    assert np.min(rows, 0)[0] > 0.9
    assert np.mean(rows, 0)[2] > 0.7
    assert (np.diff(rows, axis=1) < 0.02).all()
    assert (np.diff(dry, axis=1) > -0.02).all()
    assert np.mean(dry, 0)[-1] > 0.9


def rise(samples: NDArray[np.float32]) -> float:
    """Seconds from 10 % to 90 % of the loudest, of the RMS over 5 ms."""
    x = samples.astype(np.float64).mean(1)
    step = RATE // 1000
    power = np.convolve(x**2, np.ones(5 * step) / (5 * step), "same")[::step]
    level = np.sqrt(power / power.max())
    return float((np.argmax(level > 0.9) - np.argmax(level > 0.1)) / 1000)


def pluck(f0: float, seconds: float, attack: float, fall: float) -> Instrument:
    t = np.arange(round(seconds * RATE)) / RATE
    x = sum(np.sin(2 * np.pi * k * f0 * t) / k for k in range(1, 30)) * np.minimum(1, t / attack) * np.exp(-t / fall)
    sound = Sound((0.2 * np.asarray(x))[:, None].astype(np.float32), RATE)
    track = follow(sound, 57)
    embedding = ENGINE.encode(analyse(sound, track))
    return Instrument("x", (track.pitch,), lambda _: embedding, moving=True, sound=sound)


def test_attacks_keep_their_time_while_sustains_stretch():
    short, long = pluck(220, 0.8, 0.03, 0.3), pluck(220, 3.0, 0.03, 1.2)
    own = [rise(np.asarray(each.sound.samples)) for each in (short, long)]
    for weights in ([1.0, 0.0], [0.5, 0.5], [0.0, 1.0]):
        for seconds in (0.8, 3.0, 8.0):
            note = single_note(BLENDER, [short, long], weights, seconds=seconds)
            assert note.seconds == pytest.approx(seconds, abs=0.011)
            found = rise(note.samples)
            print(f"\nmix {weights[1]}, {seconds} s: rises in {1000 * found:.0f} ms, the sounds in", end=" ")
            print(", ".join(f"{1000 * x:.0f}" for x in own), end=" ms")
            assert found <= max(own) + 0.015


@pytest.mark.parametrize("rate", [44_100, 48_000, 88_200, 96_000])
@pytest.mark.parametrize("hz", [27.5, 220.0, 1046.5, 4000.0])
@pytest.mark.parametrize("moving", [False, True])
def test_nothing_folds_back_at_any_rate_and_pitch(hz, rate, moving):
    """All partials alike loud, the worst case, against a sum of sines of the same phase."""
    frames = 31
    t = np.arange(frames) / FRAME_RATE
    f0 = hz * (1 + (0.02 * np.sin(2 * np.pi * 6 * t) if moving else 0.0 * t))
    count = int(20_000 / hz)
    bands = np.zeros((frames, NOISE_BANDS), dtype=np.float32)
    features = Features(
        f0.astype(np.float32), np.full((frames, count), -40.0, dtype=np.float32), bands - 120, bands, bands + 1
    )
    made = render(features, rate).samples[:, 0].astype(np.float64)
    time = np.arange(len(made)) * FRAME_RATE / rate
    f0_now = np.exp(np.interp(time, np.arange(frames), np.log(features.f0_hz.astype(np.float64))))
    turns = np.concatenate([[0.0], np.cumsum(f0_now / rate)[:-1]])
    true = np.zeros_like(made)
    for k in range(1, count + 1):
        # a frame's partials above the limit are silent, and fade to it
        there = np.interp(time, np.arange(frames), (k * features.f0_hz <= min(20_000, 0.49 * rate)).astype(float))
        true += 0.01 * np.sqrt(2) * there * np.sin(2 * np.pi * k * turns)
    inside = slice(round(0.01 * rate), -round(0.01 * rate))
    error = 10 * np.log10(((made - true)[inside] ** 2).mean() / (true[inside] ** 2).mean())
    print(f"\n{hz} Hz at {rate}: {error:.0f} dB", end="")
    assert error < -85
