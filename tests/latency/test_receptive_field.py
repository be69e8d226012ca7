"""Spans worked out by hand; that tiles of real files agree is in tests/search/render."""

from fractions import Fraction

import pytest

from latency.graph import Graph, Op, Tensor
from latency.receptive_field import NotLocalError, Pool, Span, locality
from spaces.ops.trace import trace

SIZE = 32


def spans(network, size=SIZE, channels=4):
    """(scale, low, size - high) of the output of a network along its rows."""
    graph = trace(network, (size, size, channels))
    rows, columns = locality(graph).spans[graph.outputs[0]]
    assert rows == columns
    assert graph.tensors[graph.outputs[0]].shape[1] == rows.size
    return rows.scale, rows.low, rows.size - rows.high


@pytest.mark.parametrize(
    ("network", "expected"),
    [
        (lambda ops, x: ops.activation(x, "relu"), (1, 0, 0)),
        (lambda ops, x: ops.conv(x, 4, 1), (1, 0, 0)),
        (lambda ops, x: ops.conv(x, 4, 3), (1, 1, 1)),
        (lambda ops, x: ops.conv(x, 4, 4), (1, 1, 2)),
        (lambda ops, x: ops.depthwise(x, 5), (1, 2, 2)),
        (lambda ops, x: ops.dilated_depthwise(x, 3, dilation=3), (1, 3, 3)),
        # "Same" padding of a stride puts the odd pixel at the end.
        (lambda ops, x: ops.conv(x, 4, 3, stride=2), (Fraction(1, 2), 0, 1)),
        (lambda ops, x: ops.conv(x, 4, 2, stride=2), (Fraction(1, 2), 0, 0)),
        (lambda ops, x: ops.max_pool(x, 4), (Fraction(1, 4), 0, 0)),
        (lambda ops, x: ops.transposed_conv(x, 4, 2), (2, 0, 0)),
        (lambda ops, x: ops.transposed_conv(x, 4, 3), (2, 1, 0)),
        (lambda ops, x: ops.transposed_conv(x, 4, 4), (2, 1, 1)),
        (lambda ops, x: ops.resize(x, 2, "nearest"), (2, 0, 0)),
        (lambda ops, x: ops.resize(x, 2, "bilinear"), (2, 1, 1)),
        (lambda ops, x: ops.resize(x, 4, "bilinear"), (4, 2, 2)),
        (lambda ops, x: ops.depth_to_space(x, 2), (2, 0, 0)),
        (lambda ops, x: ops.space_to_depth(ops.conv(x, 4, 3), 2), (Fraction(1, 2), 1, 1)),
        (lambda ops, x: ops.conv(ops.reflect_pad(x, 1), 4, 3, padding="valid"), (1, 1, 1)),
        (lambda ops, x: ops.add(ops.conv(x, 4, 3), ops.conv(x, 4, 7)), (1, 3, 3)),
        (lambda ops, x: ops.multiply(x, ops.channel_mean(ops.conv(x, 8, 3))), (1, 1, 1)),
        # A level down and up again: two pixels there are four here.
        (
            lambda ops, x: ops.add(
                x, ops.resize(ops.conv(ops.max_pool(x, 2), 4, 5), 2, "nearest")
            ),
            (1, 4, 4),
        ),
    ],
)  # fmt: skip
def test_what_the_padding_of_a_cut_spoils(network, expected):
    assert spans(network) == expected


def test_the_reach_does_not_depend_on_the_size():
    def network(ops, x):
        y = ops.conv(ops.max_pool(ops.conv(x, 8, 5), 4), 16, 3)
        return ops.conv(ops.resize(y, 4, "bilinear"), 4, 3)

    assert spans(network, 64) == spans(network, 128)


def test_strides_say_how_tiles_may_be_apart():
    def network(ops, x):
        y = ops.max_pool(ops.conv(x, 4, 3, stride=2), 4)
        return ops.resize(y, 8, "nearest")

    assert locality(trace(network, (SIZE, SIZE, 4))).step == (8, 8)


def test_means_over_the_frame_are_named_in_the_order_in_which_they_need_each_other():
    def network(ops, x):
        x = ops.conv(x, 4, 3)
        x = ops.multiply(x, ops.activation(ops.conv(ops.global_average(x), 4, 1), "sigmoid"))
        x = ops.multiply(x, ops.global_max(x))
        return ops.conv(x, 3, 3)

    graph = trace(network, (SIZE, SIZE, 4))
    found = locality(graph)
    first, second = found.pools
    assert (first.kind, first.level) == ("MEAN", 0)
    assert (second.kind, second.level) == ("REDUCE_MAX", 1)
    assert isinstance(first, Pool)
    # The gates are no part of any place.
    assert first.output not in found.spans
    assert found.spans[graph.outputs[0]][0] == Span(Fraction(1), SIZE, 2, SIZE - 2)


@pytest.mark.parametrize(
    ("network", "kind"),
    [
        (lambda ops, x: ops.attend(x, x, x), "RESHAPE"),
        (lambda ops, x: ops.fold(ops.unfold(x, 2), 2, SIZE), "RESHAPE"),
        (lambda ops, x: ops.row_sum(x), "SUM"),
    ],
)
def test_what_looks_everywhere_cannot_be_tiled(network, kind):
    graph = trace(network, (SIZE, SIZE, 4))
    with pytest.raises(NotLocalError, match=f"op 0 {kind} looks at the whole frame"):
        locality(graph)


def with_constant(shape):
    frame = Tensor((1, 8, 8, 4))
    return Graph((frame, frame), (Op("ADD", (0,), (1,), (shape,)),), (0,), (1,))


def test_a_constant_that_differs_over_the_frame_cannot_be_tiled():
    assert locality(with_constant((4,))).step == (1, 1)
    assert locality(with_constant((1, 1, 1, 4))).step == (1, 1)
    with pytest.raises(NotLocalError, match="op 0 ADD"):
        locality(with_constant((1, 8, 8, 4)))
    with pytest.raises(NotLocalError, match="op 0 ADD"):
        locality(with_constant((8, 1)))


def test_networks_of_several_pictures_are_refused():
    graph = with_constant((4,))
    with pytest.raises(NotLocalError, match="several inputs"):
        locality(Graph(graph.tensors, graph.ops, (0,), (0, 1)))
