# SPDX-License-Identifier: Apache-2.0
"""The plan of faults, from the test's side: ioasidd/base/fault.h."""

import enum
import errno
import mmap
import pathlib
import struct
import subprocess


class Kind(enum.IntEnum):
    """What kind of call."""

    KERNEL = 0
    SQLITE_WRITE = 1
    SQLITE_SYNC = 2
    SQLITE_OPEN = 3
    SQLITE_READ = 4
    MEMORY = 5


class Action(enum.IntEnum):
    """What happens at it."""

    FAIL = 0
    DELAY = 1
    KILL = 2
    LIE = 3


FRAMES = 12
# struct fault_plan, in parts: what the test writes, what the daemon does.
ORDER = struct.Struct("<IIIIiI32s")
COUNTED = struct.Struct(f"<{len(Kind)}I")
POINT = struct.Struct(f"<60s{FRAMES}Q")
ARMED = 8
COUNTS = ARMED + ORDER.size
FIRED = COUNTS + COUNTED.size
NAME = FIRED + 4
SIZE = NAME + POINT.size

# What such a call fails with.
ERRORS = {kind: errno.EIO for kind in Kind} | {Kind.MEMORY: errno.ENOMEM}


class Plan:
    """A file that the daemon maps; armed and read at any moment."""

    def __init__(self, path: pathlib.Path) -> None:
        self.path = path
        path.write_bytes(b"IOASFLT1" + bytes(SIZE - 8))
        with open(path, "r+b") as file:
            self.map = mmap.mmap(file.fileno(), SIZE)

    def arm(self, kind: Kind, n: int, action: Action = Action.FAIL,
            error: int = 0, delay_ms: int = 0, only: str = "") -> None:
        """Let the nth call of a kind from now on have a fault; 0 counts."""
        self.disarm()
        self.map[COUNTS:SIZE] = bytes(SIZE - COUNTS)
        self.map[ARMED:COUNTS] = ORDER.pack(0, kind, n, action,
                                            error or ERRORS[kind], delay_ms,
                                            only.encode())
        self.map[ARMED:ARMED + 4] = struct.pack("<I", 1)

    def disarm(self) -> None:
        """Count no more; what was had can still be read."""
        self.map[ARMED:ARMED + 4] = bytes(4)

    @property
    def counted(self) -> dict[Kind, int]:
        """Calls of each kind since the plan was armed."""
        return dict(zip(Kind, COUNTED.unpack_from(self.map, COUNTS)))

    @property
    def error(self) -> int:
        """What the fault was armed with."""
        return ORDER.unpack_from(self.map, ARMED)[4]

    @property
    def fired(self) -> bool:
        """Was the fault had?"""
        return struct.unpack_from("<I", self.map, FIRED)[0] != 0

    @property
    def point(self) -> str:
        """The name of the call that had it."""
        return POINT.unpack_from(self.map, NAME)[0].split(b"\0")[0].decode()

    def stack(self, program: pathlib.Path) -> list[str]:
        """The functions that it was called from, innermost first."""
        frames = POINT.unpack_from(self.map, NAME)[1:]
        # A return address is one behind the call.
        found = subprocess.run(
            ["addr2line", "-f", "-s", "-e", str(program),
             *(hex(frame - 1) for frame in frames if frame)],
            capture_output=True, text=True, check=True).stdout.split("\n")
        calls = [f"{name} ({where})" for name, where
                 in zip(found[::2], found[1::2])]
        inside = ("note_stack", "fire", "fault_point", "refused", "__wrap_",
                  "faulty_", "file_x", "vfs_")
        return [call for call in calls if not call.startswith(inside)]
