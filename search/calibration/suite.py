"""A suite: a few .tflite probes, chosen to say most about a phone, and how to time them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from latency import DeviceProfile, LatencyOracle, lower
from latency.cost import FEATURES, RUN, features
from latency.design import d_optimal
from search.artifacts import write_bytes
from search.errors import UserError
from spaces.probes import Probe, Size, candidates

MAX_MS = 400.0
"""Predicted run time above which a probe only costs patience."""

_DESIGN = (RUN, *FEATURES)

SCRIPT = """#!/bin/sh
# Times every probe on a phone: needs adb, and TensorFlow Lite's benchmark_model for Android.
#   sh measure.sh path/to/benchmark_model [serial]
# Stopped, it goes on where it was: a probe with a log in results/ is not timed again. Then:
#   lensnas latency import results/*.log --device 'MY PHONE' -o phone.jsonl
set -eu
cd "$(dirname "$0")"
tool=${1:?path of the Android benchmark_model}
serial=${2:+-s $2}
on_phone=/data/local/tmp/lensnas
mkdir -p results
adb $serial shell mkdir -p $on_phone
adb $serial push "$tool" $on_phone/benchmark_model >/dev/null
adb $serial shell chmod +x $on_phone/benchmark_model
for probe in *.tflite; do
    log=results/${probe%.tflite}.log
    if [ -s "$log" ]; then continue; fi
    echo "$probe"
    adb $serial push "$probe" $on_phone/ >/dev/null
    adb $serial shell $on_phone/benchmark_model --graph=$on_phone/$probe --use_gpu=true \\
        --enable_op_profiling=true --num_runs=50 --warmup_runs=10 >"$log.part" 2>&1
    mv "$log.part" "$log"
    adb $serial shell rm $on_phone/$probe
    sleep 2
done
echo "done: results/"
"""


@dataclass(frozen=True, slots=True)
class ChosenProbe:
    """A probe of the suite and its predicted run time in ms."""

    probe: Probe
    predicted_ms: float


def choose(profile: DeviceProfile, count: int, size: Size) -> list[ChosenProbe]:
    """The `count` most informative probes for a device like that of `profile`.

    Rows of the design are the cost model's features divided by the predicted run time, as a
    fit of relative errors weighs them, each feature scaled to its largest value.
    Raises `UserError` for a count that the candidates cannot give.
    """
    oracle = LatencyOracle(profile)
    possible = []
    for probe in candidates(size):
        estimate = oracle.predict(probe.trace())
        if estimate.fully_delegated and estimate.ms <= MAX_MS:
            possible.append(ChosenProbe(probe, estimate.ms))
    if not 3 <= count <= len(possible):
        raise UserError(f"a suite has 3 to {len(possible)} probes, not {count}")
    rows = np.array(
        [list(features(lower(c.probe.trace(), profile.gpu), _DESIGN).values()) for c in possible]
    ) / np.array([[c.predicted_ms] for c in possible])
    rows /= np.maximum(rows.max(axis=0), 1e-30)
    return [possible[index] for index in d_optimal(rows, count)]


def write_suite(
    chosen: list[ChosenProbe], folder: Path, tell: Callable[[str], None] = lambda _: None
) -> None:
    """Write the probes, measure.sh and suite.json to `folder`; the same bytes every time."""
    rows = []
    for item in chosen:
        data = _file(item.probe)
        write_bytes(folder / f"{item.probe.name}.tflite", data)
        rows.append(
            {
                "name": item.probe.name,
                "stresses": item.probe.kind,
                "predicted_ms": round(item.predicted_ms, 3),
                "sha256": hashlib.sha256(data).hexdigest(),
            }
        )
        tell(item.probe.name)
    write_bytes(folder / "measure.sh", SCRIPT.encode())
    write_bytes(folder / "suite.json", (json.dumps(rows, indent=2) + "\n").encode())


def _file(probe: Probe) -> bytes:
    import keras

    from search.export.conversion.convert import convert
    from spaces.ops.keras_backend import Network

    keras.utils.set_random_seed(0)
    model = Network(probe.network, probe.input_shape[2])
    rng = np.random.default_rng(0)
    for variable in model.variables:
        # Zeros and ones would be folded away, and equal weights shared.
        variable.assign(variable + rng.normal(scale=0.05, size=variable.shape))
    return convert(model, probe.input_shape)
