"""The shipped networks at run time: five small graphs, computed by LiteRT or, where it has no wheel, by NumPy.

Both read the same `.tflite` files, and their outputs differ by less than 1e-4. TensorFlow is not needed.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from importlib import metadata, resources
from pathlib import Path
from threading import Lock
from typing import Protocol

import numpy as np

from nsynth_core.audio import Floats
from nsynth_core.errors import UserError
from nsynth_core.harmonic.numpy_graph import NumpyGraph
from nsynth_core.harmonic.tflite import BadGraph

GRAPHS = ("encoder", "branch", "trunk", "matching", "correction")
LITERT, NUMPY = RUNTIMES = ("litert", "numpy")
CHOICE = "MAKE_WAVETABLE_RUNTIME"  # environment: one of RUNTIMES; without it LiteRT where it is installed
PACKAGE = "ai-edge-litert"


def weights_folder() -> Path:
    """The folder of the shipped weights.

    >>> sorted(path.stem for path in weights_folder().glob("*.tflite"))
    ['branch', 'correction', 'encoder', 'matching', 'trunk']
    """
    return Path(str(resources.files("nsynth_core.harmonic") / "weights"))


def runtime_name() -> str:
    """What computes the networks here: "litert" where LiteRT can be imported, else "numpy".

    The environment variable MAKE_WAVETABLE_RUNTIME chooses one of the two. Raises UserError: another value, or
    "litert" where it cannot be imported.

    >>> runtime_name() in ("litert", "numpy")
    True
    """
    choice = os.environ.get(CHOICE, "")
    if choice not in ("", *RUNTIMES):
        raise UserError(f"{CHOICE}={choice}: unknown; choose {' or '.join(RUNTIMES)}")
    if choice == NUMPY:
        return NUMPY
    try:
        import ai_edge_litert.interpreter  # noqa: F401
    except (ImportError, OSError) as error:
        if choice == LITERT:
            raise UserError(f"{CHOICE}={choice}: {PACKAGE} cannot be imported: {error}") from error
        return NUMPY
    return LITERT


def runtime_versions() -> dict[str, str]:
    """What computes the networks, for manifests: LiteRT with its version, or NumPy, whose version is named elsewhere.

    >>> set(runtime_versions()) <= {"ai-edge-litert", "networks"}
    True
    """
    return {PACKAGE: metadata.version(PACKAGE)} if runtime_name() == LITERT else {"networks": NUMPY}


class RunningGraph(Protocol):
    """(N, inputs) → (N, outputs), float32."""

    def __call__(self, inputs: Floats) -> Floats: ...


class Network:
    """The graphs of one weights folder. Several threads may call it at once. `hash` names the weights in provenance.

    folder: contains NAME.tflite for each of GRAPHS
    runtime: "litert" or "numpy"; None for `runtime_name()`
    Raises UserError: a graph is missing or damaged.

    >>> Network(weights_folder())("encoder", np.zeros((3, 920), dtype=np.float32)).shape
    (3, 32)
    """

    def __init__(self, folder: Path, runtime: str | None = None):
        kind = LiteRTGraph if (runtime or runtime_name()) == LITERT else NumpyGraph
        content = {name: _read(folder / f"{name}.tflite") for name in GRAPHS}
        self.hash = hashlib.sha256(b"".join(content.values())).hexdigest()[:12]
        self._graphs: dict[str, RunningGraph] = {}
        for name, data in content.items():
            try:
                self._graphs[name] = kind(data)
            except BadGraph as error:
                raise UserError(f"{folder / name}.tflite: {error}; install make-wavetable again") from error

    def __call__(self, name: str, inputs: Floats) -> Floats:
        """Run the graph `name`, one of GRAPHS: (N, inputs) → (N, outputs), float32."""
        return self._graphs[name](inputs)


class LiteRTGraph:
    """One graph in LiteRT, on one thread. Calls from several threads wait for each other.

    Raises BadGraph: LiteRT refuses the bytes.
    """

    def __init__(self, data: bytes):
        from ai_edge_litert.interpreter import Interpreter

        self._lock = Lock()
        try:
            with _silent_stderr():
                self._interpreter = Interpreter(model_content=data, num_threads=1)
                self._interpreter.allocate_tensors()
        except (ValueError, RuntimeError) as error:
            raise BadGraph(f"LiteRT refuses it: {error}") from error

    def __call__(self, inputs: Floats) -> Floats:
        """Rows of outputs (N, outputs) for rows of inputs (N, columns)."""
        with self._lock:
            expected = self._interpreter.get_input_details()[0]
            if tuple(expected["shape"]) != inputs.shape:
                self._interpreter.resize_tensor_input(expected["index"], inputs.shape)
                self._interpreter.allocate_tensors()
            self._interpreter.set_tensor(expected["index"], np.ascontiguousarray(inputs, dtype=np.float32))
            self._interpreter.invoke()
            output = self._interpreter.get_output_details()[0]["index"]
            return np.asarray(self._interpreter.get_tensor(output), dtype=np.float32)


@contextmanager
def _silent_stderr() -> Iterator[None]:
    """LiteRT writes a line about its CPU delegate to file descriptor 2 at any log level. Users need not see it."""
    saved, null = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, 2)
    try:
        yield
    finally:
        os.dup2(saved, 2)
        os.close(saved)
        os.close(null)


def _read(path: Path) -> bytes:
    if not path.exists():
        raise UserError(f"{path}: missing; install make-wavetable again, or give a folder that 'train' wrote")
    return path.read_bytes()


def load(folder: Path | None = None) -> Network:
    """The network in `folder`, by default the shipped one. The last two are kept in memory.

    Raises UserError: a graph is missing or damaged.
    """
    return _load(folder or weights_folder(), runtime_name())


@lru_cache(maxsize=2)
def _load(folder: Path, runtime: str) -> Network:
    return Network(folder, runtime)
