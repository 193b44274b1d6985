"""What NSynth takes of an instrument: a recording as it is, at 16 kHz, or encodings."""

from __future__ import annotations

import numpy as np

from nsynth_core.audio import Floats, Sound, resample
from nsynth_core.blending.instrument import Instrument
from nsynth_core.errors import UserError
from nsynth_core.notes import note_name
from nsynth_core.sound.features import FRAME_RATE
from nsynth_core.wavenet.network import RATE

SAME_PITCH = 0.2  # semitones: a recording this near goes in as it is


def encodings(instrument: Instrument, pitch: float, latent: int) -> Floats:
    """The encoding (frames, latent) of an instrument of which no more is there, at MIDI `pitch`. Raises UserError: none
    at that pitch, or one of another checkpoint's."""
    assert instrument.codes is not None
    near = int(np.argmin(np.abs(np.asarray(instrument.pitches) - pitch)))
    if abs(instrument.pitches[near] - pitch) > SAME_PITCH:
        there = ", ".join(map(note_name, instrument.pitches))
        raise UserError(
            f"{instrument.name}: its encodings are those of {there}, and NSynth cannot move them to {note_name(pitch)}"
        )
    codes = instrument.codes(near)
    if codes.shape[1] != latent:
        raise UserError(
            f"{instrument.name}: holds {codes.shape[1]} numbers a frame; this checkpoint's encodings have {latent}"
        )
    return codes


def recorded(instrument: Instrument, pitch: float, onset: int) -> Sound | None:
    """The instrument's recording at `pitch` at 16 kHz, with its onset at feature frame `onset`, if there is one."""
    near = int(np.argmin(np.abs(np.asarray(instrument.pitches) - pitch)))
    if instrument.recording is None or abs(instrument.pitches[near] - pitch) > SAME_PITCH:
        return None
    sound = resample(instrument.recording(near), RATE)
    late = (instrument.load(near).onset() - onset) * RATE // FRAME_RATE
    samples = np.pad(sound.samples[max(late, 0) :], ((max(-late, 0), 0), (0, 0)))
    return Sound(samples, RATE)


def held(codes: Floats, frames: int) -> Floats:
    """The first `frames` of `codes`; the last of them stays for what rounding adds."""
    return codes[np.minimum(np.arange(frames), len(codes) - 1)]


def stereo(sound: Sound) -> Floats:
    """(n, 2) within full scale, which is all that the network knows; more channels than two are their mean."""
    pair = sound.samples if sound.channels == 2 else np.repeat(sound.mid()[:, None], 2, axis=1)
    return np.clip(pair, -1.0, 1.0)


def fitted(samples: Floats, length: int) -> Floats:
    """`samples` (n, channels), cut off or followed by silence."""
    return np.ascontiguousarray(np.pad(samples[:length], ((0, max(0, length - len(samples))), (0, 0))))
