#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Complete a captured machine by what another description knows of its devices.

    complete.py CAPTURED.json KNOWN.json

What `ioasidctl machine capture` cannot know (no method of the contract tells the
sizes of BARs) is taken from KNOWN for devices at the same address, which are the
same in the test machine whatever its IOMMU is, but for one that has all on one
bus: there it is taken from any device with the same ids. The whole goes to stdout.
"""

import json
import sys
from pathlib import Path
from typing import Any


def ids(device: dict[str, Any]) -> tuple[int, int]:
    """Which kind of device it is."""
    return int(device["vendor"], 16), int(device["device"], 16)


def main() -> None:
    """Both files, one description."""
    captured, known = (json.loads(Path(name).read_text())
                       for name in sys.argv[1:3])
    bars = {device["bdf"]: device["bars"] for device in known["devices"]
            if "bars" in device}
    alike = {ids(device): device["bars"] for device in known["devices"]
             if "bars" in device}
    for device in captured["devices"]:
        found = bars.get(device["bdf"], alike.get(ids(device)))
        if found:
            device["bars"] = found
    json.dump(captured, sys.stdout, indent=2)


if __name__ == "__main__":
    main()
