"""What is in a grid laid out for NSynth's players or as SFZ instruments, what is wrong with it, and what mends it.

A layout is rendered, not edited: whatever is wrong with it, the grid is made again.
"""

from __future__ import annotations

import os
from pathlib import Path

from nsynth_core.errors import UserError
from wavetables.grids.inspection.max_for_live import inspect_max_for_live, is_max_for_live
from wavetables.grids.inspection.pads import inspect_pads, pad_files, pad_levels
from wavetables.grids.inspection.report import LayoutInspection
from wavetables.grids.inspection.sfz_notes import inspect_notes

__all__ = ["LayoutInspection", "inspect", "pad_levels"]


def inspect(path: str | os.PathLike[str]) -> LayoutInspection | None:
    """Look at a pad (.bin) or the folder of pads and their settings.json, a Max for Live grid or the folder it was
    written to, or an SFZ instrument whose samples are notes; None for anything else.
    Raises UserError: unreadable, a pad without settings, samples outside an instrument's folder."""
    name = Path(path)
    try:
        if os.path.isdir(name):  # unlike Path.is_dir, never raises
            if (name / "settings.json").is_file() and (pads := pad_files(name)):
                return inspect_pads(path, name / "settings.json", pads, whole=True)
            below = [folder for folder in sorted(name.iterdir()) if os.path.isfile(folder / "options")]
            grids = [name] if is_max_for_live(name) else below
            return inspect_max_for_live(path, grids[0]) if len(grids) == 1 else None
        if name.suffix.lower() == ".bin" and os.path.isfile(name):
            settings = [folder / "settings.json" for folder in name.absolute().parents[:2]]
            beside = next((place for place in settings if place.is_file()), None)
            if beside is None:
                raise UserError(f"{name}: no settings.json beside it says what is in the pad; put the one it came with")
            return inspect_pads(path, beside, [name], whole=False)
        if name.suffix.lower() == ".sfz" and os.path.isfile(name):
            return inspect_notes(path)
    except OSError as error:
        raise UserError(f"{name}: cannot be read ({error.strerror or error})") from error
    return None
