"""Architectures: how they are described, sampled, built in Keras and traced without it.

Importing any part of it registers the search spaces in `SPACES`.
"""

from . import block_spaces as block_spaces
from . import unet_spaces as unet_spaces
from .space import SPACES as SPACES
