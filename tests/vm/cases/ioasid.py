"""What the cases of the test machine do to ioasidd, and through it.

A file of cases says

    pytest_plugins = ["ioasid"]

and its tests take the fixture `ioasidd`: a daemon of their own, started, with a
state folder and a socket of its own. After the test, whatever became of it: all
processes that were started through the fixture are killed, the daemon is
stopped, its log is looked through, the devices go back to their drivers. A test
fails if the daemon ended unasked, or if a sanitizer has said a word.
"""

import json
import os
import re
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

TOP = Path("/opt/ioasidd")
L2_QEMU = TOP / "tests/vm/l2-qemu"
PROGS = TOP / "build/tests/progs"
# Somebody without any privilege, and somebody else.
NOBODY, STRANGER = 65534, 65533
# All that can be given to a driver; those that a machine lacks are skipped.
DEVICES = ("EDU0", "EDU1", "NVME0", "NVME1", "PAIR0", "PAIR1", "BRIDGED0",
           "NET0")
# What a sanitizer says when it has found something.
REPORT = re.compile(r"ERROR: (Address|Leak|Thread)Sanitizer|"
                    r"WARNING: ThreadSanitizer|runtime error:|"
                    r"ThreadSanitizer:DEADLYSIGNAL")


class Refused(Exception):
    """ioasidctl or the daemon said no; `id` is of the error catalogue."""

    def __init__(self, error: str, words: str, status: int = 1) -> None:
        super().__init__(words)
        self.id, self.words, self.status = error, words, status


def wait(condition: Callable[[], Any], seconds: float, what: str) -> Any:
    """Until the condition is true; returns what it returned."""
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
        return self.popen.wait(seconds)

    def kill(self) -> None:
        """SIGKILL, and it is gone afterwards. It may have ended before."""
        self.popen.kill()
        self.popen.wait(60)


class Ioasidd:
    """A daemon, and ioasidctl in front of it."""

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
        self.processes: list[Process] = []
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
        with open(self.log, "ab") as log:
            # pylint: disable-next=consider-using-with
            self.popen = subprocess.Popen(
                [*wrap, "ioasidd", "--foreground", "--log-level", "debug",
                 "--state-dir", str(self.state), "--socket", str(self.socket),
                 *options],
                env=self.env, stdin=subprocess.DEVNULL, stdout=log,
                stderr=subprocess.STDOUT)

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
                conn.settimeout(5)
                conn.connect(str(self.socket))
                return len(conn.recv(4096)) > 0
        except OSError:
            return False

    def stop(self) -> None:
        """As a service manager would; it must end well."""
        assert self.popen
        self.popen.terminate()
        status = self.popen.wait(60)
        self.popen = None
        assert status == 0, f"ioasidd ended with {status}:\n{self.log_tail()}"

    def kill(self) -> None:
        """kill -9; returns when it is gone."""
        assert self.popen
        self.popen.kill()
        self.popen.wait(60)
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

    def rss(self) -> int:
        """Resident memory of its own, without files' pages, KiB."""
        words = Path(f"/proc/{self.pid}/status").read_text()
        match = re.search(r"^RssAnon:\s+(\d+)", words, re.M)
        assert match
        return int(match[1])

    # --- ioasidctl ---

    def ctl(self, *args: str, uid: int = 0,
            seconds: float = 120) -> subprocess.CompletedProcess[str]:
        """Run ioasidctl to its end, whatever that is."""
        done = subprocess.run(
            ["ioasidctl", *args], env=self.env, user=uid, group=uid,
            extra_groups=[], text=True, errors="replace", check=False,
            capture_output=True, stdin=subprocess.DEVNULL, timeout=seconds)
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
        """Prepare the device's group; the operation."""
        return self.ask("prepare", *options, self.bdf(name))

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
                status = self.popen.wait(60)
                if status:
                    wrong = f"ioasidd ended with {status}\n"
            except subprocess.TimeoutExpired:
                wrong = "ioasidd did not end within 60 s of SIGTERM\n"
                self.popen.kill()
                self.popen.wait(60)
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
