"""A holder ends: what is done to its device before anybody else gets it.

The holders are L2, a stock QEMU, and reclaim-holder, which BINDs, forks, parks
descriptors in a socket, and dies when it is told to.
"""

import os
import re
import signal
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from ioasid import NOBODY, PROGS, Ioasidd, Process, alive, wait

pytest_plugins = ["ioasid"]

pytestmark = [
    pytest.mark.skipif(os.environ["IOMMU"] == "none", reason="no IOMMU"),
    pytest.mark.skipif("EDU0_PORT" not in os.environ,
                       reason="QEMU 10's AMD IOMMU: all devices are on "
                       "bus 0, which nothing resets"),
]

# What is done to one device when its holder has ended, in this order.
LADDER = ["holders", "override", "unbind", "probe", "answer", "bind", "reset",
          "health"]
# The word at 0 of an edu's BAR.
EDU_ID = "id: 010000ed"
MARKER = f"L2: marker {os.environ.get('NVME0_MARKER')}"
# ioasidd waits 10 s for a call before it leaves its helper behind.
LEFT_BEHIND = 40


@pytest.fixture(autouse=True)
def no_child_left(ioasidd: Ioasidd) -> Iterator[None]:
    """Children of holders end too: whatever they hold blocks what follows."""
    yield
    for process in ioasidd.processes:
        for pid in re.findall(r"^child: (\d+)$", process.output(), re.M):
            if alive(int(pid)):
                os.kill(int(pid), signal.SIGKILL)


def holder(ioasidd: Ioasidd, name: str, *acts: str) -> Process:
    """reclaim-holder with the device, as nobody, doing that."""
    process = ioasidd.run(
        "ioasidctl", "run", "--device", ioasidd.bdf(name), "--uid",
        str(NOBODY), "--gid", str(NOBODY), "--vmm", "none", "--",
        PROGS / "reclaim-holder", "{iommufd}", "{device0}", *acts)
    process.wait_for("waiting" if "wait" in acts else "done", 30)
    return process


def child_of(process: Process) -> int:
    """The child that it forked."""
    match = re.search(r"^child: (\d+)$", process.output(), re.M)
    assert match, process.output()
    return int(match[1])


def lease_of(ioasidd: Ioasidd, process: Process) -> str:
    """The lease that the process holds."""
    found = [lease["name"] for lease in ioasidd.leases(every=False)
             if lease["holders"] and lease["holders"][-1]["pid"] == process.pid]
    assert len(found) == 1, found
    return str(found[0])


def acts_of(steps: list[dict[str, Any]]) -> list[str]:
    """The acts of a record."""
    return [step["act"] for step in steps]


def assert_reclaimed(lease: dict[str, Any], reset: str) -> None:
    """Its record shows every rung, each with its result."""
    assert acts_of(lease["reclaim"]) == LADDER
    by_act = {step["act"]: step for step in lease["reclaim"]}
    assert {step["result"] for step in lease["reclaim"]} == {"ok"}
    assert {step["object"] for step in lease["reclaim"]} == \
        set(lease["devices"])
    assert by_act["unbind"]["method"] == by_act["probe"]["method"] == "vfio-pci"
    assert reset in by_act["reset"]["method"].split()
    assert by_act["health"]["method"] == "config, power, BAR"
    assert lease["endReason"] == "holder ended"
    assert lease["holders"][-1]["why"] == "ended"


def assert_works(ioasidd: Ioasidd, name: str = "EDU0") -> None:
    """Somebody leases the device and reads its registers."""
    process = holder(ioasidd, name, "bind", "id")
    assert EDU_ID in process.output()
    lease = lease_of(ioasidd, process)
    process.kill()
    assert_reclaimed(ioasidd.wait_lease(lease, "ENDED"), "bus")


# --- a plain end ---

@pytest.mark.cell("reclaim")
@pytest.mark.limit(150)
def test_killed_vmm_leaves_a_disk_for_the_next_one(ioasidd: Ioasidd) -> None:
    """kill -9 of a QEMU whose guest reads, in the middle of it."""
    ioasidd.prepare("NVME0")
    with ioasidd.l2("NVME0", loop=True) as vmm:
        vmm.wait_for("L2: read 3")
        lease = lease_of(ioasidd, vmm)
        vmm.kill()
        assert_reclaimed(ioasidd.wait_lease(lease, "ENDED"), "flr")
    assert ioasidd.device("NVME0")["state"] == "READY"
    with ioasidd.l2("NVME0") as vmm:
        vmm.wait_for(MARKER)


def test_device_goes_back_to_its_driver_if_asked(ioasidd: Ioasidd) -> None:
    """--restore: after the ladder, not instead of it."""
    ioasidd.prepare("NVME0")
    process = ioasidd.run(
        "ioasidctl", "run", "--restore", "--device", ioasidd.bdf("NVME0"),
        "--uid", str(NOBODY), "--gid", str(NOBODY), "--vmm", "none", "--",
        PROGS / "reclaim-holder", "{iommufd}", "{device0}", "bind")
    process.wait_for("done", 30)
    lease = lease_of(ioasidd, process)
    process.kill()
    record = ioasidd.wait_lease(lease, "ENDED")
    assert acts_of(record["reclaim"])[:len(LADDER)] == LADDER
    device = ioasidd.wait_device("NVME0", "HOST")
    assert device["driver"] == "nvme"
    override = ioasidd.testbed.sysfs("NVME0") / "driver_override"
    assert override.read_text().strip() == "(null)"


# --- somebody else has it still ---

def assert_held_by(ioasidd: Ioasidd, pid: int) -> None:
    """EDU0 is in quarantine because of that process, and not given out."""
    device = ioasidd.wait_device("EDU0", "QUARANTINED")
    assert "open" in device["stateReason"]
    assert "ioasidctl device recover" in device["stateRemedy"]
    refusal = ioasidd.refused("lease", "create", "--uid", str(NOBODY),
                              ioasidd.bdf("EDU0"))
    assert refusal.id == "device.not-ready"
    assert device["stateReason"] in refusal.words
    assert str(pid) in device["stateReason"]


def test_child_that_kept_a_bound_device_is_named(ioasidd: Ioasidd) -> None:
    """The holder BINDs, forks and dies; the device is still bound."""
    ioasidd.prepare("EDU0")
    process = holder(ioasidd, "EDU0", "bind", "fork", "id")
    child = child_of(process)
    lease = lease_of(ioasidd, process)
    process.kill()
    record = ioasidd.wait_lease(lease, "ENDED")
    assert alive(child)
    assert acts_of(record["reclaim"]) == ["holders"]
    assert_held_by(ioasidd, child)

    # As long as it lives it has it, whoever asks.
    refusal = ioasidd.refused("device", "recover", ioasidd.bdf("EDU0"))
    assert refusal.id == "device.held"
    assert str(child) in refusal.words
    assert ioasidd.device("EDU0")["state"] == "QUARANTINED"

    os.kill(child, signal.SIGKILL)
    wait(lambda: not alive(child), 10, "the child has ended")
    ioasidd.ask("device", "recover", ioasidd.bdf("EDU0"))
    assert ioasidd.device("EDU0")["state"] == "READY"
    assert_works(ioasidd)


def test_child_that_kept_an_unbound_device_cannot_bind_it_once_ready(
        ioasidd: Ioasidd) -> None:
    """It may BIND while it has the device, but then nobody else has it.

    An unbind waits for its descriptor to be closed, so the device cannot be
    ready while there is one that could BIND.
    """
    ioasidd.prepare("EDU0")
    process = holder(ioasidd, "EDU0", "fork", "wait", "bind", "id", "wait")
    child = child_of(process)
    process.kill()
    assert_held_by(ioasidd, child)
    os.kill(child, signal.SIGUSR1)
    wait(lambda: "id: " in process.output(), 10, "the child has tried")
    # This is why it was named: the kernel has nothing against it.
    assert "bind: ok" in process.output()
    assert ioasidd.device("EDU0")["state"] == "QUARANTINED"

    os.kill(child, signal.SIGKILL)
    wait(lambda: not alive(child), 10, "the child has ended")
    ioasidd.ask("device", "recover", ioasidd.bdf("EDU0"))
    assert_works(ioasidd)


@pytest.mark.limit(120)
def test_device_in_an_unread_socket_is_stuck_until_it_is_released(
        ioasidd: Ioasidd) -> None:
    """No process has it, so nobody is named; the unbind waits all the same."""
    ioasidd.prepare("EDU0")
    process = holder(ioasidd, "EDU0", "fork", "park", "drop-iommufd", "wait",
                     "drop")
    child = child_of(process)
    lease = lease_of(ioasidd, process)
    process.kill()
    record = ioasidd.wait_lease(lease, "ENDED", LEFT_BEHIND)
    assert acts_of(record["reclaim"]) == ["holders", "override", "unbind"]
    assert record["reclaim"][0]["result"] == "ok"
    device = ioasidd.wait_device("EDU0", "STUCK")
    helper = int(re.search(r"helper process (\d+)",
                           device["stateReason"])[1])  # type: ignore[index]
    assert Path(f"/proc/{helper}/comm").read_text().strip() == \
        "ioasidd-" + ioasidd.bdf("EDU0").partition(":")[2]
    refusal = ioasidd.refused("lease", "create", "--uid", str(NOBODY),
                              ioasidd.bdf("EDU0"))
    assert refusal.id == "device.not-ready"
    refusal = ioasidd.refused("device", "recover", ioasidd.bdf("EDU0"))
    assert refusal.id == "device.stuck"
    assert str(helper) in refusal.words
    # Everything else is served meanwhile.
    ioasidd.prepare("EDU1")
    assert_works(ioasidd, "EDU1")

    os.kill(child, signal.SIGUSR1)
    wait(lambda: "drop: ok" in process.output(), 10, "the socket is closed")
    wait(lambda: not alive(helper), 10, "the helper has ended")
    ioasidd.ask("device", "recover", ioasidd.bdf("EDU0"))
    assert ioasidd.device("EDU0")["state"] == "READY"
    assert not Path(f"/proc/{helper}").exists(), "the helper is a zombie"
    os.kill(child, signal.SIGKILL)
    assert_works(ioasidd)


# --- the bus does not answer ---

def setpci(name: str, register: str, value: str = "") -> str:
    """Read a register of a device, or write it; what it was."""
    def run(*words: str) -> str:
        return subprocess.run(["setpci", "-s", os.environ[name], *words],
                              check=True, capture_output=True, text=True
                              ).stdout.strip()

    before = run(register)
    if value:
        run(f"{register}={value}")
    return before


def registers(name: str) -> dict[str, str]:
    """What the device itself has of what the kernel gave it."""
    names = ["BASE_ADDRESS_0", "BASE_ADDRESS_1", "ROM_ADDRESS"]
    if name.startswith("NVME"):
        names += ["CAP_EXP+8.w", "CAP_EXP+10.w", "CAP_EXP+28.w"]
    return {register: setpci(name, register) for register in names}


def assert_has_its_bars(name: str, steps: list[dict[str, Any]],
                        before: dict[str, str]) -> None:
    """They had been lost, are there again, and it is not switched on."""
    answer = next(step for step in steps if step["act"] == "answer")
    assert answer["method"] == "config, BARs written again"
    after = registers(name)
    # An edu has none of these; the disk's are those that it has after a reset.
    assert {key: value for key, value in after.items()
            if "EXP" not in key} == {key: value for key, value in before.items()
                                     if "EXP" not in key}
    for key, value in after.items():
        # Errors are not reported, and no payload that nobody understands.
        assert "EXP" not in key or int(value, 16) & 0x40cf == 0, (key, value)
    assert int(setpci(name, "COMMAND"), 16) & 4 == 0, "it is a bus master"


def assert_sleeps(ioasidd: Ioasidd, name: str) -> None:
    """The kernel has put it to sleep: it has saved what it could read."""
    status = ioasidd.testbed.sysfs(name) / "power/runtime_status"
    wait(lambda: status.read_text().strip() == "suspended", 10, "it sleeps")


@contextmanager
def unreachable(name: str) -> Iterator[None]:
    """The port sends what is for the device's bus to another one.

    It stays awake: one that was asleep would know that other one ever after.
    """
    control = Path("/sys/bus/pci/devices", os.environ[f"{name}_PORT"],
                   "power/control")
    sleeps = control.read_text()
    control.write_text("on")
    before = setpci(f"{name}_PORT", "SECONDARY_BUS", "fe")
    try:
        assert setpci(name, "VENDOR_ID") == "ffff"
        yield
    finally:
        setpci(f"{name}_PORT", "SECONDARY_BUS", before)
        control.write_text(sleeps)
    assert setpci(name, "VENDOR_ID") != "ffff"


def assert_silent(ioasidd: Ioasidd, name: str) -> None:
    """The device is in quarantine because it answers ones, and stays there."""
    device = ioasidd.wait_device(name, "QUARANTINED")
    assert "answers all ones" in device["stateReason"]
    assert "device recover" in device["stateRemedy"]
    refusal = ioasidd.refused("lease", "create", "--uid", str(NOBODY),
                              ioasidd.bdf(name))
    assert refusal.id == "device.not-ready"
    assert "answers all ones" in refusal.words
    # Nothing has changed, so nothing is better.
    refusal = ioasidd.refused("device", "recover", ioasidd.bdf(name))
    assert refusal.id == "device.unhealthy"
    assert "answers all ones" in ioasidd.device(name)["stateReason"]


def test_edu_behind_a_dead_bus_is_not_given_out(ioasidd: Ioasidd) -> None:
    """Its bus is lost while the holder has it bound."""
    ioasidd.prepare("EDU0")
    before = registers("EDU0")
    process = holder(ioasidd, "EDU0", "bind", "id")
    assert EDU_ID in process.output()
    lease = lease_of(ioasidd, process)
    with unreachable("EDU0"):
        process.kill()
        record = ioasidd.wait_lease(lease, "ENDED")
        assert "answers all ones" in record["reclaim"][-1]["result"]
        assert_silent(ioasidd, "EDU0")
        assert_sleeps(ioasidd, "EDU0")
    operation = ioasidd.ask("device", "recover", ioasidd.bdf("EDU0"))
    assert ioasidd.device("EDU0")["state"] == "READY"
    assert_has_its_bars("EDU0", operation["steps"], before)
    assert_works(ioasidd)


@pytest.mark.limit(150)
def test_disk_behind_a_dead_bus_comes_back_for_l2(ioasidd: Ioasidd) -> None:
    """kill -9 of QEMU on a bus that has just died; then it is mended.

    At the last close the kernel puts the disk to sleep, and saves the ones that
    it reads from it; those it writes to it when the bus is back.
    """
    ioasidd.prepare("NVME0")
    before = registers("NVME0")
    with ioasidd.l2("NVME0", loop=True) as vmm:
        vmm.wait_for("L2: read 2")
        with unreachable("NVME0"):
            vmm.kill()
            assert_silent(ioasidd, "NVME0")
            assert_sleeps(ioasidd, "NVME0")
    operation = ioasidd.ask("device", "recover", ioasidd.bdf("NVME0"))
    assert ioasidd.device("NVME0")["state"] == "READY"
    assert acts_of(operation["steps"]) == LADDER
    assert_has_its_bars("NVME0", operation["steps"], before)
    with ioasidd.l2("NVME0") as vmm:
        vmm.wait_for(MARKER)
        vmm.wait(60)
    ioasidd.wait_device("NVME0", "READY")
    ioasidd.restore("NVME0")
    assert ioasidd.device("NVME0")["driver"] == "nvme"


# --- hot unplug ---

def remove(name: str) -> threading.Thread:
    """Take the device out, as its user would by hand; the kernel may wait."""
    path = Path("/sys/bus/pci/devices") / os.environ[name] / "remove"
    thread = threading.Thread(target=path.write_text, args=("1",), daemon=True)
    thread.start()
    return thread


def rescan() -> None:
    """Look for devices again."""
    Path("/sys/bus/pci/rescan").write_text("1")


def test_unplugged_device_is_gone_and_comes_back_as_it_is(
        ioasidd: Ioasidd) -> None:
    """A ready one: what comes back has no driver of ours, and is not ready."""
    ioasidd.prepare("EDU0")
    thread = remove("EDU0")
    try:
        device = ioasidd.wait_device("EDU0", "GONE")
        thread.join(60)
        refusal = ioasidd.refused("lease", "create", "--uid", str(NOBODY),
                                  ioasidd.bdf("EDU0"))
        assert refusal.id in ("device.not-ready", "device.not-found")
        # A start does not stumble over it.
        ioasidd.restart()
        assert ioasidd.device("EDU0")["state"] == "GONE"
    finally:
        rescan()
    device = ioasidd.wait_device("EDU0", "HOST")
    assert device["driver"] == ""
    ioasidd.prepare("EDU0")
    assert_works(ioasidd)
    ioasidd.restore("EDU0")
    override = ioasidd.testbed.sysfs("EDU0") / "driver_override"
    assert override.read_text().strip() == "(null)"


def test_unplugged_disk_comes_back_with_its_own_driver(
        ioasidd: Ioasidd) -> None:
    """One that has a host driver: the kernel gives it to that."""
    ioasidd.prepare("NVME0")
    remove("NVME0").join(60)
    try:
        ioasidd.wait_device("NVME0", "GONE")
    finally:
        rescan()
    wait(lambda: ioasidd.testbed.driver("NVME0") == "nvme", 20, "nvme has it")
    ioasidd.wait_device("NVME0", "HOST")
    ioasidd.prepare("NVME0")
    ioasidd.wait_device("NVME0", "READY")
    ioasidd.restore("NVME0")
    assert ioasidd.device("NVME0")["driver"] == "nvme"


def test_unplugging_a_leased_device_waits_for_its_holder(
        ioasidd: Ioasidd) -> None:
    """The kernel waits; when the holder ends, device and lease both do."""
    ioasidd.prepare("EDU0")
    process = holder(ioasidd, "EDU0", "bind")
    lease = lease_of(ioasidd, process)
    thread = remove("EDU0")
    try:
        thread.join(1)
        assert thread.is_alive(), "the kernel did not wait"
        assert ioasidd.lease(lease)["state"] == "HELD"
        process.kill()
        thread.join(60)
        assert not thread.is_alive()
        record = ioasidd.wait_lease(lease, "ENDED", LEFT_BEHIND)
        assert record["endReason"] == "holder ended"
        ioasidd.wait_device("EDU0", "GONE", LEFT_BEHIND)
    finally:
        process.kill()
        thread.join(60)
        rescan()

    def settled() -> bool:
        return ioasidd.device("EDU0")["state"] in ("HOST", "QUARANTINED")

    wait(settled, 20, "it is back")
    if ioasidd.device("EDU0")["state"] == "QUARANTINED":
        ioasidd.ask("device", "recover", ioasidd.bdf("EDU0"))
    if ioasidd.device("EDU0")["state"] == "HOST":
        ioasidd.prepare("EDU0")
    assert_works(ioasidd)
