"""An architecture drawn: a U as inline SVG, any other network as a chain of its operations."""

from __future__ import annotations

import html
import itertools
from collections.abc import Mapping
from dataclasses import dataclass

from search.networks import candidate
from search.tasks import Task
from spaces.architecture import Architecture, Value
from spaces.blocks.filters import FILTERS
from spaces.label import label
from spaces.unet import UNET_SPACES, filters_of, finish_of, level_of, reduction

from .op_chain import op_chain

WIDTH = 780
BOX_WIDTH, BOX_HEIGHT, ROW, INDENT, MARGIN = 210, 46, 82, 36, 12
Choices = Mapping[str, Value]


@dataclass(frozen=True)
class Box:
    """One box: its centre `x`, its top `y`, two lines of text and a CSS class."""

    x: float
    y: float
    title: str
    detail: str
    kind: str = "box"

    @property
    def bottom(self) -> float:
        """Lower edge."""
        return self.y + BOX_HEIGHT

    def svg(self) -> str:
        """The rectangle and its text."""
        left = self.x - BOX_WIDTH / 2
        return (
            f'<rect class="{self.kind}" x="{left}" y="{self.y}" width="{BOX_WIDTH}" '
            f'height="{BOX_HEIGHT}" rx="6"/>'
            f'<text x="{self.x}" y="{self.y + 19}">{html.escape(self.title)}</text>'
            f'<text class="detail" x="{self.x}" y="{self.y + 36}">{html.escape(self.detail)}</text>'
        )


def architecture_diagram(architecture: Architecture, task: Task) -> str:
    """HTML of one architecture at the task's resolution; the shapes in it are H x W x C."""
    if architecture.space in UNET_SPACES:
        return _unet_svg(architecture, task)
    height, width, _ = task.input_shape
    return op_chain(candidate(architecture).trace(height, width))


def _unet_svg(architecture: Architecture, task: Task) -> str:
    choices = architecture.choices
    levels = int(choices["levels"])
    down_chain, up_chain = _before(choices, task), _after(choices, task)
    # The chains above the U end at the same height, whichever is longer.
    top = MARGIN + ROW * max(len(down_chain), len(up_chain)) + 8
    left_x, right_x = MARGIN + BOX_WIDTH / 2 + 10, WIDTH - MARGIN - BOX_WIDTH / 2 - 10
    left = _stack(down_chain, left_x, top - ROW * len(down_chain))
    right = _stack(up_chain[::-1], right_x, top - ROW * len(up_chain))
    parts = [*_chain_arrows(left, down=True), *_chain_arrows(right, down=False)]
    body_top = top + 14
    body, bottom = _u_parts(choices, task, left_x, right_x, body_top, levels)
    if levels:
        parts += [
            _arrow(left_x, left[-1].bottom, left_x, body_top),
            _arrow(right_x, body_top, right_x, right[-1].bottom),
        ]
    else:
        middle, half = body_top + BOX_HEIGHT / 2, BOX_WIDTH / 2
        parts += [
            _elbow(left_x, left[-1].bottom, WIDTH / 2 - half, middle),
            _elbow_up(WIDTH / 2 + half, middle, right_x, right[-1].bottom),
        ]
    parts += body
    parts += _global_path(choices, left, right)
    parts += [box.svg() for box in (*left, *right)]
    if levels and int(choices["stacks"]) > 1:
        parts.append(_stacks_frame(int(choices["stacks"]), body_top, bottom))
        bottom += 30
    text = html.escape(f"Diagram of the network: {label(architecture)}", quote=True)
    return (
        f'<svg class="diagram" viewBox="0 0 {WIDTH} {bottom + MARGIN}" role="img" '
        f'aria-label="{text}"><defs><marker id="tip" viewBox="0 0 8 8" refX="7" refY="4" '
        'markerWidth="7" markerHeight="7" orient="auto"><path class="tip" d="M0 0L8 4L0 8z"/>'
        f"</marker></defs>{''.join(parts)}</svg>"
    )


# -- the chains before and after the U, outermost first ---------------------------------


def _before(choices: Choices, task: Task) -> list[tuple[str, str, str]]:
    height, width, channels = task.input_shape
    boxes = [("input", f"{height} x {width} x {channels}", "end")]
    filters = filters_of(choices)
    if filters != "none":
        channels *= 1 + len(FILTERS[filters])
        boxes.append(
            (f"input beside its {_words(filters)}", f"{height} x {width} x {channels}", "box")
        )
    packing = int(choices["packing"])
    if packing > 1:
        shape = f"{height // packing} x {width // packing} x {channels * packing**2}"
        boxes.append((f"space to depth {packing}", shape, "move"))
    stem = str(choices["stem"] if "stem" in choices else choices["stem_packed"])
    activation = choices["stem_activation"]
    if activation == "same":
        activation = choices["activation"]
    boxes.append((f"stem: {stem}, {activation}", _shape(choices, task, 0), "box"))
    return boxes


def _after(choices: Choices, task: Task) -> list[tuple[str, str, str]]:
    """Outermost first, as `_before`: the output comes first."""
    height, width, channels = task.output_shape
    block = task.scale * reduction(choices)
    shape = f"{height} x {width} x {channels}"
    boxes = [("output", shape, "end")]
    finish = finish_of(choices)
    if finish:
        boxes.append((" and ".join(_words(step) for step in finish), shape, "box"))
    if choices["head"] == "refine3":
        boxes.append(("refine: conv3", shape, "box"))
    if block > 1:
        boxes.append((f"depth to space {block}", shape, "move"))
    kernel = "conv1" if choices["head"] == "conv1" else "conv3"
    size = f"{height // block} x {width // block} x {channels * block**2}"
    boxes.append((f"head: {kernel}", size, "box"))
    return boxes


def _stack(chain: list[tuple[str, str, str]], x: float, top: float) -> list[Box]:
    """Boxes one under another. For the right side the chain comes innermost first: reversed."""
    ordered = chain if chain[0][0] == "input" else chain[::-1]
    return [Box(x, top + i * ROW, *item) for i, item in enumerate(ordered)]


def _chain_arrows(boxes: list[Box], *, down: bool) -> list[str]:
    pairs = list(itertools.pairwise(boxes))
    if down:
        return [_arrow(a.x, a.bottom, b.x, b.y) for a, b in pairs]
    return [_arrow(b.x, b.y, a.x, a.bottom) for a, b in pairs]


def _global_path(choices: Choices, left: list[Box], right: list[Box]) -> list[str]:
    """The linear convolution joins behind the head, the residual behind depth_to_space."""
    kind = choices["global_path"]
    if kind == "none":
        return []
    if kind == "linear":
        size = reduction(choices) + 2
        text = f"global path: linear conv{size}, added to the head"
        target = next(b for b in right if b.title.startswith("head"))
    else:
        text = "global path: the input, added"
        names = ("depth to space", "head")
        target = next(b for name in names for b in right if b.title.startswith(name))
    source = left[0]
    x0, x1 = source.x + BOX_WIDTH / 2, target.x - BOX_WIDTH / 2
    y0, y1 = source.y + BOX_HEIGHT / 2, target.y + 10
    middle = WIDTH / 2
    return [
        f'<path class="global" d="M{x0} {y0}H{middle}V{y1}H{x1}" marker-end="url(#tip)"/>',
        f'<text class="note" x="{middle}" y="{y0 - 8}">{html.escape(text)}</text>',
    ]


# -- the U -----------------------------------------------------------------------------


def _u_parts(
    choices: Choices, task: Task, left_x: float, right_x: float, top: float, levels: int
) -> tuple[list[str], float]:
    """SVG of encoder, decoder and what joins them, and the y of its lower edge."""
    boxes: list[Box] = []
    parts: list[str] = []
    for level in range(levels):
        y = top + level * ROW
        encoder = _level_box(choices, task, level, left_x + level * INDENT, y)
        decoder = _level_box(choices, task, level, right_x - level * INDENT, y)
        boxes += [encoder, decoder]
        parts += _skip(choices, encoder, decoder)
        last = level + 1 == levels
        shift = 0.0 if last else INDENT
        below = y + ROW
        # The way down leaves at the right third of a box, so that its label has room.
        x0, x1 = encoder.x + 40, encoder.x + 40 + shift
        z0, z1 = decoder.x - 40 - shift, decoder.x - 40
        if last:
            end = below + BOX_HEIGHT / 2
            parts += [
                _elbow(encoder.x, encoder.bottom, WIDTH / 2 - BOX_WIDTH / 2, end),
                _elbow_up(WIDTH / 2 + BOX_WIDTH / 2, end, decoder.x, decoder.bottom),
            ]
        else:
            parts += [
                _arrow(x0, encoder.bottom, x1, below),
                _arrow(z0, below, z1, decoder.bottom),
            ]
        middle = encoder.bottom + (ROW - BOX_HEIGHT) / 2 + 4
        down, up = _words(choices["down"]), _words(choices["up"])
        if last:  # beside the elbows, inside the U
            parts += [
                _note(encoder.x + 10, middle, down, "start"),
                _note(decoder.x - 10, middle, up, "end"),
            ]
        else:
            parts += [
                _note(encoder.x - 48, middle, down, "middle"),
                _note(decoder.x + 48, middle, up, "middle"),
            ]
    bottom_box = _level_box(choices, task, levels, WIDTH / 2, top + levels * ROW)
    boxes.append(bottom_box)
    return [*parts, *(box.svg() for box in boxes)], bottom_box.bottom


def _level_box(choices: Choices, task: Task, level: int, x: float, y: float) -> Box:
    chosen = level_of(choices, level)
    title = f"{chosen.count} x {chosen.block}"
    detail = f"{_shape(choices, task, level)}, {choices['activation']}"
    if chosen.attention == "none":
        return Box(x, y, title, detail)
    attention = "attention" if chosen.attention == "channel" else chosen.attention
    return Box(x, y, f"{title} + {attention}", detail, "box attention")


def _shape(choices: Choices, task: Task, level: int) -> str:
    shrink = reduction(choices) * 2**level
    height, width, _ = task.input_shape
    return f"{height // shrink} x {width // shrink} x {choices[f'width_{level}']}"


def _skip(choices: Choices, encoder: Box, decoder: Box) -> list[str]:
    if choices["skip"] == "none":
        return []
    y = encoder.y + BOX_HEIGHT / 2
    x0, x1 = encoder.x + BOX_WIDTH / 2, decoder.x - BOX_WIDTH / 2
    return [
        f'<path class="skip" d="M{x0} {y}H{x1}" marker-end="url(#tip)"/>',
        _note((x0 + x1) / 2, y - 6, f"skip: {choices['skip']}", "middle"),
    ]


def _stacks_frame(stacks: int, top: float, bottom: float) -> str:
    x, y = 3, top - 9
    return (
        f'<rect class="frame" x="{x}" y="{y}" width="{WIDTH - 2 * x}" '
        f'height="{bottom - y + 30}" rx="8"/>'
        f'<text class="note left" x="{x + 10}" y="{bottom + 18}">{stacks} such hourglasses in a '
        "row, a residual around each but the first</text>"
    )


# -- pens ----------------------------------------------------------------------------------


def _words(name: Value) -> str:
    return str(name).replace("_", " ")


def _note(x: float, y: float, text: str, anchor: str) -> str:
    return (
        f'<text class="note" style="text-anchor:{anchor}" x="{x}" y="{y}">'
        f"{html.escape(text)}</text>"
    )


def _arrow(x0: float, y0: float, x1: float, y1: float) -> str:
    return f'<path class="flow" d="M{x0} {y0}L{x1} {y1}" marker-end="url(#tip)"/>'


def _elbow(x0: float, y0: float, x1: float, y1: float) -> str:
    """Down, then sideways."""
    return f'<path class="flow" d="M{x0} {y0}V{y1}H{x1}" marker-end="url(#tip)"/>'


def _elbow_up(x0: float, y0: float, x1: float, y1: float) -> str:
    """Sideways, then up."""
    return f'<path class="flow" d="M{x0} {y0}H{x1}V{y1}" marker-end="url(#tip)"/>'
