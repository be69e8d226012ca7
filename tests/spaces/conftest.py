import sys
from pathlib import Path

# Tests are imported one file at a time, so their helper module needs a path.
sys.path.insert(0, str(Path(__file__).parent))
