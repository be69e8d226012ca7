"""What an export of each precision weighs, loses and takes: `python benchmarks/export.py`.

Trains the published MiAlgo and a network like the best of docs/benchmarks.md on the sample data, as
studies/isp_against_zoo.yaml does, and runs their files with LiteRT on all validation images. The
time is of one conversion of a network of a hundred ops, wall clock: on a quiet machine only.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from typing import Any

import keras
import numpy as np

from latency import read_tflite
from search.config import StudyConfig, load_config
from search.export.conversion.convert import convert, convert_all
from search.export.conversion.metadata import encoded
from search.export.conversion.quantise import quantised_networks
from search.export.conversion.signature import run_tflite
from search.export.report.card import about
from search.export.source import Trained
from search.export.variant import PRECISIONS, Quantisation, variants
from search.metrics import psnr_db
from search.networks import candidate, zoo_architecture
from search.study.data import open_pairs, prepare_data
from search.training.data import TrainingData, training_data
from search.training.loop import train
from spaces.architecture import Architecture
from spaces.ops.keras_backend import Network

STUDY = Path(__file__).parent.parent / "studies/isp_against_zoo.yaml"
BEST = Architecture.of(
    "blocks_isp",
    {
        "packing": 1, "stem": "strided3", "filters": "none", "stem_activation": "same",
        "activation": "prelu", "levels": 1, "stacks": 1, "block_0": "residual",
        "block_deep": "conv3", "down": "space_to_depth", "up": "haar", "skip": "none",
        "width_0": 12, "blocks_0": 2, "attention_0": "none", "width_1": 48, "blocks_1": 1,
        "attention_1": "none", "head": "conv3", "gains": False, "tone": "tone_curve",
        "global_path": "linear",
    },
)  # fmt: skip
"""An hourglass behind a strided stem, built as the winner of that study is described."""


def main() -> None:
    """Print a table a network, then the time of a conversion."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=3000, help="of the training")
    parser.add_argument("--qat-steps", type=int, default=Quantisation().steps)
    options = parser.parse_args()
    config = load_config(STUDY)
    prepared = prepare_data(config)
    data = training_data(open_pairs(prepared, "train"), open_pairs(prepared, "val"), 4)
    how = Quantisation(steps=options.qat_steps)
    networks = {"mialgo_track1": zoo_architecture("mialgo_track1"), "best": BEST}
    for name, architecture in networks.items():
        print(f"{name}: {options.steps} steps, then {how.steps} in 8 bits")
        _report(architecture, config, data, options.steps, how)
    _time_conversion()


def _report(
    architecture: Architecture,
    config: StudyConfig,
    data: TrainingData,
    steps: int,
    how: Quantisation,
) -> None:
    own = candidate(architecture)
    keras.utils.set_random_seed(0)
    trained = Network(own.network, own.input_channels)
    outcome = train(
        trained, config.training.shortened(steps), data, seed=0, residual=own.residual,
        tone=own.tone,
    )  # fmt: skip
    model = Network(own.clipped.network, own.input_channels)
    model.set_weights(trained.get_weights())
    assert outcome.psnr_db is not None
    source = Trained(architecture, Path(), "trial 0", outcome.psnr_db, steps, 0)
    metadata = encoded(about(config, source, held_out=data.held_out.meta))
    patch = data.validation.inputs.shape[1:3]
    wanted = variants(PRECISIONS, config.task_facts.input_shape, [(544, 960), patch])
    sources = quantised_networks(model, config, PRECISIONS, how)
    print(f"  {model.count_params()} parameters, Keras {outcome.psnr_db:.3f} dB")
    for variant, file in convert_all(model, wanted, sources, metadata):
        if variant.at_task_size:
            print(f"  {variant.precision:9} {len(file):7} bytes")
        else:
            print(f"  {variant.precision:9} {_psnr_db(file, data) - outcome.psnr_db:+.4f} dB")


def _psnr_db(file: bytes, data: TrainingData) -> float:
    """Mean over the validation images."""
    run = run_tflite(file)
    pictures = np.concatenate([run(image[None]) for image in data.validation.inputs])
    targets = data.validation.targets.astype(np.float32) / np.float32(255)
    return float(np.mean(psnr_db(targets, pictures)))


def _long(ops: Any, x: Any) -> Any:
    """A hundred ops in the file: 33 times three, and a shuffle."""
    x = ops.conv(x, 12)
    for _ in range(32):
        x = ops.add(ops.activation(ops.conv(x, 12), "tanh"), x)
    return ops.depth_to_space(ops.activation(ops.conv(x, 12), "tanh"), 2)


def _time_conversion() -> None:
    model = Network(_long, 4)
    for variable in model.variables:
        variable.assign(variable + 0.01)
    began = time.perf_counter()
    file = convert(model, (544, 960, 4))
    seconds = time.perf_counter() - began
    print(f"{len(read_tflite(file).ops)} ops converted in {seconds:.2f} s")


if __name__ == "__main__":
    main()
