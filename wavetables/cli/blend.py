"""make-wavetable blend: the instrument between two sounds, or four, as a note or a table."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from nsynth_core.errors import UsageError
from wavetables.cli import mix, nsynth
from wavetables.cli.checks import (
    check_choice,
    check_credits,
    check_no_source,
    check_note_suffix,
    check_number,
    check_unused,
    pitch_of,
)
from wavetables.cli.console import emit, say, watch
from wavetables.cli.options import (
    MAX_SECONDS,
    WEIGHTS,
    Author,
    Averages,
    Brightness,
    Checkpoint,
    Detail,
    DrawSeed,
    EngineName,
    Enhance,
    Envelope,
    Force,
    Frames,
    Json,
    Licence,
    Noise,
    Pitch,
    Precision,
    Provenance,
    Quiet,
    Stereo,
    Weights,
    Width,
)
from wavetables.cli.sounds import load_instrument
from wavetables.cli.words import count
from wavetables.instruments import sound_name
from wavetables.provenance import version
from wavetables.stereo import PAIRS, shape_tables

SQUARES = (2, *(n * n for n in range(2, 9)))  # how many sounds
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
    morph: Annotated[
        bool, typer.Option("--morph", help="The mix moves along the note: --mix 0:1 goes from the first to the second.")
    ] = False,
    frames: Frames = None,
    stereo: Stereo = None,
    pitch: Pitch = None,
    engine: EngineName = "harmonic",
    checkpoint: Checkpoint = None,
    averages: Averages = False,
    enhance: Enhance = False,
    seed: DrawSeed = None,
    precision: Precision = None,
    weights: Weights = None,
    detail: Detail = None,
    brightness: Brightness = None,
    noise: Noise = None,
    width: Width = None,
    envelope: Envelope = None,
    dry: Annotated[
        float | None,
        typer.Option(
            metavar="0..1", help="Layer the first recording itself under the blend, in time with it: 1 as loud."
        ),
    ] = None,
    duration: Annotated[
        float | None,
        typer.Option(
            metavar="SECONDS",
            help="Length of the note. Default: the first recording's own; 0.25 for each frame of an nsynth table.",
        ),
    ] = None,
    rate: Annotated[
        int | None, typer.Option(min=8000, max=192_000, metavar="HZ", help="Sample rate of the note. Default: 48000.")
    ] = None,
    author: Author = None,
    licence: Licence = None,
    provenance: Provenance = True,
    force: Force = False,
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Blend two or four sounds into one note or one table.

    Or a square of 9, 16 ... sounds row by row. NSynth takes a single one, too, and encodings (NAME_PITCH.npy).

    A SOUND is a sound file, a folder of NAME_PITCH.wav files, or a built-in instrument. The pitch of a file is found,
    or given behind its name (thunder.wav@C2). The blend follows the pitch of the first file unless --pitch fixes it.

    \b
    make-wavetable blend voice.wav pad.wav --mix 0.3 -o note.wav
    make-wavetable blend voice.wav pad.wav --mix 0:1:64 -o table.wav
    make-wavetable blend voice.wav pad.wav --mix 0:1 --morph --dry 0.5 -o note.wav
    make-wavetable blend flute choir celesta clarinet --mix 0.5,0.2 --pitch C3 -o note.wav
    make-wavetable blend flute.wav voice.wav --engine nsynth --checkpoint wavenet-ckpt.tar -o note.wav
    make-wavetable blend a_60_embeddings.npy voice.wav --engine nsynth --checkpoint wavenet-ckpt.tar -o mixed.npy
    """
    if len(sounds) not in SQUARES and not (len(sounds) == 1 and engine == nsynth.NAME):
        raise UsageError(f"blend takes two sounds, or a square of them (4, 9, 16 ... 64), not {len(sounds)}")
    rule = check_choice(weights or "bilinear", WEIGHTS, "rule of weights")
    pair = PAIRS[check_choice(stereo or "mono", tuple(PAIRS), "kind of stereo")]
    midi = pitch_of(pitch)
    check_credits(author, licence, provenance)
    if duration is not None:
        check_number(duration, 0.1, MAX_SECONDS, "--duration")
    check_unused({"--mix": position} if len(sounds) == 1 else {}, "there is one sound")
    points = mix.points(position, len(sounds), frames, table or morph, morph)
    as_table = not morph and (table or len(points) > 1)
    if as_table:
        of_notes = {"--rate": rate, "--noise": noise, "--envelope": envelope, "--dry": dry}
        of_notes |= {} if engine == nsynth.NAME else {"--duration": duration}
        check_unused({**of_notes, "--width": width if len(pair) == 1 else None}, "a table of cycles has none")
    else:
        of_tables = {"--stereo": stereo, "--frames": frames, "--table": table, "--author": author, "--licence": licence}
        check_unused(of_tables, "it is for tables, and this is a note")
    if dry is not None:
        check_number(dry, 0, 1, "--dry")
        check_unused({"--duration": duration}, "--dry keeps the recording's own length")
    from nsynth_core.sound.knobs import RANGES, Knobs, envelope_of

    given = {"detail": detail, "brightness": brightness, "noise": noise, "width": width}
    turned = {name: value for name, value in given.items() if value is not None}
    options = {f"--{name}": value for name, value in {**given, "envelope": envelope}.items()}
    drawing = nsynth.options(engine, checkpoint, averages, enhance, seed, precision, options)
    for name, value in turned.items():
        check_number(value, *RANGES[name], f"--{name}")
    knobs = Knobs(**turned, envelope=envelope_of(envelope or "mix", len(sounds)))
    target = output if output is not None else Path()
    if target.is_dir():
        target /= "-".join(map(sound_name, sounds)) + ".wav"
    as_codes = drawing is not None and target.suffix.lower() == ".npy"
    if as_codes:
        unheard = {"--rate": rate, "--dry": dry, "--enhance": enhance, "--seed": seed, "--precision": precision}
        check_unused({"--mix of several places": as_table}, "a .npy holds one blend")
        check_unused(unheard, "encodings are not decoded")
    elif not as_table:
        check_note_suffix(target)
    elif target.suffix not in TABLE_SUFFIXES:
        raise UsageError(f"-o {target}: a Serum table is a .wav file; others end in .vitaltable, .wt or .sfz")
    targets = [target.with_name(target.stem + mark + target.suffix) for mark in pair]

    import numpy as np

    from nsynth_core import audio
    from nsynth_core.blending import instrument as blending
    from nsynth_core.blending.engine import Row
    from nsynth_core.files import check_free
    from nsynth_core.notes import note_name
    from wavetables import provenance as recipe
    from wavetables.engines import ENGINES, load_engine
    from wavetables.formats import registry
    from wavetables.table import Table

    for each in targets:
        check_no_source(each, map(Path, sounds))
        check_free(each, force)
    check_choice(engine, ENGINES, "engine")
    runner = load_engine(engine, knobs, drawing)
    instruments = tuple(load_instrument(sound, runner, midi, quiet) for sound in sounds)
    lead = blending.leading(instruments)
    recording = instruments[lead].moving
    if dry is not None and not recording:
        raise UsageError("--dry layers a recording, and all sounds are instruments; leave it out")
    root = blending.root_pitch(instruments, midi)
    path = np.stack([blending.corner_weights(x, y, len(sounds), rule) for x, y in points])
    asked = Row(instruments, midi, path[None] if morph else path, path)
    told = {
        **recipe.credits(author, licence, sounds),
        "sounds": " ".join(map(sound_name, sounds)),
        "mix": "alone" if len(sounds) == 1 else position or ("0.5" if len(points) == 1 else "0:1"),
        "pitch": f"{note_name(root)}, the first recording's" if midi is None and recording else note_name(root),
        "engine": recipe.engine_name(runner),
        **runner.facts,
    }
    facts: dict[str, object] = {"kind": "encoding" if as_codes else "table" if as_table else "note", **told}
    if drawing and as_codes:
        from nsynth_core.wavenet import embeddings
        from nsynth_core.wavenet.engine import NSynth

        assert isinstance(runner, NSynth)
        codes = runner.encoding(asked, duration, watch(quiet))
        embeddings.write(target, codes, force)
        facts |= {"frames": len(codes)}
    elif as_table:
        (made,) = runner.blend([asked], moment=duration, watch=watch(quiet))
        cycles = made.walk(len(pair) == 2)
        origin = told | {"command": recipe.command(context.obj), "program": f"make-wavetable {version()}"}
        shaped = shape_tables(cycles, stereo or "mono")
        for each, channel in zip(targets, shaped, strict=True):
            registry.write(each, Table(channel, each.stem, root, origin if provenance else {}), force)
        facts |= {"frames": len(points), "root_pitch": root}
    else:
        (made,) = runner.blend([asked], duration, rate or 48_000, watch=watch(quiet))
        note = blending.finished(made.notes[0](), instruments, duration, dry or 0.0)
        audio.write(target, note, force)
        facts |= {"seconds": round(note.seconds, 3), "rate": note.rate, "channels": note.channels}
    if as_json:
        emit({"output": str(targets[0]), **({"pair": list(map(str, targets))} if len(pair) == 2 else {}), **facts})
    else:
        size = f"{facts['seconds']} s" if "seconds" in facts else count(int(str(facts["frames"])), "frame")
        say(f"{facts['kind']} of {size}, mix {told['mix']}, pitch {told['pitch']}, {told['engine']}", quiet)
        for each in targets:
            print(each)
