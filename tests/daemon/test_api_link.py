# SPDX-License-Identifier: Apache-2.0
"""What ioasidd does for ioasid-api, with it, and against it.

In the place of ioasid-api is a program that does what the test says; see
puppet.py. The machine is a simulated one.
"""

import contextlib
import fcntl
import os
import re
import signal
import socket
import stat
import subprocess
import time

import pytest

from daemon import ALARM, NOBODY, child, open_folder
from ioasid.v1 import lease_pb2, link_pb2
from machine import alive, wait
from puppet import Theatre, memory

EDU = "devices/pci-0000-01-00.0"
SEALS = (fcntl.F_SEAL_SEAL | fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW |
         fcntl.F_SEAL_WRITE)


@pytest.fixture
def theatre():
    """Where stand-ins come to."""
    one = Theatre(open_folder())
    yield one
    one.close()


@pytest.fixture
def machine(make_machine, theatre):
    """A daemon whose API is a stand-in."""
    one = make_machine()
    one.start("--api-program", str(theatre.program))
    return one


@pytest.fixture
def puppet(machine, theatre):
    """The first stand-in, which has taken its config."""
    one = theatre.next()
    for fd in one.configure().values():
        os.close(fd)
    return one


def connect(machine):
    """A connection to the API."""
    sock = socket.socket(socket.AF_UNIX)
    sock.settimeout(20)
    sock.connect(str(machine.run / "api.sock"))
    return sock


def listening(machine):
    """Where the daemon listens for TCP: address and port."""
    links = set()
    for fd in os.listdir(f"/proc/{machine.process.pid}/fd"):
        with contextlib.suppress(OSError):
            links.add(os.readlink(f"/proc/{machine.process.pid}/fd/{fd}"))
    for name, host in (("tcp", "127.0.0.1"), ("tcp6", "::1")):
        for line in machine.proc(f"net/{name}").splitlines()[1:]:
            words = line.split()
            if words[3] == "0A" and f"socket:[{words[9]}]" in links:
                return host, int(words[1].rpartition(":")[2], 16)
    raise AssertionError("it does not listen for TCP")


def cannot_start(machine, theatre, *options):
    """What it says, of the API, when it does not start."""
    done = subprocess.run(
        machine.command("--api-program", str(theatre.program), *options),
        capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 1, done.stderr
    assert not ALARM.search(done.stderr), done.stderr
    assert "cannot start: api: " in done.stderr
    return done.stderr


@contextlib.contextmanager
def connection(machine, puppet):
    """One that the stand-in was given: its number, as root."""
    with connect(machine):
        packet, sock = puppet.opened()
        with sock:
            yield packet.connection
    puppet.expect("closed")


def restarts(machine):
    """After how many ms each restart was announced."""
    return [int(ms) for ms in
            re.findall(r"it is started again in (\d+) ms", machine.words())]


# --- what it is ---

def test_it_has_no_privilege(puppet):
    status = puppet.facts["status"]
    assert status["Uid"].split() == status["Gid"].split() == [str(NOBODY)] * 4
    assert status["Groups"].strip() == ""
    for name in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"):
        assert int(status[name], 16) == 0, name
    assert status["NoNewPrivs"] == "1"
    assert int(status["SigBlk"], 16) == 0


def test_it_has_four_descriptors_and_no_environment(puppet, machine):
    fds = puppet.facts["fds"]
    assert sorted(fds) == ["0", "1", "2", "3"]
    assert fds["0"] == fds["1"] == "/dev/null"
    assert fds["2"] == str(machine.log)
    assert fds["3"].startswith("socket:")
    # What the interpreter adds by itself, and what only systemd sets.
    assert set(puppet.facts["environment"]) <= {"LC_CTYPE", "JOURNAL_STREAM"}
    assert puppet.facts["folder"] == "/"
    assert puppet.facts["arguments"][1:] == ["--log-level=info"]
    assert re.search(r"Max core file size +0 +0 ", puppet.facts["limits"])
    assert re.search(r"Max open files +(\d+) +\1 ", puppet.facts["limits"])


def test_of_our_environment_it_has_the_journal_alone(make_machine, theatre,
                                                     monkeypatch):
    monkeypatch.setenv("JOURNAL_STREAM", "8:4711")
    monkeypatch.setenv("IOASIDD_SECRET", "x")
    machine = make_machine()
    machine.start("--api-program", str(theatre.program))
    had = theatre.next().facts["environment"]
    assert had["JOURNAL_STREAM"] == "8:4711"
    assert set(had) <= {"LC_CTYPE", "JOURNAL_STREAM"}


def test_run_by_who_is_not_root_it_is_he(make_machine, theatre):
    machine = make_machine()
    machine.uid = 65533
    machine.folder.chmod(0o755)
    os.chown(machine.run, 65533, 65533)
    machine.state = machine.run / "state"
    machine.machine = machine.run / "machine.json"
    machine.machine.write_text(
        (machine.build.parent / "packaging/machines/testbed.json").read_text())
    machine.start("--api-program", str(theatre.program))
    status = theatre.next().facts["status"]
    assert status["Uid"].split() == ["65533"] * 4
    assert status["NoNewPrivs"] == "1"


def test_it_ends_with_ioasidd(machine, puppet):
    machine.kill()
    wait(lambda: not alive(puppet.pid), "its end")


def test_the_socket_is_everybodys_and_goes(machine, puppet):
    path = machine.run / "api.sock"
    assert stat.S_IMODE(path.stat().st_mode) == 0o666
    machine.process.send_signal(signal.SIGTERM)
    assert machine.process.wait(60) == 0
    assert not path.exists()
    assert not alive(puppet.pid)
    machine.process = None


# --- what it is told ---

@pytest.fixture
def files(tmp_path):
    """What TCP needs, as options; only root may read it."""
    options = []
    for name in ("certificate", "key", "authorities", "revoked"):
        (tmp_path / name).write_text(f"this is the {name}")
        (tmp_path / name).chmod(0o600)
        options += [f"--api-{name}", str(tmp_path / name)]
    return options


def test_files_come_sealed_and_first(make_machine, theatre, files):
    machine = make_machine()
    machine.start("--api-program", str(theatre.program),
                  "--api-listen", "127.0.0.1:0", *files)
    told = theatre.next().configure()
    assert list(told) == ["limits", "certificate", "key", "authorities",
                          "revoked"]
    for name, fd in told.items():
        assert fcntl.fcntl(fd, fcntl.F_GET_SEALS) & SEALS == SEALS
        content = memory(fd)
        if name == "limits":
            link_pb2.LinkLimits.FromString(content)
        else:
            assert content == f"this is the {name}".encode()


@pytest.mark.parametrize("options, words", [
    (["--api-listen", "127.0.0.1:0"], "needs the file 'certificate'"),
    (["--api-certificate", "/nowhere"], "certificate '/nowhere'"),
    (["--api-key", "/"], "key '/'"),
    (["--api-socket", "/dev/null"], "is there and no socket"),
    (["--api-socket", "/" + "x" * 200], "the socket's path has"),
])
def test_wrong_files_are_told_at_the_start(make_machine, theatre, options,
                                           words):
    machine = make_machine()
    assert words in cannot_start(machine, theatre, *options)
    machine.start("--no-api")
    machine.ctl("devices")


@pytest.mark.parametrize("address", [
    "localhost:80", "127.0.0.1", "127.0.0.1:", ":80", "127.0.0.1:http",
    "[127.0.0.1:80", "127.0.0.1:80:80", "", "192.0.2.1:65536"])
def test_wrong_addresses_are_told_at_the_start(make_machine, theatre, files,
                                               address):
    machine = make_machine()
    said = cannot_start(machine, theatre, "--api-listen", address, *files)
    assert f"'{address}' is no address and port" in said
    assert not (machine.run / "api.sock").exists()


@pytest.mark.parametrize("address", ["127.0.0.1:0", "[::1]:0"])
def test_by_tcp_nobody_is_known_without_a_certificate(make_machine, theatre,
                                                      files, address):
    machine = make_machine()
    machine.start("--api-program", str(theatre.program),
                  "--api-listen", address, *files)
    puppet = theatre.next()
    puppet.configure()
    for certified in (False, True):
        with socket.create_connection(listening(machine)) as sock:
            packet, other = puppet.opened()
            assert packet.opened.tcp
            assert packet.opened.peer == "{} port {}".format(
                *sock.getsockname()[:2])
            if certified:
                puppet.send(packet.connection,
                            certificate=link_pb2.LinkCertificate(
                                uris=["spiffe://example/one"],
                                fingerprint=bytes(32)))
            got = puppet.call(packet.connection, "Host/GetVersion")
            assert certified == (got != "permission.unauthenticated"), got
            assert puppet.call(packet.connection, "Devices/PrepareDevice",
                               name=EDU) == (
                "permission.denied" if certified else
                "permission.unauthenticated")
            puppet.send(packet.connection, closed=link_pb2.LinkClosed())
            other.close()
            assert sock.recv(1) == b""


def test_strangers_by_tcp_keep_each_other_out_and_nobody_else(
        make_machine, theatre, files):
    """The oldest without a certificate ends; one with it does not."""
    machine = make_machine()
    machine.start("--api-program", str(theatre.program),
                  "--api-listen", "127.0.0.1:0", *files)
    puppet = theatre.next()
    puppet.configure()
    address = listening(machine)
    with contextlib.ExitStack() as stack:
        def come():
            sock = stack.enter_context(socket.create_connection(address))
            packet, other = puppet.opened()
            stack.callback(other.close)
            return sock, packet.connection

        _, known = come()
        puppet.send(known, certificate=link_pb2.LinkCertificate(
            uris=["spiffe://example/one"], fingerprint=bytes(32)))
        assert puppet.call(known, "Host/GetVersion").backend == "sim"
        strangers = [come()[1] for _ in range(64)]
        stack.enter_context(socket.create_connection(address))
        closed, _ = puppet.expect("closed")
        assert closed.connection == strangers[0]
        assert "without a certificate" in closed.closed.reason
        packet, other = puppet.opened()
        other.close()
        assert packet.connection > strangers[-1]
        assert puppet.call(known, "Host/GetVersion").backend == "sim"


def test_a_refused_config_is_logged(machine, theatre):
    one = theatre.next()
    one.expect("config")
    one.send(configured=link_pb2.LinkConfigured(refused="the key is odd"))
    wait(lambda: "the key is odd" in machine.words(), "the words")
    with connection(machine, one) as number:
        assert one.call(number, "Host/GetVersion").backend == "sim"


def test_without_the_program_all_else_works(make_machine, tmp_path):
    machine = make_machine()
    machine.start("--api-program", str(tmp_path / "none"))
    machine.ctl("devices")
    assert machine.words().count("the API is not served") == 1
    assert not (machine.run / "api.sock").exists()


# --- what it may ---

def test_calls_are_answered_as_on_the_native_socket(machine, puppet):
    with connection(machine, puppet) as number, machine.connect() as native:
        for called, fields in (
                ("Devices/ListDevices", {"all": True}),
                ("Devices/GetDevice", {"name": EDU}),
                ("Groups/ListGroups", {}), ("Iommus/ListIommus", {}),
                ("Leases/ListLeases", {})):
            assert puppet.call(number, called, **fields) == \
                native.call(called, **fields), called


def test_root_is_an_operator_there(machine, puppet):
    with connection(machine, puppet) as number:
        operation = puppet.call(number, "Devices/PrepareDevice", name=EDU)
        puppet.call(number, "Operations/WaitOperation", name=operation.name,
                    timeout_ms=20000)
        lease = puppet.call(
            number, "Leases/CreateLease", devices=[EDU],
            claimant=lease_pb2.Claimant(uid=0))
        assert lease.state == lease_pb2.Lease.OFFERED
        assert puppet.call(number, "Leases/ClaimLease", name=lease.name) == \
            "permission.native-socket-only"
        assert puppet.call(number, "Devices/RecoverDevice", name=EDU) == \
            "permission.native-socket-only"
        assert puppet.call(number, "Leases/CreateLease", devices=[EDU],
                           claimant=lease_pb2.Claimant(uid=NOBODY)) == \
            "permission.denied"
        assert puppet.call(number, "Leases/ReleaseLease",
                           name=lease.name).state == lease_pb2.Lease.ENDED


def ask_as_stranger(machine, puppet):
    """In a child of another uid: connect, and what it is as that."""
    with connect(machine):
        packet, _ = puppet.opened()
        assert packet.opened.peer.startswith(f"uid {NOBODY}, pid "), packet
        return [puppet.call(packet.connection, called, **fields)
                for called, fields in (
                    ("Groups/ListGroups", {}),
                    ("Devices/GetDevice", {"name": EDU}),
                    ("Devices/PrepareDevice", {"name": EDU}))]


def test_a_stranger_is_a_stranger_whatever_it_says(machine, puppet):
    assert child(ask_as_stranger, machine, puppet) == [
        "permission.denied", "device.not-found", "permission.denied"]


def test_it_cannot_speak_for_others(machine, puppet):
    """Neither for numbers it was not given, nor for those that are over."""
    with connection(machine, puppet) as number:
        for other in (0, number + 1, 2 ** 64 - 1):
            puppet.ask(other, "Devices/PrepareDevice", name=EDU)
        assert puppet.call(number, "Devices/GetDevice",
                           name=EDU).driver != "vfio-pci"
    puppet.ask(number, "Devices/PrepareDevice", name=EDU)
    with connection(machine, puppet) as later:
        assert later > number
        assert puppet.call(later, "Devices/GetDevice",
                           name=EDU).driver != "vfio-pci"
    words = machine.words()
    assert words.count("which it was never given: refused") == 3


# --- when it fails ---

def test_killed_it_is_back_and_nobody_on_the_native_socket_notices(
        machine, puppet, theatre):
    machine.ctl("prepare", EDU)
    with machine.others_served():
        old = connect(machine)
        puppet.opened()[1].close()
        os.kill(puppet.pid, signal.SIGKILL)
        assert old.recv(1) == b""
        # Who comes while it is away waits.
        with connect(machine):
            again = theatre.next()
            again.configure()
            number = again.opened()[0].connection
            assert again.call(number, "Devices/GetDevice",
                              name=EDU).driver == "vfio-pci"
    assert again.pid != puppet.pid
    assert restarts(machine) == [100]


@pytest.mark.slow
def test_restarts_take_longer_and_longer(machine, theatre):
    begun = time.monotonic()
    for _ in range(5):
        os.kill(theatre.next().pid, signal.SIGKILL)
    theatre.next()
    assert restarts(machine) == [100, 200, 400, 800, 1600]
    assert time.monotonic() - begun > 3.0


@pytest.mark.parametrize("bad", [b"\xff", b"\x08\x01\x2a\x00", b"\x08\x01"])
def test_what_makes_no_sense_is_its_end(machine, puppet, theatre, bad):
    with connect(machine):
        puppet.opened()[1].close()
        puppet.send_raw(bad)
        puppet.ended()
        wait(lambda: not alive(puppet.pid), "its end")
    theatre.next().configure()


def refuses() -> bool:
    """Whether a socket of this kernel can refuse descriptors: 6.16 or newer."""
    with socket.socket(socket.AF_UNIX) as sock:
        try:
            sock.setsockopt(socket.SOL_SOCKET, 83, 0)  # SO_PASSRIGHTS
        except OSError:
            return False
    return True


@pytest.mark.skipif(not refuses(), reason="the kernel has no SO_PASSRIGHTS")
def test_nobody_can_send_it_descriptors(machine, puppet):
    with connect(machine) as client:
        with pytest.raises(PermissionError):
            socket.send_fds(client, [b"x"], [0])
        _, sock = puppet.opened()
        with sock:
            with pytest.raises(PermissionError):
                socket.send_fds(client, [b"x"], [0])
            client.send(b"y")
            assert sock.recv(2) == b"y"


def test_a_descriptor_from_it_is_its_end(machine, puppet, theatre):
    before = machine.fds()
    puppet.send_raw(b"\x08\x01", [0])
    puppet.ended()
    theatre.next().configure()
    wait(lambda: machine.fds() <= before, "descriptors")


@pytest.mark.slow
def test_one_that_does_not_read_is_ended(machine, puppet, theatre):
    """Its answers wait within bounds, then it has to go; others are served."""
    before = machine.rss()
    with connect(machine), machine.others_served():
        packet, sock = puppet.opened()
        sock.close()
        os.kill(puppet.pid, signal.SIGSTOP)
        with connect(machine):
            # Fill its socket: each is one packet with a descriptor.
            crowd = []
            deadline = time.monotonic() + 40
            while alive(puppet.pid) and time.monotonic() < deadline:
                with contextlib.suppress(OSError):
                    crowd.append(connect(machine))
                if len(crowd) > 100:
                    for one in crowd:
                        one.close()
                    crowd.clear()
            for one in crowd:
                one.close()
    assert not alive(puppet.pid), machine.words()
    assert re.search(r"does not read what it is sent|than there is room for"
                     r"|cannot be sent to", machine.words())
    if not machine.sanitizer:
        assert machine.rss() < before + 16384
    theatre.next(40).configure()


def test_calls_of_one_that_is_killed_happen_once_or_not(machine, puppet,
                                                        theatre):
    """Each answer that was lost can be asked for again by its request id."""
    with connect(machine):
        number = puppet.opened()[0].connection
        puppet.ask(number, "Devices/PrepareDevice", name=EDU,
                   request_id="again")
        os.kill(puppet.pid, signal.SIGKILL)
    after = theatre.next()
    after.configure()
    with connection(machine, after) as number:
        operation = after.call(number, "Devices/PrepareDevice", name=EDU,
                               request_id="again")
        after.call(number, "Operations/WaitOperation", name=operation.name,
                   timeout_ms=20000)
        operations = after.call(number, "Operations/ListOperations")
        assert len([one for one in operations.operations
                    if one.kind == "prepare"]) == 1
