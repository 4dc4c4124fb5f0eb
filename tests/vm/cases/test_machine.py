"""The test machine itself is what the other cases rely on; no daemon needed.

The last cases are the proof of the recipe: a stock QEMU inside the machine takes
an iommufd and an NVMe's cdev, or the disk's address where the kernel has no iommufd,
and the driver of its guest reads the disk.
"""

import errno
import os
import platform
import subprocess
from pathlib import Path

import pytest

IOMMU = os.environ["IOMMU"]
KERNEL_OF = os.environ["KERNEL_OF"]
# AMD on QEMU 10: all devices are on bus 0, tests/vm/boot says why.
FLAT = IOMMU == "amd" and "EDU0_PORT" not in os.environ
# A virtio IOMMU bears no conventional bus, and on bus 0 there is no port for it.
BRIDGED = IOMMU != "virtio" and not FLAT
# PCI vendor and device id by name.
IDS = {
    "EDU0": "1234:11e8", "EDU1": "1234:11e8", "PAIR0": "1234:11e8",
    "PAIR1": "1234:11e8", "NVME0": "1b36:0010", "NVME1": "1b36:0010",
    "NET0": "1af4:1000",
}
if not FLAT:
    IDS |= {"EDU0_PORT": "1b36:000c", "NVME0_PORT": "1b36:000c"}
if BRIDGED:
    IDS |= {"BRIDGE": "1b36:000e", "BRIDGED0": "1234:11e8"}
with_iommu = pytest.mark.skipif(IOMMU == "none", reason="there is no IOMMU")
without_iommufd = pytest.mark.skipif(KERNEL_OF != "debian",
                                     reason="our kernel has iommufd")
with_iommufd = pytest.mark.skipif(KERNEL_OF == "debian",
                                  reason="Debian's kernel has no iommufd")
with_ports = pytest.mark.skipif(FLAT, reason="all devices are on bus 0")


@pytest.mark.parametrize("name", IDS)
def test_device_is_where_the_environment_says(testbed, name):
    """The addresses are fixed by the root ports' slots."""
    dev = testbed.sysfs(name)
    vendor, device = ((dev / key).read_text().strip().removeprefix("0x")
                      for key in ("vendor", "device"))
    assert f"{vendor}:{device}" == IDS[name]


@with_iommufd
def test_iommufd_is_there():
    """Also without an IOMMU: the mock and noiommu use it."""
    assert Path("/dev/iommu").is_char_device()


@without_iommufd
def test_type1_is_all_there_is():
    """Debian's kernel has no iommufd, so no cdev either: containers and groups."""
    assert not Path("/dev/iommu").exists()
    assert Path("/dev/vfio/vfio").is_char_device()


@without_iommufd
def test_vfio_pci_gives_a_group_and_no_cdev(testbed):
    """What a VMM opens is the node of the group.

    The device has its vfio-dev folder all the same, without a number in it.
    """
    testbed.switch("EDU0", "vfio-pci")
    assert Path(f"/dev/vfio/{testbed.group('EDU0').name}").is_char_device()
    entry, = (testbed.sysfs("EDU0") / "vfio-dev").iterdir()
    assert not (entry / "dev").exists()
    assert not Path("/dev/vfio/devices").exists()


@with_iommu
def test_every_device_has_a_group(testbed):
    """The kernel drives the emulated IOMMU."""
    for name in IDS:
        assert testbed.group(name).parent == Path("/sys/kernel/iommu_groups")


@with_iommu
@pytest.mark.parametrize("name", ["EDU0", "EDU1", "NVME0", "NVME1"])
def test_device_is_alone_in_its_group(testbed, name):
    """Each behind a root port of its own, and the ports have ACS."""
    members = os.listdir(testbed.group(name) / "devices")
    assert members == [testbed.bdf(name)]


@with_iommu
def test_pair_shares_one_group(testbed):
    """Two functions of one device without ACS."""
    members = os.listdir(testbed.group("PAIR0") / "devices")
    assert sorted(members) == [testbed.bdf("PAIR0"), testbed.bdf("PAIR1")]


@with_iommu
@pytest.mark.skipif(not BRIDGED, reason="no bridge here")
def test_bridge_is_in_the_group_of_what_is_behind(testbed):
    """On a conventional bus the bridge speaks for its devices."""
    members = os.listdir(testbed.group("BRIDGED0") / "devices")
    assert sorted(members) == [testbed.bdf("BRIDGE"), testbed.bdf("BRIDGED0")]


@pytest.mark.parametrize("name,method", [
    pytest.param("EDU0", "bus", marks=with_ports),
    pytest.param("EDU1", "bus", marks=with_ports),
    ("NVME0", "flr"), ("NVME1", "flr")])
def test_device_can_be_reset(testbed, name, method):
    """Alone on its bus, a device is reset with the bus."""
    assert method in (testbed.sysfs(name) / "reset_method").read_text().split()


@with_ports
def test_pair_cannot_be_reset_one_by_one(testbed):
    """They share their bus and have no function reset.

    The kernel asks for methods while it scans the bus: the first function was
    alone then and says "bus" for ever, but a reset is refused.
    """
    assert not (testbed.sysfs("PAIR1") / "reset_method").exists()
    with pytest.raises(OSError) as refused:
        (testbed.sysfs("PAIR0") / "reset").write_text("1")
    assert refused.value.errno == errno.ENOTTY


def test_nvme_holds_the_marker(testbed):
    """What L2 is to read."""
    disk = next((testbed.sysfs("NVME0") / "nvme").iterdir()).name + "n1"
    with open(f"/dev/{disk}", "rb") as file:
        sector = file.read(512)
    assert sector.split(b"\n")[0].decode() == os.environ["NVME0_MARKER"]


def test_second_nvme_mounts(testbed, tmp_path):
    """A file system whose device must never be taken."""
    disk = next((testbed.sysfs("NVME1") / "nvme").iterdir()).name + "n1"
    subprocess.run(["mount", "-t", "ext4", f"/dev/{disk}", tmp_path], check=True)
    try:
        (tmp_path / "file").write_text("kept")
    finally:
        subprocess.run(["umount", tmp_path], check=True)


@pytest.mark.skipif(platform.machine() not in ("x86_64", "aarch64"),
                    reason="TCG emulates virtualization of x86 and ARM alone")
def test_kvm_works():
    """TCG emulates SVM and ARM's EL2, so L2 does not crawl."""
    assert Path("/dev/kvm").is_char_device()


def second_level(*arguments: str, fds: tuple[int, ...] = ()) -> str:
    """What the second level says until its end."""
    return subprocess.run(
        ["/opt/ioasidd/tests/vm/l2-qemu", *arguments], pass_fds=fds,
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT, text=True, check=False, timeout=360).stdout


@with_iommu
@with_iommufd
@pytest.mark.skipif(FLAT, reason="QEMU 10's AMD IOMMU does not translate DMA")
@pytest.mark.limit(150)
def test_second_level_reads_the_disk(testbed):
    """Real DMA by a real driver, through the emulated IOMMU."""
    testbed.switch("NVME0", "vfio-pci")
    iommufd = os.open("/dev/iommu", os.O_RDWR)
    cdev = os.open(testbed.cdev("NVME0"), os.O_RDWR)
    try:
        said = second_level(
            "-object", f"iommufd,id=i0,fd={iommufd}",
            "-device", f"vfio-pci,id=d0,iommufd=i0,fd={cdev}",
            fds=(iommufd, cdev))
    finally:
        os.close(cdev)
        os.close(iommufd)
    assert f"L2: marker {os.environ['NVME0_MARKER']}" in said


@with_iommu
@without_iommufd
@pytest.mark.skipif(FLAT, reason="QEMU 10's AMD IOMMU does not translate DMA")
@pytest.mark.limit(150)
def test_second_level_reads_the_disk_by_its_address(testbed):
    """The same by container and group, which QEMU opens itself."""
    testbed.switch("NVME0", "vfio-pci")
    said = second_level("-device", f"vfio-pci,id=d0,host={testbed.bdf('NVME0')}")
    assert f"L2: marker {os.environ['NVME0_MARKER']}" in said
