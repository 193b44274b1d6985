"""The formats beside Serum's: their bytes, what other readers make of them, and what foreign and hostile files get."""

from __future__ import annotations

import base64
import json
import struct
import warnings

import numpy as np
import pytest

from nsynth_core.errors import UsageError, UserError
from wavetables.cli.words import sentence
from wavetables.formats import cycles, devices, registry, sfz, surge, uhe, vital, wav
from wavetables.formats.common import Clipping, from_int16, to_int16
from wavetables.resizing import resize
from wavetables.table import FRAME_SIZE, Table

T = np.arange(FRAME_SIZE) / FRAME_SIZE
FACTS = {"author": "me & <you>", "command": "blend a b", "licence": "CC0", "sounds": "flöte"}


def bright(count: int, harmonics: int = 60, seed: int = 1) -> np.ndarray:
    """Unrelated frames of random harmonics, peak 0.9."""
    rng = np.random.default_rng(seed)
    spectrum = np.zeros((count, FRAME_SIZE // 2 + 1), complex)
    number = np.arange(1, harmonics + 1)
    spectrum[:, 1 : harmonics + 1] = rng.uniform(0.1, 1, (count, harmonics)) / number
    spectrum *= np.exp(1j * rng.uniform(0, 2 * np.pi, spectrum.shape))
    frames = np.fft.irfft(spectrum)
    return (0.9 * frames / np.abs(frames).max()).astype(np.float32)


def table(count: int = 5, **more) -> Table:
    return Table(bright(count), "table", 45.5, FACTS, **more)


class TestEveryFormat:
    @pytest.mark.parametrize("name", [name for name, each in registry.FORMATS.items() if each.exact])
    @pytest.mark.parametrize("count", [1, 2, 64, 128, 256])
    def test_exact_formats_come_back_bit_by_bit(self, tmp_path, name, count):
        if name == "sfz" and count > sfz.STEPS:
            pytest.skip("the mod wheel has 128 positions")
        path = tmp_path / ("x" + registry.FORMATS[name].suffix)
        registry.write(path, table(count), name=name)
        back = registry.read(path)
        np.testing.assert_array_equal(back.frames, bright(count))
        assert (back.root_pitch, dict(back.provenance)) == (45.5, FACTS)
        assert registry.load(path).remarks == ()

    @pytest.mark.parametrize("name", registry.FORMATS)
    def test_never_replaces_and_never_clips(self, tmp_path, name):
        path = tmp_path / ("x" + registry.FORMATS[name].suffix)
        with pytest.raises(Clipping, match=r"\+6\.0 dBFS") as refused:
            registry.write(path, Table(np.clip(bright(1) * 9, -2, 2).astype(np.float32), "x"), name=name)
        assert "+6.0 dBFS; normalize" in sentence(refused.value)
        assert not list(tmp_path.iterdir())
        registry.write(path, table(1), name=name)
        with pytest.raises(UserError, match="exists already"):
            registry.write(path, table(1), name=name)
        registry.write(path, table(1), force=True, name=name)

    @pytest.mark.parametrize("name", registry.FORMATS)
    def test_same_table_same_bytes(self, tmp_path, name):
        suffix = registry.FORMATS[name].suffix
        for folder in ("a", "b"):
            registry.write(tmp_path / folder / ("x" + suffix), table(3), name=name)
        first, second = (sorted(p for p in (tmp_path / f).rglob("*") if p.is_file()) for f in "ab")
        assert [p.read_bytes() for p in first] == [p.read_bytes() for p in second]

    def test_content_counts_before_the_name(self, tmp_path):
        for name in ("serum", "vital", "wt"):
            path = tmp_path / ("x" + registry.FORMATS[name].suffix)
            registry.write(path, table(2), name=name)
            for wrong in (".wav", ".wt", ".vitaltable", ".dat"):
                np.testing.assert_array_equal(registry.read(path.rename(tmp_path / f"y{wrong}")).frames, bright(2))
                path = (tmp_path / f"y{wrong}").rename(path)
            path.unlink()

    def test_names(self, tmp_path):
        assert registry.chosen(tmp_path / "x.wt") == "wt"
        assert registry.chosen(tmp_path / "folder") == "cycles"
        for path, name, why in [
            ("x.flac", None, "no format ends in"),
            ("x.wav", "wtt", "no format is named"),
            ("x.wav", "vital", "ends in .vitaltable"),
            ("x.WAV", None, r"ends in \.wav"),
        ]:
            with pytest.raises(UsageError, match=why):
                registry.chosen(tmp_path / path, name)

    @pytest.mark.parametrize(
        ("content", "why"),
        [
            (b"", "empty"),
            (b"hello", "neither WAV"),
            (b"{", "not a Vital table"),
            (b"vawt", "not a .wt"),
            (b"RIFF", "WAV"),
        ],
    )
    def test_no_table(self, tmp_path, content, why):
        (tmp_path / "x.bin").write_bytes(content)
        with pytest.raises(UserError, match=why):
            registry.read(tmp_path / "x.bin")
        with pytest.raises(UserError, match="no such file"):
            registry.read(tmp_path / "nothing.wt")


class TestSizes:
    @pytest.mark.parametrize("size", [128, 256, 600, 601, 1024, 2047, 4096, 8192])
    def test_a_band_limited_cycle_survives(self, size):
        frames = bright(4, 60)
        np.testing.assert_allclose(resize(resize(frames, size), FRAME_SIZE), frames, atol=3e-7)

    def test_nothing_folds_back(self):
        frames = (0.5 * np.sin(2 * np.pi * 3 * T) + 0.4 * np.sin(2 * np.pi * 200 * T)).astype(np.float32)[None]
        small = resize(frames, 256)[0]
        np.testing.assert_allclose(small, 0.5 * np.sin(2 * np.pi * 3 * np.arange(256) / 256), atol=1e-6)
        # the Nyquist bin of the smaller frame is dropped
        assert np.abs(resize(np.cos(2 * np.pi * 128 * T)[None].astype(np.float32), 256)).max() < 1e-6

    def test_sixteen_bits(self):
        x = np.float32([1.0, -1.0, 0.0, 0.5, -0.5, 1e-5, 0.999])
        assert np.abs(from_int16(to_int16(x)) - x).max() <= 2.0**-15
        every = np.arange(-32768, 32768).astype("<i2")
        np.testing.assert_array_equal(to_int16(from_int16(every)), every)


class TestWt:
    def test_layout_as_surge_states_it(self, tmp_path):
        surge.write(tmp_path / "x.wt", Table(bright(3), "x"))
        data = (tmp_path / "x.wt").read_bytes()
        assert data[:12] == b"vawt" + struct.pack("<IHH", 2048, 3, 0)
        assert len(data) == 12 + 3 * 2048 * 4
        assert data[12:] == bright(3).astype("<f4").tobytes()

    def test_metadata_is_flagged_and_terminated(self, tmp_path):
        surge.write(tmp_path / "x.wt", table(3))
        data = (tmp_path / "x.wt").read_bytes()
        assert struct.unpack("<H", data[10:12]) == (0x10,)
        tail = data[12 + 3 * 2048 * 4 :]
        assert tail.startswith(b"<wtmeta>")
        assert tail.index(b"\0") == len(tail) - 1
        from xml.etree import ElementTree

        told = json.loads(ElementTree.fromstring(tail[:-1]).findtext("make-wavetable"))
        assert told == {"provenance": FACTS, "root_pitch": 45.5}

    def test_sixteen_bits_carry_both_flags(self, tmp_path):
        surge.write(tmp_path / "x.wt", Table(bright(3), "x"), int16=True)
        assert struct.unpack("<H", (tmp_path / "x.wt").read_bytes()[10:12]) == (0x0C,)
        assert np.abs(surge.read(tmp_path / "x.wt").frames - bright(3)).max() <= 2.0**-16

    def test_fifteen_bits_are_read_as_surge_plays_them(self, tmp_path):
        values = to_int16(bright(1))
        (tmp_path / "x.wt").write_bytes(b"vawt" + struct.pack("<IHH", 2048, 1, 4) + values.tobytes())
        found = surge.load(tmp_path / "x.wt")
        np.testing.assert_array_equal(found.frames.ravel(), values.ravel() / np.float32(16384))
        assert "too loud" in found.remarks[0]

    def test_cut_short_and_absurd(self, tmp_path):
        path = tmp_path / "x.wt"
        surge.write(path, table(3))
        whole = path.read_bytes()
        path.write_bytes(whole[: 12 + 8192 * 2 + 100])
        found = surge.load(path)
        assert len(found.frames) == 2
        assert "2 of 3" in found.remarks[0]
        for data in (whole[:100], whole[:12], b"vawt" + struct.pack("<IHH", 0, 1, 0) + bytes(99)):
            path.write_bytes(data)
            with pytest.raises(UserError):
                surge.load(path)
        path.write_bytes(b"vawt" + struct.pack("<IHH", 0xFFFFFFFF, 65535, 0) + bytes(99))
        with pytest.raises(UserError, match="damaged"):
            surge.load(path)

    def test_dune(self, tmp_path):
        values = to_int16(resize(bright(2), 512))
        head = bytearray(351)
        head[12:14], head[16:24] = struct.pack("<h", 512), struct.pack("<ii", 1, 2)
        (tmp_path / "x.wt").write_bytes(bytes(head) + values.tobytes())
        found = registry.load(tmp_path / "x.wt")
        assert (found.format, found.frames.shape) == ("dune", (2, 512))
        np.testing.assert_allclose(registry.read(tmp_path / "x.wt").frames, bright(2), atol=5e-5)


class TestVital:
    def document(self, count: int = 3) -> dict:
        return json.loads(json.dumps(vital.document(table(count))))

    def save(self, folder, data) -> object:
        path = folder / "x.vitaltable"
        path.write_text(json.dumps(data))
        return path

    def test_what_vital_demands(self):
        data = self.document(3)
        assert data["version"] == "1.0.7"
        (component,) = data["groups"][0]["components"]
        assert component["type"] == "Wave Source"
        assert component["interpolation"] == 0
        assert [frame["position"] for frame in component["keyframes"]] == [0, 128, 256]
        for frame in component["keyframes"]:
            assert len(frame["wave_data"]) == 10924
            assert frame["wave_data"].endswith("=")

    @pytest.mark.parametrize("count", range(1, 257))
    def test_positions(self, count):
        places = vital.positions(count)
        assert len(set(places)) == count
        assert places[0] == 0
        assert places[-1] == (256 if count > 1 else 0)

    def test_a_preset(self, tmp_path):
        quiet, heard = self.document(2), self.document(4)
        preset = {"settings": {"osc_1_on": 0.0, "osc_2_on": 1.0, "wavetables": [quiet, heard]}}
        found = vital.load(self.save(tmp_path, preset))
        assert len(found.frames) == 4
        assert found.decision.startswith("oscillator 2 of a preset: 4 key frames")
        assert found.remarks == ()

    def test_old_sixteen_bit_files(self, tmp_path):
        data = self.document(1)
        data["version"] = "0.3.8"
        values = (bright(1) * 32767).astype("<i2")
        data["groups"][0]["components"][0]["keyframes"][0]["wave_data"] = base64.b64encode(values.tobytes()).decode()
        found = vital.load(self.save(tmp_path, data))
        assert found.encoding == "int16"
        np.testing.assert_allclose(found.frames, bright(1), atol=1 / 32767)

    def test_what_vital_renders_between_uneven_keyframes(self, tmp_path):
        data = self.document(3)
        frames = data["groups"][0]["components"][0]["keyframes"]
        for frame, place in zip(frames, (0, 10, 256), strict=True):
            frame["position"] = place
        frames.reverse()  # the order is free
        found = vital.load(self.save(tmp_path, data))
        assert len(found.frames) == 257
        a, b, c = bright(3)
        np.testing.assert_array_equal(found.frames[[0, 10, 256]], [a, b, c])
        np.testing.assert_allclose(found.frames[5], (a + b) / 2, atol=1e-6)
        data["groups"][0]["components"][0]["interpolation_style"] = 0
        np.testing.assert_array_equal(vital.load(self.save(tmp_path, data)).frames[[9, 200]], [a, b])
        data["groups"][0]["components"][0] |= {"interpolation": 1, "interpolation_style": 1}
        found = vital.load(self.save(tmp_path, data))
        np.testing.assert_array_equal(found.frames[[0, 10, 256]], [a, b, c])
        level = [np.abs(np.fft.rfft(frame))[1:40] for frame in (a, found.frames[5], b)]
        np.testing.assert_allclose(np.sqrt(level[1]), (np.sqrt(level[0]) + np.sqrt(level[2])) / 2, rtol=1e-3)

    def imported(self, **members: object) -> dict:
        audio = base64.b64encode((bright(4) * 32767).astype("<i2").tobytes()).decode()
        source = {"type": "Audio File Source", "audio_file": audio, "window_size": 2048.0, **members}
        source["keyframes"] = [{"start_position": 0, "position": 0}, {"start_position": 3 * 2048, "position": 256}]
        return {"version": "1.0.7", "groups": [{"components": [source]}]}

    @pytest.mark.parametrize("fade", [1, 2, 3])
    def test_an_imported_table_comes_back_frame_by_frame(self, tmp_path, fade):
        found = vital.load(self.save(tmp_path, self.imported(fade_style=fade, normalize_mult=False)))
        np.testing.assert_allclose(found.frames, bright(4), atol=1 / 32767)
        assert found.encoding == "int16"

    def test_an_imported_sound_is_rendered(self, tmp_path):
        found = vital.load(self.save(tmp_path, self.imported(fade_style=0)))
        assert len(found.frames) == 257
        assert found.decision == "rendered as Vital plays it: Audio File Source"

    def test_modifiers_are_rendered_and_what_is_unknown_is_named(self, tmp_path):
        data = self.document(1)
        data["groups"][0]["components"] += [
            {"type": "Wave Folder", "keyframes": [{"position": 0, "fold_boost": 1.5}]},
            {"type": "Wave Melter", "keyframes": []},
        ]
        found = vital.load(self.save(tmp_path, data))
        folded = np.sin(1.5 * np.arcsin(bright(1)[0]))
        folded -= folded.mean()  # as Vital does
        np.testing.assert_allclose(found.frames[0], folded / np.abs(folded).max(), atol=1e-5)
        assert found.decision == "rendered as Vital plays it: Wave Source, Wave Folder"
        assert any("Wave Melter" in line and "left out" in line for line in found.remarks)

    def test_drawn_lines(self, tmp_path):
        """A triangle: heights run from 1 at the bottom to 0 at the top."""
        drawn = {"num_points": 3, "points": [0, 1, 0.5, 0, 1, 1], "powers": [0, 0, 0]}
        source = {"type": "Line Source", "num_points": 3, "keyframes": [{"position": 0, "line": drawn}]}
        data = {"version": "1.0.7", "groups": [{"components": [source]}]}
        found = vital.load(self.save(tmp_path, data)).frames
        assert found.shape == (1, FRAME_SIZE)
        np.testing.assert_allclose(found[0], 1 - 2 * np.abs(2 * T - 1), atol=3e-3)

    def test_the_table_of_each_oscillator(self, tmp_path):
        tables = [self.document(count) for count in (2, 3, 4)]
        preset = {"settings": {"osc_1_on": 1.0, "osc_3_on": 1.0, "wavetables": tables}}
        path = self.save(tmp_path, preset)
        assert [len(registry.load(path, oscillator=k).frames) for k in (1, 2, 3)] == [2, 3, 4]
        assert "oscillator 1 of a preset" in registry.load(path).decision
        assert registry.load(path).oscillators == (3,)
        assert registry.load(path, oscillator=1).oscillators == ()
        with pytest.raises(UserError, match="no oscillator 4"):
            registry.load(path, oscillator=4)
        with pytest.raises(UserError, match="no preset"):
            registry.load(self.save(tmp_path, tables[0]), oscillator=1)

    def test_a_thousand_modifiers_are_refused(self, tmp_path):
        data = self.document(1)
        data["groups"] *= 200
        with pytest.raises(UserError, match="more than 32 components"):
            vital.load(self.save(tmp_path, data))

    @pytest.mark.parametrize(
        ("change", "why"),
        [
            (lambda d: d.pop("groups"), "neither a Vital table nor"),
            (lambda d: d.update(groups=[]), "no source"),
            (lambda d: d["groups"][0].update(components=[]), "no source"),
            (lambda d: d["groups"][0]["components"][0].update(type="Line Source"), "without its line"),
            (lambda d: d["groups"][0]["components"][0].update(keyframes=[]), "no key frames"),
            (lambda d: d["groups"][0]["components"][0]["keyframes"][0].update(position=257), "outside 0..256"),
            (lambda d: d["groups"][0]["components"][0]["keyframes"][0].update(position=None), "outside 0..256"),
            (lambda d: d["groups"][0]["components"][0]["keyframes"][0].update(wave_data="AAAA"), "2048 are needed"),
            (lambda d: d["groups"][0]["components"][0]["keyframes"][0].update(wave_data="?!"), "no base64"),
            (lambda d: d["groups"][0]["components"][0]["keyframes"][0].pop("wave_data"), "wave_data is missing"),
        ],
    )
    def test_damaged(self, tmp_path, change, why):
        data = self.document(2)
        change(data)
        with pytest.raises(UserError, match=why):
            vital.load(self.save(tmp_path, data))

    @pytest.mark.parametrize("text", ["[" * 100_000, "{", "[1]", '{"a": ' * 100_000, "\xff", "1" * 10_000, "NaN"])
    def test_hostile_json(self, tmp_path, text):
        (tmp_path / "x.vitaltable").write_text(text, encoding="latin-1")
        with pytest.raises(UserError) as error:
            vital.load(tmp_path / "x.vitaltable")
        assert len(str(error.value)) < 300

    def test_tolerated(self, tmp_path):
        data = self.document(2)
        del data["version"]
        wave = data["groups"][0]["components"][0]["keyframes"][0]
        wave["wave_data"] = "\n".join(wave["wave_data"][k : k + 76] for k in range(0, 10924, 76))
        found = vital.load(self.save(tmp_path, data))
        np.testing.assert_array_equal(found.frames, bright(2))
        assert len(found.remarks) == 2


class TestWav:
    def test_hive_chunk(self, tmp_path):
        uhe.write(tmp_path / "x.wav", table(3))
        data = (tmp_path / "x.wav").read_bytes()
        place = data.index(b"uhWT")
        assert data.index(b"clm ") < place < data.index(b"data")
        size, check, count, samples, zero = struct.unpack("<IIIII", data[place + 4 : place + 24])
        assert (size, check, count, samples, zero) == (272, 0, 3, 2048, 0)

    def test_other_readers(self, tmp_path):
        import soundfile

        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            wavinfo = pytest.importorskip("wavinfo")
            from scipy.io import wavfile

            for name, each in registry.FORMATS.items():
                if each.suffix != ".wav":
                    continue
                path = tmp_path / f"{name}.wav"
                registry.write(path, table(64), name=name)
                kind = devices.DEVICES.get(name)
                frames, size = (64, 2048) if kind is None else (min(64, kind.count), kind.size)
                samples, rate = soundfile.read(path, dtype="float32")
                assert (rate, samples.shape) == (44100, (frames * size,))
                assert len(wavfile.read(path)[1]) == frames * size
                found = wavinfo.WavInfoReader(str(path))
                assert found.fmt.channel_count == 1
                assert found.fmt.bits_per_sample == (16 if kind and kind.int16 else 32)
                assert found.data.frame_count == frames * size

    @pytest.mark.parametrize("name", ["wavedit", "e352", "microfreak", "3rdwave", "behringer-wave", "blofeld"])
    @pytest.mark.parametrize("harmonics", [1, 5, 60])
    def test_banks_are_bare_and_recognised(self, tmp_path, name, harmonics):
        device = devices.DEVICES[name]
        path = tmp_path / "x.wav"
        devices.write(path, Table(bright(device.count, harmonics), "x"), device=name)
        data = path.read_bytes()
        assert len(data) == 44 + device.count * device.size * 2
        found = registry.load(path)
        assert found.frames.shape == (device.count, device.size)
        assert np.abs(found.table("x").frames - bright(device.count, harmonics)).max() < 4e-5

    @pytest.mark.parametrize("count", [4, 8])
    @pytest.mark.parametrize("harmonics", [1, 2, 5, 60, 1000])
    def test_bare_tables_are_no_banks(self, tmp_path, count, harmonics):
        for seed in range(20):
            devices.write(tmp_path / "x.wav", Table(bright(count, harmonics, seed), "x"), device="modwave", force=True)
            assert registry.load(tmp_path / "x.wav").size == FRAME_SIZE

    def test_devices_spread_and_limit(self, tmp_path):
        loud = np.sign(np.sin(2 * np.pi * T + 0.001)).astype(np.float32)[None].repeat(3, 0)
        devices.write(tmp_path / "x.wav", Table(loud, "x"), device="e352")
        found = wav.load(tmp_path / "x.wav", 256)
        assert found.frames.shape == (64, 256)
        assert np.abs(found.frames).max() <= 1.0
        devices.write(tmp_path / "y.wav", table(200), device="modwave")
        np.testing.assert_array_equal(registry.read(tmp_path / "y.wav").frames[[0, -1]], bright(200)[[0, -1]])
        assert len(registry.read(tmp_path / "y.wav").frames) == 64

    def test_ableton(self, tmp_path):
        devices.write(tmp_path / "x.wav", table(5), device="ableton")
        found = registry.load(tmp_path / "x.wav")
        assert (found.size, found.decision, found.chunks) == (1024, "srge chunk", ("fmt ", "data", "srge", "LIST"))
        np.testing.assert_allclose(found.table("x").frames, bright(5), atol=3e-7)


class TestCycles:
    @pytest.mark.parametrize("length", [2, 37, 600, 2048, 2049, 8192])
    def test_one_of_any_length(self, tmp_path, length):
        import soundfile

        wave = 0.5 * np.sin(2 * np.pi * np.arange(length) / length + 0.3)
        soundfile.write(tmp_path / "AKWF_0001.wav", wave, 44100, "FLOAT")
        found = registry.read(tmp_path / "AKWF_0001.wav") if length != 8192 else cycles.read(tmp_path / "AKWF_0001.wav")
        if length > 2:
            np.testing.assert_allclose(found.frames[0], 0.5 * np.sin(2 * np.pi * T + 0.3), atol=1e-6)

    def test_a_folder_in_the_order_of_its_numbers(self, tmp_path):
        import soundfile

        for number in (10, 2, 1):
            wave = number / 10 * np.sin(2 * np.pi * np.arange(590 + number) / (590 + number))
            soundfile.write(tmp_path / f"wave {number}.wav", wave, 44100, "FLOAT")
        (tmp_path / "readme.txt").write_text("x")
        found = registry.read(tmp_path)
        np.testing.assert_allclose(np.abs(found.frames).max(1), [0.1, 0.2, 1.0], atol=1e-5)
        assert found.name == tmp_path.name

    def test_refused(self, tmp_path):
        with pytest.raises(UserError, match="no single cycles"):
            cycles.load(tmp_path)
        import soundfile

        soundfile.write(tmp_path / "long.wav", np.zeros(9000), 44100)
        with pytest.raises(UserError, match=r"long\.wav: 9000 samples"):
            cycles.load(tmp_path)


class TestSfz:
    def test_text(self, tmp_path):
        sfz.write(tmp_path / "x.sfz", table(4))
        text = (tmp_path / "x.sfz").read_text()
        regions = [line for line in text.splitlines() if line.startswith("<region>")]
        assert regions[0] == "<region> sample=000.wav locc1=0 hicc1=31"
        assert regions[-1] == "<region> sample=003.wav locc1=96 hicc1=127"
        assert "loop_start=0 loop_end=2047" in text
        assert (tmp_path / "x" / "003.wav").exists()
        assert b"clm " not in (tmp_path / "x" / "000.wav").read_bytes()

    @pytest.mark.parametrize("sample", ["../secret.wav", "/etc/passwd", "C:\\x.wav", "~/x.wav"])
    def test_stays_in_its_folder(self, tmp_path, sample):
        (tmp_path / "x.sfz").write_text(f"<region> sample={sample} key=60")
        with pytest.raises(UserError, match="outside its folder"):
            registry.read(tmp_path / "x.sfz")

    def test_foreign_text(self, tmp_path):
        cycles.write(tmp_path / "my cycles", table(2))
        text = (
            "// mine\n<control> default_path=my cycles\\\n<region>sample=001.wav key=60\n<region> key=61 sample=000.wav"
        )
        (tmp_path / "x.sfz").write_text(text)
        np.testing.assert_array_equal(registry.read(tmp_path / "x.sfz").frames, bright(2)[::-1])
        (tmp_path / "x.sfz").write_text("nothing")
        with pytest.raises(UserError, match="no regions"):
            registry.read(tmp_path / "x.sfz")

    def test_a_note_is_looped_unless_it_fades(self):
        from nsynth_core.audio import Sound

        n = np.arange(96_000)
        tone = 0.5 * np.sin(2 * np.pi * 220 * n / 48_000)
        sound, loop = sfz.looped(Sound(tone[:, None].astype(np.float32), 48_000), 220.0)
        start, stop = loop
        assert stop == 76_799
        assert (stop + 1 - start) * 220 / 48_000 == pytest.approx(round((stop + 1 - start) * 220 / 48_000), abs=1e-4)
        np.testing.assert_allclose(sound.samples[:, 0], tone, atol=1e-4)
        assert sfz.looped(Sound((tone * np.exp(-n / 8000))[:, None].astype(np.float32), 48_000), 220.0)[1] is None
        assert sfz.looped(Sound(tone[:3000, None].astype(np.float32), 48_000), 220.0)[1] is None
