"""Keras to TensorFlow Lite, the one way that keeps weights and fixed shapes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import tensorflow as tf

from latency.receptive_field import NotLocalError, locality
from search.errors import UserError
from search.export.variant import INTEGER, PRECISIONS, Precision, Variant
from search.tasks.task import ImageShape
from spaces.ops.fake_quant import QuantisedNetwork
from spaces.ops.keras_backend import Network

from .order import in_written_order
from .signature import INPUT, OUTPUT
from .slim import slimmed
from .surgery import EditableFile


def convert(model: Network, input_shape: ImageShape, precision: Precision = "fp32") -> bytes:
    """A .tflite file of `model` for one frame of `input_shape` (H, W, C), batch 1.

    Its ops stand in the order of the network function; it holds nothing that only the converter
    needed. Re-parameterised convolutions are merged. "fp16" stores the weights as float16, where
    computation stays the delegate's choice; "dynamic" stores them in 8 bits. Files that
    compute in 8 bits, and take and give floats all the same, are made of a `QuantisedNetwork`.
    Raises UserError for an unknown precision.
    """
    if precision not in PRECISIONS:
        raise UserError(f"unknown precision {precision!r}: choose one of {', '.join(PRECISIONS)}")
    if (precision in INTEGER) != isinstance(model, QuantisedNetwork):
        raise ValueError(f"{precision} cannot be made of a {type(model).__name__}")
    return slimmed(in_written_order(_converted(model.deployed(), input_shape, precision)))


def convert_all(
    model: Network,
    variants: Sequence[Variant],
    quantised: Mapping[Precision, Network] | None = None,
    metadata: bytes | None = None,
) -> Iterator[tuple[Variant, bytes]]:
    """The file of each of `variants`, in their order, with `metadata` in it.

    `quantised`: what 8-bit files are made of. Each precision is converted once: files of other
    sizes are the first one with other shapes, unless its network cannot be resized.
    """
    first: dict[Precision, bytes] = {}
    for variant in variants:
        source = (quantised or {}).get(variant.precision, model)
        shape, known = variant.input_shape, first.get(variant.precision)
        file = None if known is None else _resized(known, shape)
        if file is None:
            file = convert(source, shape, variant.precision)
        first.setdefault(variant.precision, file)
        yield variant, slimmed(file, metadata)


def _resized(file: bytes, shape: ImageShape) -> bytes | None:
    """`file` for another input; None where its ops or its steps do not allow it."""
    editable, size = EditableFile(file), (shape[0], shape[1])
    try:
        steps = locality(editable.graph).step
    except NotLocalError:
        return None
    apart = zip(size, editable.size, steps, strict=True)
    if any((new - old) % step for new, old, step in apart):
        return None
    return editable.resized(size)


def _converted(model: Network, input_shape: ImageShape, precision: Precision) -> bytes:
    @tf.function(input_signature=[tf.TensorSpec((1, *input_shape), tf.float32, name=INPUT)])
    def serve(image: Any) -> dict[str, Any]:
        return {OUTPUT: model(image, training=False)}

    # Handing the converter a plain module that owns the variables is what works: given the Keras
    # model it writes a file without weights, and `model.export` makes the batch dynamic.
    owner = tf.Module()
    owner.variables_ = [variable.value for variable in model.variables]
    converter = tf.lite.TFLiteConverter.from_concrete_functions(
        [serve.get_concrete_function()], owner
    )
    if precision != "fp32":
        # With ranges in the graph this makes integer kernels, without them 8-bit weights alone.
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
    if precision == "fp16":
        converter.target_spec.supported_types = [tf.float16]
    return bytes(converter.convert())
