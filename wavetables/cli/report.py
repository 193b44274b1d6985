"""make-wavetable report: figures of the shipped network beside PCA and the classical methods."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from typing import Annotated, Any

import typer

from wavetables.cli.console import emit, say
from wavetables.cli.options import Json, Quiet, Soundfonts

SCORES = {  # of a blend: its name, and whether more is better
    "monotone": ("monotone descriptors, 0..1", True),
    "step": ("largest / mean step", False),
    "step_even": ("largest / mean step, re-spaced", False),
    "dip": ("level dip, dB", False),
}
OCTAVES = {"network": "network", "number": "by number", "hertz": "in Hz", "mean": "mean of both"}
ENDS = {"plain": "no network", "mix0": "mix 0", "mix1": "mix 1"}
PARTS = {
    "partials": "partials, dB",
    "noise": "noise bands, dB",
    "balance": "level between channels, dB",
    "correlation": "correlation of channels",
}
HALFWAY = {
    "between": "a patch's knob turned partly, dB",
    "between_synth": "Vital's knobs, dB",
    "between_voices": "voices halfway from vowel to vowel, dB",
}
HEARD = {"plain": "no network", "engine": "the engine", "code": "code alone"}
RECORDED = "of them recordings"
GOALS = (  # name, place in the figures, floor, goal; a ratio is to the baseline
    ("reconstruction, to PCA", ("reconstruction", "ratio"), 0.80, 0.65),
    ("reconstruction, dB", ("reconstruction", "network"), math.inf, 3.0),
    ("out of domain, to PCA", ("out_of_domain", "ratio"), 0.85, 0.70),
    ("other octaves, to the mean of both", ("octaves", "ratio"), 0.90, 0.80),
    ("knob turned partly, to the better", ("between", "ratio"), 1.0, 0.75),
    ("Vital's knob turned partly, to the better", ("between_synth", "ratio"), 1.0, 0.75),
    ("monotone descriptors", ("blends", "harmonic", "monotone"), 0.92, 0.96),
    ("largest / mean step, re-spaced", ("blends", "harmonic", "step_even"), 1.2, 1.1),
    ("level dip, dB", ("blends", "harmonic", "dip"), 0.5, 0.3),
    ("ends: partials, dB", ("ends", RECORDED, "mix1", "partials"), 1.0, 0.5),
    ("ends: noise bands, dB", ("ends", RECORDED, "mix1", "noise"), 2.0, 1.0),
    ("ends: level between channels, dB", ("ends", RECORDED, "mix1", "balance"), 1.0, 0.5),
    ("ends: correlation of channels", ("ends", RECORDED, "mix1", "correlation"), 0.1, 0.05),
    ("perceptual distance, to no network", ("perceptual", "engine_ratio"), 1.3, 1.1),
    ("  of the code alone", ("perceptual", "code_ratio"), 1.3, 1.1),
    ("decoding on two threads, x real time", ("speed", "two_threads"), 40.0, 100.0),
    ("weights, MB", ("weights_mb",), 4.0, 3.0),
)
TIE = 0.005  # values within half a percent share the best place
WIDTH = 11  # of a column
STAGES = {  # of the work, in words
    "held_out": "rendering the held-out instruments",
    "reconstruction": "reconstruction",
    "out_of_domain": "sounds of other kinds",
    "octaves": "the same notes in other octaves",
    "blends": "blends",
    "between": "patches halfway",
    "between_synth": "a real synth's patches halfway",
    "between_voices": "voices halfway from vowel to vowel",
    "ends": "ends",
    "perceptual": "perceptual distance",
    "speed": "speed",
}
Limit = Annotated[
    int | None,
    typer.Option(min=4, metavar="N", help="Measure N instruments of each kind, for a quick look. Default: all."),
]


def report(limit: Limit = None, soundfonts: Soundfonts = None, quiet: Quiet = False, as_json: Json = False) -> None:
    """Measure the network beside PCA and the classical methods.

    The sounds are instruments, voices and synth patches that it was not trained on. Each row names the best of its
    columns.

    \b
    make-wavetable report --limit 8
    """
    from nsynth_core.training import evaluation

    figures = evaluation.report(soundfonts=soundfonts, limit=limit, progress=lambda stage: say(STAGES[stage], quiet))
    if as_json:
        emit(figures)
    else:
        print("\n".join(lines(figures)))


def lines(figures: Mapping[str, Any]) -> Iterator[str]:
    """The figures of `evaluation.report` as tables of text. What was not measured has no table."""
    yield f"{figures['notes']} notes of {figures['sources']} held-out instruments, weights {figures['weights']}"
    coded = figures["reconstruction"]
    yield from _head(f"reconstruction with {figures['dims']} numbers a frame, dB", ("network", "pca"), "network/pca")
    whole = {"all": coded, "recordings": coded.get("recordings"), "closed forms": coded.get("closed_forms")}
    yield from _to_pca({**whole, **_indented(coded.get("families", {}))})
    if other := figures.get("out_of_domain"):
        yield from _head("sounds of other kinds than it learnt, dB", ("network", "pca"), "network/pca")
        yield from _to_pca({"all kinds": other, **_indented(other["kinds"])})
    octaves = figures["octaves"]
    yield from _head("the same note one or two octaves away, dB", OCTAVES.values(), "network/mean")
    yield _row("all", {label: octaves[key] for key, label in OCTAVES.items()}, False, octaves["ratio"])
    if blends := figures["blends"]:
        yield from _head("blends of two notes", blends)
        for key, (label, more) in SCORES.items():
            yield _row(label, {name: scores[key] for name, scores in blends.items()}, more)
    for key, title in HALFWAY.items():
        if between := figures.get(key):
            engines = between["knobs"]
            yield from _head(title, engines, "to better")
            yield _row("all of them", {name: between[name] for name in engines}, False, between["ratio"])
            for knob in next(iter(engines.values())):
                yield _row(f"  {knob}", {name: errors[knob] for name, errors in engines.items()}, False)
    for kind, errors in figures["ends"].items():
        yield from _head(f"ends: median errors, {kind}", ENDS.values())
        for part, label in PARTS.items():
            if part in errors["plain"]:
                yield _row(label, {name: errors[key][part] for key, name in ENDS.items()}, None)
    if distances := figures.get("perceptual"):
        yield from _head("perceptual distance, in thousandths", HEARD.values())
        yield _row("Zimtohrli", {name: 1000 * distances[key] for key, name in HEARD.items()}, None)
    speed = figures["speed"]
    yield from _head("speed: decoding, times real time", ("median", "slowest", "two threads"))
    yield _row("48 kHz stereo", {key: speed[key] for key in ("median", "slowest", "two_threads")}, None)
    yield from _head("goals", ("measured", "floor", "goal"))
    yield from _goals(figures)
    for line in figures.get("left_out", ()):
        yield f"left out: {line}"


def _goals(figures: Mapping[str, Any]) -> Iterator[str]:
    for label, path, floor, goal in GOALS:
        value: Any = figures
        for key in path:
            value = (value or {}).get(key)
        if value is None:
            yield f"  {label:<42}{'not measured':>{WIDTH + 2}}"
            continue
        sign = 1 if goal > floor else -1
        reached = [name for name, wanted in (("goal", goal), ("floor", floor)) if sign * value >= sign * wanted]
        verdict = f"{reached[0]} reached" if reached else "short of the floor"
        yield _row(label, {"measured": value, "floor": floor, "goal": goal}, None) + f"   {verdict}"


def _to_pca(rows: Mapping[str, Mapping[str, float] | None]) -> Iterator[str]:
    for name, row in rows.items():
        if row:
            yield _row(name, {"network": row["network"], "pca": row["pca"]}, False, row["network"] / row["pca"])


def _indented(rows: Mapping[str, Any]) -> dict[str, Any]:
    return {f"  {name}": row for name, row in rows.items()}


def _head(title: str, columns: Iterable[str], ratio: str = "") -> Iterator[str]:
    yield ""
    cells = "".join(f"{column:>{WIDTH + 2}}" for column in columns)
    yield f"{title:<44}{cells}" + (f"{ratio:>{WIDTH + 2}}" if ratio else "")


def _row(label: str, values: Mapping[str, float], more: bool | None, ratio: float | None = None) -> str:
    """One line of a table. `more`: True where more is better, False where less is, None where no column can win."""
    cells = "".join(f"{value:>{WIDTH + 2}.2f}" for value in values.values())
    tail = "" if ratio is None else f"{ratio:>{WIDTH + 2}.2f}"
    return f"  {label:<42}{cells}{tail}" + ("" if more is None else f"   best: {best(values, more)}")


def best(values: Mapping[str, float], more: bool) -> str:
    """The names of the best values. Values within half a percent of the best share its place.

    >>> best({"network": 2.9, "pca": 5.7}, more=False)
    'network'
    """
    top = max(values.values()) if more else min(values.values())
    return " = ".join(name for name, value in values.items() if abs(value - top) <= TIE * max(abs(top), TIE))
