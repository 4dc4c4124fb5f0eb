"""Backend type1: VFIO's containers and groups, as on a kernel without iommufd.

On our own kernel it is chosen by --backend; Debian's has nothing else. What it
finds is compared with what iommufd finds, where that is there, too.
"""

import fcntl
import os
import socket
import sqlite3
import struct
import subprocess
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ioasid import FLAT, MSI, Ioasidd, device_name, wait

pytest_plugins = ["ioasid"]

IOMMU = os.environ["IOMMU"]
PCI = Path("/sys/bus/pci/devices")
# VFIO_GROUP_GET_STATUS, and the flag that says that it can be used.
GET_STATUS, VIABLE = ord(";") << 8 | 103, 1
LADDER = ["holders", "override", "unbind", "probe", "answer", "open", "reset",
          "health"]
UNSAFE = Path("/sys/module/vfio_iommu_type1/parameters/allow_unsafe_interrupts")

pytestmark = pytest.mark.skipif(
    IOMMU == "none", reason="a container needs an IOMMU")
with_iommufd = pytest.mark.skipif(
    not Path("/dev/iommu").exists(), reason="this kernel has no iommufd")
with_unsafe_interrupts = pytest.mark.skipif(
    IOMMU not in ("virtio", "amd"), reason="interrupts are remapped here")


@pytest.fixture(name="type1")
def type1_fixture(stopped: Ioasidd) -> Iterator[Ioasidd]:
    """A daemon that uses containers."""
    stopped.start("--backend", "type1")
    yield stopped


def number(name: str) -> str:
    """The kernel's number of a device's group."""
    return (PCI / os.environ[name] / "iommu_group").resolve().name


def ranges(device: dict[str, Any]) -> tuple[list[tuple[int, int]], int]:
    """Where a device can be reached, and how it is to be aligned."""
    caps = device["capabilities"]
    return ([(int(r["start"]), int(r["last"])) for r in caps["iovaRanges"]],
            int(caps["iovaAlignment"]))


def acts(operation: dict[str, Any]) -> list[str]:
    """What it did."""
    return [step["act"] for step in operation["steps"]]


def words(refusal: Any) -> str:
    """All that ioasidctl has said."""
    return str(refusal.words)


def open_group(pipe: Any, group: str, in_flight: bool = False) -> int:
    """In a child: have a group open, or under way to nobody. Its status."""
    fd = os.open(f"/dev/vfio/{group}", os.O_RDWR | os.O_CLOEXEC)
    status = fcntl.ioctl(fd, GET_STATUS, struct.pack("II", 8, 0))
    if in_flight:
        ends = socket.socketpair()
        socket.send_fds(ends[0], [b"x"], [fd])
        os.close(fd)
        # They stay open as long as we live.
        open_group.ends = ends  # type: ignore[attr-defined]
    return int(struct.unpack("II", status)[1])


def quarantine(daemon: Ioasidd, name: str) -> None:
    """Start it anew in the belief that there was trouble with a device."""
    daemon.stop()
    with sqlite3.connect(daemon.state / "state.db") as db:
        db.execute("UPDATE device SET trouble = 'quarantined', "
                   "reason = 'a test', remedy = 'recover it' "
                   "WHERE name = ?", [device_name(os.environ[name])])
    db.close()
    daemon.start(*daemon.options)
    assert daemon.device(name)["state"] == "QUARANTINED"


def test_type1_is_the_backend(type1: Ioasidd) -> None:
    """The machine is listed as ever: groups are those of sysfs."""
    assert type1.ask("version")["backend"] == "type1"
    groups = {group["name"]: group for group in type1.ask("groups")["groups"]}
    for name in ("EDU0", "NVME0", "PAIR0", "PAIR1"):
        device = type1.device(name)
        assert device["state"] == "HOST"
        assert str(groups[device["group"]]["number"]) == number(name)


def test_backend_is_what_the_kernel_has(ioasidd: Ioasidd) -> None:
    """Nobody has to choose."""
    assert ioasidd.ask("version")["backend"] == \
        ("iommufd" if Path("/dev/iommu").exists() else "type1")


@pytest.mark.cell("prepare")
@pytest.mark.parametrize("name", ["EDU0", "NVME0"])
def test_prepare_opens_and_restore_gives_back(type1: Ioasidd,
                                              name: str) -> None:
    """A reset is in it; nothing stays open; the capabilities are a container's."""
    before = type1.testbed.driver(name)
    fds = Counter(type1.fds())
    operation = type1.prepare(name)
    assert operation["state"] == "DONE"
    assert acts(operation) == \
        ["override", *(["unbind"] if before else []), "probe", "capabilities"]
    device = type1.device(name)
    assert (device["state"], device["driver"]) == ("READY", "vfio-pci")
    caps = device["capabilities"]
    assert caps["backend"] == "type1"
    assert caps["dmaEntries"] == 65535
    assert caps["dirtyTracking"]
    assert not (caps["nestParent"] or caps["pasid"] or caps["hwInfoType"])
    assert 100 < int(caps["bindUs"]) < 20_000_000
    # Nothing resets the root bus.
    assert device["pci"]["resetSet"] == ([] if FLAT else [device["name"]])
    shown = type1.ctl("device", "show", os.environ[name]).stdout
    assert "type1" in shown and "65535" in shown

    # Whoever comes now gets the group. What an earlier client had open when
    # they were counted may be closed by now.
    wait(lambda: not Counter(type1.fds()) - fds, 30, "all is closed")
    assert type1.child(open_group, number(name), uid=0).heard() & VIABLE
    type1.children[-1].kill()

    # It is known after a restart as well.
    type1.restart()
    assert type1.device(name)["capabilities"] == caps
    assert type1.restore(name)["state"] == "DONE"
    assert type1.testbed.driver(name) == before
    assert "capabilities" not in type1.device(name)


@with_iommufd
@pytest.mark.parametrize("name", ["EDU0", "NVME0"])
def test_ranges_are_those_of_iommufd(type1: Ioasidd, name: str) -> None:
    """What one backend has found does not count with the other."""
    type1.prepare(name)
    found = ranges(type1.device(name))
    type1.stop()
    type1.start("--backend", "iommufd")
    # It is prepared anew by the start, as after a reboot.
    device = type1.wait_device(name, "READY")
    assert device["capabilities"]["backend"] == "iommufd"
    assert ranges(device) == found
    assert found[0][0] == (0, MSI[0] - 1)
    type1.restore(name)


def test_both_functions_of_a_group_are_probed(type1: Ioasidd) -> None:
    """One after the other: a group is open once."""
    operation = type1.prepare("PAIR0", "--allow-no-reset")
    assert operation["state"] == "DONE"
    assert acts(operation).count("capabilities") == 2
    devices = [type1.device(name) for name in ("PAIR0", "PAIR1")]
    assert [device["state"] for device in devices] == ["READY"] * 2
    assert ranges(devices[0]) == ranges(devices[1])
    if "PAIR_PORT" in os.environ:
        assert devices[0]["pci"]["resetSet"] == \
            [device["name"] for device in devices]
    type1.restore("PAIR1")
    assert type1.device("PAIR0")["state"] == "HOST"


def test_recovery_climbs_the_ladder(type1: Ioasidd) -> None:
    """Rung by rung; where iommufd binds, it opens."""
    type1.prepare("NVME0")
    quarantine(type1, "NVME0")
    operation = type1.ask("device", "recover", os.environ["NVME0"])
    assert acts(operation) == LADDER
    assert all(step["result"] == "ok" for step in operation["steps"])
    assert type1.device("NVME0")["state"] == "READY"
    type1.restore("NVME0")


@pytest.mark.parametrize("in_flight", [False, True])
def test_group_that_somebody_has_is_not_ready(type1: Ioasidd,
                                              in_flight: bool) -> None:
    """He is named; if he hides it in a socket, it still shows that it is held."""
    type1.prepare("EDU0")
    quarantine(type1, "EDU0")
    child = type1.child(open_group, number("EDU0"), in_flight, uid=0)
    assert child.heard() & VIABLE
    refusal = type1.refused("device", "recover", os.environ["EDU0"])
    assert refusal.id == "device.held"
    assert (str(child.pid) in words(refusal)) != in_flight
    device = type1.device("EDU0")
    assert device["state"] == "QUARANTINED"
    # Nothing was done to it, and so nothing waits for him.
    states = [one["state"] for one in type1.ask("operation", "list")["operations"]]
    assert "FAILED" in states and "RUNNING" not in states
    child.kill()
    type1.ask("device", "recover", os.environ["EDU0"])
    assert type1.device("EDU0")["state"] == "READY"
    type1.restore("EDU0")


def test_host_driver_in_a_group_is_named_with_what_frees_it(
        type1: Ioasidd) -> None:
    """And that command does."""
    if not Path("/sys/bus/pci/drivers/uio_pci_generic").exists():
        subprocess.run(["modprobe", "uio_pci_generic"], check=True)
    type1.prepare("PAIR0", "--allow-no-reset")
    quarantine(type1, "PAIR0")
    # edu has no driver in Linux; this one serves as one that does DMA.
    type1.testbed.taken["PAIR1"] = ""
    type1.testbed.switch("PAIR1", "uio_pci_generic")
    assert type1.testbed.driver("PAIR1") == "uio_pci_generic"
    refusal = type1.refused("device", "recover", os.environ["PAIR0"])
    assert refusal.id == "group.not-viable"
    bdf = os.environ["PAIR1"]
    assert bdf in words(refusal) and "uio_pci_generic" in words(refusal)
    command = f"echo {bdf} > /sys/bus/pci/devices/{bdf}/driver/unbind"
    assert command in words(refusal)
    subprocess.run(command, shell=True, check=True)
    type1.ask("device", "recover", os.environ["PAIR0"])
    assert type1.device("PAIR0")["state"] == "READY"
    type1.prepare("PAIR0", "--allow-no-reset")
    type1.restore("PAIR0")


@with_unsafe_interrupts
def test_unsafe_interrupts_are_told_apart(type1: Ioasidd) -> None:
    """The kernel says EPERM for these as for a group that is not viable."""
    UNSAFE.write_text("N")
    try:
        refusal = type1.refused("prepare", "--allow-unsafe-interrupts",
                                *(["--allow-no-reset"] if IOMMU == "amd" else []),
                                os.environ["EDU0"])
        assert refusal.id == "device.unsafe-interrupts"
        assert "vfio_iommu_type1.allow_unsafe_interrupts=1" in words(refusal)
    finally:
        UNSAFE.write_text("Y")
    assert type1.device("EDU0")["state"] == "HOST"


def test_guarded_lease_is_refused_by_the_backends_name(type1: Ioasidd) -> None:
    """Without iommufd ioasidd cannot map for others."""
    type1.prepare("EDU0")
    refusal = type1.refused(
        "lease", "create", "--uid", "65534", "--mode", "guarded", "--volatile",
        "--memlock", "1M", "--space",
        f"window size=1G,start=1G; device {os.environ['EDU0']}",
        os.environ["EDU0"])
    assert refusal.id == "backend.unsupported"
    assert "type1" in words(refusal) and "guarded" in words(refusal)
    assert type1.device("EDU0")["state"] == "READY"
    type1.restore("EDU0")
