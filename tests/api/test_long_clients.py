# SPDX-License-Identifier: Apache-2.0
"""Clients that take a while to build, of make check-long: grpc-go, and one that
is generated from schema/openapi.json. Against all of it: ioasidd-sim, its API.

Go's modules are pinned by clients/go/go.sum, the generator and what it needs by
clients/openapi/package-lock.json.
"""

import json
import os
import pathlib
import shutil
import subprocess
from collections.abc import Iterator

import pytest
from conftest import BUILD, CLIENTS, ROOT, installed
from surfaces import CATALOGUE
from test_grpc_clients import EDU, Whole, reads

NVME = "devices/pci-0000-03-00.0"
NOBODY = 65534
GO_MODULE = "ioasidd/client"
PLUGINS = ("google.golang.org/protobuf/cmd/protoc-gen-go",
           "google.golang.org/grpc/cmd/protoc-gen-go-grpc")

# root may address leases by REST to itself only, unless it is said.
GRANTS = f"""[grant root]
uid = 0
role = operator
address = uid:{NOBODY}
[grant client]
uri = spiffe://test/one
role = operator
devices = {NVME}
address = uid:{NOBODY}
"""


def run(*command: object, cwd: pathlib.Path | None = None,
        seconds: int = 500, **environment: str) -> str:
    """What a program says that must end well."""
    done = subprocess.run(
        [str(one) for one in command], cwd=cwd, text=True, check=False,
        capture_output=True, timeout=seconds,
        env={**os.environ, **environment})
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def steps(said: str) -> dict:
    """The lines of a client, by step."""
    return {one.pop("step"): one for one in map(json.loads,
                                                said.splitlines())}


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Whole]:
    """For all of these."""
    one = Whole(tmp_path_factory.mktemp("whole"))
    try:
        yield one
        one.stop()
    finally:
        one.process.kill()


@pytest.fixture(scope="module")
def go_client() -> pathlib.Path:
    """grpc-go's client, with code made of the .proto files by Go's plugins."""
    folder = BUILD / "tests" / "go"
    shutil.copytree(CLIENTS / "go", folder, dirs_exist_ok=True)
    build = ("go", "build", "-mod=readonly", "-o", f"{folder}/bin/")
    run(*build, *PLUGINS, cwd=folder)
    proto = sorted(str(one.relative_to(ROOT / "schema"))
                   for kind in ("ioasid/v1", "google/api")
                   for one in (ROOT / "schema" / kind).glob("*.proto"))
    options = [f"module={GO_MODULE}"] + [
        f"M{one}={GO_MODULE}/{'ioasid' if 'ioasid' in one else 'api'}"
        for one in proto]
    run("protoc", f"-I{ROOT}/schema", "-I/usr/include",
        *[f"--plugin={folder}/bin/{one.rpartition('/')[2]}"
          for one in PLUGINS],
        *[f"--{kind}_out={folder}" for kind in ("go", "go-grpc")],
        *[f"--{kind}_opt={one}" for kind in ("go", "go-grpc")
          for one in options], *proto)
    run(*build, ".", cwd=folder)
    return folder / "bin" / "client"


@pytest.fixture(scope="module")
def openapi_client() -> pathlib.Path:
    """Generated, and checked by the compiler of TypeScript."""
    folder = installed(CLIENTS / "openapi", BUILD / "tests" / "openapi",
                       "client.ts", "tsconfig.json")
    for one in "generated", "out":
        shutil.rmtree(folder / one, ignore_errors=True)
    run("node_modules/.bin/openapi", "-i", ROOT / "schema" / "openapi.json",
        "-o", "generated", "--client", "axios", "--useOptions", cwd=folder)
    run("node_modules/.bin/tsc", "-p", ".", cwd=folder)
    return folder / "out" / "client.js"


def certificates(whole: Whole, name: str = "client") -> list[pathlib.Path]:
    """What a client is given for mutual TLS."""
    return [whole.pki / one for one in (
        "ca.pem", f"{name}.pem", f"{name}-key.pem")]


@pytest.mark.limit(900)
def test_grpc_go_is_served(whole: Whole, go_client: pathlib.Path) -> None:
    """Unary, errors, 500 at once, watch, cancel, a long operation, deadline."""
    said = steps(run(go_client, f"unix:{whole.api}", IOASID_DEVICE=EDU))
    reads(said, 2)
    assert said["missing"]["reason"] == "device.not-found"
    assert said["missing"]["domain"] == "ioasidd"
    assert said["prepare"]["answer"]["kind"] == "prepare"
    assert said["wait"]["answer"]["state"] == "DONE"
    first, second = said["watch"]["items"]
    assert said["watch"]["code"] == "CANCELLED"
    assert int(first["revision"]) < int(second["revision"])
    assert first["name"] == said["prepare"]["answer"]["name"]


@pytest.mark.limit(900)
def test_grpc_go_is_served_by_mutual_tls(
        whole: Whole, go_client: pathlib.Path) -> None:
    """The same, with nothing granted to it; one that is revoked is not."""
    target = f"localhost:{whole.port}"
    reads(steps(run(go_client, target, *certificates(whole))), 0)
    said = steps(run(go_client, target,
                     *certificates(whole, "client-revoked")))
    assert said["version"]["code"] == "UNAVAILABLE"
    assert said["parallel"]["good"] == 0


def problem(said: dict, kind: str) -> dict:
    """The problem+json that a step has failed with, which must be that."""
    found = said["problem"]
    assert found["id"] == kind
    assert said["status"] == found["status"] == CATALOGUE[kind][1]
    assert said["contentType"] == "application/problem+json"
    # What the document says of this status names it.
    assert kind in said["words"]
    return found


def worked(said: dict, device: str, principal: str) -> None:
    """What client.ts says when it may do all of it."""
    assert said["version"]["answer"]["contract"] == "ioasid.v1"
    assert device in [one["name"] for one in
                      said["host"]["answer"]["devices"]]
    assert problem(said["missing"], "device.not-found")["object"] == \
        "devices/pci-9999-99-00.0"
    problem(said["wrong"], "list.bad-token")

    assert said["before"]["answer"]["state"] == "HOST"
    assert not said["dry"]["answer"]["name"]
    operation = said["prepare"]["answer"]
    assert operation["principal"] == principal
    assert operation["target"] == device
    assert said["wait"]["answer"]["state"] == "DONE"
    for step in "wait", "again":
        assert said[step]["answer"]["name"] == operation["name"]
    problem(said["stale"], "request.etag-mismatch")

    lease = said["create"]["answer"]
    assert lease["devices"] == [device]
    assert lease["claimant"]["uid"] == NOBODY
    assert said["show"]["answer"] == lease
    assert lease in said["leases"]["answer"]["leases"]
    problem(said["taken"], "device.not-ready")
    assert said["release"]["answer"]["state"] == "ENDED"


@pytest.mark.limit(900)
def test_a_client_of_the_openapi_document_is_served(
        tmp_path: pathlib.Path, openapi_client: pathlib.Path) -> None:
    """By the UNIX socket and by mutual TLS, as far as grants go."""
    policy = tmp_path / "policy.d"
    policy.mkdir(mode=0o755)
    (policy / "10.conf").write_text(GRANTS)
    (policy / "10.conf").chmod(0o644)
    whole = Whole(tmp_path, "--policy-dir", policy)
    try:
        worked(steps(run("node", openapi_client, whole.api, EDU, NOBODY)),
               EDU, "uid:0")
        worked(steps(run(
            "node", openapi_client, f"https://localhost:{whole.port}", NVME,
            NOBODY, *certificates(whole))), NVME, "cert:spiffe://test/one")
        whole.stop()
    finally:
        whole.process.kill()
