# SPDX-License-Identifier: Apache-2.0
"""A watch of changes, and the picture that one who watches has."""

import select

from daemon import Refused
from ioasid.v1 import envelope_pb2, event_pb2

LISTS = {"devices": {"all": True}, "groups": {}, "iommus": {},
         "leases": {"all": True}, "operations": {}}


class Watch:
    """A stream of changes on a connection of its own."""

    def __init__(self, client, revision=0, collections=()):
        self.client = client
        self.revision = revision
        self.id = client.send(
            "Events/WatchEvents", event_pb2.WatchEventsRequest(
                revision=revision, collections=collections)
            .SerializeToString())

    def receive(self, seconds=20.0):
        """The next change; None if there is none for so long; the error that
        ends the stream is raised."""
        if not select.select([self.client.sock], [], [], seconds)[0]:
            return None
        answer = self.client.receive()
        assert answer is not None, "the connection was closed"
        assert answer.id == self.id, answer
        if answer.WhichOneof("body") == "error":
            raise Refused(answer.error)
        assert answer.WhichOneof("body") == "item", answer
        change = event_pb2.Change.FromString(answer.item.payload)
        assert change.revision > self.revision, \
            f"{change.revision} after {self.revision}"
        self.revision = change.revision
        assert change.removed == (change.WhichOneof("object") is None)
        if not change.removed:
            seen = getattr(change, change.WhichOneof("object"))
            assert seen.name == change.name
            assert seen.revision == change.revision, change
        return change

    def until(self, revision, seconds=30.0):
        """All changes up to one, which must come."""
        changes = []
        while self.revision < revision:
            change = self.receive(seconds)
            assert change is not None, \
                f"{revision} did not come after {self.revision}"
            changes.append(change)
        return changes

    def cancel(self):
        """Ask for the end."""
        self.client.send_raw(envelope_pb2.Envelope(
            id=self.id, cancel=envelope_pb2.Cancel()).SerializeToString())


def list_all(client):
    """Every object by name, and the revision to watch from."""
    objects, revisions = {}, []
    for collection, fields in LISTS.items():
        token = ""
        while True:
            page = client.call(
                f"{collection.capitalize()}/List{collection.capitalize()}",
                page_size=1000, page_token=token, **fields)
            revisions.append(page.revision)
            for one in getattr(page, collection):
                objects[one.name] = one
            token = page.next_page_token
            if not token:
                break
    return objects, min(revisions)


def check_list(client, watch, objects, collection):
    """A list at any moment is what the watch has told up to its revision. Of
    operations those that run: all of them fill more than a page."""
    running = {"state": "RUNNING"} if collection == "operations" else {}
    page = client.call(
        f"{collection.capitalize()}/List{collection.capitalize()}",
        page_size=1000, **LISTS[collection], **running)
    assert not page.next_page_token
    for change in watch.until(page.revision):
        apply(objects, change)
    # The newest revision is of a change, and nothing comes before it later.
    assert watch.revision == page.revision
    told = {name: one for name, one in objects.items()
            if name.startswith(collection + "/") and
            (not running or one.state == one.RUNNING)}
    listed = {one.name: one for one in getattr(page, collection)}
    bad = differences(told, listed)
    assert not bad, bad[0]


def apply(objects, change):
    """What a reader does with a change. An object that was listed after the
    revision of the first list may be newer than the change."""
    known = objects.get(change.name)
    if change.removed:
        objects.pop(change.name, None)
    elif known is None or known.revision <= change.revision:
        objects[change.name] = getattr(change, change.WhichOneof("object"))


def differences(one, other):
    """Where two pictures are not the same, in words."""
    return [f"{name}:\n--- one\n{one.get(name)}\n--- other\n{other.get(name)}"
            for name in sorted(one.keys() | other.keys())
            if one.get(name) != other.get(name)]
