# SPDX-License-Identifier: Apache-2.0
"""Page tables of hold leases as the daemon makes them: what an IOMMU can and what
is said of what it cannot.

No IOMMU of the test machine nests: what a guest's page table is worth is asked of
the simulation alone (tests/daemon/test_page_tables.py).
"""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from ioasid import Refused

from bench import Machine
from holder import PAGE, ok, refused, translated
from test_hold import GIB, Held, plain, reaches

Fact = Callable[[str, Any], None]


class Tabled(Held):
    """A hold lease with page tables."""

    def table(self, method: str, **fields: Any) -> Any:
        """Do something to a page table; it, or why not."""
        return self.conn.call(f"PageTables/{method}", "PageTable", **fields)

    def create(self, device: str, **fields: Any) -> Any:
        """One of the lease's first space."""
        return self.table("CreatePageTable", **{
            "lease": self.lease, "parent": self.now().spaces[0].name,
            "device": self.name(device), **fields})

    def why(self, method: str, **fields: Any) -> Any:
        """It changes nothing; its error."""
        before = self.now()
        with pytest.raises(Refused) as refusal:
            self.table(method, **fields)
        assert self.now() == before
        return refusal.value


@pytest.fixture
def tabled(machine: Machine) -> Iterator[Tabled]:
    """Something to make page tables with; it is over in the end."""
    one = Tabled(machine, machine.daemon.native())
    yield one
    one.end()


@pytest.mark.parametrize("want", ["nest_parent", "dirty_tracking", "pasid"])
def test_what_the_iommu_cannot_is_refused_by_its_name(
        tabled: Tabled, fact: Fact, want: str) -> None:
    """By what the probe has found: device, IOMMU, and what is missing."""
    tabled.offer(plain(tabled, "EDU0"))
    device = tabled.conn.call("Devices/GetDevice", "Device",
                              name=tabled.name("EDU0"))
    can = getattr(device.capabilities, want)
    fact(want, can)
    ask = {"lease": tabled.lease, "parent": tabled.now().spaces[0].name,
           "device": device.name, want: True}
    if can:
        made = tabled.table("CreatePageTable", **ask)
        assert getattr(made, want) and made.kernel_id
        tabled.table("DeletePageTable", name=made.name)
        return
    error = tabled.why("CreatePageTable", **ask)
    assert error.id == "pagetable.unsupported"
    # A name has dashes where the kernel has colons.
    said = str(error).replace(":", "-")
    for words in (want, device.name, device.iommu.partition("/")[2]):
        assert words in said, (words, said)
    assert tabled.why("CreatePageTable", **ask, dry_run=True).id == error.id


@translated
def test_a_page_table_translates_what_is_mapped_in_its_space(
        tabled: Tabled) -> None:
    """The device moves to it and back, and reaches the same."""
    tabled.offer(plain(tabled, "EDU0"))
    holder = tabled.claim()
    edu, space = holder.devices[0], tabled.now().spaces[0]
    made = tabled.create("EDU0")
    page = holder.memory(PAGE, 7)
    ok(holder.context.map(space.kernel_id, page, PAGE, GIB))
    at = tabled.table("BindDevice", name=made.name, device=made.device)
    assert [one.device for one in at.bindings] == [made.device]
    edu.load(GIB)
    holder.fill(page, PAGE, 8)
    edu.store(GIB)
    assert holder.same(page, PAGE, 7)
    ok(holder.context.unmap(space.kernel_id, GIB, PAGE))
    assert reaches(holder, holder.context, space.kernel_id, edu, 2 * GIB)
    # In use; by the kernel too.
    assert tabled.why("DeletePageTable", name=made.name).id == \
        "pagetable.in-use"
    refused("EBUSY", holder.context.destroy(made.kernel_id))
    tabled.space("AttachDevice", space.name, device=made.device)
    assert reaches(holder, holder.context, space.kernel_id, edu, 2 * GIB)
    tabled.table("DeletePageTable", name=made.name)
    refused("ENOENT", holder.context.destroy(made.kernel_id))


@translated
def test_a_device_that_is_unbound_reaches_nothing(tabled: Tabled) -> None:
    tabled.offer(plain(tabled, "EDU0"))
    holder = tabled.claim()
    edu, space = holder.devices[0], tabled.now().spaces[0]
    made = tabled.create("EDU0")
    tabled.table("BindDevice", name=made.name, device=made.device)
    assert reaches(holder, holder.context, space.kernel_id, edu, GIB)
    tabled.table("UnbindDevice", name=made.name, device=made.device)
    assert not reaches(holder, holder.context, space.kernel_id, edu, GIB)
    assert tabled.why("UnbindDevice", name=made.name,
                      device=made.device).id == "pagetable.not-bound"


@translated
def test_a_registered_id_is_looked_at(tabled: Tabled) -> None:
    """One that the holder has made is known; what is none is not."""
    tabled.offer(plain(tabled, "EDU0"))
    holder = tabled.claim()
    context, space = holder.context, tabled.now().spaces[0]
    number = ok(context.table(holder.devices[0], space.kernel_id)).out_hwpt_id
    ask = {"lease": tabled.lease, "parent": space.name,
           "device": tabled.name("EDU0")}
    for other in (space.kernel_id, holder.devices[0].id, 9999):
        assert tabled.why("RegisterPageTable", kernel_id=other,
                          **ask).id == "pagetable.kernel-id"
    made = tabled.table("RegisterPageTable", kernel_id=number, **ask)
    assert made.registered
    tabled.table("BindDevice", name=made.name, device=made.device)
    assert reaches(holder, context, space.kernel_id, holder.devices[0], GIB)
    tabled.table("UnbindDevice", name=made.name, device=made.device)
    # The holder ends it, and its id is something else's.
    ok(context.destroy(number))
    others = [context.space() for _ in range(3)]
    assert number in others
    tabled.table("DeletePageTable", name=made.name)
    for other in others:
        ok(context.destroy(other))


def test_a_table_without_a_record_has_none_to_read(tabled: Tabled) -> None:
    """Nor is a host's ever to be invalidated by hand."""
    tabled.offer(plain(tabled, "EDU0"))
    made = tabled.create("EDU0")
    assert tabled.why("SetDirtyTracking", name=made.name, on=True).id == \
        "pagetable.unsupported"
    assert tabled.why("GetDirtyBitmap", name=made.name, length=PAGE,
                      page_size=PAGE).id == "pagetable.unsupported"
    assert tabled.why("InvalidatePageTable", name=made.name,
                      entries=bytes(24), entry_size=24).id == \
        "pagetable.invalid"
