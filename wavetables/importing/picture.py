"""A picture of an import: the pitch track over the spectrogram, the places where frames were cut, and the frames."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from nsynth_core.audio import Sound
from nsynth_core.errors import MissingExtra
from nsynth_core.files import atomic
from nsynth_core.notes import note_name
from nsynth_core.pitch import PitchTrack
from wavetables.importing.result import Imported
from wavetables.pictures import draw_heat_map, draw_waterfall, png

WIDE, HIGH = 10.0, 7.5  # inches
LOW_HZ, HIGH_HZ = 20.0, 16_000.0
RANGE_DB = 80.0
COLUMNS = 900  # of the spectrogram, at most
WINDOW_SECONDS = 0.05
MOST_MARKS = 64


def check_plot() -> None:
    """Raise MissingExtra where matplotlib is not installed."""
    try:
        import matplotlib.figure  # noqa: F401
    except ImportError as error:
        raise MissingExtra("plot", "matplotlib") from error


def write_picture(path: Path, imported: Imported, force: bool = False) -> None:
    """Write a PNG of an import. Raises MissingExtra without matplotlib; UserError: a file that exists (unless `force`),
    a place that cannot be written."""
    check_plot()
    from matplotlib.figure import Figure

    figure = Figure((WIDE, HIGH), layout="constrained")
    figure.suptitle(imported.table.name, fontsize=11)
    grid = figure.add_gridspec(2, 2, height_ratios=[1.15, 1.0])
    if imported.sound is not None:
        _draw_track(figure.add_subplot(grid[0, :]), imported.sound, imported.track, imported.seconds)
    side, map_ = figure.add_subplot(grid[1, 0]), figure.add_subplot(grid[1, 1])
    draw_waterfall(side, imported.table.frames)
    count = len(imported.table.frames)
    side.set_title(f"{count} frame{'s' * (count > 1)}", fontsize=9)
    image = draw_heat_map(map_, imported.table.frames)
    map_.set_title("harmonics along the table", fontsize=9)
    figure.colorbar(image, ax=map_, pad=0.02).set_label("dB under the loudest", fontsize=8)
    with atomic(path, force) as temporary:
        temporary.write_bytes(png(figure))


def _draw_track(axes: Any, sound: Sound, track: PitchTrack | None, seconds: tuple[float, ...]) -> None:
    """Draw the spectrogram, f0 where it is voiced, and a mark at each place where a frame was cut."""
    x, rate = sound.samples[:, 0].astype(np.float64), sound.rate
    size = min(2 ** round(np.log2(WINDOW_SECONDS * rate)), 2 ** int(np.log2(len(x))))
    starts = np.round(np.linspace(0, len(x) - size, min(COLUMNS, max(2, 4 * len(x) // size)))).astype(np.int64)
    window = np.hanning(size)
    level = np.stack([np.abs(np.fft.rfft(x[start : start + size] * window)) for start in starts])
    db = 20 * np.log10(level + 1e-9)
    hz = np.fft.rfftfreq(size, 1 / rate)
    shown = (hz >= LOW_HZ) & (hz <= HIGH_HZ)
    where = (starts + size / 2) / rate
    axes.pcolormesh(
        where, hz[shown], db[:, shown].T - db.max(), cmap="magma", vmin=-RANGE_DB, vmax=0, shading="nearest"
    )
    if track is not None:
        f0 = np.where(track.voiced, track.f0_hz, np.nan)
        axes.plot(track.times, track.f0_hz, color="white", linewidth=0.6, linestyle=":", alpha=0.7)
        axes.plot(track.times, f0, color="#56B4E9", linewidth=1.8, label="pitch found")
        axes.set_title(f"pitch {note_name(track.pitch)}, confidence {track.confidence:.2f}", fontsize=9)
    marks = np.asarray(seconds)[:: max(1, len(seconds) // MOST_MARKS)]
    axes.plot(marks, np.full(len(marks), 1.12 * LOW_HZ), "|", color="#E69F00", markersize=7, label="frames")
    axes.set_yscale("log")
    axes.set_ylim(LOW_HZ, min(HIGH_HZ, rate / 2))
    axes.set_xlim(0, sound.seconds)
    axes.set_xlabel("seconds", fontsize=8)
    axes.set_ylabel("Hz", fontsize=8)
    axes.legend(loc="upper right", fontsize=7)
