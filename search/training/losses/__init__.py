"""Training losses: functions of target and prediction [B, H, W, 3] to a scalar.

One file a family, one registration a loss. `bokeh` also needs the photograph; `adversarial` and
`transfer` are what `search.training.tricks` is made of.
"""

from . import colour as colour
from . import edge as edge
from . import exposure as exposure
from . import patch as patch
from . import pixel as pixel
from . import similarity as similarity
from .registry import LOSSES as LOSSES
from .registry import Loss as Loss
