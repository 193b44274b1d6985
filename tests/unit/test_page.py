"""The page of a pack, as text: what it embeds, how large it is, and that names are nothing but names."""

from __future__ import annotations

import base64
import json
import re
from html.parser import HTMLParser

import numpy as np
import pytest

from nsynth_core.errors import UserError
from wavetables.page import DETAIL, PAGE_BYTES, Entry, detail, page, spectra
from wavetables.table import Table

TURN = np.arange(2048) / 2048
ODD = "A</script><script>alert(1)</script>\"'<!--<b>{{data}}&amp;\\u003c\u2028\udcff"


def table(count: int = 8, harmonics: int = 1023) -> Table:
    """A saw whose even harmonics fade along the table."""
    number = np.arange(1, harmonics + 1)
    level = np.ones((count, harmonics)) / number
    level[:, 1::2] *= np.linspace(1, 0, count)[:, None]
    return Table(np.float32(0.5 * level @ np.sin(2 * np.pi * number[:, None] * TURN)), "saw")


def entry(name: str = "Saw", **more: object) -> Entry:
    return Entry(name, [table], **more)  # type: ignore[arg-type]


def told(text: str) -> dict:
    found = re.search(r'<script id="pack" type="application/json">(.*?)</script>', text, re.DOTALL)
    assert found
    return json.loads(found[1])


def rebuilt(packed: dict) -> np.ndarray:
    """(n, 2048) cycles from what `spectra` says of them, as its docstring tells how."""
    raw = np.frombuffer(base64.b64decode(packed["data"]), np.uint8).reshape(2, packed["n"], packed["h"])
    level, phase = raw.astype(float)
    bins = np.zeros((packed["n"], 1025), complex)
    size = packed["peak"] * np.where(level > 0, 10 ** ((level - 255) / 40), 0)
    bins[:, 1 : packed["h"] + 1] = size * np.exp(2j * np.pi * phase / 256)
    return np.fft.irfft(bins * 1024, 2048)


def test_every_harmonic_is_right_to_a_quarter_of_a_decibel():
    rng = np.random.default_rng(1)
    bins = np.exp(rng.uniform(-9, 0, (4, 1025)) + 2j * np.pi * rng.random((4, 1025)))
    bins[:, [0, -1]] = 0
    frames = np.float32(np.fft.irfft(bins, 2048))
    got = np.fft.rfft(rebuilt(spectra(frames, 1023)))[:, 1:-1]
    want = np.fft.rfft(frames.astype(float))[:, 1:-1]
    ratio = got / want
    assert np.abs(20 * np.log10(np.abs(ratio))).max() < 0.2501
    assert np.abs(np.angle(ratio)).max() < np.pi / 256 + 1e-6
    assert np.median(np.linalg.norm(got - want, axis=1) / np.linalg.norm(want, axis=1)) < 10 ** (-34 / 20)


def test_silent_harmonics_and_silent_tables_cost_nothing():
    assert spectra(np.float32(np.sin(2 * np.pi * 3 * TURN))[None], 1023)["h"] == 3
    silent = spectra(np.zeros((2, 2048), np.float32), 1023)
    assert silent["h"] == 1
    assert not rebuilt(silent).any()


def test_fifty_full_tables_stay_below_ten_megabytes_and_the_page_says_what_it_holds():
    assert detail(50) == (64, 1023)
    full = table(256)
    text = page("Fifty", [Entry(f"Saw {i}", [lambda: full]) for i in range(50)])
    assert len(text.encode()) < PAGE_BYTES
    data = told(text)
    assert (data["frames"], data["harmonics"]) == (64, 1023)
    assert data["entries"][0]["frames"] == 256
    assert data["entries"][0]["tables"][0]["n"] == 64


@pytest.mark.parametrize("tables", [60, 80, 200, 700])
def test_larger_packs_embed_less_of_each(tables):
    frames, harmonics = detail(tables)
    assert (frames, harmonics) in DETAIL[1:]
    assert tables * frames * harmonics * 2 * 4 / 3 <= PAGE_BYTES


class Seen(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        for name, value in attrs:
            assert not name.startswith("on")
            assert name not in ("src", "srcset") or value.startswith("data:")


def test_names_are_nothing_but_names():
    odd = entry(ODD, category=ODD, tags=[ODD], text=ODD, corners=[ODD, ODD], links={ODD: "javascript:alert(1)"})
    text = page(ODD, [odd], about=ODD)
    plain, strange = Seen(), Seen()
    plain.feed(page("Plain", [entry()]))
    strange.feed(text)
    assert strange.tags == plain.tags
    data = told(text)
    packed = data["entries"][0]
    assert data["title"] == data["about"] == packed["name"] == packed["text"] == packed["corners"][1] == ODD
    assert packed["links"] == [[ODD, "javascript%3Aalert%281%29"]]  # a file of that odd name, never a scheme
    text.encode()  # though the name came from a file system that does not speak UTF-8


def test_it_loads_nothing_from_anywhere():
    text = page("A", [entry()])
    policy = re.search(r'http-equiv="Content-Security-Policy" content="([^"]*)"', text)
    assert policy
    assert policy[1].startswith("default-src 'none';")
    assert "unsafe" not in policy[1]
    assert set(re.findall(r"https?://[\w./]+", text)) == {"http://www.w3.org/2000/svg"}


def test_the_same_pack_gives_the_same_bytes():
    made = [page("A", [entry(tags=["x"], links={"Serum": "Serum/A b.wav"})]) for _ in range(2)]
    assert made[0] == made[1]
    assert '"Serum/A%20b.wav"' in made[0]


def test_a_grids_rows_are_in_phase():
    turned = [Table(np.roll(table().frames, shift, axis=1), "row") for shift in (0, 700, 1500)]
    text = page("A", [Entry("Grid", [lambda row=row: row for row in turned] * 2, pitches=(36, 48))])
    packed = told(text)["entries"][0]
    assert (packed["rows"], packed["pitches"], len(packed["tables"])) == (3, [36.0, 48.0], 6)
    rows = [rebuilt(row) for row in packed["tables"]]
    for row in rows[1:]:
        assert np.sqrt(np.mean((row - rows[0]) ** 2)) < 0.02 * np.sqrt(np.mean(rows[0] ** 2))


def test_tables_are_asked_for_one_entry_at_a_time():
    asked: list[int] = []
    entries = [Entry(str(i), [lambda i=i: (asked.append(i), table())[1]]) for i in range(3)]
    assert not asked
    page("A", entries)
    assert asked == [0, 1, 2]


@pytest.mark.parametrize(
    ("entries", "why"),
    [
        ([], "no table"),
        ([Entry("Empty", [])], "'Empty': 0 tables"),
        ([Entry("Grid", [table] * 3, pitches=(36, 48))], "3 tables do not fill the rows of 2 pitches"),
        ([Entry("Odd", [table], corners=("a", "b", "c"))], "3 corners"),
        ([Entry("Back", [table] * 2, pitches=(48, 36))], "do not rise"),
    ],
)
def test_what_cannot_be_shown_is_refused(entries, why):
    with pytest.raises(UserError, match=re.escape(why)):
        page("A", entries)
