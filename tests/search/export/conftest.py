"""Bundles that several files of tests read."""

import pytest
from bundles import make_bundle


@pytest.fixture(scope="session")
def of_two_sizes(tmp_path_factory):
    """fp32 and fp16, each for inputs of 24x16 and of 48x32. Not to be changed."""
    folder = tmp_path_factory.mktemp("bundles") / "made"
    return make_bundle(folder, (16, 24), sizes=[(16, 24), (32, 48)])
