"""POWER: windows are made by the platform, in the process that holds the container.

The machine is pseries with Debian's own kernel; each edu is behind a host bridge of
its own, which is its group. Leases are not there yet for this backend: the holder
(progs/tce.c) opens container and group itself, as root, and does what ioasidd has
planned. VICTIM0 is for the one case that costs a device its windows.
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

from ioasid import BUILD, Refused

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


def hold(ioasidd, name: str) -> str:
    """The holder's words; it must succeed."""
    HUGE_PAGES.write_text("4")
    group = ioasidd.testbed.group(name).name
    done = subprocess.run([BUILD / "tests/progs/tce", ioasidd.bdf(name), group],
                          env=ioasidd.env, capture_output=True, text=True,
                          check=False, timeout=600)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_kernel_has_no_iommufd_and_no_words_for_its_groups(testbed):
    """What the inventory leans on: no type, no reserved regions."""
    group = testbed.group("EDU0")
    assert not Path("/dev/iommu").exists()
    assert (group / "type").read_text().strip() == "unknown"
    assert (group / "reserved_regions").read_text() == ""
    assert len(list((group / "devices").iterdir())) == 1


@pytest.mark.cell("inventory")
def test_inventory_knows_the_host_bridge(ioasidd):
    """IOMMU, family and group of a device that is with no driver."""
    device = ioasidd.device("EDU0")
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


@pytest.mark.cell("windows")
@pytest.mark.limit(600)
def test_holder_has_dma_in_both_windows_and_resizes_one(ioasidd):
    """And again after it has ended, and after the device was given back."""
    ioasidd.prepare("EDU0")
    said = hold(ioasidd, "EDU0")
    print(said)
    assert "carried by the default window, 0x100000" in said
    assert f"carried by the dynamic window, {DYNAMIC:#x}" in said
    assert f"resized to {128 * GIB:#x}" in said
    assert "carried by the end of the longer window" in said
    assert hold(ioasidd, "EDU0").count("carried by") == 4
    ioasidd.restore("EDU0")
    ioasidd.prepare("EDU0")
    assert hold(ioasidd, "EDU0").count("carried by") == 4


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
