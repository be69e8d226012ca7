"""Measured run times: made on a phone or on this machine, imported from other tools, kept.

from latency.measurements import append_measurements, import_measurements
append_measurements("phone.jsonl", import_measurements("run.log", device="Pixel 8"))
"""

from .importers import IMPORTERS, import_measurements, join_profiles
from .measurement import (
    ACCELERATORS,
    MAX_SPREAD,
    STATISTICS,
    KernelTime,
    Measurement,
    MeasurementError,
)
from .store import append_measurements, read_measurements

__all__ = [
    "ACCELERATORS",
    "IMPORTERS",
    "MAX_SPREAD",
    "STATISTICS",
    "KernelTime",
    "Measurement",
    "MeasurementError",
    "append_measurements",
    "import_measurements",
    "join_profiles",
    "read_measurements",
]
