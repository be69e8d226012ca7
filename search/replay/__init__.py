"""Studies replayed from a table of trainings: a search of hours in seconds."""

from .pool import ReplayPool
from .probes import Probes, read_probes
from .replay import Replayed, replay, study_of
from .table import Row, Run, TrainedTable, read_table, write_table

__all__ = [
    "Probes",
    "ReplayPool",
    "Replayed",
    "Row",
    "Run",
    "TrainedTable",
    "read_probes",
    "read_table",
    "replay",
    "study_of",
    "write_table",
]
