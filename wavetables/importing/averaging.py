"""The cycles around a moment become the frame of that moment.

The points of a cycle come one after the other, but a frame stands for one moment. So each point is interpolated, at its
phase, between the periods around the moment. A steady rise or fall of the level is then neither smeared nor torn at the
seam. Where it helps, neighbouring cycles are also averaged under a Hann window. Cross-validation chooses how many for
each harmonic: many where noise hides a steady harmonic, few where the harmonic moves.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from wavetables.importing.cycle_reader import BLOCK, Complexes, Doubles, Numbers, Phase, Reader

SPANS = (0, 1, 2, 4, 8, 16, 32)  # periods averaged: see `_window`
FIT = 8  # neighbouring frames whose harmonic is taken to turn and grow alike
# Share of the movement that each of the shortest windows smooths away, compared with a window of four periods. From
# their fourth and second moments.
BLURS = {0: 0.026, 1: 0.02, 2: 0.0625}
FAST = 0.2  # of its energy: a harmonic that its neighbours predict with a larger error moves too fast to interpolate
CUBIC = np.array([-1.0, 4.0, 0.0, 4.0, -1.0])  # predicts a cycle from two on either side
# differences of fourth and sixth order, which remove nearly all of a steady movement
DIFFERENCES = np.array([1.0, -4.0, 6.0, -4.0, 1.0]), np.array([-1.0, 6.0, -15.0, 20.0, -15.0, 6.0, -1.0])
KINKED = 8.0  # ratio of the errors of predicting from two periods and from one, at random slopes (smooth ones: 16)
LONE = 1e-3  # of its energy: the penalty of a single cycle where nothing turns fast
LEAST_NOISE = 1e-8  # of its energy: less than any recording has
FULL_BAND = 0.46  # of the sample rate: above it the filter of the recording begins
BURIED = 0.5  # of a single cycle's energy: above FULL_BAND, a harmonic with more noise is left out
RAMP = 0.25  # of a period: the flanks of the window of a single cycle, which is flat in between
CALM = 0.5  # of the mean change from a cycle to the next
POOL = 2.0  # ratio of harmonic numbers up to which harmonics choose their window together
LONGEST_SPAN = 0.8  # seconds that a window may cover; four periods always may


def averaged(
    readers: list[Reader], phase: Phase, picks: Numbers, active: Numbers, average: int | None
) -> tuple[Complexes, Doubles, Numbers]:
    """Average the cycles around each of the picked ones.

    readers: one for each channel
    phase: of the note
    picks: (n,) the numbers of the cycles that become frames
    active: the numbers of the cycles that hold the note, ascending
    average: periods in each frame; None: for each harmonic as many as serve it in all channels together
    Returns spectra (channels, n, points / 2 + 1), the moments (n,) that they stand for, in cycles, and the number of
    periods (points / 2 + 1,) that each harmonic was averaged over. Near the Nyquist frequency, harmonics that are
    mostly noise are left out.
    """
    longest = max(4.0, LONGEST_SPAN * float(np.median(phase.f0(picks))))
    spans = [span for span in SPANS if span <= min(longest, max(len(active) - 1, 2))] if average is None else [average]
    reach = max(map(_reach, spans))
    # at its ends the note is mirrored, cycle by cycle: silence or the next note is not of its timbre
    around = picks[:, None] + np.arange(-reach, reach + 1)
    around = active[0] + np.abs(around - active[0])
    around = np.clip(active[-1] - np.abs(active[-1] - around), active[0], active[-1])
    distinct, rows = np.unique(around, return_inverse=True)
    rows = rows.reshape(around.shape)
    choices, errors, seam = [], [], 0.0
    for number, reader in enumerate(readers):
        cycles = reader.cycles(phase, distinct)
        if number == 0:
            seam = _calmest(cycles, rows)
        choices.append(np.fft.rfft(folded(cycles, rows, spans, seam)))
        if average is None:
            errors.append(_errors(np.fft.rfft(cycles), rows, spans))
    moments: Doubles = picks + np.float64(0.5 + seam)
    if average is not None:
        return np.stack([choice[0] for choice in choices]), moments, np.full(choices[0].shape[2], average)
    error, rate = np.sum(errors, axis=0), readers[0].rate
    best = _best_span(error)
    chosen = _within_reach(best, spans, phase.f0(distinct)[rows], rate)
    frame, harmonic = np.arange(len(picks))[:, None], np.arange(len(best))
    spectra = np.stack([choice[chosen, frame, harmonic] for choice in choices])
    buried = error[1] > BURIED * np.sum([np.abs(choice[0]) ** 2 for choice in choices], axis=(0, 1))
    spectra[:, buried & (harmonic * phase.f0(picks)[:, None] > FULL_BAND * rate)] = 0.0
    return spectra, moments, np.maximum(np.asarray(spans)[best], 1)


def _calmest(cycles: Doubles, rows: Numbers) -> float:
    """The place in the period, -0.5..0.5, where one cycle is most like the next; 0 where none is much better than
    others. Single cycles are cut and crossfaded there, since a moving edge would be doubled. The `rows` (n, run) say
    which of the `cycles` (any, points) are adjacent."""
    middle, points = rows.shape[1] // 2, cycles.shape[1]
    change = ((cycles[rows[:, middle + 1]] - cycles[rows[:, middle]]) ** 2).sum(0)
    ramp = np.abs(np.arange(points) / points - 0.5) < RAMP / 2
    change = np.fft.irfft(np.fft.rfft(change) * np.fft.rfft(np.fft.ifftshift(ramp)), points)
    seam = int(np.argmin(change)) / points
    return 0.0 if change.min() > CALM * change.mean() else seam - (seam >= 0.5)


def _within_reach(best: Numbers, spans: list[int], f0: Doubles, rate: int) -> Numbers:
    """The row of `spans` (n, harmonics) for each frame and harmonic: the `best` (harmonics,) for all frames, or fewer
    periods where neighbouring cycles do not hold the harmonic, as in a glide, where it is above their band. f0 (n, run)
    is that of the cycles around each frame."""
    middle, number = f0.shape[1] // 2, np.arange(len(best))
    within = number * f0[:, middle, None] <= FULL_BAND * rate
    chosen = np.zeros((len(f0), len(best)), dtype=np.int64)
    for row, span in enumerate(spans):
        reach = _reach(span)
        highest = f0[:, middle - reach : middle + reach + 1].max(1)
        fits = ~within | (number * highest[:, None] <= FULL_BAND * rate)
        chosen[fits & (row <= best)] = row
    return chosen


def _reach(span: int) -> int:
    """Periods on either side that `_window` needs."""
    return (1, 2)[span] if span < 2 else (span + 1) // 2


def _window(place: Doubles, span: int) -> Doubles:
    """Weights at `place` periods from a frame's moment. Those one period apart sum to 1.

    span 0: a single cycle as it is, crossfaded at its ends
    span 1: cubic interpolation (Lagrange) between periods
    span 2 and more: straight lines between the values of a Hann window at whole periods
    Except for span 0, the spectrum of the window and its slope are zero at every multiple of f0 but 0, so that a
    harmonic which grows steadily leaks into no other."""
    if span == 0:
        return np.asarray(np.cos(np.pi / 2 * np.clip((np.abs(place) - 0.5) / RAMP + 0.5, 0, 1)) ** 2)
    if span == 1:
        x = np.abs(place)
        return np.where(x < 1, (1 - x) * (1 + x) * (2 - x) / 2, np.where(x < 2, (1 - x) * (2 - x) * (3 - x) / 6, 0.0))
    whole = np.arange(-_reach(span), _reach(span) + 1)
    hann = np.where(np.abs(whole) < span / 2, 2 / span * np.cos(np.pi * whole / span) ** 2, 0.0)
    return np.interp(place, whole, hann)


def folded(cycles: Doubles, rows: Numbers, spans: Sequence[int], seam: float = 0.0) -> Doubles:
    """Weight adjacent cycles with windows and add them up.

    cycles: (any, points)
    rows: (n, run) which cycles are adjacent, the middle one in the centre
    spans: periods of each window, see `_window`
    seam: periods (-0.5..0.5) by which the windows lie after the middle cycle
    Returns (spans, n, points).
    """
    reach, points = rows.shape[1] // 2, cycles.shape[1]
    out, step = np.zeros((len(spans), len(rows), points)), max(1, BLOCK // points)
    for k in range(2 * reach + 1):
        place = k - reach + np.arange(points) / points - 0.5 - seam
        windows = [(row, _window(place, span)) for row, span in enumerate(spans) if abs(k - reach) <= _reach(span)]
        for a in range(0, len(rows), step) if windows else ():
            part = cycles[rows[a : a + step, k]]
            for row, window in windows:
                out[row, a : a + step] += part * window
    return out


def _errors(spectra: Complexes, rows: Numbers, spans: list[int]) -> Doubles:
    """The expected squared errors (spans, harmonics) of windows over `spans` periods. `spectra` (any, harmonics) are
    those of cycles, `rows` (n, run) say which are adjacent.

    Each middle cycle is predicted from its neighbours under each window. An error beyond that of the noise comes from
    the harmonic's own movement. The noise is estimated as what is left of the middle cycle after the best multiple of
    the sum of its two neighbours: a partial that turns or grows steadily leaves nothing. The estimate is lower where
    neighbours two periods away predict worse than those one period away, since noise would affect both alike. Where
    partials turn by much of a cycle from one period to the next, as the high ones of stiff strings and moving pulses
    do, a single cycle is best.
    """
    reach = rows.shape[1] // 2
    if len(spans) < 4:  # too few cycles to predict one from others: two periods
        return np.stack([np.full(spectra.shape[1], float(span != 2)) for span in spans])
    inner = (np.diff(rows[:, max(reach - 3, 0) : reach + 4]) == 1).all(1)  # cycles mirrored at the ends kink
    rows = rows[inner] if inner.sum() > FIT else rows
    middle = spectra[rows[:, reach]]
    beside = spectra[rows[:, reach - 1]] + spectra[rows[:, reach + 1]]
    parts = np.arange(0, len(rows), FIT)
    fit = np.add.reduceat((middle * beside.conj()).real, parts) / (np.add.reduceat(np.abs(beside) ** 2, parts) + 1e-30)
    fit = np.clip(fit, -1.0, 1.0)[np.arange(len(rows)) // FIT]
    left = (np.abs(middle - fit * beside) ** 2 / (1 + 2 * fit**2)).sum(0)
    noise = left * 2 * len(rows) / (2 * len(rows) - len(parts))  # each fit uses up one degree of freedom
    far = (np.abs(middle - (spectra[rows[:, reach - 2]] + spectra[rows[:, reach + 2]]) / 2) ** 2).sum(0)
    bend = (np.abs(middle - beside / 2) ** 2).sum(0)
    energy = (np.abs(middle) ** 2).sum(0)
    # of pure noise, the first term is half the second
    fast = np.maximum(bend - 3 * noise - FAST * energy, 0.0)
    noise = np.clip((KINKED * bend - far) / (1.5 * (KINKED - 1)), 0.0, noise)
    for taps in DIFFERENCES:
        if len(taps) // 2 <= reach:
            steps = enumerate(taps, reach - len(taps) // 2)
            rest = (np.abs(sum(tap * spectra[rows[:, k]] for k, tap in steps)) ** 2).sum(0)
            noise = np.minimum(noise, rest / (taps**2).sum())
    noise = np.maximum(noise, LEAST_NOISE * energy)
    errors = []
    for span in spans:
        offsets = np.arange(-max(_reach(span), 1), max(_reach(span), 1) + 1)
        others = CUBIC if span == 1 else np.where(offsets == 0, 0.0, _window(offsets.astype(np.float64), max(span, 4)))
        others = others / others.sum()
        predicted = sum(share * spectra[rows[:, reach + k]] for k, share in zip(offsets, others, strict=True) if share)
        moves = np.maximum((np.abs(middle - predicted) ** 2).sum(0) - noise * (1 + (others**2).sum()), 0.0)
        fine = _window(np.arange(-_reach(span), _reach(span), 1 / 16), span)
        wrong = fast if span > 0 else np.where(fast > 0, 0.0, LONE * energy)
        errors.append(BLURS.get(span, 1.0) * moves + noise * (fine**2).sum() / 16 + wrong)
    return np.stack(errors)


def _best_span(errors: Doubles) -> Numbers:
    """The row with the least error for each harmonic.

    Neighbouring harmonics choose together: a partial of a stretched tone leaks into the next harmonic and looks like
    noise there. Above a harmonic that turns too fast for any window (row 0), all get row 0: edges and stiff strings
    turn a harmonic the more, the higher it is, until it turns at random and looks like noise."""
    total = np.cumsum(np.pad(errors[:, 1:], ((0, 0), (2, 0))), axis=1)  # without the offset
    number = np.arange(errors.shape[1])
    low, high = (number / POOL).astype(np.int64), np.minimum((number * POOL).astype(np.int64) + 1, len(number))
    best = np.argmin(total[:, high] - total[:, low], axis=0)
    best[1:] *= np.logical_and.accumulate(best[1:] > 0)
    return np.asarray(best, dtype=np.int64)
