"""Reader of `.tflite` files: constants and operators of one graph, as far as the shipped networks use them. NumPy only.

A `.tflite` file is a FlatBuffer: tables whose fields are found by offsets. The layout is that of TensorFlow Lite's
schema, version 3. The reader trusts no number in the file: every offset, length and index is checked before it is used.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]

IDENTIFIER = b"TFL3"  # bytes 4..8 of every file
DTYPES: Mapping[int, type[np.generic]] = {0: np.float32, 1: np.float16, 2: np.int32, 4: np.int64}
MOST_ELEMENTS = 1 << 28  # of one tensor; the largest here has 353,280
OPERATORS = {
    0: "ADD",
    2: "CONCATENATION",
    3: "CONV_2D",
    6: "DEQUANTIZE",
    9: "FULLY_CONNECTED",
    18: "MUL",
    22: "RESHAPE",
    36: "GATHER",
    37: "BATCH_TO_SPACE_ND",
    38: "SPACE_TO_BATCH_ND",
    40: "MEAN",
    41: "SUB",
    45: "STRIDED_SLICE",
    59: "NEG",
    70: "EXPAND_DIMS",
    74: "SUM",
    76: "RSQRT",
    77: "SHAPE",
    83: "PACK",
    99: "SQUARED_DIFFERENCE",
    126: "BATCH_MATMUL",
    130: "BROADCAST_TO",
    150: "GELU",
}
_PADDING, _STRIDES, _DILATIONS = ("padding", "b", 0), (("stride_w", "i", 0), ("stride_h", "i", 0)), ("i", 1)
_ACTIVATION = ("activation", "b", 0)
# per operator: the fields of its options table in the schema's order, each (name, type, default)
OPTIONS: Mapping[str, tuple[tuple[str, str, int], ...]] = {
    "ADD": (_ACTIVATION,),
    "SUB": (_ACTIVATION,),
    "MUL": (_ACTIVATION,),
    "CONCATENATION": (("axis", "i", 0), _ACTIVATION),
    "CONV_2D": (_PADDING, *_STRIDES, _ACTIVATION, ("dilation_w", *_DILATIONS), ("dilation_h", *_DILATIONS)),
    "FULLY_CONNECTED": (_ACTIVATION, ("weights_format", "b", 0), ("keep_num_dims", "b", 0)),
    "GATHER": (("axis", "i", 0), ("batch_dims", "i", 0)),
    "MEAN": (("keep_dims", "b", 0),),
    "SUM": (("keep_dims", "b", 0),),
    "STRIDED_SLICE": tuple(
        (name, "i", 0) for name in ("begin_mask", "end_mask", "ellipsis_mask", "new_axis_mask", "shrink_axis_mask")
    ),
    "PACK": (("count", "i", 0), ("axis", "i", 0)),
    "BATCH_MATMUL": (("adjoint_x", "b", 0), ("adjoint_y", "b", 0)),
    "GELU": (("approximate", "b", 0),),
}


class BadGraph(ValueError):
    """The bytes are no graph that can be computed here. The message says why."""


@dataclass(frozen=True)
class Operator:
    """One step of a graph. `inputs` and `outputs` are indices of tensors; -1 is an optional input that is left out."""

    name: str
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    options: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Graph:
    """One network: `constants` by the index of their tensor, `operators` in the order in which they run, and the
    tensors of its one input and one output. `columns` is the width of the input, -1 where the file leaves it open."""

    constants: Mapping[int, Array]
    operators: tuple[Operator, ...]
    input: int
    output: int
    columns: int


def read_graph(data: bytes) -> Graph:
    """The graph in the bytes of a `.tflite` file.

    Raises BadGraph: not a `.tflite` file, damaged, or with an operator, a type or more inputs than are known here.

    >>> from nsynth_core.harmonic.runtime import weights_folder
    >>> graph = read_graph((weights_folder() / "trunk.tflite").read_bytes())
    >>> graph.columns, len(graph.operators), graph.operators[-1].name
    (52, 26, 'FULLY_CONNECTED')
    """
    if data[4:8] != IDENTIFIER:
        raise BadGraph("not a .tflite file")
    try:
        return _read(data)
    except (struct.error, IndexError, OverflowError, MemoryError) as error:
        raise BadGraph("damaged: an offset leads out of the file") from error


def _read(data: bytes) -> Graph:
    model = _Table(data, 0).table_at(0)
    names = [_operator_name(code) for code in model.tables(1)]
    subgraphs = model.tables(2)
    if len(subgraphs) != 1:
        raise BadGraph(f"it has {len(subgraphs)} graphs; one is expected")
    buffers = model.tables(4)
    graph = subgraphs[0]
    tensors = graph.tables(0)
    constants = {}
    for index, tensor in enumerate(tensors):
        content = buffers[tensor.number(2, "I", 0)].content(0)
        if len(content):
            constants[index] = _constant(tensor, content)
    operators = tuple(_operator(each, names, len(tensors)) for each in graph.tables(3))
    inputs, outputs = graph.integers(1), graph.integers(2)
    if len(inputs) != 1 or len(outputs) != 1:
        raise BadGraph(f"it has {len(inputs)} inputs and {len(outputs)} outputs; one of each is expected")
    shape = tensors[inputs[0]].integers(0)
    _check_order(operators, {*constants, inputs[0]}, outputs[0])
    return Graph(constants, operators, inputs[0], outputs[0], shape[-1] if shape else -1)


def _check_order(operators: tuple[Operator, ...], known: set[int], output: int) -> None:
    """Every operator may use only what is constant, given, or computed before."""
    for operator in operators:
        if not known.issuperset(index for index in operator.inputs if index >= 0):
            raise BadGraph(f"damaged: {operator.name} uses a tensor that nothing computes")
        known.update(operator.outputs)
    if output not in known:
        raise BadGraph("damaged: nothing computes the output")


def _operator_name(code: _Table) -> str:
    number = max(code.number(0, "b", 0), code.number(3, "i", 0))
    if number not in OPERATORS:
        raise BadGraph(f"operator {number} of TensorFlow Lite's schema is not known here")
    return OPERATORS[number]


def _operator(table: _Table, names: list[str], tensors: int) -> Operator:
    name = names[table.number(0, "I", 0)]
    inputs, outputs = table.integers(1), table.integers(2)
    if len(outputs) != 1 or not all(-1 <= index < tensors for index in (*inputs, *outputs)) or outputs[0] < 0:
        raise BadGraph(f"damaged: {name} names a tensor that is not there")
    given = table.table(4)
    fields = OPTIONS.get(name, ())
    options = {
        option: default if given is None else given.number(slot, kind, default)
        for slot, (option, kind, default) in enumerate(fields)
    }
    return Operator(name, inputs, outputs, options)


def _constant(tensor: _Table, content: memoryview) -> Array:
    kind = tensor.number(1, "b", 0)
    if kind not in DTYPES:
        raise BadGraph(f"type {kind} of TensorFlow Lite's schema is not known here")
    dtype = np.dtype(DTYPES[kind]).newbyteorder("<")
    shape = tensor.integers(0)
    if min(shape, default=0) < 0 or math.prod(shape) * dtype.itemsize != len(content):
        raise BadGraph("damaged: a constant is not as long as its shape says")
    return np.frombuffer(content, dtype).reshape(shape)


class _Table:
    """One table of a FlatBuffer. Slots are numbered as in the schema."""

    def __init__(self, data: bytes, start: int):
        self._data = data
        self._start = start

    def number(self, slot: int, kind: str, default: int) -> int:
        """The number in a slot, of a `struct` type, or its default."""
        place = self._place(slot)
        return default if place is None else int(self._unpack(kind, place))

    def table(self, slot: int) -> _Table | None:
        place = self._place(slot)
        return None if place is None else self.table_at(place)

    def table_at(self, place: int) -> _Table:
        return _Table(self._data, place + int(self._unpack("I", place)))

    def tables(self, slot: int) -> list[_Table]:
        start, count = self._vector(slot, 4)
        return [self.table_at(start + 4 * index) for index in range(count)]

    def integers(self, slot: int) -> tuple[int, ...]:
        start, count = self._vector(slot, 4)
        return struct.unpack_from(f"<{count}i", self._data, start)

    def content(self, slot: int) -> memoryview:
        start, count = self._vector(slot, 1)
        return memoryview(self._data)[start : start + count]

    def _vector(self, slot: int, size: int) -> tuple[int, int]:
        """Where the elements of a vector start, and how many there are: none where the slot is empty."""
        place = self._place(slot)
        if place is None:
            return 0, 0
        place += int(self._unpack("I", place))
        count = int(self._unpack("I", place))
        if place + 4 + count * size > len(self._data):
            raise IndexError
        return place + 4, count

    def _place(self, slot: int) -> int | None:
        """Where the value of a slot is; None where it has its default."""
        fields = self._start - int(self._unpack("i", self._start))
        if 4 + 2 * slot >= int(self._unpack("H", fields)):
            return None
        offset = int(self._unpack("H", fields + 4 + 2 * slot))
        return self._start + offset if offset else None

    def _unpack(self, kind: str, place: int) -> int:
        if place < 0:
            raise IndexError
        value: int = struct.unpack_from(f"<{kind}", self._data, place)[0]
        return value
