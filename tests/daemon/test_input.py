# SPDX-License-Identifier: Apache-2.0
"""Bad input: a clear error, nothing leaked, others served meanwhile."""

import contextlib
import os
import signal
import socket
import struct
import time

import pytest

from daemon import MESSAGE_MAX, METHODS, PACKET_MAX, packet
from ioasid.v1 import envelope_pb2

LIST = METHODS["ioasid.v1.Devices/ListDevices"][0]


def varint(number):
    """A number as protobuf writes it."""
    out = bytearray()
    while number > 127:
        out.append(number & 127 | 128)
        number >>= 7
    out.append(number)
    return bytes(out)


def field(number, data):
    """A field that has a length."""
    return varint(number << 3 | 2) + varint(len(data)) + data


def say(client, data, fds=()):
    """Send bytes; the id of the error that they are answered with."""
    client.send_raw(data, fds)
    answer = client.receive()
    assert answer is not None
    assert answer.WhichOneof("body") == "error", answer
    return answer.error.id


def works(client):
    """The connection goes on as if nothing had been."""
    client.call("Devices/ListDevices")


SHORT = [b"\x08", b"\x12", b"\x12\x05ab", b"\x08\x01\x12\x7f", b"\xff" * 10]
MALFORMED = [b"\xff", b"\x00\x00", b"\x0b\x0c", b"\x0e", b"\x07\x01",
             b"\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01",
             b"\x12\x02\x0a\x01", b"GET / HTTP/1.1\r\n\r\n", b"{}",
             os.urandom(1000) + b"\xff", bytes(1000)]
UNKNOWN = [
    envelope_pb2.Envelope(id=1).SerializeToString(),
    envelope_pb2.Envelope(
        id=1, reply=envelope_pb2.Reply(payload=b"x")).SerializeToString(),
    envelope_pb2.Envelope(
        id=1, event=envelope_pb2.Event()).SerializeToString(),
    envelope_pb2.Envelope(
        id=1, error={"id": "x"}).SerializeToString(),
    packet("Devices/ListDevices", number=0),
]


@pytest.mark.parametrize("data", SHORT + MALFORMED + UNKNOWN,
                         ids=range(len(SHORT + MALFORMED + UNKNOWN)))
def test_what_is_no_request_is_malformed(daemon, data):
    with daemon.others_served(), daemon.connect() as client:
        for _ in range(100):
            assert say(client, data) == "request.malformed"
        works(client)


def test_an_id_is_told_although_the_rest_is_broken(client):
    client.send_raw(b"\x08\x2a\x12\x05ab")
    assert client.receive().id == 42
    client.send_raw(b"\x12\x05ab\x08\x2a")
    assert client.receive().id == 0


def test_an_empty_packet_ends_the_connection(daemon):
    with daemon.connect() as client:
        client.sock.send(b"")
        assert client.receive() is None


@pytest.mark.parametrize("size", [PACKET_MAX + 1, PACKET_MAX + 4096, 400000])
def test_what_is_too_long_is_too_large(daemon, size):
    with daemon.others_served(), daemon.connect() as client:
        for _ in range(20):
            assert say(client, bytes(size)) == "request.too-large"
        works(client)


def test_a_payload_has_a_longest(daemon):
    with daemon.connect() as client:
        # An unknown field fills it up; it is passed over.
        fill = field(1000, bytes(MESSAGE_MAX - 5))
        assert len(fill) == MESSAGE_MAX
        client.call_raw("Devices/ListDevices", fill)
        assert say(client, packet("Devices/ListDevices", fill + b"\x08\x01")) \
            == "request.too-large"


def test_unknown_fields_are_passed_over_and_not_sent_back(client):
    secret = b"do-not-echo"
    payload = LIST(page_size=1).SerializeToString() + field(99, secret)
    reply = client.call_raw("Devices/ListDevices", payload)
    assert secret not in reply
    number = client.next_id()
    client.send_raw(packet("Devices/ListDevices", payload, number)
                    + field(77, secret))
    answer = client.receive()
    assert answer.id == number
    assert secret not in answer.SerializeToString()
    assert answer.WhichOneof("body") == "reply"


STRINGS = {
    "nul": b"devices/pci-0000\x00-00-01.0",
    "nul alone": b"\x00",
    "nul at the end": b"devices/x\x00",
    "a lone byte": b"\xff",
    "overlong": b"\xc0\xaf",
    "overlong nul": b"\xc0\x80",
    "surrogate": b"\xed\xa0\x80",
    "beyond unicode": b"\xf4\x90\x80\x80",
    "cut": b"\xe2\x82",
    "continuation": b"\x80",
}


@pytest.mark.parametrize("text", STRINGS.values(), ids=STRINGS.keys())
def test_strings_are_utf8_without_nul(daemon, text):
    with daemon.connect() as client:
        for name, (request, _) in METHODS.items():
            for one in request.DESCRIPTOR.fields:
                if one.type != one.TYPE_STRING:
                    continue
                client.send(name, field(one.number, text))
                error = client.receive().error
                assert error.id == "request.malformed", (name, one.name)
                assert one.name in error.message
        assert say(client, b"\x08\x01" + field(2, field(1, text))) \
            == "request.malformed"
        # In a map: field 4 of the offer, whose key is field 1.
        client.send("Leases/CreateLease", field(4, field(1, text)))
        assert client.receive().error.id == "request.malformed"
        works(client)


def test_words_of_strangers_come_back_clean(client):
    client.send("Devices/\x1b[31m\u2028\x07é")
    error = client.receive().error
    assert error.id == "request.unknown-method"
    assert "\x1b" not in error.message
    assert "\x07" not in error.message


def test_unknown_values_of_enums_are_refused(client):
    for value in (4, 77, 2 ** 31, 2 ** 32 + 1, 2 ** 64 - 1):
        client.send("Leases/CreateLease", b"\x10" + varint(value))
        error = client.receive().error
        assert error.id == "request.invalid"
        assert "mode" in error.message


def test_a_field_comes_once(client):
    client.send("Devices/GetDevice", field(1, b"devices/a") * 2)
    assert client.receive().error.id == "request.malformed"


# A field number of each request that has a list of messages or strings, and
# one that no request has.
FLOODS = {
    "labels": ("Leases/CreateLease", 4),
    "devices": ("Leases/CreateLease", 1),
    "unknown": ("Devices/ListDevices", 15),
}


@pytest.mark.parametrize("name,number", FLOODS.values(), ids=FLOODS.keys())
def test_a_flood_of_empty_submessages_is_too_complex(daemon, name, number):
    payload = bytes([number << 3 | 2, 0]) * (MESSAGE_MAX // 2)
    assert len(payload) == MESSAGE_MAX
    with daemon.others_served(), daemon.connect() as client:
        for _ in range(50):
            assert say(client, packet(name, payload)) \
                == "request.too-complex"
        works(client)


def test_a_flood_of_requests_in_one_packet_is_refused(daemon):
    with daemon.others_served(), daemon.connect() as client:
        for number in (2, 4, 5, 9):
            flood = bytes([number << 3 | 2, 0]) * (PACKET_MAX // 2)
            for _ in range(10):
                assert say(client, flood) in ("request.malformed",
                                              "request.too-complex")
        works(client)


def nested(number, deep, innermost=b""):
    """A message in a message in a message ..."""
    data = innermost
    for _ in range(deep):
        data = field(number, data)
    return data


@pytest.mark.parametrize("number", [1, 2, 4, 8, 15])
def test_deep_nesting_does_no_harm(daemon, number):
    data = nested(number, 40000)
    assert 40000 < len(data) < PACKET_MAX
    with daemon.others_served(), daemon.connect() as client:
        for name in METHODS:
            client.send(name, data)
            answer = client.receive()
            assert answer.WhichOneof("body") in ("error", "reply")
        assert say(client, data).startswith("request.")
        works(client)


@pytest.mark.parametrize("count", [1, 2, 65, 253])
def test_descriptors_that_nobody_asked_for_are_closed(daemon, count):
    read_end, write_end = os.pipe()
    with daemon.others_served(), daemon.connect() as client:
        for _ in range(50):
            assert say(client, packet("Devices/ListDevices"),
                       [write_end] * count) \
                == "request.unexpected-descriptor"
        works(client)
        os.close(write_end)
        # If ioasidd had one of them this would wait for ever.
        os.set_blocking(read_end, False)
        assert os.read(read_end, 1) == b""
    os.close(read_end)


def lingering():
    """A TCP socket whose last close waits a minute, and its other end."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        one = socket.create_connection(listener.getsockname())
        other = listener.accept()[0]
    one.setblocking(False)
    with contextlib.suppress(BlockingIOError):
        while True:
            one.send(bytes(65536))
    one.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                   struct.pack("ii", 1, 60))
    return one, other


@pytest.mark.parametrize("data", [
    packet("Devices/ListDevices"), packet("Memory/MapMemory"), b""],
    ids=["refused", "taken of others", "empty"])
@pytest.mark.parametrize("count", [1, 3])
def test_a_descriptor_whose_end_takes_long_delays_nobody(daemon, data, count):
    """Be its packet read, or its connection closed with it."""
    others = []
    with daemon.connect() as client:
        # Ours must not be the last one: it would wait.
        daemon.process.send_signal(signal.SIGSTOP)
        try:
            for _ in range(count):
                one, other = lingering()
                others.append(other)
                client.send_raw(data, [one.fileno()])
                one.close()
        finally:
            daemon.process.send_signal(signal.SIGCONT)
        begin = time.monotonic()
        with daemon.connect() as served:
            works(served)
    with daemon.connect() as served:
        works(served)
    assert time.monotonic() - begin < 30
    for other in others:
        other.close()


# The one that takes descriptors, and of its lease's holder alone: to others it
# says what it would without.
TAKES = "ioasid.v1.Memory/MapMemory"


def test_descriptors_come_with_no_other_method(daemon):
    with daemon.connect() as client:
        for name in METHODS:
            assert say(client, packet(name), [0]) == (
                "request.invalid" if name == TAKES
                else "request.unexpected-descriptor")
        works(client)


def test_descriptors_with_what_is_too_long_are_closed(daemon):
    read_end, write_end = os.pipe()
    with daemon.connect() as client:
        assert say(client, bytes(PACKET_MAX + 10), [write_end] * 100) in (
            "request.unexpected-descriptor", "request.too-large")
        os.close(write_end)
        os.set_blocking(read_end, False)
        assert os.read(read_end, 1) == b""
        works(client)
    os.close(read_end)


def test_credentials_are_the_kernels_not_the_senders(client):
    """A control message that is no descriptor changes nothing."""
    data = packet("Devices/ListDevices", number=5)
    credentials = b"".join(number.to_bytes(4, "little") for number in (
        os.getpid(), 1, 1))
    client.sock.sendmsg([data], [(socket.SOL_SOCKET,
                                  socket.SCM_CREDENTIALS, credentials)])
    answer = client.receive()
    assert answer.id == 5
    assert answer.WhichOneof("body") == "reply"


def test_two_requests_of_one_id_have_two_answers(daemon):
    with daemon.connect() as client:
        name = b"leases/01jd00000000000000000000zz"
        for _ in range(100):
            client.send("Leases/ReleaseLease", field(1, name), 7)
            client.send("Leases/ReleaseLease", field(1, name), 7)
            answers = [client.receive(), client.receive()]
            assert sorted((a.id, a.error.id) for a in answers) in (
                [(7, "lease.not-found"), (7, "lease.not-found")],
                [(0, "request.malformed"), (7, "lease.not-found")])
        works(client)
