#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Switch off each rule of the simulation, and see that the suite notices.

    mutants.py [--build build-faults] [--sample N] [RULE...]

The build is one with FAULTS=1. For each rule (ioasidd/kernel/sim/rules.inc) the
suite runs until its first failure, the cases that should notice first; what it
has found out (facts) is compared with what it finds when all rules hold. A rule
that nobody misses is a failure. Prints TAP.
"""

import argparse
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
TOP = HERE.parent.parent
RULES = TOP / "ioasidd/kernel/sim/rules.inc"
# Nothing in the suite takes longer, with all rules.
LIMIT = 90

# What no machine with an emulated IOMMU can be asked, so that there is nothing
# to hold the simulation to; tests/unit/test-sim-* ask the rule itself.
UNASKED = {
    10: "no emulated IOMMU nests",
    16: "no emulated device has such a region",
    85: "a lease has each cdev once",
    90: "the test machine has no VFs",
    101: "the daemon knows groups by their functions",
    106: "the test machine's VFIO driver refuses no function but bridges",
    109: "the test machine has no PF",
    111: "the test machine's kernel has iommufd",
    116: "the test machine has no VFs",
    119: "the test machine has no PF",
    120: "the test machine has no PF",
    121: "the test machine has no PF",
}
# Which ones need CAP_SYS_RESOURCE of who runs the suite.
PRIVILEGED = {47}
# Which description shows it, if it is not the usual one.
MACHINE = {67: "none", 77: "virtio", 110: "none", 140: "none", 141: "none"}
# Where to look first: a file, or words for pytest -k.
FIRST = [
    (range(1, 29), "test_space"), (range(29, 47), "test_mapping"),
    (range(47, 50), "test_space or option or rlimit"),
    (range(50, 58), "test_pages"), (range(67, 68), "test_no_iommu"),
    (range(58, 68), "test_attach"),
    (range(68, 70), "test_dma or test_pages"), (range(70, 100), "test_device"),
    (range(110, 111), "test_no_iommu"), (range(139, 140), "test_dma"),
    (range(140, 150), "test_no_iommu"), (range(112, 113), "in_flight"),
    (range(113, 115), "taken_off"),
    (range(118, 119), "pulled"), (range(100, 150), "test_service"),
]
# What check leaves check-long to do is all the others.
SAMPLE = [2, 15, 23, 36, 43, 55, 62, 76, 83, 105]


def rules() -> dict[int, str]:
    """Number -> words."""
    found = re.findall(r'^RULE\((\d+), \w+,\s*((?:"[^"]*"\s*)+)\)',
                       RULES.read_text(), re.M)
    return {int(number): "".join(re.findall(r'"([^"]*)"', words))
            for number, words in found}


def privileged() -> bool:
    """As in world.py."""
    words = Path("/proc/self/status").read_text()
    return bool(int(words.partition("CapEff:")[2].split()[0], 16) >> 24 & 1)


class Suite:
    """The suite on a build and a machine."""

    def __init__(self, build: Path, machine: str) -> None:
        self.build = build
        self.machine = HERE / f"machines/{machine}.json" if machine else \
            TOP / "packaging/machines/testbed.json"
        self.facts = self.run(0, "")[1]

    def run(self, rule: int, where: str) -> tuple[str, dict[str, Any]]:
        """Without that rule; the first failure in words, and the facts."""
        with tempfile.NamedTemporaryFile() as facts:
            env = os.environ | {
                "BUILD": str(self.build), "IOASID_MACHINE": str(self.machine),
                "IOASID_FACTS": facts.name, "PYTHONDONTWRITEBYTECODE": "1",
                "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
                **({"IOASID_SIM_MUTANT": str(rule)} if rule else {})}
            for name in ("IOASID_BUILD", "IOASID_TAP"):
                env.pop(name, None)
            command = ["/usr/bin/python3", "-m", "pytest", "-x", "-q", "-p",
                       "no:cacheprovider", "--tb=line", str(HERE)]
            with subprocess.Popen(
                    command + (["-k", where] if where else []), env=env,
                    stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                    text=True, start_new_session=True) as process:
                try:
                    out = process.communicate(timeout=LIMIT)[0]
                except subprocess.TimeoutExpired:
                    os.killpg(process.pid, signal.SIGKILL)
                    process.communicate()
                    return f"it did not end within {LIMIT} s", {}
            failed = re.search(r"^(?:FAILED|ERROR) (.*)$", out, re.M)
            if process.returncode and not failed:
                return f"pytest ended with {process.returncode}: {out}", {}
            data = Path(facts.name).read_text()
        return (failed[1].rpartition("/")[2] if failed else "",
                json.loads(data)["cases"] if data else {})

    def noticed(self, rule: int) -> str:
        """Which case has missed the rule; empty: none."""
        first = next((where for numbers, where in FIRST if rule in numbers),
                     "")
        for where in (first, "") if first else ("",):
            failed, facts = self.run(rule, where)
            if failed:
                return failed
            for name, case in facts.items():
                if case != self.facts.get(name, case):
                    return f"{name}: it has found something else"
        return ""


def asked(numbers: list[int]) -> Iterator[tuple[int, str]]:
    """The rules to be switched off, and those that cannot be, with why."""
    for number in numbers:
        why = UNASKED.get(number, "")
        if number in PRIVILEGED and not privileged():
            why = "root has no CAP_SYS_RESOURCE here"
        yield number, why


def main() -> int:
    """Every rule, or some; 1 if one is missed by nobody."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--build", type=Path, default=TOP / "build-faults")
    parser.add_argument("--sample", action="store_true",
                        help=f"only {len(SAMPLE)} of them")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    parser.add_argument("rules", nargs="*", type=int, metavar="RULE")
    args = parser.parse_args()
    words = rules()
    wanted = args.rules or (SAMPLE if args.sample else sorted(words))
    build = args.build.resolve()
    suites = {name: Suite(build, name) for name in
              {MACHINE.get(number, "") for number in wanted}}
    start, bad, good, count = time.monotonic(), 0, 0, 0
    list_of = list(asked(wanted))
    with ThreadPoolExecutor(args.jobs) as pool:
        results = {number: pool.submit(
            suites[MACHINE.get(number, "")].noticed, number)
            for number, why in list_of if not why}
        for number, why in list_of:
            if why:
                print(f"# rule {number} is not asked: {why}: {words[number]}",
                      flush=True)
                continue
            by = results[number].result()
            count += 1
            good, bad = good + bool(by), bad + (not by)
            print(f"{'ok' if by else 'not ok'} {count} - mutant {number} is "
                  f"noticed: {words[number]} # {by or 'by nobody'}",
                  flush=True)
    print(f"1..{count}")
    print(f"# {good} of {count} mutants are noticed, {len(words)} rules, "
          f"{time.monotonic() - start:.0f} s")
    return 1 if bad or not count else 0


if __name__ == "__main__":
    sys.exit(main())
