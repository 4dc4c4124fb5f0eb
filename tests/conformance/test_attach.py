# SPDX-License-Identifier: Apache-2.0
"""Devices, groups and page tables: who may be attached where, to what kind."""

from collections.abc import Callable

import pytest

from bench import Bench
from holder import (DIRTY, FAULT, NEST_PARENT, PAGE, PASID, TOP, grouped,
                    informed, ok, refused, translated)
from world import IOMMU

GIB = 1 << 30
# enum iommu_hwpt_data_type
VTD_S1 = 1
VTD = IOMMU.startswith("vtd")


# --- attach and detach ---

def test_attach_says_which_page_table_it_is(bench: Bench) -> None:
    """One that was made for it, or the one that was asked for."""
    context, device = bench.context, bench.devices[0]
    space = context.space()
    made = ok(device.attach(space)).pt_id
    assert made != space
    ok(device.detach())
    table = ok(context.table(device, space)).out_hwpt_id
    assert ok(device.attach(table)).pt_id == table


def test_page_table_of_an_attach_ends_with_its_last_device(
        bench: Bench) -> None:
    """Then the space can be destroyed."""
    context, (first, second) = bench.context, bench.devices
    space = context.space()
    table = ok(first.attach(space)).pt_id
    ok(second.attach(space))
    ok(first.detach())
    refused("EBUSY", context.destroy(table))
    ok(second.detach())
    refused("ENOENT", context.destroy(table))
    ok(context.destroy(space))


def test_page_table_that_was_asked_for_stays(bench: Bench) -> None:
    """Until it is destroyed."""
    context, device = bench.context, bench.devices[0]
    space = context.space()
    table = ok(context.table(device, space)).out_hwpt_id
    ok(device.attach(table))
    ok(device.detach())
    ok(device.attach(table))
    ok(device.attach(space))
    ok(context.destroy(table))


def test_devices_of_a_space_share_its_page_table(bench: Bench) -> None:
    """Where one IOMMU, or two that are alike, translate for them."""
    space = bench.context.space()
    tables = [ok(device.attach(space)).pt_id for device in bench.devices]
    assert tables[0] == tables[1]


def test_attach_to_where_it_is_succeeds(bench: Bench) -> None:
    """And so does a detach of what is not attached."""
    device = bench.devices[0]
    ok(device.detach())
    space = bench.context.space()
    first = ok(device.attach(space)).pt_id
    assert ok(device.attach(space)).pt_id == first
    ok(device.detach())
    ok(device.detach())
    ok(bench.context.destroy(space))


# --- groups ---

@grouped
def test_functions_of_a_group_share_a_space(pair: Bench) -> None:
    """Each of them is attached, and has the page table of the first."""
    space = pair.context.space()
    tables = [ok(device.attach(space)).pt_id for device in pair.devices]
    assert tables[0] == tables[1]
    ok(pair.devices[0].detach())
    refused("EBUSY", pair.context.destroy(space))
    ok(pair.devices[1].detach())
    ok(pair.context.destroy(space))


@grouped
def test_functions_of_a_group_cannot_be_apart(pair: Bench) -> None:
    """The IOMMU does not tell them apart."""
    context, (first, second) = pair.context, pair.devices
    space, other = context.space(), context.space()
    ok(first.attach(space))
    refused("EINVAL", second.attach(other))
    table = ok(context.table(second, other)).out_hwpt_id
    refused("EINVAL", second.attach(table))
    ok(first.detach())
    ok(second.attach(table))
    refused("EINVAL", first.attach(space))


@grouped
@translated
def test_function_that_is_attached_elsewhere_takes_its_group_with_it(
        pair: Bench) -> None:
    """Its sibling's DMA goes there, too."""
    context, holder, (first, second) = \
        pair.context, pair.holder, pair.devices
    space, other = context.space(), context.space()
    ok(first.attach(space))
    ok(second.attach(space))
    one, two, three = pair.page(1), pair.page(2), pair.page(3)
    ok(context.map(space, one, PAGE, 0))
    ok(context.map(other, two, PAGE, 0))
    ok(context.map(other, three, PAGE, GIB))
    ok(first.attach(other))
    second.copy(0, GIB)
    assert holder.same(three, PAGE, 2)
    refused("EBUSY", context.destroy(other))
    ok(context.destroy(space))


@grouped
def test_function_that_is_not_attached_is_no_way_for_its_sibling(
        pair: Bench) -> None:
    """Ranges are reserved for those that are attached."""
    context, (first, second) = pair.context, pair.devices
    space = context.space()
    ok(first.attach(space))
    before = context.ranges(space)
    ok(second.attach(space))
    assert context.ranges(space) == before
    ok(first.detach())
    assert context.ranges(space) == before
    ok(second.detach())
    assert context.ranges(space) == [[0, TOP]]


# --- kinds of page tables ---

@pytest.mark.parametrize("name,flags", [
    ("plain", 0), ("nest parent", NEST_PARENT), ("dirty tracking", DIRTY),
    ("PASID", PASID), ("nest parent and PASID", NEST_PARENT | PASID),
    ("faults and nest parent", FAULT | NEST_PARENT)])
def test_page_table_is_of_a_kind_that_the_iommu_can_make(
        bench: Bench, fact: Callable[..., None], name: str,
        flags: int) -> None:
    """Any other is EOPNOTSUPP; the daemon's probe has found the same."""
    context, device = bench.context, bench.devices[0]
    answer = context.table(device, context.space(), flags)
    fact(name, answer.error)
    assert answer.error in ("ok", "EOPNOTSUPP")
    found = bench.holder.daemon.device(device.name)["capabilities"]
    field = {NEST_PARENT: "nestParent", DIRTY: "dirtyTracking",
             PASID: "pasid"}.get(flags)
    if field:
        assert bool(found.get(field)) == (answer.error == "ok")


def test_page_table_with_faults_needs_a_queue(
        bench: Bench, fact: Callable[..., None]) -> None:
    """There is none of that id."""
    context, device = bench.context, bench.devices[0]
    answer = context.table(device, context.space(), FAULT, fault_id=4711)
    fact("faults", answer.error)
    assert answer.error in ("ENOENT", "EOPNOTSUPP")


def test_page_table_takes_data_only_with_a_type(bench: Bench) -> None:
    """And a type only with data."""
    context, device = bench.context, bench.devices[0]
    space, data = context.space(), bench.page()
    refused("EINVAL", context.table(device, space, data_type=VTD_S1))
    refused("EINVAL", context.table(device, space, data_len=24,
                                    data_uptr=data))
    refused("EOPNOTSUPP", context.table(device, space, data_type=VTD_S1,
                                        data_len=24, data_uptr=data))


def test_page_table_is_nested_on_a_nest_parent_only(
        bench: Bench, fact: Callable[..., None]) -> None:
    """A plain one is no parent; nor can every IOMMU nest."""
    context, device = bench.context, bench.devices[0]
    table = ok(context.table(device, context.space())).out_hwpt_id
    data = bench.holder.array(0, 0, 48)
    answer = context.table(device, table, data_type=VTD_S1, data_len=24,
                           data_uptr=data)
    fact("nested on a plain one", answer.error)
    refused("EINVAL" if VTD else "EOPNOTSUPP", answer)


# --- PASIDs ---

def test_pasid_is_attached_only_to_a_page_table_for_pasids(
        bench: Bench, fact: Callable[..., None]) -> None:
    """Not to a space, nor to a plain page table."""
    context, device = bench.context, bench.devices[0]
    space = context.space()
    refused("EINVAL", device.attach(space, flags=1, pasid=1))
    table = ok(context.table(device, space)).out_hwpt_id
    refused("EINVAL", device.attach(table, flags=1, pasid=1))
    ok(device.detach(flags=1, pasid=1))
    answer = context.table(device, space, PASID)
    if answer.error == "ok":
        kind = device.attach(answer.out_hwpt_id, flags=1, pasid=1).error
        fact("to one for PASIDs", kind)
        fact("beside a plain one", device.attach(table).error)
        fact("PASID 0", device.attach(answer.out_hwpt_id, flags=1).error)
        ok(device.detach(flags=1))
        ok(device.detach(flags=1, pasid=1))


# --- what the IOMMU says of itself ---

@informed
def test_hw_info_says_what_the_iommu_is(bench: Bench,
                                        fact: Callable[..., None]) -> None:
    """Its registers, with zeros behind; and how long they are."""
    context, holder, device = bench.context, bench.holder, bench.devices[0]
    va = holder.memory(512, 1)
    answer = ok(context.call("hw_info", dev_id=device.id, data_len=512,
                             data_uptr=va))
    data = ok(holder.tell("peek", va, 512)).data
    n = answer.data_len
    fact("type", answer.out_data_type)
    fact("length", n)
    fact("data", data[:2 * n])
    fact("capabilities", answer.out_capabilities)
    fact("PASID bits", answer.out_max_pasid_log2)
    assert data[2 * n:] == "00" * (512 - n)
    found = holder.daemon.device(device.name)["capabilities"]
    assert found.get("hwInfoType", 0) == answer.out_data_type


@informed
def test_hw_info_says_how_long_it_would_be(bench: Bench) -> None:
    """However little room there is."""
    context, holder, device = bench.context, bench.holder, bench.devices[0]
    va = holder.memory(512, 1)
    whole = ok(context.call("hw_info", dev_id=device.id, data_len=512,
                            data_uptr=va)).data_len
    for room in (0, 4, whole):
        holder.fill(va, 512, 1)
        answer = ok(context.call("hw_info", dev_id=device.id, data_len=room,
                                 data_uptr=va))
        assert answer.data_len == whole
        first = ok(holder.tell("peek", va + room, 8)).data
        holder.fill(va, 512, 1)
        assert ok(holder.tell("peek", va + room, 8)).data == first
