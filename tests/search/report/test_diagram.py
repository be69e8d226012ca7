import re
import xml.etree.ElementTree as ET

import numpy as np
import pytest

from search.networks import candidate, zoo_architecture
from search.report.diagram import WIDTH, architecture_diagram
from search.report.op_chain import SHOWN, op_chain
from search.tasks import TASKS
from spaces import SPACES
from spaces.architecture import Architecture
from spaces.zoo import ZOO

SAMPLES = [
    (space, task, i)
    for family in ("unet", "blocks")
    for space, task in ((f"{family}_isp", "isp"), (f"{family}_bokeh", "bokeh"))
    for i in range(12)
]


def texts(svg):
    return [node.text for node in ET.fromstring(svg).iter("text")]


@pytest.mark.parametrize(("space", "task", "seed"), SAMPLES)
def test_a_drawing_says_what_the_traced_network_does(space, task, seed):
    architecture = SPACES[space].sample(np.random.default_rng(seed))
    chosen = architecture.choices
    svg = architecture_diagram(architecture, TASKS[task])
    shown = texts(svg)
    height, width, _ = TASKS[task].input_shape
    graph = candidate(architecture).trace(height, width)
    shapes = {" x ".join(map(str, t.shape[1:])) for t in graph.tensors if len(t.shape) == 4}
    drawn = {m[0] for m in re.finditer(r"\d+ x \d+ x \d+", " | ".join(shown))}
    assert drawn <= shapes
    attention = sum(" + " in text for text in shown)
    levels = [
        i for i in range(chosen["levels"] + 1) if chosen[f"attention_{i}"] not in (False, "none")
    ]
    assert attention == sum(1 if i == chosen["levels"] else 2 for i in levels)
    assert sum(text.startswith("skip:") for text in shown) == (
        0 if chosen.get("skip", "none") == "none" else chosen["levels"]
    )
    assert any(text.startswith("global path") for text in shown) == (
        chosen["global_path"] != "none"
    )


@pytest.mark.parametrize(("space", "task", "seed"), SAMPLES)
def test_boxes_lie_inside_the_drawing_and_apart(space, task, seed):
    architecture = SPACES[space].sample(np.random.default_rng(seed))
    svg = ET.fromstring(architecture_diagram(architecture, TASKS[task]))
    height = float(svg.get("viewBox").split()[3])
    boxes = [
        tuple(float(rect.get(k)) for k in ("x", "y", "width", "height"))
        for rect in svg.iter("rect")
        if rect.get("class") != "frame"
    ]
    for x, y, w, h in boxes:
        assert x >= 0
        assert y >= 0
        assert x + w <= WIDTH
        assert y + h <= height
    for i, (x, y, w, h) in enumerate(boxes):
        for other_x, other_y, other_w, other_h in boxes[:i]:
            apart = x >= other_x + other_w or other_x >= x + w or y >= other_y + other_h
            assert apart or other_y >= y + h


@pytest.mark.parametrize("name", list(ZOO))
def test_every_published_system_can_be_drawn(name):
    drawing = architecture_diagram(zoo_architecture(name), TASKS[ZOO[name].task])
    ET.fromstring(drawing)


def test_a_chain_names_inputs_that_are_not_the_last_output():
    architecture = Architecture.of("zoo", {"system": "antins_cv"})
    html = op_chain(candidate(architecture).trace(1024, 1024))
    assert re.search(r"ADD to 256 x 256 x 12 of #\d+, #\d+", html)


def test_a_long_chain_is_cut():
    html = op_chain(ZOO["pynet_bokeh"].trace())
    assert html.count("<li") == SHOWN + 1
    assert re.search(r"and \d+ more", html)
