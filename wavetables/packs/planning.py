"""Plans of packs: a recipe, or a folder of recordings, becomes the list of tables that are to be made."""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Literal

import presets
from nsynth_core.blending.engine import ENGINES
from nsynth_core.errors import NotWritable, UsageError, UserError
from nsynth_core.sound.knobs import Knobs
from nsynth_core.wavenet.options import NSynthOptions
from wavetables import pictures
from wavetables.packs import names
from wavetables.packs.plan import (
    FORMATS,
    LEVELS,
    LOUDEST,
    PICTURES,
    QUIETEST,
    Corner,
    Item,
    Pack,
    Recording,
    Sweep,
    check_choice,
)
from wavetables.packs.recipe import GridEntry, SweepEntry, TableEntry, read_licence, read_recipe
from wavetables.packs.sweeps import load_sound
from wavetables.sources import SOURCE_SUFFIXES
from wavetables.table import MAX_FRAMES

MAX_TABLES = 20_000  # more are a typing error
RECORDINGS, BLENDS = "Recordings", "Blends"  # the categories of tables without one of their own
CHOICES = {  # the legal words of each setting that has some
    "formats": ("format", FORMATS),
    "level": ("way to level", LEVELS),
    "pictures": ("choice of pictures", PICTURES),
    "engine": ("engine", ENGINES),
}
SETTINGS = (*CHOICES, "title", "author", "licence", "description", "loudness", "frames", "samples", "previews")
NamedItem = tuple[Item, list[str]]  # an item without a name, and the names it would like, best first


def plan_pack(
    source: str | Path, output: str | Path | None = None, *, nsynth: NSynthOptions | None = None, **settings: object
) -> tuple[Pack, Path]:
    """The plan of a pack, and the folder in which it is to be made. Nothing is written.

    The parameters are those of `wavetables.packs.make_pack`.
    Raises UserError: no recipe or folder, a recipe that breaks the schema, no recording, an output within the source.
    Raises UsageError: a setting that does not exist or has no such value; `nsynth` without a sweep or with knobs.

    >>> import tempfile
    >>> from nsynth_core import audio
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     audio.write(Path(folder, "soft_horn_A2.wav"), audio.sine(110.0))
    ...     pack, output = plan_pack(folder, "First Light", author="Me")
    >>> [item.name for item in pack.items], str(output)
    (['Soft Horn A2'], 'First Light')
    """
    given = check_settings(settings)
    path = Path(source)
    if path.is_dir():
        empty = replace(Pack(names.tidy(path.resolve().name), pictures=default_pictures()), **given)  # type: ignore[arg-type]
        folder = (
            Path(output) if output is not None else Path(empty.title if "title" in given else f"{empty.title} Pack")
        )
        if folder.resolve().is_relative_to(path.resolve()):
            raise NotWritable(folder, f"it lies in {path}, whose recordings are packed")
        pack = of_folder(path, empty)
    else:
        pack = replace(of_recipe(path), **given)  # type: ignore[arg-type]
        folder = Path(pack.title if output is None else output)
    return (pack if nsynth is None else with_nsynth(pack, nsynth)), folder


def check_settings(settings: Mapping[str, object]) -> dict[str, object]:
    """The settings that are given, None left out. Raises UsageError for an unknown one, or a value that is not legal.

    >>> check_settings({"level": "frame", "title": None})
    {'level': 'frame'}
    """
    given = {name: value for name, value in settings.items() if value is not None}
    for name, value in given.items():
        if name not in SETTINGS:
            hint = presets.did_you_mean(name, list(SETTINGS)) or f"legal: {', '.join(SETTINGS)}"
            raise UsageError(f"a pack has no setting {name!r}; {hint}")
        if name in CHOICES:
            what, legal = CHOICES[name]
            for word in value if isinstance(value, tuple) else (value,):
                check_choice(str(word), legal, what)
    if "title" in given:
        names.check(str(given["title"]))
    for name, low, high in (("loudness", QUIETEST, LOUDEST), ("frames", 1, MAX_FRAMES)):
        value = given.get(name, low)
        assert isinstance(value, (int, float))
        if not low <= value <= high:
            raise UsageError(f"{name} {value:g} is outside {low:g}..{high:g}")
    return given


def of_recipe(path: Path) -> Pack:
    """The plan of a recipe file. Raises UserError that names the file, the key, the value and what is legal."""
    recipe = read_recipe(path)
    titles = names.unique([[entry.name or entry.preset.title] for entry in recipe.grid])
    items = [
        *(item for entry in recipe.table for item in _recordings(entry)),
        *(item for entry in recipe.sweep for item in _sweeps(entry)),
        *(item for entry, title in zip(recipe.grid, titles, strict=True) for item in _grid_rows(entry, title)),
    ]
    pack = Pack(
        title=recipe.title,
        author=recipe.author,
        licence=recipe.licence,
        licence_text=read_licence(recipe, path),
        description=recipe.description,
        formats=recipe.formats,
        loudness=recipe.loudness,
        level=recipe.level,
        frames=recipe.frames,
        engine=recipe.engine,
        samples=recipe.samples,
        previews=recipe.previews,
        pictures=recipe.pictures or default_pictures(),
    )
    return _with_items(pack, items, path)


def of_folder(folder: Path, pack: Pack) -> Pack:
    """`pack` with a table for every recording in `folder`. Its subfolders are the categories. Raises UserError: none.

    >>> import tempfile
    >>> from nsynth_core import audio
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     audio.write(Path(folder, "reeds", "oboe.wav"), audio.sine(220.0))
    ...     (item,) = of_folder(Path(folder), Pack("Sounds")).items
    >>> item.name, item.category
    ('Oboe', 'Reeds')
    """
    return _with_items(pack, list(_folder_recordings(folder, None, ())), folder)


def with_nsynth(pack: Pack, options: NSynthOptions) -> Pack:
    """`pack` with its sweeps made by NSynth. Raises UsageError: there are none, or one turns a knob, which NSynth has
    not."""
    sweeps = {item.name: item.source for item in pack.items if isinstance(item.source, Sweep)}
    if pack.engine != "nsynth":
        raise UsageError(f"the engine is {pack.engine}, which has no use for a checkpoint of NSynth")
    if not sweeps:
        raise UsageError("the pack holds no sweep or grid, and recordings are not blended, so NSynth has nothing to do")
    turned = [name for name, sweep in sweeps.items() if sweep.knobs != Knobs()]
    if turned:
        raise UsageError(f"{turned[0]}: turns a knob of the other engines; NSynth has none, take it out of the recipe")
    # workers may run in another folder
    return replace(pack, nsynth=replace(options, checkpoint=options.checkpoint.absolute()))


def default_pictures() -> Literal["none", "sheet"]:
    """Contact sheets where matplotlib is installed."""
    return "sheet" if pictures.can_draw() else "none"


# ---------------------------------------------------------------------------------------------------------------- items
def _with_items(pack: Pack, items: Sequence[NamedItem], source: Path) -> Pack:
    """`pack` with `items` under unique names."""
    if not 1 <= len(items) <= MAX_TABLES:
        raise UserError(f"{len(items)} tables; a pack has 1..{MAX_TABLES}", path=source)
    chosen = names.unique([wishes for _, wishes in items])
    return replace(pack, items=tuple(replace(item, name=name) for (item, _), name in zip(items, chosen, strict=True)))


def _recordings(entry: TableEntry) -> Iterator[NamedItem]:
    path, pitch = presets.given_pitch(entry.source)
    if path.is_dir():
        yield from _folder_recordings(path, entry.category, entry.tags)
        return
    wishes = [entry.name] if entry.name is not None else names.of_recording(Path(path.parent.name, path.name))
    yield Item("", entry.category or RECORDINGS, Recording(path, pitch), entry.tags), wishes


def _folder_recordings(folder: Path, category: str | None, tags: tuple[str, ...]) -> Iterator[NamedItem]:
    try:
        files = [path for path in folder.rglob("*") if path.suffix.lower() in SOURCE_SUFFIXES and path.is_file()]
    except OSError as error:
        raise UserError(f"this folder cannot be read: {error.strerror}", path=folder) from error
    visible = [path for path in files if not any(part.startswith(".") for part in path.relative_to(folder).parts)]
    if not visible:
        raise UserError("no sound file in this folder", path=folder)
    # the same order on every system: macOS decomposes letters, Linux does not sort
    visible.sort(key=lambda path: unicodedata.normalize("NFC", path.relative_to(folder).as_posix()))
    for path in visible:
        below = path.relative_to(folder)
        own_category = names.tidy(below.parts[0]) if len(below.parts) > 1 else RECORDINGS
        yield Item("", category or own_category, Recording(path), tags), names.of_recording(below)


def _sweeps(entry: SweepEntry) -> Iterator[NamedItem]:
    corners = tuple(map(_corner, entry.sounds))
    base = entry.name or "-".join(corner.name for corner in corners)
    category = entry.category or BLENDS
    for pitch in entry.pitches:
        sweep = Sweep(corners, pitch, entry.start, entry.end, knobs=Knobs(entry.detail, entry.brightness))
        yield Item("", category, sweep, entry.tags), _wishes(base, pitch, category)


def _grid_rows(entry: GridEntry, title: str) -> Iterator[NamedItem]:
    """The tables of a grid: one for each row and pitch. The page calls the grid `title`."""
    preset = entry.preset
    corners = tuple(map(_corner, preset.corners))
    columns = 2 if len(corners) == 2 else math.isqrt(len(corners))
    lines = ["-".join(corner.name for corner in corners[k : k + columns]) for k in range(0, len(corners), columns)]
    category = entry.category or names.safe(preset.title)
    for pitch in entry.pitches or preset.pitches:
        for row in range(preset.rows):
            y = row / max(preset.rows - 1, 1)
            above = int(y * (len(lines) - 1))
            percent = round(100 * (y * (len(lines) - 1) - above))
            base = lines[above] if percent == 0 else f"{lines[above]} {100 - percent}-{percent} {lines[above + 1]}"
            sweep = Sweep(corners, pitch, (0.0, y), (1.0, y), preset.weights, preset.knobs)
            yield Item("", category, sweep, entry.tags, title), _wishes(base, pitch, category)


def _wishes(base: str, pitch: float, category: str) -> list[str]:
    """The names that a sweep would like: "Flute-Choir C3", and with its category where that is taken."""
    own = f"{base} {names.pitch_label(pitch)}"
    return [own, f"{own} ({category})"]


def _corner(spec: str | Path) -> Corner:
    if isinstance(spec, str):
        licence = next(entry.licence for entry in presets.instruments() if entry.name == spec)
        return Corner(names.tidy(spec), partial(presets.load_instrument, spec), (), None, licence)
    path, pitch = presets.given_pitch(spec)
    files = tuple(sorted(file for file in path.iterdir() if file.is_file())) if path.is_dir() else (path,)
    return Corner(names.tidy(path.stem.removesuffix("_embeddings")), partial(load_sound, path, pitch), files, pitch)
