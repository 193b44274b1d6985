"""What the settings of an import do, on sounds whose truth is known."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import soundfile

from nsynth_core.audio import Sound
from nsynth_core.errors import UsageError, UserError
from nsynth_core.notes import midi_to_hz
from nsynth_core.pitch import Unpitched
from wavetables import shaping
from wavetables.cli import main
from wavetables.cli.words import sentence
from wavetables.formats import serum
from wavetables.importing import Settings, import_tables, join, splitting
from wavetables.importing.explain import sentences
from wavetables.table import FRAME_SIZE

RATE = 44100
NUMBER = np.arange(FRAME_SIZE // 2 + 1)


def note(midi: float, seconds: float = 0.5, partials: int = 12, start: float = 0.0, bright: float = 0.0) -> np.ndarray:
    """Partials 1 / k, the third growing from `bright` times itself; faded over 5 ms."""
    t = np.arange(int(seconds * RATE)) / RATE
    hz = midi_to_hz(midi)
    level = np.array([1 / k for k in range(1, partials + 1)])[:, None] * np.ones(len(t))
    level[2] *= 1 + bright * t / seconds
    x = sum(a * np.sin(2 * np.pi * hz * k * t + k * k * start) for k, a in enumerate(level, 1))
    return np.asarray(0.3 * x * np.minimum(1, np.minimum(t, seconds - t) / 0.005))


@pytest.fixture
def write(tmp_path):
    def writer(x: np.ndarray, name: str = "x.wav") -> Path:
        soundfile.write(tmp_path / name, x, RATE, "FLOAT")
        return tmp_path / name

    return writer


def one(path: Path, **settings) -> np.ndarray:
    return import_tables(path, Settings(**settings))[0].table.frames


def test_octaves_move_the_pitch(write):
    path = write(note(60))
    for octave in (-1, 1):
        made = import_tables(path, Settings(octave=octave))[0]
        assert made.table.root_pitch == pytest.approx(60 + 12 * octave, abs=0.02)
        assert "as asked" in sentences(made.facts)[1]
    low = np.abs(np.fft.rfft(one(path, octave=-1)[20]))
    assert low[1:12:2].max() < 1e-3 * low[2]
    with pytest.raises(UserError, match="out of reach"):
        one(write(note(100), "high.wav"), octave=4)


def test_a_range_that_the_pitch_lies_above_is_refused(write):
    path = write(note(72))
    with pytest.raises(Unpitched, match=r"its pitch, C5, is not within C2\.\.C4"):
        one(path, low_hz=midi_to_hz(36), high_hz=midi_to_hz(60))
    assert import_tables(path, Settings(low_hz=200, high_hz=900))[0].table.root_pitch == pytest.approx(72, abs=0.02)


def test_a_pitch_below_the_range_is_named(write):
    path = write(note(16, 2.0, partials=80))
    with pytest.raises(Unpitched, match=r"its pitch, E0, is not within A0\.\.C8") as caught:
        one(path)
    assert "--pitch E0" in sentence(caught.value, "import")
    assert import_tables(path, Settings(low_hz=15))[0].table.root_pitch == pytest.approx(16, abs=0.02)
    assert len(one(path, pitch=16)) == pytest.approx(41, abs=2)


def test_a_name_is_a_hint_and_no_command(write):
    made = import_tables(write(note(60), "flute_48.wav"))[0]
    assert made.table.root_pitch == pytest.approx(60, abs=0.02)
    assert "the file's name says C3, the sound does not" in sentences(made.facts)[1]
    assert "as the file's name says (C4)" in sentences(import_tables(write(note(60), "flute_C4.wav"))[0].facts)[1]
    # half of what is between two octaves: the name decides
    t = np.arange(RATE) / RATE
    x = sum(a * np.sin(2 * np.pi * 130.81 * k * t) for k, a in enumerate((0.02, 1.0, 0.015, 0.4, 0.01, 0.2), 1))
    pitches = [import_tables(write(0.2 * x, name))[0].table.root_pitch for name in ("a_C3.wav", "a_C4.wav")]
    assert pitches == [pytest.approx(48, abs=0.05), pytest.approx(60, abs=0.05)]


def test_phases(write):
    path = write(note(57, start=1.3, bright=3))
    phases = ("align", "sine", "source", "minimum")
    spectra = {phase: np.fft.rfft(one(path, phase=phase).astype(np.float64))[10:-10] for phase in phases}
    level = {phase: np.abs(spectrum[:, 1:12]) / np.abs(spectrum[:, 1:2]) for phase, spectrum in spectra.items()}
    for phase in phases:
        np.testing.assert_allclose(level[phase], level["sine"], atol=2e-2, err_msg=phase)
    np.testing.assert_allclose(np.angle(spectra["sine"][:, 1:12]), -np.pi / 2, atol=1e-3)
    # what is left of the recording's phases when the fundamental's turn is taken out: k * k * start - k * start
    number = np.arange(1, 12)
    for phase in ("align", "source"):
        turn = np.angle(spectra[phase][:, 1:12]) + np.pi / 2
        left = np.exp(1j * (turn - number * turn[:, :1] - (number**2 - number) * 1.3))
        assert np.abs(np.angle(left)).max() < 0.1, phase
    energy = np.cumsum(np.fft.irfft(spectra["minimum"]) ** 2, axis=1)
    others = [np.cumsum(np.fft.irfft(spectra[p]) ** 2, axis=1) for p in ("align", "sine")]
    place = [np.argmax(each > 0.5 * each[:, -1:], axis=1).mean() for each in (energy, *others)]
    assert place[0] < min(place[1:])


def test_average(write):
    rng = np.random.default_rng(1)
    path = write(note(57, 2.0) + 0.02 * rng.normal(size=2 * RATE))
    level = {n: np.abs(np.fft.rfft(one(path, average=n, frames=64)))[4:-4, 20:80].mean() for n in (1, 4, 32)}
    assert level[1] > 1.4 * level[4] > 1.4 * 1.4 * level[32]
    with pytest.raises(UsageError, match=r"1\.\.64"):
        Settings(average=65)


def test_even_steps_go_where_the_timbre_moves(write):
    x = np.concatenate([note(57, 1.5)[:-220], note(57, 0.5, bright=8)])
    path = write(x)
    for spacing, low, high in (("time", 0.6, 0.8), ("even", 0.0, 0.5)):
        seconds = np.array(import_tables(path, Settings(spacing=spacing, frames=40))[0].seconds)
        assert (np.diff(seconds) > 0).all()
        assert low <= (seconds < 1.4).mean() <= high, spacing


def test_start_and_end(write):
    x = np.concatenate([note(57, 1.0), 0.004 * note(64, 1.0)])
    made = import_tables(write(x), Settings(start=1.2, end=1.7))[0]
    assert made.table.root_pitch == pytest.approx(64, abs=0.02)
    assert len(made.table.frames) == pytest.approx(0.5 * midi_to_hz(64), abs=2)
    with pytest.raises(UserError, match=r"x\.wav: nothing between 3 and 2 s"):
        one(write(x), start=3.0)
    with pytest.raises(UsageError, match="the end must be later than the start"):
        Settings(start=1.0, end=0.5)


def test_levels(write):
    x = note(57, 1.0) * np.linspace(1, 0.1, RATE)
    path = write(x)
    peaks = {level: np.abs(one(path, level=level)).max(1) for level in ("table", "frame", "keep", "loudness")}
    assert peaks["table"].max() == pytest.approx(shaping.PEAK)
    assert peaks["table"][-3] < 0.2
    np.testing.assert_allclose(peaks["frame"], shaping.PEAK, rtol=1e-6)
    assert peaks["keep"].max() == pytest.approx(np.abs(x).max(), rel=0.05)
    assert peaks["loudness"][3:-3].min() > 0.95 * peaks["loudness"][3:-3].max()


@pytest.mark.parametrize("stereo", ["lr", "ms"])
def test_pairs_are_cut_and_turned_alike(write, stereo):
    left, right = note(57, 1.0), note(57, 1.0, partials=5, start=0.7)
    pair = import_tables(write(np.stack([left, right], 1)), Settings(stereo=stereo))
    assert [each.part for each in pair] == (["L", "R"] if stereo == "lr" else ["M", "S"])
    a, b = (each.table.frames.astype(np.float64) for each in pair)
    if stereo == "ms":
        a, b = a + b, a - b
    # the right channel's own fundamental lies 0.7 radians ahead, in every frame
    first = np.fft.rfft(b)[5:-5, 1] / np.fft.rfft(a)[5:-5, 1]
    np.testing.assert_allclose(np.angle(first), 0.7, atol=0.02)
    np.testing.assert_allclose(np.abs(first), 1.0, atol=0.02)


def test_channels_that_are_not_there(write):
    tone = note(57)
    for x, stereo, why in (
        (tone, "ms", "mono"),
        (np.stack([tone, 0 * tone], 1), "lr", "right channel is silent"),
        (np.stack([tone, 0 * tone], 1), "right", "right channel is silent"),
        (np.stack([tone, tone], 1), "ms", "side channel is silent"),
    ):
        with pytest.raises(UserError, match=rf"x\.wav: .*{why}"):
            one(write(x), stereo=stereo)
    assert len(one(write(np.stack([0 * tone, tone], 1)), stereo="right")) > 50


def test_split(write):
    silence = np.zeros(3000)
    pitches = [48, 50, 60, 36, 72, 72]
    made = import_tables(write(np.concatenate([np.r_[note(p, 0.3), silence] for p in pitches])), Settings(split=True))
    assert [round(each.table.root_pitch) for each in made] == pitches
    assert made[0].part == "1-C3"
    legato = np.concatenate([note(p, 0.4)[300:-300] for p in (48, 52, 43, 60)])
    assert [round(each.table.root_pitch) for each in import_tables(write(legato), Settings(split=True))] == [
        48,
        52,
        43,
        60,
    ]
    struck = np.concatenate([note(57, 0.5) * np.exp(-6 * np.arange(RATE // 2) / RATE)] * 3)
    assert len(import_tables(write(struck), Settings(split=True))) == 3
    t = np.arange(2 * RATE) / RATE
    vibrato = np.sin(2 * np.pi * 220 * t - 3 * np.cos(2 * np.pi * 5 * t)) * (0.3 + 0.1 * np.sin(2 * np.pi * 5 * t))
    assert len(import_tables(write(vibrato), Settings(split=True))) == 1
    with pytest.raises(UserError, match="no note found"):
        one(write(0.1 * np.random.default_rng(1).normal(size=RATE)), split=True)


def played(midi: np.ndarray, partials: int = 10) -> np.ndarray:
    """Partials 1 / k on a line of MIDI pitch, one value a sample."""
    phase = 2 * np.pi * np.cumsum(440 * 2 ** ((midi - 69) / 12)) / RATE
    return np.asarray(0.3 * sum(np.sin(k * phase) / k for k in range(1, partials + 1)))


def spans(x: np.ndarray) -> list[tuple[float, float]]:
    return splitting.notes(Sound(x.astype(np.float32)[:, None], RATE))


@pytest.mark.parametrize("how", ["plain", "vibrato", "slurred", "breath", "room"])
@pytest.mark.parametrize("root", [38, 55, 74])
def test_legato_is_split_where_the_pitch_steps_and_stays(root: int, how: str):
    rng = np.random.default_rng(root)
    steps = np.array([0, 2, 3, 7, 6, 12, 4])
    lengths = rng.uniform(0.2, 0.35, len(steps))
    midi = np.repeat(root + steps.astype(float), np.round(lengths * RATE).astype(int))
    slur = round(RATE * (0.03 if how == "slurred" else 0.004))
    midi = np.convolve(np.pad(midi, slur, "edge"), np.ones(slur) / slur, "same")[slur:-slur]
    t = np.arange(len(midi)) / RATE
    if how == "vibrato":
        midi = midi + 0.3 * np.sin(2 * np.pi * 5.5 * t)
    x = played(midi)
    if how == "breath":
        x = x + 0.3 * x.std() * rng.normal(size=len(x))
    if how == "room":
        late = rng.normal(size=RATE // 2) * np.logspace(0, -3, RATE // 2)
        late *= 0.2 / np.sqrt((late**2).sum())
        x = x + np.fft.irfft(np.fft.rfft(x, 1 << 18) * np.fft.rfft(late, 1 << 18))[: len(x)]
    found = spans(x)
    assert len(found) == len(steps)
    np.testing.assert_allclose([start for start, _ in found[1:]], np.cumsum(lengths)[:-1], atol=0.04)


def test_what_moves_or_errs_within_a_note_splits_nothing():
    t = np.arange(2 * RATE) / RATE
    rng = np.random.default_rng(3)
    wander = np.convolve(rng.normal(size=len(t)), np.hanning(RATE // 10), "same")
    vibratos = ((0.5, 6), (1, 5.5), (1, 2.5))
    lines = {f"vibrato {rate} Hz": depth * np.sin(2 * np.pi * rate * t) for depth, rate in vibratos}
    lines |= {f"octave in {long} s": 12 * np.clip((t - 0.5) / long, 0, 1) for long in (0.25, 0.5, 1.0)}
    lines |= {f"trill of {long} s": 2.0 * (np.floor(t / long) % 2) for long in (0.06, 0.1)}
    lines["scoop"] = -2 * np.exp(-t / 0.06)
    lines["jitter"] = 0.2 * wander / wander.std()
    lines["grace note"] = 2.0 * ((t > 1) & (t < 1.06))
    for root in (40, 76):
        for name, line in lines.items():
            assert len(spans(played(root + line))) == 1, (name, root)
        swell = played(root + 0.15 * np.sin(2 * np.pi * 6 * t)) * 10 ** (0.2 * np.sin(2 * np.pi * 6 * t))
        assert len(spans(swell)) == 1
        # every other cycle is louder half of the time: a tracker sees an octave down
        other = played(root + 0 * t)
        other *= 1 + 0.15 * np.sin(np.pi * midi_to_hz(root) * t) * (np.sin(2 * np.pi * t) > 0)
        assert len(spans(other)) == 1


@pytest.mark.parametrize("length", [100, 168, 600, 1000, 2048, 4097, 6000])
def test_a_single_cycle_of_any_length(write, length):
    number = np.arange(1, min(length // 2, 300))
    spectrum = np.zeros(length // 2 + 1, complex)
    spectrum[number] = np.exp(1j * number**2) / number
    x = np.fft.irfft(spectrum, length)
    path = write(0.5 * x / np.abs(x).max())
    made = import_tables(path, Settings(phase="source"))[0]
    assert made.table.frames.shape == (1, FRAME_SIZE)
    got = np.fft.rfft(made.table.frames[0].astype(np.float64))
    top = min(len(number), 1000)
    np.testing.assert_allclose(np.abs(got[1:top]) / np.abs(got[1]), 1 / number[: top - 1], atol=1e-4)


def test_what_is_a_single_cycle():

    cycle = np.linspace(-0.5, 0.5, 600, dtype=np.float32)
    copies = splitting.single_cycle(Sound(np.tile(cycle, 4)[:, None], RATE))
    assert copies is not None
    np.testing.assert_allclose(copies[0], cycle, atol=1e-6)
    short = note(69, 0.06)[300:-300].astype(np.float32)
    assert splitting.single_cycle(Sound(short[:, None], RATE)) is None
    hiss = np.random.default_rng(1).normal(size=6600).astype(np.float32)
    assert splitting.single_cycle(Sound(hiss[:, None], RATE), unpitched=True) is None


def test_few_samples_at_a_low_rate_are_a_recording(tmp_path):
    soundfile.write(tmp_path / "x.wav", 0.3 * np.sin(2 * np.pi * 60 * np.arange(2000) / 1000), 1000, "FLOAT")
    assert import_tables(tmp_path / "x.wav")[0].table.root_pitch == pytest.approx(34.51, abs=0.01)


@pytest.mark.parametrize("suffix", [".wav", ".mp3", ".ogg"])
def test_half_of_a_download_is_told(write, tmp_path, capsys, suffix):
    x = note(57, 6.0) + 0.001 * np.random.default_rng(1).normal(size=6 * RATE)
    soundfile.write(tmp_path / f"whole{suffix}", x, RATE)
    data = (tmp_path / f"whole{suffix}").read_bytes()
    (tmp_path / f"half{suffix}").write_bytes(data[: len(data) // 2])
    for name, told in (("whole", False), ("half", True)):
        command = ["import", str(tmp_path / f"{name}{suffix}"), "-o", str(tmp_path / f"{name}-table.wav")]
        assert main([*command, "--frames", "4"]) == 0
        assert ("cut short" in capsys.readouterr().err) == told


def test_a_range_above_the_sound_is_refused(tmp_path):
    soundfile.write(tmp_path / "slow.wav", np.sin(np.arange(3000.0)), 1000)
    for split in (False, True):
        with pytest.raises(UserError, match=r"slow.wav: sampled at 1000 Hz, it holds no pitch above 450 Hz"):
            import_tables(tmp_path / "slow.wav", Settings(low_hz=600.0, high_hz=900.0, split=split))


def test_a_stream_that_declares_no_samples_is_read_to_its_end(write, tmp_path, capsys):
    path = write(note(57, 2.0))
    data = path.read_bytes()
    place = data.index(b"data") + 4
    table = tmp_path / "table.wav"
    path.write_bytes(data[:place] + bytes(4) + data[place + 4 :])
    assert main(["import", str(path), "-o", str(table), "--frames", "4"]) == 0
    assert "declares no samples" in capsys.readouterr().err
    streamed = table.read_bytes()
    path.write_bytes(data)
    assert main(["import", str(path), "-o", str(table), "--frames", "4", "--force"]) == 0
    assert table.read_bytes() == streamed
    # nothing is there, but another chunk
    path.write_bytes(data[:place] + bytes(4) + b"LIST" + (4).to_bytes(4, "little") + b"INFO")
    assert main(["import", str(path), "-o", str(table), "--force"]) == 1
    assert "no more than one sample" in capsys.readouterr().err


def test_a_header_that_declares_less_is_told(write, tmp_path, capsys):
    path = write(note(57, 2.0))
    data = path.read_bytes()
    place = data.index(b"data") + 4
    length = int.from_bytes(data[place : place + 4], "little")
    path.write_bytes(data[:place] + (length // 2).to_bytes(4, "little") + data[place + 4 :])
    command = ["import", str(path), "-o", str(tmp_path / "table.wav"), "--frames", "4"]
    assert main(command) == 0
    assert "declares less than the file holds" in capsys.readouterr().err
    path.write_bytes(data + b"note" + (4).to_bytes(4, "little") + b"text")  # a chunk behind the samples is none of them
    assert main([*command, "--force"]) == 0
    assert "the file holds" not in capsys.readouterr().err


def test_unpitched_windows_close(write):
    rng = np.random.default_rng(1)
    frames = one(write(0.1 * rng.normal(size=RATE)), unpitched=True)
    assert len(frames) == (RATE - 512) // FRAME_SIZE
    assert shaping.seam(frames).max() <= 1.0
    level = np.sqrt((frames.astype(np.float64) ** 2).mean(1))
    assert level.min() > 0.8 * level.max()  # at equal power the crossfade leaves no dip
    assert len(one(write(0.1 * rng.normal(size=RATE)), unpitched=True, frames=5)) == 5
    assert one(write(0.1 * rng.normal(size=900)), unpitched=True).shape == (1, FRAME_SIZE)


def test_join_sorts_as_people_do(write, tmp_path):
    paths = []
    for k in (10, 2, 1):
        x = np.sin(2 * np.pi * np.arange(600) / 600) + 0.5 * np.sin(2 * np.pi * k * np.arange(600) / 600 + 1)
        paths.append(write(0.3 * x, f"wave {k}.wav"))
    table = join(paths, Settings(), "joined").table
    level = np.abs(np.fft.rfft(table.frames))
    assert len(table.frames) == 3
    assert [int(row[2:12].argmax()) + 2 for row in level[1:]] == [2, 10]
    soundfile.write(tmp_path / "rec.wav", note(57), RATE)
    assert len(join([*paths, tmp_path / "rec.wav"], Settings(), "x").table.frames) == 4
    with pytest.raises(UserError, match="at most 256"):
        join(paths * 100, Settings(), "x")


def test_a_wavetable_is_not_analysed_again(write, tmp_path):
    serum.write(tmp_path / "t.wav", import_tables(write(note(57)))[0].table)
    first = serum.read(tmp_path / "t.wav").frames
    made = import_tables(tmp_path / "t.wav", Settings(phase="sine", level="frame"))[0]
    np.testing.assert_array_equal(made.table.frames, first)
    assert sentences(made.facts) == ["a wavetable already: its frames are kept"]


class TestCommand:
    def test_every_option_at_once(self, write, tmp_path, capsys):
        path = write(np.stack([note(60), note(60, partials=4)], 1))
        options = "--octave -1 --spacing even --start 0.1 --end 0.4 --phase source --average 3 --level loudness"
        command = [
            "import",
            str(path),
            "-o",
            str(tmp_path / "t.wav"),
            *options.split(),
            "--stereo",
            "lr",
            "--frames",
            "9",
        ]
        assert main([*command, "--plot", "--explain", "--json"]) == 0
        out, err = capsys.readouterr()
        told = json.loads(out)
        assert [Path(each["output"]).name for each in told] == ["t-L.wav", "t-R.wav"]
        assert all(Path(each["picture"]).read_bytes().startswith(b"\x89PNG") for each in told)
        assert "left and right become two tables" in err
        assert "averaged over 3 periods, as asked" in err

    def test_a_folder_on_several_cores_names_what_fails(self, write, tmp_path, capsys):
        (tmp_path / "in").mkdir()
        for k in range(5):
            write(note(50 + k, 0.2), f"in/{k}.wav")
        write(note(60, 0.2), "in/4.aiff")
        write(0.1 * np.random.default_rng(1).normal(size=RATE), "in/hiss.wav")
        assert main(["import", str(tmp_path / "in"), "-o", str(tmp_path / "out")]) == 3
        out, err = capsys.readouterr()
        assert [Path(line).name for line in out.splitlines()] == [
            f"{name}.wav" for name in ("0", "1", "2", "3", "4", "4-2")
        ]
        assert "hiss.wav" in err
        assert "1 of 7 failed" in err

    @pytest.mark.parametrize(
        ("options", "code", "why"),
        [
            ("--range C5:C3", 2, "the lower pitch comes first"),
            ("--range C5", 2, "C2:C5"),
            ("--average 99", 2, "1 to 64"),
            ("--phase round", 2, "legal: align"),
            ("--unpitched --pitch C3", 2, "looks for no pitch"),
            ("--join --split", 2, "--join makes one table"),
            ("--start 9", 1, "nothing between"),
            ("--range C1:C2", 1, "is not within"),
        ],
    )
    def test_refusals_are_one_line(self, write, tmp_path, capsys, options, code, why):
        path = write(note(60))
        assert main(["import", str(path), "-o", str(tmp_path / "t.wav"), *options.split()]) == code
        out, err = capsys.readouterr()
        assert out == ""
        assert why in err
        assert len(err.splitlines()) == 1
        assert not (tmp_path / "t.wav").exists()
