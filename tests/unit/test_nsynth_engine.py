"""NSynth in the house: blends, grids, tables and stereo of a checkpoint as wide as the tests can wait for."""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from nsynth_core import audio, cache
from nsynth_core.audio import Sound, resample
from nsynth_core.blending.coder import load_coder
from nsynth_core.blending.engine import Row
from nsynth_core.blending.instrument import Instrument, load_instrument
from nsynth_core.errors import UserError
from nsynth_core.notes import midi_to_hz
from nsynth_core.pitch import track
from nsynth_core.wavenet import checkpoint, encoder, generator, memory, mulaw
from nsynth_core.wavenet.checkpoint import Weights
from nsynth_core.wavenet.engine import NSynth, load
from nsynth_core.wavenet.enhance import enhanced
from wavetables import loudness, pictures
from wavetables.cli import main
from wavetables.formats import serum
from wavetables.importing.slicing import slice_each
from wavetables.packs.plan import DEFAULT_LOUDNESS
from wavetables.table import Table

pytestmark = pytest.mark.tensorflow
C3 = midi_to_hz(48)


def _reference():
    spec = importlib.util.spec_from_file_location("wavenet_reference", Path(__file__).with_name("wavenet_reference.py"))
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def weights() -> Weights:
    arrays = _reference().random_weights(5, width=16, skip=8, encoder=8, latent=4)
    arrays["ae_bottleneck/W"] = arrays["ae_bottleneck/W"] / 10  # codes of about 1
    return Weights(arrays)


@pytest.fixture(scope="module")
def folder(weights, tmp_path_factory) -> Path:
    place = tmp_path_factory.mktemp("wavenet-ckpt")
    checkpoint.save(place, weights.arrays, 7)
    return place


@pytest.fixture(autouse=True)
def _own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv(cache.FOLDER, str(tmp_path / "cache"))
    load.cache_clear()  # each test is a process of its own


@pytest.fixture
def drawn(monkeypatch):
    """Decoding without the network, for tests of what surrounds it: a saw an octave above C3, as loud as the codes;
    what it was asked for, call by call."""
    asked = []

    def generate(weights, encodings, *, seed, streams, samples, precision, wide, unfinished, progress):
        asked.append((encodings, seed, list(streams), unfinished))
        progress(len(encodings) * samples, len(encodings) * samples, "")
        t = np.arange(samples) / 16_000
        saw = sum(np.sin(2 * np.pi * k * 2 * C3 * t + k * k) / k for k in range(1, 25))
        return np.stack([np.float32(saw * 0.1 * (1 + np.tanh(each.mean()) / 2)) for each in encodings])

    monkeypatch.setattr(generator, "generate", generate)
    return asked


def _stereo(left: Sound, right: Sound) -> Sound:
    return Sound(np.concatenate([left.samples, right.samples], axis=1), left.rate)


@pytest.fixture
def pair(tmp_path, saw) -> list[Instrument]:
    """Two recordings of C3 at 16 kHz, ten frames long: the first one mono, the second in stereo."""
    audio.write(tmp_path / "a.wav", saw(C3, 0.32, 16_000), subtype="FLOAT")
    left, right = saw(C3, 0.32, 16_000, 0.1), saw(C3, 0.32, 16_000, 0.2)
    audio.write(tmp_path / "b.wav", _stereo(left, right), subtype="FLOAT")
    return [load_instrument(tmp_path / name, load_coder("harmonic"), 48) for name in ("a.wav", "b.wav")]


def test_a_blend_is_the_decoded_mean_of_the_encodings_of_the_recordings_themselves(weights, pair):
    runner = NSynth(weights, seed=3)
    sources = runner.sources(pair, seconds=0.32)
    sounds = [np.broadcast_to(each.sound.samples.T, (2, 5120)) for each in pair]
    codes = np.stack([encoder.encode(weights, sound) for sound in sounds])
    assert sources.samples == 5120
    np.testing.assert_allclose(sources.codes, codes, atol=1e-5)
    mean = 0.25 * sources.codes[0] + 0.75 * sources.codes[1]
    weighed = np.float32([0.25, 0.75])
    np.testing.assert_allclose(runner.note(sources, weighed).codes, mean, atol=1e-6)
    short = runner.moment(sources, weighed, 0.04)
    (note,) = runner.decoder.render([short], 16_000)
    expected = generator.generate(weights, short.codes, seed=3, streams=[0, 0], samples=640)
    np.testing.assert_array_equal(note.samples, expected.T)
    assert (note.samples[:, 0] != note.samples[:, 1]).mean() > 0.1  # the second one is no mono


def test_left_and_right_have_one_noise_and_what_is_alike_is_decoded_once(weights, pair, drawn):
    runner = NSynth(weights, seed=3)
    sources = runner.sources(pair, seconds=0.1)
    mono, stereo = (runner.note(sources, np.float32(w)) for w in ([1, 0], [0.5, 0.5]))
    notes = list(runner.decoder.render([mono, stereo, mono], 48_000))
    assert runner.decoder.memory_needed([mono, stereo, mono])[:2] == (3, 3)
    ((encodings, seed, streams, _),) = drawn
    assert (len(encodings), seed, streams) == (3, 3, [0, 0, 0])
    np.testing.assert_array_equal(notes[0].samples, notes[2].samples)
    np.testing.assert_array_equal(notes[0].samples[:, 0], notes[0].samples[:, 1])
    assert [(note.rate, note.channels, round(note.seconds, 3)) for note in notes] == [(48_000, 2, 0.1)] * 3


def test_what_is_decoded_is_never_decoded_again(weights, pair, drawn):
    for _ in range(2):
        runner = NSynth(weights)
        sources = runner.sources(pair, seconds=0.1)
        notes = list(runner.decoder.render([runner.note(sources, np.float32([m, 1 - m])) for m in (0, 1)], 16_000))
        assert len(notes) == 2
    assert len(drawn) == 1
    list(NSynth(weights, seed=1).decoder.render([runner.note(sources, np.float32([1, 0]))], 16_000))
    assert len(drawn) == 2  # other noise is another note
    (cache.place(runner.decoder.stream_name(sources.codes[0, 0], sources.samples, False))).write_bytes(b"damaged")
    list(runner.decoder.render([runner.note(sources, np.float32([1, 0]))], 16_000))
    assert len(drawn) == 3


def test_all_that_is_asked_for_decides_how_it_is_computed(weights, pair, monkeypatch):
    """Not what the cache lacks of it: a part would be another take."""
    asked = []

    def generate(_, codes, samples, wide, **__):
        asked.append((len(codes), wide))
        return np.zeros((len(codes), samples), np.float32)

    monkeypatch.setattr(generator, "generate", generate)
    monkeypatch.setattr(generator, "WIDE", 3)
    runner = NSynth(weights)
    sources = runner.sources(pair, seconds=0.1)
    mono, stereo = (runner.note(sources, np.float32(w)) for w in ([1, 0], [0.5, 0.5]))
    list(runner.decoder.render([stereo], 16_000))
    list(runner.decoder.render([mono, stereo], 16_000))
    cache.place(runner.decoder.stream_name(mono.codes[0], mono.samples, True)).unlink()
    list(runner.decoder.render([mono, stereo], 16_000))
    assert asked == [(2, False), (3, True), (1, True)]


@pytest.mark.slow
def test_ctrl_c_keeps_what_is_finished_and_the_next_run_goes_on_there(weights, pair, monkeypatch):
    runner = NSynth(weights)
    sources = runner.sources(pair, seconds=0.03)
    notes = [runner.note(sources, np.float32([1 - m, m])) for m in (0, 0.5, 1)]
    monkeypatch.setattr(generator, "BATCH", 3)  # mono and stereo, then stereo

    def stop(done: int, total: int, note: str) -> None:
        if done > 0.8 * total:
            raise KeyboardInterrupt

    finished = []

    def run(update) -> None:
        for note in runner.decoder.render(notes, 16_000, update):
            finished.append(note)

    with pytest.raises(KeyboardInterrupt):
        run(stop)
    assert len(finished) == 2
    first, seen = finished.copy(), []
    finished.clear()
    run(lambda done, total, note: seen.append((done, total)))
    assert seen[0] == (0, 2 * 480)  # only the last note
    assert seen[2][0] >= 2 * 256  # and not from its beginning
    assert len(finished) == 3
    for one, other in zip(finished, first, strict=False):
        np.testing.assert_array_equal(one.samples, other.samples)


def test_a_cache_that_cannot_be_written_costs_only_time(weights, pair, drawn, tmp_path, monkeypatch):
    (tmp_path / "file").write_bytes(b"")
    monkeypatch.setenv(cache.FOLDER, str(tmp_path / "file" / "cache"))
    runner = NSynth(weights)
    sources = runner.sources(pair, seconds=0.1)
    assert len(list(runner.decoder.render([runner.note(sources, np.float32([1, 0]))], 16_000))) == 1
    assert drawn[0][3] is None


def test_a_sound_of_another_pitch_is_brought_to_the_blend_s(weights, tmp_path, saw, monkeypatch):
    names = ("low.wav", "high.wav")
    for name, midi in zip(names, (48, 55), strict=True):
        audio.write(tmp_path / name, saw(midi_to_hz(midi), 0.6))
    sounds = [load_instrument(tmp_path / name, load_coder("harmonic")) for name in names]
    heard = []
    monkeypatch.setattr(
        encoder, "encode", lambda weights, x: heard.append(x[0]) or np.zeros((1, x.shape[1] // 512, 4), np.float32)
    )
    NSynth(weights).sources(sounds)
    found = [track(Sound(x[:, None], 16_000)).pitch for x in heard]
    np.testing.assert_allclose(found, 48, atol=0.05)
    # the one at its own pitch is the recording, not a rendering of it
    own = resample(sounds[0].sound, 16_000).samples[:, 0]
    np.testing.assert_array_equal(heard[0][: len(own)], own[: len(heard[0])])


def test_a_moment_lies_within_the_note(weights, pair):
    runner = NSynth(weights)
    sources = runner.sources(pair, seconds=0.5)
    whole = runner.note(sources, np.float32([1, 0]))
    for seconds in (0.02, 0.1, 3.0):
        note = runner.moment(sources, np.float32([1, 0]), seconds)
        assert note.samples == min(max(512, round(seconds * 16_000)), sources.samples)
        assert note.codes.shape[1] == -(-note.samples // 512)
        full = note.full(48_000)
        assert len(full.samples) == pytest.approx(3 * note.samples, abs=480)
        rows = {row.tobytes() for row in whole.codes[0]}
        assert all(row.tobytes() in rows for row in note.codes[0])


def test_rows_are_one_batch_and_tables_are_cut_from_their_notes(weights, pair, drawn):
    # the frames of a table are what `cut` makes of the notes: here the notes themselves
    runner, told = NSynth(weights, cut=lambda notes, pitch, count, stereo: (notes, pitch, count, stereo)), []

    @contextmanager
    def watch(what: str, said: str) -> Iterator[Callable[[int, int, str], None]]:
        told.append((what, said))
        yield lambda done, total, note: told.append((done, total))

    mixes = np.float32([[1, 0], [0.5, 0.5], [0, 1]])
    rows = [Row(tuple(pair), pitch, mixes, mixes) for pitch in (48.0, 60.0)]
    made = list(runner.blend(rows, 0.2, 48_000, watch=watch))
    ((encodings, *_),) = drawn
    assert len(encodings) == 11  # left and right of three mixes at two pitches, and the first recording is mono
    begun = {what: said for what, said in told if isinstance(what, str)}
    assert list(begun) == ["nsynth encodes", "nsynth samples"]
    assert "6 notes of 0.2 s, 11 streams, 11 at once" in begun["nsynth samples"]
    assert told[-1] == (11 * 3200, 11 * 3200)
    for row, blend in zip(rows, made, strict=True):
        sources = runner.sources(row.instruments, row.pitch, 0.2)
        alone = runner.decoder.render([runner.note(sources, mix) for mix in mixes], 48_000)
        cut_notes, *asked = blend.walk(True)
        assert asked == [row.pitch, 3, True]
        for note, walked, expected in zip(blend.notes, cut_notes, alone, strict=True):
            np.testing.assert_array_equal(note().samples, expected.samples)
            np.testing.assert_array_equal(walked.samples, expected.samples)
    # without notes, from moments, of whose start the network knows no past
    (short,) = runner.blend(rows[:1], 5.0, moment=0.1)
    assert not short.notes
    assert {(each.rate, len(each.samples)) for each in short.walk(False)[0]} == {(16_000, 1280)}
    assert len(runner.encoding(rows[0], 0.2)) == 7


def test_a_morph_walks_from_code_to_code(weights, pair):
    runner = NSynth(weights)
    sources = runner.sources(pair, seconds=0.3)
    morph = runner.note(sources, np.float32([[1, 0], [0, 1]])).codes
    np.testing.assert_allclose(morph[:, 0], sources.codes[0, :, 0], atol=1e-6)
    np.testing.assert_allclose(morph[:, -1], sources.codes[1, :, -1], atol=1e-6)


# ------------------------------------------------------------------------------------------------------------- enhance
def _bands(sound: Sound, low: float, high: float) -> np.ndarray:
    """Levels in dB of third octaves over frames of 43 ms."""
    spectra = np.abs(
        np.fft.rfft(sound.samples[: len(sound.samples) // 2048 * 2048, 0].reshape(-1, 2048) * np.hanning(2048))
    )
    hz = np.fft.rfftfreq(2048, 1 / sound.rate)
    edges = low * (high / low) ** np.linspace(0, 1, 5)
    level = [(spectra[:, (hz >= a) & (hz < b)] ** 2).sum(1) for a, b in pairwise(edges)]
    return 10 * np.log10(np.asarray(level) + 1e-9)


@pytest.mark.parametrize("kind", ["decaying", "breathy", "vibrato"])
def test_enhance_gives_back_what_8_bit_and_16_khz_took(weights, kind, tmp_path, monkeypatch):
    t = np.arange(96_000) / 48_000
    turns = C3 * t + (0.5 * np.sin(2 * np.pi * 5 * t) / np.pi if kind == "vibrato" else 0)
    rng, sides = np.random.default_rng(0), []
    for _ in range(2):
        x = np.zeros(len(t))
        for k in range(1, 150):
            x += np.sin(2 * np.pi * k * turns) / k * (np.exp(-k * t / 100) if kind == "decaying" else 1)
        x += 0.03 * rng.standard_normal(len(t)) if kind == "breathy" else 0
        sides.append(0.2 * x)
    original = Sound(np.float32(sides).T, 48_000)
    audio.write(tmp_path / "original.wav", original, subtype="FLOAT")
    narrow = resample(original, 16_000)
    ideal = mulaw.restore(mulaw.quantise(narrow.samples))  # the best that NSynth could make of it
    monkeypatch.setattr(generator, "generate", lambda _, codes, samples, **__: ideal[:samples, : len(codes)].T)
    instrument = load_instrument(tmp_path / "original.wav", load_coder("harmonic"))
    made = {}
    for enhance in (False, True):
        runner = NSynth(weights, enhance=enhance)
        (made[enhance],) = runner.decoder.render([runner.note(runner.sources([instrument]), np.float32([1]))], 48_000)
    error = {
        enhance: np.sqrt(((_bands(sound, 8500, 18_000) - _bands(original, 8500, 18_000))[:, 2:40] ** 2).mean())
        for enhance, sound in made.items()
    }
    assert error[True] < 1.0 < 20 < error[False]
    np.testing.assert_allclose(_bands(made[True], 200, 7000), _bands(made[False], 200, 7000), atol=0.2)


def test_enhance_knows_what_lies_between_two_sounds(weights, tmp_path, monkeypatch):
    t, number = np.arange(72_000) / 48_000, np.arange(1, 150)
    originals = [
        Sound(np.float32(0.2 * (np.sin(2 * np.pi * C3 * t[:, None] * number) / number**slope).sum(1))[:, None], 48_000)
        for slope in (0.8, 1.2, 1.6)
    ]
    for name, sound in zip("aib", originals, strict=True):
        audio.write(tmp_path / f"{name}.wav", sound, subtype="FLOAT")
    narrow = resample(originals[1], 16_000)
    ideal = mulaw.restore(mulaw.quantise(narrow.samples))
    monkeypatch.setattr(generator, "generate", lambda _, codes, samples, **__: ideal[:samples, : len(codes)].T)
    instruments = [load_instrument(tmp_path / name, load_coder("harmonic")) for name in ("a.wav", "b.wav")]
    runner = NSynth(weights, enhance=True)
    (made,) = runner.decoder.render([runner.note(runner.sources(instruments), np.float32([0.5, 0.5]))], 48_000)
    away = (_bands(made, 8500, 18_000) - _bands(originals[1], 8500, 18_000))[:, 2:30]
    assert np.sqrt((away**2).mean()) < 1.5


def test_enhance_follows_a_note_that_came_out_quieter_or_darker(saw):
    original = saw(C3, 0.6)
    narrow = resample(original, 16_000)
    top = _bands(enhanced(narrow, original), 9000, 18_000).mean()
    assert top == pytest.approx(_bands(original, 9000, 18_000).mean(), abs=0.2)
    quiet = enhanced(Sound(narrow.samples / 10, 16_000), original)
    assert _bands(quiet, 9000, 18_000).mean() == pytest.approx(top - 20, abs=0.3)
    dark = resample(resample(narrow, 7000), 16_000)  # nothing above 3.5 kHz
    assert _bands(enhanced(dark, original), 9000, 18_000).mean() < top - 25
    silent = enhanced(Sound(0 * narrow.samples, 16_000), original)
    assert np.abs(silent.samples).max() < 1e-3
    loud = enhanced(Sound(narrow.samples * 2, 16_000), original)
    assert _bands(loud, 9000, 18_000).mean() == pytest.approx(top + 6, abs=0.3)


# -------------------------------------------------------------------------------------------------------------- tables
def test_frames_of_notes_without_a_common_phase_do_not_cancel():
    rng = np.random.default_rng(0)
    t = np.arange(6400) / 16_000
    number = np.arange(1, 21)
    notes = []
    for gain in rng.uniform(0.05, 0.3, 6):
        turned = 2 * np.pi * (number * C3 * t[:, None] + rng.random((2, 1, 20)))
        notes.append(Sound(np.float32(gain * (np.sin(turned) / number).sum(2)).T, 16_000))
    cycles = slice_each(notes, 48)
    assert cycles.shape == (2, 6, 2048)
    spectra = np.fft.rfft(cycles)[:, :, 1:21]
    np.testing.assert_allclose(np.angle(spectra), -np.pi / 2, atol=1e-3)
    steps = np.abs(spectra) / np.abs(spectra[:, :, :1])
    np.testing.assert_allclose(steps, np.broadcast_to(1 / number, steps.shape), atol=0.02)
    level = np.sqrt((cycles**2).mean((0, 2)))
    np.testing.assert_allclose(level, level[0], rtol=1e-4)
    with pytest.raises(UserError, match="nothing at C3"):
        slice_each([Sound(np.zeros((6400, 1), np.float32), 16_000)], 48)


# -------------------------------------------------------------------------------------------------------- command line
def test_blend_on_the_command_line(folder, drawn, tmp_path, capsys):
    given = ["blend", "flute", "choir", "--engine", "nsynth", "--checkpoint", str(folder), "--pitch", "C3"]
    out = tmp_path / "note.wav"
    assert main([*given, "--duration", "0.2", "--seed", "5", "--json", "-o", str(out)]) == 0
    told = json.loads(capsys.readouterr().out)
    digest = checkpoint.load(folder).digest
    assert (told["engine"], told["checkpoint"], told["seed"]) == (f"nsynth {digest[:12]}", digest, "5")
    assert (told["seconds"], told["rate"], told["channels"]) == (0.2, 48_000, 2)
    assert drawn[-1][1] == 5
    for kind in ("mono", "lr"):
        path = tmp_path / f"{kind}.wav"
        assert main([*given, "--mix", "0:1:5", "--stereo", kind, "-o", str(path)]) == 0
        table = serum.read(tmp_path / ("mono.wav" if kind == "mono" else "lr-R.wav"))
        assert table.frames.shape == (5, 2048)
        assert table.root_pitch == 48
        assert table.provenance["checkpoint"] == digest
        assert drawn[1][0].shape[1] == 8  # a quarter of a second
    assert "5 notes of 0.25 s, 10 streams, 10 at once" in capsys.readouterr().err
    morph = ["--mix", "0:1", "--morph", "--duration", "0.2", "--enhance"]
    assert main([*given, *morph, "-o", str(tmp_path / "m.wav")]) == 0
    assert audio.read(tmp_path / "m.wav").seconds == pytest.approx(0.2)


def test_the_recording_under_its_blend(folder, drawn, tmp_path, saw):
    original = saw(C3, 0.5, 48_000, 0.1)
    audio.write(tmp_path / "a.wav", original, subtype="FLOAT")
    given = ["blend", str(tmp_path / "a.wav"), "choir", "--engine", "nsynth", "--checkpoint", str(folder), "-q"]
    made = []
    for dry in ("0", "0.5"):
        assert main([*given, "--dry", dry, "-o", str(tmp_path / f"{dry}.wav")]) == 0
        made.append(audio.read(tmp_path / f"{dry}.wav").samples)
    assert len(drawn) == 1
    shared = min(map(len, (*made, original.samples)))
    under = made[1][:shared] - made[0][:shared]
    np.testing.assert_allclose(under, np.repeat(0.5 * original.samples[:shared], 2, axis=1), atol=1e-5)


def test_grid_on_the_command_line(folder, drawn, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(generator, "WIDE", 101)  # streams: the notes of larger grids are other takes
    given = ["grid", "flute", "choir", "celesta", "clarinet", "--engine", "nsynth", "--checkpoint", str(folder), "-q"]
    given += ["--pitches", "C3,E3", "--duration", "0.1", "--weights", "nsynth"]
    assert main([*given, "-o", str(tmp_path / "out")]) == 0
    manifest = json.loads((tmp_path / "out" / "manifest.json").read_text())
    assert manifest["engine"].startswith("nsynth ")
    assert manifest["seed"] == 0
    assert manifest["checkpoint"] == checkpoint.load(folder).digest
    assert "tensorflow" in manifest["versions"]
    kinds = [file["kind"] for file in manifest["files"]]
    assert (kinds.count("note"), kinds.count("table")) == (50, 10)
    assert [len(call[0]) for call in drawn] == [50, 50]  # two even batches
    first = audio.read(tmp_path / "out" / "notes" / "x4y2" / "x4y2_52.wav")
    assert (first.rate, first.channels, round(first.seconds, 3)) == (48_000, 2, 0.1)
    table = serum.read(tmp_path / "out" / "tables" / "flute-choir-celesta-clarinet-row3_48.wav")
    assert table.frames.shape == (64, 2048)
    # a note of a grid is the note of a blend: nothing is left to decode
    sounds, runner = given[1:5], given[5:9]
    one = [*runner, "--mix", "1,0.5", "--weights", "nsynth", "--pitch", "E3", "--duration", "0.1"]
    assert main(["blend", *sounds, *one, "-o", str(tmp_path / "one.wav")]) == 0
    assert len(drawn) == 2
    np.testing.assert_array_equal(audio.read(tmp_path / "one.wav").samples, first.samples)
    tables = ["--no-notes", "--stereo", "ms", "--pitches", "C3"]
    assert main(["grid", *sounds[:2], *runner, *tables, "-o", str(tmp_path / "t")]) == 0
    assert sorted(path.name for path in (tmp_path / "t" / "tables").iterdir()) == [
        "flute-choir-row0-M_48.wav",
        "flute-choir-row0-S_48.wav",
    ]
    assert not (tmp_path / "t" / "notes").exists()
    assert drawn[2][0].shape[1] == 8


NSYNTH = ["--engine", "nsynth", "--checkpoint", "CKPT"]
BLEND = ["blend", "flute", "choir", "--pitch", "C3", "-o", "never.wav"]


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        ([*BLEND, "--engine", "nsynth"], 2, "needs --checkpoint"),
        ([*BLEND, "--checkpoint", "x"], 2, "--checkpoint: it is for --engine nsynth"),
        ([*BLEND, "--seed", "1"], 2, "--seed: it is for --engine nsynth"),
        ([*BLEND, "--enhance"], 2, "--enhance: it is for --engine nsynth"),
        ([*BLEND, "--engine", "nsynht"], 2, "did you mean nsynth?"),
        ([*BLEND, "--engine", "nsynth", "--checkpoint", "none"], 1, "none: no checkpoint is there"),
        ([*BLEND, "--engine", "nsynth", "--checkpoint", "CKPT", "--detail", "0.5"], 2, "--detail: it turns"),
        ([*BLEND, "--engine", "nsynth", "--checkpoint", "CKPT", "--averages"], 1, "holds no moving averages"),
        (["grid", "grid5", "--engine", "nsynth", "-o", "never"], 2, "needs --checkpoint"),
        (["grid", "grid5", "--engine", "nsynth", "--checkpoint", "CKPT", "--layout", "m4l", "--enhance"], 2, "16 kHz"),
        (["grid", "my.toml", "--engine", "nsynth", "--checkpoint", "CKPT", "--layout", "sfz"], 2, "the preset's noise"),
        ([*BLEND, "--precision", "bfloat16"], 2, "--precision: it is for --engine nsynth"),
        ([*BLEND, "--engine", "nsynth", "--checkpoint", "CKPT", "--precision", "bfloat"], 2, "did you mean bfloat16?"),
        (["blend", "flute", "-o", "never.wav"], 2, "two sounds"),
        (["blend", "flute", "-o", "never.wav", "--mix", "0.3", *NSYNTH], 2, "--mix: there is one sound"),
        (["blend", "flute", "choir", "-o", "never.npy"], 2, "-o never.npy: end the name in"),
        (["blend", "flute", "choir", "-o", "never.npy", "--table", *NSYNTH], 2, "a .npy holds one blend"),
        (["blend", "flute", "choir", "-o", "never.npy", "--rate", "44100", *NSYNTH], 2, "encodings are not decoded"),
        (["blend", "a_48.npy", "choir", "-o", "never.wav"], 1, "a_48.npy: holds encodings of NSynth"),
        (["blend", "b.npy", "choir", "-o", "never.wav", *NSYNTH], 1, "b.npy: encodings say no pitch"),
        (["blend", "c_48.npy", "-o", "never.wav", *NSYNTH], 1, "c_48.npy: holds float32 [6, 5]"),
        (["pack", "recipe.toml", "-o", "never", "--engine", "nsynth"], 2, "needs --checkpoint"),
        (["pack", "recipe.toml", "-o", "never", "--seed", "1"], 2, "--seed: it is for --engine nsynth"),
        (["pack", "knobs.toml", "-o", "never", *NSYNTH], 2, "Flute-Choir C3: turns a knob"),
        (["pack", "sounds", "-o", "never", *NSYNTH], 2, "recordings are not blended"),
        (["grid", "my.toml", "--engine", "nsynth", "--checkpoint", "CKPT", "-o", "never"], 2, "the preset's noise"),
        (["models", "none"], 1, "none: no checkpoint is there"),
        (["models", "a", "--checkpoint", "b"], 2, "one checkpoint"),
    ],
)
def test_what_cannot_be_is_one_line(folder, arguments, code, said, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    Path("my.toml").write_text(
        'title = "t"\nwhy = "w"\ncorners = ["flute", "choir"]\npitches = ["C3"]\nnoise = 2.0\n', encoding="utf-8"
    )
    for name, shape in {"a_48": (6, 4), "b": (6, 4), "c_48": (6, 5)}.items():
        np.save(f"{name}.npy", np.zeros(shape, np.float32))
    sweep = 'title = "P"\n[[sweep]]\nsounds = ["flute", "choir"]\n'
    Path("recipe.toml").write_text(sweep, encoding="utf-8")
    Path("knobs.toml").write_text(sweep + "brightness = 1.0\n", encoding="utf-8")
    Path("sounds").mkdir()
    Path("sounds", "a.wav").write_bytes(b"")
    assert main([str(folder) if each == "CKPT" else each for each in arguments]) == code
    (line,) = (line for line in capsys.readouterr().err.splitlines() if "make-wavetable: error:" in line)
    assert said in line
    assert not list(tmp_path.glob("never*"))


def test_encodings_in_and_out(folder, drawn, tmp_path, saw, capsys):
    """As nsynth_save_embeddings and nsynth_generate: one sound encoded, encodings blended, encodings decoded."""
    original = saw(C3, 0.64, 16_000)
    audio.write(tmp_path / "a_48.wav", original, subtype="FLOAT")
    given = ["--engine", "nsynth", "--checkpoint", str(folder), "-q"]
    one, other, mixed = (tmp_path / f"{name}_48_embeddings.npy" for name in "abm")
    assert main(["blend", str(tmp_path / "a_48.wav"), *given, "--pitch", "C3", "-o", str(one)]) == 0
    codes = np.load(one)
    assert (codes.shape, codes.dtype) == ((20, 4), np.float32)
    expected = encoder.encode(checkpoint.load(folder), original.samples.T)[0]
    np.testing.assert_allclose(codes, expected, atol=1e-5)
    np.save(other, np.random.default_rng(0).standard_normal((1, 12, 4)))  # as Open NSynth Super has them
    assert main(["blend", str(one), str(other), *given, "--mix", "0.25", "-o", str(mixed)]) == 0
    np.testing.assert_allclose(np.load(mixed), 0.75 * codes[:12] + 0.25 * np.load(other)[0], atol=1e-6)
    assert drawn == []
    assert main(["blend", str(mixed), *given, "-o", str(tmp_path / "note.wav")]) == 0
    np.testing.assert_array_equal(drawn[-1][0], np.load(mixed)[None])
    assert audio.read(tmp_path / "note.wav").seconds == pytest.approx(12 * 0.032)
    # with a sound, which is laid on their timeline, and as a table
    assert main(["blend", str(one), "choir", *given, "-o", str(tmp_path / "with.wav")]) == 0
    assert drawn[-1][0].shape[1] == 20
    assert main(["blend", str(one), str(other), *given, "--mix", "0:1:5", "-o", str(tmp_path / "table.wav")]) == 0
    assert serum.read(tmp_path / "table.wav").frames.shape == (5, 2048)
    capsys.readouterr()
    long, high = ["--duration", "0.5"], ["--pitch", "C4"]
    for more, said in ((long, "b_48: holds 0.384 s"), (high, "NSynth cannot move"), (["--enhance"], "above 8 kHz")):
        assert main(["blend", str(one), str(other), *given, *more, "-o", str(tmp_path / "never.wav")]) == 1
        assert said in capsys.readouterr().err
    assert not (tmp_path / "never.wav").exists()


def test_folders_of_encodings(folder, drawn, tmp_path, capsys, monkeypatch):
    """As nsynth_save_embeddings leaves them, in every command that blends."""
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)
    for name in ("flute", "voice"):
        Path(name).mkdir()
        for pitch in (48, 52):
            np.save(f"{name}/{name}_{pitch}_embeddings.npy", rng.standard_normal((8, 4)).astype(np.float32))
    given = ["--engine", "nsynth", "--checkpoint", str(folder), "-q"]
    assert main(["blend", "./flute", "voice/voice_52_embeddings.npy", *given, "--mix", "0.25", "-o", "m.npy"]) == 0
    flute, voice = (np.load(f"{name}/{name}_52_embeddings.npy") for name in ("flute", "voice"))
    np.testing.assert_allclose(np.load("m.npy"), 0.75 * flute + 0.25 * voice, atol=1e-6)
    assert main(["grid", "./flute", "./voice", *given, "--pitches", "C3,E3", "--duration", "0.2", "-o", "out"]) == 0
    manifest = json.loads(Path("out/manifest.json").read_text())
    assert sorted(manifest["sources"][0]["sha256"]) == ["flute_48_embeddings.npy", "flute_52_embeddings.npy"]
    kinds = [file["kind"] for file in manifest["files"]]
    assert (kinds.count("note"), kinds.count("table")) == (10, 2)
    recipe = 'title = "P"\nengine = "nsynth"\n[[sweep]]\nsounds = ["./flute", "voice/voice_48_embeddings.npy"]\n'
    Path("recipe.toml").write_text(recipe, encoding="utf-8")
    assert main(["pack", "recipe.toml", *given[2:], "-o", "pack"]) == 0
    (table,) = Path("pack", "Serum").rglob("*.wav")
    assert table.stem.startswith("Flute-Voice C3")
    assert serum.read(table).frames.shape == (64, 2048)
    for arguments, said in (
        (["grid", "./flute", "./voice", *given, "--pitches", "C4", "-o", "no"], "those of C3, E3, and NSynth cannot"),
        (["blend", "./flute", "./voice", "-o", "no.wav"], "use --engine nsynth"),
        (["pack", "recipe.toml", "--engine", "harmonic", "-o", "no"], "use --engine nsynth"),
    ):
        assert main(arguments) == 1
        assert said in capsys.readouterr().err
    np.save("voice/voice_48_embeddings.npy", np.zeros((8, 5), np.float32))
    assert main(["pack", "recipe.toml", *given[2:], "-o", "other"]) == 1
    assert "holds 5 numbers a frame; this checkpoint's encodings have 4" in capsys.readouterr().err
    assert not list(Path().glob("no*"))


def test_a_decoder_alone_decodes_encodings(weights, drawn, tmp_path):
    half = {name: array for name, array in weights.arrays.items() if not name.startswith("ae_")}
    checkpoint.save(tmp_path / "half", half, 1)
    np.save(tmp_path / "a_48.npy", np.zeros((6, 4)))
    given = ["--engine", "nsynth", "--checkpoint", str(tmp_path / "half"), "-q"]
    assert main(["blend", str(tmp_path / "a_48.npy"), *given, "-o", str(tmp_path / "note.wav")]) == 0


@pytest.mark.parametrize("layout", ["m4l", "nsynth-super", "sfz"])
def test_layouts_hold_what_a_grid_holds(folder, drawn, tmp_path, layout):
    sounds = ["flute", "choir", "celesta", "clarinet"]
    given = ["--engine", "nsynth", "--checkpoint", str(folder), "-q", "--pitches", "C3,E3", "--duration", "0.1"]
    out = tmp_path / "out"
    assert main(["grid", *sounds, *given, "--layout", layout, "-o", str(out)]) == 0
    manifest = json.loads((out / "manifest.json").read_text())
    assert manifest["engine"].startswith("nsynth ")
    assert manifest["checkpoint"] == checkpoint.load(folder).digest
    assert sum(len(call[0]) for call in drawn) == (100 if layout == "sfz" else 50)  # left and right, or mono
    if layout == "sfz":
        assert main(["grid", *sounds, *given, "--no-tables", "-o", str(tmp_path / "plain")]) == 0
        assert sum(len(call[0]) for call in drawn) == 100  # the same notes: none is decoded again
        plain = audio.read(tmp_path / "plain" / "notes" / "x3y1" / "x3y1_52.wav")
        laid = sorted(out.rglob("*.wav"))
        assert any(np.abs(audio.read(path).samples - plain.samples).max() < 1e-4 for path in laid)


def test_a_pack_of_nsynth_s(folder, drawn, tmp_path, capsys):
    recipe = tmp_path / "recipe.toml"
    recipe.write_text(
        'title = "P"\nengine = "nsynth"\nframes = 16\nsamples = true\npictures = "none"\n'
        '[[sweep]]\nsounds = ["flute", "choir"]\n[[grid]]\npreset = "grid5"\npitches = ["C3"]\n',
        encoding="utf-8",
    )
    given = ["pack", str(recipe), "-o", str(tmp_path / "pack"), "--checkpoint", str(folder)]
    assert main(["pack", str(recipe), "-o", str(tmp_path / "pack")]) == 2
    assert main([*given, "--seed", "3", "-q"]) == 0
    tables = sorted((tmp_path / "pack" / "Serum").rglob("*.wav"))
    assert len(tables) == 6
    table = serum.read(
        next(path for path in tables if path.stem.startswith("Flute-Choir C3") and "Blends" in path.parts)
    )
    assert table.frames.shape == (16, 2048)
    digest = checkpoint.load(folder).digest
    assert (table.provenance["engine"], table.provenance["seed"]) == (f"nsynth {digest[:12]}", "3")
    assert drawn[0][1] == 3
    notes = sorted((tmp_path / "pack" / "Samples").rglob("*.wav"))
    assert len(notes) == 30
    for note in notes:
        assert loudness.of_note(audio.read(note)) == pytest.approx(DEFAULT_LOUDNESS, abs=0.05)
    decoded = len(drawn)
    capsys.readouterr()
    assert main([*given, "--seed", "3"]) == 0
    assert "6 of them there already" in capsys.readouterr().err
    assert len(drawn) == decoded
    assert main([*given, "--seed", "4"]) == 1  # other noise is another pack
    assert "made from another recipe" in capsys.readouterr().err


def test_a_pack_s_rainbowgrams_are_of_what_nsynth_decodes(folder, drawn, tmp_path, monkeypatch, capsys):
    shown = []
    blank = pictures.table_picture(Table(np.ones((1, 2048), np.float32), ""))
    monkeypatch.setattr(pictures, "rainbowgrams", lambda panels, columns: shown.extend(panels) or blank)
    recipe = tmp_path / "recipe.toml"
    recipe.write_text(
        'title = "P"\nengine = "nsynth"\nframes = 2\nsamples = true\nlevel = "kept"\npictures = "all"\n'
        '[[sweep]]\nsounds = ["flute", "choir"]\n',
        encoding="utf-8",
    )
    assert main(["pack", str(recipe), "-o", str(tmp_path / "pack"), "--checkpoint", str(folder)]) == 0
    said = capsys.readouterr().err
    assert "9 notes of 0.25 s, 9 streams, 9 at once" in said
    assert "nsynth samples: 36000/36000" in said  # how far it is within a sweep
    assert [len(call[0]) for call in drawn] == [9, 10]  # mono moments, then notes, in whose batch the sounds were
    assert [title for title, _ in shown] == ["Flute", "blend, half way", "Choir"]
    for at, (_, note) in zip((0, 50, 100), shown, strict=True):
        (path,) = (tmp_path / "pack" / "Samples").rglob(f"* at {at}.wav")
        np.testing.assert_allclose(audio.read(path).samples, note.samples, atol=1e-6)


def test_only_what_fits_the_memory(folder, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(memory, "free", lambda: 100 << 20)
    given = [*BLEND[:-1], str(tmp_path / "n.wav"), "--engine", "nsynth", "--checkpoint", str(folder)]
    assert main(given) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert "not enough memory: this checkpoint needs" in line


def test_a_decoder_alone_encodes_nothing(weights, tmp_path, capsys):
    half = {name: array for name, array in weights.arrays.items() if not name.startswith("ae_")}
    checkpoint.save(tmp_path / "half", half, 1)
    given = [*BLEND[:-1], str(tmp_path / "n.wav"), "--engine", "nsynth", "--checkpoint", str(tmp_path / "half")]
    assert main(given) == 1
    assert "holds only the decoder" in capsys.readouterr().err
    assert main(["models", str(tmp_path / "half")]) == 0
    assert "encoder: no" in capsys.readouterr().out


def test_models(folder, capsys):
    assert main(["models"]) == 0
    out = capsys.readouterr().out
    assert "harmonic: weights" in out
    assert "nsynth: TensorFlow" in out
    assert main(["models", str(folder), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["width"], told["skip"], told["latent"], told["variables"]) == (16, 8, 4, 374)
    assert told["sha256"] == checkpoint.load(folder).digest
