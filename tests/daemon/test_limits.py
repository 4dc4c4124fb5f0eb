# SPDX-License-Identifier: Apache-2.0
"""Nobody keeps others out: not by number, not by silence, not by dying."""

import contextlib
import os
import select
import signal
import socket
import time

import pytest

from daemon import METHODS, Client, child, ended, packet

NO_LEASE = "leases/01jd00000000000000000000zz"
LIST = packet("Devices/ListDevices", METHODS[
    "ioasid.v1.Devices/ListDevices"][0](all=True).SerializeToString())


def flood(path, count):
    """Connect and say nothing; how many were let in, and what others heard."""
    clients, said = [], []
    for _ in range(count):
        client = Client(path, hello=False)
        first = client.receive()
        if first.WhichOneof("body") == "event":
            clients.append(client)
            continue
        said.append(first.error.id)
        assert client.receive() is None
        client.close()
    return len(clients), said


def test_silent_connections_of_one_uid_have_a_limit(daemon):
    with daemon.others_served():
        admitted, said = child(flood, daemon.socket, 300)
        assert admitted == 32
        assert said == ["limit.clients"] * 268
        # They are gone with the child; the next one has as many.
        assert child(flood, daemon.socket, 40)[0] == 32


def test_many_uids_do_not_keep_root_out(daemon):
    """Half-open connections of more uids than there is room for."""
    ready, go = os.pipe(), os.pipe()
    pids = []
    for uid in range(20):
        pid = os.fork()
        if pid == 0:
            with contextlib.suppress(BaseException):
                os.close(go[1])
                os.setresuid(70000 + uid, 70000 + uid, 70000 + uid)
                sockets = [socket.socket(socket.AF_UNIX,
                                         socket.SOCK_SEQPACKET)
                           for _ in range(32)]
                for one in sockets:
                    one.connect(str(daemon.socket))
                for one in sockets:
                    one.recv(65536)
                os.write(ready[1], b"x")
                os.read(go[0], 1)
            os._exit(0)
        pids.append(pid)
    os.close(go[0])
    try:
        with daemon.others_served():
            for _ in pids:
                assert os.read(ready[0], 1) == b"x"
            # 448 others, and root comes in all the same.
            clients = [daemon.connect() for _ in range(40)]
            for client in clients:
                client.call("Host/GetVersion")
            for client in clients:
                client.close()
    finally:
        os.close(go[1])
        for pid in pids:
            os.waitpid(pid, 0)
        for end in ready:
            os.close(end)


def test_coming_and_going_leaves_nothing(daemon):
    with daemon.others_served():
        for _ in range(3000):
            one = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
            one.connect(str(daemon.socket))
            one.close()


def test_asking_and_leaving_leaves_nothing(daemon):
    name = METHODS["ioasid.v1.Leases/ReleaseLease"][0](
        name=NO_LEASE).SerializeToString()
    with daemon.others_served():
        for i in range(1000):
            client = daemon.connect(hello=False)
            client.send("Leases/ReleaseLease", name)
            client.send_raw(LIST)
            if i % 2:
                client.receive()
            client.close()


def stuff(sock):
    """Ask until the socket takes no more; how often."""
    sock.setblocking(False)
    count = 0
    quiet = 0
    while quiet < 50:
        try:
            sock.send(LIST)
            count += 1
            quiet = 0
        except BlockingIOError:
            quiet += 1
            time.sleep(0.01)
    return count


@pytest.mark.slow
def test_a_peer_that_never_reads_is_cut(daemon):
    with daemon.others_served():
        before = daemon.rss()
        silent = [daemon.connect(hello=False) for _ in range(8)]
        for client in silent:
            stuff(client.sock)
        if not daemon.sanitizer:
            assert daemon.rss() < before + 16384
        # 10 s after the last answer that it took.
        for client in silent:
            poll = select.poll()
            poll.register(client.sock, 0)
            assert poll.poll(20000), "it is connected still"
            client.close()
    assert "does not read" in daemon.words()


@pytest.mark.slow
def test_a_slow_reader_has_all_its_answers(daemon):
    with daemon.others_served(), daemon.connect() as client:
        count = stuff(client.sock)
        client.sock.settimeout(10)
        assert count > 100
        for i in range(count):
            assert client.receive().WhichOneof("body") == "reply"
            if i % 100 == 0:
                time.sleep(0.05)
        client.call("Devices/ListDevices")


@pytest.mark.slow
def test_a_peer_may_be_killed_at_any_moment(daemon):
    request = METHODS["ioasid.v1.Leases/ReleaseLease"][0](
        name=NO_LEASE).SerializeToString()
    with daemon.others_served():
        for i in range(40):
            pid = os.fork()
            if pid == 0:
                with contextlib.suppress(BaseException):
                    clients = [daemon.connect(hello=False) for _ in range(4)]
                    while True:
                        for client in clients:
                            client.send("Leases/ReleaseLease", request)
                            client.send_raw(LIST)
                os._exit(0)
            time.sleep(0.002 * i)
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)


def test_a_peer_that_has_shut_its_side_is_let_go(daemon):
    for how in (socket.SHUT_WR, socket.SHUT_RD, socket.SHUT_RDWR):
        client = daemon.connect()
        client.sock.shutdown(how)
        if how == socket.SHUT_WR:
            assert ended(client) == []
        client.close()


def test_a_busy_client_waits_for_answers(daemon):
    """More requests at once than may be: each has an answer, some a no."""
    request = METHODS["ioasid.v1.Leases/ReleaseLease"][0](
        name=NO_LEASE).SerializeToString()
    with daemon.others_served(), daemon.connect() as client:
        for _ in range(5):
            wanted = {client.send("Leases/ReleaseLease", request)
                      for _ in range(300)}
            for _ in range(300):
                answer = client.receive()
                wanted.remove(answer.id)
                assert answer.error.id in ("lease.not-found",
                                           "limit.requests")
        client.call("Devices/ListDevices")
