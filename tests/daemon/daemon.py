# SPDX-License-Identifier: Apache-2.0
"""The daemon under test, its clients, and other users to be."""

import contextlib
import errno
import os
import pathlib
import pickle
import re
import signal
import socket
import stat
import subprocess
import tempfile
import threading
import time
import traceback

from google.protobuf import symbol_database
from ioasid.v1 import (common_pb2, device_pb2, envelope_pb2, lease_pb2,
                       memory_pb2, operation_pb2, page_table_pb2, policy_pb2,
                       space_pb2,
                       window_pb2)

NOBODY = 65534
MESSAGE_MAX = 262144
PACKET_MAX = MESSAGE_MAX + 4096

# What a sanitizer says before it gives up.
ALARM = re.compile(r"(ERROR|WARNING): \w+Sanitizer|runtime error:"
                   r"|Assertion .* failed")


def methods():
    """Every method that has one reply: name -> (request, reply) classes."""
    found = {}
    classes = symbol_database.Default()
    for module in (common_pb2, device_pb2, lease_pb2, memory_pb2,
                   operation_pb2, page_table_pb2, policy_pb2, space_pb2,
                   window_pb2):
        for service in module.DESCRIPTOR.services_by_name.values():
            for method in service.methods:
                found[f"{service.full_name}/{method.name}"] = (
                    classes.GetPrototype(method.input_type),
                    classes.GetPrototype(method.output_type))
    return found


METHODS = methods()


def method(name):
    """The full name of "Devices/ListDevices"."""
    return name if "." in name else f"ioasid.v1.{name}"


class Refused(Exception):
    """The daemon answered with an error."""

    def __init__(self, error):
        super().__init__(f"{error.id}: {error.message}")
        self.error = error
        self.id = error.id


class Client:
    """One connection that speaks the native socket as it is."""

    def __init__(self, path, hello=True, timeout=60):
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 2 ** 20)
        # Without a timeout yet: with one it would not wait for the backlog.
        self.sock.connect(str(path))
        self.sock.settimeout(timeout)
        self.last_id = 0
        self.hello = self.receive().event.hello if hello else None

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.sock.close()

    def receive(self):
        """The next Envelope; None at the end of the connection."""
        # One byte more than may come, to see what is too long.
        data, fds, flags, _ = socket.recv_fds(self.sock, PACKET_MAX + 1, 65)
        for fd in fds:
            os.close(fd)
        assert not flags & socket.MSG_TRUNC
        assert len(data) <= PACKET_MAX
        assert not fds, "descriptors that nobody asked for"
        return envelope_pb2.Envelope.FromString(data) if data else None

    def send_raw(self, data, fds=()):
        """A packet as it is."""
        if fds:
            assert socket.send_fds(self.sock, [data], fds) == len(data)
        else:
            assert self.sock.send(data) == len(data)

    def next_id(self):
        self.last_id += 1
        return self.last_id

    def send(self, name, payload=b"", request_id=None):
        """A request; returns its id."""
        number = self.next_id() if request_id is None else request_id
        self.send_raw(packet(name, payload, number))
        return number

    def take(self, number=None):
        """The payload of the next reply, which is that request's."""
        answer = self.receive()
        assert answer is not None, "the connection was closed"
        assert number in (None, answer.id)
        if answer.WhichOneof("body") == "error":
            raise Refused(answer.error)
        return answer.reply.payload

    def call_raw(self, name, payload=b""):
        """A request with these bytes; the payload of its reply."""
        return self.take(self.send(name, payload))

    def start(self, called, /, **fields):
        """A request with these fields; result() has its reply, or another's."""
        return self.send(called, METHODS[method(called)][0](
            **fields).SerializeToString())

    def result(self, called, number=None):
        """The message of the next reply."""
        return METHODS[method(called)][1].FromString(self.take(number))

    def call(self, called, /, **fields):
        """A request with these fields; the message of its reply."""
        return self.result(called, self.start(called, **fields))

    def refusal(self, called, /, **fields):
        """The id of the error that a request is answered with."""
        try:
            self.call(called, **fields)
        except Refused as refused:
            return refused.id
        return "ok"


def packet(name, payload=b"", number=1):
    """The bytes of a request."""
    return envelope_pb2.Envelope(
        id=number, request=envelope_pb2.Request(
            method=method(name), payload=payload)).SerializeToString()


class Daemon:
    """The real ioasidd, over its real socket; or ioasidd-sim of a machine."""

    def __init__(self, program, folder, machine=None):
        self.program = program
        self.machine = machine
        self.uid = None
        self.folder = folder
        self.state = folder / "state"
        # A folder of its own that every uid can reach; the path of a socket
        # has 107 bytes, so not deep below pytest's.
        self.run = open_folder()
        self.socket = self.run / "ioasidd.sock"
        self.log = folder / "log"
        self.process = None
        # A service manager, see manager.py.
        self.manager = None

    def command(self, *more):
        return [str(self.program), "--foreground", "--log-level", "info",
                "--state-dir", str(self.state), "--socket", str(self.socket),
                *(["--machine", str(self.machine)] if self.machine else []),
                *more]

    def start(self, *more):
        """Start and wait until it serves."""
        environment = dict(os.environ)
        # What was freed is kept by the address sanitizer, 256 MiB of it.
        environment["ASAN_OPTIONS"] = ":".join(filter(None, (
            environment.get("ASAN_OPTIONS"), "quarantine_size_mb=1")))
        command, fds = self.command(*more), ()
        if self.manager:
            command, fds = self.manager.start(command, environment)
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(
                command, stderr=log, stdout=log, env=environment,
                user=self.uid, group=self.uid, pass_fds=fds,
                extra_groups=None if self.uid is None else [])
        self.wait_until_it_serves()
        self.sanitizer = next(
            (name for name in ("asan", "tsan") if f"lib{name}" in
             self.proc("maps")), "")

    def wait_until_it_serves(self):
        """Its socket is there before anybody listens on it."""
        deadline = time.monotonic() + 60
        while True:
            assert self.process.poll() is None, self.words()
            assert time.monotonic() < deadline, self.words()
            # A reset: a killed one's child, not executed yet, had its socket.
            with contextlib.suppress(FileNotFoundError, ConnectionResetError,
                                     ConnectionRefusedError):
                self.connect().close()
                break
            time.sleep(0.02)

    def words(self):
        """What it logged."""
        return self.log.read_text(errors="replace")

    def stop(self):
        """SIGTERM; it must end well, with the socket gone."""
        self.process.send_signal(signal.SIGTERM)
        assert self.process.wait(60) == 0, self.words()
        self.process = None
        assert not ALARM.search(self.words()), self.words()
        assert not self.socket.exists()
        self.run.rmdir()

    def kill(self):
        """SIGKILL, if it runs."""
        if self.process:
            self.process.kill()
            self.process.wait()
            self.process = None

    def connect(self, **options):
        return Client(self.socket, **options)

    def proc(self, name):
        with open(f"/proc/{self.process.pid}/{name}",
                  encoding="utf-8") as file:
            return file.read()

    def fds(self):
        """How many descriptors it has."""
        return len(os.listdir(f"/proc/{self.process.pid}/fd"))

    def rss(self):
        """How much memory it has, KiB."""
        return int(re.search(r"VmRSS:\s+(\d+)", self.proc("status"))[1])

    def measure(self):
        """What it has now, once nobody is connected."""
        time.sleep(0.05)
        return self.fds(), self.rss()

    def settle(self, before, allow=8192):
        """Wait until it has no more than before.

        What a flood has used once malloc keeps: 4.1 MiB after the first, and
        the same after five more, seen on glibc 2.36. So it may have that much.
        """
        fds, rss = before
        if self.sanitizer:
            allow = {"asan": 65536, "tsan": 1 << 30}[self.sanitizer]
        deadline = time.monotonic() + 10
        while self.fds() > fds or self.rss() > rss + allow:
            assert self.process.poll() is None, self.words()
            assert time.monotonic() < deadline, \
                f"descriptors {fds} -> {self.fds()}, " \
                f"RSS {rss} -> {self.rss()} KiB"
            time.sleep(0.05)
        assert not ALARM.search(self.words()), self.words()

    @contextlib.contextmanager
    def others_served(self, slowest=3.0):
        """Another client asks all the time and must not wait long."""
        if self.sanitizer:
            slowest *= 5
        times, trouble, over = [], [], threading.Event()

        def ask():
            try:
                with self.connect() as other:
                    while not over.is_set():
                        begun = time.monotonic()
                        other.call("Devices/ListDevices")
                        times.append(time.monotonic() - begun)
                        time.sleep(0.005)
            except BaseException as error:  # for the test to see
                trouble.append(error)

        thread = threading.Thread(target=ask)
        thread.start()
        try:
            yield
            # Not one of those that were over before the trouble began.
            enough = len(times) + 5
            deadline = time.monotonic() + 30
            while len(times) < enough and not trouble:
                assert time.monotonic() < deadline, "nobody is served"
                time.sleep(0.01)
        finally:
            over.set()
            thread.join()
        assert not trouble, trouble
        assert max(times) < slowest, f"waited {max(times)} s"


def open_folder():
    """A folder right below /tmp that everybody can look into."""
    folder = pathlib.Path(tempfile.mkdtemp(prefix="ioasidd-"))
    folder.chmod(0o755)
    assert stat.S_IMODE(folder.stat().st_mode) == 0o755
    return folder


def child(function, *arguments, uid=NOBODY):
    """Call a function in a child, as another user; its result."""
    read_end, write_end = os.pipe()
    pid = os.fork()
    if pid == 0:
        status = 1
        try:
            os.close(read_end)
            os.setgroups([])
            os.setresgid(uid, uid, uid)
            os.setresuid(uid, uid, uid)
            try:
                result = (True, function(*arguments))
                status = 0
            except BaseException:  # the parent raises it
                result = (False, traceback.format_exc())
            with os.fdopen(write_end, "wb") as out:
                pickle.dump(result, out)
        finally:
            os._exit(status)
    os.close(write_end)
    with os.fdopen(read_end, "rb") as data:
        result = data.read()
    _, status = os.waitpid(pid, 0)
    assert result, f"the child ended with status {status}"
    good, value = pickle.loads(result)
    assert good, value
    return value


def ended(client, timeout=30):
    """Wait for the end of a connection; what was said before it."""
    said = []
    client.sock.settimeout(timeout)
    while True:
        try:
            answer = client.receive()
        except OSError as error:
            assert error.errno in (errno.ECONNRESET, errno.EPIPE), error
            return said
        if answer is None:
            return said
        said.append(answer)
