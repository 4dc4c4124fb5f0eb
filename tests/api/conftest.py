# SPDX-License-Identifier: Apache-2.0
"""Fixtures: the program that transcodes, and the contract in Python.

/usr/bin/python3 -m pytest tests/api. BUILD names the build folder (default:
build), made by "make tests". IOASID_LONG=1 tries five times as many messages.
"""

import filecmp
import os
import pathlib
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = ROOT / os.environ.get("BUILD", "build")
CLIENTS = pathlib.Path(__file__).parent / "clients"

sys.path.insert(0, str(BUILD / "tests" / "pb"))

# pylint: disable=wrong-import-position
from standin import Standin  # noqa: E402

# Of make check-long.
collect_ignore = [] if os.environ.get("IOASID_LONG") == "1" else \
    ["test_long_clients.py"]


class Peer:
    """The C side: one line asks, one line answers."""

    def __init__(self, program: pathlib.Path) -> None:
        self.process = subprocess.Popen(
            [program], stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def ask(self, type_name: str, what: str, data: bytes = b"") -> str:
        """The answer, as a line. The package tells the contract."""
        contract = "everything" if "test" in type_name else "ioasid"
        line = f"{contract} {type_name} {what} {data.hex() or '.'}\n"
        self.process.stdin.write(line.encode())
        self.process.stdin.flush()
        answer = self.process.stdout.readline().decode("utf-8", "replace")
        assert answer.endswith("\n"), f"the peer ended on: {line}"
        return answer[:-1]

    def give(self, type_name: str, what: str, data: bytes) -> bytes:
        """The bytes of an answer that must be one."""
        answer = self.ask(type_name, what, data)
        assert answer.startswith("ok "), f"{answer} to {data!r}"
        return bytes.fromhex(answer[3:].rstrip("."))

    def refusal(self, type_name: str, text: str | bytes) -> str:
        """The error's id and words, or "" if JSON is read."""
        data = text if isinstance(text, bytes) else text.encode()
        answer = self.ask(type_name, "read", data)
        return "" if answer.startswith("ok") else answer[3:]

    def end(self) -> int:
        """Its exit status, when there is nothing more to read."""
        self.process.stdin.close()
        return self.process.wait(30)


@pytest.fixture(scope="module")
def peer() -> Iterator[Peer]:
    """A peer for the tests of one file; must end well, leaking nothing."""
    one = Peer(BUILD / "tests" / "api" / "transcode-peer")
    yield one
    assert one.end() == 0


def installed(source: pathlib.Path, folder: pathlib.Path,
              *more: str) -> pathlib.Path:
    """A folder with what npm has of a lock file; installed if it is not."""
    folder.mkdir(parents=True, exist_ok=True)
    names = ["package.json", "package-lock.json", ".npmrc"]
    stamp = folder / "node_modules" / ".installed"
    _, changed, missing = filecmp.cmpfiles(source, folder, names, False)
    for one in [*names, *more]:
        shutil.copy(source / one, folder)
    if changed or missing or not stamp.exists():
        # Scripts would copy buf's program from one place to another.
        done = subprocess.run(["npm", "ci", "--ignore-scripts"], cwd=folder,
                              capture_output=True, text=True, check=False,
                              timeout=400)
        assert done.returncode == 0, done.stdout + done.stderr
        stamp.touch()
    return folder


@pytest.fixture(scope="session")
def clients() -> pathlib.Path:
    """Where programs of others are, from npm, pinned by clients/package-lock.json.

    In the build folder; installed if they are not.
    """
    return installed(CLIENTS, BUILD / "tests" / "clients", "client.mjs")


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Standin]:
    """An ioasid-api for the tests of this file; ends well."""
    one = Standin(BUILD, tmp_path_factory.mktemp("api"))
    yield one
    one.end()


@pytest.fixture
def api(running: Standin) -> Standin:
    """The same, with nothing asked of it yet."""
    running.answers.clear()
    running.asked.clear()
    return running


@pytest.fixture
def client(api: Standin) -> Iterator[socket.socket]:
    """A connection to it."""
    with api.connect() as one:
        yield one
