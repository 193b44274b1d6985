"""What the report measures, on notes made here, and what it prints."""

from __future__ import annotations

import builtins
import shutil
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from nsynth_core.audio import Sound
from nsynth_core.blending.coder import load_coder
from nsynth_core.errors import UserError
from nsynth_core.notes import midi_to_hz
from nsynth_core.pitch import follow
from nsynth_core.sound import synthesis
from nsynth_core.sound.analysis import analyse
from nsynth_core.sound.features import NOISE_BANDS, Features
from nsynth_core.training import evaluation
from nsynth_core.training.evaluation import blending, fidelity, sounds, vital
from nsynth_core.training.sources import Source
from wavetables.cli.report import best, lines

RATE = 48_000


def note(
    name: str, midi: float, family: str = "synth", tilt: float = 1.0, width: float = 0.3
) -> evaluation.HeldOutNote:
    """A stereo note of partials falling by `tilt` over noise at -50 dB, right `width` as strong and apart in phase."""
    t = np.arange(RATE // 2) / RATE
    number = np.arange(1, int(16_000 / midi_to_hz(midi)))
    turn = 2 * np.pi * np.outer(t, number * midi_to_hz(midi))
    left = 0.2 * np.sin(turn) @ number**-tilt
    right = 0.2 * width * np.sin(turn + 0.8 * (-1) ** number) @ number**-tilt
    hiss = 1e-3 * np.random.default_rng(1).standard_normal((len(t), 2))
    sound = Sound((np.stack([left, right], 1) + hiss).astype(np.float32), RATE)
    track = follow(sound, midi)
    features = analyse(sound, track)
    source = Source(name, family, "test", "MIT" if family != "synth" else "Apache-2.0", lambda *_: sound)
    return evaluation.HeldOutNote(source, midi, sound, features, sounds.loud_frames(features), track)


@pytest.fixture(scope="module")
def engine():
    return load_coder("harmonic")


@pytest.fixture(scope="module")
def notes() -> list[evaluation.HeldOutNote]:
    made = [note("dull", midi, "brass", 2.0) for midi in (48, 60)]
    return made + [note("bright", midi, "synth", 1.0) for midi in (48, 60)]


class TestCoding:
    def test_reconstruction(self, notes, engine):
        found = evaluation.reconstruction(notes, engine, evaluation.load_pca())
        # notes in closed form: the network beats PCA on the whole, though not on dull brass
        assert 1.5 < found["network"] < 4.0
        assert found["network"] < 0.95 * found["pca"]
        assert found["families"]["brass"]["network"] < 2.0 < found["families"]["synth"]["network"] < 6.5
        assert found["ratio"] == pytest.approx(found["network"] / found["pca"])
        assert set(found["families"]) == {"brass", "synth"}
        assert found["recordings"] == found["families"]["brass"]
        assert found["closed_forms"] == found["families"]["synth"]

    def test_kinds_out_of_domain_weigh_alike(self, notes, engine):
        pca = evaluation.load_pca()
        found = evaluation.out_of_domain([*notes, notes[0], notes[0]], engine, pca)
        assert found["network"] == pytest.approx(np.mean([kind["network"] for kind in found["kinds"].values()]))
        assert evaluation.out_of_domain([], engine, pca) == {}

    def test_other_octaves(self, notes, engine):
        found = evaluation.other_octaves(notes, engine)
        assert found["ratio"] == pytest.approx(found["network"] / found["mean"])
        assert found["number"] < found["hertz"]  # partials fall alike by number on every key of these notes

    def test_by_ear(self, notes, engine):
        pytest.importorskip("zimtohrli")
        found = evaluation.perceptual(notes[:2], engine)
        assert found["engine_ratio"] == pytest.approx(1, abs=0.05)
        assert found["code"] > found["engine"] > 0

    def test_what_is_not_installed_is_named(self, notes, engine, monkeypatch):
        missing(monkeypatch, "zimtohrli")
        said: list[str] = []
        assert evaluation.perceptual(notes, engine, said.append) == {}
        assert "zimtohrli" in said[0]


def missing(monkeypatch: pytest.MonkeyPatch, module: str) -> None:
    real = builtins.__import__

    def no(name: str, *args: Any, **more: Any) -> Any:
        if name == module:
            raise ImportError(name)
        return real(name, *args, **more)

    monkeypatch.setattr(builtins, "__import__", no)


class TestBlending:
    def test_blends(self, notes, monkeypatch):
        monkeypatch.setattr("nsynth_core.training.evaluation.blending.PAIRS", 4)
        found = evaluation.blends(notes, 0)
        assert set(found) == set(blending.COMPARED)
        for scores in found.values():
            assert scores["step_even"] <= scores["step"] + 1e-6
        # from dull to bright in closed form: all descriptors of the network's blends move one way, a crossfade's do not
        assert found["harmonic"]["monotone"] == pytest.approx(1.0)
        assert 0.8 < found["crossfade"]["monotone"] < 0.95
        assert found["harmonic"]["step"] < 1.3 < 2.5 < found["crossfade"]["step"]

    def test_notes_without_a_partner_end(self, notes):
        assert evaluation.blends([notes[0], notes[3]], 0) == {}
        assert evaluation.blends(notes[:1], 0) == {}

    def test_between_closed_forms(self, monkeypatch):
        monkeypatch.setattr("nsynth_core.training.evaluation.blending.SWEEP_HZ", (196.0,))
        found = evaluation.between()
        better = [
            min(found["knobs"][name][knob] for name in ("crossfade", "envelope"))
            for knob in found["knobs"]["crossfade"]
        ]
        assert found["ratio"] == pytest.approx(found["harmonic"] / np.mean(better))

    def test_a_knob_that_does_little_leaves_little_to_err_on(self, monkeypatch, plain):
        def turn(x: float) -> Features:
            return plain(196.0, 12, np.linspace(-10, -50 + x, 40))

        monkeypatch.setattr("nsynth_core.training.evaluation.blending.knob_sweeps", lambda f0: {"tilt by 1 dB": turn})
        monkeypatch.setattr("nsynth_core.training.evaluation.blending.SWEEP_HZ", (196.0,))
        found = evaluation.between()
        assert max(found[name] for name in ("harmonic", "crossfade", "envelope")) < 0.1

    def test_a_real_synth(self, monkeypatch):
        pytest.importorskip("vita")
        monkeypatch.setattr("nsynth_core.training.evaluation.blending.SYNTH_KEYS", (55,))
        found = evaluation.between_synth()
        assert set(found["knobs"]["harmonic"]) == set(vital.PATCHES)
        assert all(0.3 < error < 40 for error in found["knobs"]["crossfade"].values())

    def test_without_the_synth(self, monkeypatch):
        missing(monkeypatch, "vita")
        said: list[str] = []
        assert evaluation.between_synth(said.append) == {}
        assert "vita" in said[0]

    def test_voices(self, monkeypatch):
        if shutil.which("espeak-ng") is None:
            pytest.skip("espeak-ng is not installed")
        monkeypatch.setattr(sounds, "GLIDERS", ("en-us",))
        found = evaluation.between_voices()
        assert set(found["knobs"]["harmonic"]) == set(sounds.GLIDES)
        assert all(1 < error < 20 for error in found["knobs"]["crossfade"].values())

    def test_halfway_is_where_half_of_what_changes_has_changed(self, monkeypatch, plain):
        rows = [np.linspace(-10, -50 - 20 * x, 40) for x in (0, 0, 0, 0.25, 0.5, 0.75, 1, 1)]
        glide = replace(plain(196.0, 8, rows[0]), partials_db=np.stack(rows).astype(np.float32))
        monkeypatch.setattr(blending, "glides", lambda: iter([("tilt", glide)]))
        ((name, f0, stations),) = blending._glides()
        assert (name, f0) == ("tilt", pytest.approx(196))
        for x, station in zip((0, 0.25, 0.5, 0.75, 1), stations, strict=True):
            np.testing.assert_allclose(station.partials_db[:, -1], -50 - 20 * x, atol=1e-3)

    def test_without_voices(self, monkeypatch):
        monkeypatch.setattr("shutil.which", lambda name: None)
        said: list[str] = []
        assert evaluation.between_voices(said.append) == {}
        assert "espeak-ng" in said[0]


@pytest.fixture(scope="module")
def played():
    pytest.importorskip("vita")
    return dict(vital.play(48, (0.0, 0.5, 1.0), RATE))


class TestVital:
    def test_knobs_turn_the_sound(self, played):
        for name, takes in played.items():
            features = [analyse(sound, follow(sound, 48)) for sound in takes]
            a, b, c = (sounds.below_level(f)[40, :100] for f in features)
            assert np.abs(a - c)[:20].mean() > 1, name
            assert np.abs(a - b)[:20].mean() > 0.2, name
            assert np.ptp(sounds.below_level(features[2])[30:70, :5], axis=0).max() < 0.5, name  # nothing moves

    def test_the_table_is_a_pulse(self, played):
        square = sounds.below_level(
            analyse(played["pulse-width table"][0], follow(played["pulse-width table"][0], 48))
        )[40]
        assert square[1:20:2].max() < -60
        assert square[2] - square[0] == pytest.approx(-20 * np.log10(3), abs=0.2)


class TestFidelity:
    def test_ends(self, notes, engine):
        found = evaluation.ends(notes, engine)
        for errors in found.values():
            assert errors["partials"] < 0.5
            assert errors["noise"] < 3
            assert errors["balance"] < 1
            assert errors["correlation"] < 0.1
        assert found["mix1"]["partials"] == pytest.approx(found["plain"]["partials"], abs=0.05)

    def test_mono_has_no_image_to_lose(self, notes, engine):
        flat = []
        for one in notes[:2]:
            sound = Sound(np.repeat(one.sound.samples[:, :1], 2, axis=1), RATE)
            flat.append(replace(one, sound=sound, features=analyse(sound, one.track)))
        assert set(evaluation.ends(flat, engine)["plain"]) == {"partials", "noise"}

    def test_errors_are_those_made(self, notes):
        one = notes[0]
        features = one.features
        louder = replace(features, noise_db=features.noise_db + 6)
        turned = replace(features, balance_db=features.balance_db + 3)
        tilted = replace(features, partials_db=features.partials_db - 0.1 * np.arange(features.partials_db.shape[1]))
        own, noisy, moved, dull = (
            {part: float(np.median(values)) for part, values in fidelity.errors(one, synthesis.render(f, RATE)).items()}
            for f in (features, louder, turned, tilted)
        )
        assert noisy["noise"] == pytest.approx(6, abs=1.5)
        assert moved["balance"] == pytest.approx(3, abs=0.5)
        assert dull["partials"] > own["partials"] + 0.5

    def test_partials_in_noise_are_not_audible(self, plain):
        loud = plain(220.0, 3, np.full(20, -20.0))
        assert fidelity.audible(loud).all()
        assert not fidelity.audible(replace(loud, noise_db=np.full((3, NOISE_BANDS), -10, np.float32))).any()


class TestSounds:
    def test_what_is_not_installed_is_left_out_by_name(self, tmp_path, monkeypatch):
        monkeypatch.setattr(sounds, "RECORDINGS", tmp_path)
        monkeypatch.setattr("shutil.which", lambda name: None)
        said: list[str] = []
        assert list(evaluation.elsewhere(tmp_path, 2, said.append)) == []
        for name in ("TimGM6mb.sf2", "OPL-3_FM_128M.sf2", "alsa-utils", "espeak-ng"):
            assert any(name in line for line in said), name

    def test_recordings_are_heard_where_they_are_voiced(self, tmp_path, monkeypatch, saw):
        from nsynth_core import audio

        hiss = 0.05 * np.random.default_rng(0).standard_normal((RATE // 2, 1)).astype(np.float32)
        audio.write(tmp_path / "ah.wav", Sound(np.concatenate([saw(200.0, 0.7).samples, hiss]), RATE))
        monkeypatch.setattr(sounds, "RECORDINGS", tmp_path)
        (one,) = sounds.recorded()
        assert len(one.frames) > 3
        assert one.frames.max() <= 75
        assert (tmp_path / "none").mkdir() is None
        monkeypatch.setattr(sounds, "RECORDINGS", tmp_path / "none")
        with pytest.raises(UserError, match="alsa-utils"):
            list(sounds.recorded())

    def test_evenly(self):
        assert sounds.evenly(range(10), None) == list(range(10))
        assert sounds.evenly(range(10), 3) == [0, 4, 9]
        assert sounds.evenly(range(2), 3) == [0, 1]


def ends(error: float) -> dict[str, dict[str, float]]:
    return {key: {"partials": error, "noise": 1.5} for key in ("plain", "mix0", "mix1")}


FIGURES: dict[str, Any] = {
    "weights": "abc",
    "weights_mb": 2.2,
    "dims": 32,
    "sources": 2,
    "notes": 8,
    "left_out": ["vita: not installed (Vital's patches); pip install vita"],
    "reconstruction": {
        **{"network": 3.0, "pca": 4.0, "ratio": 0.75, "network_median": 2.0, "pca_median": 3.0},
        "recordings": {"network": 5.0, "pca": 4.0},
        "closed_forms": {},
        "families": {"bell": {"network": 3.0, "pca": 3.001}},
    },
    "out_of_domain": {
        **{"network": 5.0, "pca": 4.0, "ratio": 1.25, "notes": 3},
        "kinds": {"spoken words": {"network": 5.0, "pca": 4.0}},
    },
    "octaves": {"network": 7.0, "network_bare": 6.0, "number": 8.0, "hertz": 9.0, "mean": 7.5, "ratio": 0.93},
    "blends": {
        "harmonic": {"monotone": 0.9, "step": 1.3, "step_even": 1.0, "dip": 0.0},
        "crossfade": {"monotone": 0.95, "step": 3.0, "step_even": 1.2, "dip": 1.0},
    },
    "between": {
        **{name: 5.0 + i for i, name in enumerate(("harmonic", "crossfade"))},
        "ratio": 0.8,
        "knobs": {name: {"pulse width": 5.0 - i} for i, name in enumerate(("harmonic", "crossfade"))},
    },
    "between_synth": {},
    "between_voices": {},
    "ends": {"held-out instruments": ends(0.1), "of them recordings": ends(0.7)},
    "perceptual": {"plain": 0.001, "engine": 0.001, "code": 0.002, "engine_ratio": 1.0, "code_ratio": 2.0},
    "speed": {"median": 100.0, "slowest": 50.0, "two_threads": 150.0},
}


class TestLines:
    def test_every_row_names_its_best(self):
        text = list(lines(FIGURES))
        assert next(line for line in text if line.startswith("  all ")).endswith("best: network")
        assert next(line for line in text if line.startswith("  recordings")).endswith("best: pca")
        assert next(line for line in text if "spoken words" in line).endswith("best: pca")
        assert next(line for line in text if "bell" in line).endswith("best: network = pca")
        assert next(line for line in text if "monotone" in line).endswith("best: crossfade")
        assert next(line for line in text if "dip" in line).endswith("best: harmonic")
        assert not any("closed forms" in line for line in text)
        assert max(map(len, text)) <= 132

    def test_every_goal_is_judged(self):
        text = list(lines(FIGURES))
        said = {line[:44].strip(): line for line in text[text.index(next(x for x in text if x.startswith("goals"))) :]}
        assert said["reconstruction, to PCA"].endswith("floor reached")
        assert said["reconstruction, dB"].endswith("goal reached")
        assert said["out of domain, to PCA"].endswith("short of the floor")
        assert said["largest / mean step, re-spaced"].endswith("goal reached")
        assert said["monotone descriptors"].endswith("short of the floor")
        assert said["decoding on two threads, x real time"].endswith("goal reached")
        assert said["ends: partials, dB"].endswith("floor reached")
        assert said["ends: correlation of channels"].endswith("not measured")
        assert said["Vital's knob turned partly, to the better"].endswith("not measured")

    def test_what_was_left_out_is_said(self):
        assert list(lines(FIGURES))[-1].startswith("left out: vita")

    def test_columns_stand_apart(self):
        heads = [line for line in lines(FIGURES) if line.startswith(("blends", "a patch", "perceptual", "sounds"))]
        assert len(heads) == 4
        # every column is as wide as WIDTH + 2, its name shorter
        assert all(" " in line[44 + 13 * i] for line in heads for i in range((len(line) - 44) // 13))

    def test_a_report_of_very_little(self):
        text = list(lines(FIGURES | {"blends": {}, "out_of_domain": {}, "ends": {}, "perceptual": {}}))
        assert not any("spoken" in line or line.startswith(("blends", "ends")) for line in text)


def test_best() -> None:
    assert best({"a": 1.0, "b": 2.0}, True) == "b"
    assert best({"a": 1.0, "b": 1.004}, False) == "a = b"
    assert best({"a": 0.0, "b": 0.1}, False) == "a"
