# SPDX-License-Identifier: Apache-2.0
"""Guarded leases on a real kernel: a hostile holder of the bound device.

What it does is in tests/vm/progs/guarded-holder.c; what is refused before the
kernel is asked, in tests/daemon/test_guarded.py.
"""

import os
import re
import signal
import time
from contextlib import suppress

import pytest
from ioasid import FLAT, IOMMU, NOBODY, PROGS, Ioasidd, faults, wait

pytest_plugins = ["ioasid"]
pytestmark = [
    pytest.mark.skipif(IOMMU == "none", reason="there is no IOMMU"),
    pytest.mark.skipif(FLAT,
                       reason="QEMU 10's AMD IOMMU does not translate DMA")]

GIB = 1 << 30
WINDOW = "window size=1G,start=1G"


def offer(ioasidd: Ioasidd) -> str:
    """A guarded lease of an edu with two spaces, the device on the first."""
    lease = ioasidd.ask(
        "lease", "create", "--uid", str(NOBODY), "--mode", "guarded",
        "--volatile", "--memlock", "1M", "--grace", "1", "--space", "; ".join(
            [WINDOW, f"device {ioasidd.bdf('EDU0')}"]),
        "--space", f"{WINDOW}; device none",
        ioasidd.bdf("EDU0"))
    return str(lease["name"])


def end(child: int) -> None:
    """It has the device: nothing unbinds that as long as it lives."""
    with suppress(ProcessLookupError):
        os.kill(child, signal.SIGKILL)


@pytest.mark.limit(300)
def test_a_hostile_holder_stays_inside(
        ioasidd: Ioasidd, request: pytest.FixtureRequest) -> None:
    """Whatever it attaches, resets and calls: only what is mapped carries; and
    after the fence not that."""
    ioasidd.prepare("EDU0")
    name = offer(ioasidd)
    spaces = [str(one["kernelId"]) for one in ioasidd.lease(name)["spaces"]]
    # Some drivers report ten in 5 s, and a case before this one may have had them.
    time.sleep(6)
    before = len(faults())
    holder = ioasidd.run(PROGS / "guarded-holder", name, uid=NOBODY)
    assert holder.wait(200) == 0, holder.output()
    said = holder.output()
    found = re.search(r"child: (\d+)", said)
    assert found, said
    child = int(found[1])
    request.addfinalizer(lambda: end(child))
    assert said.upper() != said and not re.search(
        r"WROTE OUTSIDE|CARRIES|DONE|PASID \d+ attached", said), said
    for words in ("unpopulated: memory.not-populated", "map: ok",
                  "first: carries\n", "detached: carries nothing",
                  "back: carries\n", "after a reset: carries\n",
                  "after them: carries\n", "shrink: EPERM", "grow: EPERM",
                  "hole: carries nothing",
                  "map with a hole: memory.not-populated",
                  "map outside: memory.outside-windows",
                  "map a page twice: memory.overlap",
                  "map the first page read-only: ok"):
        assert words in said, (words, said)
    # It came onto the spaces of its lease, and page tables of these.
    attached = dict(re.findall(r"attached to (\d+): (carries.*)", said))
    assert attached[spaces[0]] == "carries", said
    assert attached[spaces[1]] == "carries nothing", said
    assert set(attached.values()) == {"carries", "carries nothing"}
    # What it has tried beyond was refused, by the hardware. QEMU's AMD IOMMU says
    # address 0 of whatever it refuses.
    tried = {address >> 12 for _, address in faults()[before:]}
    assert tried & {(GIB - 4096) >> 12, (GIB + 8 * 4096) >> 12,
                    2 * GIB >> 12, 0}, faults()[before:]

    wait(lambda: [step for step in ioasidd.lease(name).get("reclaim", [])
                  if step["act"] == "fence" and step["result"] == "ok"],
         60, "the fence")
    assert not ioasidd.lease(name).get("mappings")
    os.kill(child, signal.SIGUSR1)
    wait(lambda: "after the fence: carries nothing" in holder.output(), 60,
         "the child has tried")
    device = ioasidd.wait_device("EDU0", "QUARANTINED")
    assert "open" in device["stateReason"] or device["stateReason"]
    ioasidd.ask("device", "recover", ioasidd.bdf("EDU0"))
    ioasidd.wait_device("EDU0", "READY")
