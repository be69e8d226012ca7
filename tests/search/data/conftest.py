from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from search.data.sample import prepare_sample


@pytest.fixture(scope="session")
def isp_set(tmp_path_factory) -> Path:
    root = tmp_path_factory.mktemp("isp")
    return prepare_sample("isp", root, train=120, val=40, patch=96)


@pytest.fixture(scope="session")
def bokeh_set(tmp_path_factory) -> Path:
    root = tmp_path_factory.mktemp("bokeh")
    return prepare_sample("bokeh", root, train=8, val=8, patch=96)


@pytest.fixture
def photo_folder(tmp_path) -> Path:
    """Six small photographs of noise and gradients."""
    folder = tmp_path / "photos"
    folder.mkdir()
    rng = np.random.default_rng(0)
    for index in range(6):
        coarse = rng.integers(0, 256, (8, 10, 3), dtype=np.uint8)
        image = Image.fromarray(coarse).resize((200, 160), Image.Resampling.BICUBIC)
        image.save(folder / f"photo{index}.png")
    return folder
