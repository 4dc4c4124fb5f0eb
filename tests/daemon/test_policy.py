# SPDX-License-Identifier: Apache-2.0
"""Who may do what: grants, refusals, reload, the audit and claim tokens."""

import http.client
import json
import os
import re
import signal
import socket
import subprocess
import time

import pytest

from backwards import take_back
from daemon import NOBODY, Client, Refused, child
from machine import Failed, wait
from policies import asks, as_uid

EDU, OTHER_EDU, NVME = "0000:01:00.0", "0000:02:00.0", "0000:03:00.0"
NAMES = {bdf: "devices/pci-" + bdf.replace(":", "-")
         for bdf in (EDU, OTHER_EDU, NVME)}
OTHER = 65533


def counts(path):
    """How many devices, groups, leases and operations somebody sees."""
    with Client(path) as client:
        shown = [len(client.call("Devices/ListDevices").devices)]
        try:
            shown.append(len(client.call("Groups/ListGroups").groups))
        except Refused as refused:
            shown.append(refused.id)
        shown.append(len(client.call("Leases/ListLeases").leases))
        shown.append(len(client.call("Operations/ListOperations").operations))
        return shown


# --- grants ---

def test_a_grant_gives_what_it_says_and_nothing_else(policy):
    policy.write(grants=f"[grant edu]\nuid = {NOBODY}\n"
                 f"verbs = device.view, device.prepare\ndevices = {EDU}\n")
    policy.start()
    assert child(counts, policy.sim.socket)[:2] == [1, "permission.denied"]
    assert as_uid(policy, "Devices/PrepareDevice", name=NAMES[EDU],
                  dry_run=True)[0] == "ok"
    error, words, remedy = as_uid(policy, "Devices/PrepareDevice",
                                  name=NAMES[OTHER_EDU])
    assert error == "permission.denied"
    assert f"uid:{NOBODY} may not do device.prepare" in words
    assert NAMES[OTHER_EDU] in words
    assert f"uid = {NOBODY}" in remedy and "device.prepare" in remedy
    # What is an administrator's beside it, by a field of the same request.
    assert as_uid(policy, "Devices/PrepareDevice", name=NAMES[EDU],
                  force=True, dry_run=True)[0] == "permission.denied"
    assert as_uid(policy, "Devices/RecoverDevice",
                  name=NAMES[EDU])[0] == "permission.denied"
    assert as_uid(policy, "Leases/CreateLease", devices=[NAMES[EDU]],
                  claimant={"uid": NOBODY})[0] == "permission.denied"
    # Nobody else has it.
    assert child(counts, policy.sim.socket, uid=OTHER) == [
        0, "permission.denied", 0, 0]


def test_roles_are_what_they_are_called(policy):
    policy.write(grants=f"[grant look]\nuid = {NOBODY}\nrole = viewer\n"
                 f"[grant work]\nuid = {OTHER}\nrole = operator\n")
    policy.start()
    with policy.sim.connect() as client:
        all_devices = len(client.call("Devices/ListDevices").devices)
    for uid in (NOBODY, OTHER):
        shown = child(counts, policy.sim.socket, uid=uid)
        assert shown[0] == all_devices and shown[1] > 0
    what = {"name": NAMES[EDU], "dry_run": True}
    assert as_uid(policy, "Devices/PrepareDevice", **what)[0] == \
        "permission.denied"
    assert as_uid(policy, "Devices/PrepareDevice", OTHER, **what)[0] == "ok"
    for field in ("force", "allow_no_reset", "allow_unsafe_interrupts",
                  "allow_no_iommu"):
        assert as_uid(policy, "Devices/PrepareDevice", OTHER, **{field: True},
                      **what)[0] == "permission.denied"
    assert as_uid(policy, "Devices/RecoverDevice", OTHER,
                  **what)[0] == "permission.denied"
    assert as_uid(policy, "Policy/CheckPolicy", OTHER, identity=["uid:1"],
                  verb="host.view")[0] == "permission.denied"


def lease_to(path, device, uid, fields):
    with Client(path) as client:
        return client.refusal("Leases/CreateLease", devices=[device],
                              claimant={"uid": uid}, dry_run=True, **fields)


def test_who_has_verbs_leases_to_itself_and_to_those_listed(policy):
    policy.write(grants=f"[grant mine]\nuid = {NOBODY}\n"
                 f"verbs = lease.create\naddress = uid:{OTHER}\n")
    policy.start()
    policy.sim.ctl("prepare", EDU)

    def lease(uid, **fields):
        return child(lease_to, policy.sim.socket, NAMES[EDU], uid, fields)

    assert lease(NOBODY) == "ok"
    assert lease(OTHER) == "ok"
    assert lease(0) == "permission.denied"
    assert lease(NOBODY, with_token=True) == "permission.denied"
    assert lease(NOBODY, memlock_unlimited=True) == "permission.denied"


def test_a_maker_of_leases_sees_and_ends_its_own(policy):
    policy.write(grants=f"[grant mine]\nuid = {NOBODY}\n"
                 f"verbs = lease.create\naddress = uid:{OTHER}\n")
    policy.start()
    policy.sim.ctl("prepare", EDU)
    made = child(make_lease, policy.sim.socket, NAMES[EDU], OTHER)
    assert child(counts, policy.sim.socket)[2] == 1
    assert as_uid(policy, "Leases/ReleaseLease", name=made)[0] == "ok"


def make_lease(path, device, uid):
    with Client(path) as client:
        return client.call("Leases/CreateLease", devices=[device],
                           claimant={"uid": uid}).name


def test_a_viewer_ends_nothing(policy):
    policy.write(grants=f"[grant look]\nuid = {NOBODY}\nrole = viewer\n")
    policy.start()
    policy.sim.ctl("prepare", EDU)
    lease = policy.sim.ctl("lease", "create", "--uid", "0", EDU)["name"]
    assert child(counts, policy.sim.socket)[2:] == [1, 1]
    error, words, _ = as_uid(policy, "Leases/ReleaseLease", name=lease)
    assert error == "permission.denied" and "lease.release" in words


def test_a_label_is_a_selector_of_leases(policy):
    policy.write(grants=f"[grant lab]\nuid = {NOBODY}\n"
                 "verbs = lease.view, lease.release\n"
                 "devices = label:team=lab\n")
    policy.start()
    for bdf in (EDU, OTHER_EDU):
        policy.sim.ctl("prepare", bdf)
    ours = policy.sim.ctl("lease", "create", "--uid", "0", "--label",
                          "team=lab", EDU)["name"]
    policy.sim.ctl("lease", "create", "--uid", "0", "--label", "team=other",
                   OTHER_EDU)
    assert child(counts, policy.sim.socket)[2] == 1
    assert as_uid(policy, "Leases/ReleaseLease", name=ours)[0] == "ok"


def test_spaces_are_changed_by_who_may_change_them(policy):
    policy.write(grants=f"[grant end]\nuid = {NOBODY}\n"
                 "verbs = lease.view, lease.release\n"
                 f"[grant change]\nuid = {OTHER}\n"
                 "verbs = lease.view, space.change\n")
    policy.start()
    policy.sim.ctl("prepare", EDU)
    with policy.sim.connect() as client:
        lease = client.call("Leases/CreateLease", devices=[NAMES[EDU]],
                            mode="HOLD", claimant={"uid": 0}).name
    error, words, _ = as_uid(policy, "Spaces/CreateSpace", lease=lease)
    assert error == "permission.denied" and "space.change" in words
    assert as_uid(policy, "Spaces/CreateSpace", uid=OTHER,
                  lease=lease)[0] == "ok"
    assert as_uid(policy, "Leases/ReleaseLease", uid=OTHER,
                  name=lease)[0] == "permission.denied"
    made, = policy.audit(method="Spaces/CreateSpace", outcome="ok")
    assert f"object={lease} " in made and "made=spaces/" in made


def test_policy_check_names_the_line(policy):
    policy.write(grants="# who\n[grant edu]\nuid = nobody\n\n"
                 f"role = operator\ndevices = {EDU}\n")
    policy.start()
    yes = policy.sim.ctl("policy", "check", "nobody", EDU, "device.prepare")
    assert yes["allowed"] and yes["grant"] == "edu"
    assert yes["decidedBy"] == f"{policy.dir}/10.conf:5"
    root = policy.sim.ctl("policy", "check", "root", EDU, "device.force")
    assert root["decidedBy"] == "built in"
    for arguments in ((str(NOBODY), OTHER_EDU, "device.prepare"),
                      (str(NOBODY), EDU, "device.recover"),
                      ("--api", "root", EDU, "device.recover")):
        with pytest.raises(Failed):
            policy.sim.ctl("policy", "check", *arguments)
    assert "no verb" in policy.sim.refused("policy", "check", "root", EDU,
                                           "device.eat").words


# --- files and reload ---

def test_a_reload_counts_for_connections_that_there_are(policy):
    policy.start()
    reader, writer = os.pipe()
    path = policy.sim.socket

    def twice():
        with Client(path) as client:
            first = client.refusal("Groups/ListGroups")
            os.write(writer, b".")
            deadline = time.monotonic() + 30
            while time.monotonic() < deadline:
                said = client.refusal("Groups/ListGroups")
                if said != first:
                    return first, said
                time.sleep(0.02)
            return first, first

    pid = os.fork()
    if pid == 0:
        status = 1
        try:
            os.setgroups([])
            os.setresgid(NOBODY, NOBODY, NOBODY)
            os.setresuid(NOBODY, NOBODY, NOBODY)
            status = 0 if twice() == ("permission.denied", "ok") else 2
        finally:
            os._exit(status)
    os.close(writer)
    assert os.read(reader, 1) == b"."
    os.close(reader)
    policy.write(grants=f"[grant look]\nuid = {NOBODY}\nrole = viewer\n")
    policy.reload()
    assert os.waitpid(pid, 0)[1] == 0


def test_an_invalid_file_is_refused_and_the_old_one_stays(policy):
    policy.write(grants=f"[grant look]\nuid = {NOBODY}\nrole = viewer\n")
    policy.start()
    assert as_uid(policy, "Groups/ListGroups")[0] == "ok"
    policy.write(grants="[grant look]\nuid = 1\nrole = emperor\n")
    said = policy.reload("all stays as it was")
    assert f"{policy.dir}/10.conf:3: there is no role 'emperor'" in said
    assert as_uid(policy, "Groups/ListGroups")[0] == "ok"
    (policy.dir / "10.conf").chmod(0o666)
    assert "others than its owner may write it" in policy.reload(
        "all stays as it was")
    policy.write(grants="")
    policy.reload()
    assert as_uid(policy, "Groups/ListGroups")[0] == "permission.denied"


def test_limits_and_levels_change_by_reload_and_paths_do_not(policy):
    policy.start()
    policy.write("[daemon]\nmax-pinned = 1M\nhistory = 7\n"
                 "socket = /elsewhere\n"
                 "[limits]\nconnections-per-uid = 1\n")
    said = policy.reload()
    assert "history has changed: that waits for a restart" in said
    assert "socket has changed" not in said  # the command line says it
    policy.sim.ctl("prepare", EDU)
    assert policy.sim.refused("lease", "create", EDU).id == "limit.pinned"

    def two(path):
        with Client(path), Client(path, hello=False) as second:
            return second.receive().error.id

    assert child(two, policy.sim.socket) == "limit.clients"


def test_a_bad_file_at_the_start_is_named(policy):
    policy.write("[daemon]\nsokcet = /x\n")
    done = subprocess.run(
        policy.sim.command("--config", str(policy.file)),
        capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 2
    assert f"{policy.file}:2: there is no key 'sokcet' in [daemon]" \
        in done.stderr


def flood(path, n):
    """What many requests at once are answered with."""
    said = {}
    with Client(path) as client:
        for _ in range(n):
            try:
                client.call("Host/GetVersion")
                answer = "ok"
            except Refused as refused:
                answer = refused.id
                said["words"] = refused.error.remedy
            said[answer] = said.get(answer, 0) + 1
    return said


def test_a_principal_asks_so_much_and_no_more(policy):
    policy.write("[limits]\nrequests-per-second = 5\nburst = 20\n")
    policy.start()
    said = child(flood, policy.sim.socket, 100)
    assert 20 <= said["ok"] < 60
    assert said["limit.rate"] == 100 - said["ok"]
    assert re.fullmatch(r"try again in \d+ ms", said["words"])
    # Connecting anew brings nothing; others have their own.
    assert child(flood, policy.sim.socket, 20)["limit.rate"] > 0
    assert child(flood, policy.sim.socket, 10, uid=OTHER) == {"ok": 10}
    assert flood(policy.sim.socket, 100) == {"ok": 100}


# --- the audit ---

def test_changes_and_refusals_are_audited(policy):
    policy.start()
    policy.sim.ctl("prepare", EDU)
    lease = policy.sim.ctl("lease", "create", "--uid", str(NOBODY), EDU)
    assert as_uid(policy, "Devices/PrepareDevice",
                  name=NAMES[EDU])[0] == "permission.denied"
    assert policy.sim.refused("restore", EDU).id == "device.leased"
    policy.sim.ctl("lease", "release", "--dry-run", lease["name"])
    assert len(policy.audit(method="Devices/PrepareDevice", outcome="ok",
                            principal="uid:0", via="native",
                            object=NAMES[EDU])) == 1
    made, = policy.audit(method="Leases/CreateLease", outcome="ok")
    assert made.endswith(f"object={NAMES[EDU]} outcome=ok "
                         f"made={lease['name']}")
    refused, = policy.audit(outcome="permission.denied")
    assert f"principal=uid:{NOBODY} " in refused
    assert len(policy.audit(method="Devices/RestoreDevice",
                            outcome="device.leased")) == 1
    dry, = policy.audit(method="Leases/ReleaseLease")
    assert dry.endswith(" dry-run=yes")
    # Who only looks leaves no trace.
    assert not policy.audit(method="Devices/GetDevice")


def test_refusals_do_not_fill_the_log(policy):
    policy.start()

    def many(path):
        with Client(path) as client:
            for _ in range(1500):
                assert client.refusal("Groups/ListGroups") in (
                    "permission.denied", "limit.rate")

    child(many, policy.sim.socket)
    assert 100 < len(policy.audit(method="Groups/ListGroups")) < 600
    time.sleep(0.2)
    as_uid(policy, "Groups/ListGroups")
    assert re.search(r"audit: \d+ refusals are not written",
                     policy.sim.words())


# --- tokens ---

def claim(path, lease, token=None):
    """The outcome of a claim as somebody."""
    with Client(path) as client:
        return client.refusal("Leases/ClaimLease", name=lease,
                              token=token or "", dry_run=True)


@pytest.fixture
def offer(policy, tmp_path):
    """A machine with a lease for whoever has its token; both of them."""
    policy.start()
    policy.sim.ctl("prepare", EDU)
    file = tmp_path / "token"
    lease = policy.sim.ctl("lease", "create", "--token-file", str(file), EDU)
    assert not lease["claimToken"] and lease["hasToken"]
    assert not lease.get("claimant")
    assert file.stat().st_mode & 0o777 == 0o600
    token = file.read_text(encoding="utf-8").strip()
    assert re.fullmatch("[0-9a-f]{64}", token)
    return policy, lease["name"], token, file


def nowhere(policy, *tokens):
    """No token is in the database or the log."""
    stored = b"".join(path.read_bytes()
                      for path in policy.sim.state.glob("state.db*"))
    words = policy.sim.words()
    for token in tokens:
        assert token.encode() not in stored
        assert bytes.fromhex(token) not in stored
        assert token not in words


def test_whoever_has_the_token_may_claim_once(offer):
    policy, lease, token, file = offer
    assert child(claim, policy.sim.socket, lease) == "lease.not-claimant"
    assert child(claim, policy.sim.socket, lease, "0" * 64) == \
        "lease.not-claimant"
    assert child(claim, policy.sim.socket, lease, token[:-1]) == \
        "lease.not-claimant"
    assert claim(policy.sim.socket, lease) == "lease.not-claimant"
    assert child(claim, policy.sim.socket, lease, token) == "ok"
    file.chmod(0o644)
    copy = policy.sim.run / "token"
    copy.write_text(token, encoding="utf-8")
    holder = policy.sim.start_holder(
        policy.sim.prog("../../ioasidctl"), "run", "--lease", lease,
        "--token-file", str(copy), "--vmm", "none", "--", "/bin/sleep", "60",
        uid=NOBODY)
    wait(lambda: policy.sim.lease(lease)["state"] == "HELD" and
         policy.sim.lease(lease).get("acknowledged"),
         f"it is held: {holder.said()}")
    shown = policy.sim.lease(lease)
    assert shown["holders"][-1]["uid"] == NOBODY
    assert not shown.get("hasToken")
    # Burnt: it is held, and the token says nothing any more.
    assert child(claim, policy.sim.socket, lease, token) == \
        "lease.not-claimant"
    arguments = open(f"/proc/{holder.pid}/cmdline", "rb").read()
    assert token.encode() not in arguments
    # Its holder sees it, by its process.
    holder.kill()
    policy.sim.wait_ended(lease)
    nowhere(policy, token)


def test_a_lease_with_a_token_and_a_claimant_is_for_both(policy, tmp_path):
    policy.start()
    policy.sim.ctl("prepare", EDU)
    file = tmp_path / "token"
    lease = policy.sim.ctl("lease", "create", "--uid", str(OTHER),
                           "--token-file", str(file), EDU)["name"]
    token = file.read_text(encoding="utf-8").strip()
    path = policy.sim.socket
    assert child(claim, path, lease, uid=OTHER) == "ok"
    assert child(claim, path, lease, token) == "ok"
    assert child(claim, path, lease) == "lease.not-claimant"
    # A wrong token is not passed over, whoever shows it.
    assert child(claim, path, lease, "1" * 64, uid=OTHER) == \
        "lease.not-claimant"


def test_a_repeated_request_is_answered_without_the_token(policy):
    policy.start()
    policy.sim.ctl("prepare", EDU)
    what = {"devices": [NAMES[EDU]], "with_token": True, "request_id": "r"}
    with policy.sim.connect() as client:
        first = client.call("Leases/CreateLease", **what)
        again = client.call("Leases/CreateLease", **what)
        shown = client.call("Leases/GetLease", name=first.name)
        listed = client.call("Leases/ListLeases").leases[0]
        dry = client.call("Leases/ReissueToken", name=first.name,
                          dry_run=True)
    assert len(first.claim_token) == 64
    assert first.name == again.name == listed.name
    for lease in (again, shown, listed, dry):
        assert not lease.claim_token and lease.has_token
    assert claim(policy.sim.socket, first.name, first.claim_token) == "ok"


def test_a_new_token_burns_the_old_one(offer, tmp_path):
    policy, lease, token, _ = offer
    file = tmp_path / "another"
    policy.sim.ctl("lease", "token", "reissue", lease, "--token-file",
                   str(file))
    another = file.read_text(encoding="utf-8").strip()
    assert another != token
    path = policy.sim.socket
    assert child(claim, path, lease, token) == "lease.not-claimant"
    assert child(claim, path, lease, another) == "ok"
    # The file is not written over, and nothing is burnt for it.
    assert "File exists" in policy.sim.refused(
        "lease", "token", "reissue", lease, "--token-file", str(file)).words
    assert child(claim, path, lease, another) == "ok"
    assert as_uid(policy, "Leases/ReissueToken",
                  name=lease)[0] == "permission.denied"
    policy.sim.ctl("lease", "release", lease)
    assert policy.sim.refused(
        "lease", "token", "reissue", lease, "--token-file",
        str(tmp_path / "third")).id == "lease.state"
    assert not (tmp_path / "third").exists()
    nowhere(policy, token, another)


@pytest.mark.slow
def test_a_token_has_its_time(policy):
    policy.start()
    policy.sim.ctl("prepare", EDU)
    soon = {"seconds": int(time.time()) + 2}
    with policy.sim.connect() as client:
        made = client.call("Leases/CreateLease", devices=[NAMES[EDU]],
                           with_token=True, token_expires=soon)
        assert client.refusal("Leases/CreateLease", devices=[NAMES[NVME]],
                              token_expires=soon,
                              claimant={"uid": 0}) == "request.invalid"
    path = policy.sim.socket
    assert child(claim, path, made.name, made.claim_token) == "ok"
    wait(lambda: child(claim, path, made.name, made.claim_token) ==
         "lease.expired", "its time is over")
    # The offer goes on; another token can be had.
    with policy.sim.connect() as client:
        again = client.call("Leases/ReissueToken", name=made.name)
    assert child(claim, path, made.name, again.claim_token) == "ok"


def test_a_token_outlives_the_daemon(offer):
    policy, lease, token, _ = offer
    policy.sim.kill()
    policy.start()
    assert child(claim, policy.sim.socket, lease, token) == "ok"
    nowhere(policy, token)


def test_a_lease_for_a_unit_is_for_that_unit_alone(policy):
    """Here no process is in one: the cgroups of the host are not ours."""
    policy.start()
    policy.sim.ctl("prepare", EDU)
    lease = policy.sim.ctl("lease", "create", "--uid", str(NOBODY), "--unit",
                           "vm-none-of-ours.scope", EDU)
    assert lease["claimant"]["unit"] == "vm-none-of-ours.scope"
    with policy.sim.connect() as client:
        assert client.refusal("Leases/ClaimLease", name=lease["name"]) == \
            "lease.not-claimant"
    assert child(claim, policy.sim.socket, lease["name"]) == \
        "lease.not-claimant"


# --- the database of before ---

def test_leases_of_the_version_before_are_kept(make_machine):
    """A database is taken back to version 1, and forward again."""
    sim = make_machine()
    sim.start()
    sim.ctl("prepare", EDU)
    lease = sim.ctl("lease", "create", "--uid", str(NOBODY), EDU)["name"]
    sim.kill()
    take_back(sim.state, 1)
    sim.start()
    shown = sim.lease(lease)
    assert shown["owner"] == "uid:0" and not shown.get("hasToken")
    assert child(claim, sim.socket, lease) == "ok"


# --- through ioasid-api ---

class Unix(http.client.HTTPConnection):
    """HTTP over a UNIX socket."""

    def __init__(self, path):
        super().__init__("localhost", timeout=60)
        self.path = str(path)

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self.path)


def post(path, route, body):
    """The error of a request over REST; "ok"."""
    one = Unix(path)
    one.request("POST", route, json.dumps(body),
                {"Content-Type": "application/json"})
    answer = one.getresponse()
    said = json.loads(answer.read())
    one.close()
    return "ok" if answer.status == 200 else said["id"]


def test_the_ceiling_holds_root_too_and_is_configured(policy):
    policy.start()
    api = policy.sim.run / "api.sock"
    route = f"/v1/{NAMES[EDU]}:recover"
    assert post(api, route, {}) == "permission.native-socket-only"
    assert post(api, f"/v1/{NAMES[EDU]}:prepare",
                {"force": True}) == "permission.native-socket-only"
    assert post(api, "/v1/policy:check",
                {"identity": ["uid:0"], "verb": "host.view"}) == \
        "permission.native-socket-only"
    refused, = policy.audit(method="Devices/RecoverDevice", via="api")
    assert "outcome=permission.native-socket-only" in refused
    policy.sim.kill()
    policy.write("[api]\nceiling = admin\n")
    policy.start()
    assert post(api, route, {}) == "device.not-quarantined"


def test_through_the_api_leases_are_for_those_listed(policy):
    policy.write(grants=f"[grant work]\nuid = {NOBODY}\nrole = operator\n")
    policy.start()
    policy.sim.ctl("prepare", EDU)
    api = policy.sim.run / "api.sock"

    def lease(uid, by=NOBODY, **more):
        body = {"devices": [NAMES[EDU]], "claimant": {"uid": uid},
                "dryRun": True, **more}
        return child(post, api, "/v1/leases", body, uid=by)

    assert lease(NOBODY) == "ok"
    assert lease(OTHER) == "permission.denied"
    assert lease(NOBODY, withToken=True) == "permission.denied"
    assert lease(OTHER, by=0) == "permission.denied"
    policy.write(grants=f"[grant work]\nuid = {NOBODY}\nrole = operator\n"
                 f"address = uid:{OTHER}, unit:vm-*.scope, token\n")
    policy.reload()
    assert lease(OTHER) == "ok"
    assert lease(0) == "permission.denied"
    assert lease(0, claimant={"uid": 0, "unit": "vm-1.scope"}) == "ok"
    assert lease(NOBODY, withToken=True) == "ok"
    # One who has a role on the native socket may lease to anybody there.
    assert child(lease_to, policy.sim.socket, NAMES[EDU], 0, {}) == "ok"


def test_limits_of_the_api_change_by_reload(policy):
    policy.write("[api]\nmessage-size = 1K\n")
    policy.start()
    api = policy.sim.run / "api.sock"
    body = {"devices": [NAMES[EDU]] * 64, "claimant": {"uid": 0}}
    assert post(api, "/v1/leases", body) == "request.too-large"
    policy.write("[api]\nmessage-size = 64K\n")
    policy.reload()
    wait(lambda: post(api, "/v1/leases", body) == "lease.devices",
         "ioasid-api has the new limits")
