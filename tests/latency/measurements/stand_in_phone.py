"""A program called adb that answers as the real one does, with a phone of its own.

Its state is a JSON file, so that a test can say what the phone is like: which
phones are connected and in which state, what benchmark_model prints and how it
ends. Its phone's files are a folder; every call is logged.
"""

import json
import os
import shlex
import struct
import sys
import time
from pathlib import Path

UNAUTHORIZED = """\
error: device unauthorized.
This adb server's $ADB_VENDOR_KEYS is not set
Try 'adb kill-server' if that seems wrong.
Otherwise check for a confirmation dialog on your device.
"""
PROPERTIES = {
    "ro.product.cpu.abi": "arm64-v8a",
    "ro.product.model": "Pixel 8",
    "ro.build.version.release": "15",
}
ELF_ARM64, ELF_ARM32 = (
    b"\x7fELF" + bytes(12) + struct.pack("<HH", 3, machine) for machine in (183, 40)
)


class StandIn:
    """What a test sees of it. `path` is a PATH on which adb is this one."""

    def __init__(self, folder):
        self.folder = folder
        (folder / "bin").mkdir(parents=True)
        program = folder / "bin" / "adb"
        program.write_text(f'#!/bin/sh\nexec {sys.executable} {__file__} {folder} "$@"\n')
        program.chmod(0o755)
        self.path = f"{folder / 'bin'}{os.pathsep}{os.environ['PATH']}"
        self.set(phones={"SERIAL1": "device"}, properties=PROPERTIES, plain={}, profiled={})

    def set(self, **changes):
        """Change what the phone is like."""
        state = self.folder / "state.json"
        old = json.loads(state.read_text()) if state.exists() else {}
        state.write_text(json.dumps(old | changes))

    def calls(self, word):
        """The calls so far that have `word` among their arguments."""
        log = self.folder / "calls.log"
        lines = log.read_text().splitlines() if log.exists() else []
        return [line for line in lines if word in line]

    def remote(self, path):
        """A file of the phone."""
        return self.folder / "phone" / str(path).lstrip("/")

    def tool(self, content=ELF_ARM64):
        """A local build of benchmark_model."""
        path = self.folder / "android_benchmark_model"
        path.write_bytes(content)
        return path


def main(folder, *arguments):
    stand_in = folder / "state.json"
    state = json.loads(stand_in.read_text())
    with (folder / "calls.log").open("a") as log:
        print(*arguments, file=log)
    if arguments == ("devices",):
        print("List of devices attached")
        for serial, phone_state in state["phones"].items():
            print(f"{serial}\t{phone_state}")
        print()
        return 0
    option, serial, command, *rest = arguments
    assert option == "-s", "adb is always told which phone"
    if serial not in state["phones"]:
        print(f"error: device '{serial}' not found", file=sys.stderr)
        return 1
    if state["phones"][serial] == "unauthorized":
        print(UNAUTHORIZED, file=sys.stderr, end="")
        return 1
    if state["phones"][serial] == "offline":
        print("error: device offline", file=sys.stderr)
        return 1
    if command == "get-state":
        print(state["phones"][serial])
        return 0
    files = folder / "phone"
    if command == "push":
        return push(files, *rest, state)
    assert command == "shell"
    return shell(files, shlex.split(rest[0].removesuffix(" 2>&1")), state, stand_in)


def push(files, source, target, state):
    remote = files / target.lstrip("/")
    if state.get("full"):
        print(f"adb: error: failed to copy '{source}': No space left on device", file=sys.stderr)
        return 1
    if not remote.parent.is_dir():
        print(f"adb: error: failed to copy '{source}': No such file", file=sys.stderr)
        return 1
    remote.write_bytes(Path(source).read_bytes())
    print(f"{source}: 1 file pushed, 0 skipped.")
    return 0


def shell(files, words, state, stand_in):
    last = files / words[-1].lstrip("/")
    if words[0] == "getprop":
        print(state["properties"].get(words[1], ""))
    elif words[0] == "mkdir":
        last.mkdir(parents=True, exist_ok=True)
    elif words[0] == "chmod":
        last.chmod(int(words[1], 8))
    elif words[0] == "stat":
        if not last.exists():
            print(f"stat: '{words[-1]}': No such file or directory", file=sys.stderr)
            return 1
        print(last.stat().st_size)
    else:
        return benchmark(files, words, state, stand_in)
    return 0


def benchmark(files, words, state, stand_in):
    """benchmark_model: what the state says it prints, and how it ends."""
    tool = files / words[0].lstrip("/")
    if not (tool.exists() and os.access(tool, os.X_OK)):
        print(f"sh: {words[0]}: can't execute: Permission denied")
        return 126
    graph = next(word.removeprefix("--graph=") for word in words if word.startswith("--graph="))
    if (files / graph.lstrip("/")).read_bytes() in [m.encode() for m in state.get("broken", [])]:
        print(f"INFO: STARTING!\nERROR: Failed to load model {graph}")
        return 1
    outcome = state["profiled" if "--enable_op_profiling=true" in words else "plain"]
    print(outcome.get("log", ""), end="")
    sys.stdout.flush()
    time.sleep(outcome.get("seconds", 0))
    if outcome.get("unplugged"):
        stand_in.write_text(json.dumps(state | {"phones": {}}))
    return outcome.get("exit", 0)


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), *sys.argv[2:]))
