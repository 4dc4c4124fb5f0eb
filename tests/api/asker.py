# SPDX-License-Identifier: Apache-2.0
"""A process of its own that calls methods, as whatever user.

Who asks is known to ioasidd by the process that has connected, so a test that
asks as somebody else, holds a lease and dies needs one. Run as a program it
reads pickled orders from its standard input and answers each on its standard
output.
"""

import os
import pathlib
import pickle
import subprocess
import sys
import traceback
from typing import IO

from surfaces import CONTRACT, SURFACES, Broken, Outcome
from google.protobuf.message import Message
from ioasid.v1 import common_pb2


class Asker:
    """The process, from the side of who started it."""

    def __init__(self, folder: pathlib.Path, uid: int = 0) -> None:
        self.process = subprocess.Popen(
            [sys.executable, __file__, str(folder), str(uid)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.pid = self.process.pid

    def call(self, surface: str, name: str, request: Message,
             until: int = 0) -> Outcome:
        """Call a method over a surface."""
        pickle.dump((surface, name, request.SerializeToString(), until),
                    self.process.stdin)
        self.process.stdin.flush()
        kind, value = pickle.load(self.process.stdout)
        if kind == "broken":
            raise Broken(value)
        assert kind != "trouble", value
        if kind == "error":
            return Outcome([], common_pb2.Error.FromString(value))
        return Outcome([CONTRACT[name].reply.FromString(one)
                        for one in value], None)

    def kill(self) -> None:
        """kill -9; what it held is given back."""
        self.process.kill()
        self.process.wait()
        self.process.stdin.close()
        self.process.stdout.close()


def answer(surfaces: dict[str, object], order: tuple[str, str, bytes, int]) \
        -> tuple[str, object]:
    """Do as ordered."""
    surface, name, request, until = order
    try:
        outcome = surfaces[surface].call(
            name, CONTRACT[name].request.FromString(request), until)
    except Broken as error:
        return "broken", str(error)
    except BaseException:  # the test raises it
        return "trouble", traceback.format_exc()
    if outcome.error:
        return "error", outcome.error.SerializeToString()
    return "ok", [one.SerializeToString() for one in outcome.replies]


def main(folder: pathlib.Path, uid: int, out: IO[bytes]) -> None:
    """Become the user, and answer until there are no more orders."""
    os.setgroups([])
    os.setresgid(uid, uid, uid)
    os.setresuid(uid, uid, uid)
    surfaces = {kind.name: kind(folder) for kind in SURFACES}
    while True:
        try:
            order = pickle.load(sys.stdin.buffer)
        except EOFError:
            return
        pickle.dump(answer(surfaces, order), out)
        out.flush()


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]), int(sys.argv[2]), sys.stdout.buffer)
