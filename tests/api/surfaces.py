# SPDX-License-Identifier: Apache-2.0
"""One method, four ways to call it: native socket, gRPC, REST twice.

Each takes a request message and gives an outcome: the reply message (of a
method that streams: all replies up to a revision) or the Error. What the other
surfaces make of an Error is turned back into one, so that they can be compared
as they are. What HTTP and gRPC add, status and code, must be what the catalogue
has for the id.
"""

import http.client
import importlib
import json
import os
import pathlib
import re
import socket
import sys
import urllib.parse
from typing import NamedTuple

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = ROOT / os.environ.get("BUILD", "build")

for _folder in (ROOT / "tests" / "daemon", BUILD / "tests" / "pb"):
    if str(_folder) not in sys.path:
        sys.path.insert(0, str(_folder))

import grpc  # noqa: E402  (needs the path above)
from google.api import annotations_pb2  # noqa: E402
from google.protobuf import json_format, symbol_database  # noqa: E402
from google.protobuf.descriptor import FieldDescriptor  # noqa: E402
from google.protobuf.message import Message  # noqa: E402
from google.rpc import error_details_pb2, status_pb2  # noqa: E402
from ioasid.v1 import common_pb2, envelope_pb2  # noqa: E402

SECONDS = 60


class Method(NamedTuple):
    """A method of the contract."""

    request: type[Message]
    reply: type[Message]
    streams: bool
    verb: str
    path: str
    body: str


def contract() -> dict[str, Method]:
    """Every method of every .proto file: "Devices/GetDevice" and so on."""
    found = {}
    classes = symbol_database.Default()
    for file in sorted((BUILD / "tests/pb/ioasid/v1").glob("*_pb2.py")):
        module = importlib.import_module(f"ioasid.v1.{file.stem}")
        streaming = {(s.name, m.name) for s in _proto(module).service
                     for m in s.method if m.server_streaming}
        for service in module.DESCRIPTOR.services_by_name.values():
            for one in service.methods:
                rule = one.GetOptions().Extensions[annotations_pb2.http]
                verb = rule.WhichOneof("pattern")
                found[f"{service.name}/{one.name}"] = Method(
                    classes.GetPrototype(one.input_type),
                    classes.GetPrototype(one.output_type),
                    (service.name, one.name) in streaming, verb.upper(),
                    getattr(rule, verb), rule.body)
    return found


def _proto(module: object) -> Message:
    """A file's descriptor as a message: it has what streams."""
    from google.protobuf import descriptor_pb2
    proto = descriptor_pb2.FileDescriptorProto()
    module.DESCRIPTOR.CopyToProto(proto)
    return proto


def catalogue() -> dict[str, tuple[str, int]]:
    """gRPC code and HTTP status of each error id."""
    lines = (ROOT / "schema/errors.catalogue").read_text().splitlines()
    words = [line.split(None, 3) for line in lines
             if line and not line.startswith("#")]
    return {word[0]: (word[1], int(word[2])) for word in words}


CONTRACT = contract()
CATALOGUE = catalogue()


class Outcome(NamedTuple):
    """What a call has come to: replies, or an error."""

    replies: list[Message]
    error: common_pb2.Error | None

    def id(self) -> str:
        """The error's id, or "ok"."""
        return self.error.id if self.error else "ok"


class Packed(NamedTuple):
    """A request that was packed elsewhere; native socket and gRPC only."""

    data: bytes

    def SerializeToString(self) -> bytes:  # noqa: N802  (as messages have it)
        """Its bytes."""
        return self.data


class Broken(Exception):
    """The connection has ended without an answer."""


def enough(replies: list[Message], until: int) -> bool:
    """Has a stream of changes come that far?"""
    return bool(replies) and replies[-1].revision >= until


class Surface:
    """A way to call methods; a connection of its own, made when needed."""

    name = ""

    def __init__(self, folder: pathlib.Path) -> None:
        self.folder = folder

    def call(self, name: str, request: Message, until: int = 0) -> Outcome:
        """Call a method; what streams is cancelled at a revision."""
        raise NotImplementedError

    def close(self) -> None:
        """Let go of the connection."""


class Native(Surface):
    """The native socket."""

    name = "native"

    def __init__(self, folder: pathlib.Path) -> None:
        super().__init__(folder)
        self.sock = None
        self.last = 0
        self.held: list[int] = []

    def connected(self) -> socket.socket:
        """A connection that has had its hello."""
        if self.sock is None:
            self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
            # A packet is sent whole, or not at all.
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 2 ** 20)
            self.sock.connect(str(self.folder / "ioasidd.sock"))
            self.sock.settimeout(SECONDS)
            self.receive()
        return self.sock

    def receive(self) -> envelope_pb2.Envelope:
        """The next packet; descriptors with it are kept open."""
        data, fds, flags, _ = socket.recv_fds(self.sock, 2 ** 19, 65)
        self.held += fds
        if not data:
            raise Broken("the native socket was closed")
        assert not flags & (socket.MSG_TRUNC | socket.MSG_CTRUNC)
        return envelope_pb2.Envelope.FromString(data)

    def send(self, **body: Message) -> None:
        """A packet with the id of the last request."""
        self.connected().send(envelope_pb2.Envelope(
            id=self.last, **body).SerializeToString())

    def call(self, name: str, request: Message, until: int = 0) -> Outcome:
        method, replies = CONTRACT[name], []
        self.connected()
        self.last += 1
        self.send(request=envelope_pb2.Request(
            method=f"ioasid.v1.{name}", payload=request.SerializeToString()))
        while not enough(replies, until) or not method.streams:
            answer = self.receive()
            assert answer.id == self.last, answer
            if answer.WhichOneof("body") == "error":
                return Outcome([], fields_first(answer.error))
            if answer.WhichOneof("body") == "reply":
                return Outcome([method.reply.FromString(
                    answer.reply.payload)], None)
            replies.append(method.reply.FromString(answer.item.payload))
        self.close()
        return Outcome(replies, None)

    def close(self) -> None:
        if self.sock is not None:
            self.sock.close()
            self.sock = None


class Grpc(Surface):
    """gRPC by python3-grpcio, without stubs."""

    name = "grpc"

    def __init__(self, folder: pathlib.Path) -> None:
        super().__init__(folder)
        self.channel = None

    def connected(self) -> grpc.Channel:
        """A channel with a connection of its own."""
        if self.channel is None:
            self.channel = grpc.insecure_channel(
                f"unix:{self.folder / 'api.sock'}",
                [("grpc.use_local_subchannel_pool", 1),
                 ("grpc.initial_reconnect_backoff_ms", 100),
                 ("grpc.max_reconnect_backoff_ms", 500),
                 ("grpc.enable_retries", 0)])
        return self.channel

    def call(self, name: str, request: Message, until: int = 0) -> Outcome:
        method, replies = CONTRACT[name], []
        kinds = {"request_serializer": lambda one: one.SerializeToString(),
                 "response_deserializer": method.reply.FromString}
        path = f"/ioasid.v1.{name}"
        try:
            if not method.streams:
                return Outcome([self.connected().unary_unary(path, **kinds)(
                    request, timeout=SECONDS)], None)
            stream = self.connected().unary_stream(path, **kinds)(
                request, timeout=SECONDS)
            for reply in stream:
                replies.append(reply)
                if enough(replies, until):
                    stream.cancel()
                    return Outcome(replies, None)
            raise AssertionError("a watch has ended well")
        except grpc.RpcError as error:
            return Outcome([], error_of_grpc(error))

    def close(self) -> None:
        if self.channel is not None:
            self.channel.close()
            self.channel = None


class UnixConnection(http.client.HTTPConnection):
    """HTTP/1.1 over a UNIX socket."""

    def __init__(self, path: pathlib.Path) -> None:
        super().__init__("localhost", timeout=SECONDS)
        self.path = path

    def connect(self) -> None:
        """Without a timeout yet: with one it does not wait for a backlog."""
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.connect(str(self.path))
        self.sock.settimeout(SECONDS)


class Rest(Surface):
    """REST, all that a body can carry in the body."""

    name = "rest"

    def __init__(self, folder: pathlib.Path) -> None:
        super().__init__(folder)
        self.http = None

    def connection(self) -> http.client.HTTPConnection:
        """A connection, not yet made."""
        return UnixConnection(self.folder / "api.sock")

    def place(self, fields: dict[str, object], method: Method) \
            -> tuple[dict[str, object], dict[str, str], dict[str, object]]:
        """What of a request goes to query, headers and body."""
        return ({}, {}, fields) if method.body else (fields, {}, {})

    def call(self, name: str, request: Message, until: int = 0) -> Outcome:
        method = CONTRACT[name]
        fields = json_format.MessageToDict(request)
        path = re.sub(r"\{name=\w+/\*\}", lambda _: urllib.parse.quote(
            fields.pop("name", ""), safe="/:"), method.path)
        query, headers, body = self.place(fields, method)
        if query:
            path += "?" + urllib.parse.urlencode(
                {key: str(value).lower() if isinstance(value, bool) else value
                 for key, value in query.items()}, doseq=True)
        answer = self.ask(method.verb, path, headers,
                          json.dumps(body) if method.body else None)
        try:
            return self.outcome(method, answer, until)
        except (OSError, http.client.HTTPException) as error:
            self.close()
            raise Broken(repr(error)) from error

    def ask(self, verb: str, path: str, headers: dict[str, str],
            body: str | None) -> http.client.HTTPResponse:
        """Send a request; the head of its answer."""
        if self.http is None:
            self.http = self.connection()
        if body is not None:
            headers = {**headers, "Content-Type": "application/json"}
        try:
            self.http.request(verb, path, body, headers)
            return self.http.getresponse()
        except (OSError, http.client.HTTPException) as error:
            self.close()
            raise Broken(repr(error)) from error

    def outcome(self, method: Method, answer: http.client.HTTPResponse,
                until: int) -> Outcome:
        """Read an answer."""
        if answer.status != 200:
            return Outcome([], error_of_problem(answer))
        if method.streams:
            replies = self.events(method, answer, until)
            answer.close()
            self.close()
            return Outcome(replies, None)
        text = answer.read()
        assert answer.headers["Content-Type"] == "application/json"
        return Outcome([json_format.Parse(text, method.reply())], None)

    def events(self, method: Method, answer: http.client.HTTPResponse,
               until: int) -> list[Message]:
        """Server-sent events; the id of each is its revision."""
        assert answer.headers["Content-Type"] == "text/event-stream"
        replies, number = [], ""
        while not enough(replies, until):
            line = answer.readline().decode().rstrip("\n")
            assert not line.startswith("event: error"), answer.readline()
            if line.startswith("id: "):
                number = line[4:]
            if line.startswith("data: "):
                replies.append(json_format.Parse(line[6:], method.reply()))
                assert number == str(replies[-1].revision)
        return replies

    def close(self) -> None:
        if self.http is not None:
            self.http.close()
            self.http = None


class RestElsewhere(Rest):
    """REST, all that can be in headers or in the query there."""

    name = "rest, headers and query"

    def place(self, fields: dict[str, object], method: Method) \
            -> tuple[dict[str, object], dict[str, str], dict[str, object]]:
        query, headers, body = {}, {}, {}
        proto_names = {field.json_name: field for field in
                       method.request.DESCRIPTOR.fields}
        for key, value in fields.items():
            field = proto_names[key]
            if key == "requestId":
                headers["Idempotency-Key"] = value
            elif key == "etag":
                headers["If-Match"] = f'"{value}"'
            elif field.type == FieldDescriptor.TYPE_MESSAGE:
                body[key] = value
            else:
                query[field.name] = value
        return query, headers, body


SURFACES = (Native, Grpc, Rest, RestElsewhere)


def fields_first(error: common_pb2.Error) -> common_pb2.Error:
    """gRPC has fields and all other causes in two lists: so all have them in
    that order."""
    causes = sorted(error.causes, key=lambda cause: cause.kind != "field")
    del error.causes[:]
    error.causes.extend(causes)
    return error


def error_of_problem(answer: http.client.HTTPResponse) -> common_pb2.Error:
    """application/problem+json as an Error."""
    text = answer.read()
    assert answer.headers["Content-Type"] == "application/problem+json", text
    said = json.loads(text)
    assert said["status"] == answer.status == CATALOGUE[said["id"]][1], said
    assert said["type"].endswith(said["id"]) and said["title"]
    return fields_first(common_pb2.Error(
        id=said["id"], message=said["detail"], remedy=said["remedy"],
        object=said.get("object", ""),
        causes=[common_pb2.Cause(**cause)
                for cause in said.get("causes", [])]))


def error_of_grpc(error: grpc.RpcError) -> common_pb2.Error:
    """Status and details as an Error."""
    details = dict(error.trailing_metadata() or ()).get(
        "grpc-status-details-bin")
    if details is None:
        raise Broken(f"{error.code()}: {error.details()}")
    status = status_pb2.Status.FromString(details)
    info = error_details_pb2.ErrorInfo()
    assert status.details[0].Unpack(info)
    assert error.code().name == CATALOGUE[info.reason][0], error
    assert error.code().value[0] == status.code
    assert error.details() == status.message
    causes = []
    for part in status.details[1:]:
        bad = error_details_pb2.BadRequest()
        failure = error_details_pb2.PreconditionFailure()
        if part.Unpack(bad):
            causes += [common_pb2.Cause(kind="field", name=one.field,
                                        detail=one.description)
                       for one in bad.field_violations]
        elif part.Unpack(failure):
            causes += [common_pb2.Cause(kind=one.type, name=one.subject,
                                        detail=one.description)
                       for one in failure.violations]
    return common_pb2.Error(
        id=info.reason, message=status.message, causes=causes,
        object=info.metadata["object"], remedy=info.metadata["remedy"])
