"""What is in a wavetable file, and what is wrong with it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from nsynth_core.audio import Floats
from nsynth_core.pitch import note_name
from wavetables.formats import serum
from wavetables.shaping import has_fundamental, seam
from wavetables.table import FRAME_SIZE, MAX_FRAMES

SILENT = 1e-4  # of the table's peak
DC_LIMIT = 1e-3  # of full scale: below, a synth's own filter hides it
SEAM_LIMIT = 8.0  # median steps: above, the wrap is a click rather than part of the wave
PHASE_LIMIT = 0.05  # of a cycle from the table's mean fundamental
HEARD = 0.03  # of the strongest harmonic: a fundamental 30 dB down cancels without being missed


@dataclass(frozen=True)
class Inspection:
    """Facts about one wavetable file. `str()` of it is for people, `to_dict()` for JSON.

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
    """

    path: str
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
        lines += [f"  problem: {problem}" for problem in self.problems] or ["  no problems"]
        return "\n".join(lines)


def inspect(path: str | os.PathLike[str]) -> Inspection:
    """Look at a Serum-style WAV. Raises UserError when it cannot be read as a wavetable at all."""
    file = serum.load(path)
    own = serum.to_table(file, Path(path).stem)
    frames = file.frames
    peak = float(np.abs(frames).max())
    level = np.abs(frames).max(1)
    silent = np.flatnonzero(level <= SILENT * peak) + 1
    duplicates = np.flatnonzero((frames[1:] == frames[:-1]).all(1)) + 2
    dc = np.abs(frames.mean(1, dtype=np.float64))
    seams = seam(frames)
    in_phase = _in_phase(frames)
    return Inspection(
        path=str(path),
        frames=len(frames),
        size=file.size,
        decision=file.decision,
        flags=file.flags,
        rate=file.rate,
        channels=file.channels,
        encoding=file.encoding,
        chunks=file.chunks,
        peak_dbfs=float(20 * np.log10(peak)) if peak > 0 else None,
        dc=float(dc.max()),
        seam=float(seams.max()),
        in_phase=in_phase,
        silent=tuple(int(k) for k in silent),
        duplicates=tuple(int(k) for k in duplicates),
        name=own.name,
        root_pitch=own.root_pitch,
        provenance=dict(own.provenance),
        problems=tuple(_problems(file, peak, dc, seams, in_phase, silent.tolist(), duplicates.tolist())),
    )


def _in_phase(frames: Floats) -> bool | None:
    known = frames[has_fundamental(frames, HEARD) & (np.abs(frames).max(1) > 0)]
    if len(known) < 2 or frames.shape[1] < 4:
        return None
    first = np.fft.rfft(known)[:, 1]
    turns = np.angle(first * (first / np.abs(first)).mean().conj()) / (2 * np.pi)
    return bool(np.abs(turns).max() <= PHASE_LIMIT)


def _problems(
    file: serum.SerumFile,
    peak: float,
    dc: np.ndarray[tuple[int], np.dtype[np.float64]],
    seams: np.ndarray[tuple[int], np.dtype[np.float64]],
    in_phase: bool | None,
    silent: list[int],
    duplicates: list[int],
) -> list[str]:
    found = []
    if peak == 0.0:
        found.append("the whole table is silent")
    elif silent:
        found.append(f"silent: {_frames(silent)}")
    if peak > 1.0:
        found.append(f"peaks at {20 * np.log10(peak):+.2f} dBFS: clips in synths that hold 16 bits")
    if file.size != FRAME_SIZE:
        found.append(f"{file.size} samples a frame: Serum, Vital and Surge take {FRAME_SIZE} whatever the file says")
    if len(file.frames) > MAX_FRAMES:
        found.append(f"{len(file.frames)} frames: Serum plays the first {MAX_FRAMES}")
    if file.flags is None:
        found.append("no clm chunk: Serum guesses, Surge plays it as a one-shot")
    elif file.flags[1] == "1":
        found.append("the factory digit is set: Serum presets will not carry this table")
    if file.flags and "data" in file.chunks and file.chunks.index("clm ") > file.chunks.index("data"):
        found.append("clm after data: the Deluge never sees it")
    if file.encoding != "float32" or file.channels != 1:
        found.append(f"{file.encoding} in {_count(file.channels, 'channel')}: mono float32 is what every synth reads")
    if (bad := np.flatnonzero(dc > DC_LIMIT) + 1).size:
        found.append(f"DC offset up to {dc.max():.2g} in {_frames(bad.tolist())}")
    if (bad := np.flatnonzero(seams > SEAM_LIMIT) + 1).size:
        found.append(f"the wrap steps up to {seams.max():.0f} times the median step in {_frames(bad.tolist())}")
    if in_phase is False:
        found.append("fundamentals out of phase: crossfades between frames cancel")
    if duplicates:
        found.append(f"equal to the frame before: {_frames(duplicates)}")
    return found + list(file.remarks)


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"


def _frames(numbers: list[int]) -> str:
    shown = ", ".join(str(k) for k in numbers[:6])
    return f"frame{'' if len(numbers) == 1 else 's'} {shown}" + (
        f" and {len(numbers) - 6} more" if len(numbers) > 6 else ""
    )
