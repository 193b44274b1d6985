"""Every format under one name: the writers, and the reader that a file needs, by its content and then by its suffix."""

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
    """A format that tables can be written in.

    title: what it is for
    suffix: of its files, "" for a folder
    write: write(path, table, force)
    exact: whether every sample comes back
    """

    title: str
    suffix: str
    write: Writer
    exact: bool = True


def _device_format(name: str, device: devices.Device) -> Format:
    exact = device.size == 2048 and device.count == 256
    return Format(device.title, ".wav", partial(devices.write, device=name), exact)


FORMATS = {
    "serum": Format("Serum and every synth that reads its WAV", ".wav", serum.write),
    "vital": Format("Vital", ".vitaltable", vital.write),
    "wt": Format("Surge XT, Bitwig", ".wt", surge.write),
    "wt16": Format("Surge XT, Bitwig, 16 bits", ".wt", partial(surge.write, int16=True), exact=False),
    "hive": Format("u-he Hive", ".wav", uhe.write),
    "cycles": Format("a folder of single cycles", "", cycles.write),
    "sfz": Format("SFZ players", ".sfz", sfz.write),
    **{name: _device_format(name, device) for name, device in devices.DEVICES.items()},
}
BY_SUFFIX = {".wav": "serum", ".vitaltable": "vital", ".wt": "wt", ".sfz": "sfz", "": "cycles"}


# -------------------------------------------------------------------------------------------------------------- writing
def write(path: str | os.PathLike[str], table: Table, force: bool = False, name: str | None = None) -> None:
    """Write a table to a file, whole or not at all. The same table gives the same bytes.

    path: the file, or the folder of single cycles
    table: its frames must peak at or below full scale
    force: replace a file that exists
    name: of the format, a key of FORMATS; by default the one that `path` ends in
    Raises UsageError: no such format, or one that does not go with the suffix; UserError: a table that clips, a file
    that exists, a place that cannot be written.

    >>> import tempfile
    >>> import numpy as np
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write(Path(folder) / "sine.vitaltable", Table(np.zeros((2, 2048), np.float32), "sine"))
    ...     read(Path(folder) / "sine.vitaltable").name
    'sine'
    """
    target = Path(path)
    FORMATS[chosen(target, name)].write(target, table, force)


def chosen(path: Path, name: str | None = None) -> str:
    """The name of the format in which a file is written.

    Raises UsageError: an unknown name, or a suffix that does not go with it.

    >>> chosen(Path("pad.wt")), chosen(Path("pad.wav"), "hive")
    ('wt', 'hive')
    """
    if name is None:
        if path.suffix.lower() not in BY_SUFFIX:
            known = ", ".join(suffix for suffix in BY_SUFFIX if suffix)
            raise UsageError(f"no format ends in {path.suffix!r}; use {known}, or name the format", path=path)
        name = BY_SUFFIX[path.suffix.lower()]
    suffix = format_named(name).suffix
    if suffix and path.suffix != suffix:  # as written: Vital's editor does not take .WAV for a WAV
        raise UsageError(f"a table for {name} ends in {suffix}", path=path)
    return name


def format_named(name: str) -> Format:
    """The format with that name. Raises UsageError: there is none.

    >>> format_named("vital").suffix
    '.vitaltable'
    """
    if name not in FORMATS:
        raise UsageError(f"no format is named {name!r}; legal: {', '.join(FORMATS)}")
    return FORMATS[name]


# -------------------------------------------------------------------------------------------------------------- reading
def read(path: str | os.PathLike[str], size: int | None = None) -> Table:
    """The table in a file or a folder of any format that is read here. Raises UserError as `load`."""
    name = Path(path)
    return load(name, size).table(name.resolve().name if name.is_dir() else name.stem)


def load(path: str | os.PathLike[str], size: int | None = None, oscillator: int | None = None) -> Loaded:
    """What a wavetable file or a folder of single cycles holds, before anything is changed.

    path: the file or folder; its content decides how it is read, and its suffix where the content does not tell
    size: samples a frame of a WAV, 2..8192, whatever the file says
    oscillator: 1..3, whose table of a Vital preset
    Raises UserError: missing, damaged, or of no format that is read here.
    """
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
    reason = "empty" if not head else "neither WAV, .vitaltable, .vital, .wt nor .sfz"
    raise UserError(f"not a wavetable file ({reason}); import it as a sound if it is one", path=name)


def is_table(path: str | os.PathLike[str]) -> bool:
    """True when a file says itself that it is a wavetable: by a mark in a WAV, by the first bytes of a `.wt`, or by its
    suffix.

    >>> is_table("pad.vitaltable"), is_table("there-is-none.wav")
    (True, False)
    """
    name = Path(path)
    if name.suffix.lower() in {".wt", ".vitaltable", ".vital", ".sfz"}:
        return True
    try:
        return _head(name).startswith(surge.MAGIC) or wav.is_marked(name)
    except UserError:
        return False


def _head(name: Path) -> bytes:
    """The first bytes of a file."""
    try:
        with name.open("rb") as file:
            return file.read(64)
    except FileNotFoundError:
        raise UserError("no such file", path=name) from None
    except (OSError, ValueError) as error:
        raise UserError(f"cannot be read ({getattr(error, 'strerror', None) or error})", path=name) from error
