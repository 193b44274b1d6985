"""Pads of an Open NSynth Super: files of 16-bit notes, and the settings.json that says what is in them."""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from nsynth_core.errors import UserError
from wavetables.formats import nsynth_grid
from wavetables.formats.nsynth_settings import NSynthSettings, read_settings
from wavetables.grids.inspection.report import SHOWN, LayoutInspection, concluded, decibels, differences, some
from wavetables.mending import FLAT

TOLERANCE_DB = 1.0  # around -12 dBFS: pads of the reference went through mp3 after they were levelled


def pad_files(folder: Path) -> list[Path]:
    return sorted({*folder.glob("*.bin"), *folder.glob("pads/*.bin")})


def inspect_pads(path: str | os.PathLike[str], file: Path, pads: Sequence[Path], whole: bool) -> LayoutInspection:
    settings = read_settings(file)
    if not settings.downwards:
        raise UserError(f"{file}: settings of a Max for Live grid, not of pads; put the one the pads came with")
    points, count = settings.side, settings.side**2 * len(settings.pitches)
    problems: list[str] = []
    foreign: set[str] = set()
    if whole:
        wanted = {nsynth_grid.pad_name(names) for names in itertools.product(*settings.choices)}
        there = {pad.name for pad in pads}
        foreign = there - wanted
        problems += differences("pad", len(wanted - there), sorted(wanted - there), sorted(foreign))
    peaks, silent, clipped = [0], 0, 0
    for pad in pads:
        size, expected = pad.stat().st_size, count * settings.length * 2
        if size != expected:
            problems.append(
                f"{pad.name}: {size} bytes, but {points} x {points} points, {len(settings.pitches)} pitches and"
                f" {settings.length} samples are {expected}: the device plays other notes, or beyond its end"
            )
        levels, flat = pad_levels(pad, count, settings.length)
        peaks += levels
        silent, clipped = silent + levels.count(0), clipped + sum(flat)
        if size == expected:  # else nothing tells which note is which
            problems += _of_levels(pad.name, levels, flat, settings)
    peak = max(peaks)
    facts = {
        "pads": len(pads),
        "points": points,
        "pitches": settings.pitches,
        "length": settings.length,
        "notes": len(peaks) - 1,
        "silent": silent,
        "clipped": clipped,
        "peak_dbfs": round(decibels(peak), 2) if peak else None,
    }
    return concluded(path, "nsynth-super", facts, problems, file.parent, bool(foreign))


def pad_levels(path: Path, count: int, length: int) -> tuple[list[int], list[bool]]:
    """Of every whole note in a pad, at most `count`: its peak (0..32768), and whether it is clipped flat at full scale.
    One note of `length` samples at a time is in memory."""
    peaks: list[int] = []
    flat: list[bool] = []
    with path.open("rb") as file:
        while len(peaks) < count and len(samples := np.fromfile(file, "<i2", length)) == length:
            loud = np.abs(samples.astype(np.int32))
            peaks.append(int(loud.max()))
            full = loud >= 32767
            flat.append(bool(full.any() and np.lib.stride_tricks.sliding_window_view(full, FLAT).all(1).any()))
    return peaks, flat


def _of_levels(pad: str, levels: Sequence[int], flat: Sequence[bool], settings: NSynthSettings) -> Iterator[str]:
    def notes(rows: Sequence[int]) -> str:
        places = [divmod(row, len(settings.pitches)) for row in rows[:SHOWN]]
        side = settings.side
        names = [f"x{at % side} y{at // side} pitch {settings.pitches[number]}" for at, number in places]
        return f"{len(rows)} of {len(levels)} notes ({some(names, len(rows))})"

    target = 20 * float(np.log10(nsynth_grid.PEAK))
    silent = [row for row, peak in enumerate(levels) if not peak]
    wrong = [row for row, peak in enumerate(levels) if peak and abs(decibels(peak) - target) > TOLERANCE_DB]
    clipped = [row for row, each in enumerate(flat) if each]
    if silent:
        yield f"{pad}: silent: {notes(silent)}"
    if clipped:
        yield f"{pad}: clipped flat at full scale: {notes(clipped)}"
    if wrong:
        worst = max((decibels(levels[row]) for row in wrong), key=lambda db: abs(db - target))
        yield f"{pad}: peaks as far from {target:.0f} dBFS as {worst:.1f}: {notes(wrong)}"
