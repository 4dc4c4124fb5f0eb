# SPDX-License-Identifier: Apache-2.0
"""The table told to one daemon over one surface, and what is left of its
answers when all that must differ is taken out.
"""

import re
import time
from collections.abc import Iterator

from asker import Asker
from google.protobuf import json_format
from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp
from machine import Machine, wait
from story import OTHER, Row, name
from surfaces import CONTRACT, Outcome

ULID = re.compile(r"[0-9a-hjkmnp-tv-z]{26}")
UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
TIME = re.compile(r"\d{4}-\d\d-\d\dT[0-9:.]+Z")

# What differs from one daemon to the next: how long something took, who the
# process is, and how many changes there were before: what the machine says by
# itself (uevents) is seen sooner or later. Names that are made by chance are
# numbered instead. On one daemon all of that is compared, too.
OWN = {"claimToken", "tookUs", "bindUs", "startTicks", "pid", "cgroup",
       "revision", "etag"}

# What the answer to a change may have already, or not yet: its worker runs.
RACING = ("state", "step", "steps", "ended", "error", "revision", "etag")

FIXED_TIME = "2100-01-01T00:00:00.000005Z"


class Telling:
    """A machine, a daemon, and everybody who asks it over one surface."""

    def __init__(self, machine: Machine, surface: str,
                 ceiling: str) -> None:
        self.machine, self.surface = machine, surface
        self.ceiling = ceiling
        self.askers: dict[int, Asker] = {}
        self.kept: dict[str, Message] = {}
        self.holder: Asker | None = None
        self.numbers: dict[str, str] = {}
        self.pids: set[int] = set()
        self.first = self.newest()

    def asker(self, uid: int) -> Asker:
        """Who asks as that user."""
        if uid not in self.askers:
            self.askers[uid] = Asker(self.machine.run, uid % OTHER)
            self.pids.add(self.askers[uid].pid)
        return self.askers[uid]

    def newest(self) -> int:
        """The revision of the newest change."""
        return self.ask("native", "Host/GetVersion").replies[0].revision

    def ask(self, surface: str, method: str, uid: int = 0, until: int = 0,
            **fields: object) -> Outcome:
        """Call a method."""
        return self.asker(uid).call(
            surface, method, CONTRACT[method].request(**fields), until)

    # --- what rows are about ---

    def filled(self, value: object) -> object:
        """A value with what was kept in the place of its word."""
        if isinstance(value, list):
            return [self.filled(one) for one in value]
        if value == "{first}":
            return self.first
        if not isinstance(value, str) or not value.startswith("{"):
            return value
        word, _, field = value[1:-1].partition(".")
        return getattr(self.kept[word], field or "name")

    def tell(self, row: Row) -> Outcome | None:
        """Do what a row says; None for a row that builds upon one that was
        refused."""
        if row.act:
            row.act(self)
            return None
        try:
            fields = {key: self.filled(value)
                      for key, value in row.fields.items()}
        except KeyError:
            return None
        until = 0
        if CONTRACT[row.method].streams and row.answer == "ok":
            until = self.last_for(row)
        outcome = self.ask(self.surface, row.method, row.uid, until, **fields)
        if row.keep and outcome.replies:
            self.kept[row.keep] = outcome.replies[0]
        return outcome

    def last_for(self, row: Row) -> int:
        """The last revision that a watch will be sent, by the native socket:
        of a watch that is quiet nobody can say that it is complete."""
        collections = self.filled(row.fields.get("collections", []))
        revisions = [
            one.revision for kind in ("Leases", "Operations", "Devices")
            if not collections or kind.lower() in collections
            for one in self.everything(kind, row.uid)]
        return max(revisions)

    def everything(self, kind: str, uid: int) -> list[Message]:
        """All objects of a list that fits on a page."""
        fields = {} if kind == "Operations" else {"all": True}
        page = self.ask("native", f"{kind}/List{kind}", uid, page_size=1000,
                        **fields).replies[0]
        assert not page.next_page_token
        return list(getattr(page, kind.lower()))

    # --- what is done between them ---

    def natively(self, method: str, fields: dict[str, object],
                 keep: str = "") -> Message:
        """Call a method as root on the native socket; it must be answered."""
        outcome = self.ask("native", method, **fields)
        assert outcome.replies, outcome.error
        if keep:
            self.kept[keep] = outcome.replies[0]
        return outcome.replies[0]

    def until_device(self, bdf: str, state: str) -> None:
        """Wait until a device is in a state."""
        self.machine.wait_device(bdf, state)

    def until_step(self, word: str, act: str) -> None:
        """Wait until an operation is at a step."""
        wait(lambda: self.natively("Operations/GetOperation", {
            "name": self.kept[word].name}).step == act, act)

    def prepare(self, bdf: str, **options: bool) -> None:
        """Prepare a device, as only the native socket lets one."""
        op = self.natively("Devices/PrepareDevice",
                           {"name": name(bdf), **options})
        op = self.natively("Operations/WaitOperation", {"name": op.name})
        assert op.state == op.DONE, op

    def claim(self, word: str) -> None:
        """The asker who is root claims a lease, and holds it."""
        self.natively("Leases/ClaimLease", {"name": self.kept[word].name})

    def holder_dies(self, word: str, state: str) -> None:
        """The asker who is root is killed; until its lease has ended, and its
        first device is in that state."""
        self.askers.pop(0).kill()
        self.machine.wait_ended(self.kept[word].name)
        self.machine.wait_device(
            self.kept[word].devices[0].removeprefix("devices/pci-")
            .replace("-", ":"), state)

    def holder_is_dying(self, word: str, keep: str) -> None:
        """The asker who is root is killed; until its lease is being reclaimed,
        which takes its time."""
        self.askers.pop(0).kill()
        lease = self.kept[word]
        wait(lambda: self.natively("Leases/GetLease", {"name": lease.name})
             .state == lease.RECLAIMING, "it is being reclaimed")
        self.kept[keep] = self.everything("Operations", 0)[0]
        assert self.kept[keep].kind == "reclaim", self.kept[keep]

    def offer_briefly(self, bdf: str, keep: str) -> None:
        """A lease of a second to root; until it has expired."""
        now = Timestamp()
        now.FromNanoseconds(time.time_ns() + 10 ** 9)
        self.natively("Leases/CreateLease", {
            "devices": [name(bdf)], "claimant": {"uid": 0},
            "expires": now}, keep)
        self.machine.wait_ended(self.kept[keep].name)

    def recover(self, bdf: str) -> None:
        """Recover a device, as only the native socket lets one."""
        op = self.natively("Devices/RecoverDevice", {"name": name(bdf)})
        op = self.natively("Operations/WaitOperation", {"name": op.name})
        assert op.state == op.DONE, op

    # --- comparing ---

    def number(self, kind: str, text: str) -> str:
        """The n-th name of its kind that this daemon has made up."""
        return self.numbers.setdefault(
            text, f"<{kind} {len(self.numbers) + 1}>")

    def plain(self, value: object) -> object:
        """JSON without what must differ."""
        if isinstance(value, dict):
            return {key: "own" if key in OWN and one not in (0, "0", "")
                    else self.plain(one) for key, one in value.items()}
        if isinstance(value, list):
            return [self.plain(one) for one in value]
        if not isinstance(value, str):
            return value
        value = ULID.sub(lambda m: self.number("ulid", m[0]), value)
        value = UUID.sub(lambda m: self.number("uuid", m[0]), value)
        if value != FIXED_TIME:
            value = TIME.sub("<time>", value)
        for pid in self.pids:
            value = re.sub(rf"\b{pid}\b", "<pid>", value)
        return value

    def comparable(self, row: Row, outcome: Outcome) -> list[object]:
        """What an answer must have in common with those elsewhere."""
        said = []
        if outcome.replies and CONTRACT[row.method].streams:
            return [self.courses(outcome.replies)]
        for message in [outcome.error] if outcome.error else outcome.replies:
            if row.races and not outcome.error:
                for field in RACING:
                    message.ClearField(field)
            said.append(self.plain(json_format.MessageToDict(
                message, including_default_value_fields=True)))
        return said

    def courses(self, changes: list[Message]) -> dict[str, list[object]]:
        """What each object went through. Of devices, whose driver is seen
        sooner or later, only the states."""
        found: dict[str, list[object]] = {}
        for change in changes:
            kind = change.WhichOneof("object")
            seen = self.plain(json_format.MessageToDict(
                getattr(change, kind))) if kind else "removed"
            if kind == "device":
                seen = seen["state"]
            course = found.setdefault(self.plain(change.name), [])
            if kind in ("lease", "operation", "device", None) and \
                    course[-1:] != [seen]:
                course.append(seen)
        return found

    def end(self) -> None:
        """Nobody asks any more."""
        for asker in self.askers.values():
            asker.kill()


def differences(one: object, other: object, at: str = "") -> Iterator[str]:
    """Where two answers are not the same, in words."""
    if isinstance(one, dict) and isinstance(other, dict):
        for key in sorted(one.keys() | other.keys()):
            yield from differences(one.get(key), other.get(key),
                                   f"{at}.{key}")
    elif isinstance(one, list) and isinstance(other, list) and \
            len(one) == len(other):
        for i, pair in enumerate(zip(one, other)):
            yield from differences(*pair, f"{at}[{i}]")
    elif one != other:
        yield f"{at}: {one!r} is not {other!r}"
