"""`lensnas dashboard`, as its user starts and ends it."""

import os
import re
import signal
import socket
import subprocess
import sys
from pathlib import Path

import httpx

ROOT = Path(__file__).parents[3]


def start(*arguments):
    return subprocess.Popen(
        [sys.executable, "-m", "search.cli.main", "dashboard", "--no-open", *map(str, arguments)],
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_it_says_where_it_listens_and_ends_with_ctrl_c(finished_runs):
    process = start("tiny", "--runs", finished_runs, "--port", 0)
    address = re.search(r"http://127\.0\.0\.1:\d+/studies/tiny", process.stdout.readline())[0]
    assert "tiny" in httpx.get(address).text
    process.send_signal(signal.SIGINT)
    _, error = process.communicate(timeout=120)
    assert (process.returncode, error) == (0, "")


def test_what_cannot_be_is_one_line(finished_runs):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        for arguments, words in (
            (("nobody", "--runs", finished_runs), "no study 'nobody'"),
            (("--runs", finished_runs, "--port", taken.getsockname()[1]), "choose another --port"),
        ):
            process = start(*arguments)
            _, error = process.communicate(timeout=120)
            assert process.returncode == 2
            assert words in error
            assert error.count("\n") == 1
