# SPDX-License-Identifier: Apache-2.0
"""The real ioasidd on this host without memory: what reads sysfs and procfs is
not on the simulated machine."""

import contextlib
import os
import pathlib
import subprocess
import time

import pytest

from bench import without_times
from conftest import BUILD
from daemon import Daemon, Refused
from google.protobuf import json_format
from plan import Kind, Plan


def start(daemon: Daemon) -> bool:
    """Start it; whether it serves, or has ended with 1 and a reason."""
    daemon.log.write_bytes(b"")
    with open(daemon.log, "ab") as log:
        daemon.process = subprocess.Popen(daemon.command(), stderr=log)
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        if daemon.process.poll() is not None:
            assert daemon.process.returncode == 1, daemon.words()
            assert "cannot start: " in daemon.words()
            # Words, and not only the name of the part.
            assert ":  [" not in daemon.words(), daemon.words()
            return False
        if " serves " in daemon.words():
            return True
        time.sleep(0.002)
    raise AssertionError("it neither serves nor ends")


def shown(daemon: Daemon) -> list[object]:
    """All that it shows of this host; it may be cut off once."""
    for _ in range(2):
        with contextlib.suppress(AttributeError, OSError, AssertionError,
                                 Refused), \
                daemon.connect() as client:
            return [without_times(json_format.MessageToDict(one)) for one in (
                *client.call("Devices/ListDevices", all=True).devices,
                *client.call("Groups/ListGroups").groups,
                *client.call("Iommus/ListIommus").iommus)]
    raise AssertionError("it does not answer")


@pytest.mark.limit(600)
def test_a_start_on_this_host_without_memory_fails_or_is_whole(
        tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No half of an inventory, and no folder taken for an empty one."""
    plan = Plan(tmp_path / "plan")
    monkeypatch.setitem(os.environ, "IOASID_FAULTS_PLAN", str(plan.path))
    daemon = Daemon(BUILD / "ioasidd", tmp_path)
    failed = n = 0
    expected = None
    try:
        assert start(daemon)
        expected = shown(daemon)
        daemon.kill()
        while True:
            n += 1
            plan.arm(Kind.MEMORY, n)
            if start(daemon):
                assert shown(daemon) == expected, \
                    plan.stack(BUILD / "ioasidd")
            else:
                failed += 1
            daemon.kill()
            if not plan.fired:
                break
    finally:
        daemon.kill()
        for socket in daemon.run.iterdir():
            socket.unlink()
        daemon.run.rmdir()
    assert expected is not None
    assert failed > 20
