# SPDX-License-Identifier: Apache-2.0
"""Page tables of guests, dirty tracking, faults: on the kernel's own mock.

No IOMMU that QEMU emulates has them. Each program of tests/vm/mock is one
subject; its cases are asked by the daemon's table and by libioasid. The mock has
nothing to do with the machine's IOMMU, so one machine asks.
"""

import os
import re
import subprocess
from pathlib import Path

import pytest
from ioasid import NOBODY, PROGS, Ioasidd

pytest_plugins = ["ioasid"]

TOP = Path(__file__).resolve().parents[3]
SOURCES = sorted((TOP / "tests/vm/mock").glob("*.c"))
PROGRAMS = TOP / "build/tests/mock"
HUGE_PAGES = Path("/proc/sys/vm/nr_hugepages")

pytestmark = pytest.mark.skipif(
    os.environ["IOMMU"] != "vtd-scalable",
    reason="the mock is the same on every machine")


@pytest.fixture(name="huge_pages", autouse=True)
def _huge_pages():
    """Memory for long pages of a page table; given back."""
    before = HUGE_PAGES.read_text()
    HUGE_PAGES.write_text("8")
    yield
    HUGE_PAGES.write_text(before)


def test_there_are_subjects():
    """An empty folder would pass the other."""
    assert len(SOURCES) == 6


@pytest.mark.parametrize("name", [source.stem for source in SOURCES])
def test_mock(name):
    """Every case of a subject, as many as it has planned, twice."""
    done = subprocess.run([PROGRAMS / name], stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, timeout=160,
                          check=False)
    print(done.stdout)
    lines = done.stdout.splitlines()
    plan = re.search(r"^1\.\.(\d+)$", done.stdout, re.M)
    assert plan, done.stdout
    passed = [line for line in lines if line.startswith("ok ")]
    assert done.returncode == 0 and len(passed) == int(plan[1]) >= 12, \
        done.stdout
    for who in ("kernel", "libioasid"):
        assert sum(f" - {who}: " in line for line in passed) == \
            len(passed) // 2


def test_a_real_device_is_refused_what_its_iommu_cannot(
        ioasidd: Ioasidd) -> None:
    """QEMU's VT-d: no nesting, no dirty tracking; an edu asks for no pages."""
    ioasidd.prepare("EDU0")
    client = ioasidd.run(PROGS / "pagetable", ioasidd.offer("EDU0"),
                         uid=NOBODY)
    assert client.wait() == 0, client.output()
    assert client.output().splitlines() == [
        "dirty table: client.unsupported", "nest parent: client.unsupported",
        "fault queue: ok", "close-on-exec: 1", "readable: 0", "read: ok",
        "faults: 0", "answer to none: client.no-object", "table with it: ok",
        "device that never faults: client.kernel", "table ends: ok",
        "queue open: client.in-use", "queue closed: ok",
        # That the device will never use one is nothing to the kernel.
        "PASID table: ok", "device itself: ok", "PASID: ok",
        "where it should: 1", "in use: client.in-use", "PASID off: ok",
        "device off: ok", "table two ends: ok",
        "table one ends: ok", "space ends: ok"]
