"""Building blocks, each written once against `Ops` and found by name in a registry.

A block that belongs to a family (features, attention, down, up, skip, fixed filters, tone) is
registered under the name that search spaces use for it. All modules are imported here, so that
no registry is ever read half full.
"""

from . import attention as attention
from . import colour as colour
from . import convs as convs
from . import distillation as distillation
from . import down as down
from . import features as features
from . import filters as filters
from . import mobile as mobile
from . import naf as naf
from . import residual as residual
from . import skip as skip
from . import up as up
from . import wavelet as wavelet
