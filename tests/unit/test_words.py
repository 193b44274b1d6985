"""What an error advises can be done: the option exists, and the command can be pasted into a shell."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest

from nsynth_core.errors import FileExists, NotWritable
from nsynth_core.notes import parse_pitch
from nsynth_core.pitch import Unpitched
from wavetables.cli.inspect import _command
from wavetables.cli.words import pitch_word, sentence
from wavetables.formats.common import Clipping
from wavetables.inspection import Mend


def test_convert_is_not_told_of_an_option_that_it_lacks():
    assert sentence(FileExists("a.wav"), "convert") == "a.wav exists already; choose another OUT or add --force"
    assert sentence(NotWritable("a.wav", "it is a folder"), "convert").endswith("; choose another OUT")
    assert sentence(FileExists("a.zip"), "install") == "a.zip exists already; add --force"
    assert sentence(FileExists("a.wav"), "blend").endswith("; choose another -o or add --force")


def test_a_clipping_table_is_told_the_whole_command():
    assert sentence(Clipping("a.wav", 3.0), "convert").endswith("; normalize it first: add --fix")
    assert sentence(Clipping("a.wav", 3.0), "grid").endswith("make-wavetable convert IN OUT --fix")


@pytest.mark.parametrize("name", ["noise.wav", "my noise.wav", "take;2.wav", "it's.wav"])
def test_advice_of_blend_can_be_pasted(name):
    line = sentence(Unpitched(None, 0.0).located(name), "blend")
    assert shlex.split(line.rsplit("e.g. ", 1)[1]) == [f"{name}@C3"]


def test_a_pitch_above_the_range_is_not_advised_to_blend():
    """Given as the pitch of 6 kHz, C9 is not what the engine can hold: the sound was blended as noise."""
    high = Unpitched(114.4, 0.0, (27.5, 4186.0)).located("six.wav")
    assert (
        sentence(high, "blend")
        == "six.wav: its pitch, F#8 +40 cents, is not within A0..C8; give a recording of a lower note"
    )
    assert "widen --range or give its pitch, e.g. --pitch F#8+40" in sentence(high, "import")


@pytest.mark.parametrize("midi", [60.0, 120.4, 59.9, 60.25])
def test_an_advised_pitch_is_the_guess(midi):
    assert parse_pitch(pitch_word(midi)) == pytest.approx(midi, abs=0.006)
    assert sentence(Unpitched(midi, 0.3).located("a.wav"), "blend").endswith(f"a.wav@{pitch_word(midi)}")


def test_inspect_writes_names_that_are_not_options():
    words = shlex.split(_command(Path("-a b.wav"), Mend.FIX))
    assert words == ["make-wavetable", "convert", "./-a b.wav", "./-a b-mended.wav", "--fix"]
