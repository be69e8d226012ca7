"""Published systems of the two Mobile AI & AIM 2022 challenges: their graphs and their results.

`published` holds the tables as printed, `ZOO` the networks rebuilt from papers,
public code and file sizes. Every `ZooSystem` says how far it can be trusted.
"""

from . import bokeh as bokeh
from . import isp as isp
from .system import ZOO as ZOO
from .system import ZooSystem as ZooSystem
