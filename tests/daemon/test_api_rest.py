# SPDX-License-Identifier: Apache-2.0
"""The whole of REST: curl, ioasid-api, ioasidd-sim and its machine."""

import contextlib
import json
import os
import pathlib
import re
import signal
import subprocess
import threading

import pytest
from google.protobuf import json_format

from daemon import child
from machine import Machine, alive, wait

EDU = "devices/pci-0000-01-00.0"


class Answer:
    """What curl got: status, headers, JSON."""

    def __init__(self, text: str) -> None:
        head, _, body = text.partition("\n\n")
        lines = head.split("\n")
        self.status = int(lines[0].split()[1])
        self.headers = {name.lower(): value.strip() for name, _, value in
                        (line.partition(":") for line in lines[1:])}
        self.json = json.loads(body) if body.strip() else None


def curl(machine: Machine, verb: str, path: str,
         body: dict | None = None, **headers: str) -> Answer:
    """One request by curl."""
    command = ["curl", "-sS", "-i", "--max-time", "60", "-X", verb,
               "--unix-socket", str(machine.run / "api.sock"),
               "http://ioasid" + path]
    if body is not None:
        command += ["-H", "Content-Type: application/json",
                    "--data-binary", json.dumps(body)]
    for name, value in headers.items():
        command += ["-H", f"{name.replace('_', '-')}: {value}"]
    done = subprocess.run(command, capture_output=True, check=False,
                          timeout=120)
    assert done.returncode == 0, done.stderr
    return Answer(done.stdout.decode().replace("\r\n", "\n"))


def api_pid(machine: Machine) -> int:
    """The process of its ioasid-api, the newest."""
    return int(re.findall(r"ioasid-api is started, pid (\d+)",
                          machine.words())[-1])


def finish(machine: Machine, operation: dict) -> dict:
    """Wait for an operation by REST; it must end well."""
    done = curl(machine, "POST", f"/v1/{operation['name']}:wait",
                {"timeoutMs": 30000}).json
    assert done["state"] == "DONE", done
    return done


def test_the_main_job_is_done_by_rest(sim: Machine) -> None:
    """To VFIO, leased, released, back to its driver; claimed it is not."""
    device = curl(sim, "GET", f"/v1/{EDU}")
    assert device.json["state"] == "HOST"
    assert device.headers["etag"] == f'"{device.json["etag"]}"'
    dry = curl(sim, "POST", f"/v1/{EDU}:prepare?dry_run=true", {})
    assert dry.status == 200
    assert curl(sim, "GET", f"/v1/{EDU}").json == device.json

    begun = curl(sim, "POST", f"/v1/{EDU}:prepare", {},
                 If_Match=device.headers["etag"])
    assert begun.json["principal"] == "uid:0"
    finish(sim, begun.json)
    late = curl(sim, "POST", f"/v1/{EDU}:restore", {},
                If_Match=device.headers["etag"])
    assert (late.status, late.json["id"]) == (412, "request.etag-mismatch")
    assert curl(sim, "GET", f"/v1/{EDU}").json["state"] == "READY"

    lease = curl(sim, "POST", "/v1/leases",
                 {"devices": [EDU], "claimant": {"uid": 0}})
    assert lease.json["state"] == "OFFERED", lease.json
    assert sim.lease(lease.json["name"])["state"] == "OFFERED"
    busy = curl(sim, "POST", f"/v1/{EDU}:restore", {})
    assert (busy.status, busy.json["id"]) == (409, "device.leased")
    claim = curl(sim, "POST", f"/v1/{lease.json['name']}:claim", {})
    assert (claim.status, claim.json["id"]) == \
        (403, "permission.native-socket-only")
    ended = curl(sim, "POST", f"/v1/{lease.json['name']}:release", {})
    assert ended.json["state"] == "ENDED"
    finish(sim, curl(sim, "POST", f"/v1/{EDU}:restore", {}).json)
    assert curl(sim, "GET", f"/v1/{EDU}").json["state"] == "HOST"


def test_rest_says_what_the_native_socket_says(sim: Machine) -> None:
    """Every list and object, in Google's words for them."""
    with sim.connect() as native:
        for path, called, fields in (
                ("/v1/devices?all=true", "Devices/ListDevices", {"all": True}),
                (f"/v1/{EDU}", "Devices/GetDevice", {"name": EDU}),
                ("/v1/groups", "Groups/ListGroups", {}),
                ("/v1/iommus", "Iommus/ListIommus", {}),
                ("/v1/leases", "Leases/ListLeases", {}),
                ("/v1/operations", "Operations/ListOperations", {}),
                ("/version", "Host/GetVersion", {})):
            assert curl(sim, "GET", path).json == json.loads(
                json_format.MessageToJson(
                    native.call(called, **fields),
                    including_default_value_fields=True)), path


def test_a_repeated_key_does_nothing_twice(sim: Machine) -> None:
    """The operation is the same one; for another request it is refused."""
    answers = [curl(sim, "POST", f"/v1/{EDU}:prepare", {},
                    Idempotency_Key='"only-once"') for _ in range(3)]
    assert len({answer.json["name"] for answer in answers}) == 1
    assert answers[0].json["requestId"] == "only-once"
    finish(sim, answers[0].json)
    other = curl(sim, "POST", f"/v1/{EDU}:restore", {},
                 Idempotency_Key="only-once")
    assert (other.status, other.json["id"]) == (409, "request.id-reused")


def events(machine: Machine, path: pathlib.Path,
           revision: str) -> subprocess.Popen:
    """curl, watching from a revision, into a file."""
    return subprocess.Popen(
        ["curl", "-sSN", "--unix-socket", str(machine.run / "api.sock"),
         f"http://ioasid/v1/events?revision={revision}", "-o", str(path)])


def test_every_change_is_an_event_once_and_in_order(
        sim: Machine, tmp_path: pathlib.Path) -> None:
    """From the revision of a list; and again from the middle."""
    revision = curl(sim, "GET", "/v1/devices").json["revision"]
    with events(sim, tmp_path / "events", revision) as watch:
        operation = curl(sim, "POST", f"/v1/{EDU}:prepare", {}).json
        finish(sim, operation)

        def seen() -> list[tuple[int, dict]]:
            text = (tmp_path / "events").read_text() \
                if (tmp_path / "events").exists() else ""
            return [(int(number), json.loads(data)) for number, data in
                    re.findall(r"^id: (\d+)\ndata: (.*)\n\n", text, re.M)]

        wait(lambda: any(change.get("operation", {}).get("state") == "DONE"
                         for _, change in seen()), "the end is an event")
        watch.terminate()
    numbers = [number for number, _ in seen()]
    assert numbers == sorted(set(numbers)) and numbers[0] > int(revision)
    states = [change["device"]["state"] for _, change in seen()
              if change["name"] == EDU]
    assert states[0] == "PREPARING" and states[-1] == "READY"
    last = seen()
    with events(sim, tmp_path / "again", str(numbers[2])) as watch:
        wait(lambda: (tmp_path / "again").exists() and (
            tmp_path / "again").read_text().count("\ndata: ") ==
            len(numbers) - 3, "the rest comes again")
        watch.terminate()
    assert re.findall(r"^id: (\d+)$", (tmp_path / "again").read_text(),
                      re.M) == [str(number) for number, _ in last[3:]]
    gone = curl(sim, "GET", "/v1/events?revision=999999")
    assert (gone.status, gone.json["id"]) == (410, "watch.expired")


def ask_as_stranger(machine: Machine) -> list[int]:
    """What somebody without any right is answered."""
    return [curl(machine, verb, path, body).status for verb, path, body in (
        ("GET", f"/v1/{EDU}", None), ("GET", "/v1/groups", None),
        ("POST", f"/v1/{EDU}:prepare", {}), ("GET", "/healthz", None))]


def test_a_stranger_is_known_by_the_kernel(sim: Machine) -> None:
    """And may as little as on the native socket."""
    assert child(ask_as_stranger, sim) == [404, 403, 403, 200]


def test_killed_it_is_back_and_nothing_is_done_twice(sim: Machine) -> None:
    """kill -9 among calls; each is repeated with its key until answered."""
    finish(sim, curl(sim, "POST", f"/v1/{EDU}:prepare", {}).json)
    first, over = api_pid(sim), threading.Event()
    names: dict[str, set[str]] = {}

    def lease(number: int) -> None:
        key = f"key-{number}"
        while True:
            with contextlib.suppress(AssertionError):
                answer = curl(sim, "POST", "/v1/leases",
                              {"devices": [EDU], "claimant": {"uid": 0}},
                              Idempotency_Key=key)
                assert answer.status in (200, 409), answer.json
                if answer.status == 200:
                    names.setdefault(key, set()).add(answer.json["name"])
                    curl(sim, "POST", f"/v1/{answer.json['name']}:release",
                         {})
                    return

    def kill() -> None:
        for _ in range(5):
            with contextlib.suppress(ProcessLookupError):
                os.kill(api_pid(sim), signal.SIGKILL)
            if over.wait(0.4):
                return

    killer = threading.Thread(target=kill)
    killer.start()
    for number in range(15):
        lease(number)
    over.set()
    killer.join()
    wait(lambda: alive(api_pid(sim)) and api_pid(sim) != first, "it is back")
    assert all(len(found) == 1 for found in names.values()), names
    made = sim.ctl("lease", "list", "--all")["leases"]
    assert len(made) == len(names) == 15
    assert curl(sim, "GET", "/readyz").status == 200


@pytest.mark.parametrize("sig", [signal.SIGTERM, signal.SIGKILL])
def test_it_ends_with_ioasidd(sim: Machine, sig: signal.Signals) -> None:
    """However that ends."""
    assert curl(sim, "GET", "/healthz").status == 200
    pid = api_pid(sim)
    assert pathlib.Path(f"/proc/{pid}/comm").read_text() == "ioasid-api\n"
    sim.process.send_signal(sig)
    sim.process.wait(60)
    sim.process = None
    wait(lambda: not alive(pid), "ioasid-api has ended")


def test_as_its_own_user_it_has_nothing(sim: Machine) -> None:
    """Neither root's uid nor a group of anybody's; a filter."""
    assert curl(sim, "GET", "/healthz").status == 200
    status = pathlib.Path(f"/proc/{api_pid(sim)}/status").read_text()
    uids = re.search(r"^Uid:\t(\d+)\t(\d+)\t(\d+)\t(\d+)$", status, re.M)
    assert 0 not in map(int, uids.groups()) and len(set(uids.groups())) == 1
    assert re.search(r"^Groups:\t *$", status, re.M)
    assert re.search(r"^CapBnd:\t0+$", status, re.M)
    if not sim.sanitizer:
        assert re.search(r"^Seccomp:\t2$", status, re.M)
