"""kill -9 of ioasidd at any moment: nothing acknowledged is lost, no device is
lost, nothing stays half done.

What the daemon is about to do and what it has done is in its debug log, line by
line, so a test reads that and kills it between any two lines. IOASID_LONG=1 in
the environment does so at every line; without it a sample is taken.
"""

import errno
import os
import random
import re
import signal
import sqlite3
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from ioasid import NOBODY, PROGS, Ioasidd, Process, alive, device_name, wait

pytest_plugins = ["ioasid"]

pytestmark = [
    pytest.mark.skipif(os.environ["IOMMU"] == "none", reason="no IOMMU"),
    pytest.mark.skipif("EDU0_PORT" not in os.environ,
                       reason="QEMU 10's AMD IOMMU: all devices are on "
                       "bus 0, which nothing resets"),
]

LONG = os.environ.get("IOASID_LONG") == "1"
# What preparing takes where interrupts are not remapped.
ALLOWED = ["--allow-unsafe-interrupts"] * \
    (os.environ["IOMMU"] in ("virtio", "amd"))
# Another boot of this host.
OTHER_BOOT = "00000000-0000-4000-8000-000000000000"
# ioasidd waits 10 s for a call before it leaves its helper behind.
LEFT_BEHIND = 40
EXIT_NOT_DURABLE = 5
# What a helper at EDU0 is called.
HELPER = "ioasidd-" + os.environ.get("EDU0", "").partition(":")[2]


@pytest.fixture(autouse=True)
def no_child_left(request: pytest.FixtureRequest) -> Iterator[None]:
    """Children of holders end too: whatever they hold blocks what follows."""
    daemon = request.getfixturevalue(
        "stopped" if "stopped" in request.fixturenames else "ioasidd")
    yield
    for process in daemon.processes:
        for pid in re.findall(r"^child: (\d+)$", process.output(), re.M):
            if alive(int(pid)):
                os.kill(int(pid), signal.SIGKILL)


def start_holder(ioasidd: Ioasidd, name: str, *acts: str) -> Process:
    """reclaim-holder with the device, as nobody, doing that."""
    return ioasidd.run(
        "ioasidctl", "run", "--device", ioasidd.bdf(name), "--uid",
        str(NOBODY), "--gid", str(NOBODY), "--vmm", "none", "--",
        PROGS / "reclaim-holder", "{iommufd}", "{device0}", *acts)


def holder(ioasidd: Ioasidd, name: str, *acts: str) -> Process:
    """The same, and it has done it."""
    process = start_holder(ioasidd, name, *acts)
    process.wait_for("waiting" if "wait" in acts else "done", 30)
    return process


def lease_of(ioasidd: Ioasidd, pid: int) -> str:
    """The lease that the process holds."""
    found = [lease["name"] for lease in ioasidd.leases(every=False)
             if lease["holders"] and lease["holders"][-1]["pid"] == pid]
    assert len(found) == 1, found
    return str(found[0])


def operations(ioasidd: Ioasidd) -> list[dict[str, Any]]:
    """All of them, newest first."""
    answer = ioasidd.ask("operation", "list")
    return list((answer or {}).get("operations", []))


def override(ioasidd: Ioasidd, name: str) -> str:
    """driver_override as the kernel has it."""
    path = ioasidd.testbed.sysfs(name) / "driver_override"
    words: str = path.read_text().strip()
    return "" if words == "(null)" else words


def assert_whole(ioasidd: Ioasidd, name: str, former: str,
                 states: tuple[str, ...] = ("HOST", "READY")) -> str:
    """The device is one thing or the other, altogether; which one."""
    def at_rest() -> Any:
        return all(op["state"] != "RUNNING" for op in operations(ioasidd)) and \
            ioasidd.device(name)["state"] not in ("PREPARING", "RECLAIMING")

    wait(at_rest, 30, "what was interrupted has ended")
    device = ioasidd.device(name)
    assert device["state"] in states, device
    assert device["operation"] == ""
    if device["state"] == "HOST":
        assert ioasidd.testbed.driver(name) == former
        assert override(ioasidd, name) == ""
    if device["state"] == "READY":
        assert ioasidd.testbed.driver(name) == "vfio-pci"
        assert override(ioasidd, name) == "vfio-pci"
        assert device["lease"] == ""
    return str(device["state"])


# --- at every step ---

class Tail:
    """The lines that a log gets from now on."""

    def __init__(self, path: Path) -> None:
        # pylint: disable-next=consider-using-with
        self.file = open(path, "rb", buffering=0)
        self.file.seek(0, os.SEEK_END)
        self.rest = b""

    def lines(self) -> list[str]:
        """Those that are whole by now."""
        self.rest += self.file.read()
        *whole, self.rest = self.rest.split(b"\n")
        return [line.decode(errors="replace") for line in whole]


POINT = re.compile(r"(operations/\w+): (\w+) (devices/\S+)( begins|.*: ok)")
BEGUN = re.compile(r"(operations/\w+): (prepare|restore|recover|reclaim) \S+ "
                   r"(for |.*done$)")


def is_point(line: str) -> bool:
    """Is it a line at which something has just been or is about to be done?"""
    return bool(POINT.search(line) or BEGUN.search(line))


def kill_at(ioasidd: Ioasidd, number: int, what: Callable[[], Any]) -> str:
    """Start something, kill -9 the daemon at its nth line; which line that was.

    An empty string: it has ended before, with fewer lines.
    """
    tail = Tail(ioasidd.log)
    what()
    seen = 0
    end = time.monotonic() + 120
    while time.monotonic() < end:
        for line in tail.lines():
            if not is_point(line):
                continue
            seen += 1
            if seen == number:
                ioasidd.kill()
                return line
            if line.endswith(": done"):
                return ""
        time.sleep(0.0005)
    pytest.fail(f"line {number} did not come within 120 s")
    return ""


def background(ioasidd: Ioasidd, *args: str) -> Callable[[], Process]:
    """ioasidctl with these arguments, not waited for."""
    return lambda: ioasidd.run("ioasidctl", *args)


def sweep(ioasidd: Ioasidd, name: str, step: int) -> list[str]:
    """Prepare and restore the device, killing the daemon at one line a round.

    Each round begins on the host's driver and ends there.
    """
    bdf, former = ioasidd.bdf(name), ioasidd.testbed.driver(name)
    told = []
    for verb in ("prepare", "restore"):
        number = 1
        while True:
            if verb == "restore":
                ioasidd.prepare(name)
            words = [verb, *(ALLOWED if verb == "prepare" else []), bdf]
            point = kill_at(ioasidd, number, background(ioasidd, *words))
            if not point:
                break
            ioasidd.start()
            state = assert_whole(ioasidd, name, former)
            told.append(f"{point.partition(': ')[2]} -> {state}")
            if state == "READY":
                ioasidd.restore(name)
            assert_whole(ioasidd, name, former, ("HOST",))
            number += step
        if ioasidd.device(name)["state"] == "READY":
            ioasidd.restore(name)
        wait(lambda: ioasidd.device(name)["state"] == "HOST", 20, "restored")
    return told


@pytest.mark.limit(600 if LONG else 180)
def test_kill_at_every_step_of_prepare_and_restore(ioasidd: Ioasidd) -> None:
    """On the edu, which has no driver before."""
    told = sweep(ioasidd, "EDU0", 1)
    words = "\n".join(told)
    print(words)
    for act in ("override", "probe", "capabilities", "unbind"):
        assert f": {act} " in words, words
    assert len(told) >= 10, words


@pytest.mark.limit(900 if LONG else 180)
def test_kill_at_steps_of_a_disk(ioasidd: Ioasidd) -> None:
    """On the disk, which has a driver, and goes back to it."""
    told = sweep(ioasidd, "NVME0", 1 if LONG else 3)
    print("\n".join(told))
    assert len(told) >= 4
    # It is still a disk.
    disk = ioasidd.testbed.sysfs("NVME0") / "nvme"
    wait(lambda: list(disk.glob("nvme*/nvme*n1")), 30, "the host has its disk")


@pytest.mark.limit(600 if LONG else 180)
def test_kill_at_steps_of_reclaim(ioasidd: Ioasidd) -> None:
    """A start takes the ladder up again, from its first rung."""
    ioasidd.prepare("EDU0")
    number = 1
    told = []
    while True:
        process = holder(ioasidd, "EDU0", "bind")
        lease = lease_of(ioasidd, process.pid)
        point = kill_at(ioasidd, number, process.kill)
        if not point:
            ioasidd.wait_lease(lease, "ENDED")
            break
        ioasidd.start()
        record = ioasidd.wait_lease(lease, "ENDED", 30)
        assert_whole(ioasidd, "EDU0", "", ("READY",))
        # Without its driver, the device was not known any more at the start.
        acts = [step["act"] for step in record["reclaim"]]
        assert acts[-1] == "health" or acts[-2:] == ["health", "capabilities"]
        told.append(point.partition(": ")[2])
        number += 1 if LONG else 3
    print("\n".join(told))
    assert len(told) >= 5


def await_verdict(process: Process) -> None:
    """Until the claimant knows: it has got the descriptors, or it has ended."""
    wait(lambda: process.popen.poll() is not None or "done" in process.output(),
         30, "the claimant has descriptors or has ended")


@pytest.mark.limit(400 if LONG else 120)
def test_kill_at_random_moments_of_a_claim(ioasidd: Ioasidd) -> None:
    """The lease is offered, or held by who lives, or it is taken back."""
    ioasidd.prepare("EDU0")
    seed = int(os.environ.get("IOASID_SEED", "0")) or random.randrange(1 << 30)
    print(f"IOASID_SEED={seed}")
    rng = random.Random(seed)
    seen: dict[str, int] = {}
    for _ in range(60 if LONG else 12):
        lease = ioasidd.offer("EDU0")
        process = ioasidd.run(
            "ioasidctl", "run", "--lease", lease, "--uid", str(NOBODY),
            "--gid", str(NOBODY), "--vmm", "none", "--",
            PROGS / "reclaim-holder", "{iommufd}", "{device0}")
        time.sleep(rng.uniform(0, 0.15))
        ioasidd.kill()
        await_verdict(process)
        ioasidd.start()
        state = ioasidd.lease(lease)["state"]
        holds = "done" in process.output()
        if holds:
            # Who has descriptors is who the lease says.
            assert state == "HELD"
            assert ioasidd.lease(lease)["holders"][-1]["pid"] == process.pid
        seen[f"{state} {holds}"] = seen.get(f"{state} {holds}", 0) + 1
        process.kill()
        if state == "OFFERED":
            ioasidd.ask("lease", "release", lease)
        ioasidd.wait_lease(lease, "ENDED", 30)
        assert_whole(ioasidd, "EDU0", "", ("READY",))
    print(seen)


# --- holders do not notice ---

@pytest.mark.cell("restart")
@pytest.mark.limit(170)
def test_guest_does_not_notice_that_ioasidd_is_killed(
        ioasidd: Ioasidd) -> None:
    """It reads on; the lease has the same holder; its end is seen later."""
    def reads(vmm: Process) -> int:
        found = re.findall(r"L2: read (\d+)", vmm.output())
        return int(found[-1]) if found else 0

    ioasidd.prepare("NVME0")
    with ioasidd.l2("NVME0", loop=True) as vmm:
        vmm.wait_for("L2: read 2")
        name = lease_of(ioasidd, vmm.pid)
        before = ioasidd.lease(name)
        ioasidd.kill()
        count = reads(vmm)
        wait(lambda: reads(vmm) >= count + 3, 30, "L2 reads without ioasidd")
        ioasidd.start()
        after = ioasidd.lease(name)
        assert after["state"] == "HELD"
        assert after["holders"] == before["holders"]
        assert ioasidd.device("NVME0")["state"] == "LEASED"
        count = reads(vmm)
        wait(lambda: reads(vmm) >= count + 3, 30, "L2 reads on")
        assert "read error" not in vmm.output()
        vmm.kill()
        record = ioasidd.wait_lease(name, "ENDED")
        assert record["reclaim"][-1]["act"] == "health"
        assert record["reclaim"][-1]["result"] == "ok"
    assert_whole(ioasidd, "NVME0", "nvme", ("READY",))


def test_holder_that_ends_while_ioasidd_is_down_is_reclaimed_at_its_start(
        ioasidd: Ioasidd) -> None:
    """Also when its pid is somebody else's by then: the start time tells."""
    ioasidd.prepare("EDU0")
    process = holder(ioasidd, "EDU0", "bind")
    lease = lease_of(ioasidd, process.pid)
    ioasidd.kill()
    process.kill()
    ioasidd.start()
    record = ioasidd.wait_lease(lease, "ENDED", 30)
    assert record["endReason"] == "holder ended"
    assert record["reclaim"][-1]["act"] == "health"
    assert_whole(ioasidd, "EDU0", "", ("READY",))


# --- a call into the kernel that does not come back ---

@pytest.mark.limit(120)
def test_kill_ends_ioasidd_at_once_while_an_unbind_is_blocked(
        ioasidd: Ioasidd) -> None:
    """The helper waits in the kernel, and nothing else does."""
    ioasidd.prepare("EDU0")
    bdf = ioasidd.bdf("EDU0")
    parked = os.open(ioasidd.testbed.cdev("EDU0"), os.O_RDWR)
    try:
        point = kill_at_unbind(ioasidd, background(ioasidd, "restore", bdf))
        started = time.monotonic()
        ioasidd.kill()
        took = time.monotonic() - started
        assert took < 5, f"ioasidd took {took:.1f} s to die at {point}"
        helpers = [pid for pid in map(int, filter(str.isdigit,
                                                  os.listdir("/proc")))
                   if comm(pid) == HELPER]
        assert helpers, "no helper waits in the kernel"

        started = time.monotonic()
        ioasidd.start()
        assert time.monotonic() - started < 10, "the start has waited for it"
        device = ioasidd.wait_device("EDU0", "STUCK", LEFT_BEHIND)
        assert "has not come back" in device["stateReason"]
        assert device["stateRemedy"]
        assert ioasidd.refused("device", "recover", bdf).id == "device.stuck"
        # Others are served.
        ioasidd.prepare("EDU1")
    finally:
        os.close(parked)
    wait(lambda: not any(comm(pid) == HELPER for pid in
                         map(int, filter(str.isdigit, os.listdir("/proc")))
                         if alive(pid)), 20, "the helpers have ended")
    ioasidd.ask("device", "recover", bdf)
    state = assert_whole(ioasidd, "EDU0", "")
    if state == "HOST":
        ioasidd.prepare("EDU0")
    process = holder(ioasidd, "EDU0", "bind", "id")
    assert "id: 010000ed" in process.output()


def comm(pid: int) -> str:
    """The name of a process; empty if there is none."""
    try:
        return Path(f"/proc/{pid}/comm").read_text().strip()
    except (FileNotFoundError, ProcessLookupError):
        return ""


def kill_at_unbind(ioasidd: Ioasidd, what: Callable[[], Any]) -> str:
    """Start something; until its unbind has begun and does not end."""
    tail = Tail(ioasidd.log)
    what()
    end = time.monotonic() + 80
    while time.monotonic() < end:
        for line in tail.lines():
            if ": unbind " in line and line.endswith("begins"):
                time.sleep(0.5)
                assert not any(": unbind " in more for more in tail.lines())
                return line
        time.sleep(0.01)
    pytest.fail("no unbind has begun")
    return ""


# --- another boot ---

def edit(ioasidd: Ioasidd, *statements: str) -> None:
    """Change the database of a daemon that is down."""
    with sqlite3.connect(ioasidd.state / "state.db") as db:
        for statement in statements:
            db.execute(statement)
    db.close()


def reboot(ioasidd: Ioasidd) -> None:
    """What was of this boot is of another one."""
    edit(ioasidd, f"UPDATE holder SET boot_id = '{OTHER_BOOT}'",
         f"UPDATE capability SET boot_id = '{OTHER_BOOT}'",
         f"UPDATE device SET stuck_boot_id = '{OTHER_BOOT}' "
         "WHERE stuck_boot_id != ''")


def test_leases_of_another_boot_are_over(ioasidd: Ioasidd) -> None:
    """Whoever has that pid now has nothing to do with it."""
    ioasidd.prepare("EDU0")
    process = holder(ioasidd, "EDU0")
    lease = lease_of(ioasidd, process.pid)
    ioasidd.kill()
    process.kill()
    reboot(ioasidd)
    ioasidd.start()
    record = ioasidd.wait_lease(lease, "ENDED", 10)
    assert record["endReason"] == "the host was restarted"
    # On vfio-pci, as a machine may boot it: it is remembered, so prepared anew.
    device = ioasidd.wait_device("EDU0", "READY", 30)
    assert device["capabilities"]
    assert operations(ioasidd)[0]["kind"] == "prepare"


def test_remembered_device_without_a_driver_is_prepared_again(
        ioasidd: Ioasidd) -> None:
    """As it is after a boot of a device that no driver wants."""
    ioasidd.prepare("EDU0")
    ioasidd.kill()
    reboot(ioasidd)
    # This is what the kernel would do; nothing is to be put back.
    ioasidd.testbed.taken["EDU0"] = ""
    ioasidd.testbed.switch("EDU0", "")
    assert ioasidd.testbed.driver("EDU0") == ""
    ioasidd.start()
    ioasidd.testbed.taken.clear()
    ioasidd.wait_device("EDU0", "READY", 30)
    assert ioasidd.testbed.driver("EDU0") == "vfio-pci"
    ioasidd.restore("EDU0")
    assert_whole(ioasidd, "EDU0", "", ("HOST",))


def test_remembered_device_with_a_host_driver_is_left_alone(
        ioasidd: Ioasidd) -> None:
    """A disk that the host took at boot may be its root by now."""
    ioasidd.prepare("NVME0")
    ioasidd.kill()
    reboot(ioasidd)
    ioasidd.testbed.taken["NVME0"] = "nvme"
    ioasidd.testbed.restore()
    assert ioasidd.testbed.driver("NVME0") == "nvme"
    ioasidd.start()
    time.sleep(1)
    assert_whole(ioasidd, "NVME0", "nvme", ("HOST",))
    assert operations(ioasidd)[0]["kind"] == "prepare"
    assert len(operations(ioasidd)) == 1, "something was done to it"
    # And it can be asked for again.
    ioasidd.prepare("NVME0")
    ioasidd.restore("NVME0")
    assert ioasidd.testbed.driver("NVME0") == "nvme"


def test_vfio_device_that_is_not_remembered_is_foreign(
        stopped: Ioasidd) -> None:
    """Somebody else has put it there."""
    stopped.testbed.switch("EDU0", "vfio-pci")
    stopped.start()
    assert stopped.device("EDU0")["state"] == "FOREIGN"
    assert stopped.refused("prepare", stopped.bdf("EDU0")).id == \
        "device.foreign"
    assert stopped.refused("restore", stopped.bdf("EDU0")).id == \
        "device.not-prepared"
    assert stopped.testbed.driver("EDU0") == "vfio-pci"


# --- the database ---

def test_newer_database_is_refused_with_words(stopped: Ioasidd) -> None:
    """And is not touched."""
    stopped.start()
    stopped.stop()
    edit(stopped, "PRAGMA user_version = 4711")
    before = (stopped.state / "state.db").read_bytes()
    stopped.spawn()
    assert stopped.popen
    status = stopped.popen.wait(80)
    stopped.popen = None
    assert status == 1
    assert "newer" in stopped.log_tail(5) and "4711" in stopped.log_tail(5)
    assert (stopped.state / "state.db").read_bytes() == before


@pytest.fixture(name="small_disk")
def small_disk_fixture(stopped: Ioasidd) -> Iterator[Path]:
    """A state folder on a file system of 1 MiB."""
    stopped.state.mkdir(exist_ok=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m,mode=700", "tmpfs",
                    stopped.state], check=True)
    yield stopped.state
    if stopped.running():
        stopped.kill()
    subprocess.run(["umount", "-l", stopped.state], check=True)


def assert_ends_undurable(stopped: Ioasidd) -> None:
    """It ends by itself, with the status that says so."""
    assert stopped.popen
    status = stopped.popen.wait(80)
    stopped.popen = None
    assert status == EXIT_NOT_DURABLE, stopped.log_tail()


def test_full_disk_ends_ioasidd_and_nothing_is_acknowledged(
        stopped: Ioasidd, small_disk: Path) -> None:
    """An offer that cannot be written is not made."""
    stopped.start()
    stopped.prepare("EDU0")
    made = []
    with open(small_disk / "ballast", "wb", buffering=0) as ballast:
        try:
            while True:
                ballast.write(b"\0" * 4096)
        except OSError as error:
            assert error.errno == errno.ENOSPC
    for _ in range(200):
        done = stopped.ctl("--json", "lease", "create", "--uid", str(NOBODY),
                           stopped.bdf("EDU0"), seconds=30)
        if done.returncode:
            break
        lease = re.search(r"leases/\w+", done.stdout)
        assert lease
        made.append(lease[0])
        if stopped.ctl("lease", "release", lease[0], seconds=30).returncode:
            break
    assert_ends_undurable(stopped)
    (small_disk / "ballast").unlink()
    stopped.start()
    # All that was acknowledged is there, and nothing else.
    names = [lease["name"] for lease in stopped.leases()]
    assert set(made) <= set(names)
    assert len(names) <= len(made) + 1
    ours = stopped.device("EDU0")
    assert ours["state"] in ("READY", "LEASED")


def test_full_disk_ends_ioasidd_before_a_device_is_touched(
        stopped: Ioasidd, small_disk: Path) -> None:
    """Nothing is done that could not be written down first."""
    stopped.start()
    before = stopped.testbed.driver("EDU0")
    # Open files stay writable on a read-only file system: nothing left is as
    # near as it gets to a disk that takes no more.
    with open(small_disk / "ballast", "wb", buffering=0) as ballast:
        try:
            while True:
                ballast.write(b"\0" * 4096)
        except OSError:
            pass
    done = stopped.ctl("prepare", *ALLOWED, stopped.bdf("EDU0"), seconds=60)
    assert done.returncode != 0
    assert_ends_undurable(stopped)
    assert stopped.testbed.driver("EDU0") == before
    assert override(stopped, "EDU0") == ""


def test_read_only_state_folder_is_refused_with_words(
        stopped: Ioasidd, small_disk: Path) -> None:
    """At a start there is somebody to tell."""
    subprocess.run(["mount", "-o", "remount,ro", small_disk], check=True)
    stopped.spawn()
    assert stopped.popen
    status = stopped.popen.wait(80)
    stopped.popen = None
    assert status in (1, EXIT_NOT_DURABLE)
    assert "cannot start: state" in stopped.log_tail() or \
        "state.db" in stopped.log_tail()
    assert device_name(os.environ["EDU0"]) not in stopped.log_tail()
