""".tflite files made table by table with LiteRT's own schema: they may say all its format can."""

import math

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as schema

FLOAT32, INT32, INT8 = schema.TensorType.FLOAT32, schema.TensorType.INT32, schema.TensorType.INT8


def packed(model):
    """The file of a model's tables."""
    builder = flatbuffers.Builder(1024)
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())


class FileBuilder:
    """Appends tensors and ops to one subgraph; nothing is checked."""

    def __init__(self, *input_shapes):
        self.subgraph = schema.SubGraphT(tensors=[], operators=[], outputs=[])
        self.model = schema.ModelT(
            version=3, subgraphs=[self.subgraph], operatorCodes=[], buffers=[schema.BufferT()]
        )
        self.subgraph.inputs = [self.tensor(shape) for shape in input_shapes]

    def tensor(self, shape, dtype=FLOAT32):
        self.subgraph.tensors.append(schema.TensorT(shape=list(shape), type=dtype))
        return len(self.subgraph.tensors) - 1

    def constant(self, shape, dtype=FLOAT32, data=None):
        """A tensor with `data` behind it: zeros of its size if not said otherwise."""
        if data is None:
            data = bytes(math.prod(shape) * (1 if dtype == INT8 else 4))
        self.model.buffers.append(schema.BufferT(data=np.frombuffer(data, np.uint8)))
        index = self.tensor(shape, dtype)
        self.subgraph.tensors[index].buffer = len(self.model.buffers) - 1
        return index

    def integers(self, *values):
        data = b"".join(value.to_bytes(4, "little", signed=True) for value in values)
        return self.constant((len(values),), INT32, data)

    def op(self, kind, inputs, outputs, options=None, **fields):
        """`options`: the name of its table, e.g. "Conv2D", whose `fields` are given."""
        code = getattr(schema.BuiltinOperator, kind)
        self.model.operatorCodes.append(
            schema.OperatorCodeT(builtinCode=code, deprecatedBuiltinCode=min(code, 127))
        )
        op = schema.OperatorT(
            opcodeIndex=len(self.model.operatorCodes) - 1,
            inputs=list(inputs),
            outputs=list(outputs),
        )
        if options:
            op.builtinOptionsType = getattr(schema.BuiltinOptions, f"{options}Options")
            op.builtinOptions = getattr(schema, f"{options}OptionsT")(**fields)
        self.subgraph.operators.append(op)

    def layer(self, kind, inputs, shape, options=None, **fields):
        """An op with one new output, whose index it returns."""
        output = self.tensor(shape)
        self.op(kind, inputs, [output], options, **fields)
        return output

    def file(self, *outputs):
        self.subgraph.outputs = list(outputs)
        return packed(self.model)
