# SPDX-License-Identifier: Apache-2.0
"""Methods that stream, as server-sent events: /v1/events, against a stand-in."""

import json
import pathlib
import socket
import threading
import time

import pytest
from google.protobuf import json_format
from ioasid.v1 import device_pb2, event_pb2

from conftest import BUILD
from standin import CREDIT, Asked, Standin, ask, ended, wait_for

# As in api/rest: the longest wait for the beginning, for a comment, and of us
# for somebody who does not read, seconds.
BEGIN, HEARTBEAT, STALL = 0.2, 15, 30


def change(revision: int, size: int = 0) -> event_pb2.Change:
    """One change."""
    return event_pb2.Change(
        revision=revision, name=f"devices/d{revision}",
        device=device_pb2.Device(name=f"devices/d{revision}",
                                 state_reason="x" * size))


class Stream:
    """The events of an answer, as they come."""

    def __init__(self, client: socket.socket, path: str = "/v1/events",
                 **headers: str) -> None:
        self.client = client
        lines = [f"GET {path} HTTP/1.1", "Host: x"]
        lines += [f"{name.replace('_', '-')}: {value}"
                  for name, value in headers.items()]
        client.sendall("\r\n".join(lines).encode() + b"\r\n\r\n")
        self.raw = b""
        self.text = b""
        self.head = ""
        self.over = False

    def more(self) -> bool:
        """Read what there is; False at the end."""
        data = self.client.recv(65536)
        self.raw += data
        if not self.head:
            head, found, rest = self.raw.partition(b"\r\n\r\n")
            if found:
                self.head, self.raw = head.decode(), rest
        while self.head:
            size, found, rest = self.raw.partition(b"\r\n")
            if not found or len(rest) < int(size, 16) + 2:
                break
            self.text += rest[:int(size, 16)]
            self.raw = rest[int(size, 16) + 2:]
            self.over = self.over or int(size, 16) == 0
        return bool(data) and not self.over

    def next(self) -> dict[str, str] | None:
        """The next event, or comment; None at the end of a whole stream."""
        while b"\n\n" not in self.text:
            if not self.more():
                if b"\n\n" in self.text:
                    break
                assert self.over and not self.text, "ended in the middle"
                return None
        one, _, self.text = self.text.partition(b"\n\n")
        return dict(line.split(": ", 1) if ": " in line else (line, "")
                    for line in one.decode().split("\n"))

    def next_event(self) -> dict[str, str] | None:
        """Likewise, without comments."""
        while (event := self.next()) == {":": ""}:
            pass
        return event


def watched(api: Standin) -> Asked:
    """The watch that is asked for, once it is."""
    wait_for(lambda: api.asked)
    return api.asked[-1]


def test_each_item_is_an_event(api: Standin, client: socket.socket) -> None:
    """Its revision as id, its JSON as data, in order; then a clean end."""
    api.answers["WatchEvents"] = lambda asked: None
    stream = Stream(client, "/v1/events?revision=5&collections=devices")
    asked = watched(api)
    assert asked.message() == event_pb2.WatchEventsRequest(
        revision=5, collections=["devices"])
    for revision in range(6, 40):
        asked.credit.acquire()
        asked.item(change(revision))
        event = stream.next_event()
        assert set(event) == {"id", "data"}
        assert event["id"] == str(revision)
        assert json.loads(event["data"]) == json.loads(
            json_format.MessageToJson(change(revision),
                                      including_default_value_fields=True))
    asked.reply()
    assert stream.next_event() is None
    assert stream.head.startswith("HTTP/1.1 200 ")
    for header in ("Content-Type: text/event-stream", "Connection: close",
                   "Cache-Control: no-store"):
        assert header in stream.head


def test_an_answer_begins_before_there_is_an_event(
        api: Standin, client: socket.socket) -> None:
    """So that a client knows that it watches."""
    api.answers["WatchEvents"] = lambda asked: None
    begun = time.monotonic()
    stream = Stream(client)
    assert stream.next() == {":": ""}
    assert time.monotonic() - begun < BEGIN + 3


def test_what_is_refused_at_once_is_refused_with_a_status(
        api: Standin, client: socket.socket) -> None:
    """And the connection is of use afterwards."""
    api.answers["WatchEvents"] = lambda asked: asked.refuse("watch.expired")
    answer = ask(client, "GET", "/v1/events?revision=1")
    assert answer.status == 410
    assert json.loads(answer.body)["id"] == "watch.expired"
    assert ask(client, "GET", "/v1/events?revision=x").status == 400
    assert ask(client, "GET", "/v1/events", Last_Event_ID="x").status == 400
    assert ask(client, "POST", "/v1/events").status == 405
    time.sleep(2 * BEGIN)
    assert ask(client, "GET", "/healthz").status == 200


def test_a_later_error_is_the_last_event(
        api: Standin, client: socket.socket) -> None:
    """With the problem that its status would have come with."""
    api.answers["WatchEvents"] = lambda asked: (
        asked.item(change(1)), asked.refuse("watch.slow", message="too slow"))
    stream = Stream(client)
    assert stream.next_event()["id"] == "1"
    event = stream.next_event()
    assert event["event"] == "error"
    problem = json.loads(event["data"])
    assert problem["id"] == "watch.slow" and problem["detail"] == "too slow"
    assert problem["instance"] == "/v1/events"
    assert stream.next_event() is None
    assert ended(client) == b""


def test_last_event_id_goes_before_the_query(
        api: Standin, client: socket.socket) -> None:
    """A browser connects again to the same address."""
    api.answers["WatchEvents"] = lambda asked: asked.reply()
    assert Stream(client, "/v1/events?revision=5",
                  Last_Event_ID="77").next_event() is None
    assert watched(api).message().revision == 77


def test_head_of_a_stream_asks_nobody(
        api: Standin, client: socket.socket) -> None:
    """There would be no end of it."""
    answer = ask(client, "HEAD", "/v1/events")
    assert answer.status == 200
    assert answer.headers["content-type"] == "text/event-stream"
    assert not api.asked


def test_whoever_hangs_up_watches_no_more(api: Standin) -> None:
    """Before the first event, between two, and with some unread."""
    def some(asked: Asked) -> None:
        for revision in range(1, 4):
            asked.item(change(revision))

    for answer, wait in ((lambda asked: None, 0.0),
                         (lambda asked: None, 2 * BEGIN),
                         (some, 0.05)):
        api.asked.clear()
        api.answers["WatchEvents"] = answer
        client = api.connect()
        Stream(client)
        asked = watched(api)
        time.sleep(wait)
        client.close()
        wait_for(asked.cancelled.is_set)
        wait_for(lambda asked=asked: asked.connection in api.closed)


def test_a_reader_who_pauses_holds_up_ioasidd_and_loses_nothing(
        api: Standin, client: socket.socket) -> None:
    """No more than the credit is sent beyond what he has been given."""
    total, size = 400, 20000
    sent: list[int] = []

    def flow(asked: Asked) -> None:
        for revision in range(1, total + 1):
            if not asked.credit.acquire(timeout=60):
                return
            asked.item(change(revision, size))
            sent.append(revision)
        asked.reply()

    api.answers["WatchEvents"] = lambda asked: threading.Thread(
        target=flow, args=(asked,)).start()
    before = api.rss()
    stream = Stream(client)
    wait_for(lambda: len(sent) > CREDIT)
    time.sleep(1)
    paused = len(sent)
    # Two buffers of sockets and that of libmicrohttpd, and the credit.
    assert paused < CREDIT + 500000 // size + 5, paused
    if not api.sanitizer:
        assert api.rss() < before + 4096
    got = [int(stream.next_event()["id"]) for _ in range(total)]
    assert got == list(range(1, total + 1))
    assert stream.next_event() is None


def test_an_ioasidd_that_sends_more_than_it_may_is_cut(
        api: Standin, client: socket.socket) -> None:
    """Nothing grows without end, whoever forgets to count."""
    api.answers["WatchEvents"] = lambda asked: [
        asked.item(change(revision, 100000)) for revision in range(1, 60)]
    stream = Stream(client)
    asked = watched(api)
    wait_for(asked.cancelled.is_set)
    events = []
    while (event := stream.next_event()) is not None:
        events.append(event)
    assert [event["id"] for event in events[:-1]] == \
        [str(n) for n in range(1, len(events))]
    assert events[-1]["event"] == "error"
    assert json.loads(events[-1]["data"])["id"] == "daemon.internal"


@pytest.mark.slow
def test_who_reads_is_kept_by_comments_and_who_does_not_is_cut(
        api: Standin) -> None:
    """A comment each 15 s; and 30 s without reading are the end."""
    def flow(asked: Asked) -> None:
        if asked.message().revision != 1:
            return
        for revision in range(1, 100):
            if not asked.credit.acquire(timeout=STALL + 30):
                return
            asked.item(change(revision, 100000))

    api.answers["WatchEvents"] = lambda asked: threading.Thread(
        target=flow, args=(asked,), daemon=True).start()
    with api.connect() as reads, api.connect() as stalls:
        stream = Stream(reads)
        Stream(stalls, "/v1/events?revision=1")
        begun = time.monotonic()
        wait_for(lambda: len(api.asked) == 2)
        stalled = next(asked for asked in api.asked
                       if asked.message().revision == 1)
        assert stream.next() == {":": ""}
        for _ in range(2):
            before = time.monotonic()
            assert stream.next() == {":": ""}
            assert abs(time.monotonic() - before - HEARTBEAT) < 3
        wait_for(stalled.cancelled.is_set)
        assert STALL - 2 < time.monotonic() - begun < STALL + 10


def test_many_watch_at_once(tmp_path: pathlib.Path) -> None:
    """200 streams, each with its own items in order; others are served."""
    api = Standin(BUILD, tmp_path)
    api.answers["WatchEvents"] = lambda asked: None
    clients = [api.connect() for _ in range(200)]
    streams = [Stream(client) for client in clients]
    wait_for(lambda: len(api.asked) == len(streams))
    for revision in range(1, 6):
        for asked in api.asked:
            asked.item(change(revision))
    for stream in streams:
        assert [stream.next_event()["id"] for _ in range(5)] == list("12345")
    with api.connect() as other:
        assert ask(other, "GET", "/healthz").status == 200
    for client in clients:
        client.close()
    wait_for(lambda: all(asked.cancelled.is_set() for asked in api.asked))
    api.end()
