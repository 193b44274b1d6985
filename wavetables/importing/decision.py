"""What is in a sound: a single cycle, a note and its pitch, or something in which no pitch is looked for."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from nsynth_core.audio import Floats, Sound
from nsynth_core.errors import UserError
from nsynth_core.notes import LOW_MIDI, hz_to_midi, midi_to_hz
from nsynth_core.pitch import LOW_HZ, PitchTrack, Unpitched, follow, track
from wavetables.importing.result import PitchFacts, SourceKind
from wavetables.importing.settings import Settings
from wavetables.importing.splitting import single_cycle

NAMED_CONFIDENCE = 0.3  # enough where the file's name says the same pitch
HINT_SEMITONES = 0.5  # a pitch further from the one in the file's name is another one
HIGHEST_PITCH = 0.45  # of the sample rate


@dataclass(frozen=True, eq=False)
class Decision:
    """What a sound is: SourceKind.CYCLE with its `cycle` (channels, samples), SourceKind.PITCHED with its `track` and
    `pitch`, or SourceKind.WINDOWS."""

    kind: SourceKind
    cycle: Floats | None = None
    track: PitchTrack | None = None
    pitch: PitchFacts | None = None


def decide(sound: Sound, settings: Settings, name_hint: float | None = None) -> Decision:
    """Decide what `sound` is.

    A sound is a single cycle where it is short and does not repeat itself; or where no pitch is found in it and it is
    short and slow. It is not where `settings` give a pitch, a start or an end. `name_hint` is the pitch (MIDI) that the
    file's name ends in. Raises Unpitched, and UserError for octaves that move the pitch out of reach.

    >>> from nsynth_core.audio import sine
    >>> round(decide(sine(220.0), Settings()).pitch.midi, 1)
    57.0
    """
    if settings.unpitched:
        return Decision(SourceKind.WINDOWS)
    may_be_cycle = settings.pitch is None and not settings.by_hand
    cycle = single_cycle(sound) if may_be_cycle else None
    if cycle is None:
        try:
            return _pitched(sound, settings, name_hint)
        except Unpitched:
            cycle = single_cycle(sound, unpitched=True) if may_be_cycle else None
            if cycle is None:
                raise
    return Decision(SourceKind.CYCLE, cycle)


def _pitched(sound: Sound, settings: Settings, name_hint: float | None) -> Decision:
    """The pitch, given or found, moved by the octaves of `settings`."""
    hint_holds = False
    if settings.pitch is not None:
        pitch_track = follow(sound, settings.pitch)
    else:
        pitch_track, hint_holds = _found(sound, settings, name_hint)
    source_midi = pitch_track.pitch
    if settings.octave:
        pitch_track = replace(pitch_track, f0_hz=pitch_track.f0_hz * 2.0**settings.octave)
        moved_hz = midi_to_hz(pitch_track.pitch)
        if not midi_to_hz(LOW_MIDI) <= moved_hz < HIGHEST_PITCH * sound.rate:
            raise UserError(f"{settings.octave:+d} octaves move its pitch to {moved_hz:.1f} Hz, which is out of reach")
    voiced_hz = pitch_track.f0_hz[pitch_track.voiced] if pitch_track.voiced.any() else pitch_track.f0_hz
    low_midi, high_midi = (hz_to_midi(float(hz)) for hz in np.quantile(voiced_hz, [0.01, 0.99]))
    facts = PitchFacts(
        midi=pitch_track.pitch,
        source_midi=source_midi,
        given=settings.pitch,
        confidence=float(pitch_track.confidence),
        name_hint=name_hint,
        hint_holds=hint_holds,
        octave=settings.octave,
        low_midi=low_midi,
        high_midi=high_midi,
    )
    return Decision(SourceKind.PITCHED, track=pitch_track, pitch=facts)


def _found(sound: Sound, settings: Settings, name_hint: float | None) -> tuple[PitchTrack, bool]:
    """The pitch found, and whether it is the one that the file's name says."""
    try:
        pitch_track = track(sound, settings.low_hz, settings.high_hz, name_hint)
    except Unpitched as error:
        # a confidence that would be too low by itself is enough where the file's name says the same
        if name_hint is not None and error.guess is not None and _same_note(error.guess, name_hint):
            named_track = follow(sound, name_hint)
            if named_track.confidence >= NAMED_CONFIDENCE:
                return named_track, True
        if settings.low_hz == LOW_HZ and (deep_pitch := _pitch_below_range(sound)) is not None:
            raise Unpitched(deep_pitch, 0.0, (settings.low_hz, settings.high_hz)) from None
        raise
    return pitch_track, name_hint is not None and abs(pitch_track.pitch - name_hint) <= HINT_SEMITONES


def _same_note(pitch: float, other: float) -> bool:
    """Whether two MIDI pitches are less than a semitone apart, octaves aside."""
    return abs((pitch - other + 6) % 12 - 6) < 1


def _pitch_below_range(sound: Sound) -> float | None:
    """The pitch of a sound that has one below the range, such as the lowest pipes of an organ."""
    try:
        return track(sound, midi_to_hz(LOW_MIDI), 1.5 * LOW_HZ).pitch
    except Unpitched:
        return None
