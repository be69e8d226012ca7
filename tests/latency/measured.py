"""Where the measured phones are: a folder that does not come with this repository.

LENSNAS_LATENCY_DATA names it; without that, a folder beside the repository is looked for.
"""

import os
from pathlib import Path

import pytest

_BESIDE = Path(__file__).parents[3] / "shared" / "latency-data"
DATA = Path(os.environ.get("LENSNAS_LATENCY_DATA", _BESIDE))

needs_measured_phones = pytest.mark.skipif(
    not (DATA / "end_to_end.csv").is_file(),
    reason="LENSNAS_LATENCY_DATA names no folder with the measured phones",
)
