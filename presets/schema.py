"""The schema of preset files; what breaks it is one line that names the file, the key, the value and what is legal."""

from __future__ import annotations

import math
import sys
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, ValidationInfo, field_validator, model_validator

from nsynth_core.errors import UsageError, UserError
from nsynth_core.files import is_reserved_name
from nsynth_core.sound.knobs import RANGES, Knobs, envelope_of

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

MAX_BYTES = 100_000
MAX_PITCHES = 128
MAX_NOTES = 10_000
CORNERS = (2, 4, 9, 16, 25, 36, 49, 64)  # a line, or a square
MAX_SOUND_SECONDS = 43_200.0  # twelve hours: 12 GB of 24-bit 48 kHz stereo; NSynth's own grid takes eleven

Line = Annotated[str, Field(min_length=1, max_length=300, pattern=r"^[^\x00-\x1f\x7f]+$")]
Name = Annotated[str, Field(pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$", max_length=40)]


def knob_field(name: str, default: float, what: str) -> Any:
    """The field of a knob, a number within its range. `what` says what the knob does."""
    low, high = RANGES[name]
    return Field(default, ge=low, le=high, strict=False, description=f"{what}, {low:g}..{high:g}")


class StrictModel(BaseModel):
    """Values of exactly the declared types, with no other keys."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False, hide_input_in_errors=True)


class InstrumentEntry(StrictModel):
    """One built-in instrument: what it is, where it comes from, and under which licence."""

    name: Name
    family: Line
    source: Line
    licence: Line
    description: Line


class _InstrumentFile(StrictModel):
    instrument: list[InstrumentEntry]


class Preset(StrictModel):
    """A recipe of a grid: corner instruments x mixes x pitches.

    `corners` are built-in instruments or, in a user's file, sounds (a Path each): two make a line, else they are a
    square row by row (top-left, top-right, bottom-left, bottom-right). `pitches` are MIDI numbers, ascending.
    """

    title: Line = Field(description="one line of text, at most 300 characters")
    why: Line = Field(description="one line that says why it sounds interesting, at most 300 characters")
    corners: tuple[str | Path, ...] = Field(
        description="2 or 4 instrument names or sounds (top-left, top-right, bottom-left, bottom-right), or n x n"
    )
    mixes: int = Field(5, ge=2, le=33, description="a whole number of mix points from sound to sound, 2..33")
    pitches: tuple[float, ...] = Field(
        description=f"1..{MAX_PITCHES} MIDI numbers 0..127 or note names, as a list or as {{from, to, step}}"
    )
    seconds: float = Field(4.0, ge=0.1, le=60, strict=False, description="the length of a note, 0.1..60 seconds")
    rate: Literal[44100, 48000, 88200, 96000] = Field(48000, description="44100, 48000, 88200 or 96000 Hz")
    weights: Literal["bilinear", "nsynth"] = Field("bilinear", description='"bilinear" or "nsynth"')
    detail: float = knob_field("detail", 1.0, "how much of what the network misses is kept")
    brightness: float = knob_field("brightness", 0.0, "tilt in dB an octave")
    noise: float = knob_field("noise", 1.0, "factor of the noise")
    width: float = knob_field("width", 1.0, "factor of the stereo width")
    envelope: str = Field("mix", description='whose level curve: a corner\'s letter ("A" is the first) or "mix"')
    stereo: Literal["mono", "lr", "ms"] = Field("mono", description='kind of tables: "mono", "lr" or "ms"')

    @property
    def side(self) -> int:
        """Columns of the mix plane: the corners lie on points."""
        between = 1 if len(self.corners) == 2 else math.isqrt(len(self.corners)) - 1
        return (self.mixes - 1) * between + 1

    @property
    def rows(self) -> int:
        """Rows of the mix plane: as many as columns in a square, one between two corners."""
        return 1 if len(self.corners) == 2 else self.side

    @property
    def knobs(self) -> Knobs:
        """The knobs as the renderer takes them."""
        envelope = envelope_of(self.envelope, len(self.corners))
        return Knobs(self.detail, self.brightness, self.noise, self.width, envelope)

    @property
    def tables(self) -> int:
        """How many tables the grid has: one a row and pitch, its frames walk the columns."""
        return self.rows * len(self.pitches)

    @property
    def notes(self) -> int:
        """How many notes the grid has."""
        return self.rows * self.side * len(self.pitches)

    @field_validator("seconds", *RANGES, mode="before")
    @classmethod
    def _no_truth_value(cls, value: object) -> object:
        if isinstance(value, (bool, str)):
            raise ValueError
        return value

    @field_validator("corners", mode="before")
    @classmethod
    def _known_corners(cls, value: object, info: ValidationInfo) -> object:
        if isinstance(value, tuple):  # checked already: TOML has no tuples
            return value
        if not isinstance(value, list) or len(value) not in CORNERS or not all(isinstance(each, str) for each in value):
            raise ValueError
        return tuple(corner_beside(each, info.context) for each in value)

    @field_validator("pitches", mode="before")
    @classmethod
    def _expand_pitches(cls, value: object) -> object:
        return value if isinstance(value, tuple) else parse_pitches(value)

    @model_validator(mode="after")
    def _known_envelope(self) -> Preset:
        try:
            envelope_of(self.envelope, len(self.corners))
        except UsageError as error:
            raise ValueError(str(error)) from error
        return self

    @model_validator(mode="after")
    def _not_absurd(self) -> Preset:
        if self.notes > MAX_NOTES:
            raise ValueError(f"{self.notes} notes (mixes x pitches); at most {MAX_NOTES} are rendered at once")
        if self.notes * self.seconds > MAX_SOUND_SECONDS:
            hours, most = self.notes * self.seconds / 3600, MAX_SOUND_SECONDS / 3600
            raise ValueError(f"{hours:.0f} hours of sound (notes x seconds); at most {most:.0f} are rendered at once")
        return self


def check_name(name: str) -> str:
    """`name` when it is safe as a file name on Linux, macOS and Windows. Raises ValueError that says why it is not."""
    if not name.strip(" .") or any(ord(letter) < 32 or letter in '<>:"/\\|?*\x7f' for letter in name):
        raise ValueError(f"{name!r} is no file name on every system")
    if is_reserved_name(name):
        raise ValueError(f"{name!r} is a reserved name on Windows")
    return name


def read(path: Path) -> bytes:
    """The bytes of a preset file. Raises UserError: missing, a folder, unreadable, too large to be one."""
    try:
        if not path.exists():
            raise UserError(f"{path}: no such preset file")
        if path.is_dir():
            raise UserError(f"{path} is a folder; a preset is a .toml file")
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except (OSError, ValueError) as error:  # ValueError: a NUL in the name
        raise UserError(f"{path}: cannot be read: {getattr(error, 'strerror', None) or error}") from error
    if len(data) > MAX_BYTES:
        raise UserError(f"{path}: larger than {MAX_BYTES // 1000} kB, so no preset")
    return data


def parse(data: bytes, name: str, file: str, folder: Path | None) -> Preset:
    """The preset in the TOML text `data`; `file` is what errors call it.

    Corners that are no built-in instruments are sounds relative to `folder`; None allows only instruments.
    """
    try:
        check_name(name)
        return Preset.model_validate(parse_toml(data, file), context={"folder": folder})
    except ValidationError as error:
        raise UserError(f"{file}: {first_problem(error, Preset)}") from error
    except ValueError as error:
        raise UserError(f"{file}: {error}; rename the file") from error


def parse_settings(data: Mapping[str, object], file: str) -> Preset:
    """The preset of keys that are of their types already; `file` is what errors call it. Raises UserError."""
    try:
        return Preset.model_validate(data)
    except ValidationError as error:
        raise UserError(f"{file}: {first_problem(error, Preset)}") from error


def change(preset: Preset, changes: Mapping[str, object]) -> Preset:
    """`preset` with some keys changed, checked again. Raises UsageError."""
    try:
        return Preset.model_validate({**{key: getattr(preset, key) for key in Preset.model_fields}, **changes})
    except ValidationError as error:
        raise UsageError(first_problem(error, Preset)) from error


def parse_instruments(data: bytes, file: str) -> tuple[InstrumentEntry, ...]:
    """The entries of instruments.toml. Raises UserError when it breaks the schema."""
    try:
        return tuple(_InstrumentFile.model_validate(parse_toml(data, file)).instrument)
    except ValidationError as error:
        raise UserError(f"{file}: {first_problem(error, InstrumentEntry)}") from error


def parse_toml(data: bytes, file: str) -> dict[str, Any]:
    """The values of a TOML file's bytes. `file` is its name in errors. Raises UserError: not UTF-8, or not TOML.

    >>> parse_toml(b"mixes = 5", "mine.toml")
    {'mixes': 5}
    """
    try:
        return tomllib.loads(data.decode("utf-8-sig").replace("\r\n", "\n"))
    except UnicodeDecodeError as error:
        raise UserError(f"{file}: not a TOML file: not UTF-8 text (byte {error.start})") from error
    except (ValueError, RecursionError) as error:  # TOMLDecodeError is a ValueError; so is a number of 5000 digits
        raise UserError(f"{file}: not a TOML file: {str(error) or 'nested too deeply'}") from error


def corner_beside(text: str, context: Any) -> str | Path:
    """The corner that a file names: a built-in instrument, or a sound beside or below the file.

    context: pydantic's, which holds the file's own "folder"; None allows only instruments
    Raises ValueError: there is no such instrument or sound, or it lies outside the folder.

    >>> corner_beside("flute", None)
    'flute'
    """
    from presets import did_you_mean, given_pitch, instruments

    known = [entry.name for entry in instruments()]
    if text in known:
        return text
    folder: Path | None = (context or {}).get("folder")
    parts = PurePosixPath(text.replace("\\", "/")).parts
    if text.startswith(("/", "\\", "~")) or ".." in parts:
        raise ValueError(f"{text!r} leaves the folder of this file; put the sound beside or below it")
    for part in parts:
        check_name(part)
    if folder is not None and parts and given_pitch(folder.joinpath(*parts))[0].exists():
        return folder.joinpath(*parts)
    if folder is not None and (len(parts) > 1 or "." in text):
        raise ValueError(f"{text!r}: no such sound beside this file")
    hint = did_you_mean(text, known) or "'make-wavetable presets' lists them"
    raise ValueError(f"{text!r}: no instrument has that name; {hint}")


def parse_pitches(value: object) -> tuple[float, ...]:
    """MIDI numbers, rising, from a list of MIDI numbers and note names, or from {from, to, step}.

    Raises ValueError: no pitch, outside 0..127, named twice, or too many.

    >>> parse_pitches(["C3", 60])
    (48.0, 60.0)
    >>> parse_pitches({"from": "C2", "to": "C3", "step": 6})
    (36.0, 42.0, 48.0)
    """
    from nsynth_core.notes import parse_pitch

    def one(item: object) -> float:
        if isinstance(item, bool) or not isinstance(item, (int, float, str)):
            raise ValueError(f"pitch {item!r} is neither a MIDI number nor a note name")
        try:
            midi = parse_pitch(item) if isinstance(item, str) else float(item)
        except UserError as error:
            raise ValueError(str(error)) from error
        if not 0 <= midi <= 127:
            raise ValueError(f"pitch {item!r} is outside 0..127")
        return midi

    if isinstance(value, dict):
        if set(value) != {"from", "to", "step"}:
            raise ValueError(f"pitches has the keys {', '.join(map(str, value))}; it needs from, to and step")
        low, high, step = one(value["from"]), one(value["to"]), value["step"]
        if isinstance(step, bool) or not isinstance(step, (int, float)) or not step > 0 or low > high:
            raise ValueError("pitches needs from <= to and a step above 0")
        count = (high - low) / step + 1e-9 + 1
        if not count < MAX_PITCHES + 1:
            raise ValueError(f"pitches makes {count:.0f} pitches; at most {MAX_PITCHES}")
        return tuple(low + index * float(step) for index in range(int(count)))
    if not isinstance(value, list) or not 1 <= len(value) <= MAX_PITCHES:
        raise ValueError
    pitches = tuple(sorted(one(item) for item in value))
    if len(set(pitches)) < len(pitches):
        raise ValueError("pitches names one pitch twice")
    return pitches


def first_problem(error: ValidationError, model: type[BaseModel], depth: int = 0) -> str:
    """One line about the first problem: the key, its value, what is legal, and how many more problems there are.

    depth: how many keys lead to the values of `model`; they are left out
    """
    from presets import did_you_mean

    first, *more = error.errors(include_url=False)
    path = [str(step) for step in first["loc"][depth:]]
    name = ".".join(path)
    key = next((step for step in path if step in model.model_fields), "")
    legal = (key and model.model_fields[key].description) or ""
    if first["type"] == "extra_forbidden":
        known = list(model.model_fields)
        line = f"unknown key {name!r}; {did_you_mean(path[-1], known) or 'legal: ' + ', '.join(known)}"
    elif first["type"] == "missing":
        line = f"the key {name!r} is missing" + (f": {legal}" if legal else "")
    elif first["type"] == "value_error" and str(first["ctx"]["error"]):  # ours; an empty one means: say what is legal
        line = str(first["ctx"]["error"])
    else:
        shown = repr(first["input"])
        line = f"{name} = {shown if len(shown) <= 60 else shown[:57] + '...'}; legal: {legal or first['msg']}"
    return line + (f" (and {len(more)} more)" if more else "")
