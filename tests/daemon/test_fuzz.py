# SPDX-License-Identifier: Apache-2.0
"""Valid packets, damaged: each is answered, and nothing else happens.

The seeds name no device that there is, and damage does not make one up.
"""

import os
import random
import warnings

import pytest
from google.protobuf import message

from daemon import METHODS, child, packet
from ioasid.v1 import envelope_pb2

ROUNDS = 4000
SEED = int(os.environ.get("FUZZ_SEED", "20260101"))

FIELDS = {
    "name": "devices/pci-ffff-ff-1f.7", "request_id": "once", "etag": "e",
    "driver": "vfio-pci", "page_size": 7, "timeout_ms": 1,
    "page_token": "devices/pci-ffff-ff-1f.7", "dry_run": True, "all": True,
    "devices": ["devices/pci-ffff-ff-1f.6", "devices/pci-ffff-ff-1f.7"],
    "claimant": {"uid": 65534, "pid": 1}, "labels": {"a": "b", "c": "é"},
    "guest_memory": 2 ** 40, "expires": {"seconds": 2 ** 33, "nanos": 5},
    "memlock_bytes": 2 ** 63,
}


def seeds():
    """A valid request of each method, with all fields that we have."""
    made = []
    for name, (request, _) in METHODS.items():
        fields = {key: value for key, value in FIELDS.items()
                  if key in request.DESCRIPTOR.fields_by_name}
        made.append((name, request(**fields).SerializeToString()))
    return made


def damage(chance, data):
    """The same, with one to four wounds."""
    data = bytearray(data)
    for _ in range(chance.randint(1, 4)):
        at = chance.randrange(len(data) + 1)
        wound = chance.randrange(7)
        if wound == 0 and data:
            data[at % len(data)] = chance.randrange(256)
        elif wound == 1 and data:
            data[at % len(data)] ^= 1 << chance.randrange(8)
        elif wound == 2:
            del data[at:]
        elif wound == 3:
            data[at:at] = chance.randbytes(chance.randint(1, 20))
        elif wound == 4:
            end = min(len(data), at + chance.randint(1, 40))
            data[at:at] = data[at:end] * chance.randint(1, 50)
        elif wound == 5:
            del data[at:at + chance.randint(1, 10)]
        else:
            data[at:at] = b"\xff" * chance.randint(1, 12)
    return bytes(data)


def has_answer(data):
    """Not so the end of a connection, and what damage has made a cancel."""
    if not data:
        return False
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of ends of groups
            envelope = envelope_pb2.Envelope.FromString(data)
    except message.DecodeError:
        return True
    return envelope.WhichOneof("body") != "cancel"


def fuzz(connect, chance, rounds):
    """Damage and send; the connection must go on all the while."""
    requests = seeds()
    said = {}
    client = connect()
    for i in range(rounds):
        name, payload = chance.choice(requests)
        if chance.randrange(2):
            data = packet(name, damage(chance, payload), i + 1)
        else:
            data = damage(chance, packet(name, payload, i + 1))
        if not has_answer(data):
            continue
        client.send_raw(data)
        answer = client.receive()
        assert answer is not None, data
        body = answer.WhichOneof("body")
        assert body in ("reply", "error"), data
        key = answer.error.id if body == "error" else "ok"
        said[key] = said.get(key, 0) + 1
    client.close()
    return said


@pytest.mark.parametrize("part", range(3))
def test_damaged_packets_are_answered(daemon, part):
    with daemon.others_served():
        said = fuzz(daemon.connect, random.Random(SEED + part), ROUNDS)
    # Both ways were taken: some were fine still, some were not.
    assert said["ok"] > 10
    assert said["request.malformed"] > 500
    assert not any(key.startswith(("daemon.", "store.", "kernel."))
                   for key in said), said


def fuzz_as_nobody(connect, seed):
    """fuzz() for a child."""
    return fuzz(connect, random.Random(seed), ROUNDS)


def test_damaged_packets_of_others_are_answered(daemon):
    with daemon.others_served():
        said = child(fuzz_as_nobody, daemon.connect, SEED + 100)
    assert said["permission.denied"] > 250  # most methods are for everybody
    assert "device.not-found" in said


def test_noise_is_answered(daemon):
    chance = random.Random(SEED + 200)
    with daemon.others_served(), daemon.connect() as client:
        for _ in range(ROUNDS):
            data = chance.randbytes(chance.randint(1, 300))
            if not has_answer(data):
                continue
            client.send_raw(data)
            assert client.receive().WhichOneof("body") == "error"


def test_a_damaged_reply_to_nobody_is_refused(daemon):
    """Envelopes that only the daemon sends."""
    chance = random.Random(SEED + 300)
    envelope = envelope_pb2.Envelope(id=3, error={
        "id": "device.in-use", "causes": [{"kind": "process"}] * 5})
    with daemon.connect() as client:
        for _ in range(ROUNDS):
            data = damage(chance, envelope.SerializeToString())
            if not has_answer(data):
                continue
            client.send_raw(data)
            assert client.receive().error.id.startswith("request.")
