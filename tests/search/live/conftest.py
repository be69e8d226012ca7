"""Studies in a folder of runs."""

from written_study import runs, written

__all__ = ["runs", "written"]
