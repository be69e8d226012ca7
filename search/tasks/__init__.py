"""What a task fixes: shapes at challenge resolution, the score's constant, the phone.

A new task is one file here and its import below.
"""

from .bokeh import BOKEH
from .isp import ISP
from .task import TASKS, Task

__all__ = ["BOKEH", "ISP", "TASKS", "Task"]
