"""What ioasidd says of the machine, against sysfs as the test itself reads it."""

import os
import re
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ioasid import ALLOWED, FLAT, Ioasidd, device_name, wait

pytest_plugins = ["ioasid"]

IOMMU = os.environ["IOMMU"]
PCI = Path("/sys/bus/pci/devices")
GROUPS = Path("/sys/kernel/iommu_groups")
FAMILY = {"vtd-legacy": "vt-d", "vtd-scalable": "vt-d", "amd": "amd-vi",
          "virtio": "virtio-iommu", "smmuv3": "smmuv3"}
# Drivers that do no DMA of their own: their devices leave a group viable.
HARMLESS = ("", "pci-stub", "pcieport", "vfio-pci")


# --- the test's own eyes ---

def text(path: Path) -> str:
    """A file of sysfs; empty if there is none."""
    try:
        return path.read_text().strip()
    except OSError:
        return ""


def link(path: Path) -> str:
    """The name of what a link of sysfs leads to; empty if there is none."""
    return path.resolve().name if path.is_symlink() else ""


def is_bridge(folder: Path) -> bool:
    """By its class, or because there is a bus behind it."""
    return text(folder / "class").startswith("0x06") or \
        (folder / "secondary_bus_number").exists()


def group_name(number: str) -> str:
    """What ioasidd calls a group: after its lowest device."""
    if not number:
        return ""
    lowest = min(os.listdir(GROUPS / number / "devices"))
    return "groups/pci-" + lowest.replace(":", "-")


def isolated_msi() -> str:
    """As the kernel names the chips behind which its own interrupts are."""
    chips = text(Path("/proc/interrupts"))
    if re.search(r"\bIR-(IO-APIC|PCI-MSI)", chips):
        return "YES"
    # Where the IO-APIC is left alone nothing tells.
    return "NO" if "IO-APIC" in chips else "UNKNOWN"


def seen_device(bdf: str) -> dict[str, Any]:
    """A device that is the host's, as sysfs has it."""
    folder = PCI / bdf
    iommu = re.sub(r"[^a-z0-9.]", "-", link(folder / "iommu").lower())
    return {
        "name": device_name(bdf), "state": "HOST", "bus": "pci",
        "group": group_name(link(folder / "iommu_group")),
        "iommu": f"iommus/{iommu}" if iommu else "",
        "driver": link(folder / "driver"),
        "numaNode": int(text(folder / "numa_node") or -1),
        "formerDriver": "", "noReset": False, "unsafeInterrupts": False,
        "noIommu": False,
        "lease": "", "operation": "", "isolatedMsi": isolated_msi(),
        "bridge": is_bridge(folder), "stateReason": "", "stateRemedy": "",
        "pci": {
            "bdf": bdf,
            "vendor": int(text(folder / "vendor"), 16),
            "device": int(text(folder / "device"), 16),
            "subsystemVendor": int(text(folder / "subsystem_vendor"), 16),
            "subsystemDevice": int(text(folder / "subsystem_device"), 16),
            "class": int(text(folder / "class"), 16),
            "revisionId": int(text(folder / "revision"), 16),
            "physicalFunction": "", "virtualFunctions": [],
            "sriovTotal": int(text(folder / "sriov_totalvfs") or 0),
            "resetMethods": text(folder / "reset_method").split(),
            "resetSet": [],
        },
    }


def seen_group(number: str) -> dict[str, Any]:
    """A group, as sysfs has it."""
    folder = GROUPS / number
    members = sorted(os.listdir(folder / "devices"))
    drivers = {bdf: link(PCI / bdf / "driver") for bdf in members
               if not is_bridge(PCI / bdf)}
    regions = [line.split() for line in
               text(folder / "reserved_regions").splitlines()]
    iommu = re.sub(r"[^a-z0-9.]", "-", link(PCI / members[0] / "iommu").lower())
    blockers = [device_name(bdf) for bdf, driver in drivers.items()
                if driver not in HARMLESS]
    return {
        "name": group_name(number), "number": int(number),
        "type": text(folder / "type"), "iommu": f"iommus/{iommu}",
        "devices": [device_name(bdf) for bdf in members],
        "reservedRegions": [
            {"start": str(int(start, 16)), "last": str(int(last, 16)),
             "type": kind} for start, last, kind in regions],
        "viable": not blockers, "blockers": blockers,
        "unassignable": any(kind == "direct" for _, _, kind in regions),
    }


def without(found: dict[str, Any], *keys: str) -> dict[str, Any]:
    """An object without what sysfs does not know."""
    return {key: value for key, value in found.items() if key not in keys}


def said_group(group: dict[str, Any]) -> dict[str, Any]:
    """A group of ioasidd's in the form of seen_group()."""
    assert all(cause["kind"] == "device" and cause["detail"]
               for cause in group["blockers"])
    return without(group, "revision", "etag") | \
        {"blockers": [cause["name"] for cause in group["blockers"]]}


def machine(ioasidd: Ioasidd) -> tuple[list[Any], list[Any]]:
    """Devices and groups as ioasidd has them."""
    devices = ioasidd.ask("devices", "-a")["devices"]
    groups = ioasidd.ask("groups")["groups"]
    return ([without(device, "revision", "etag") for device in devices],
            [said_group(group) for group in groups])


def seen_machine() -> tuple[list[Any], list[Any]]:
    """Devices and groups as sysfs has them."""
    numbers = [number for number in os.listdir(GROUPS)
               if os.listdir(GROUPS / number / "devices")]
    return ([seen_device(bdf) for bdf in sorted(os.listdir(PCI))],
            sorted((seen_group(number) for number in numbers),
                   key=lambda group: str(group["name"])))


# --- a request that ioasidctl does not make ---

def varint(number: int) -> bytes:
    """As protobuf has it."""
    out = b""
    while number > 127:
        out, number = out + bytes([number & 127 | 128]), number >> 7
    return out + bytes([number])


def fields(data: bytes) -> Iterator[tuple[int, Any]]:
    """The fields of a protobuf message: numbers, and bytes undecoded."""
    at = 0

    def number() -> int:
        nonlocal at
        value = shift = 0
        while True:
            byte = data[at]
            value, shift, at = value | (byte & 127) << shift, shift + 7, at + 1
            if byte < 128:
                return value

    while at < len(data):
        key = number()
        if key & 7 == 0:
            yield key >> 3, number()
        else:
            assert key & 7 == 2, "only numbers and bytes here"
            size = number()
            yield key >> 3, data[at:at + size]
            at += size


def iommus(ioasidd: Ioasidd) -> dict[str, dict[str, Any]]:
    """Iommus/ListIommus: what there is, by name."""
    method = b"ioasid.v1.Iommus/ListIommus"
    request = b"\x0a" + varint(len(method)) + method
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as conn:
        conn.connect(str(ioasidd.socket))
        conn.recv(1 << 18)
        conn.send(b"\x08\x01\x12" + varint(len(request)) + request)
        answer = dict(fields(conn.recv(1 << 18)))
    reply = dict(fields(answer[3])).get(1, b"")
    found = {}
    for field, value in fields(reply):
        if field != 1:
            continue
        iommu = list(fields(value))
        registers = [dict(fields(data)) for key, data in iommu if key == 4]
        found[dict(iommu)[1].decode()] = {
            "family": dict(iommu)[2].decode(),
            "devices": [data.decode() for key, data in iommu if key == 3],
            "registers": {reg[1].decode(): reg[2].decode()
                          for reg in registers}}
    return found


# --- what there is ---

@pytest.mark.cell("inventory")
@pytest.mark.sanitize
def test_devices_and_groups_are_as_in_sysfs(ioasidd: Ioasidd) -> None:
    """Every device, every group, every field."""
    devices, groups = seen_machine()
    said_devices, said_groups = machine(ioasidd)
    for seen, said in zip(devices, said_devices):
        assert said == seen
    assert len(said_devices) == len(devices)
    for seen, said in zip(groups, said_groups):
        assert said == seen
    assert len(said_groups) == len(groups)
    # Without -a: what can be assigned.
    listed = [device["name"] for device in
              (ioasidd.ask("devices") or {}).get("devices", [])]
    assert listed == [device["name"] for device in devices
                      if device["group"] and not device["bridge"]]
    assert bool(listed) == (IOMMU != "none")
    for name in ("NVME0", "EDU0"):
        one = without(ioasidd.device(name), "revision", "etag")
        assert one == seen_device(os.environ[name])


def test_isolated_msi_is_what_the_machine_has(ioasidd: Ioasidd) -> None:
    """VT-d remaps interrupts here; the others do not, or not usably."""
    # Nor do the names of ARM's chips.
    expected = "YES" if IOMMU.startswith("vtd") else \
        "UNKNOWN" if FLAT or IOMMU == "smmuv3" else "NO"
    assert ioasidd.device("EDU0")["isolatedMsi"] == expected == isolated_msi()


@pytest.mark.cell("inventory")
def test_iommus_are_those_of_the_kernel(ioasidd: Ioasidd) -> None:
    """Name, family, registers and the devices behind."""
    found = iommus(ioasidd)
    # The mock of iommufd's own tests is one too, with nothing behind it.
    real = {name: iommu for name, iommu in found.items() if iommu["devices"]}
    assert len(found) == len(os.listdir("/sys/class/iommu"))
    if IOMMU == "none":
        assert not real
        return
    (name, iommu), = real.items()
    assert iommu["family"] == FAMILY[IOMMU]
    assert iommu["devices"] == [
        device_name(bdf) for bdf in sorted(os.listdir(PCI))
        if (PCI / bdf / "iommu").is_symlink()]
    if IOMMU.startswith("vtd"):
        folder = Path("/sys/class/iommu") / name.removeprefix("iommus/")
        assert iommu["registers"] == {
            key: text(folder / "intel-iommu" / key)
            for key in ("address", "cap", "ecap", "version")}


def test_numa_node_is_shown(stopped: Ioasidd) -> None:
    """The machine has one node and no device says so: one is made to."""
    node = PCI / os.environ["EDU1"] / "numa_node"
    node.write_text("0")
    try:
        stopped.start()
        assert stopped.device("EDU1")["numaNode"] == 0
        assert stopped.device("EDU0")["numaNode"] == -1
    finally:
        node.write_text("-1")


# --- what changes ---

def test_what_changes_by_hand_is_seen_at_once(
        ioasidd: Ioasidd, testbed: Any) -> None:
    """Bind, unbind, remove and rescan, without anything being asked of us."""
    before = ioasidd.device("EDU0")
    testbed.switch("EDU0", "uio_pci_generic")
    wait(lambda: ioasidd.device("EDU0")["driver"] == "uio_pci_generic", 5,
         "bound by hand")
    after = ioasidd.device("EDU0")
    assert after["etag"] != before["etag"]
    if IOMMU != "none":
        group = after["group"]
        found = {g["name"]: g for g in ioasidd.ask("groups")["groups"]}[group]
        assert not found["viable"]
        assert found["blockers"] == [{
            "kind": "device", "name": after["name"],
            "detail": "is with driver uio_pci_generic"}]
    testbed.restore()
    wait(lambda: not ioasidd.device("EDU0")["driver"], 5, "unbound by hand")
    testbed.switch("NVME0", "")
    wait(lambda: ioasidd.device("NVME0")["driver"] == "nvme", 5, "it is nvme's")

    names = [device["name"] for device in ioasidd.ask("devices", "-a")["devices"]]
    gone = device_name(os.environ["EDU1"])
    (PCI / os.environ["EDU1"] / "remove").write_text("1")
    try:
        wait(lambda: gone not in [d["name"] for d in
                                  ioasidd.ask("devices", "-a")["devices"]],
             5, "removed by hand")
        assert ioasidd.refused("device", "show", os.environ["EDU1"]).id == \
            "device.not-found"
    finally:
        Path("/sys/bus/pci/rescan").write_text("1")
    wait(lambda: len(ioasidd.ask("devices", "-a")["devices"]) == len(names), 5,
         "found by a rescan")
    assert machine(ioasidd) == seen_machine()


@pytest.mark.sanitize
def test_prepared_device_that_is_removed_is_gone_and_comes_back(
        ioasidd: Ioasidd) -> None:
    """What we have a record of stays listed; back, it is the host's again."""
    flags = ALLOWED
    ioasidd.prepare("EDU1", *flags)
    try:
        (PCI / os.environ["EDU1"] / "remove").write_text("1")
        wait(lambda: ioasidd.device("EDU1")["state"] == "GONE", 5, "it is gone")
        assert ioasidd.refused("prepare", *flags, os.environ["EDU1"]).id == \
            "device.not-found"
    finally:
        Path("/sys/bus/pci/rescan").write_text("1")
    ioasidd.wait_device("EDU1", "HOST", 5)
    ioasidd.prepare("EDU1", *flags)
    assert ioasidd.device("EDU1")["state"] == "READY"
    ioasidd.restore("EDU1")
    assert ioasidd.device("EDU1")["driver"] == ""


def test_what_others_put_on_vfio_is_foreign_and_left_alone(
        ioasidd: Ioasidd, testbed: Any) -> None:
    """Listed, never touched: not by prepare, not by restore, not at start-up."""
    testbed.switch("EDU0", "vfio-pci")
    ioasidd.wait_device("EDU0", "FOREIGN", 5)

    def look() -> list[Any]:
        folder = PCI / os.environ["EDU0"]
        # Binding anew would make a new object with another inode.
        return [link(folder / "driver"), text(folder / "driver_override"),
                [(entry.name, entry.stat().st_ino)
                 for entry in os.scandir(folder / "vfio-dev")]]

    before = look()
    flags = [*ALLOWED, "--allow-no-reset"]
    for force in ([], ["--force"], ["--dry-run"]):
        refusal = ioasidd.refused("prepare", *flags, *force,
                                  os.environ["EDU0"])
        assert (refusal.id, refusal.status) == ("device.foreign", 1)
        assert "try: " in refusal.words
    assert ioasidd.refused("restore", os.environ["EDU0"]).id == \
        "device.not-prepared"
    assert ioasidd.refused("lease", "create", os.environ["EDU0"]).id == \
        "device.not-ready"
    ioasidd.restart()
    assert ioasidd.device("EDU0")["state"] == "FOREIGN"
    ioasidd.stop()
    assert look() == before
