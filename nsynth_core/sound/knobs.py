"""What a sound designer turns on a blend: pure functions on Features, each moving one thing one way, each the identity
where it stands by default."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from nsynth_core.audio import Floats
from nsynth_core.errors import UsageError
from nsynth_core.sound.features import BALANCE_LIMIT_DB, FLOOR_DB, Features, band_edges

PIVOT_HZ = 1000.0  # of the tilt; the level is restored afterwards, so it matters to nothing but rounding
MOST_GAIN_DB = 40.0  # what is fainter is silence: raised further, its floor would be heard
RANGES = {"detail": (0.0, 1.0), "brightness": (-6.0, 6.0), "noise": (0.0, 4.0), "width": (0.0, 2.0)}


@dataclass(frozen=True)
class Knobs:
    """Where the knobs stand, within RANGES.

    detail      how much of what the network misses of the sources is kept
    brightness  tilt of the spectrum in dB an octave, > 0 brighter
    noise       factor of the amplitude of breath, bow and consonants; 0 leaves the partials alone
    width       factor of the side signal: 0 mono, 1 as it is
    envelope    number of the sound whose level curve the blend takes; None takes the mix of all
    """

    detail: float = 1.0
    brightness: float = 0.0
    noise: float = 1.0
    width: float = 1.0
    envelope: int | None = None


def envelope_of(letter: str, sounds: int) -> int | None:
    """The number of the sound that `letter` names: A is the first of `sounds`, "mix" is None. Raises UsageError."""
    if letter == "mix":
        return None
    names = [chr(ord("A") + number) for number in range(min(sounds, 26))]
    if letter not in names:
        raise UsageError(f"no envelope is named {letter!r}; legal: {', '.join(names)} or mix")
    return names.index(letter)


def turned(features: Features, knobs: Knobs, level_db: Floats | None = None) -> Features:
    """`features` with all knobs turned but `detail`, which is the engine's. `level_db` (T,): the level curve of the
    sound that `envelope` names, on the same timeline; its shape counts, the blend's loudness stays."""
    if knobs.brightness != 0:
        features = brightened(features, knobs.brightness)
    if knobs.noise != 1:
        features = with_noise(features, knobs.noise)
    if knobs.width != 1:
        features = widened(features, knobs.width)
    if level_db is not None:
        features = enveloped(features, level_db)
    return features


def brightened(features: Features, db_an_octave: float) -> Features:
    """Partials and noise tilted around PIVOT_HZ; every frame keeps its total level. The mean frequency (in octaves,
    weighted by power) rises with the tilt in every frame: its derivative is the variance."""
    number = np.arange(1, features.partials_db.shape[1] + 1, dtype=np.float32)
    edges = band_edges()
    tilts = (
        np.log2(number * features.f0_hz[:, None] / PIVOT_HZ),
        np.log2((edges[1:] + edges[:-1]) / (2 * PIVOT_HZ))[None],
    )
    partials, noise = (
        np.where(db > FLOOR_DB, db + np.float32(db_an_octave) * tilt, -np.inf)
        for db, tilt in zip((features.partials_db, features.noise_db), tilts, strict=True)
    )
    power = (10.0 ** (partials / 10)).sum(1) + (10.0 ** (noise / 10)).sum(1)
    return _raised(replace(features, partials_db=partials, noise_db=noise), features.level_db() - _db(power))


def with_noise(features: Features, factor: float) -> Features:
    """Noise bands times `factor` >= 0 in amplitude; partials stay."""
    gain = 20 * np.log10(max(factor, 1e-9))
    noise = np.maximum(features.noise_db + np.float32(gain), np.float32(FLOOR_DB))
    return replace(features, noise_db=noise)


def widened(features: Features, factor: float) -> Features:
    """The side signal of every band times `factor` >= 0, the band's level kept; what is mono stays mono, and what is
    side alone becomes mono at 0 only."""
    ratio = 10.0 ** (features.balance_db.astype(np.float64) / 10)  # right over left
    cross = features.correlation * np.sqrt(ratio)
    mid, side = np.maximum(1 + ratio + 2 * cross, 1e-9), factor**2 * np.maximum(1 + ratio - 2 * cross, 0)
    both = factor * (1 - ratio)
    left, right = (np.maximum(mid + side + sign * 2 * both, 1e-9 * mid) for sign in (1, -1))
    balance = np.clip(10 * np.log10(right / left), -BALANCE_LIMIT_DB, BALANCE_LIMIT_DB)
    correlation = np.clip((mid - side) / np.sqrt(left * right), -1, 1)
    return replace(features, balance_db=balance.astype(np.float32), correlation=correlation.astype(np.float32))


def enveloped(features: Features, level_db: Floats) -> Features:
    """Every frame at the level of `level_db` (T,), shifted as a whole so that the loudest frame is as loud as before.
    No frame is raised by more than MOST_GAIN_DB above that shift."""
    own = features.level_db()
    gain = (level_db - level_db.max()) - (own - own.max())
    return _raised(features, np.minimum(gain, MOST_GAIN_DB))


def _raised(features: Features, gain_db: Floats) -> Features:
    """Every frame raised by `gain_db` (T,); what is not there stays so."""
    partials, noise = (
        np.where(db > FLOOR_DB, np.maximum(db + gain_db[:, None], FLOOR_DB), FLOOR_DB).astype(np.float32)
        for db in (features.partials_db, features.noise_db)
    )
    return replace(features, partials_db=partials, noise_db=noise)


def _db(power: Floats) -> Floats:
    return np.asarray(10 * np.log10(power + 1e-15), dtype=np.float32)
