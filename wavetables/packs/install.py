"""Where a synth looks for a user's tables, and copying a pack there.

Sources of the places. Vital: `LoadSave::getDataDirectory` and `getDirectories` of its published code (any folder below
the data folder may have Wavetables of its own, so a pack is one). Surge XT: `SurgeStorage` of its code (Wavetables in
the user data folder, which is "Surge XT" in the documents). Serum and Serum 2: the folders that their menus show ("Show
Serum Presets folder"), as programs that work with them have them. A folder moved in a synth's settings is not known.
"""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from nsynth_core import cache
from nsynth_core.errors import UserError
from nsynth_core.files import atomic
from wavetables.packs import names, plan
from wavetables.packs.journal import manifest

XFER_MACOS = Path("/Library/Audio/Presets/Xfer Records")


@dataclass(frozen=True)
class Synth:
    """`format` is what it reads exactly; a pack's tables lie in <its folder>/<pack>/`inner`."""

    title: str
    format: str
    inner: str = ""


SYNTHS = {
    "serum": Synth("Serum", "serum"),
    "serum2": Synth("Serum 2", "serum"),
    "vital": Synth("Vital", "vital", "Wavetables"),
    "surge": Synth("Surge XT", "wt"),
}


def place(synth: str, platform: str = sys.platform) -> Path:
    """The folder of the user's tables of `synth`, a key of SYNTHS; it may not exist. Raises UserError: no such release
    of it."""
    import platformdirs

    documents = Path(platformdirs.user_documents_dir())
    if synth in ("serum", "serum2"):
        below = Path("Serum Presets" if synth == "serum" else "Serum 2 Presets") / "Tables"
        if platform == "darwin":
            return XFER_MACOS / below
        if platform == "win32":
            return documents / "Xfer" / below
        raise UserError(
            f"{SYNTHS[synth].title} has no Linux release; give the Tables folder of your Wine prefix with --to"
        )
    if synth == "vital":
        if platform == "darwin":
            return Path.home() / "Music" / "Vital"
        if platform == "win32":
            return documents / "Vital"
        data = os.environ.get("XDG_DATA_HOME", "").strip()
        return (Path(data) if data else Path.home() / ".local" / "share") / "vital"
    return documents / "Surge XT" / "Wavetables"


def copies(pack: Path, synth: str, to: Path | None = None) -> list[tuple[Path, Path]]:
    """(file of the pack, where it goes) for each table of the format that `synth` reads. Raises UserError: no pack, or
    none of that format in it."""
    data, kind = manifest(pack), SYNTHS[synth]
    top = (to or place(synth)) / names.safe(str(data["title"])) / kind.inner
    found = [facts["tables"][kind.format] for facts in data["items"] if kind.format in facts["tables"]]
    if not found:
        raise UserError(f"{pack}: no tables for {kind.title} in it; make the pack with --format {kind.format}")
    folder = plan.folder_of(kind.format)
    return [(pack / path, top / PurePosixPath(path).relative_to(folder)) for path in found]


def copy(pairs: list[tuple[Path, Path]], force: bool = False) -> int:
    """Copy each file, whole or not at all; how many were not there already. Raises UserError before the first one where
    another file is in the place of one (unless `force`)."""
    wanted = []
    for source, target in pairs:
        same = target.is_file() and cache.sha256(target) == cache.sha256(source)
        if not same:
            wanted.append((source, target))
            if target.exists() and not force:
                raise UserError(f"{target} is another file already; add --force to replace it, or rename the pack")
    for source, target in wanted:
        try:
            data = source.read_bytes()
        except OSError as error:
            raise UserError(f"{source}: cannot be read: {error.strerror}") from error
        with atomic(target, force) as temporary:
            temporary.write_bytes(data)
    return len(wanted)
