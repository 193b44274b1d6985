"""No bytes break a reader: whatever a file holds, it is a table or one clear line, in bounded time and memory.

A short run is part of the tests. A long one, over all readers:

    python tests/fuzz/test_readers.py 1000000            random mutations, spread over the readers
    python tests/fuzz/test_readers.py 1000000 vital wt   over some of them
    python tests/fuzz/test_readers.py 1000000 --atheris  guided by coverage, where atheris is installed
"""

from __future__ import annotations

import json
import os
import random
import struct
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from nsynth_core.errors import UserError
from wavetables.formats import dune, nsynth_settings, registry, sfz, surge, vital, wav
from wavetables.table import FRAME_SIZE, Table

SLOW = 2.0  # seconds for one input of a few kilobytes
SHORT = int(os.environ.get("FUZZ_INPUTS", "400"))  # a reader
EDGES = (0, 1, 2, 3, 7, 8, 0x7F, 0x80, 0xFF, 0x7FFF, 0x8000, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF)
WORDS = (
    *b"RIFF WAVE data RIFX uhWT srge srgo LIST INFO vawt <!>2048 <!>99999 NaN Infinity 1e999 null true -1".split(),
    *b'{ } [ ] " "groups" "position": "wave_data": "version": AAAA = sample= ../ <region> default_path= '.split(),
    *(b"fmt ", b"clm ", b"cue ", b"smpl", b"<!>64 10000000", b"[" * 2000, b"9" * 5000, b"\0" * 16),
)


def _frames(count: int, size: int) -> np.ndarray:
    t = np.arange(size) / size
    return np.stack([0.9 * np.sin(2 * np.pi * (k + 1) * t) for k in range(count)]).astype(np.float32)


def _wav(*parts: tuple[bytes, bytes], fmt: bytes) -> bytes:
    body = b"WAVE" + b"".join(
        name + struct.pack("<I", len(content)) + content + b"\0" * (len(content) % 2)
        for name, content in ((b"fmt ", fmt), *parts)
    )
    return b"RIFF" + struct.pack("<I", len(body)) + body


def _fmt(tag: int, bits: int, channels: int = 1, extra: bytes = b"") -> bytes:
    width = bits // 8 * channels
    return struct.pack("<HHIIHH", tag, channels, 44100, 44100 * width, width, bits) + extra


def _written(name: str, count: int = 1) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / ("x" + registry.FORMATS[name].suffix)
        registry.write(path, Table(_frames(count, FRAME_SIZE), "x", 60.0, {"a": "b"}), name=name)
        return path.read_bytes()


def _wav_seeds() -> list[bytes]:
    small = _frames(4, 64)
    ints = (small * 32767).astype("<i2").tobytes()
    guid = struct.pack("<HHI", 22, 16, 4) + struct.pack("<H", 1) + bytes(14)
    cue = struct.pack("<I", 4) + b"".join(struct.pack("<II4sIII", k, 0, b"data", 0, 0, 64 * k) for k in range(4))
    smpl = struct.pack("<9I", 0, 0, 0, 60, 0, 0, 0, 1, 0) + struct.pack("<6I", 0, 0, 0, 63, 0, 0)
    return [
        _wav((b"clm ", b"<!>64 10000000 wavetable"), (b"data", small.tobytes()), fmt=_fmt(3, 32)),
        _wav((b"srge", struct.pack("<II", 1, 64)), (b"data", ints), fmt=_fmt(1, 16)),
        _wav((b"data", ints), (b"cue ", cue), fmt=_fmt(0xFFFE, 16, 1, guid)),
        _wav((b"JUNK", b"x" * 5), (b"data", ints), (b"smpl", smpl), fmt=_fmt(1, 24, 2)),
        _wav((b"data", small.astype("<f8").tobytes()), fmt=_fmt(3, 64)),
        _written("hive"),
    ]


def _dune() -> bytes:
    head = bytearray(351)
    head[12:14], head[16:24] = struct.pack("<h", 64), struct.pack("<ii", 1, 4)
    return bytes(head) + (_frames(4, 64) * 32767).astype("<i2").tobytes()


def _file_source() -> bytes:
    import base64

    audio = base64.b64encode((_frames(4, 64) * 32767).astype("<i2").tobytes()).decode()
    keyframes = [{"start_position": 0, "position": 0}, {"start_position": 192, "position": 5}]
    source = {"type": "Audio File Source", "audio_file": audio, "window_size": 64.0, "keyframes": keyframes}
    return json.dumps({"version": "1.0.7", "groups": [{"components": [source]}]}).encode()


def _rendered() -> bytes:
    """A small preset whose tables are drawn and modified."""
    line = {"num_points": 2, "points": [0, 1, 1, 0], "powers": [2, -3], "smooth": True}
    drawn = {"type": "Line Source", "num_points": 2, "keyframes": [{"position": 0, "line": line, "pull_power": 1}]}
    kinds = {
        "Phase Shift": {"phase": 1.0, "mix": 0.5, "style": 1},
        "Wave Window": {"left_position": 0.3, "right_position": 0.6, "window_shape": 4},
        "Frequency Filter": {"cutoff": 3.0, "shape": 0.3, "style": 3, "normalize": True},
        "Slew Limiter": {"up_run_rise": 0.1, "down_run_rise": 0.2},
        "Wave Folder": {"fold_boost": 2.0},
        "Wave Warp": {"horizontal_power": 2.0, "vertical_power": -1.0, "vertical_asymmetric": True},
    }
    more = [
        {"type": kind, "interpolation_style": 1, "keyframes": [{"position": 0, **values}], **values}
        for kind, values in kinds.items()
    ]
    table = {"version": "1.0.7", "groups": [{"components": [drawn, *more]}], "full_normalize": True}
    return json.dumps({"settings": {"osc_1_on": 1.0, "wavetables": [table]}}).encode()


GRID = {
    "instruments": [["a", "b"], ["c", "d"]],
    "pitches": [24, 28],
    "resolution": 9,
    "final_length": 64000,
    "name": "g",
}
PADS = {"pads": {"NW": ["a"], "NE": ["b"], "SW": ["c"], "SE": ["d"]}, "pitches": [24], "resolution": 9}
READERS: dict[str, tuple[str, Callable[[Path], object], Callable[[], list[bytes]]]] = {
    "wav": ("x.wav", wav.load, _wav_seeds),
    "wt": (
        "x.wt",
        surge.load,
        lambda: [b"vawt" + struct.pack("<IHH", 64, 4, 0x10) + _frames(4, 64).tobytes() + b"<wtmeta>x</wtmeta>\0"],
    ),
    "dune": ("x.wt", dune.load, lambda: [_dune()]),
    "vital": ("x.vitaltable", vital.load, lambda: [_written("vital"), _file_source(), _rendered()]),
    "sfz": (
        "x.sfz",
        sfz.load,
        lambda: [b"<control>\ndefault_path=x/\n<region> sample=000.wav key=60\n<region> sample=000.wav key=61"],
    ),
    "settings": (
        "settings.json",
        nsynth_settings.read_settings,
        lambda: [json.dumps(GRID).encode(), json.dumps(PADS).encode()],
    ),
    "any": ("x.dat", registry.load, lambda: [*_wav_seeds()[:3], _dune(), _file_source(), _rendered()]),
}


def mutated(data: bytes, chance: random.Random) -> bytes:
    """`data` with one to six accidents or attacks."""
    found = bytearray(data)
    for _ in range(chance.randint(1, 6)):
        # most fields of a format are at its start
        at = chance.randrange(min(len(found), 400) + 1) if chance.random() < 0.7 else chance.randrange(len(found) + 1)
        kind = chance.randrange(7)
        if kind == 0 and at < len(found):
            found[at] ^= 1 << chance.randrange(8)
        elif kind == 1:
            found[at : at + 4] = struct.pack("<I", chance.choice(EDGES))
        elif kind == 2:
            found[at : at + 2] = struct.pack("<H", chance.choice(EDGES) & 0xFFFF)
        elif kind == 3:
            del found[at : at + chance.choice((1, 2, 4, 100, 1 << 20))]
        elif kind == 4:
            found[at:at] = chance.choice(WORDS)
        elif kind == 5:
            found[at : at + chance.randrange(1, 9)] = chance.choice(WORDS)
        else:
            start = chance.randrange(len(found) + 1)
            found[at:at] = found[start : start + chance.randrange(64)]
    return bytes(found)


def check(path: Path, load: Callable[[Path], object], data: bytes) -> bool:
    """Read `data` as a file; True when it is a table. Anything but a table or a clear line raises."""
    path.write_bytes(data)
    start = time.process_time()  # a busy machine is no fault of a reader
    try:
        found = load(path)
        if isinstance(found, registry.Loaded):
            assert np.isfinite(found.frames).all()
            assert found.frames.nbytes <= 64 * max(len(data), FRAME_SIZE * 257)
            assert 1 <= len(found.table("x").frames) <= 256
        refusal = ""
    except UserError as error:
        refusal = str(error)
    assert time.process_time() - start < SLOW
    assert "\n" not in refusal
    assert len(refusal) < 1000
    return not refusal


def run(reader: str, inputs: int, folder: Path, seed: int = 0) -> int:
    """Feed `inputs` mutations of the reader's seeds to it; how many were tables all the same."""
    name, load, seeds = READERS[reader]
    good, chance, tables = seeds(), random.Random(seed), 0
    (folder / "x").mkdir(exist_ok=True)  # what an instrument's text may name
    (folder / "x" / "000.wav").write_bytes(_wav_seeds()[0])
    for _ in range(inputs):
        data = mutated(chance.choice(good), chance)
        try:
            tables += check(folder / name, load, data)
        except Exception:
            Path(tempfile.gettempdir(), f"fuzz-{reader}.bin").write_bytes(data)
            raise
    return tables


@pytest.mark.parametrize("reader", READERS)
def test_short_run(tmp_path, reader):
    assert run(reader, SHORT, tmp_path) < SHORT


def _long(inputs: int, readers: list[str]) -> None:
    shared = Path("/dev/shm")
    with tempfile.TemporaryDirectory(dir=shared if shared.is_dir() else None) as folder:
        for reader in readers:
            start, each = time.monotonic(), inputs // len(readers)
            tables = run(reader, each, Path(folder), seed=int(time.time()))
            seconds = time.monotonic() - start
            print(f"{reader}: {each} inputs, {tables} read as tables, {each / seconds:.0f}/s", flush=True)


def _guided(inputs: int) -> None:
    import atheris

    folder = Path(tempfile.mkdtemp())
    corpus = folder / "corpus"
    corpus.mkdir()
    for number, data in enumerate(seed for _, _, seeds in READERS.values() for seed in seeds()):
        (corpus / str(number)).write_bytes(data)
    readers = [(folder / name, load) for name, load, _ in READERS.values()]

    def one(data: bytes) -> None:
        for path, load in readers[:1] if data[:4] == b"RIFF" else readers[1:]:
            check(path, load, data)

    atheris.instrument_all()
    atheris.Setup([sys.argv[0], f"-runs={inputs}", "-max_len=16384", str(corpus)], one)
    atheris.Fuzz()


if __name__ == "__main__":
    if "--atheris" in sys.argv:
        _guided(int(sys.argv[1]))
    else:
        _long(int(sys.argv[1]), sys.argv[2:] or list(READERS))
