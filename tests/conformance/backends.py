#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Compare what the suite has found with iommufd and with type1; prints TAP.

    backends.py IOMMUFD.json TYPE1.json
    backends.py --write IOMMUFD.json TYPE1.json

Each file was written by a run on the same machine (IOASID_FACTS), the second with
IOASID_BACKEND=type1. A case has the same outcome and the same facts with both,
unless differences.json has the difference: case, fact, what iommufd says, what
type1 says, and the kernel's reason. One that is in the list and in no run has
failed, too.

A case that meets another answer on type1 than it wants ends there: that answer is
a difference, and what would have come after it is not one of its own.

With --write the list becomes what these runs have found: reasons stay, and what
is new has none, which is a failure until somebody has written it.
"""

import json
import sys
from pathlib import Path
from typing import Any

LIST = Path(__file__).parent / "differences.json"
OTHER = "first other answer"
# Case, fact, what iommufd says, what type1 says.
Difference = tuple[str, str, Any, Any]


def found(name: str, iommufd: dict[str, Any],
          type1: dict[str, Any]) -> list[Difference]:
    """How a case differs."""
    differences: list[Difference] = []
    if iommufd["outcome"] != type1["outcome"]:
        differences.append((name, "outcome", iommufd["outcome"],
                            type1["outcome"]))
    facts = dict(type1["facts"])
    other = facts.pop(OTHER, None)
    if other:
        differences.append((name, other["asked"], other["iommufd"],
                            other["type1"]))
    for fact in sorted({*iommufd["facts"], *facts}):
        if fact not in facts and other:
            continue
        values = [side.get(fact, "nothing")
                  for side in (iommufd["facts"], facts)]
        if values[0] != values[1]:
            differences.append((name, fact, values[0], values[1]))
    return differences


def words(difference: Difference) -> str:
    """A line."""
    _, fact, iommufd, type1 = difference
    return f"{fact}: iommufd {json.dumps(iommufd)}, type1 {json.dumps(type1)}"


class Known:
    """The list."""

    def __init__(self) -> None:
        data = json.loads(LIST.read_text())
        self.reasons: dict[str, str] = data["reasons"]
        self.entries: list[dict[str, Any]] = data["differences"]

    @staticmethod
    def difference(entry: dict[str, Any]) -> Difference:
        """That an entry is about."""
        return (entry["case"], entry["fact"], entry["iommufd"],
                entry["type1"])

    def reason(self, difference: Difference) -> str:
        """Why it is so; empty: it is not known."""
        return next((self.reasons.get(entry["reason"], "")
                     for entry in self.entries
                     if self.difference(entry) == difference), "")

    def stale(self, differences: list[Difference]) -> list[Difference]:
        """What is in the list, and is not so."""
        return [self.difference(entry) for entry in self.entries
                if self.difference(entry) not in differences]

    def write(self, differences: list[Difference]) -> None:
        """Make the list that of these, a line each."""
        entries = []
        for one in differences:
            reason = next((entry["reason"] for entry in self.entries
                           if self.difference(entry) == one), "")
            entries.append(json.dumps(dict(zip(
                ("case", "fact", "iommufd", "type1", "reason"),
                (*one, reason), strict=True))))
        LIST.write_text('{"reasons": ' + json.dumps(self.reasons, indent=1) +
                        ',\n"differences": [\n' + ",\n".join(entries) +
                        "\n]}\n")


class Tap:
    """Numbers results."""

    def __init__(self, iommu: str) -> None:
        self.iommu, self.n, self.bad = iommu, 0, 0

    def result(self, good: bool, claim: str, *lines: str) -> None:
        """One of them, and what is to be said of it."""
        self.n += 1
        self.bad += not good
        print(f"{'ok' if good else 'not ok'} {self.n} - [{self.iommu}] {claim}")
        for line in lines:
            print(f"#   {line}")


def compare(runs: list[dict[str, Any]], known: Known) -> int:
    """A line for each case, and for what is listed and not so."""
    tap = Tap(runs[0]["iommu"])
    cases = [run["cases"] for run in runs]
    every: list[Difference] = []
    same = asked = 0
    for name in sorted({*cases[0], *cases[1]}):
        claim = f"type1 answers as iommufd, or as is listed: {name}"
        if name not in cases[0] or name not in cases[1]:
            tap.result(False, claim, "it was run on one of the two only")
            continue
        differences = found(name, cases[0][name], cases[1][name])
        every += differences
        if not cases[0][name]["outcome"].startswith("left out"):
            asked += 1
            same += not differences
        tap.result(all(known.reason(one) for one in differences), claim,
                   *[f"{words(one)} ({known.reason(one) or 'NOT LISTED'})"
                     for one in differences])
    for one in known.stale(every):
        tap.result(False, f"what is listed as different is so: {one[0]}",
                   words(one))
    print(f"1..{tap.n}")
    print(f"# {tap.iommu}: {same} of {asked} cases are the same with both to "
          f"their end, {len(every)} differences in the others")
    return 1 if tap.bad else 0


def main() -> int:
    """1 if something differs that is not listed, or the other way round."""
    paths = sys.argv[1:]
    write = paths[:1] == ["--write"]
    runs = [json.loads(Path(path).read_text()) for path in paths[write:]]
    if [run.get("backend") for run in runs] != ["iommufd", "type1"] or \
            runs[0]["iommu"] != runs[1]["iommu"]:
        print("not ok 1 - the runs are of iommufd and type1, on one machine")
        return 1
    known = Known()
    if write:
        known.write([one for name in sorted({*runs[0]["cases"]} &
                                            {*runs[1]["cases"]})
                     for one in found(name, runs[0]["cases"][name],
                                      runs[1]["cases"][name])])
        known = Known()
    return compare(runs, known)


if __name__ == "__main__":
    sys.exit(main())
