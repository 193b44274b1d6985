"""Pictures of sounds (rainbowgrams) and of tables: from the side, as a heat map of their spectra, many on one sheet.

Each function takes data and returns a matplotlib Figure or the bytes of a PNG. Nothing is shown, no global state is
touched, and the same data give the same bytes. matplotlib (the extra `plot`) is imported only when a picture is made.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from functools import lru_cache
from importlib.util import find_spec
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from nsynth_core.audio import Floats, Sound
from nsynth_core.errors import MissingExtra
from nsynth_core.notes import midi_to_hz, note_name
from wavetables.table import FRAME_SIZE, Table

LOW_HZ, OCTAVES, BINS = 55.0, 8, 48  # the range of a rainbowgram, and its bins per octave
RELATIVE_WIDTH, LEAST_HZ = 0.012, 6.0  # standard deviation of a bin's window: a share of its frequency, or Hz at least
HOP_SECONDS = 0.005
RANGE_DB = 60.0
LIFT_DB = 2.0
TURN_HZ = 1 / (2 * HOP_SECONDS)  # frequencies this far apart have the same colour

# Okabe & Ito 2008, "Color universal design": colours that people with any colour vision can tell apart, as a wheel
WHEEL = ((0, 114, 178), (0, 158, 115), (240, 228, 66), (213, 94, 0), (204, 121, 167))
HARMONICS = 128
MOST_LINES, MOST_POINTS = 48, 512  # frames drawn of a table, and samples of each
SHEET_LINES, SHEET_POINTS = 10, 64  # of a table on a contact sheet
PANEL_INCHES = 3.4, 2.9
CELL_INCHES, HEAD_INCHES = (1.75, 1.5), 0.4
NAME_LETTERS = 30  # in a line on a contact sheet
DPI = 110
INK = "#222222"
# fonts for names in other scripts: matplotlib's own, then those of Windows, macOS and Linux
FONTS = (
    *("DejaVu Sans", "Hiragino Sans", "Yu Gothic", "Apple SD Gothic Neo", "Malgun Gothic", "PingFang SC"),
    *("Microsoft YaHei", "Noto Sans CJK JP", "WenQuanYi Micro Hei", "Arial Unicode MS"),
)

Doubles = NDArray[np.float64]
Complexes = NDArray[np.complex128]


# --------------------------------------------------------------------------------------------------------------- sounds
def constant_q(sound: Sound) -> tuple[Doubles, Complexes]:
    """The constant-Q transform of the mean of the channels.

    Returns the frequencies of the bins in Hz, float64 (F,), 48 per octave from 55 Hz, and the coefficients, complex
    (F, T), every 5 ms. The phase of a coefficient turns with the phase of the sound: the sampled bands are folded and
    not shifted to zero (Velasco et al. 2011, "Constructing an invertible constant-Q transform"; windows here are at
    least 6 Hz wide).

    >>> from nsynth_core.audio import sine
    >>> hz, coefficients = constant_q(sine(440.0))
    >>> coefficients.shape, int(hz[abs(coefficients).mean(1).argmax()])
    ((384, 100), 440)
    """
    x = sound.mid().astype(np.float64)
    shown = max(3, int(np.ceil(len(x) / (HOP_SECONDS * sound.rate))))
    count = shown + round(0.1 / HOP_SECONDS)  # silence behind it, else filters ring from the end into the beginning
    seconds = count * HOP_SECONDS
    spectrum = np.fft.rfft(np.pad(x, (0, round(seconds * sound.rate) - len(x))))
    hz = LOW_HZ * 2.0 ** (np.arange(OCTAVES * BINS) / BINS)
    out = np.zeros((len(hz), count), dtype=np.complex128)
    for row, centre in zip(out, hz, strict=True):
        width = max(RELATIVE_WIDTH * centre, LEAST_HZ)
        low, high = (round((centre + side * 4 * width) * seconds) for side in (-1, 1))
        index = np.arange(max(low, 0), min(high, len(spectrum) - 1) + 1)
        if len(index):
            band = spectrum[index] * np.exp(-0.5 * ((index / seconds - centre) / width) ** 2)
            row += np.bincount(index % count, band.real, count) + 1j * np.bincount(index % count, band.imag, count)
    return hz, np.asarray(np.fft.ifft(out, axis=1)[:, :shown] * (2 / (HOP_SECONDS * sound.rate)))


def rainbow(sound: Sound) -> Floats:
    """A rainbowgram: float32 (F, T, 3), RGB 0..1, low frequencies first.

    Brightness is the level, 60 dB from black to full, raised by 2 dB per octave because sounds fall with frequency.
    Colour is the instantaneous frequency modulo 100 Hz (Engel et al. 2017, with another colour wheel).

    >>> from nsynth_core.audio import sine
    >>> rainbow(sine(440.0)).shape
    (384, 100, 3)
    """
    hz, bands = constant_q(sound)
    level = 20 * np.log10(np.abs(bands) + 1e-12) + LIFT_DB * np.log2(hz / LOW_HZ)[:, None]
    bright = np.clip((level - level.max()) / RANGE_DB + 1, 0, 1)
    turn = np.zeros_like(level)
    # how far the phase turns over two hops is the value of the hop between
    turn[:, 1:-1] = np.angle(bands[:, 2:] * np.conj(bands[:, :-2])) / (2 * np.pi)
    return np.asarray(colour_of(turn) * bright[..., None], dtype=np.float32)


def colour_of(turn: Doubles) -> Doubles:
    """RGB 0..1, shape (..., 3), of places on the colour wheel, in turns."""
    wheel = np.asarray([*WHEEL, WHEEL[0]]) / 255.0
    place = (turn % 1.0) * len(WHEEL)
    return np.stack([np.interp(place, np.arange(len(wheel)), channel) for channel in wheel.T], axis=-1)


def rainbowgrams(panels: Sequence[tuple[str, Sound]], columns: int = 4) -> Any:
    """A matplotlib Figure with a rainbowgram of each (title, sound), at most `columns` side by side, and the colour
    wheel below. Raises MissingExtra: no matplotlib."""
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
    """A matplotlib Figure of one table: its frames from the side, and the level of each harmonic along it. Raises
    MissingExtra: no matplotlib."""
    figure, grid = _figure(1, 2)
    side, map_ = (figure.add_subplot(grid[0, column]) for column in (0, 1))
    draw_waterfall(side, table.frames)
    pitch = "" if table.root_pitch is None else f", {note_name(table.root_pitch)}"
    count = len(table.frames)
    _dress(side, f"{table.name}: {count} frame{'s' * (count > 1)}{pitch}")
    image = draw_heat_map(map_, table.frames)
    _dress(map_, "level of the harmonics")
    root = 48.0 if table.root_pitch is None else table.root_pitch
    scale = map_.secondary_yaxis("right")
    harmonics = 2 ** np.arange(0, int(np.log2(HARMONICS)) + 1, 2)
    scale.set_yticks(np.log2(harmonics), [_hz(float(f"{k * midi_to_hz(root):.3g}")) for k in harmonics])
    scale.set_ylabel(f"Hz at {note_name(root)}", fontsize=8)
    scale.tick_params(labelsize=7, colors=INK)
    bar = figure.colorbar(image, ax=map_, pad=0.02)
    bar.set_label("dB under the loudest", fontsize=8)
    bar.ax.tick_params(labelsize=7, colors=INK)
    return figure


def contact_sheet(cells: Sequence[tuple[Table, str]], title: str = "", columns: int = 6) -> Any:
    """A matplotlib Figure with every table from the side.

    cells: (table, category); the category is written where it changes
    title: written at the top
    All tables share one pair of axes, since sixty pairs take ten times as long. Raises MissingExtra: no matplotlib.
    """
    from textwrap import wrap

    columns = min(columns, len(cells))
    (wide, high), lines = CELL_INCHES, -(-len(cells) // columns)
    width, height = columns * wide, lines * high + HEAD_INCHES * bool(title)
    figure = _blank(width, height)
    axes = figure.add_axes((0, 0, 1, 1), xlim=(0, width), ylim=(-height, 0))
    axes.set_axis_off()
    _write(axes, 0.1, -0.12, title, 10, ha="left")
    for i, (table, about) in enumerate(cells):
        row, column = divmod(i, columns)
        left, top = column * wide, -row * high - HEAD_INCHES * bool(title)
        name = wrap(table.name, NAME_LETTERS, max_lines=2, placeholder=" …")
        _write(axes, left + wide / 2, top - 0.06, "\n".join(name), 6)
        if i == 0 or about != cells[i - 1][1]:
            _write(axes, left + wide / 2, top - 0.08 - 0.11 * len(name), about, 5, "#666666")
        place = left + 0.08, top - high + 0.04, wide - 0.16, high - 0.42
        axes.add_collection(_waterfall(table.frames, SHEET_LINES, SHEET_POINTS, place))
    return figure


def draw_waterfall(axes: Any, frames: Floats) -> None:
    """Draw frames (n, 2048) as lines behind one another, the first in front. Each hides what is behind it."""
    axes.add_collection(_waterfall(frames, MOST_LINES, MOST_POINTS, (0.0, 0.0, 1.0, 1.0)))
    axes.set_xlim(-0.02, 1.02)
    axes.set_ylim(-0.02, 1.02)
    axes.set_axis_off()


def _waterfall(frames: Floats, lines: int, points: int, place: tuple[float, float, float, float]) -> Any:
    """A collection of paths, from the back to the front: for each frame the area that it hides, then its line.

    lines, points: the most frames, and the samples of each
    place: left, bottom, width, height
    """
    from matplotlib import colormaps
    from matplotlib.collections import PathCollection
    from matplotlib.path import Path

    left, bottom, wide, high = place
    shown = frames[np.unique(np.linspace(0, len(frames) - 1, lines).round().astype(int))]
    shown = shown[:, :: FRAME_SIZE // points] / max(float(np.abs(frames).max()), 1e-9)
    depth = np.linspace(0, 1, len(shown)) if len(shown) > 1 else np.zeros(1)
    slant, rise = (0.26, 0.48) if len(shown) > 1 else (0.0, 0.0)
    tall = (1 - rise) / 2
    across = left + wide * (1 - slant) * np.linspace(0, 1, shown.shape[1])
    paths = []
    for wave, back in zip(shown[::-1], depth[::-1], strict=True):
        low = bottom + high * rise * back
        line = np.stack([across + wide * slant * back, low + high * tall * (1 + wave)], axis=1)
        paths += [Path(np.concatenate([line, [(line[-1, 0], low), (line[0, 0], low)]])), Path(line)]
    fills, inks = np.zeros((2, 2 * len(shown), 4))
    fills[::2] = 1.0
    inks[1::2] = colormaps["viridis"](0.85 * depth[::-1])
    return PathCollection(paths, facecolors=fills, edgecolors=inks, linewidths=0.8, joinstyle="bevel")


def draw_heat_map(axes: Any, frames: Floats) -> Any:
    """Draw the level in dB of the first 128 harmonics (upwards, in octaves) along the table, and return the image."""
    level = 20 * np.log10(np.abs(np.fft.rfft(frames.astype(np.float64), axis=1))[:, 1 : HARMONICS + 1] + 1e-9)
    edges = np.log2(np.arange(1, HARMONICS + 2) - 0.5)
    place = np.arange(len(frames) + 1) + 0.5
    image = axes.pcolormesh(place, edges, level.T - level.max(), cmap="magma", vmin=-RANGE_DB, vmax=0)
    ticks = 2 ** np.arange(int(np.log2(HARMONICS)) + 1)
    axes.set_yticks(np.log2(ticks), [str(k) for k in ticks])
    axes.set_xlabel("frame", fontsize=8)
    axes.set_ylabel("harmonic", fontsize=8)
    return image


# ------------------------------------------------------------------------------------------------------- figures, files
def can_draw() -> bool:
    """True where matplotlib is installed."""
    return find_spec("matplotlib") is not None


def check_can_draw() -> None:
    """Raise MissingExtra where matplotlib is not installed."""
    if not can_draw():
        raise MissingExtra("plot", "matplotlib")


def png(figure: Any, dpi: int = DPI) -> bytes:
    """The figure as the bytes of a PNG, which hold neither a time nor a program."""
    data = io.BytesIO()
    figure.savefig(data, format="png", dpi=dpi, metadata={"Software": None}, pil_kwargs={"compress_level": 1})
    return data.getvalue()


def _blank(width: float, height: float, layout: Literal["constrained"] | None = None) -> Any:
    """An empty Figure of so many inches. Raises MissingExtra: no matplotlib."""
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise MissingExtra("plot", "matplotlib") from error
    return Figure((width, height), layout=layout)


def _figure(lines: int, columns: int, key: bool = False) -> tuple[Any, Any]:
    """An empty Figure and its grid of so many lines and columns; `key` adds a thin line at the bottom."""
    width, height = PANEL_INCHES
    figure = _blank(columns * width, lines * height + 0.6 * key, "constrained")
    heights = [1.0] * lines + [0.05] * key
    return figure, figure.add_gridspec(len(heights), columns, height_ratios=heights)


def _dress(axes: Any, title: str) -> None:
    axes.set_title(title, fontsize=8, color=INK, parse_math=False, family=_fonts())
    axes.tick_params(labelsize=7, colors=INK)


def _write(axes: Any, x: float, y: float, text: str, size: float, colour: str = INK, ha: str = "center") -> None:
    axes.text(x, y, text, fontsize=size, color=colour, ha=ha, va="top", parse_math=False, family=_fonts())


@lru_cache(maxsize=1)
def _fonts() -> list[str]:
    """Those of FONTS that are installed, since matplotlib complains about others."""
    from matplotlib.font_manager import fontManager

    installed = set(fontManager.get_font_names())
    return [font for font in FONTS if font in installed]


def _hz(hz: float) -> str:
    return f"{hz / 1000:g} k" if hz >= 1000 else f"{hz:g}"
