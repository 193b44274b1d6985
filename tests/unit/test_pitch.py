"""Note names, the track's curves, and what each kind of sound is taken for."""

from __future__ import annotations

import numpy as np
import pytest

from nsynth_core.audio import Sound
from nsynth_core.errors import UsageError
from nsynth_core.notes import hz_to_midi, midi_to_hz, note_name, parse_pitch, pitch_in_name
from nsynth_core.pitch import HOP_SECONDS, PitchTrack, Unpitched, describe, follow, track

RATE = 48_000


def saw(hz: float, seconds: float, rate: int = RATE, partials: int = 20) -> np.ndarray:
    t = np.arange(round(seconds * rate)) / rate
    top = min(partials, int(0.45 * rate / hz))
    return sum(np.sin(2 * np.pi * h * hz * t + h) / h for h in range(1, top + 1)) * 0.3


def mono(x: np.ndarray, rate: int = RATE) -> Sound:
    return Sound(np.asarray(x, dtype=np.float32)[:, None], rate)


def cents(found_hz: float, true_hz: float) -> float:
    return float(1200 * np.log2(found_hz / true_hz))


@pytest.mark.parametrize(
    ("text", "midi"),
    [
        ("C4", 60), ("a4", 69), ("C#4", 61), ("Eb2", 39), ("F#-1", 6), ("C-1", 0), ("B#3", 60), ("Cb4", 59), ("60", 60),
        ("60.5", 60.5), (" 440 Hz", 69), ("440hz", 69), ("A3+12", 57.12), ("A3 -30 cents", 56.7), ("E♭2", 39),
    ],
)  # fmt: skip
def test_parse_pitch(text: str, midi: float) -> None:
    assert parse_pitch(text) == pytest.approx(midi)


@pytest.mark.parametrize(
    "text", ["", "H4", "C", "C44", "sixty", "0Hz", "1e3", "nan", "inf", "-50", "300", "99999Hz", "C4+"]
)
def test_parse_pitch_refuses(text: str) -> None:
    with pytest.raises(UsageError, match=r"pitch"):
        parse_pitch(text)


def test_names_round_trip() -> None:
    for midi in range(0, 128):
        assert parse_pitch(note_name(midi)) == midi
        assert hz_to_midi(midi_to_hz(midi)) == pytest.approx(midi)
    assert note_name(60) == "C4"
    assert note_name(56.7) == "A3"


@pytest.mark.parametrize(
    ("stem", "midi"),
    [
        ("flute_48", 48), ("flute_C3", 48), ("Piano Eb2", 39), ("pad-F#-1", 6), ("bass_electronic_018-036-127", 36),
        ("flute", None), ("take_2024", None), ("flute_200", None), ("C3PO", None), ("vocal2", None), ("abc3", None),
    ],
)  # fmt: skip
def test_pitch_in_name(stem: str, midi: float | None) -> None:
    assert pitch_in_name(stem) == midi


def test_track_curves() -> None:
    f0 = np.array([100.0, 100.0, 200.0, 200.0])
    found = PitchTrack(f0, np.ones(4, bool), 1.0)
    assert found.times == pytest.approx(np.arange(4) * HOP_SECONDS)
    assert found.at(1.5 * HOP_SECONDS) == pytest.approx(100 * 2**0.5)
    assert found.at([-1.0, 9.0]) == pytest.approx([100, 200])
    assert found.cycles(np.array([-0.01, 0.0, 0.005, 0.010, 0.015, 0.115])) == pytest.approx(
        [-1, 0, 0.5, 1.25, 2.25, 22.25]
    )
    assert (
        describe(PitchTrack(np.full(4, 220.0 * 2 ** (0.12 / 12)), np.ones(4, bool), 0.97))
        == "A3 +12 cents, confidence 0.97"
    )


@pytest.mark.parametrize("rate", [8000, 16_000, 44_100, 96_000])
@pytest.mark.parametrize("hz", [27.5, 110.0, 440.0, 2500.0])
def test_any_rate_and_pitch(hz: float, rate: int) -> None:
    found = track(mono(saw(hz, 0.8, rate), rate))
    assert np.abs(1200 * np.log2(found.f0_hz / hz)).max() < 5
    assert found.confidence > 0.9
    assert len(found.f0_hz) == len(found.voiced) == int(0.8 / HOP_SECONDS) + 1


def test_stereo_and_inverted_channels() -> None:
    x = saw(196.0, 0.5)
    for left, right in [(1, 0), (0, 1), (1, -1), (0.5, -0.49)]:
        found = track(Sound(np.stack([left * x, right * x], 1).astype(np.float32), RATE))
        assert cents(midi_to_hz(found.pitch), 196.0) == pytest.approx(0, abs=0.5)


def test_octave_traps() -> None:
    t = np.arange(RATE) / RATE

    def tone(levels: dict[int, float]) -> Sound:
        return mono(0.1 * sum(a * np.sin(2 * np.pi * 110 * h * t + h) for h, a in levels.items()))

    traps = [
        {1: 1.0},
        {h: 1 / h for h in range(1, 20, 2)},
        {h: 1 / h for h in range(2, 20)},
        {1: 0.1, 2: 3.0, 3: 0.3, 4: 1.0, 5: 0.2},
        {3: 1.0, 4: 1.0, 5: 1.0},
    ]
    for levels in traps:
        assert track(tone(levels)).pitch == pytest.approx(45, abs=0.02), levels


def test_refuses_what_has_no_pitch() -> None:
    rng = np.random.default_rng(1)
    white = rng.normal(size=RATE) * 0.1
    click = np.zeros(RATE)
    click[RATE // 2] = 1
    burst = white * np.exp(-np.arange(RATE) / 2000)
    for x in (white, np.cumsum(white) / 50, click, burst, np.zeros(RATE), np.full(RATE, 0.5), np.zeros(2), np.ones(1)):
        with pytest.raises(Unpitched, match=r"noise, a drum or silence|is not within A0\.\.C8") as caught:
            track(mono(x))
        assert caught.value.guess is None or 0 < caught.value.guess < 128


def test_follow_stays_where_it_is_told() -> None:
    rng = np.random.default_rng(2)
    noise = follow(mono(rng.normal(size=RATE) * 0.1), 57.0)
    assert np.abs(1200 * np.log2(noise.f0_hz / 220)).max() <= 100.1
    assert noise.voiced.mean() < 0.2
    assert np.all(noise.f0_hz[~noise.voiced] == midi_to_hz(57.0))
    for x in (np.zeros(RATE), np.zeros(2), np.ones(1)):
        silent = follow(mono(x), 57.0)
        assert not silent.voiced.any()
        assert np.all(silent.f0_hz == 220)
    tone = saw(223.0, 1.0)
    for asked, true in ((57.0, 223.0), (45.0, 111.5)):
        found = follow(mono(tone), asked)
        assert np.abs(1200 * np.log2(found.f0_hz / true)).max() < 2
        assert found.voiced.all()


def test_a_note_without_its_first_three_partials():
    """What the windows let through of the fourth in the places of the others locks nothing."""
    t = np.arange(2 * 44100) / 44100
    x = sum(np.sin(2 * np.pi * 221 * k * t) / k for k in range(4, 60))
    found = track(Sound((0.3 * x).astype(np.float32)[:, None], 44100))
    assert found.pitch == pytest.approx(hz_to_midi(221.0), abs=1e-3)


def bent(hz: np.ndarray, seed: int = 1, partials: int = 30, rate: int = 44100) -> np.ndarray:
    """A tone of random partials along `hz` (n,)."""
    rng, turns = np.random.default_rng(seed), np.cumsum(hz) / rate
    levels = 10 ** (rng.normal(0, 5, partials) / 20) / np.arange(1, partials + 1)
    starts = rng.random(partials)
    x = sum(a * np.sin(2 * np.pi * (h * turns + s)) for h, (a, s) in enumerate(zip(levels, starts, strict=True), 1))
    return 0.3 * x / np.abs(x).max()


@pytest.mark.parametrize(("hz", "depth", "vibrato"), [(33.0, 30, 5.5), (31.0, 100, 5.0), (44.0, 30, 8.0)])
def test_a_vibrato_of_few_periods_is_followed(hz: float, depth: float, vibrato: float) -> None:
    t = np.arange(int(2.5 * 44100)) / 44100
    true = hz * 2 ** (depth / 1200 * np.clip(t / 0.3 - 0.5, 0, 1) * np.sin(2 * np.pi * vibrato * t))
    found = track(mono(bent(true), 44100))
    at = np.arange(0.3, 2.2, 0.005)
    error = 1200 * np.log2(found.at(at) / np.interp(at, t, true))
    assert np.sqrt((error**2).mean()) < 2


def test_a_scoop_is_no_stiff_string() -> None:
    """Heard an octave too low at first, its lowest partials are what the windows let through of others."""
    t = np.arange(2 * 44100) / 44100
    x = (
        bent(195.4 * 2 ** (-7 / 12 * np.exp(-t / 0.06)), 8, 60)
        * np.clip(t / 0.008, 0, 1)
        * np.clip((2 - t) / 0.03, 0, 1)
    )
    assert abs(cents(float(track(mono(x, 44100)).at(1.0)), 195.4)) < 0.1


def test_a_rooms_answer_to_a_glide_is_no_octave() -> None:
    t = np.arange(int(2.5 * 44100)) / 44100
    place = np.clip((t / 2.5 - 0.2) / 0.6, 0, 1)
    true = 226.2 * 2 ** (-7 / 12 * place**2 * (3 - 2 * place))
    answer = np.random.default_rng(108).normal(size=44100) * 10 ** (-3 * np.arange(44100) / 44100 / 0.8)
    answer[: int(0.015 * 44100)] = 0
    x = bent(true, 8)
    wet = np.fft.irfft(np.fft.rfft(x, 4 * 44100) * np.fft.rfft(answer, 4 * 44100), 4 * 44100)[: len(x)]
    found = track(mono(x + 0.2 * wet / np.sqrt((answer**2).sum()), 44100))
    at = np.arange(0.1, 2.4, 0.01)
    assert np.abs(1200 * np.log2(found.at(at) / np.interp(at, t, true))).max() < 50
