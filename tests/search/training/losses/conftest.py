"""Tests are imported one file at a time, so their helper module needs a path."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
