# SPDX-License-Identifier: Apache-2.0
"""What ioasid-api is, while it serves: a process that owns nothing.

Seen from outside, in /proc and with strace, and not asked of it.
"""

import collections
import os
import pathlib
import re
import subprocess
import threading
import time
from collections.abc import Iterator

import pytest
from surfaces import BUILD, CONTRACT, Grpc, Rest, RestElsewhere
from machine import Machine, wait
from story import EDU, NVME, OTHER_EDU, name
from test_kill import api_pid

SANITIZED = "asan" in BUILD.name or "tsan" in BUILD.name

# What opens, makes or becomes something. strace tells of calls that fail, too.
NEVER = re.compile(
    r"^(open|openat|openat2|open_by_handle_at|creat|socket|connect|bind|listen"
    r"|accept4?|execve|execveat|fork|vfork|clone3?|ptrace|ioctl|mount|unshare"
    r"|setns|pidfd_\w+|bpf|io_uring_\w+|process_vm_\w+|memfd_create|mknod\w*"
    r"|set\w*[ug]id\w*|capset|kill|unlink\w*|rename\w*|chmod|fchmod\w*)$")


@pytest.fixture(scope="module")
def machine(tmp_path_factory) -> Iterator[Machine]:
    """A simulated machine with a daemon."""
    one = Machine(BUILD, tmp_path_factory.mktemp("sandbox"))
    one.start()
    try:
        wait(lambda: api_pid(one) and
             status(api_pid(one))["NoNewPrivs"] == "1", "ioasid-api serves")
        surface = Rest(one.run)
        surface.call("Host/GetVersion", CONTRACT["Host/GetVersion"].request())
        surface.close()
        yield one
        one.end()
    finally:
        one.kill()


def status(pid: int) -> dict[str, str]:
    """/proc/PID/status."""
    lines = pathlib.Path(f"/proc/{pid}/status").read_text().splitlines()
    return {key: " ".join(value.split()) for key, _, value in
            (line.partition(":") for line in lines)}


def descriptors(pid: int) -> collections.Counter[str]:
    """What a process has open, with inode numbers taken out."""
    found = []
    for link in pathlib.Path(f"/proc/{pid}/fd").iterdir():
        try:
            found.append(re.sub(r"\[\d+\]", "", os.readlink(link)))
        except FileNotFoundError:
            pass
    return collections.Counter(found)


class Load:
    """Calls of all kinds over REST and gRPC, until it is told to stop."""

    def __init__(self, machine: Machine) -> None:
        self.over = threading.Event()
        self.calls = 0
        self.trouble: list[BaseException] = []
        self.surfaces = [kind(machine.run)
                         for kind in (Rest, RestElsewhere, Grpc)]
        self.threads = [threading.Thread(target=self.run, args=pair)
                        for pair in zip(self.surfaces, (EDU, OTHER_EDU, NVME))]

    def __enter__(self) -> "Load":
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.over.set()
        for thread in self.threads:
            thread.join()
        for surface in self.surfaces:
            surface.close()
        assert not self.trouble, self.trouble

    def run(self, surface: Rest | Grpc, bdf: str) -> None:
        """Reads, changes, refusals and a watch, over and over."""
        def ask(method: str, good: bool = True, **fields: object) -> object:
            outcome = surface.call(
                method, CONTRACT[method].request(**fields),
                fields.get("revision", 0) + 1)
            assert bool(outcome.replies) == good, outcome
            self.calls += 1
            return outcome.replies[0] if good else None

        try:
            while not self.over.is_set():
                revision = ask("Host/GetVersion").revision
                ask("Devices/ListDevices", all=True)
                ask("Devices/GetDevice", False, name=name("0000:ff:00.0"))
                op = ask("Devices/PrepareDevice", name=name(bdf))
                ask("Operations/WaitOperation", name=op.name)
                ask("Events/WatchEvents", revision=revision)
                lease = ask("Leases/CreateLease", devices=[name(bdf)],
                            claimant={"uid": 0})
                ask("Leases/ReleaseLease", name=lease.name)
                op = ask("Devices/RestoreDevice", name=name(bdf))
                ask("Operations/WaitOperation", name=op.name)
        except BaseException as error:  # for the test to see
            self.trouble.append(error)

    def until(self, calls: int) -> None:
        """Until there were so many more calls."""
        enough = self.calls + calls
        wait(lambda: self.calls >= enough or self.trouble, "calls", 60)


def test_it_has_no_privilege(machine: Machine) -> None:
    """No capability, and no way to one; a uid of its own."""
    said = status(api_pid(machine))
    for which in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"):
        assert int(said[which], 16) == 0, which
    assert said["NoNewPrivs"] == "1"
    # The sanitizers open files when they have something to say.
    assert said["Seccomp"] == ("0" if SANITIZED else "2")
    assert said["Groups"] == ""
    uids, gids = set(said["Uid"].split()), set(said["Gid"].split())
    assert len(uids) == 1 and len(gids) == 1
    assert "0" not in uids | gids
    assert uids != set(status(machine.process.pid)["Uid"].split())


@pytest.mark.slow
def test_it_has_the_descriptors_that_it_needs(machine: Machine) -> None:
    """The link and its clients, what waits for them, a log: no device, no
    iommufd, no database, none of ioasidd's own."""
    def alone() -> collections.Counter[str] | None:
        """Whoever asked before may not be closed yet."""
        now = descriptors(api_pid(machine))
        return now if now["socket:"] == 1 else None

    idle = wait(alone, "there is the link alone")
    log = str(machine.log)
    with Load(machine) as load:
        load.until(50)
        seen = [descriptors(api_pid(machine)) for _ in range(200)]
    for one in [idle, *seen]:
        unknown = set(one) - {"/dev/null", log, "socket:",
                              "anon_inode:[eventpoll]",
                              "anon_inode:[eventfd]",
                              "anon_inode:[timerfd]"}
        assert not unknown, unknown
        assert one["/dev/null"] == 2 and one[log] == 1
    # A watch over REST has a connection of its own, as each surface has.
    most = max(one["socket:"] for one in seen)
    assert 2 <= most <= 1 + 2 * len(load.surfaces)
    wait(lambda: descriptors(api_pid(machine)) == idle,
         "what was opened for clients is closed")


def trace(pid: int, out: pathlib.Path, machine: Machine) -> int:
    """strace of a process while it serves; how many calls it served."""
    strace = subprocess.Popen(
        ["strace", "-f", "-qq", "-o", out, "-p", str(pid)],
        stderr=subprocess.PIPE, text=True)
    try:
        def attached() -> bool:
            assert strace.poll() is None, \
                f"strace cannot attach: {strace.stderr.read().strip()}. " \
                f"This needs ptrace: run as root with CAP_SYS_PTRACE, with " \
                f"kernel.yama.ptrace_scope below 3, and in a container with " \
                f"--cap-add=SYS_PTRACE"
            return status(pid)["TracerPid"] == str(strace.pid)

        wait(attached, "strace is attached")
        with Load(machine) as load:
            load.until(200)
    finally:
        strace.terminate()
        strace.wait(30)
    return load.calls


def test_it_opens_nothing_while_it_serves(machine: Machine,
                                          tmp_path: pathlib.Path) -> None:
    """strace sees what it does: bytes to and fro."""
    pid, out = api_pid(machine), tmp_path / "strace"
    calls = trace(pid, out, machine)
    names = collections.Counter(re.findall(
        r"^\d+ +(?:<\.\.\. )?(\w+)(?:\(| resumed)", out.read_text(), re.M))
    print(f"{calls} calls, {sum(names.values())} system calls: "
          f"{', '.join(f'{one} {n}' for one, n in names.most_common())}")
    # Else it is strace that has seen nothing.
    assert names["epoll_wait"] + names["epoll_pwait"] > 0
    assert names["recvmsg"] > 0
    found = [one for one in names if NEVER.match(one)]
    assert not found, [line for line in out.read_text().splitlines()
                       if any(one in line for one in found)][:20]
    assert api_pid(machine) == pid, "it was started anew"
