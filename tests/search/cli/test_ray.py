"""`lensnas run --runner ray`, with a Ray that it starts on this machine."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest


def complete(document, runs):
    """What a study's complete trials found, and the bytes of their weights, in their order."""
    folder = runs / document["study"] / "trials"
    return [
        (t["index"], t["digest"], t["psnr_db"], t["curve"], weights_of(folder, t["number"]))
        for t in sorted(document["trials"], key=lambda trial: trial["index"])
        if t["status"] == "complete"
    ]


def weights_of(folder, number):
    return (folder / f"{number:05d}" / "weights.npz").read_bytes()


def trainings(cache):
    """The logs of runs that have begun, which hosts keep in the user's cache."""
    return list(cache.glob("lensnas/hosts/*/job/log.txt"))


def working(terminal):
    """Hosts and training processes among what the terminal started; not Ray's own agents, which
    take a minute to see that their driver was killed."""
    names = (Path(f"/proc/{pid}/cmdline") for pid in terminal.processes())
    agents = ("ray::DashboardAgent", "ray::RuntimeEnvAgent")
    return [name for name in map(read, names) if name and not name.startswith(agents)]


def read(path):
    try:
        return path.read_text()
    except OSError:
        return ""


@pytest.mark.slow
def test_a_study_that_was_stopped_ends_the_same_on_ray(terminal, until, monkeypatch):
    settings = {"workers": 2, "trials": 2, "training": {"steps": 80}, "finals": None}
    local = terminal("run", terminal.study("here", **settings), "--json")
    file = terminal.study("ray", **settings)
    cache = terminal.folder / "cache"
    monkeypatch.setenv("XDG_CACHE_HOME", str(cache))
    driver = terminal.start("run", file, "--runner", "ray")
    assert until(lambda: driver.poll() is not None or trainings(cache))
    assert driver.poll() is None, driver.communicate()
    os.killpg(driver.pid, signal.SIGTERM)  # As a terminal or a service manager does.
    out, err = driver.communicate(timeout=60)
    assert (out, driver.returncode) == ("", 130)
    assert "Traceback" not in err
    assert "Search: 0 of 2 done" in err
    assert "raylet" not in err
    assert until(lambda: not working(terminal))

    there = terminal("run", file, "--runner", "ray", "--json")
    assert (local.returncode, there.returncode) == (0, 0), there.stderr
    ours, theirs = (
        complete(json.loads(c.stdout), terminal.folder / "runs") for c in (local, there)
    )
    assert len(ours) == 2
    assert ours == theirs


def test_ray_that_is_not_installed_is_one_line(terminal, refused):
    blocker = (
        "import sys; sys.modules['ray'] = None; from search.cli.main import main; "
        f"sys.argv[1:] = ['run', {terminal.study()!r}, '--runner', 'ray']; main()"
    )
    call = subprocess.run(
        [sys.executable, "-c", blocker], cwd=terminal.folder, env=terminal.environment(),
        capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    refused(call, "the Ray runner needs Ray: pip install -e '.[ray]'")


def test_a_local_run_does_not_import_ray(terminal):
    script = "import sys; import search.study.driver; print('ray' in sys.modules)"
    call = subprocess.run(
        [sys.executable, "-c", script], env=terminal.environment(), capture_output=True, text=True
    )
    assert call.stdout == "False\n"


def test_a_cluster_that_is_not_there_is_one_line(terminal, refused):
    call = terminal("run", terminal.study(), "--runner", "ray", "--address", "127.0.0.1:1")
    refused(call, "no Ray cluster can be reached at 127.0.0.1:1", "docs/cluster.md")


@pytest.mark.parametrize(
    ("options", "parts"),
    [
        (["--runner", "slurm"], ["--runner: runner.kind", "'local' or 'ray'"]),
        (["--address", "head:6379"], ["--address: runner: address: only the ray runner has this"]),
        (["--runner", "ray", "--address", "ray://head:1"], ["runner.address", "should match"]),
        (["--workers", "0"], ["--workers: workers: ", "greater than or equal to 1"]),
    ],
)
def test_options_that_do_not_fit_are_one_line(terminal, refused, options, parts):
    refused(terminal("run", terminal.study(), *options), *parts)
