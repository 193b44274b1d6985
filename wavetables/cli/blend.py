"""make-wavetable blend: the instrument between two sounds, or four, as a note or a table."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from nsynth_core.errors import UsageError
from wavetables.cli import mix
from wavetables.cli.common import (
    MAX_SECONDS,
    Detail,
    EngineName,
    Force,
    Frames,
    Json,
    Pitch,
    Provenance,
    Quiet,
    Rate,
    check_choice,
    check_no_source,
    check_note_suffix,
    check_number,
    count,
    emit,
    load_instrument,
    pitch_of,
    say,
    sound_name,
    version,
)

TABLE_SUFFIXES = (".wav", ".vitaltable", ".wt", ".sfz")


def blend(
    context: typer.Context,
    sounds: Annotated[list[str], typer.Argument(metavar="SOUND", hidden=True)],
    output: Annotated[
        Path | None, typer.Option("--output", "-o", metavar="OUT", help="The note, or the table. Default: A-B.wav.")
    ] = None,
    position: Annotated[
        str | None,
        typer.Option("--mix", metavar="MIX", help="0.3 gives a note, 0:1:64 a table; X,Y between four sounds."),
    ] = None,
    table: Annotated[bool, typer.Option("--table", help="Write a table, not a note.")] = False,
    frames: Frames = None,
    pitch: Pitch = None,
    engine: EngineName = "harmonic",
    detail: Detail = 1.0,
    duration: Annotated[
        float | None, typer.Option(metavar="SECONDS", help="Length of the note. Default: the first sound's own.")
    ] = None,
    rate: Rate = 48_000,
    provenance: Provenance = True,
    force: Force = False,
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Blend two or four sounds into one note or one table.

    A SOUND is a sound file, a folder of NAME_PITCH.wav files, or a built-in instrument. The pitch of a file is found,
    or given behind its name (thunder.wav@C2). The blend follows the pitch of the first file unless --pitch fixes it.

    \b
    make-wavetable blend voice.wav pad.wav --mix 0.3 -o note.wav
    make-wavetable blend voice.wav pad.wav --mix 0:1:64 -o table.wav
    make-wavetable blend flute choir celesta clarinet --mix 0.5,0.2 --pitch C3 -o note.wav
    """
    if len(sounds) not in (2, 4):
        raise UsageError(f"blend takes two sounds or four, not {len(sounds)}")
    midi = pitch_of(pitch)
    check_number(detail, 0, 1, "--detail")
    if duration is not None:
        check_number(duration, 0.1, MAX_SECONDS, "--duration")
    points = mix.points(position, len(sounds), frames, table)
    as_table = table or len(points) > 1
    target = output if output is not None else Path()
    if target.is_dir():
        target /= "-".join(map(sound_name, sounds)) + ".wav"
    if not as_table:
        check_note_suffix(target)
    elif target.suffix not in TABLE_SUFFIXES:
        raise UsageError(f"-o {target}: a Serum table is a .wav file; others end in .vitaltable, .wt or .sfz")

    import numpy as np

    from nsynth_core import audio
    from nsynth_core import blend as blending
    from nsynth_core.engine import ENGINES, load_engine
    from nsynth_core.files import check_free
    from nsynth_core.notes import note_name
    from wavetables.cli import recipe
    from wavetables.formats import registry
    from wavetables.shaping import shape
    from wavetables.table import Table

    check_no_source(target, map(Path, sounds))
    check_free(target, force)
    runner = load_engine(check_choice(engine, ENGINES, "engine"))
    instruments = [load_instrument(sound, runner, midi, quiet) for sound in sounds]
    moving = next((each for each in instruments if each.moving), None)
    root = midi if midi is not None else moving.pitches[0] if moving else blending.DEFAULT_PITCH
    weights = np.stack([blending.corner_weights(x, y, len(sounds)) for x, y in points])
    told = {
        **recipe.licence(sounds),
        "sounds": " ".join(map(sound_name, sounds)),
        "mix": position or ("0:1" if as_table else "0.5"),
        "pitch": note_name(root) if midi is not None or moving is None else f"{note_name(root)}, the first recording's",
        "engine": recipe.engine_name(engine, runner),
    }
    facts: dict[str, object] = {"output": str(target), "kind": "table" if as_table else "note", **told}
    if as_table:
        cycles = blending.blend_frames(runner, instruments, weights, pitch=midi, detail=detail, even=True)
        origin = told | {"command": recipe.command(context.obj), "program": f"make-wavetable {version()}"}
        made = Table(shape(cycles), target.stem, root, origin if provenance else {})
        registry.write(target, made, force)
        facts |= {"frames": len(cycles), "root_pitch": root}
    else:
        note = blending.blend_note(
            runner, instruments, weights[0], pitch=midi, seconds=duration, rate=rate, detail=detail
        )
        audio.write(target, note, force)
        facts |= {"seconds": round(note.seconds, 3), "rate": note.rate, "channels": note.channels}
    if as_json:
        emit(facts)
    else:
        size = count(len(points), "frame") if as_table else f"{facts['seconds']} s"
        say(f"{facts['kind']} of {size}, mix {told['mix']}, pitch {told['pitch']}, {told['engine']}", quiet)
        print(target)
