"""What is in a wavetable file, what is wrong with it, and the command that mends it."""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from nsynth_core.audio import Floats
from nsynth_core.notes import note_name
from wavetables.formats import registry
from wavetables.formats.common import Loaded
from wavetables.mending import DC_LIMIT, JUMP_DB, SEAM_LIMIT, Faults, faults
from wavetables.table import FRAME_SIZE, MAX_FRAMES


@dataclass(frozen=True)
class Inspection:
    """Facts about one wavetable file of any format. `str()` of it is for people, `to_dict()` for JSON.

    frames, size         count, and samples a frame; `decision` says how the size was known
    flags                the eight digits of the `clm ` chunk, None without one
    rate, channels, encoding, chunks
    peak_dbfs            of the whole table, None when silent
    dc                   largest |mean| of a frame, full scale 1
    seam                 largest wrap step of a frame over the frame's median step (1: cannot be found)
    in_phase             fundamentals all within a twentieth of a cycle; None where too few frames have one
    silent, duplicates   numbers (from 1) of silent frames, and of frames equal to the one before
    name, root_pitch, provenance   what the file says of itself
    problems             one line each, worst first; empty for a clean file
    mending              for each problem the command that mends it
    """

    path: str
    format: str
    frames: int
    size: int
    decision: str
    flags: str | None
    rate: int
    channels: int
    encoding: str
    chunks: tuple[str, ...]
    peak_dbfs: float | None
    dc: float
    seam: float
    in_phase: bool | None
    silent: tuple[int, ...]
    duplicates: tuple[int, ...]
    name: str
    root_pitch: float | None
    provenance: Mapping[str, str]
    problems: tuple[str, ...]
    mending: tuple[str, ...]

    def to_dict(self) -> dict[str, object]:
        """Plain types only."""
        return asdict(self)

    def __str__(self) -> str:
        phase = {True: "fundamentals in phase", False: "fundamentals out of phase", None: "no fundamentals to compare"}
        root = "" if self.root_pitch is None else f", root {note_name(self.root_pitch)} ({self.root_pitch:.2f})"
        lines = [
            f"{self.path}: {self.name}{root}",
            f"  {_count(self.frames, 'frame')} of {self.size} samples ({self.decision})",
            f"  {self.encoding}, {_count(self.channels, 'channel')}, {self.rate} Hz, flags {self.flags or 'none'},"
            f" chunks {' '.join(repr(chunk) for chunk in self.chunks)}",
            f"  peak {'silent' if self.peak_dbfs is None else f'{self.peak_dbfs:.2f} dBFS'}, DC {self.dc:.2g},"
            f" seam {self.seam:.2g} median steps, {phase[self.in_phase]}",
        ]
        lines += [f"  {key}: {value}" for key, value in self.provenance.items()]
        for command in dict.fromkeys(self.mending):
            lines += [
                f"  problem: {line}" for line, own in zip(self.problems, self.mending, strict=True) if own == command
            ]
            lines.append(f"    mend: {command}")
        if not self.problems:
            lines.append("  no problems")
        return "\n".join(lines)


def inspect(path: str | os.PathLike[str], size: int | None = None) -> Inspection:
    """Look at a wavetable file of any format, or a folder of single cycles; `size` overrules a WAV's samples a frame.
    Raises UserError when it cannot be read as a wavetable at all."""
    name = Path(path)
    file = registry.load(name, size)
    frames = file.frames
    peak = float(np.abs(frames).max())
    found = faults(frames)
    problems = [
        *_of_level(frames, peak, found),
        *_of_file(file),
        *_of_frames(found),
        *((line, "") for line in file.remarks),
    ]
    return Inspection(
        path=str(path),
        format=file.format,
        frames=len(frames),
        size=file.size,
        decision=file.decision,
        flags=file.flags,
        rate=file.rate,
        channels=file.channels,
        encoding=file.encoding,
        chunks=file.chunks,
        peak_dbfs=20 * float(np.log10(peak)) if peak > 0 else None,
        dc=float(found.dc.max()),
        seam=float(found.seams.max()),
        in_phase=found.in_phase,
        silent=_numbers(found.silent),
        duplicates=_numbers(found.duplicates),
        name=file.name or (name.resolve().name if name.is_dir() else name.stem),
        root_pitch=file.root_pitch,
        provenance=dict(file.provenance),
        problems=tuple(line for line, _ in problems),
        mending=tuple(_command(name, how) for _, how in problems),
    )


SUFFIXES = {".wt": ".wt", ".vitaltable": ".vitaltable", ".vital": ".vitaltable", ".sfz": ".sfz"}  # of mended files
FIX, REWRITE, AGAIN = "--fix", "", "again"  # convert --fix mends it; convert alone; only another export does


def _command(path: Path, how: str) -> str:
    if how == AGAIN:
        return "nothing to mend it with: export it again from its source"
    suffix = "" if path.is_dir() else SUFFIXES.get(path.suffix.lower(), ".wav")
    target = f"{path.resolve().name if path.is_dir() else path.stem}-mended{suffix}"
    return shlex.join(["make-wavetable", "convert", str(path), target, *([how] if how else [])])


def _of_level(frames: Floats, peak: float, found: Faults) -> Iterator[tuple[str, str]]:
    if peak == 0.0:
        yield "the whole table is silent", AGAIN
    elif found.silent.any():
        yield f"silent: {_frames(found.silent)}", FIX
    if peak > 1.0:
        yield f"peaks at {20 * np.log10(peak):+.2f} dBFS: clips in synths that hold 16 bits", FIX
    if found.clipped.any():
        yield f"clipped flat at full scale: {_frames(found.clipped)}", FIX


def _of_file(file: Loaded) -> Iterator[tuple[str, str]]:
    if file.size != FRAME_SIZE and file.format != "cycles":
        yield f"{file.size} samples a frame: Serum, Vital and Surge take {FRAME_SIZE} whatever the file says", REWRITE
    if len(file.frames) > MAX_FRAMES:
        yield f"{len(file.frames)} frames: Serum plays the first {MAX_FRAMES}", REWRITE
    if file.format != "wav":
        return
    if file.flags is None:
        left = [repr(chunk) for chunk in ("cue ", "smpl") if chunk in file.chunks]
        surge = f"Surge looks at {' and '.join(left)} and refuses it" if left else "Surge plays it as a one-shot"
        yield f"no clm chunk: Serum guesses, {surge}", REWRITE
    elif file.flags[1] == "1":
        yield "the factory digit is set: Serum presets will not carry this table", REWRITE
    if file.flags and "data" in file.chunks and file.chunks.index("clm ") > file.chunks.index("data"):
        yield "clm after data: the Deluge never sees it", REWRITE
    if file.encoding != "float32" or file.channels != 1 or file.extensible:
        kind = f"{file.encoding} in {_count(file.channels, 'channel')}" + ", EXTENSIBLE" * file.extensible
        yield f"{kind}: mono float32 is what every synth reads", REWRITE


def _of_frames(found: Faults) -> Iterator[tuple[str, str]]:
    if (found.dc > DC_LIMIT).any():
        yield f"DC offset up to {found.dc.max():.2g} in {_frames(found.dc > DC_LIMIT)}", FIX
    if (found.seams > SEAM_LIMIT).any():
        step = f"the wrap steps up to {found.seams.max():.0f} times the median step"
        yield f"{step} in {_frames(found.seams > SEAM_LIMIT)}", FIX
    if found.in_phase is False:
        yield "fundamentals out of phase: crossfades between frames cancel", FIX
    if found.duplicates.any():
        yield f"equal to the frame before: {_frames(found.duplicates)}", FIX
    if found.images:
        yield f"stretched from {found.images} samples a frame by {found.stretched}: images above its band", FIX
    if (found.jumps > JUMP_DB).any():
        yield f"the level jumps by up to {found.jumps.max():.0f} dB into {_frames(found.jumps > JUMP_DB)}", FIX


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"


def _numbers(marked: NDArray[np.bool_]) -> tuple[int, ...]:
    """From 1."""
    return tuple(int(k) + 1 for k in np.flatnonzero(marked))


def _frames(marked: NDArray[np.bool_]) -> str:
    numbers = _numbers(marked)
    shown = ", ".join(str(k) for k in numbers[:6])
    return f"frame{'' if len(numbers) == 1 else 's'} {shown}" + (
        f" and {len(numbers) - 6} more" if len(numbers) > 6 else ""
    )
