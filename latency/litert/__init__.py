"""Running .tflite files with LiteRT on this machine, each in a process of its own.

The GPU backend aborts on some models and grows with each one compiled, so nothing of
it ever runs in the caller's process.
"""

from .driver import VulkanDriver, find_vulkan_driver
from .second_opinion import Disagreement, SecondOpinion, disagreements, second_opinion
from .timing import LiteRTError, LocalTiming, time_model

__all__ = [
    "Disagreement",
    "LiteRTError",
    "LocalTiming",
    "SecondOpinion",
    "VulkanDriver",
    "disagreements",
    "find_vulkan_driver",
    "second_opinion",
    "time_model",
]
