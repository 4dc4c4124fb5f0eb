"""What the cases of the test machine do to ioasidd, and through it.

A file of cases says

    pytest_plugins = ["ioasid"]

and its tests take the fixture `ioasidd`: a daemon of their own, started, with a
state folder and a socket of its own. After the test, whatever became of it: all
processes that were started through the fixture are killed, the daemon is
stopped, its log is looked through, the devices go back to their drivers. A test
fails if the daemon ended unasked, or if a sanitizer has said a word.

Native speaks the native socket itself, for what ioasidctl would never say, and
Child is a process that does so as another uid.

(PYTEST_DONT_REWRITE: it is imported before pytest could.)
"""

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection, Pipe
from pathlib import Path
from typing import Any

import pytest

TOP = Path(__file__).resolve().parents[3]
sys.path.append(str(TOP / "tests/vm/guest"))

# pylint: disable=wrong-import-position
from manager import Manager  # noqa: E402

BUILD = Path(os.environ.get("IOASID_BUILD", TOP / "build"))
# The contract in Python is a package of this module's own name: it goes on in
# there, so that both can be imported.
sys.path.append(str(BUILD / "tests/pb"))
__path__ = [str(BUILD / "tests/pb/ioasid")]
L2_QEMU = TOP / "tests/vm/l2-qemu"
PROGS = BUILD / "tests/progs"
# Somebody without any privilege, and somebody else.
NOBODY, STRANGER = 65534, 65533
# All that can be given to a driver; those that a machine lacks are skipped.
DEVICES = ("EDU0", "EDU1", "NVME0", "NVME1", "PAIR0", "PAIR1", "BRIDGED0",
           "NET0")
IOMMU = os.environ["IOMMU"]
# Where the interrupts of devices are written to.
MSI = (0x8000000, 0x80fffff) if IOMMU == "smmuv3" else (0xfee00000, 0xfeefffff)
# Whose kernel: ours, or Debian's own, without iommufd. None if it is simulated.
KERNEL_OF = os.environ.get("KERNEL_OF", "")
# QEMU 10's AMD IOMMU: no ports, so edu has no reset; DMA is not translated.
FLAT = IOMMU == "amd" and "EDU0_PORT" not in os.environ
# What preparing takes on this machine: some IOMMUs do not remap interrupts, and
# some machines have none.
ALLOWED = ["--allow-unsafe-interrupts"] * (IOMMU in ("virtio", "amd")) + \
    ["--allow-no-iommu"] * (IOMMU == "none") + \
    ["--allow-no-reset"] * (FLAT or IOMMU == "spapr")
# How much longer than on a quiet host everything may take. A wait that is over
# early costs nothing.
PATIENCE = 4
# How the drivers of IOMMUs say in the kernel's log that they have refused a DMA: of
# which device, if that is said, and where it went.
FAULTS = tuple(map(re.compile, (
    r"DMAR: .*Request device \[(\S+)\] fault addr (0x[0-9a-f]+)",
    r"virtio_iommu.* fault from EP (\d+) at (0x[0-9a-f]+)",
    r"IO_PAGE_FAULT (?:device=(\S+) )?.*address=(0x[0-9a-f]+)",
    r"arm-smmu-v3.* client: (\S+) .*iova: (0x[0-9a-f]+)")))
# What a sanitizer says when it has found something.
REPORT = re.compile(r"ERROR: (Address|Leak|Thread)Sanitizer|"
                    r"WARNING: ThreadSanitizer|runtime error:|"
                    r"ThreadSanitizer:DEADLYSIGNAL")


class Refused(Exception):
    """ioasidctl or the daemon said no; `id` is of the error catalogue."""

    def __init__(self, error: str, words: str, status: int = 1,
                 causes: list[tuple[str, str, str]] | None = None) -> None:
        super().__init__(words)
        self.id, self.words, self.status = error, words, status
        # Kind, name, detail; of what came by the native socket.
        self.causes = causes or []


def wait(condition: Callable[[], Any], seconds: float, what: str) -> Any:
    """Until the condition is true; returns what it returned.

    The seconds are those of a quiet host.
    """
    seconds *= PATIENCE
    end = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        assert time.monotonic() < end, f"not within {seconds} s: {what}"
        time.sleep(0.02)


def alive(pid: int) -> bool:
    """Is there such a process, and is it no zombie?"""
    try:
        words = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False
    return words.rpartition(")")[2].split()[0] not in "ZX"


def faults() -> list[tuple[str, int]]:
    """DMA that was refused since the boot: by device ("01:00.0"), the address."""
    said = subprocess.run(["dmesg"], capture_output=True, text=True,
                          check=True).stdout
    found = []
    for match in (form.search(line) for line in said.splitlines()
                  for form in FAULTS):
        if not match:
            continue
        device = match[1] or ""
        if device.isdigit():
            number = int(device)
            device = f"{number >> 8:02x}:{number >> 3 & 31:02x}.{number & 7}"
        found.append((device[-len("01:00.0"):], int(match[2], 16)))
    return found


def device_name(bdf: str) -> str:
    """0000:3b:00.0 as devices/pci-0000-3b-00.0."""
    return "devices/pci-" + bdf.replace(":", "-")


class Process:
    """A process that a case has started, with its output in a file."""

    def __init__(self, command: list[str], out: Path, **more: Any) -> None:
        self.out = out
        with open(out, "wb") as file:
            # pylint: disable-next=consider-using-with
            self.popen = subprocess.Popen(
                command, stdin=more.pop("stdin", subprocess.DEVNULL),
                stdout=file, stderr=subprocess.STDOUT, **more)
        self.pid = self.popen.pid

    def output(self) -> str:
        """What it has said so far."""
        return self.out.read_text(errors="replace")

    def wait_for(self, words: str, seconds: float = 90) -> None:
        """Until it has said that; it must not end before."""
        seconds *= PATIENCE
        end = time.monotonic() + seconds
        while words not in self.output():
            if self.popen.poll() is not None and words not in self.output():
                pytest.fail(f"ended with {self.popen.returncode} before it "
                            f"said {words!r}:\n{self.output()[-4000:]}")
            if time.monotonic() > end:
                pytest.fail(f"has not said {words!r} within {seconds} s:\n"
                            f"{self.output()[-4000:]}")
            time.sleep(0.05)

    def wait(self, seconds: float = 60) -> int:
        """Until it has ended; its exit status."""
        return self.popen.wait(seconds * PATIENCE)

    def kill(self) -> None:
        """SIGKILL, and it is gone afterwards. It may have ended before."""
        self.popen.kill()
        self.popen.wait(60 * PATIENCE)


class Native:
    """A connection that says what it is told to, as it is.

    Messages are those of the contract; a method is named "Leases/ClaimLease".
    """

    def __init__(self, path: Path, seconds: float = 60 * PATIENCE) -> None:
        # pylint: disable=import-outside-toplevel
        from ioasid.v1 import (  # type: ignore[import-not-found]
            common_pb2, device_pb2, envelope_pb2, lease_pb2, operation_pb2,
            page_table_pb2, space_pb2)
        self.envelope = envelope_pb2.Envelope
        self.messages = {**vars(common_pb2), **vars(device_pb2),
                         **vars(lease_pb2), **vars(operation_pb2),
                         **vars(page_table_pb2), **vars(space_pb2)}
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.sock.settimeout(seconds)
        self.sock.connect(str(path))
        self.number = 0
        self.fds: list[int] = []
        self.hello = self.receive().event.hello

    def close(self) -> None:
        """The connection, and what descriptors came with it."""
        self.sock.close()
        while self.fds:
            os.close(self.fds.pop())

    def send(self, method: str, **fields: Any) -> int:
        """A request; its number."""
        self.number += 1
        name = method.rpartition("/")[2]
        payload = self.messages[f"{name}Request"](**fields)
        packet = self.envelope(id=self.number)
        packet.request.method = f"ioasid.v1.{method}"
        packet.request.payload = payload.SerializeToString()
        self.sock.send(packet.SerializeToString())
        return self.number

    def receive(self, peek: bool = False) -> Any:
        """The next packet; its descriptors go to self.fds."""
        data, fds, flags, _ = socket.recv_fds(
            self.sock, 1 << 19, 65, socket.MSG_PEEK if peek else 0)
        self.fds += fds
        assert data, "the daemon has closed the connection"
        assert not flags & (socket.MSG_TRUNC | socket.MSG_CTRUNC)
        return self.envelope.FromString(data)

    def call(self, method: str, reply: str, **fields: Any) -> Any:
        """A request and its reply; raises Refused."""
        number = self.send(method, **fields)
        answer = self.receive()
        assert answer.id == number, answer
        if answer.WhichOneof("body") == "error":
            raise Refused(answer.error.id, answer.error.message, causes=[
                (one.kind, one.name, one.detail)
                for one in answer.error.causes])
        return self.messages[reply].FromString(answer.reply.payload)


class Child:
    """A forked process of some uid that calls a function, and holds on.

    The function is given this end's counterpart of a pipe; what it returns is
    what heard() gives. Then the process waits to be told something or killed:
    what it has opened stays open.
    """

    def __init__(self, function: Callable[..., Any], *args: Any,
                 uid: int = NOBODY) -> None:
        self.pipe, theirs = Pipe()
        self.pid = os.fork()
        if self.pid == 0:
            self.pipe.close()
            self.become(uid, theirs, function, args)
        theirs.close()

    @staticmethod
    def become(uid: int, pipe: Connection, function: Callable[..., Any],
               args: tuple[Any, ...]) -> None:
        """The child's whole life."""
        try:
            os.setgroups([])
            os.setresgid(uid, uid, uid)
            os.setresuid(uid, uid, uid)
            try:
                pipe.send(("good", function(pipe, *args)))
            except Refused as refusal:
                pipe.send(("refused", (refusal.id, refusal.words)))
            except BaseException:  # pylint: disable=broad-exception-caught
                pipe.send(("bad", traceback.format_exc()))
            pipe.poll(None)
        finally:
            os._exit(0)

    def heard(self, seconds: float = 60) -> Any:
        """What it has sent or returned; raises what it raised as Refused."""
        assert self.pipe.poll(seconds * PATIENCE), f"the child is silent for {seconds} s"
        how, value = self.pipe.recv()
        if how == "refused":
            raise Refused(*value)
        assert how == "good", value
        return value

    def kill(self) -> None:
        """SIGKILL, and it is gone afterwards. Once is enough."""
        if self.pid:
            os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)
            self.pipe.close()
            self.pid = 0


class Ioasidd:
    """A daemon, and ioasidctl in front of it."""

    # What is started, with what options of its own.
    program: tuple[str, ...] = ("ioasidd",)

    def __init__(self, testbed: Any) -> None:
        self.testbed = testbed
        # Not below pytest's own folders: other uids must get to the socket.
        self.folder = Path(tempfile.mkdtemp(prefix="ioasidd-", dir="/run"))
        self.folder.chmod(0o755)
        self.state = self.folder / "state"
        self.socket = self.folder / "ioasidd.sock"
        self.log = self.folder / "ioasidd.log"
        self.env = os.environ | {"IOASIDD_SOCKET": str(self.socket)}
        self.popen: subprocess.Popen[bytes] | None = None
        self.options: tuple[str, ...] = ()
        # Keeps its descriptors over a restart, if there is one.
        self.manager: Manager | None = None
        self.processes: list[Process] = []
        self.children: list[Child] = []
        self.drivers = {name: testbed.driver(name) for name in DEVICES
                        if name in os.environ}

    # --- the daemon itself ---

    @property
    def pid(self) -> int:
        """Of the daemon."""
        assert self.popen, "ioasidd was not started"
        return self.popen.pid

    def spawn(self, *options: str, wrap: tuple[str, ...] = ()) -> None:
        """Start it without waiting: for a daemon that may not get far."""
        assert not self.popen, "one is there already"
        self.options = options
        command = [*wrap, *self.program, "--foreground", "--log-level", "debug",
                   "--state-dir", str(self.state), "--socket",
                   str(self.socket), *options]
        env, fds = dict(self.env), list[int]()
        if self.manager:
            command, fds = self.manager.start(command, env)
        with open(self.log, "ab") as log:
            # pylint: disable-next=consider-using-with
            self.popen = subprocess.Popen(
                command, env=env, stdin=subprocess.DEVNULL, stdout=log,
                stderr=subprocess.STDOUT, pass_fds=fds)

    def start(self, *options: str, wrap: tuple[str, ...] = ()) -> None:
        """Start it, with options beside the usual; it answers afterwards."""
        self.spawn(*options, wrap=wrap)
        wait(lambda: self.answers() or not self.running(), 60,
             "ioasidd answers")
        assert self.running(), \
            f"ioasidd did not start:\n{self.log_tail()}"

    def running(self) -> bool:
        """Has it been started, and not ended?"""
        return self.popen is not None and self.popen.poll() is None

    def answers(self) -> bool:
        """Does its socket take connections, and does it say hello?"""
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as conn:
                conn.settimeout(5 * PATIENCE)
                conn.connect(str(self.socket))
                return len(conn.recv(4096)) > 0
        except OSError:
            return False

    def stop(self) -> None:
        """As a service manager would; it must end well."""
        assert self.popen
        self.popen.terminate()
        status = self.popen.wait(60 * PATIENCE)
        self.popen = None
        assert status == 0, f"ioasidd ended with {status}:\n{self.log_tail()}"

    def kill(self) -> None:
        """kill -9; returns when it is gone."""
        assert self.popen
        self.popen.kill()
        self.popen.wait(60 * PATIENCE)
        self.popen = None

    def restart(self) -> None:
        """kill -9, and start it with the same options."""
        self.kill()
        self.start(*self.options)

    def log_text(self) -> str:
        """All that it has written."""
        return self.log.read_text(errors="replace") if self.log.exists() else ""

    def log_tail(self, lines: int = 60) -> str:
        """The last of it."""
        return "\n".join(self.log_text().splitlines()[-lines:])

    def fds(self) -> list[str]:
        """Its descriptor table: what each descriptor is, sorted.

        Numbers of sockets and pipes differ from one to the next, and a pidfd
        is as good as another.
        """
        table = []
        for entry in os.scandir(f"/proc/{self.pid}/fd"):
            try:
                target = os.readlink(entry.path)
            except FileNotFoundError:
                continue
            table.append(re.sub(r"\[\d+\]$", "", target))
        return sorted(table)

    def quiet_memory(self) -> tuple[int, int]:
        """Memory that is in use, and what is resident, KiB, once the threads of
        what was done have ended.

        The loop and the writer are left; a sanitizer has one, too, and its own
        memory, of which nothing is known here.
        """
        tasks = Path(f"/proc/{self.pid}/task")
        wait(lambda: len(list(tasks.iterdir())) <= 2 or self.sanitizer(), 60,
             "workers end that have nothing to do")
        words = Path(f"/proc/{self.pid}/status").read_text()
        match = re.search(r"^VmRSS:\s+(\d+)", words, re.M)
        assert match
        used = re.findall(r"no work: (\d+) bytes of memory are in use",
                          self.log.read_text(errors="replace"))
        # A sanitizer's daemon is not waited for.
        assert used or self.sanitizer()
        return int(used[-1]) // 1024 if used else 0, int(match[1])

    def sanitizer(self) -> str:
        """The one that it was built with: asan, tsan or an empty string."""
        # Not from its maps: see read_maps() in kernel/holders.c.
        words = Path(f"/proc/{self.pid}/exe").read_bytes()
        match = re.search(rb"lib([at]san)\.so", words)
        return match[1].decode() if match else ""

    # --- ioasidctl ---

    def ctl(self, *args: str, uid: int = 0,
            seconds: float = 120) -> subprocess.CompletedProcess[str]:
        """Run ioasidctl to its end, whatever that is."""
        done = subprocess.run(
            ["ioasidctl", *args], env=self.env, user=uid, group=uid,
            extra_groups=[], text=True, errors="replace", check=False,
            capture_output=True, stdin=subprocess.DEVNULL,
            timeout=seconds * PATIENCE)
        assert not REPORT.search(done.stderr), done.stderr
        return done

    def ask(self, *args: str, uid: int = 0, seconds: float = 120) -> Any:
        """ioasidctl --json: what it printed; raises Refused if it failed."""
        done = self.ctl("--json", *args, uid=uid, seconds=seconds)
        if done.returncode:
            match = re.search(r"\[([a-z-]+\.[a-z-]+)\]", done.stderr)
            raise Refused(match[1] if match else "", done.stderr,
                          done.returncode)
        return json.loads(done.stdout) if done.stdout.strip() else None

    def refused(self, *args: str, uid: int = 0, seconds: float = 120) -> Refused:
        """ioasidctl must fail; what it said."""
        with pytest.raises(Refused) as refusal:
            self.ask(*args, uid=uid, seconds=seconds)
        return refusal.value

    def bdf(self, name: str) -> str:
        """A device by its name in the environment, or its address as it is."""
        return os.environ.get(name, name)

    def prepare(self, name: str, *options: str) -> Any:
        """Prepare the device's group; the operation.

        With what this machine's IOMMU needs to be allowed.
        """
        return self.ask("prepare", *ALLOWED, *options, self.bdf(name))

    def restore(self, name: str) -> Any:
        """And back; the operation."""
        return self.ask("restore", self.bdf(name))

    def device(self, name: str) -> dict[str, Any]:
        """The device, as the contract has it."""
        found: dict[str, Any] = self.ask("device", "show", self.bdf(name))
        return found

    def lease(self, name: str) -> dict[str, Any]:
        """The lease."""
        found: dict[str, Any] = self.ask("lease", "show", name)
        return found

    def leases(self, every: bool = True, uid: int = 0) -> list[dict[str, Any]]:
        """The leases that uid sees; also those that have ended."""
        answer = self.ask("lease", "list", *(["--all"] if every else []),
                          uid=uid)
        return list((answer or {}).get("leases", []))

    def offer(self, *names: str, uid: int = NOBODY, options: tuple[str, ...] = (),
              ) -> str:
        """Offer devices to uid; the lease's name."""
        lease = self.ask("lease", "create", "--uid", str(uid), *options,
                         *(self.bdf(name) for name in names))
        return str(lease["name"])

    def wait_device(self, name: str, state: str,
                    seconds: float = 60) -> dict[str, Any]:
        """Until the device is in that state; the device."""
        def there() -> dict[str, Any] | None:
            device = self.device(name)
            return device if device["state"] == state else None

        found: dict[str, Any] = wait(there, seconds, f"{name} is {state}")
        return found

    def wait_lease(self, name: str, state: str,
                   seconds: float = 60) -> dict[str, Any]:
        """Until the lease is in that state; the lease."""
        def there() -> dict[str, Any] | None:
            lease = self.lease(name)
            return lease if lease["state"] == state else None

        found: dict[str, Any] = wait(there, seconds, f"{name} is {state}")
        return found

    # --- others ---

    def run(self, *command: str | Path, uid: int = 0,
            env: dict[str, str] | None = None, **more: Any) -> Process:
        """Start a program as uid, knowing where the daemon is."""
        out = self.folder / f"out.{len(self.processes)}"
        process = Process([str(word) for word in command], out,
                          env=self.env | (env or {}), user=uid, group=uid,
                          extra_groups=[], **more)
        self.processes.append(process)
        return process

    def native(self) -> Native:
        """A connection of root's."""
        return Native(self.socket)

    def child(self, function: Callable[..., Any], *args: Any,
              uid: int = NOBODY) -> Child:
        """Fork a process of that uid; see Child."""
        child = Child(function, *args, uid=uid)
        self.children.append(child)
        return child

    @contextmanager
    def l2(self, name: str, *options: str, uid: int = NOBODY, loop: bool = False,
           wrap: tuple[str, ...] = ()) -> Iterator[Process]:
        """The second level with that device, as its user would start it.

        The process becomes QEMU: its pid is the holder's (unless wrapped). It
        is killed in the end if it still runs.
        """
        process = self.run(
            *wrap, "ioasidctl", "run", "--device", self.bdf(name), "--uid",
            str(uid), "--gid", str(uid), "--memlock", "1G", "--vmm", "qemu",
            *options, "--", L2_QEMU,
            env={"L2_APPEND": "ioasid.loop=1"} if loop else {})
        try:
            yield process
        finally:
            process.kill()

    # --- the end ---

    def verdict(self) -> str:
        """What is wrong with the daemon as it is now; an empty string: nothing.

        Stops it if it runs.
        """
        wrong = ""
        if self.popen and self.popen.poll() is not None:
            wrong = f"ioasidd ended unasked with {self.popen.returncode}\n"
            self.popen = None
        elif self.popen:
            self.popen.terminate()
            try:
                status = self.popen.wait(60 * PATIENCE)
                if status:
                    wrong = f"ioasidd ended with {status}\n"
            except subprocess.TimeoutExpired:
                wrong = "ioasidd did not end at SIGTERM\n"
                self.popen.kill()
                self.popen.wait(60 * PATIENCE)
            self.popen = None
        match = REPORT.search(self.log_text())
        if match:
            start = max(match.start() - 500, 0)
            wrong += "a sanitizer's report:\n" + \
                self.log_text()[start:match.end() + 6000]
        for process in self.processes:
            if REPORT.search(process.output()):
                wrong += f"in {process.popen.args}:\n{process.output()[:6000]}"
        return wrong

    def put_back(self) -> None:
        """Every device to the driver it had, by hand; no daemon runs."""
        for name, driver in self.drivers.items():
            override = self.testbed.sysfs(name) / "driver_override"
            if self.testbed.driver(name) != driver or \
                    override.read_text().strip() != "(null)":
                self.testbed.taken[name] = driver
        self.testbed.restore()

    def finish(self, name: str) -> None:
        """After the test of that name."""
        for process in self.processes:
            if process.popen.poll() is None:
                process.kill()
        for child in self.children:
            child.kill()
        wrong = self.verdict()
        results = os.environ.get("IOASID_RESULTS")
        if results and self.log.exists():
            shutil.copy(self.log, Path(results) /
                        (re.sub(r"[^\w.-]+", "_", name) + ".ioasidd.log"))
        try:
            self.put_back()
        finally:
            shutil.rmtree(self.folder, ignore_errors=True)
        if wrong:
            pytest.fail(wrong)


@pytest.fixture(name="ioasidd")
def ioasidd_fixture(testbed: Any,
                    request: pytest.FixtureRequest) -> Iterator[Ioasidd]:
    """A daemon of the test's own, started."""
    daemon = Ioasidd(testbed)
    try:
        daemon.start()
        yield daemon
    finally:
        daemon.finish(request.node.name)


@pytest.fixture(name="stopped")
def stopped_fixture(testbed: Any,
                    request: pytest.FixtureRequest) -> Iterator[Ioasidd]:
    """The same, not started yet: for options of the test's own."""
    daemon = Ioasidd(testbed)
    try:
        yield daemon
    finally:
        daemon.finish(request.node.name)


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Iterator[None]:
    """A failed test shows the end of its daemon's log."""
    result = yield
    report = result.get_result()  # type: ignore[attr-defined]
    if report.when != "call" or not report.failed:
        return
    for value in getattr(item, "funcargs", {}).values():
        if isinstance(value, Ioasidd):
            report.sections.append(("ioasidd's log", value.log_tail()))
            for process in value.processes[-3:]:
                report.sections.append((f"output of {process.popen.args}",
                                        process.output()[-3000:]))
