# SPDX-License-Identifier: Apache-2.0
"""Guarded leases on the simulated machine: what is mapped, and what is not.

The holder is the test itself. It speaks the socket as it is, so that it can send
what libioasid never would.
"""

import contextlib
import ctypes
import fcntl
import os
import random
import re
import shutil
import signal
import socket
import sqlite3
import struct
import tempfile
import threading
import time

import pytest
from google.protobuf import message
from ioasid.v1 import envelope_pb2, lease_pb2, memory_pb2

from daemon import NOBODY, Client, Refused, open_folder
from machine import wait
from manager import Manager

EDU, OTHER = "devices/pci-0000-01-00.0", "devices/pci-0000-02-00.0"
PAGE, MIB, GIB = 4096, 1 << 20, 1 << 30
F_ADD_SEALS, F_GET_SEALS = 1033, 1034
SEAL, SHRINK, GROW, WRITE, FUTURE_WRITE = 1, 2, 4, 8, 16
ALL = 2 ** 64 - 1
KILLS = 60 if "IOASID_LONG" in os.environ else 12
SEED = int(os.environ.get("IOASID_SEED", time.time_ns() % 10 ** 6))


@pytest.fixture
def ready(sim):
    for name in ("0000:01:00.0", "0000:02:00.0"):
        sim.ctl("prepare", name)
    return sim


@pytest.fixture
def client(ready):
    with ready.connect() as one:
        yield one


WINDOW = {"windows": [{"size": 2 * GIB, "start": GIB}]}


def offer(*spaces, **fields):
    """A request for a guarded lease of both devices."""
    return {"devices": [EDU, OTHER], "mode": "GUARDED",
            "claimant": {"uid": 0}, "memlock_bytes": 64 * MIB,
            "volatile": True,
            "spaces": spaces or [{**WINDOW, "devices": [EDU, OTHER]}],
            **fields}


def exchange(client, name, message, fds=()):
    """The reply's payload and descriptors; raises Refused."""
    number = client.next_id()
    client.send_raw(envelope_pb2.Envelope(
        id=number, request=envelope_pb2.Request(
            method=f"ioasid.v1.{name}",
            payload=message.SerializeToString())).SerializeToString(), fds)
    data, got, flags, _ = socket.recv_fds(client.sock, 1 << 19, 65)
    assert not flags & socket.MSG_CTRUNC
    answer = envelope_pb2.Envelope.FromString(data)
    if answer.WhichOneof("body") == "error":
        raise Refused(answer.error)
    assert answer.id == number and answer.reply.descriptors == len(got)
    return answer.reply.payload, got


class Guarded:
    """A guarded lease that this process holds."""

    def __init__(self, client, **fields):
        self.client = client
        lease = client.call("Leases/CreateLease", **offer(**fields))
        self.name = lease.name
        self.spaces = [one.name for one in lease.spaces]
        payload, self.fds = exchange(client, "Leases/ClaimLease",
                                     lease_pb2.ClaimLeaseRequest(
                                         name=self.name))
        self.claimed = lease_pb2.ClaimLeaseResponse.FromString(payload)

    def memory(self, size, page_size=0, populate=True):
        """A memfd of the daemon's."""
        payload, fds = exchange(
            self.client, "Memory/CreateMemory",
            memory_pb2.CreateMemoryRequest(lease=self.name, size=size,
                                           page_size=page_size))
        reply = memory_pb2.CreateMemoryResponse.FromString(payload)
        assert os.fstat(fds[0]).st_ino == reply.memory
        if populate:
            os.posix_fallocate(fds[0], 0, size)
        return fds[0]

    def entry(self, iova, length=PAGE, offset=0, descriptor=0, writable=True,
              space=0):
        return {"space": self.spaces[space] if isinstance(space, int)
                else space, "descriptor": descriptor, "offset": offset,
                "length": length, "iova": iova, "writable": writable}

    def map(self, fds, *entries, client=None, **fields):
        """The answer to a request to map these."""
        payload, got = exchange(
            client or self.client, "Memory/MapMemory",
            memory_pb2.MapMemoryRequest(lease=self.name, entries=entries,
                                        **fields), fds)
        assert not got
        return memory_pb2.MapMemoryResponse.FromString(payload)

    def refused(self, fds, *entries, **fields):
        """Why the one entry is not mapped; nothing is."""
        before = self.mappings()
        reply = self.map(fds, *entries, **fields)
        assert list(reply.results) == [1] and reply.bytes == 0, reply
        assert self.mappings() == before
        return reply.errors[0].id

    def unmap(self, *ranges, space=0):
        return self.client.call(
            "Memory/UnmapMemory", lease=self.name, entries=[
                {"space": self.spaces[space], "iova": iova, "length": length}
                for iova, length in ranges])

    def mappings(self, **fields):
        return [(one.space, one.iova, one.length, one.writable)
                for one in self.client.call(
                    "Memory/ListMappings", lease=self.name,
                    **fields).mappings]

    def lease(self):
        return self.client.call("Leases/GetLease", name=self.name)


@pytest.fixture
def held(client):
    return Guarded(client)


# --- the main job -------------------------------------------------------------

def test_a_claim_brings_the_devices_and_no_iommufd(held):
    assert len(held.fds) == 2
    lease = held.claimed.lease
    assert lease.mode == lease_pb2.Lease.GUARDED and lease.kept
    assert len(lease.device_ids) == 2 and lease.spaces[0].kernel_id
    assert lease.volatile


def test_memory_is_mapped_listed_and_unmapped(held):
    fd = held.memory(4 * MIB)
    assert fcntl.fcntl(fd, F_GET_SEALS) & SHRINK
    assert b"ioasid-lease-" in os.readlink(f"/proc/self/fd/{fd}").encode()
    reply = held.map([fd], held.entry(GIB, MIB),
                     held.entry(GIB + 2 * MIB, MIB, offset=MIB,
                                writable=False))
    assert list(reply.results) == [0, 0] and reply.bytes == 2 * MIB
    space = held.spaces[0]
    assert held.mappings() == [(space, GIB, MIB, True),
                               (space, GIB + 2 * MIB, MIB, False)]
    lease = held.lease()
    assert (lease.mappings, lease.mapped_bytes) == (2, 2 * MIB)
    assert (lease.spaces[0].mappings,
            lease.spaces[0].mapped_bytes) == (2, 2 * MIB)
    assert held.unmap((GIB, MIB)).bytes == MIB
    assert held.unmap((0, ALL)).bytes == MIB
    assert held.unmap((0, ALL)).bytes == 0
    assert not held.mappings() and held.lease().mappings == 0


def test_a_thousand_entries_are_one_commit(held):
    """And far more in a sealed memfd, which follow them."""
    fd = held.memory(32 * MIB)
    reply = held.map([fd], *(held.entry(GIB + i * PAGE, offset=i * PAGE)
                             for i in range(1000)))
    assert not any(reply.results) and len(reply.results) == 1000
    more = memory_pb2.MapMemoryRequest(entries=[
        held.entry(GIB + i * PAGE, offset=i * PAGE)
        for i in range(1000, 6000)])
    listing = sealed(more.SerializeToString())
    reply = held.map([fd, listing], held.entry(GIB + 6000 * PAGE),
                     more_entries=True)
    assert not any(reply.results) and len(reply.results) == 5001
    assert held.lease().mappings == 6001
    seen, token = 0, ""
    while True:
        page = held.client.call("Memory/ListMappings", lease=held.name,
                                page_size=999, page_token=token)
        seen += len(page.mappings)
        token = page.next_page_token
        if not token:
            break
    assert seen == 6001
    assert held.unmap((0, ALL)).bytes == 6001 * PAGE


def test_each_entry_has_its_own_result(held):
    fd = held.memory(MIB)
    reply = held.map([fd], held.entry(GIB), held.entry(0),
                     held.entry(GIB), held.entry(GIB + PAGE),
                     held.entry(0, space="spaces/nonsense"),
                     held.entry(GIB + 2 * PAGE, descriptor=7))
    kinds = [reply.errors[n - 1].id if n else "" for n in reply.results]
    assert kinds == ["", "memory.outside-windows", "memory.overlap", "",
                     "space.not-found", "memory.descriptor"]
    assert [iova for _, iova, _, _ in held.mappings()] == [GIB, GIB + PAGE]


def test_many_refusals_are_told_in_few_words(held):
    fd = held.memory(MIB)
    reply = held.map([fd], *(held.entry(i * PAGE) for i in range(1000)))
    assert all(reply.results) and len(reply.errors) <= 128
    assert {reply.errors[n - 1].id for n in reply.results} == \
        {"memory.outside-windows"}


# --- bad input: the memory ----------------------------------------------------

def sealed(data, seals=SEAL | SHRINK | GROW | WRITE):
    """A memfd with this in it."""
    fd = os.memfd_create("entries", os.MFD_ALLOW_SEALING)
    os.write(fd, data)
    fcntl.fcntl(fd, F_ADD_SEALS, seals)
    return fd


def own(size=MIB, seals=SHRINK | GROW, flags=os.MFD_ALLOW_SEALING):
    """A memfd that the tenant has made."""
    fd = os.memfd_create("own", flags)
    os.ftruncate(fd, size)
    os.posix_fallocate(fd, 0, size)
    fcntl.fcntl(fd, F_ADD_SEALS, seals)
    return fd


def in_shm():
    with tempfile.TemporaryFile(dir="/dev/shm") as file:
        file.truncate(MIB)
        return os.dup(file.fileno())


def regular():
    with tempfile.TemporaryFile(dir="/var/tmp") as file:
        file.write(bytes(MIB))
        return os.dup(file.fileno())


def pipe():
    ends = os.pipe()
    os.close(ends[1])
    return ends[0]


def dmabuf():
    """Of /dev/udmabuf; what is most like it, where there is none."""
    try:
        device = os.open("/dev/udmabuf", os.O_RDWR)
    except OSError:
        return os.eventfd(0)
    memory = own(PAGE, SHRINK)
    try:
        return fcntl.ioctl(device, 0x40187542,
                           struct.pack("IIQQ", memory, 0, 0, PAGE))
    finally:
        os.close(memory)
        os.close(device)


STRANGE = {
    "one that shrinks": (lambda: own(seals=0), "memory.shrinkable"),
    "of somebody else": (own, "memory.not-ours"),
    "of /dev/shm": (in_shm, "memory.not-memory"),
    "a regular file": (regular, "memory.not-memory"),
    "a dma-buf": (dmabuf, "memory.not-memory"),
    "a pipe": (pipe, "memory.not-memory"),
    "a socket": (lambda: socket.socket().detach(), "memory.not-memory"),
    "a device": (lambda: os.open("/dev/zero", os.O_RDWR),
                 "memory.not-memory"),
    "a path": (lambda: os.open("/dev/shm", os.O_PATH), "memory.not-memory"),
}


@pytest.mark.parametrize("what", STRANGE)
def test_what_is_not_its_memory_is_not_mapped(held, what):
    make, error = STRANGE[what]
    fd = make()
    assert held.refused([fd], held.entry(GIB)) == error
    os.close(fd)


def test_memory_of_another_lease_is_not_mapped(client, ready):
    """Each lease has its own."""
    held = Guarded(client, devices=[EDU],
                   spaces=[{**WINDOW, "devices": [EDU]}])
    other = Guarded(client, devices=[OTHER],
                    spaces=[{**WINDOW, "devices": [OTHER]}])
    fd = held.memory(MIB)
    assert other.refused([fd], other.entry(GIB)) == "memory.not-ours"
    assert held.refused([fd], held.entry(GIB, space=other.spaces[0])) == \
        "space.not-found"
    held.map([fd], held.entry(GIB))
    assert held.mappings() and not other.mappings()


def test_a_descriptor_gives_no_more_than_it_may(held):
    """The kernel looks at neither mode nor seals."""
    fd = held.memory(MIB)
    reading = os.open(f"/proc/self/fd/{fd}", os.O_RDONLY)
    writing = os.open(f"/proc/self/fd/{fd}", os.O_WRONLY)
    assert held.refused([reading], held.entry(GIB)) == "memory.read-only"
    assert held.refused([writing], held.entry(GIB)) == "memory.read-only"
    assert held.map([reading],
                    held.entry(GIB, writable=False)).results == [0]
    fcntl.fcntl(fd, F_ADD_SEALS, FUTURE_WRITE)
    assert held.refused([fd], held.entry(GIB + MIB)) == "memory.sealed"
    fcntl.fcntl(fd, F_ADD_SEALS, WRITE)
    assert held.refused([fd], held.entry(GIB + MIB)) == "memory.sealed"
    assert held.map([fd],
                    held.entry(GIB + MIB, writable=False)).results == [0]


def test_memory_without_pages_is_not_mapped(held):
    fd = held.memory(MIB, populate=False)
    assert held.refused([fd], held.entry(GIB)) == "memory.not-populated"
    os.pwrite(fd, bytes(PAGE), 3 * PAGE)
    assert held.map([fd], held.entry(GIB, offset=3 * PAGE)).results == [0]
    assert held.refused([fd], held.entry(GIB + MIB, 2 * PAGE,
                                         offset=3 * PAGE)) == \
        "memory.not-populated"
    # No blocks beyond its end can make up for holes.
    with pytest.raises(PermissionError):
        os.posix_fallocate(fd, 0, 2 * MIB)
    with pytest.raises(PermissionError):
        os.ftruncate(fd, PAGE)
    os.posix_fallocate(fd, 0, MIB)
    assert held.map([fd], held.entry(GIB + MIB, MIB)).results == [0]


def test_huge_pages_are_their_own_kind(held):
    """Where it is not expected, and where there is none of it."""
    assert held.client.refusal("Memory/CreateMemory", lease=held.name,
                               size=MIB, page_size=3 * PAGE) == \
        "memory.page-size"
    try:
        fd = os.memfd_create("huge", os.MFD_HUGETLB | os.MFD_ALLOW_SEALING)
    except OSError:
        pytest.skip("this kernel has no hugetlbfs")
    os.ftruncate(fd, 2 * MIB)
    fcntl.fcntl(fd, F_ADD_SEALS, SHRINK | GROW)
    assert held.refused([fd], held.entry(GIB, 2 * MIB)) == "memory.not-ours"
    assert held.client.refusal("Memory/CreateMemory", lease=held.name,
                               size=MIB, page_size=2 * MIB) == "memory.range"
    fd = held.memory(2 * MIB, page_size=2 * MIB, populate=False)
    assert held.refused([fd], held.entry(GIB, 2 * MIB)) == \
        "memory.not-populated"


# --- bad input: addresses and requests ----------------------------------------

@pytest.mark.parametrize("fields,error", [
    ({"iova": 0}, "memory.outside-windows"),
    ({"iova": GIB - PAGE, "length": 2 * PAGE}, "memory.outside-windows"),
    ({"iova": 3 * GIB}, "memory.outside-windows"),
    ({"iova": 3 * GIB - PAGE, "length": 2 * PAGE}, "memory.outside-windows"),
    ({"iova": 2 ** 64 - PAGE, "length": 2 * PAGE}, "memory.range"),
    ({"iova": 2 ** 64 - PAGE, "length": 2 ** 64 - PAGE}, "memory.range"),
    ({"iova": GIB, "offset": 2 ** 64 - PAGE, "length": 2 * PAGE},
     "memory.range"),
    ({"iova": GIB, "length": 0}, "memory.range"),
    ({"iova": GIB, "length": PAGE + 1}, "memory.range"),
    ({"iova": GIB + 1}, "memory.range"),
    ({"iova": GIB, "offset": 5}, "memory.range"),
    ({"iova": GIB, "offset": MIB}, "memory.range"),
    ({"iova": GIB, "offset": PAGE, "length": MIB}, "memory.range"),
    ({"iova": GIB, "descriptor": 1}, "memory.descriptor"),
    ({"iova": GIB, "space": ""}, "space.not-found"),
])
def test_a_mapping_that_cannot_be_is_refused(held, fields, error):
    assert held.refused([held.memory(MIB)], held.entry(**fields)) == error


def test_no_more_is_mapped_than_the_lease_may_pin(held):
    fd = held.memory(64 * MIB)
    assert held.map([fd], held.entry(GIB, 60 * MIB)).results == [0]
    assert held.refused([fd], held.entry(GIB + 64 * MIB, 5 * MIB)) == \
        "limit.pinned"
    assert held.map([fd], held.entry(GIB + 64 * MIB, 4 * MIB)).results == [0]


def test_unmapping_cuts_no_mapping(held):
    fd = held.memory(MIB)
    held.map([fd], held.entry(GIB, 4 * PAGE), held.entry(GIB + MIB, PAGE))
    before = held.mappings()
    for cut in ((GIB, PAGE), (GIB + PAGE, PAGE), (GIB + PAGE, 8 * PAGE),
                (0, GIB + PAGE), (GIB + PAGE, 2 * MIB)):
        reply = held.unmap(cut)
        assert reply.errors[0].id == "memory.boundary", cut
    for nothing in ((0, PAGE), (GIB + 4 * PAGE, PAGE), (3 * GIB, PAGE)):
        assert held.unmap(nothing).errors[0].id == "memory.not-mapped"
    for wrong in ((PAGE, ALL), (0, 0)):
        assert held.unmap(wrong).errors[0].id == "memory.range"
    assert held.mappings() == before
    # It may cover more than one, and what is between.
    assert held.unmap((0, GIB + 2 * MIB)).bytes == 5 * PAGE


def test_too_many_of_anything_are_refused(held):
    fd = held.memory(MIB)
    with pytest.raises(Refused, match="request.invalid"):
        held.map([fd], *[held.entry(GIB)] * 1001)
    with pytest.raises(Refused, match="memory.descriptor"):
        held.map([fd] * 65, held.entry(GIB))
    assert held.client.refusal(
        "Memory/UnmapMemory", lease=held.name,
        entries=[{"space": held.spaces[0]}] * 1001) == "request.invalid"
    assert held.map([fd] * 64, held.entry(GIB, descriptor=63)).results == [0]
    for _ in range(255):
        os.close(held.memory(PAGE, populate=False))
    assert held.client.refusal("Memory/CreateMemory", lease=held.name,
                               size=PAGE) == "limit.memories"


@pytest.mark.parametrize("size", [0, 1, PAGE + 1, 2 ** 63, 2 ** 64 - PAGE])
def test_memory_of_no_size_is_not_made(held, size):
    assert held.client.refusal("Memory/CreateMemory", lease=held.name,
                               size=size) == "memory.range"


def test_entries_come_in_nothing_but_a_sealed_memfd(held):
    fd = held.memory(MIB)
    entries = memory_pb2.MapMemoryRequest(
        entries=[held.entry(GIB)]).SerializeToString()
    bad = [sealed(entries, SHRINK | GROW | WRITE), sealed(entries, 0),
           sealed(b""), sealed(bytes(3 * MIB)), sealed(b"\xff" * 100), fd,
           regular(), pipe()]
    for listing in bad:
        with pytest.raises(Refused) as refused:
            held.map([fd, listing], more_entries=True)
        assert refused.value.id in ("memory.descriptor", "request.malformed")
    with pytest.raises(Refused, match="memory.descriptor"):
        held.map([], more_entries=True)
    too_many = memory_pb2.MapMemoryRequest(
        entries=[{"iova": 1}] * 16385).SerializeToString()
    with pytest.raises(Refused, match="request.invalid"):
        held.map([fd, sealed(too_many)], more_entries=True)
    assert not held.mappings()


def test_only_its_holder_is_served(held, ready):
    """Neither somebody of the same uid, nor root, nor who has a descriptor."""
    fd = held.memory(MIB)
    said, write_end = os.pipe()
    pid = os.fork()
    if pid == 0:
        # Its parent's connection would make it its parent: so another one.
        words = []
        for act in ("map", "create", "unmap"):
            with contextlib.suppress(Refused):
                try:
                    with Client(ready.socket) as other:
                        held.client = other
                        if act == "map":
                            held.map([fd], held.entry(GIB))
                        elif act == "create":
                            held.memory(PAGE)
                        else:
                            held.unmap((0, ALL))
                    words.append("ok")
                except Refused as refused:
                    words.append(refused.id)
        os.write(write_end, " ".join(words).encode())
        os._exit(0)
    os.close(write_end)
    assert os.waitpid(pid, 0)[1] == 0
    assert os.read(said, 1000) == b" ".join([b"lease.not-claimant"] * 3)
    assert not held.mappings()


def test_other_methods_take_no_descriptor(held):
    """Not even of who may send some."""
    fd = held.memory(PAGE)
    for name, request in (
            ("Leases/GetLease", lease_pb2.GetLeaseRequest(name=held.name)),
            ("Memory/UnmapMemory",
             memory_pb2.UnmapMemoryRequest(lease=held.name)),
            ("Memory/CreateMemory",
             memory_pb2.CreateMemoryRequest(lease=held.name, size=PAGE))):
        with pytest.raises(Refused) as refused:
            exchange(held.client, name, request, [fd])
        assert refused.value.id == "request.unexpected-descriptor"
    assert held.client.call("Leases/GetLease", name=held.name).kept


def test_nothing_leaks(held, ready):
    """Whatever came, and whatever it was refused for."""
    fd = held.memory(MIB)
    odd = [make() for make, _ in STRANGE.values()]
    before = ready.fds()
    for _ in range(20):
        held.map([fd] + odd, held.entry(GIB), held.entry(GIB, descriptor=1))
        held.unmap((0, ALL))
        with pytest.raises(Refused):
            held.map([fd] * 65, held.entry(GIB))
        with pytest.raises(Refused):
            exchange(held.client, "Leases/GetLease",
                     lease_pb2.GetLeaseRequest(name="x"), [fd] * 50)
    # One that leaves while its packet waits.
    for _ in range(20):
        with ready.connect() as other:
            other.send_raw(envelope_pb2.Envelope(
                id=1, request=envelope_pb2.Request(
                    method="ioasid.v1.Memory/MapMemory",
                    payload=memory_pb2.MapMemoryRequest(
                        lease=held.name, entries=[held.entry(
                            GIB)]).SerializeToString())).SerializeToString(),
                [fd] * 10)
    wait(lambda: ready.fds() <= before, "all are closed")
    children = f"/proc/{ready.process.pid}/task/{ready.process.pid}/children"
    if os.path.exists(children):
        with open(children, encoding="ascii") as file:
            for child in file.read().split():
                with open(f"/proc/{child}/stat", encoding="ascii") as stat:
                    assert ") Z " not in stat.read()


# --- the mode -----------------------------------------------------------------

def test_all_spaces_have_the_same_windows(client):
    other = {"windows": [{"size": GIB, "start": GIB}]}
    assert client.refusal("Leases/CreateLease", **offer(WINDOW, other)) == \
        "space.windows-differ"
    held = Guarded(client)
    assert client.refusal("Spaces/CreateSpace", lease=held.name,
                          space=other) == "space.windows-differ"
    client.call("Spaces/SetWindows", name=held.spaces[0], **other)
    second = client.call("Spaces/CreateSpace", lease=held.name, space=other)
    assert client.refusal("Spaces/SetWindows", name=held.spaces[0],
                          **WINDOW) == "space.windows-differ"
    held.spaces.append(second.name)
    fd = held.memory(MIB)
    held.map([fd], held.entry(GIB), held.entry(GIB, space=1))
    assert held.lease().mapped_bytes == 2 * PAGE
    client.call("Spaces/DeleteSpace", name=second.name)
    assert held.lease().mapped_bytes == PAGE
    assert client.refusal("Spaces/SetWindows", name=held.spaces[0], windows=[
        {"size": PAGE, "start": GIB + PAGE}]) == "memory.outside-windows"
    client.call("Spaces/SetWindows", name=held.spaces[0], windows=[
        {"size": PAGE, "start": GIB}])


def test_other_modes_map_themselves(client):
    lease = client.call("Leases/CreateLease", **{
        **offer(), "mode": "HOLD", "volatile": False})
    exchange(client, "Leases/ClaimLease",
             lease_pb2.ClaimLeaseRequest(name=lease.name))
    assert client.refusal("Memory/CreateMemory", lease=lease.name,
                          size=PAGE) == "memory.mode"
    assert not client.call("Memory/ListMappings", lease=lease.name).mappings


@pytest.mark.parametrize("fields,error", [
    ({"volatile": False}, "store.absent"),
    ({"mode": "HOLD"}, "lease.mode"),
    ({"mode": "TRANSFER", "spaces": []}, "lease.mode"),
])
def test_a_lease_that_cannot_be_is_not_made(client, fields, error):
    assert client.refusal("Leases/CreateLease", **{
        **offer(), **fields}) == error


def test_a_lease_that_nobody_holds_maps_nothing(client):
    lease = client.call("Leases/CreateLease", **offer())
    assert client.refusal("Memory/CreateMemory", lease=lease.name,
                          size=PAGE) == "lease.state"
    client.call("Leases/ReleaseLease", name=lease.name)


# --- its end, and ours --------------------------------------------------------

class Tenant:
    """A process that holds a guarded lease and does what it is told.

    It reads words and calls `acts` with them; what they return goes back.
    """

    def __init__(self, path, lease):
        self.ours, theirs = socket.socketpair()
        self.pid = os.fork()
        if self.pid == 0:
            try:
                self.ours.close()
                self.live(path, lease, theirs)
            finally:
                os._exit(1)
        theirs.close()
        self.ours.settimeout(60)

    def live(self, path, lease, sock):
        ctypes.CDLL(None).prctl(1, signal.SIGKILL)
        held = Guarded.__new__(Guarded)
        held.name = lease
        held.client = Client(path)
        payload, held.fds = exchange(held.client, "Leases/ClaimLease",
                                     lease_pb2.ClaimLeaseRequest(name=lease))
        held.claimed = lease_pb2.ClaimLeaseResponse.FromString(payload)
        held.spaces = [one.name for one in held.claimed.lease.spaces]
        fd = held.memory(MIB)
        sock.send(b"held")
        while True:
            words = sock.recv(100).split()
            if not words:
                os._exit(0)
            sock.send(str(self.act(held, fd, words, path)).encode())

    @staticmethod
    def act(held, fd, words, path):
        """"ok", or an error's id; at a dead connection "gone"."""
        try:
            if words[0] == b"connect":
                held.client.close()
                held.client = Client(path)
            elif words[0] == b"map":
                reply = held.map([fd], held.entry(int(words[1]), int(words[2])))
                return reply.errors[0].id if reply.errors else "ok"
            elif words[0] == b"unmap":
                reply = held.unmap((int(words[1]), int(words[2])))
                return reply.errors[0].id if reply.errors else "ok"
            return "ok"
        except Refused as refused:
            return refused.id
        except (OSError, AssertionError, message.DecodeError):
            return "gone"

    def begin(self, *words):
        self.ours.send(" ".join(map(str, words)).encode())

    def answer(self):
        return self.ours.recv(100).decode()

    def tell(self, *words):
        self.begin(*words)
        return self.answer()

    def kill(self):
        os.kill(self.pid, signal.SIGKILL)
        os.waitpid(self.pid, 0)
        self.ours.close()


def tenant(machine, **fields):
    """A lease, and the tenant that holds it."""
    with machine.connect() as client:
        lease = client.call("Leases/CreateLease", **offer(**fields))
    one = Tenant(machine.socket, lease.name)
    assert one.answer() == "held"
    wait(lambda: machine.lease(lease.name)["state"] == "HELD", "held")
    return lease.name, one


def listed(machine, lease):
    with machine.connect() as client:
        return [(one.iova, one.length) for one in client.call(
            "Memory/ListMappings", lease=lease).mappings]


def test_nothing_is_mapped_after_its_end(ready):
    """The fence comes before all else, and what was mapped is forgotten."""
    lease, one = tenant(ready, grace_ms=100)
    assert one.tell("map", GIB, MIB) == "ok"
    one.kill()
    ended = ready.wait_ended(lease)
    assert [step["act"] for step in ended["reclaim"]][0] == "fence"
    assert not ended.get("mappings") and not listed(ready, lease)
    rows = sqlite3.connect(f"file:{ready.state}/state.db?mode=ro", uri=True)
    with contextlib.closing(rows), contextlib.suppress(
            sqlite3.OperationalError):  # the daemon has it for itself
        assert rows.execute("SELECT count(*) FROM mapping").fetchone() == (0,)


def test_a_successor_finds_what_is_mapped(ready):
    lease, one = tenant(ready, grace_ms=60000)
    assert one.tell("map", GIB, MIB) == "ok"
    one.kill()
    wait(lambda: ready.lease(lease)["state"] == "OFFERED", "offered")
    assert listed(ready, lease) == [(GIB, MIB)]
    two = Tenant(ready.socket, lease)
    assert two.answer() == "held"
    assert two.tell("map", GIB, PAGE) == "memory.overlap"
    assert two.tell("unmap", GIB, MIB) == "ok"
    assert two.tell("map", GIB, PAGE) == "ok"
    two.kill()


def test_a_volatile_lease_is_fenced_when_ioasidd_ends(ready):
    """Its holder has the devices still, which reach nothing."""
    lease, one = tenant(ready)
    assert one.tell("map", GIB, MIB) == "ok"
    ready.stop()
    assert "nothing is mapped any more" in ready.words()
    ready.run.mkdir()
    ready.run.chmod(0o755)
    ready.start()
    now = ready.lease(lease)
    assert now["state"] == "HELD" and not now.get("kept")
    assert not listed(ready, lease)
    assert one.tell("connect") == "ok"
    assert one.tell("map", GIB, PAGE) == "context.lost"
    one.kill()
    ready.wait_ended(lease)
    assert ready.device("0000:01:00.0")["state"] == "READY"


def test_of_a_volatile_lease_a_kill_leaves_what_is_mapped(ready):
    """Until its holder ends: the context lives on with its devices."""
    lease, one = tenant(ready)
    assert one.tell("map", GIB, MIB) == "ok"
    ready.restart()
    now = ready.lease(lease)
    assert now["state"] == "HELD" and not now.get("kept")
    assert listed(ready, lease) == [(GIB, MIB)]
    assert one.tell("connect") == "ok"
    assert one.tell("unmap", 0, ALL) == "context.lost"
    one.kill()
    ready.wait_ended(lease)
    assert not listed(ready, lease)
    assert ready.device("0000:01:00.0")["state"] == "READY"


def test_nothing_stays_mapped_when_a_device_is_pulled(ready):
    """Nobody could unmap it any more: we close what we have of the lease."""
    lease, one = tenant(ready)
    assert one.tell("map", GIB, MIB) == "ok"
    removal = threading.Thread(target=ready.poke,
                               args=("remove 0000:02:00.0",))
    removal.start()
    wait(lambda: not ready.lease(lease).get("kept"), "we have let go")
    assert "nothing is mapped any more" in ready.words()
    assert ready.lease(lease)["state"] == "HELD"
    assert not listed(ready, lease)
    assert one.tell("map", GIB, PAGE) == "context.lost"
    ready.restart()
    assert not listed(ready, lease)
    one.kill()
    removal.join(60)
    assert not removal.is_alive()
    ready.wait_ended(lease)
    assert ready.device("0000:01:00.0")["state"] == "READY"


@pytest.fixture
def manager(ready):
    """A service manager that keeps descriptors."""
    folder = open_folder()
    one = Manager(folder)
    ready.stop()
    ready.manager = one
    ready.start()
    yield one
    ready.kill()
    one.end()
    shutil.rmtree(folder)


def test_a_manager_keeps_what_is_mapped(ready, manager):
    """Over an end and over a kill; the same memory can be mapped again."""
    lease, one = tenant(ready, volatile=False)
    assert len(manager.kept) == 3
    assert one.tell("map", GIB, MIB) == "ok"
    for end in (ready.kill, ready.stop):
        end()
        ready.run.mkdir(exist_ok=True)
        ready.run.chmod(0o755)
        ready.start()
        assert ready.lease(lease)["kept"]
        assert listed(ready, lease) == [(GIB, MIB)]
        assert one.tell("connect") == "ok"
        assert one.tell("map", GIB, PAGE) == "memory.overlap"
        assert one.tell("map", GIB + MIB, PAGE) == "ok"
        assert one.tell("unmap", GIB + MIB, PAGE) == "ok"
    assert one.tell("unmap", 0, ALL) == "ok"
    one.kill()
    wait(lambda: ready.lease(lease)["state"] == "OFFERED", "offered")
    with ready.connect() as client:
        client.call("Leases/ReleaseLease", name=lease)
    assert not manager.kept


def test_the_database_never_knows_less_than_the_kernel(ready, manager):
    """Killed at any moment of a map or an unmap: what is listed covers what is
    mapped, so that after an unmap of all nothing is in the way."""
    chance = random.Random(SEED)
    lease, one = tenant(ready, volatile=False)
    sure = set()
    for _ in range(KILLS):
        iova = GIB + chance.randrange(64) * PAGE
        act = "unmap" if iova in sure else "map"
        one.begin(act, iova, PAGE)
        time.sleep(chance.random() * 0.004)
        ready.kill()
        said = one.answer()
        assert said in ("ok", "gone", "memory.overlap"), (said, SEED)
        ready.start()
        assert one.tell("connect") == "ok"
        have = {where for where, _ in listed(ready, lease)}
        if said == "ok":
            sure = sure - {iova} if act == "unmap" else sure | {iova}
            assert have == sure, SEED
        else:
            assert have - {iova} == sure - {iova}, SEED
            sure = have
    assert one.tell("unmap", 0, ALL) == "ok"
    for i in range(64):
        assert one.tell("map", GIB + i * PAGE, PAGE) == "ok", SEED
    one.kill()


def test_a_full_store_is_none(ready, manager):
    """Two of three descriptors are not enough."""
    ready.kill()
    manager.room = 2
    ready.start()
    with ready.connect() as client:
        assert client.refusal("Leases/CreateLease", **offer(
            volatile=False)) == "store.absent"
        assert not manager.kept
        held = Guarded(client)
        assert held.claimed.lease.kept


def test_a_hostile_holder_stays_inside(sim):
    """tests/vm/cases/test_guarded.py has it on a real kernel."""
    sim.ctl("prepare", "0000:01:00.0")
    window = "window size=1G,start=1G"
    lease = sim.ctl("lease", "create", "--uid", str(NOBODY), "--mode",
                    "guarded", "--volatile", "--memlock", "1M", "--grace",
                    "1", "--space", f"{window}; device 01:00.0", "--space",
                    f"{window}; device none", "0000:01:00.0")
    holder = sim.start_holder(sim.prog("guarded-holder"), lease["name"],
                              uid=NOBODY)
    wait(lambda: "the parent has ended" in holder.said(), "it has ended")
    # This machine moves bytes of the file, whichever page they are in by now.
    said = holder.said().replace("hole: CARRIES", "")
    assert not re.search(r"WROTE OUTSIDE|CARRIES|DONE|PASID \d+ attached",
                         said), said
    assert "map with a hole: memory.not-populated" in said
    wait(lambda: [step for step in
                  sim.lease(lease["name"]).get("reclaim", [])
                  if step["act"] == "fence"], "the fence")
    (child,) = [int(word) for word in re.findall(r"child: (\d+)", said)]
    os.kill(child, signal.SIGUSR1)
    wait(lambda: "after the fence: carries nothing" in holder.said(),
         "the child has tried")
