"""A few lines a network: builds `Graph`s for the tests."""

from latency import Gpu, Graph, Op, Tensor

ADRENO_730 = Gpu("adreno", "7xx", compute_units=4, wave_size=128)
ADRENO_640 = Gpu("adreno", "6xx", compute_units=2, wave_size=128)
MALI_G76 = Gpu("mali", "bifrost", compute_units=12)
MALI_G78 = Gpu("mali", "valhall-2", compute_units=24)

HEIGHT, WIDTH = 32, 48
"""Of the packed RAW that exported test networks take."""


class GraphBuilder:
    """Appends ops; every method returns the id of its output tensor."""

    def __init__(self, *input_shapes):
        self.tensors = [Tensor(tuple(shape)) for shape in input_shapes]
        self.ops = []
        self.inputs = tuple(range(len(input_shapes)))

    def op(self, kind, inputs, shape, constants=(), dtype="float32", **attrs):
        self.tensors.append(Tensor(tuple(shape), dtype))
        out = len(self.tensors) - 1
        inputs = (inputs,) if isinstance(inputs, int) else tuple(inputs)
        self.ops.append(Op(kind, inputs, (out,), tuple(constants), attrs))
        return out

    def shape(self, x):
        return self.tensors[x].shape

    def conv(self, x, channels, kernel=3, stride=1, padding="SAME", groups=1, **attrs):
        n, h, w, c = self.shape(x)
        if padding == "VALID":
            h, w = h - kernel + 1, w - kernel + 1
        shape = (n, -(-h // stride), -(-w // stride), channels)
        weights = (channels, kernel, kernel, c // groups)
        attrs = {"stride": (stride, stride), "padding": padding, **attrs}
        return self.op("CONV_2D", x, shape, (weights, (channels,)), **attrs)

    def depthwise(self, x, kernel=3, stride=1, padding="SAME"):
        n, h, w, c = self.shape(x)
        if padding == "VALID":
            h, w = h - kernel + 1, w - kernel + 1
        shape = (n, -(-h // stride), -(-w // stride), c)
        constants = ((1, kernel, kernel, c), (c,))
        return self.op(
            "DEPTHWISE_CONV_2D", x, shape, constants, stride=(stride, stride), padding=padding
        )

    def transposed_conv(self, x, channels, kernel=2, stride=2):
        n, h, w, c = self.shape(x)
        constants = ((channels, kernel, kernel, c), (channels,))
        shape = (n, h * stride, w * stride, channels)
        return self.op(
            "TRANSPOSE_CONV", x, shape, constants, stride=(stride, stride), padding="SAME"
        )

    def unary(self, kind, x, constants=()):
        return self.op(kind, x, self.shape(x), constants)

    def binary(self, kind, x, y):
        shape = max(self.shape(x), self.shape(y), key=lambda s: (len(s), s))
        return self.op(kind, (x, y), shape)

    def constant(self, kind, x, shape=None):
        """An element-wise op with a constant, one value a channel if not said otherwise."""
        channels = self.shape(x)[-1]
        return self.op(kind, x, self.shape(x), ((1, 1, 1, channels) if shape is None else shape,))

    def pad(self, x, rows=(1, 1), columns=(1, 1), channels=(0, 0), kind="PAD"):
        n, h, w, c = self.shape(x)
        shape = (n, h + sum(rows), w + sum(columns), c + sum(channels))
        return self.op(kind, x, shape, paddings=((0, 0), rows, columns, channels))

    def mean(self, x):
        n, _, _, c = self.shape(x)
        return self.op("MEAN", x, (n, 1, 1, c), axes=(1, 2), keep_dims=True)

    def concat(self, *tensors, axis=3):
        shape = list(self.shape(tensors[0]))
        shape[axis] = sum(self.shape(t)[axis] for t in tensors)
        return self.op("CONCATENATION", tensors, shape, axis=axis)

    def depth_to_space(self, x, block=2):
        n, h, w, c = self.shape(x)
        return self.op("DEPTH_TO_SPACE", x, (n, h * block, w * block, c // block**2), block=block)

    def graph(self, *outputs):
        return Graph(tuple(self.tensors), tuple(self.ops), self.inputs, tuple(outputs))


def chains(lowering):
    """The fused chains of a lowering's kernels, conversions left out."""
    return [k.chain for k in lowering.kernels if k.chain]


def kinds(lowering):
    """Kernel kinds, conversions left out."""
    return [k.kind for k in lowering.kernels if k.chain]


def mialgo(height=544, width=960):
    """MiAlgo's learned ISP of the MAI 2022 challenge (track 1)."""
    b = GraphBuilder((1, height, width, 4))
    x = b.unary("TANH", b.conv(0, 12))
    x = b.unary("RELU", b.conv(x, 12))
    return b.graph(b.depth_to_space(b.conv(x, 12)))


def syenet(height=544, width=960):
    """SYENet's inference graph: two branch products with bias, channel attention, pixel shuffle."""
    b = GraphBuilder((1, height, width, 4))
    prelu = ((1, 1, 12),)
    first = b.conv(b.unary("PRELU", b.conv(0, 12, 5), prelu), 12)
    x = b.constant("ADD", b.binary("MUL", first, b.conv(0, 12, 5)))
    x = b.constant("ADD", b.binary("MUL", b.conv(x, 12), b.conv(x, 12, 1)))
    gate = b.unary("PRELU", b.conv(b.mean(x), 12, 1), prelu)
    gate = b.unary("LOGISTIC", b.conv(gate, 12, 1))
    x = b.depth_to_space(b.binary("MUL", x, gate))
    return b.graph(b.conv(x, 3))
