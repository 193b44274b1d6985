"""A pack as one .zip: the same pack, the same bytes."""

from __future__ import annotations

import zipfile
from pathlib import Path

from nsynth_core.errors import UserError
from nsynth_core.files import atomic
from wavetables.packs.journal import MANIFEST, manifest

EPOCH = (1980, 1, 1, 0, 0, 0)  # the earliest time that a zip can hold


def files(folder: Path) -> list[str]:
    """The paths of a finished pack's files, below its folder, sorted. Raises UserError: no pack, or a missing file."""
    data = manifest(folder)
    paths = sorted({MANIFEST, *data["files"], *(path for facts in data["items"] for path in facts["files"])})
    for path in paths:
        if not (folder / path).is_file():
            raise UserError("missing; make the pack again to restore it", path=folder / path)
    return paths


def write_zip(folder: Path, target: Path, force: bool = False) -> Path:
    """Write all files of the pack in `folder` to the archive `target`, and return `target`. Other files are left out.

    The same pack gives the same bytes: names are sorted, times and permissions fixed, and nothing is compressed,
    because another version of zlib would compress to other bytes. Raises UserError: no pack, or a file is missing;
    FileExists; NotWritable.
    """
    with atomic(target, force) as temporary, zipfile.ZipFile(temporary, "w", zipfile.ZIP_STORED) as archive:
        for path in files(folder):
            entry = zipfile.ZipInfo(f"{folder.resolve().name}/{path}", EPOCH)
            entry.external_attr = 0o100644 << 16
            entry.create_system = 3
            with (folder / path).open("rb") as source, archive.open(entry, "w") as member:
                while block := source.read(1 << 20):
                    member.write(block)
    return target
