# SPDX-License-Identifier: Apache-2.0
"""What the daemon does with the machine: prepare, lease, reclaim, restore.

Devices that these cases take are NVME1, whose host driver is nvme, and those
that no other case needs at that time; each is left as it was found.
"""

import os
import re
from collections.abc import Callable
from typing import Any

import pytest
from ioasid import ALLOWED, STRANGER, Ioasidd, alive, device_name, wait

from bench import Machine
from holder import MEMORY, Holder, grouped, ok, ported, refused
from world import GROUPED, IOMMU, PORTED, Background, World

Take = Callable[..., Holder]
Fact = Callable[[str, Any], None]
# What is done to a device when its holder has ended, in this order.
LADDER = ["holders", "override", "unbind", "probe", "answer", "bind", "reset",
          "health"]


def steps(lease: dict[str, Any], name: str) -> list[list[str]]:
    """What was done to a device in the end: act, method, result."""
    return [[step["act"], step.get("method", ""), step["result"]]
            for step in lease["reclaim"]
            if step["object"] == device_name(os.environ[name])]


# --- inventory ---

def test_devices_are_those_of_the_machine(machine: Machine, daemon: Ioasidd,
                                          world: World, fact: Fact) -> None:
    """With their groups' members, ids and classes."""
    names = ("EDU0", "NVME0", "NVME1", "PAIR0", "PAIR1", "NET0")
    machine.host(*names)
    for name in names:
        device = daemon.device(name)
        pci = device["pci"]
        fact(name, [pci["bdf"], pci["vendor"], pci["device"], pci["class"],
                    pci.get("resetMethods"), device.get("group"),
                    bool(device.get("bridge")), device["isolatedMsi"]])
    groups = daemon.ask("groups")["groups"]
    pair = [group for group in groups
            if device_name(world.bdf("PAIR0")) in group["devices"]]
    if not GROUPED:
        assert not pair
        return
    assert len(pair) == 1
    assert device_name(world.bdf("PAIR1")) in pair[0]["devices"]
    fact("reserved", pair[0].get("reservedRegions"))


# --- prepare ---

def test_prepare_finds_what_a_client_finds(bench: Any, fact: Fact) -> None:
    """Ranges, alignment: as they are once the device is attached."""
    context = bench.context
    answer, ranges = context.iova_ranges(bench.attached())
    found = bench.holder.daemon.device("EDU0")["capabilities"]
    assert [[int(item.get("start", 0)), int(item["last"])]
            for item in found["iovaRanges"]] == ranges
    assert int(found["iovaAlignment"]) == answer.out_iova_alignment
    fact("capabilities", {key: value for key, value in found.items()
                          if key not in ("probed", "bindUs")})


@grouped
def test_siblings_are_prepared_together(machine: Machine, daemon: Ioasidd,
                                        world: World, fact: Fact) -> None:
    """And given back together."""
    machine.host("PAIR0", "PAIR1")
    assert daemon.device("PAIR1")["state"] == "HOST"
    machine.prepare("PAIR1")
    for name in ("PAIR0", "PAIR1"):
        device = daemon.device(name)
        assert device["state"] == "READY"
        assert world.driver(name) == "vfio-pci"
        fact(name, device["pci"].get("resetSet"))
        assert len(device["pci"]["resetSet"]) == (2 if PORTED else 0)
    machine.host("PAIR0")
    assert world.driver("PAIR0") == world.driver("PAIR1") == ""


def test_device_without_reset_has_to_be_allowed(machine: Machine,
                                                daemon: Ioasidd) -> None:
    """Both functions of the pair are on one bus, and have no other way."""
    machine.host("PAIR0", "PAIR1")
    allowed = [word for word in ALLOWED if word != "--allow-no-reset"]
    refusal = daemon.refused("prepare", *allowed, daemon.bdf("PAIR0"))
    assert refusal.id == "device.no-reset"
    assert daemon.device("PAIR1")["state"] == "HOST"
    machine.prepare("PAIR0")
    assert daemon.device("PAIR0")["noReset"]


@pytest.mark.skipif("BRIDGED0" not in os.environ, reason="no bridge here")
def test_bridge_of_a_group_stays(machine: Machine, daemon: Ioasidd,
                                 world: World) -> None:
    """It is no endpoint, and no VFIO driver would take it."""
    before = world.driver("BRIDGE")
    machine.prepare("BRIDGED0")
    assert world.driver("BRIDGED0") == "vfio-pci"
    assert world.driver("BRIDGE") == before
    assert world.switch("BRIDGE", "vfio-pci") == "ok"
    assert world.driver("BRIDGE") == ""
    world.set_override("BRIDGE", "")
    assert daemon.device("BRIDGED0")["state"] == "READY"
    machine.host("BRIDGED0")


@pytest.mark.skipif(IOMMU != "virtio", reason="interrupts are isolated, or "
                    "nothing tells, or there is no IOMMU at all")
def test_unsafe_interrupts_have_to_be_allowed(machine: Machine,
                                              daemon: Ioasidd) -> None:
    """By who asks, whatever the kernel allows."""
    machine.host("NVME1")
    refusal = daemon.refused("prepare", daemon.bdf("NVME1"))
    assert refusal.id == "device.unsafe-interrupts"


def test_device_in_use_is_not_taken(machine: Machine, daemon: Ioasidd,
                                    world: World, fact: Fact) -> None:
    """Its disk is mounted; who uses it is named."""
    machine.host("NVME1")
    with world.mounted("NVME1") as where:
        refusal = daemon.refused("prepare", *ALLOWED, daemon.bdf("NVME1"))
        assert refusal.id == "device.in-use"
        kinds = re.findall(r"^  (\w+) ", refusal.words, re.M)
        fact("kinds", kinds)
        assert where in refusal.words
        assert world.driver("NVME1") == "nvme"
    machine.prepare("NVME1")
    assert world.driver("NVME1") == "vfio-pci"


def test_driver_that_there_is_not_is_refused(
        machine: Machine, daemon: Ioasidd, world: World, fact: Fact) -> None:
    """Nothing is changed for it."""
    machine.host("NVME1")
    refusal = daemon.refused("prepare", *ALLOWED, "--driver", "vfio-nothing",
                             daemon.bdf("NVME1"))
    fact("refusal", refusal.id)
    world.settle("NVME1", "nvme")


# --- drivers ---

def test_restored_device_has_its_own_driver(machine: Machine, daemon: Ioasidd,
                                            world: World) -> None:
    """And no override."""
    machine.free("NVME1")
    machine.prepare("NVME1")
    assert daemon.device("NVME1")["formerDriver"] == "nvme"
    machine.host("NVME1")
    world.settle("NVME1", "nvme")
    device = daemon.device("NVME1")
    assert (device["state"], device["driver"]) == ("HOST", "nvme")
    # It is the kernel's own choice again. Without driver there is none to be
    # taken off, and nothing to fail.
    for _ in range(2):
        world.unbind("NVME1")
        assert world.driver("NVME1") == ""
    assert world.probe("NVME1") == "ok"
    world.settle("NVME1", "nvme")


def test_override_decides_which_driver_is_found(machine: Machine,
                                                world: World) -> None:
    """A name that no driver has leaves the function without."""
    machine.host("NVME1")
    assert world.switch("NVME1", "no-such-driver") == "ok"
    assert world.driver("NVME1") == ""
    assert world.switch("NVME1", "vfio-pci") == "ok"
    assert world.driver("NVME1") == "vfio-pci"
    # One that has a driver keeps it.
    world.set_override("NVME1", "pci-stub")
    assert world.probe("NVME1") == "ok"
    assert world.driver("NVME1") == "vfio-pci"
    assert world.switch("NVME1", "") == "ok"
    world.settle("NVME1", "nvme")


def test_what_root_does_is_seen_by_announcement(
        machine: Machine, daemon: Ioasidd, world: World) -> None:
    """Within a second, without being asked to look."""
    machine.host("NVME1")
    world.switch("NVME1", "vfio-pci")
    daemon.wait_device("NVME1", "FOREIGN", 2)
    world.switch("NVME1", "")
    daemon.wait_device("NVME1", "HOST", 2)
    world.settle("NVME1", "nvme")


# --- coming and going ---

def test_device_that_is_pulled_is_gone_and_comes_back_as_it_is(
        machine: Machine, daemon: Ioasidd, world: World) -> None:
    """With its own driver and without an override; its group goes with it."""
    machine.free("NVME1")
    machine.prepare("NVME1")
    group = daemon.device("NVME1")["group"]
    world.remove("NVME1")
    daemon.wait_device("NVME1", "GONE", 5)
    groups = daemon.ask("groups")["groups"]
    assert group not in [item["name"] for item in groups]
    world.add("NVME1")
    device = daemon.wait_device("NVME1", "HOST", 15)
    world.settle("NVME1", "nvme")
    assert device["group"] == (group if GROUPED else "")


def test_leased_device_that_is_pulled_waits_for_its_holder(
        machine: Machine, daemon: Ioasidd, world: World) -> None:
    """The kernel waits for the descriptor before it forgets the function."""
    holder = machine.holder("NVME1")
    holder.device("NVME1").bound()
    removal = Background(lambda: world.remove("NVME1"))
    world.settle("NVME1", "")
    assert not removal.over(0.3)
    holder.kill_all()
    assert removal.over(30)
    daemon.wait_device("NVME1", "GONE", 30)
    daemon.wait_lease(holder.leases[0], "ENDED")
    world.add("NVME1")
    world.settle("NVME1", "nvme")
    # If it was gone before it could be looked at, it is looked at now.
    wait(lambda: daemon.device("NVME1")["state"] in ("HOST", "QUARANTINED"),
         20, "it is back")
    if daemon.device("NVME1")["state"] == "QUARANTINED":
        daemon.ask("device", "recover", daemon.bdf("NVME1"))
    machine.host("NVME1")


# --- leases ---

def test_claim_is_for_the_claimant_and_once(machine: Machine, take: Take,
                                            daemon: Ioasidd) -> None:
    """Neither somebody else's nor a second one gives a descriptor."""
    machine.free("NVME0")
    machine.prepare("NVME0")
    lease = daemon.offer("NVME0", uid=STRANGER)
    other = take()
    answer = refused("refused", other.tell("claim", lease))
    assert answer.id in ("lease.not-claimant", "lease.not-found")
    daemon.ask("lease", "release", lease)
    holder = take("NVME0")
    answer = refused("refused", holder.tell("claim", holder.leases[0]))
    assert answer.id == "lease.state"


@grouped
def test_group_is_leased_as_a_whole(machine: Machine, daemon: Ioasidd) -> None:
    """One function of it alone is refused."""
    machine.free("PAIR0", "PAIR1")
    machine.prepare("PAIR0")
    refusal = daemon.refused("lease", "create", "--uid", "1",
                             daemon.bdf("PAIR0"))
    assert refusal.id == "lease.devices"


def test_context_of_a_lease_is_empty(take: Take, fact: Fact) -> None:
    """Accounted to the process, and no object is in it."""
    holder = take("NVME0")
    context = holder.context
    assert ok(context.option(0, 1)).val64 == 1
    refused("ENOENT", context.destroy(1))
    assert ok(holder.device("NVME0").bind()).out_devid == 1
    assert context.space() == 2


@pytest.mark.skipif(not os.environ.get("IOASID_PRIVILEGED"),
                    reason="root of this host has no CAP_SYS_RESOURCE")
def test_rlimit_mode_of_a_context_with_an_object_is_ebusy(take: Take) -> None:
    """And it is 0 or 1; who may raise limits may set it."""
    holder = take("NVME0", uid=0)
    context = holder.context
    ok(context.option(0, 0, value=0))
    assert ok(context.option(0, 1)).val64 == 0
    refused("EINVAL", context.option(0, 0, value=2))
    context.space()
    refused("EBUSY", context.option(0, 0, value=1))


# --- the holder's death ---

def test_dead_holders_devices_are_made_safe_rung_by_rung(
        machine: Machine, daemon: Ioasidd, fact: Fact) -> None:
    """Each rung with its result; then they are ready for the next."""
    holder = machine.holder("EDU0", "PAIR0", "PAIR1")
    for device in holder.devices:
        device.bound()
    ended, = holder.ended()
    for name in ("EDU0", "PAIR0", "PAIR1"):
        fact(name, steps(ended, name))
        assert daemon.device(name)["state"] == "READY"
    assert [step[0] for step in steps(ended, "EDU0")] == LADDER
    assert {step[2] for step in steps(ended, "EDU0")} == {"ok"}
    assert ended["endReason"] == "holder ended"


def test_next_holder_finds_nothing_of_the_last(take: Take) -> None:
    """Registers are as after a reset, and memory space is off."""
    register, value = 0x14, 0x00460000
    holder = take("NVME0")
    device = holder.device("NVME0")
    device.bound()
    device.command(MEMORY)
    device.put(0, register, 4, value)
    holder.ended()
    other = take("NVME0").device("NVME0")
    other.bound()
    other.command(MEMORY)
    assert other.get(0, register, 4) != value


def test_child_that_has_the_device_is_named(
        machine: Machine, daemon: Ioasidd, fact: Fact) -> None:
    """As long as it lives nobody gets it; then it recovers."""
    holder = machine.holder("NVME0")
    holder.device("NVME0").bound()
    child = holder.fork()
    ended, = holder.ended()
    fact("steps", [step[0] for step in steps(ended, "NVME0")])
    device = daemon.wait_device("NVME0", "QUARANTINED", 20)
    assert str(child.pid) in device["stateReason"]
    refusal = daemon.refused("device", "recover", daemon.bdf("NVME0"))
    assert refusal.id == "device.held" and str(child.pid) in refusal.words
    assert alive(child.pid)
    holder.kill_all()
    daemon.ask("device", "recover", daemon.bdf("NVME0"))
    assert daemon.device("NVME0")["state"] == "READY"


def test_child_with_the_iommufd_alone_is_in_nobodys_way(
        machine: Machine, daemon: Ioasidd) -> None:
    """It has no device."""
    holder = machine.holder("NVME0")
    holder.device("NVME0").bound()
    child = holder.fork()
    child.close(holder.device("NVME0").fd)
    holder.ended()
    assert alive(child.pid)
    assert daemon.device("NVME0")["state"] == "READY"
    holder.kill_all()


@pytest.mark.slow
def test_descriptor_in_flight_makes_the_device_stuck(
        machine: Machine, daemon: Ioasidd, world: World, fact: Fact) -> None:
    """Nobody has it, so nobody is named; but unbind waits for it."""
    holder = machine.holder("NVME0")
    child = holder.fork()
    ok(child.tell("park", holder.device("NVME0").fd))
    ended, = holder.ended(40)
    fact("steps", [step[0] for step in steps(ended, "NVME0")])
    device = daemon.wait_device("NVME0", "STUCK", 15)
    # Driver and cdev are out of sysfs before the unbind waits.
    assert world.driver("NVME0") == ""
    assert not device.get("driver")
    refusal = daemon.refused("device", "recover", daemon.bdf("NVME0"))
    assert refusal.id == "device.stuck"
    holder.kill_all()

    def recovered() -> bool:
        """The unbind comes back a moment after the last close."""
        done = daemon.ctl("device", "recover", daemon.bdf("NVME0"))
        assert not done.returncode or "device.stuck" in done.stderr
        return not done.returncode

    wait(recovered, 10, "the unbind has ended")
    assert daemon.device("NVME0")["state"] == "READY"


def test_device_that_somebody_has_unbound_is_made_ready_again(
        machine: Machine, daemon: Ioasidd, world: World, fact: Fact) -> None:
    """The ladder binds it."""
    holder = machine.holder("NVME0")
    holder.device("NVME0").close()
    world.unbind("NVME0")
    assert world.driver("NVME0") == ""
    wait(lambda: not daemon.device("NVME0").get("driver"), 5, "it is seen")
    ended, = holder.ended()
    fact("steps", steps(ended, "NVME0"))
    daemon.wait_device("NVME0", "READY")
    assert world.driver("NVME0") == "vfio-pci"


@ported
def test_device_behind_a_dead_bus_is_not_given_out(
        machine: Machine, daemon: Ioasidd, world: World, fact: Fact) -> None:
    """It does not answer; when it does again it recovers, with its BARs."""
    holder = machine.holder("NVME1")
    holder.device("NVME1").bound()
    world.dead("NVME1", True)
    try:
        ended, = holder.ended()
        fact("steps", [[step[0], step[2]] for step in steps(ended, "NVME1")])
        daemon.wait_device("NVME1", "QUARANTINED", 20)
        refusal = daemon.refused("device", "recover", daemon.bdf("NVME1"))
        fact("refusal", refusal.id)
    finally:
        world.dead("NVME1", False)
    daemon.ask("device", "recover", daemon.bdf("NVME1"))
    assert daemon.device("NVME1")["state"] == "READY"
    holder = machine.holder("NVME1")
    device = holder.device("NVME1")
    device.bound()
    device.command(MEMORY)
    assert device.get(0, 0, 4) != 0xffffffff


def test_leased_device_is_not_restored(take: Take, daemon: Ioasidd) -> None:
    """Its holder has it."""
    take("NVME0")
    refusal = daemon.refused("restore", daemon.bdf("NVME0"))
    assert refusal.id == "device.leased"
