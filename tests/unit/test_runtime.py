"""The networks in LiteRT and in NumPy: equal on real inputs, chosen as documented, and refused when damaged."""

from __future__ import annotations

import contextlib
import os
import struct
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import erf

from nsynth_core.audio import read
from nsynth_core.errors import UserError
from nsynth_core.harmonic import runtime
from nsynth_core.harmonic.coder import HarmonicCoder
from nsynth_core.harmonic.numpy_graph import BLOCK, NumpyGraph
from nsynth_core.harmonic.operators import gelu
from nsynth_core.harmonic.runtime import GRAPHS, LITERT, NUMPY, Network, load, runtime_name, runtime_versions
from nsynth_core.harmonic.tflite import BadGraph, read_graph

HIDDEN = "import sys; sys.modules['ai_edge_litert'] = None; from wavetables.cli import main; sys.exit(main())"
WEIGHTS = {name: (runtime.weights_folder() / f"{name}.tflite").read_bytes() for name in GRAPHS}


@pytest.fixture(scope="module")
def real_inputs() -> dict[str, np.ndarray]:
    """All that a blend of four built-in instruments, encoded again, asks of each graph."""
    from nsynth_core.blending.embedding import mix, stretch
    from presets import bank

    coder = HarmonicCoder()
    asked: dict[str, list[np.ndarray]] = {name: [] for name in GRAPHS}

    class Recorder:
        def __call__(self, name: str, inputs: np.ndarray) -> np.ndarray:
            asked[name].append(np.asarray(inputs, dtype=np.float32))
            return load()(name, inputs)

    coder._network = Recorder()  # type: ignore[assignment]
    instruments = [bank.load_instrument(name, coder) for name in ("flute", "choir", "celesta", "clarinet")]
    for f0, weights in ((65.4, [0.4, 0.3, 0.2, 0.1]), (440.0, [0.1, 0.1, 0.4, 0.4])):
        embeddings = [stretch(instrument.at(12 * np.log2(f0 / 440) + 69), 301) for instrument in instruments]
        coder.encode(coder.decode(mix(embeddings, weights), np.full(301, f0, dtype=np.float32)))
    return {name: np.concatenate(inputs) for name, inputs in asked.items()}


@pytest.mark.parametrize("name", GRAPHS)
def test_numpy_computes_what_litert_does(real_inputs, name):
    pytest.importorskip("ai_edge_litert")
    inputs = real_inputs[name]
    assert len(inputs) > 300
    litert, numpy = Network(runtime.weights_folder(), LITERT), Network(runtime.weights_folder(), NUMPY)
    assert litert.hash == numpy.hash
    for rows in (1, 2, 7, BLOCK, BLOCK + 1, len(inputs)):
        expected = litert(name, inputs[:rows])
        computed = numpy(name, inputs[:rows])
        assert computed.dtype == np.float32
        assert computed.shape == expected.shape
        np.testing.assert_allclose(computed, expected, rtol=0, atol=1e-4)
    np.testing.assert_allclose(numpy(name, inputs[::-1])[::-1], numpy(name, inputs), rtol=0, atol=1e-5)


def test_numpy_gives_the_same_bytes_again(real_inputs):
    network = Network(runtime.weights_folder(), NUMPY)
    for name, inputs in real_inputs.items():
        assert network(name, inputs).tobytes() == network(name, inputs).tobytes()


def test_gelu_is_the_exact_one():
    x = np.linspace(-20, 20, 400_001).astype(np.float32)
    wide = x.astype(np.float64)
    np.testing.assert_allclose(gelu(x), wide * (1 + erf(wide / np.sqrt(2))) / 2, rtol=0, atol=5e-7)
    tanh = wide * (1 + np.tanh(np.sqrt(2 / np.pi) * (wide + 0.044715 * wide**3))) / 2
    assert np.abs(gelu(x) - tanh).max() > 1e-4  # the approximation is another function


# ---------------------------------------------------------------------------------------------------- which runtime
def test_the_environment_chooses_the_runtime(monkeypatch):
    monkeypatch.setenv(runtime.CHOICE, "numpy")
    assert runtime_name() == NUMPY
    assert runtime_versions() == {"networks": "numpy"}
    assert all(isinstance(graph, NumpyGraph) for graph in load()._graphs.values())
    monkeypatch.setenv(runtime.CHOICE, "fast")
    with pytest.raises(UserError, match=r"MAKE_WAVETABLE_RUNTIME=fast: unknown; choose litert or numpy"):
        runtime_name()


def test_without_litert_numpy_computes(monkeypatch):
    monkeypatch.delenv(runtime.CHOICE, raising=False)
    monkeypatch.setitem(sys.modules, "ai_edge_litert", None)
    monkeypatch.delitem(sys.modules, "ai_edge_litert.interpreter", raising=False)
    assert runtime_name() == NUMPY
    monkeypatch.setenv(runtime.CHOICE, "litert")
    with pytest.raises(UserError, match="ai-edge-litert cannot be imported"):
        runtime_name()


# ---------------------------------------------------------------------------------------------------- damaged files
@pytest.mark.parametrize("kind", [LITERT, NUMPY])
def test_missing_and_damaged_weights_are_named(tmp_path: Path, kind):
    if kind == LITERT:
        pytest.importorskip("ai_edge_litert")
    for name, data in WEIGHTS.items():
        (tmp_path / f"{name}.tflite").write_bytes(data)
    (tmp_path / "trunk.tflite").unlink()
    with pytest.raises(UserError, match=r"trunk\.tflite: missing"):
        Network(tmp_path, kind)
    (tmp_path / "trunk.tflite").write_bytes(b"TFL?" * 100)
    with pytest.raises(UserError, match=r"trunk\.tflite: .*install make-wavetable again"):
        Network(tmp_path, kind)


@pytest.mark.parametrize("name", GRAPHS)
def test_a_graph_cut_short_is_refused(name):
    data = WEIGHTS[name]
    for length in (0, 4, 8, 100, len(data) // 2, len(data) - 400):
        with pytest.raises(BadGraph):
            NumpyGraph(data[:length])


@settings(max_examples=150, deadline=None)
@given(place=st.integers(0, 5000), value=st.integers(0, 255), tail=st.booleans())
def test_a_changed_byte_is_computed_or_refused(place, value, tail):
    """The tables lie at both ends of a file, the weights between them."""
    ones = {"trunk": np.ones((2, 52), dtype=np.float32), "matching": np.ones((2, 128), dtype=np.float32)}
    for name in ("trunk", "matching"):
        data = bytearray(WEIGHTS[name])
        data[-1 - place if tail else place] = value
        with contextlib.suppress(BadGraph):
            assert NumpyGraph(bytes(data))(ones[name]).ndim == 2


def test_an_unknown_operator_is_named():
    data = bytearray(WEIGHTS["trunk"])
    codes = [operator.name for operator in read_graph(bytes(data)).operators]
    assert "GELU" in codes
    gelu_code = struct.pack("<i", 150)
    assert data.count(gelu_code) == 1
    data[data.index(gelu_code)] = 151
    with pytest.raises(BadGraph, match="operator 151"):
        NumpyGraph(bytes(data))


# ------------------------------------------------------------------------------------------------------- whole commands
def without_litert(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """The command line where LiteRT cannot be imported."""
    command = [sys.executable, "-c", HIDDEN, *map(str, arguments)]
    environment = {key: value for key, value in os.environ.items() if key != runtime.CHOICE}
    return subprocess.run(command, capture_output=True, text=True, timeout=300, check=False, env=environment)


def test_commands_make_sound_without_litert(tmp_path: Path):
    note, table = tmp_path / "note.wav", tmp_path / "table.wav"
    for arguments in (["flute", "choir", "--duration", "1", "-o", note], ["flute", "choir", "--table", "-o", table]):
        done = without_litert("blend", *arguments)
        assert done.returncode == 0, done.stderr
    assert np.abs(read(note).samples).max() > 0.01
    done = without_litert("inspect", table)
    assert done.returncode == 0, done.stderr


def test_the_manifest_names_the_runtime(tmp_path: Path):
    import json

    preset = tmp_path / "small.toml"
    preset.write_text(
        'title = "t"\nwhy = "w"\ncorners = ["flute", "choir"]\nmixes = 2\npitches = ["C4"]\nseconds = 0.3\n'
    )
    done = without_litert("grid", preset, "-o", tmp_path / "grid")
    assert done.returncode == 0, done.stderr
    versions = json.loads((tmp_path / "grid" / "manifest.json").read_text())["versions"]
    assert versions["networks"] == "numpy"
    assert "ai-edge-litert" not in versions
