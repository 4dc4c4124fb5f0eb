"""Hold leases on VFIO type1, the interface of kernels without iommufd.

The holder is the client of tests/conformance, as in test_hold.py; it calls
libioasid, whose functions are given a container and the space 0. On a kernel
that has both, ioasidd is told to use this one.
"""

import mmap
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from held import Lease
from ioasid import (FLAT, IOMMU, PROGS, STRANGER, TOP, Ioasidd, Process,
                    Refused, wait)

sys.path.append(str(TOP / "tests/conformance"))

# pylint: disable=wrong-import-position
from holder import (COMMAND, CONFIG, FIXED, MASTER, PAGE, READ,  # noqa: E402
                    WRITE, Answer, Holder, ok, refused)

pytest_plugins = ["ioasid"]
pytestmark = pytest.mark.skipif(IOMMU == "none", reason="there is no IOMMU")
translated = pytest.mark.skipif(
    FLAT, reason="QEMU 10's AMD IOMMU does not translate DMA")
GIB = 1 << 30
KEPT, LOST = True, False
# IOASID_SPACE_OF_CONTAINER
OWN = 0
RW = READ | WRITE | FIXED
UNSUPPORTED = "backend.unsupported"


class Held(Lease):
    """A hold lease in a container, and who has had it."""

    def start(self, kept: bool = LOST, grace: int = 60,
              names: tuple[str, ...] = ("EDU0",),
              space: tuple[str, ...] = ("--space", "label for=ram")) -> None:
        """The daemon and the lease."""
        self.offer(kept, grace, names, ("--backend", "type1"), space)

    @property
    def space(self) -> str:
        """The name of its space."""
        return str(self.lease["spaces"][0]["name"])

    def first(self, pages: int = 4) -> tuple[Holder, mmap.mmap]:
        """The first holder, and its memory at 1 GiB of the space, as the case
        sees it: a memfd that it has mapped, and whose address it maps."""
        holder = self.claim()
        for name in self.names:
            holder.device(name).awake()
        file = holder.memfd(pages * PAGE)
        va = int(ok(holder.tell("map", file, pages * PAGE)).va)
        ok(at(holder, va, GIB, pages * PAGE))
        return holder, self.memory(holder, file, pages)

    def unbind(self, name: str) -> Process:
        """Somebody else takes a device from its driver."""
        device = f"/sys/bus/pci/devices/{self.daemon.bdf(name)}"
        return self.daemon.run("sh", "-c", f"echo {self.daemon.bdf(name)} > "
                               f"{device}/driver/unbind")

    def change(self, method: str, **fields: Any) -> str:
        """A change of it that must be refused; the id of its error."""
        conn = self.daemon.native()
        kind = "PageTable" if "PageTable" in method else "Space"
        try:
            with pytest.raises(Refused) as refusal:
                conn.call(method, kind, **fields)
            return refusal.value.id
        finally:
            conn.close()


@pytest.fixture
def held(stopped: Ioasidd) -> Iterator[Held]:
    """Something to make the lease with; its holders are gone in the end."""
    one = Held(stopped)
    yield one
    one.end()


def at(holder: Holder, va: int, iova: int, length: int = PAGE,
       flags: int = RW) -> Answer:
    """Map memory of the holder's in its container."""
    return holder.context.lib("map", OWN, va, length, flags, iova)


def carries(holder: Holder, memory: mmap.mmap, page: int,
            name: str = "EDU0") -> bool:
    """Does the device carry the first page of the memory to another one?"""
    data = os.urandom(PAGE)
    memory[:PAGE] = data
    holder.device(name).copy(GIB, GIB + page * PAGE)
    return memory[page * PAGE:(page + 1) * PAGE] == data


def words(error: str, kind: str, answer: Answer, *said: str) -> None:
    """It was refused with that errno, id and words."""
    refused(error, answer)
    assert answer.id == f"client.{kind}", answer.id
    for word in said:
        assert word in answer.message + answer.remedy, answer.message


# --- the holder ---------------------------------------------------------------

@translated
@pytest.mark.sanitize
def test_client_without_privilege_carries_a_page(held: Held) -> None:
    """Through the container; what it does not map the device does not reach."""
    held.start()
    holder, memory = held.first()
    lease = held.lease
    assert not lease.get("deviceIds") and not lease["spaces"][0]["kernelId"]
    assert [one["device"] for one in lease["spaces"][0]["attachments"]] == \
        lease["devices"]
    assert carries(holder, memory, 1)
    # Nothing is mapped behind it: the device's write arrives nowhere.
    holder.device("EDU0").store(GIB + 4 * PAGE)
    assert ok(holder.context.lib("unmap", OWN, GIB, 4 * PAGE)).bytes == \
        4 * PAGE
    assert not carries(holder, memory, 2)
    other = holder.memory(PAGE)
    ok(at(holder, other, 0))
    holder.device("EDU0").store(0)
    ok(holder.context.lib("unmap-all", OWN))


def test_ranges_are_those_of_the_space(held: Held) -> None:
    """What the library reads is what ioasidd has read."""
    held.start()
    answer = ok(held.claim().context.lib("ranges", OWN, 16))
    space = held.lease["spaces"][0]
    assert answer.n == len(space["iovaRanges"])
    assert answer.alignment == int(space["iovaAlignment"])


def test_refusals_of_the_kernel_have_words(held: Held) -> None:
    """Which of an errno's reasons it was, and what would work."""
    held.start()
    holder = held.claim()
    lib = holder.context.lib
    va = holder.memory(4 * PAGE)
    ok(at(holder, va, GIB, 2 * PAGE))
    words("EEXIST", "map-taken", at(holder, va, GIB + PAGE), "space 0")
    words("EINVAL", "map-alignment", at(holder, va, GIB + 8), "0x1000")
    words("EINVAL", "argument", at(holder, va, 2 * GIB, PAGE, FIXED))
    words("EFAULT", "map-memory", at(holder, 1 << 46, 2 * GIB))
    words("EOPNOTSUPP", "unsupported", at(holder, va, 0, PAGE, READ | WRITE),
          "IOASID_MAP_FIXED")
    file = holder.memfd(PAGE)
    words("EOPNOTSUPP", "unsupported",
          lib("map-file", OWN, file, 0, PAGE, RW, 2 * GIB), "mmap")
    words("EOPNOTSUPP", "unsupported",
          lib("copy", OWN, OWN, GIB, PAGE, RW, 2 * GIB))
    words("EOPNOTSUPP", "unsupported", lib("allow", OWN, f"{GIB},{2 * GIB}"))
    words("ENOENT", "not-mapped", lib("unmap", OWN, 2 * GIB, PAGE))
    words("ENOENT", "not-mapped", lib("unmap", OWN, GIB, PAGE), "sticks out")
    words("EINVAL", "argument", lib("unmap", OWN, GIB, 0))
    ok(holder.tell("memlock", 4 * PAGE))
    words("ENOMEM", "map-limit", at(holder, va, 2 * GIB, 4 * PAGE))
    assert ok(lib("unmap", OWN, GIB, 2 * PAGE)).bytes == 2 * PAGE


def test_mapping_where_nothing_can_be_is_refused_with_the_ranges(
        held: Held) -> None:
    """The MSI hole of x86, or what is beyond the aperture."""
    held.start()
    holder = held.claim()
    ranges = held.lease["spaces"][0]["iovaRanges"]
    beyond = int(ranges[0]["last"]) + 1
    words("EINVAL", "map-range",
          at(holder, holder.memory(PAGE), beyond),
          hex(int(ranges[0]["start"])))


@translated
def test_batch_is_undone_as_a_whole(held: Held) -> None:
    """The third piece overlaps the first: none of them is mapped."""
    held.start()
    holder = held.claim()
    va = holder.memory(PAGE)
    pieces = [f"{iova},{PAGE},{va},{RW}" for iova in (GIB, GIB + PAGE, GIB)]
    answer = holder.tell("lib", "batch", "memory", holder.iommufd, OWN, 0, 1,
                         *pieces)
    assert answer.error == "EEXIST" and answer.done == 2
    ok(at(holder, va, GIB, PAGE))


@translated
def test_dirty_tracking_tells_what_is_mapped(held: Held) -> None:
    """All of it: type1 does not know what devices write."""
    held.start()
    holder, _ = held.first()
    lib = holder.context.lib
    words("EINVAL", "argument", lib("dirty", OWN, GIB, 4 * PAGE, PAGE))
    ok(lib("watch", OWN, 1))
    assert ok(lib("dirty", OWN, GIB, 4 * PAGE, PAGE)).bits == 0xf
    words("EINVAL", "argument", lib("dirty", OWN, GIB, 2 * PAGE, PAGE))
    words("EOPNOTSUPP", "unsupported",
          lib("dirty", OWN, GIB, 4 * PAGE, PAGE, 1))
    ok(lib("watch", OWN, 0))


@translated
def test_devices_of_two_groups_are_on_one_space(held: Held) -> None:
    """Each reaches what is mapped once."""
    if "EDU1" not in os.environ:
        pytest.skip("there is one edu")
    held.start(names=("EDU0", "EDU1"))
    holder, memory = held.first()
    assert carries(holder, memory, 1, "EDU0")
    assert carries(holder, memory, 2, "EDU1")
    assert len(held.lease["spaces"][0]["attachments"]) == 2


@translated
def test_functions_of_one_group_are_held_and_reclaimed(held: Held) -> None:
    """They share a descriptor of their group, and what resets them both."""
    held.start(grace=1, names=("PAIR0", "PAIR1"))
    holder, memory = held.first()
    assert carries(holder, memory, 1, "PAIR0")
    assert carries(holder, memory, 2, "PAIR1")
    holder.kill()
    ended = held.daemon.wait_lease(held.name, "ENDED")
    assert {step["result"] for step in ended["reclaim"]} == {"ok"}
    for name in held.names:
        assert held.daemon.device(name)["state"] == "READY"


@pytest.mark.skipif(not Path("/dev/kvm").exists(), reason="there is no KVM")
def test_group_is_added_to_a_virtual_machine(stopped: Ioasidd) -> None:
    """KVM knows the devices of a container by their group; refusals in words."""
    stopped.start("--backend", "type1")
    stopped.prepare("EDU0")
    lease = stopped.offer("EDU0", uid=0, options=("--mode", "hold", "--grace",
                                                  "1"))
    client = stopped.run(PROGS / "kvm-add", lease)
    assert client.wait() == 0, client.output()
    assert client.output().count("was as it should") == 7, client.output()
    stopped.wait_lease(lease, "ENDED")
    stopped.wait_device("EDU0", "READY")


# --- what a container cannot do -----------------------------------------------

def test_what_a_container_cannot_be_is_refused_with_the_reason(
        held: Held) -> None:
    """A second space, devices on none, page tables; guarded leases."""
    held.start()
    device = held.lease["devices"][0]
    assert held.change("Spaces/CreateSpace", lease=held.name) == UNSUPPORTED
    for method in ("AttachDevice", "DetachDevice"):
        assert held.change(f"Spaces/{method}", name=held.space,
                           device=device) == UNSUPPORTED
    assert held.change("Spaces/DeleteSpace", name=held.space) == UNSUPPORTED
    assert held.change("PageTables/CreatePageTable", lease=held.name,
                       parent=held.space, device=device) == UNSUPPORTED
    held.daemon.ask("lease", "release", held.name)
    refusal = held.daemon.refused("lease", "create", "--mode", "guarded",
                                  "--volatile", "--uid", str(STRANGER),
                                  held.daemon.bdf("EDU0"))
    assert refusal.id == UNSUPPORTED
    assert "memory of the process that maps it" in refusal.words
    refusal = held.daemon.refused(
        "lease", "create", "--mode", "hold", "--uid", str(STRANGER),
        "--space", "label n=1", "--space", "label n=2",
        held.daemon.bdf("EDU0"))
    assert refusal.id == UNSUPPORTED


def test_space_comes_later_and_is_the_same(held: Held) -> None:
    """A lease without one has the container all the same; CreateSpace says what
    it promises, once."""
    held.start(space=())
    holder = held.claim()
    ok(at(holder, holder.memory(PAGE), GIB))
    # At 2 GiB nothing is reserved, neither on a PC nor on ARM.
    held.daemon.ask("space", "create", "--lease", held.name, "--window",
                    "size=1G,start=2G")
    space = held.lease["spaces"][0]
    assert [int(space["windows"][0][word]) for word in ("start", "last")] == \
        [2 * GIB, 3 * GIB - 1]
    assert held.change("Spaces/CreateSpace", lease=held.name) == UNSUPPORTED


@pytest.mark.cell("windows")
def test_windows_are_checked_and_not_enforced(held: Held) -> None:
    """None can be where nothing can be mapped; a mapping can be outside."""
    held.start(space=("--space", "window size=1G,start=2G"))
    last = int(held.lease["spaces"][0]["iovaRanges"][-1]["last"])
    if last < (1 << 64) - 1:
        refusal = held.daemon.refused(
            "window", "set", held.space, f"size=4K,start={last + 1}")
        assert refusal.id == "window.unavailable"
    holder = held.claim()
    ok(at(holder, holder.memory(PAGE), GIB))


# --- successors ---------------------------------------------------------------

@pytest.mark.cell("hold")
@translated
@pytest.mark.sanitize
@pytest.mark.parametrize("killed", [False, True],
                         ids=["ioasidd lives", "ioasidd is killed"])
def test_successor_finds_container_and_mappings(held: Held,
                                                killed: bool) -> None:
    """DMA has gone on, into memory of a process that is dead."""
    held.start(KEPT if killed else LOST)
    holder, memory = held.first()
    before = held.lease
    assert carries(holder, memory, 1)
    data = memory[PAGE:2 * PAGE]
    if killed:
        held.daemon.restart()
        assert held.lease == before
        assert carries(holder, memory, 1)
        data = memory[PAGE:2 * PAGE]
    holder.kill()
    held.daemon.wait_lease(held.name, "OFFERED")
    if killed:
        held.daemon.restart()
    holder = held.claim()
    assert held.lease["incarnation"] == 2
    other = holder.memory(PAGE)
    words("EEXIST", "map-taken", at(holder, other, GIB))
    ok(at(holder, other, 0))
    # It was not reset, and finds the registers as they were.
    assert holder.device("EDU0").get(CONFIG, COMMAND, 2) & MASTER
    holder.device("EDU0").copy(GIB + PAGE, 0)
    assert bytes.fromhex(ok(holder.tell("peek", other, PAGE)).data) == data
    assert ok(holder.context.lib("unmap", OWN, GIB, 4 * PAGE)).bytes == \
        4 * PAGE


@translated
def test_descriptors_that_were_exchanged_are_not_taken(held: Held) -> None:
    """Two devices of one kind, given back under each other's name: the lease is
    not whole, and is let go."""
    if "EDU1" not in os.environ:
        pytest.skip("there is one edu")
    held.start(KEPT, names=("EDU0", "EDU1"))
    manager = held.daemon.manager
    assert manager
    first, second = sorted(name for name in manager.kept
                           if name.startswith("cdev-"))
    assert sorted(name.partition("-")[0] for name in manager.kept) == \
        ["cdev", "cdev", "container", "group", "group"]
    held.claim()
    held.daemon.kill()
    kept = manager.kept
    kept[first], kept[second] = kept[second], kept[first]
    held.daemon.start(*held.daemon.options)
    assert "not whole" in held.daemon.log_text()
    assert not held.lease.get("kept") and not manager.kept


@translated
def test_holder_goes_on_alone_without_a_manager(held: Held) -> None:
    """Its lease says so; when it ends nobody can follow it, and the device is
    made safe."""
    held.start(LOST)
    holder, memory = held.first()
    held.daemon.restart()
    now = held.lease
    assert now["state"] == "HELD" and not now.get("kept")
    assert carries(holder, memory, 1)
    assert held.change("Spaces/SetWindows", name=held.space) == "context.lost"
    holder.kill()
    ended = held.daemon.wait_lease(held.name, "ENDED")
    assert ended["endReason"] == "holder ended"
    assert {step["result"] for step in ended["reclaim"]} == {"ok"}
    assert held.daemon.device("EDU0")["state"] == "READY"


def test_offer_is_made_again_after_a_restart(held: Held) -> None:
    """Nobody has had it, and nobody has kept it: a container like the first."""
    held.start(LOST, space=("--space", "window size=1G,start=1G"))
    before = held.lease["spaces"]
    held.daemon.restart()
    assert held.lease["state"] == "OFFERED" and held.lease["kept"]
    assert held.lease["spaces"][0]["windows"] == before[0]["windows"]
    holder = held.claim()
    ok(at(holder, holder.memory(PAGE), GIB))


# --- the end ------------------------------------------------------------------

def test_offer_ends_when_its_device_is_taken_away(held: Held) -> None:
    """By unbind, which waits for ioasidd's descriptors alone."""
    held.start(LOST)
    unbind = held.unbind("EDU0")
    ended = held.daemon.wait_lease(held.name, "ENDED")
    assert "was taken away" in ended["endReason"]
    assert unbind.wait() == 0, unbind.output()


@translated
def test_holder_of_a_device_that_is_taken_away_goes_on_alone(
        held: Held) -> None:
    """ioasidd lets go; unbind waits for the holder, whose device works until
    then."""
    held.start(LOST)
    holder, memory = held.first()
    unbind = held.unbind("EDU0")
    wait(lambda: not held.lease.get("kept"), 30, "ioasidd lets go")
    assert held.lease["state"] == "HELD"
    assert carries(holder, memory, 1)
    holder.kill()
    assert unbind.wait() == 0, unbind.output()
    ended = held.daemon.wait_lease(held.name, "ENDED")
    assert ended["endReason"] == "holder ended"
    # And takes the device again, which it had prepared.
    assert "probe" in [step["act"] for step in ended["reclaim"]]
    assert held.daemon.device("EDU0")["state"] == "READY"


@translated
@pytest.mark.sanitize
@pytest.mark.parametrize("kept", [LOST, KEPT],
                         ids=["ioasidd lives", "ioasidd is killed"])
def test_lease_is_fenced_after_its_grace(held: Held, kept: bool) -> None:
    """Its holder is dead and a child of it is not: what it had mapped the device
    reaches no more, though the child has all descriptors. When it ends the
    device is made safe."""
    held.start(kept, grace=10)
    holder, memory = held.first()
    pid = holder.leave()
    held.daemon.wait_lease(held.name, "OFFERED")
    if kept:
        held.daemon.restart()
    assert carries(holder, memory, 1)
    ended = held.daemon.wait_lease(held.name, "ENDED")
    assert ended["endReason"] == "expired"
    assert [(step["act"], step["result"] == "ok")
            for step in ended["reclaim"]] == [("fence", True),
                                              ("holders", False)]
    assert not carries(holder, memory, 2)
    if held.daemon.manager:
        assert not held.daemon.manager.kept
    daemon = held.daemon
    device = daemon.device("EDU0")
    assert device["state"] == "QUARANTINED"
    assert str(pid) in device["stateReason"]
    holder.kill_heir()
    daemon.ask("device", "recover", daemon.bdf("EDU0"))
    assert daemon.device("EDU0")["state"] == "READY"


@pytest.mark.cell("reclaim")
@translated
def test_fence_that_cannot_be_counted_is_a_reset(held: Held) -> None:
    """As on kernels that let only the mapper unmap: entries seem to be left."""
    limit = Path("/sys/module/vfio_iommu_type1/parameters/dma_entry_limit")
    was = limit.read_text()
    held.start(grace=1)
    held.first()[0].kill()
    limit.write_text(str(int(was) + 1))
    try:
        ended = held.daemon.wait_lease(held.name, "ENDED")
    finally:
        limit.write_text(was)
    assert "its devices are reset instead" in held.daemon.log_text()
    assert ended["reclaim"][0]["method"] == "unmap all, or reset"
    assert {step["result"] for step in ended["reclaim"]} == {"ok"}
    assert held.daemon.device("EDU0")["state"] == "READY"


@translated
def test_killed_holder_without_a_successor_leaves_a_safe_device(
        held: Held) -> None:
    """kill -9 of the holder, and nobody comes: fence, ladder, ready."""
    held.start(grace=1)
    holder, memory = held.first()
    assert carries(holder, memory, 1)
    holder.kill()
    ended = held.daemon.wait_lease(held.name, "ENDED")
    assert {step["result"] for step in ended["reclaim"]} == {"ok"}
    assert ended["reclaim"][0]["act"] == "fence"
    wait(lambda: held.daemon.device("EDU0")["state"] == "READY", 30,
         "the device is ready")
    # And can be leased again.
    held.name = held.daemon.offer("EDU0", options=("--mode", "hold"))
    held.claim()
