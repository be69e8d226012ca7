"""`read_tflite`: any TensorFlow Lite file to a `Graph`, without running it.

The file is untrusted: a malformed one raises `TFLiteError`, whatever is wrong.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

from .consistency import check_ops
from .graph import Graph, GraphError, Op, Shape, Tensor, check_graph
from .tflite_options import ARGUMENTS, DROPPED_ARGUMENTS, PARSERS, argument

_IDENTIFIER = b"TFL3"
_MAX_RANK = 16
# Far above any published network (1,244 ops), low enough for hostile files: a chain of ops takes
# time that grows with its square, an element ten times its bytes of memory.
_MAX_OPS = 10_000
_MAX_ELEMENTS = 2**20
_FIXED_SIZE_BYTES = {"float32": 4, "float16": 2, "int32": 4, "int64": 8, "int8": 1, "uint8": 1}
_INTEGER_FORMATS = {"int32": "i", "int64": "q"}
_FOLDED = frozenset({"DEQUANTIZE", "DENSIFY"})


class TFLiteError(GraphError):
    """A file that is not a usable TensorFlow Lite model; the message says what is wrong where."""


def read_tflite(source: Path | str | bytes) -> Graph:
    """The graph of a .tflite file, given as its path or its bytes.

    Constants keep only their shapes; a DEQUANTIZE of a constant (fp16 weights)
    is that constant. A dynamic dimension is kept as -1.

    Raises `TFLiteError` for anything but one well-formed subgraph, and
    `OSError` where the path cannot be read.
    """
    data = source if isinstance(source, bytes) else Path(source).read_bytes()
    if len(data) < 8 or data[4:8] != _IDENTIFIER:
        raise TFLiteError("not a TensorFlow Lite file: it lacks the TFL3 identifier")
    with _typed_errors():
        graph = _Reader(data).graph()
        check_graph(graph)
        check_ops(graph)
    return graph


@contextmanager
def _typed_errors(where: str = "") -> Iterator[None]:
    """Turns whatever is raised inside into `TFLiteError`, of `where` if it does not say itself."""
    try:
        yield
    except TFLiteError:
        raise
    except GraphError as error:
        raise TFLiteError(str(error)) from error
    except Exception as error:
        # The generated flatbuffer code verifies nothing: hostile offsets surface
        # as almost any exception.
        reason = f"truncated or corrupt file ({type(error).__name__}: {error})"
        raise TFLiteError(f"{where}: {reason}" if where else reason) from error


class _Reader:
    """One pass over a file; knows which tensors are constant."""

    def __init__(self, data: bytes) -> None:
        import tflite

        self.schema: ModuleType = tflite
        self.size = len(data)
        # Elements of all vectors together. Corrupt tables may point to one long
        # vector over and over; an honest file has no more elements than bytes.
        self.budget = min(len(data), _MAX_ELEMENTS)
        self.model: Any = tflite.Model.GetRootAs(data, 0)
        self.kinds = _names(tflite.BuiltinOperator)
        self.kind_of_code: dict[int, str] = {}
        self.buffers: int = self.model.BuffersLength()
        self.types = {code: name.lower() for code, name in _names(tflite.TensorType).items()}
        self.shapes: list[Shape] = []
        self.dtypes: list[str] = []
        self.constant: list[bool] = []
        self.contents: list[Any] = []

    def graph(self) -> Graph:
        model = self.model
        if model.Version() != 3:
            raise TFLiteError(f"schema version {model.Version()}; only 3 is known")
        if model.SubgraphsLength() != 1:
            raise TFLiteError(
                f"{model.SubgraphsLength()} subgraphs; only models of one subgraph "
                "(no control flow) can be read"
            )
        subgraph = model.Subgraphs(0)
        for i in range(self.count("tensors", subgraph.TensorsLength())):
            self.read_tensor(i, subgraph.Tensors(i))
        inputs = self.ids("graph inputs", subgraph.InputsLength(), subgraph.InputsAsNumpy)
        outputs = self.ids("graph outputs", subgraph.OutputsLength(), subgraph.OutputsAsNumpy)
        for t in inputs:
            self.constant[t] = False
        return self.renumbered(self.ops(subgraph), inputs, outputs)

    def ops(self, subgraph: Any) -> list[Op]:
        length = self.count("operators", subgraph.OperatorsLength())
        if length > _MAX_OPS:
            raise TFLiteError(f"{length} ops; a network may have {_MAX_OPS}")
        ops = []
        for i in range(length):
            with _typed_errors(f"op {i}"):
                op = self.read_op(i, subgraph.Operators(i))
            if op is not None:
                ops.append(op)
        return ops

    def count(self, what: str, length: int) -> int:
        """`length` of a vector, charged against what a file of this size may have."""
        self.budget -= length
        if self.budget < 0:
            raise TFLiteError(f"corrupt file: more {what} than a network of its size has")
        return length

    def integers(self, what: str, length: int, array: Any) -> list[int]:
        """A vector of integers; `array()` is NumPy's view of it, or 0 where there is none.

        Item by item the flatbuffer code takes ten times as long.
        """
        return array().tolist() if self.count(what, length) else []

    def ids(self, what: str, length: int, array: Any) -> tuple[int, ...]:
        """Tensor indices of a vector; -1 (an absent optional input) is left out."""
        return tuple(t for t in self.positions(what, length, array) if t != -1)

    def positions(self, what: str, length: int, array: Any) -> list[int]:
        """Tensor indices of a vector, -1 where an optional one is absent."""
        found = self.integers(what, length, array)
        for t in found:
            if not -1 <= t < len(self.shapes):
                raise TFLiteError(f"{what}: no tensor {t}")
        return found

    def read_tensor(self, index: int, tensor: Any) -> None:
        signature = self.dimensions(
            tensor.ShapeSignatureLength(), tensor.ShapeSignatureAsNumpy
        ) or self.dimensions(tensor.ShapeLength(), tensor.ShapeAsNumpy)
        if any(size < -1 for size in signature):
            raise TFLiteError(f"tensor {index} has shape {signature}")
        dtype = self.types.get(tensor.Type())
        if dtype is None:
            raise TFLiteError(f"tensor {index} has unknown type {tensor.Type()}")
        buffer = self.buffer(index, tensor)
        if buffer is not None and tensor.Sparsity() is None:
            item = _FIXED_SIZE_BYTES.get(dtype)
            inline = buffer.DataLength()
            if item and inline and inline != item * math.prod(signature):
                raise TFLiteError(
                    f"tensor {index} of shape {signature} and type {dtype} has {inline} bytes"
                )
        self.shapes.append(signature)
        self.dtypes.append(dtype)
        self.constant.append(buffer is not None)
        self.contents.append(buffer)

    def dimensions(self, length: int, array: Any) -> Shape:
        if length > _MAX_RANK:
            raise TFLiteError(f"corrupt file: a tensor of rank {length}")
        return tuple(self.integers("dimensions", length, array))

    def buffer(self, index: int, tensor: Any) -> Any:
        """The buffer of a constant tensor; None for a run-time one."""
        number = tensor.Buffer()
        if number == 0:  # by convention the empty one
            return None
        if number >= self.buffers:
            raise TFLiteError(f"tensor {index}: no buffer {number}")
        buffer = self.model.Buffers(number)
        length = buffer.DataLength()
        if length:
            buffer.Data(length - 1)  # raises where the data ends beyond the file
            return buffer
        if buffer.Offset() > 1:  # weights behind the flatbuffer, in files over 2 GB
            if buffer.Offset() + buffer.Size() > self.size:
                raise TFLiteError(f"tensor {index}: its data ends beyond the file")
            return buffer
        return None

    def kind(self, index: int, operator: Any) -> str:
        number = operator.OpcodeIndex()
        if number not in self.kind_of_code:
            self.kind_of_code[number] = self.read_kind(index, number)
        return self.kind_of_code[number]

    def read_kind(self, index: int, code_number: int) -> str:
        if code_number >= self.model.OperatorCodesLength():
            raise TFLiteError(f"op {index}: no operator code {code_number}")
        code = self.model.OperatorCodes(code_number)
        # The first 127 builtins are in the older, 8-bit field.
        number = max(code.BuiltinCode(), code.DeprecatedBuiltinCode())
        kind = self.kinds.get(number)
        if kind is None:
            raise TFLiteError(f"op {index}: unknown builtin operator {number}")
        if kind == "CUSTOM":
            return f"CUSTOM:{_printable(code.CustomCode() or b'')}"
        return kind

    def read_op(self, index: int, operator: Any) -> Op | None:
        """One op, or None for one that only rewrites a constant."""
        kind = self.kind(index, operator)
        where = f"op {index} {kind}"
        outputs = self.ids(f"{where} outputs", operator.OutputsLength(), operator.OutputsAsNumpy)
        positions = self.positions(
            f"{where} inputs", operator.InputsLength(), operator.InputsAsNumpy
        )
        if kind in _FOLDED and all(self.constant[t] for t in positions if t != -1):
            for t in outputs:
                self.constant[t] = True
            return None
        inputs: list[int] = []
        constants: list[Shape] = []
        attrs = self.options(where, kind, operator)
        arguments = ARGUMENTS.get(kind, {})
        for position, t in enumerate(positions):
            if t == -1:
                continue
            name = arguments.get(position)
            if not self.constant[t]:
                inputs.append(t)
            elif name is None:
                constants.append(self.shapes[t])
            elif name not in DROPPED_ARGUMENTS:
                attrs[name] = self.argument(f"{where} {name}", name, t)
        for t in outputs:
            self.constant[t] = False
        return Op(kind, tuple(inputs), outputs, tuple(constants), attrs)

    def options(self, where: str, kind: str, operator: Any) -> dict[str, Any]:
        parser = PARSERS.get(kind)
        table = operator.BuiltinOptions()
        if parser is None or table is None:
            return {}
        class_name, parse = parser
        stored = operator.BuiltinOptionsType()
        if stored != getattr(self.schema.BuiltinOptions, class_name):
            raise TFLiteError(f"{where}: options of another op (type {stored})")
        options = getattr(self.schema, class_name)()
        options.Init(table.Bytes, table.Pos)
        try:
            return parse(options)
        except KeyError as error:
            raise TFLiteError(f"{where}: unknown option value {error}") from error

    def argument(self, where: str, name: str, tensor: int) -> Any:
        """The attribute that a constant tensor holds for argument `name`."""
        values = self.argument_values(where, tensor)
        try:
            return argument(name, values)
        except ValueError as error:
            raise TFLiteError(f"{where}: {error}") from error

    def argument_values(self, where: str, tensor: int) -> tuple[int, ...]:
        """The values of a small constant integer tensor."""
        code = _INTEGER_FORMATS.get(self.dtypes[tensor])
        buffer = self.contents[tensor]
        if code is None or buffer is None:
            raise TFLiteError(f"{where}: not a constant of 32 or 64 bit integers")
        length = self.count(where, buffer.DataLength())
        raw = buffer.DataAsNumpy().tobytes() if length else b""
        return struct.unpack(f"<{length // struct.calcsize(code)}{code}", raw)

    def renumbered(self, ops: list[Op], inputs: tuple[int, ...], outputs: tuple[int, ...]) -> Graph:
        """The graph with constants gone from its list of tensors."""
        ids: dict[int, int] = {}
        used = [t for op in ops for t in (*op.inputs, *op.outputs)]
        for t in (*inputs, *used, *outputs):
            ids.setdefault(t, len(ids))
        return Graph(
            tuple(Tensor(self.shapes[t], self.dtypes[t]) for t in ids),
            tuple(
                Op(
                    op.kind,
                    tuple(ids[t] for t in op.inputs),
                    tuple(ids[t] for t in op.outputs),
                    op.constants,
                    op.attrs,
                )
                for op in ops
            ),
            tuple(ids[t] for t in inputs),
            tuple(ids[t] for t in outputs),
        )


def _printable(name: bytes) -> str:
    """A name from the file, fit for one line of a message: no control characters, not endless."""
    text = name[:80].decode("utf-8", "replace")
    return "".join(character if character.isprintable() else "?" for character in text)


def _names(enumeration: Any) -> dict[int, str]:
    return {
        value: name
        for name, value in vars(enumeration).items()
        if not name.startswith("_") and isinstance(value, int)
    }
