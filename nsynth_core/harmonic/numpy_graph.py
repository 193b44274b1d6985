"""A `.tflite` graph computed in NumPy: the runtime where LiteRT has no wheel."""

from __future__ import annotations

import numpy as np

from nsynth_core.audio import Floats
from nsynth_core.harmonic.operators import COMPUTE
from nsynth_core.harmonic.tflite import Array, BadGraph, Graph, Operator, read_graph

BLOCK = 256  # rows computed at once: their activations stay in the processor's cache


class NumpyGraph:
    """A graph of (N, columns) → (N, outputs), float32. Its rows are independent of each other. Several threads may call
    it at once.

    Raises BadGraph: the bytes are no `.tflite` file, are damaged, or use what is not known here.

    >>> from nsynth_core.harmonic.runtime import weights_folder
    >>> trunk = NumpyGraph((weights_folder() / "trunk.tflite").read_bytes())
    >>> trunk(np.zeros((3, 52), dtype=np.float32)).shape
    (3, 96)
    """

    def __init__(self, data: bytes):
        graph = read_graph(data)
        self._graph = graph
        self._constants, self._steps = _folded(graph)
        self._unused_after = _last_uses(graph, self._steps)
        if graph.columns < 1 or self(np.zeros((1, graph.columns), dtype=np.float32)).ndim != 2:
            raise BadGraph("damaged: rows of numbers are expected as input and output")

    def __call__(self, inputs: Floats) -> Floats:
        """Rows of outputs (N, outputs) for rows of inputs (N, columns)."""
        rows = np.ascontiguousarray(inputs, dtype=np.float32)
        blocks = [self._compute(rows[start : start + BLOCK]) for start in range(0, max(len(rows), 1), BLOCK)]
        return np.asarray(blocks[0] if len(blocks) == 1 else np.concatenate(blocks), dtype=np.float32)

    def _compute(self, rows: Floats) -> Floats:
        values: dict[int, Array] = {**self._constants, self._graph.input: rows}
        for step, unused in zip(self._steps, self._unused_after, strict=True):
            values[step.outputs[0]] = _computed(step, values)
            for index in unused:
                del values[index]
        return values[self._graph.output]


def _folded(graph: Graph) -> tuple[dict[int, Array], tuple[Operator, ...]]:
    """The constants with all that can be computed from them alone, and the steps that remain."""
    values, remaining = dict(graph.constants), []
    for operator in graph.operators:
        if all(index in values or index < 0 for index in operator.inputs):
            values[operator.outputs[0]] = _computed(operator, values)
        else:
            remaining.append(operator)
    used = {index for step in remaining for index in step.inputs} | {graph.output}
    return {index: value for index, value in values.items() if index in used}, tuple(remaining)


def _last_uses(graph: Graph, steps: tuple[Operator, ...]) -> list[list[int]]:
    """For each step, the tensors that no later one needs."""
    needed, unused = {graph.output}, []
    computed = {step.outputs[0] for step in steps}
    for step in reversed(steps):
        unused.append([index for index in {*step.inputs, *step.outputs} & computed if index not in needed])
        needed |= {*step.inputs}
    return unused[::-1]


def _computed(operator: Operator, values: dict[int, Array]) -> Array:
    if operator.options.get("activation"):
        raise BadGraph(f"{operator.name} with an activation is not known here")
    inputs = [values[index] for index in operator.inputs if index >= 0]
    try:
        return COMPUTE[operator.name](inputs, operator.options)
    except BadGraph:
        raise
    except (ValueError, TypeError, IndexError, OverflowError, MemoryError) as error:
        raise BadGraph(f"damaged: {operator.name} cannot be computed ({error})") from error
