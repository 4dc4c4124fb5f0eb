# SPDX-License-Identifier: Apache-2.0
"""REST abused: smuggled, oversize, slow, silent, many, and random.

After each, others are served and memory is bounded; figures are printed. A
sanitizer keeps what is freed, so with one memory is not measured.
"""

import json
import pathlib
import random
import socket
import threading
import time
from collections.abc import Callable, Iterator

import pytest
from ioasid.v1 import device_pb2, link_pb2

from conftest import BUILD
from standin import Standin, ask, ended, read_answer, wait_for

HEADER_MS, BODY_MS, IDLE_MS = 500, 800, 2000
HOST = b"Host: x\r\n"
POST = b"POST /v1/leases HTTP/1.1\r\n" + HOST + \
    b"Content-Type: application/json\r\n"
SMUGGLED = b"GET /v1/devices/smuggled HTTP/1.1\r\n" + HOST + b"\r\n"


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Standin]:
    """An ioasid-api that has little patience; ends well."""
    one = Standin(BUILD, tmp_path_factory.mktemp("abuse"),
                  link_pb2.LinkLimits(header_timeout_ms=HEADER_MS,
                                      body_timeout_ms=BODY_MS,
                                      idle_timeout_ms=IDLE_MS))
    yield one
    one.end()


@pytest.fixture
def api(running: Standin) -> Iterator[Standin]:
    """The same; in the end it has no descriptor more than before."""
    running.answers.clear()
    running.asked.clear()
    fds = running.fds()
    yield running
    wait_for(lambda: running.fds() <= fds)


@pytest.fixture
def figure(capsys: pytest.CaptureFixture[str]) -> Callable[[str], None]:
    """Prints a line, also if nothing has failed."""
    def say(words: str) -> None:
        with capsys.disabled():
            print(f"\n# {words}", flush=True)
    return say


def slack(api: Standin, kib: int) -> int:
    """How much memory there may be; without end under a sanitizer."""
    return 1 << 40 if api.sanitizer else kib


class Others:
    """Somebody else who asks all the time; the longest that he waited."""

    def __init__(self, api: Standin) -> None:
        self.api = api
        self.worst = 0.0
        self.count = 0
        self.over = threading.Event()
        self.trouble: list[BaseException] = []

    def run(self) -> None:
        """Until it is over."""
        try:
            with self.api.connect() as client:
                while not self.over.is_set():
                    begun = time.monotonic()
                    assert ask(client, "GET", "/version").status == 200
                    self.worst = max(self.worst, time.monotonic() - begun)
                    self.count += 1
                    time.sleep(0.01)
        except BaseException as error:  # for the test to see
            self.trouble.append(error)

    def __enter__(self) -> "Others":
        self.thread = threading.Thread(target=self.run)
        self.thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.over.set()
        self.thread.join()
        assert not self.trouble, self.trouble
        assert self.count and self.worst < 5, self.worst


# --- requests that two readers could understand differently ---

UNCLEAR = {
    "length and chunks": POST + b"Content-Length: 2\r\n"
    b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "chunks and length": POST + b"Transfer-Encoding: chunked\r\n"
    b"Content-Length: 2\r\n\r\n0\r\n\r\n",
    "two lengths": POST + b"Content-Length: 2\r\nContent-Length: 9\r\n\r\n{}",
    "one length twice": POST + b"Content-Length: 2\r\n"
    b"Content-Length: 2\r\n\r\n{}",
    "two encodings": POST + b"Transfer-Encoding: chunked\r\n"
    b"Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
    "another encoding": POST + b"Transfer-Encoding: xchunked\r\n\r\n{}",
    "two codings": POST + b"Transfer-Encoding: gzip, chunked\r\n\r\n"
    b"2\r\n{}\r\n0\r\n\r\n",
    "identity": POST + b"Transfer-Encoding: identity\r\n"
    b"Content-Length: 2\r\n\r\n{}",
    "signed length": POST + b"Content-Length: +2\r\n\r\n{}",
    "negative length": POST + b"Content-Length: -2\r\n\r\n{}",
    "list of lengths": POST + b"Content-Length: 2, 2\r\n\r\n{}",
    "hexadecimal length": POST + b"Content-Length: 0x2\r\n\r\n{}",
    "endless length": POST + b"Content-Length: 99999999999999999999\r\n\r\n{}",
    "space before colon": POST + b"Content-Length : 2\r\n\r\n{}",
    "tab before colon": POST + b"Transfer-Encoding\t: chunked\r\n\r\n",
    "folded after nothing": POST[:-2] + b"\r\n Content-Length: 2\r\n\r\n{}",
    "bare CR": POST + b"X: a\rContent-Length: 9\r\n\r\n",
    "control": POST + b"X: a\x01b\r\nContent-Length: 2\r\n\r\n{}",
    "two hosts": b"GET /version HTTP/1.1\r\n" + HOST + HOST + b"\r\n",
    "no host": b"GET /version HTTP/1.1\r\n\r\n",
    "no colon": b"GET /version HTTP/1.1\r\n" + HOST + b"colon\r\n\r\n",
    "no version": b"GET /version\r\n\r\n",
    "old version": b"GET /version HTTP/0.9\r\n" + HOST + b"\r\n",
    "new version": b"GET /version HTTP/3.0\r\n" + HOST + b"\r\n",
    "space in path": b"GET /ver sion HTTP/1.1\r\n" + HOST + b"\r\n",
    "chunk of no size": POST + b"Transfer-Encoding: chunked\r\n\r\n"
    b"\r\n{}\r\n0\r\n\r\n",
    "chunk with 0x": POST + b"Transfer-Encoding: chunked\r\n\r\n"
    b"0x2\r\n{}\r\n0\r\n\r\n",
    "negative chunk": POST + b"Transfer-Encoding: chunked\r\n\r\n"
    b"-2\r\n{}\r\n0\r\n\r\n",
    "endless chunk": POST + b"Transfer-Encoding: chunked\r\n\r\n"
    b"fffffffffffffffff\r\n{}\r\n0\r\n\r\n",
    "chunk longer than said": POST + b"Transfer-Encoding: chunked\r\n\r\n"
    b"2\r\n{}{}\r\n0\r\n\r\n",
}


@pytest.mark.parametrize("what", UNCLEAR)
def test_what_is_unclear_ends_the_connection(
        api: Standin, what: str) -> None:
    """With an error or nothing; neither it nor what follows is served."""
    with api.connect() as client:
        client.sendall(UNCLEAR[what] + SMUGGLED)
        said = ended(client)
    assert said == b"" or said[:10] in (b"HTTP/1.1 4", b"HTTP/1.1 5"), said
    assert b"200 OK" not in said
    assert not api.asked


def test_nothing_is_served_behind_chunks(api: Standin) -> None:
    """A proxy may see their end elsewhere: in an extension, a bare LF. What is
    odd libmicrohttpd 0.9.75 takes, 1.0 only in part.
    """
    plain = b"2\r\n{}\r\n0\r\n\r\n"
    for chunks in (plain, b"2;a=b\r\n{}\r\n0\r\n\r\n",
                   b"2\n{}\n0\n\n", b"2\r\n{}\r\n0\r\nX: y\r\n\r\n"):
        api.asked.clear()
        with api.connect() as client:
            client.sendall(POST + b"Transfer-Encoding: chunked\r\n\r\n" +
                           chunks + SMUGGLED)
            said = ended(client)
        refused = chunks != plain and b" 400 " in said[:16]
        assert refused or said.startswith(b"HTTP/1.1 200 OK\r\n")
        assert b"Connection: close" in said
        assert [asked.method.split("/")[1] for asked in api.asked] == \
            ([] if refused else ["CreateLease"])


def test_what_is_odd_but_clear_keeps_its_bounds(api: Standin) -> None:
    """Folded lines, bare LF, NUL, an empty line in front: libmicrohttpd 0.9.75
    takes them (schema/README.md), 1.0 refuses some. If it is taken, its body
    ends where it should; if not, the connection ends.
    """
    for head in (POST + b"X: a\r\n b\r\nContent-Length: 2\r\n\r\n",
                 POST.replace(b"\r\n", b"\n") + b"Content-Length: 2\n\n",
                 POST + b"X: a\0b\r\nContent-Length: 2\r\n\r\n",
                 b"\r\n" + POST + b"Content-Length: 2\r\n\r\n"):
        api.asked.clear()
        with api.connect() as client:
            client.sendall(head + b"{}" + SMUGGLED)
            client.shutdown(socket.SHUT_WR)
            said = ended(client)
        asked = [asked.method.split("/")[1] for asked in api.asked]
        if said.startswith(b"HTTP/1.1 200 "):
            assert asked == ["CreateLease", "GetDevice"]
            assert said.count(b"HTTP/1.1 200 OK") == 2
        else:
            assert said.startswith(b"HTTP/1.1 400 ") and not asked


def test_a_target_that_is_no_path_is_refused(api: Standin) -> None:
    """We are no proxy, and do not believe what stands for Host elsewhere."""
    for target in ("http://x/version", "HTTP://other/version", "x:80",
                   "version", "*"):
        with api.connect() as client:
            assert ask(client, "GET", target).status in (400, 404)
    assert not api.asked


# --- too much ---


def test_headers_have_a_limit(api: Standin) -> None:
    """Their bytes, names and values, together; and each on its own."""
    for head, statuses in (
            (b"X: " + b"a" * 17000 + b"\r\n", (431,)),
            (b"".join(b"X%d: a\r\n" % i for i in range(500)), (431,)),
            (b"X: " + b"a" * 40000 + b"\r\n", (431,)),
            (b"X: a\r\n" * 20000, (431,)),
            (b"a" * 100000 + b": b\r\n", (431, 400))):
        with api.connect() as client:
            send_in_vain(client, b"GET /version HTTP/1.1\r\n" + HOST + head +
                         b"\r\n" + SMUGGLED)
            said = ended(client)
        assert int(said.split()[1]) in statuses, said[:300]
    with api.connect() as client:
        send_in_vain(client, b"GET /" + b"a" * 40000 + b" HTTP/1.1\r\n" +
                     HOST + b"\r\n")
        assert ended(client).startswith(b"HTTP/1.1 414 ")
    with api.connect() as client:
        assert ask(client, "GET", "/version", X="a" * 15000).status == 200
    assert len(api.asked) == 1


def send_in_vain(client: socket.socket, data: bytes) -> None:
    """Send what the other side may not want to read to its end."""
    try:
        client.sendall(data)
    except (BrokenPipeError, ConnectionResetError):
        pass


def test_bodies_have_a_limit(api: Standin) -> None:
    """Announced or not; 256 KiB to the byte."""
    size = 262144
    padding = b" " * (size - 2) + b"{}"
    with api.connect() as client:
        assert ask(client, "POST", "/v1/leases", padding).status == 200
    for head, body in ((b"Content-Length: 262145\r\n\r\n", b" " * 262145),
                       (b"Content-Length: 99999999999\r\n\r\n", b"{}"),
                       (b"Content-Length: 262145\r\n"
                        b"Expect: 100-continue\r\n\r\n", b""),
                       (b"Transfer-Encoding: chunked\r\n\r\n",
                        (b"1000\r\n" + b" " * 4096 + b"\r\n") * 80)):
        with api.connect() as client:
            send_in_vain(client, POST + head + body)
            said = ended(client)
        assert said.startswith(b"HTTP/1.1 413 "), said[:300]
        assert b"request.too-large" in said
    assert len(api.asked) == 1


def test_a_small_body_can_take_much_to_read_and_is_refused(
        api: Standin) -> None:
    """Each empty label is worth many times its bytes in memory."""
    body = json.dumps({"labels": {str(i): "" for i in range(20000)}},
                      separators=(",", ":"))
    assert len(body) < 262144
    before = api.rss()
    with api.connect() as client:
        for _ in range(10):
            answer = ask(client, "POST", "/v1/leases", body)
            assert answer.status == 413
            assert json.loads(answer.body)["id"] == "request.too-complex"
    assert api.rss() < before + slack(api, 8192)


def test_whoever_expects_to_be_told_is_told(api: Standin) -> None:
    """100 before a body that is wanted, the answer before one that is not."""
    with api.connect() as client:
        client.sendall(POST + b"Content-Length: 2\r\n"
                       b"Expect: 100-continue\r\n\r\n")
        assert client.recv(1000).startswith(b"HTTP/1.1 100 ")
        client.sendall(b"{}")
        assert read_answer(client).status == 200
    with api.connect() as client:
        client.sendall(b"POST /nothing HTTP/1.1\r\n" + HOST +
                       b"Content-Length: 2\r\nExpect: 100-continue\r\n\r\n")
        assert ended(client).startswith(b"HTTP/1.1 404 ")


# --- too slow ---


def test_silence_at_the_door_ends(api: Standin) -> None:
    """Also after the first bytes of HTTP/2, which could become it."""
    for said in (b"", b"P", b"PRI * HTTP/2.0\r\n\r\nSM"):
        with api.connect() as client:
            client.sendall(said)
            begun = time.monotonic()
            assert ended(client) == b""
            assert HEADER_MS / 2000 < time.monotonic() - begun < 5


def test_the_preface_may_come_byte_by_byte(api: Standin) -> None:
    """And HTTP/2 is spoken then: a SETTINGS frame comes first."""
    with api.connect() as client:
        for byte in b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n":
            client.send(bytes([byte]))
            time.sleep(0.002)
        client.sendall(b"\0\0\0\4\0\0\0\0\0")
        assert client.recv(9)[3] == 4


def test_slow_headers_are_told_and_cut(api: Standin) -> None:
    """A byte now and then is not enough, before the first line's end or
    after it.
    """
    for begin in (b"", b"GET /version HTTP/1.1\r\n"):
        with api.connect() as client:
            client.sendall(begin)
            begun = time.monotonic()
            said = drip(client, (b"GET /version HTTP/1.1\r\n" + HOST +
                                 b"X: " + b"a" * 1000)[len(begin):])
            assert said.startswith(b"HTTP/1.1 408 ")
            assert b"request.too-slow" in said
            assert time.monotonic() - begun < 10
    assert not api.asked


@pytest.mark.slow
def test_slow_bodies_are_told_and_cut(api: Standin) -> None:
    """Likewise; also if none comes at all."""
    with api.connect() as client:
        client.sendall(POST + b"Content-Length: 1000\r\n\r\n")
        assert drip(client, b" " * 1000).startswith(b"HTTP/1.1 408 ")
    with api.connect() as client:
        client.sendall(POST + b"Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n")
        assert ended(client).startswith(b"HTTP/1.1 408 ")
    assert not api.asked


def drip(client: socket.socket, data: bytes) -> bytes:
    """Send a byte each 50 ms, until told something; what was said."""
    client.settimeout(0.05)
    for byte in data:
        try:
            client.send(bytes([byte]))
            said = client.recv(65536)
        except TimeoutError:
            continue
        except (BrokenPipeError, ConnectionResetError):
            break
        client.settimeout(30)
        return said + ended(client)
    raise AssertionError("all of it was taken")


@pytest.mark.slow
def test_an_idle_connection_ends_without_a_word(api: Standin) -> None:
    """Lest it be taken for the answer to what is just being sent."""
    with api.connect() as client:
        assert ask(client, "GET", "/version").status == 200
        begun = time.monotonic()
        assert ended(client) == b""
        assert IDLE_MS / 2000 < time.monotonic() - begun < 10


@pytest.mark.slow
def test_a_call_may_take_longer_than_all_of_these(api: Standin) -> None:
    """Whoever waits for an operation waits."""
    late = []
    api.answers["WaitOperation"] = late.append
    with api.connect() as client:
        client.sendall(b"POST /v1/operations/a:wait HTTP/1.1\r\n" + HOST +
                       b"\r\n")
        wait_for(lambda: late)
        time.sleep((IDLE_MS + HEADER_MS + BODY_MS) / 1000 + 0.3)
        late[0].reply()
        assert read_answer(client).status == 200


@pytest.mark.slow
def test_whoever_does_not_read_is_cut(
        api: Standin, figure: Callable[[str], None]) -> None:
    """With what he has asked for; others are served."""
    reply = device_pb2.ListDevicesResponse(devices=[
        device_pb2.Device(name=f"devices/{i}", state_reason="x" * 1000)
        for i in range(200)])
    api.answers["ListDevices"] = lambda asked: asked.reply(reply)
    before = api.rss()
    clients = [api.connect() for _ in range(40)]
    with Others(api) as others:
        for client in clients:
            client.sendall((b"GET /v1/devices HTTP/1.1\r\n" + HOST + b"\r\n")
                           * 20)
        wait_for(lambda: len(api.asked) >= 40)
        most = api.rss()
        closed = len(api.closed)
        wait_for(lambda: len(api.closed) >= closed + 40, 30)
    figure(f"40 who do not read 20 answers of 300 KiB: +{most - before} KiB, "
           f"others waited {others.worst * 1000:.0f} ms at most")
    assert most < before + slack(api, 40 * 800)
    for client in clients:
        client.close()


# --- too many ---


def test_a_thousand_idle_connections_cost_little(
        tmp_path: pathlib.Path, figure: Callable[[str], None]) -> None:
    """A thousand at the door, a thousand that have asked something."""
    api = Standin(BUILD, tmp_path)
    fds, before = api.quiet_fds(), api.rss()
    door = [api.connect() for _ in range(1000)]
    wait_for(lambda: api.fds() == fds + 1000)
    at_door = api.rss() - before
    for client in door:
        assert ask(client, "GET", "/healthz").status == 200
    served = api.rss() - before
    with Others(api) as others:
        time.sleep(0.5)
    figure(f"1,000 idle connections: at the door +{at_door} KiB, after a "
           f"request each +{served} KiB; others waited "
           f"{others.worst * 1000:.0f} ms at most")
    assert at_door < slack(api, 4096) and served < slack(api, 48 * 1024)
    for client in door:
        client.close()
    wait_for(lambda: api.fds() == fds)
    api.end()


def test_bodies_together_have_a_limit(
        tmp_path: pathlib.Path, figure: Callable[[str], None]) -> None:
    """Of 500 that almost end, those are told to wait that are too many."""
    api = Standin(BUILD, tmp_path)
    before = api.rss()
    clients = [api.connect() for _ in range(500)]
    with Others(api) as others:
        for client in clients:
            send_in_vain(client, POST + b"Content-Length: 262144\r\n\r\n" +
                         b" " * 262000)
        time.sleep(0.5)
        most = api.rss() - before
        refused = 0
        for client in clients:
            client.setblocking(False)
            try:
                refused += client.recv(100).startswith(b"HTTP/1.1 503")
            except BlockingIOError:
                pass
            client.close()
    figure(f"500 bodies of 256 KiB that do not end: +{most} KiB, {refused} "
           f"refused, others waited {others.worst * 1000:.0f} ms at most")
    assert refused >= 200
    assert most < slack(api, 100 * 1024)
    api.end()


def test_connections_that_come_and_go_leave_nothing(
        api: Standin, figure: Callable[[str], None]) -> None:
    """In whatever state they are when they go."""
    api.answers["WaitOperation"] = lambda asked: None
    parts = (b"", b"P", b"GET /v", b"GET /version HTTP/1.1\r\n" + HOST,
             POST + b"Content-Length: 100\r\n\r\n{",
             b"POST /v1/operations/a:wait HTTP/1.1\r\n" + HOST + b"\r\n",
             b"GET /version HTTP/1.1\r\n" + HOST + b"\r\n", b"\xff" * 100)
    rounds = []
    for _ in range(3):
        for i in range(800):
            with api.connect() as client:
                client.sendall(parts[i % len(parts)])
        wait_for(lambda: api.fds() < 30)
        rounds.append(api.rss())
    figure(f"3 x 800 connections that come and go: RSS {rounds} KiB")
    assert rounds[2] < rounds[0] + slack(api, 1024)


@pytest.mark.slow
def test_random_bytes_do_no_harm(api: Standin) -> None:
    """Requests with bytes changed, cut out and put in; the seed is printed."""
    seed = random.randrange(1 << 32)
    print(f"seed {seed}")
    chance = random.Random(seed)
    good = [POST + b"Content-Length: 16\r\n\r\n" + b'{"devices":[""]}',
            POST + b"Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
            b"GET /v1/devices?page_size=3&all=true HTTP/1.1\r\n" + HOST +
            b"If-Match: \"a\"\r\nConnection: keep-alive\r\n\r\n" + SMUGGLED,
            b"HEAD /v1/devices/a%20b HTTP/1.0\r\n\r\n"]
    with Others(api):
        for _ in range(1500):
            data = bytearray(chance.choice(good))
            for _ in range(chance.randint(1, 6)):
                at = chance.randrange(len(data) + 1)
                what = chance.randrange(4)
                if what == 0:
                    data[at:at + 1] = bytes([chance.randrange(256)])
                elif what == 1:
                    del data[at:at + chance.randint(1, 8)]
                elif what == 2:
                    data[at:at] = chance.choice((b"\r\n", b"\0", b" ", b":",
                                                 b"\n", b"%", b"\x80"))
                else:
                    data[at:at] = data[:chance.randint(1, 40)]
            with api.connect() as client:
                send_in_vain(client, bytes(data))
                client.shutdown(socket.SHUT_WR)
                ended(client)
    assert api.process.poll() is None
