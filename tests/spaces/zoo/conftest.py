"""Exporting a network to TensorFlow Lite, for tests that compare it with its trace."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

Exporter = Callable[..., bytes]


@pytest.fixture(scope="session")
def export(build_and_export) -> Exporter:
    """`export(network, (H, W, C)) -> bytes` of a .tflite file with random weights."""
    return lambda network, shape: build_and_export(network, shape)[1]


@pytest.fixture(scope="session")
def build_and_export() -> Callable[..., tuple[Any, bytes]]:
    """`build_and_export(network, (H, W, C)) -> model, file` of the same random weights."""

    from search.export.conversion.convert import convert
    from spaces.ops.keras_backend import Network

    def build(network, shape):
        model = Network(network, shape[2])
        # The converter folds away what adds zero or multiplies by one.
        rng = np.random.default_rng(0)
        for variable in model.variables:
            # Where many inputs are added up, smaller: huge outputs would hide what differs.
            inputs = max(1, np.prod(variable.shape[:-1]))
            values = rng.normal(scale=min(0.1, inputs**-0.5), size=variable.shape)
            variable.assign(abs(values) if "variance" in variable.path else values)
        return model, convert(model, shape)

    return build
