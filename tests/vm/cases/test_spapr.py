"""POWER: windows are made by the platform, in the process that holds the container.

The machine is pseries with Debian's own kernel; each edu is behind a host bridge of
its own, which is its group. EDU0 is behind another bridge there, which can reset
it. The holder (progs/tce.c) claims a lease and does what ioasidd has planned; or it
is a stock QEMU under KVM, which makes the windows that its guest is to have.
VICTIM0 is for the one case that costs a device its windows.
"""

import ctypes
import errno
import os
import re
import struct
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from ioasid import (L2_QEMU, PROGS, STRANGER, Ioasidd, Process, Refused,
                    wait)
from manager import Manager

pytest_plugins = ["ioasid"]
pytestmark = pytest.mark.skipif(os.environ["IOMMU"] != "spapr",
                                reason="windows are made by POWER's platform only")

GIB = 1 << 30
DYNAMIC = 1 << 59
SMALL = "size=1G,start=0"
LARGE = "size=64G,page-sizes=64K"
HUGE_PAGES = Path("/proc/sys/vm/nr_hugepages")
# How the kernel says in its log that the firmware was asked for a window.
ASKED = re.compile(r"(\S+): ibm,create-pe-dma-window\(")


def asked() -> int:
    """How often the platform was asked for a window since the boot."""
    words = subprocess.run(["dmesg"], capture_output=True, text=True,
                           errors="replace", check=True).stdout
    return len(ASKED.findall(words))


def plan(ioasidd, *windows: str, name: str = "EDU0") -> dict:
    """What ioasidd plans for the device."""
    found: dict = ioasidd.ask("window", "plan", "--device", ioasidd.bdf(name),
                              *windows)
    return found


def lease_of(daemon: Ioasidd, name: str, mode: str = "hold",
             space: tuple[str, ...] = ()) -> str:
    """A lease of the device to somebody without a privilege; its name."""
    return daemon.offer(name, uid=STRANGER, options=(
        "--mode", mode, "--memlock", "256M", *space))


def holder_of(daemon: Ioasidd, lease: str) -> Process:
    """Who has it, and has DMA."""
    HUGE_PAGES.write_text("4")
    holder = daemon.run(PROGS / "tce", lease, uid=STRANGER,
                        stdin=subprocess.PIPE)
    holder.wait_for("holding")
    return holder


def go_on(holder: Process, times: int = 1) -> None:
    """It moves pages again, by both windows."""
    assert holder.popen.stdin
    holder.popen.stdin.write(b"\n")
    holder.popen.stdin.flush()
    wait(lambda: holder.output().count("goes on") == times, 60, "it goes on")


def leave(daemon: Ioasidd, lease: str, holder: Process) -> str:
    """It has had enough, and ends well; its words. The device is ready then."""
    assert holder.popen.stdin
    holder.popen.stdin.close()
    assert holder.wait(120) == 0, holder.output()
    reclaimed(daemon, lease)
    return holder.output()


def reclaimed(daemon: Ioasidd, lease: str, name: str = "EDU0",
              fence: tuple[str, ...] = ("fence",)) -> None:
    """The lease has ended with its holder, all has been done, and well."""
    ended = daemon.wait_lease(lease, "ENDED", 120)
    assert ended["endReason"] == "holder ended"
    acts = [step["act"] for step in ended["reclaim"]]
    assert {step["result"] for step in ended["reclaim"]} == {"ok"}
    assert tuple(acts[:len(fence)]) == fence and "reset" in acts, acts
    daemon.wait_device(name, "READY")


def test_kernel_has_no_iommufd_and_no_words_for_its_groups(testbed):
    """What the inventory leans on: no type, no reserved regions."""
    group = testbed.group("EDU0")
    assert not Path("/dev/iommu").exists()
    assert (group / "type").read_text().strip() == "unknown"
    assert (group / "reserved_regions").read_text() == ""
    # With the bridge that it is behind.
    assert len(list((group / "devices").iterdir())) == 2
    group = testbed.group("EDU1")
    assert len(list((group / "devices").iterdir())) == 1


@pytest.mark.cell("inventory")
def test_inventory_knows_the_host_bridge(ioasidd):
    """IOMMU, family and group of a device that is with no driver."""
    device = ioasidd.device("EDU1")
    assert device["iommu"].startswith("iommus/iommu-phb")
    assert device["group"] == f"groups/{device['name'].removeprefix('devices/')}"
    assert ioasidd.ask("version")["backend"] == "spapr"


@pytest.mark.cell("prepare")
def test_device_show_gives_windows_sizes_and_limits(ioasidd):
    """The 1 GiB window, the page sizes of dynamic ones, how many."""
    before = asked()
    ioasidd.prepare("EDU0")
    caps = ioasidd.device("EDU0")["capabilities"]
    assert caps["backend"] == "spapr"
    tce = caps["tce"]
    assert (int(tce.get("dma32Start", 0)), int(tce["dma32Size"])) == (0, GIB)
    assert int(tce["pageSizes"]) == 0x1211000
    assert (tce["maxWindows"], tce["levels"]) == (2, 1)
    words = ioasidd.ctl("device", "show", ioasidd.bdf("EDU0")).stdout
    print(words)
    assert "1G from 0x0 on" in words
    assert "pages of 4K+64K+2M+16M; 2 windows in all; 1 level" in words
    assert asked() == before, "the platform was asked for a window by the probe"
    ioasidd.restore("EDU0")


@pytest.mark.cell("windows")
def test_plan_has_the_default_window_and_64_gib_of_64k(ioasidd):
    """Accepted, with the steps and what has to be known."""
    ioasidd.prepare("EDU0")
    found = plan(ioasidd, SMALL, LARGE)
    first, second = found["windows"]
    assert (int(first.get("start", 0)), int(first["last"])) == (0, GIB - 1)
    assert (int(second["start"]), second["startExpected"]) == (DYNAMIC, True)
    assert second["hugePages"], "the kernel's pages are of 4 KiB"
    keep, create = found["tceSteps"]
    assert keep["kind"] == "TCE_KEEP_DEFAULT"
    assert create["kind"] == "TCE_CREATE"
    assert (int(create["size"]), create["pageShift"]) == (64 * GIB, 16)
    print(ioasidd.ctl("window", "plan", "--device", ioasidd.bdf("EDU0"), SMALL,
                      LARGE).stdout)


@pytest.mark.cell("windows")
def test_second_dynamic_window_is_refused_unseen(ioasidd):
    """2 GiB of 4 KiB pages beside 64 GiB of 64 KiB: the platform is not asked."""
    ioasidd.prepare("EDU0")
    before = asked()
    with pytest.raises(Refused) as refused:
        plan(ioasidd, LARGE, "size=2G,page-sizes=4K")
    assert refused.value.id == "window.unavailable"
    with pytest.raises(Refused) as refused:
        plan(ioasidd, "size=2G,start=0,page-sizes=4K", LARGE)
    assert "default window is 0x0-0x3fffffff" in refused.value.words
    with pytest.raises(Refused) as refused:
        plan(ioasidd, "size=3G,page-sizes=64K")
    assert "0x100000000 bytes with pages of 0x10000 would fit" in \
        refused.value.words
    assert asked() == before


def test_devices_of_two_groups_are_refused(ioasidd):
    """Each group has windows of its own."""
    ioasidd.prepare("EDU0")
    ioasidd.prepare("EDU1")
    with pytest.raises(Refused) as refused:
        ioasidd.ask("window", "plan", "--device", ioasidd.bdf("EDU0"),
                    "--device", ioasidd.bdf("EDU1"), SMALL)
    assert refused.value.id == "window.unavailable"


# --- leases -------------------------------------------------------------------

@pytest.mark.cell("windows")
@pytest.mark.cell("hold")
@pytest.mark.limit(900)
def test_holder_has_dma_in_both_windows_and_resizes_one(ioasidd):
    """Without a privilege, by a lease. And another after it has ended, and after
    the device was given back."""
    ioasidd.prepare("EDU0")
    for times in range(3):
        lease = lease_of(ioasidd, "EDU0")
        said = leave(ioasidd, lease, holder_of(ioasidd, lease))
        print(said)
        assert "carried by the default window, 0x100000" in said
        assert f"carried by the dynamic window, {DYNAMIC:#x}" in said
        assert f"resized to {128 * GIB:#x}" in said
        assert "carried by the end of the longer window" in said
        assert said.count("carried by") == 4
        if times == 1:
            ioasidd.restore("EDU0")
            ioasidd.prepare("EDU0")


@pytest.mark.cell("windows")
def test_space_of_a_lease_has_the_windows_as_they_are_planned(ioasidd):
    """And gets others before the holder makes them; what the platform would
    refuse is refused, unseen."""
    ioasidd.prepare("EDU0")
    before = asked()
    lease = lease_of(ioasidd, "EDU0", space=(
        "--space", f"window {SMALL};window {LARGE}"))
    space = ioasidd.lease(lease)["spaces"][0]
    assert [(int(one.get("start", 0)), int(one["last"]))
            for one in space["windows"]] == \
        [(0, GIB - 1), (DYNAMIC, DYNAMIC + 64 * GIB - 1)]
    assert space["iovaRanges"][1]["start"] == str(DYNAMIC)
    ioasidd.ask("window", "set", space["name"], SMALL,
                "size=128G,page-sizes=64K")
    space = ioasidd.lease(lease)["spaces"][0]
    assert int(space["windows"][1]["last"]) == DYNAMIC + 128 * GIB - 1
    refusal = ioasidd.refused("window", "set", space["name"], LARGE,
                              "size=2G,page-sizes=4K")
    assert refusal.id == "window.unavailable"
    ioasidd.ask("lease", "release", lease)
    assert asked() == before


def test_what_a_container_cannot_be_is_refused_with_the_reason(ioasidd):
    """Devices of two groups, a second space, guarded leases; no successor."""
    for name in ("EDU0", "EDU1"):
        ioasidd.prepare(name)
    both = [ioasidd.bdf(name) for name in ("EDU0", "EDU1")]
    make = ("lease", "create", "--uid", str(STRANGER), "--mode")
    refusal = ioasidd.refused(*make, "hold", *both)
    assert refusal.id == "backend.unsupported"
    assert "each group has windows of its own" in refusal.words
    refusal = ioasidd.refused(*make, "guarded", "--volatile", both[0])
    assert refusal.id == "backend.unsupported"
    lease = lease_of(ioasidd, "EDU0", space=("--space", "label n=1"))
    assert not ioasidd.lease(lease).get("graceMs")
    refusal = ioasidd.refused("space", "create", "--lease", lease)
    assert refusal.id == "backend.unsupported"


@pytest.mark.cell("reclaim")
@pytest.mark.limit(900)
def test_device_of_a_killed_holder_is_reset_and_leased_again(ioasidd):
    """kill -9: reset, closed, its windows are gone; another has DMA through new
    ones."""
    ioasidd.prepare("EDU0")
    assert ioasidd.device("EDU0")["pci"]["resetMethods"] == ["bus"]
    lease = lease_of(ioasidd, "EDU0")
    holder = holder_of(ioasidd, lease)
    holder.kill()
    reclaimed(ioasidd, lease)
    lease = lease_of(ioasidd, "EDU0")
    assert leave(ioasidd, lease,
                 holder_of(ioasidd, lease)).count("carried by") == 4


@pytest.mark.limit(600)
def test_device_that_nothing_resets_is_not_fenced_and_closed(ioasidd):
    """The record says so; its windows are gone all the same, and another has DMA
    through new ones."""
    ioasidd.prepare("EDU1")
    lease = lease_of(ioasidd, "EDU1")
    holder_of(ioasidd, lease).kill()
    ended = ioasidd.wait_lease(lease, "ENDED", 120)
    assert [step["act"] for step in ended["reclaim"]
            if step["result"] != "ok"] == ["fence"], ended["reclaim"]
    ioasidd.wait_device("EDU1", "READY")
    holder = holder_of(ioasidd, lease_of(ioasidd, "EDU1"))
    assert holder.output().count("carried by") == 4


@pytest.fixture(name="kept", params=[True, False],
                ids=["manager", "no manager"])
def kept_fixture(stopped, request) -> Iterator[bool]:
    """Is there a service manager that keeps ioasidd's descriptors?"""
    if request.param:
        stopped.manager = Manager(stopped.folder)
    yield request.param
    if stopped.manager:
        if stopped.running():
            stopped.stop()
        stopped.manager.end()


@pytest.mark.cell("restart")
@pytest.mark.limit(900)
def test_holder_has_dma_over_a_restart(stopped, kept):
    """ioasidd is killed and started again, twice. With a service manager it has
    the lease as before, and knows the container though it is the holder's."""
    stopped.start()
    stopped.prepare("EDU0")
    lease = lease_of(stopped, "EDU0")
    holder = holder_of(stopped, lease)
    before = stopped.lease(lease)
    for times in (1, 2):
        stopped.restart()
        now = stopped.lease(lease)
        assert now["state"] == "HELD"
        assert now == before if kept else not now.get("kept")
        go_on(holder, times)
    holder.kill()
    reclaimed(stopped, lease, fence=("fence",) if kept else ())
    if stopped.manager:
        assert not stopped.manager.kept
    lease = lease_of(stopped, "EDU0")
    leave(stopped, lease, holder_of(stopped, lease))


@pytest.mark.limit(600)
def test_holder_of_a_node_opens_it_and_has_dma(ioasidd):
    """A lease of mode transfer: the node is its user's until it has it open."""
    ioasidd.prepare("EDU0")
    node = f"/dev/vfio/{ioasidd.testbed.group('EDU0').name}"
    lease = lease_of(ioasidd, "EDU0", "transfer")
    assert ioasidd.lease(lease)["nodes"][0]["path"] == node
    holder = holder_of(ioasidd, lease)
    assert f"opened {node}" in holder.output()
    wait(lambda: not ioasidd.lease(lease)["nodes"][0].get("accessible"), 60,
         "access is taken off")
    assert os.stat(node).st_mode & 0o777 == 0o600
    holder.kill()
    reclaimed(ioasidd, lease, fence=())


# --- guests ---------------------------------------------------------------------

@pytest.mark.cell("transfer")
@pytest.mark.limit(600)
def test_vmm_of_a_plain_user_reads_disk(ioasidd):
    """The node is the user's until QEMU has it open; KVM keeps the table of the
    guest's window, and the guest's own driver fills it."""
    ioasidd.prepare("NVME0")
    lease = lease_of(ioasidd, "NVME0", "transfer")
    node = ioasidd.lease(lease)["nodes"][0]["path"]
    vmm = ioasidd.run("ioasidctl", "run", "--lease", lease, "--vmm", "qemu", "--",
                      L2_QEMU, "-trace", "vfio_spapr_group_attach", uid=STRANGER)
    vmm.wait_for("L2: up")
    assert not ioasidd.lease(lease)["nodes"][0].get("accessible")
    assert os.stat(node).st_mode & 0o777 == 0o600
    vmm.wait_for(f"L2: marker {os.environ['NVME0_MARKER']}")
    assert vmm.wait(60) == 0, vmm.output()
    assert "to liobn fd" in vmm.output()
    reclaimed(ioasidd, lease, "NVME0", fence=())


@pytest.mark.limit(600)
def test_guest_fills_the_window_that_its_table_is_linked_to(ioasidd):
    """By libioasid: what a guest's hypercalls put into KVM's table is where the
    device's DMA goes."""
    ioasidd.prepare("EDU0")
    lease = lease_of(ioasidd, "EDU0")
    holder = ioasidd.run(PROGS / "kvm-tce", lease, uid=STRANGER)
    assert holder.wait(120) == 0, holder.output()
    said = holder.output()
    print(said)
    assert said.count("is refused: ") == 4
    assert "carried by the guest's addresses" in said
    assert "taken away by the guest" in said
    reclaimed(ioasidd, lease)


# --- what the planner leans on --------------------------------------------------

class Container:
    """A container with one group, by system calls."""

    def __init__(self, group: str) -> None:
        self.libc = ctypes.CDLL(None, use_errno=True)
        self.container = os.open("/dev/vfio/vfio", os.O_RDWR)
        self.group = os.open(f"/dev/vfio/{group}", os.O_RDWR)
        assert self.call(self.group, 4, ctypes.byref(
            ctypes.c_int(self.container))) == 0
        assert self.call(self.container, 2, ctypes.c_ulong(7)) == 0

    def call(self, fd: int, number: int, argument) -> int:
        """An ioctl of VFIO; _IO is 1 << 29 on POWER. Minus errno on failure."""
        r = self.libc.ioctl(fd, ctypes.c_ulong(
            1 << 29 | ord(";") << 8 | 100 + number), argument)
        return r if r >= 0 else -ctypes.get_errno()

    def create(self, shift: int, size: int) -> int:
        """VFIO_IOMMU_SPAPR_TCE_CREATE."""
        data = ctypes.create_string_buffer(
            struct.pack("IIIIQIIQ", 40, 0, shift, 0, size, 1, 0, 0))
        return self.call(self.container, 19, data)

    def remove(self, start: int) -> int:
        """VFIO_IOMMU_SPAPR_TCE_REMOVE."""
        return self.call(self.container, 20, ctypes.create_string_buffer(
            struct.pack("IIQ", 16, 0, start)))

    def close(self) -> None:
        """Group first."""
        os.close(self.group)
        os.close(self.container)


@contextmanager
def container(testbed, name: str) -> Iterator[Container]:
    """A new one with that device's group."""
    made = Container(testbed.group(name).name)
    yield made
    made.close()


def test_platform_makes_one_dynamic_window_and_a_second_costs_the_device(testbed):
    """Of whatever pages beside the default one; beside another none.

    Last of all: VICTIM0 has no windows any more afterwards.
    """
    testbed.switch("VICTIM0", "vfio-pci")
    with container(testbed, "VICTIM0") as holder:
        assert holder.create(12, 2 * GIB) == 0
        assert holder.remove(DYNAMIC) == 0
        assert holder.create(16, GIB) == 0
        assert holder.create(16, GIB) == -errno.ENOSPC
        assert holder.remove(0) == 0
        assert holder.create(12, GIB) == -errno.EPERM
    with container(testbed, "VICTIM0") as holder:
        assert holder.create(16, 3 * GIB) == -errno.EINVAL
        assert holder.remove(0) == 0
        assert holder.create(16, GIB) in (0, -errno.EPERM)
    with container(testbed, "VICTIM0") as holder:
        assert holder.remove(0) == 0
        assert holder.create(16, GIB) == 0
        assert holder.create(12, 2 * GIB) == -errno.ENODEV
    with container(testbed, "VICTIM0") as holder:
        assert holder.create(16, GIB) == -errno.ENODEV
