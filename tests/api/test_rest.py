# SPDX-License-Identifier: Apache-2.0
"""REST, from a client's side: the real ioasid-api, a stand-in for ioasidd.

What a request becomes on the link, and what an answer becomes in HTTP. Abuse is
in test_abuse.py.
"""

import json
import pathlib
import re
import socket
import time

import pytest
from google.api import annotations_pb2
from google.protobuf import json_format, timestamp_pb2
from google.protobuf.descriptor import MethodDescriptor
from google.protobuf.message import Message
from ioasid.v1 import (common_pb2, device_pb2, lease_pb2, link_pb2,
                       operation_pb2)

from conftest import BUILD, ROOT
from standin import (METHODS, MODULES, Asked, Standin, ask, ended, read_answer,
                     streams, wait_for)

ETAG = "17"


def routes() -> list[tuple[str, str, str, str]]:
    """Name, verb, path with a name in it, and body of each method that does
    not stream.
    """
    found = []
    for module in MODULES:
        for service in module.DESCRIPTOR.services_by_name.values():
            for method in service.methods:
                if not streams(method):
                    found.append(route(method))
    return found


def route(method: MethodDescriptor) -> tuple[str, str, str, str]:
    """The same of one method."""
    rule = method.GetOptions().Extensions[annotations_pb2.http]
    verb = rule.WhichOneof("pattern")
    path = re.sub(r"\{name=(\w+)/\*\}", r"\1/one", getattr(rule, verb))
    return (f"{method.containing_service.full_name}/{method.name}",
            verb.upper(), path, rule.body)


ROUTES = routes()


def sample(kind: type[Message], depth: int = 0) -> Message:
    """A message with something in each field."""
    message = kind()
    for field in kind.DESCRIPTOR.fields:
        if field.message_type is timestamp_pb2.Timestamp.DESCRIPTOR:
            getattr(message, field.name).FromSeconds(1764000000)
        elif field.message_type and \
                field.message_type.GetOptions().map_entry:
            getattr(message, field.name)["a key"] = "a \u00e9 value"
        elif field.message_type and field.label == field.LABEL_REPEATED:
            part = sample(field.message_type._concrete_class, depth + 1)
            getattr(message, field.name).append(part)
        elif field.message_type:
            getattr(message, field.name).CopyFrom(
                sample(field.message_type._concrete_class, depth + 1))
        else:
            value = {field.CPPTYPE_STRING:
                     b"\x01\xff" if field.type == field.TYPE_BYTES
                     else f"{field.name} \u00e9",
                     field.CPPTYPE_BOOL: True,
                     field.CPPTYPE_ENUM: 1}.get(field.cpp_type, 7)
            if field.label == field.LABEL_REPEATED:
                getattr(message, field.name).append(value)
            else:
                setattr(message, field.name, value)
    return message


def as_json(message: Message) -> object:
    """What Google's writer makes of it, with what has its default."""
    return json.loads(json_format.MessageToJson(
        message, including_default_value_fields=True))


# --- methods ---


@pytest.mark.parametrize("name,verb,path,body", ROUTES,
                         ids=[r[0].split("/")[1] for r in ROUTES])
def test_a_method_is_what_its_route_says(
        api: Standin, client: socket.socket, name: str, verb: str, path: str,
        body: str) -> None:
    """Its request arrives whole, its reply is what Google's writer makes."""
    request, reply = METHODS[name][0](), sample(METHODS[name][1])
    api.answers[name.split("/")[1]] = lambda asked: asked.reply(reply)
    if body:
        request = sample(METHODS[name][0])
        given = json_format.MessageToDict(request)
        if "one" in path:
            request.name = path[len("/v1/"):].partition(":")[0]
            given.pop("name")
        answer = ask(client, verb, path, json.dumps(given))
    else:
        if "one" in path:
            request.name = path[len("/v1/"):]
        if hasattr(request, "page_size"):
            request.page_size, request.page_token = 3, "a+b"
            path += "?pageSize=3&page_token=a%2Bb"
        answer = ask(client, verb, path)
    assert answer.status == 200, answer.body
    assert [asked.method for asked in api.asked] == [name]
    assert api.asked[0].message() == request
    assert json.loads(answer.body) == as_json(reply)
    assert answer.headers["content-type"] == "application/json"


def test_fields_with_their_default_are_written(
        api: Standin, client: socket.socket) -> None:
    """So a client need not know what is the default."""
    answer = ask(client, "GET", "/v1/devices/one")
    assert json.loads(answer.body)["state"] == "STATE_UNSPECIFIED"
    assert json.loads(answer.body) == as_json(device_pb2.Device())


def test_no_answer_is_kept_or_guessed_at(client: socket.socket) -> None:
    """Answers are for whoever asked, and are what they are said to be."""
    for path in ("/version", "/nothing", "/healthz", "/openapi.json"):
        headers = ask(client, "GET", path).headers
        assert headers["cache-control"] == "no-store"
        assert headers["x-content-type-options"] == "nosniff"


def test_a_query_can_make_a_change_a_dry_run(
        api: Standin, client: socket.socket) -> None:
    """?dry_run=true beside a body."""
    ask(client, "POST", "/v1/devices/one:prepare?dry_run=true",
        '{"driver":"x"}')
    assert api.asked[0].message() == device_pb2.PrepareDeviceRequest(
        name="devices/one", driver="x", dry_run=True)


def test_head_is_get_without_its_body(
        api: Standin, client: socket.socket) -> None:
    """The same headers; and the next answer is where it should be."""
    api.answers["GetDevice"] = lambda asked: asked.reply(
        device_pb2.Device(name="devices/one", etag=ETAG))
    get = ask(client, "GET", "/v1/devices/one")
    head = ask(client, "HEAD", "/v1/devices/one")
    assert head.status == 200 and head.body == b""
    for name in ("etag", "content-length", "content-type"):
        assert head.headers[name] == get.headers[name]
    assert ask(client, "GET", "/healthz").status == 200


# --- headers ---


def test_an_object_has_its_etag(api: Standin, client: socket.socket) -> None:
    """As a strong entity tag, which If-Match takes as it is."""
    api.answers["GetLease"] = lambda asked: asked.reply(
        lease_pb2.Lease(name="leases/one", etag=ETAG))
    tag = ask(client, "GET", "/v1/leases/one").headers["etag"]
    assert tag == f'"{ETAG}"'
    assert "etag" not in ask(client, "GET", "/v1/leases").headers
    ask(client, "POST", "/v1/leases/one:release", "{}", If_Match=tag)
    assert api.asked[-1].message().etag == ETAG


def test_if_match_is_the_etag_of_a_request(
        api: Standin, client: socket.socket) -> None:
    """One of them, strong; what it cannot mean is refused."""
    path = "/v1/devices/one:prepare"
    assert ask(client, "POST", path, "{}", If_Match="*").status == 200
    assert api.asked[-1].message().etag == ""
    same = ask(client, "POST", path, '{"etag":"17"}', If_Match='"17"')
    assert same.status == 200
    for value in ("17", 'W/"17"', '"17", "18"', '""'):
        assert problem(ask(client, "POST", path, "{}", If_Match=value),
                       400)["id"] == "request.invalid"
    other = ask(client, "POST", path, '{"etag":"18"}', If_Match='"17"')
    assert "If-Match" in problem(other, 400)["detail"]
    none = ask(client, "GET", "/v1/devices/one", If_Match='"17"')
    assert "If-Match" in problem(none, 400)["detail"]


def test_idempotency_key_is_the_id_of_a_request(
        api: Standin, client: socket.socket) -> None:
    """With quotation marks, as the draft has it, or as most send it."""
    path = "/v1/devices/one:prepare"
    for value in ("0123-abc", '"0123-abc"'):
        assert ask(client, "POST", path, "{}",
                   Idempotency_Key=value).status == 200
        assert api.asked[-1].message().request_id == "0123-abc"
    assert ask(client, "POST", path, '{"requestId":"a"}',
               Idempotency_Key="a").status == 200
    asked = len(api.asked)
    other = ask(client, "POST", path, '{"requestId":"b"}',
                Idempotency_Key="a")
    assert "Idempotency-Key" in problem(other, 400)["detail"]
    none = ask(client, "GET", "/v1/devices", Idempotency_Key="a")
    assert "Idempotency-Key" in problem(none, 400)["detail"]
    assert ask(client, "POST", path, "{}",
               Idempotency_Key='""').status == 400
    assert len(api.asked) == asked


# --- errors ---


def problem(answer: object, status: int) -> dict:
    """The problem that an answer is, after looking at its form."""
    assert answer.status == status, (answer.status, answer.body)
    assert answer.headers["content-type"] == "application/problem+json"
    found = json.loads(answer.body)
    assert found["status"] == status
    assert found["type"] == "urn:ioasidd:error:" + found["id"]
    return found


def catalogue() -> list[tuple[str, int]]:
    """Every id and its HTTP status."""
    text = (ROOT / "schema/errors.catalogue").read_text(encoding="utf-8")
    return [(found[1], int(found[2])) for found in
            re.finditer(r"^([a-z-]+\.[a-z-]+) +[A-Z_]+ +(\d+) ", text, re.M)]


def test_every_error_has_its_status_and_id(
        api: Standin, client: socket.socket) -> None:
    """As the catalogue has them, with object, remedy and causes."""
    ids = catalogue()
    assert len(ids) > 50
    for error_id, status in ids:
        api.answers["GetDevice"] = lambda asked, error_id=error_id: \
            asked.refuse(error_id, message="the words \u00e9",
                         object="devices/one", remedy="do so",
                         causes=[common_pb2.Cause(kind="process", name="7",
                                                  detail="has it open")])
        found = problem(ask(client, "GET", "/v1/devices/one"), status)
        assert found["id"] == error_id
        assert found["detail"] == "the words \u00e9"
        assert found["object"] == "devices/one"
        assert found["remedy"] == "do so"
        assert found["instance"] == "/v1/devices/one"
        assert found["causes"] == [{"kind": "process", "name": "7",
                                    "detail": "has it open"}]


def test_an_unknown_error_keeps_its_words(
        api: Standin, client: socket.socket) -> None:
    """Two builds may meet for a moment."""
    api.answers["GetDevice"] = lambda asked: asked.refuse(
        "device.haunted", message="boo")
    found = problem(ask(client, "GET", "/v1/devices/one"), 500)
    assert found["id"] == "daemon.internal" and found["detail"] == "boo"


def test_a_path_that_is_none_is_404(client: socket.socket) -> None:
    """And says the path, not the query."""
    for path in ("/", "/v1", "/v1/nothing", "/v1/devices/", "/v1/devices:x",
                 "/v1/devices/one:claim", "/version/", "//version", "/healthz/"):
        found = problem(ask(client, "GET", path + "?a=b"), 404)
        assert found["id"] == "request.unknown-method"
        assert found["instance"] == path


def test_another_verb_is_405_and_says_which(client: socket.socket) -> None:
    """Allow names all that the path takes."""
    for path, allowed in (("/version", "GET, OPTIONS, HEAD"),
                          ("/v1/leases", "GET, POST, OPTIONS, HEAD"),
                          ("/v1/leases/a:claim", "POST, OPTIONS"),
                          ("/healthz", "GET, OPTIONS, HEAD")):
        for verb in ("PUT", "TRACE", "BREW", "get"):
            answer = ask(client, verb, path)
            assert problem(answer, 405)["id"] == "request.wrong-verb"
            assert set(answer.headers["allow"].split(", ")) == \
                set(allowed.split(", "))
        answer = ask(client, "OPTIONS", path)
        assert answer.status == 204 and answer.body == b""
        assert set(answer.headers["allow"].split(", ")) == \
            set(allowed.split(", "))
    assert ask(client, "OPTIONS", "/nothing").status == 404
    assert ask(client, "OPTIONS", "*").status == 204


def test_a_body_must_be_json_in_utf_8(
        api: Standin, client: socket.socket) -> None:
    """With charset or without, in any case; nothing else, not compressed."""
    for good in ("application/json", "Application/JSON",
                 "application/json; charset=utf-8",
                 "application/json;charset=\"UTF-8\"", "application/json;"):
        assert ask(client, "POST", "/v1/leases", "{}",
                   Content_Type=good).status == 200, good
    asked = len(api.asked)
    for bad in ("text/plain", "application/jsonx", "application/grpc",
                "application/x-www-form-urlencoded", "multipart/form-data",
                "application/json; charset=latin1",
                "application/json, text/plain", ""):
        found = problem(ask(client, "POST", "/v1/leases", "{}",
                            Content_Type=bad), 415)
        assert found["id"] == "request.content-type"
    assert problem(ask(client, "POST", "/v1/leases", "{}",
                       Content_Encoding="gzip"), 415)
    assert len(api.asked) == asked
    assert ask(client, "POST", "/v1/leases").status == 200


BAD_JSON = {
    "nothing": " ", "half": '{"devices":', "comma": '{"driver":"a",}',
    "two": "{}{}", "list": "[]", "word": "nul", "nan": '{"memlockBytes":NaN}',
    "infinity": '{"memlockBytes":Infinity}', "hex": '{"memlockBytes":0x10}',
    "exponent": '{"memlockBytes":1e400}', "fraction": '{"memlockBytes":1.5}',
    "negative": '{"memlockBytes":-1}',
    "2**64": '{"memlockBytes":18446744073709551616}',
    "2**64 quoted": '{"memlockBytes":"18446744073709551616"}',
    "key twice": '{"restoreAfter":true,"restoreAfter":true}',
    "both names": '{"restoreAfter":true,"restore_after":true}',
    "map key twice": '{"labels":{"a":"b","a":"c"}}',
    "lone surrogate": r'{"devices":["\ud800"]}',
    "reversed surrogates": r'{"devices":["\udc00\ud800"]}',
    "NUL": r'{"devices":["\u0000"]}', "raw NUL": '{"devices":["\0"]}',
    "control": '{"devices":["\n"]}', "no UTF-8": b'{"devices":["\xff"]}',
    "surrogate as UTF-8": b'{"devices":["\xed\xa0\x80"]}',
    "BOM": b"\xef\xbb\xbf{}", "UTF-16": "{}".encode("utf-16"),
    "deep": '{"a":' * 20000 + "1" + "}" * 20000, "deep list": "[" * 200000,
    "unknown field": '{"colour":"red"}', "enum": '{"mode":"LEND"}',
    "enum number": '{"mode":99}', "kind": '{"devices":"a"}',
    "null in a list": '{"devices":[null]}', "escape": r'{"devices":["\x"]}',
    "time": '{"expires":"yesterday"}', "comment": '{/* a */}',
    "single": "{'devices':[]}",
}


@pytest.mark.parametrize("what", BAD_JSON)
def test_malformed_json_is_refused(
        api: Standin, client: socket.socket, what: str) -> None:
    """With 400, words that say what, and the connection of use afterwards."""
    found = problem(ask(client, "POST", "/v1/leases", BAD_JSON[what]), 400)
    assert found["id"] in ("request.malformed", "request.invalid")
    assert not api.asked
    assert ask(client, "GET", "/healthz").status == 200


def test_a_wrong_field_is_named(client: socket.socket) -> None:
    """By its path, as a cause of kind "field"."""
    found = problem(ask(client, "POST", "/v1/leases",
                        '{"claimant":{"uid":1,"colour":"red"}}'), 400)
    assert found["causes"][0]["kind"] == "field"
    assert found["causes"][0]["name"] == "claimant.colour"


def test_what_the_path_says_the_body_must_not(client: socket.socket) -> None:
    """Nor the query; and GET takes no body."""
    for path, body in (("/v1/devices/a:prepare", '{"name":"devices/b"}'),
                       ("/v1/devices/a:prepare?name=devices/b", "{}"),
                       ("/v1/devices/a:prepare?driver=x", '{"driver":"y"}')):
        assert problem(ask(client, "POST", path, body), 400)
    for path in ("/version", "/healthz", "/openapi.json"):
        assert problem(ask(client, "GET", path, "{}"), 400)
    for path in ("/v1/devices?page_size=x", "/v1/devices?page_size=-1",
                 "/v1/devices?colour=red", "/v1/devices?all=true&all=true",
                 "/v1/devices?all=%zz", "/v1/devices?page_token=%ff",
                 "/v1/devices/a%2fb", "/v1/devices/%00", "/v1/devices/%ff"):
        assert problem(ask(client, "GET", path), 400)


def test_a_reply_that_is_none_is_an_internal_error(
        api: Standin, client: socket.socket) -> None:
    """Were ioasidd to send one."""
    api.answers["GetDevice"] = lambda asked: asked.reply(b"\x0a\xff")
    assert problem(ask(client, "GET", "/v1/devices/a"), 500)["id"] == \
        "daemon.internal"


# --- our own paths ---


def test_health_is_of_ioasid_api_and_readiness_of_ioasidd(
        api: Standin, client: socket.socket) -> None:
    """healthz asks nobody; readyz is 503 with what ioasidd says."""
    assert json.loads(ask(client, "GET", "/healthz").body) == \
        {"status": "alive"}
    assert not api.asked
    assert json.loads(ask(client, "GET", "/readyz").body) == \
        {"status": "ready"}
    api.answers["GetVersion"] = lambda asked: asked.refuse("daemon.stopping")
    assert problem(ask(client, "GET", "/readyz"), 503)["id"] == \
        "daemon.stopping"


@pytest.mark.slow
def test_an_ioasidd_that_does_not_answer_is_not_ready(
        api: Standin, client: socket.socket) -> None:
    """After five seconds; what was asked is cancelled."""
    api.answers["GetVersion"] = lambda asked: None
    begun = time.monotonic()
    assert problem(ask(client, "GET", "/readyz"), 503)["id"] == \
        "daemon.unreachable"
    assert 4 < time.monotonic() - begun < 15
    wait_for(api.asked[0].cancelled.is_set)


def test_the_document_is_the_one_in_schema(client: socket.socket) -> None:
    """Byte by byte: no file is opened for it."""
    answer = ask(client, "GET", "/openapi.json")
    assert answer.body == (ROOT / "schema/openapi.json").read_bytes()
    assert answer.headers["content-type"] == "application/json"


# --- connections ---


def test_one_connection_serves_many_requests(
        api: Standin, client: socket.socket) -> None:
    """Also after errors of all kinds that say nothing about it."""
    for _ in range(50):
        assert ask(client, "GET", "/version").status == 200
        assert ask(client, "POST", "/nothing", "{}").status == 404
        assert ask(client, "POST", "/v1/leases", "{").status == 400
        assert ask(client, "DELETE", "/v1/leases").status == 405
    assert len(api.asked) == 50


def test_pipelined_requests_are_answered_in_order(
        api: Standin, client: socket.socket) -> None:
    """However late the first answer comes."""
    late: list[Asked] = []
    api.answers["GetDevice"] = late.append
    client.sendall(b"GET /v1/devices/a HTTP/1.1\r\nHost: x\r\n\r\n"
                   b"GET /v1/leases/b HTTP/1.1\r\nHost: x\r\n\r\n"
                   b"POST /v1/leases HTTP/1.1\r\nHost: x\r\n"
                   b"Content-Type: application/json\r\n"
                   b"Content-Length: 2\r\n\r\n{}"
                   b"GET /nothing HTTP/1.1\r\nHost: x\r\n\r\n")
    wait_for(lambda: late)
    late[0].reply(device_pb2.Device(name="devices/a"))
    rest = bytearray()
    answers = [read_answer(client, buffered=rest) for _ in range(4)]
    assert [answer.status for answer in answers] == [200, 200, 200, 404]
    assert json.loads(answers[0].body)["name"] == "devices/a"
    assert [asked.method.split("/")[1] for asked in api.asked] == \
        ["GetDevice", "GetLease", "CreateLease"]


def test_connections_do_not_wait_for_each_other(api: Standin) -> None:
    """A call that takes long holds up nobody."""
    late: list[Asked] = []
    api.answers["WaitOperation"] = late.append
    with api.connect() as slow, api.connect() as quick:
        slow.sendall(b"POST /v1/operations/a:wait HTTP/1.1\r\nHost: x\r\n\r\n")
        wait_for(lambda: late)
        for _ in range(10):
            assert ask(quick, "GET", "/version").status == 200
        late[0].reply(operation_pb2.Operation(name="operations/a"))
        assert read_answer(slow).status == 200


def test_an_answer_goes_to_whoever_has_asked(api: Standin) -> None:
    """Calls carry the connection's number, and answers come crosswise."""
    late: list[Asked] = []
    api.answers["GetDevice"] = late.append
    clients = [api.connect() for _ in range(20)]
    first = api.last - len(clients) + 1
    for i, one in enumerate(clients):
        one.sendall(f"GET /v1/devices/d{i} HTTP/1.1\r\nHost: x\r\n\r\n"
                    .encode())
    wait_for(lambda: len(late) == len(clients))
    for asked in reversed(late):
        name = asked.message().name
        assert asked.connection == first + int(name[len("devices/d"):])
        asked.reply(device_pb2.Device(name=name))
    for i, one in enumerate(clients):
        assert json.loads(read_answer(one).body)["name"] == f"devices/d{i}"
        one.close()


def test_whoever_hangs_up_cancels_his_call(api: Standin) -> None:
    """And ioasidd hears that the connection is over."""
    api.answers["WaitOperation"] = lambda asked: None
    client = api.connect()
    client.sendall(b"POST /v1/operations/a:wait HTTP/1.1\r\nHost: x\r\n\r\n")
    wait_for(lambda: api.asked)
    client.close()
    wait_for(api.asked[0].cancelled.is_set)
    wait_for(lambda: api.asked[0].connection in api.closed)


def test_who_only_says_that_he_is_done_is_answered(api: Standin) -> None:
    """Half a connection is enough to read the answer."""
    late: list[Asked] = []
    api.answers["GetDevice"] = late.append
    with api.connect() as client:
        client.sendall(b"GET /v1/devices/a HTTP/1.1\r\nHost: x\r\n\r\n")
        client.shutdown(socket.SHUT_WR)
        wait_for(lambda: late)
        time.sleep(0.1)
        assert not late[0].cancelled.is_set()
        late[0].reply(device_pb2.Device(name="devices/a"))
        assert read_answer(client).status == 200


def test_ioasidd_can_end_a_connection(api: Standin) -> None:
    """Whether it waits at the door, idles, or waits for an answer."""
    api.answers["WaitOperation"] = lambda asked: None
    with api.connect() as door, api.connect() as idle, api.connect() as waits:
        last = api.last
        assert ask(idle, "GET", "/version").status == 200
        waits.sendall(b"POST /v1/operations/a:wait HTTP/1.1\r\n"
                      b"Host: x\r\n\r\n")
        wait_for(lambda: len(api.asked) == 2)
        for connection in (last - 2, last - 1, last, last + 1000):
            api.close_connection(connection)
        assert ended(door) == b""
        assert ended(idle) == b""
        assert ended(waits) == b""
    with api.connect() as other:
        assert ask(other, "GET", "/healthz").status == 200


def test_connections_are_told_of_when_they_are_over(api: Standin) -> None:
    """Once each, whoever ended them; nothing is left open."""
    fds = api.quiet_fds()
    clients = [api.connect() for _ in range(30)]
    numbers = list(range(api.last - 29, api.last + 1))
    for i, client in enumerate(clients):
        if i % 3:
            assert ask(client, "GET", "/healthz").status == 200
        client.close()
    wait_for(lambda: set(numbers) <= set(api.closed))
    assert sorted(n for n in api.closed if n >= numbers[0]) == numbers
    wait_for(lambda: api.fds() <= fds)


def test_tcp_without_tls_is_closed(api: Standin) -> None:
    """Nothing is said in the clear."""
    with api.connect(tcp=True) as client:
        assert ended(client) == b""


# --- the link ---


def test_it_ends_with_the_link(tmp_path: pathlib.Path) -> None:
    """In whatever state its connections are; with status 0."""
    api = Standin(BUILD, tmp_path)
    api.answers["WaitOperation"] = lambda asked: None
    clients = [api.connect() for _ in range(4)]
    ask(clients[1], "GET", "/version")
    clients[2].sendall(b"POST /v1/operations/a:wait HTTP/1.1\r\n"
                       b"Host: x\r\n\r\n")
    clients[3].sendall(b"POST /v1/leases HTTP/1.1\r\nHost: x\r\n"
                       b"Content-Length: 100\r\n\r\n{")
    wait_for(lambda: len(api.asked) == 2)
    api.end()
    for client in clients:
        ended(client)
        client.close()
    assert "ioasidd has gone" in api.words()


def test_what_is_no_packet_ends_it(tmp_path: pathlib.Path) -> None:
    """Two programs of one build do not misunderstand each other."""
    for data in (b"\xff", b"\x2a\x03\x0a\x01a",
                 link_pb2.LinkPacket(connection=1, opened=link_pb2.LinkOpened(
                 )).SerializeToString()):
        api = Standin(BUILD, tmp_path)
        api.link.send(data)
        assert api.process.wait(30) == 0
        assert "cannot be read" in api.words()


def test_limits_that_are_none_are_refused_and_the_old_ones_stay(
        tmp_path: pathlib.Path) -> None:
    """And a second configuration takes the place of the first."""
    api = Standin(BUILD, tmp_path, link_pb2.LinkLimits(message_bytes=100))
    body = json.dumps({"devices": ["d" * 100]})
    with api.connect() as client:
        assert ask(client, "POST", "/v1/leases", body).status == 413
    assert "LinkLimits" in api.configure(b"\xff")
    with api.connect() as client:
        assert ask(client, "POST", "/v1/leases", body).status == 413
    assert api.configure(link_pb2.LinkLimits(message_bytes=1000)) == ""
    with api.connect() as client:
        assert ask(client, "POST", "/v1/leases", body).status == 200
    api.end()


def test_an_ioasidd_that_does_not_read_holds_up_no_answer(
        tmp_path: pathlib.Path) -> None:
    """Calls queue, then are refused; healthz goes on, and so do they later."""
    api = Standin(BUILD, tmp_path)
    body = json.dumps({"devices": ["d" * 1000] * 200})
    gate = Asked(api, 0, 0, "", b"").cancelled
    api.answers["CreateLease"] = lambda asked: (gate.wait(60), asked.reply())
    clients = [api.connect() for _ in range(80)]
    for client in clients:
        client.sendall(f"POST /v1/leases HTTP/1.1\r\nHost: x\r\n"
                       f"Content-Type: application/json\r\n"
                       f"Content-Length: {len(body)}\r\n\r\n{body}".encode())
    with api.connect() as other:
        for _ in range(20):
            assert ask(other, "GET", "/healthz").status == 200
    gate.set()
    statuses = [read_answer(client).status for client in clients]
    assert set(statuses) == {200, 503} and statuses.count(200) >= 40, statuses
    for client in clients:
        client.close()
    api.end()
