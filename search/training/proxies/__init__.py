"""Zero-cost proxies: what a network shows before its first training step.

One file and one registration each; a study's `probing` chooses among them.
"""

from . import gradient_norm as gradient_norm
from . import naswot as naswot
from . import ridge_probe as ridge_probe
from . import synflow as synflow
from .registry import PROXIES as PROXIES
from .registry import Proxy as Proxy
from .registry import measured as measured
from .subject import Subject as Subject
