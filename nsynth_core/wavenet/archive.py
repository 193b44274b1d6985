"""Unpacks checkpoints from archives (.tar, .tar.gz). Anybody may have made them, so nothing in them is trusted."""

from __future__ import annotations

import re
import shutil
import tarfile
import zlib
from pathlib import Path, PurePosixPath
from typing import Any, BinaryIO

from nsynth_core.errors import UserError

MAX_BYTES = 4 << 30  # unpacked; the checkpoint of a training run of the full size has 1 GB
MAX_MEMBERS = 10_000  # of an archive
MAX_NAME = 1 << 16  # bytes of a header that only names a member
NAMING = (
    tarfile.XHDTYPE,
    tarfile.XGLTYPE,
    tarfile.SOLARIS_XHDTYPE,
    tarfile.GNUTYPE_LONGNAME,
    tarfile.GNUTYPE_LONGLINK,
)
PARTS = re.compile(r"(?P<prefix>.+)\.(index|meta|data-\d{5}-of-\d{5})")
WHERE = "give the folder, the .tar or the prefix (.../model.ckpt-200000) of NSynth's wavenet-ckpt"


class _Header(tarfile.TarInfo):
    """The header of a member. tarfile reads headers that only name a member, or its holes, into memory, as long as they
    claim to be. So long ones are refused."""

    @classmethod
    def frombuf(cls, buf: Any, encoding: str, errors: str) -> _Header:
        header = super().frombuf(buf, encoding, errors)
        if (header.type in NAMING and header.size > MAX_NAME) or header.type == tarfile.GNUTYPE_SPARSE:
            raise ValueError("hostile header")
        return header


def unpack(archive: Path, folder: Path) -> None:
    """Write the files of the checkpoint in `archive` into `folder`, without subfolders.

    Raises UserError for an archive that would write outside `folder`, is too large or damaged, and for other files.
    """
    left = MAX_BYTES
    try:
        with archive.open("rb") as file:
            packed = file.read(2) == b"\x1f\x8b"
        # the only compression read is gzip, which unpacks in little memory
        with tarfile.open(archive, "r:gz" if packed else "r:", tarinfo=_Header) as tar:
            for number, member in enumerate(tar):
                name = PurePosixPath(member.name)
                if name.is_absolute() or ".." in name.parts or "\\" in member.name or ":" in member.name:
                    raise UserError(f"hostile archive: {member.name!r} lies outside its folder", path=archive)
                if member.isdir():
                    continue
                if not member.isreg():
                    raise UserError(f"hostile archive: {member.name!r} is a link or device, not a file", path=archive)
                if member.size < 0 or member.issparse():
                    raise UserError(f"hostile archive: {member.name!r} lies about its size", path=archive)
                left -= member.size
                if left < 0 or number >= MAX_MEMBERS:
                    most = f"{MAX_BYTES >> 30} GB, or {MAX_MEMBERS} files"
                    raise UserError(f"unpacks to more than {most}; no NSynth checkpoint", path=archive)
                target = folder / name.name
                wanted = PARTS.fullmatch(name.name) and not name.name.endswith(".meta")
                if (wanted or name.name == "checkpoint") and not name.name.startswith("._"):
                    if target.exists():
                        raise UserError(
                            f"holds two files called {name.name}; unpack it and give one folder", path=archive
                        )
                    source = tar.extractfile(member)
                    assert source is not None  # it is a regular file
                    with target.open("xb") as file:
                        _copy(source, file, member.size)
    except (tarfile.TarError, EOFError, zlib.error, OSError, ValueError, RecursionError) as error:
        why = "no .tar or .tar.gz archive, or one that is cut short or damaged"
        why = error.strerror if isinstance(error, OSError) and error.strerror else why
        raise UserError(f"no readable checkpoint ({why}); {WHERE}", path=archive) from error


def _copy(source: Any, target: BinaryIO, size: int) -> None:
    shutil.copyfileobj(source, target, 1 << 20)
    if target.tell() != size:
        raise EOFError
