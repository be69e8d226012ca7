"""What the benchmarks of brief training share: the sample data, and the gain over a baseline."""

from __future__ import annotations

import statistics
import tempfile
from collections.abc import Sequence
from pathlib import Path

from search.data.pairs import PreparedPairs
from search.data.sample import prepare_sample
from search.training.data import TrainingData, training_data


def isp_sample(folder: Path | None) -> TrainingData:
    """The ISP sample data, made in `folder` (or a temporary one) where they are not there."""
    root = prepare_sample("isp", folder or Path(tempfile.mkdtemp()), seed=0)
    return training_data(PreparedPairs(root, "train"), PreparedPairs(root, "val"), 4)


def mean_and_spread(values: Sequence[float], sign: str = "") -> str:
    """For example "25.32 +- 0.62"; with `sign` "+" a gain is marked as one."""
    return f"{statistics.mean(values):{sign}.2f} +- {statistics.stdev(values):.2f}"


def gains(ours: Sequence[float], baseline: Sequence[float]) -> list[float]:
    """Differences seed by seed."""
    return [with_ - without for with_, without in zip(ours, baseline, strict=True)]
