"""What the host uses is not taken from it, and the user is named.

Each case begins a use, is refused with device.in-use, ends the use, and is not
refused any more. Whether the device can be taken is asked with --dry-run where
nothing is learnt from taking it.
"""

import fcntl
import os
import re
import struct
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from ioasid import PROGS, Ioasidd, Refused, alive, wait

pytest_plugins = ["ioasid"]

IOMMU = os.environ["IOMMU"]
PCI = Path("/sys/bus/pci/devices")
FLAGS = ("--allow-no-reset",) if IOMMU.startswith("vtd") else \
    ("--allow-no-reset", "--allow-no-iommu" if IOMMU == "none" else
     "--allow-unsafe-interrupts")


def run(*command: str | Path) -> None:
    """A command of the host, which must succeed."""
    done = subprocess.run(command, text=True, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, check=False)
    assert done.returncode == 0, f"{command}: {done.stdout}"


def disk(name: str) -> Path:
    """The node of an NVMe's disk, as soon as its driver has it."""
    def node() -> Path | None:
        for folder in (PCI / os.environ[name]).glob("nvme/nvme*/nvme*n1"):
            path = Path("/dev") / folder.name
            if path.is_block_device():
                return path
        return None

    found: Path = wait(node, 30, f"{name} has a disk")
    return found


def interface(name: str) -> str:
    """The network interface of a device, as soon as its driver has it."""
    found: list[Path] = wait(
        lambda: list((PCI / os.environ[name]).glob("virtio*/net/*")), 30,
        f"{name} has an interface")
    return found[0].name


def driver(name: str) -> str:
    """The driver that is bound; empty for none."""
    folder = PCI / os.environ[name] / "driver"
    return folder.resolve().name if folder.is_symlink() else ""


def causes(refusal: Refused) -> list[tuple[str, str, str]]:
    """What stands in the way: kind, name, words."""
    return re.findall(r"^  (\w+) (.+?): (.*)$", refusal.words, re.M)


def in_use(ioasidd: Ioasidd, name: str) -> list[tuple[str, str, str]]:
    """The device must not be taken, and is not; who uses it."""
    before = driver(name)
    # The check is before the first write, so nothing has come of either.
    refusal = ioasidd.refused("prepare", *FLAGS, os.environ[name])
    assert (refusal.id, refusal.status) == ("device.in-use", 1), refusal.words
    assert re.search("^try: .*force", refusal.words, re.M)
    found = causes(refusal)
    assert found == causes(ioasidd.refused("prepare", "--dry-run", *FLAGS,
                                           os.environ[name]))
    assert driver(name) == before
    assert ioasidd.device(name)["state"] == "HOST"
    ioasidd.prepare(name, "--dry-run", "--force", *FLAGS)
    return found


def free(ioasidd: Ioasidd, name: str) -> None:
    """The device can be taken."""
    ioasidd.prepare(name, "--dry-run", *FLAGS)


# --- disks ---

@contextmanager
def mounted(folder: Path) -> Iterator[None]:
    """NVME1's file system is mounted there."""
    run("mount", "-t", "ext4", disk("NVME1"), folder)
    try:
        yield
    finally:
        run("umount", "--lazy", folder)


def test_mounted_disk(ioasidd: Ioasidd, tmp_path: Path) -> None:
    """Then unmounted: it is taken, and given back."""
    folder = tmp_path / "two words"
    folder.mkdir()
    with mounted(folder):
        assert in_use(ioasidd, "NVME1") == [
            ("mount", str(folder), f"{disk('NVME1')} is mounted")]
    ioasidd.prepare("NVME1", *FLAGS)
    assert ioasidd.device("NVME1")["state"] == "READY"
    ioasidd.restore("NVME1")
    with mounted(folder):
        assert "lost+found" in os.listdir(folder)


def test_mounted_disk_is_taken_by_force(ioasidd: Ioasidd,
                                        tmp_path: Path) -> None:
    """Whoever says so gets the device; the mount has no disk any more."""
    with mounted(tmp_path):
        ioasidd.prepare("NVME1", "--force", *FLAGS)
        assert ioasidd.device("NVME1")["state"] == "READY"
    ioasidd.restore("NVME1")
    with mounted(tmp_path):
        assert "lost+found" in os.listdir(tmp_path)


@pytest.mark.sanitize
def test_disk_mounted_in_another_namespace(ioasidd: Ioasidd,
                                           tmp_path: Path) -> None:
    """No process of ours sees that mount, a single one elsewhere does."""
    node = disk("NVME1")
    # A shell that waits in the namespace, as a container's first process would.
    holder = ioasidd.run("unshare", "--mount", "--propagation", "private",
                         "sh", "-c", f"mount -t ext4 {node} {tmp_path} && "
                         "echo mounted && exec sleep 600")
    holder.wait_for("mounted\n")
    assert not os.path.ismount(tmp_path)
    space = os.readlink(f"/proc/{holder.pid}/ns/mnt")
    assert in_use(ioasidd, "NVME1") == [
        ("mount", str(tmp_path), f"{node} is mounted in mount namespace {space}")]
    holder.kill()
    wait(lambda: not exclusive(node), 10, "the namespace has ended")
    free(ioasidd, "NVME1")


def test_disk_mounted_where_no_process_is(ioasidd: Ioasidd,
                                          tmp_path: Path) -> None:
    """A namespace that only a bind mount keeps: nobody can be named."""
    node = disk("NVME1")
    kept = tmp_path / "kept"
    kept.touch()
    run("mount", "-t", "tmpfs", "none", "/mnt")
    run("mount", "--make-private", "/mnt")
    namespace = Path("/mnt/namespace")
    namespace.touch()
    try:
        run("unshare", f"--mount={namespace}", "--propagation", "private",
            "mount", "-t", "ext4", node, tmp_path)
        (kind, name, detail), = in_use(ioasidd, "NVME1")
        assert (kind, name) == ("block", node.name)
        assert "namespace without processes" in detail
    finally:
        subprocess.run(["umount", namespace], check=False)
        run("umount", "/mnt")
    wait(lambda: not exclusive(node), 10, "the namespace has ended")
    free(ioasidd, "NVME1")


def exclusive(node: Path) -> bool:
    """Has somebody claimed that disk?"""
    try:
        os.close(os.open(node, os.O_RDONLY | os.O_EXCL))
    except OSError:
        return True
    return False


@contextmanager
def first_page_kept(node: Path) -> Iterator[None]:
    """What is written at the beginning of the disk goes away again."""
    with open(node, "rb") as file:
        page = file.read(4096)
    try:
        yield
    finally:
        with open(node, "r+b") as file:
            file.write(page)
            file.flush()
            os.fsync(file.fileno())


def test_disk_that_is_swapped_to(ioasidd: Ioasidd) -> None:
    """Swap."""
    node = disk("NVME1")
    with first_page_kept(node):
        run("mkswap", node)
        run("swapon", node)
        try:
            found = in_use(ioasidd, "NVME1")
            assert found == [("swap", str(node), "is swapped to")]
        finally:
            run("swapoff", node)
    free(ioasidd, "NVME1")


# linux/dm-ioctl.h: struct dm_ioctl, and its calls.
DM_HEAD = struct.Struct("=IIIIIIiIIIQ128s129s7x")
DM_CREATE, DM_REMOVE, DM_SUSPEND, DM_LOAD = 3, 4, 6, 9


def dm_call(number: int, name: str, table: str = "") -> None:
    """One call of the device-mapper; dmsetup need not be installed."""
    size = DM_HEAD.size
    more = b""
    if table:
        start, length, target, words = table.split(" ", 3)
        more = struct.pack("=QQiI16s", int(start), int(length), 0, 0,
                           target.encode()) + words.encode() + b"\0"
        more += b"\0" * (-len(more) % 8)
    head = DM_HEAD.pack(4, 0, 0, size + len(more), size, 1 if table else 0,
                        0, 0, 0, 0, 0, name.encode(), b"")
    buffer = bytearray(head + more)
    with open("/dev/mapper/control", "r+b", buffering=0) as control:
        fcntl.ioctl(control, 3 << 30 | size << 16 | 0xfd << 8 | number, buffer)


@contextmanager
def mapped(node: Path, name: str) -> Iterator[None]:
    """A device-mapper device of that name, made of the disk."""
    numbers = node.stat().st_rdev
    dm_call(DM_CREATE, name)
    try:
        dm_call(DM_LOAD, name, "0 8192 linear "
                f"{os.major(numbers)}:{os.minor(numbers)} 0")
        dm_call(DM_SUSPEND, name)  # without the flag it resumes
        yield
    finally:
        dm_call(DM_REMOVE, name)


def test_disk_that_others_are_made_of(ioasidd: Ioasidd) -> None:
    """device-mapper, and a loop device, which is no holder to the kernel."""
    node = disk("NVME1")
    with mapped(node, "volume"):
        (kind, name, detail), = in_use(ioasidd, "NVME1")
        assert kind == "holder" and re.fullmatch(r"dm-\d+", name)
        assert detail == f"is made of {node.name}, is called volume"
    free(ioasidd, "NVME1")
    done = subprocess.run(["losetup", "--find", "--show", node], text=True,
                          check=True, stdout=subprocess.PIPE)
    loop = done.stdout.strip()
    try:
        found = in_use(ioasidd, "NVME1")
        assert ("holder", Path(loop).name, f"is made of {node}") in found
    finally:
        run("losetup", "--detach", loop)
    wait(lambda: not Path("/sys/class/block", Path(loop).name,
                          "loop/backing_file").exists(), 10, "it is detached")
    free(ioasidd, "NVME1")


HOLD = """
import os, sys, time
fd = os.open(sys.argv[1], eval(sys.argv[2]))
print("opened", flush=True)
time.sleep(600)
"""


@pytest.mark.parametrize("flags,kind", [
    ("os.O_RDONLY | os.O_EXCL", "block"),
    ("os.O_RDWR | os.O_EXCL", "process"), ("os.O_RDWR", "process")])
def test_disk_that_a_process_has_open(ioasidd: Ioasidd, flags: str,
                                      kind: str) -> None:
    """Claimed, or open for writing: then the process is named."""
    node = disk("NVME1")
    holder = ioasidd.run("python3", "-c", HOLD, node, flags)
    holder.wait_for("opened")
    found = in_use(ioasidd, "NVME1")
    if kind == "block":
        assert [cause[:2] for cause in found] == [("block", node.name)]
    else:
        assert ("process", str(holder.pid),
                f"python3 has block {node.name} open") in found
    holder.kill()
    free(ioasidd, "NVME1")


def test_restless_processes_are_looked_at(ioasidd: Ioasidd) -> None:
    """Whatever they do to their address spaces, the kernel has an answer.

    Read from /proc/<pid>/maps, it came to wait for one of them for ever.
    """
    disk("NVME1")
    restless = [ioasidd.run(PROGS / "restless") for _ in range(8)]
    for _ in range(20):
        free(ioasidd, "NVME1")
    assert all(alive(one.pid) for one in restless)


def test_disk_that_a_process_only_reads(ioasidd: Ioasidd) -> None:
    """Whoever reads now and then, as udev and monitors do, is no user."""
    holder = ioasidd.run("python3", "-c", HOLD, disk("NVME1"), "os.O_RDONLY")
    holder.wait_for("opened")
    free(ioasidd, "NVME1")


# --- networks ---

@contextmanager
def addressed(name: str) -> Iterator[None]:
    """The interface is up and has an address."""
    run("ip", "address", "add", "192.0.2.1/24", "dev", name)
    try:
        run("ip", "link", "set", name, "up")
        yield
    finally:
        run("ip", "address", "flush", "dev", name)
        run("ip", "link", "set", name, "down")


@contextmanager
def port_of(name: str, kind: str) -> Iterator[None]:
    """The interface is a port of a bridge or bond."""
    run("ip", "link", "add", "ioasid0", "type", kind)
    try:
        run("ip", "link", "set", name, "down")
        run("ip", "link", "set", name, "master", "ioasid0")
        yield
    finally:
        run("ip", "link", "delete", "ioasid0")


def test_interface_that_is_up(ioasidd: Ioasidd) -> None:
    """Up with an address; either alone is no use. Taken, it comes back."""
    name = interface("NET0")
    with addressed(name):
        assert in_use(ioasidd, "NET0") == [
            ("netdev", name, "is up and has an address")]
        run("ip", "link", "set", name, "down")
        free(ioasidd, "NET0")
        run("ip", "link", "set", name, "up")
        ioasidd.prepare("NET0", "--force", *FLAGS)
        assert ioasidd.device("NET0")["state"] == "READY"
        ioasidd.restore("NET0")
        assert interface("NET0")
    ioasidd.prepare("NET0", *FLAGS)
    ioasidd.restore("NET0")
    assert interface("NET0")


@pytest.mark.parametrize("kind", ["bridge", "bond"])
def test_interface_that_is_a_port(ioasidd: Ioasidd, kind: str) -> None:
    """Down and without address: its master is the user."""
    name = interface("NET0")
    with port_of(name, kind):
        (found, said, detail), = in_use(ioasidd, "NET0")
        assert (found, said) == ("netdev", name)
        assert "is a port of" in detail and "ioasid0" in detail
    free(ioasidd, "NET0")


@pytest.mark.sanitize
def test_interface_in_another_namespace(ioasidd: Ioasidd) -> None:
    """A container's, which our own rtnetlink does not show."""
    name = interface("NET0")
    holder = ioasidd.run("unshare", "--net", "sh", "-c",
                         "echo there; exec sleep 600")
    holder.wait_for("there")
    run("ip", "link", "set", name, "netns", str(holder.pid))
    space = os.readlink(f"/proc/{holder.pid}/ns/net")
    enter = ("nsenter", f"--net=/proc/{holder.pid}/ns/net")
    run(*enter, "ip", "address", "add", "192.0.2.1/24", "dev", name)
    run(*enter, "ip", "link", "set", name, "up")
    assert in_use(ioasidd, "NET0") == [
        ("netdev", name, f"is up and has an address in network namespace {space}")]
    holder.kill()
    # A namespace that ends gives hardware back to the first one.
    wait(lambda: name in os.listdir("/sys/class/net"), 30, "it is back")
    free(ioasidd, "NET0")


# --- drivers in user space ---

def test_uio_descriptor(ioasidd: Ioasidd, testbed: Any) -> None:
    """A user-space driver has the device; unbinding would pull it away."""
    testbed.switch("EDU0", "uio_pci_generic")
    node = Path("/dev") / os.listdir(PCI / os.environ["EDU0"] / "uio")[0]
    with open(node, "r+b", buffering=0) as file:
        holder = ioasidd.run("sleep", "600", stdin=file)
    assert in_use(ioasidd, "EDU0") == [
        ("process", str(holder.pid), f"sleep has uio {node.name} open")]
    holder.kill()
    ioasidd.prepare("EDU0", *FLAGS)
    ioasidd.restore("EDU0")
    assert driver("EDU0") == "uio_pci_generic"


@pytest.mark.sanitize
def test_foreign_vfio_descriptors(ioasidd: Ioasidd, testbed: Any) -> None:
    """Neither a cdev nor a group is pulled away; who has it is named."""
    testbed.switch("EDU0", "vfio-pci")
    ioasidd.wait_device("EDU0", "FOREIGN", 2)
    group = "noiommu-" * (IOMMU == "none") + testbed.group("EDU0").name
    for node in (testbed.cdev("EDU0"), Path("/dev/vfio") / group):
        with open(node, "r+b", buffering=0) as file:
            holder = ioasidd.run("sleep", "600", stdin=file)
        refusal = ioasidd.refused("prepare", "--force", *FLAGS,
                                  os.environ["EDU0"])
        assert (refusal.id, refusal.status) == ("device.foreign", 1)
        (kind, name, detail), = causes(refusal)
        assert (kind, name) == ("process", str(holder.pid))
        assert detail.startswith("sleep has ") and node.name in detail
        holder.kill()
    assert not causes(ioasidd.refused("prepare", *FLAGS, os.environ["EDU0"]))
    testbed.restore()
    free(ioasidd, "EDU0")


def test_own_device_that_somebody_has_open(ioasidd: Ioasidd,
                                           testbed: Any) -> None:
    """Root can open any cdev; unbinding it would wait for that process."""
    ioasidd.prepare("EDU0", *FLAGS)
    with open(testbed.cdev("EDU0"), "r+b", buffering=0) as file:
        holder = ioasidd.run("sleep", "600", stdin=file)
    refusal = ioasidd.refused("prepare", *FLAGS, "--driver", "pci-stub",
                              os.environ["EDU0"])
    assert refusal.id == "device.in-use"
    (kind, name, detail), = causes(refusal)
    assert (kind, name) == ("process", str(holder.pid))
    assert detail.startswith("sleep has ")
    assert ioasidd.device("EDU0")["state"] == "READY"
    # Of what is ready already nothing is changed, whoever has it open.
    assert not ioasidd.prepare("EDU0", *FLAGS)["steps"]
    holder.kill()
    ioasidd.restore("EDU0")
