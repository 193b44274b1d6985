"""The shipped networks in LiteRT: five small graphs, loaded on first use. No TensorFlow."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from importlib import resources
from pathlib import Path
from threading import Lock

import numpy as np

from nsynth_core.audio import Floats
from nsynth_core.errors import UserError

GRAPHS = ("encoder", "branch", "trunk", "matching", "correction")


def weights_folder() -> Path:
    """Where the shipped weights are."""
    return Path(str(resources.files("nsynth_core.harmonic") / "weights"))


class Network:
    """The graphs of one weights folder; callable from several threads. `hash` names the weights in provenance."""

    def __init__(self, folder: Path):
        from ai_edge_litert.interpreter import Interpreter

        content = {}
        for name in GRAPHS:
            path = folder / f"{name}.tflite"
            if not path.exists():
                raise UserError(f"{path}: missing; install make-wavetable again, or give a folder that 'train' wrote")
            content[name] = path.read_bytes()
        self.hash = hashlib.sha256(b"".join(content[name] for name in GRAPHS)).hexdigest()[:12]
        self._graphs = {name: Interpreter(model_content=data, num_threads=1) for name, data in content.items()}
        with _quiet():
            for graph in self._graphs.values():
                graph.allocate_tensors()
        self._locks = {name: Lock() for name in GRAPHS}

    def __call__(self, name: str, inputs: Floats) -> Floats:
        """Run graph `name` on (N, inputs) → (N, outputs)."""
        graph = self._graphs[name]
        with self._locks[name]:
            given = graph.get_input_details()[0]
            if tuple(given["shape"]) != inputs.shape:
                graph.resize_tensor_input(given["index"], inputs.shape)
                graph.allocate_tensors()
            graph.set_tensor(given["index"], np.ascontiguousarray(inputs, dtype=np.float32))
            graph.invoke()
            return np.asarray(graph.get_tensor(graph.get_output_details()[0]["index"]), dtype=np.float32)


@contextmanager
def _quiet() -> Iterator[None]:
    """LiteRT announces its CPU delegate on file descriptor 2, whatever the log level; users need not see it."""
    saved, null = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, 2)
    try:
        yield
    finally:
        os.dup2(saved, 2)
        os.close(saved)
        os.close(null)


@lru_cache(maxsize=2)
def load(folder: Path | None = None) -> Network:
    """The network in `folder`, by default the shipped one. Raises UserError where a graph is missing."""
    return Network(folder or weights_folder())
