"""Tiny studies on tiny sample data, shared by the tests of the search."""

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

# Tests are imported one file at a time, so their helper module needs a path.
sys.path.insert(0, str(Path(__file__).parent))

import postgres_server
from made_results import maker
from tiny_study import tiny_study

from search.training.lpips_weights import LAYERS


@pytest.fixture(scope="session")
def data_root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where prepared sample data of this test run lies; made once for equal settings."""
    return tmp_path_factory.mktemp("data")


@pytest.fixture
def tiny_document(tmp_path: Path, data_root: Path) -> Callable[..., dict[str, Any]]:
    """A study file's mapping, with sections merged from keyword arguments."""

    def make(name: str = "tiny", **changes: Any) -> dict[str, Any]:
        document = tiny_study(name, changes, output=str(tmp_path / "runs"))
        document["data"] = {"root": str(data_root), **document["data"]}
        return document

    return make


@pytest.fixture
def tiny_config(tiny_document: Callable[..., dict[str, Any]]) -> Callable[..., Any]:
    """A validated tiny study."""
    from search.config import parse_config

    return lambda name="tiny", **changes: parse_config(tiny_document(name, **changes), "test")


@pytest.fixture
def tiny_file(tmp_path: Path, tiny_document: Callable[..., dict[str, Any]]) -> Callable[..., Path]:
    """A tiny study as a file."""

    def make(name: str = "tiny", **changes: Any) -> Path:
        path = tmp_path / f"{name}.yaml"
        path.write_text(yaml.safe_dump(tiny_document(name, **changes)))
        return path

    return make


@pytest.fixture
def make_results(tmp_path: Path) -> Callable[..., Any]:
    """Studies made by hand: real architectures and estimates, PSNR of chance."""
    return maker(tmp_path)


@pytest.fixture(scope="session")
def lpips_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """LPIPS' weights in the right format, but random: of size to keep features of order 1."""
    rng = np.random.default_rng(0)
    arrays = {}
    for index, (kernel, channels, width) in enumerate(LAYERS, start=1):
        shape = (kernel, kernel, channels, width)
        arrays[f"conv{index}_kernel"] = rng.normal(scale=1 / kernel, size=shape) / channels**0.5
        arrays[f"conv{index}_bias"] = rng.normal(scale=0.1, size=width)
        arrays[f"linear{index}"] = rng.random(width)
    path = tmp_path_factory.mktemp("lpips") / "alex.npz"
    np.savez(path, **arrays)
    return path


@pytest.fixture(scope="session")
def postgres() -> Iterator[Any]:
    """A PostgreSQL server that the tests of this session share; tests make databases in it."""
    if reason := postgres_server.missing():
        pytest.skip(reason)
    server = postgres_server.Server()
    yield server
    server.remove()
