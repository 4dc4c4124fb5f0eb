# SPDX-License-Identifier: Apache-2.0
"""Page tables of hold leases, on a simulated machine whose IOMMU can nest."""

import os
import shutil
import sqlite3
import struct
import subprocess

import pytest
from ioasid.v1 import page_table_pb2

from daemon import NOBODY, Client, Refused, child, open_folder
from machine import wait
from manager import Manager
from tenant import PAGE, Tenant

EDU, OTHER, PLAIN = ("devices/pci-0000-15-00.0", "devices/pci-0000-16-00.0",
                     "devices/pci-0000-97-00.0")
NO_TABLE = "pageTables/01jd00000000000000000000zz"
MIB, GIB = 1 << 20, 1 << 30
NESTED = {"known_type": "PAGE_TABLE_TYPE_VTD_S1",
          "data": struct.pack("=QQII", 0, 0x1000, 48, 0)}
ENTRY = struct.pack("=QQII", 0, 1, 0, 0)


@pytest.fixture
def ready(make_machine):
    """Three devices to lease, the third behind an IOMMU that cannot nest."""
    machine = make_machine("vtd-nesting")
    machine.start()
    for name in ("15", "16", "97"):
        machine.ctl("prepare", f"0000:{name}:00.0")
    return machine


@pytest.fixture
def client(ready):
    with ready.connect() as one:
        yield one


def lease_of(client, *devices, on=(), **fields):
    """A hold lease of these devices, with a space that some are on."""
    return client.call("Leases/CreateLease", **{
        "devices": devices or [EDU, OTHER], "mode": "HOLD",
        "claimant": {"uid": 0}, "memlock_bytes": 1 << 30,
        "spaces": [{"devices": on}], **fields})


def table(client, lease, **fields):
    """A page table of the lease's first space."""
    return client.call("PageTables/CreatePageTable", **{
        "lease": lease.name, "parent": lease.spaces[0].name, "device": EDU,
        **fields})


def bound(one):
    return [(each.device, each.pasid) for each in one.bindings]


def why(client, called, **fields):
    """The error that a request is answered with."""
    try:
        client.call(called, **fields)
    except Refused as refused:
        return refused.error
    raise AssertionError(f"{called} was not refused")


# --- what is made ---

def test_a_guests_page_table_is_bound_in_place_of_its_parents(client):
    lease = lease_of(client, on=[EDU])
    parent = table(client, lease, nest_parent=True, labels={"a": "1"})
    assert parent.kernel_id and not parent.data_type and not parent.bindings
    assert parent.lease == lease.name and dict(parent.labels) == {"a": "1"}
    nested = table(client, lease, parent=parent.name, **NESTED)
    assert nested.data_type == 1 and nested.kernel_id != parent.kernel_id
    at = client.call("PageTables/BindDevice", name=parent.name, device=EDU)
    assert bound(at) == [(EDU, 0)]
    now = client.call("Leases/GetLease", name=lease.name)
    assert not now.spaces[0].attachments and at.etag == now.etag
    assert list(now.page_tables) == [parent.name, nested.name]
    at = client.call("PageTables/BindDevice", name=nested.name, device=EDU)
    assert bound(at) == [(EDU, 0)]
    assert not client.call("PageTables/GetPageTable",
                           name=parent.name).bindings
    # And back onto the space, at one moment.
    client.call("Spaces/AttachDevice", name=lease.spaces[0].name, device=EDU)
    assert not client.call("PageTables/GetPageTable",
                           name=nested.name).bindings
    listed = client.call("PageTables/ListPageTables", lease=lease.name)
    assert [one.name for one in listed.page_tables] == \
        [nested.name, parent.name]
    client.call("Leases/ReleaseLease", name=lease.name)
    assert not client.call("PageTables/ListPageTables").page_tables


def test_what_hangs_on_something_is_ended_before_it(client):
    lease = lease_of(client)
    space = lease.spaces[0].name
    parent = table(client, lease, nest_parent=True)
    nested = table(client, lease, parent=parent.name, **NESTED)
    client.call("PageTables/BindDevice", name=nested.name, device=EDU)
    for called, name, error, in_the_way in (
            ("Spaces/DeleteSpace", space, "space.in-use", parent.name),
            ("PageTables/DeletePageTable", parent.name, "pagetable.in-use",
             nested.name),
            ("PageTables/DeletePageTable", nested.name, "pagetable.in-use",
             EDU)):
        refused = why(client, called, name=name)
        assert refused.id == error and refused.object == name
        assert [one.name for one in refused.causes] == [in_the_way]
    client.call("PageTables/UnbindDevice", name=nested.name, device=EDU)
    assert client.refusal("PageTables/UnbindDevice", name=nested.name,
                          device=EDU) == "pagetable.not-bound"
    for one in (nested, parent):
        client.call("PageTables/DeletePageTable", name=one.name, dry_run=True)
        gone = client.call("PageTables/DeletePageTable", name=one.name)
        assert gone.name == one.name
        assert client.refusal("PageTables/GetPageTable", name=one.name) == \
            "pagetable.not-found"
    client.call("Spaces/DeleteSpace", name=space)


@pytest.mark.parametrize("fields,error", [
    ({"parent": "spaces/01jd00000000000000000000zz"}, "space.not-found"),
    ({"parent": NO_TABLE}, "pagetable.not-found"),
    ({"parent": "nonsense"}, "request.invalid"),
    ({"device": PLAIN}, "lease.devices"),
    ({"device": "nonsense"}, "request.invalid"),
    ({"data": b"x"}, "pagetable.invalid"),
    ({**NESTED}, "pagetable.parent"),
    ({"type_number": 0, "data": b"x" * 24}, "request.invalid"),
    ({"type_number": 1}, "pagetable.invalid"),
    ({"labels": {"": "x"}}, "request.invalid"),
    ({"labels": {str(i): "" for i in range(17)}}, "request.invalid"),
    ({"etag": "x"}, "request.etag-mismatch"),
], ids=str)
def test_what_cannot_be_is_refused_and_nothing_is_made(client, fields, error):
    lease = lease_of(client)
    before = client.call("Leases/GetLease", name=lease.name)
    what = {"lease": lease.name, "parent": lease.spaces[0].name,
            "device": EDU, **fields}
    for more in ({}, {"dry_run": True}):
        assert client.refusal("PageTables/CreatePageTable", **what,
                              **more) == error
    assert client.call("Leases/GetLease", name=lease.name) == before


@pytest.mark.parametrize("fields,error", [
    ({"data": NESTED["data"][:-1]}, "pagetable.invalid"),
    ({"data": NESTED["data"] + b"\0"}, "pagetable.invalid"),
    ({"data": b""}, "pagetable.invalid"),
    ({"nest_parent": True}, "pagetable.invalid"),
    ({"dirty_tracking": True}, "pagetable.invalid"),
    ({"known_type": "PAGE_TABLE_TYPE_ARM_SMMUV3", "data": b"\0" * 16},
     "pagetable.unsupported"),
], ids=str)
def test_a_guests_page_table_is_as_its_type_says(client, fields, error):
    lease = lease_of(client)
    parent = table(client, lease, nest_parent=True)
    assert client.refusal("PageTables/CreatePageTable", **{
        "lease": lease.name, "parent": parent.name, "device": EDU, **NESTED,
        **fields}) == error
    plain = table(client, lease)
    assert client.refusal("PageTables/CreatePageTable", lease=lease.name,
                          parent=plain.name, device=EDU,
                          **NESTED) == "pagetable.parent"
    # By number the kernel says what it thinks of it.
    said = why(client, "PageTables/CreatePageTable", lease=lease.name,
               parent=parent.name, device=EDU, type_number=77,
               data=b"\0" * 256)
    assert said.id == "pagetable.unsupported" and EDU in said.message
    # A page table is no parent of a host's.
    assert client.refusal("PageTables/CreatePageTable", lease=lease.name,
                          parent=parent.name, device=EDU) == \
        "pagetable.parent"


@pytest.mark.parametrize("want,words", [
    ({"nest_parent": True}, "nest_parent"),
    ({"dirty_tracking": True}, "dirty_tracking"), ({"pasid": True}, "pasid"),
    ({"fault_queue": True}, "fault queue"),
], ids=str)
def test_refusal_names_the_device_its_iommu_and_what_is_missing(client, want,
                                                                words):
    """A plain page table can be made there all the same."""
    lease = lease_of(client, PLAIN)
    fields = {"lease": lease.name, "parent": lease.spaces[0].name,
              "device": PLAIN}
    if "fault_queue" not in want:
        said = why(client, "PageTables/CreatePageTable", **fields, **want)
        assert said.id == "pagetable.unsupported" and said.object == PLAIN
        assert PLAIN in said.message and "dmar1" in said.message
        assert words in said.message
        assert [one.name for one in said.causes] == ["dmar1"]
    made = client.call("PageTables/CreatePageTable", **fields)
    at = client.call("PageTables/BindDevice", name=made.name, device=PLAIN)
    assert bound(at) == [(PLAIN, 0)]


def test_a_page_table_is_made_once_for_one_request_id(client):
    lease = lease_of(client)
    what = {"lease": lease.name, "parent": lease.spaces[0].name,
            "device": EDU, "request_id": "one"}
    first = client.call("PageTables/CreatePageTable", **what)
    assert client.call("PageTables/CreatePageTable", **what,
                       etag=lease.etag).name == first.name
    assert client.refusal("PageTables/CreatePageTable", **what,
                          pasid=True) == "request.id-reused"
    for _ in range(63):
        table(client, lease)
    assert client.refusal("PageTables/CreatePageTable", **{
        **what, "request_id": ""}) == "limit.page-tables"
    names = client.call("Leases/GetLease", name=lease.name).page_tables
    assert len(set(names)) == 64


def test_strangers_neither_see_nor_change_page_tables(ready, client):
    lease = lease_of(client)
    name = table(client, lease).name
    assert child(ask_all, ready.socket, lease.name, name,
                 lease.spaces[0].name) == \
        ["pagetable.not-found"] * 8 + ["lease.not-found"] * 2 + [0]


def ask_all(path, lease, name, space):
    """What a stranger is told."""
    with Client(path) as client:
        return [client.refusal(f"PageTables/{called}", name=name, **fields)
                for called, fields in (
                    ("GetPageTable", {}), ("DeletePageTable", {}),
                    ("BindDevice", {"device": EDU}),
                    ("UnbindDevice", {"device": EDU}),
                    ("InvalidatePageTable", {"entries": ENTRY,
                                             "entry_size": 24}),
                    ("SetDirtyTracking", {"on": True}),
                    ("GetDirtyBitmap", {"page_size": 4096, "length": 4096}),
                    ("OpenFaultQueue", {}))] + [
            client.refusal("PageTables/CreatePageTable", lease=lease,
                           parent=space, device=EDU),
            client.refusal("PageTables/RegisterPageTable", lease=lease,
                           parent=space, device=EDU, kernel_id=5),
            len(client.call("PageTables/ListPageTables").page_tables)]


def test_objects_of_another_lease_are_not_found(client):
    mine = lease_of(client, EDU)
    theirs = lease_of(client, OTHER)
    parent = table(client, theirs, device=OTHER, nest_parent=True)
    for other, error in ((theirs.spaces[0].name, "space.not-found"),
                         (parent.name, "pagetable.not-found")):
        assert client.refusal("PageTables/CreatePageTable", lease=mine.name,
                              parent=other, device=EDU) == error
    assert client.refusal("PageTables/BindDevice", name=parent.name,
                          device=EDU) == "lease.devices"


# --- at work ---

def test_pasids_are_bound_beside_a_device(client):
    lease = lease_of(client)
    below, above = (table(client, lease, pasid=True) for _ in range(2))
    plain = table(client, lease)
    assert client.refusal("PageTables/BindDevice", name=plain.name,
                          device=EDU, pasid=1) == "pagetable.unsupported"
    assert client.refusal("PageTables/BindDevice", name=above.name,
                          device=EDU, pasid=1 << 20) == "request.invalid"
    client.call("PageTables/BindDevice", name=below.name, device=EDU)
    client.call("PageTables/BindDevice", name=above.name, device=EDU, pasid=7,
                dry_run=True)
    at = client.call("PageTables/BindDevice", name=above.name, device=EDU,
                     pasid=7)
    assert bound(at) == [(EDU, 7)]
    # It moves to another one at one moment.
    at = client.call("PageTables/BindDevice", name=below.name, device=EDU,
                     pasid=7)
    assert bound(at) == [(EDU, 0), (EDU, 7)]
    assert not client.call("PageTables/GetPageTable",
                           name=above.name).bindings
    assert client.refusal("PageTables/DeletePageTable", name=below.name) == \
        "pagetable.in-use"
    at = client.call("PageTables/UnbindDevice", name=below.name, device=EDU,
                     pasid=7)
    assert bound(at) == [(EDU, 0)]
    client.call("Leases/ReleaseLease", name=lease.name)


def test_entries_are_invalidated_up_to_the_first_bad_one(client):
    lease = lease_of(client)
    parent = table(client, lease, nest_parent=True)
    nested = table(client, lease, parent=parent.name, **NESTED)
    ask = {"name": nested.name, "entry_size": 24}
    done = client.call("PageTables/InvalidatePageTable", **ask,
                       entries=ENTRY * 3)
    assert done.done == 3
    bad = struct.pack("=QQII", 0, 1, 0x80000000, 0)
    said = why(client, "PageTables/InvalidatePageTable", **ask,
               entries=ENTRY * 2 + bad + ENTRY)
    assert said.id == "pagetable.unsupported"
    assert said.message.startswith("2 of 4 entries were done")
    for fields in ({"entries": b""}, {"entries": ENTRY + b"x"},
                   {"entries": ENTRY, "entry_size": 0},
                   {"entries": ENTRY * 3000}):
        assert client.refusal("PageTables/InvalidatePageTable",
                              **{**ask, **fields}) == "request.invalid"
    assert client.refusal("PageTables/InvalidatePageTable", entries=ENTRY,
                          **{**ask, "name": parent.name}) == \
        "pagetable.invalid"
    assert client.refusal("PageTables/InvalidatePageTable", entries=ENTRY,
                          data_type=99, **ask) == "pagetable.invalid"


@pytest.fixture
def held(ready, client):
    """A lease whose holder does what he is told; a device on a page table with
    dirty tracking."""
    lease = lease_of(client, claimant={"uid": NOBODY}, grace_ms=60000)
    tenant = Tenant(ready.socket, lease.name)
    wait(lambda: ready.lease(lease.name)["state"] == "HELD", "held")
    lease = client.call("Leases/GetLease", name=lease.name)
    made = table(client, lease, dirty_tracking=True)
    client.call("PageTables/BindDevice", name=made.name, device=EDU)
    yield lease, made, tenant
    tenant.kill()


def bits(bitmap):
    """Which are set."""
    return [i for i in range(len(bitmap) * 8) if bitmap[i // 8] >> i % 8 & 1]


def test_what_a_device_writes_is_read_a_page_at_a_time(client, held):
    lease, made, tenant = held
    tenant.map(lease.spaces[0].kernel_id, GIB, 256 * PAGE)
    tenant.enable(0)
    assert client.call("PageTables/SetDirtyTracking", name=made.name,
                       on=True).dirty_tracking_on
    ask = {"name": made.name, "iova": GIB, "length": 256 * PAGE,
           "page_size": PAGE}
    read = client.call("PageTables/GetDirtyBitmap", **ask)
    assert not read.dirty_pages and len(read.bitmap) == 32
    assert read.length == 256 * PAGE and not read.next_iova
    for page in (3, 77, 255):
        tenant.store(0, GIB + page * PAGE)
    for keep in (True, False):
        read = client.call("PageTables/GetDirtyBitmap", **ask, keep=keep)
        assert bits(read.bitmap) == [3, 77, 255]
        assert read.dirty_pages == 3
    assert not client.call("PageTables/GetDirtyBitmap", **ask).dirty_pages
    assert not client.call("PageTables/SetDirtyTracking",
                           name=made.name).dirty_tracking_on
    assert client.refusal("PageTables/GetDirtyBitmap", **ask) == \
        "pagetable.invalid"
    client.call("PageTables/SetDirtyTracking", name=made.name, on=True)
    dry = client.call("PageTables/GetDirtyBitmap", **ask, dry_run=True)
    assert not dry.bitmap and dry.length == 256 * PAGE


def test_a_large_record_comes_in_pieces_or_as_a_memfd(client, held):
    lease, made, tenant = held
    tenant.map(lease.spaces[0].kernel_id, 4 * GIB, MIB)
    # The same memory again and again: it is pinned once.
    for twice in range(12):
        tenant.copy(lease.spaces[0].kernel_id, 4 * GIB, MIB << twice,
                    4 * GIB + (MIB << twice))
    assert client.refusal("PageTables/GetDirtyBitmap", name=made.name,
                          length=GIB, page_size=PAGE,
                          iova=7 * GIB) == "pagetable.invalid"
    tenant.enable(0)
    client.call("PageTables/SetDirtyTracking", name=made.name, on=True)
    tenant.store(0, 7 * GIB)
    iova, found, pieces = 4 * GIB, [], 0
    while True:
        read = client.call("PageTables/GetDirtyBitmap", name=made.name,
                           iova=iova, length=8 * GIB - iova, page_size=PAGE,
                           keep=True)
        assert len(read.bitmap) == 64 << 10 and read.length == 2 * GIB
        found += [iova + i * PAGE for i in bits(read.bitmap)]
        pieces += 1
        if not read.next_iova:
            break
        assert read.next_iova == iova + read.length
        iova = read.next_iova
    assert found == [7 * GIB] and pieces == 2
    reply, n_fds, data = tenant.ask(
        "PageTables/GetDirtyBitmap", name=made.name, iova=4 * GIB,
        length=4 * GIB,
        page_size=PAGE, as_memfd=True)
    read = page_table_pb2.GetDirtyBitmapResponse.FromString(reply)
    assert n_fds == 1 and not read.bitmap and not read.next_iova
    assert read.memfd_size == len(data) == 128 << 10
    assert read.dirty_pages == 1 and bits(data) == [3 * GIB // PAGE]


def test_a_record_that_cannot_be_is_refused(client, held):
    lease, made, tenant = held
    ask = {"name": made.name, "iova": 0, "length": PAGE, "page_size": PAGE}
    for fields in ({"length": 0}, {"length": PAGE + 1}, {"iova": 1},
                   {"page_size": 0}, {"page_size": 2048},
                   {"page_size": 3 * PAGE}, {"page_size": 1 << 31},
                   {"iova": 2 ** 64 - PAGE, "length": 2 * PAGE}):
        assert client.refusal("PageTables/GetDirtyBitmap",
                              **{**ask, **fields}) == "request.invalid"
    plain = table(client, lease)
    for called, fields in (("GetDirtyBitmap", {**ask, "name": plain.name}),
                           ("SetDirtyTracking", {"name": plain.name,
                                                 "on": True})):
        assert client.refusal(f"PageTables/{called}", **fields) == \
            "pagetable.unsupported"
    assert tenant.ask("PageTables/GetDirtyBitmap", **{
        **ask, "name": NO_TABLE}) == "pagetable.not-found"


def test_a_fault_queue_goes_to_the_holder_alone(client, held):
    lease, made, tenant = held
    parent = table(client, lease, nest_parent=True)
    queue = table(client, lease, parent=parent.name, fault_queue=True,
                  **NESTED)
    assert queue.fault_queue
    reply, n_fds, _ = tenant.ask("PageTables/OpenFaultQueue", name=queue.name)
    assert n_fds == 1
    assert page_table_pb2.PageTable.FromString(reply).name == queue.name
    assert client.refusal("PageTables/OpenFaultQueue", name=queue.name) == \
        "lease.not-claimant"
    assert tenant.ask("PageTables/OpenFaultQueue", name=made.name) == \
        "pagetable.no-faults"
    reply, n_fds, _ = tenant.ask("PageTables/OpenFaultQueue",
                                 name=queue.name, dry_run=True)
    assert not n_fds and reply
    # Nothing simulated asks for pages: VT-d's driver lets no device on it.
    before = client.call("Leases/GetLease", name=lease.name)
    assert client.refusal("PageTables/BindDevice", name=queue.name,
                          device=EDU).startswith("kernel.")
    assert client.call("Leases/GetLease", name=lease.name) == before
    client.call("PageTables/DeletePageTable", name=queue.name)


def test_a_holders_own_page_table_is_registered(client, held):
    lease, made, tenant = held
    space, device = lease.spaces[0], lease.device_ids[1]
    number = tenant.make_table(device, space.kernel_id, flags=1)
    ask = {"lease": lease.name, "parent": space.name, "device": OTHER,
           "nest_parent": True, "kernel_id": number}
    for fields, error in (
            ({"kernel_id": 0}, "request.invalid"),
            ({"kernel_id": 999}, "pagetable.kernel-id"),
            ({"kernel_id": space.kernel_id}, "pagetable.kernel-id"),
            ({"kernel_id": made.kernel_id}, "pagetable.kernel-id"),
            ({"data_type": 1}, "pagetable.invalid"),
            ({"device": PLAIN}, "lease.devices")):
        said = why(client, "PageTables/RegisterPageTable",
                   **{**ask, **fields})
        assert said.id == error, said.message
    client.call("PageTables/RegisterPageTable", **ask, dry_run=True)
    parent = client.call("PageTables/RegisterPageTable", **ask)
    assert parent.registered and parent.kernel_id == number
    # One of a guest's is none of a host's, and the other way round.
    nested = tenant.make_table(device, number, 0, 1, NESTED["data"])
    assert client.refusal("PageTables/RegisterPageTable", **{
        **ask, "kernel_id": nested}) == "pagetable.kernel-id"
    guest = {**ask, "nest_parent": False, "parent": parent.name,
             "data_type": 1}
    assert client.refusal("PageTables/RegisterPageTable", **{
        **guest, "kernel_id": tenant.make_table(
            device, space.kernel_id)}) == "pagetable.kernel-id"
    child_of = client.call("PageTables/RegisterPageTable", **{
        **guest, "kernel_id": nested})
    at = client.call("PageTables/BindDevice", name=child_of.name,
                     device=OTHER)
    assert bound(at) == [(OTHER, 0)]
    client.call("PageTables/UnbindDevice", name=child_of.name, device=OTHER)
    # What he ends himself is forgotten, and what has its number is not ended.
    tenant.destroy(nested)
    again = tenant.make_space()
    assert again == nested
    now = client.call("PageTables/UnbindDevice", name=made.name, device=EDU)
    assert not now.bindings
    assert not client.call("PageTables/GetPageTable",
                           name=child_of.name).kernel_id
    assert client.refusal("PageTables/BindDevice", name=child_of.name,
                          device=OTHER) == "pagetable.kernel-id"
    client.call("PageTables/DeletePageTable", name=child_of.name)
    tenant.destroy(again)
    # In use by the holder: the kernel says so.
    other = tenant.make_table(device, number, 0, 1, NESTED["data"])
    assert client.refusal("PageTables/DeletePageTable",
                          name=parent.name) == "pagetable.in-use"
    tenant.destroy(other)
    client.call("PageTables/DeletePageTable", name=parent.name)
    assert tenant.refused("destroy", number) == "ENOENT"


def test_nobody_registers_before_somebody_holds(client):
    lease = lease_of(client)
    assert client.refusal("PageTables/RegisterPageTable", lease=lease.name,
                          parent=lease.spaces[0].name, device=EDU,
                          kernel_id=9) == "lease.state"


def test_the_fence_ends_page_tables_whoever_has_a_copy(ready, client, held):
    """The holder ends, and nobody comes; its devices are ready again."""
    lease, made, tenant = held
    both = [table(client, lease, pasid=True) for _ in range(2)]
    client.call("PageTables/BindDevice", name=both[0].name, device=OTHER)
    client.call("PageTables/BindDevice", name=both[1].name, device=OTHER,
                pasid=3)
    parent = table(client, lease, nest_parent=True)
    nested = table(client, lease, parent=parent.name, **NESTED)
    client.call("PageTables/BindDevice", name=nested.name, device=EDU)
    tenant.kill()
    wait(lambda: ready.lease(lease.name)["state"] == "OFFERED", "offered")
    # As he has left them, for who comes after him.
    now = client.call("PageTables/GetPageTable", name=nested.name)
    assert bound(now) == [(EDU, 0)] and now.kernel_id == nested.kernel_id
    client.call("Leases/ReleaseLease", name=lease.name)
    ready.wait_ended(lease.name)
    for name in ("15", "16"):
        assert ready.device(f"0000:{name}:00.0")["state"] == "READY"
    ended = client.call("Leases/GetLease", name=lease.name)
    assert [step.result for step in ended.reclaim
            if step.act == "fence"] == ["ok"]
    assert made.name in ended.page_tables


# --- over a restart ---

def test_an_offer_is_made_again_with_its_page_tables(ready):
    with ready.connect() as client:
        lease = lease_of(client)
        parent = table(client, lease, nest_parent=True)
        nested = table(client, lease, parent=parent.name, **NESTED)
        client.call("PageTables/BindDevice", name=nested.name, device=EDU)
        two = [table(client, lease, pasid=True) for _ in range(2)]
        client.call("PageTables/BindDevice", name=two[0].name, device=OTHER)
        client.call("PageTables/BindDevice", name=two[1].name, device=OTHER,
                    pasid=9)
    ready.kill()
    ready.start()
    with ready.connect() as client:
        again = client.call("PageTables/ListPageTables").page_tables
        assert [one.name for one in again] == [
            two[1].name, two[0].name, nested.name, parent.name]
        assert [bound(one) for one in again] == [
            [(OTHER, 9)], [(OTHER, 0)], [(EDU, 0)], []]
        assert all(one.kernel_id for one in again)
        client.call("PageTables/InvalidatePageTable", name=nested.name,
                    entries=ENTRY, entry_size=24)
        client.call("Leases/ReleaseLease", name=lease.name)


@pytest.fixture
def manager(ready):
    """A service manager that keeps descriptors."""
    folder = open_folder()
    one = Manager(folder)
    ready.stop()
    ready.manager = one
    ready.start()
    yield one
    ready.stop()
    one.end()
    shutil.rmtree(folder)


def test_a_manager_keeps_page_tables_over_a_kill(ready, manager):
    """Their ids, who is on them, and their fault queues."""
    with ready.connect() as client:
        lease = lease_of(client, claimant={"uid": NOBODY}, grace_ms=60000)
        tenant = Tenant(ready.socket, lease.name)
        wait(lambda: ready.lease(lease.name)["state"] == "HELD", "held")
        parent = table(client, lease, nest_parent=True)
        queue = table(client, lease, parent=parent.name, fault_queue=True,
                      **NESTED)
        nested = table(client, lease, parent=parent.name, **NESTED)
        client.call("PageTables/BindDevice", name=nested.name, device=EDU)
        before = client.call("PageTables/ListPageTables").page_tables
    assert len(manager.kept) == 4
    tenant.kill()
    wait(lambda: ready.lease(lease.name)["state"] == "OFFERED", "offered")
    ready.kill()
    ready.start()
    with ready.connect() as client:
        now = client.call("PageTables/ListPageTables").page_tables
        assert [(one.name, one.kernel_id, bound(one)) for one in now] == \
            [(one.name, one.kernel_id, bound(one)) for one in before]
        successor = Tenant(ready.socket, lease.name)
        wait(lambda: ready.lease(lease.name)["state"] == "HELD", "held")
        assert successor.ask("PageTables/OpenFaultQueue",
                             name=queue.name)[1] == 1
        client.call("PageTables/InvalidatePageTable", name=nested.name,
                    entries=ENTRY, entry_size=24)
        client.call("PageTables/DeletePageTable", name=queue.name)
        assert len(manager.kept) == 3
        successor.kill()
        wait(lambda: ready.lease(lease.name)["state"] == "OFFERED", "offered")
        client.call("Leases/ReleaseLease", name=lease.name)
        ready.wait_ended(lease.name)
    assert not manager.kept


def test_a_damaged_row_of_a_page_table_is_told(ready):
    """With its table and column."""
    with ready.connect() as client:
        table(client, lease_of(client))
    ready.kill()
    with sqlite3.connect(ready.state / "state.db") as db:
        db.execute("UPDATE page_table SET parent = 'spaces/none'")
    db.close()
    said = subprocess.run(ready.command(), capture_output=True, text=True,
                          timeout=60, check=False).stderr
    assert "page_table" in said and "hangs on" in said
    os.unlink(ready.state / "state.db")


# --- the command line ---

def test_the_command_line_does_all_of_it(ready, client, held):
    """Each verb, on what the others have made."""
    lease, made, tenant = held
    tenant.map(lease.spaces[0].kernel_id, GIB, 16 * PAGE)
    tenant.enable(0)
    parent = ready.ctl("bind", "create", "--lease", lease.name, "--on",
                       lease.spaces[0].name, "--device", OTHER,
                       "--nest-parent", "--label", "a=b")["name"]
    guest = ready.ctl("bind", "create", "--lease", lease.name, "--on", parent,
                      "--device", OTHER, "--type", "vtd-s1", "--data",
                      NESTED["data"].hex(), "--fault-queue")
    assert guest["dataType"] == 1 and guest["faultQueue"]
    plain = ready.ctl("bind", "create", "--lease", lease.name, "--on", parent,
                      "--device", OTHER, "--type", "1", "--data",
                      NESTED["data"].hex())["name"]
    assert ready.ctl("bind", "attach", plain, "16:00.0")["bindings"] == [
        {"device": OTHER, "pasid": 0}]
    assert ready.ctl("bind", "show", plain)["parent"] == parent
    assert ready.ctl("bind", "invalidate", plain,
                     ENTRY.hex() * 2)["done"] == 2
    assert not ready.ctl("bind", "detach", plain,
                         "16:00.0").get("bindings")
    listed = ready.ctl("bind", "list", "--lease", lease.name)["pageTables"]
    assert len(listed) == 4
    assert ready.refused("bind", "delete", parent).id == "pagetable.in-use"
    assert ready.refused("bind", "attach", "-p", "4", plain,
                         OTHER).id == "pagetable.unsupported"
    ready.ctl("bind", "delete", "-n", plain)
    ready.ctl("bind", "delete", plain)
    assert ready.ctl("dirty", "on", made.name)["dirtyTrackingOn"]
    for page in (2, 3, 9):
        tenant.store(0, GIB + page * PAGE)
    said = subprocess.run(
        [ready.build / "ioasidctl", "dirty", "show", "--clear", made.name,
         hex(GIB), "64K"], env=ready.environment, capture_output=True,
        text=True, timeout=60, check=True).stdout
    assert said == ("0x40002000 to 0x40003fff\n0x40009000 to 0x40009fff\n")
    assert int(ready.ctl("dirty", "show", made.name, hex(GIB),
                         "64K")["dirtyPages"]) == 0
    assert not ready.ctl("dirty", "off", made.name).get("dirtyTrackingOn")


@pytest.mark.parametrize("words", [
    ("bind", "create"), ("bind", "create", "--lease", "x", "--on", "y",
                         "--device", "15:00.0", "--type", "vtd-s1"),
    ("bind", "create", "--lease", "x", "--on", "y", "--device", "15:00.0",
     "--type", "0", "--data", "00"),
    ("bind", "create", "--lease", "x", "--on", "y", "--device", "15:00.0",
     "--type", "3", "--data", "0"),
    ("bind", "create", "--lease", "x", "--on", "y", "--device", "15:00.0",
     "--type", "3", "--data", "0g"),
    ("bind", "create", "--lease", "x", "--on", "y", "--device", "15:00.0",
     "--label", "=x"),
    ("bind", "attach", "x", "15:00.0", "-p", "1048576"),
    ("bind", "invalidate", "x", "00", "--size", "257"),
    ("dirty", "show", "x", "y", "z"), ("dirty", "on"),
], ids=" ".join)
def test_a_command_line_without_sense_is_told_so(ready, words):
    assert ready.refused(*words).status == 2
