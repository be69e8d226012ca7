"""Real files of real networks, exported once a session."""

import sys
from pathlib import Path

import pytest

# Tests are imported one file at a time, so their helper module needs a path.
sys.path.insert(0, str(Path(__file__).parent))

from latency_graphs import HEIGHT, WIDTH


def export(model, shape, optimizations=(), types=()):
    import tensorflow as tf

    signature = [tf.TensorSpec((1, *shape), tf.float32, name="raw")]
    function = tf.function(lambda x: {"rgb": model(x, training=False)}, input_signature=signature)
    module = tf.Module()
    module.variables_kept = [variable.value for variable in model.variables]
    converter = tf.lite.TFLiteConverter.from_concrete_functions(
        [function.get_concrete_function()], module
    )
    converter.optimizations = list(optimizations)
    converter.target_spec.supported_types = list(types)
    return converter.convert()


def keras_syenet(height, width):
    import keras
    import tensorflow as tf

    # Keras orders branches by layer name, and names count on from earlier models.
    keras.backend.clear_session()
    layers = keras.layers

    class Bias(layers.Layer):
        def build(self, shape):
            self.bias = self.add_weight(shape=(1, 1, 1, shape[-1]), initializer="normal")

        def call(self, x):
            return x + self.bias

    def conv(channels, kernel):
        return layers.Conv2D(channels, kernel, padding="same", bias_initializer="normal")

    def prelu():
        return layers.PReLU(shared_axes=[1, 2], alpha_initializer="normal")

    raw = keras.Input((height, width, 4))
    x = layers.Multiply()([conv(12, 3)(prelu()(conv(12, 5)(raw))), conv(12, 5)(raw)])
    x = Bias()(x)
    x = Bias()(layers.Multiply()([conv(12, 3)(x), conv(12, 1)(x)]))
    gate = layers.GlobalAveragePooling2D(keepdims=True)(x)
    gate = conv(12, 1)(prelu()(conv(12, 1)(gate)))
    x = layers.Multiply()([x, layers.Activation("sigmoid")(gate)])
    x = layers.Lambda(lambda t: tf.nn.depth_to_space(t, 2))(x)
    return keras.Model(raw, conv(3, 3)(x))


def keras_sampler(height, width):
    """One of many ops: strides, padding, pooling, resizing, slices, a matrix."""
    import keras
    import tensorflow as tf

    layers = keras.layers
    raw = keras.Input((height, width, 4))
    x = layers.Conv2D(8, 3, padding="same", activation="relu", bias_initializer="normal")(raw)
    x = layers.ZeroPadding2D(1)(x)
    x = layers.Conv2D(16, 3, strides=2, bias_initializer="normal")(x)
    skip = x = layers.LeakyReLU(negative_slope=0.2)(x)
    x = layers.AveragePooling2D(2)(x)
    x = layers.DepthwiseConv2D(3, padding="same", bias_initializer="normal")(x)
    x = layers.Conv2DTranspose(16, 2, strides=2, padding="same", bias_initializer="normal")(x)
    x = layers.Concatenate()([x, skip])
    x = layers.Lambda(lambda t: t[..., 0:16])(x)
    gate = layers.Dense(16, "sigmoid", bias_initializer="normal")(
        layers.GlobalAveragePooling2D()(x)
    )
    x = layers.Multiply()([x, layers.Reshape((1, 1, 16))(gate)])
    x = layers.Lambda(lambda t: tf.image.resize(t, (height, width)))(x)
    return keras.Model(raw, layers.Conv2D(3, 3, padding="same", bias_initializer="normal")(x))


@pytest.fixture(scope="session")
def syenet_file():
    return export(keras_syenet(HEIGHT, WIDTH), (HEIGHT, WIDTH, 4))


@pytest.fixture(scope="session")
def syenet_fp16_file():
    import tensorflow as tf

    model = keras_syenet(HEIGHT, WIDTH)
    return export(model, (HEIGHT, WIDTH, 4), [tf.lite.Optimize.DEFAULT], [tf.float16])


@pytest.fixture(scope="session")
def sampler_file():
    return export(keras_sampler(HEIGHT, WIDTH), (HEIGHT, WIDTH, 4))
