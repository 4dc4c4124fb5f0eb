"""A hold lease and who has had it, for cases of what survives whose end.

A holder is the client of tests/conformance.
"""

import mmap
import os
import sys
from typing import Any

from ioasid import TOP, Ioasidd
from manager import Manager

sys.path.append(str(TOP / "tests/conformance"))

# pylint: disable=wrong-import-position
from holder import PAGE, Holder  # noqa: E402


class Lease:
    """A hold lease of some devices on one space."""

    def __init__(self, daemon: Ioasidd) -> None:
        self.daemon = daemon
        self.holders: list[Holder] = []
        self.names: tuple[str, ...] = ()
        self.name = ""

    def offer(self, kept: bool, grace: int, names: tuple[str, ...],
              options: tuple[str, ...], space: tuple[str, ...]) -> None:
        """A daemon with these options, and a service manager if descriptors are
        to be kept; and the lease."""
        if kept:
            self.daemon.manager = Manager(self.daemon.folder)
        self.daemon.start(*options)
        self.names = names
        for name in names:
            # Nothing says that it resets one function of the pair.
            self.daemon.prepare(name, *(["--allow-no-reset"]
                                        if name.startswith("PAIR") else []))
        self.name = self.daemon.offer(*names, options=(
            "--mode", "hold", "--memlock", "64M", "--grace", str(grace),
            *space))

    @property
    def lease(self) -> dict[str, Any]:
        """As it is now."""
        return self.daemon.lease(self.name)

    def claim(self) -> Holder:
        """Another holder, without a privilege; its devices answer."""
        self.holders.append(Holder(self.daemon))
        self.holders[-1].take(self.name, *self.names)
        return self.holders[-1]

    @staticmethod
    def memory(holder: Holder, file: int, pages: int) -> mmap.mmap:
        """A memfd of a holder's, as the case sees it."""
        fd = os.open(f"/proc/{holder.pid}/fd/{file}", os.O_RDWR)
        try:
            return mmap.mmap(fd, pages * PAGE)
        finally:
            os.close(fd)

    def end(self) -> None:
        """Nobody has it; the manager is the last to go."""
        for holder in self.holders:
            holder.kill_all()
        if self.daemon.running():
            self.daemon.stop()
        if self.daemon.manager:
            self.daemon.manager.end()
