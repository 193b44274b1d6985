"""The files of a pack as a whole: texts, page, contact sheets, manifest. The same items give the same bytes."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Sequence
from functools import partial
from importlib import metadata
from pathlib import Path
from typing import Any

from nsynth_core.files import atomic, sha256
from nsynth_core.harmonic.runtime import runtime_versions
from wavetables.formats import registry
from wavetables.packs import making, plan, spectra
from wavetables.packs.install import SYNTHS
from wavetables.packs.journal import MANIFEST, Facts
from wavetables.packs.making import Failure
from wavetables.packs.plan import Pack, Sweep
from wavetables.page import Entry, page
from wavetables.table import Table

SHEET = 60  # tables on one contact sheet
README, LICENSE, PAGE = TEXTS = "README.txt", "LICENSE", "index.html"
LIBRARIES = ("make-wavetable", "numpy", "scipy", "soxr", "soundfile")


def sheets(pack: Pack, items: Sequence[Facts], folder: Path) -> dict[str, partial[str | Failure]]:
    """The job that draws each contact sheet, by the sheet's path."""
    if pack.pictures == "none":
        return {}
    tables = [folder / _best(facts) for facts in items]
    groups = [tuple(tables[start : start + SHEET]) for start in range(0, len(tables), SHEET)]
    paths = [plan.sheet_path(number, len(groups)) for number in range(len(groups))]
    titles = [
        _titled(pack) + (f", sheet {k + 1} of {len(groups)}" if len(groups) > 1 else "") for k in range(len(groups))
    ]
    jobs = zip(paths, groups, titles, strict=True)
    return {path: partial(making.sheet, group, folder / path, title) for path, group, title in jobs}


def conclude(
    pack: Pack, items: Sequence[Facts], failures: Sequence[Failure], sheets: Sequence[str], folder: Path, plan_key: str
) -> Facts:
    """Write the texts, the page and, last of all, pack.json.

    items: the facts of the items that were made, in the pack's order
    failures: the items that could not be made
    sheets: the paths of the contact sheets
    plan_key: the hash of the plan
    Returns what pack.json holds.
    """
    names = [facts["name"] for facts in items]
    alike = [
        {"tables": [names[a], names[b]], "distance_db": round(distance, 2)}
        for a, b, distance in spectra.duplicates([facts["spectrum"] for facts in items])
    ]
    odd = {facts["name"]: facts["odd"] for facts in items if facts["odd"]}
    texts = {README: readme(pack, items), LICENSE: _licence(pack), PAGE: _page(pack, items, folder)}
    for name, text in texts.items():
        _write(folder / name, text)
    manifest: dict[str, Any] = {
        "title": pack.title,
        "author": pack.author,
        "licence": pack.licence,
        "description": pack.description,
        "formats": list(pack.formats),
        "loudness": pack.target,
        "level": pack.level,
        "engine": pack.engine,
        "versions": {name: _version(name) for name in LIBRARIES} | runtime_versions(),
        "plan": plan_key,
        "files": {name: sha256(folder / name) for name in (*texts, *sheets)},
        "near_duplicates": alike,
        "odd": odd,
        "failed": [{"name": failure.name, "why": failure.why} for failure in failures],
        "items": list(items),
    }
    _write(folder / MANIFEST, _text(manifest))
    return manifest


def _text(manifest: Facts) -> str:
    """JSON with one line for each item. When `json` indents, it takes ten times as long."""
    rest = json.dumps({key: value for key, value in manifest.items() if key != "items"}, indent=1, ensure_ascii=False)
    items = ",\n  ".join(json.dumps(item, ensure_ascii=False) for item in manifest["items"])
    return f'{rest[:-2]},\n "items": [\n  {items}\n ]\n}}\n'


def _titled(pack: Pack) -> str:
    """The title and the author."""
    return f"{pack.title} by {pack.author}" if pack.author else pack.title


def readme(pack: Pack, items: Sequence[Facts]) -> str:
    """The text of README.txt."""
    lines = [_titled(pack), "", *([pack.description, ""] if pack.description else [])]
    level = (
        "" if pack.target is None else f", {'every frame' if pack.level == 'frame' else 'all'} at {pack.target:g} LUFS"
    )
    count = f"{len(items)} wavetable{'' if len(items) == 1 else 's'}"
    lines += [f"{count}{level}. Open index.html in a browser to play: it needs no network.", ""]
    for name in pack.formats:
        lines.append(f"{plan.folder_of(name)}/  for {registry.FORMATS[name].title}")
        if synth := next((synth for synth in SYNTHS.values() if name in synth.formats), None):
            lines.append("    copy what is in it to")
            within = "/".join(filter(None, [pack.title, synth.inner]))
            lines += [f"    {system + ':':<12}{place}/{within}" for system, place in synth.places.items()]
    places = {path.split("/")[0] for facts in items for path in facts["files"]}
    for folder, text in (
        ("Previews", "every table at C3, its position moving from the first frame to the last"),
        ("Samples", 'notes of the blends; "at 50" is half way from the first sound to the second'),
        ("Pictures", "every table, and the sounds it was made of" if "Pictures" in places else "all tables on a sheet"),
    ):
        if folder in places or (folder == "Pictures" and pack.pictures != "none"):
            lines.append(f"{folder}/  {text}")
    lines += ["", f"Licence: {pack.licence or 'none was stated; ask the author'} (see LICENSE)."]
    by_category = defaultdict(list)
    for facts in items:
        by_category[facts["category"]].append(facts["name"])
    for category, names in by_category.items():
        lines += ["", f"{category} ({len(names)})", *(f"  {name}" for name in names)]
    return "\r\n".join([*lines, ""])  # so that the editor of an old Windows shows the lines


def _licence(pack: Pack) -> str:
    """The text of LICENSE."""
    lines = [f"{pack.title}", f"Licence: {pack.licence or 'none was stated; all rights are with the author'}"]
    if pack.author:
        lines.insert(1, f"Author: {pack.author}")
    if pack.licence_text:
        lines += ["", pack.licence_text.strip()]
    corners = {corner for item in pack.items if isinstance(item.source, Sweep) for corner in item.source.corners}
    known = sorted({(corner.name, corner.licence) for corner in corners if corner.licence})
    if known:
        lines += ["", "Made with built-in instruments of make-wavetable, coded from sounds under these licences:"]
        lines += [f"  {name}: {licence}" for name, licence in known]
    return "\n".join([*lines, ""])


def _page(pack: Pack, items: Sequence[Facts], folder: Path) -> str:
    """The page: every grid on one pad, and the other tables."""
    made = {facts["name"]: facts for facts in items}
    grids: dict[str, list[plan.Item]] = defaultdict(list)
    for item in pack.items:
        if item.name in made and item.grid:
            grids[item.grid].append(item)
    entries = [_grid(members, made, folder) for members in grids.values()]
    for item in pack.items:
        if item.name in made and not item.grid:
            facts = made[item.name]
            links = {plan.folder_of(kind): path for kind, path in facts["tables"].items()}
            tags = dict.fromkeys([*item.tags, *facts["words"]])
            entries.append(Entry(item.name, [_loader(facts, folder)], (), (), item.category, list(tags), "", links))
    about = ", ".join(filter(None, [pack.author, pack.licence]))
    order = list(dict.fromkeys(item.category for item in pack.items))
    entries.sort(key=lambda entry: order.index(entry.category))
    return page(pack.title, entries, about)


def _grid(members: Sequence[plan.Item], made: dict[str, Facts], folder: Path) -> Entry:
    """The entry of a grid, with those pitches of which every row was made."""
    rows: dict[float, list[plan.Item]] = defaultdict(list)
    for item in members:
        assert isinstance(item.source, Sweep)
        rows[item.source.pitch].append(item)
    row_count = max(map(len, rows.values()))
    pitches = [pitch for pitch in sorted(rows) if len(rows[pitch]) == row_count]
    loaders = [_loader(made[item.name], folder) for pitch in pitches for item in rows[pitch]]
    first = members[0]
    assert isinstance(first.source, Sweep)
    corners = [corner.name for corner in first.source.corners]
    corners = corners if len(corners) <= 4 else []  # a pad cannot name sounds between its corners
    return Entry(first.grid, loaders, pitches, corners, first.category, list(first.tags))


def _loader(facts: Facts, folder: Path) -> partial[Table]:
    return partial(registry.read, folder / _best(facts))


def _best(facts: Facts) -> str:
    """The table's file in a format that loses nothing, or in another where there is none."""
    tables: dict[str, str] = facts["tables"]
    return min(tables.items(), key=lambda table: not registry.FORMATS[table[0]].exact)[1]


def _version(name: str) -> str:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return "(not installed)"


def _write(path: Path, text: str) -> None:
    with atomic(path, True) as temporary:
        temporary.write_bytes(text.encode())
