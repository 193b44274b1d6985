"""The knobs of a blend: pure functions on Features. Each changes one quality, and none at its default."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from nsynth_core.audio import Floats
from nsynth_core.errors import UsageError
from nsynth_core.sound.features import BALANCE_LIMIT_DB, FLOOR_DB, Features, band_edges

PIVOT_HZ = 1000.0  # of the tilt; the level is restored afterwards, so the pivot changes only rounding
MOST_GAIN_DB = 40.0  # a frame that needs more gain is silence, and its noise floor would be heard
RANGES = {"detail": (0.0, 1.0), "brightness": (-6.0, 6.0), "noise": (0.0, 4.0), "width": (0.0, 2.0)}


@dataclass(frozen=True)
class Knobs:
    """The settings of the knobs, within RANGES.

    detail      0..1, share of the sources' residuals (features minus the network's reconstruction) that is kept
    brightness  -6..6, tilt of the spectrum in dB per octave; positive is brighter
    noise       0..4, factor of the noise's amplitude (breath, bow, consonants); 0 leaves the partials only
    width       0..2, factor of the side signal; 0 is mono, 1 changes nothing
    envelope    number of the sound whose level curve the blend takes, from 0; None for the mix of all curves

    >>> Knobs(brightness=3.0).noise
    1.0
    """

    detail: float = 1.0
    brightness: float = 0.0
    noise: float = 1.0
    width: float = 1.0
    envelope: int | None = None


def envelope_of(letter: str, sounds: int) -> int | None:
    """The number of the sound that `letter` names, from 0: "A" is the first of `sounds`. None for "mix".

    Raises UsageError for any other letter.

    >>> envelope_of("B", sounds=2), envelope_of("mix", sounds=2)
    (1, None)
    """
    if letter == "mix":
        return None
    names = [chr(ord("A") + number) for number in range(min(sounds, 26))]
    if letter not in names:
        raise UsageError(f"no envelope is named {letter!r}; legal: {', '.join(names)} or mix")
    return names.index(letter)


def turned(features: Features, knobs: Knobs, level_db: Floats | None = None) -> Features:
    """Apply all knobs but `detail`, which the engine applies.

    level_db: (T,) the level curve of the sound that `knobs.envelope` names, on the timeline of `features`. Its shape is
        applied; the loudness of the blend stays. None changes nothing.

    >>> one_frame = np.ones((1, 1), np.float32)
    >>> noise = np.repeat(one_frame, 24, axis=1)
    >>> features = Features(440 * one_frame[:, 0], -9 * one_frame, -40 * noise, 0 * noise, noise)
    >>> round(float(turned(features, Knobs(noise=0.5)).noise_db[0, 0]))
    -46
    """
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
    """Tilt partials and noise around PIVOT_HZ by `db_an_octave`. Every frame keeps its total level.

    The mean frequency in octaves, weighted by power, rises with the tilt: its derivative is the variance.
    """
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
    """Multiply the amplitude of the noise by `factor` >= 0. The partials stay."""
    gain = 20 * np.log10(max(factor, 1e-9))
    noise = np.maximum(features.noise_db + np.float32(gain), np.float32(FLOOR_DB))
    return replace(features, noise_db=noise)


def widened(features: Features, factor: float) -> Features:
    """Multiply the side signal of every band by `factor` >= 0. The level of the band is kept.

    A mono band stays mono. A band with a side signal only becomes mono at 0 only.
    """
    ratio = 10.0 ** (features.balance_db.astype(np.float64) / 10)  # right over left
    cross = features.correlation * np.sqrt(ratio)
    mid, side = np.maximum(1 + ratio + 2 * cross, 1e-9), factor**2 * np.maximum(1 + ratio - 2 * cross, 0)
    both = factor * (1 - ratio)
    left, right = (np.maximum(mid + side + sign * 2 * both, 1e-9 * mid) for sign in (1, -1))
    balance = np.clip(10 * np.log10(right / left), -BALANCE_LIMIT_DB, BALANCE_LIMIT_DB)
    correlation = np.clip((mid - side) / np.sqrt(left * right), -1, 1)
    return replace(features, balance_db=balance.astype(np.float32), correlation=correlation.astype(np.float32))


def enveloped(features: Features, level_db: Floats) -> Features:
    """Give every frame the level `level_db` (T,). The curve is shifted so that the loudest frame keeps its level.

    No frame is raised by more than MOST_GAIN_DB above that shift.
    """
    own = features.level_db()
    gain = (level_db - level_db.max()) - (own - own.max())
    return _raised(features, np.minimum(gain, MOST_GAIN_DB))


def _raised(features: Features, gain_db: Floats) -> Features:
    """Raise every frame by `gain_db` (T,). Partials and bands at FLOOR_DB stay there."""
    partials, noise = (
        np.where(db > FLOOR_DB, np.maximum(db + gain_db[:, None], FLOOR_DB), FLOOR_DB).astype(np.float32)
        for db in (features.partials_db, features.noise_db)
    )
    return replace(features, partials_db=partials, noise_db=noise)


def _db(power: Floats) -> Floats:
    return np.asarray(10 * np.log10(power + 1e-15), dtype=np.float32)
