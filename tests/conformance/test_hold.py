# SPDX-License-Identifier: Apache-2.0
"""Leases whose descriptors the daemon keeps: spaces, windows, successors.

The holder makes its own calls on descriptors that are bound and attached
already; what the daemon does to its spaces meanwhile shows in what its device
reaches.
"""

from collections.abc import Callable
from typing import Any

import pytest
from ioasid import NOBODY, Ioasidd, Refused, alive, device_name, wait

from bench import Held, Machine
from holder import (MIB, PAGE, Context, Edu, Holder, grouped, narrow, ok,
                    refused, reserving, translated, wide)
from test_service import LADDER
from world import Background, World

Fact = Callable[[str, Any], None]
GIB = 1 << 30


def plain(held: Held, *devices: str) -> dict[str, Any]:
    """A space of these devices that promises nothing."""
    return {"devices": [held.name(device) for device in devices]}


def reaches(holder: Holder, context: Context, space: int, edu: Edu,
            iova: int) -> bool:
    """Does a device read memory that is mapped in that space?"""
    page = holder.memory(PAGE, 7)
    ok(context.map(space, page, PAGE, iova))
    edu.load(iova)
    holder.fill(page, PAGE, 8)
    edu.store(iova)
    there = holder.same(page, PAGE, 7)
    ok(context.unmap(space, iova, PAGE))
    return there


@translated
def test_devices_come_bound_and_on_their_spaces(held: Held,
                                                fact: Fact) -> None:
    """The ids are the kernel's; what one maps its device reaches."""
    held.offer(plain(held, "EDU0"), plain(held, "EDU1"))
    holder = held.claim()
    context, (first, second) = holder.context, held.now().spaces
    edu, other = holder.devices
    refused("EINVAL", edu.bind())
    assert context.ranges(first.kernel_id) == \
        [[one.start, one.last] for one in first.iova_ranges]
    assert reaches(holder, context, first.kernel_id, edu, GIB)
    assert reaches(holder, context, second.kernel_id, other, GIB)
    assert not reaches(holder, context, second.kernel_id, edu, GIB)
    fact("ranges", context.ranges(first.kernel_id))


@translated
def test_a_holder_may_end_an_empty_space_itself(held: Held) -> None:
    """The others can be changed all the same, and it can be deleted."""
    held.offer(plain(held, "EDU0"), {})
    holder = held.claim()
    first, second = held.now().spaces
    refused("EBUSY", holder.context.destroy(first.kernel_id))
    ok(holder.context.destroy(second.kernel_id))
    held.space("AttachDevice", first.name, device=held.name("EDU1"))
    first, second = held.now().spaces
    assert first.kernel_id and not second.kernel_id
    assert not second.iova_ranges
    with pytest.raises(Refused):
        held.space("AttachDevice", second.name, device=held.name("EDU1"))
    held.space("DeleteSpace", second.name)
    assert [one.name for one in held.now().spaces] == [first.name]
    assert reaches(holder, holder.context, first.kernel_id,
                   holder.devices[1], GIB)


def test_a_window_is_where_the_kernel_places(held: Held) -> None:
    """What is mapped without an address is within; ALLOW_IOVAS is ours."""
    held.offer({**plain(held, "EDU0"), "windows": [
        {"size": 16 * PAGE, "start": 3 * GIB}]})
    holder = held.claim()
    space = held.now().spaces[0]
    assert [(one.start, one.last) for one in space.windows] == \
        [(3 * GIB, 3 * GIB + 16 * PAGE - 1)]
    for _ in range(16):
        iova = ok(holder.context.map(space.kernel_id, holder.memory(PAGE),
                                     PAGE)).iova
        assert 3 * GIB <= iova < 3 * GIB + 16 * PAGE
    refused("ENOSPC", holder.context.map(space.kernel_id,
                                         holder.memory(PAGE), PAGE))
    held.space("SetWindows", space.name, windows=[
        {"size": 17 * PAGE, "start": 3 * GIB}])
    iova = ok(holder.context.map(space.kernel_id, holder.memory(PAGE),
                                 PAGE)).iova
    assert iova == 3 * GIB + 16 * PAGE


@narrow
def test_a_window_over_a_reserved_range_is_refused(held: Held,
                                                   fact: Fact) -> None:
    """By us, with the device that is in the way; nothing is made."""
    held.machine.free("EDU0")
    held.machine.prepare("EDU0")
    ranges = held.machine.daemon.device("EDU0")["capabilities"]["iovaRanges"]
    top = int(ranges[-1]["last"])
    wish = {"size": 4 * GIB, "start": (top + 1 - GIB) & ((1 << 64) - 1)}
    if top == (1 << 64) - 1:
        pytest.fail("no emulated IOMMU has an aperture of 64 bits here")
    with pytest.raises(Refused) as refusal:
        held.offer({**plain(held, "EDU0"), "windows": [wish]})
    assert refusal.value.id == "window.unavailable"
    assert held.machine.daemon.device("EDU0")["state"] == "READY"
    fact("top", top)
    # The windows of a POWER guest, for the same reason.
    with pytest.raises(Refused) as refusal:
        held.offer({**plain(held, "EDU0"), "windows": [
            {"size": 2 * GIB, "start": 0},
            {"size": 1024 * GIB, "start": 1 << 59}]})
    assert refusal.value.id == "window.unavailable"
    assert "it goes beyond an aperture" in refusal.value.words
    assert held.machine.daemon.device("EDU0")["state"] == "READY"


@wide
def test_windows_of_a_power_guest_are_acknowledged_in_a_live_space(
        held: Held) -> None:
    """The pair is promised when the lease is made, and to a space that is used
    already; its holder maps in the one at 2^59."""
    pair = [{"size": 2 * GIB, "start": 0},
            {"size": 1024 * GIB, "start": 1 << 59}]
    placed = [(0, 2 * GIB - 1), (1 << 59, (1 << 59) + 1024 * GIB - 1)]
    held.offer({**plain(held, "EDU0"), "windows": pair}, plain(held, "EDU1"))
    holder = held.claim()
    first, second = held.now().spaces
    ok(holder.context.map(second.kernel_id, holder.memory(PAGE), PAGE, GIB))
    changed = held.space("SetWindows", second.name, windows=pair)
    for space in (first, changed):
        assert [(one.start, one.last) for one in space.windows] == placed
        ok(holder.context.map(space.kernel_id, holder.memory(PAGE), PAGE,
                              1 << 59))
    # And the second alone: what is mapped without an address is up there.
    held.space("SetWindows", second.name, windows=pair[1:])
    assert ok(holder.context.map(second.kernel_id, holder.memory(PAGE),
                                 PAGE)).iova > 1 << 59
    held.space("AttachDevice", first.name, device=held.name("EDU1"))
    assert len(held.now().spaces[0].attachments) == 2


@narrow
def test_windows_of_a_power_guest_name_the_aperture_of_a_live_space(
        held: Held, fact: Fact) -> None:
    """Refused for a space that is used, with the device and where its addresses
    end; what the space promised stays."""
    held.offer({**plain(held, "EDU0"), "windows": [
        {"size": GIB, "start": 0}]})
    held.claim()
    space = held.now().spaces[0]
    with pytest.raises(Refused) as refusal:
        held.space("SetWindows", space.name, windows=[
            {"size": 2 * GIB, "start": 0},
            {"size": 1024 * GIB, "start": 1 << 59}])
    assert refusal.value.id == "window.unavailable"
    fact("words", refusal.value.words)
    assert "it goes beyond an aperture" in refusal.value.words
    assert held.now().spaces[0].windows == space.windows


@translated
def test_a_device_moves_to_another_space_and_off(held: Held) -> None:
    """Asked for from outside, while its holder uses it."""
    held.offer(plain(held, "EDU0"), plain(held))
    holder = held.claim()
    context, edu = holder.context, holder.devices[0]
    first, second = held.now().spaces
    assert reaches(holder, context, first.kernel_id, edu, 0)
    held.space("AttachDevice", second.name, device=held.name("EDU0"))
    assert reaches(holder, context, second.kernel_id, edu, 0)
    assert not reaches(holder, context, first.kernel_id, edu, 0)
    held.space("DetachDevice", second.name, device=held.name("EDU0"))
    assert not reaches(holder, context, second.kernel_id, edu, 0)
    ok(edu.attach(first.kernel_id))
    assert reaches(holder, context, first.kernel_id, edu, 0)


@translated
def test_a_space_is_made_and_ended_while_it_is_held(held: Held) -> None:
    """One that a device is on is not ended."""
    held.offer(plain(held, "EDU0"))
    holder = held.claim()
    context, edu = holder.context, holder.devices[0]
    made = held.conn.call("Spaces/CreateSpace", "Space", lease=held.lease,
                          space=plain(held, "EDU0"))
    assert reaches(holder, context, made.kernel_id, edu, GIB)
    with pytest.raises(Refused) as refusal:
        held.space("DeleteSpace", made.name)
    assert refusal.value.id == "space.in-use"
    held.space("DetachDevice", made.name, device=held.name("EDU0"))
    held.space("DeleteSpace", made.name)
    refused("ENOENT", context.unmap(made.kernel_id, 0, PAGE))
    assert len(held.now().spaces) == 1


@translated
def test_a_successor_finds_all_as_it_was(held: Held) -> None:
    """Mappings of a memfd, ids, attachments; DMA has gone on meanwhile."""
    held.offer(plain(held, "EDU0", "EDU1"))
    holder = held.claim()
    before = held.now()
    space = before.spaces[0].kernel_id
    file = holder.memfd(4 * PAGE)
    va = int(ok(holder.tell("map", file, 4 * PAGE)).va)
    holder.fill(va, PAGE, 5)
    ok(holder.context.map_file(space, file, 4 * PAGE, GIB))
    holder.devices[0].load(GIB)
    holder.kill()
    wait(lambda: held.state() == "OFFERED", 30, "it is offered again")
    successor = held.claim()
    now = held.now()
    assert list(now.device_ids) == list(before.device_ids)
    assert [one.kernel_id for one in now.spaces] == [space]
    assert now.incarnation == 2 and len(now.holders) == 2
    edu = successor.devices[1]
    edu.load(GIB)
    page = successor.memory(PAGE, 1)
    ok(successor.context.map(space, page, PAGE, 0))
    edu.store(0)
    assert successor.same(page, PAGE, 5)


def test_without_a_successor_all_is_fenced_and_made_safe(
        held: Held, daemon: Ioasidd) -> None:
    """When its time is over; the devices are ready."""
    held.offer(plain(held, "EDU0"), grace_ms=300)
    holder = held.claim()
    space = held.now().spaces[0].kernel_id
    ok(holder.context.map_file(space, holder.memfd(PAGE), PAGE, 0))
    holder.kill()
    lease = daemon.wait_lease(held.lease, "ENDED")
    assert lease["endReason"] == "expired"
    acts = [step["act"] for step in lease["reclaim"]]
    assert acts == ["fence", *LADDER, *LADDER], lease["reclaim"]
    assert {step["result"] for step in lease["reclaim"]} == {"ok"}
    assert daemon.device("EDU0")["state"] == "READY"
    assert daemon.device("EDU1")["state"] == "READY"


@translated
@pytest.mark.parametrize("own", [False, True], ids=["its space", "another"])
def test_the_fence_takes_all_from_who_still_has_the_devices(
        held: Held, daemon: Ioasidd, own: bool, fact: Fact) -> None:
    """A process that has all that the holder had: it is named, its devices are
    not given out, and reach nothing that they reached; wherever they are."""
    held.offer(plain(held, "EDU0"), grace_ms=300)
    holder = held.claim()
    context, edu = holder.context, holder.devices[0]
    space = held.now().spaces[0].kernel_id
    if own:
        space = context.space()
        ok(edu.attach(space))
    file = holder.memfd(PAGE)
    page = int(ok(holder.tell("map", file, PAGE)).va)
    ok(context.map_file(space, file, PAGE, GIB))
    pid = holder.leave()
    wait(lambda: held.state() == "OFFERED", 30, "it is offered again")
    # In its grace all goes on, also for who has no claim to it.
    holder.fill(page, PAGE, 7)
    edu.load(GIB)
    holder.fill(page, PAGE, 8)
    edu.store(GIB)
    assert holder.same(page, PAGE, 7)

    lease = daemon.wait_lease(held.lease, "ENDED")
    assert [step["act"] for step in lease["reclaim"]] == \
        ["fence", "holders", "holders"], lease["reclaim"]
    assert lease["reclaim"][0]["result"] == "ok"
    holder.fill(page, PAGE, 8)
    edu.store(GIB)
    assert holder.same(page, PAGE, 8)
    fact("unmapped", context.unmap(space, 0, (1 << 64) - 1).error)
    for name in ("EDU0", "EDU1"):
        device = daemon.device(name)
        assert device["state"] == "QUARANTINED"
        assert str(pid) in device["stateReason"]
    refusal = daemon.refused("device", "recover", daemon.bdf("EDU0"))
    assert refusal.id == "device.held" and str(pid) in refusal.words
    assert alive(pid)
    holder.kill_heir()
    for name in ("EDU0", "EDU1"):
        daemon.ask("device", "recover", daemon.bdf(name))
        assert daemon.device(name)["state"] == "READY"


def test_a_space_that_the_holder_has_destroyed_is_fenced(
        held: Held, daemon: Ioasidd) -> None:
    """There is nothing in it; what has its number now is no space."""
    held.offer(plain(held, "EDU0"), plain(held), grace_ms=300)
    holder = held.claim()
    context, edu = holder.context, holder.devices[0]
    first, second = held.now().spaces
    ok(edu.detach())
    ok(context.destroy(first.kernel_id))
    ok(context.destroy(second.kernel_id))
    edu.attach(context.space())
    holder.kill()
    lease = daemon.wait_lease(held.lease, "ENDED")
    assert {step["result"] for step in lease["reclaim"]} == {"ok"}
    assert daemon.device("EDU0")["state"] == "READY"


# --- a device that is pulled ---

def back(held: Held, name: str) -> None:
    """It is put in again, and as it was before."""
    daemon, world = held.machine.daemon, held.machine.world
    world.add(name)
    world.settle(name, "")
    wait(lambda: daemon.device(name)["state"] in ("HOST", "QUARANTINED"),
         20, "it is back")
    if daemon.device(name)["state"] == "QUARANTINED":
        daemon.ask("device", "recover", daemon.bdf(name))
    held.machine.host(name)


@translated
def test_a_held_device_that_is_pulled_waits_for_its_holder_alone(
        held: Held, world: World, daemon: Ioasidd) -> None:
    """We close our copies; the holder goes on with what it has."""
    held.offer(plain(held, "EDU0"))
    holder = held.claim()
    space = held.now().spaces[0]
    removal = Background(lambda: world.remove("EDU1"))
    try:
        wait(lambda: not held.now().kept, 20, "we have let go")
        assert not removal.over(0.3)
        with pytest.raises(Refused) as refusal:
            held.space("SetWindows", space.name)
        assert refusal.value.id == "context.lost"
        assert reaches(holder, holder.context, space.kernel_id,
                       holder.devices[0], GIB)
        assert list(held.now().device_ids)
    finally:
        holder.kill_all()
        assert removal.over(30)
        daemon.wait_lease(held.lease, "ENDED")
        daemon.wait_device("EDU1", "GONE", 30)
        back(held, "EDU1")


def test_an_offer_whose_device_is_pulled_ends(
        held: Held, world: World, daemon: Ioasidd) -> None:
    """Nobody has it but us."""
    held.offer(plain(held, "EDU0"))
    removal = Background(lambda: world.remove("EDU1"))
    assert removal.over(30)
    try:
        lease = daemon.wait_lease(held.lease, "ENDED")
        assert lease["endReason"] == f"{held.name('EDU1')} was taken away"
        daemon.wait_device("EDU1", "GONE", 30)
        assert daemon.device("EDU0")["state"] == "READY"
    finally:
        back(held, "EDU1")


# --- what is refused ---

def refusal_of(held: Held, method: str, name: str, **fields: Any) -> str:
    """It changes nothing; the id of its error."""
    before = held.now()
    with pytest.raises(Refused) as refusal:
        held.space(method, name, **fields)
    assert held.now() == before
    return refusal.value.id


def test_a_device_of_another_lease_is_refused(machine: Machine,
                                              held: Held) -> None:
    """Ready ones, too: what a lease has was said when it was made."""
    held.offer(plain(held, "EDU0"))
    machine.free("NVME0", "NVME1")
    machine.prepare("NVME0", "NVME1")
    machine.daemon.ask("lease", "release", machine.daemon.offer("NVME1"))
    other = machine.daemon.offer("NVME0")
    try:
        for name in ("NVME0", "NVME1"):
            for method in ("AttachDevice", "DetachDevice"):
                assert refusal_of(held, method, held.now().spaces[0].name,
                                  device=held.name(name)) == "lease.devices"
    finally:
        machine.daemon.ask("lease", "release", other)
        machine.host("NVME0", "NVME1")


@reserving
@translated
def test_a_window_over_interrupts_is_refused(held: Held, fact: Fact) -> None:
    """Where the device writes its interrupts; for a device that is there, and
    one that is to come."""
    held.offer(plain(held, "EDU0"), plain(held))
    holder = held.claim()
    on, off = held.now().spaces
    ranges = holder.context.ranges(on.kernel_id)
    msi = {"start": ranges[0][1] + 1, "size": PAGE}
    fact("msi", msi["start"])
    assert refusal_of(held, "SetWindows", on.name,
                      windows=[msi]) == "window.unavailable"
    refused("EADDRINUSE", holder.context.allow(
        on.kernel_id, (msi["start"], msi["start"] + PAGE - 1)))
    held.space("SetWindows", off.name, windows=[msi])
    assert refusal_of(held, "AttachDevice", off.name,
                      device=held.name("EDU0")) == "window.unavailable"
    refused("EADDRINUSE", holder.devices[0].attach(off.kernel_id))
    # Where it was refused to go from, it still is.
    assert reaches(holder, holder.context, on.kernel_id, holder.devices[0], 0)


@translated
def test_mappings_stand_against_no_window(held: Held) -> None:
    """They stay where they are, and what is mapped next is within."""
    held.offer(plain(held, "EDU0"))
    holder = held.claim()
    context, edu = holder.context, holder.devices[0]
    space = held.now().spaces[0]
    page = holder.memory(PAGE, 7)
    ok(context.map(space.kernel_id, page, PAGE, GIB))
    held.space("SetWindows", space.name,
               windows=[{"size": PAGE, "start": 2 * GIB}])
    edu.load(GIB)
    holder.fill(page, PAGE, 8)
    edu.store(GIB)
    assert holder.same(page, PAGE, 7)
    assert ok(context.map(space.kernel_id, page, PAGE)).iova == 2 * GIB


@reserving
@translated
def test_a_device_that_the_holder_has_put_there_stands_against_windows(
        held: Held) -> None:
    """Nobody has told ioasidd of it; the kernel refuses, and all is as it
    was."""
    held.offer(plain(held, "EDU0"), plain(held))
    holder = held.claim()
    off = held.now().spaces[1]
    msi = holder.context.ranges(held.now().spaces[0].kernel_id)[0][1] + 1
    ok(holder.devices[1].attach(off.kernel_id))
    assert refusal_of(held, "SetWindows", off.name, windows=[
        {"size": PAGE, "start": msi}]).startswith("kernel.")
    assert refusal_of(held, "DeleteSpace", off.name).startswith("kernel.")
    assert reaches(holder, holder.context, off.kernel_id, holder.devices[1], 0)


def test_a_space_with_a_page_table_of_its_holder_is_not_ended(
        held: Held) -> None:
    """Until its holder has destroyed that."""
    held.offer(plain(held, "EDU0"), plain(held))
    holder = held.claim()
    context = holder.context
    off = held.now().spaces[1]
    table = ok(context.table(holder.devices[0], off.kernel_id)).out_hwpt_id
    assert refusal_of(held, "DeleteSpace", off.name).startswith("kernel.")
    ok(context.unmap(off.kernel_id, 0, (1 << 64) - 1))
    ok(context.destroy(table))
    held.space("DeleteSpace", off.name)
    assert len(held.now().spaces) == 1


@reserving
def test_a_mapping_that_a_device_cannot_reach_keeps_it_off(
        held: Held, fact: Fact) -> None:
    """What its holder has mapped nobody has told ioasidd; the ranges that the
    device cannot use are named, and it stays where it was."""
    held.offer(plain(held, "EDU0"), plain(held))
    holder = held.claim()
    on, off = held.now().spaces
    ranges = holder.context.ranges(on.kernel_id)
    where = ranges[0][1] + 1
    ok(holder.context.map(off.kernel_id, holder.memory(PAGE), PAGE, where))
    before = held.now()
    with pytest.raises(Refused) as refusal:
        held.space("AttachDevice", off.name, device=held.name("EDU0"))
    assert refusal.value.id == "space.occupied"
    fact("causes", refusal.value.causes)
    assert refusal.value.causes[0][2].startswith(f"cannot use {where:#x}-")
    assert held.now() == before
    ok(holder.context.unmap(off.kernel_id, where, PAGE))
    held.space("AttachDevice", off.name, device=held.name("EDU0"))


@grouped
def test_a_device_whose_sibling_is_elsewhere_is_refused(
        machine: Machine, world: World) -> None:
    """Its holder has taken the two apart as far as it could: the one that is
    elsewhere is named."""
    names = [device_name(world.bdf(name)) for name in ("PAIR0", "PAIR1")]
    machine.free("PAIR0", "PAIR1")
    machine.prepare("PAIR0", "PAIR1")
    conn = machine.daemon.native()
    lease = conn.call("Leases/CreateLease", "Lease", mode="HOLD",
                      devices=names, claimant={"uid": NOBODY},
                      memlock_bytes=MIB, spaces=[{"devices": names}, {}, {}])
    holder = Holder(machine.daemon)
    machine.holders.append(holder)
    holder.take(lease.name, "PAIR0", "PAIR1")
    first, second = holder.devices
    ok(first.detach())
    ok(second.attach(lease.spaces[1].kernel_id))
    with pytest.raises(Refused) as refusal:
        conn.call("Spaces/AttachDevice", "Space", device=names[0],
                  name=lease.spaces[2].name)
    assert refusal.value.id == "space.sibling"
    assert [cause[:2] for cause in refusal.value.causes] == \
        [("device", names[1])]
    assert lease.spaces[0].name in refusal.value.causes[0][2]
    # With the one that is attached, the other comes.
    ok(second.detach())
    moved = conn.call("Spaces/AttachDevice", "Space", device=names[0],
                      name=lease.spaces[2].name)
    assert len(moved.attachments) == 2
    conn.close()


@grouped
def test_a_group_is_on_one_space(machine: Machine, world: World) -> None:
    """With one of it the other comes, and goes."""
    machine.free("PAIR0", "PAIR1")
    machine.prepare("PAIR0", "PAIR1")
    conn = machine.daemon.native()
    names = [device_name(world.bdf(name)) for name in ("PAIR0", "PAIR1")]
    lease = conn.call("Leases/CreateLease", "Lease", mode="HOLD",
                      devices=names, claimant={"uid": NOBODY},
                      memlock_bytes=MIB, spaces=[{"devices": names[:1]}, {}])
    assert [one.device for one in lease.spaces[0].attachments] == names
    moved = conn.call("Spaces/AttachDevice", "Space", device=names[1],
                      name=lease.spaces[1].name)
    assert sorted(one.device for one in moved.attachments) == names
    gone = conn.call("Spaces/DetachDevice", "Space", device=names[0],
                     name=lease.spaces[1].name)
    assert not gone.attachments
    conn.call("Leases/ReleaseLease", "Lease", name=lease.name)
    conn.close()
    assert machine.daemon.device("PAIR0")["state"] == "READY"
