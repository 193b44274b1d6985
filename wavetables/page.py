"""The page that plays a pack: one HTML file that needs no server and no network.

The page holds tables as spectra, with two bytes for each harmonic: its level in steps of half a dB and its phase in
1/256 turns. So every harmonic is right to 0.25 dB however weak it is, and the browser makes band-limited cycles for any
note. 64 frames of 1023 harmonics take at most 175 kB of base64 (harmonics that a table does not have are left out), so
50 such tables stay below 9 MB. The page of a larger pack holds fewer frames and harmonics, and says how many.
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

PAGE_BYTES = 10_000_000  # a phone opens that much from a mail or a stick at once
# (frames, harmonics) of each table. The first pair that keeps the page within PAGE_BYTES is taken, or else the last.
DETAIL = ((64, 1023), (32, 1023), (32, 511), (16, 511), (8, 511), (8, 255))
STEP_DB = 0.5
THUMB_POINTS = 48


@dataclass(frozen=True)
class Entry:
    """One entry of the page's list: a table, or a grid whose tables the page blends on an XY pad.

    name: any text
    tables: functions that load each table, such as `functools.partial(serum.read, path)`. They are called once, one
        entry after another, so that a large pack is never in memory as a whole. An entry with one function is a table.
        A grid has its rows from top to bottom; the frames of a row walk from its left sound to its right one. With
        several `pitches` come all rows of the first pitch, then all rows of the second, and so on.
    pitches: the MIDI pitch of each register of the grid, rising. A note plays the nearest one. Empty: one register.
    corners: the names beside the pad: (), (left, right) or (top left, top right, bottom left, bottom right)
    category: the heading in the list. The entries of a category should follow one another.
    tags: words to search for
    text: one line about the entry
    links: the path of a file for each label, relative to the page, with "/": {"Serum": "Serum/Keys/Flute-Choir C3.wav"}
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
    """The page as text. Write it as UTF-8 (`path.write_bytes(text.encode())`). The same input gives the same bytes.

    about: one line below the title (author, licence)
    Names may hold anything: nothing in them is run or read as HTML.
    Raises UserError: there is no entry, or the tables of an entry do not fill rows x pitches.

    >>> table = Table(np.sin(2 * np.pi * np.arange(2048) / 2048).astype(np.float32)[None], "Sine")
    >>> page("First Light", [Entry("Sine", [lambda: table])]).splitlines()[0]
    '<!doctype html>'
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
    # without "<" nothing in the data closes the script element or opens a comment
    text = json.dumps(data, separators=(",", ":")).replace("<", "\\u003c")
    web = files("wavetables") / "web"
    parts = {name: (web / name).read_text("utf-8") for name in ("style.css", "synth.js", "app.js")}
    heading = html.escape(title.encode("utf-8", "replace").decode())  # a file name may hold what UTF-8 cannot encode
    filling = {"title": heading, "data": text, "policy": _policy(parts), **parts}
    return re.sub(r"\{\{([\w.]+)\}\}", lambda match: filling[match[1]], (web / "index.html").read_text("utf-8"))


def detail(tables: int) -> tuple[int, int]:
    """The most (frames, harmonics) that a page of so many tables holds of each.

    >>> detail(50), detail(1000)
    ((64, 1023), (8, 255))
    """
    for frames, harmonics in DETAIL:
        if tables * frames * harmonics * 2 * 4 / 3 <= PAGE_BYTES:
            break
    return frames, harmonics


def spectra(frames: Floats, harmonics: int) -> dict[str, object]:
    """Frames as the page holds them.

    frames: float32 (n, 2048)
    harmonics: the most that are kept, 1..1023; fewer when the others are silent in all frames
    Returns {"n": frames, "h": harmonics kept, "peak": amplitude of the strongest harmonic, "data": base64 of n x h
    levels, then of n x h phases}. Harmonic k of a frame is amplitude cos(2 pi (k t + phase / 256)), with amplitude =
    peak 10^((level - 255) / 40), and 0 for level 0: a range of 127 dB.

    >>> frame = np.sin(2 * np.pi * np.arange(2048) / 2048).astype(np.float32)
    >>> packed = spectra(frame[None], 64)
    >>> packed["n"], packed["h"], packed["peak"]
    (1, 1, 1.0)
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
    """Raise UserError where the tables, corners or pitches of an entry do not fit each other."""
    registers = max(len(entry.pitches), 1)
    if not entry.tables or len(entry.tables) % registers:
        raise UserError(f"{entry.name!r}: {len(entry.tables)} tables do not fill the rows of {registers} pitches")
    if len(entry.corners) not in (0, 2, 4):
        raise UserError(f"{entry.name!r}: {len(entry.corners)} corners; a pad has 2 or 4, or none that are named")
    if list(entry.pitches) != sorted(entry.pitches):
        raise UserError(f"{entry.name!r}: its pitches do not rise")


def _packed(entry: Entry, frames: int, harmonics: int) -> dict[str, object]:
    """An entry as the page holds it."""
    tables = [load() for load in entry.tables]
    rows = len(tables) // max(len(entry.pitches), 1)
    count = min(frames, max(len(table.frames) for table in tables))
    reduced = [table.frames if len(table.frames) == count else resample_frames(table.frames, count) for table in tables]
    if rows > 1:  # shaping rotated each row on its own; without a common phase they would cancel on the pad
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
    """A cycle as 48 heights in -100..100."""
    heights = frame[np.linspace(0, len(frame) - 1, THUMB_POINTS).astype(int)].astype(np.float64)
    return [round(100 * height / max(float(np.abs(heights).max()), 1e-9)) for height in heights]


def _policy(parts: Mapping[str, str]) -> str:
    """The page's content security policy: it may use the scripts and the style that it holds, and load nothing."""
    digest = {
        name: "'sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() + "'"
        for name, text in parts.items()
    }
    scripts = f"{digest['synth.js']} {digest['app.js']} data: blob:"  # how an AudioWorklet loads without a server
    return f"default-src 'none'; script-src {scripts}; style-src {digest['style.css']}; img-src data:"
