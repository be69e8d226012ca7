"""A few rounds of benchmarks/faults.py: studies whose workers, driver and database are killed."""

import faults
import pytest

pytestmark = pytest.mark.slow


@pytest.mark.parametrize(
    ("storage", "kinds"),
    [
        ("postgresql", ["server", "driver", "worker"]),
        ("sqlite", ["clock", "driver"]),
    ],
)
def test_nothing_is_lost_or_doubled(request, tmp_path, storage, kinds):
    server = request.getfixturevalue("postgres") if storage == "postgresql" else None
    folder = tmp_path / "round"
    folder.mkdir()
    outcome = faults.study_round(1, folder, server, faults=kinds, trials=4)
    assert outcome.problems == []
    assert outcome.restarts >= 1
    assert outcome.said_complete > 0
