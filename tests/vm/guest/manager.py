# SPDX-License-Identifier: Apache-2.0
"""A service manager that keeps descriptors, as systemd does.

What it is told and given: sd_notify(3), FDSTORE and BARRIER; how it gives back:
sd_listen_fds(3).
"""

import contextlib
import fcntl
import os
import shutil
import socket
import threading
from pathlib import Path

# Where descriptors wait for a start, out of the way of 3 and on.
HIGH = 200


class Manager:
    """Keeps what it is given, by name, until it is told to drop it."""

    def __init__(self, folder: Path, room: int = 512) -> None:
        self.path = folder / "notify"
        self.room = room
        self.kept: dict[str, int] = {}
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.sock.bind(str(self.path))
        self.path.chmod(0o666)
        self.thread = threading.Thread(target=self.listen)
        self.thread.start()

    def listen(self) -> None:
        """Take messages until one is empty."""
        while True:
            data, fds, _, _ = socket.recv_fds(self.sock, 4096, 64)
            if not data:
                break
            said = dict(line.partition("=")[::2]
                        for line in data.decode().splitlines())
            name = said.get("FDNAME", "")
            if said.get("FDSTORE") == "1" and len(self.kept) < self.room:
                assert name not in self.kept, "a second one of that name"
                self.kept[name] = fcntl.fcntl(fds[0],
                                              fcntl.F_DUPFD_CLOEXEC, HIGH)
            if said.get("FDSTOREREMOVE") == "1" and name in self.kept:
                os.close(self.kept.pop(name))
            # The barrier's, too: its end says that we have come so far.
            for fd in fds:
                os.close(fd)

    def start(self, command: list[str],
              environment: dict[str, str]) -> tuple[list[str], list[int]]:
        """A command and descriptors that make a process have what is kept."""
        names, fds = list(self.kept), list(self.kept.values())
        moves = " ".join(f"{3 + i}<&{fd}" for i, fd in enumerate(fds))
        environment.update({
            "NOTIFY_SOCKET": str(self.path), "FDSTORE": str(self.room),
            "LISTEN_FDS": str(len(fds)), "LISTEN_FDNAMES": ":".join(names)})
        bash = shutil.which("bash")
        assert bash
        return [bash, "-c", f'export LISTEN_PID=$$; exec "$@" {moves}', "bash",
                *command], fds

    def end(self) -> None:
        """Drop all."""
        with contextlib.suppress(OSError):
            self.sock.shutdown(socket.SHUT_RDWR)
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as last:
            with contextlib.suppress(OSError):
                last.sendto(b"", str(self.path))
        self.thread.join(10)
        self.sock.close()
        while self.kept:
            os.close(self.kept.popitem()[1])
