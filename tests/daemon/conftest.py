# SPDX-License-Identifier: Apache-2.0
"""Fixtures: the real daemon, and the promise that it is as before afterwards.

Run as root from anywhere: /usr/bin/python3 -m pytest tests/daemon. BUILD names
the build folder (default: build), made by "make tests". The host needs no
IOMMU, and none of its devices is changed: what could change one is only asked
of devices that there are not, or as a dry run.
"""

import os
import pathlib
import shutil
import sys

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = ROOT / os.environ.get("BUILD", "build")

sys.path.insert(0, str(BUILD / "tests" / "pb"))
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
sys.path.append(str(ROOT / "tests/vm/guest"))   # manager.py

from daemon import Daemon  # noqa: E402  (needs the path above)
from machine import Machine  # noqa: E402
from policies import Policy  # noqa: E402

if os.geteuid() != 0:
    pytest.exit("the daemon tests run as root", returncode=1)


@pytest.fixture(scope="module")
def running(tmp_path_factory):
    """A daemon for the tests of one file; ends well, and quietly."""
    daemon = Daemon(BUILD / "ioasidd", tmp_path_factory.mktemp("daemon"))
    daemon.start()
    yield daemon
    daemon.stop()


@pytest.fixture
def daemon(running):
    """The daemon, which has no more than before when the test has ended."""
    before = running.measure()
    yield running
    running.settle(before)


@pytest.fixture
def client(daemon):
    """A connection as root."""
    with daemon.connect() as one:
        yield one


@pytest.fixture
def own_daemon(tmp_path):
    """A daemon that the test may kill and start; not yet started."""
    daemon = Daemon(BUILD / "ioasidd", tmp_path)
    yield daemon
    daemon.kill()
    shutil.rmtree(daemon.run, ignore_errors=True)


@pytest.fixture
def make_machine(tmp_path):
    """Makes the daemon of a simulated machine, by its description's name.

    Not yet started. In the end all of it is over, and nothing has complained.
    """
    made = []

    def make(description="testbed"):
        folder = tmp_path / str(len(made))
        folder.mkdir()
        made.append(Machine(BUILD, folder, description))
        return made[-1]

    yield make
    try:
        for one in made:
            one.end()
    finally:
        for one in made:
            one.kill()
            shutil.rmtree(one.run, ignore_errors=True)


@pytest.fixture
def sim(make_machine):
    """The test machine, simulated, with a daemon."""
    machine = make_machine()
    machine.start()
    return machine


@pytest.fixture
def policy(make_machine, tmp_path):
    folder = tmp_path / "etc"
    folder.mkdir(mode=0o755)
    return Policy(make_machine(), folder)
