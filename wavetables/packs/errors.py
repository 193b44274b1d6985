"""Why a pack cannot be made or copied, as data. The command line adds what to do about it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from nsynth_core.errors import UserError

MAX_NAMED = 3  # changed files named in an error


class PackInUse(UserError):
    """Another run is making the pack in the folder `path`."""

    def __init__(self, folder: Path):
        super().__init__("another run is making this pack", path=folder)


class OtherContent(UserError):
    """The folder `path` holds something else than a pack."""

    def __init__(self, folder: Path):
        super().__init__("is not empty and holds no pack", path=folder)


class OtherPlan(UserError):
    """The folder `path` holds a pack that was made from another recipe or by another release."""

    def __init__(self, folder: Path):
        super().__init__("was made from another recipe or release", path=folder)


class FilesChanged(UserError):
    """Tables, texts or recordings of the pack in the folder `path` changed since it was made: `names`."""

    def __init__(self, folder: Path, names: Sequence[str]):
        self.names = tuple(names)
        more = f" and {len(names) - MAX_NAMED} more" if len(names) > MAX_NAMED else ""
        super().__init__(f"{', '.join(names[:MAX_NAMED])}{more} changed since the pack was made", path=folder)


class NoPack(UserError):
    """There is no pack in the folder `path`."""


class DiskFull(UserError):
    """The disk is full. What was written stays, and the same call continues."""


class OutOfMemory(UserError):
    """A table needs more memory than there is."""

    def __init__(self, sources: str):
        super().__init__(f"{sources}: not enough memory")


class ClusterError(UserError):
    """The cluster at `address` cannot do the work: `why`. `begun` is true where the pack was being made."""

    def __init__(self, address: str, why: str, begun: bool = False):
        self.address, self.begun = address, begun
        super().__init__(f"{address}: {why}")


class NoRelease(UserError):
    """A synth (`title`) has no release for the `system`."""

    def __init__(self, title: str, system: str):
        self.title, self.system = title, system
        super().__init__(f"{title} has no {system} release")


class FormatMissing(UserError):
    """The pack in the folder `path` has no tables in the `format` that a synth (`title`) reads."""

    def __init__(self, pack: Path, title: str, format: str):
        self.title, self.format = title, format
        super().__init__(f"no tables for {title} in it", path=pack)


class OtherFile(UserError):
    """Another file is where a table would be copied to, `path`."""

    def __init__(self, path: Path):
        super().__init__("is another file already", path=path)
