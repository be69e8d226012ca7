"""A stand-in for adb and the phone behind it, first on PATH."""

import os
import sys
from pathlib import Path

import pytest

# Tests are imported one file at a time, so their helper module needs a path.
sys.path.insert(0, str(Path(__file__).parent))

from measurement_samples import DEVICE
from stand_in_phone import StandIn

from latency.measurements import import_measurements


@pytest.fixture
def phone(tmp_path, monkeypatch):
    """One Pixel 8, connected and willing."""
    stand_in = StandIn(tmp_path / "stand_in")
    monkeypatch.setenv("PATH", stand_in.path)
    return stand_in


@pytest.fixture
def imported(tmp_path):
    """Imports a text; the file is called net.txt and was changed on 2026-11-22."""

    def load(text, format=None, device=DEVICE, name="net.txt", **options):
        path = tmp_path / name
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        os.utime(path, (1795305600, 1795305600))
        return import_measurements(path, format, device=device, **options)

    return load


@pytest.fixture
def one(imported):
    def load(*arguments, **options):
        (measurement,) = imported(*arguments, **options)
        return measurement

    return load
