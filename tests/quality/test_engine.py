"""The engine's figures, each beside a limit or another way of doing it in the same run. Run with -s to read them."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

import presets
from nsynth_core import audio
from nsynth_core.audio import Sound
from nsynth_core.blending.coder import load_coder
from nsynth_core.blending.embedding import at_frames
from nsynth_core.blending.engines import single_note
from nsynth_core.blending.feature_engine import FeatureEngine
from nsynth_core.blending.grid import GridSpec
from nsynth_core.blending.instrument import Instrument, embed, path_features, steady_frame
from nsynth_core.blending.weights import line_weights
from nsynth_core.errors import UserError
from nsynth_core.metrics import level_dip, step_ratio
from nsynth_core.notes import midi_to_hz
from nsynth_core.pitch import PitchTrack, follow, track
from nsynth_core.sound import synthesis
from nsynth_core.sound.analysis import analyse
from nsynth_core.sound.features import Features, rows
from nsynth_core.sound.spacing import steps
from nsynth_core.training import evaluation, soundfont
from nsynth_core.training.evaluation.fidelity import audible
from nsynth_core.training.evaluation.sounds import loud_frames
from nsynth_core.training.sources import Source
from presets import bank
from wavetables.shaping import has_fundamental, seam, shape

RATE = 48_000
ENGINE = load_coder("harmonic")
BLENDER = FeatureEngine(ENGINE)
ALSA = Path("/usr/share/sounds/alsa")
VOICES = ("Front_Center", "Front_Left", "Rear_Right", "Side_Left")
# General MIDI programs far apart, and a key of each: piano, vibraphone, organ, guitar, bass, violin, strings, choir,
# trumpet, clarinet, flute, pad
PROGRAMS = {0: 55, 11: 65, 19: 48, 25: 45, 33: 33, 40: 64, 48: 52, 52: 57, 56: 62, 71: 60, 73: 72, 89: 50}
CORNERS = presets.load("grid5").corners


def missing() -> str:
    try:
        soundfont.find_soundfont("FluidR3_GM.sf2")
        soundfont._library()
    except UserError as error:
        return str(error)
    return ""


needs_soundfont = pytest.mark.skipif(bool(missing()), reason=missing() or "installed")
needs_voices = pytest.mark.skipif(
    not all((ALSA / f"{name}.wav").exists() for name in VOICES), reason="needs the recordings of Debian's alsa-utils"
)


@lru_cache(maxsize=1)
def played() -> list[tuple[Sound, PitchTrack]]:
    path = soundfont.find_soundfont("FluidR3_GM.sf2")
    sounds = [
        (soundfont.SoundfontPreset(path, 0, program)(midi, 95, RATE, 1.0), midi) for program, midi in PROGRAMS.items()
    ]
    return [(sound, follow(sound, midi, cents=80)) for sound, midi in sounds]


@lru_cache(maxsize=1)
def spoken() -> list[tuple[Sound, PitchTrack]]:
    sounds = [audio.read(ALSA / f"{name}.wav") for name in VOICES]
    return [(sound, track(sound)) for sound in sounds]


def instrument(features: Features, pitch: float) -> Instrument:
    embedding = ENGINE.encode(features)
    return Instrument("note", (pitch,), lambda _: embedding, moving=True)


def errors(sound: Sound, pitch: PitchTrack, other: Sound) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Two sounds of one pitch: log-spectral distance of the partials in each loud frame, and each partial's error in
    dB; one gain for the whole note, since a blend is turned down where it would clip."""
    true, given = analyse(sound, pitch), analyse(other, pitch)
    count = min(true.frames, given.frames)
    level = true.level_db()[:count]
    loud = np.flatnonzero(level > level.max() - 40)
    true, given = rows(true, loud), rows(given, loud)
    used = audible(true)
    gain = 10 * np.log10((10 ** (true.partials_db / 10)).sum() / (10 ** (given.partials_db / 10)).sum())
    error = np.where(used, true.partials_db - given.partials_db - gain, 0)
    some = used.any(1)
    return np.sqrt((error**2).sum(1)[some] / used.sum(1)[some]), np.abs(error[used])


def check_road(notes: list[tuple[Sound, PitchTrack]], limits: tuple[float, float]) -> None:
    """Sound → features → sound, and the ends of a blend with the next note: medians of both errors within `limits`."""
    found: dict[str, list[tuple[NDArray[np.float64], NDArray[np.float64]]]] = {
        "no network": [],
        "mix 0": [],
        "mix 1": [],
    }
    for (sound, pitch), (other, other_pitch) in zip(notes, notes[1:] + notes[:1], strict=True):
        features = analyse(sound, pitch)
        own = instrument(features, pitch.pitch)
        # a guest has no contour of its own: the blend follows this note's, whichever place it takes
        guest = Instrument("guest", (other_pitch.pitch,), instrument(analyse(other, other_pitch), 0).load)
        found["no network"].append(errors(sound, pitch, synthesis.render(features, RATE)))
        found["mix 0"].append(errors(sound, pitch, single_note(BLENDER, [own, guest], [1.0, 0.0])))
        found["mix 1"].append(errors(sound, pitch, single_note(BLENDER, [guest, own], [0.0, 1.0])))
    figures = {
        name: [float(np.median(np.concatenate(part))) for part in zip(*pairs, strict=True)]
        for name, pairs in found.items()
    }
    for name, (distance, partial) in figures.items():
        print(f"\n{name}: log-spectral distance {distance:.2f} dB, a partial {partial:.2f} dB (medians)", end="")
    for one in figures.values():
        assert one[0] <= limits[0]
        assert one[1] <= limits[1]
        assert one == pytest.approx(figures["no network"], abs=0.05)


@needs_soundfont
def test_notes_come_back_and_so_do_the_ends_of_a_blend():
    check_road(played(), (1.0, 0.4))


@needs_voices
def test_voices_come_back_and_so_do_the_ends_of_a_blend():
    # frames of a syllable's edge hold few partials that stand out, and these move
    check_road(spoken(), (2.5, 1.0))


def notes_of(sounds: list[tuple[Sound, PitchTrack]]) -> list[evaluation.HeldOutNote]:
    """As the report takes them, each on a pitch of its own."""
    made = []
    for i, (sound, pitch) in enumerate(sounds):
        features = analyse(sound, pitch)
        source = Source(f"sound {i}", "", "test", "", lambda *_, sound=sound: sound)
        made.append(evaluation.HeldOutNote(source, pitch.pitch, sound, features, loud_frames(features), pitch))
    return made


@needs_soundfont
def test_the_ends_keep_noise_and_stereo():
    found = evaluation.ends(notes_of(played()), ENGINE)
    print("\n", found["mix1"], end="")
    for end in ("mix0", "mix1"):
        assert found[end]["noise"] <= 2.0
        assert found[end]["balance"] <= 1.0
        assert found[end]["correlation"] <= 0.1


@needs_voices
def test_the_ends_keep_the_breath_of_voices():
    found = evaluation.ends(notes_of(spoken()), ENGINE)
    print("\n", found["mix1"], end="")
    assert found["mix1"]["noise"] <= 2.0


@lru_cache(maxsize=1)
def grid_corners() -> list[Instrument]:
    return [bank.load_instrument(str(name), ENGINE) for name in CORNERS]


def heard_pitch(x: NDArray[np.float64], near: float) -> float:
    """f0 in Hz: the mean over partials of peak frequency / number, by their power times number squared (the precision
    of each). Peaks of a zero-padded Hann spectrum by a parabola, looked for within a semitone of `near`."""
    spectrum = np.abs(np.fft.rfft(x * np.hanning(len(x)), 1 << 20))
    width = RATE / (1 << 20)
    total, weights = 0.0, 0.0
    for k in range(1, min(13, int(20_000 / near))):
        low, high = int(k * near * 2 ** (-1 / 12) / width), int(k * near * 2 ** (1 / 12) / width)
        if k > 6:
            low, high = int((k - 0.4) * near / width), int((k + 0.4) * near / width)
        top = low + int(spectrum[low:high].argmax())
        a, b, c = np.log(spectrum[top - 1 : top + 2] + 1e-12)
        weight = float(np.exp(2 * b)) * k * k
        total += weight * (top + 0.5 * (a - c) / (a - 2 * b + c)) * width / k
        weights += weight
    return total / weights


def test_pitch_of_the_grid():
    preset = presets.load("grid5")
    cents, naive = [], []
    spec = GridSpec(preset.mixes, tuple(preset.pitches)[::3], 2.0, RATE)
    rows = list(spec.rows(grid_corners()))
    made = BLENDER.blend([row for _, _, row in rows], spec.seconds, spec.rate)
    for (pitch, y, _), blend in zip(rows, made, strict=True):
        for x, note in zip(spec.places(4), blend.notes, strict=True):
            if (x, y) not in ((0.0, 0.0), (1.0, 0.0), (0.25, 0.75), (0.5, 0.5), (1.0, 1.0)):
                continue
            hz = midi_to_hz(pitch)
            samples = note().samples.sum(1).astype(np.float64)[4800:]
            cents.append(1200 * np.log2(heard_pitch(samples, hz) / hz))
            naive.append(1200 * np.log2(RATE / round(RATE / hz) / hz))
    off = np.abs(cents)
    assert len(cents) == 5 * len(spec.pitches)
    print(f"\npitch: median {np.median(off):.3f}, worst {off.max():.3f} cents", end="")
    print(f"; cycles of whole samples would be off by up to {np.max(np.abs(naive)):.1f}")
    assert np.median(off) <= 1
    assert off.max() <= 5


def level(x: NDArray[np.float32]) -> float:
    return float(10 * np.log10((x.astype(np.float64) ** 2).mean() + 1e-20))


def decaying(saw, f0: float = 220.0) -> NDArray[np.float32]:
    x = saw(f0, 1.0).samples
    t = np.arange(len(x), dtype=np.float32) / RATE
    return (x * (np.minimum(1, t / 0.01) * np.exp(-t))[:, None]).astype(np.float32)


@pytest.fixture(scope="module")
def sides(saw):
    """Instruments of hard-left, hard-right, mono and inverted recordings."""
    x = decaying(saw)
    dark = np.cumsum(x, axis=0).astype(np.float32)
    dark = (dark - dark.mean()) / np.abs(dark).max() * np.float32(0.5)
    takes = {
        "left": np.hstack([x, 0 * x]),
        "right": np.hstack([0 * dark, dark]),
        "mono": x,
        "inverted": np.hstack([x, -x]),
    }
    made = {}
    for name, samples in takes.items():
        embedding = embed(Sound(samples, RATE), ENGINE, 57)[0]
        made[name] = Instrument(name, (57.0,), lambda _, e=embedding: e, moving=True)
    return made


def test_hard_sides_stay_at_the_ends(sides):
    pair = [sides["left"], sides["right"]]
    left, middle, right = (single_note(BLENDER, pair, [1 - m, m]).samples for m in (0.0, 0.5, 1.0))
    apart = [level(x[:, 1]) - level(x[:, 0]) for x in (left, middle, right)]
    print(f"\nright over left at mix 0, .5, 1: {[round(x, 1) for x in apart]} dB")
    assert apart[0] <= -40
    assert abs(apart[1]) <= 12
    assert apart[2] >= 40


def test_mono_stays_mono(sides):
    note = single_note(BLENDER, [sides["mono"]] * 2, [0.5, 0.5]).samples
    assert level(note.mean(1)) == pytest.approx(level(note), abs=0.05)
    assert level(note[:, 0] - note[:, 1]) < level(note) - 60


def test_inverted_channels_stay_inverted(sides):
    note = single_note(BLENDER, [sides["inverted"]] * 2, [0.5, 0.5]).samples
    assert level(note.mean(1)) < level(note) - 50


@pytest.mark.parametrize("pitch", [45, 64, 81])
def test_the_stereo_image_does_not_depend_on_the_pitch(sides, pitch):
    left = single_note(BLENDER, [sides["left"]] * 2, [1.0, 0.0], pitch=pitch).samples
    mono = single_note(BLENDER, [sides["mono"]] * 2, [1.0, 0.0], pitch=pitch).samples
    assert level(left[:, 1]) - level(left[:, 0]) < -30
    assert level(mono.mean(1)) == pytest.approx(level(mono), abs=0.5)


def moments(pitch: float) -> list:
    found = [instrument.at(pitch) for instrument in grid_corners()]
    return [at_frames(e, np.asarray([steady_frame(e)])) for e in found]


@pytest.mark.parametrize("pitch", [36, 60, 84])
def test_blends_of_the_grid_keep_their_level_and_walk_evenly(pitch):
    dips, even, raw, plain_dips = [], [], [], []
    corners = moments(pitch)
    fade = load_coder("crossfade")
    for i, j in ((0, 1), (2, 3), (0, 3), (1, 2)):
        pair = [corners[i], corners[j]]
        weights = line_weights(np.linspace(0, 1, 64))
        path = path_features(ENGINE, pair, weights, midi_to_hz(pitch))
        dips.append(level_dip(path.level_db()))
        raw.append(step_ratio(steps(path)))
        even.append(step_ratio(steps(path_features(ENGINE, pair, weights, midi_to_hz(pitch), even=True))))
        ends = [fade.encode(rows(path, slice(k, k + 1))) for k in (0, 63)]
        plain_dips.append(level_dip(path_features(fade, ends, weights, midi_to_hz(pitch)).level_db()))
    print(
        f"\nlevel dip {max(dips):.2f} dB (crossfade {max(plain_dips):.2f}); largest over mean step: "
        f"as mixed {max(raw):.2f}, even {max(even):.2f}"
    )
    assert max(dips) <= 0.5
    assert max(even) <= 1.4


def test_tables_of_the_grid_are_playable():
    spec = GridSpec(5, (24.0, 48.0, 84.0), 1.0)
    rows = list(spec.rows(grid_corners()))
    made = BLENDER.blend([row for _, _, row in rows], spec.seconds)
    for (_, y, _), blend in zip(rows, made, strict=True):
        if y not in (0.0, 0.5, 1.0):
            continue
        frames = shape(blend.walk(False)[0])
        assert frames.shape == (64, 2048)
        assert np.abs(frames).max() <= 1.0
        assert np.abs(frames.mean(1, dtype=np.float64)).max() < 1e-5
        assert seam(frames).max() <= 1.0
        if has_fundamental(frames).all():
            turn = np.unwrap(np.angle(np.fft.rfft(frames)[:, 1]))
            assert np.abs(turn - turn[0]).max() < 1e-3
