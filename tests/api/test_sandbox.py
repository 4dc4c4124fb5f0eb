# SPDX-License-Identifier: Apache-2.0
"""What ioasid-api gives up before it reads a stranger's byte.

With builds whose sanitizer needs system calls of its own there is no filter;
all else holds there, too.
"""

import contextlib
import errno
import json
import os
import pathlib
import re
import socket
import ssl
import subprocess

import pytest
from ioasid.v1 import link_pb2

from conftest import BUILD, ROOT
from standin import Standin, ask, ended

# A build with FAULTS has the request that tries to open a file.
TRIES = b"/test/open" in (BUILD / "ioasid-api").read_bytes()


def use(api: Standin) -> None:
    """Have it do a bit of all that it does."""
    api.answers["WatchEvents"] = lambda asked: asked.item(b"")
    api.answers["WaitOperation"] = lambda asked: None
    with api.connect() as client:
        for verb, path, body in (
                ("GET", "/version", ""), ("GET", "/openapi.json", ""),
                ("POST", "/v1/leases", "{}"), ("GET", "/readyz", ""),
                ("POST", "/v1/leases", "{"), ("GET", "/nothing", ""),
                ("POST", "/v1/leases", '{"devices":["' + "a" * 200000)):
            ask(client, verb, path, body)
    with api.connect() as client:
        client.sendall(b"GET /v1/events HTTP/1.1\r\nHost: x\r\n\r\n")
        assert client.recv(1000).startswith(b"HTTP/1.1 200 ")
    with api.connect() as client:
        client.sendall(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
                       b"\0\0\0\4\0\0\0\0\0")
        assert client.recv(9)
    with api.connect() as client:
        client.sendall(b"GET /\0 HTTP/1.1\r\n\r\n")
        client.shutdown(socket.SHUT_WR)
        ended(client)
    assert "LinkLimits" in api.configure(b"\xff")
    assert api.configure(link_pb2.LinkLimits(streams=3)) == ""


def test_it_has_no_privilege_and_gets_none(tmp_path: pathlib.Path) -> None:
    """No capability in any set, no new ones by execve, a filter, no core."""
    api = Standin(BUILD, tmp_path)
    use(api)
    status = dict(line.split(":\t", 1)
                  for line in api.proc("status").splitlines() if ":\t" in line)
    for capabilities in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"):
        assert int(status[capabilities], 16) == 0, capabilities
    assert status["NoNewPrivs"] == "1"
    assert status["Seccomp"] == ("0" if api.sanitizer else "2")
    assert status["Threads"] == "1"
    limits = api.proc("limits")
    assert re.search(r"Max core file size +0 +0 ", limits)
    assert re.search(r"Max open files +(\d+) +\1 ", limits)
    assert int(re.search(r"Max open files +(\d+)", limits)[1]) <= 16384
    api.end()


def test_it_has_no_descriptor_of_worth(tmp_path: pathlib.Path) -> None:
    """Sockets, epolls, /dev/null and its log: no file, no device."""
    secret = os.open("/etc/hostname", os.O_RDONLY)
    os.set_inheritable(secret, True)
    api = Standin(BUILD, tmp_path)
    with api.connect() as client:
        ask(client, "GET", "/version")
        folder = f"/proc/{api.process.pid}/fd"
        for name in os.listdir(folder):
            what = os.readlink(f"{folder}/{name}")
            assert what in ("/dev/null", str(api.log)) or \
                what.startswith(("socket:", "anon_inode:[event")), what
    api.end()
    os.close(secret)


def use_tls(api: Standin, pki: pathlib.Path) -> None:
    """Have it read credentials, and speak TLS with good clients and bad."""
    names = {"certificate": "server", "key": "server-key",
             "authorities": "ca", "revoked": "revoked"}
    files = {name: (pki / f"{file}.pem").read_bytes()
             for name, file in names.items()}
    assert api.configure_files({**files, "key": b"no key"}) != ""
    assert api.configure_files(files) == ""
    for protocol in ("http/1.1", "h2"):
        for name in ("client", "client-expired", "client-revoked", None):
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            context.load_verify_locations(pki / "ca.pem")
            context.set_alpn_protocols([protocol])
            if name:
                context.load_cert_chain(pki / f"{name}.pem",
                                        pki / f"{name}-key.pem")
            # What a bad one is told depends on when it is looked at.
            with contextlib.suppress(OSError):
                with context.wrap_socket(api.connect(tcp=True),
                                         server_hostname="localhost") as one:
                    if protocol == "h2":
                        one.sendall(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
                                    b"\0\0\0\4\0\0\0\0\0")
                        assert one.recv(9)
                    else:
                        assert ask(one, "GET", "/version").status == 200
                    assert name == "client"
                    continue
            assert name != "client"


def test_it_opens_nothing_once_it_serves(tmp_path: pathlib.Path) -> None:
    """By strace: none of the calls that would, successful or not, nor any
    that the filter refuses; with TLS, too.
    """
    subprocess.run([ROOT / "tests/api/pki.sh", tmp_path], check=True,
                   timeout=120)
    trace = tmp_path / "trace"
    # Leaks are looked for as a debugger, of which there can be one only.
    api = Standin(BUILD, tmp_path, wrapper=(
        "env", "ASAN_OPTIONS=detect_leaks=0", "strace", "-f",
        "-qq", "-e", "signal=none", "-o", str(trace)))
    use(api)
    use_tls(api, tmp_path)
    api.end()
    calls = trace.read_text(encoding="utf-8", errors="replace")
    start = "capset(" if api.sanitizer else "seccomp(SECCOMP_SET_MODE_FILTER"
    _, found, after = calls.partition(start)
    assert found and "recvmsg(3" in after
    names = set(re.findall(r"^\d+ +(\w+)\(", after, re.M))
    refused = re.findall(r"^.* = -1 EPERM .*$", after, re.M)
    assert not refused, refused
    if not api.sanitizer:
        bad = {name for name in names if re.match(
            r"open|creat|socket$|connect|bind|listen|accept|exec|fork|clone|"
            r"vfork|ioctl|ptrace|mount|unlink|link|rename|kill|set.*id", name)}
        assert not bad, bad


def test_a_request_that_tries_to_open_gets_eperm(
        tmp_path: pathlib.Path) -> None:
    """In a build with FAULTS; in any other there is no such request."""
    api = Standin(BUILD, tmp_path)
    with api.connect() as client:
        answer = ask(client, "GET", "/test/open")
    if TRIES:
        assert answer.status == 403
        assert os.strerror(errno.EPERM) in json.loads(answer.body)["detail"]
    else:
        assert answer.status == 404
    api.end()


@pytest.mark.parametrize("arguments,status,words", [
    (["--version"], 0, "ioasid-api "), (["--help"], 0, "usage: "),
    ([], 2, "started by ioasidd"), (["--colour"], 2, "unrecognized option"),
    (["--log-level=loud"], 2, "no log level"), (["more"], 2, "not expected"),
])
def test_by_hand_it_says_what_it_is(
        arguments: list[str], status: int, words: str) -> None:
    """It is no program to be started by people."""
    done = subprocess.run([BUILD / "ioasid-api", *arguments], timeout=30,
                          stdin=subprocess.DEVNULL, capture_output=True,
                          text=True, check=False)
    assert done.returncode == status
    assert words in done.stdout + done.stderr
