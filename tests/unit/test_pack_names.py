"""Names of a pack: what a person would write, and what every file system takes."""

from __future__ import annotations

import unicodedata
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nsynth_core.errors import UserError
from wavetables.packs import names

RESERVED = {"con", "prn", "aux", "nul", *(f"{port}{n}" for port in ("com", "lpt") for n in range(10))}


@pytest.mark.parametrize(
    ("stem", "name"),
    [
        ("soft_flute_48", "Soft Flute C3"),
        ("soft_flute_C3", "Soft Flute C3"),
        ("bass_electronic_018-036-127", "Bass Electronic 018 C2"),
        ("saw-pad", "Saw Pad"),
        ("strings and voices", "Strings and Voices"),
        ("of_a_kind", "Of a Kind"),
        ("AKWF_0001", "AKWF 0001"),
        ("McCoy Tyner Eb2", "McCoy Tyner D#2"),
        ("  spaced   out ", "Spaced Out"),
        ("808", "808"),
        ("Ünïcode – straße", "Ünïcode – straße"),
    ],
)
def test_a_file_name_becomes_a_name_a_person_would_write(stem, name):
    assert names.tidy(stem) == name


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("../../etc/passwd", "etc-passwd"),
        ("a/b\\c:d", "a-b-c-d"),
        ("con", "con_"),
        ("CON.txt", "CON_txt"),
        ("com¹", "com¹_"),
        ("nul ", "nul_"),
        ("dots...", "dots"),
        ("-rf", "rf"),
        ("~root", "root"),
        ("\u202egpj.exe", "gpj.exe"),  # right-to-left override
        ("zero\u200bwidth", "zerowidth"),
        ("tab\tand\nline", "tab and line"),
        ("\ud800lone", "lone"),
        ("", "Untitled"),
        ("///", "Untitled"),
        ("e\u0301", "\u00e9"),
    ],
)
def test_a_name_is_safe_on_every_file_system(text, name):
    assert names.safe(text) == name


@given(st.text(max_size=300))
def test_any_text_becomes_a_safe_name(text):
    name = names.safe(text)
    assert names.safe(name) == name
    assert 1 <= len(name) <= names.LONGEST
    assert len(name.encode()) <= names.BYTES
    assert not set(name) & set('<>:"/\\|?*')
    assert not name.startswith((".", " ", "-", "~"))
    assert not name.endswith((".", " "))
    assert name.split(".")[0].strip().lower() not in RESERVED
    assert unicodedata.is_normalized("NFC", name)
    assert all(unicodedata.category(letter)[0] != "C" for letter in name)


@given(st.lists(st.lists(st.text(max_size=6), min_size=1, max_size=3), max_size=12))
def test_names_are_unique_on_every_file_system(wishes):
    found = names.unique(wishes)
    assert len({names.fold(name) for name in found}) == len(wishes)
    assert all(names.safe(name) == name for name in found)


def test_names_do_not_depend_on_the_order_of_the_sounds():
    paths = [Path("a/flute.wav"), Path("b/flute.wav"), Path("b/flute.flac"), Path("horn.wav")]
    wishes = [names.of_recording(path) for path in paths]
    found = names.unique(wishes)
    assert found == ["A Flute", "B Flute WAV", "B Flute FLAC", "Horn"]
    assert names.unique(wishes[::-1]) == found[::-1]


def test_names_that_only_differ_in_case_or_composition_are_told_apart():
    assert names.unique([["Pad"], ["pad"], ["PAD"]]) == ["Pad", "pad 2", "PAD 3"]
    assert len({names.fold(name) for name in names.unique([["\u00e9"], ["e\u0301"]])}) == 2


def test_a_written_name_is_taken_or_refused():
    assert names.check("Flute & Choir (soft) #2") == "Flute & Choir (soft) #2"
    for bad in ("../x", "a/b", "aux", "x.", ""):
        with pytest.raises(UserError, match="no name that every file system takes"):
            names.check(bad)


def test_pitches_have_names_and_cents():
    assert [names.pitch_label(pitch) for pitch in (48, 42, 60.5, 59.97)] == ["C3", "F#2", "C4+50", "C4-3"]
