# SPDX-License-Identifier: Apache-2.0
"""Devices without an IOMMU: VFIO's no-IOMMU mode, with iommufd.

The kernel gives such a device a group of its own, lets it be bound and attached,
pins what is mapped, and translates nothing. So all that a lease promises is
checked as ever, and nothing is protected: that is an administrator's decision,
and it shows. What device DMA does to the host's memory no case tries; those that
look on do it where no memory is.
"""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from ioasid import ALLOWED, Ioasidd, alive, wait

from bench import Bench, Held, Machine
from holder import NOWHERE, PAGE, TOP, Holder, ok, refused
from test_service import LADDER, steps
from world import IOMMU, World

Take = Callable[..., Holder]
Fact = Callable[[str, Any], None]
GIB = 1 << 30

pytestmark = pytest.mark.skipif(IOMMU != "none",
                                reason="there is an IOMMU in front of devices")


@pytest.fixture
def nvme(machine: Machine, world: World) -> Iterator[str]:
    """A device with its host driver; the mode is on again, and it is back."""
    machine.host("NVME1")
    yield "NVME1"
    world.no_iommu_mode(True)
    if world.driver("NVME1") != "nvme":
        world.switch("NVME1", "")
    machine.host("NVME1")


# --- prepare ---

def test_it_is_taken_by_decision_only(nvme: str, daemon: Ioasidd,
                                      world: World, fact: Fact) -> None:
    """To force it, or to allow what other devices lack, is another one."""
    for options in ([], ["--force"], ["--allow-unsafe-interrupts"]):
        refusal = daemon.refused("prepare", *options, daemon.bdf(nvme))
        assert refusal.id == "device.no-group"
        assert "reach all memory of the host" in refusal.words
        assert "allow_no_iommu" in refusal.words
    assert world.driver(nvme) == "nvme"
    assert not daemon.device(nvme)["noIommu"]
    daemon.prepare(nvme)
    device = daemon.device(nvme)
    assert device["state"] == "READY" and device["noIommu"]
    fact("isolated", device["isolatedMsi"])


def test_kernel_without_the_mode_gives_no_such_device(
        nvme: str, daemon: Ioasidd, world: World) -> None:
    """We say so before anything is changed, and what would help."""
    world.no_iommu_mode(False)
    refusal = daemon.refused("prepare", *ALLOWED, daemon.bdf(nvme))
    assert refusal.id == "device.no-group"
    assert "vfio.enable_unsafe_noiommu_mode=1" in refusal.words
    assert world.driver(nvme) == "nvme"
    # Whoever tries it all the same has no driver then.
    assert world.switch(nvme, "vfio-pci") == "ok"
    assert world.driver(nvme) == ""
    world.switch(nvme, "")
    world.settle(nvme, "nvme")
    world.no_iommu_mode(True)
    daemon.prepare(nvme)
    assert world.driver(nvme) == "vfio-pci"


def test_it_is_in_a_group_of_its_own_while_vfio_has_it(
        machine: Machine, daemon: Ioasidd, world: World, fact: Fact) -> None:
    """Also two functions of one device; which are prepared one by one."""
    machine.host("PAIR0", "PAIR1")
    assert daemon.device("PAIR0")["group"] == ""
    machine.prepare("PAIR0")
    assert world.driver("PAIR1") == ""
    machine.prepare("PAIR1")
    groups = [daemon.device(name)["group"] for name in ("PAIR0", "PAIR1")]
    assert len(set(groups)) == 2
    for group in daemon.ask("groups")["groups"]:
        if group["name"] in groups:
            fact(group["name"], [group["type"], group["iommu"],
                                 group["viable"], group["devices"],
                                 group["reservedRegions"]])
    machine.host("PAIR0", "PAIR1")
    assert not set(groups) & {group["name"] for group in
                              daemon.ask("groups")["groups"]}


def test_all_of_64_bits_can_be_used(daemon: Ioasidd, bench: Bench) -> None:
    """Nothing is reserved, not even where interrupts are."""
    caps = daemon.device(bench.devices[0].name)["capabilities"]
    assert [(int(one["start"]), int(one["last"]))
            for one in caps["iovaRanges"]] == [(0, TOP)]
    space = bench.attached()
    answer, ranges = bench.context.iova_ranges(space)
    assert ranges == [[0, TOP]] and answer.out_iova_alignment == PAGE
    ok(bench.context.map(space, bench.page(), PAGE, 0xfee00000))
    ok(bench.context.map(space, bench.page(), PAGE, TOP + 1 - PAGE))


def test_nothing_says_what_an_iommu_is(bench: Bench) -> None:
    """There is none."""
    va = bench.holder.memory(512)
    refused("EOPNOTSUPP", bench.context.call(
        "hw_info", dev_id=bench.devices[0].id, data_len=512, data_uptr=va))


# --- what is not there ---

def test_dma_is_not_translated(bench: Bench) -> None:
    """What is mapped is pinned, and that is all: the device writes to the
    address itself."""
    context, holder, edu = bench.context, bench.holder, bench.devices[0]
    space, page = bench.attached(), bench.page(1)
    ok(context.map(space, page, PAGE, NOWHERE))
    edu.store(NOWHERE)
    assert holder.same(page, PAGE, 1)


def test_functions_of_a_device_are_apart(take: Take) -> None:
    """Each in a space of its own, or in a context; nothing isolates them."""
    holder = take("PAIR0", "PAIR1", also=("NVME1",))
    first, second = holder.contexts
    one, two = holder.device("PAIR0"), holder.device("PAIR1")
    ok(one.bind(first.fd))
    ok(two.bind(second.fd))
    two.close()
    other = holder.device("NVME1")
    ok(other.bind(first.fd))
    space, another = first.space(), first.space()
    ok(one.attach(space))
    ok(other.attach(another))
    ok(other.attach(space))


def test_siblings_do_not_belong_to_who_has_one_of_them(
        take: Take, fact: Fact) -> None:
    """A hot reset takes that all are bound: a group says nothing here."""
    holder = take("PAIR0", "PAIR1")
    one, two = holder.device("PAIR0"), holder.device("PAIR1")
    ok(one.bind())
    answer = ok(one.call("pci_hot_reset_info", tail="00" * 16))
    fact("one is bound", [answer.flags, answer.count, answer.tail])
    assert answer.count == 2
    refused("EINVAL", one.call("pci_hot_reset"))
    ok(two.bind())
    answer = ok(one.call("pci_hot_reset_info", tail="00" * 16))
    fact("both are bound", [answer.flags, answer.count, answer.tail])
    ok(one.call("pci_hot_reset"))


# --- leases ---

def test_lease_shows_that_nothing_contains_its_holder(
        machine: Machine, daemon: Ioasidd) -> None:
    """To whoever asks, from the offer on; it ends as any."""
    holder = machine.holder("EDU0")
    lease = daemon.lease(holder.leases[0])
    assert lease["noIommu"]
    words = daemon.ctl("lease", "show", holder.leases[0]).stdout
    assert "nothing is protected" in words
    ok(holder.device("EDU0").bind())
    ended, = holder.ended()
    assert [step[0] for step in steps(ended, "EDU0")] == LADDER
    assert {step[2] for step in steps(ended, "EDU0")} == {"ok"}
    assert daemon.device("EDU0")["state"] == "READY"


def test_successor_finds_spaces_as_they_were(held: Held) -> None:
    """Ids, windows, attachments, mappings."""
    held.offer({"devices": [held.name("EDU0"), held.name("EDU1")],
                "windows": [{"size": GIB, "start": NOWHERE}]})
    holder = held.claim()
    before = held.now()
    space = before.spaces[0].kernel_id
    file = holder.memfd(4 * PAGE)
    ok(holder.context.map_file(space, file, 4 * PAGE, NOWHERE))
    holder.kill()
    wait(lambda: held.state() == "OFFERED", 30, "it is offered again")
    successor = held.claim()
    now = held.now()
    assert now.no_iommu
    assert list(now.device_ids) == list(before.device_ids)
    assert now.spaces[0].kernel_id == space
    assert now.spaces[0].windows == before.spaces[0].windows
    answer = ok(successor.context.unmap(space, NOWHERE, 4 * PAGE))
    assert answer.length == 4 * PAGE


def test_nothing_is_unmapped_while_a_device_may_go_on(
        held: Held, daemon: Ioasidd) -> None:
    """Who still has all that the holder had keeps it pinned: its device would
    write to what is somebody else's otherwise. Nobody gets the devices, until
    it has ended; then they were closed and reset."""
    held.offer({"devices": [held.name("EDU0")]}, grace_ms=300)
    holder = held.claim()
    space = held.now().spaces[0].kernel_id
    ok(holder.context.map_file(space, holder.memfd(PAGE), PAGE, NOWHERE))
    pid = holder.leave()
    lease = daemon.wait_lease(held.lease, "ENDED")
    assert [step["act"] for step in lease["reclaim"]] == \
        ["fence", "holders", "holders"], lease["reclaim"]
    fence = lease["reclaim"][0]
    assert "no IOMMU" in fence["method"] and fence["result"] == "ok"
    assert ok(holder.context.unmap(space, NOWHERE, PAGE)).length == PAGE
    for name in ("EDU0", "EDU1"):
        device = daemon.device(name)
        assert device["state"] == "QUARANTINED"
        assert str(pid) in device["stateReason"]
    assert alive(pid)
    holder.kill_heir()
    for name in ("EDU0", "EDU1"):
        daemon.ask("device", "recover", daemon.bdf(name))
        assert daemon.device(name)["state"] == "READY"


def test_it_is_kept_out_of_use_when_the_mode_was_switched_off(
        machine: Machine, daemon: Ioasidd, world: World) -> None:
    """The ladder registers it anew, which the kernel refuses then; it recovers
    when the mode is on again."""
    holder = machine.holder("NVME0")
    ok(holder.device("NVME0").bind())
    world.no_iommu_mode(False)
    try:
        ended, = holder.ended()
        assert [step[0] for step in steps(ended, "NVME0")] == LADDER[:4]
        device = daemon.wait_device("NVME0", "QUARANTINED", 20)
        assert device["noIommu"]
    finally:
        world.no_iommu_mode(True)
    daemon.ask("device", "recover", daemon.bdf("NVME0"))
    assert daemon.device("NVME0")["state"] == "READY"
    assert daemon.device("NVME0")["noIommu"]
