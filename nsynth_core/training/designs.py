"""Instruments in closed form, designed by hand for the bank of built-in instruments: name -> (family, patch)."""

from __future__ import annotations

import numpy as np

from nsynth_core.training.patches import Complexes, NoteRequest, Partials, Patch, Reals
from nsynth_core.training.waves import (
    CHILD,
    MAN,
    WOMAN,
    Mode,
    Tract,
    analog,
    bars,
    filtered,
    fm,
    fold,
    formants,
    glide,
    pulse,
    still,
    string,
    sung,
    sync,
    wave,
)


def _singer(vowel: str, speaker: int, end: str = "", pace: float = 0.6, **options: float) -> Patch:
    tract = Tract(formants(vowel, speaker), formants(end or vowel, speaker), glide(0, 1, pace), 1.1)
    settings = {"attack": 0.08, "vibrato": 14.0, "jitter": 4.0, "noise_db": -36.0} | options
    voices = int(settings.pop("voices", 1))
    return Patch(sung(tract), voices=voices, noise=tract.gain, **settings)


def _drawbars(levels: dict[int, float]) -> Partials:
    """Organ pipes at these multiples of f0, with levels in dB."""

    def partials(note: NoteRequest) -> Complexes:
        out = np.zeros((len(note.t), note.k.shape[1]), dtype=np.complex128)
        for number, db in levels.items():
            if number <= out.shape[1]:
                out[:, number - 1] = -1j * 10 ** (db / 20)
        return out

    return partials


def _sweeping(width: float, seconds: float) -> Partials:
    """A peak `width` octaves wide, which climbs the harmonic series in so many seconds."""

    def partials(note: NoteRequest) -> Complexes:
        peak = 1 + 4.0 * np.sin(np.pi / 2 * np.clip(note.t / seconds, 0, 1)) ** 2
        octaves = np.log2(note.k) - np.log2(2.0) * peak + 1
        return np.asarray(-1j * (np.exp(-0.5 * (octaves / width) ** 2) + 0.15 / note.k))

    return partials


def _air(note: NoteRequest, hz: Reals) -> Complexes:
    """The spectrum of breath: broad, above the fundamental."""
    return np.asarray(np.ones((len(note.t), 1)) / (1 + (hz / (6 * note.f0 + 2000)) ** 2) + 0j)


_BODY = (np.array([110.0, 220.0, 410.0, 900.0]), np.array([8.0, 6.0, 5.0, 4.0]), np.array([0.15, 0.15, 0.25, 0.5]))

DESIGNS: dict[str, tuple[str, Patch]] = {
    # voices
    "vowel-a": ("voice", _singer("a", WOMAN)),
    "vowel-e": ("voice", _singer("e", MAN)),
    "vowel-i": ("voice", _singer("i", WOMAN)),
    "vowel-o": ("voice", _singer("o", MAN)),
    "vowel-u": ("voice", _singer("u", WOMAN)),
    "child-choir": ("voice", _singer("a", CHILD, voices=5, spread=11, attack=0.16, noise_db=-30)),
    "monk-choir": ("voice", _singer("o", MAN, voices=5, spread=9, attack=0.14)),
    "wah-voice": ("voice", _singer("u", MAN, "a", pace=0.35, vibrato=8)),
    "yai-voice": ("voice", _singer("i", WOMAN, "a", pace=0.5, vibrato=8)),
    # synths
    "supersaw": ("lead", Patch(analog(1, 0, 0), 0.01, voices=7, spread=14, release=0.25)),
    "saw-brass": (
        "brass",
        Patch(analog(1, 0, 0, filtered("low4", glide(8.2, 11.5, 0.12), 1.0)), 0.04, voices=2, spread=5),
    ),
    "sync-lead": ("lead", Patch(sync(glide(5.5, 1.6, 0.7), "saw"), 0.005)),
    "pulse-lead": ("lead", Patch(pulse(wave(0.12, 0.3, 0.7)), 0.005, vibrato=8)),
    "square-lead": ("lead", Patch(analog(0, 1, 0, filtered("low", still(12.5))), 0.005, vibrato=6)),
    "fm-brass": ("brass", Patch(fm(1, 1, glide(0.4, 4.5, 0.12)), 0.03)),
    "fm-reed": ("reed", Patch(fm(3, 2, glide(1.0, 2.2, 0.15)), 0.04, vibrato=8)),
    "wavefolder": ("synth", Patch(fold(wave(1.2, 7.5, 0.35, -0.25), still(0.35), 0.8), 0.01)),
    "drawbar-jazz": (
        "organ",
        Patch(_drawbars({1: 0, 2: 0, 3: -3, 4: -9, 6: -14, 8: -10}), 0.008, vibrato=5, vibrato_hz=6.3),
    ),
    "overtone-sweep": ("synth", Patch(_sweeping(0.22, 2.2), 0.05)),
    # pads
    "pwm-pad": (
        "pad",
        Patch(pulse(wave(0.1, 0.5, 0.45), filtered("low", still(11.3))), 0.35, voices=3, spread=6, release=0.5),
    ),
    "saw-pad": (
        "pad",
        Patch(
            analog(1, 0, 0, filtered("low4", wave(9.3, 11.2, 0.22, -0.25), 1.4)), 0.45, voices=5, spread=9, release=0.5
        ),
    ),
    "hollow-pad": (
        "pad",
        Patch(
            analog(0, 0.5, 0.5, filtered("low", still(10.6))),
            0.3,
            voices=3,
            spread=7,
            release=0.5,
            noise=_air,
            noise_db=-34,
        ),
    ),
    "glass-harmonica": (
        "pad",
        Patch(
            bars(
                [Mode(1, 0, 30, 0.15, 3.1), Mode(2, -14, 30, 0.4, 4.3), Mode(3, -22, 30, 0.5, 2.3), Mode(5, -36, 30)],
                -80,
            ),
            attack=0.22,
            release=0.5,
            vibrato=4,
            noise=_air,
            noise_db=-44,
        ),
    ),
    "ice-pad": (
        "pad",
        Patch(
            bars([Mode(n, -1.6 * n**0.7, 25, 0.7, 0.3 + 0.37 * n) for n in (1, 3, 5, 8, 9, 12, 16, 20)], -80),
            attack=0.3,
            voices=3,
            spread=4,
            release=0.5,
        ),
    ),
    # bells and mallets
    "fm-bell": (
        "bell",
        Patch(fm(1, 7, glide(2.6, 0.05, 0.8), by_key=0.2), 0.002, decay=0.9, sustain=0.05, release=0.6),
    ),
    "fm-tine": ("mallet", Patch(fm(1, 14, glide(1.1, 0.02, 0.35), by_key=0.5), 0.002, decay=0.9, sustain=0.15)),
    "glass-bell": (
        "bell",
        Patch(
            bars([Mode(1, 0, 1.6, 0.2, 2.1), Mode(3, -8, 1.1, 0.3, 3.7), Mode(6, -12, 0.7), Mode(10, -17, 0.4)]), 0.002
        ),
    ),
    "wood-bar": ("mallet", Patch(bars([Mode(1, 0, 0.6), Mode(4, -7, 0.2), Mode(10, -15, 0.08)], -45), 0.002)),
    # plucked
    "wire-string": ("plucked", Patch(string(0.09, 0.13, 0.8, 1.6, 0.5, _BODY), 0.002)),
    "gut-string": ("plucked", Patch(string(0.28, 0.5, 1.2, 1.1, 1.0, _BODY), 0.002)),
    "saw-pluck": (
        "plucked",
        Patch(analog(1, 0, 0, filtered("low4", glide(13.0, 7.6, 0.22), 1.2)), 0.002, decay=0.6, sustain=0.1),
    ),
    # basses
    "sub-bass": ("bass", Patch(fold(still(0.9), still(0.12), 1.0), 0.006)),
    "fm-bass": ("bass", Patch(fm(1, 1, glide(4.5, 0.9, 0.25), third=0.6), 0.003, decay=0.8, sustain=0.5)),
    "acid-bass": ("bass", Patch(analog(1, 0.2, 0, filtered("low4", glide(12.0, 8.3, 0.28), 6.0, 0.3)), 0.003)),
    "reese-bass": ("bass", Patch(analog(1, 0, 0, filtered("low4", still(10.8), 0.9, 0.2)), 0.01, voices=3, spread=16)),
    "square-bass": (
        "bass",
        Patch(analog(0, 1, 0, filtered("low", glide(11.3, 8.8, 0.3), 2.5)), 0.003, decay=0.8, sustain=0.6),
    ),
}
