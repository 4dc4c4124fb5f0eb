# SPDX-License-Identifier: Apache-2.0
"""gRPC clients that are not ours, against all of it: ioasidd-sim and its API.

@grpc/grpc-js and buf come from npm (fixture clients), python3-grpcio from Debian.
"""

import base64
import json
import os
import pathlib
import signal
import socket
import subprocess
import time
from collections.abc import Iterator

import grpc
import pytest
from conftest import BUILD, ROOT
from google.rpc import error_details_pb2, status_pb2
from ioasid.v1 import common_pb2, device_pb2, event_pb2, operation_pb2
from tls import make_pki

EDU = "devices/pci-0000-01-00.0"
NVME = "devices/pci-0000-03-00.0"


class Whole:
    """ioasidd-sim with ioasid-api, on the test machine's description."""

    def __init__(self, folder: pathlib.Path,
                 *more: str | pathlib.Path) -> None:
        self.api = folder / "api.sock"
        make_pki(ROOT, folder)
        self.pki = folder
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = free.getsockname()[1]
        # Of the same build; a sanitizer's complaint is in its words.
        self.log = folder / "log"
        self.process = subprocess.Popen(
            [BUILD / "ioasidd-sim", "--foreground",
             "--machine", ROOT / "packaging/machines/testbed.json",
             "--machine-linger", "1",
             "--state-dir", folder / "state", "--socket", folder / "sock",
             "--api-socket", self.api,
             "--api-listen", f"127.0.0.1:{self.port}",
             "--api-certificate", folder / "server.pem",
             "--api-key", folder / "server-key.pem",
             "--api-authorities", folder / "ca.pem",
             "--api-revoked", folder / "revoked.pem", *more],
            stdout=self.log.open("w"), stderr=subprocess.STDOUT)
        end = time.monotonic() + 30
        while not self.api.exists():
            assert time.monotonic() < end, self.log.read_text()
            time.sleep(0.05)

    def stop(self) -> None:
        """It must end well, and nobody have complained."""
        self.process.send_signal(signal.SIGTERM)
        assert self.process.wait(60) == 0, self.log.read_text()
        assert "Sanitizer" not in self.log.read_text()


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Whole]:
    """For all of these."""
    one = Whole(tmp_path_factory.mktemp("whole"))
    yield one
    one.stop()


def lines(clients: pathlib.Path, target: str, *tls: pathlib.Path,
          device: str = "") -> dict:
    """What client.mjs says, by step."""
    done = subprocess.run(
        ["node", clients / "client.mjs", ROOT / "schema", target, *tls],
        capture_output=True, text=True, check=False, timeout=240,
        env={**os.environ, "IOASID_DEVICE": device})
    assert done.returncode == 0, done.stdout + done.stderr
    return {one.pop("step"): one
            for one in map(json.loads, done.stdout.splitlines())}


@pytest.mark.slow
def test_grpc_js_is_served(whole: Whole, clients: pathlib.Path) -> None:
    """Unary, errors, 500 at once, watch, cancel, a long operation, deadline."""
    said = lines(clients, f"unix:{whole.api}", device=EDU)
    reads(said, 2)
    assert said["prepare"]["answer"]["kind"] == "prepare"
    assert said["wait"]["answer"]["state"] == "DONE"
    first, second = said["watch"]["items"]
    assert said["watch"]["code"] == "CANCELLED"
    assert int(first["revision"]) < int(second["revision"])
    assert first["name"] == said["prepare"]["answer"]["name"]


@pytest.mark.slow
def test_grpc_js_is_served_by_mutual_tls(
        whole: Whole, clients: pathlib.Path) -> None:
    """The same, with nothing granted to it; one that is revoked is not."""
    pki = whole.pki
    target = f"localhost:{whole.port}"
    reads(lines(clients, target, pki / "ca.pem", pki / "client.pem",
                pki / "client-key.pem"), 0)
    said = lines(clients, target, pki / "ca.pem", pki / "client-revoked.pem",
                 pki / "client-revoked-key.pem")
    assert said["version"]["code"] == "UNAVAILABLE"
    assert said["parallel"]["good"] == 0


def reads(said: dict, devices: int) -> None:
    """What client.mjs says when it is served, of what changes nothing; of two
    devices, how many it may see."""
    assert said["version"]["answer"]["backend"] == "sim"
    assert len(said["list"]["answer"]["devices"]) == devices
    assert said["missing"]["code"] == "NOT_FOUND"
    status = status_pb2.Status.FromString(
        base64.b64decode(said["missing"]["bin"][0]))
    info = error_details_pb2.ErrorInfo()
    assert status.details[0].Unpack(info)
    assert info.reason == "device.not-found"
    assert info.metadata["object"] == "devices/pci-9999-99-00.0"
    assert said["health"]["answer"]["status"] == "SERVING"
    assert said["parallel"]["good"] == 500
    assert said["health-watch"] == {
        "items": [{"status": "SERVING"}], "code": "CANCELLED"}
    assert said["deadline"]["code"] == "DEADLINE_EXCEEDED"
    assert 400 <= said["deadline"]["ms"] < 10000


def buf(clients: pathlib.Path, *arguments: str | pathlib.Path) \
        -> subprocess.CompletedProcess:
    """buf curl, by gRPC."""
    program, = clients.glob("node_modules/@bufbuild/buf-linux-*/bin/buf")
    return subprocess.run(
        [program, "curl", "--protocol", "grpc", *arguments],
        capture_output=True, text=True, check=False, timeout=60,
        env={**os.environ, "BUF_CACHE_DIR": str(clients / "buf-cache")})


@pytest.mark.parametrize("reflection", ["grpc-v1", "grpc-v1alpha"])
@pytest.mark.parametrize("tls", [False, True])
def test_buf_curl_is_served_by_reflection(
        whole: Whole, clients: pathlib.Path, reflection: str,
        tls: bool) -> None:
    """It has no .proto file; both versions of the service."""
    reflect = ["--reflect", "--reflect-protocol", reflection]
    if tls:
        url = f"https://localhost:{whole.port}"
        reflect += ["--cacert", whole.pki / "ca.pem",
                    "--cert", whole.pki / "client.pem",
                    "--key", whole.pki / "client-key.pem"]
    else:
        url = "http://localhost"
        reflect += ["--http2-prior-knowledge", "--unix-socket", whole.api]
    done = buf(clients, *reflect, f"{url}/ioasid.v1.Host/GetVersion")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["contract"] == "ioasid.v1"
    done = buf(clients, *reflect, "--list-methods", url)
    assert done.returncode == 0, done.stderr
    sources = "".join(one.read_text() for one in
                      (ROOT / "schema/ioasid/v1").glob("*.proto"))
    ours = [one for one in done.stdout.split() if one.startswith("ioasid.")]
    assert len(ours) == sources.count("  rpc ")
    done = buf(clients, *reflect, "-d", '{"name": "devices/nope"}',
               f"{url}/ioasid.v1.Devices/GetDevice")
    assert done.returncode != 0
    said = json.loads(done.stderr)
    assert said["code"] == "not_found"
    detail, = said["details"]
    assert detail["type"] == "google.rpc.ErrorInfo"
    # Without its padding.
    info = error_details_pb2.ErrorInfo.FromString(
        base64.b64decode(detail["value"] + "=="))
    assert info.reason == "device.not-found"


def test_grpcio_is_served(whole: Whole) -> None:
    """A change, what a watch tells of it, and an error."""
    with grpc.insecure_channel(f"unix:{whole.api}") as channel:
        def call(name: str, request: object, answer: type) -> object:
            return channel.unary_unary(
                f"/ioasid.v1.{name}",
                response_deserializer=answer.FromString)(
                    request.SerializeToString(), timeout=60)

        version = call("Host/GetVersion", common_pb2.GetVersionRequest(),
                       common_pb2.Version)
        assert version.contract == "ioasid.v1"
        watch = channel.unary_stream(
            "/ioasid.v1.Events/WatchEvents",
            response_deserializer=event_pb2.Change.FromString)(
                event_pb2.WatchEventsRequest(
                    revision=version.revision,
                    collections=["devices"]).SerializeToString(), timeout=60)
        done = call("Devices/PrepareDevice",
                    device_pb2.PrepareDeviceRequest(name=NVME),
                    operation_pb2.Operation)
        done = call("Operations/WaitOperation",
                    operation_pb2.WaitOperationRequest(name=done.name),
                    operation_pb2.Operation)
        assert done.state == operation_pb2.Operation.DONE
        states = []
        for change in watch:
            states.append(change.device.state)
            if change.device.state == device_pb2.Device.READY:
                break
        assert set(states[:-1]) == {device_pb2.Device.PREPARING}
        watch.cancel()
        with pytest.raises(grpc.RpcError) as refused:
            call("Devices/RestoreDevice",
                 device_pb2.RestoreDeviceRequest(name="devices/nope"),
                 operation_pb2.Operation)
        assert refused.value.code() == grpc.StatusCode.NOT_FOUND


def test_a_watch_begins_before_anything_changes(whole: Whole) -> None:
    """Its headers come; a refused one has no headers but its status."""
    with grpc.insecure_channel(f"unix:{whole.api}") as channel:
        watch = channel.unary_stream("/ioasid.v1.Events/WatchEvents")
        begun = watch(b"", timeout=60)
        # It waits for them.
        assert begun.initial_metadata() is not None
        assert begun.is_active()
        begun.cancel()
        refused = watch(event_pb2.WatchEventsRequest(
            revision=2 ** 62).SerializeToString(), timeout=60)
        assert not refused.initial_metadata()
        assert refused.code() == grpc.StatusCode.FAILED_PRECONDITION


def test_clients_are_told_that_ioasidd_stops(tmp_path: pathlib.Path) -> None:
    """A watch ends with daemon.stopping, not with a broken connection."""
    one = Whole(tmp_path)
    with grpc.insecure_channel(f"unix:{one.api}") as channel:
        watch = channel.unary_stream("/ioasid.v1.Events/WatchEvents")(
            b"", timeout=60)
        health = channel.unary_stream("/grpc.health.v1.Health/Watch")(
            b"", timeout=60)
        assert next(health) == b"\x08\x01"
        one.stop()
        assert next(health) == b"\x08\x02"
        for stream in (watch, health):
            with pytest.raises(grpc.RpcError) as ended:
                next(stream)
            assert ended.value.code() == grpc.StatusCode.UNAVAILABLE
            status = status_pb2.Status.FromString(dict(
                ended.value.trailing_metadata())["grpc-status-details-bin"])
            info = error_details_pb2.ErrorInfo()
            assert status.details[0].Unpack(info)
            assert info.reason == "daemon.stopping"
