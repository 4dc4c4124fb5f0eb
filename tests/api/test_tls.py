# SPDX-License-Identifier: Apache-2.0
"""TLS alone: who is let in, what is refused, and what passes through.

Clients are python's ssl (OpenSSL), curl and openssl; the server is tls-peer.c.
"""

import contextlib
import hashlib
import os
import pathlib
import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Iterator

import pytest
from conftest import BUILD, ROOT
from tls import GOOD, TlsPeer, make_pki, soon, tls_peer

MIB = 1 << 20


@pytest.fixture(scope="module")
def pki(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    """Certificates, made once."""
    folder = tmp_path_factory.mktemp("pki")
    make_pki(ROOT, folder)
    return folder


@pytest.fixture
def peer(pki: pathlib.Path, tmp_path: pathlib.Path) -> Iterator[TlsPeer]:
    """A server with patience."""
    with tls_peer(BUILD, pki, tmp_path / "log") as one:
        yield one


@pytest.fixture
def hasty(pki: pathlib.Path, tmp_path: pathlib.Path) -> Iterator[TlsPeer]:
    """A server that waits a second, for anything."""
    with tls_peer(BUILD, pki, tmp_path / "log", 1000, 1000) as one:
        yield one


def echo(client: ssl.SSLSocket, data: bytes = b"hello") -> bytes:
    """Send, and read as much."""
    client.sendall(data)
    got = b""
    while len(got) < len(data):
        part = client.recv(65536)
        assert part, f"the end after {len(got)} bytes"
        got += part
    return got


# --- who is let in ---

def test_a_good_client_is_known_by_its_names(peer: TlsPeer) -> None:
    """URIs and DNS names in small letters; the SHA-256 of the certificate."""
    with peer.connect() as client:
        assert client.version() == "TLSv1.3"
        assert client.selected_alpn_protocol() == "http/1.1"
        assert echo(client) == b"hello"
    der = ssl.PEM_cert_to_DER_cert((peer.pki / "client.pem").read_text())
    assert peer.until("verified") == (
        "verified 1 http/1.1 spiffe://test/one,https://example.test/two;"
        f"node-1.example.test;{hashlib.sha256(der).hexdigest()}")


@pytest.mark.parametrize("name,uris", [
    ("client-nameless", ""), ("client-rsa", "spiffe://test/rsa"),
    ("client-sub", "spiffe://test/sub")])
def test_other_good_clients_come_in(peer: TlsPeer, name: str,
                                    uris: str) -> None:
    """Without a name, with RSA, through an authority in between."""
    with peer.connect(name) as client:
        assert echo(client) == b"hello"
    assert peer.until("verified").split()[3].startswith(f"{uris};;")


@pytest.mark.parametrize("name,alert,words", [
    (None, "TLSV13_ALERT_CERTIFICATE_REQUIRED", "shows no certificate"),
    ("client-stranger", "TLSV1_ALERT_UNKNOWN_CA", "no authority that is known"),
    ("client-by-client", "TLSV1_ALERT_UNKNOWN_CA", "no authority"),
    ("by-client-chain", "TLSV1_ALERT_UNKNOWN_CA", "no authority"),
    ("client-expired", "SSLV3_ALERT_CERTIFICATE_EXPIRED", "has expired"),
    ("client-early", "SSLV3_ALERT_BAD_CERTIFICATE", "not valid yet"),
    ("client-revoked", "SSLV3_ALERT_CERTIFICATE_REVOKED", "was revoked"),
    ("client-purposeless", "SSLV3_ALERT_UNSUPPORTED_CERTIFICATE",
     "does not say that it is for clients"),
    ("client-any-purpose", "SSLV3_ALERT_UNSUPPORTED_CERTIFICATE",
     "does not say that it is for clients"),
    ("server", "SSLV3_ALERT_UNSUPPORTED_CERTIFICATE", "is not for clients"),
    ("client-weak", "SSLV3_ALERT_BAD_CERTIFICATE", "too weakly"),
    ("client-blank", "SSLV3_ALERT_BAD_CERTIFICATE", "not printable"),
    ("client-many-names", "SSLV3_ALERT_BAD_CERTIFICATE", "more than 64"),
])
def test_others_are_told_why_not(peer: TlsPeer, name: str | None, alert: str,
                                 words: str) -> None:
    """An alert that fits, words for the log, and nobody is served."""
    got = peer.refusal(name)
    assert got[0] == alert
    assert words in got[1]
    assert not [line for line in peer.passed if "verified" in line]


def test_a_key_that_is_not_the_certificates_is_no_use(peer: TlsPeer) -> None:
    """gnutls-cli and openssl refuse to try; a forged signature is."""
    done = subprocess.run(
        ["gnutls-cli", "--x509cafile", peer.pki / "ca.pem", "--x509certfile",
         peer.pki / "client.pem", "--x509keyfile",
         peer.pki / "client-nameless-key.pem", "--alpn", "h2", "-p",
         str(peer.port), "localhost"], input=b"x", timeout=20,
        capture_output=True)
    assert done.returncode != 0


@pytest.mark.parametrize("alpn,chosen", [
    (["h2"], "h2"), (["http/1.1"], "http/1.1"),
    (["http/1.1", "h2"], "h2"), (["h2", "http/1.1"], "h2"),
    (["grpc-exp", "h2"], "h2"), (["spdy/3", "http/1.1"], "http/1.1")])
def test_the_protocol_is_agreed_on(peer: TlsPeer, alpn: list[str],
                                   chosen: str) -> None:
    """HTTP/2 comes first if the client has it."""
    with peer.connect(alpn=alpn) as client:
        assert client.selected_alpn_protocol() == chosen
        assert echo(client) == b"hello"
    assert peer.until("verified").split()[2] == chosen


def test_an_unknown_protocol_is_refused(peer: TlsPeer) -> None:
    """So is none at all."""
    alert, words = peer.refusal(alpn=["http/1.0", "h3"])
    # As OpenSSL 3.0 and 3.5 say it.
    assert "no application protocol" in alert.lower().replace("_", " ")
    assert "ALPN" in words
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(peer.pki / "ca.pem")
    context.load_cert_chain(peer.pki / "client.pem",
                            peer.pki / "client-key.pem")
    with pytest.raises(ssl.SSLError, match="(?i)no.application.protocol"):
        context.wrap_socket(peer.tcp(), server_hostname="localhost")
    assert "ALPN" in peer.until("failed")


@pytest.mark.parametrize("version,alert", [
    ("-tls1", b"protocol version"), ("-tls1_1", b"protocol version"),
    ("-tls1_2", b"handshake failure")])
def test_older_versions_are_refused(peer: TlsPeer, version: str,
                                    alert: bytes) -> None:
    """1.2 by GnuTLS's word for it: there is no cipher for that version."""
    done = subprocess.run(
        ["openssl", "s_client", "-connect", f"127.0.0.1:{peer.port}", version,
         "-cipher", "ALL:@SECLEVEL=0", "-alpn", "http/1.1", "-cert",
         peer.pki / "client.pem", "-key", peer.pki / "client-key.pem"],
        input=b"hello", capture_output=True, timeout=20)
    assert b"alert " + alert in done.stderr, done.stderr
    assert "TLS handshake" in peer.until("failed")
    assert not [line for line in peer.passed if "verified" in line]


# --- what is no TLS, and what stalls ---

@pytest.mark.parametrize("data", [
    b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n",
    b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", b"\0" * 4096, os.urandom(4096),
    b"\x16\x03\x01\xff\xff" + b"\1" * 65535,
    b"\x16\x03\x01\x00\x04\x01\xff\xff\xff"],
    ids=["http", "http2", "zeros", "chance", "longest", "promise"])
def test_garbage_is_refused_at_once(peer: TlsPeer, data: bytes) -> None:
    """Plain HTTP too: the connection ends, in words for the log."""
    with peer.tcp() as client:
        client.sendall(data)
        client.shutdown(socket.SHUT_WR)
        assert b"HTTP" not in client.recv(4096)
    assert "TLS handshake" in peer.until("failed")


@pytest.mark.slow
def test_a_stalled_handshake_ends(hasty: TlsPeer) -> None:
    """Whether nothing comes, or half a hello, or a byte at a time."""
    started = time.monotonic()
    silent, half, slow = hasty.tcp(), hasty.tcp(), hasty.tcp()
    half.sendall(b"\x16\x03\x01\x02\x00\x01")
    hello = b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(500)
    for i in range(30):
        try:
            slow.sendall(hello[i:i + 1])
        except OSError:
            break
        time.sleep(0.1)
    words = [hasty.until("failed") for _ in range(3)]
    assert all("took too long" in line for line in words), words
    assert time.monotonic() - started < 5
    for client in silent, half, slow:
        client.close()


def test_300_stalled_handshakes_are_bounded(peer: TlsPeer) -> None:
    """Others are served meanwhile; memory and descriptors come back."""
    with peer.connect() as client:
        echo(client)
    soon("settled", lambda: peer.count()[0] <= 10)
    fds, _ = peer.count()
    before = peer.rss()
    stalled = []
    for _ in range(300):
        one = peer.tcp()
        one.sendall(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03")
        stalled.append(one)
    started = time.monotonic()
    with peer.connect() as client:
        assert echo(client) == b"hello"
    took = time.monotonic() - started
    grown = peer.rss() - before
    open_fds = peer.count()[0] - fds
    print(f"300 stalled: +{grown / MIB:.1f} MiB, {open_fds} descriptors, "
          f"another served in {took * 1000:.0f} ms")
    assert open_fds <= 256 + 64 + 8
    assert grown < 16 * MIB * (8 if "san" in BUILD.name else 1)
    assert took < 2
    pushed = [line for line in peer.passed if "too many at once" in line]
    assert len(pushed) >= 300 - 256
    for one in stalled:
        one.close()
    soon("descriptors come back", lambda: peer.count()[0] <= fds + 1)


def test_early_data_and_resumption_are_not_had(peer: TlsPeer,
                                               tmp_path: pathlib.Path) -> None:
    """No ticket is given, so a client has nothing to resume with."""
    with peer.connect() as client:
        echo(client)
        assert client.session is None or not client.session.has_ticket
        assert not client.session_reused
    ticket = tmp_path / "ticket"
    done = subprocess.run(
        ["openssl", "s_client", "-connect", f"127.0.0.1:{peer.port}", "-alpn",
         "http/1.1", "-cert", peer.pki / "client.pem", "-key",
         peer.pki / "client-key.pem", "-CAfile", peer.pki / "ca.pem",
         "-sess_out", ticket], input=b"GET / HTTP/1.1\r\n\r\n",
        capture_output=True, timeout=20)
    assert b"Max Early Data" not in done.stdout
    assert b"New Session Ticket" not in done.stdout
    assert not ticket.exists()


def test_renegotiation_is_not_had(peer: TlsPeer) -> None:
    """openssl's R asks for it: 1.3 has none, and the connection goes on or
    ends, but nobody is asked again."""
    done = subprocess.run(
        ["openssl", "s_client", "-connect", f"127.0.0.1:{peer.port}", "-alpn",
         "http/1.1", "-cert", peer.pki / "client.pem", "-key",
         peer.pki / "client-key.pem"], input=b"hello\nR\nhello\n",
        capture_output=True, timeout=20)
    assert b"Secure Renegotiation IS NOT supported" in done.stdout \
        or b"TLSv1.3" in done.stdout
    assert peer.until("over").split()[2] != "0"
    assert len([x for x in peer.passed if x.startswith("verified")]) == 1


def test_new_keys_may_be_asked_for(peer: TlsPeer) -> None:
    """openssl's K sends a KeyUpdate that wants an answer."""
    with subprocess.Popen(
            ["openssl", "s_client", "-connect", f"127.0.0.1:{peer.port}",
             "-alpn", "http/1.1", "-cert", peer.pki / "client.pem", "-key",
             peer.pki / "client-key.pem"], stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE) as client:
        for line in b"first\n", b"K\n", b"second\n":
            client.stdin.write(line)
            client.stdin.flush()
            time.sleep(0.3)
        client.stdin.close()
        said = client.stdout.read()
    assert b"first" in said and b"second" in said, said


def test_keys_are_never_logged(pki: pathlib.Path,
                               tmp_path: pathlib.Path) -> None:
    """Whatever the environment says."""
    log = tmp_path / "keys"
    with tls_peer(BUILD, pki, tmp_path / "log",
                  env={**os.environ, "SSLKEYLOGFILE": str(log)}) as one:
        with one.connect() as client:
            echo(client)
    assert not log.exists() or log.read_bytes() == b""


# --- what passes through ---

@pytest.mark.parametrize("alpn", ["h2", "http/1.1"])
@pytest.mark.parametrize("slow", [False, True])
@pytest.mark.slow
def test_a_mebibyte_passes_both_ways(peer: TlsPeer, alpn: str,
                                     slow: bool) -> None:
    """Whole and in order, also when the reader takes its time."""
    data = os.urandom(MIB)
    client = peer.connect(alpn=[alpn])
    got = bytearray()

    def read() -> None:
        while len(got) < len(data):
            if slow:
                time.sleep(0.01)
            got.extend(client.recv(8192 if slow else 65536))

    reader = threading.Thread(target=read)
    reader.start()
    if slow:
        for i in range(0, len(data), 4000):
            client.sendall(data[i:i + 4000])
    else:
        client.sendall(data)
    reader.join(60)
    assert bytes(got) == data
    client.close()
    assert peer.until("over").split()[2] == str(MIB)


def test_a_client_that_ends_its_side_gets_the_rest(peer: TlsPeer) -> None:
    """Half-closed: what it sent comes back whole, then the end."""
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    tls = peer.context().wrap_bio(incoming, outgoing,
                                  server_hostname="localhost")
    with peer.tcp() as sock:
        def step(call):
            while True:
                try:
                    done = call()
                    sock.sendall(outgoing.read())
                    return done
                except ssl.SSLWantReadError:
                    sock.sendall(outgoing.read())
                    part = sock.recv(65536)
                    if part:
                        incoming.write(part)
                    else:
                        incoming.write_eof()

        step(tls.do_handshake)
        data = os.urandom(200000)
        sent = 0
        got = b""
        while sent < len(data):
            sent += step(lambda: tls.write(data[sent:sent + 16384]))
            if sent > 100000:
                got += step(lambda: tls.read(16384))
        # Sends close_notify, and finds that the other side goes on.
        try:
            tls.unwrap()
        except ssl.SSLError:
            pass
        sock.sendall(outgoing.read())
        assert peer.until("over").split()[2] == str(len(data))
        assert b"".join([got]) == data[:len(got)]
    assert [x for x in peer.passed if "failed" in x] == []


def test_an_answer_that_closes_arrives_whole(peer: TlsPeer) -> None:
    """With close_notify, so a client knows that nothing is missing."""
    with peer.connect() as client:
        client.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
        text = b""
        while part := client.recv(100):  # raises without close_notify
            text += part
    assert text.endswith(b"\r\n\r\nhello\n")


def test_curl_is_served(peer: TlsPeer) -> None:
    """With its certificate, and not without."""
    url = f"https://localhost:{peer.port}/"
    curl = ["curl", "-sS", "--http1.1", "--cacert", peer.pki / "ca.pem", url]
    done = subprocess.run(
        [*curl, "--cert", peer.pki / "client.pem", "--key",
         peer.pki / "client-key.pem"], capture_output=True, timeout=20)
    assert done.stdout == b"hello\n", done.stderr
    done = subprocess.run(curl, capture_output=True, timeout=20)
    assert done.returncode != 0
    assert b"certificate required" in done.stderr


@pytest.mark.slow
def test_what_is_not_read_is_not_taken(peer: TlsPeer) -> None:
    """A server that does not read holds some 64 KiB each, not all."""
    before = peer.count()[1]
    client = peer.connect()
    client.sendall(b"HOLD")
    client.settimeout(2)
    sent = 0
    try:
        while sent < 64 * MIB:
            client.sendall(bytes(65536))
            sent += 65536
    except (TimeoutError, ssl.SSLError):
        pass
    assert sent < 64 * MIB
    assert peer.count()[1] - before < 512 * 1024
    client.close()


def test_a_client_that_does_not_read_ends(hasty: TlsPeer) -> None:
    """In the time that it has to take something, not sooner."""
    before = hasty.count()[1]
    client = hasty.connect()
    client.settimeout(20)
    threading.Thread(target=lambda: fill(client), daemon=True).start()
    started = time.monotonic()
    assert hasty.until("over", 30)
    assert time.monotonic() - started > 0.9
    soon("memory comes back",
         lambda: hasty.count()[1] - before < 64 * 1024, 15)


def fill(client: ssl.SSLSocket) -> None:
    """Send without reading, until the end."""
    try:
        while True:
            client.sendall(bytes(65536))
    except OSError:
        pass


@pytest.mark.parametrize("alpn", ["h2", "http/1.1"])
def test_a_broken_connection_is_noticed(peer: TlsPeer, alpn: str) -> None:
    """A reset, at rest and with much on its way; nothing stays open."""
    fds = peer.count()[0]
    for much in False, True:
        client = peer.connect(alpn=[alpn])
        echo(client)
        if much:
            client.settimeout(0.5)
            try:
                while True:
                    client.sendall(bytes(65536))
            except (TimeoutError, OSError):
                pass
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                          b"\1\0\0\0\0\0\0\0")
        client.close()
        assert peer.until("over")
    soon("closed", lambda: peer.count()[0] == fds)


def test_ended_by_the_daemon(peer: TlsPeer) -> None:
    """In a handshake, and with a stream that somebody has."""
    with peer.tcp() as sock:
        time.sleep(0.2)
        peer.tell("close 1")
        peer.until("closed")
        assert sock.recv(100) == b""
    with peer.connect(alpn=["h2"]) as client:
        echo(client)
        peer.tell("close 2")
        with pytest.raises((ssl.SSLError, ConnectionError)):
            if not client.recv(100):
                raise ConnectionError
    assert peer.until("over 2")


# --- other credentials ---

@pytest.mark.parametrize("alpn", ["h2", "http/1.1"])
def test_a_new_list_ends_whom_it_names(peer: TlsPeer, alpn: str) -> None:
    """Others go on, and the revoked one does not come back."""
    with peer.connect(alpn=[alpn]) as bad, \
            peer.connect("client-rsa", [alpn]) as good:
        echo(bad)
        echo(good)
        assert peer.use(
            "server.pem server-key.pem ca.pem revoked-more.pem") == "used"
        with pytest.raises(ssl.SSLError) as caught:
            bad.recv(100)
        assert caught.value.reason == "SSLV3_ALERT_CERTIFICATE_REVOKED"
        assert echo(good) == b"hello"
    assert peer.refusal()[0] == "SSLV3_ALERT_CERTIFICATE_REVOKED"


def test_other_authorities_end_all_others(peer: TlsPeer) -> None:
    """A connection in the middle of its handshake is judged by them, too."""
    with peer.connect() as client, peer.tcp() as sock:
        echo(client)
        incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        tls = peer.context().wrap_bio(incoming, outgoing,
                                      server_hostname="localhost")
        with pytest.raises(ssl.SSLWantReadError):
            tls.do_handshake()
        sock.sendall(outgoing.read())
        while True:
            incoming.write(sock.recv(65536))
            with contextlib.suppress(ssl.SSLWantReadError):
                tls.do_handshake()
                break
        assert peer.use("server.pem server-key.pem other-ca.pem -") == "used"
        with pytest.raises(ssl.SSLError):
            client.recv(100)
        sock.sendall(outgoing.read())
        assert "no authority" in peer.until("failed")
    with peer.connect("client-stranger") as client:
        assert echo(client) == b"hello"


def test_a_wrong_set_changes_nothing(peer: TlsPeer) -> None:
    """It is refused by its file's name; the former one is in use."""
    with peer.connect() as client:
        echo(client)
        assert peer.use("server.pem client-key.pem ca.pem -") == \
            "refused key: does not belong to the certificate"
        assert peer.use("server.pem server-key.pem ca.pem revoked-old.pem") \
            == "refused revoked: list 1 is out of date"
        assert echo(client) == b"hello"
    assert peer.refusal("client-revoked")[0] == \
        "SSLV3_ALERT_CERTIFICATE_REVOKED"


def test_no_set_ends_tls(peer: TlsPeer) -> None:
    """Connections end, new ones are closed; a set begins anew."""
    with peer.connect() as client, peer.tcp() as waiting:
        echo(client)
        assert peer.use("- - - -") == "used"
        with pytest.raises(ssl.SSLError):
            client.recv(100)
        assert waiting.recv(100) == b""
    with peer.tcp() as sock:
        assert sock.recv(100) == b""
    assert peer.use(GOOD) == "used"
    with peer.connect() as client:
        assert echo(client) == b"hello"


@pytest.mark.slow
def test_a_connection_ends_with_its_certificate(peer: TlsPeer) -> None:
    """Though nobody says anything on it."""
    make_pki(ROOT, peer.pki, "soon", "4")
    with peer.connect("client-soon") as client:
        assert echo(client) == b"hello"
        started = time.monotonic()
        with pytest.raises(ssl.SSLError) as caught:
            client.recv(100)
        assert caught.value.reason == "SSLV3_ALERT_CERTIFICATE_EXPIRED"
        assert 0.5 < time.monotonic() - started < 8


@pytest.mark.slow
def test_an_old_list_vouches_for_nobody(peer: TlsPeer) -> None:
    """From its next update on; a new one does, again."""
    make_pki(ROOT, peer.pki, "soon", "3")
    assert peer.use("server.pem server-key.pem ca.pem revoked-soon.pem") == \
        "used"
    with peer.connect("client-revoked") as client:
        assert echo(client) == b"hello"
    time.sleep(4)
    alert, words = peer.refusal()
    assert alert == "SSLV3_ALERT_CERTIFICATE_UNKNOWN"
    assert "out of date" in words
    assert peer.use(GOOD) == "used"
    with peer.connect() as client:
        assert echo(client) == b"hello"


def test_a_long_list_costs_little(peer: TlsPeer) -> None:
    """30,000 certificates in 8 MiB, and handshakes as fast as before."""
    before = peer.rss()
    make_pki(ROOT, peer.pki, "long", "30000")
    assert peer.use("server.pem server-key.pem ca.pem revoked-long.pem") == \
        "used"
    grown = (peer.rss() - before) / MIB
    started = time.monotonic()
    for _ in range(10):
        with peer.connect() as client:
            assert echo(client) == b"hello"
    took = (time.monotonic() - started) / 10 * 1000
    print(f"30,000 revoked: +{grown:.1f} MiB, a handshake in {took:.1f} ms")
    assert grown < 8 or "san" in BUILD.name
    assert took < 500


def test_the_first_request_is_not_held_up(peer: TlsPeer) -> None:
    """By an acknowledgement that waits 40 ms: the best of ten is faster."""
    def once() -> float:
        started = time.monotonic()
        with peer.connect() as client:
            echo(client)
        return time.monotonic() - started

    assert min(once() for _ in range(10)) < 0.04 or "san" in BUILD.name


def test_100_reloads_leak_nothing(peer: TlsPeer) -> None:
    """Neither memory nor descriptors, with connections across them."""
    with peer.connect() as client:
        for i in range(100):
            assert peer.use(GOOD) == "used"
            if i == 20:
                fds, heap = peer.count()
        assert echo(client) == b"hello"
        assert peer.count()[0] == fds
        assert peer.count()[1] - heap < 64 * 1024
