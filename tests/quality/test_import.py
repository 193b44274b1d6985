"""Import against the truth: notes whose every cycle is known in closed form, scored beside two others in the same run.

oracle  knows the note's true phase and reads one whole cycle a frame
naive   knows the mean pitch only: a rounded period, linear interpolation, cycle after cycle

The distance is that of the levels of harmonics below 0.9 Nyquist and within 60 dB of the strongest, in dB, root
mean square over them, mean over the frames, each beside the truth at its own place in the note.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray

from wavetables.importing import import_sound
from wavetables.shaping import PEAK, has_fundamental, seam
from wavetables.table import FRAME_SIZE

Doubles = NDArray[np.float64]
SECONDS, RATE = 2.0, 44100


@dataclass(frozen=True)
class Note:
    f0: Callable[[Doubles], Doubles]  # Hz at seconds
    level: Callable[[Doubles, Doubles], Doubles]  # of harmonics (h,) at seconds (t,), (t, h)
    noise_db: float | None = None
    worst: float = 0.5  # dB the import may be off

    def turns(self) -> Doubles:
        f0 = self.f0(np.arange(int(SECONDS * RATE)) / RATE)
        return np.concatenate([[0.0], np.cumsum((f0[1:] + f0[:-1]) / 2)]) / RATE

    def numbers(self) -> Doubles:
        return np.arange(1.0, int(0.47 * RATE / self.f0(np.linspace(0, SECONDS, 500)).max()) + 1)

    def samples(self) -> Doubles:
        t, turns, number = np.arange(int(SECONDS * RATE)) / RATE, self.turns(), self.numbers()
        grid = np.linspace(0, SECONDS, 401)
        level = self.level(grid, number)
        start = np.random.default_rng(1).random(len(number))
        x = sum(
            np.interp(t, grid, level[:, k]) * np.sin(2 * np.pi * (h * turns + start[k])) for k, h in enumerate(number)
        )
        x = np.asarray(x) * np.minimum(1, np.minimum(t, SECONDS - t) / 0.01)
        if self.noise_db is not None:
            x += np.random.default_rng(2).normal(size=len(x)) * np.sqrt((x**2).mean()) * 10 ** (self.noise_db / 20)
        return np.asarray(0.8 * x / np.abs(x).max())


def bright(t: Doubles, h: Doubles) -> Doubles:
    ripple = 10 ** (np.random.default_rng(3).normal(0, 4, len(h)) / 20)
    return np.broadcast_to(ripple / h, (len(t), len(h)))


def fading(t: Doubles, h: Doubles) -> Doubles:
    return bright(t, h) * np.exp(-t[:, None] * (1 + 0.05 * h))


def opening(t: Doubles, h: Doubles) -> Doubles:
    return 1 / (1 + (h / (3 + 12 * t[:, None])) ** 4) / np.sqrt(h)


NOTES = {
    "static": Note(lambda t: 0 * t + 131.3, bright),
    "low": Note(lambda t: 0 * t + 34.7, bright),
    "high": Note(lambda t: 0 * t + 1903.1, bright),
    "vibrato": Note(lambda t: 196 * 2 ** (0.04 * np.sin(2 * np.pi * 5.5 * t)), bright),
    "glide": Note(lambda t: 147 * 2 ** (0.5 * (t / SECONDS) ** 2), bright),
    "decay": Note(lambda t: 0 * t + 165.2, fading),
    "opening": Note(lambda t: 0 * t + 110.4, opening),
    "noise": Note(lambda t: 0 * t + 147.1, bright, noise_db=-25, worst=2.0),
}


def levels(frames: Doubles) -> Doubles:
    return np.abs(np.fft.rfft(frames))[:, 1 : FRAME_SIZE // 2]


def distance(frames: Doubles, truth: Doubles) -> float:
    """Frames (n, 2048) against true levels (n, h): one gain a frame, median difference in dB taken out."""
    found = levels(frames)[:, : truth.shape[1]]
    known = truth > truth.max(1, keepdims=True) / 1000
    db = np.where(known, 20 * np.log10(np.maximum(found, 1e-9) / np.maximum(truth, 1e-9)), np.nan)
    db -= np.nanmedian(db, axis=1, keepdims=True)
    return float(np.mean(np.sqrt(np.nanmean(np.clip(db, -60, 60) ** 2, axis=1))))


def oracle(x: Doubles, note: Note, count: int) -> Doubles:
    turns = note.turns()
    first = np.round(np.linspace(2, np.floor(turns[-1]) - 3, count))
    places = np.interp(first[:, None] + np.arange(FRAME_SIZE) / FRAME_SIZE, turns, np.arange(len(turns)))
    near = np.floor(places).astype(int)[..., None] + np.arange(-31, 33)
    kernel = np.sinc(places[..., None] - near) * np.cos(np.pi * (places[..., None] - near) / 66) ** 2
    return np.asarray((np.take(x, np.clip(near, 0, len(x) - 1)) * kernel).sum(-1))


def naive(x: Doubles, note: Note, count: int) -> Doubles:
    period = round(RATE / float(np.mean(note.f0(np.linspace(0, SECONDS, 500)))))
    first = np.round(np.linspace(2, len(x) // period - 3, count)).astype(int) * period
    places = first[:, None] + np.arange(FRAME_SIZE) / FRAME_SIZE * period
    return np.asarray(np.interp(places, np.arange(len(x)), x))


@pytest.mark.parametrize("kind", NOTES)
def test_import_beside_an_oracle_and_a_naive_slicer(kind: str, tmp_path, record_property) -> None:
    note = NOTES[kind]
    x = note.samples()
    soundfile.write(tmp_path / "note.wav", x, RATE, "FLOAT")
    table = import_sound(tmp_path / "note.wav")
    cut = 2  # frames within the fade at either end
    count = min(len(table.frames), 40)
    picks = np.round(np.linspace(cut, len(table.frames) - 1 - cut, count)).astype(int)
    number = note.numbers()
    number = number[number <= min(0.45 * RATE / note.f0(np.linspace(0, SECONDS, 500)).max(), 1000)]
    # frames lie evenly over the cycles, and so evenly in phase
    turns = note.turns()
    when = np.interp((picks + 0.5) / len(table.frames) * turns[-1], turns, np.arange(len(turns)) / RATE)
    ours = distance(table.frames[picks].astype(np.float64), note.level(when, number))
    others = []
    for slicer in (oracle, naive):
        even = np.linspace(2, np.floor(turns[-1]) - 3, count) + 0.5
        when = np.interp(even, turns, np.arange(len(turns)) / RATE)
        others.append(distance(slicer(x, note, count), note.level(when, number)))
    scores = {"import": ours, "oracle": others[0], "naive": others[1]}
    print(f"{kind:8}", "  ".join(f"{name} {score:6.3f} dB" for name, score in scores.items()))
    record_property("distances", scores)
    assert ours <= min(note.worst, others[0] + 0.3), scores
    assert ours < 0.8 * others[1], scores

    assert table.root_pitch == pytest.approx(
        69 + 12 * np.log2(np.median(note.f0(np.arange(0, SECONDS, 0.01))) / 440), abs=0.3
    )
    assert np.abs(table.frames.mean(1)).max() < 1e-7
    assert np.abs(table.frames).max() <= PEAK
    assert seam(table.frames).max() <= 1.0
    assert has_fundamental(table.frames).all()
    first = np.fft.rfft(table.frames)[:, 1]
    assert np.abs(np.angle(first / first[0])).max() < 1e-3
