"""Keras to TensorFlow Lite, the one way that keeps weights and fixed shapes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import tensorflow as tf

from search.errors import UserError
from search.tasks.task import ImageShape
from spaces.ops.keras_backend import Network

from .calibration import Calibration
from .order import in_written_order
from .signature import INPUT, OUTPUT
from .variant import PRECISIONS, Precision, Variant


def convert(model: Network, input_shape: ImageShape, precision: Precision = "fp32") -> bytes:
    """A .tflite file of `model` for one frame of `input_shape` (H, W, C), batch 1.

    Its ops stand in the order of the network function.
    Re-parameterised convolutions are merged. "fp16" stores the weights as float16;
    computation stays the delegate's choice.
    Raises UserError for an unknown precision.
    """
    if precision not in PRECISIONS:
        raise UserError(f"unknown precision {precision!r}: choose one of {', '.join(PRECISIONS)}")
    model = model.deployed()

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
    if precision == "fp16":
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        converter.target_spec.supported_types = [tf.float16]
    return in_written_order(bytes(converter.convert()))


def convert_all(
    model: Network,
    variants: Sequence[Variant],
    calibration: Calibration | None = None,
    quantised: Network | None = None,
) -> Iterator[tuple[Variant, bytes]]:
    """The file of each of `variants`, in their order.

    `calibration`: what the ranges of int8 files are taken from. `quantised`: `model` trained on
    with quantised weights and activations, which "int8_qat" is made of.
    """
    for variant in variants:
        yield variant, convert(model, variant.input_shape, variant.precision)
