"""Every format under one name: what can be written, and which reader a file needs, by content first, by name second."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from nsynth_core.errors import UsageError, UserError
from wavetables.formats import cycles, devices, dune, serum, sfz, surge, uhe, vital, wav
from wavetables.formats.common import Loaded
from wavetables.table import Table

Writer = Callable[[Path, Table, bool], None]


@dataclass(frozen=True)
class Format:
    """`write(path, table, force)`; `suffix` of its files, "" for a folder; `exact` when every sample comes back."""

    title: str
    suffix: str
    write: Writer
    exact: bool = True


FORMATS = {
    "serum": Format("Serum and every synth that reads its WAV", ".wav", serum.write),
    "vital": Format("Vital", ".vitaltable", vital.write),
    "wt": Format("Surge XT, Bitwig", ".wt", surge.write),
    "wt16": Format("Surge XT, Bitwig, 16 bits", ".wt", partial(surge.write, int16=True), exact=False),
    "hive": Format("u-he Hive", ".wav", uhe.write),
    "cycles": Format("a folder of single cycles", "", cycles.write),
    "sfz": Format("SFZ players", ".sfz", sfz.write),
    **{
        name: Format(
            device.title, ".wav", partial(devices.write, device=name), device.size == 2048 and device.count == 256
        )
        for name, device in devices.DEVICES.items()
    },
}
BY_SUFFIX = {".wav": "serum", ".vitaltable": "vital", ".wt": "wt", ".sfz": "sfz", "": "cycles"}


def write(path: str | os.PathLike[str], table: Table, force: bool = False, name: str | None = None) -> None:
    """Write `table` in the format `name` (a key of FORMATS), by default the one the file's suffix stands for.
    Raises UsageError: no such format; UserError: what the format's writer refuses."""
    target = Path(path)
    FORMATS[chosen(target, name)].write(target, table, force)


def chosen(path: Path, name: str | None = None) -> str:
    """The format's name for a file to be written. Raises UsageError: unknown, or a suffix that does not fit."""
    if name is None:
        if path.suffix.lower() not in BY_SUFFIX:
            known = ", ".join(suffix for suffix in BY_SUFFIX if suffix)
            raise UsageError(f"{path}: no format ends in {path.suffix!r}; use {known}, or name one with --format")
        name = BY_SUFFIX[path.suffix.lower()]
    suffix = format_named(name).suffix
    if suffix and path.suffix != suffix:  # as written: Vital's editor does not take .WAV for a WAV
        raise UsageError(f"{path}: a table for {name} ends in {suffix}")
    return name


def format_named(name: str) -> Format:
    """The format with that name. Raises UsageError: there is none.

    >>> format_named("vital").suffix
    '.vitaltable'
    """
    if name not in FORMATS:
        raise UsageError(f"no format is named {name!r}; legal: {', '.join(FORMATS)}")
    return FORMATS[name]


def read(path: str | os.PathLike[str], size: int | None = None) -> Table:
    """The table in a file or folder of any format read here. Raises UserError as `load`."""
    name = Path(path)
    return load(name, size).table(name.resolve().name if name.is_dir() else name.stem)


def load(path: str | os.PathLike[str], size: int | None = None, oscillator: int | None = None) -> Loaded:
    """What a wavetable file or a folder of single cycles holds; `size` overrules the samples a frame of a WAV,
    `oscillator` (1..3) picks the table of a Vital preset. Raises UserError: missing, of no format that is read here,
    damaged."""
    name = Path(path)
    if os.path.isdir(name):  # unlike Path.is_dir, never raises
        return cycles.load(name)
    suffix = name.suffix.lower()
    head = _head(name)
    if head.startswith(b"RIFF"):
        return wav.load(name, size)
    if head.startswith(surge.MAGIC):
        return surge.load(name)
    if head.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"{") or suffix in {".vitaltable", ".vital"}:
        return vital.load(name, oscillator)
    if suffix == ".wt":
        return dune.load(name)
    if suffix == ".sfz":
        return sfz.load(name)
    why = "empty" if not head else "neither WAV, .vitaltable, .vital, .wt nor .sfz"
    raise UserError(f"{name}: not a wavetable file ({why}); import it as a sound if it is one")


def is_table(path: str | os.PathLike[str]) -> bool:
    """True when the file says itself that it is a wavetable: a mark in a WAV, `.wt`'s first bytes, or its suffix."""
    name = Path(path)
    if name.suffix.lower() in {".wt", ".vitaltable", ".vital", ".sfz"}:
        return True
    try:
        return _head(name).startswith(surge.MAGIC) or wav.is_marked(name)
    except UserError:
        return False


def _head(name: Path) -> bytes:
    try:
        with name.open("rb") as file:
            return file.read(64)
    except FileNotFoundError:
        raise UserError(f"{name}: no such file") from None
    except (OSError, ValueError) as error:
        raise UserError(f"{name}: cannot be read ({getattr(error, 'strerror', None) or error})") from error
