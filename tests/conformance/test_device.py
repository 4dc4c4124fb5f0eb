# SPDX-License-Identifier: Apache-2.0
"""VFIO cdevs: BIND, what a function shows, resets, the last close."""

from collections.abc import Callable, Iterator

import pytest

from bench import Bench, Machine
from holder import (COMMAND, CONFIG, MASTER, MEMORY, PAGE, TOP, Holder,
                    grouped, ok, ported, refused, translated)
from ioasid import wait
from world import IOMMU, Background, World

GIB = 1 << 30
Take = Callable[..., Holder]
# A register of an NVMe that keeps what is written, until a reset.
NVME_CC, NVME_CC_SIZES = 0x14, 0x00460000
RESET_WORKS, IS_PCI = 1, 2
MMAP = 4


# --- before BIND ---

def test_before_bind_every_call_is_einval(take: Take) -> None:
    """Whatever it is, and reads and writes, too."""
    device = take("NVME0").device("NVME0")
    for name in ("device_info", "region_info", "irq_info", "reset",
                 "pci_hot_reset_info", "pci_hot_reset",
                 "device_attach_iommufd_pt", "device_detach_iommufd_pt"):
        refused("EINVAL", device.call(name))
    refused("EINVAL", device.call("raw", nr=0x3bff))
    refused("EINVAL", device.holder.tell("pread", device.fd, 0, 4))
    refused("EINVAL", device.holder.tell("pwrite", device.fd, 0, "00000000"))


def test_bind_is_once(take: Take) -> None:
    """A second one is EINVAL, to the same context or another."""
    holder = take("NVME0", also=("NVME1",))
    device = holder.device("NVME0")
    ok(device.bind())
    refused("EINVAL", device.bind())
    refused("EINVAL", device.bind(holder.contexts[1].fd))
    # And nothing has become of the refused ones.
    refused("ENOENT", holder.contexts[1].destroy(1))
    ok(device.call("device_info"))


def test_refused_bind_leaves_the_device_unbound(
        take: Take, fact: Callable[..., None]) -> None:
    """Structure, flags and descriptor are looked at."""
    holder = take("NVME0")
    device = holder.device("NVME0")
    refused("EINVAL", device.bind(argsz=8))
    refused("EINVAL", device.bind(flags=1 << 31))
    refused("EINVAL", device.bind(-1 & 0xffffffff))
    refused("E2BIG", device.bind(tail="00" * 64 + "01"))
    refused("EBADF", device.bind(4711))
    refused("EBADFD", device.bind(device.fd))
    memfd = holder.memfd(PAGE)
    answer = device.bind(memfd)
    fact("to a file", answer.error)
    refused("EBADFD", answer)
    refused("EINVAL", device.call("device_info"))
    answer = ok(device.bind(tail="00" * 64))
    fact("id", answer.out_devid)


def test_bind_without_the_newest_field_succeeds(take: Take) -> None:
    """Programs of before 6.17 have no token."""
    device = take("NVME0").device("NVME0")
    ok(device.bind(argsz=16))


def test_token_that_nobody_asks_for_is_einval(take: Take) -> None:
    """There is no PF with VFs here."""
    holder = take("NVME0")
    device = holder.device("NVME0")
    refused("EINVAL", device.bind(flags=1, token_uuid_ptr=holder.memory(16)))


# --- groups ---

@grouped
def test_group_belongs_to_one_context(take: Take) -> None:
    """Until the last close of what is bound of it."""
    holder = take("PAIR0", "PAIR1", also=("NVME1",))
    first, second = holder.contexts
    one, two = holder.device("PAIR0"), holder.device("PAIR1")
    ok(one.bind(first.fd))
    refused("EPERM", two.bind(second.fd))
    one.close()
    ok(two.bind(second.fd))


@grouped
def test_sibling_with_a_host_driver_keeps_the_group_from_being_bound(
        take: Take, world: World) -> None:
    """Unless it is one that does no DMA, or none."""
    holder = take("PAIR0", "PAIR1")
    one, two = holder.device("PAIR0"), holder.device("PAIR1")
    two.close()
    try:
        assert world.switch("PAIR1", "uio_pci_generic") == "ok"
        assert world.driver("PAIR1") == "uio_pci_generic"
        refused("EPERM", one.bind())
        assert world.switch("PAIR1", "pci-stub") == "ok"
        assert world.driver("PAIR1") == "pci-stub"
        ok(one.bind())
    finally:
        assert world.switch("PAIR1", "vfio-pci") == "ok"


@grouped
def test_host_driver_takes_no_sibling_of_what_is_bound(
        take: Take, world: World) -> None:
    """drivers_probe is refused, and the function stays without."""
    holder = take("PAIR0", "PAIR1")
    one, two = holder.device("PAIR0"), holder.device("PAIR1")
    ok(one.bind())
    two.close()
    try:
        assert world.switch("PAIR1", "uio_pci_generic") == "EINVAL"
        assert world.driver("PAIR1") == ""
        one.close()
        assert world.probe("PAIR1") == "ok"
        assert world.driver("PAIR1") == "uio_pci_generic"
    finally:
        assert world.switch("PAIR1", "vfio-pci") == "ok"


@pytest.mark.skipif(IOMMU != "virtio", reason="interrupts are isolated, or "
                    "nothing tells, or there is no IOMMU at all")
def test_bind_without_isolated_interrupts_has_to_be_allowed(
        take: Take, world: World) -> None:
    """By a parameter of iommufd."""
    device = take("NVME0").device("NVME0")
    world.unsafe_interrupts(False)
    try:
        refused("EPERM", device.bind())
    finally:
        world.unsafe_interrupts(True)
    ok(device.bind())


# --- what a function shows ---

@pytest.fixture(name="shown", params=["EDU0", "NVME0", "PAIR0"])
def shown_fixture(request: pytest.FixtureRequest, machine: Machine,
                  take: Take) -> Iterator[Holder]:
    """A bound device of each kind."""
    names = ("PAIR0", "PAIR1") if request.param == "PAIR0" \
        else (request.param,)
    holder = take(*names)
    holder.devices[0].bound()
    yield holder


def test_function_shows_what_it_is(shown: Holder,
                                   fact: Callable[..., None]) -> None:
    """Information, regions, interrupts, ids."""
    device = shown.devices[0]
    info = ok(device.call("device_info"))
    fact("info", [info.flags, info.num_regions, info.num_irqs])
    # A simulated BAR cannot be mapped, and nothing is behind its ROM.
    regions = [ok(device.call("region_info", index=index))
               for index in (0, 1, 2, 3, 4, 5, 7)]
    fact("regions", [[region.region_size, region.flags & ~MMAP & 3]
                     for region in regions])
    irqs = [ok(device.call("irq_info", index=index))
            for index in range(info.num_irqs)]
    # Of MSI-X, number 2, a description does not say how many there are.
    fact("interrupts", [[irq.flags, min(irq.count, 1)] for irq in irqs])
    fact("ids", [device.get(CONFIG, at, 2) for at in (0, 2, 0x2c, 0x2e)])
    fact("class", device.get(CONFIG, 8, 4))
    assert info.flags & IS_PCI


def test_there_is_no_region_behind_the_last(take: Take) -> None:
    """Nor an interrupt."""
    device = take("NVME0").device("NVME0")
    device.bound()
    info = ok(device.call("device_info"))
    for index in (8, 9, 200):
        refused("EINVAL", device.call("region_info", index=index))
        refused("EINVAL", device.holder.tell("pread", device.fd, index << 40,
                                             4))
    refused("EINVAL", device.call("irq_info", index=info.num_irqs))


def test_structure_of_vfio_that_is_too_short_is_einval(take: Take) -> None:
    """And a flag that nobody knows."""
    holder = take("NVME0")
    device = holder.device("NVME0")
    device.bound()
    space = holder.context.space()
    for name, argsz in (("device_info", 8), ("region_info", 16),
                        ("irq_info", 8), ("device_attach_iommufd_pt", 8),
                        ("device_detach_iommufd_pt", 4),
                        ("pci_hot_reset_info", 8), ("pci_hot_reset", 8)):
        refused("EINVAL", device.call(name, argsz=argsz))
    refused("EINVAL", device.attach(space, flags=1 << 31))
    refused("EINVAL", device.detach(flags=1 << 31))
    ok(device.attach(space, argsz=12))
    ok(device.detach(argsz=8))


def test_memory_that_is_off_is_eio(take: Take) -> None:
    """PCI_COMMAND: the bus would answer ones, or nothing."""
    device = take("NVME0").device("NVME0")
    device.bound()
    device.command(MEMORY)
    device.get(0, 0, 4)
    device.command(0)
    refused("EIO", device.read(0, 0, 4))
    refused("EIO", device.write(0, NVME_CC, 4, 0))
    device.command(MEMORY)
    device.get(0, 0, 4)


def test_read_beyond_the_end_of_a_bar_is_cut(take: Take) -> None:
    """And one that begins there is EINVAL."""
    device = take("NVME0").device("NVME0")
    device.bound()
    device.command(MEMORY)
    size = ok(device.call("region_info", index=0)).region_size
    assert len(ok(device.read(0, size - 8, 16)).data) == 16
    refused("EINVAL", device.read(0, size, 4))


def test_ids_cannot_be_written(take: Take) -> None:
    """Nor what else is read-only."""
    device = take("NVME0").device("NVME0")
    device.bound()
    before = [device.get(CONFIG, at, 4) for at in (0, 8, 0x2c)]
    for at in (0, 8, 0x2c):
        device.put(CONFIG, at, 4, 0x12345678)
    assert [device.get(CONFIG, at, 4) for at in (0, 8, 0x2c)] == before
    device.put(CONFIG, 0x3c, 1, 0x5a)
    assert device.get(CONFIG, 0x3c, 1) == 0x5a


def test_bar_that_is_written_with_ones_shows_its_size(
        take: Take, fact: Callable[..., None]) -> None:
    """As software finds it out; the function stays where it is."""
    device = take("NVME0").device("NVME0")
    device.bound()
    before = device.get(CONFIG, 0x10, 4)
    device.put(CONFIG, 0x10, 4, 0xffffffff)
    shown = device.get(CONFIG, 0x10, 4)
    fact("shown", shown & ~0xf)
    size = ok(device.call("region_info", index=0)).region_size
    # What kind of BAR it is the low bits say; a description does not.
    assert shown & ~0xf == 0xffffffff & -size
    device.put(CONFIG, 0x10, 4, before)
    assert device.get(CONFIG, 0x10, 4) == before
    device.command(MEMORY)
    device.get(0, 0, 4)


# --- resets ---

def write_register(holder: Holder) -> None:
    """Write to a register of an NVMe what only a reset takes away."""
    device = holder.device("NVME0")
    device.command(MEMORY | MASTER)
    device.put(0, NVME_CC, 4, NVME_CC_SIZES)
    assert device.get(0, NVME_CC, 4) == NVME_CC_SIZES


def test_reset_clears_registers(take: Take,
                                fact: Callable[..., None]) -> None:
    """And leaves configuration space as it was."""
    holder = take("NVME0")
    device = holder.device("NVME0")
    device.bound()
    assert ok(device.call("device_info")).flags & RESET_WORKS
    write_register(holder)
    device.put(CONFIG, 0x3c, 1, 0x5a)
    ok(device.reset())
    fact("command", device.get(CONFIG, COMMAND, 2))
    fact("line", device.get(CONFIG, 0x3c, 1))
    device.command(MEMORY)
    assert device.get(0, NVME_CC, 4) != NVME_CC_SIZES


@ported
def test_edu_keeps_its_liveness_over_a_reset(
        bench: Bench, fact: Callable[..., None]) -> None:
    """Or not: QEMU's has no reset of its own."""
    edu = bench.devices[0]
    edu.put(0, edu.LIVENESS, 4, 0x1234)
    assert edu.get(0, edu.LIVENESS, 4) == ~0x1234 & 0xffffffff
    ok(edu.reset())
    edu.awake()
    fact("liveness", edu.get(0, edu.LIVENESS, 4))


def test_edu_does_arithmetic(bench: Bench) -> None:
    """The registers are those of an edu."""
    edu = bench.devices[0]
    edu.put(0, edu.FACTORIAL, 4, 5)
    wait(lambda: not edu.get(0, edu.STATUS, 4) & 1, 10, "edu has finished")
    assert edu.get(0, edu.FACTORIAL, 4) == 120


def test_function_whose_reset_fails_has_none(take: Take) -> None:
    """BIND has tried."""
    holder = take("PAIR0", "PAIR1")
    device = holder.device("PAIR0")
    device.bound()
    assert not ok(device.call("device_info")).flags & RESET_WORKS
    refused("EINVAL", device.reset())


def test_bind_resets(take: Take, world: World) -> None:
    """What the host has written to the function before is gone."""
    holder = take("NVME0")
    device = holder.device("NVME0")
    world.write_bar("NVME0", NVME_CC, NVME_CC_SIZES)
    device.bound()
    device.command(MEMORY)
    assert device.get(0, NVME_CC, 4) != NVME_CC_SIZES


@ported
@grouped
def test_hot_reset_says_which_functions_it_resets(
        take: Take, world: World, fact: Callable[..., None]) -> None:
    """All on the bus, each with its id, or that it is ours as it is."""
    holder = take("PAIR0", "PAIR1")
    one, two = holder.device("PAIR0"), holder.device("PAIR1")
    one.bound()
    answer = refused("ENOSPC", one.call("pci_hot_reset_info"))
    assert answer.count == 2
    answer = ok(one.call("pci_hot_reset_info", tail="00" * 16))
    fact("one is bound", [answer.flags, answer.count, answer.tail])
    assert answer.flags == 3
    two.bound()
    answer = ok(one.call("pci_hot_reset_info", tail="00" * 64))
    fact("both are bound", [answer.flags, answer.count, answer.tail])
    ids = {int.from_bytes(bytes.fromhex(answer.tail)[at:at + 4], "little")
           for at in (0, 8)}
    assert answer.count == 2 and ids == {one.id, two.id}


@ported
@grouped
def test_hot_reset_resets_what_is_ours(take: Take) -> None:
    """With a sibling that is not bound, or is."""
    holder = take("PAIR0", "PAIR1")
    one, two = holder.device("PAIR0"), holder.device("PAIR1")
    one.bound()
    ok(one.call("pci_hot_reset"))
    two.bound()
    two.command(MEMORY)
    ok(one.call("pci_hot_reset"))
    ok(two.call("pci_hot_reset"))
    one.awake()
    refused("EINVAL", one.call("pci_hot_reset", flags=1))


@ported
def test_hot_reset_of_what_is_not_all_ours_is_einval(
        take: Take, world: World, fact: Callable[..., None]) -> None:
    """A function on the bus is not with VFIO."""
    holder = take("PAIR0", "PAIR1")
    one, two = holder.device("PAIR0"), holder.device("PAIR1")
    one.bound()
    two.close()
    world.unbind("PAIR1")
    try:
        answer = ok(one.call("pci_hot_reset_info", tail="00" * 16))
        fact("flags", answer.flags)
        assert answer.flags == 1
        refused("EINVAL", one.call("pci_hot_reset"))
    finally:
        assert world.switch("PAIR1", "vfio-pci") == "ok"


def test_hot_reset_on_the_root_bus_is_enodev(take: Take) -> None:
    """No bridge could reset it."""
    device = take("NET0").device("NET0")
    device.bound()
    refused("ENODEV", device.call("pci_hot_reset_info", tail="00" * 16))
    refused("ENODEV", device.call("pci_hot_reset"))


# --- the last close ---

@translated
def test_bound_device_keeps_its_context(take: Take) -> None:
    """When the iommufd is closed: DMA goes on, and so do its calls."""
    holder = take("EDU0")
    edu, context = holder.device("EDU0"), holder.context
    edu.bound()
    space = context.space()
    ok(edu.attach(space))
    source, target = holder.memory(PAGE, 1), holder.memory(PAGE, 2)
    ok(context.map(space, source, PAGE, 0))
    ok(context.map(space, target, PAGE, GIB))
    holder.close(context.fd)
    edu.awake()
    edu.copy(0, GIB)
    assert holder.same(target, PAGE, 1)
    ok(edu.detach())
    ok(edu.attach(space))
    holder.fill(source, PAGE, 3)
    edu.copy(0, GIB)
    assert holder.same(target, PAGE, 3)


def test_last_close_detaches_the_device(take: Take) -> None:
    """Its object ends, and its page table; spaces and mappings stay."""
    holder = take("NVME0")
    device, context = holder.device("NVME0"), holder.context
    device.bound()
    space = context.space()
    table = ok(device.attach(space)).pt_id
    ok(context.map(space, holder.memory(PAGE), PAGE, 0))
    copy = ok(holder.tell("dup", device.fd)).fd
    device.close()
    refused("EBUSY", context.destroy(device.id))
    holder.close(copy)
    refused("ENOENT", context.destroy(device.id))
    refused("ENOENT", context.destroy(table))
    assert context.ranges(space) == [[0, TOP]]
    assert ok(context.unmap(space, 0, TOP)).length == PAGE
    ok(context.destroy(space))


def test_last_close_leaves_the_function_harmless(take: Take, world: World,
                                                 ) -> None:
    """No bus master, and what was written is gone by a reset."""
    holder = take("NVME0")
    device = holder.device("NVME0")
    device.bound()
    write_register(holder)
    assert world.config("NVME0", COMMAND, 2) & MASTER
    device.close()
    assert not world.config("NVME0", COMMAND, 2) & MASTER
    assert world.read_bar("NVME0", NVME_CC) != NVME_CC_SIZES


def test_bind_while_the_driver_is_taken_off_is_eagain(
        take: Take, world: World, machine: Machine) -> None:
    """Unbind waits for the descriptor, with the device's lock."""
    holder = take("NVME0")
    device = holder.device("NVME0")
    unbind = Background(lambda: world.unbind("NVME0"))
    world.settle("NVME0", "")
    assert not unbind.over(0.2)
    refused("EAGAIN", device.bind())
    device.close()
    assert unbind.over(30)
    assert world.switch("NVME0", "vfio-pci") == "ok"


def test_reset_while_the_driver_is_taken_off_is_eagain(
        take: Take, world: World) -> None:
    """A bound device still answers; the unbind goes on after the close."""
    holder = take("NVME0")
    device = holder.device("NVME0")
    device.bound()
    unbind = Background(lambda: world.unbind("NVME0"))
    world.settle("NVME0", "")
    ok(device.call("device_info"))
    refused("EAGAIN", device.reset())
    assert not unbind.over(0.2)
    device.close()
    assert unbind.over(30)
    assert world.switch("NVME0", "vfio-pci") == "ok"


@ported
def test_function_behind_a_dead_bus_answers_ones(take: Take, world: World,
                                                 ) -> None:
    """What is asked of its configuration; no call fails for that."""
    device = take("NVME1").device("NVME1")
    device.bound()
    assert device.get(CONFIG, 0x2c, 4) != 0xffffffff
    world.dead("NVME1", True)
    try:
        assert device.get(CONFIG, 0x2c, 4) == 0xffffffff
        ok(device.call("device_info"))
    finally:
        world.dead("NVME1", False)
    device.command(MEMORY)
