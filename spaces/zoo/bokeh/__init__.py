"""Systems of the bokeh challenge; importing a module registers its systems."""

from . import antins_cv as antins_cv
from . import enerzai_bokeh as enerzai_bokeh
from . import miaigo as miaigo
from . import pynet_bokeh as pynet_bokeh
from . import sensebrain as sensebrain
from . import vic as vic
from . import zjut_vision as zjut_vision
