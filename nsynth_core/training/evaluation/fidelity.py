"""Figures of what is lost: sound -> features -> sound, and blends at mix 0 and 1."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import uniform_filter1d

from nsynth_core.audio import Floats, Sound
from nsynth_core.blending.coder import Coder
from nsynth_core.blending.engines import single_note
from nsynth_core.blending.feature_engine import FeatureEngine
from nsynth_core.blending.instrument import Instrument
from nsynth_core.metrics import RANGE_DB
from nsynth_core.sound import synthesis
from nsynth_core.sound.analysis import analyse
from nsynth_core.sound.features import Features, band_edges, rows
from nsynth_core.training.evaluation.sounds import RATE, HeldOutNote, evenly

ENDS = 40
NOISE_FRAMES = 31  # a narrow band's noise fluctuates by some dB from frame to frame, in the source as in its copy
IMAGE_DB = 40.0  # under the level of the frame: the stereo image of fainter bands is not compared
MONO = 0.1, 0.999  # a band with a lower balance in dB and a higher correlation is mono: it has no image to lose
STANDS_OUT_DB = 6.0
PARTS = ("partials", "noise", "balance", "correlation")

Errors = dict[str, Floats]


def ends(notes: list[HeldOutNote], engine: Coder) -> dict[str, dict[str, float]]:
    """Median errors of PARTS, in dB, dB, dB and 0..2.

    "plain": sound -> features -> sound without a network. "mix0" and "mix1": the ends of blends with another note.
    Mono sounds have no stereo image, so they have no errors of it.
    """
    ordered = sorted(notes, key=lambda note: note.midi)  # a stable sort: neighbours are different instruments
    copies: dict[str, list[Errors]] = {"plain": [], "mix0": [], "mix1": []}
    for note, other in evenly(list(pairwise(ordered)), ENDS):
        own = _instrument(note, engine)
        # the blend follows the contour of the note, at whichever end it is, not that of the guest
        guest = replace(_instrument(other, engine), moving=False)
        copies["plain"].append(errors(note, synthesis.render(note.features, RATE)))
        copies["mix0"].append(errors(note, single_note(FeatureEngine(engine), [own, guest], [1.0, 0.0])))
        copies["mix1"].append(errors(note, single_note(FeatureEngine(engine), [guest, own], [0.0, 1.0])))
    return {name: _medians(errors_) for name, errors_ in copies.items()}


def _medians(copies: list[Errors]) -> dict[str, float]:
    whole = {part: np.concatenate([errors_[part] for errors_ in copies]) for part in PARTS}
    return {part: float(np.median(values)) for part, values in whole.items() if len(values)}


def _instrument(note: HeldOutNote, engine: Coder) -> Instrument:
    embedding = engine.encode(note.features)
    return Instrument(note.source.name, (float(note.midi),), lambda _: embedding, moving=True)


def errors(note: HeldOutNote, rendered: Sound) -> Errors:
    """Absolute errors of a copy of a note in its loud frames.

    They are those of audible partials, of noise bands within RANGE_DB of the level of the frame, and of the stereo
    image of bands within IMAGE_DB of it.
    """
    again = analyse(rendered, note.track)
    frames = note.frames[note.frames < again.frames]
    noise, copied_noise = (_smooth(features.noise_db)[frames] for features in (note.features, again))
    true, other = rows(note.features, frames), rows(again, frames)
    count = min(true.partials_db.shape[1], other.partials_db.shape[1])
    partials, copied = true.partials_db[:, :count], other.partials_db[:, :count]
    # one gain for the whole note, since a blend that would clip is turned down
    gain = np.float32(10 * np.log10((10 ** (partials / 10)).sum() / (10 ** (copied / 10)).sum()))
    level = true.level_db()[:, None]
    wide = (np.abs(true.balance_db) > MONO[0]) | (true.correlation < MONO[1])
    placed = wide & (_band_levels(true) > level - IMAGE_DB)
    return {
        "partials": np.abs(partials - copied - gain)[audible(true)[:, :count]],
        "noise": np.abs(noise - copied_noise - gain)[noise > level - RANGE_DB],
        "balance": np.abs(true.balance_db - other.balance_db)[placed],
        "correlation": np.abs(true.correlation - other.correlation)[placed],
    }


def audible(features: Features) -> NDArray[np.bool_]:
    """Which partials (T, K) are within RANGE_DB of the strongest of their frame and STANDS_OUT_DB above the noise
    around them. The level of others is not certain."""
    partials, edges = features.partials_db, band_edges()
    density = features.noise_db - 10 * np.log10(np.diff(edges))
    noise = np.take_along_axis(density, _bands(features), 1) + 10 * np.log10(features.f0_hz[:, None])
    return np.asarray((partials > partials.max(1, keepdims=True) - RANGE_DB) & (partials > noise + STANDS_OUT_DB))


def _bands(features: Features) -> NDArray[np.int64]:
    """The band of each partial, (T, K)."""
    hz = np.arange(1, features.partials_db.shape[1] + 1) * features.f0_hz[:, None]
    return np.clip(np.searchsorted(band_edges(), hz) - 1, 0, features.noise_db.shape[1] - 1)


def _smooth(noise_db: Floats) -> Floats:
    power = uniform_filter1d(10.0 ** (noise_db / 10), NOISE_FRAMES, axis=0, mode="nearest")
    return np.asarray(10 * np.log10(power + 1e-20), dtype=np.float32)


def _band_levels(features: Features) -> NDArray[np.float64]:
    """Level of partials and noise in each band, (T, B) dB."""
    power = 10.0 ** (features.noise_db.astype(np.float64) / 10)
    np.add.at(
        power,
        (np.arange(len(power))[:, None], _bands(features)),
        10.0 ** (features.partials_db.astype(np.float64) / 10),
    )
    return np.asarray(10 * np.log10(power + 1e-20))
