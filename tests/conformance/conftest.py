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
from world import (BACKEND, IOMMU, REAL, TYPE1, World,  # noqa: E402
                   world as find_world)
from bench import Bench, Held, Machine  # noqa: E402
from holder import Another, Holder  # noqa: E402
from ioasid import Ioasidd, Refused  # noqa: E402

if os.geteuid() != 0:
    pytest.exit("the conformance suite runs as root", returncode=1)

FACTS: dict[str, dict[str, Any]] = {}
# The fact of a case on type1 that goes no further; see backends.py.
OTHER = "first other answer"


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


def first_other(item: pytest.Item, call: Any) -> dict[str, str]:
    """The answer that a case did not go on from; nothing: the case is broken.

    The call and what it was answered, the daemon's refusal, or the line of the
    case that does not hold.
    """
    error = call.excinfo.value
    if isinstance(error, Another):
        return {"asked": error.answer.asked(), "iommufd": error.wanted,
                "type1": error.answer.said()}
    line = next((str(entry.statement).splitlines()[0].strip()
                 for entry in call.excinfo.traceback
                 if str(entry.path) == str(item.path)), "")
    if isinstance(error, Refused):
        return {"asked": line, "iommufd": "done", "type1": error.id}
    if isinstance(error, (AssertionError, pytest.fail.Exception)):
        return {"asked": line, "iommufd": "holds", "type1": "does not"}
    return {}


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: pytest.Item,
                              call: Any) -> Iterator[None]:
    """Let fixtures know how the case went; record its outcome.

    The cases are written for an iommufd. On type1 one goes as far as the answers
    are the same; the first other one is a fact, and backends.py looks whether it
    is known.
    """
    result = yield
    report = result.get_result()  # type: ignore[attr-defined]
    case = FACTS.setdefault(item.nodeid.rpartition("/")[2],
                            {"outcome": "passed", "facts": {}})
    if TYPE1 and report.failed and call.when == "call":
        case["facts"][OTHER] = first_other(item, call)
        if case["facts"][OTHER]:
            report.outcome, report.longrepr = "passed", None
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
            {"iommu": IOMMU, "backend": BACKEND, "cases": FACTS}, indent=1,
            sort_keys=True))
