# SPDX-License-Identifier: Apache-2.0
"""Starting, stopping, and being killed."""

import os
import signal
import socket
import stat
import subprocess
import time

import pytest

from daemon import ALARM, METHODS, child, ended, packet

NO_LEASE = "leases/01jd00000000000000000000zz"


def run(daemon, *more, **options):
    """Start another one that is expected to end by itself."""
    return subprocess.run(daemon.command(*more), capture_output=True,
                          text=True, timeout=60, check=False, **options)


def test_everybody_may_connect_and_only_root_may_look_at_the_state(
        own_daemon):
    own_daemon.start()
    assert stat.S_IMODE(own_daemon.socket.stat().st_mode) == 0o666
    assert stat.S_IMODE(own_daemon.state.stat().st_mode) == 0o700
    own_daemon.stop()


def test_a_folder_for_the_socket_is_made(own_daemon):
    """/run/ioasidd is not there before the first start without systemd."""
    own_daemon.socket = own_daemon.run / "made" / "ioasidd.sock"
    own_daemon.start()
    assert stat.S_IMODE(own_daemon.socket.parent.stat().st_mode) == 0o755
    own_daemon.process.send_signal(signal.SIGTERM)
    assert own_daemon.process.wait(60) == 0
    own_daemon.process = None
    own_daemon.socket.parent.rmdir()


def test_a_second_one_is_refused(own_daemon):
    own_daemon.start()
    with own_daemon.connect() as client:
        second = run(own_daemon)
        assert second.returncode == 1
        assert "cannot start" in second.stderr
        assert not ALARM.search(second.stderr), second.stderr
        # Nor is one that has a state of its own, for its socket.
        second = run(own_daemon, "--state-dir",
                     str(own_daemon.folder / "other"))
        assert second.returncode == 1
        assert "listens" in second.stderr
        assert not ALARM.search(second.stderr), second.stderr
        client.call("Devices/ListDevices")
    with own_daemon.connect() as client:
        client.call("Devices/ListDevices")
    own_daemon.stop()


def test_a_file_in_the_way_is_left_alone(own_daemon):
    own_daemon.socket.write_text("precious")
    refused = run(own_daemon)
    assert refused.returncode == 1
    assert "no socket" in refused.stderr
    assert own_daemon.socket.read_text() == "precious"
    own_daemon.socket.unlink()


def test_a_socket_left_behind_is_replaced(own_daemon):
    own_daemon.start()
    own_daemon.kill()
    assert own_daemon.socket.exists()
    own_daemon.start()
    own_daemon.stop()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_and_its_connections(own_daemon, number):
    own_daemon.start()
    clients = [own_daemon.connect() for _ in range(20)]
    for client in clients[:10]:
        client.send("Leases/ReleaseLease",
                    METHODS["ioasid.v1.Leases/ReleaseLease"][0](
                        name=NO_LEASE).SerializeToString())
    own_daemon.process.send_signal(number)
    for client in clients:
        assert all(answer.error.id == "lease.not-found"
                   for answer in ended(client))
        client.close()
    assert own_daemon.process.wait(60) == 0
    assert not own_daemon.socket.exists()
    own_daemon.process = None
    assert not ALARM.search(own_daemon.words())


def test_a_hangup_does_nothing(own_daemon):
    own_daemon.start()
    own_daemon.process.send_signal(signal.SIGHUP)
    own_daemon.process.send_signal(signal.SIGPIPE)
    time.sleep(0.2)
    with own_daemon.connect() as client:
        client.call("Host/GetVersion")
    own_daemon.stop()


def test_killed_at_any_moment_it_comes_back(own_daemon):
    for i in range(8):
        own_daemon.start()
        with own_daemon.connect() as client:
            for _ in range(20):
                client.send("Leases/ReleaseLease",
                            METHODS["ioasid.v1.Leases/ReleaseLease"][0](
                                name=NO_LEASE).SerializeToString())
            time.sleep(0.01 * i)
            own_daemon.kill()
            ended(client)
    own_daemon.start()
    own_daemon.stop()


def test_no_revision_is_given_twice(own_daemon):
    """What had an etag before the kill must not have it for another state."""
    newest = 0
    for i in range(3):
        own_daemon.start()
        with own_daemon.connect() as client:
            revision = client.call("Host/GetVersion").revision
            assert revision > newest, i
            newest = revision
        own_daemon.kill()


def test_killed_while_starting_it_comes_back(own_daemon):
    for i in range(10):
        with subprocess.Popen(own_daemon.command(),
                              stderr=subprocess.DEVNULL) as starting:
            time.sleep(0.003 * i)
            starting.kill()
    own_daemon.start()
    own_daemon.stop()


def test_options_are_checked(own_daemon):
    assert run(own_daemon, "--nothing").returncode == 2
    assert run(own_daemon, "--log-level", "loud").returncode == 2
    assert run(own_daemon, "extra").returncode == 2
    assert run(own_daemon, "--version").returncode == 0
    assert run(own_daemon, "--help").returncode == 0
    long = run(own_daemon, "--socket", "/tmp/" + "x" * 200)
    assert long.returncode in (1, 2)


def test_nothing_of_its_starter_stays_open(own_daemon):
    own_daemon.start()
    plain = own_daemon.fds()
    own_daemon.stop()
    own_daemon.run.mkdir()
    read_end, write_end = os.pipe()
    with open(own_daemon.log, "ab") as log:
        own_daemon.process = subprocess.Popen(
            own_daemon.command(), stderr=log, stdout=log,
            pass_fds=[read_end, write_end])
    os.close(write_end)
    own_daemon.wait_until_it_serves()
    with own_daemon.connect() as client:
        client.call("Host/GetVersion")
    os.set_blocking(read_end, False)
    assert os.read(read_end, 1) == b"", "it has a pipe of ours"
    os.close(read_end)
    time.sleep(0.1)
    assert own_daemon.fds() <= plain
    own_daemon.stop()


def connect_only(path):
    """Whether another uid can connect at all."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as one:
        one.connect(str(path))
        one.send(packet("Host/GetVersion"))
        return len(one.recv(65536)) > 0


def test_the_umask_of_its_starter_keeps_nobody_out(own_daemon):
    before = os.umask(0o077)
    try:
        own_daemon.start()
        assert child(connect_only, own_daemon.socket)
        own_daemon.stop()
    finally:
        os.umask(before)
