"""The simulation of this machine, as it was captured, is like this machine."""

import json
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from ioasid import ALLOWED, Ioasidd, wait

pytest_plugins = ["ioasid"]

# What is of a boot, or of a moment, and not of the machine.
FLEETING = {"revision", "etag", "probed", "bindUs"}


def lasting(value: Any) -> Any:
    """JSON without what is another each time."""
    if isinstance(value, dict):
        return {key: lasting(item) for key, item in value.items()
                if key not in FLEETING}
    if isinstance(value, list):
        return [lasting(item) for item in value]
    return value


class Simulated:
    """ioasidd-sim, and ioasidctl in front of it."""

    def __init__(self, folder: Path) -> None:
        self.state, self.socket = folder / "sim", folder / "sim.sock"

    def ask(self, *args: str) -> Any:
        """ioasidctl --json: what it printed."""
        done = subprocess.run(
            ["ioasidctl", "--json", "--socket", str(self.socket), *args],
            check=False, capture_output=True, text=True, timeout=120)
        assert not done.returncode, done.stderr
        return json.loads(done.stdout)


@contextmanager
def simulated(ioasidd: Ioasidd) -> Iterator[Simulated]:
    """Capture the machine, and simulate it."""
    captured = ioasidd.ctl("machine", "capture")
    assert not captured.returncode, captured.stderr
    description = ioasidd.folder / "captured.json"
    description.write_text(captured.stdout)
    copy = Simulated(ioasidd.folder)
    options = ["--state-dir", str(copy.state)]
    process = ioasidd.run(
        "ioasidd-sim", "--foreground", "--machine", description, *options,
        "--socket", copy.socket, "--no-api")
    wait(lambda: copy.socket.exists() or process.popen.poll() is not None, 60,
         "ioasidd-sim answers")
    assert process.popen.poll() is None, process.output()
    try:
        yield copy
    finally:
        subprocess.run(["ioasidd-sim", *options, "--poke", "power-off"],
                       check=False, timeout=60)


def test_simulation_of_the_captured_machine_lists_the_same(
        ioasidd: Ioasidd) -> None:
    """Nothing of it is prepared, and nothing was."""
    with simulated(ioasidd) as copy:
        for what in (("devices", "--all"), ("groups",)):
            assert lasting(copy.ask(*what)) == lasting(ioasidd.ask(*what))


@pytest.mark.parametrize("name", ["EDU0", "NVME0", "PAIR1"])
def test_simulation_of_the_captured_machine_prepares_the_same(
        ioasidd: Ioasidd, name: str) -> None:
    """Ranges, hardware, page tables and what is reset together are the same.

    Also of a pair that lists a reset which does not work.
    """
    ioasidd.prepare(name, "--allow-no-reset")
    with simulated(ioasidd) as copy:
        copy.ask("prepare", *ALLOWED, "--allow-no-reset", os.environ[name])
        for what in (("devices", "--all"), ("groups",)):
            assert lasting(copy.ask(*what)) == lasting(ioasidd.ask(*what))
