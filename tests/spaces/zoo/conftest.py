"""Exporting a network to TensorFlow Lite, for tests that compare it with its trace."""

from collections.abc import Callable

import numpy as np
import pytest

Exporter = Callable[..., bytes]


@pytest.fixture(scope="session")
def export() -> Exporter:
    """`export(network, (H, W, C)) -> bytes` of a .tflite file with random weights."""
    import keras

    from search.export.convert import convert
    from spaces.ops.keras_backend import Network

    def export(network, shape):
        keras.backend.clear_session()
        model = Network(network, shape[2])
        # The converter folds away what adds zero or multiplies by one.
        rng = np.random.default_rng(0)
        for variable in model.variables:
            values = rng.normal(scale=0.1, size=variable.shape)
            variable.assign(abs(values) if "variance" in variable.path else values)
        return convert(model, shape)

    return export
