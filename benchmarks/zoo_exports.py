"""Every system of the zoo exported: size against the published file, and LiteRT against Keras.

    python benchmarks/zoo_exports.py [NAME ...]

A file's size does not depend on the resolution, so small ones are exported, with initial weights
a little disturbed (the converter folds away what adds nothing). The difference is relative to the
largest output.
"""

from __future__ import annotations

import sys

import keras
import numpy as np

from search.export.conversion.convert import convert
from search.export.conversion.signature import run_tflite
from spaces.ops.keras_backend import Network
from spaces.zoo import ZOO

SIZE = (96, 128)


def main() -> None:
    print(f"{'system':20}{'MiB':>9}{'published':>10}{'ratio':>7}{'difference':>12}")
    for name in sys.argv[1:] or ZOO:
        system = ZOO[name]
        keras.utils.set_random_seed(0)
        channels = system.input_shape[2]
        model = Network(system.network, channels)
        rng = np.random.default_rng(0)
        for variable in model.variables:
            variable.assign(variable + rng.normal(scale=0.01, size=variable.shape))
        file = convert(model, (*SIZE, channels))
        frame = rng.random((1, *SIZE, channels), np.float32)
        expected = np.array(model(frame))
        worst = np.abs(run_tflite(file)(frame) - expected).max() / np.abs(expected).max()
        size, published = len(file) / 2**20, system.published.size_mb
        against = f"{published:10g}{size / published:7.2f}" if published else f"{'':17}"
        print(f"{name:20}{size:9.4f}{against}{worst:12.1e}", flush=True)


if __name__ == "__main__":
    main()
