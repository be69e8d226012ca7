"""Exporting a network to TensorFlow Lite, for tests that compare it with its trace."""

from collections.abc import Callable

import numpy as np
import pytest

Exporter = Callable[..., bytes]


@pytest.fixture(scope="session")
def export() -> Exporter:
    """`export(network, (H, W, C)) -> bytes` of a .tflite file with random weights."""
    import keras
    import tensorflow as tf

    from spaces.ops.keras_backend import Network

    def export(network, shape):
        keras.backend.clear_session()
        model = Network(network, shape[2])
        # The converter folds away what adds zero or multiplies by one.
        rng = np.random.default_rng(0)
        for variable in model.variables:
            variable.assign(rng.normal(scale=0.1, size=variable.shape))
        signature = [tf.TensorSpec((1, *shape), tf.float32)]
        function = tf.function(lambda x: {"output": model(x)}, input_signature=signature)
        # The converter freezes the variables of this module, but not those of a Keras model.
        holder = tf.Module()
        holder.variables_to_freeze = [variable.value for variable in model.variables]
        converter = tf.lite.TFLiteConverter.from_concrete_functions(
            [function.get_concrete_function()], holder
        )
        return converter.convert()

    return export
