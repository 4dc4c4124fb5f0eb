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

from daemon import Daemon  # noqa: E402  (needs the path above)

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
