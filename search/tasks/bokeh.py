"""Realistic bokeh: a photograph in focus to one with a shallow depth of field (Mobile AI 2022)."""

from __future__ import annotations

from .task import TASKS, Task

BOKEH = TASKS.add(
    "bokeh",
    Task(
        name="bokeh",
        title="Realistic bokeh rendering",
        input_shape=(1024, 1024, 3),
        output_shape=(1024, 1024, 3),
        log2_c=34.5,
        device="kirin-9000",
        default_space="unet_bokeh",
        input_note="RGB in [0, 1]",
        output_note="RGB in [0, 1]",
    ),
)
