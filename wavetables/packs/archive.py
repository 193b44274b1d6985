"""A pack as one .zip: the same pack, the same bytes."""

from __future__ import annotations

import zipfile
from pathlib import Path

from nsynth_core.errors import UserError
from nsynth_core.files import atomic
from wavetables.packs.journal import MANIFEST, manifest

EPOCH = (1980, 1, 1, 0, 0, 0)  # zip knows no earlier time


def files(folder: Path) -> list[str]:
    """The files of a finished pack, below its folder, sorted. Raises UserError: no pack, or one is missing."""
    data = manifest(folder)
    found = sorted({MANIFEST, *data["files"], *(path for facts in data["items"] for path in facts["files"])})
    for path in found:
        if not (folder / path).is_file():
            raise UserError(f"{folder / path}: missing; run the pack command again to restore it")
    return found


def write_zip(folder: Path, target: Path, force: bool = False) -> Path:
    """Write all files of the pack in `folder` to `target`, whatever else lies beside them, and give `target`. Names are
    sorted, times and rights fixed, nothing compressed: another zlib would compress to other bytes."""
    with atomic(target, force) as temporary, zipfile.ZipFile(temporary, "w", zipfile.ZIP_STORED) as archive:
        for path in files(folder):
            entry = zipfile.ZipInfo(f"{folder.resolve().name}/{path}", EPOCH)
            entry.external_attr = 0o100644 << 16
            entry.create_system = 3
            with (folder / path).open("rb") as source, archive.open(entry, "w") as to:
                while block := source.read(1 << 20):
                    to.write(block)
    return target
