"""make-wavetable report: the quality of the shipped engine beside the classical methods."""

from __future__ import annotations

from wavetables.cli.common import Json, Quiet, emit, progress


def report(as_json: Json = False, quiet: Quiet = False) -> None:
    """Measure the engine beside PCA and the classical methods."""
    from nsynth_core import report as measuring  # type: ignore[attr-defined]

    with progress("report", quiet) as update:
        found = measuring.run(update)
    if as_json:
        emit(found.to_dict())
    else:
        print(found)
