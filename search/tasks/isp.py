"""Learned smartphone ISP: packed RAW Bayer frame to RGB (Mobile AI 2022)."""

from __future__ import annotations

from .task import TASKS, Task

ISP = TASKS.add(
    "isp",
    Task(
        name="isp",
        title="Learned smartphone ISP",
        input_shape=(544, 960, 4),
        output_shape=(1088, 1920, 3),
        log2_c=40.0,
        device="snapdragon-8-gen-1",
        default_space="unet_isp",
        input_note="packed Bayer planes B, Gb, R, Gr",
        output_note="RGB in [0, 1]",
    ),
)
