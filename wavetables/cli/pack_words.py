"""What to do about the errors of packs: the advice that the command line adds to the facts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nsynth_core.errors import UserError

if TYPE_CHECKING:
    pass

AGAIN = "run the same command again: it goes on from here"


def advice(error: UserError) -> str:
    """What to do about an error of `wavetables.packs`, "" where there is no advice.

    >>> from pathlib import Path
    >>> from wavetables.packs.errors import OtherPlan
    >>> advice(OtherPlan(Path("First Light")))
    'add --force to bring it up to date'
    """
    from nsynth_core.parallel import WorkerKilled
    from wavetables.packs import errors

    if isinstance(error, errors.FormatMissing):
        return f"make the pack with --format {error.format}"
    if isinstance(error, errors.ClusterError):
        return AGAIN if error.begun else ""
    lines: dict[type[UserError], str] = {
        errors.PackInUse: "wait for it, or choose another -o",
        errors.OtherContent: "choose another -o or add --force",
        errors.OtherPlan: "add --force to bring it up to date",
        errors.FilesChanged: "add --force to make it anew from the sources",
        errors.NoPack: "make one with 'make-wavetable pack'",
        errors.DiskFull: f"make room, then {AGAIN}",
        WorkerKilled: f"use fewer --workers; {AGAIN}",
        errors.OutOfMemory: "use fewer --workers or a shorter sound",
        errors.NoRelease: "give the Tables folder of your Wine prefix with --to",
        errors.OtherFile: "add --force to replace it, or rename the pack",
    }
    return lines.get(type(error), "")
