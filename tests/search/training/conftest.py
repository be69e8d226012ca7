"""Real sample data for tiny networks."""

import pytest

from search.data.pairs import PreparedPairs
from search.data.sample import prepare_sample
from search.training.data import training_data


@pytest.fixture(scope="session")
def data(data_root):
    root = prepare_sample("isp", data_root, seed=0, train=16, val=4, patch=128)
    return training_data(PreparedPairs(root, "train"), PreparedPairs(root, "val"), 4)
