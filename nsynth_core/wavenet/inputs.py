"""What NSynth encodes or decodes of an instrument: its recording at 16 kHz, or its encodings."""

from __future__ import annotations

import numpy as np

from nsynth_core.audio import Floats, Sound, resample
from nsynth_core.blending.instrument import Instrument
from nsynth_core.errors import UserError
from nsynth_core.notes import note_name
from nsynth_core.sound.features import FRAME_RATE
from nsynth_core.wavenet.network import RATE

SAME_PITCH = 0.2  # semitones: a recording this near to the wanted pitch is not moved


def encodings(instrument: Instrument, pitch: float, latent: int) -> Floats:
    """The encoding (frames, latent) at MIDI `pitch` of an instrument that consists of encodings.

    Raises UserError where it has none at this pitch, and for encodings of another checkpoint.
    """
    assert instrument.codes is not None
    near = int(np.argmin(np.abs(np.asarray(instrument.pitches) - pitch)))
    if abs(instrument.pitches[near] - pitch) > SAME_PITCH:
        pitches = ", ".join(map(note_name, instrument.pitches))
        raise UserError(
            f"{instrument.name}: its encodings are those of {pitches}, and NSynth cannot move them to "
            f"{note_name(pitch)}"
        )
    codes = instrument.codes(near)
    if codes.shape[1] != latent:
        raise UserError(
            f"{instrument.name}: holds {codes.shape[1]} numbers a frame; this checkpoint's encodings have {latent}"
        )
    return codes


def recorded(instrument: Instrument, pitch: float, onset: int) -> Sound | None:
    """The recording of an instrument at MIDI `pitch`, at 16 kHz, moved so that its onset is at the feature frame
    `onset`.

    None where it has no recording at this pitch.
    """
    near = int(np.argmin(np.abs(np.asarray(instrument.pitches) - pitch)))
    if instrument.recording is None or abs(instrument.pitches[near] - pitch) > SAME_PITCH:
        return None
    sound = resample(instrument.recording(near), RATE)
    late = (instrument.load(near).onset() - onset) * RATE // FRAME_RATE
    samples = np.pad(sound.samples[max(late, 0) :], ((max(-late, 0), 0), (0, 0)))
    return Sound(samples, RATE)


def held(codes: Floats, frames: int) -> Floats:
    """The first `frames` of `codes`. Where they are too few, the last one is repeated.

    >>> held(np.eye(2), 3)[:, 1].tolist()
    [0.0, 1.0, 1.0]
    """
    return codes[np.minimum(np.arange(frames), len(codes) - 1)]


def stereo(sound: Sound) -> Floats:
    """Left and right (n, 2), clipped to full scale. Both are the mean where there are not two channels."""
    pair = sound.samples if sound.channels == 2 else np.repeat(sound.mid()[:, None], 2, axis=1)
    return np.clip(pair, -1.0, 1.0)


def fitted(samples: Floats, length: int) -> Floats:
    """`samples` (n, channels), cut off or followed by zeros so that n is `length`."""
    return np.ascontiguousarray(np.pad(samples[:length], ((0, max(0, length - len(samples))), (0, 0))))
