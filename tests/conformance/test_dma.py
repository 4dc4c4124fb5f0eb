# SPDX-License-Identifier: Apache-2.0
"""What a device reaches: mapped memory, and nothing else. edu copies."""

from collections.abc import Callable

import pytest
from bench import Bench
from holder import (MEMORY, PAGE, READ, WRITE, Edu, narrow, ok, refused,
                    translated)
from ioasid import wait
from world import IOMMU, World

pytestmark = translated
GIB = 1 << 30


def test_device_reaches_what_is_mapped(bench: Bench) -> None:
    """A page there and back, at addresses low and high."""
    context, holder, edu = bench.context, bench.holder, bench.devices[0]
    space = bench.attached()
    last = context.ranges(space)[-1][1]
    for number, iova in enumerate((0, GIB, last + 1 - PAGE)):
        source, target = bench.page(10 + number), bench.page(20)
        ok(context.map(space, source, PAGE, 8 * PAGE, flags=READ))
        ok(context.map(space, target, PAGE, iova))
        edu.copy(8 * PAGE, iova)
        assert holder.same(target, PAGE, 10 + number)
        ok(context.unmap(space, 8 * PAGE, PAGE))


def test_device_does_not_reach_what_is_not_mapped(bench: Bench) -> None:
    """Neither before nor after it was."""
    context, holder, edu = bench.context, bench.holder, bench.devices[0]
    space, page, other = bench.attached(), bench.page(1), bench.page(2)
    ok(context.map(space, other, PAGE, GIB))
    ok(context.map(space, page, PAGE, 0))
    edu.load(GIB)
    ok(context.unmap(space, 0, PAGE))
    edu.store(0)
    assert holder.same(page, PAGE, 1)
    # What it cannot read it does not have.
    holder.fill(page, PAGE, 3)
    edu.load(0)
    edu.store(GIB)
    assert not holder.same(other, PAGE, 3)


@pytest.mark.skipif(
    IOMMU == "amd", reason="QEMU's AMD IOMMU reports a fault with neither device "
    "nor address")
def test_dma_that_is_refused_is_reported(bench: Bench, world: World) -> None:
    """With the device, and the page that it has asked for; for each device. A
    kernel reports no more than ten in five seconds."""
    context, holder = bench.context, bench.holder
    edu, other = bench.devices
    space, page = bench.attached(edu, other), bench.page(1)
    ok(context.map(space, page, PAGE, 0))
    for number, device in ((3, edu), (4, other)):
        where = number * GIB + 5 * PAGE
        assert where not in world.faults(device.name)

        def reported(device: Edu = device, where: int = where) -> bool:
            """It is, once it has happened while it could be."""
            device.store(where)
            return where in world.faults(device.name)

        wait(reported, 20, f"the fault of {device.name} is reported")
        assert where not in world.faults(
            (other if device is edu else edu).name)
    # What is mapped is nobody's fault.
    before = world.faults(edu.name)
    edu.copy(0, 0)
    assert world.faults(edu.name) == before and holder.same(page, PAGE, 1)


def test_device_does_not_write_to_what_is_mapped_for_reading(
        bench: Bench) -> None:
    """The IOMMU keeps it from it."""
    context, holder, edu = bench.context, bench.holder, bench.devices[0]
    space, page = bench.attached(), bench.page(1)
    ok(context.map(space, bench.page(2), PAGE, GIB))
    ok(context.map(space, page, PAGE, 0, flags=READ))
    edu.copy(GIB, 0)
    assert holder.same(page, PAGE, 1)
    edu.copy(0, GIB)
    ok(context.unmap(space, 0, PAGE))
    ok(context.map(space, page, PAGE, 0))
    holder.fill(page, PAGE, 4)
    edu.store(0)
    assert holder.same(page, PAGE, 1)


def test_device_and_what_is_mapped_for_writing(
        bench: Bench, fact: Callable[..., None]) -> None:
    """Whether it reads that is the page table's kind: some cannot tell."""
    context, holder, edu = bench.context, bench.holder, bench.devices[0]
    space, page, other = bench.attached(), bench.page(1), bench.page(2)
    ok(context.map(space, other, PAGE, GIB))
    ok(context.map(space, page, PAGE, 0, flags=WRITE))
    edu.copy(GIB, 0)
    assert holder.same(page, PAGE, 2)
    holder.fill(page, PAGE, 5)
    edu.copy(0, GIB)
    fact("read", holder.same(other, PAGE, 5))


def test_detached_device_reaches_nothing(bench: Bench) -> None:
    """Until it is attached again."""
    context, holder, edu = bench.context, bench.holder, bench.devices[0]
    space, page = bench.attached(), bench.page(1)
    ok(context.map(space, bench.page(2), PAGE, GIB))
    ok(context.map(space, page, PAGE, 0))
    edu.load(GIB)
    ok(edu.detach())
    edu.store(0)
    assert holder.same(page, PAGE, 1)
    ok(edu.attach(space))
    edu.store(0)
    assert holder.same(page, PAGE, 2)


def test_device_that_is_attached_elsewhere_reaches_that(bench: Bench) -> None:
    """An attach moves it: the same address is other memory."""
    context, holder, edu = bench.context, bench.holder, bench.devices[0]
    first, second = bench.attached(), context.space()
    one, other = bench.page(1), bench.page(2)
    ok(context.map(first, one, PAGE, 0))
    ok(context.map(second, other, PAGE, 0))
    edu.load(0)
    ok(edu.attach(second))
    edu.store(0)
    assert holder.same(one, PAGE, 1) and holder.same(other, PAGE, 1)
    holder.fill(other, PAGE, 7)
    edu.load(0)
    ok(edu.attach(first))
    edu.store(0)
    assert holder.same(one, PAGE, 7)


@narrow
def test_attach_that_is_refused_leaves_the_device_where_it_was(
        bench: Bench) -> None:
    """Its DMA goes on."""
    context, holder, edu = bench.context, bench.holder, bench.devices[0]
    first, second = bench.attached(), context.space()
    last = context.ranges(first)[-1][1]
    page, other = bench.page(1), bench.page(2)
    ok(context.map(first, page, PAGE, 0))
    ok(context.map(first, other, PAGE, GIB))
    ok(context.map(second, other, PAGE, last + 1))
    refused("EADDRINUSE", edu.attach(second))
    refused("ENOENT", edu.attach(4711))
    edu.copy(0, GIB)
    assert holder.same(other, PAGE, 1)
    refused("EBUSY", context.destroy(first))


def test_copy_is_the_same_memory(bench: Bench) -> None:
    """Two devices, two spaces, one page."""
    context, holder = bench.context, bench.holder
    edu, other = bench.devices
    first, second = bench.attached(edu), bench.attached(other)
    page = bench.page(1)
    ok(context.map(first, page, PAGE, 0))
    ok(context.copy(second, first, PAGE, 0, GIB))
    ok(context.map(second, bench.page(2), PAGE, 0))
    other.copy(0, GIB)
    assert holder.same(page, PAGE, 2)
    ok(context.unmap(first, 0, PAGE))
    holder.fill(page, PAGE, 3)
    other.load(GIB)
    other.store(0)
    edu.store(0)
    assert holder.same(page, PAGE, 3)


def test_devices_of_one_space_share_what_is_mapped(bench: Bench) -> None:
    """Each carries it with its own buffer."""
    context, holder = bench.context, bench.holder
    edu, other = bench.devices
    space = bench.attached(edu, other)
    page = bench.page(1)
    ok(context.map(space, page, PAGE, 0))
    edu.load(0)
    holder.fill(page, PAGE, 2)
    other.load(0)
    edu.store(0)
    assert holder.same(page, PAGE, 1)
    other.store(0)
    assert holder.same(page, PAGE, 2)


def test_mapped_file_is_the_file(bench: Bench) -> None:
    """Who has it in memory sees what the device has written."""
    context, holder, edu = bench.context, bench.holder, bench.devices[0]
    space, fd = bench.attached(), holder.memfd(2 * PAGE)
    va = ok(holder.tell("map", fd, 2 * PAGE)).va
    holder.fill(va, PAGE, 1)
    ok(context.map_file(space, fd, 2 * PAGE, GIB))
    edu.copy(GIB, GIB + PAGE)
    assert holder.same(va + PAGE, PAGE, 1)
    holder.close(fd)


def test_device_that_is_no_bus_master_reaches_nothing(bench: Bench) -> None:
    """PCI_COMMAND."""
    context, holder, edu = bench.context, bench.holder, bench.devices[0]
    space, page = bench.attached(), bench.page(1)
    ok(context.map(space, bench.page(2), PAGE, GIB))
    ok(context.map(space, page, PAGE, 0))
    edu.load(GIB)
    edu.command(MEMORY)
    edu.store(0)
    assert holder.same(page, PAGE, 1)
    edu.awake()
    edu.store(0)
    assert holder.same(page, PAGE, 2)


def test_page_table_that_was_asked_for_carries_bytes(bench: Bench) -> None:
    """As one that an attach has made."""
    context, holder, edu = bench.context, bench.holder, bench.devices[0]
    space, page = context.space(), bench.page(1)
    ok(context.map(space, page, PAGE, 0))
    table = ok(context.table(edu, space)).out_hwpt_id
    ok(context.map(space, bench.page(2), PAGE, GIB))
    ok(edu.attach(table))
    edu.copy(GIB, 0)
    assert holder.same(page, PAGE, 2)
