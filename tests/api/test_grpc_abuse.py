# SPDX-License-Identifier: Apache-2.0
"""HTTP/2 that keeps no rule: closed or refused, others served, memory bounded.

Each case prints what it has seen (pytest -s): frames sent before the end, the
GOAWAY's code, CPU time, memory. The bounds are of the usual build; a sanitizer
takes several times as much.
"""

import contextlib
import pathlib
import random
import struct
import time
from collections.abc import Iterator

import pytest
from grpcs import (ACK, CONTINUATION, DATA, END_HEADERS, END_STREAM, GOAWAY,
                   HEADERS, PING, PREFACE, PRIORITY, RST, SANITIZED, SETTINGS,
                   STREAM, WINDOW, Raw, Server, frame, headers,
                   integer, literal, message)

ENHANCE_YOUR_CALM = 11
MIB = 1024


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A peer for all of these; must end well, with nothing left open."""
    one = Server(tmp_path_factory.mktemp("grpc"))
    yield one
    assert one.settles("open", 0) == 0
    assert one.stop() == 0


@pytest.fixture()
def fresh(tmp_path: pathlib.Path) -> Iterator[Server]:
    """A peer for one test of memory: nothing is left of others' that it could
    use again."""
    one = Server(tmp_path)
    yield one
    assert one.settles("open", 0) == 0
    assert one.stop() == 0


def served(server: Server) -> None:
    """Somebody else's call is answered, and soon."""
    began = time.monotonic()
    server.counts()
    assert time.monotonic() - began < (20 if SANITIZED else 5)


@contextlib.contextmanager
def bounded(server: Server, what: str, kib: int) -> Iterator[None]:
    """Others are served; memory grows by less than a bound at any time."""
    served(server)
    memory, cpu = server.kib(), server.cpu()
    server.forget_peak()
    yield
    served(server)
    grown = server.peak_kib() - memory
    print(f"{what}: {grown:+} KiB at most (bound {kib}), "
          f"{server.kib() - memory:+} KiB are left, "
          f"{server.cpu() - cpu:.3f} s of CPU")
    assert grown < kib * (8 if SANITIZED else 1)


def flood(raw: Raw, frames: list[bytes], batch: int = 100) -> int:
    """Send them until the connection is closed; how many went."""
    sent = 0
    for at in range(0, len(frames), batch):
        some = frames[at:at + batch]
        if not raw.send(b"".join(some)):
            break
        sent += len(some)
    return sent


def calmed(raw: Raw, what: str, sent: int, most: int) -> None:
    """The connection was ended, with a GOAWAY if that was still read."""
    code = raw.goaway()
    print(f"{what}: {sent} sent, GOAWAY {code}")
    # A reset by the kernel may overtake the GOAWAY.
    assert code in (ENHANCE_YOUR_CALM, None)
    assert sent < most


def test_rapid_reset_is_ended(server: Server) -> None:
    """CVE-2023-44487: 40,000 calls, each reset at once."""
    frames = [frame(HEADERS, END_HEADERS | END_STREAM, 2 * i + 1, headers())
              + frame(RST, 0, 2 * i + 1, struct.pack(">I", 8))
              for i in range(40000)]
    with bounded(server, "rapid reset", 2 * MIB), Raw(server) as raw:
        before = server.counts()["calls"]
        sent = flood(raw, frames)
        calmed(raw, "rapid reset", sent, 10000)
        assert server.counts()["calls"] - before < 1000


def test_rapid_reset_with_bodies_is_ended(server: Server) -> None:
    """20,000 calls that ioasidd is asked for, each reset at once."""
    body = message(b"hang")
    frames = [frame(HEADERS, END_HEADERS, 2 * i + 1, headers())
              + frame(DATA, END_STREAM, 2 * i + 1, body)
              + frame(RST, 0, 2 * i + 1, struct.pack(">I", 8))
              for i in range(20000)]
    with bounded(server, "reset with bodies", 2 * MIB), Raw(server) as raw:
        sent = flood(raw, frames)
        calmed(raw, "reset with bodies", sent, 10000)
    assert server.settles("open", 0) == 0


@pytest.mark.parametrize("how", ["window", "header"])
def test_resets_by_us_on_demand_are_ended(server: Server, how: str) -> None:
    """CVE-2025-8671: calls whose rules are broken so that we reset them."""
    window = struct.pack(">I", 2 ** 31 - 1)
    frames = [frame(HEADERS, END_HEADERS, 2 * i + 1, headers())
              + frame(WINDOW, 0, 2 * i + 1, window) if how == "window" else
              frame(HEADERS, END_HEADERS, 2 * i + 1,
                    headers() + literal("X-Upper", "x"))
              for i in range(20000)]
    with bounded(server, f"made you reset, {how}", 2 * MIB), \
            Raw(server) as raw:
        sent = flood(raw, frames, 20)
        calmed(raw, f"made you reset, {how}", sent, 10000)


@pytest.mark.parametrize("what,one,most", [
    ("SETTINGS", frame(SETTINGS, 0, 0), 20000),
    ("SETTINGS of 16", frame(SETTINGS, 0, 0, bytes(6) * 16), 20000),
    ("SETTINGS ACK", frame(SETTINGS, ACK, 0), 20000),
    ("PING", frame(PING, 0, 0, bytes(8)), 20000),
    ("PRIORITY", frame(PRIORITY, 0, 1, struct.pack(">IB", 0, 1)), 20000)])
def test_a_flood_of_frames_of_no_use_is_ended(
        server: Server, what: str, one: bytes, most: int) -> None:
    """20,000 of them, by one who reads nothing back."""
    with bounded(server, what, MIB), Raw(server) as raw:
        sent = flood(raw, [one] * 20000)
        code = raw.goaway()
        print(f"{what}: {sent} sent, GOAWAY {code}")
        assert sent < most


def test_a_flood_of_empty_data_is_ended(server: Server) -> None:
    """DATA without bytes costs no window."""
    with bounded(server, "empty DATA", MIB), Raw(server) as raw:
        raw.call(1, None, end=False)
        sent = flood(raw, [frame(DATA, 0, 1)] * 20000)
        calmed(raw, "empty DATA", sent, 20000)


def test_a_flood_of_continuations_is_ended(server: Server) -> None:
    """2,000 frames of one block of headers, empty and full."""
    for payload in (b"", literal("x-filler", "x" * 1000)):
        with bounded(server, "CONTINUATION", 2 * MIB), Raw(server) as raw:
            raw.send(frame(HEADERS, END_STREAM, 1, headers()))
            sent = flood(raw, [frame(CONTINUATION, 0, 1, payload)] * 2000, 10)
            frames = raw.all()
            codes = [one[3][4:8] for one in frames if one[0] == GOAWAY]
            print(f"CONTINUATION of {len(payload)}: {sent} sent, "
                  f"GOAWAY {codes}")
            assert sent < 2000


def test_a_header_list_over_the_limit_is_refused(server: Server) -> None:
    """16 KiB as HTTP/2 counts; the connection stays."""
    with bounded(server, "long headers", MIB), Raw(server) as raw:
        long = headers() + literal("x-long", "x" * 17000)
        raw.send(frame(HEADERS, END_STREAM, 1, long[:16000])
                 + frame(CONTINUATION, END_HEADERS, 1, long[16000:]))
        answer = raw.until(HEADERS, 1)
        assert answer and answer[1] & END_STREAM
        raw.call(3, b"echo")
        assert raw.until(DATA, 3)


def test_headers_that_unfold_are_ended(server: Server) -> None:
    """HPACK: one byte for 4,000 that were said before, 16,000 times."""
    first = headers() + b"\x40" + b"".join(
        integer(len(one)) + one for one in (b"x", b"y" * 4000))
    with bounded(server, "HPACK bomb", 2 * MIB), Raw(server) as raw:
        raw.send(frame(HEADERS, END_STREAM, 1, first)
                 + frame(CONTINUATION, END_HEADERS, 1, b"\xbe" * 16000))
        assert raw.goaway() == ENHANCE_YOUR_CALM


@pytest.mark.parametrize("size", [4096, 65536, 262144])
def test_endless_streams_that_nobody_reads_are_bounded(
        fresh: Server, size: int) -> None:
    """100 of them, without a window beyond the first 64 KiB."""
    with bounded(fresh, f"100 streams of {size}", 10 * MIB), \
            Raw(fresh) as raw:
        for i in range(100):
            raw.call(2 * i + 1, b"stream 0 %d" % size, headers(path=STREAM))
        time.sleep(1)
        assert fresh.counts()["calls"] > 1


def test_one_who_takes_windows_and_does_not_read_is_bounded(
        fresh: Server) -> None:
    """The socket is full, not the window."""
    window = frame(SETTINGS, 0, 0, struct.pack(">HI", 4, 2 ** 31 - 1)) + \
        frame(WINDOW, 0, 0, struct.pack(">I", 2 ** 31 - 65536))
    with bounded(fresh, "full socket", 10 * MIB), Raw(fresh) as raw:
        raw.send(window)
        for i in range(100):
            raw.call(2 * i + 1, b"stream 0 65536", headers(path=STREAM))
        time.sleep(1)


def test_answers_that_are_not_taken_are_bounded(fresh: Server) -> None:
    """Calls for 256 KiB each, without a window for them."""
    with bounded(fresh, "untaken answers", 10 * MIB), Raw(fresh) as raw:
        for i in range(120):
            raw.call(2 * i + 1, b"reply 262144")
        time.sleep(1)
        assert fresh.counts()["calls"] > 16


def test_questions_without_end_are_bounded(fresh: Server) -> None:
    """Reflection asked for large files; the answers are not read."""
    path = "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo"
    ask = message(b"\x1a\x15ioasid/v1/lease.proto")
    with bounded(fresh, "reflection", 10 * MIB), Raw(fresh) as raw:
        raw.call(1, None, headers(path=path), end=False)
        flood(raw, [frame(DATA, 0, 1, ask)] * 2000)
        time.sleep(0.5)


def test_requests_that_do_not_end_are_bounded(fresh: Server) -> None:
    """120 calls, each with all but the last byte of the longest request."""
    body = message(bytes(262144))[:-1]
    refused = 0
    with bounded(fresh, "requests without end", 6 * MIB), Raw(fresh) as raw:
        for i in range(120):
            raw.call(2 * i + 1, None, end=False)
        for at in range(0, len(body), 8192):
            for i in range(120):
                raw.send(frame(DATA, 0, 2 * i + 1, body[at:at + 8192]))
                if i % 7 == 6:
                    # Its windows are kept: a PING is answered after them.
                    raw.send(frame(PING, 0, 0, bytes(8)))
                    while (one := raw.receive())[0] != PING:
                        refused += one[0] == HEADERS
        served(fresh)
        print(f"requests without end: {refused} of 120 refused")
        assert 100 < refused < 120


def test_unknown_frames_are_passed_over(server: Server) -> None:
    """20,000 of them, as RFC 9113 has it: they are not even looked at."""
    with bounded(server, "unknown frames", MIB), Raw(server) as raw:
        assert flood(raw, [frame(0xfa, 0, 0, b"?")] * 20000) == 20000
        raw.call(1, b"echo")
        assert raw.until(DATA, 1)


def test_more_streams_than_allowed_are_refused(server: Server) -> None:
    """By RST_STREAM before the client has seen the limit, then by GOAWAY."""
    with Raw(server) as raw:
        for i in range(140):
            raw.call(2 * i + 1, b"hang")
        reset = [raw.until(RST) for _ in range(12)]
        assert all(one and struct.unpack(">I", one[3])[0] == 7
                   for one in reset)
        raw.send(frame(SETTINGS, ACK, 0))
        raw.call(1001, b"hang")
        assert raw.goaway() == 1


@pytest.mark.parametrize("preface", [
    b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", PREFACE[:-1] + b"X", bytes(24),
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(40)])
def test_a_bad_preface_is_ended(server: Server, preface: bytes) -> None:
    """HTTP/1.1, TLS, anything."""
    with Raw(server, preface, None) as raw:
        raw.all()
    served(server)


@pytest.mark.parametrize("expected,change", [
    (b"415", {"kind": "application/json"}),
    (b"415", {"kind": "application/grpc-web"}),
    (b"415", {"kind": "application/grpc+json"}), (b"415", {"kind": ""}),
    (b"405", {"method": "GET"}), (b"405", {"method": "PUT"})])
def test_what_is_not_grpc_is_told_so_by_http(
        server: Server, expected: bytes, change: dict[str, str]) -> None:
    """By its status; the connection stays."""
    with Raw(server) as raw:
        raw.call(1, None, headers(**change))
        answer = raw.until(HEADERS, 1)
        # HPACK: ":status" is index 8; its value is three digits, plain or
        # in Huffman's code.
        assert answer and answer[1] & END_STREAM
        assert status_of(answer[3]) == expected
        raw.call(3, b"echo")
        assert raw.until(DATA, 3)


@pytest.mark.parametrize("path", ["/v1/devices", "/healthz", "/openapi.json"])
def test_rest_is_sent_to_http_1_1(server: Server, path: str) -> None:
    """By HTTP_1_1_REQUIRED, which curl heeds; the connection stays."""
    with Raw(server) as raw:
        raw.call(1, None, headers(method="GET", kind="", path=path))
        reset = raw.until(RST, 1)
        assert reset and struct.unpack(">I", reset[3])[0] == 13
        raw.call(3, b"echo")
        assert raw.until(DATA, 3)


def status_of(block: bytes) -> bytes:
    """The value of ":status" in the first header of an answer."""
    if block[0] & 0x80:
        return {8: b"200", 12: b"400"}[block[0] & 0x7f]
    size = block[1] & 0x7f
    if not block[1] & 0x80:
        return block[2:2 + size]
    bits = "".join(f"{one:08b}" for one in block[2:2 + size])
    # Digits of RFC 7541, appendix B.
    codes = {f"{n:05b}": str(n) for n in range(3)} | \
        {f"{0x19 + n - 3:06b}": str(n) for n in range(3, 10)}
    out = ""
    while len(out) < 3:
        code = next(one for one in codes if bits.startswith(one))
        out, bits = out + codes[code], bits[len(code):]
    return out.encode()


@pytest.mark.parametrize("change", [
    {"te": ""}, {"grpc_timeout": "1"}, {"grpc_timeout": "123456789S"},
    {"grpc_timeout": "-1S"}, {"grpc_timeout": "1x"}])
def test_headers_of_no_call_are_refused(
        server: Server, change: dict[str, str]) -> None:
    """With a status of gRPC's; nothing is asked of ioasidd."""
    before = server.counts()["calls"]
    with Raw(server) as raw:
        raw.call(1, b"echo", headers(**change))
        answer = raw.until(HEADERS, 1)
        assert answer and answer[1] & END_STREAM
        assert status_of(answer[3]) == b"200"
    # One is that of the counting itself.
    assert server.counts()["calls"] - before == 1


def test_300_idle_connections_cost_little(server: Server) -> None:
    """Less than 30 KiB each; and all is given back but for what malloc keeps."""
    with bounded(server, "after 300 idle connections", 9 * MIB):
        before, descriptors = server.kib(), server.descriptors()
        with contextlib.ExitStack() as stack:
            raws = [stack.enter_context(Raw(server)) for _ in range(300)]
            assert all(raw.until(SETTINGS) for raw in raws)
            served(server)
            grown = server.kib() - before
            print(f"300 idle connections: {grown:+} KiB")
            assert grown < 9 * MIB * (8 if SANITIZED else 1)
            assert raws[299].call(1, b"echo") and raws[299].until(DATA, 1)
        server.settles("open", 0)
        assert server.descriptors_settle(descriptors) <= descriptors


def test_clients_that_fall_silent_are_asked_and_ended(
        tmp_path: pathlib.Path) -> None:
    """PING after the idle time; one that answers stays."""
    server = Server(tmp_path, "idle_timeout_ms=200")
    with Raw(server) as alive:
        for _ in range(3):
            ping = alive.until(PING)
            assert ping and not ping[1] & ACK
            alive.send(frame(PING, ACK, 0, ping[3]))
        alive.call(1, b"echo")
        assert alive.until(DATA, 1)
    assert server.stop() == 0


def test_one_who_takes_no_answers_is_ended(tmp_path: pathlib.Path) -> None:
    """With a reason; also if it answers PINGs."""
    server = Server(tmp_path, "idle_timeout_ms=400")
    with Raw(server) as raw:
        raw.call(1, b"stream 0 65536", headers(path=STREAM))
        while one := raw.receive():
            if one[0] == PING and not one[1] & ACK:
                raw.send(frame(PING, ACK, 0, one[3]))
            if one[0] == GOAWAY:
                break
        assert one and one[3][8:] == b"it takes no answers"
    assert server.stop() == 0


def test_a_call_that_breaks_the_rules_ends_alone(
        tmp_path: pathlib.Path) -> None:
    """Its connection is served on, beyond the time for headers."""
    server = Server(tmp_path, "header_timeout_ms=200")
    with Raw(server) as raw:
        raw.call(1, None, headers() + literal("X-Upper", "x"))
        reset = raw.until(RST, 1)
        assert reset and reset[3] == struct.pack(">I", 1)
        time.sleep(0.5)
        raw.call(3, b"echo")
        assert raw.until(DATA, 3)
    assert server.stop() == 0


def test_headers_and_requests_that_do_not_come_are_ended(
        tmp_path: pathlib.Path) -> None:
    """A connection by GOAWAY, a call by its status."""
    server = Server(tmp_path, "header_timeout_ms=300", "body_timeout_ms=300")
    with Raw(server, PREFACE[:10], None) as silent, Raw(server) as half, \
            Raw(server) as body:
        half.send(frame(HEADERS, END_STREAM, 1, headers())[:20])
        body.call(1, None, end=False)
        answer = body.until(HEADERS, 1)
        assert answer and answer[1] & END_STREAM
        for raw in (silent, half):
            assert raw.goaway() == ENHANCE_YOUR_CALM
    assert server.stop() == 0


def test_frames_at_random_harm_nobody(server: Server) -> None:
    """500 connections of frames with random heads; the seed is printed."""
    seed = random.randrange(2 ** 32)
    print(f"seed {seed}")
    chance = random.Random(seed)
    with bounded(server, "random frames", 4 * MIB):
        for _ in range(500):
            with Raw(server) as raw:
                for _ in range(chance.randrange(1, 12)):
                    raw.send(frame(chance.randrange(12),
                                   chance.randrange(256),
                                   chance.choice([0, 1, 1, 3, 5, 2]),
                                   chance.choice([
                                       headers(), message(b"echo"), b"",
                                       chance.randbytes(
                                           chance.randrange(40))])))
