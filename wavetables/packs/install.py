"""Where synths look for a user's tables, on every system, and copying a pack there.

Sources of the places. Vital: `LoadSave::getDataDirectory` and `getDirectories` of its published code (any folder below
the data folder may have Wavetables of its own, so a pack is one). Surge XT: `SurgeStorage` of its code (Wavetables in
the user data folder, which is "Surge XT" in the documents). Serum and Serum 2: the folders that their menus show ("Show
Serum Presets folder"), as programs that work with them have them. A folder moved in a synth's settings is not known.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from nsynth_core.errors import UserError
from nsynth_core.files import atomic, sha256
from wavetables.packs import names, plan
from wavetables.packs.journal import manifest

EVERYWHERE = "Everywhere"
SYSTEMS = {"win32": "Windows", "darwin": "macOS"}  # any other is Linux
DATA = ".local/share/"  # where a Linux desktop keeps data, unless it says otherwise


@dataclass(frozen=True)
class Synth:
    """`formats` are what it reads, exactly the first; `places` its folder of the user's tables on each system, in his
    home or absolute. A pack's tables lie in <its folder>/<pack>/`inner`."""

    title: str
    formats: tuple[str, ...]
    places: Mapping[str, str]
    inner: str = ""


def _xfer(presets: str) -> dict[str, str]:
    below = f"{presets}/Tables"
    return {"Windows": f"Documents/Xfer/{below}", "macOS": f"/Library/Audio/Presets/Xfer Records/{below}"}


SYNTHS = {
    "serum": Synth("Serum", ("serum",), _xfer("Serum Presets")),
    "serum2": Synth("Serum 2", ("serum",), _xfer("Serum 2 Presets")),
    "vital": Synth(
        "Vital",
        ("vital",),
        {"Windows": "Documents/Vital", "macOS": "Music/Vital", "Linux": f"{DATA}vital"},
        "Wavetables",
    ),
    "surge": Synth("Surge XT", ("wt", "wt16"), {EVERYWHERE: "Documents/Surge XT/Wavetables"}),
}


def place(synth: str, platform: str = sys.platform) -> Path:
    """The folder of the user's tables of `synth`, a key of SYNTHS; it may not exist. Raises UserError: no such release
    of it."""
    import platformdirs

    kind, system = SYNTHS[synth], SYSTEMS.get(platform, "Linux")
    folder = kind.places.get(EVERYWHERE) or kind.places.get(system)
    if folder is None:
        raise UserError(f"{kind.title} has no {system} release; give the Tables folder of your Wine prefix with --to")
    data = os.environ.get("XDG_DATA_HOME", "").strip()
    if folder.startswith(DATA) and data:
        return Path(data) / folder.removeprefix(DATA)
    if folder.startswith("Documents/"):  # wherever they were moved to
        return Path(platformdirs.user_documents_dir()) / folder.removeprefix("Documents/")
    return Path.home() / folder


def copies(pack: Path, synth: str, to: Path | None = None) -> list[tuple[Path, Path]]:
    """(file of the pack, where it goes) for each table of the format that `synth` reads. Raises UserError: no pack, or
    none of that format in it."""
    data, kind = manifest(pack), SYNTHS[synth]
    top = (to or place(synth)) / names.safe(str(data["title"])) / kind.inner
    exact = kind.formats[0]
    found = [facts["tables"][exact] for facts in data["items"] if exact in facts["tables"]]
    if not found:
        raise UserError(f"{pack}: no tables for {kind.title} in it; make the pack with --format {exact}")
    folder = plan.folder_of(exact)
    return [(pack / path, top / PurePosixPath(path).relative_to(folder)) for path in found]


def copy(pairs: list[tuple[Path, Path]], force: bool = False) -> int:
    """Copy each file, whole or not at all; how many were not there already. Raises UserError before the first one where
    another file is in the place of one (unless `force`)."""
    wanted = []
    for source, target in pairs:
        same = target.is_file() and sha256(target) == sha256(source)
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
