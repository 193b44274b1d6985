"""Finds what is wrong with the frames of a table, and mends it. Pure functions on frames (n, size) of any size."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nsynth_core.audio import Floats
from wavetables.resizing import resize
from wavetables.shaping import PEAK, align, normalize, remove_dc, seam, settle_seam
from wavetables.table import FRAME_SIZE

Mask = NDArray[np.bool_]

SILENT = 1e-4  # of the table's peak: a frame below it is silent
DC_LIMIT = 1e-3  # of full scale: a smaller offset is hidden by a synth's own filter
SEAM_LIMIT = 8.0  # median steps: a larger wrap step is a click rather than part of the wave
PHASE_LIMIT = 0.05  # of a cycle, from the table's mean fundamental
HEARD = 0.03  # of the strongest harmonic: nobody misses a weaker fundamental when it cancels
JUMP_DB = 12.0  # between neighbours: a larger step makes a volume knob of the position knob
LOOK = 8  # frames that are searched for images before all are, since most tables are not stretched
ROUNDING = 3e-4  # of a frame's power: the error of an exact repeat in 16 bits
FULL_SCALE = 0.9999
FLAT = 4  # equal samples in a row at full scale make a clipped top
FLAT_SHARE = 0.4  # of a frame at full scale: a frame with more is a square wave, and meant
CUT = 1e-3  # of full scale: a rounded top that rises by less was not clipped; pulses have flat tops, too


@dataclass(frozen=True, eq=False)
class Faults:
    """What is wrong with n frames; arrays are (n,).

    silent: frames below SILENT
    duplicates: frames that equal the one before
    clipped: frames with flat tops at full scale
    dc: |mean|, full scale 1
    seams: the wrap step over the median step
    jumps: dB from the frame before, 0 for the first
    in_phase: whether all fundamentals are within a twentieth of a cycle; None where too few frames have one
    images: samples a frame from which the frames were stretched, 0 where they were not
    stretched: how, "holding" or "straight lines"
    """

    silent: Mask
    duplicates: Mask
    clipped: Mask
    dc: NDArray[np.float64]
    seams: NDArray[np.float64]
    jumps: NDArray[np.float64]
    in_phase: bool | None
    images: int
    stretched: str


def faults(frames: Floats) -> Faults:
    """Measure what is wrong with `frames`, float32 (n, size).

    >>> sine = np.sin(2 * np.pi * np.arange(2048) / 2048).astype(np.float32)
    >>> faults(np.stack([sine, sine, 0 * sine])).duplicates.tolist()
    [False, True, False]
    """
    level = np.abs(frames).max(1)
    silent = level <= SILENT * float(level.max())
    same = np.zeros(len(frames), dtype=bool)
    same[1:] = (frames[1:] == frames[:-1]).all(1)
    images, stretched = _images(frames[~silent])
    return Faults(
        silent,
        same & ~silent,
        _clipped(frames),
        np.abs(frames.mean(1, dtype=np.float64)),
        seam(frames),
        _jumps(frames, silent),
        _in_phase(frames),
        images,
        stretched,
    )


def mend(frames: Floats) -> Floats:
    """Mend what `faults` finds in `frames`, float32 (n, size), and leave everything else as it is.

    Flat tops are rounded, stretched frames band-limited, silent and repeated ones dropped, fundamentals put in phase,
    seams settled, level steps reduced to 12 dB, DC removed; a table that peaks above full scale gets one gain.
    Returns float32 (m, 2048), m <= n. Frames of 2048 samples without faults come back bit-exact. A silent table stays
    silent.

    >>> sine = np.sin(2 * np.pi * np.arange(2048) / 2048).astype(np.float32)
    >>> mend(np.stack([sine, sine, 0 * sine])).shape
    (1, 2048)
    """
    measured = faults(frames)
    if measured.clipped.any():
        frames = _rounded(frames, measured.clipped)
    if measured.images:
        frames = np.ascontiguousarray(frames[:, :: frames.shape[1] // measured.images])
    frames = resize(frames, FRAME_SIZE)
    if measured.silent.all():
        return frames
    frames = frames[~measured.silent]
    frames = frames[np.concatenate([[True], (frames[1:] != frames[:-1]).any(1)])]
    if measured.in_phase is False:
        frames = align(frames)
    if (seam(frames) > SEAM_LIMIT).any():
        frames = settle_seam(frames)
    if (measured.jumps > JUMP_DB).any():
        frames = _levelled(frames)
    if (np.abs(frames.mean(1, dtype=np.float64)) > DC_LIMIT).any():
        frames = remove_dc(frames)
    if float(np.abs(frames).max()) > 1.0:
        frames = normalize(frames, PEAK)
    return frames


def _in_phase(frames: Floats) -> bool | None:
    size = frames.shape[1]
    turn = 2 * np.pi * np.arange(size) / size
    cosine, sine = (frames @ np.stack([np.cos(turn), -np.sin(turn)], axis=1).astype(np.float32)).T
    power = cosine**2 + sine**2
    # no harmonic is stronger than the whole frame (Parseval), so that most spectra need not be computed
    heard = power > HEARD**2 * size / 2 * np.einsum("ij,ij->i", frames, frames)
    rest = np.flatnonzero(~heard & (power > 0))
    heard[rest] = power[rest] > HEARD**2 * (np.abs(np.fft.rfft(frames[rest])[:, 1:]) ** 2).max(1)
    first = (cosine + 1j * sine)[heard]
    if len(first) < 2 or size < 4:
        return None
    mean = (first / np.abs(first)).mean()
    turns = np.angle(first * mean.conj()) / (2 * np.pi)
    # phases that cancel have no mean
    return bool(np.abs(mean) > 0.5 and np.abs(turns).max() <= PHASE_LIMIT)


def _clipped(frames: Floats) -> Mask:
    some = np.zeros(len(frames), dtype=bool)
    if float(np.abs(frames).max()) < FULL_SCALE:
        return some
    flat = _flat(frames)
    some = flat.any(1) & (flat.mean(1) < FLAT_SHARE)
    return np.asarray(some & (np.abs(_rounded(frames, some) - frames).max(1) > CUT))


def _flat(frames: Floats) -> Mask:
    """(n, size): the samples in runs of at least FLAT equal ones at full scale."""
    top = np.abs(frames) >= FULL_SCALE * max(1.0, float(np.abs(frames).max()))
    same = top & (np.roll(frames, 1, axis=1) == frames)  # samples that equal the one before
    last = same.copy()  # of a run, the fourth sample and those after it
    for step in range(1, FLAT - 1):
        last &= np.roll(same, step, axis=1)
    runs = last.copy()
    for step in range(1, FLAT):
        runs |= np.roll(last, -step, axis=1)
    return np.asarray(runs)


def _rounded(frames: Floats, clipped: Mask) -> Floats:
    """Every flat top replaced by the cubic curve that continues the slopes on both sides: a guess at what was cut
    off."""
    frames, size = frames.copy(), frames.shape[1]
    for row in np.flatnonzero(clipped):
        wave, flat = frames[row].astype(np.float64), _flat(frames[row : row + 1])[0]
        for start in np.flatnonzero(flat & ~np.roll(flat, 1)):
            length = int(np.argmin(np.roll(flat, -start)))
            before, after = (start - 1) % size, (start + length) % size
            span, t = length + 1, np.arange(1, length + 1) / (length + 1)
            rise = span * (wave[before] - wave[before - 1])
            fall = span * (wave[(after + 1) % size] - wave[after])
            step = wave[after] - wave[before]
            curve = wave[before] + t * step + t * (1 - t) * ((1 - t) * (rise - step) - t * (fall - step))
            sign = np.sign(wave[start])
            place = (start + np.arange(length)) % size
            frames[row, place] = sign * np.maximum(sign * curve, np.abs(wave[start]))
    return frames


def _levels(frames: Floats) -> NDArray[np.float64]:
    """(n,): dB of each frame."""
    return np.asarray(10 * np.log10(np.mean(frames.astype(np.float64) ** 2, axis=1) + 1e-20))


def _jumps(frames: Floats, silent: Mask) -> NDArray[np.float64]:
    """(n,): dB from the last frame that is not silent."""
    sounding = np.flatnonzero(~silent)
    jumps = np.zeros(len(frames))
    jumps[sounding[1:]] = np.abs(np.diff(_levels(frames[sounding])))
    return jumps


def _levelled(frames: Floats) -> Floats:
    """Quiet frames raised until no step between neighbours passes 12 dB. The loud ones, which set the table's level,
    stay as they are."""
    level = _levels(frames)
    place = np.arange(len(level))
    wanted = (level[None] - (JUMP_DB - 0.5) * np.abs(place[:, None] - place[None])).max(1)
    return np.asarray(frames * 10 ** ((wanted - level)[:, None] / 20), dtype=np.float32)


def _images(frames: Floats) -> tuple[int, str]:
    """(samples a frame, how) of frames that were stretched from fewer samples by holding these or by straight lines
    between them. That leaves images above the band which the samples could hold. Waves that step or bend in few places
    are meant to."""
    size = frames.shape[1]
    if len(frames) > 2 * LOOK and not _images(frames[:: len(frames) // LOOK])[0]:
        return 0, ""
    power = np.sqrt(np.mean(frames.astype(np.float64) ** 2, axis=1)) + 1e-30
    for factor in (2, 4, 8, 16):
        few = size // factor
        if not len(frames) or size % factor or few < 64:
            break
        kept = frames[:, ::factor].astype(np.float64)
        smooth = None
        share = np.arange(factor) / factor
        lines = kept[:, :, None] * (1 - share) + np.roll(kept, -1, axis=1)[:, :, None] * share
        nearest = np.inf
        for method, drawn, order in (("holding", np.repeat(kept, factor, axis=1), 1), ("straight lines", lines, 2)):
            off = np.sqrt(np.mean((drawn.reshape(frames.shape) - frames) ** 2, axis=1)) / power
            nearest = min(nearest, float(np.median(off)))
            if not np.mean(off < ROUNDING) > 0.5:
                continue
            if smooth is None:
                smooth = np.sqrt(np.mean((resize(kept.astype(np.float32), size) - frames) ** 2, axis=1)) / power
            bends = np.abs(np.diff(kept, order, axis=1)) > 1e-4 * power[:, None]
            if np.mean((smooth > 1e-3) & (off < np.minimum(0.1 * smooth, ROUNDING)) & (bends.mean(1) > 0.5)) > 0.5:
                smaller, _ = _images(np.ascontiguousarray(frames[:, ::factor]))
                return smaller or few, method
        if nearest > 2 * ROUNDING:  # samples held for longer are also held for two
            break
    return 0, ""
