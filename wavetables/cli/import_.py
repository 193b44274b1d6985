"""make-wavetable import: a recording becomes a table for a synth."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from nsynth_core.errors import UsageError, UserError
from nsynth_core.files import check_free
from wavetables import SUFFIXES, TABLE_SUFFIXES
from wavetables.cli.common import (
    Force,
    Frames,
    Json,
    Pitch,
    Provenance,
    Quiet,
    check_choice,
    check_no_source,
    count,
    emit,
    is_cut_short,
    pitch_of,
    run_batch,
    say,
)


def import_(
    sources: Annotated[list[str], typer.Argument(metavar="SOURCE", hidden=True)],
    output: Annotated[
        Path | None, typer.Option("--output", "-o", metavar="OUT", help="A .wav file, or a folder for several sources.")
    ] = None,
    pitch: Pitch = None,
    frames: Frames = None,
    formats: Annotated[
        str | None,
        typer.Option("--format", metavar="NAME,...", help="One file for each: serum (default), vital, wt, hive ..."),
    ] = None,
    provenance: Provenance = True,
    force: Force = False,
    quiet: Quiet = False,
    as_json: Json = False,
) -> int:
    """Turn recordings into wavetables.

    A SOURCE is a sound file or a folder of them. Its pitch is found, unless it is given, and its cycles become frames.

    \b
    make-wavetable import note.wav -o table.wav
    make-wavetable import recordings/ -o tables/ --frames 64
    make-wavetable import note.wav -o table.wav --format serum,vital,wt
    """
    kinds = _kinds(formats, output)
    jobs = _jobs([Path(source) for source in sources], output, tuple(kinds.values()))
    midi = pitch_of(pitch)
    results: list[dict[str, object]] = []

    def one(job: tuple[Path, Path]) -> None:
        source, target = job
        targets = {kind: target.with_suffix(suffix) for kind, suffix in kinds.items()}
        for each in targets.values():
            check_no_source(each, [source])
            check_free(each, force)
        from wavetables.formats import registry
        from wavetables.importing import import_sound
        from wavetables.table import Table

        table = import_sound(source, midi, frames)
        bare = table if provenance else Table(table.frames, table.name)
        for kind, each in targets.items():
            registry.write(each, bare, force, kind)
        found = table.provenance.get("pitch", "a wavetable already")
        short = source.suffix.lower() not in TABLE_SUFFIXES and is_cut_short(source)
        cut = "; cut short, what is there is used" if short else ""
        say(f"{source}: {found}, {count(len(table.frames), 'frame')}{cut}", quiet)
        facts = {"frames": len(table.frames), "root_pitch": table.root_pitch, "pitch": found}
        results.extend({"source": str(source), "output": str(each), **facts} for each in targets.values())

    code = run_batch(jobs, one, "import", quiet)
    if as_json:
        emit(results)
    else:
        for result in results:
            print(result["output"])
    return code


def _kinds(formats: str | None, output: Path | None) -> dict[str, str]:
    """The suffix of each format that is asked for, or that the output's name asks for. Raises UsageError."""
    from wavetables.formats import registry

    if formats is None:
        suffix = output.suffix if output is not None else ""
        formats = registry.BY_SUFFIX.get(suffix, "serum") if suffix else "serum"
    kinds: dict[str, str] = {}
    for name in formats.split(","):
        suffix = registry.FORMATS[check_choice(name.strip(), tuple(registry.FORMATS), "format")].suffix
        if suffix in kinds.values():
            raise UsageError(f"--format {formats}: two of them would be one {suffix} file; make them one by one")
        kinds[name.strip()] = suffix
    return kinds


def _jobs(sources: list[Path], output: Path | None, suffixes: tuple[str, ...]) -> list[tuple[Path, Path]]:
    """(source, target) of every sound: folders are searched, names that would collide are refused."""
    files: list[tuple[Path, Path]] = []  # and where below the output folder
    for source in sources:
        if source.is_dir():
            if not os.access(source, os.R_OK | os.X_OK):
                raise UserError(f"{source}: this folder cannot be read: permission denied")
            found = sorted(path for path in source.rglob("*") if path.suffix.lower() in SUFFIXES and path.is_file())
            if not found:
                raise UserError(f"{source}: no sound file in this folder")
            files += [(path, path.relative_to(source).with_suffix(".wav")) for path in found]
        else:
            files.append((source, Path(source.stem + ".wav")))
    single = len(files) == 1 and not sources[0].is_dir()
    if single and (output is None or not output.is_dir()):
        source = files[0][0]
        target = output if output is not None else Path(f"{source.stem}-table{suffixes[0]}")
        if target.suffix.lower() not in suffixes:
            what = "a Serum table is a .wav file" if suffixes == (".wav",) else f"end it in {' or '.join(suffixes)}"
            raise UsageError(f"-o {target}: {what}")
        return [(source, target)]
    if output is None:
        raise UsageError("several sources need -o FOLDER")
    if output.exists() and not output.is_dir():
        raise UserError(f"{output} is a file; several tables need a folder, choose another -o")
    jobs = [(source, output / below) for source, below in files]
    seen: dict[Path, Path] = {}
    for source, target in jobs:
        if target in seen:
            raise UserError(f"{seen[target]} and {source} would both become {target}; import them to two folders")
        seen[target] = source
    return jobs
