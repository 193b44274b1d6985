"""make-wavetable report: the quality of the shipped network beside PCA and the classical methods."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial
from typing import Annotated, Any

import typer

from wavetables.cli.common import Json, Quiet, Soundfonts, emit, say

SCORES = {  # of a blend: what it is called, and whether more of it is better
    "monotone": ("monotone descriptors, 0..1", True),
    "step": ("largest / mean step", False),
    "step_even": ("largest / mean step, re-spaced", False),
    "dip": ("level dip, dB", False),
}
OCTAVES = {"network": "network", "number": "by number", "hertz": "in Hz", "mean": "mean of both"}
TIE = 0.005
WIDTH = 11


def report(
    limit: Annotated[int | None, typer.Option(min=4, metavar="N", help="A quick look at so many instruments.")] = None,
    soundfonts: Soundfonts = None,
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Measure the network beside PCA and the classical methods.

    On instruments it was never trained on. Every row names the best of its columns.
    """
    from nsynth_core.training import evaluation

    found = evaluation.report(soundfonts=soundfonts, limit=limit, progress=partial(say, quiet=quiet))
    if as_json:
        emit(found)
    else:
        print("\n".join(lines(found)))


def lines(found: Mapping[str, Any]) -> Iterator[str]:
    """The figures of `evaluation.report` as a table of text."""
    yield f"{found['notes']} notes of {found['sources']} held-out instruments, weights {found['weights']}"
    coded = found["reconstruction"]
    yield from _head(f"reconstruction with {found['dims']} numbers a frame, dB", ("network", "pca"), "network/pca")
    whole = {"all": coded, "recordings": coded.get("recordings"), "closed forms": coded.get("closed_forms")}
    for name, row in {**whole, **{f"  {family}": row for family, row in coded.get("families", {}).items()}}.items():
        if row:
            yield _row(name, {"network": row["network"], "pca": row["pca"]}, False, row["network"] / row["pca"])
    octaves = found["octaves"]
    yield from _head("the same note one or two octaves away, dB", OCTAVES.values(), "network/mean")
    yield _row("all", {label: octaves[key] for key, label in OCTAVES.items()}, False, octaves["ratio"])
    blends = found["blends"]
    yield from _head("blends of two notes", blends)
    for key, (label, more) in SCORES.items():
        yield _row(label, {name: scores[key] for name, scores in blends.items()}, more)
    between = found["between"]
    yield from _head("a patch's knob turned partly, dB", blends, "to the better")
    yield _row("all knobs", {name: between[name] for name in blends}, False, between["ratio"])
    for knob in between["knobs"]["harmonic"]:
        yield _row(f"  {knob}", {name: between["knobs"][name][knob] for name in blends}, False)
    ends = found["ends"]
    yield from _head("ends: median error of the partials, dB", ("no network", "mix 0", "mix 1"))
    yield _row("all", {"no network": ends["plain"], "mix 0": ends["mix0"], "mix 1": ends["mix1"]}, None)
    speed = found["speed"]
    yield from _head("speed: decoding, times real time", ("median", "slowest"))
    yield _row("48 kHz stereo", dict(speed), None)


def _head(title: str, columns: Any, ratio: str = "") -> Iterator[str]:
    yield ""
    cells = "".join(f"{column:>{WIDTH + 2}}" for column in columns)
    yield f"{title:<44}{cells}" + (f"{ratio:>{WIDTH + 2}}" if ratio else "")


def _row(label: str, values: Mapping[str, float], more: bool | None, ratio: float | None = None) -> str:
    """One line; `more`: more is better, less is, or (None) there is nothing to win."""
    cells = "".join(f"{value:>{WIDTH + 2}.2f}" for value in values.values())
    tail = "" if ratio is None else f"{ratio:>{WIDTH + 2}.2f}"
    return f"  {label:<42}{cells}{tail}" + ("" if more is None else f"   best: {best(values, more)}")


def best(values: Mapping[str, float], more: bool) -> str:
    """The names of the best values; values within half a percent share the place."""
    top = max(values.values()) if more else min(values.values())
    return " = ".join(name for name, value in values.items() if abs(value - top) <= TIE * max(abs(top), TIE))
