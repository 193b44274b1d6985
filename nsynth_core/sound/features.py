"""Features: what analysis returns and synthesis renders."""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from nsynth_core.audio import Floats

FRAME_RATE = 100  # feature frames a second; frame t is centred on t / FRAME_RATE seconds
TOP_HZ = 20_000.0
FLOOR_DB = -120.0
NOISE_BANDS = 24
BALANCE_LIMIT_DB = 60.0


def hz_to_erb(hz: Floats) -> Floats:
    """ERB-rate scale (Glasberg & Moore 1990): 21.4 log10(1 + 0.00437 f)."""
    scale: Floats = 21.4 * np.log10(1.0 + 0.00437 * np.asarray(hz))
    return scale


def erb_to_hz(erb: Floats) -> Floats:
    """Inverse of hz_to_erb."""
    return (10.0 ** (np.asarray(erb) / 21.4) - 1.0) / 0.00437


TOP_ERB = hz_to_erb(np.float32(TOP_HZ))


def band_edges() -> Floats:
    """The NOISE_BANDS + 1 edges in Hz, equal steps on the ERB-rate scale from 0 to TOP_HZ."""
    return erb_to_hz(np.linspace(0.0, TOP_ERB, NOISE_BANDS + 1)).astype(np.float32)


def pan_angle(balance_db: Floats) -> Floats:
    """Balance as an angle, 0 (left) to pi/2 (right): arctan(right / left), the scale on which pans blend."""
    return np.asarray(np.arctan(10.0 ** (balance_db / 20)), dtype=np.float32)


def balance_of(angle: Floats) -> Floats:
    """Inverse of pan_angle, dB within +-BALANCE_LIMIT_DB."""
    edge = float(pan_angle(np.float32(-BALANCE_LIMIT_DB)))
    return np.asarray(20 * np.log10(np.tan(np.clip(angle, edge, np.pi / 2 - edge))), dtype=np.float32)


@dataclass(frozen=True)
class Features:
    """A sound as partials, noise bands and stereo image at FRAME_RATE. float32; T frames, K partials, B NOISE_BANDS.

    f0_hz         (T,)    fundamental frequency
    partials_db   (T, K)  level of partial k+1: 10 log10 of its mean-square over both channels' mean power, so a sine of
                          amplitude a in both channels has 20 log10(a) - 3.01; FLOOR_DB where there is none
    noise_db      (T, B)  mean-square level of the noise in each band, same scale
    balance_db    (T, B)  right over left level in each band, dB, within +-60
    correlation   (T, B)  inter-channel correlation in each band, -1..1
    """

    f0_hz: Floats
    partials_db: Floats
    noise_db: Floats
    balance_db: Floats
    correlation: Floats

    @property
    def frames(self) -> int:
        return len(self.f0_hz)

    @property
    def seconds(self) -> float:
        return (self.frames - 1) / FRAME_RATE

    def level_db(self) -> Floats:
        """(T,) total level of partials and noise."""
        power = (10.0 ** (self.partials_db / 10)).sum(1) + (10.0 ** (self.noise_db / 10)).sum(1)
        return np.asarray(10 * np.log10(power + 1e-15), dtype=np.float32)


def rows(features: Features, index: slice | NDArray[np.int64]) -> Features:
    """The features of some frames."""
    return Features(**{field.name: getattr(features, field.name)[index] for field in fields(Features)})
