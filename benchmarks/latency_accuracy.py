"""Accuracy of the oracle on networks and phones it was not fitted on.

    python benchmarks/latency_accuracy.py --train DIR [--test DIR] [-o accuracy.json]

DIR is in the format of latency/dataset.py. The same as `lensnas latency validate`.
"""

import argparse
import json
import math
import time
from dataclasses import asdict
from pathlib import Path

from latency.dataset import read_dataset
from latency.validation import Accuracy, validate


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--train", type=Path, required=True, metavar="DIR")
    parser.add_argument("--test", type=Path, metavar="DIR")
    parser.add_argument("-o", "--output", type=Path, metavar="FILE", help="JSON")
    arguments = parser.parse_args()
    began = time.process_time()
    test = read_dataset(arguments.test) if arguments.test else None
    rows = validate(read_dataset(arguments.train), test)
    print(HEADER)
    for row in rows:
        print(line(row))
    print(f"{time.process_time() - began:.0f} CPU seconds")
    if arguments.output:
        arguments.output.write_text(json.dumps([asdict(row) for row in rows], indent=2) + "\n")


HEADER = (
    f"{'device':10} {'question':28} {'predictor':22} {'nets':>4} {'MAPE':>6} {'worst':>6} "
    f"{'<5%':>5} {'<10%':>5} {'rank':>6} {'cover':>5} {'kernel':>6}"
)


def line(row: Accuracy) -> str:
    coverage = math.nan if row.coverage is None else row.coverage
    kernels = math.nan if row.kernel_mape is None else row.kernel_mape
    return (
        f"{row.device:10} {row.question:28} {row.predictor:22} {row.networks:4} "
        f"{row.mape:6.2%} {row.worst:6.1%} {row.within_5:5.0%} {row.within_10:5.1%} "
        f"{row.spearman:6.3f} {coverage:5.0%} {kernels:6.1%}"
    )


if __name__ == "__main__":
    main()
