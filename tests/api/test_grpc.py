# SPDX-License-Identifier: Apache-2.0
"""gRPC as grpcio's C core speaks it, against api/grpc with a fake link."""

import pathlib
import threading
import time
from collections.abc import Iterator

import grpc
import pytest
from google.rpc import error_details_pb2, status_pb2
from grpcs import STREAM, UNARY, Raw, Server, frame, headers, message, \
    DATA, END_HEADERS, END_STREAM, HEADERS, RST

from grpc.health.v1 import health_pb2 as health  # noqa: I100
from grpc.reflection.v1 import reflection_pb2 as reflection
from grpc.reflection.v1alpha import reflection_pb2 as reflection_alpha

from google.protobuf import descriptor_pb2, descriptor_pool
from ioasid.v1 import lease_pb2


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A peer for all of these; must end well, with nothing left open."""
    one = Server(tmp_path_factory.mktemp("grpc"))
    yield one
    counts = one.counts()
    assert (counts["open"], counts["early"]) == (0, 0)
    assert one.stop() == 0


@pytest.fixture()
def channel(server: Server) -> Iterator[grpc.Channel]:
    """A connection of one's own."""
    with server.channel() as one:
        yield one


def refusal(call: object) -> grpc.RpcError:
    """The error that a call ends with."""
    with pytest.raises(grpc.RpcError) as caught:
        call()
    return caught.value


def status(error: grpc.RpcError) -> status_pb2.Status:
    """What grpc-status-details-bin carries."""
    return status_pb2.Status.FromString(
        dict(error.trailing_metadata())["grpc-status-details-bin"])


def reason(error: grpc.RpcError) -> str:
    """The stable id of an error."""
    info = error_details_pb2.ErrorInfo()
    assert status(error).details[0].Unpack(info)
    assert info.domain == "ioasidd"
    return info.reason


def test_a_call_is_passed_on_and_answered(channel: grpc.Channel) -> None:
    """As bytes, unread: also none, and the longest."""
    call = channel.unary_unary(UNARY)
    assert call(b"echo \xff", timeout=30) == b"echo \xff"
    longest = b"echo" + bytes(262144 - 4)
    assert call(longest, timeout=30) == longest
    assert call(b"reply 0", timeout=30) == b""


def test_an_error_has_its_id_object_remedy_and_causes(
        channel: grpc.Channel) -> None:
    """In google.rpc.Status, as the field of AIP-193 says."""
    error = refusal(lambda: channel.unary_unary(UNARY)(
        b"fail device.in-use 3", timeout=30))
    assert error.code() == grpc.StatusCode.FAILED_PRECONDITION
    assert error.details() == "it failed: 100 % with \u00e9"
    said = status(error)
    assert (said.code, said.message) == (9, error.details())
    info = error_details_pb2.ErrorInfo()
    assert said.details[0].Unpack(info)
    assert (info.reason, dict(info.metadata)) == ("device.in-use", {
        "object": "devices/pci-0000-3b-00.0",
        "remedy": "Try something else."})
    bad = error_details_pb2.BadRequest()
    assert said.details[1].Unpack(bad)
    assert [one.field for one in bad.field_violations] == \
        ["cause-0", "cause-2"]
    failure = error_details_pb2.PreconditionFailure()
    assert said.details[2].Unpack(failure)
    assert [(one.type, one.subject) for one in failure.violations] == \
        [("process", "cause-1")]
    assert len(said.details) == 3


def test_details_fit_what_clients_take_as_metadata(
        channel: grpc.Channel) -> None:
    """8 KiB in all with C core and Java; sixteen long causes are cut."""
    error = refusal(lambda: channel.unary_unary(UNARY)(
        b"fail device.in-use 16", timeout=30))
    assert reason(error) == "device.in-use"
    size = len(dict(error.trailing_metadata())["grpc-status-details-bin"])
    assert 1000 < size <= 4096


def test_a_deadline_ends_the_call_and_the_waiting(
        server: Server, channel: grpc.Channel) -> None:
    """The client's own clock, and ours for a client that does not look."""
    before = server.counts()["cancelled"]
    error = refusal(lambda: channel.unary_unary(UNARY)(b"hang", timeout=0.2))
    assert error.code() == grpc.StatusCode.DEADLINE_EXCEEDED
    assert server.settles("cancelled", before + 1) == before + 1
    with Raw(server) as raw:
        raw.call(1, b"hang", headers(grpc_timeout="100m"))
        trailers = raw.until(HEADERS, 1)
        assert trailers and b"request.deadline" not in trailers[3]
        assert trailers[1] & END_STREAM
    assert server.settles("cancelled", before + 2) == before + 2


def test_cancelling_ends_the_waiting(
        server: Server, channel: grpc.Channel) -> None:
    """By RST_STREAM, and by the end of the connection."""
    before = server.counts()["cancelled"]
    call = channel.unary_unary(UNARY).future(b"hang")
    assert server.settles("open", 1) == 1
    call.cancel()
    assert server.settles("cancelled", before + 1) == before + 1
    with Raw(server) as raw:
        raw.call(1, b"hang")
        assert server.settles("open", 1) == 1
    assert server.settles("cancelled", before + 2) == before + 2


def test_a_stream_comes_whole_and_in_order(channel: grpc.Channel) -> None:
    """Many small ones, and some that take several frames."""
    call = channel.unary_stream(STREAM)
    for n, size in ((1000, 100), (200, 65536), (32, 262144)):
        got = [int(one.split(b" ")[0])
               for one in call(b"stream %d %d" % (n, size), timeout=60)]
        assert got == list(range(n))


def test_a_slow_reader_holds_its_stream_up(
        server: Server, channel: grpc.Channel) -> None:
    """No more items are out than the credit; nothing is lost, others go on."""
    call = channel.unary_stream(STREAM)(b"stream 500 4096", timeout=60)
    first = next(call)
    time.sleep(0.5)
    assert channel.unary_unary(UNARY)(b"echo", timeout=30) == b"echo"
    assert [int(one.split(b" ")[0]) for one in [first, *call]] == \
        list(range(500))
    counts = server.counts()
    assert counts["most"] <= 16 and counts["early"] == 0


def test_a_stream_can_end_with_an_error(channel: grpc.Channel) -> None:
    """Also before its first item."""
    error = refusal(lambda: list(channel.unary_stream(STREAM)(
        b"fail daemon.stopping 0", timeout=30)))
    assert error.code() == grpc.StatusCode.UNAVAILABLE
    assert reason(error) == "daemon.stopping"


def test_500_calls_at_once_are_all_answered(channel: grpc.Channel) -> None:
    """More than there may be streams at a time: the client waits."""
    call = channel.unary_unary(UNARY)
    calls = [call.future(b"late 50 %d" % i, timeout=60) for i in range(500)]
    assert [one.result() for one in calls] == \
        [b"late 50 %d" % i for i in range(500)]


@pytest.mark.parametrize("path", [
    "/ioasid.test.v1.Things/Nope", "/Nope", "/", "//", "/" + "x" * 500,
    "/grpc.health.v1.Health/Nope",
    "/grpc.reflection.v1beta.ServerReflection/ServerReflectionInfo"])
def test_an_unknown_method_is_unimplemented(
        channel: grpc.Channel, path: str) -> None:
    """Whatever it is called."""
    error = refusal(lambda: channel.unary_unary(path)(b"echo", timeout=30))
    assert error.code() == grpc.StatusCode.UNIMPLEMENTED
    assert reason(error) == "request.unknown-method"


def test_a_message_that_is_too_long_is_refused(
        channel: grpc.Channel) -> None:
    """By its length alone; the connection stays."""
    call = channel.unary_unary(UNARY)
    error = refusal(lambda: call(bytes(262145), timeout=30))
    assert error.code() == grpc.StatusCode.RESOURCE_EXHAUSTED
    assert reason(error) == "request.too-large"
    assert call(b"echo", timeout=30) == b"echo"


def test_a_compressed_message_is_refused(server: Server) -> None:
    """As unimplemented; the client can send it as it is."""
    with server.channel(default_compression_algorithm=2) as channel:
        error = refusal(lambda: channel.unary_unary(UNARY)(
            b"echo" + bytes(10000), timeout=30))
    assert error.code() == grpc.StatusCode.UNIMPLEMENTED
    assert reason(error) == "request.compressed"


def test_exactly_one_request_is_taken(channel: grpc.Channel) -> None:
    """None, and two, are malformed."""
    call = channel.stream_unary(UNARY)
    for requests in ([], [b"echo", b"echo"]):
        error = refusal(lambda sent=requests: call(iter(sent), timeout=30))
        assert error.code() == grpc.StatusCode.INVALID_ARGUMENT
        assert reason(error) == "request.malformed"


def test_a_request_that_ends_in_its_middle_is_malformed(
        server: Server) -> None:
    """In its prefix, and in its message."""
    with Raw(server) as raw:
        for stream, body in ((1, b"\0\0"), (3, message(b"echo")[:-1]),
                             (5, b"\x02\0\0\0\0")):
            raw.send(frame(HEADERS, END_HEADERS, stream, headers())
                     + frame(DATA, END_STREAM, stream, body))
            answer = raw.until(HEADERS, stream)
            assert answer and answer[1] & END_STREAM


def test_an_early_answer_frees_the_stream(server: Server) -> None:
    """RST_STREAM(NO_ERROR) tells a client that has not ended to stop."""
    with Raw(server) as raw:
        raw.call(1, None, headers(path="/nope"), end=False)
        answer = raw.until(HEADERS, 1)
        assert answer and answer[1] & END_STREAM
        reset = raw.until(RST, 1)
        assert reset and reset[3] == bytes(4)


def test_health_is_told(channel: grpc.Channel) -> None:
    """Of all, of each service, and of none."""
    check = channel.unary_unary(
        "/grpc.health.v1.Health/Check",
        health.HealthCheckRequest.SerializeToString,
        health.HealthCheckResponse.FromString)
    for name in ("", "ioasid.test.v1.Things", "ioasid.v1.Devices",
                 "grpc.health.v1.Health"):
        answer = check(health.HealthCheckRequest(service=name), timeout=30)
        assert answer.status == health.HealthCheckResponse.SERVING
    error = refusal(lambda: check(
        health.HealthCheckRequest(service="nope"), timeout=30))
    assert error.code() == grpc.StatusCode.NOT_FOUND
    assert reason(error) == "request.unknown-service"


def test_health_can_be_watched(tmp_path: pathlib.Path) -> None:
    """Until the end, of which it tells before."""
    server = Server(tmp_path)
    with server.channel() as channel:
        watch = channel.unary_stream(
            "/grpc.health.v1.Health/Watch",
            health.HealthCheckRequest.SerializeToString,
            health.HealthCheckResponse.FromString)
        unknown = watch(health.HealthCheckRequest(service="nope"))
        assert next(unknown).status == \
            health.HealthCheckResponse.SERVICE_UNKNOWN
        known = watch(health.HealthCheckRequest())
        assert next(known).status == health.HealthCheckResponse.SERVING
        assert server.stop() == 0
        assert next(known).status == health.HealthCheckResponse.NOT_SERVING
        error = refusal(lambda: next(known))
        assert error.code() == grpc.StatusCode.UNAVAILABLE
        assert reason(error) == "daemon.stopping"


@pytest.mark.parametrize("version,module", [
    ("v1", reflection), ("v1alpha", reflection_alpha)])
def test_reflection_tells_the_whole_contract(
        channel: grpc.Channel, version: str, module: object) -> None:
    """Enough that a client without .proto files can build every message."""
    ask = channel.stream_stream(
        f"/grpc.reflection.{version}.ServerReflection/ServerReflectionInfo",
        module.ServerReflectionRequest.SerializeToString,
        module.ServerReflectionResponse.FromString)

    def answers(**question: object) -> object:
        return next(ask(iter([module.ServerReflectionRequest(
            host="h", **question)]), timeout=30))

    listed = answers(list_services="")
    assert listed.valid_host == "h"
    assert listed.original_request.host == "h"
    names = {one.name for one in listed.list_services_response.service}
    assert {"ioasid.v1.Devices", "grpc.health.v1.Health",
            f"grpc.reflection.{version}.ServerReflection"} <= names
    pool = descriptor_pool.DescriptorPool()
    added = set()

    def add(files: dict[str, descriptor_pb2.FileDescriptorProto],
            name: str) -> None:
        if name not in added:
            added.add(name)
            for other in files[name].dependency:
                add(files, other)
            assert not files[name].source_code_info.location
            pool.AddSerializedFile(files[name].SerializeToString())

    for name in names:
        files = [descriptor_pb2.FileDescriptorProto.FromString(one)
                 for one in answers(file_containing_symbol=name)
                 .file_descriptor_response.file_descriptor_proto]
        add({one.name: one for one in files}, files[0].name)
    lease = pool.FindMessageTypeByName("ioasid.v1.Lease")
    assert [one.name for one in lease.fields] == \
        [one.name for one in lease_pb2.Lease.DESCRIPTOR.fields]
    for symbol in ("ioasid.v1.Devices.GetDevice", "ioasid.v1.Lease.name",
                   "google.api.http", "grpc.health.v1.HealthCheckResponse."
                   "ServingStatus"):
        assert answers(file_containing_symbol=symbol) \
            .file_descriptor_response.file_descriptor_proto, symbol
    assert answers(file_by_filename="ioasid/v1/lease.proto") \
        .file_descriptor_response.file_descriptor_proto
    options = "google.protobuf.MethodOptions"
    assert answers(file_containing_extension=module.ExtensionRequest(
        containing_type=options, extension_number=72295728)) \
        .file_descriptor_response.file_descriptor_proto
    assert sorted(answers(all_extension_numbers_of_type=options)
                  .all_extension_numbers_response.extension_number) == \
        [51801, 51802, 51803, 72295728]
    for question in ({"file_by_filename": "nope"},
                     {"file_containing_symbol": "ioasid.v1.Nope"},
                     {"all_extension_numbers_of_type": "nope"},
                     {"file_containing_extension": module.ExtensionRequest(
                         containing_type=options, extension_number=1)}):
        assert answers(**question).error_response.error_code == 5
    assert answers().error_response.error_code == 3


def test_reflection_answers_each_question_of_a_stream(
        channel: grpc.Channel) -> None:
    """In order, and goes on after one that has no answer."""
    ask = channel.stream_stream(
        "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo",
        reflection.ServerReflectionRequest.SerializeToString,
        reflection.ServerReflectionResponse.FromString)
    names = ["ioasid/v1/lease.proto", "nope", "ioasid/v1/common.proto"] * 20
    got = list(ask((reflection.ServerReflectionRequest(file_by_filename=name)
                    for name in names), timeout=60))
    assert [one.original_request.file_by_filename for one in got] == names
    assert [one.HasField("error_response") for one in got] == \
        [name == "nope" for name in names]


def test_what_is_asked_of_grpcs_own_services_is_read_strictly(
        channel: grpc.Channel) -> None:
    """Bytes that are no message are refused with an id."""
    for path in ("/grpc.health.v1.Health/Check",
                 "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo"):
        for payload in (b"\x0a\x01\xff", b"\x0a\x7f", b"\xff" * 30):
            error = refusal(lambda p=path, d=payload: channel.unary_unary(p)(
                d, timeout=30))
            assert error.code() == grpc.StatusCode.INVALID_ARGUMENT
            assert reason(error) == "request.malformed"


def test_many_channels_at_once_are_served(server: Server) -> None:
    """Eight threads, each with a connection, unary and streams mixed."""
    failures = []

    def work(number: int) -> None:
        with server.channel() as one:
            for i in range(50):
                text = b"late 1 %d %d" % (number, i)
                if one.unary_unary(UNARY)(text, timeout=60) != text:
                    failures.append(text)
                got = list(one.unary_stream(STREAM)(b"stream 20 2000",
                                                    timeout=60))
                if len(got) != 20:
                    failures.append(got)

    threads = [threading.Thread(target=work, args=(n,)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures
