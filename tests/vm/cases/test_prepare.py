"""From the host's drivers to VFIO and back: the whole group, or nothing.

What is compared is what sysfs says, read here, beside what ioasidd says.
"""

import os
import re
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from ioasid import DEVICES, FLAT, MSI, Ioasidd, device_name, wait

pytest_plugins = ["ioasid"]

IOMMU = os.environ["IOMMU"]
VTD = IOMMU.startswith("vtd")
# Interrupts of devices are remapped, or an ITS keeps them apart.
ISOLATED = VTD or IOMMU == "smmuv3"
# As in UAPI_HW_INFO_TYPE_*.
HW_INFO = 1 if VTD else {"smmuv3": 2, "amd": 4}.get(IOMMU, 0)
PCI = Path("/sys/bus/pci/devices")
# Without that nothing is prepared unless it is allowed.
FLAGS = () if ISOLATED else ("--allow-no-iommu",) if IOMMU == "none" else \
    ("--allow-unsafe-interrupts",)
ALL_FLAGS = (*FLAGS, "--allow-no-reset")
THERE = [name for name in DEVICES if name in os.environ]
with_iommu = pytest.mark.skipif(
    IOMMU == "none", reason="without an IOMMU each device is a group of its own, "
    "and nothing is said of interrupts")
TOP = (1 << 64) - 1


def override(name: str) -> str:
    """What driver_override is; empty for none."""
    words = (PCI / os.environ[name] / "driver_override").read_text().strip()
    return "" if words == "(null)" else words


def driver(name: str) -> str:
    """The driver that is bound; empty for none."""
    folder = PCI / os.environ[name] / "driver"
    return folder.resolve().name if folder.is_symlink() else ""


def cdevs(name: str) -> list[tuple[str, int]]:
    """The device's VFIO cdev; another inode if it was bound anew."""
    folder = PCI / os.environ[name] / "vfio-dev"
    return [(entry.name, entry.stat().st_ino)
            for entry in os.scandir(folder)] if folder.exists() else []


def host() -> dict[str, tuple[str, str, list[tuple[str, int]]]]:
    """What an operation may change in sysfs, of all devices."""
    return {name: (driver(name), override(name), cdevs(name))
            for name in THERE}


def said(ioasidd: Ioasidd) -> dict[str, Any]:
    """All that ioasidd shows of the machine and of what was done to it."""
    return {thing["name"]: thing for thing in [
        *ioasidd.ask("devices", "-a")["devices"],
        *ioasidd.ask("groups")["groups"],
        *ioasidd.ask("operation", "list")["operations"]]}


def stored(ioasidd: Ioasidd) -> dict[str, bytes]:
    """The state's files, byte for byte."""
    return {path.name: path.read_bytes() for path in ioasidd.state.iterdir()
            if not path.name.endswith("-shm")}


def words(done: subprocess.CompletedProcess[str]) -> str:
    """All that ioasidctl has said."""
    return done.stdout + done.stderr


# --- one device ---

def vtd_ecap() -> int:
    """The extended capabilities of VT-d, if its scalable mode is in use."""
    path = Path("/sys/class/iommu/dmar0/intel-iommu/ecap")
    return int(path.read_text(), 16) if IOMMU == "vtd-scalable" else 0


@pytest.mark.cell("prepare")
@pytest.mark.parametrize("name", ["EDU0", "NVME0"])
def test_prepare_probes_and_restore_gives_back(ioasidd: Ioasidd,
                                               name: str) -> None:
    """Idempotent between; capabilities as this machine has them."""
    before = host()
    operation = ioasidd.prepare(name, *FLAGS)
    assert operation["state"] == "DONE"
    assert [step["act"] for step in operation["steps"]] == \
        ["override", *(["unbind"] if before[name][0] else []), "probe",
         "capabilities"]
    assert all(step["result"] == "ok" for step in operation["steps"])
    device = ioasidd.device(name)
    assert (device["state"], device["driver"], device["formerDriver"]) == \
        ("READY", "vfio-pci", before[name][0])
    assert (driver(name), override(name)) == ("vfio-pci", "vfio-pci")
    assert device["noReset"] == (FLAT and name == "EDU0")
    assert device["unsafeInterrupts"] == \
        (not ISOLATED and IOMMU != "none")
    assert device["noIommu"] == (IOMMU == "none")

    caps = device["capabilities"]
    ranges = [(int(r["start"]), int(r["last"])) for r in caps["iovaRanges"]]
    # The interrupt window is what the group has reserved, no more; on AMD what
    # HyperTransport has, too.
    if IOMMU == "none":
        assert ranges == [(0, TOP)]
    else:
        assert ranges[0] == (0, MSI[0] - 1)
        assert ranges[1][0] == MSI[1] + 1 and ranges[1][1] >= (1 << 39) - 1
        assert ranges[2:] == ([(1 << 40, TOP)] if IOMMU == "amd" else [])
    assert int(caps["iovaAlignment"]) == 4096
    assert caps["hwInfoType"] == HW_INFO
    assert bool(caps["hwInfo"]) == bool(caps["hwInfoType"])
    ecap = vtd_ecap()
    assert caps["nestParent"] == (bool(ecap >> 26 & 1) or IOMMU == "smmuv3")
    assert caps["dirtyTracking"] == bool(ecap >> 45 & 1)
    # The reset of the function is in it.
    assert 100 < int(caps["bindUs"]) < 20_000_000
    # Nothing resets the root bus.
    assert device["pci"]["resetSet"] == ([] if FLAT else [device["name"]])

    # Once more: nothing is written, and nothing is bound anew.
    ready = host()
    again = ioasidd.prepare(name, *FLAGS)
    assert again["state"] == "DONE" and not again["steps"]
    assert duration(again) < duration(operation) / 2
    assert host() == ready
    assert ioasidd.device(name)["capabilities"] == caps

    assert ioasidd.restore(name)["state"] == "DONE"
    assert host() == before
    device = ioasidd.device(name)
    assert (device["state"], device["formerDriver"]) == ("HOST", "")
    assert "capabilities" not in device
    assert ioasidd.refused("restore", os.environ[name]).id == \
        "device.not-prepared"
    if name == "NVME0":
        wait(lambda: marker() == os.environ["NVME0_MARKER"], 30,
             "the host reads its disk")


def marker() -> str:
    """The first line of NVME0, as the host's driver reads it."""
    for folder in (PCI / os.environ["NVME0"]).glob("nvme/nvme*/nvme*n1"):
        node = Path("/dev") / folder.name
        if node.is_block_device():
            with open(node, "rb") as disk:
                return disk.read(512).split(b"\n")[0].decode()
    return ""


def test_former_override_is_put_back(ioasidd: Ioasidd) -> None:
    """Somebody else's driver_override is not ours to clear."""
    path = PCI / os.environ["NVME1"] / "driver_override"
    path.write_text("nvme")
    try:
        ioasidd.prepare("NVME1", *FLAGS)
        assert override("NVME1") == "vfio-pci"
        # Also by a daemon that knows of it from its database only.
        ioasidd.restart()
        ioasidd.restore("NVME1")
        assert (driver("NVME1"), override("NVME1")) == ("nvme", "nvme")
    finally:
        path.write_text("\n")


@pytest.mark.parametrize("wrong,error", [
    ("no-such-driver", "device.no-driver"),
    # It takes the device, and is no VFIO driver.
    ("pci-stub", "kernel.no-cdev")])
def test_wrong_driver_is_refused_and_all_undone(
        ioasidd: Ioasidd, wrong: str, error: str) -> None:
    """The disk is the host's again."""
    before = host()
    refusal = ioasidd.refused("prepare", *FLAGS, "--driver", wrong,
                              os.environ["NVME0"])
    assert (refusal.id, refusal.status) == (error, 1)
    assert device_name(os.environ["NVME0"]) in refusal.words
    assert wrong in refusal.words
    assert "modprobe vfio-pci" not in refusal.words
    assert host() == before
    device = ioasidd.device("NVME0")
    assert (device["state"], device["driver"]) == ("HOST", "nvme")
    operation = ioasidd.ask("operation", "list")["operations"][0]
    assert (operation["state"], operation["error"]["id"]) == ("FAILED", error)
    wait(lambda: marker() == os.environ["NVME0_MARKER"], 30,
         "the host reads its disk")


def test_dry_run_changes_nothing(ioasidd: Ioasidd) -> None:
    """Neither the machine, nor what ioasidd shows, nor what it has written."""
    ioasidd.prepare("EDU0", *FLAGS)
    before = host(), said(ioasidd), stored(ioasidd)

    def unchanged() -> bool:
        assert host() == before[0]
        now = said(ioasidd)
        for name, thing in before[1].items():
            assert now.pop(name) == thing
        assert not now
        # Compared as a whole: pytest would take minutes to show the bytes.
        return bool(stored(ioasidd) == before[2])

    done = ioasidd.prepare("NVME0", *FLAGS, "--dry-run")
    assert (done["name"], done["state"]) == ("", "DONE")
    assert unchanged()
    ioasidd.ask("restore", "--dry-run", os.environ["EDU0"])
    assert unchanged()
    # It refuses what the real one would.
    assert ioasidd.refused("prepare", *FLAGS, "--dry-run",
                           os.environ["PAIR1"]).id == "device.no-reset"
    assert ioasidd.refused("restore", "--dry-run", os.environ["NVME0"]).id == \
        "device.not-prepared"
    assert unchanged()


# --- groups ---

@contextmanager
def unwritable(name: str) -> Iterator[None]:
    """The device's driver_override can be read, and not written."""
    path = (PCI / os.environ[name] / "driver_override").resolve()
    subprocess.run(["mount", "--bind", path, path], check=True)
    try:
        subprocess.run(["mount", "-o", "remount,bind,ro", path], check=True)
        yield
    finally:
        subprocess.run(["umount", path], check=True)


@with_iommu
def test_group_is_prepared_as_a_whole(ioasidd: Ioasidd, testbed: Any) -> None:
    """And goes back as a whole, each to the driver that it had."""
    testbed.switch("PAIR0", "uio_pci_generic")
    testbed.taken["PAIR1"] = driver("PAIR1")
    before = host()
    ioasidd.prepare("PAIR1", *ALL_FLAGS)
    for name in ("PAIR0", "PAIR1"):
        device = ioasidd.device(name)
        assert (device["state"], driver(name)) == ("READY", "vfio-pci")
        assert device["pci"]["resetSet"] == [
            device_name(os.environ["PAIR0"]), device_name(os.environ["PAIR1"])]
    # One is taken away by hand: the group is made whole again.
    testbed.switch("PAIR1", "uio_pci_generic")
    ioasidd.wait_device("PAIR1", "HOST", 1)
    kept = cdevs("PAIR0")
    ioasidd.prepare("PAIR0", *ALL_FLAGS)
    assert ioasidd.device("PAIR1")["state"] == "READY"
    assert cdevs("PAIR0") == kept
    ioasidd.restore("PAIR0")
    assert host() == before
    for name in ("PAIR0", "PAIR1"):
        assert ioasidd.device(name)["state"] == "HOST"


@with_iommu
@pytest.mark.skipif("BRIDGED0" not in os.environ, reason="no bridge here")
def test_bridge_of_the_group_stays(ioasidd: Ioasidd) -> None:
    """It is in the group of what is behind it, and no endpoint."""
    bridge = PCI / os.environ["BRIDGE"]
    before = host(), (bridge / "driver_override").read_text()
    ioasidd.prepare("BRIDGED0", *FLAGS)
    assert ioasidd.device("BRIDGED0")["state"] == "READY"
    assert ioasidd.device("BRIDGE")["state"] == "HOST"
    ioasidd.restore("BRIDGED0")
    assert (host(), (bridge / "driver_override").read_text()) == before


@pytest.mark.sanitize
@with_iommu
def test_second_of_the_group_fails_and_the_first_goes_back(
        ioasidd: Ioasidd, testbed: Any) -> None:
    """Both or none."""
    testbed.switch("PAIR0", "uio_pci_generic")
    before = host()
    with unwritable("PAIR1"):
        refusal = ioasidd.refused("prepare", *ALL_FLAGS, os.environ["PAIR0"])
        assert host() == before
        assert refusal.id == "kernel.sysfs"
        assert f"ioasidctl: {device_name(os.environ['PAIR1'])}: " in \
            refusal.words
        operation = ioasidd.ask("operation", "list")["operations"][0]
        acts = [(step["object"], step["act"]) for step in operation["steps"]
                if step["result"] == "ok"]
        # The first had gone all the way, and came back.
        assert acts.count((device_name(os.environ["PAIR0"]), "probe")) == 2
        # Nothing is wrong with either of them now.
        for name in ("PAIR0", "PAIR1"):
            device = ioasidd.device(name)
            assert (device["state"], device["stateReason"]) == ("HOST", "")
    ioasidd.prepare("PAIR0", *ALL_FLAGS)
    assert driver("PAIR0") == driver("PAIR1") == "vfio-pci"
    ioasidd.restore("PAIR1")
    assert host() == before


@pytest.mark.sanitize
@with_iommu
def test_both_members_at_once(ioasidd: Ioasidd) -> None:
    """One works; the other is told who is at work, or has the same result."""
    for _ in range(3):
        runs = [ioasidd.run("ioasidctl", "--json", "prepare", *ALL_FLAGS,
                            os.environ[name]) for name in ("PAIR0", "PAIR1")]
        codes = [run.wait() for run in runs]
        assert 0 in codes
        operations = ioasidd.ask("operation", "list")["operations"]
        worked = [op["name"] for op in operations[:2] if op["steps"]]
        for run, code in zip(runs, codes):
            assert code in (0, 1)
            if code:
                assert "[device.busy]" in run.output()
                assert f"operation {worked[0]}: is at work on" in run.output()
        for name in ("PAIR0", "PAIR1"):
            assert ioasidd.device(name)["state"] == "READY"
        ioasidd.restore("PAIR0")
        assert driver("PAIR0") == driver("PAIR1") == ""


@pytest.mark.sanitize
@with_iommu
def test_all_devices_prepare_in_about_the_time_of_one(ioasidd: Ioasidd) -> None:
    """Workers do not wait for each other."""
    before = host()
    runs = [ioasidd.run("ioasidctl", "--json", "prepare", "--force", *ALL_FLAGS,
                        os.environ[name]) for name in THERE if name != "PAIR1"]
    assert [run.wait() for run in runs] == [0] * len(runs), \
        "".join(run.output() for run in runs)
    operations = ioasidd.ask("operation", "list")["operations"]
    assert len(operations) == len(runs)
    # From the first act of each to its end: an operation that waited for its
    # turn would have begun nothing.
    spans = [(stamp(op["steps"][0]["at"]), stamp(op["ended"]))
             for op in operations]
    alone = [end - begin for begin, end in spans]
    together = max(end for _, end in spans) - min(begin for begin, _ in spans)
    most = max(sum(begin <= moment < end for begin, end in spans)
               for moment, _ in spans)
    print(f"{len(spans)} operations of {min(alone):.2f} to {max(alone):.2f} s, "
          f"{most} at once, {together:.2f} s in all")
    assert most > len(spans) / 2
    assert together < max(sum(alone) / 2, 1.5 * max(alone))
    for name in THERE:
        assert ioasidd.device(name)["state"] == "READY"
    for name in THERE:
        if name != "PAIR1":
            ioasidd.restore(name)
    wait(lambda: host() == before, 30, "all is as it was")


def duration(operation: Any) -> float:
    """How long it took, seconds."""
    return stamp(operation["ended"]) - stamp(operation["created"])


def stamp(moment: str) -> float:
    """Seconds of the day of a Timestamp in JSON."""
    match = re.search(r"T(\d+):(\d+):([\d.]+)Z", moment)
    assert match
    return int(match[1]) * 3600 + int(match[2]) * 60 + float(match[3])


# --- what has to be allowed ---

@with_iommu
def test_device_without_reset_has_to_be_allowed(ioasidd: Ioasidd) -> None:
    """One that lists a method that does not work, too; leases tell of it."""
    before = host()
    for name in ("PAIR0", "PAIR1"):
        refusal = ioasidd.refused("prepare", *FLAGS, os.environ[name])
        assert (refusal.id, refusal.status) == ("device.no-reset", 1)
        assert "try: " in refusal.words and "allow" in refusal.words
    assert host() == before
    ioasidd.prepare("PAIR0", *ALL_FLAGS)
    assert ioasidd.device("PAIR0")["pci"]["resetMethods"] == ["bus"]
    for name in ("PAIR0", "PAIR1"):
        assert ioasidd.device(name)["noReset"]
    assert "Caution" in ioasidd.ctl("device", "show",
                                    os.environ["PAIR0"]).stdout
    lease = ioasidd.lease(ioasidd.offer("PAIR0", "PAIR1"))
    assert lease["noReset"]
    assert lease["unsafeInterrupts"] == (not ISOLATED)
    # Remembered over a restart, and forgotten when it is given back.
    ioasidd.restart()
    assert ioasidd.device("PAIR0")["noReset"]
    assert ioasidd.lease(lease["name"])["noReset"]
    ioasidd.ask("lease", "release", lease["name"])
    ioasidd.wait_device("PAIR0", "READY")
    ioasidd.restore("PAIR0")
    assert not ioasidd.device("PAIR0")["noReset"]
    assert host() == before
    # Allowed for one that can be reset: nothing to tell.
    ioasidd.prepare("EDU0", *ALL_FLAGS)
    assert not ioasidd.device("EDU0")["noReset"]
    assert not ioasidd.lease(ioasidd.offer("EDU0"))["noReset"]


@with_iommu
def test_unsafe_interrupts_have_to_be_allowed(ioasidd: Ioasidd) -> None:
    """By the caller; and by the kernel's own parameter, which is the host's."""
    before = host()
    if VTD:
        ioasidd.prepare("EDU0", "--allow-unsafe-interrupts")
    if ISOLATED:
        ioasidd.prepare("EDU0")
        assert not ioasidd.device("EDU0")["unsafeInterrupts"]
        return
    # Where nothing tells whether they are isolated, BIND does.
    if not FLAT:
        refusal = ioasidd.refused("prepare", os.environ["EDU0"])
        assert (refusal.id, refusal.status) == ("device.unsafe-interrupts", 1)
        assert "allow_unsafe_interrupts" in refusal.words
    parameter = Path("/sys/module/iommufd/parameters/allow_unsafe_interrupts")
    parameter.write_text("N")
    try:
        refusal = ioasidd.refused("prepare", *FLAGS, os.environ["EDU0"])
        assert refusal.id == "device.unsafe-interrupts"
        assert "VFIO_DEVICE_BIND_IOMMUFD" in refusal.words
        assert host() == before
    finally:
        parameter.write_text("Y")
    ioasidd.prepare("EDU0", *FLAGS)
    assert ioasidd.device("EDU0")["unsafeInterrupts"]
    assert ioasidd.lease(ioasidd.offer("EDU0"))["unsafeInterrupts"]


# --- what is refused in any case ---

@pytest.mark.sanitize
def test_refusals_say_why_and_what_would_work(ioasidd: Ioasidd) -> None:
    """On the command line; the exit codes are those of ioasidctl(1)."""
    before = host()
    bridge = os.environ.get("EDU0_PORT", "0000:00:00.0")
    none = IOMMU == "none"
    flags = [flag for flag in ALL_FLAGS if flag != "--allow-no-iommu"]
    for target, error, why, remedy in (
            ("0000:7f:1f.7", "device.not-found", "devices/pci-0000-7f-1f.7",
             "ioasidctl devices -a"),
            ("devices/pci-0000-7f-1f.7", "device.not-found", "", "devices -a"),
            (bridge, "device.bridge", "is a bridge", "endpoint"),
            *([(os.environ["EDU0"], "device.no-group",
                "reach all memory of the host", "allow_no_iommu")]
              if none else [])):
        for command in (["prepare", *flags], ["prepare", "--dry-run"],
                        ["--json", "prepare"]):
            done = ioasidd.ctl(*command, target)
            assert done.returncode == 1, words(done)
            assert not done.stdout
            assert f"[{error}]" in done.stderr
            assert why in done.stderr
            assert re.search(f"^try: .*{remedy}", done.stderr, re.M)
    for target in ("nonsense", "0000:01:00", "0000:01:20.0", "01:00.8",
                   "devices/PCI", "../..", ""):
        done = ioasidd.ctl("prepare", target)
        assert done.returncode == 2, f"{target}: {words(done)}"
        assert not done.stdout and "PCI address" in done.stderr
    done = ioasidd.ctl("prepare", "--driver", "../vfio-pci", os.environ["EDU0"])
    assert done.returncode == 1 and "[request.invalid]" in done.stderr
    done = ioasidd.ctl("--socket", "/run/nowhere", "prepare",
                       os.environ["EDU0"])
    assert done.returncode == 3
    assert host() == before
    assert not (ioasidd.ask("operation", "list") or {}).get("operations")


def test_only_root_prepares(ioasidd: Ioasidd) -> None:
    """Somebody else is told so, and nothing is changed."""
    before = host()
    refusal = ioasidd.refused("prepare", *FLAGS, os.environ["EDU0"], uid=65534)
    assert (refusal.id, refusal.status) == ("permission.denied", 1)
    assert host() == before


@with_iommu
def test_group_with_a_foreign_sibling_is_refused(ioasidd: Ioasidd,
                                                 testbed: Any) -> None:
    """The sibling is named, and who has it open; it is never touched."""
    testbed.switch("PAIR1", "vfio-pci")
    before = host()
    with open(testbed.cdev("PAIR1"), "rb") as cdev:
        holder = ioasidd.run("sleep", "600", stdin=cdev)
        refusal = ioasidd.refused("prepare", "--force", *ALL_FLAGS,
                                  os.environ["PAIR0"])
    assert (refusal.id, refusal.status) == ("device.foreign", 1)
    assert f"ioasidctl: {device_name(os.environ['PAIR1'])}: " in refusal.words
    assert f"process {holder.pid}: sleep has" in refusal.words
    assert re.search("^try: .*driver", refusal.words, re.M)
    assert host() == before
    holder.kill()
    # Back with no driver it is in nobody's way.
    testbed.restore()
    ioasidd.prepare("PAIR0", *ALL_FLAGS)
    assert ioasidd.device("PAIR1")["state"] == "READY"
