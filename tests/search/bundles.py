"""Bundles of untrained networks: real files, verified as the export verifies them."""

import json

import keras
import numpy as np
from tiny_study import tiny_study

from search.artifacts import save_weights
from search.config import parse_config
from search.data.isp import SENSOR
from search.data.pairs import PairMeta, encoder_for
from search.export.bundle import Bundle, finished, origins_of, pictures_of
from search.export.conversion.convert import convert
from search.export.source import Trained
from search.export.trained_model import TrainedModel
from search.export.variant import variants
from search.export.verification.check import make_check
from search.export.verification.checker import Checker
from search.export.verification.verify import against_fp32
from search.networks import candidate, zoo_architecture
from spaces.ops.keras_backend import Network


class NoisePairs:
    """Two pairs of noise, the input of `size`: as good as any for a network that nobody trained."""

    decodes_files = False

    def __init__(self, task, size, channels):
        self.meta = PairMeta("noise", task, "val", SENSOR if task == "isp" else None)
        rng = np.random.default_rng(1)
        raw = task == "isp"
        high, scale, dtype = (1024, 2, np.uint16) if raw else (256, 1, np.uint8)
        self._inputs = rng.integers(0, high, (2, *size, channels)).astype(dtype)
        shape = (2, scale * size[0], scale * size[1], 3)
        self._targets = rng.integers(0, 256, shape).astype(np.uint8)

    def __len__(self):
        return 2

    def read(self, index):
        return self._inputs[index], self._targets[index]

    def depth(self, index):
        return None


def random_network(network, channels, seed=0):
    """A model whose every weight matters, and whose output is of order 1."""
    keras.utils.set_random_seed(seed)
    model = Network(network, channels)
    rng = np.random.default_rng(seed)
    model.set_weights([w + 0.05 * rng.standard_normal(w.shape) for w in model.get_weights()])
    return model


def make_bundle(folder, size, architecture=None, precisions=("fp32", "fp16"), task="isp", sizes=()):
    """Export an untrained network, by default MiAlgo's three convolutions, for inputs of `size`,
    as if that were the task's."""
    architecture = architecture or zoo_architecture("mialgo_track1")
    network = candidate(architecture).clipped
    model = random_network(network.network, network.input_channels)
    config = parse_config(tiny_study("tiny", {}, task=task, space={}), "test")
    pairs = NoisePairs(task, size, network.input_channels)
    trained = TrainedModel(config, network, model, pairs, encoder_for(pairs.meta))
    chosen = variants(precisions, (*size, network.input_channels), sizes)
    folder.mkdir(parents=True)
    scale = config.task_facts.scale
    check = make_check(
        model, pairs, trained.encode, scale, list(dict.fromkeys(v.input_shape[:2] for v in chosen))
    )
    checker = Checker(trained, check, 1, folder.parent / f"{folder.name}-frames")
    found = []
    for variant in chosen:
        file = convert(model, variant.input_shape, variant.precision)
        (folder / variant.file_name).write_bytes(file)
        found.append(checker.verified(variant, file))
    found = against_fp32(found)
    check.write(folder)
    source = Trained(architecture, folder, "trial 0", 30.0, 10, 0)
    origins = origins_of(source, trained, found, save_weights(folder, model.get_weights()))
    bundle = Bundle(folder, config, pairs.meta, source, found, origins)
    record = finished(folder, bundle, pictures_of(checker, found)).record()
    assert json.loads((folder / "verification.json").read_text())["study"] == record["study"]
    return folder
