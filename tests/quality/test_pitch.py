"""How exact and how safe the pitch is, beside a plain YIN (de Cheveigné & Kawahara 2002) in the same run.

`pytest tests/quality/test_pitch.py -s` prints the table.
"""

from __future__ import annotations

import time

import numpy as np
import pytest
from numpy.typing import NDArray

from nsynth_core.audio import Sound
from nsynth_core.notes import hz_to_midi
from nsynth_core.pitch import Unpitched, describe, follow, track

Doubles = NDArray[np.float64]
RATE = 48_000


def yin(x: Doubles, rate: int, low: float = 27.5, hop: float = 0.02) -> tuple[Doubles, Doubles]:
    """Times and f0: cumulative-mean-normalised difference, first dip under 0.15, parabola."""
    last = int(rate / low) + 2
    window = 2 * last
    times, found = [], []
    for centre in range(window, len(x) - window, int(hop * rate)):
        frame = x[centre - window : centre + window]
        spectrum = np.fft.rfft(frame, 2 * len(frame))
        head = np.fft.rfft(frame[:window], 2 * len(frame))
        cross = np.fft.irfft(spectrum * head.conj())[:last]
        energy = np.concatenate([[0], np.cumsum(frame**2)])
        d = energy[window] + energy[window : window + last] - energy[:last] - 2 * cross
        d = d * np.arange(last) / np.maximum(np.cumsum(d), 1e-12)
        d[: int(rate / 4200)] = 1
        under = np.flatnonzero((d[1:-1] < 0.15) & (d[1:-1] <= d[2:]) & (d[1:-1] < d[:-2]))
        k = int(under[0]) + 1 if len(under) else int(np.argmin(d[1:-1])) + 1
        a, b, c = d[k - 1 : k + 2]
        times.append(centre / rate)
        found.append(rate / (k + 0.5 * (a - c) / max(a - 2 * b + c, 1e-12)))
    return np.array(times), np.array(found)


def note(
    f0: float | Doubles, seconds: float, levels: dict[int, float], stiffness: float = 0.0, seed: int = 0
) -> tuple[Doubles, Doubles]:
    """A sum of partials with random phases, and its f0 at each sample."""
    rng = np.random.default_rng(seed)
    f = np.broadcast_to(f0, round(seconds * RATE)).astype(np.float64)
    turns = np.concatenate([[0.0], np.cumsum((f[1:] + f[:-1]) / 2)]) / RATE
    x = np.zeros(len(f))
    for h, level in levels.items():
        number = h * np.sqrt((1 + stiffness * h * h) / (1 + stiffness))
        if number * f.max() < 0.45 * RATE:
            x += level * np.sin(2 * np.pi * (number * turns + rng.random()))
    return 0.4 * x / np.abs(x).max(), f


def noise(count: int, tilt: float, seed: int) -> Doubles:
    """Noise whose amplitude spectrum falls as f^-tilt from 20 Hz."""
    shape = np.maximum(np.fft.rfftfreq(count, 1 / RATE), 20.0) ** -tilt
    x = np.fft.irfft(np.fft.rfft(np.random.default_rng(seed).normal(size=count)) * shape, count)
    return x * 0.1 / x.std()


def with_noise(x: Doubles, snr_db: float) -> Doubles:
    return x + noise(len(x), 0.0, 7) * 10 * np.sqrt((x**2).mean()) * 10 ** (-snr_db / 20)


def hall(x: Doubles) -> Doubles:
    """A second of reverberation, 12 dB below, and a second of its tail."""
    from scipy.signal import fftconvolve

    t = np.arange(RATE) / RATE
    impulse = noise(RATE, 0.0, 3) * 10 ** (-3 * t) * (t > 0.015)
    impulse *= 0.25 / np.sqrt((impulse**2).sum())
    x = np.concatenate([x, np.zeros(RATE)])
    return x + fftconvolve(x, impulse)[: len(x)]


SAW = {h: 1 / h for h in range(1, 60)}
STRING = {h: float(np.exp(-h / 8)) for h in range(1, 40)}


def notes() -> dict[str, tuple[Doubles, Doubles]]:
    t = np.arange(2 * RATE) / RATE
    vibrato = 2 ** (50 / 1200 * np.sin(2 * np.pi * 5.5 * t))
    glide = 2 ** np.clip((t - 0.5) / 0.8, 0, 1)
    made = {
        **{f"saw {hz:g} Hz": note(hz, 1.2, SAW) for hz in (27.5, 55.0, 233.1, 880.0, 3520.0)},
        **{f"sine {hz:g} Hz": note(hz, 1.2, {1: 1.0}) for hz in (41.2, 440.0, 4186.0)},
        "no fundamental": note(65.4, 1.2, {h: 1 / h for h in range(3, 40)}),
        "odd partials": note(146.8, 1.2, {h: 1 / h for h in range(1, 40, 2)}),
        "strong second": note(130.8, 1.2, {1: 0.05, 2: 1.5, 3: 0.06, 4: 0.4, 5: 0.05, 6: 0.2}),
        "stiff string 55 Hz": note(55.0, 2.0, STRING, 2.5e-4),
        "stiff string 440 Hz": note(440.0, 2.0, STRING, 8e-4),
        "vibrato 196 Hz": note(196 * vibrato, 2.0, SAW),
        "octave glide": note(110 * glide, 2.0, SAW),
    }
    saw, f = made["saw 233.1 Hz"]
    made["decay of 60 dB"] = saw * 10 ** (-60 * np.arange(len(saw)) / len(saw) / 20), f
    made["10 dB of noise"] = with_noise(saw, 10), f
    made["hall"] = hall(saw), np.concatenate([f, np.full(RATE, f[0])])
    return made


def errors(times: Doubles, found: Doubles, f0: Doubles) -> Doubles:
    """Cents, without the first and last 30 ms."""
    inside = (times > 0.03) & (times < len(f0) / RATE - 0.03)
    return np.asarray(1200 * np.log2(found[inside] / f0[np.round(times[inside] * RATE).astype(int)]))


def test_exact_along_the_note() -> None:
    ours, theirs, rough = [], [], 0
    print(f"\n| {'note':20} | {'median':>7} | {'95 %':>7} | YIN med | {'95 %':>7} | confidence |")
    for name, (x, f0) in notes().items():
        found = track(Sound(x.astype(np.float32)[:, None], RATE))
        mine, plain = np.abs(errors(found.times, found.f0_hz, f0)), np.abs(errors(*yin(x, RATE), f0))
        figures = [np.median(mine), np.quantile(mine, 0.95), np.median(plain), np.quantile(plain, 0.95)]
        print(f"| {name:20} | " + " | ".join(f"{v:7.3f}" for v in figures) + f" | {found.confidence:10.2f} |")
        assert figures[0] < 0.2, name
        assert figures[1] < (5 if name == "hall" else 0.5), name  # its tail is no longer the note's own phase
        assert found.confidence > 0.9, name
        ours.append(figures[0])
        theirs.append(figures[2])
        rough += int((mine > 50).sum())
    print(f"| {'median of all':20} | {np.median(ours):7.3f} |         | {np.median(theirs):7.3f} |")
    assert rough == 0
    assert np.median(ours) < 0.05
    assert np.median(ours) < 0.1 * np.median(theirs)


def test_does_not_drift() -> None:
    """Integrated over the note, the track keeps the phase of the true f0 to a fiftieth of a cycle."""
    for name, (x, f0) in notes().items():
        if name in {"10 dB of noise", "hall"}:
            continue
        found = track(Sound(x.astype(np.float32)[:, None], RATE))
        at = np.arange(int(0.05 * RATE), len(f0) - int(0.05 * RATE), 480)
        drift = found.cycles(at / RATE) - np.cumsum(f0)[at] / RATE
        assert np.abs(drift - np.median(drift)).max() < 0.02, name


@pytest.mark.parametrize("hz", [27.5, 82.4, 440.0, 2000.0, 4000.0])
@pytest.mark.parametrize("periods", [3, 4, 6, 12])
def test_a_few_periods(hz: float, periods: int) -> None:
    x = note(hz, periods / hz, SAW)[0]
    found = track(Sound(x.astype(np.float32)[:, None], RATE))
    assert abs(100 * (found.pitch - hz_to_midi(hz))) < 6


def test_noise_is_refused_and_breath_is_not() -> None:
    """Twelve noises of 20 ms to 2 s; notes under breath noise of their own register 6 dB below them."""
    for seed in range(12):
        x = noise(int(RATE * (0.02, 0.1, 0.5, 2.0)[seed % 4]), (0.0, 0.5, 1.0)[seed % 3], seed)
        with pytest.raises(Unpitched):
            track(Sound(x.astype(np.float32)[:, None], RATE))
    for hz, levels in ((587.3, {1: 1.0, 2: 0.3, 3: 0.1}), (220.0, {h: h**-1.5 for h in range(1, 30)})):
        x, f0 = note(hz, 1.5, levels)
        breath = noise(len(x), 0.5, 5)
        x = x + breath * np.sqrt((x**2).mean()) / breath.std() / 2
        found = track(Sound(x.astype(np.float32)[:, None], RATE))
        print(f"| breathy {hz:g} Hz | {describe(found)} |")
        assert abs(100 * (found.pitch - hz_to_midi(hz))) < 10
        assert np.median(np.abs(errors(found.times, found.f0_hz, f0))) < 8


def band(x: Doubles, low: float, high: float) -> Doubles:
    from scipy.signal import butter, sosfilt

    y = sosfilt(butter(2, [low, high], "band", fs=RATE, output="sos"), x)
    return np.asarray(y / np.sqrt((y**2).mean()))


def test_drums_are_refused_and_a_flute_in_as_much_noise_is_not() -> None:
    t = np.arange(RATE) / RATE
    for seed in range(3):
        white = noise(RATE, 0.0, seed)
        drums = {
            "snare": np.sin(2 * np.pi * 185 * t) * np.exp(-30 * t) + band(white, 500, 9000) * np.exp(-18 * t),
            "kick": np.sin(2 * np.pi * (45 * t + 4 * (1 - np.exp(-30 * t)))) * np.exp(-25 * t)
            + 0.2 * white / 0.1 * np.exp(-60 * t),
            "hat": band(white, 6000, 14000) * np.exp(-40 * t),
            "clap": band(white, 900, 1800) * np.exp(-30 * (t % 0.012)) * np.exp(-12 * t),
            "shaker": band(white, 4000, 7000) * np.exp(-(((t - 0.1) / 0.03) ** 2)),
        }
        for name, x in drums.items():
            with pytest.raises(Unpitched, match=r"noise, a drum or silence|is not within A0\.\.C8"):
                print(name, describe(track(Sound(0.2 * x.astype(np.float32)[:, None], RATE))))
        for snr_db in (6, 3, 0):
            x = note(587.3, 2.0, {1: 1.0, 2: 0.3, 3: 0.1})[0]
            breath = band(noise(len(x), 0.0, seed), 500, 4000)
            x = x + breath * np.sqrt((x**2).mean()) * 10 ** (-snr_db / 20)
            found = track(Sound(x.astype(np.float32)[:, None], RATE))
            if seed == 0:
                print(f"| flute in noise {snr_db} dB below | {describe(found)} |")
            assert abs(100 * (found.pitch - hz_to_midi(587.3))) < 30


def test_consonants_are_unvoiced() -> None:
    """Vowels of 250 ms and consonants of 150 ms: hiss, and breath that rings in the vowel's formants."""
    t = np.arange(RATE // 4) / RATE
    for hz in (90.0, 200.0, 350.0):
        vowel = note(hz * 2 ** (0.1 * t), 0.25, {h: h**-1.2 for h in range(1, 30)})[0] * np.hanning(len(t)) ** 0.2
        parts, voiced = [], []
        for seed in range(4):
            white = noise(int(0.15 * RATE), 0.0, seed)
            hiss = band(white, 4000, 9000) if seed % 2 else band(white, 550, 700) + 0.5 * band(white, 1200, 1400)
            parts += [vowel, 0.1 * hiss * np.hanning(len(hiss)) ** 0.2]
            voiced += [1.0] * len(vowel) + [0.0] * len(hiss)
        found = track(Sound(np.concatenate(parts).astype(np.float32)[:, None], RATE))
        at = np.minimum(np.round(found.times * RATE).astype(int), len(voiced) - 1)
        sure = np.convolve(np.array(voiced), np.ones(1921) / 1921, "same")[at]  # 20 ms from the borders
        vowels, consonants = found.voiced[sure > 0.99].mean(), found.voiced[sure < 0.01].mean()
        print(f"| voice of {hz:g} Hz | voiced: vowels {vowels:.2f} | consonants {consonants:.2f} |")
        assert vowels > 0.97
        assert consonants < 0.3


def test_follow_is_as_exact() -> None:
    t = np.arange(2 * RATE) / RATE
    x, f0 = note(196 * 2 ** (30 / 1200 * np.sin(2 * np.pi * 5.5 * t)), 2.0, SAW)
    found = follow(Sound(x.astype(np.float32)[:, None], RATE), hz_to_midi(190.0))
    assert np.quantile(np.abs(errors(found.times, found.f0_hz, f0)), 0.95) < 1


def test_four_seconds_cost_little() -> None:
    x = note(220.0, 4.0, SAW)[0]
    sound = Sound(x.astype(np.float32)[:, None], RATE)
    track(sound)
    begun = time.process_time()
    track(sound)
    spent = time.process_time() - begun
    print(f"| CPU for 4 s of 48 kHz | {spent:.2f} s |")
    assert spent < 0.6  # 0.15 s on an idle core
