"""Features: the model of a sound that analysis returns and synthesis renders; ERB and pan scales."""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from nsynth_core.audio import Floats

FRAME_RATE = 100  # frames of features per second; frame t is centred on t / FRAME_RATE seconds
TOP_HZ = 20_000.0
FLOOR_DB = -120.0
NOISE_BANDS = 24
BALANCE_LIMIT_DB = 60.0


def hz_to_erb(hz: Floats) -> Floats:
    """Convert Hz to the ERB-rate scale: 21.4 log10(1 + 0.00437 f) (Glasberg & Moore 1990).

    >>> round(float(hz_to_erb(np.float32(1000))), 2)
    15.62
    """
    scale: Floats = 21.4 * np.log10(1.0 + 0.00437 * np.asarray(hz))
    return scale


def erb_to_hz(erb: Floats) -> Floats:
    """Convert the ERB-rate scale to Hz, the inverse of `hz_to_erb`.

    >>> round(float(erb_to_hz(np.float32(15.62))))
    1000
    """
    return (10.0 ** (np.asarray(erb) / 21.4) - 1.0) / 0.00437


TOP_ERB = hz_to_erb(np.float32(TOP_HZ))


def band_edges() -> Floats:
    """The edges of the noise bands in Hz, float32 (NOISE_BANDS + 1,): equal steps in ERB from 0 to TOP_HZ.

    >>> band_edges()[[0, 1, -1]].round().tolist()
    [0.0, 47.0, 20000.0]
    """
    return erb_to_hz(np.linspace(0.0, TOP_ERB, NOISE_BANDS + 1)).astype(np.float32)


def pan_angle(balance_db: Floats) -> Floats:
    """Convert a balance in dB to an angle: arctan(right / left), 0 (left) to pi/2 (right). Blends average this angle.

    >>> round(float(pan_angle(np.float32(0))), 4)  # pi / 4
    0.7854
    """
    return np.asarray(np.arctan(10.0 ** (balance_db / 20)), dtype=np.float32)


def balance_of(angle: Floats) -> Floats:
    """Convert an angle to a balance in dB within +-BALANCE_LIMIT_DB, the inverse of `pan_angle`."""
    edge = float(pan_angle(np.float32(-BALANCE_LIMIT_DB)))
    return np.asarray(20 * np.log10(np.tan(np.clip(angle, edge, np.pi / 2 - edge))), dtype=np.float32)


@dataclass(frozen=True)
class Features:
    """A sound as partials, noise bands and stereo image: T frames at FRAME_RATE, K partials, B = NOISE_BANDS bands.

    All arrays are float32.

    f0_hz         (T,)    fundamental frequency in Hz, > 0
    partials_db   (T, K)  level of partial number k + 1: 10 log10 of its mean square, averaged over both channels. A
                          sine of amplitude a in both channels has 20 log10(a) - 3.01. FLOOR_DB: no such partial
    noise_db      (T, B)  level of the noise in each band, on the same scale
    balance_db    (T, B)  level of the right channel over the left in each band, dB within +-BALANCE_LIMIT_DB
    correlation   (T, B)  correlation of the two channels in each band, -1..1
    """

    f0_hz: Floats
    partials_db: Floats
    noise_db: Floats
    balance_db: Floats
    correlation: Floats

    @property
    def frames(self) -> int:
        """The number of frames, T."""
        return len(self.f0_hz)

    @property
    def seconds(self) -> float:
        """The time from the centre of the first frame to that of the last."""
        return (self.frames - 1) / FRAME_RATE

    def level_db(self) -> Floats:
        """The total level of partials and noise in dB, float32 (T,)."""
        power = (10.0 ** (self.partials_db / 10)).sum(1) + (10.0 ** (self.noise_db / 10)).sum(1)
        return np.asarray(10 * np.log10(power + 1e-15), dtype=np.float32)


def rows(features: Features, index: slice | NDArray[np.int64]) -> Features:
    """The features of the frames at `index`, in that order."""
    return Features(**{field.name: getattr(features, field.name)[index] for field in fields(Features)})
