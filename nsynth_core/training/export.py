"""Writes the networks of the harmonic engine for LiteRT, with weights in half precision, and their model card."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping
from pathlib import Path

from nsynth_core.files import atomic
from nsynth_core.harmonic.runtime import GRAPHS
from nsynth_core.lazy import keras, tf


def export(graphs: Mapping[str, keras.Model], folder: Path, card: dict[str, object]) -> None:
    """Write each of GRAPHS as `NAME.tflite`, and `model_card.json`, to `folder`. Older files are replaced."""
    for name in GRAPHS:
        with atomic(folder / f"{name}.tflite", force=True) as temporary:
            temporary.write_bytes(_convert(graphs[name]))
    with atomic(folder / "model_card.json", force=True) as temporary:
        temporary.write_text(json.dumps(card, indent=1) + "\n")


def _convert(graph: keras.Model) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        graph.export(folder, verbose=False)
        converter = tf.lite.TFLiteConverter.from_saved_model(folder)
        # half the size; LiteRT computes in float32
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        converter.target_spec.supported_types = [tf.float16]
        return bytes(converter.convert())
