"""Pictures: what they show, that they are the same bytes again, and that nobody else pays for matplotlib."""

from __future__ import annotations

import builtins
import subprocess
import sys
from itertools import combinations

import numpy as np
import pytest

from nsynth_core.audio import Sound
from nsynth_core.errors import MissingExtra
from wavetables import pictures
from wavetables.cli.words import sentence
from wavetables.table import FRAME_SIZE, Table

RATE = 48_000
PNG = b"\x89PNG\r\n\x1a\n"


def sine(hz: float, seconds: float = 0.6, level: float = 0.5) -> Sound:
    wave = level * np.sin(2 * np.pi * hz * np.arange(round(seconds * RATE)) / RATE)
    return Sound(wave.astype(np.float32)[:, None], RATE)


def table(*harmonics: int, frames: int = 1, name: str = "test") -> Table:
    """Frame i holds harmonic harmonics[i % len(harmonics)] alone."""
    phase = 2 * np.pi * np.arange(FRAME_SIZE) / FRAME_SIZE
    cycles = [np.sin(harmonics[i % len(harmonics)] * phase) for i in range(frames)]
    return Table(np.stack(cycles).astype(np.float32), name, 48.0)


class TestConstantQ:
    @pytest.mark.parametrize("hz", [82.4, 1037.0, 9000.0])
    def test_a_sine_is_found_at_its_frequency_and_level(self, hz):
        centres, bands = pictures.constant_q(sine(hz))
        middle = np.abs(bands[:, bands.shape[1] // 2])
        assert np.abs(12 * np.log2(centres[middle.argmax()] / hz)) < 0.5
        assert middle.max() == pytest.approx(0.5, rel=0.2)
        # an octave away there is nothing
        assert middle[np.abs(np.log2(centres / hz)) > 1].max() < 0.01

    @pytest.mark.parametrize("rate", [22_050, 44_100, 96_000])
    def test_any_rate(self, rate):
        t = np.arange(rate // 2) / rate
        centres, bands = pictures.constant_q(Sound(np.sin(2 * np.pi * 440 * t).astype(np.float32)[:, None], rate))
        assert bands.shape == (len(centres), 100)
        assert centres[np.abs(bands[:, 50]).argmax()] == pytest.approx(440, rel=0.03)
        assert np.abs(bands[centres > 0.5 * rate]).max(initial=0) < 1e-3

    def test_the_end_does_not_ring_into_the_beginning(self):
        late = sine(440.0)
        late.samples[: RATE // 2] = 0
        bands = np.abs(pictures.constant_q(late)[1])
        assert bands[:, :20].max() < 1e-3 * bands.max()


class TestRainbow:
    def test_colour_is_the_frequency_above_a_multiple(self):
        image = pictures.rainbow(sine(1037.0))
        row = int(image[:, 60].sum(-1).argmax())
        assert image[row, 60] == pytest.approx(pictures.colour_of(np.asarray(0.37)), abs=0.02)
        other = pictures.rainbow(sine(1137.0))
        assert other[int(other[:, 60].sum(-1).argmax()), 60] == pytest.approx(image[row, 60], abs=0.02)

    def test_loud_is_bright_and_silence_black(self):
        sound = sine(1000.0)
        sound.samples[RATE // 4 :] *= 1e-5
        image = pictures.rainbow(sound)
        assert image.dtype == np.float32
        assert 0 <= image.min() <= image.max() <= 1
        assert image[:, :40].max() > 0.6
        assert image[:, 80:].max() == 0

    def test_the_wheel_is_closed(self):
        wheel = pictures.colour_of(np.linspace(0, 1, 101))
        assert wheel[0] == pytest.approx(wheel[-1])
        assert np.abs(np.diff(wheel, axis=0)).max() < 0.06

    def test_its_colours_are_told_apart_by_the_colour_blind(self):
        # Viénot, Brettel & Mollon 1999: linear RGB as a protanope and a deuteranope see it
        blind = {
            "protan": [[0.11238, 0.88762, 0], [0.11238, 0.88762, 0], [0.00401, -0.00401, 1]],
            "deutan": [[0.29275, 0.70725, 0], [0.29275, 0.70725, 0], [-0.02234, 0.02234, 1]],
        }
        colours = (np.asarray(pictures.WHEEL) / 255) ** 2.2
        for matrix in blind.values():
            seen = np.clip(colours @ np.asarray(matrix).T, 0, 1) ** (1 / 2.2)
            assert min(np.linalg.norm(a - b) for a, b in combinations(seen, 2)) > 0.12


class TestFigures:
    @pytest.fixture(autouse=True)
    def _installed(self):
        pytest.importorskip("matplotlib")

    def test_rainbowgrams_have_hz_and_seconds(self):
        figure = pictures.rainbowgrams([("a", sine(220)), ("b", sine(330, 1.0)), ("c", sine(440))], columns=2)
        titles = [axes.get_title() for axes in figure.axes]
        assert titles[:3] == ["a", "b", "c"]
        assert "Hz" in titles[3]
        assert figure.axes[0].get_ylabel() == "Hz"
        assert figure.axes[1].get_xlabel() == "seconds"
        assert figure.axes[1].get_xlim() == pytest.approx((0, 1.0))
        assert [label.get_text() for label in figure.axes[0].get_yticklabels()] == ["100", "300", "1 k", "3 k", "10 k"]

    def test_a_heat_map_shows_the_harmonic_of_each_frame(self):
        from matplotlib.figure import Figure

        image = pictures.draw_heat_map(Figure().add_subplot(), table(1, 3, 40, frames=3).frames)
        level = np.asarray(image.get_array()).reshape(pictures.HARMONICS, 3)
        assert level.argmax(0).tolist() == [0, 2, 39]
        assert level.max() == pytest.approx(0, abs=0.01)

    def test_a_heat_map_has_the_hz_of_its_harmonics(self):
        figure = pictures.table_picture(table(1, 2, frames=4))
        scale = figure.axes[1].child_axes[0]
        assert scale.get_ylabel() == "Hz at C3"
        assert [label.get_text() for label in scale.get_yticklabels()] == ["131", "523", "2.09 k", "8.37 k"]

    @pytest.mark.parametrize(("frames", "lines"), [(1, 1), (7, 7), (256, pictures.MOST_LINES)])
    def test_a_table_from_the_side(self, frames, lines):
        from matplotlib.figure import Figure

        axes = Figure().add_subplot()
        pictures.draw_waterfall(axes, table(1, 2, frames=frames).frames)
        (drawn,) = axes.collections
        assert len(drawn.get_paths()) == 2 * lines  # what a frame hides, then its line
        # the first frame is in front: its line is drawn last
        front = drawn.get_paths()[-1].vertices
        wave = table(1).frames[0, :: FRAME_SIZE // pictures.MOST_POINTS]
        assert np.corrcoef(front[:, 1], wave)[0, 1] == pytest.approx(1, abs=1e-6)
        assert drawn.get_facecolors()[-1][3] == 0
        assert drawn.get_facecolors()[-2].tolist() == [1, 1, 1, 1]

    def test_same_tables_same_bytes(self):
        made = table(1, 5, frames=9, name="glass & $breath")
        first, second = (pictures.png(pictures.table_picture(made)) for _ in range(2))
        assert first.startswith(PNG)
        assert first == second
        assert b"matplotlib" not in first.lower()

    def test_a_contact_sheet_names_every_table(self):
        names = [f"table_{i} $a$" for i in range(8)] + ["a name of more letters than a line on a sheet of tables has"]
        cells = [(table(i + 1, name=name), "Keys" if i < 4 else "Pads") for i, name in enumerate(names)]
        figure = pictures.contact_sheet(cells, "First Light", columns=3)
        (axes,) = figure.axes
        written = [text.get_text().replace("\n", " ") for text in axes.texts]
        assert written[0] == "First Light"
        assert [text for text in written if text in names] == names
        assert written.count("Keys") == written.count("Pads") == 1
        assert len(axes.collections) == len(cells)
        assert pictures.png(figure).startswith(PNG)

    def test_silence_can_be_drawn(self):
        silent = Table(np.zeros((2, FRAME_SIZE), np.float32), "silent")
        assert pictures.png(pictures.table_picture(silent)).startswith(PNG)
        quiet = Sound(np.zeros((RATE // 10, 2), np.float32), RATE)
        assert pictures.png(pictures.rainbowgrams([("silent", quiet)])).startswith(PNG)


def test_without_matplotlib_one_line_says_what_to_install(monkeypatch):
    real = builtins.__import__

    def no(name, *args, **more):
        if name.startswith("matplotlib"):
            raise ImportError(name)
        return real(name, *args, **more)

    monkeypatch.setattr(builtins, "__import__", no)
    with pytest.raises(MissingExtra) as raised:
        pictures.table_picture(table(1))
    assert "matplotlib is not installed; the extra plot brings it: pip install matplotlib" in sentence(raised.value)


def test_importing_it_does_not_import_matplotlib():
    code = "import sys, wavetables.pictures; sys.exit('matplotlib' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
