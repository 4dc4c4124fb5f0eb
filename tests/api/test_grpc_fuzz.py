# SPDX-License-Identifier: Apache-2.0
"""Damaged HTTP/2 ends connections, and nothing else."""

import os
import subprocess

import pytest

from conftest import BUILD

LONG = os.environ.get("IOASID_LONG") == "1"


@pytest.mark.slow
def test_damaged_connections_harm_nothing() -> None:
    """20,000 of them; GRPC_FUZZ_SEED repeats a run. A sanitizer looks on."""
    seed = os.environ.get("GRPC_FUZZ_SEED")
    done = subprocess.run(
        [BUILD / "tests" / "api" / "grpc-fuzz",
         "1000000" if LONG else "20000", *([seed] if seed else [])],
        capture_output=True, text=True, check=False, timeout=800)
    print(done.stdout)
    assert done.returncode == 0, done.stdout + done.stderr
    calls = int(done.stdout.split(", ")[1].split()[0])
    assert calls > 10000, "they no longer come as far as to be calls"
