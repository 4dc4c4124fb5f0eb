"""Hold leases on a real kernel: what survives whose end.

A holder is the client of tests/conformance, whose cases have what does not need
a daemon that is killed: spaces, windows, the fence, refusals.
"""

import mmap
import os
import sys
from collections.abc import Iterator
from typing import Any

import pytest
from held import Lease
from ioasid import FLAT, IOMMU, TOP, Ioasidd, Refused, wait

sys.path.append(str(TOP / "tests/conformance"))

# pylint: disable=wrong-import-position
from holder import PAGE, Holder, ok  # noqa: E402

pytest_plugins = ["ioasid"]
pytestmark = pytest.mark.skipif(IOMMU == "none", reason="there is no IOMMU")
translated = pytest.mark.skipif(
    FLAT, reason="QEMU 10's AMD IOMMU does not translate DMA")
GIB = 1 << 30
# What becomes of the descriptors when ioasidd is killed.
KEPT, LOST = True, False


class Held(Lease):
    """A hold lease of one edu on one space, and who has had it."""

    def start(self, kept: bool, grace: int = 60) -> None:
        """The daemon and the lease."""
        self.offer(kept, grace, ("EDU0",), (), ("--space", "label for=ram"))

    @property
    def space(self) -> int:
        """The kernel's id of its space."""
        return int(self.lease["spaces"][0]["kernelId"])

    def first(self, pages: int = 4) -> tuple[Holder, mmap.mmap]:
        """The first holder, and its memfd at 1 GiB of the space, as the case
        sees it."""
        holder = self.claim()
        holder.device("EDU0").awake()
        file = holder.memfd(pages * PAGE)
        ok(holder.context.map_file(self.space, file, pages * PAGE, GIB))
        return holder, self.memory(holder, file, pages)


@pytest.fixture
def held(stopped: Ioasidd) -> Iterator[Held]:
    """Something to make the lease with; its holders are gone in the end."""
    one = Held(stopped)
    yield one
    one.end()


def carries(holder: Holder, memory: mmap.mmap, page: int) -> bool:
    """Does the device carry the first page of the memory to another one?"""
    data = os.urandom(PAGE)
    memory[:PAGE] = data
    holder.device("EDU0").copy(GIB, GIB + page * PAGE)
    return memory[page * PAGE:(page + 1) * PAGE] == data


def same_ids(one: dict[str, Any], other: dict[str, Any]) -> bool:
    """Have devices and spaces the same ids?"""
    return one["deviceIds"] == other["deviceIds"] and \
        [space["kernelId"] for space in one["spaces"]] == \
        [space["kernelId"] for space in other["spaces"]]


# --- successors ---------------------------------------------------------------

@pytest.mark.cell("hold")
@translated
@pytest.mark.sanitize
@pytest.mark.parametrize("killed", [False, True],
                         ids=["ioasidd lives", "ioasidd is killed"])
def test_dma_goes_on_while_nobody_holds_the_lease(held: Held,
                                                  killed: bool) -> None:
    """Begun before the holder's end, it ends in memory that its successor
    has: mappings and ids are the same."""
    held.start(KEPT if killed else LOST)
    holder, memory = held.first()
    before = held.lease
    data = os.urandom(PAGE)
    memory[:PAGE] = data
    holder.device("EDU0").load(GIB)
    for tries in range(1, 6):
        memory[PAGE:2 * PAGE] = bytes(PAGE)
        holder.device("EDU0").begin_store(GIB + PAGE)
        holder.kill()
        early = memory[PAGE:2 * PAGE] != bytes(PAGE)
        if killed:
            held.daemon.restart()
        held.daemon.wait_lease(held.name, "OFFERED")
        wait(lambda: memory[PAGE:2 * PAGE] == data, 10, "the data is there")
        holder = held.claim()
        assert same_ids(before, held.lease)
        assert held.lease["incarnation"] == 1 + tries
        if not early:
            break
    else:
        pytest.fail("the device was always faster than a kill")
    assert carries(holder, memory, 2)
    other = holder.memory(PAGE)
    ok(holder.context.map(held.space, other, PAGE, 0))
    holder.device("EDU0").store(0)
    assert bytes.fromhex(ok(holder.tell("peek", other, PAGE)).data) == \
        memory[:PAGE]


@translated
def test_holder_notices_nothing_of_a_kill(held: Held) -> None:
    """Of ioasidd, whose descriptors were kept: spaces are changed as before."""
    held.start(KEPT)
    holder, memory = held.first()
    before = held.lease
    held.daemon.restart()
    assert held.lease == before
    assert carries(holder, memory, 1)
    space = before["spaces"][0]["name"]
    held.daemon.ask("space", "detach", space, held.daemon.bdf("EDU0"))
    assert not carries(holder, memory, 2)
    held.daemon.ask("space", "attach", space, held.daemon.bdf("EDU0"))
    assert carries(holder, memory, 3)


@translated
def test_holder_goes_on_alone_without_a_manager(held: Held) -> None:
    """Its lease says so; when it ends nobody can follow it, and the device is
    made safe."""
    held.start(LOST)
    holder, memory = held.first()
    before = held.lease
    held.daemon.restart()
    now = held.lease
    assert now["state"] == "HELD" and not now.get("kept")
    assert same_ids(before, now)
    assert carries(holder, memory, 1)
    space = now["spaces"][0]["name"]
    for words in (("create", held.name), ("set", space), ("delete", space)):
        assert refused_of(held, *words) == "context.lost"
    assert carries(holder, memory, 2)
    holder.kill()
    ended = held.daemon.wait_lease(held.name, "ENDED")
    assert ended["endReason"] == "holder ended"
    assert {step["result"] for step in ended["reclaim"]} == {"ok"}
    assert "fence" not in {step["act"] for step in ended["reclaim"]}
    assert held.daemon.device("EDU0")["state"] == "READY"


def refused_of(held: Held, what: str, name: str) -> str:
    """A change of spaces must be refused; the id of its error."""
    conn = held.daemon.native()
    method, field = {"create": ("Spaces/CreateSpace", "lease"),
                     "set": ("Spaces/SetWindows", "name"),
                     "delete": ("Spaces/DeleteSpace", "name")}[what]
    with pytest.raises(Refused) as refusal:
        conn.call(method, "Space", **{field: name})
    conn.close()
    return refusal.value.id


# --- the end ------------------------------------------------------------------

@translated
@pytest.mark.sanitize
def test_kept_lease_is_fenced_after_a_kill(held: Held) -> None:
    """Its holder is dead and a child of it is not, ioasidd is killed in the
    grace: at its end the child's device reaches nothing, and the service
    manager has nothing."""
    held.start(KEPT, grace=10)
    holder, memory = held.first()
    pid = holder.leave()
    held.daemon.wait_lease(held.name, "OFFERED")
    held.daemon.restart()
    assert held.lease["state"] == "OFFERED"
    assert carries(holder, memory, 1)
    ended = held.daemon.wait_lease(held.name, "ENDED")
    assert ended["endReason"] == "expired"
    assert [(step["act"], step["result"] == "ok")
            for step in ended["reclaim"]] == [("fence", True),
                                              ("holders", False)]
    assert not carries(holder, memory, 2)
    assert held.daemon.manager and not held.daemon.manager.kept
    assert_held_by(held, pid)


def test_who_has_a_lost_lease_still_is_named(held: Held) -> None:
    """The same without a service manager: there is nothing to fence it with,
    so the device is kept out of use as long as the child lives."""
    held.start(LOST)
    holder, _ = held.first()
    pid = holder.leave()
    held.daemon.wait_lease(held.name, "OFFERED")
    held.daemon.restart()
    ended = held.daemon.wait_lease(held.name, "ENDED")
    assert "had no descriptors of it" in ended["endReason"]
    assert_held_by(held, pid)


def assert_held_by(held: Held, pid: int) -> None:
    """The device is in quarantine because of that process, until its end."""
    daemon = held.daemon
    device = daemon.device("EDU0")
    assert device["state"] == "QUARANTINED"
    assert str(pid) in device["stateReason"]
    refusal = daemon.refused("device", "recover", daemon.bdf("EDU0"))
    assert refusal.id == "device.held" and str(pid) in refusal.words
    held.holders[-1].kill_heir()
    daemon.ask("device", "recover", daemon.bdf("EDU0"))
    assert daemon.device("EDU0")["state"] == "READY"
