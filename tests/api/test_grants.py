# SPDX-License-Identifier: Apache-2.0
"""Who may do what with a client certificate: TLS, REST, gRPC, grants and audit.

All of it: ioasidd-sim with its ioasid-api, a TCP port, and a policy folder with
a grant by URI, one by all URIs below one, and one by DNS name.
"""

import http.client
import pathlib
import re
import shutil
import signal
import socket
import ssl
from collections.abc import Iterator

import pytest
from surfaces import BUILD, CONTRACT, ROOT, SECONDS, Grpc, Outcome, \
    RestElsewhere, Surface, grpc
from google.protobuf import json_format
from machine import Machine, wait
from story import EDU, NVME, OTHER_EDU, name
from tls import make_pki

ONE, RUNNER, BUILDER = "client", "client-runner", "client-builder"
NOBODY, OTHER = 65534, 65533

# Who it is to the audit: the first name in the certificate.
PRINCIPALS = {ONE: "cert:spiffe://test/one",
              RUNNER: "cert:spiffe://test/ns/ci/runner-1",
              BUILDER: "cert:builder.example.test"}
DEVICES = {ONE: EDU, RUNNER: OTHER_EDU, BUILDER: NVME}

GRANTS = {
    "10-one": f"""[grant one]
uri = spiffe://test/one
role = operator
devices = {EDU}
address = uid:{NOBODY}
""",
    "20-ci": f"""[grant ci]
uri = spiffe://test/ns/ci/*
role = operator
devices = {OTHER_EDU}
address = unit:vm-*.scope, token
""",
    "30-build": f"""[grant build]
dns = builder.example.test
verbs = device.view, device.prepare
devices = {NVME}
""",
    # Names that are like the others' and are nobody's here.
    "40-others": """[grant others]
uri = spiffe://test/ns/c/*, spiffe://test/o, spiffe://test/one/*
dns = example.test, spiffe://test/one
role = operator
"""}


class Guarded:
    """A simulated machine with a TCP port and the grants."""

    def __init__(self, folder: pathlib.Path) -> None:
        folder.chmod(0o755)
        self.pki = folder / "pki"
        self.policy = folder / "policy.d"
        for one in self.pki, self.policy, folder / "machine":
            one.mkdir(mode=0o755)
        make_pki(ROOT, self.pki)
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = free.getsockname()[1]
        config = folder / "ioasidd.conf"
        config.write_text(f"""[api]
listen = 127.0.0.1:{self.port}
certificate = {self.pki}/server.pem
key = {self.pki}/server-key.pem
authorities = {self.pki}/ca.pem
""")
        config.chmod(0o644)
        self.grant(*GRANTS)
        self.machine = Machine(BUILD, folder / "machine")
        self.machine.start("--config", str(config),
                           "--policy-dir", str(self.policy))

    def grant(self, *names: str) -> None:
        """Have these grants and no others; not yet loaded."""
        for one in self.policy.iterdir():
            one.unlink()
        for one in names:
            path = self.policy / f"{one}.conf"
            path.write_text(GRANTS[one])
            path.chmod(0o644)

    def reload(self, *names: str) -> None:
        """Have these grants and no others."""
        self.grant(*names)
        before = len(self.machine.words())
        self.machine.process.send_signal(signal.SIGHUP)
        wait(lambda: "reloaded" in self.machine.words()[before:],
             self.machine.words()[before:])

    def audit(self, **words: str) -> list[str]:
        """Lines of the audit that have these words."""
        wanted = {f"{key}={value}" for key, value in words.items()}
        return [line for line in self.machine.words().splitlines()
                if "audit: " in line and wanted <= set(line.split())]


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Guarded]:
    """One for all; ends well."""
    one = Guarded(tmp_path_factory.mktemp("guarded"))
    try:
        yield one
        one.machine.end()
    finally:
        one.machine.kill()
        shutil.rmtree(one.machine.run, ignore_errors=True)


class TlsGrpc(Grpc):
    """gRPC with a client certificate."""

    def __init__(self, guarded: Guarded, who: str) -> None:
        super().__init__(guarded.pki)
        self.port, self.who = guarded.port, who

    def connected(self) -> grpc.Channel:
        if self.channel is None:
            ca, key, own = ((self.folder / one).read_bytes() for one in (
                "ca.pem", f"{self.who}-key.pem", f"{self.who}.pem"))
            self.channel = grpc.secure_channel(
                f"localhost:{self.port}",
                grpc.ssl_channel_credentials(ca, key, own),
                [("grpc.use_local_subchannel_pool", 1)])
        return self.channel


class TlsRest(RestElsewhere):
    """REST with a client certificate, Idempotency-Key and If-Match in headers."""

    def __init__(self, guarded: Guarded, who: str) -> None:
        super().__init__(guarded.pki)
        self.port, self.who = guarded.port, who

    def connection(self) -> http.client.HTTPConnection:
        context = ssl.create_default_context(cafile=self.folder / "ca.pem")
        context.load_cert_chain(self.folder / f"{self.who}.pem",
                                self.folder / f"{self.who}-key.pem")
        context.set_alpn_protocols(["http/1.1"])
        return http.client.HTTPSConnection("localhost", self.port,
                                           timeout=SECONDS, context=context)


class Client:
    """Somebody with a certificate."""

    def __init__(self, surface: Surface) -> None:
        self.surface = surface

    def ask(self, method: str, **fields: object) -> Outcome:
        """Call a method with fields as in JSON."""
        return self.surface.call(method, json_format.ParseDict(
            fields, CONTRACT[method].request()))

    def give(self, method: str, **fields: object):
        """The reply of a call that must be good."""
        outcome = self.ask(method, **fields)
        assert outcome.error is None, outcome.error
        return outcome.replies[0]

    def refusal(self, method: str, **fields: object) -> str:
        """The error's id; "ok"."""
        return self.ask(method, **fields).id()

    def work(self, method: str, device: str) -> None:
        """Prepare or restore, to the end."""
        done = self.give("Operations/WaitOperation", name=self.give(
            f"Devices/{method}Device", name=name(device)).name)
        assert not done.HasField("error"), done


@pytest.fixture(params=[TlsRest, TlsGrpc], ids=["rest", "grpc"])
def clients(request: pytest.FixtureRequest,
            guarded: Guarded) -> Iterator[dict[str, Client]]:
    """The three of them, over REST or gRPC."""
    found = {who: Client(request.param(guarded, who)) for who in PRINCIPALS}
    yield found
    for one in found.values():
        one.surface.close()


@pytest.fixture
def prepared(guarded: Guarded, clients: dict[str, Client]) -> Iterator[None]:
    """Each one's device, prepared by itself; afterwards all is as before."""
    for who in (ONE, RUNNER):
        clients[who].work("Prepare", DEVICES[who])
    yield
    guarded.reload(*GRANTS)
    for lease in guarded.machine.ctl("lease", "list")["leases"]:
        guarded.machine.ctl("lease", "release", lease["name"])
    for who in (ONE, RUNNER):
        guarded.machine.wait_device(DEVICES[who], "READY")
        clients[who].work("Restore", DEVICES[who])


def offer(device: str, uid: int = NOBODY, **more: object) \
        -> dict[str, object]:
    """A request for a lease."""
    return {"devices": [name(device)], "claimant": {"uid": uid}, **more}


def test_each_sees_what_its_grant_names(clients: dict[str, Client]) -> None:
    """By an exact URI, by one below, by a DNS name; others are not there."""
    for who, device in DEVICES.items():
        listed = clients[who].give("Devices/ListDevices").devices
        assert [one.name for one in listed] == [name(device)]
        for other in DEVICES.values():
            assert clients[who].refusal(
                "Devices/GetDevice", name=name(other)) == (
                    "ok" if other == device else "device.not-found")
    # Groups are a viewer's; two verbs are less than one.
    for who, device in ((ONE, EDU), (RUNNER, OTHER_EDU)):
        listed = clients[who].give("Groups/ListGroups").groups
        assert [list(one.devices) for one in listed] == [[name(device)]]
    assert clients[BUILDER].refusal("Groups/ListGroups") == \
        "permission.denied"


def test_each_prepares_what_its_grant_names(
        guarded: Guarded, clients: dict[str, Client]) -> None:
    """A refusal says what would grant it, and both are in the audit."""
    for who, device in DEVICES.items():
        clients[who].work("Prepare", device)
        assert guarded.audit(
            principal=PRINCIPALS[who], via="api", outcome="ok",
            method="Devices/PrepareDevice", object=name(device))
        for other in set(DEVICES.values()) - {device}:
            error = clients[who].ask("Devices/PrepareDevice",
                                     name=name(other)).error
            assert error.id == "permission.denied"
            assert PRINCIPALS[who] in error.message
            kind = "dns" if who == BUILDER else "uri"
            assert f"{kind} = {PRINCIPALS[who][5:]}" in error.remedy
            assert "device.prepare" in error.remedy
            assert name(other) in error.remedy + error.message
            assert guarded.audit(
                principal=PRINCIPALS[who], via="api",
                outcome="permission.denied",
                method="Devices/PrepareDevice", object=name(other))
        clients[who].work("Restore", device)
    # The ceiling is above no grant: what is an administrator's is not theirs.
    assert clients[ONE].refusal("Devices/RecoverDevice", name=name(EDU)) == \
        "permission.denied"


def test_the_builder_has_verbs_and_no_more(clients: dict[str, Client]) -> None:
    """Two of them, so no leases."""
    assert clients[BUILDER].refusal(
        "Leases/CreateLease", **offer(NVME)) == "permission.denied"


def test_leases_go_only_to_whom_address_lists(
        clients: dict[str, Client], prepared: None) -> None:
    """A uid, a pattern of units, whoever has a token."""
    one, runner = clients[ONE], clients[RUNNER]
    create = "Leases/CreateLease"
    assert one.refusal(create, **offer(EDU, dryRun=True)) == "ok"
    for claimant in {"uid": OTHER}, {"uid": 0}, {"unit": "vm-1.scope"}:
        error = one.ask(create, devices=[name(EDU)], claimant=claimant,
                        dryRun=True).error
        assert error.id == "permission.denied", claimant
        assert "address = " in error.remedy, error
    assert one.refusal(create, devices=[name(EDU)], withToken=True,
                       dryRun=True) == "permission.denied"
    assert one.refusal(create, **offer(OTHER_EDU, dryRun=True)) == \
        "permission.denied"

    def unit(words: str) -> str:
        return runner.refusal(create, devices=[name(OTHER_EDU)],
                              claimant={"unit": words}, dryRun=True)

    assert unit("vm-7.scope") == "ok"
    assert unit("other.scope") == "permission.denied"
    assert runner.refusal(create, **offer(OTHER_EDU, dryRun=True)) == \
        "permission.denied"
    assert runner.refusal(create, devices=[name(OTHER_EDU)], withToken=True,
                          dryRun=True) == "ok"


def test_a_lease_is_its_owners(
        guarded: Guarded, clients: dict[str, Client], prepared: None) -> None:
    """It gets its replay; the other one cannot see, release or repeat it."""
    one, runner = clients[ONE], clients[RUNNER]
    key = f"of-{type(one.surface).__name__}"
    wanted = offer(EDU, requestId=key)
    lease = one.give("Leases/CreateLease", **wanted)
    assert lease.owner == PRINCIPALS[ONE]
    assert one.give("Leases/CreateLease", **wanted).name == lease.name
    made = guarded.audit(principal=PRINCIPALS[ONE], via="api", outcome="ok",
                         method="Leases/CreateLease", made=lease.name)
    assert made and all(name(EDU) in line for line in made)

    assert [each.name for each in one.give("Leases/ListLeases").leases] == \
        [lease.name]
    assert {each.owner for each in runner.give(
        "Leases/ListLeases", all=True).leases} <= {PRINCIPALS[RUNNER]}
    for method in "GetLease", "ReleaseLease":
        assert runner.refusal(f"Leases/{method}", name=lease.name) == \
            "lease.not-found"
    assert not [each for each in
                runner.give("Operations/ListOperations").operations
                if each.principal != PRINCIPALS[RUNNER]]
    # The same key is another request of somebody else.
    theirs = runner.give("Leases/CreateLease", devices=[name(OTHER_EDU)],
                         withToken=True, requestId=key)
    assert theirs.name != lease.name
    assert re.fullmatch(r"[0-9A-Za-z_-]{43,64}", theirs.claim_token)
    assert theirs.claim_token not in guarded.machine.words()
    again = runner.give("Leases/CreateLease", devices=[name(OTHER_EDU)],
                        withToken=True, requestId=key)
    assert again.name == theirs.name and not again.claim_token
    for owner, own in ((one, lease), (runner, theirs)):
        owner.give("Leases/ReleaseLease", name=own.name)


def test_a_grant_that_is_gone_gives_nothing(
        guarded: Guarded, clients: dict[str, Client], prepared: None) -> None:
    """After SIGHUP, on a connection that there was; what it has made it keeps."""
    one, runner = clients[ONE], clients[RUNNER]
    lease = one.give("Leases/CreateLease", **offer(EDU))
    guarded.reload(*(set(GRANTS) - {"10-one"}))
    error = one.ask("Devices/PrepareDevice", name=name(EDU)).error
    assert error.id == "permission.denied"
    assert one.refusal("Leases/CreateLease", **offer(EDU)) == \
        "permission.denied"
    assert guarded.audit(principal=PRINCIPALS[ONE], via="api",
                         outcome="permission.denied",
                         method="Leases/CreateLease", object=name(EDU))
    assert one.give("Leases/GetLease", name=lease.name).name == lease.name
    assert runner.refusal("Devices/GetDevice", name=name(OTHER_EDU)) == "ok"
    one.give("Leases/ReleaseLease", name=lease.name)
    assert not one.give("Devices/ListDevices").devices
    guarded.reload(*GRANTS)
    assert one.refusal("Devices/GetDevice", name=name(EDU)) == "ok"
