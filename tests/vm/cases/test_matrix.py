# SPDX-License-Identifier: Apache-2.0
"""What the matrix needs of each machine and no other file of cases has.

The other cells are shown by cases that were there: grep for mark.cell.
"""

import errno
import os
import re
import sys
from collections.abc import Callable
from typing import Any

import pytest
from ioasid import IOMMU, KERNEL_OF, TOP, Ioasidd
from test_reclaim import assert_reclaimed, holder, lease_of

sys.path.append(str(TOP / "tests/conformance"))

# pylint: disable=wrong-import-position
from holder import NOWHERE, PAGE, Holder, ok, refused  # noqa: E402

pytest_plugins = ["ioasid"]
pytestmark = pytest.mark.skipif(KERNEL_OF == "debian",
                                reason="the kernel has no iommufd")
without_iommu = pytest.mark.skipif(IOMMU != "none", reason="there is an IOMMU")
Impossible = Callable[[int, str], None]
SIZE = 16 << 20


def hold(ioasidd: Ioasidd, start: int) -> tuple[Holder, dict[str, Any]]:
    """A hold lease of an edu, on one space with a window there; its holder."""
    name = ioasidd.offer("EDU0", options=(
        "--mode", "hold", "--memlock", "64M", "--grace", "1",
        "--space", f"window size={SIZE:#x},start={start:#x}"))
    one = Holder(ioasidd)
    one.take(name, "EDU0")
    return one, ioasidd.lease(name)


def gaps(ranges: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """A page before each range and one behind it, where nothing can be mapped."""
    found = {(start - PAGE, start - 1) for start, _ in ranges if start} | {
        (last + 1, last + PAGE) for _, last in ranges if last < (1 << 64) - 1}
    return sorted(found)


@pytest.mark.cell("windows")
def test_planned_window_is_promised_and_reserved_addresses_are_refused(
        ioasidd: Ioasidd) -> None:
    """The kernel places what is mapped without an address in the window."""
    ioasidd.prepare("EDU0")
    bdf = ioasidd.bdf("EDU0")
    plan = ioasidd.ask("window", "plan", "-d", bdf, f"size={SIZE:#x}")
    window, = plan["windows"]
    start, last = int(window["start"]), int(window["last"])
    one, lease = hold(ioasidd, start)
    try:
        space = int(lease["spaces"][0]["kernelId"])
        iova = ok(one.context.map(space, one.memory(PAGE), PAGE)).iova
        assert start <= iova <= last
    finally:
        one.kill_all()
    ranges = [(int(each["start"]), int(each["last"]))
              for each in plan["iovaRanges"]]
    reserved = gaps(ranges)
    assert reserved or IOMMU == "none"
    for begin, _ in reserved:
        refusal = ioasidd.refused("window", "plan", "-d", bdf,
                                  f"size={PAGE:#x},start={begin:#x}")
        assert refusal.id == "window.unavailable"
    ioasidd.wait_lease(lease["name"], "ENDED")


# --- without an IOMMU -----------------------------------------------------------

@without_iommu
@pytest.mark.cell("transfer", only="none")
def test_stock_qemu_refuses_a_device_without_an_iommu(
        ioasidd: Ioasidd, impossible: Impossible) -> None:
    """It asks what the IOMMU is, and nobody can say."""
    ioasidd.prepare("NVME0")
    with ioasidd.l2("NVME0") as vmm:
        assert vmm.wait() != 0
    said = re.search(r"Failed to get hardware info: (.*)", vmm.output())
    assert said and said[1] == os.strerror(errno.EOPNOTSUPP), vmm.output()
    impossible(errno.EOPNOTSUPP, "IOMMU_GET_HW_INFO: there is no IOMMU to ask "
               "about, and QEMU takes no device without the answer")
    name, = (lease["name"] for lease in ioasidd.leases())
    ioasidd.wait_lease(name, "ENDED")
    assert ioasidd.device("NVME0")["state"] == "READY"


@without_iommu
@pytest.mark.cell("hold", only="none")
def test_dma_of_a_held_device_is_not_translated(
        ioasidd: Ioasidd, impossible: Impossible) -> None:
    """It is held, and a page is mapped for it; what it writes goes elsewhere, here
    to where no memory is."""
    ioasidd.prepare("EDU0")
    one, lease = hold(ioasidd, NOWHERE)
    try:
        space = int(lease["spaces"][0]["kernelId"])
        page = one.memory(PAGE, 1)
        ok(one.context.map(space, page, PAGE, NOWHERE))
        edu = one.device("EDU0").awake()
        edu.store(NOWHERE)
        assert one.same(page, PAGE, 1)
        number = int(lease["deviceIds"][0])
        refused("EOPNOTSUPP", one.context.call(
            "hw_info", dev_id=number, data_len=512, data_uptr=one.memory(512)))
    finally:
        one.kill_all()
    impossible(errno.EOPNOTSUPP, "IOMMU_GET_HW_INFO: there is no IOMMU; what is "
               "mapped is pinned, and DMA goes to physical addresses")
    ioasidd.wait_lease(lease["name"], "ENDED")


@without_iommu
@pytest.mark.cell("reclaim", only="none")
def test_killed_holder_leaves_a_device_for_the_next_one(
        ioasidd: Ioasidd) -> None:
    """The whole ladder, and another holder reads its registers."""
    ioasidd.prepare("NVME0")
    process = holder(ioasidd, "NVME0", "bind")
    lease = lease_of(ioasidd, process)
    process.kill()
    assert_reclaimed(ioasidd.wait_lease(lease, "ENDED"), "flr")
    assert ioasidd.device("NVME0")["state"] == "READY"
    process = holder(ioasidd, "NVME0", "bind", "id")
    assert "bind: ok" in process.output()
    lease = lease_of(ioasidd, process)
    process.kill()
    ioasidd.wait_lease(lease, "ENDED")


@without_iommu
@pytest.mark.cell("restart", only="none")
def test_lease_is_as_it_was_when_ioasidd_is_back(ioasidd: Ioasidd) -> None:
    """The same holder has it; its end is seen later."""
    ioasidd.prepare("NVME0")
    process = holder(ioasidd, "NVME0", "bind")
    name = lease_of(ioasidd, process)
    before = ioasidd.lease(name)
    ioasidd.restart()
    after = ioasidd.lease(name)
    assert after["state"] == "HELD"
    assert after["holders"] == before["holders"]
    assert ioasidd.device("NVME0")["state"] == "LEASED"
    process.kill()
    assert_reclaimed(ioasidd.wait_lease(name, "ENDED"), "flr")
