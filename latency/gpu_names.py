"""`gpu_named`: the GPU behind a marketing name, as the delegate's own table knows it.

After the device table of `delegates/gpu/common/gpu_info.cc`. On OpenCL the
delegate asks the driver for the compute units instead; where that number is
known to differ from the table, it is the driver's.
"""

from __future__ import annotations

import re

from .gpu import Gpu
from .graph import GraphError

_ADRENO_UNITS = {
    730: 4, 740: 6, 750: 6, 630: 2, 640: 2, 650: 3, 660: 3, 680: 4,
    612: 1, 615: 1, 616: 1, 618: 1, 619: 1, 620: 1, 642: 2, 643: 2,
}  # fmt: skip
_MALI_GENERATIONS = {
    "bifrost": (31, 51, 52, 71, 72, 76),
    "valhall-1": (57, 77),
    "valhall-2": (68, 78),
    "valhall-3": (310, 510, 610, 710),
    "valhall-4": (615, 715, 720, 620, 625, 725),
}
_MALI_UNITS = {76: 12, 77: 11, 78: 24, 710: 10, 715: 11}
"""Cores of the most common configuration; "Mali-G78 MP14" says otherwise."""

_APPLE_GENERATIONS = {"gt7600": "a11", "a10": "a11", "a11": "a11", "g11p": "a12", "a12": "a12"}
_CORES = re.compile(r"\bMP ?(\d+)\b|\bMC ?(\d+)\b", re.IGNORECASE)


def gpu_named(name: str) -> Gpu:
    """The `Gpu` called e.g. "Adreno 640", "Mali-G78 MP24", "PowerVR GE8320", "Apple A12", or "cpu".

    Raises `GraphError` for a name whose family or generation cannot be told.
    """
    text = name.lower()
    if text == "cpu":
        return Gpu("cpu", "xnnpack", 1)
    number = int(found.group(1)) if (found := re.search(r"(\d{2,4})", text)) else 0
    if "adreno" in text and 300 <= number < 900:
        units = _ADRENO_UNITS.get(number, 1 if number < 630 else 4)
        return Gpu("adreno", f"{number // 100}xx", units, wave_size=128 if number >= 600 else 64)
    if "mali" in text:
        cores = _CORES.search(name)
        units = int(next(filter(None, cores.groups()))) if cores else _MALI_UNITS.get(number, 4)
        return Gpu("mali", _mali_generation(text, number), units)
    if "powervr" in text and "gt7600" not in text:
        return Gpu("powervr", "ge8xxx" if "ge8" in text else "rogue", 1)
    for key, generation in _APPLE_GENERATIONS.items():
        if key in text:
            return Gpu("apple", generation, 6 if generation == "a11" else 4)
    if "apple" in text:
        return Gpu("apple", "a14", 4)
    raise GraphError(
        f"unknown GPU {name!r}; known are Adreno, Mali, PowerVR and Apple names such as "
        "'Adreno 740' or 'Mali-G78 MP24'"
    )


def _mali_generation(text: str, number: int) -> str:
    if "-t" in text:
        return "midgard"
    for generation, numbers in _MALI_GENERATIONS.items():
        if number in numbers:
            return generation
    raise GraphError(f"unknown Mali {text!r}: its architecture is not in the table")
