# SPDX-License-Identifier: Apache-2.0
"""Fixtures: a bench.

Run as root from anywhere: /usr/bin/python3 -m pytest tests/faults. BUILD names
the build folder (default: build-faults), made by "make FAULTS=1 tests".
"""

import os
import pathlib
import sys
from collections.abc import Iterator

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = ROOT / os.environ.get("BUILD", "build-faults")

sys.path.insert(0, str(BUILD / "tests" / "pb"))
sys.path.insert(0, str(ROOT / "tests" / "daemon"))
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

from bench import Bench  # noqa: E402  (needs the path above)


@pytest.fixture
def bench() -> Iterator[Bench]:
    """A daemon on a simulated machine; not yet started."""
    one = Bench(BUILD)
    yield one
    one.close()
