"""The facts of an import in words: for `import --explain`, for JSON, and for the provenance that table files hold."""

from __future__ import annotations

from nsynth_core.notes import cents_name, note_name
from wavetables.importing.result import CutFacts, Facts, PitchFacts, SourceFacts, SourceKind

STEADY_SEMITONES = 0.1  # a pitch that moves less is called steady
LOW_HARMONICS = 16
USED_CHANNELS = {
    "mid": "their mean is used",
    "left": "the left channel is used",
    "right": "the right channel is used",
    "lr": "left and right become two tables, cut and turned alike",
    "ms": "mid and side become two tables, cut and turned alike",
}


def sentences(facts: Facts) -> list[str]:
    """What was decided, one fact a line.

    >>> sentences(Facts(SourceKind.TABLE))
    ['a wavetable already: its frames are kept']
    """
    if facts.kind is SourceKind.TABLE:
        return ["a wavetable already: its frames are kept"]
    if facts.kind is SourceKind.JOINED:
        return [f"frame {number}: {name}" for number, name in enumerate(facts.joined, 1)]
    lines = [_source(facts.source)] if facts.source is not None else []
    if facts.kind is SourceKind.WINDOWS:
        return [*lines, f"no pitch is looked for: {facts.windows} windows, evenly spaced, the seams crossfaded"]
    if facts.kind is SourceKind.CYCLE:
        return [*lines, f"a single cycle of {facts.cycle_samples} samples"]
    if facts.pitch is not None and facts.cut is not None:
        lines += [_pitch_decision(facts.pitch), _movement(facts.pitch), *_cut(facts.cut)]
    return lines


def summary(facts: Facts) -> str:
    """The most telling fact in a few words, such as "A3 +12 cents, confidence 0.97"."""
    if facts.kind is SourceKind.JOINED:
        return "joined"
    if facts.kind is SourceKind.TABLE and facts.stored_pitch:
        return facts.stored_pitch
    return pitch_words(facts.pitch) if facts.pitch is not None else sentences(facts)[-1]


def pitch_words(pitch: PitchFacts) -> str:
    """The pitch of a table as its provenance holds it: "A3 +12 cents, confidence 0.97", or "A3, given"."""
    if pitch.given is not None:
        return f"{note_name(pitch.midi)}, given"
    return f"{cents_name(pitch.midi)}, confidence {pitch.confidence:.2f}"


def _source(source: SourceFacts) -> str:
    kind = {1: "mono", 2: "stereo"}.get(source.channels, f"{source.channels} channels")
    text = f"{source.seconds:.2f} s at {source.rate} Hz, {kind}"
    if source.channels > 1:
        text += f"; {USED_CHANNELS[source.stereo]}"
    elif source.stereo != "mid":
        text += "; its only channel is used"
    if source.note is None:
        return text
    note = source.note
    return f"note {note.number} of {note.count}, {note.start:.2f}..{note.end:.2f} s of {text}"


def _pitch_decision(pitch: PitchFacts) -> str:
    if pitch.given is not None:
        text = f"pitch {note_name(pitch.given)}, given"
    else:
        text = f"pitch {cents_name(pitch.source_midi)}, confidence {pitch.confidence:.2f}{_name_hint(pitch)}"
    if pitch.octave:
        text += f"; moved by {pitch.octave:+d} octave{'s' * (abs(pitch.octave) > 1)}, as asked"
    return text


def _name_hint(pitch: PitchFacts) -> str:
    if pitch.name_hint is None:
        return ""
    if pitch.hint_holds:
        return f", as the file's name says ({note_name(pitch.name_hint)})"
    return f"; the file's name says {note_name(pitch.name_hint)}, the sound does not"


def _movement(pitch: PitchFacts) -> str:
    semitones = pitch.high_midi - pitch.low_midi
    return "f0 steady" if semitones < STEADY_SEMITONES else f"f0 moving over {100 * semitones:.0f} cents"


def _cut(cut: CutFacts) -> list[str]:
    left_out = "" if cut.used == cut.cycles else "; the others are unvoiced, more than 40 dB down, or a tail"
    spacing = "at equal steps of timbre" if cut.spacing == "even" else "evenly over time"
    chosen = f"{cut.frames} frame{'s' * (cut.frames > 1)} {spacing}"
    frames = chosen if cut.frames < cut.used else "each of them a frame"
    if cut.average is not None:
        average = f"{_periods((cut.average, cut.average))}, as asked"
    else:
        average = _periods(cut.periods)
        if cut.high_periods not in (None, cut.periods):
            average += f", above harmonic {LOW_HARMONICS} over {_periods(cut.high_periods or cut.periods)}"
    return [f"{cut.used} of {cut.cycles} cycles hold the note{left_out}", frames, f"averaged over {average}"]


def _periods(span: tuple[int, int]) -> str:
    fewest, most = span
    return f"{fewest} period{'s' * (fewest > 1)}" if fewest == most else f"{fewest} to {most} periods"
