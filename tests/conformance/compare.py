#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Compare what two runs of the suite have found; prints TAP.

    compare.py REAL.json SIMULATION.json

Each file was written by a run (IOASID_FACTS). A case has the same outcome in
both, and the same facts; one that is in one of them only is a difference, unless
it is named below with its reason.
"""

import json
import sys
from pathlib import Path
from typing import Any

# What only a real kernel can be asked.
ONLY_REAL = {
    "test_pages.py::test_pinned_memory_stays_when_its_process_lets_go_of_it":
        "memory that no process has any more is out of the simulation's reach",
    "test_pages.py::test_device_reaches_pinned_memory_of_a_dead_process":
        "likewise",
    "test_service.py::test_rlimit_mode_of_a_context_with_an_object_is_ebusy":
        "root of a container often has no CAP_SYS_RESOURCE",
}


def differences(real: dict[str, Any] | None,
                simulated: dict[str, Any] | None, name: str) -> list[str]:
    """In words, a line each."""
    if name in ONLY_REAL and real and (
            simulated is None or simulated["outcome"].startswith("left out")):
        return []
    if real is None or simulated is None:
        return ["it was run on one of the two only: " +
                ("the simulation" if real is None else "the real kernel")]
    found = [] if real["outcome"] == simulated["outcome"] else \
        [f"{real['outcome']} on the real kernel, {simulated['outcome']} on "
         "the simulation"]
    for fact in sorted({*real["facts"], *simulated["facts"]}):
        values = [side["facts"].get(fact, "nothing")
                  for side in (real, simulated)]
        if values[0] != values[1]:
            found.append(f"{fact}: {json.dumps(values[0])} on the real "
                         f"kernel, {json.dumps(values[1])} on the simulation")
    return found


def main() -> int:
    """A line for each case; 1 if one differs."""
    runs = [json.loads(Path(path).read_text()) for path in sys.argv[1:3]]
    iommu = runs[0]["iommu"]
    if runs[1]["iommu"] != iommu:
        print(f"not ok 1 - the runs are of {iommu} and {runs[1]['iommu']}")
        return 1
    cases = [run["cases"] for run in runs]
    names = sorted({*cases[0], *cases[1]})
    bad = 0
    for number, name in enumerate(names, 1):
        found = differences(cases[0].get(name), cases[1].get(name), name)
        bad += bool(found)
        print(f"{'not ok' if found else 'ok'} {number} - [{iommu}] the "
              f"simulation is as the kernel: {name}")
        for line in found:
            print(f"#   {line}")
        words = (cases[0].get(name) or cases[1][name])["outcome"]
        if words.startswith("left out"):
            print(f"#   {words}")
    print(f"1..{len(names)}")
    print(f"# {iommu}: {len(names) - bad} of {len(names)} cases are the same "
          f"on both, {sum(name in ONLY_REAL for name in names)} of them for "
          "the real kernel alone")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
