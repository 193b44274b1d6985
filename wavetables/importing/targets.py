"""Where the tables of an import go: the sounds of folders, and the names of the files that are written."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from nsynth_core.errors import NotWritable, UsageError, UserError
from wavetables.formats import registry
from wavetables.sources import SOURCE_SUFFIXES


def suffixes(formats: Sequence[str] | None, output: Path | None) -> dict[str, str]:
    """The suffix of the files of each format; by default of the one that `output` ends in, else of "serum".

    Raises UsageError: an unknown format, or two that would write the same file.

    >>> suffixes(["serum", "vital"], None)
    {'serum': '.wav', 'vital': '.vitaltable'}
    >>> suffixes(None, Path("pad.wt"))
    {'wt': '.wt'}
    """
    if formats is None:
        suffix = output.suffix if output is not None else ""
        formats = [registry.BY_SUFFIX.get(suffix, "serum") if suffix else "serum"]
    by_name: dict[str, str] = {}
    for name in formats:
        suffix = registry.format_named(name).suffix
        if suffix in by_name.values():
            raise UsageError(f"formats {', '.join(formats)}: two of them would write one {suffix} file")
        by_name[name] = suffix
    return by_name


def sounds(source: Path) -> list[Path]:
    """The sounds in a folder and in all folders in it, sorted; a file by itself. Raises UserError: a folder without
    sounds, or one that cannot be read."""
    if not source.is_dir():
        return [source]
    if not os.access(source, os.R_OK | os.X_OK):
        raise UserError("this folder cannot be read: permission denied", path=source)
    files = sorted(path for path in source.rglob("*") if path.suffix.lower() in SOURCE_SUFFIXES and path.is_file())
    if not files:
        raise UserError("no sound file in this folder", path=source)
    return files


def joined(
    sources: Sequence[Path], output: Path | None, legal_suffixes: Sequence[str]
) -> tuple[tuple[Path, ...], Path]:
    """All the sounds of `sources`, and the file of the one table made of them. Raises as `each`."""
    files = tuple(path for source in sources for path in sounds(source))
    if output is not None and output.is_dir():
        output = output / f"{sources[0].resolve().stem}.wav"
    return files, _single(sources, output, legal_suffixes)


def each(
    sources: Sequence[Path], output: Path | None, legal_suffixes: Sequence[str], split: bool
) -> list[tuple[tuple[Path, ...], Path]]:
    """(the sound alone, the file of its table) for each sound of `sources`.

    Folders are searched. Of two tables with the same name the second gets a number, whatever the case of its letters.
    With `split`, an `output` without a suffix is a folder even for one sound.
    Raises UsageError: several sounds without a folder, a file that does not end in one of `legal_suffixes`; UserError:
    as `sounds`, or a folder that is a file.
    """
    only_one = len(sources) == 1 and not sources[0].is_dir()
    to_folder = output is not None and (output.is_dir() or (split and not output.suffix))
    if only_one and not to_folder:
        return [((sources[0],), _single(sources, output, legal_suffixes))]
    if output is None:
        raise UsageError("several sources need a folder to write to")
    if output.exists() and not output.is_dir():
        raise NotWritable(output, "it is a file, and several tables need a folder")
    pairs: list[tuple[tuple[Path, ...], Path]] = []
    taken: set[str] = set()
    for source in sources:
        for path in sounds(source):
            below = path.relative_to(source).with_suffix("") if source.is_dir() else Path(path.stem)
            name, number = below, 1
            while str(name).casefold() in taken:  # some file systems know no case
                number += 1
                name = below.with_name(f"{below.name}-{number}")
            taken.add(str(name).casefold())
            pairs.append(((path,), (output / name).with_name(f"{name.name}.wav")))
    return pairs


def _single(sources: Sequence[Path], output: Path | None, legal_suffixes: Sequence[str]) -> Path:
    """The file of the one table. Raises UsageError."""
    target = output if output is not None else Path(f"{sources[0].stem or 'joined'}-table{legal_suffixes[0]}")
    if target.suffix.lower() not in legal_suffixes:
        one_serum = tuple(legal_suffixes) == (".wav",)
        advice = "a Serum table is a .wav file" if one_serum else f"end it in {' or '.join(legal_suffixes)}"
        raise UsageError(advice, path=target)
    return target
