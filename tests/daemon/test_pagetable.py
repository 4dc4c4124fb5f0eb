# SPDX-License-Identifier: Apache-2.0
"""Page tables of a holder by libioasid, on simulated machines.

Which refusals and counts there are is asked of the kernel's own mock, in
tests/vm/mock; here it is that descriptors, a device's DMA and attachments come
together.
"""

from daemon import NOBODY


def said_of(machine, bdf):
    """What tests/vm/progs/pagetable says of a device."""
    machine.start()
    machine.ctl("prepare", bdf)
    lease = machine.ctl("lease", "create", "--uid", str(NOBODY), bdf)["name"]
    holder = machine.start_holder(machine.prog("pagetable"), lease, uid=NOBODY)
    assert holder.process.wait(60) == 0, holder.said()
    machine.wait_ended(lease)
    return holder.said().splitlines()


FAULTS = [
    "fault queue: ok", "close-on-exec: 1", "readable: 0", "read: ok",
    "faults: 0", "answer to none: client.no-object", "table with it: ok",
    "device that never faults: client.kernel", "table ends: ok",
    "queue open: client.in-use", "queue closed: ok"]


def test_what_a_device_writes_is_in_the_bitmap_once(make_machine):
    """Beside it a guest's page table, a fault queue, a PASID: all there is."""
    assert said_of(make_machine("vtd-nesting"), "0000:15:00.0") == [
        "dirty table: ok", "on it: ok", "watched: ok", "written: 0x208",
        "written: 0x208", "written: 0x0", "off it: ok", "in use no more: ok",
        "nest parent: ok", "of another kind: client.unsupported",
        "too short: client.argument", "vIOMMU: client.unsupported",
        "guest's: ok", "device on it: ok", "a page: ok",
        "the second is bad: client.argument", "done: 1",
        "parent in use: client.in-use", "device off it: ok",
        "guest's ends: ok", "parent ends: ok", *FAULTS,
        "PASID table: ok", "device itself: ok", "PASID: ok",
        "where it should: 1", "in use: client.in-use", "PASID off: ok",
        "device off: ok", "table two ends: ok", "table one ends: ok",
        "space ends: ok"]


def test_what_the_iommu_cannot_is_refused_in_words(make_machine):
    """As of QEMU's VT-d on a real kernel: tests/vm/cases/test_mock.py."""
    assert said_of(make_machine("vtd-nesting"), "0000:97:00.0") == [
        "dirty table: client.unsupported", "nest parent: client.unsupported",
        *FAULTS, "PASID table: client.unsupported", "space ends: ok"]
