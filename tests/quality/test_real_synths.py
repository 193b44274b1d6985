"""What real synths play of the files written here: Vital itself through `vita`, sfizz through `pysfizz`."""

from __future__ import annotations

import base64
import json
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from nsynth_core.audio import Sound
from nsynth_core.notes import midi_to_hz
from wavetables.formats import sfz, vital
from wavetables.table import FRAME_SIZE, Table

RATE = 48_000
KEYS = (36, 48, 60, 72, 84)


def bright(count: int, harmonics: int = 200, falling: float = 1.0) -> np.ndarray:
    """Unrelated frames of random phases, peak 0.9."""
    rng = np.random.default_rng(7)
    spectrum = np.zeros((count, FRAME_SIZE // 2 + 1), complex)
    number = np.arange(1, harmonics + 1)
    spectrum[:, 1 : harmonics + 1] = rng.uniform(0.2, 1, (count, harmonics)) / number**falling
    spectrum *= np.exp(1j * rng.uniform(0, 2 * np.pi, spectrum.shape))
    frames = np.fft.irfft(spectrum)
    return (0.9 * frames / np.abs(frames).max()).astype(np.float32)


def correlation(heard: np.ndarray, written: np.ndarray) -> float:
    """The largest over all rotations: a synth may begin a cycle anywhere."""
    cross = np.fft.irfft(np.fft.rfft(heard) * np.fft.rfft(written).conj())
    return float(cross.max() / np.sqrt((heard.astype(float) ** 2).sum() * (written.astype(float) ** 2).sum()))


@pytest.fixture(scope="module")
def play():
    """play(file, position): one cycle of 2048 samples, heard on an A0 at 2048 times its frequency."""
    vita = pytest.importorskip("vita")
    # Vital flushes subnormal numbers to zero in the thread it runs in, for good: that must not be the tests' own
    thread = ThreadPoolExecutor(1)
    synth = thread.submit(vita.Synth).result()
    synth.set_sample_rate(FRAME_SIZE * midi_to_hz(21))
    preset = json.loads(synth.to_json())
    settings = preset["settings"]
    settings |= {key: 0.0 for key in settings if key.endswith("_on")}
    settings |= {"osc_1_on": 1.0, "osc_1_phase": 0.0, "osc_1_random_phase": 0.0, "oversampling": 0.0}
    settings |= {"env_1_attack": 0.0, "env_1_sustain": 1.0}

    loaded = []

    def cycle(file, position: int) -> np.ndarray:
        text = file.read_text()
        if loaded != [text]:
            settings["wavetables"][0] = json.loads(text)
            assert synth.load_json(json.dumps(preset))
            loaded[:] = [text]
            synth.render(21, 1.0, 0.5, 0.5)  # its controls glide from where they stood
        synth.get_controls()["osc_1_wave_frame"].set(float(position))
        return synth.render(21, 1.0, 0.2, 0.2)[0][4 * FRAME_SIZE : 5 * FRAME_SIZE]

    yield lambda file, position: thread.submit(cycle, file, position).result()
    thread.shutdown()


class TestVital:
    @pytest.mark.parametrize("count", [1, 5, 64, 256])
    @pytest.mark.parametrize("harmonics", [5, 1000])
    def test_every_frame_sounds_as_written(self, tmp_path, play, count, harmonics):
        frames = bright(count, harmonics)
        vital.write(tmp_path / "x.vitaltable", Table(frames, "x", 45.5, {"author": "me"}))
        heard = [play(tmp_path / "x.vitaltable", place) for place in vital.positions(count)]
        found = [correlation(cycle, frame) for cycle, frame in zip(heard, frames, strict=True)]
        assert min(found) > 0.9999
        gains = [np.abs(cycle).max() / np.abs(frame).max() for cycle, frame in zip(heard, frames, strict=True)]
        # one gain for all: the loudness along the table is kept
        assert max(gains) / min(gains) < 1.01

    def test_our_reader_renders_what_vital_plays_in_between(self, tmp_path, play):
        data = vital.document(Table(bright(2), "x"))
        for frame, place in zip(data["groups"][0]["components"][0]["keyframes"], (0, 100), strict=True):
            frame["position"] = place
        data["groups"][0]["components"][0]["keyframes"].append(
            {**vital.document(Table(bright(3)[2:], "x"))["groups"][0]["components"][0]["keyframes"][0], "position": 256}
        )
        for spectral in (0, 1):
            data["groups"][0]["components"][0]["interpolation"] = spectral
            (tmp_path / "x.vitaltable").write_text(json.dumps(data))
            frames = vital.load(tmp_path / "x.vitaltable").frames
            for place in (0, 30, 50, 100, 200, 256):
                assert correlation(play(tmp_path / "x.vitaltable", place), frames[place]) > 0.999


def key_frames(kind: str, *frames: dict, **members: object) -> dict:
    """A component whose key frames are spread over the knob."""
    places = vital.positions(len(frames))
    return {
        "type": kind,
        "interpolation_style": 1,
        "keyframes": [{"position": place, **frame} for place, frame in zip(places, frames, strict=True)],
        **members,
    }


def waves(*places: int, **members: object) -> dict:
    frames = [base64.b64encode(frame.tobytes()).decode() for frame in bright(len(places), 30)]
    found = key_frames("Wave Source", *({"wave_data": text} for text in frames), interpolation=0)
    for frame, place in zip(found["keyframes"], places, strict=True):
        frame["position"] = place
    return {**found, **members}


def line(points: list[float], powers: list[float], smooth: bool, pull: float) -> dict:
    drawn = {"num_points": len(powers), "points": points, "powers": powers, "name": "", "smooth": smooth}
    return {"line": drawn, "pull_power": pull}


def lines(smooth: bool) -> dict:
    corners = (
        [0, 0.5, 0.2, 0, 0.5, 1, 0.5, 0.2, 0.8, 0.7, 1, 0.5],
        [0, 0.1, 0.3, 0.9, 0.4, 0.1, 0.6, 0.2, 0.7, 1, 1, 0.1],
    )
    first = line(corners[0], [0, 3, -5, 0, 8, 0], smooth, 0.0)
    return key_frames("Line Source", first, line(corners[1], [0, -3, 5, 1, -18, 0], smooth, 3.0), num_points=6)


def old_lines() -> dict:
    first = {"points": [0.1, 0.5, 0.4, -0.8, 0.7, 1.0], "powers": [0.0, 2.0, -3.0]}
    return key_frames("Line Source", first, {**first, "points": [0.2, -0.5, 0.4, 0.8, 0.9, 1.0]}, num_points=3)


def sound(fade: int, phase: int, normalised: bool) -> dict:
    n = np.arange(40_000)
    tone = sum(np.sin(2 * np.pi * k * n / 700.3 * (1 + 1e-6 * n) + k * k) / k for k in range(1, 20)) * 0.25
    tone *= 0.5 + 0.5 * np.exp(-n / 20_000)
    window = {"window_size": 700.3}
    return key_frames(
        "Audio File Source",
        {"start_position": 100.0, "window_fade": 1.0, **window},
        {"start_position": 36_000.0, "window_fade": 0.3, **window},
        audio_file=base64.b64encode(np.rint(tone * 32767).clip(-32768, 32767).astype("<i2").tobytes()).decode(),
        audio_sample_rate=44100,
        **window,
        fade_style=fade,
        phase_style=phase,
        normalize_gain=normalised,
        normalize_mult=normalised,
        random_seed=1234567,
    )


RENDERED = {
    **{
        f"waves-{style}-{blend}": [waves(0, 30, 150, 256, interpolation_style=style, interpolation=blend)]
        for style in (0, 1, 2)
        for blend in (0, 1)
    },
    **{f"lines-{smooth}": [lines(smooth)] for smooth in (False, True)},
    "lines-0.7.5": [old_lines()],
    **{
        f"sound-{fade}-{phase}-{level}": [sound(fade, phase, level)]
        for fade in range(4)
        for phase in range(3)
        for level in (False, True)
    },
    **{
        f"phase-{style}": [
            waves(0),
            key_frames("Phase Shift", {"phase": 0.3, "mix": 1.0}, {"phase": 2.5, "mix": 0.4}, style=style),
        ]
        for style in range(5)
    },
    **{
        f"window-{shape}": [
            waves(0),
            key_frames(
                "Wave Window",
                {"left_position": 0.1, "right_position": 0.9},
                {"left_position": 0.6, "right_position": 0.7},
                window_shape=shape,
            ),
        ]
        for shape in range(5)
    },
    **{
        f"filter-{style}-{level}": [
            waves(0),
            key_frames(
                "Frequency Filter",
                {"cutoff": 1.0, "shape": 0.2},
                {"cutoff": 6.0, "shape": 0.8},
                style=style,
                normalize=level,
            ),
        ]
        for style in range(4)
        for level in (False, True)
    },
    "slew": [
        waves(0),
        key_frames(
            "Slew Limiter", {"up_run_rise": 0.0, "down_run_rise": 0.1}, {"up_run_rise": 0.3, "down_run_rise": 0.9}
        ),
    ],
    "fold": [waves(0), key_frames("Wave Folder", {"fold_boost": 1.0}, {"fold_boost": 12.0})],
    **{
        f"warp-{across}-{upright}": [
            waves(0),
            key_frames(
                "Wave Warp",
                {"horizontal_power": 0.0, "vertical_power": -5.0},
                {"horizontal_power": 6.0, "vertical_power": 4.0},
                horizontal_asymmetric=across,
                vertical_asymmetric=upright,
            ),
        ]
        for across in (False, True)
        for upright in (False, True)
    },
    "all": [
        lines(True),
        key_frames(
            "Wave Warp",
            {"horizontal_power": -2.0, "vertical_power": 1.0},
            horizontal_asymmetric=False,
            vertical_asymmetric=True,
        ),
        key_frames(
            "Frequency Filter",
            {"cutoff": 4.0, "shape": 0.9},
            {"cutoff": 7.0, "shape": 0.5},
            style=0,
            normalize=True,
        ),
        key_frames("Wave Folder", {"fold_boost": 3.0}),
    ],
}


class TestVitalsOwnTables:
    """Drawn, imported and modified tables: what our reader renders is what Vital plays, in wave and in level."""

    @pytest.mark.parametrize("name", RENDERED)
    def test_rendered(self, tmp_path, play, name):
        version = "0.7.5" if name.endswith("0.7.5") else "1.0.7"
        self.compare(tmp_path, play, {"version": version, "groups": [{"components": RENDERED[name]}]})

    def test_several_groups(self, tmp_path, play):
        groups = [{"components": RENDERED[name]} for name in ("waves-1-0", "fold", "lines-True")]
        self.compare(tmp_path, play, {"version": "1.0.7", "groups": groups, "full_normalize": True})

    def compare(self, folder, play, table: dict) -> None:
        folder = folder / "x.vitaltable"
        folder.write_text(json.dumps({"name": "x", "full_normalize": False, "remove_all_dc": True, **table}))
        frames = vital.load(folder).frames.astype(float)
        frames -= frames.mean(1, keepdims=True)
        places = (0, 10, 60, 128, 200, len(frames) - 1)
        heard = [play(folder, place).astype(float) for place in places]
        # below -80 dBFS Vital takes a harmonic's phase from the frames around it
        assert min(correlation(cycle, frames[place]) for cycle, place in zip(heard, places, strict=True)) > 0.9998
        gains = [np.std(cycle) / np.std(frames[place]) for cycle, place in zip(heard, places, strict=True)]
        assert max(gains) / min(gains) < 1.01


class TestSfizz:
    @pytest.fixture
    def synth(self):
        return pytest.importorskip("pysfizz").Synth(RATE, 256)

    def played(self, synth, key: int, seconds: float) -> np.ndarray:
        """One channel. sfizz reads samples in a thread of its own, which a busy machine may delay: it has read all
        when two renderings are alike."""
        before, sound = None, synth.render_note(key, 127, seconds, seconds)[0]
        while before is None or not sound[len(sound) // 2 :].any() or not np.array_equal(before, sound):
            time.sleep(0.05)
            before, sound = sound, synth.render_note(key, 127, seconds, seconds)[0]
        return sound

    def cents(self, sound: np.ndarray, key: int) -> float:
        """Deviation of the fundamental, by the turn of its phase between two halves."""
        half, hz = len(sound) // 2, midi_to_hz(key)
        n = np.arange(half)
        for _ in range(3):
            first, second = (
                np.sum(sound[at : at + half] * np.hanning(half) * np.exp(-2j * np.pi * hz * (n + at) / RATE))
                for at in (0, half)
            )
            hz += float(np.angle(second * np.conj(first))) / (2 * np.pi * half / RATE)
        return 1200 * np.log2(hz / midi_to_hz(key))

    def test_a_table_is_in_tune(self, tmp_path, synth):
        sfz.write(tmp_path / "x.sfz", Table(bright(8, 80, 1.2), "x"))
        assert synth.load_sfz_file(tmp_path / "x.sfz")
        assert len(synth.playable_keys) == 128
        for key in KEYS:
            sound = self.played(synth, key, 2.0)[RATE // 2 : RATE * 3 // 2]
            assert abs(self.cents(sound, key)) < 1

    def test_a_frame_sounds_as_written(self, tmp_path, synth):
        frames = bright(4, 80)
        sfz.write(tmp_path / "x.sfz", Table(frames, "x"))
        synth.set_sample_rate(sfz.RATE)
        assert synth.load_sfz_file(tmp_path / "x.sfz")
        sound = self.played(synth, 21, 1.0)
        assert correlation(sound[8 * FRAME_SIZE : 9 * FRAME_SIZE], frames[0]) > 0.999

    def test_notes_are_in_tune_and_loop_without_a_click(self, tmp_path, synth):
        def note(pitch: float) -> Sound:
            n, hz = np.arange(3 * RATE), midi_to_hz(pitch)
            tone = sum(np.sin(2 * np.pi * k * hz * n / RATE + k) / k for k in range(1, int(15_000 / hz)))
            tone = 0.3 * tone + 0.002 * np.random.default_rng(1).normal(size=len(n))
            tone *= np.minimum(1, np.minimum(n, n[::-1]) / 2400)
            return Sound(np.stack([tone, 0.8 * tone], 1).astype(np.float32), RATE)

        sfz.write_notes(tmp_path / "x.sfz", {pitch: note(pitch) for pitch in (36, 48.3, 60, 71.9, 84)})
        assert synth.load_sfz_file(tmp_path / "x.sfz")
        assert len(synth.playable_keys) == 128
        for key in KEYS:
            sound = self.played(synth, key, 9.0)
            assert abs(self.cents(sound[4 * RATE : 7 * RATE], key)) < 1
            bends = np.abs(np.diff(sound, 2))
            # a click would bend the wave more than it bends before the first loop
            assert bends[RATE // 2 : 8 * RATE].max() < 1.1 * bends[RATE // 2 : 2 * RATE].max()
            level = [np.sqrt(np.mean(sound[k * RATE : (k + 1) * RATE] ** 2)) for k in range(1, 8)]
            assert 20 * np.log10(max(level) / min(level)) < 0.5
