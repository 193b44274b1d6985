"""Where synths look for a user's tables on every system, and copying a pack there.

Sources of the places. Vital: `LoadSave::getDataDirectory` and `getDirectories` of its published code (any folder below
the data folder may have Wavetables of its own, so a pack is one). Surge XT: `SurgeStorage` of its code (Wavetables in
the user data folder, which is "Surge XT" in the documents). Serum and Serum 2: the folders that their menus show ("Show
Serum Presets folder"), as programs that work with them have them. A folder moved in a synth's settings is not known.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from nsynth_core.errors import UserError
from nsynth_core.files import atomic, sha256
from wavetables.packs import names, plan
from wavetables.packs.errors import FormatMissing, NoRelease, OtherFile
from wavetables.packs.journal import manifest

EVERYWHERE = "Everywhere"
SYSTEMS = {"win32": "Windows", "darwin": "macOS"}  # any other is Linux
DATA = ".local/share/"  # where a Linux desktop keeps data, unless it says otherwise


@dataclass(frozen=True)
class Synth:
    """A synth and where it looks for tables.

    title: its name
    formats: the formats it reads; the first one is exact
    places: the folder of the user's tables on each system, below the home folder or absolute
    inner: a pack's tables lie in <the synth's folder>/<pack>/`inner`
    """

    title: str
    formats: tuple[str, ...]
    places: Mapping[str, str]
    inner: str = ""


def _xfer(presets: str) -> dict[str, str]:
    """The places of a synth of Xfer Records whose presets are in the folder `presets`."""
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
    """The folder of the user's tables of a synth; it may not exist.

    synth: a key of SYNTHS
    platform: as sys.platform
    Raises NoRelease: the synth does not exist for the platform.
    """
    import platformdirs

    kind, system = SYNTHS[synth], SYSTEMS.get(platform, "Linux")
    folder = kind.places.get(EVERYWHERE) or kind.places.get(system)
    if folder is None:
        raise NoRelease(kind.title, system)
    data = os.environ.get("XDG_DATA_HOME", "").strip()
    if folder.startswith(DATA) and data:
        return Path(data) / folder.removeprefix(DATA)
    if folder.startswith("Documents/"):  # which the user may have moved
        return Path(platformdirs.user_documents_dir()) / folder.removeprefix("Documents/")
    return Path.home() / folder


@dataclass(frozen=True)
class Installation:
    """Where the tables of a pack go for one synth, a key of SYNTHS.

    pairs: (file of the pack, where it goes)
    copied: how many files were copied, None where nothing was to be copied
    """

    synth: str
    pairs: tuple[tuple[Path, Path], ...]
    copied: int | None = None

    @property
    def folder(self) -> Path:
        """The folder that all targets share."""
        return Path(os.path.commonpath([str(target.parent) for _, target in self.pairs]))


def install_pack(
    pack: Path, synth: str, to: Path | None = None, *, dry_run: bool = False, force: bool = False
) -> Installation:
    """Copy the tables of a pack to where a synth looks for them.

    pack: the folder of a finished pack
    synth: a key of SYNTHS: "serum", "serum2", "vital" or "surge"
    to: the synth's folder of tables, where it was moved
    dry_run: copy nothing
    force: replace other files of the same names. Without it, OtherFile is raised before anything is copied.
    Raises NoPack; FormatMissing: the pack has no table in that format; NoRelease: no such synth on this system.

    >>> import tempfile
    >>> from nsynth_core import audio
    >>> from wavetables.packs import make_pack
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     audio.write(Path(folder, "sounds", "horn.wav"), audio.sine(110.0))
    ...     _ = make_pack(Path(folder, "sounds"), Path(folder, "Horns"), workers=1, frames=4, pictures="none")
    ...     installation = install_pack(Path(folder, "Horns"), "serum", Path(folder, "Tables"))
    >>> installation.copied, installation.pairs[0][1].name
    (1, 'Horn.wav')
    """
    pairs = tuple(copies(pack, synth, to))
    return Installation(synth, pairs, None if dry_run else copy(pairs, force))


def copies(pack: Path, synth: str, to: Path | None = None) -> list[tuple[Path, Path]]:
    """(file of the pack, where it goes) for each table in the format that a synth reads.

    synth: a key of SYNTHS
    to: the synth's folder of tables, by default `place(synth)`
    Raises NoPack; FormatMissing: the pack has no table in that format; NoRelease.
    """
    data, kind = manifest(pack), SYNTHS[synth]
    top = (to or place(synth)) / names.safe(str(data["title"])) / kind.inner
    exact = kind.formats[0]
    tables = [facts["tables"][exact] for facts in data["items"] if exact in facts["tables"]]
    if not tables:
        raise FormatMissing(pack, kind.title, exact)
    folder = plan.folder_of(exact)
    return [(pack / path, top / PurePosixPath(path).relative_to(folder)) for path in tables]


def copy(pairs: Sequence[tuple[Path, Path]], force: bool = False) -> int:
    """Copy each file, whole or not at all, and return how many were not there already.

    pairs: (file, where it goes), see `copies`
    Raises OtherFile before anything is copied, when another file is in the way and `force` is false.
    """
    wanted = []
    for source, target in pairs:
        same = target.is_file() and sha256(target) == sha256(source)
        if not same:
            wanted.append((source, target))
            if target.exists() and not force:
                raise OtherFile(target)
    for source, target in wanted:
        try:
            data = source.read_bytes()
        except OSError as error:
            raise UserError(f"cannot be read: {error.strerror}", path=source) from error
        with atomic(target, force) as temporary:
            temporary.write_bytes(data)
    return len(wanted)
