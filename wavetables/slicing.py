"""Sound → single cycles → frames. A cycle is read along the exact phase of the note, so a frame closes by construction.

1. The pitch track gives the phase; what adjacent cycles still slip against each other, seen by all partials together,
   corrects it (`_Phase.corrected`): at 30 Hz the 600th partial turns a third of a cycle per cent of error and period.
2. Cycles are read band-limited at equal steps of phase; everything above the source's Nyquist goes.
3. Neighbouring cycles are averaged under a Hann window over whole periods (at least two, so that both ends of a frame
   meet). How many is chosen for each harmonic by cross-validation: many where noise hides a steady harmonic, few where
   it moves.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from nsynth_core.audio import Floats, Sound, resample
from nsynth_core.errors import UserError
from nsynth_core.pitch import HOP_SECONDS, PitchTrack
from wavetables.table import FRAME_SIZE, MAX_FRAMES

Doubles = NDArray[np.float64]
Complexes = NDArray[np.complex128]

QUIET_DB = -40.0  # parts of the note further below its loudest make no frames
TOP_RATE = 96_000  # a table of 1023 harmonics holds nothing a higher rate would add
HALF_TAPS, BETA, TABLE_STEPS = 32, 9.0, 512  # Kaiser-windowed sinc, images below -90 dB
BLOCK = 1 << 14
SPANS = (2, 4, 8, 16, 32)  # periods of the Hann windows
POOL = 2.0  # harmonics up to an octave apart choose their window together
RAMP = 0.25  # of a period: flanks of the shortest window, which is flat between
LONGEST_SPAN = 0.25  # seconds it may cover; four periods always
RELEASE_SECONDS, RELEASE_DB = 0.06, 8.0
SLIP_SECONDS = 0.015  # over which corrections of the phase are averaged
RUNGS = (4, 16, 64, 256, 1023)  # harmonics that correct the phase, coarse to fine


def slice_cycles(sound: Sound, track: PitchTrack, frames: int | None = None) -> Floats:
    """Single cycles of `sound` along `track` as float32 (n, 2048), zero DC, at the sound's level, in the phase the
    track gives them (see shaping.align). They are spread evenly over the time the note is voiced and within 40 dB of
    its loudest: as many as there are cycles, at most `frames` (1..256, default 256).

    Raises UserError when not one whole period is there.
    """
    if sound.rate > TOP_RATE:
        sound = resample(sound, TOP_RATE)
    x = sound.mid().astype(np.float64)
    x -= x.mean()
    phase = _Phase.of(track, sound)
    active = _active_cycles(x, sound.rate, track, phase)
    wanted = min(frames or MAX_FRAMES, len(active), MAX_FRAMES)
    picks = active[np.round(np.linspace(0, len(active) - 1, wanted)).astype(np.int64)]
    reader = _Reader(x, sound.rate, float(track.f0_hz[track.voiced].min() if track.voiced.any() else track.f0_hz.min()))
    inner = np.unique(np.clip(picks, active[0] + 1, max(active[-1] - 1, active[0] + 1)))
    for _ in range(2):
        phase = phase.corrected(reader, inner)
    spectra = _averaged(reader, phase, picks, active)
    number = np.arange(spectra.shape[1])
    f0 = phase.f0(picks)
    spectra[number * f0[:, None] > 0.5 * sound.rate] = 0.0
    spectra[:, 0] = 0.0
    full = np.zeros((len(picks), FRAME_SIZE // 2 + 1), dtype=np.complex128)
    keep = min(spectra.shape[1], FRAME_SIZE // 2)
    full[:, :keep] = spectra[:, :keep]
    return np.asarray(np.fft.irfft(full * (FRAME_SIZE / reader.points), FRAME_SIZE), dtype=np.float32)


def _active_cycles(x: Doubles, rate: int, track: PitchTrack, phase: _Phase) -> NDArray[np.int64]:
    """Numbers of the whole cycles within the sound that are voiced and loud enough."""
    first, last = int(np.ceil(phase.cycles[0] - 1e-6)), int(np.floor(phase.at(len(x) / rate) + 1e-6))
    numbers = np.arange(first, last)
    if len(numbers) == 0:
        raise UserError(f"less than one period of {np.median(track.f0_hz):.1f} Hz; a longer sound is needed")
    edges = phase.seconds_of(np.arange(first, last + 1))
    energy = np.concatenate([[0.0], np.cumsum(x * x)])
    start = np.clip((edges[:-1] * rate).astype(np.int64), 0, len(x) - 1)
    stop = np.clip((edges[1:] * rate).astype(np.int64), start + 1, len(x))
    power = (energy[stop] - energy[start]) / (stop - start)
    loud = power > 10 ** (QUIET_DB / 10) * power.max()
    loud[_let_go(power, edges) :] = False
    near = np.round((edges[1:] + edges[:-1]) / 2 / HOP_SECONDS).astype(np.int64)
    voiced = track.voiced[np.clip(near, 0, len(track.voiced) - 1)]
    chosen = numbers[loud & voiced] if (loud & voiced).any() else numbers[loud]
    return chosen if len(chosen) else numbers


def _let_go(power: Doubles, edges: Doubles) -> int:
    """Number of cycles before the note is let go; what follows is the room's answer, not the note. Let go: within
    RELEASE_SECONDS it falls by RELEASE_DB, several times faster than before and after, and dies away from there in no
    more time than it had sounded. A steady decay has no such place."""
    step = max(1, round(RELEASE_SECONDS * len(power) / float(edges[-1] - edges[0])))
    level = 10 * np.log10(power + 1e-10 * power.max() + 1e-30)
    if len(level) < 8 * step:
        return len(level)
    level = np.convolve(np.pad(level, (step // 2, step - 1 - step // 2), mode="edge"), np.ones(step) / step, "valid")
    last = int(np.flatnonzero(level > QUIET_DB + level.max())[-1])
    fall = level[:-step] - level[step:]
    for k in map(int, np.flatnonzero(fall > RELEASE_DB)):
        if max(step, last // 2) <= k < min(len(fall) - step, last - 2 * step):
            calm = max(abs(fall[k - step]), abs(fall[k + step]))
            tail = level[k + step : last]
            if fall[k] > 3 * calm and tail.max() < level[k] - RELEASE_DB / 2 and tail[-1] < tail[0] - RELEASE_DB:
                return k + step // 2
    return len(level)


# ---------------------------------------------------------------------------------------------------------------- phase
@dataclass(frozen=True)
class _Phase:
    """The note's phase: `cycles` at `seconds`, both strictly rising."""

    seconds: Doubles
    cycles: Doubles

    @staticmethod
    def of(track: PitchTrack, sound: Sound) -> _Phase:
        # finer than the track's own steps: between two of them f0 is a straight line and phase is curved
        seconds = np.arange(0.0, sound.seconds + 0.0015, 0.001)
        return _Phase(seconds, track.cycles(seconds))

    def at(self, seconds: float) -> float:
        return float(np.interp(seconds, self.seconds, self.cycles))

    def seconds_of(self, cycles: NDArray[np.generic] | Doubles) -> Doubles:
        """Cubic Hermite between the values (its slopes are the periods), straight beyond the ends."""
        k = np.clip(np.searchsorted(self.cycles, cycles, "right") - 1, 0, len(self.cycles) - 2)
        span = self.cycles[k + 1] - self.cycles[k]
        u = (cycles - self.cycles[k]) / span
        inside = np.clip(u, 0.0, 1.0)
        rest = 1.0 - inside
        curve = inside * rest * (self.periods[k] * span * rest - self.periods[k + 1] * span * inside)
        smooth = self.seconds[k] + (self.seconds[k + 1] - self.seconds[k]) * inside * inside * (3 - 2 * inside)
        return np.asarray(smooth + curve + (u - inside) * span * self.periods[k], dtype=np.float64)

    @cached_property
    def periods(self) -> Doubles:
        """Seconds a cycle."""
        return np.asarray(1.0 / np.gradient(self.cycles, self.seconds, edge_order=2), dtype=np.float64)

    def f0(self, numbers: NDArray[np.int64]) -> Doubles:
        """Hz during the cycles of these numbers."""
        return 1.0 / (self.seconds_of(numbers + 1.0) - self.seconds_of(numbers + 0.0))

    def corrected(self, reader: _Reader, picks: NDArray[np.int64]) -> _Phase:
        """The phase without what cycles around each pick slip against their neighbours."""
        slip, trust = _slips(reader.cycles(self, picks[:, None] + np.arange(-1, 2)))
        places = picks + 0.5
        when = self.seconds_of(places)
        share = np.exp(-(((when[:, None] - when) / SLIP_SECONDS) ** 2)) * trust
        slip = (share * slip).sum(1) / share.sum(1)
        drift = np.interp(self.cycles, places, slip) if len(places) > 1 else np.full(len(self.cycles), slip[0])
        step = np.diff(self.cycles) * (1.0 + (drift[1:] + drift[:-1]) / 2)
        return _Phase(self.seconds, self.cycles[0] + np.concatenate([[0.0], np.cumsum(step)]))


def _slips(cycles: Doubles) -> tuple[Doubles, Doubles]:
    """Cycles by which the phase ran too slow per cycle, and how sure that is (1 / variance, any scale), both (n,):
    from n runs of adjacent cycles (n, run, points)."""
    spectra = np.fft.rfft(cycles)[:, :, 1:]
    turn = (spectra[:, 1:] * spectra[:, :-1].conj()).sum(1)
    slip, trust = np.zeros(len(turn)), np.ones(len(turn))
    number = np.arange(1.0, turn.shape[1] + 1)
    for top in RUNGS:
        left = np.angle(turn[:, :top] * np.exp(-2j * np.pi * slip[:, None] * number[:top])) / (2 * np.pi)
        # the variance of a phase goes with 1 / power; a partial that turns on its own is no evidence
        weight = np.abs(turn[:, :top]) * (np.abs(left) < 0.2)
        trust = (weight * number[:top] ** 2).sum(1) + 1e-30
        slip += (weight * number[:top] * left).sum(1) / trust
        if top >= turn.shape[1]:
            break
    return np.clip(slip, -0.03, 0.03), trust


# -------------------------------------------------------------------------------------------------------------- reading
class _Reader:
    """Reads a signal at any places, band-limited."""

    def __init__(self, x: Doubles, rate: int, low_hz: float):
        self.rate = rate
        # a fifth more than the source has samples a cycle: images fall above the source's Nyquist and go with it
        self.points = int(2 ** np.ceil(np.log2(max(1.2 * rate / low_hz, 16.0))))
        self.x = np.concatenate([np.zeros(HALF_TAPS), x, np.zeros(HALF_TAPS + 1)])
        self.count = len(x)
        place = np.arange(-HALF_TAPS * TABLE_STEPS, HALF_TAPS * TABLE_STEPS + 1) / TABLE_STEPS
        window = np.i0(BETA * np.sqrt(np.maximum(1 - (place / HALF_TAPS) ** 2, 0))) / np.i0(BETA)
        kernel = np.sinc(place) * window
        # row r: the taps for a place r / TABLE_STEPS behind a sample
        self.taps = kernel[:-1].reshape(-1, TABLE_STEPS)[::-1].T
        self.taps = np.vstack([self.taps, np.append(0.0, self.taps[0, :-1])])

    def cycles(self, phase: _Phase, numbers: NDArray[np.int64]) -> Doubles:
        """Cycles of any numbers (...,) as (..., points)."""
        unique, back = np.unique(numbers, return_inverse=True)
        grid = unique[:, None] + np.arange(self.points) / self.points
        inside = np.clip(grid, phase.cycles[0] - 0.5, phase.cycles[-1] + 0.5)
        values = self.at(phase.seconds_of(inside.ravel()) * self.rate).reshape(grid.shape)
        return np.asarray(values[back.reshape(numbers.shape)], dtype=np.float64)

    def at(self, places: Doubles) -> Doubles:
        """Values at fractional sample numbers; silence beyond the ends."""
        out = np.empty(len(places))
        for a in range(0, len(places), BLOCK):
            p = np.clip(places[a : a + BLOCK], -1.0, self.count)
            whole = np.floor(p).astype(np.int64)
            fine = (p - whole) * TABLE_STEPS
            row = np.minimum(fine.astype(np.int64), TABLE_STEPS - 1)
            share = (fine - row)[:, None]
            taps = self.taps[row] * (1 - share) + self.taps[row + 1] * share
            near = np.lib.stride_tricks.sliding_window_view(self.x, 2 * HALF_TAPS)[whole + 1]
            out[a : a + BLOCK] = np.einsum("ij,ij->i", taps, near)
        return out


# ------------------------------------------------------------------------------------------------------------ averaging
def _averaged(reader: _Reader, phase: _Phase, picks: NDArray[np.int64], active: NDArray[np.int64]) -> Complexes:
    """Spectra (n, points / 2 + 1) of the picked cycles, each harmonic averaged over as many periods as serve it."""
    count = len(active)
    longest = max(4.0, LONGEST_SPAN * float(np.median(phase.f0(picks))))
    spans = [span for span in SPANS if span <= min(longest, max(count - 1, 2))]
    reach = spans[-1] // 2
    # at its ends the note is mirrored, cycle by cycle: silence or the next note beyond is none of its timbre
    around = picks[:, None] + np.arange(-reach, reach + 1)
    around = active[0] + np.abs(around - active[0])
    around = np.clip(active[-1] - np.abs(active[-1] - around), active[0], active[-1])
    cycles = reader.cycles(phase, around)
    choices = np.stack([np.fft.rfft(_folded(cycles, span)) for span in (1, *spans)])
    best = _best_span(np.fft.rfft(cycles), spans)
    return np.asarray(choices[best, :, np.arange(choices.shape[2])].T)


def _window(place: Doubles, span: int) -> Doubles:
    """Window over `span` periods whose copies one period apart sum to 1: Hann, or for 1 a single period crossfaded at
    its ends."""
    if span == 1:
        return np.asarray(np.cos(np.pi / 2 * np.clip((np.abs(place) - 0.5) / RAMP + 0.5, 0, 1)) ** 2)
    return np.where(np.abs(place) < span / 2, 2 / span * np.cos(np.pi * place / span) ** 2, 0.0)


def _folded(cycles: Doubles, span: int) -> Doubles:
    """Adjacent cycles (n, run, points) under the window centred on the middle one, folded to one cycle (n, points)."""
    reach, points = cycles.shape[1] // 2, cycles.shape[2]
    place = np.arange(-reach, reach + 1)[:, None] + np.arange(points) / points - 0.5
    return np.asarray(np.einsum("nrp,rp->np", cycles, _window(place, span)), dtype=np.float64)


def _best_span(spectra: Complexes, spans: list[int]) -> NDArray[np.int64]:
    """For each harmonic the index in (1, *spans) of the least expected squared error, from spectra (n, run, harmonics).

    A middle cycle is predicted from its neighbours under each window. What a longer window predicts worse than noise
    alone would make it is the harmonic's own movement. The noise is what is left of the middle cycle after the best
    multiple of its two neighbours' sum, which a partial that turns or grows steadily leaves at zero.
    """
    reach = spectra.shape[1] // 2
    middle = spectra[:, reach]
    if len(spans) == 1:
        return np.ones(spectra.shape[2], dtype=np.int64)
    beside = spectra[:, reach - 1] + spectra[:, reach + 1]
    fit = (middle * beside.conj()).real.sum(0) / ((np.abs(beside) ** 2).sum(0) + 1e-30)
    fit = np.clip(fit, -1.0, 1.0)
    noise = (np.abs(middle - fit * beside) ** 2).sum(0) / (1 + 2 * fit**2)
    offsets = np.arange(-reach, reach + 1)
    moves, errors = [], []
    for span in spans[1:]:
        weight = _window(offsets.astype(np.float64), span)
        others = np.where(offsets == 0, 0.0, weight)
        others /= others.sum()
        predicted = np.einsum("r,nrh->nh", others, spectra)
        moves.append(np.maximum((np.abs(middle - predicted) ** 2).sum(0) - noise * (1 + (others**2).sum()), 0.0))
        errors.append(moves[-1] + noise * (weight**2).sum())
    # the two shortest windows predict nothing from neighbours. The amplitude they see of a movement goes with their
    # second moments: 0.084 and 0.131 of a period squared, 0.523 for the Hann window over four
    short = [0.026 * moves[0] + 0.93 * noise, 0.0625 * moves[0] + 0.75 * noise]
    # neighbours vote together: what one partial of a stretched tone leaks into the next harmonic looks like noise there
    total = np.cumsum(np.pad(np.stack(short + errors), ((0, 0), (1, 0))), axis=1)
    number = np.arange(spectra.shape[2])
    low, high = (number / POOL).astype(np.int64), np.minimum((number * POOL).astype(np.int64) + 1, len(number))
    return np.asarray(np.argmin(total[:, high] - total[:, low], axis=0), dtype=np.int64)
