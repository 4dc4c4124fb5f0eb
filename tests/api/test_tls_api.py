# SPDX-License-Identifier: Apache-2.0
"""TLS as a part of ioasid-api: in front of REST and gRPC, and with ioasidd.

The first part has a stand-in for ioasidd at the link; the second is all of it:
ioasidd-sim, its own ioasid-api under seccomp, a TCP port, curl and grpcio.
"""

import contextlib
import hashlib
import json
import pathlib
import signal
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator

import pytest
from conftest import BUILD, ROOT
from grpcs import grpc
from ioasid.v1 import device_pb2, link_pb2
from standin import Standin, ask, wait_for
from tls import ALARM, make_pki


@pytest.fixture(scope="module")
def pki(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    """Certificates, made once."""
    folder = tmp_path_factory.mktemp("pki")
    make_pki(ROOT, folder)
    return folder


def files(pki: pathlib.Path, **names: str) -> dict[str, bytes]:
    """The files of a config."""
    names = {"certificate": "server", "key": "server-key",
             "authorities": "ca", "revoked": "revoked", **names}
    return {"limits": b""} | {
        kind: (pki / f"{name}.pem").read_bytes()
        for kind, name in names.items() if name}


@pytest.fixture
def api(pki: pathlib.Path, tmp_path: pathlib.Path) -> Iterator[Standin]:
    """ioasid-api with credentials."""
    one = Standin(BUILD, tmp_path)
    assert one.configure_files(files(pki)) == ""
    yield one
    one.end()


def context(pki: pathlib.Path, name: str | None = "client",
            alpn: str = "http/1.1") -> ssl.SSLContext:
    """A client's."""
    one = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    one.load_verify_locations(pki / "ca.pem")
    if name:
        one.load_cert_chain(pki / f"{name}.pem", pki / f"{name}-key.pem")
    one.set_alpn_protocols([alpn])
    return one


def secure(api: Standin, pki: pathlib.Path, name: str | None = "client",
           alpn: str = "http/1.1") -> ssl.SSLSocket:
    """A connection through TLS."""
    return context(pki, name, alpn).wrap_socket(
        api.connect(tcp=True), server_hostname="localhost")


def test_ioasidd_is_told_whose_certificate_it_is(
        api: Standin, pki: pathlib.Path) -> None:
    """Before the first request, with names and fingerprint."""
    with secure(api, pki) as client:
        assert ask(client, "GET", "/v1/devices").status == 200
        told = api.certificates[api.last]
    assert list(told.uris) == ["spiffe://test/one", "https://example.test/two"]
    assert list(told.names) == ["node-1.example.test"]
    der = ssl.PEM_cert_to_DER_cert((pki / "client.pem").read_text())
    assert told.fingerprint == hashlib.sha256(der).digest()
    wait_for(lambda: api.last in api.closed)


def test_who_is_not_verified_is_told_to_nobody(
        api: Standin, pki: pathlib.Path) -> None:
    """No certificate, no request; the connection is over for ioasidd."""
    for name in None, "client-revoked", "client-stranger", "client-expired":
        with pytest.raises(ssl.SSLError):
            with secure(api, pki, name) as client:
                ask(client, "GET", "/v1/devices")
        wait_for(lambda: api.last in api.closed)
    assert not api.certificates and not api.asked
    with api.connect(tcp=True) as client:
        client.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
        assert b"HTTP" not in client.recv(100)
    wait_for(lambda: api.last in api.closed)


def test_many_requests_on_one_connection(api: Standin,
                                         pki: pathlib.Path) -> None:
    """As without TLS; large ones, too."""
    body = json.dumps({"devices": ["d" * 1000] * 200})
    with secure(api, pki) as client:
        for _ in range(50):
            assert ask(client, "GET", "/healthz").status == 200
            assert ask(client, "POST", "/v1/leases", body).status == 200
    assert len(api.asked) == 50
    assert {asked.connection for asked in api.asked} == {api.last}


def test_a_new_list_ends_who_watches(api: Standin, pki: pathlib.Path) -> None:
    """A stream of events ends, is cancelled, and ioasidd hears of it."""
    api.answers["WatchEvents"] = lambda asked: None
    with secure(api, pki) as bad, secure(api, pki, "client-rsa") as good:
        number = api.last - 1
        bad.sendall(b"GET /v1/events HTTP/1.1\r\nHost: x\r\n\r\n")
        wait_for(lambda: api.asked)
        assert ask(good, "GET", "/healthz").status == 200
        assert api.configure_files(
            files(pki, revoked="revoked-more")) == ""
        with pytest.raises(ssl.SSLError, match="revoked"):
            while bad.recv(4096):
                pass
        assert api.asked[0].cancelled.wait(20)
        wait_for(lambda: number in api.closed)
        assert ask(good, "GET", "/healthz").status == 200
    assert "is ended" in api.words()


def test_a_config_with_a_wrong_part_changes_nothing(
        api: Standin, pki: pathlib.Path) -> None:
    """Its limits are not used either, and the words name the file."""
    limits = link_pb2.LinkLimits(message_bytes=10).SerializeToString()
    wrong = files(pki, key="client-key") | {"limits": limits}
    assert api.configure_files(wrong) == \
        "key: does not belong to the certificate"
    body = json.dumps({"devices": ["d" * 100]})
    with secure(api, pki) as client:
        assert ask(client, "POST", "/v1/leases", body).status == 200


def test_ioasidd_ends_a_connection(api: Standin, pki: pathlib.Path) -> None:
    """In its handshake, idle, and with HTTP/2."""
    with api.connect(tcp=True) as waiting:
        api.close_connection(api.last)
        assert waiting.recv(100) == b""
    for alpn in "http/1.1", "h2":
        with secure(api, pki, alpn=alpn) as client:
            wait_for(lambda: api.last in api.certificates)
            api.close_connection(api.last)
            with contextlib.suppress(ssl.SSLError):
                while client.recv(4096):
                    pass
    fds = api.quiet_fds()
    assert fds < 20
    assert api.closed == []


def test_without_credentials_nobody_is_let_in(
        api: Standin, pki: pathlib.Path) -> None:
    """A config without them is one without TLS."""
    assert api.configure_files({"limits": b""}) == ""
    with api.connect(tcp=True) as client:
        assert client.recv(100) == b""
    wait_for(lambda: api.last in api.closed)


# --- all of it ---


class Whole:
    """ioasidd-sim with a TCP port."""

    def __init__(self, pki: pathlib.Path, folder: pathlib.Path) -> None:
        self.pki = pki
        self.log = folder / "log"
        self.revoked = folder / "revoked.pem"
        self.revoke("revoked")
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = free.getsockname()[1]
        with open(self.log, "wb") as log:
            self.process = subprocess.Popen(
                [BUILD / "ioasidd-sim", "--foreground",
                 "--state-dir", folder / "state",
                 "--socket", folder / "native", "--api-socket", folder / "api",
                 "--machine", ROOT / "packaging/machines/vtd-server.json",
                 "--api-listen", f"127.0.0.1:{self.port}",
                 "--api-certificate", pki / "server.pem",
                 "--api-key", pki / "server-key.pem",
                 "--api-authorities", pki / "ca.pem",
                 "--api-revoked", self.revoked],
                stdout=log, stderr=log)
        wait_for(self.serves, 60)

    def revoke(self, name: str) -> None:
        """Put another list in the place of the one in use."""
        self.revoked.write_bytes((self.pki / f"{name}.pem").read_bytes())

    def serves(self) -> bool:
        """Does a good client get an answer?"""
        assert self.process.poll() is None, self.log.read_text()
        return self.curl("/healthz", "--http1.1").returncode == 0

    def curl(self, path: str, *more: str, name: str = "client"
             ) -> subprocess.CompletedProcess:
        """Ask with curl."""
        return subprocess.run(
            ["curl", "-sS", "--max-time", "20", "--cacert",
             self.pki / "ca.pem", "--cert", self.pki / f"{name}.pem", "--key",
             self.pki / f"{name}-key.pem", *more,
             f"https://localhost:{self.port}{path}"],
            capture_output=True, text=True, check=False)

    def channel(self, name: str | None = "client"):
        """A gRPC channel."""
        read = lambda file: (self.pki / file).read_bytes()  # noqa: E731
        own = (read(f"{name}-key.pem"), read(f"{name}.pem")) if name else \
            (None, None)
        return grpc.secure_channel(
            f"localhost:{self.port}",
            grpc.ssl_channel_credentials(read("ca.pem"), *own))

    def end(self) -> None:
        """Let it end well."""
        self.process.send_signal(signal.SIGTERM)
        assert self.process.wait(60) == 0, self.log.read_text()
        assert not ALARM.search(self.log.read_text()), self.log.read_text()


@pytest.fixture(scope="module")
def whole(pki: pathlib.Path,
          tmp_path_factory: pytest.TempPathFactory) -> Iterator[Whole]:
    """One for all tests."""
    one = Whole(pki, tmp_path_factory.mktemp("whole"))
    try:
        yield one
        one.end()
    finally:
        one.process.kill()


def list_devices(channel) -> device_pb2.ListDevicesResponse:
    """Ask by gRPC."""
    return channel.unary_unary(
        "/ioasid.v1.Devices/ListDevices",
        request_serializer=device_pb2.ListDevicesRequest.SerializeToString,
        response_deserializer=device_pb2.ListDevicesResponse.FromString)(
            device_pb2.ListDevicesRequest(), timeout=20)


def test_curl_and_grpcio_are_served_alike(whole: Whole) -> None:
    """The same list by REST and gRPC, over one port."""
    done = whole.curl("/v1/devices", "--http1.1")
    assert done.returncode == 0, done.stderr
    with whole.channel() as channel:
        assert len(list_devices(channel).devices) == \
            len(json.loads(done.stdout).get("devices", []))


def test_who_has_http2_gets_rest_too(whole: Whole) -> None:
    """curl offers h2 first, is told that REST is HTTP/1.1, and asks again."""
    done = whole.curl("/v1/devices", "-w", "%{http_version}")
    assert done.returncode == 0, done.stderr
    assert done.stdout.endswith("}1.1")


def test_grpcio_without_a_certificate_is_refused(whole: Whole) -> None:
    """And with one that is revoked."""
    for name in None, "client-revoked":
        with whole.channel(name) as channel, \
                pytest.raises(grpc.RpcError) as caught:
            list_devices(channel)
        assert caught.value.code() == grpc.StatusCode.UNAVAILABLE
    done = whole.curl("/v1/devices", "--http1.1", name="client-revoked")
    assert done.returncode != 0 and "revoked" in done.stderr


def test_sighup_with_a_new_list_ends_a_connection(whole: Whole) -> None:
    """A wrong list is told of in the log and changes nothing."""
    with context(whole.pki).wrap_socket(
            socket.create_connection(("127.0.0.1", whole.port), timeout=30),
            server_hostname="localhost") as client:
        assert ask(client, "GET", "/v1/devices").status == 200
        whole.revoke("revoked-old")
        whole.process.send_signal(signal.SIGHUP)
        wait_for(lambda: "revoked: list 1 is out of date" in
                 whole.log.read_text())
        assert ask(client, "GET", "/v1/devices").status == 200
        whole.revoke("revoked-more")
        whole.process.send_signal(signal.SIGHUP)
        with pytest.raises(ssl.SSLError, match="revoked"):
            while client.recv(4096):
                pass
    assert whole.curl("/healthz", "--http1.1").returncode != 0
    assert whole.curl("/healthz", "--http1.1",
                      name="client-rsa").returncode == 0
    whole.revoke("revoked")
    whole.process.send_signal(signal.SIGHUP)
    wait_for(whole.serves)


def test_others_are_served_while_300_stall(whole: Whole) -> None:
    """Over the whole way from the kernel's accept."""
    stalled = []
    for _ in range(300):
        with contextlib.suppress(OSError):
            stalled.append(socket.create_connection(
                ("127.0.0.1", whole.port), timeout=5))
    started = time.monotonic()
    done = whole.curl("/healthz", "--http1.1")
    print(f"served in {time.monotonic() - started:.2f} s beside "
          f"{len(stalled)} that stall", file=sys.stderr)
    assert done.returncode == 0, done.stderr
    for one in stalled:
        one.close()
