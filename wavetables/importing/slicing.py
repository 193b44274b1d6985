"""A sound becomes single cycles, and these become frames. Each cycle is read along the exact phase of the note, and so
it closes without a seam.

1. The pitch track gives the phase. It must be exact: at 30 Hz, an error of one cent turns the 600th partial by a third
   of a cycle in every period.
2. Cycles are read band-limited, at equal steps of phase. Everything above the sound's Nyquist frequency is dropped.
3. The cycles around each place become a frame: see wavetables.importing.averaging.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nsynth_core.audio import Floats, Sound, resample
from nsynth_core.errors import UserError
from nsynth_core.metrics import spectral_distance
from nsynth_core.notes import midi_to_hz, note_name
from nsynth_core.pitch import HOP_SECONDS, PitchTrack, follow
from wavetables import shaping
from wavetables.importing.averaging import averaged, folded
from wavetables.importing.cycle_reader import Doubles, Numbers, Phase, Reader
from wavetables.table import FRAME_SIZE, MAX_FRAMES

QUIET_DB = -40.0  # from the loudest cycle: quieter ones make no frames
SILENT_DB = -80.0  # the same where the part of the sound is chosen by hand
TOP_RATE = 96_000  # Hz; a higher rate adds nothing, unless the 1023 harmonics of a high note reach beyond it
MAX_SPAN = 64  # periods in an average
RELEASE_SECONDS, RELEASE_DB = 0.06, 8.0  # the fall of the level where a note is released
LOOKS = 768  # cycles whose spectra tell how fast the timbre moves
HEARD_HARMONICS = 64  # of each of these spectra


@dataclass(frozen=True)
class Slices:
    """Frames cut out of a sound.

    frames: float32 (channels, n, 2048)
    seconds: (n,) where in the sound each was cut
    used, cycles: number of whole cycles that hold the note, and of all
    periods: (harmonics,) the number of periods that each harmonic was averaged over; 1 is no averaging
    """

    frames: Floats
    seconds: Doubles
    used: int
    cycles: int
    periods: Numbers


def slice_cycles(sound: Sound, track: PitchTrack, frames: int | None = None) -> Floats:
    """Cut the mean of all channels into single cycles, float32 (n, 2048): see `slice_channels`.

    >>> from nsynth_core.audio import sine
    >>> note = sine(220.0)
    >>> slice_cycles(note, follow(note, 57.0), frames=4).shape
    (4, 2048)
    """
    cycles: Floats = slice_channels(Sound(sound.mid()[:, None], sound.rate), track, frames).frames[0]
    return cycles


def slice_channels(
    sound: Sound,
    track: PitchTrack,
    frames: int | None = None,
    *,
    even: bool = False,
    average: int | None = None,
    everywhere: bool = False,
) -> Slices:
    """Cut every channel of `sound` into single cycles, all at the same places along `track`.

    sound: samples float32 (n, channels)
    track: its pitch
    frames: 1..256, at most so many; None: as many as there are cycles, at most 256
    even: space the frames by equal steps of timbre (log-spectral distance) instead of time
    average: periods in each frame, 1..64, for all harmonics; None: as many as serve each harmonic
    everywhere: use the whole sound, since its part was chosen by hand; else only where the note is voiced, within 40 dB
        of its loudest, and not yet released

    The frames have no DC, the level of the sound, and the phase that the track gives them (see shaping.align).
    Raises UserError when there is not one whole period.
    """
    enough = max(TOP_RATE, math.ceil(1.1 * FRAME_SIZE * float(track.f0_hz.max())))
    if sound.rate > enough:
        sound = resample(sound, enough)
    rate, mid = sound.rate, sound.mid()
    phase = Phase.of(track, sound)
    numbers, power, edges = _whole_cycles(mid - np.float32(mid.mean(dtype=np.float64)), rate, phase, track)
    active = numbers[_chosen(power, edges, track, everywhere)]
    low_hz = float(track.f0_hz[track.voiced].min() if track.voiced.any() else track.f0_hz.min())
    readers = [Reader(x - np.float32(x.mean(dtype=np.float64)), rate, low_hz) for x in sound.samples.T]
    reader = readers[0] if len(readers) == 1 else Reader(mid, rate, low_hz)
    wanted = min(frames or MAX_FRAMES, len(active), MAX_FRAMES)
    picks = _picked(reader, phase, active, power[active - numbers[0]], wanted, even)
    spectra, moments, periods = averaged(readers, phase, picks, active, average)
    # a harmonic above the Nyquist frequency of a neighbouring cycle is left out, too
    highest = np.max([phase.f0(np.clip(picks + k, active[0], active[-1])) for k in (-1, 0, 1)], axis=0)
    spectra[:, np.arange(spectra.shape[2]) * highest[:, None] > 0.5 * rate] = 0.0
    spectra[:, :, 0] = 0.0
    full = np.zeros((len(readers), len(picks), FRAME_SIZE // 2 + 1), dtype=np.complex128)
    keep = min(spectra.shape[2], FRAME_SIZE // 2)
    full[:, :, :keep] = spectra[:, :, :keep]
    cycles = np.asarray(np.fft.irfft(full * (FRAME_SIZE / reader.points), FRAME_SIZE), dtype=np.float32)
    return Slices(cycles, phase.seconds_of(moments), len(active), len(numbers), periods[1:])


def slice_each(notes: Iterable[Sound], pitch: float) -> Floats:
    """Cut one cycle out of each of several notes.

    notes: all of the same pitch and number of channels
    pitch: MIDI number
    Returns float32 (channels, n, 2048): the cycle in the middle of each note's energy, all equally loud, every harmonic
    in sine phase. Notes that have no phase in common thus make a table whose frames do not cancel.
    Raises UserError as `slice_channels`, and for silence.

    >>> from nsynth_core.audio import sine
    >>> slice_each([sine(220.0), sine(220.0, seconds=0.3)], 57.0).shape
    (1, 2, 2048)
    """
    cycles = np.stack([slice_channels(note, follow(note, pitch), 1).frames[:, 0] for note in notes], axis=1)
    level = np.sqrt((cycles.astype(np.float64) ** 2).mean((0, 2)))
    if not level.any():
        raise UserError(f"the notes hold nothing at {note_name(pitch)}; choose another pitch")
    flat = shaping.all_sines(cycles.reshape(-1, FRAME_SIZE))
    return shaping.level_each(flat, np.tile(level, len(cycles))).reshape(cycles.shape)


def frames_of_notes(notes: Sequence[Sound], pitch: float, count: int, stereo: bool) -> Floats:
    """Frames that walk through `notes` in even perceptual steps, float32 (channels, count, 2048): one cycle is cut out
    of each note (`slice_each`), and frames between two notes are crossfades of theirs.

    notes: all of MIDI `pitch` and of two channels each
    stereo: left and right instead of one channel of their mean
    Raises UserError as `slice_each`.
    """
    heard = notes if stereo else [Sound(note.mid()[:, None], note.rate) for note in notes]
    return shaping.even_frames(slice_each(heard, pitch), count, midi_to_hz(pitch))


# ------------------------------------------------------------------------------------------------------ where to cut
def _whole_cycles(x: Floats, rate: int, phase: Phase, track: PitchTrack) -> tuple[Numbers, Doubles, Doubles]:
    """Of the whole cycles within the sound: their numbers (n,), their power (n,), and the times in seconds (n + 1,) at
    which they begin and end."""
    first, last = int(np.ceil(phase.cycles[0] - 1e-6)), int(np.floor(phase.at(len(x) / rate) + 1e-6))
    numbers = np.arange(first, last)
    if len(numbers) == 0:
        raise UserError(f"less than one period of {np.median(track.f0_hz):.1f} Hz; a longer sound is needed")
    edges = phase.seconds_of(np.arange(first, last + 1))
    start = np.clip((edges * rate).astype(np.int64), 0, len(x) - 1)
    energy = np.add.reduceat(x[: max(start[-1], start[-2] + 1)] ** 2, start[:-1], dtype=np.float64)
    return numbers, energy / np.maximum(np.diff(start), 1), edges


def _chosen(power: Doubles, edges: Doubles, track: PitchTrack, everywhere: bool) -> NDArray[np.bool_]:
    """(n,): the cycles that are voiced and loud enough. Where there are none, the loud ones, else all."""
    if everywhere:
        loud: NDArray[np.bool_] = power > 10 ** (SILENT_DB / 10) * power.max()
        return loud if loud.any() else ~loud
    loud = power > 10 ** (QUIET_DB / 10) * power.max()
    loud[_released_after(power, edges) :] = False
    near = np.round((edges[1:] + edges[:-1]) / 2 / HOP_SECONDS).astype(np.int64)
    both = loud & track.voiced[np.clip(near, 0, len(track.voiced) - 1)]
    return np.asarray(both if both.any() else loud if loud.any() else ~loud)


def _released_after(power: Doubles, edges: Doubles) -> int:
    """Number of cycles before the note is released; what follows is the reverberation of the room.

    A note is released where its level falls by RELEASE_DB within RELEASE_SECONDS, three times as fast as before and
    twice as fast as after (by the median, since reverberation wavers), and where it then dies away within twice the
    time it had sounded. A steady decay has no such place."""
    step = max(1, round(RELEASE_SECONDS * len(power) / float(edges[-1] - edges[0])))
    level = 10 * np.log10(power + 1e-10 * power.max() + 1e-30)
    if len(level) < 8 * step:
        return len(level)
    level = np.convolve(np.pad(level, (step // 2, step - 1 - step // 2), mode="edge"), np.ones(step) / step, "valid")
    last = int(np.flatnonzero(level > QUIET_DB + level.max())[-1])
    fall = level[:-step] - level[step:]
    for k in map(int, np.flatnonzero(fall > RELEASE_DB)):
        if max(step, last // 3) <= k < min(len(fall) - step, last - 2 * step):
            before, after = (
                abs(float(np.median(part)))
                for part in (fall[max(k - 3 * step, 0) : k - step + 1], fall[k + step : k + 6 * step])
            )
            tail = level[k + step : last]
            steep = fall[k] > 3 * before and fall[k] > 2 * after
            if steep and tail.max() < level[k] - RELEASE_DB / 2 and tail[-1] < tail[0] - RELEASE_DB:
                return k + step // 2
    return len(level)


def _picked(reader: Reader, phase: Phase, active: Numbers, power: Doubles, wanted: int, even: bool) -> Numbers:
    """`wanted` of the `active` cycles, spread evenly over time or timbre; a single one from the middle of the
    energy."""
    if wanted == 1:
        return active[[int(np.searchsorted(np.cumsum(power), power.sum() / 2))]]
    if wanted == len(active):
        return active
    place = _timbre(reader, phase, active) if even else np.cumsum(1 / phase.f0(active))
    fewest, most = wanted, 64 * wanted
    picks = _spread(place, wanted)
    while most - fewest > 1:  # where the timbre moves faster than cycle by cycle, the frames left over go elsewhere
        middle = (fewest + most) // 2
        more = _spread(place, middle)
        if len(more) <= wanted:
            fewest, picks = middle, more
        else:
            most = middle
    return active[picks]


def _spread(place: Doubles, count: int) -> Numbers:
    """Numbers of the cycles nearest to `count` even steps of the rising `place` (n,)."""
    steps = np.linspace(place[0], place[-1], count)
    above = np.clip(np.searchsorted(place, steps), 1, len(place) - 1)
    return np.unique(above - (steps - place[above - 1] < place[above] - steps))


def _timbre(reader: Reader, phase: Phase, active: Numbers) -> Doubles:
    """(n,): how far the timbre has moved up to each cycle, the sum of spectral distances. Each spectrum is that of a
    mean over four periods, since the noise between neighbours would count as movement."""
    looks = np.unique(np.round(np.linspace(0, len(active) - 1, LOOKS)).astype(np.int64))
    around = np.clip(active[looks][:, None] + np.arange(-2, 3), active[0], active[-1])
    distinct, rows = np.unique(around, return_inverse=True)
    means = folded(reader.cycles(phase, distinct), rows.reshape(around.shape), [4])[0]
    level = np.abs(np.fft.rfft(means))[:, 1 : HEARD_HARMONICS + 1]
    db = (20 * np.log10(level + 1e-5 * level.max() + 1e-30)).astype(np.float32)
    moved = np.concatenate([[0.0], np.cumsum(spectral_distance(db[:-1], db[1:]) + 1e-3)])
    return np.asarray(np.interp(np.arange(len(active)), looks, moved), dtype=np.float64)
