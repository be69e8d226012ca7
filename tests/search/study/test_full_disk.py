"""A study on a disk that fills up: a real one, which an unprivileged user may mount for himself."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from tiny_study import tiny_study

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[3]
STUDY = """
import errno, json, sys
from pathlib import Path
from search.config import load_config
from search.errors import UserError
from search.study.driver import run_study
from search.study.observer import Silent

config = load_config(Path(sys.argv[1]))
filler = config.output / "filler"

class Filling(Silent):
    def started(self, label, estimate):
        if label == "trial 0":
            with filler.open("wb", buffering=0) as file:
                while True:
                    try:
                        file.write(bytes(4096))
                    except OSError as error:
                        assert error.errno == errno.ENOSPC
                        return

try:
    run_study(config, Filling())
    refusal = None
except UserError as error:
    refusal = str(error)
filler.unlink()
results = run_study(config, Silent())
trials = [(t.index, t.status, t.weights_sha256) for t in results.trials]
left = [str(path) for path in config.directory.rglob(".*.npz.*")]
print(json.dumps({"refusal": refusal, "trials": trials, "left": left}))
"""


@pytest.fixture
def on_small_disk(tmp_path):
    """Runs a Python program in a namespace where `runs` is a disk of 64 MB; its output."""
    disk = tmp_path / "runs"
    disk.mkdir()
    mounted = ["unshare", "-Urm", "sh", "-c", 'mount -t tmpfs -o size=64m none "$0" && "$@"', disk]
    try:
        subprocess.run([*mounted, "true"], check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("this machine lets no user mount a disk of his own (unshare -Urm)")

    def run(program, *arguments):
        called = subprocess.run(
            [*mounted, sys.executable, "-c", program, *arguments],
            env=os.environ | {"PYTHONPATH": str(ROOT)},
            capture_output=True,
            text=True,
            timeout=300,
        )
        assert called.returncode == 0, called.stderr
        return json.loads(called.stdout)

    return run


def test_a_full_disk_ends_the_study_in_one_line_and_costs_no_trial(
    on_small_disk, tmp_path, data_root
):
    document = tiny_study("tiny", {}, trials=1, finals=None, output=str(tmp_path / "runs"))
    document["data"] = {"root": str(data_root), **document["data"]}
    document["limits"] = {"checkpoint_seconds": 0}
    file = tmp_path / "tiny.yaml"
    file.write_text(yaml.safe_dump(document))
    found = on_small_disk(STUDY, file)
    assert found["refusal"].startswith("the study cannot go on: No space left on device: ")
    assert found["refusal"].endswith("(mend that and run it again)")
    statuses = [(index, status) for index, status, _ in found["trials"]]
    assert statuses == [(0, "interrupted"), (0, "complete")]
    assert found["trials"][1][2] is not None  # Its weights are there.
    assert found["left"] == []
