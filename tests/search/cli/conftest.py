"""The installed command, run as its user runs it: in a process of its own."""

import os
import subprocess
import sys
import uuid
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import yaml
from processes import wait_for
from tiny_study import tiny_study

ROOT = Path(__file__).parents[3]
INSTALLED = Path(sys.executable).with_name("lensnas")
COMMAND = [str(INSTALLED)] if INSTALLED.exists() else [sys.executable, "-m", "search.cli.main"]
MARK = "LENSNAS_TEST_CALL"


@dataclass
class Terminal:
    """A directory to type commands in; `mark` finds every process started from it."""

    folder: Path
    mark: str = field(default_factory=lambda: uuid.uuid4().hex)

    def environment(self):
        inherited = {k: v for k, v in os.environ.items() if not k.startswith("TF_CPP")}
        return inherited | {"PYTHONPATH": str(ROOT), "COLUMNS": "80", MARK: self.mark}

    def start(self, *arguments, **options):
        """The running command; its own process group, as a terminal gives it one."""
        return subprocess.Popen(
            [*COMMAND, *map(str, arguments)],
            cwd=self.folder,
            env=self.environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
            **options,
        )

    def __call__(self, *arguments, **options):
        """The finished command, with `stdout`, `stderr` and `returncode`."""
        process = self.start(*arguments, **options)
        try:
            out, err = process.communicate(timeout=300)
        finally:
            process.kill()
        return subprocess.CompletedProcess(arguments, process.returncode, out, err)

    def study(self, name="tiny", **changes):
        """The file of a tiny study, with sections merged from keyword arguments."""
        document = tiny_study(name, changes, trials=2, finals={"top": 1, "steps": 8, "seeds": 1})
        path = self.folder / f"{name}.yaml"
        path.write_text(yaml.safe_dump(document))
        return path.name

    def processes(self):
        """Process ids that carry this terminal's mark: commands, fork servers and workers."""
        wanted, found = f"{MARK}={self.mark}".encode(), []
        for entry in Path("/proc").iterdir():
            try:
                if entry.name.isdigit() and wanted in (entry / "environ").read_bytes():
                    found.append(int(entry.name))
            except OSError:
                continue  # It ended meanwhile.
        return found

    def all_gone(self):
        """Whether every process has ended, given the seconds that a fork server may need."""
        return wait_for(lambda: not self.processes(), 30)


@pytest.fixture
def terminal(tmp_path):
    """A terminal in an empty directory."""
    return Terminal(tmp_path)


@pytest.fixture(scope="module")
def workplace(tmp_path_factory):
    """A terminal that the tests of one module share."""
    return Terminal(tmp_path_factory.mktemp("workplace"))


@pytest.fixture(scope="session")
def until():
    """`wait_for`, for tests."""
    return wait_for


@pytest.fixture
def refused():
    """Checks a call that failed as it should: one line on stderr, nothing on stdout, exit code."""

    def check(call, *parts, code=2):
        assert call.returncode == code, call
        lines = [line for line in call.stderr.splitlines() if line.startswith("error: ")]
        assert len(lines) == 1, call.stderr
        assert call.stderr.endswith(lines[0] + "\n")
        assert "Traceback" not in call.stderr
        assert call.stdout == ""
        for part in parts:
            assert part in lines[0]
        return call.stderr

    return check
