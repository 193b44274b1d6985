"""The choice of the octave of a pitch, and the pitch of a sound of a few periods."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from nsynth_core.pitch.candidates import Doubles
from nsynth_core.pitch.partials import Audio, demodulate, stretched

OCTAVE_PERIODS = 12.0  # in a window: it resolves sixths of f0
OCTAVE_PARTIALS = (8, 20)  # partials used; the second number where the first shows a single strong one
OCTAVE_DB = -30.0  # partials weaker than this, compared with the others together, do not decide the octave
HINT_DB = 6.0  # by which a hint moves that limit


def octave(
    audio: Audio, f0_hz: Doubles, voiced: NDArray[np.bool_], energy: Doubles, b: float, hinted: float = 0.0
) -> float:
    """The factor by which f0 must be multiplied: 1/3, 1/2, 1, 2 or 3.

    With it all strong partials are multiples of f0, and they are not all multiples of 2 f0 or 3 f0. A partial counts
    when its power exceeds the noise between the partials.

    f0_hz, voiced, energy: (T,)
    b: inharmonicity
    hinted: the factor that a user's hint suggests; 0 for none. Partials in favour of it count from HINT_DB lower on,
        partials against it from HINT_DB higher on.
    """
    rows = np.flatnonzero(voiced)
    if len(audio.at_rate(audio.rate)) / audio.rate < (OCTAVE_PERIODS + 2) / float(np.median(f0_hz[rows])):
        return 1.0
    rows = rows[np.argsort(-energy[rows])[: max(1, len(rows) // 2)]]
    rows = np.sort(rows[:: max(1, len(rows) // 100)])
    for most in OCTAVE_PARTIALS:
        count = int(np.clip(0.45 * audio.rate / float(np.quantile(f0_hz[rows], 0.9)), 1, most))
        j = np.arange(1, 6 * count + 1)
        power = np.abs(demodulate(audio, f0_hz, stretched(j / 6, b), OCTAVE_PERIODS, rows)[0]) ** 2
        power = np.median(power / (power.sum(1, keepdims=True) + 1e-30), 0)
        whole, noise = j % 6 == 0, float(np.mean(power[(j % 6 == 1) | (j % 6 == 5)]))
        few = 10 ** (OCTAVE_DB / 10) * float(power[whole].sum())
        if (power[whole] > few).sum() > 1:  # a single partial is a multiple of any f0
            break

    def real(which: NDArray[np.bool_], ratio: float) -> bool:
        """True when the partials `which` are strong enough to decide for or against the factor `ratio`."""
        support = int(abs(hinted - ratio) < 0.1) - int(abs(hinted - 1) < 0.1)
        bar = few * 10 ** (HINT_DB / 10 * support * (1 if ratio > 1 else -1))
        return bool(power[which].sum() > bar + 3 * noise * which.sum())

    near = j < 24  # the higher partials of a stiff string lie near any sixth of f0
    if real(near & (j % 6 == 3), 0.5):
        return 0.5
    if real(near & ((j % 6 == 2) | (j % 6 == 4)), 1 / 3):
        return 1 / 3
    for n in (3, 2):
        if not real(whole & (j // 6 % n != 0), n):
            return float(n)
    return 1.0


def steady(audio: Audio, hz: float) -> float:
    """The constant f0 near `hz` of a sound of a few periods: the harmonic series with the least squared error."""
    x = audio.at_rate(audio.rate).astype(np.float64)
    seconds = (np.arange(len(x)) - len(x) / 2) / audio.rate
    order = np.arange(1, int(np.clip(0.45 * audio.rate / hz, 1, min(len(x) // 6, np.sqrt(1e7 / len(x))))) + 1)

    def captured(f: float) -> float:
        angle = 2 * np.pi * f * seconds[:, None] * order
        basis = np.concatenate([np.ones((len(x), 1)), np.cos(angle), np.sin(angle)], 1)
        normal = basis.T @ basis
        normal[np.diag_indices(len(normal))] += 1e-7 * len(x)
        projection = basis.T @ x
        return float(projection @ np.linalg.solve(normal, projection))

    for span in (0.04, 0.006, 0.001):
        tried = hz * np.linspace(1 - span, 1 + span, 15)
        hz = float(tried[int(np.argmax([captured(f) for f in tried]))])
    return hz
