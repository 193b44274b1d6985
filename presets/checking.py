"""Checks of TOML files: their bytes, their values against a schema, and one line about what is wrong.

The line names the file, the key, the value and what is legal.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from nsynth_core.errors import UserError, did_you_mean
from nsynth_core.files import is_reserved_name

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

MAX_BYTES = 100_000

Line = Annotated[str, Field(min_length=1, max_length=300, pattern=r"^[^\x00-\x1f\x7f]+$")]
Name = Annotated[str, Field(pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$", max_length=40)]


class StrictModel(BaseModel):
    """Values of exactly the declared types, with no other keys."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False, hide_input_in_errors=True)


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


def first_problem(error: ValidationError, model: type[BaseModel], depth: int = 0) -> str:
    """One line about the first problem: the key, its value, what is legal, and how many more problems there are.

    depth: how many keys lead to the values of `model`; they are left out
    """
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
