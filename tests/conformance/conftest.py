# SPDX-License-Identifier: Apache-2.0
"""Fixtures of the conformance suite: one daemon, holders, facts.

Run as root: /usr/bin/python3 -m pytest tests/conformance runs it on the
simulation of the test machine; tests/vm/boot tests/conformance on a real kernel.

A claim, a death and the reclaim after it take about a second on the test
machine. So most cases share one holder, whose devices are bound all the time,
and a case leaves behind nothing in it; a case that cannot do that takes a holder
of its own.
"""

import json
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parent))

# pylint: disable=wrong-import-position
from world import IOMMU, REAL, World, world as find_world  # noqa: E402
from bench import Bench, Held, Machine  # noqa: E402
from holder import Holder  # noqa: E402
from ioasid import Ioasidd  # noqa: E402

if os.geteuid() != 0:
    pytest.exit("the conformance suite runs as root", returncode=1)

FACTS: dict[str, dict[str, Any]] = {}
@pytest.fixture(scope="session")
def machine() -> Iterator[Machine]:
    """The machine and its daemon."""
    one = Machine(find_world())
    yield one
    if REAL and "IOASID_RESULTS" in os.environ:
        # What is to be simulated, and compared with this machine.
        captured = one.daemon.ctl("machine", "capture")
        (Path(os.environ["IOASID_RESULTS"]) / "machine.json").write_text(
            captured.stdout)
    one.finish()


@pytest.fixture
def world(machine: Machine) -> World:
    """What root does beside the daemon."""
    return machine.world


@pytest.fixture
def daemon(machine: Machine) -> Ioasidd:
    """The daemon."""
    return machine.daemon


def bench_of(machine: Machine, request: pytest.FixtureRequest,
             *names: str) -> Iterator[Bench]:
    """A bench whose holder is not used again after a failure."""
    bench = Bench(machine.share(*names))
    yield bench
    report = getattr(request.node, "report_call", None)
    try:
        assert report is not None and report.passed
        bench.clean()
    except BaseException:
        machine.shared.pop(names, None)
        machine.drop(bench.holder)
        if report is not None and report.passed:
            raise


@pytest.fixture
def bench(machine: Machine,
          request: pytest.FixtureRequest) -> Iterator[Bench]:
    """Two edu of two groups, bound to one context."""
    yield from bench_of(machine, request, "EDU0", "EDU1")


@pytest.fixture
def pair(machine: Machine, request: pytest.FixtureRequest) -> Iterator[Bench]:
    """Two functions of one group, bound to one context."""
    yield from bench_of(machine, request, "PAIR0", "PAIR1")


@pytest.fixture(autouse=True)
def own_holders_end(machine: Machine) -> Iterator[None]:
    """Holders of a case's own end with it."""
    yield
    machine.drop_others()


@pytest.fixture
def take(machine: Machine) -> Callable[..., Holder]:
    """Make a holder of the case's own."""
    return machine.holder


@pytest.fixture
def held(machine: Machine) -> Iterator[Held]:
    """Something to make a hold lease with; it is over in the end."""
    one = Held(machine, machine.daemon.native())
    yield one
    one.end()


@pytest.fixture
def fact(request: pytest.FixtureRequest) -> Callable[[str, Any], None]:
    """Record what a case has found out, to be compared between machines."""
    def record(name: str, value: Any) -> None:
        FACTS[request.node.nodeid.rpartition("/")[2]]["facts"][name] = value

    return record


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Iterator[None]:
    """Let fixtures know how the case went; record its outcome."""
    result = yield
    report = result.get_result()  # type: ignore[attr-defined]
    case = FACTS.setdefault(item.nodeid.rpartition("/")[2],
                            {"outcome": "passed", "facts": {}})
    if report.failed:
        case["outcome"] = "failed"
    if report.when == "call":
        item.report_call = report  # type: ignore[attr-defined]
    machine = getattr(item, "funcargs", {}).get("machine")
    if report.failed and machine:
        report.sections.append(("the daemon's log", machine.daemon.log_tail(20)))


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Room for its facts."""
    FACTS[item.nodeid.rpartition("/")[2]] = {"outcome": "passed", "facts": {}}


def pytest_collection_modifyitems(config: pytest.Config,
                                  items: list[pytest.Item]) -> None:
    """Leave out what is not for this IOMMU, so that no skip hides in a run.

    Which cases, and for what reason, is among the facts.
    """
    out = []
    for item in items:
        why = [mark.kwargs["reason"] for mark in item.iter_markers("skipif")
               if any(mark.args)]
        if why:
            out.append(item)
            FACTS[item.nodeid.rpartition("/")[2]] = {
                "outcome": f"left out: {why[0]}", "facts": {}}
    if out:
        config.hook.pytest_deselected(items=out)
        items[:] = [item for item in items if item not in out]


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Write results and facts to the file that IOASID_FACTS names."""
    path = os.environ.get("IOASID_FACTS")
    if not path and REAL and "IOASID_RESULTS" in os.environ:
        path = os.environ["IOASID_RESULTS"] + "/facts.json"
    if path:
        Path(path).write_text(json.dumps(
            {"iommu": IOMMU, "cases": FACTS}, indent=1, sort_keys=True))
