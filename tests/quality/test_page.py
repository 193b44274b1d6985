"""The page in Chromium, opened from a file as a user opens it: what it plays, measured on the audio it renders.

An OfflineAudioContext stands in for the page's AudioContext, so that every sample is there to measure and nothing
depends on how busy the machine is; one test listens to the real one.
"""

from __future__ import annotations

import base64
import re
import shutil
from functools import partial

import numpy as np
import pytest

from wavetables.page import Entry, page
from wavetables.table import Table

playwright = pytest.importorskip("playwright.sync_api")
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium (Debian: chromium)")

# messages reach the audio thread while it waits: before the first sample, and at the pause a test asks for
OFFLINE = """
const settled = () => new Promise((done) => setTimeout(done, 200));
window.AudioContext = class extends OfflineAudioContext {
  constructor() { super(1, %(rate)d * %(seconds)g, %(rate)d); window.recorder = this; }
  resume() { return Promise.resolve(); }
  proceed() { settled().then(() => super.resume()); }
  record(pause) {
    this.suspend(0).then(() => this.proceed());
    const reached = pause && this.suspend(pause).then(() => null);
    window.rendered = this.startRendering().then((buffer) => {
      const bytes = new Uint8Array(buffer.getChannelData(0).buffer);
      let text = "";
      for (let i = 0; i < bytes.length; i += 8192) text += String.fromCharCode(...bytes.subarray(i, i + 8192));
      return btoa(text);
    });
    return reached;
  }
};
"""
TURN = np.arange(2048) / 2048
NUMBER = np.arange(1, 1024)
SCRIPT = "</script><script>window.hacked = 1</script> \"<b>'&amp;"


def table(level: np.ndarray) -> Table:
    """A table of the harmonics' amplitudes (n, 1023), all sines, 0.5 at most."""
    frames = np.atleast_2d(level) @ np.sin(2 * np.pi * NUMBER[:, None] * TURN)
    return Table(np.float32(0.5 * frames / np.abs(frames).max()), "table")


SAW, SQUARE, SINE = 1 / NUMBER, (NUMBER % 2) / NUMBER, (NUMBER == 1) * 1.0
FLAT = np.ones(1023)  # an impulse: the worst there is to alias
OCTAVES = np.isin(NUMBER, 2 ** np.arange(10)) / np.sqrt(NUMBER)


def entries() -> list[Entry]:
    given = {
        "Saw to square": [table(np.linspace(SAW, SQUARE, 16))],
        "Impulse": [table(FLAT)],
        "Grid": [table(np.linspace(SAW, SINE, 16)), table(np.linspace(SQUARE, OCTAVES, 16))],
        SCRIPT: [table(SAW)],
    }
    corners = {"Grid": ("Saw", "Sine", "Square", "Octaves")}
    links = {"Serum": "Serum/Saw.wav"}
    return [
        Entry(name, [partial(lambda one: one, one) for one in tables], (), corners.get(name, ()), "Kind", links=links)
        for name, tables in given.items()
    ]


@pytest.fixture(scope="module")
def where(tmp_path_factory):
    path = tmp_path_factory.mktemp("a pack") / "index.html"
    path.write_bytes(page(f"Pack {SCRIPT}", entries(), "by nobody").encode())
    return path.as_uri()


@pytest.fixture(scope="module")
def browser():
    with playwright.sync_playwright() as driver:
        running = driver.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])  # .ci/run is root
        yield running
        running.close()


@pytest.fixture
def opened(browser, where):
    """opened(rate, seconds, scripts, ...): the page, whose every complaint and request fails the test at its end."""
    complaints: list[str] = []
    contexts = []

    def make(rate=48_000, seconds=1.0, scripts=(), offline=True, **options):
        context = browser.new_context(**{"viewport": {"width": 1280, "height": 800}, **options})
        contexts.append(context)
        shown = context.new_page()
        shown.on("pageerror", lambda error: complaints.append(str(error)))
        shown.on("console", lambda message: "deprecated" in message.text or complaints.append(message.text))
        shown.on("request", lambda asked: asked.url.startswith(("file:", "data:")) or complaints.append(asked.url))
        for script in (*([OFFLINE % {"rate": rate, "seconds": seconds}] if offline else []), *scripts):
            shown.add_init_script(script)
        shown.goto(where)
        return shown

    yield make
    for context in contexts:
        context.close()
    assert not complaints


def choose(shown, name: str) -> None:
    shown.locator("#list button").filter(has_text=re.compile("^" + re.escape(name))).click()


def recorded(shown, pause: float = 0.0, meanwhile=None) -> np.ndarray:
    """What the page plays, from the keys that are down now; `meanwhile` is done when `pause` seconds were rendered."""
    shown.evaluate("starting.then(() => null)")
    shown.evaluate(f"recorder.record({pause})")
    if meanwhile:
        meanwhile()
        shown.evaluate("recorder.proceed()")
    return np.frombuffer(base64.b64decode(shown.evaluate("rendered")), np.float32).astype(float)


def spectrum(x: np.ndarray, rate: int) -> tuple[np.ndarray, np.ndarray]:
    """(Hz, amplitude) through a Kaiser window, side lobes below -120 dB; bins a quarter as wide as `x` is long."""
    window = np.kaiser(len(x), 16)
    size = np.abs(np.fft.rfft(x * window, 4 * len(x))) * 2 / window.sum()
    return np.arange(len(size)) * rate / (4 * len(x)), size


def pitch_hz(x: np.ndarray, rate: int = 48_000) -> float:
    """The strongest partial, by a parabola through the logarithm of the spectrum's peak."""
    bins, size = spectrum(x, rate)
    top = int(size.argmax())
    left, mid, right = np.log(size[top - 1 : top + 2])
    return float(bins[top] + 0.5 * (left - right) / (left - 2 * mid + right) * bins[1])


def harmonics(x: np.ndarray, f0: float, count: int) -> np.ndarray:
    """Amplitudes of harmonics 1..count at 48 kHz."""
    bins, size = spectrum(x, 48_000)
    return np.array([size[np.abs(bins - f0 * k) < 8].max() for k in range(1, count + 1)])


def harmonics_db(x: np.ndarray, f0: float, count: int) -> np.ndarray:
    """Their levels over the first."""
    level = harmonics(x, f0, count)
    return 20 * np.log10(level / level[0] + 1e-9)


def hz(note: int) -> float:
    return 440 * 2 ** ((note - 69) / 12)


def cents(got: float, want: float) -> float:
    return abs(1200 * np.log2(got / want))


def test_it_opens_from_a_file_and_asks_for_nothing(opened):
    shown = opened()
    assert shown.title() == f"Pack {SCRIPT}"
    assert shown.locator("h1").inner_text() == f"Pack {SCRIPT}"
    assert shown.locator("#list button").count() == 4
    choose(shown, SCRIPT)
    assert shown.locator("h2").inner_text() == SCRIPT
    assert shown.locator("#links a").get_attribute("href") == "Serum/Saw.wav"
    assert shown.evaluate("window.hacked") is None
    assert "64 frames" in shown.locator("#shown").inner_text()


@pytest.mark.parametrize("rate", [44_100, 48_000])
def test_a_key_plays_its_pitch(opened, rate):
    for key, shift, note in (("a", "", 48), ("j", "", 59), ("k", "x", 72), ("w", "z", 37)):
        shown = opened(rate)
        if shift:
            shown.keyboard.press(shift)
        shown.keyboard.down(key)
        x = recorded(shown)
        assert cents(pitch_hz(x[rate // 5 :], rate), hz(note)) < 0.5
        assert shown.locator(f'#piano [data-note="{note}"].on').count() == 1


def test_a_key_let_go_falls_silent(opened):
    shown = opened()
    shown.keyboard.down("a")
    x = recorded(shown, 0.3, lambda: shown.keyboard.up("a"))
    assert np.abs(x[4800:14400]).max() > 0.05
    assert np.abs(x[-4800:]).max() < 1e-4


def test_the_real_context_sounds(opened):
    tap = """
    const connect = AudioNode.prototype.connect;
    AudioNode.prototype.connect = function (to, ...more) {
      if (to instanceof AudioDestinationNode) {
        window.tap = new AnalyserNode(this.context, { fftSize: 32768 });
        connect.call(this, window.tap);
        window.kinds = [];
      }
      window.kinds?.push(this.constructor.name);
      return connect.call(this, to, ...more);
    };"""
    listen = """async () => {
      await new Promise((done) => setTimeout(done, 1200));
      const heard = new Float32Array(32768);
      tap.getFloatTimeDomainData(heard);
      return [tap.context.sampleRate, [...heard]];
    }"""
    without = "delete BaseAudioContext.prototype.audioWorklet;"
    for script, kind in (("", "AudioWorkletNode"), (without, "ScriptProcessorNode")):
        shown = opened(offline=False, scripts=[tap, script])
        shown.keyboard.down("h")
        rate, heard = shown.evaluate(listen)
        assert shown.evaluate("kinds.at(-1)") == kind
        assert cents(pitch_hz(np.array(heard), rate), hz(57)) < 50  # a busy machine drops samples


@pytest.mark.parametrize(("rate", "name"), [(44_100, "Saw to square"), (48_000, "Saw to square"), (48_000, "Impulse")])
def test_high_notes_do_not_alias(opened, rate, name):
    """Everything that is no harmonic lies 100 dB below the strongest one, from the worst of waves, too."""
    worst = []
    for octaves in (0, 2, 4):  # what would fold from the harmonics of an A falls between them
        shown = opened(rate)
        choose(shown, name)
        for _ in range(octaves):
            shown.keyboard.press("x")
        shown.keyboard.down("h")
        f0 = hz(57 + 12 * octaves)
        x = recorded(shown)[rate // 3 :]
        bins, size = spectrum(x, rate)
        others = np.abs(bins - f0 * np.maximum(np.rint(bins / f0), 1)) > 12 * rate / len(x)
        assert others.mean() > 0.4
        worst.append(float(20 * np.log10(size[others].max() / size.max())))
        assert 20 * np.log10(size[bins > 15_000].max() / size.max()) > -45  # and yet the top octave is there
    print(f"\n{name} at {rate}: not harmonic, A3, A5, A7: {', '.join(f'{level:.0f}' for level in worst)} dB")
    assert max(worst) < -100


def test_the_pad_blends_the_corners(opened):
    """Every corner plays its own table; the middle is their mean, as frames crossfade; drags and arrow keys alike."""
    waves = {(0, 0): SAW, (1, 0): SINE, (0, 1): SQUARE, (1, 1): OCTAVES}
    heard = {}
    for x, y in [*waves, (0.5, 0.5)]:
        shown = opened()
        choose(shown, "Grid")
        box = shown.locator("#pad").bounding_box()
        left, across, top, along = shown.evaluate(f"reach({box['width']}, {box['height']})")
        shown.mouse.move(box["x"] + left + x * across, box["y"] + top + y * along)
        shown.mouse.down()  # nothing else is held: the pad sounds by itself
        heard[x, y] = recorded(shown)[16_000:]
        assert cents(pitch_hz(heard[x, y]), hz(48)) < 0.5
        shares = shown.locator("#pad output").all_inner_texts()
        assert shares == [f"{round(100 * a * b)} %" for b in (1 - y, y) for a in (1 - x, x)]
    for at, wave in waves.items():
        got = harmonics_db(heard[at], hz(48), 32)
        want = 20 * np.log10(np.abs(wave[:32]) / np.abs(wave[0]) + 1e-6)
        loud = want > -60
        assert np.abs(got - want)[loud].max() < 0.55  # a quarter of a decibel each
        assert got[~loud].max(initial=-99) < -60
    middle = np.mean([harmonics(heard[at], hz(48), 8) for at in waves], axis=0)
    assert harmonics(heard[0.5, 0.5], hz(48), 8) == pytest.approx(middle, rel=0.04)


def test_moving_the_pad_while_a_note_sounds(opened):
    shown = opened(seconds=1.5)
    choose(shown, "Grid")
    shown.keyboard.down("a")
    shown.locator("#pad").focus()
    shown.keyboard.press("Home")
    x = recorded(shown, 0.6, lambda: shown.keyboard.press("End"))
    before, after = (harmonics_db(part, hz(48), 8) for part in (x[9_600:28_800], x[-19_200:]))
    assert before[1] > -7
    assert after[1] < -60
    steps = np.abs(np.diff(x))
    assert steps[28_000:34_000].max() < 1.05 * steps[9_600:28_000].max()  # no click


def test_chords_do_not_clip(opened):
    shown = opened()
    for key in "asdfghjkl;":
        shown.keyboard.down(key)
    x = recorded(shown)
    assert 0.3 < np.abs(x).max() <= 0.99


def test_midi(opened):
    ports = """
    const input = new EventTarget();
    input.name = "Keys 49";
    navigator.requestMIDIAccess = async () => ({ inputs: new Map([["1", input]]) });
    window.midi = (...data) => input.onmidimessage({ data: Uint8Array.from(data) });"""
    shown = opened(scripts=[ports])
    shown.get_by_role("button", name="MIDI").click()
    assert shown.locator("#status").inner_text() == "Keys 49"
    shown.evaluate("midi(0x90, 64, 100); midi(0xe0, 0, 96); midi(0xb0, 1, 127)")  # E4, a semitone up, mod wheel
    x = recorded(shown)[16_000:]
    assert cents(pitch_hz(x), hz(65)) < 0.5
    assert harmonics_db(x, hz(65), 4)[1] < -60  # the square at the table's end
    shown.evaluate("midi(0x80, 64, 0)")
    assert shown.locator("#piano .on").count() == 0
    shown.evaluate("midi(0xb0, 64, 127); midi(0x90, 60, 100); midi(0x80, 60, 0)")  # the pedal holds it
    assert shown.locator("#piano .on").get_attribute("aria-label") == "C4"
    shown.evaluate("midi(0xb0, 64, 0)")
    assert shown.locator("#piano .on").count() == 0


def test_with_the_keyboard_alone(opened):
    """Tab reaches every control in reading order, each with a name; arrows and Space do the rest."""
    shown = opened()
    reached = []
    for _ in range(14):
        shown.keyboard.press("Tab")
        reached.append(shown.evaluate("document.activeElement.id || document.activeElement.textContent"))
    wanted = ["search", "Saw to square", "previous", "next", "pad", "Serum"]
    wanted += ["lower", "higher", "hold", "midi", "volume"]
    assert reached[: len(wanted)] == wanted
    nameless = shown.evaluate(
        """[...document.querySelectorAll("button, input, [role=slider], a")]
        .filter((one) => !(one.ariaLabel || one.textContent.trim() || one.labels?.length)).map((one) => one.id)"""
    )
    assert not nameless
    pad = shown.get_by_role("slider", name="Wavetable position")
    pad.focus()
    for key, told in (("End", "frame 16 of 16"), ("ArrowLeft", "frame 16 of 16"), ("Home", "frame 1 of 16")):
        shown.keyboard.press(key)
        assert pad.get_attribute("aria-valuetext") == told
    shown.keyboard.press("PageUp")
    assert pad.get_attribute("aria-valuenow") == "25"
    shown.locator('#list [aria-current="true"]').focus()
    shown.keyboard.press("ArrowDown")
    shown.keyboard.press("ArrowDown")
    assert shown.locator("h2").inner_text() == "Grid"
    pad = shown.get_by_role("slider", name="Blend of the corners")
    pad.focus()
    shown.keyboard.press("Home")
    shown.keyboard.press("PageDown")
    assert pad.get_attribute("aria-valuetext") == "Saw 75 %, Sine 0 %, Square 25 %, Octaves 0 %"
    shown.locator("#piano button").first.focus()
    shown.keyboard.press("ArrowRight")
    shown.keyboard.down(" ")
    assert shown.locator("#piano .on").get_attribute("aria-label") == "C♯3"
    assert cents(pitch_hz(recorded(shown)[16_000:]), hz(49)) < 0.5
    shown.keyboard.up(" ")
    assert shown.locator("#piano .on").count() == 0


def test_search_and_hold(opened):
    shown = opened()
    shown.locator("#search").fill("gri")
    assert shown.locator("#list button:visible").all_inner_texts() == ["Grid\ngrid"]
    assert shown.locator("#piano .on").count() == 0  # letters in the search field are no notes
    shown.locator("#search").fill("nowhere")
    assert shown.locator("#none").is_visible()
    shown.locator("#search").fill("")
    shown.get_by_role("button", name="Hold").click()
    shown.keyboard.press("a")
    shown.keyboard.press("d")
    assert shown.locator("#piano .on").count() == 2
    shown.keyboard.press("a")
    assert shown.locator("#piano .on").count() == 1
    shown.get_by_role("button", name="Hold").click()
    assert shown.locator("#piano .on").count() == 0


@pytest.mark.parametrize(("width", "height"), [(390, 844), (360, 640), (844, 390)])
def test_on_a_phone(opened, width, height):
    shown = opened(viewport={"width": width, "height": height}, is_mobile=True, has_touch=True, device_scale_factor=2)
    assert shown.evaluate("document.documentElement.scrollWidth") <= width
    assert shown.evaluate("document.documentElement.scrollHeight") <= height
    small = shown.evaluate(
        """[...document.querySelectorAll("button:not(.black), #pad")]
        .map((one) => [one.id, one.getBoundingClientRect()])
        .filter(([, box]) => box.width && (box.width < 32 || box.height < 36)).map(([id]) => id)"""
    )
    assert not small
    shown.get_by_role("button", name="All").tap()
    shown.locator("#list button").filter(has_text="Grid").tap()
    assert shown.locator("h2").inner_text() == "Grid"
    pad = shown.locator("#pad").bounding_box()
    assert min(pad["width"], pad["height"]) > 150
    touch = shown.context.new_cdp_session(shown)
    key = shown.locator('#piano [data-note="55"]').bounding_box()
    fingers = [
        {"x": key["x"] + key["width"] / 2, "y": key["y"] + key["height"] - 12, "id": 1},
        {"x": pad["x"] + pad["width"] - 4, "y": pad["y"] + pad["height"] - 4, "id": 2},
    ]
    for count in (1, 2):  # one finger on a key, and another on the pad
        touch.send("Input.dispatchTouchEvent", {"type": "touchStart", "touchPoints": fingers[:count]})
    assert shown.locator("#piano .on").get_attribute("aria-label") == "G3"
    assert shown.locator("#pad output").last.inner_text() == "100 %"
    x = recorded(shown)[16_000:]
    assert cents(pitch_hz(x), hz(55)) < 0.5
    assert harmonics_db(x, hz(55), 3)[2] < -60  # octaves alone
    touch.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
    assert shown.locator("#piano .on").count() == 0


def luminance(colour: str) -> float:
    parts = np.array([int(colour[i : i + 2], 16) for i in (1, 3, 5)]) / 255
    return float(np.where(parts <= 0.04045, parts / 12.92, ((parts + 0.055) / 1.055) ** 2.4) @ [0.2126, 0.7152, 0.0722])


@pytest.mark.parametrize("scheme", ["dark", "light"])
def test_text_is_readable_in_the_dark_and_in_the_light(opened, scheme):
    shown = opened(color_scheme=scheme)

    def value(name: str) -> str:
        return shown.evaluate(f"getComputedStyle(document.documentElement).getPropertyValue('--{name}').trim()")

    assert (luminance(value("ground")) < 0.05) == (scheme == "dark")
    for text in ("ink", "quiet", "corner-0", "corner-1", "corner-2", "corner-3"):
        for ground in ("ground", "raised"):
            light, dark = sorted((luminance(value(text)), luminance(value(ground))), reverse=True)
            assert (light + 0.05) / (dark + 0.05) >= 4.5, (text, ground)  # WCAG 2.2, AA
