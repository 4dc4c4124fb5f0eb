# SPDX-License-Identifier: Apache-2.0
"""The server side of TLS alone (tls-peer.c), and clients for it."""

import contextlib
import pathlib
import queue
import re
import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Iterator

GOOD = "server.pem server-key.pem ca.pem revoked.pem"

# What a sanitizer says before it gives up.
ALARM = re.compile(r"(ERROR|WARNING): \w+Sanitizer|runtime error:"
                   r"|Assertion .* failed")


def make_pki(root: pathlib.Path, folder: pathlib.Path, *more: str) -> None:
    """Make the certificates of pki.sh."""
    subprocess.run([root / "tests" / "api" / "pki.sh", folder, *more],
                   check=True)


class TlsPeer:
    """tls-peer: its lines, and how it does."""

    def __init__(self, build: pathlib.Path, pki: pathlib.Path,
                 log: pathlib.Path, handshake_ms: int = 10000,
                 stuck_ms: int = 10000, wrapper: tuple[str, ...] = (),
                 env: dict[str, str] | None = None) -> None:
        self.pki = pki
        self.log = log
        with open(log, "ab") as errors:
            self.process = subprocess.Popen(
                [*wrapper, build / "tests" / "api" / "tls-peer", pki,
                 str(handshake_ms), str(stuck_ms)], stdin=subprocess.PIPE,
                stdout=subprocess.PIPE, stderr=errors, text=True, env=env)
        self.lines: queue.Queue[str] = queue.Queue()
        self.passed: list[str] = []
        threading.Thread(target=self.pump, daemon=True).start()
        self.port = int(self.line())
        assert self.use(GOOD) == "used"

    def pump(self) -> None:
        """Take its lines."""
        for line in self.process.stdout:
            self.lines.put(line.rstrip("\n"))

    def line(self, timeout: float = 20) -> str:
        """The next line."""
        return self.lines.get(timeout=timeout)

    def until(self, start: str, timeout: float = 20) -> str:
        """The next line that starts so; those before it are passed over."""
        while not (line := self.line(timeout)).startswith(start):
            self.passed.append(line)
        return line

    def tell(self, line: str) -> None:
        """Give it a line."""
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()

    def use(self, files: str) -> str:
        """Give it other credentials; what it says of them."""
        self.tell(f"use {files}")
        while not (line := self.line()).startswith(("used", "refused")):
            self.passed.append(line)
        return line

    def count(self) -> tuple[int, int]:
        """Its descriptors, and bytes of its heap."""
        self.tell("count")
        _, fds, heap = self.until("count").split()
        return int(fds), int(heap)

    def rss(self) -> int:
        """Its resident memory, bytes."""
        text = pathlib.Path(
            f"/proc/{self.process.pid}/status").read_text()
        return int(re.search(r"VmRSS:\s+(\d+)", text)[1]) * 1024

    def context(self, name: str | None = "client",
                alpn: list[str] | None = None) -> ssl.SSLContext:
        """A client's, with a certificate of the folder or with none."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        # Weak keys are for the server to refuse.
        context.set_ciphers("DEFAULT:@SECLEVEL=0")
        context.load_verify_locations(self.pki / "ca.pem")
        if name:
            context.load_cert_chain(self.pki / f"{name}.pem",
                                    self.pki / f"{name}-key.pem")
        context.set_alpn_protocols(alpn or ["http/1.1"])
        return context

    def tcp(self) -> socket.socket:
        """A connection without TLS."""
        return socket.create_connection(("127.0.0.1", self.port), timeout=20)

    def connect(self, name: str | None = "client",
                alpn: list[str] | None = None) -> ssl.SSLSocket:
        """A client that has shaken hands, as far as it knows."""
        return self.context(name, alpn).wrap_socket(
            self.tcp(), server_hostname="localhost")

    def refusal(self, name: str | None = "client",
                alpn: list[str] | None = None) -> tuple[str, str]:
        """The alert that a client gets, and what the server says."""
        alert = "none"
        try:
            with self.connect(name, alpn) as client:
                client.sendall(b"GET / HTTP/1.1\r\n\r\n")
                alert = f"none, but {client.recv(100)!r}"
        except ssl.SSLError as error:
            # Python has no name for some.
            alert = error.reason or str(error)
        return alert, self.until("failed").split(" ", 2)[2]

    def end(self) -> None:
        """It must end well, with every descriptor closed."""
        self.process.stdin.close()
        assert self.process.wait(30) == 0, self.log.read_text()
        assert not ALARM.search(self.log.read_text()), self.log.read_text()


@contextlib.contextmanager
def tls_peer(*args: object, **kwargs: object) -> Iterator[TlsPeer]:
    """A peer that must end well."""
    one = TlsPeer(*args, **kwargs)
    try:
        yield one
        one.end()
    finally:
        one.process.kill()


def soon(what: str, check, seconds: float = 10) -> None:
    """Wait until something is so."""
    end = time.monotonic() + seconds
    while not check():
        assert time.monotonic() < end, what
        time.sleep(0.02)
