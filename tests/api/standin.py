# SPDX-License-Identifier: Apache-2.0
"""A stand-in for ioasidd: the other end of ioasid-api's link.

It gives ioasid-api connections and answers what is asked on them, by functions
that a test sets; so a test sees what REST makes of a request, and can answer
what no ioasidd would.
"""

import contextlib
import fcntl
import importlib
import os
import pathlib
import re
import socket
import subprocess
import threading
import time
from collections.abc import Callable

from google.protobuf import descriptor_pb2, symbol_database
from google.protobuf.descriptor import MethodDescriptor
from google.protobuf.message import Message
from ioasid.v1 import common_pb2, envelope_pb2, link_pb2

# All files of the contract, whichever there are.
MODULES = [importlib.import_module(f"ioasid.v1.{path.stem}") for path in
           sorted(pathlib.Path(common_pb2.__file__).parent.glob("*_pb2.py"))]

MESSAGE_MAX = 262144
PACKET_MAX = MESSAGE_MAX + 8192
CREDIT = 16

# What a sanitizer says before it gives up.
ALARM = re.compile(r"(ERROR|WARNING): \w+Sanitizer|runtime error:"
                   r"|Assertion .* failed")


def methods() -> dict[str, tuple[type, type]]:
    """Every method of the contract: name -> (request, reply) classes."""
    found = {}
    classes = symbol_database.Default()
    for module in MODULES:
        for service in module.DESCRIPTOR.services_by_name.values():
            for method in service.methods:
                found[f"{service.full_name}/{method.name}"] = (
                    classes.GetPrototype(method.input_type),
                    classes.GetPrototype(method.output_type))
    return found


METHODS = methods()


def streams(method: MethodDescriptor) -> bool:
    """Has it many replies? Descriptors in Python do not say."""
    file = descriptor_pb2.FileDescriptorProto()
    method.containing_service.file.CopyToProto(file)
    return any(one.server_streaming for service in file.service
               for one in service.method
               if f"{file.package}.{service.name}.{one.name}" ==
               method.full_name)


class Refusal(Exception):
    """Raised by a test's function: answered as an error."""

    def __init__(self, error_id: str, **fields: object) -> None:
        super().__init__(error_id)
        self.error = common_pb2.Error(id=error_id, **fields)


class Asked:
    """A request that ioasid-api has passed on."""

    def __init__(self, standin: "Standin", connection: int, number: int,
                 method: str, payload: bytes) -> None:
        self.standin = standin
        self.connection = connection
        self.number = number
        self.method = method
        self.payload = payload
        self.cancelled = threading.Event()
        self.credit = threading.Semaphore(CREDIT)

    def message(self) -> Message:
        """What is asked."""
        return METHODS[self.method][0].FromString(self.payload)

    def answer(self, **body: Message) -> None:
        """Send an Envelope: reply=, error= or item=."""
        self.standin.send(self.connection, envelope=envelope_pb2.Envelope(
            id=self.number, **body).SerializeToString())

    def reply(self, message: Message | bytes = b"") -> None:
        """The answer, or the end of a stream."""
        self.answer(reply=envelope_pb2.Reply(payload=bytes_of(message)))

    def item(self, message: Message | bytes) -> None:
        """One item of a stream."""
        self.answer(item=envelope_pb2.Item(payload=bytes_of(message)))

    def refuse(self, error_id: str, **fields: object) -> None:
        """An error."""
        self.answer(error=common_pb2.Error(id=error_id, **fields))


def bytes_of(message: Message | bytes) -> bytes:
    """A message as it is sent."""
    return message if isinstance(message, bytes) else \
        message.SerializeToString()


class Standin:
    """ioasid-api, and what it believes to be ioasidd."""

    def __init__(self, build: pathlib.Path, folder: pathlib.Path,
                 limits: link_pb2.LinkLimits | None = None,
                 wrapper: tuple[str, ...] = ()) -> None:
        self.log = folder / "log"
        self.sanitizer = b"__asan_init" in \
            (build / "ioasid-api").read_bytes()
        self.link, theirs = socket.socketpair(socket.AF_UNIX,
                                              socket.SOCK_SEQPACKET)
        self.link.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 2 ** 20)
        self.lock = threading.Lock()
        self.last = 0
        self.asked: list[Asked] = []
        self.open: dict[int, Asked] = {}
        self.closed: list[int] = []
        self.certificates: dict[int, link_pb2.LinkCertificate] = {}
        self.configured: list[str] = []
        self.answers: dict[str, Callable[[Asked], None]] = {}
        self.ended = threading.Event()
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(
                [*wrapper, str(build / "ioasid-api"), "--log-level=debug"],
                pass_fds=[3], preexec_fn=lambda: os.dup2(theirs.fileno(), 3),
                stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        theirs.close()
        self.thread = threading.Thread(target=self.listen, daemon=True)
        self.thread.start()
        self.configure(limits or link_pb2.LinkLimits())

    # --- what goes to ioasid-api ---

    def send(self, connection: int, fds: tuple[int, ...] = (),
             **body: object) -> None:
        """One LinkPacket."""
        data = link_pb2.LinkPacket(connection=connection,
                                   **body).SerializeToString()
        with self.lock:
            socket.send_fds(self.link, [data], list(fds))

    def configure(self, limits: link_pb2.LinkLimits | bytes) -> str:
        """Send limits and wait; why they were refused, or ""."""
        return self.configure_files({"limits": bytes_of(limits)})

    def configure_files(self, files: dict[str, bytes]) -> str:
        """Send files and wait; why they were refused, or ""."""
        fds = []
        for name, content in files.items():
            fds.append(os.memfd_create(name, os.MFD_ALLOW_SEALING))
            os.write(fds[-1], content)
            fcntl.fcntl(fds[-1], fcntl.F_ADD_SEALS,
                        fcntl.F_SEAL_SEAL | fcntl.F_SEAL_SHRINK |
                        fcntl.F_SEAL_GROW | fcntl.F_SEAL_WRITE)
        count = len(self.configured)
        self.send(0, tuple(fds), config=link_pb2.LinkConfig(files=list(files)))
        for fd in fds:
            os.close(fd)
        wait_for(lambda: len(self.configured) > count or self.ended.is_set())
        return self.configured[-1]

    def connect(self, tcp: bool = False) -> socket.socket:
        """A client's connection, which ioasid-api has been given."""
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
        ours.settimeout(30)
        theirs.setblocking(False)
        self.last += 1
        self.send(self.last, (theirs.fileno(),),
                  opened=link_pb2.LinkOpened(tcp=tcp, peer="uid 1000"))
        theirs.close()
        return ours

    def close_connection(self, connection: int) -> None:
        """End a connection, as ioasidd may."""
        self.send(connection, closed=link_pb2.LinkClosed(reason="test"))

    # --- what comes from it ---

    def listen(self) -> None:
        """Take what comes, until the end."""
        while True:
            try:
                data = self.link.recv(PACKET_MAX)
            except OSError:
                data = b""
            if not data:
                self.ended.set()
                return
            packet = link_pb2.LinkPacket.FromString(data)
            kind = packet.WhichOneof("body")
            if kind == "envelope":
                self.take(packet.connection,
                          envelope_pb2.Envelope.FromString(packet.envelope))
            elif kind == "closed":
                self.closed.append(packet.connection)
            elif kind == "certificate":
                assert not any(asked.connection == packet.connection
                               for asked in self.asked)
                self.certificates[packet.connection] = packet.certificate
            elif kind == "configured":
                self.configured.append(packet.configured.refused)
            elif kind == "credit":
                asked = self.open.get(packet.credit.id)
                if asked:
                    asked.credit.release(packet.credit.items)

    def take(self, connection: int, envelope: envelope_pb2.Envelope) -> None:
        """A request or its cancelling."""
        if envelope.WhichOneof("body") == "cancel":
            self.open[envelope.id].cancelled.set()
            return
        asked = Asked(self, connection, envelope.id, envelope.request.method,
                      envelope.request.payload)
        self.asked.append(asked)
        self.open[envelope.id] = asked
        function = self.answers.get(asked.method.split("/")[1])
        if function is None:
            asked.reply()
            return
        try:
            function(asked)
        except Refusal as refusal:
            asked.answer(error=refusal.error)

    # --- the process ---

    def proc(self, name: str) -> str:
        """A file of its procfs."""
        with open(f"/proc/{self.process.pid}/{name}",
                  encoding="utf-8") as file:
            return file.read()

    def rss(self) -> int:
        """How much memory it has, KiB."""
        return int(re.search(r"VmRSS:\s+(\d+)", self.proc("status"))[1])

    def fds(self) -> int:
        """How many descriptors it has."""
        return len(os.listdir(f"/proc/{self.process.pid}/fd"))

    def quiet_fds(self) -> int:
        """The same when it has done what it was asked: what configured it may
        be open a little longer than its answer takes."""
        last = -1
        while (now := self.fds()) != last:
            last = now
            time.sleep(0.2)
        return now

    def words(self) -> str:
        """What it has logged."""
        return self.log.read_text(errors="replace")

    def end(self) -> None:
        """Let the link end; it must end well, and have nothing to say."""
        with contextlib.suppress(OSError):
            self.link.shutdown(socket.SHUT_RDWR)
        try:
            assert self.process.wait(30) == 0, self.words()
        finally:
            self.process.kill()
            self.link.close()
        assert not ALARM.search(self.words()), self.words()


def wait_for(what: Callable[[], object], seconds: float = 20) -> None:
    """Wait until something is so."""
    deadline = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < deadline, "it did not come to be"
        time.sleep(0.005)


class Answer:
    """An HTTP answer."""

    def __init__(self, status: int, headers: dict[str, str],
                 body: bytes) -> None:
        self.status = status
        self.headers = headers
        self.body = body


def read_answer(sock: socket.socket, head: bool = False,
                buffered: bytearray | None = None) -> Answer:
    """Read one answer with a Content-Length, and no byte of the next."""
    data = buffered if buffered is not None else bytearray()
    while b"\r\n\r\n" not in data:
        more = sock.recv(65536)
        assert more, f"the connection ended after {bytes(data)!r}"
        data += more
    start, _, rest = bytes(data).partition(b"\r\n\r\n")
    lines = start.decode().split("\r\n")
    headers = {}
    for line in lines[1:]:
        name, _, value = line.partition(":")
        assert name.lower() not in headers, f"twice: {name}"
        headers[name.lower()] = value.strip()
    size = 0 if head else int(headers.get("content-length", 0))
    while len(rest) < size:
        more = sock.recv(65536)
        assert more, "the connection ended within a body"
        rest += more
    data[:] = rest[size:]
    return Answer(int(lines[0].split()[1]), headers, rest[:size])


def ask(sock: socket.socket, verb: str, path: str, body: bytes | str = b"",
        **headers: str) -> Answer:
    """One request on a connection, as a client of good will sends it."""
    body = body if isinstance(body, bytes) else body.encode()
    lines = [f"{verb} {path} HTTP/1.1", "Host: ioasid"]
    if body:
        lines.append(f"Content-Length: {len(body)}")
        headers.setdefault("Content_Type", "application/json")
    lines += [f"{name.replace('_', '-')}: {value}"
              for name, value in headers.items()]
    sock.sendall("\r\n".join(lines).encode() + b"\r\n\r\n" + body)
    return read_answer(sock, verb == "HEAD")


def ended(sock: socket.socket) -> bytes:
    """Read to the end of a connection; what was said."""
    data = b""
    with contextlib.suppress(ConnectionResetError):
        while more := sock.recv(65536):
            data += more
    return data
