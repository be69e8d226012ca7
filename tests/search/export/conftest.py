"""Bundles, a network and a frame that several files of tests read."""

import numpy as np
import pytest
from bundles import make_bundle
from small_isp import SHAPE, build

from spaces.ops.keras_backend import Network


@pytest.fixture(scope="session")
def of_two_sizes(tmp_path_factory):
    """fp32 and fp16, each for inputs of 24x16 and of 48x32. Not to be changed."""
    folder = tmp_path_factory.mktemp("bundles") / "made"
    return make_bundle(folder, (16, 24), sizes=[(16, 24), (32, 48)])


@pytest.fixture(scope="module")
def model() -> Network:
    return build()


@pytest.fixture(scope="module")
def frame() -> np.ndarray:
    return np.random.default_rng(1).random((1, *SHAPE), np.float32)
