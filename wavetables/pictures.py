"""Pictures: rainbowgrams of sounds; tables from the side, as a heat map of their spectra, many on one sheet.

Data in, a matplotlib Figure or the bytes of a PNG out: nothing is shown, no global state is touched, and the same data
give the same bytes. matplotlib (the extra `plot`) is imported only when a picture is made.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nsynth_core.audio import Floats, Sound
from nsynth_core.errors import UserError
from nsynth_core.notes import note_name
from wavetables.table import FRAME_SIZE, Table

LOW_HZ, OCTAVES, BINS = 55.0, 8, 48  # a rainbowgram's range; bins an octave
TIGHT, LEAST_HZ = 0.012, 6.0  # standard deviation of a bin's window, over its frequency and at least
HOP_SECONDS = 0.005
RANGE_DB = 60.0
LIFT_DB = 2.0
TURN_HZ = 1 / (2 * HOP_SECONDS)  # frequencies this far apart have one colour

# Okabe & Ito 2008, "Color universal design": told apart whatever the eye's cones; here a wheel
WHEEL = ((0, 114, 178), (0, 158, 115), (240, 228, 66), (213, 94, 0), (204, 121, 167))
HARMONICS = 128
MOST_LINES, MOST_POINTS = 48, 512
PANEL_INCHES = 3.4, 2.9
DPI = 110
INK = "#222222"

Doubles = NDArray[np.float64]
Complexes = NDArray[np.complex128]


# --------------------------------------------------------------------------------------------------------------- sounds
def constant_q(sound: Sound) -> tuple[Doubles, Complexes]:
    """(Hz (F,), coefficients (F, T)): the sound through Gaussian filters BINS an octave from LOW_HZ, heard every
    HOP_SECONDS. Their phases turn with the sound's own: the sampled bands are folded, not shifted to zero (Velasco et
    al. 2011, "Constructing an invertible constant-Q transform", with windows LEAST_HZ wide at least)."""
    x = sound.mid().astype(np.float64)
    shown = max(3, int(np.ceil(len(x) / (HOP_SECONDS * sound.rate))))
    count = shown + round(0.1 / HOP_SECONDS)  # silence behind it: filters would ring from the end into the beginning
    seconds = count * HOP_SECONDS
    spectrum = np.fft.rfft(np.pad(x, (0, round(seconds * sound.rate) - len(x))))
    hz = LOW_HZ * 2.0 ** (np.arange(OCTAVES * BINS) / BINS)
    out = np.zeros((len(hz), count), dtype=np.complex128)
    for row, centre in zip(out, hz, strict=True):
        width = max(TIGHT * centre, LEAST_HZ)
        low, high = (round((centre + side * 4 * width) * seconds) for side in (-1, 1))
        index = np.arange(max(low, 0), min(high, len(spectrum) - 1) + 1)
        if len(index):
            band = spectrum[index] * np.exp(-0.5 * ((index / seconds - centre) / width) ** 2)
            row += np.bincount(index % count, band.real, count) + 1j * np.bincount(index % count, band.imag, count)
    return hz, np.asarray(np.fft.ifft(out, axis=1)[:, :shown] * (2 / (HOP_SECONDS * sound.rate)))


def rainbow(sound: Sound) -> Floats:
    """A rainbowgram (F, T, 3), RGB 0..1, low frequencies first: brightness is level, lifted by LIFT_DB an octave as
    sounds fall, RANGE_DB from black to full; colour is instantaneous frequency modulo TURN_HZ (Engel et al. 2017, whose
    wheel was the rainbow's)."""
    hz, bands = constant_q(sound)
    level = 20 * np.log10(np.abs(bands) + 1e-12) + LIFT_DB * np.log2(hz / LOW_HZ)[:, None]
    bright = np.clip((level - level.max()) / RANGE_DB + 1, 0, 1)
    turn = np.zeros_like(level)
    # the phase's turn over two hops, a value for the middle one
    turn[:, 1:-1] = np.angle(bands[:, 2:] * np.conj(bands[:, :-2])) / (2 * np.pi)
    return np.asarray(colour_of(turn) * bright[..., None], dtype=np.float32)


def colour_of(turn: Doubles) -> Doubles:
    """RGB 0..1 (..., 3) of places on the colour wheel, in turns."""
    wheel = np.asarray([*WHEEL, WHEEL[0]]) / 255.0
    place = (turn % 1.0) * len(WHEEL)
    return np.stack([np.interp(place, np.arange(len(wheel)), channel) for channel in wheel.T], axis=-1)


def rainbowgrams(panels: Sequence[tuple[str, Sound]], columns: int = 4) -> Any:
    """A matplotlib Figure with a rainbowgram of each (title, sound), `columns` side by side, and the colour wheel."""
    columns = min(columns, len(panels))
    lines = -(-len(panels) // columns)
    figure, grid = _figure(lines, columns, key=True)
    ticks = (100, 300, 1000, 3000, 10_000)
    for i, (title, sound) in enumerate(panels):
        image = rainbow(sound)
        axes = figure.add_subplot(grid[divmod(i, columns)])
        size = (0, image.shape[1] * HOP_SECONDS, 0, OCTAVES)
        axes.imshow(image, origin="lower", aspect="auto", extent=size)
        _dress(axes, title)
        axes.set_yticks(np.log2(np.asarray(ticks) / LOW_HZ), [_hz(hz) if i % columns == 0 else "" for hz in ticks])
        axes.set_ylabel("Hz" if i % columns == 0 else "", fontsize=8)
        axes.set_xlabel("seconds" if i + columns >= len(panels) else "", fontsize=8)
    key = figure.add_subplot(grid[lines, :])
    key.imshow(colour_of(np.linspace(0, 1, 256))[None], aspect="auto", extent=(0, TURN_HZ, 0, 1))
    key.set_yticks([])
    level = f"{RANGE_DB:.0f} dB, lifted by {LIFT_DB:.0f} dB an octave"
    _dress(key, f"colour: Hz above a multiple of {TURN_HZ:.0f}; brightness: {level}")
    return figure


# --------------------------------------------------------------------------------------------------------------- tables
def table_picture(table: Table) -> Any:
    """A matplotlib Figure of one table: its frames from the side, and the level of each harmonic along it."""
    figure, grid = _figure(1, 2)
    side, map_ = (figure.add_subplot(grid[0, column]) for column in (0, 1))
    draw_waterfall(side, table.frames)
    pitch = "" if table.root_pitch is None else f", {note_name(table.root_pitch)}"
    count = len(table.frames)
    _dress(side, f"{table.name}: {count} frame{'s' * (count > 1)}{pitch}")
    image = draw_heat_map(map_, table.frames)
    _dress(map_, "level of the harmonics")
    bar = figure.colorbar(image, ax=map_, pad=0.02)
    bar.set_label("dB under the loudest", fontsize=8)
    bar.ax.tick_params(labelsize=7, colors=INK)
    return figure


def contact_sheet(tables: Sequence[Table], columns: int = 6) -> Any:
    """A matplotlib Figure with every table from the side, under its name."""
    columns = min(columns, len(tables))
    figure, grid = _figure(-(-len(tables) // columns), columns, scale=0.5)
    for i, table in enumerate(tables):
        axes = figure.add_subplot(grid[divmod(i, columns)])
        draw_waterfall(axes, table.frames, MOST_LINES // 2)
        axes.set_title(table.name, fontsize=6, color=INK, pad=2)
    return figure


def draw_waterfall(axes: Any, frames: Floats, most: int = MOST_LINES) -> None:
    """Frames (n, 2048) as lines behind one another, the first in front; each hides what lies behind it."""
    from matplotlib import colormaps

    shown = frames[np.unique(np.linspace(0, len(frames) - 1, most).round().astype(int))]
    shown = shown[:, :: max(1, FRAME_SIZE // MOST_POINTS)] / max(float(np.abs(frames).max()), 1e-9)
    count = len(shown)
    x = np.linspace(0, 1, shown.shape[1])
    for i in range(count - 1, -1, -1):
        depth = i / max(count - 1, 1)
        right, up = 0.35 * depth, 2.2 * depth
        y = shown[i] + up
        axes.fill_between(x + right, y, up - 1.2, color="white", linewidth=0, zorder=2 * (count - i))
        axes.plot(x + right, y, color=colormaps["viridis"](0.85 * depth), linewidth=0.8, zorder=2 * (count - i) + 1)
    axes.set_xlim(-0.03, 1.03 + 0.35 * (count > 1))
    axes.set_ylim(-1.15, 1.15 + 2.2 * (count > 1))
    axes.set_axis_off()


def draw_heat_map(axes: Any, frames: Floats) -> Any:
    """Level in dB of the first HARMONICS harmonics (upwards, in octaves) along the table; the image."""
    level = 20 * np.log10(np.abs(np.fft.rfft(frames.astype(np.float64), axis=1))[:, 1 : HARMONICS + 1] + 1e-9)
    edges = np.log2(np.arange(1, HARMONICS + 2) - 0.5)
    place = np.arange(len(frames) + 1) + 0.5
    image = axes.pcolormesh(place, edges, level.T - level.max(), cmap="magma", vmin=-RANGE_DB, vmax=0)
    ticks = 2 ** np.arange(int(np.log2(HARMONICS)) + 1)
    axes.set_yticks(np.log2(ticks), [str(k) for k in ticks])
    axes.set_xlabel("frame", fontsize=8)
    axes.set_ylabel("harmonic", fontsize=8)
    return image


# ------------------------------------------------------------------------------------------------------------- the rest
def png(figure: Any, dpi: int = DPI) -> bytes:
    """The figure as a PNG; nothing in it says when or by what it was made."""
    data = io.BytesIO()
    figure.savefig(data, format="png", dpi=dpi, metadata={"Software": None})
    return data.getvalue()


def _figure(lines: int, columns: int, key: bool = False, scale: float = 1.0) -> tuple[Any, Any]:
    """An empty Figure and its grid; `key` adds a thin line at the bottom. Raises UserError without matplotlib."""
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise UserError("pictures need matplotlib; install it: pip install 'make-wavetable[plot]'") from error
    width, height = (scale * inches for inches in PANEL_INCHES)
    figure = Figure((columns * width, lines * height + 0.6 * key), layout="constrained")
    heights = [1.0] * lines + [0.05] * key
    return figure, figure.add_gridspec(len(heights), columns, height_ratios=heights)


def _dress(axes: Any, title: str) -> None:
    axes.set_title(title, fontsize=8, color=INK)
    axes.tick_params(labelsize=7, colors=INK)


def _hz(hz: float) -> str:
    return f"{hz / 1000:g} k" if hz >= 1000 else f"{hz:g}"
