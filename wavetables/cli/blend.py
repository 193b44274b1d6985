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
    Quiet,
    Rate,
    check_choice,
    check_number,
    emit,
    load_instrument,
    pitch_of,
    say,
    sound_name,
    version,
)


def blend(
    sounds: Annotated[list[str], typer.Argument(metavar="SOUND", hidden=True)],
    output: Annotated[
        Path | None, typer.Option("--output", "-o", metavar="OUT", help="The note, or the table. Default: A-B.wav.")
    ] = None,
    position: Annotated[
        str | None,
        typer.Option("--mix", metavar="MIX", help="0.3 gives a note, 0:1:64 a table; X,Y between four sounds."),
    ] = None,
    table: Annotated[bool, typer.Option("--table", help="Write a Serum table, not a note.")] = False,
    frames: Frames = None,
    pitch: Pitch = None,
    engine: EngineName = "harmonic",
    detail: Detail = 1.0,
    duration: Annotated[
        float | None, typer.Option(metavar="SECONDS", help="Length of the note. Default: the first sound's own.")
    ] = None,
    rate: Rate = 48_000,
    force: Force = False,
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Blend two or four sounds into one note or one table.

    A SOUND is a sound file, a folder of NAME_PITCH.wav files, or a built-in instrument.

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
    target = output if output is not None else Path("-".join(map(sound_name, sounds)) + ".wav")
    if as_table and target.suffix.lower() != ".wav":
        raise UsageError(f"-o {target}: a Serum table is a .wav file")

    import numpy as np

    from nsynth_core import audio
    from nsynth_core.files import check_free
    from wavetables.formats import serum
    from wavetables.shaping import shape
    from wavetables.table import Table

    check_free(target, force)
    from nsynth_core import blend as blending
    from nsynth_core.engine import ENGINES, load_engine

    runner = load_engine(check_choice(engine, ENGINES, "engine"))
    instruments = [load_instrument(sound, runner, midi) for sound in sounds]
    for line in (line for instrument in instruments for line in instrument.said):
        say(line, quiet)
    weights = np.stack([blending.corner_weights(x, y, len(sounds)) for x, y in points])
    facts: dict[str, object] = {"output": str(target), "engine": engine, "engine_version": runner.version}
    if as_table:
        cycles = blending.blend_frames(runner, instruments, weights, pitch=midi, detail=detail, even=True)
        told = {"sounds": " ".join(map(sound_name, sounds)), "mix": position or "0:1", "detail": f"{detail:g}"}
        told |= {"engine": f"{engine} {runner.version}", "program": f"make-wavetable {version()}"}
        serum.write(target, Table(shape(cycles), target.stem, midi, told), force)
        facts |= {"kind": "table", "frames": len(cycles)}
    else:
        note = blending.blend_note(
            runner, instruments, weights[0], pitch=midi, seconds=duration, rate=rate, detail=detail
        )
        audio.write(target, note, force)
        facts |= {"kind": "note", "seconds": round(note.seconds, 3), "rate": note.rate, "channels": note.channels}
    if as_json:
        emit(facts)
    else:
        say(", ".join(f"{key} {value}" for key, value in facts.items() if key != "output"), quiet)
        print(target)
