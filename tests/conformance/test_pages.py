# SPDX-License-Identifier: Apache-2.0
"""The memory behind mappings: when it is pinned, whose it is, who pays."""

from collections.abc import Callable

import pytest

from bench import Bench
from holder import PAGE, READ, TOP, WRITE, Holder, ok, refused, translated
from world import REAL

GIB = 1 << 30
NO_LIMIT = 8 << 20
# The simulation reads memory where it is; pages that no process has it cannot.
only_kernel = pytest.mark.skipif(
    not REAL, reason="the simulation reaches memory of living processes only")


# --- when it is looked at ---

def test_memory_of_a_space_without_page_table_is_not_looked_at(
        bench: Bench) -> None:
    """It need not even be there: the attach is what is refused."""
    context, holder = bench.context, bench.holder
    space, page = context.space(), bench.page()
    ok(holder.tell("unmap", page, PAGE))
    ok(context.map(space, page, PAGE, 0))
    refused("EFAULT", bench.devices[0].attach(space))
    refused("EFAULT", context.table(bench.devices[0], space))
    ok(context.unmap(space, 0, PAGE))
    ok(bench.devices[0].attach(space))


def test_memory_that_is_not_there_is_efault(bench: Bench) -> None:
    """Or that its process may not touch."""
    context, holder = bench.context, bench.holder
    space, pages = bench.attached(), bench.page(n=2)
    ok(holder.tell("unmap", pages + PAGE, PAGE))
    refused("EFAULT", context.map(space, pages + PAGE, PAGE, 0))
    refused("EFAULT", context.map(space, pages, 2 * PAGE, 0))
    ok(context.map(space, pages, PAGE, 0))
    none = ok(holder.tell("mem", PAGE, "none")).va
    refused("EFAULT", context.map(space, none, PAGE, GIB))


def test_memory_for_reading_is_efault_for_writing(bench: Bench) -> None:
    """As it is for the process itself."""
    context, holder = bench.context, bench.holder
    space, page = bench.attached(), bench.page()
    ok(holder.tell("protect", page, PAGE, "read"))
    refused("EFAULT", context.map(space, page, PAGE, 0))
    refused("EFAULT", context.map(space, page, PAGE, 0, flags=WRITE))
    ok(context.map(space, page, PAGE, 0, flags=READ))


@only_kernel
@translated
def test_pinned_memory_stays_when_its_process_lets_go_of_it(
        bench: Bench) -> None:
    """munmap(2) takes it from the process, not from the device."""
    context, holder, edu = bench.context, bench.holder, bench.devices[0]
    space, page, target = bench.attached(), bench.page(1), bench.page(2)
    ok(context.map(space, page, PAGE, 0))
    ok(context.map(space, target, PAGE, GIB))
    ok(holder.tell("unmap", page, PAGE))
    edu.copy(0, GIB)
    assert holder.same(target, PAGE, 1)


# --- whose it is ---

@translated
def test_memory_is_of_the_process_that_maps(bench: Bench) -> None:
    """Not of the one that opened the iommufd: two map into one space."""
    context, holder, edu = bench.context, bench.holder, bench.devices[0]
    space, page = bench.attached(), bench.page(1)
    ok(context.map(space, page, PAGE, 0))
    child = holder.fork()
    child.fill(page, PAGE, 2)
    ok(context.by(child).map(space, page, PAGE, GIB))
    edu.copy(GIB, 0)
    assert holder.same(page, PAGE, 2)
    child.end()


@translated
def test_mapping_of_a_dead_process_stays(bench: Bench) -> None:
    """It can be copied, attached to as long as it is pinned, and unmapped."""
    context, holder, edu = bench.context, bench.holder, bench.devices[0]
    space, second, page = bench.attached(), context.space(), bench.page(1)
    child = holder.fork()
    ok(context.by(child).map(space, child.memory(PAGE, 2), PAGE, 0))
    child.end()
    # The device reads on, over its end.
    ok(context.map(space, page, PAGE, PAGE))
    target = bench.page(3)
    ok(context.map(space, target, PAGE, GIB))
    edu.copy(PAGE // 2, GIB)
    assert holder.same(target + PAGE // 2, PAGE // 2, 1)
    ok(context.copy(second, space, PAGE, 0, 0))
    ok(bench.devices[1].attach(second))
    assert ok(context.unmap(space, 0, PAGE)).length == PAGE
    assert ok(context.unmap(second, 0, PAGE)).length == PAGE


@only_kernel
@translated
def test_device_reaches_pinned_memory_of_a_dead_process(bench: Bench) -> None:
    """Through the mapping, and through copies of it."""
    context, holder = bench.context, bench.holder
    edu, other = bench.devices
    space, second, target = bench.attached(), context.space(), bench.page(1)
    child = holder.fork()
    page = child.memory(PAGE, 2)
    ok(context.by(child).map(space, page, PAGE, 0))
    child.end()
    ok(context.map(space, target, PAGE, GIB))
    edu.copy(0, GIB)
    assert holder.same(target, PAGE, 2)
    ok(context.copy(second, space, PAGE, 0, 0))
    ok(context.copy(second, space, PAGE, GIB, GIB))
    ok(other.attach(second))
    holder.fill(target, PAGE, 3)
    other.copy(0, GIB)
    assert holder.same(target, PAGE, 2)


def test_memory_of_a_dead_process_cannot_be_pinned(bench: Bench) -> None:
    """So its space can be attached to no more until that is unmapped."""
    context, holder, edu = bench.context, bench.holder, bench.devices[0]
    attached, lazy, page = bench.attached(), context.space(), bench.page()
    child = holder.fork()
    for space in (attached, lazy):
        ok(context.map(space, page, PAGE, GIB))
        ok(context.by(child).map(space, page, PAGE, 0))
    child.end()
    ok(edu.detach())
    for space in (attached, lazy):
        refused("EFAULT", edu.attach(space))
        ok(context.unmap(space, 0, PAGE))
        ok(edu.attach(space))


@translated
def test_file_that_a_dead_process_has_mapped_can_be_pinned(
        bench: Bench) -> None:
    """It is nobody's memory but its own."""
    context, holder, edu = bench.context, bench.holder, bench.devices[0]
    space, fd = context.space(), holder.memfd(PAGE)
    child = holder.fork()
    ok(context.by(child).map_file(space, fd, PAGE, 0))
    child.end()
    ok(edu.attach(space))
    ok(context.map(space, bench.page(6), PAGE, GIB))
    edu.copy(GIB, 0)
    va = ok(holder.tell("map", fd, PAGE)).va
    assert holder.same(va, PAGE, 6)
    holder.close(fd)


# --- who pays ---

def test_more_pinned_memory_than_the_limit_is_enomem(bench: Bench) -> None:
    """RLIMIT_MEMLOCK, of all mappings together; and it is given back."""
    context, holder = bench.context, bench.holder
    space, pages = bench.attached(), bench.page(n=16)
    ok(holder.tell("memlock", 16 * PAGE))
    refused("ENOMEM", context.map(space, bench.page(n=17), 17 * PAGE, GIB))
    ok(context.map(space, pages, 8 * PAGE, 0))
    ok(context.map(space, pages, 8 * PAGE, GIB))
    refused("ENOMEM", context.map(space, pages, PAGE, 2 * GIB))
    ok(context.unmap(space, 0, 8 * PAGE))
    refused("ENOMEM", context.map(space, pages, 9 * PAGE, 0))
    ok(context.map(space, pages, 8 * PAGE, 0))
    ok(holder.tell("memlock", NO_LIMIT))


def test_memory_is_paid_for_when_it_is_pinned(bench: Bench) -> None:
    """At the attach, if it was mapped before; and not after the detach."""
    context, holder, edu = bench.context, bench.holder, bench.devices[0]
    space, other, pages = context.space(), context.space(), bench.page(n=16)
    ok(holder.tell("memlock", 16 * PAGE))
    ok(context.map(space, pages, 16 * PAGE, 0))
    ok(context.map(space, pages, PAGE, GIB))
    refused("ENOMEM", edu.attach(space))
    ok(context.unmap(space, GIB, PAGE))
    ok(edu.attach(space))
    ok(context.map(other, pages, PAGE, 0))
    refused("ENOMEM", bench.devices[1].attach(other))
    ok(edu.detach())
    ok(bench.devices[1].attach(other))
    ok(holder.tell("memlock", NO_LIMIT))


def test_copy_is_not_paid_for_again(bench: Bench) -> None:
    """The pages are pinned once."""
    context, holder = bench.context, bench.holder
    space, second, pages = bench.attached(), context.space(), bench.page(n=16)
    ok(bench.devices[1].attach(second))
    ok(holder.tell("memlock", 16 * PAGE))
    ok(context.map(space, pages, 16 * PAGE, 0))
    ok(context.copy(second, space, 16 * PAGE, 0, 0))
    refused("ENOMEM", context.map(second, pages, PAGE, GIB))
    ok(context.unmap(space, 0, 16 * PAGE))
    refused("ENOMEM", context.map(second, pages, PAGE, GIB))
    ok(context.unmap(second, 0, 16 * PAGE))
    ok(context.map(second, pages, 16 * PAGE, GIB))
    ok(holder.tell("memlock", NO_LIMIT))


def test_file_is_paid_for_by_who_maps_it(bench: Bench) -> None:
    """As its own memory."""
    context, holder = bench.context, bench.holder
    space, fd = bench.attached(), holder.memfd(32 * PAGE)
    ok(holder.tell("memlock", 16 * PAGE))
    refused("ENOMEM", context.map_file(space, fd, 17 * PAGE, 0))
    ok(context.map_file(space, fd, 16 * PAGE, 0))
    refused("ENOMEM", context.map(space, bench.page(), PAGE, GIB))
    holder.close(fd)
    ok(holder.tell("memlock", NO_LIMIT))


def test_each_process_pays_for_itself(bench: Bench) -> None:
    """The daemon's contexts are in that mode: not the user's sum counts."""
    context, holder = bench.context, bench.holder
    space, pages = bench.attached(), bench.page(n=16)
    ok(holder.tell("memlock", 16 * PAGE))
    child = holder.fork()
    ok(context.map(space, pages, 16 * PAGE, 0))
    ok(context.by(child).map(space, pages, 16 * PAGE, GIB))
    refused("ENOMEM", context.by(child).map(space, pages, PAGE, 2 * GIB))
    refused("ENOMEM", context.map(space, pages, PAGE, 2 * GIB))
    child.end()
    ok(holder.tell("memlock", NO_LIMIT))


def test_space_that_ends_gives_back(bench: Bench) -> None:
    """All that it had pinned."""
    context, holder = bench.context, bench.holder
    pages = bench.page(n=16)
    ok(holder.tell("memlock", 16 * PAGE))
    for _ in range(2):
        space = context.space()
        table = ok(context.table(bench.devices[0], space)).out_hwpt_id
        ok(context.map(space, pages, 16 * PAGE, 0))
        refused("ENOMEM", context.map(space, pages, PAGE, GIB))
        ok(context.destroy(table))
        ok(context.destroy(space))
    ok(holder.tell("memlock", NO_LIMIT))


def test_context_that_ends_gives_back(take: Callable[..., Holder]) -> None:
    """With the last descriptor: the iommufd's, and those bound to it."""
    holder = take("NVME0", also=("NVME1",))
    first, second = holder.contexts
    pages = holder.memory(16 * PAGE)
    ok(holder.device("NVME0").bind(first.fd))
    ok(holder.device("NVME1").bind(second.fd))
    space, other = first.space(), second.space()
    # One that stays when its device goes.
    table = ok(first.table(holder.device("NVME0"), space)).out_hwpt_id
    ok(holder.device("NVME0").attach(table))
    ok(holder.device("NVME1").attach(other))
    ok(holder.tell("memlock", 16 * PAGE))
    ok(first.map(space, pages, 16 * PAGE, 0))
    refused("ENOMEM", second.map(other, pages, PAGE, 0))
    holder.close(first.fd)
    refused("ENOMEM", second.map(other, pages, PAGE, 0))
    holder.device("NVME0").close()
    ok(second.map(other, pages, 16 * PAGE, 0))


def test_who_may_lock_memory_pays_nothing(take: Callable[..., Holder]) -> None:
    """CAP_IPC_LOCK: there is no limit, whatever it says."""
    holder = take("NVME0", uid=0)
    device = holder.device("NVME0")
    device.bound()
    space = holder.context.space()
    holder.context.put(device, space)
    ok(holder.tell("memlock", PAGE))
    ok(holder.context.map(space, holder.memory(16 * PAGE), 16 * PAGE, 0))
    assert ok(holder.context.unmap(space, 0, TOP)).length == 16 * PAGE
