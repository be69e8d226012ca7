"""The worked example of docs/zoo.md is a system that works."""

import subprocess
import sys
import textwrap
from pathlib import Path

ROOT = Path(__file__).parents[3]
CHECK = """
import sys
sys.argv = ["lensnas", "list", "--task", "isp"]
from spaces.zoo import ZOO
from search.training.published import system_recipe
system = ZOO["two_blocks"]
assert system.trace().parameters == system.parameters, system.trace().parameters
assert len(system_recipe(system).stages) == 2
from search.cli.zoo import app
app()
"""


def test_the_example_runs_and_is_listed():
    """In a process of its own, so that no other test meets the system."""
    text = (ROOT / "docs" / "zoo.md").read_text()
    after = text.split("# spaces/zoo/isp/two_blocks.py\n")[1]
    lines = []
    for line in after.splitlines():
        if line and not line.startswith("    "):
            break
        lines.append(line)
    code = textwrap.dedent("\n".join(lines)) + CHECK
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "two_blocks" in done.stdout.split()
