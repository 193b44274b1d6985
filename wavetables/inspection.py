"""What is in a wavetable file, and what is wrong with it. `describe` puts a problem into words."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from nsynth_core.audio import Floats
from wavetables.formats import registry
from wavetables.formats.common import Loaded
from wavetables.mending import DC_LIMIT, JUMP_DB, SEAM_LIMIT, Faults, faults
from wavetables.table import FRAME_SIZE, MAX_FRAMES

SHOWN_FRAMES = 6  # numbers in a sentence


class Mend(Enum):
    """What removes a problem."""

    FIX = "fix"  # wavetables.converting.convert with fix=True
    REWRITE = "rewrite"  # the same without fix: the file is written again
    EXPORT = "export"  # only another export from the source


class ProblemKind(Enum):
    """What is wrong; the numbers that go with it are in the Problem."""

    SILENT_TABLE = "silent table"
    SILENT_FRAMES = "silent frames"
    PEAK = "peak"  # value: dBFS
    CLIPPED = "clipped"
    FRAME_SIZE = "frame size"  # value: samples a frame
    FRAME_COUNT = "frame count"  # value: frames
    NO_CLM = "no clm"  # text: the chunks because of which Surge refuses the file
    FACTORY = "factory"
    CLM_LATE = "clm late"
    ENCODING = "encoding"  # text: what it is
    DC = "dc"  # value: the largest |mean| of a frame, full scale 1
    SEAM = "seam"  # value: the largest wrap step over the median step of its frame
    PHASE = "phase"
    DUPLICATES = "duplicates"
    IMAGES = "images"  # value: samples a frame before it was stretched; text: how it was
    JUMPS = "jumps"  # value: the largest step in dB
    REMARK = "remark"  # text: what the reader of the file remarked


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong with a file, and what removes it.

    frames: the numbers of the frames it is in, from 1; empty where it is in the whole file
    value, text: see ProblemKind
    """

    kind: ProblemKind
    mend: Mend
    frames: tuple[int, ...] = ()
    value: float = 0.0
    text: str = ""


@dataclass(frozen=True)
class Inspection:
    """Facts about one wavetable file of any format.

    frames, size: their number, and samples a frame; `decision` says where the size comes from
    flags: the eight digits of the `clm ` chunk, None without one
    rate, channels, encoding, chunks: of the file; rate in Hz, 0 where the format has none
    peak_dbfs: of the whole table, None where it is silent
    dc: the largest |mean| of a frame, full scale 1
    seam: the largest wrap step of a frame over the frame's median step; 1 cannot be told from any other step
    in_phase: whether all fundamentals are within a twentieth of a cycle; None where too few frames have one
    silent, duplicates: numbers (from 1) of silent frames, and of frames that equal the one before
    name, root_pitch, provenance: what the file says of itself; root_pitch is a MIDI number
    problems: the worst first; empty for a file without any
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
    problems: tuple[Problem, ...]


def inspect(path: str | os.PathLike[str], size: int | None = None) -> Inspection:
    """Look at a wavetable file of any format, or at a folder of single cycles.

    path: the file or folder
    size: samples a frame of a WAV, where the file says something else or nothing
    Raises UserError when it cannot be read as a wavetable at all.

    >>> import tempfile
    >>> from wavetables.table import Table
    >>> frames = np.sin(2 * np.pi * np.arange(2048) / 2048)[None] + 0.1
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     registry.write(Path(folder) / "offset.wav", Table((0.5 * frames).astype(np.float32), "offset"))
    ...     problems = inspect(Path(folder) / "offset.wav").problems
    >>> [describe(problem) for problem in problems]
    ['DC offset up to 0.05 in frame 1']
    """
    name = Path(path)
    file = registry.load(name, size)
    frames = file.frames
    peak = float(np.abs(frames).max())
    measured = faults(frames)
    problems = [
        *_level_problems(frames, peak, measured),
        *_file_problems(file),
        *_frame_problems(measured),
        *(Problem(ProblemKind.REMARK, Mend.REWRITE, text=remark) for remark in file.remarks),
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
        dc=float(measured.dc.max()),
        seam=float(measured.seams.max()),
        in_phase=measured.in_phase,
        silent=_numbers(measured.silent),
        duplicates=_numbers(measured.duplicates),
        name=file.name or (name.resolve().name if name.is_dir() else name.stem),
        root_pitch=file.root_pitch,
        provenance=dict(file.provenance),
        problems=tuple(problems),
    )


# --------------------------------------------------------------------------------------------------------- the problems
def _level_problems(frames: Floats, peak: float, measured: Faults) -> Iterator[Problem]:
    if peak == 0.0:
        yield Problem(ProblemKind.SILENT_TABLE, Mend.EXPORT)
    elif measured.silent.any():
        yield Problem(ProblemKind.SILENT_FRAMES, Mend.FIX, _numbers(measured.silent))
    if peak > 1.0:
        yield Problem(ProblemKind.PEAK, Mend.FIX, value=20 * float(np.log10(peak)))
    if measured.clipped.any():
        yield Problem(ProblemKind.CLIPPED, Mend.FIX, _numbers(measured.clipped))


def _file_problems(file: Loaded) -> Iterator[Problem]:
    if file.size != FRAME_SIZE and file.format != "cycles":
        yield Problem(ProblemKind.FRAME_SIZE, Mend.REWRITE, value=file.size)
    if len(file.frames) > MAX_FRAMES:
        yield Problem(ProblemKind.FRAME_COUNT, Mend.REWRITE, value=len(file.frames))
    if file.format != "wav":
        return
    if file.flags is None:
        refused = [repr(chunk) for chunk in ("cue ", "smpl") if chunk in file.chunks]
        yield Problem(ProblemKind.NO_CLM, Mend.REWRITE, text=" and ".join(refused))
    elif file.flags[1] == "1":
        yield Problem(ProblemKind.FACTORY, Mend.REWRITE)
    if file.flags and "data" in file.chunks and file.chunks.index("clm ") > file.chunks.index("data"):
        yield Problem(ProblemKind.CLM_LATE, Mend.REWRITE)
    if file.encoding != "float32" or file.channels != 1 or file.extensible:
        channels = f"{file.channels} channel{'' if file.channels == 1 else 's'}"
        kind = f"{file.encoding} in {channels}{', EXTENSIBLE' * file.extensible}"
        yield Problem(ProblemKind.ENCODING, Mend.REWRITE, text=kind)


def _frame_problems(measured: Faults) -> Iterator[Problem]:
    if (measured.dc > DC_LIMIT).any():
        yield Problem(ProblemKind.DC, Mend.FIX, _numbers(measured.dc > DC_LIMIT), float(measured.dc.max()))
    if (measured.seams > SEAM_LIMIT).any():
        yield Problem(ProblemKind.SEAM, Mend.FIX, _numbers(measured.seams > SEAM_LIMIT), float(measured.seams.max()))
    if measured.in_phase is False:
        yield Problem(ProblemKind.PHASE, Mend.FIX)
    if measured.duplicates.any():
        yield Problem(ProblemKind.DUPLICATES, Mend.FIX, _numbers(measured.duplicates))
    if measured.images:
        yield Problem(ProblemKind.IMAGES, Mend.FIX, value=measured.images, text=measured.stretched)
    if (measured.jumps > JUMP_DB).any():
        yield Problem(ProblemKind.JUMPS, Mend.FIX, _numbers(measured.jumps > JUMP_DB), float(measured.jumps.max()))


def _numbers(marked: NDArray[np.bool_]) -> tuple[int, ...]:
    """The numbers of the marked frames, from 1."""
    return tuple(int(index) + 1 for index in np.flatnonzero(marked))


# ------------------------------------------------------------------------------------------------------------ the words
def describe(problem: Problem) -> str:
    """A problem in one line, as reports and the manifest of a pack say it.

    >>> describe(Problem(ProblemKind.DUPLICATES, Mend.FIX, frames=(2, 3)))
    'equal to the frame before: frames 2, 3'
    """
    value, text, frames = problem.value, problem.text, _frames(problem.frames)
    size = f"{value:.0f} samples a frame"
    surge = f"Surge looks at {text} and refuses it" if text else "Surge plays it as a one-shot"
    sentences = {
        ProblemKind.SILENT_TABLE: "the whole table is silent",
        ProblemKind.SILENT_FRAMES: f"silent: {frames}",
        ProblemKind.PEAK: f"peaks at {value:+.2f} dBFS: clips in synths that hold 16 bits",
        ProblemKind.CLIPPED: f"clipped flat at full scale: {frames}",
        ProblemKind.FRAME_SIZE: f"{size}: Serum, Vital and Surge take {FRAME_SIZE} whatever the file says",
        ProblemKind.FRAME_COUNT: f"{value:.0f} frames: Serum plays the first {MAX_FRAMES}",
        ProblemKind.NO_CLM: f"no clm chunk: Serum guesses, {surge}",
        ProblemKind.FACTORY: "the factory digit is set: Serum presets will not carry this table",
        ProblemKind.CLM_LATE: "clm after data: the Deluge never sees it",
        ProblemKind.ENCODING: f"{text}: mono float32 is what every synth reads",
        ProblemKind.DC: f"DC offset up to {value:.2g} in {frames}",
        ProblemKind.SEAM: f"the wrap steps up to {value:.0f} times the median step in {frames}",
        ProblemKind.PHASE: "fundamentals out of phase: crossfades between frames cancel",
        ProblemKind.DUPLICATES: f"equal to the frame before: {frames}",
        ProblemKind.IMAGES: f"stretched from {value:.0f} samples a frame by {text}: images above its band",
        ProblemKind.JUMPS: f"the level jumps by up to {value:.0f} dB into {frames}",
        ProblemKind.REMARK: text,
    }
    return sentences[problem.kind]


def _frames(numbers: tuple[int, ...]) -> str:
    more = f" and {len(numbers) - SHOWN_FRAMES} more" if len(numbers) > SHOWN_FRAMES else ""
    return f"frame{'' if len(numbers) == 1 else 's'} {', '.join(map(str, numbers[:SHOWN_FRAMES]))}{more}"
