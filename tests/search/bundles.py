"""Bundles of untrained networks: real files, verified as the export verifies them."""

import json

import keras
import numpy as np
from tiny_study import tiny_study

from latency import LatencyOracle
from search.config import parse_config
from search.data.isp import SENSOR
from search.data.pairs import PairMeta
from search.export.bundle import Bundle
from search.export.convert import convert
from search.export.record import RECORD, file_name
from search.export.source import Trained
from search.export.verify import verify
from search.networks import candidate, zoo_architecture
from spaces.ops.keras_backend import Network


def random_network(network, channels, seed=0):
    """A model whose every weight matters, and whose output is of order 1."""
    keras.utils.set_random_seed(seed)
    model = Network(network, channels)
    rng = np.random.default_rng(seed)
    model.set_weights([w + 0.05 * rng.standard_normal(w.shape) for w in model.get_weights()])
    return model


def make_bundle(folder, size, architecture=None, precisions=("fp32", "fp16"), task="isp"):
    """Export an untrained network, by default MiAlgo's three convolutions, for inputs of `size`."""
    architecture = architecture or zoo_architecture("mialgo_track1")
    network = candidate(architecture)
    model = random_network(network.network, network.input_channels)
    frame = np.random.default_rng(1).random((1, *size, network.input_channels), np.float32)
    output = model(frame, training=False).numpy()
    folder.mkdir(parents=True)
    found = []
    for precision in precisions:
        file = convert(model, frame.shape[1:], precision)
        (folder / file_name(precision)).write_bytes(file)
        oracle = LatencyOracle("snapdragon-8-gen-1")
        target = np.clip(output, 0, 1)
        found.append(
            verify(file, precision, frame, target, output, network.trace(*size), oracle)
        )  # fmt: skip
    config = parse_config(tiny_study("tiny", {}, task=task, space={}), "test")
    data = PairMeta("sample data", task, "val", SENSOR if task == "isp" else None)
    source = Trained(architecture, folder, "trial 0", 30.0, 10, 0)
    record = Bundle(folder, config, data, source, tuple(found)).to_dict()
    (folder / RECORD).write_text(json.dumps(record))
    return folder
