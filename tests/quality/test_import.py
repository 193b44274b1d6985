"""Import against the truth: notes whose every cycle is known in closed form, scored beside two others in the same run;
the playback of a table, imported again; a blended note of the engine beside the cycles it was made of.

oracle  knows the note's true phase and reads one whole cycle a frame
naive   knows the mean pitch only: a rounded period, linear interpolation, cycle after cycle

The distance is that of the levels of harmonics below 0.9 Nyquist and within 60 dB of the strongest, in dB, root
mean square over them, mean over the frames, each beside the truth at its own place in the note.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray

import presets
from nsynth_core.audio import Sound
from nsynth_core.blending import instrument as blend
from nsynth_core.blending.coder import load_coder
from nsynth_core.blending.weights import line_weights
from nsynth_core.notes import midi_to_hz
from nsynth_core.pitch import track
from nsynth_core.sound import synthesis
from nsynth_core.sound.features import FLOOR_DB, FRAME_RATE, rows
from wavetables.importing import import_tables
from wavetables.importing.slicing import slice_channels
from wavetables.shaping import PEAK, has_fundamental, seam, shape
from wavetables.table import FRAME_SIZE

Doubles = NDArray[np.float64]
SECONDS, RATE = 2.0, 44100


def uneven_frames(coder, instruments, weights, pitch=None):
    """Single cycles (n, 2048) at the weights, not re-spaced."""
    moments = [blend.steady_moment(embedding) for embedding in blend.align(instruments, pitch, None)[0]]
    hz = midi_to_hz(blend.root_pitch(instruments, pitch))
    return synthesis.cycles(blend.path_features(coder, moments, weights, hz))


@dataclass(frozen=True)
class Note:
    f0: Callable[[Doubles], Doubles]  # Hz at seconds
    level: Callable[[Doubles, Doubles], Doubles]  # of harmonics (h,) at seconds (t,), (t, h)
    noise_db: float | None = None
    worst: float = 0.5  # dB the import may be off
    lead: float = 0.0  # seconds of silence before it
    room: bool = False
    offset: float = 0.0

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
        if self.room:
            t = np.arange(RATE // 2) / RATE
            answer = np.random.default_rng(4).normal(size=len(t)) * 10 ** (-6 * t) * (t > 0.02)
            answer *= 0.2 / np.sqrt((answer**2).sum())
            x += np.convolve(x, answer)[: len(x)]
        return np.asarray(0.8 * x / np.abs(x).max() + self.offset)

    def recording(self) -> Doubles:
        return np.concatenate([np.full(int(self.lead * RATE), self.offset), self.samples()])


def bright(t: Doubles, h: Doubles) -> Doubles:
    ripple = 10 ** (np.random.default_rng(3).normal(0, 4, len(h)) / 20)
    return np.broadcast_to(ripple / h, (len(t), len(h)))


def fading(t: Doubles, h: Doubles) -> Doubles:
    return bright(t, h) * np.exp(-t[:, None] * (1 + 0.05 * h))


def opening(t: Doubles, h: Doubles) -> Doubles:
    return 1 / (1 + (h / (3 + 12 * t[:, None])) ** 4) / np.sqrt(h)


def vowels(t: Doubles, h: Doubles) -> Doubles:
    """Two formants that move from one vowel to another."""
    hz, place = 118.4 * h, (t / SECONDS)[:, None]
    low, high = 700 - 400 * place, 1100 + 1100 * place
    return np.asarray((1 / (1 + ((hz - low) / 120) ** 2) + 0.5 / (1 + ((hz - high) / 150) ** 2) + 0.003) / h**0.3)


def wander(t: Doubles) -> Doubles:
    """Noise below about 15 Hz, of variance 1."""
    knots = np.random.default_rng(5).normal(size=int(SECONDS * 30) + 2)
    return np.interp(t * 30, np.arange(len(knots)), knots)


NOTES = {
    "static": Note(lambda t: 0 * t + 131.3, bright),
    "low": Note(lambda t: 0 * t + 34.7, bright),
    "high": Note(lambda t: 0 * t + 1903.1, bright),
    "vibrato": Note(lambda t: 196 * 2 ** (0.04 * np.sin(2 * np.pi * 5.5 * t)), bright),
    "glide": Note(lambda t: 147 * 2 ** (0.5 * (t / SECONDS) ** 2), bright),
    "decay": Note(lambda t: 0 * t + 165.2, fading),
    "opening": Note(lambda t: 0 * t + 110.4, opening),
    "noise": Note(lambda t: 0 * t + 147.1, bright, noise_db=-25, worst=2.0),
    "no fundamental": Note(lambda t: 0 * t + 123.6, lambda t, h: bright(t, h) * (h > 2)),
    "strong second": Note(lambda t: 0 * t + 174.9, lambda t, h: bright(t, h) * np.where(h % 2, 0.1, 1.0)),
    "jitter": Note(lambda t: 139.3 * 2 ** (0.01 * wander(t)), bright),
    "vowels": Note(lambda t: 0 * t + 118.4, vowels),
    "octave glide": Note(lambda t: 98.2 * 2 ** np.clip((t - 0.3) / 1.4, 0, 1), bright),
    "quick low glide": Note(lambda t: 55.3 * 2 ** np.clip((t - 0.7) / 0.5, 0, 1), bright),
    "wide low vibrato": Note(lambda t: 65.4 * 2 ** (0.083 * np.sin(2 * np.pi * 6 * t)), bright, worst=0.3),
    "silence first": Note(lambda t: 0 * t + 175.3, bright, lead=0.7),
    "offset": Note(lambda t: 0 * t + 210.7, bright, offset=0.15),
    "room": Note(lambda t: 0 * t + 262.4, bright, room=True, worst=4.0),
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
    return read(x, np.interp(first[:, None] + np.arange(FRAME_SIZE) / FRAME_SIZE, turns, np.arange(len(turns))))


def read(x: Doubles, places: Doubles) -> Doubles:
    near = np.floor(places).astype(int)[..., None] + np.arange(-31, 33)
    kernel = np.sinc(places[..., None] - near) * np.cos(np.pi * (places[..., None] - near) / 66) ** 2
    return np.asarray((np.take(x, np.clip(near, 0, len(x) - 1)) * kernel).sum(-1))


def naive(x: Doubles, note: Note, count: int) -> Doubles:
    period = round(RATE / float(np.mean(note.f0(np.linspace(0, SECONDS, 500)))))
    first = np.round(np.linspace(2, len(x) // period - 3, count)).astype(int) * period
    places = first[:, None] + np.arange(FRAME_SIZE) / FRAME_SIZE * period
    return np.asarray(np.interp(places, np.arange(len(x)), x))


@pytest.mark.parametrize("kind", NOTES)
@pytest.mark.slow
def test_import_beside_an_oracle_and_a_naive_slicer(kind: str, tmp_path, record_property) -> None:
    note = NOTES[kind]
    x = note.samples()
    soundfile.write(tmp_path / "note.wav", note.recording(), RATE, "FLOAT")
    made = import_tables(tmp_path / "note.wav")[0]
    table = made.table
    cut = 2  # frames within the fade at either end
    picks = np.round(np.linspace(cut, len(table.frames) - 1 - cut, min(len(table.frames), 40))).astype(int)
    number = note.numbers()
    number = number[number <= min(0.45 * RATE / note.f0(np.linspace(0, SECONDS, 500)).max(), 1000)]
    ours = distance(
        table.frames[picks].astype(np.float64), note.level(np.array(made.seconds)[picks] - note.lead, number)
    )
    turns = note.turns()
    others = []
    for slicer in (oracle, naive):
        even = np.linspace(2, np.floor(turns[-1]) - 3, len(picks)) + 0.5
        when = np.interp(even, turns, np.arange(len(turns)) / RATE)
        others.append(distance(slicer(x, note, len(picks)), note.level(when, number)))
    scores = {"import": ours, "oracle": others[0], "naive": others[1]}
    print(f"{kind:14}", "  ".join(f"{name} {score:6.3f} dB" for name, score in scores.items()))
    record_property("distances", scores)
    assert ours <= min(note.worst, others[0] + 0.3), scores
    if not note.room:  # its colour is the same for all
        assert ours < 0.8 * others[1], scores

    # no octave errors: every part of the note by its own f0
    assert made.track is not None
    heard = made.track.voiced & (made.track.times > note.lead + 0.05) & (made.track.times < note.lead + SECONDS - 0.05)
    cents = 1200 * np.log2(made.track.f0_hz[heard] / note.f0(made.track.times[heard] - note.lead))
    assert np.abs(cents).max() < 100
    assert heard.mean() > 0.5
    assert np.abs(table.frames.mean(1)).max() < 1e-7
    assert np.abs(table.frames).max() <= PEAK
    assert seam(table.frames).max() <= 1.0
    if kind != "no fundamental":
        assert has_fundamental(table.frames).all()
        first = np.fft.rfft(table.frames)[:, 1]
        assert np.abs(np.angle(first / first[0])).max() < 1e-3


def played(frames: Doubles, f0: float, rate: int, seconds: float) -> Doubles:
    """A synth's note: the position moves from the first frame to the last, neighbours crossfaded, nothing folds."""
    t = np.arange(int(seconds * rate)) / rate
    low, share = between(frames, t / seconds)
    spectra = np.fft.rfft(frames) / (FRAME_SIZE / 2)
    x = np.zeros(len(t))
    for k in range(1, min(FRAME_SIZE // 2 - 1, int(0.5 * rate / f0)) + 1):
        level = spectra[low, k] * (1 - share) + spectra[np.minimum(low + 1, len(frames) - 1), k] * share
        x += (level * np.exp(2j * np.pi * k * f0 * t)).real
    return np.asarray(0.8 * x / np.abs(x).max())


def between(frames: Doubles, where: Doubles) -> tuple[NDArray[np.int64], Doubles]:
    """The frame before each place 0..1 along a table, and the share of the next."""
    place = np.clip(where, 0, 1) * (len(frames) - 1)
    low = np.minimum(place.astype(np.int64), max(len(frames) - 2, 0))
    return low, place - low


def snr(found: Doubles, truth: Doubles, harmonics: int) -> Doubles:
    """dB by which each frame resembles the true one (n, 2048) up to that harmonic: one gain, one turn for each."""
    a, b = (np.fft.rfft(x)[:, 1 : harmonics + 1] for x in (found, truth))
    number, size = np.arange(1, harmonics + 1), 16 * FRAME_SIZE
    product = np.zeros((len(a), size // 2 + 1), complex)
    product[:, 1 : harmonics + 1] = a * b.conj()
    turn, step = np.fft.irfft(product, size).argmax(1) / size, 1 / size
    for _ in range(3):
        tried = turn[:, None] + step * np.linspace(-1, 1, 33)
        like = (product[:, None, 1 : harmonics + 1] * np.exp(2j * np.pi * tried[:, :, None] * number)).sum(2).real
        turn, step = np.take_along_axis(tried, like.argmax(1)[:, None], 1)[:, 0], step / 16
    rho = like.max(1) ** 2 / ((np.abs(a) ** 2).sum(1) * (np.abs(b) ** 2).sum(1))
    return np.asarray(10 * np.log10(rho / np.maximum(1 - rho, 1e-12)))


ENGINE = load_coder("harmonic")


@pytest.mark.parametrize("rate", [44100, 48000])
@pytest.mark.parametrize("pitch", [33.13, 45.13, 57.13, 69.13, 81.13])
def test_a_tables_own_playback_gives_the_table_back(pitch: float, rate: int, tmp_path) -> None:
    """A row of the preset grid5: flute to choir."""
    pair = [presets.load_instrument(name, ENGINE) for name in ("flute", "choir")]
    weights = line_weights(np.linspace(0, 1, 5))
    table = shape(uneven_frames(ENGINE, pair, weights, 48.0)).astype(np.float64)
    f0, seconds = midi_to_hz(pitch), 2.0
    soundfile.write(tmp_path / "note.wav", played(table, f0, rate, seconds), rate, "FLOAT")
    made = import_tables(tmp_path / "note.wav")[0]
    assert made.table.root_pitch == pytest.approx(pitch, abs=1e-3)
    inner = slice(3, -3)
    low, share = between(table, np.array(made.seconds)[inner] / seconds)
    truth = table[low] * (1 - share[:, None]) + table[low + 1] * share[:, None]
    found = snr(made.table.frames[inner].astype(np.float64), truth, min(1000, int(0.45 * rate / f0)))
    print(f"MIDI {pitch} at {rate} Hz: median {np.median(found):.1f}, worst {found.min():.1f} dB")
    assert found.min() >= 60


MOVES = {
    "held": lambda t: 0 * t,
    "moving": lambda t: 0 * t,
    "vibrato": lambda t: 0.3 * np.sin(2 * np.pi * 5.5 * t),
    "glide": lambda t: 6 * t / SECONDS,
}


@pytest.mark.parametrize("moves", MOVES)
@pytest.mark.parametrize(
    ("pitch", "names"),
    [(p, "flute choir") for p in (24.0, 28.0, 36.0, 43.0, 48.0, 60.0)] + [(36.0, "reese-bass fm-bell")],
)
def test_a_blended_note_gives_the_engines_own_cycles_back(pitch: float, names: str, moves: str) -> None:
    """Halfway between two sounds, without their noise, which is in no cycle."""
    pair = [presets.load_instrument(name, ENGINE) for name in names.split()]
    embeddings, f0 = blend.align(pair, pitch, SECONDS)
    features = blend.blended(ENGINE, embeddings, np.array([0.5, 0.5]), f0, blend.AS_IT_IS)
    if moves == "held":
        features = rows(features, np.full(features.frames, features.frames // 2))
    bend = 2 ** (MOVES[moves](np.arange(features.frames) / FRAME_RATE) / 12)
    features = replace(
        features,
        f0_hz=(features.f0_hz * bend).astype(np.float32),
        noise_db=np.full_like(features.noise_db, FLOOR_DB),
        balance_db=np.zeros_like(features.balance_db),
        correlation=np.ones_like(features.correlation),
    )
    sound = synthesis.render(features, RATE)
    sound = Sound(np.ascontiguousarray(sound.samples[:, :1]), RATE)
    cut = slice_channels(sound, track(sound))
    own = synthesis.cycles(features).astype(np.float64)
    place = cut.seconds * FRAME_RATE
    low = np.minimum(place.astype(int), len(own) - 2)
    share = (place - low)[:, None]
    truth = own[low] * (1 - share) + own[low + 1] * share
    found = snr(cut.frames[0].astype(np.float64), truth, int(20_000 / features.f0_hz.max()))[5:-5]
    print(f"MIDI {pitch:g}, {names}, {moves}: median {np.median(found):.1f}, 10 % {np.quantile(found, 0.1):.1f} dB")
    assert np.median(found) >= 50
    assert np.quantile(found, 0.1) >= (50 if moves == "held" else 45)  # at its ends the note is faded
