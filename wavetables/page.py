"""The page that plays a pack: one HTML file that needs no server and no network.

Tables travel as spectra, two bytes a harmonic: its level in steps of half a dB and its phase in 1/256 turns, so that
every harmonic is right to 0.25 dB however weak it is, and the browser makes band-limited cycles for any note from them.
64 frames of 1023 harmonics are 175 kB of base64 a table at most (harmonics a table does not have are left out): 50 such
tables stay below 9 MB. Larger packs embed fewer frames and harmonics, and the page says how many.
"""

from __future__ import annotations

import base64
import hashlib
import html
import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.resources import files
from urllib.parse import quote

import numpy as np

from nsynth_core.audio import Floats
from nsynth_core.errors import UserError
from wavetables.shaping import align, resample_frames
from wavetables.table import Table

PAGE_BYTES = 10_000_000  # what a phone loads from a mail or a stick without being asked to wait
# (frames, harmonics) embedded a table, the first that keeps the page within PAGE_BYTES; the last however many there are
DETAIL = ((64, 1023), (32, 1023), (32, 511), (16, 511), (8, 511), (8, 255))
STEP_DB = 0.5
THUMB_POINTS = 48


@dataclass(frozen=True)
class Entry:
    """One thing to pick and play: a table, or a grid whose tables the page blends live on an XY pad.

    name      what it is called; any text
    tables    how to get each table (`functools.partial(serum.read, path)`, `lambda: table`); called once, one entry at
              a time, so that a large pack never lies in memory whole. A table is one of them. A grid is its rows from
              top to bottom, the frames of each walking from its left sound to its right one; with several `pitches`,
              all rows of the first pitch, then all rows of the second ...
    pitches   MIDI pitch of each register of the grid, rising; a note plays the nearest one. Empty: one register
    corners   the names beside the pad: () or (left, right) or (top left, top right, bottom left, bottom right)
    category  the heading it is listed under; entries of a category should follow one another
    tags      words to search for
    text      one line about it
    links     label → path of a file, relative to the page, with "/": {"Serum": "Serum/Keys/Flute-Choir C3.wav"}
    """

    name: str
    tables: Sequence[Callable[[], Table]]
    pitches: Sequence[float] = ()
    corners: Sequence[str] = ()
    category: str = ""
    tags: Sequence[str] = ()
    text: str = ""
    links: Mapping[str, str] = field(default_factory=dict)


def page(title: str, entries: Sequence[Entry], about: str = "") -> str:
    """The whole page as text, to be written as UTF-8 bytes (`path.write_bytes(text.encode())`): same input, same bytes.

    `about` is one line under the title (author, licence). Names may hold anything: nothing of them is run or read as
    HTML. Raises UserError when there is no entry, or an entry's tables do not fill rows x pitches.
    """
    if not entries:
        raise UserError(f"page {title!r}: there is no table to show")
    for entry in entries:
        _check(entry)
    frames, harmonics = detail(sum(len(entry.tables) for entry in entries))
    data = {
        "title": title,
        "about": about,
        "frames": frames,
        "harmonics": harmonics,
        "entries": [_packed(entry, frames, harmonics) for entry in entries],
    }
    # without "<" nothing in it closes the script element or opens a comment
    told = json.dumps(data, separators=(",", ":")).replace("<", "\\u003c")
    web = files("wavetables") / "web"
    parts = {name: (web / name).read_text("utf-8") for name in ("style.css", "synth.js", "app.js")}
    shown = html.escape(title.encode("utf-8", "replace").decode())  # file names may hold what UTF-8 cannot say
    filling = {"title": shown, "data": told, "policy": _policy(parts), **parts}
    return re.sub(r"\{\{([\w.]+)\}\}", lambda match: filling[match[1]], (web / "index.html").read_text("utf-8"))


def detail(tables: int) -> tuple[int, int]:
    """(frames, harmonics) a page of so many tables embeds of each at most."""
    for frames, harmonics in DETAIL:
        if tables * frames * harmonics * 2 * 4 / 3 <= PAGE_BYTES:
            break
    return frames, harmonics


def spectra(frames: Floats, harmonics: int) -> dict[str, object]:
    """`frames` (n, 2048) as the page stores them: {"n": frames, "h": harmonics kept, "peak": the strongest's amplitude,
    "data": base64 of n x h levels, then n x h phases}.

    Harmonic k of a frame is amplitude cos(2 pi (k t + phase / 256)), amplitude = peak 10^((level - 255) / 40), 0 for
    level 0: 127 dB of range. `harmonics` (1..1023) are kept at most, fewer when the rest is silent in all frames.
    """
    bins = np.fft.rfft(frames.astype(np.float64))[:, 1 : harmonics + 1] * (2 / frames.shape[1])
    size = np.abs(bins)
    peak = float(size.max())
    decibels = 20 * np.log10(np.maximum(size, 1e-30) / max(peak, 1e-30))
    level = np.clip(np.rint(decibels / STEP_DB) + 255, 0, 255).astype(np.uint8)
    if peak == 0.0:
        level[:] = 0
    used = np.flatnonzero(level.any(0))
    kept = int(used[-1]) + 1 if len(used) else 1
    phase = np.rint(np.angle(bins[:, :kept]) * (256 / (2 * np.pi))).astype(np.int64).astype(np.uint8)
    stored = np.stack([level[:, :kept], phase]).tobytes()
    return {"n": len(frames), "h": kept, "peak": float(f"{peak:.6g}"), "data": base64.b64encode(stored).decode()}


def _check(entry: Entry) -> None:
    registers = max(len(entry.pitches), 1)
    if not entry.tables or len(entry.tables) % registers:
        raise UserError(f"{entry.name!r}: {len(entry.tables)} tables do not fill the rows of {registers} pitches")
    if len(entry.corners) not in (0, 2, 4):
        raise UserError(f"{entry.name!r}: {len(entry.corners)} corners; a pad has 2 or 4, or none that are named")
    if list(entry.pitches) != sorted(entry.pitches):
        raise UserError(f"{entry.name!r}: its pitches do not rise")


def _packed(entry: Entry, frames: int, harmonics: int) -> dict[str, object]:
    """What the page is told of an entry."""
    tables = [load() for load in entry.tables]
    rows = len(tables) // max(len(entry.pitches), 1)
    count = min(frames, max(len(table.frames) for table in tables))
    reduced = [table.frames if len(table.frames) == count else resample_frames(table.frames, count) for table in tables]
    if rows > 1:  # rows were rotated apart when their seams were settled: in phase again, or they cancel on the pad
        for first in range(0, len(tables), rows):
            aligned = align(np.concatenate(reduced[first : first + rows]))
            reduced[first : first + rows] = np.split(aligned, rows)
    middle = reduced[len(reduced) // 2][count // 2]
    return {
        "name": entry.name,
        "category": entry.category,
        "tags": list(entry.tags),
        "text": entry.text,
        "corners": list(entry.corners),
        "pitches": [float(pitch) for pitch in entry.pitches],
        "rows": rows,
        "frames": max(len(table.frames) for table in tables),
        "links": [[label, quote(path)] for label, path in entry.links.items()],
        "thumb": _thumb(middle),
        "tables": [spectra(table, harmonics) for table in reduced],
    }


def _thumb(frame: Floats) -> list[int]:
    """A cycle as THUMB_POINTS heights in -100..100."""
    heights = frame[np.linspace(0, len(frame) - 1, THUMB_POINTS).astype(int)].astype(np.float64)
    return [round(100 * height / max(float(np.abs(heights).max()), 1e-9)) for height in heights]


def _policy(parts: Mapping[str, str]) -> str:
    """The page's content security policy: it may run and dress itself with what it was made of, and load nothing."""
    digest = {
        name: "'sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() + "'"
        for name, text in parts.items()
    }
    scripts = f"{digest['synth.js']} {digest['app.js']} data: blob:"  # how an AudioWorklet loads without a server
    return f"default-src 'none'; script-src {scripts}; style-src {digest['style.css']}; img-src data:"
