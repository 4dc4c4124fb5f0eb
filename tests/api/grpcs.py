# SPDX-License-Identifier: Apache-2.0
"""grpc-peer under test, gRPC's own messages, and HTTP/2 made by hand."""

import os
import pathlib
import signal
import socket
import struct
import subprocess
import time

import grpc
from conftest import BUILD

# gRPC's own services as we declare them; grpcio has a package of that name.
grpc.__path__.append(str(BUILD / "tests" / "grpc-pb" / "grpc"))

UNARY = "/ioasid.test.v1.Things/GetThing"
STREAM = "/ioasid.test.v1.Things/ListThings"

SANITIZED = "asan" in BUILD.name or "tsan" in BUILD.name

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"

DATA, HEADERS, PRIORITY, RST, SETTINGS, PUSH, PING, GOAWAY, WINDOW, \
    CONTINUATION = range(10)
END_STREAM, ACK, END_HEADERS = 1, 1, 4


class Server:
    """A grpc-peer of its own."""

    def __init__(self, folder: pathlib.Path, *limits: str,
                 contract: str = "everything") -> None:
        self.path = folder / "grpc.sock"
        self.path.unlink(missing_ok=True)
        self.process = subprocess.Popen(
            [BUILD / "tests" / "api" / "grpc-peer", contract, self.path,
             *limits], stdout=subprocess.PIPE,
            env={**os.environ, "ASAN_OPTIONS": "quarantine_size_mb=1"})
        assert self.process.stdout.readline() == b"ready\n"

    def channel(self, **options: int) -> grpc.Channel:
        """A channel of grpcio's, with a connection of its own."""
        return grpc.insecure_channel(
            f"unix:{self.path}",
            [("grpc.use_local_subchannel_pool", 1)]
            + [(f"grpc.{name}", value) for name, value in options.items()])

    def counts(self) -> dict[str, int]:
        """What the fake link has seen."""
        with self.channel() as channel:
            text = channel.unary_unary(UNARY)(b"counts", timeout=30)
        return {name: int(value) for name, value in
                (pair.split("=") for pair in text.decode().split())}

    def kib(self, field: str = "VmRSS") -> int:
        """What of it is in memory, KiB."""
        status = pathlib.Path(f"/proc/{self.process.pid}/status").read_text()
        return int(status.split(f"{field}:")[1].split()[0])

    def forget_peak(self) -> None:
        """Let peak_kib() begin anew (proc(5), clear_refs)."""
        pathlib.Path(f"/proc/{self.process.pid}/clear_refs").write_text("5")

    def peak_kib(self) -> int:
        """The most that was in memory since, KiB."""
        return self.kib("VmHWM")

    def cpu(self) -> float:
        """CPU time that it has used, seconds."""
        fields = pathlib.Path(
            f"/proc/{self.process.pid}/schedstat").read_text().split()
        return int(fields[0]) / 1e9

    def descriptors(self) -> int:
        """How many it has open."""
        return len(os.listdir(f"/proc/{self.process.pid}/fd"))

    def descriptors_settle(self, most: int) -> int:
        """Wait until so many are open at most; the last count seen."""
        end = time.monotonic() + 20
        while (seen := self.descriptors()) > most and time.monotonic() < end:
            time.sleep(0.02)
        return seen

    def settles(self, what: str, value: int) -> int:
        """Wait until a count is as it should be; the last one seen."""
        end = time.monotonic() + 20
        while (seen := self.counts()[what]) != value and \
                time.monotonic() < end:
            time.sleep(0.02)
        return seen

    def stop(self) -> int:
        """Its exit status; not 0 if it has leaked under a sanitizer."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(60)


def frame(kind: int, flags: int, stream: int, payload: bytes = b"") -> bytes:
    """A frame."""
    return struct.pack(">I", len(payload))[1:] + \
        struct.pack(">BBI", kind, flags, stream) + payload


def literal(name: str, value: str) -> bytes:
    """A header for HPACK: literal, not indexed, not compressed."""
    return b"\0" + b"".join(
        integer(len(one)) + one for one in (name.encode(), value.encode()))


def integer(number: int) -> bytes:
    """A number of HPACK with a prefix of 7 bits."""
    if number < 127:
        return bytes([number])
    out, number = b"\x7f", number - 127
    while number > 127:
        out, number = out + bytes([number & 127 | 128]), number >> 7
    return out + bytes([number])


def headers(method: str = "POST", path: str = UNARY,
            kind: str = "application/grpc", te: str = "trailers",
            **more: str) -> bytes:
    """Those of a call; an empty one is left out."""
    pairs = {":method": method, ":scheme": "http", ":path": path,
             ":authority": "localhost", "content-type": kind, "te": te,
             **{name.replace("_", "-"): value for name, value in more.items()}}
    return b"".join(literal(name, value) for name, value in pairs.items()
                    if value)


def message(payload: bytes, flag: int = 0) -> bytes:
    """A message with its five bytes."""
    return struct.pack(">BI", flag, len(payload)) + payload


class Raw:
    """A connection that speaks HTTP/2 by hand, and keeps no rule."""

    def __init__(self, server: Server, preface: bytes = PREFACE,
                 settings: bytes | None = b"") -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.connect(str(server.path))
        self.sock.settimeout(30)
        self.buffer = b""
        self.sock.sendall(preface)
        if settings is not None:
            self.send(frame(SETTINGS, 0, 0, settings))

    def __enter__(self) -> "Raw":
        return self

    def __exit__(self, *_: object) -> None:
        self.sock.close()

    def send(self, data: bytes) -> bool:
        """Send it; False if the connection has been closed."""
        try:
            self.sock.sendall(data)
        except (BrokenPipeError, ConnectionResetError):
            return False
        return True

    def call(self, stream: int, payload: bytes | None = b"echo",
             head: bytes | None = None, end: bool = True) -> bool:
        """Begin a call; without a payload, only its headers."""
        done = payload is None and end
        data = frame(HEADERS, END_HEADERS | (END_STREAM if done else 0),
                     stream, headers() if head is None else head)
        if payload is not None:
            body = message(payload)
            while len(body) > 16384:
                data += frame(DATA, 0, stream, body[:16384])
                body = body[16384:]
            data += frame(DATA, END_STREAM if end else 0, stream, body)
        return self.send(data)

    def receive(self) -> tuple[int, int, int, bytes] | None:
        """The next frame: kind, flags, stream, payload; None at the end."""
        while len(self.buffer) < 9 or len(self.buffer) < 9 + self.length():
            try:
                more = self.sock.recv(65536)
            except ConnectionResetError:
                more = b""
            if not more:
                return None
            self.buffer += more
        size = self.length()
        kind, flags, stream = struct.unpack(">BBI", self.buffer[3:9])
        payload = self.buffer[9:9 + size]
        self.buffer = self.buffer[9 + size:]
        return kind, flags, stream, payload

    def length(self) -> int:
        """Of the frame that the buffer begins with."""
        return struct.unpack(">I", b"\0" + self.buffer[:3])[0]

    def until(self, kind: int, stream: int | None = None) \
            -> tuple[int, int, int, bytes] | None:
        """The next frame of a kind; None if the connection ends before."""
        while (one := self.receive()) is not None:
            if one[0] == kind and stream in (None, one[2]):
                return one
        return None

    def all(self) -> list[tuple[int, int, int, bytes]]:
        """All frames until the connection is closed."""
        return list(iter(self.receive, None))

    def goaway(self) -> int | None:
        """The code of the GOAWAY before the end; None if there is none."""
        found = [one for one in self.all() if one[0] == GOAWAY]
        return struct.unpack(">I", found[-1][3][4:8])[0] if found else None
