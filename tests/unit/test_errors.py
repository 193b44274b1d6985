"""Errors carry facts; their text is one line."""

from __future__ import annotations

import copy
import pickle
from pathlib import Path

import pytest

from nsynth_core.errors import FileExists, MissingExtra, NotWritable, UsageError, UserError
from nsynth_core.pitch import Unpitched


def test_text_is_one_line_with_the_file_first():
    assert str(UserError("two\n  lines")) == "two lines"
    assert str(UserError("silent", path="a;b.wav")) == "a;b.wav: silent"
    assert str(UsageError("wrong")) == "wrong"
    assert "\n" not in str(UserError("silent", path="two\nlines.wav"))
    assert UserError("silent", path="a.wav").path == Path("a.wav")


def test_the_first_file_that_is_named_stays():
    error = UserError("silent")
    assert error.located("a.wav") is error
    assert str(error.located("b.wav")) == "a.wav: silent"


@pytest.mark.parametrize(
    "error",
    [
        UserError("silent", path="a.wav"),
        UsageError("wrong"),
        FileExists("a.wav"),
        NotWritable("a.wav", "Permission denied"),
        MissingExtra("nsynth", "TensorFlow"),
        Unpitched(60.2, 0.31).located("a.wav"),
        Unpitched(None, 0.0),
        Unpitched(110.0, 0.0, (27.5, 4200.0)),
    ],
    ids=lambda error: type(error).__name__,
)
def test_another_process_gets_the_whole_error(error):
    for again in (pickle.loads(pickle.dumps(error)), copy.copy(error)):
        assert type(again) is type(error)
        assert str(again) == str(error)
        assert vars(again) == vars(error)


def test_unpitched_says_facts_and_names_no_option():
    assert str(Unpitched(60.25, 0.314)) == (
        "no clear pitch (best guess C4 +25 cents, confidence 0.31): it sounds like noise, a drum or silence"
    )
    for error in (Unpitched(None, 0.0), Unpitched(60.0, 0.3), Unpitched(72.0, 0.0, (110.0, 440.0))):
        assert "--" not in str(error)
