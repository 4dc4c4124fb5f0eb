"""pytest plugin of the test machine: TAP, a line as soon as a test has ended.

Loaded by guest/run with "-p tap"; writes to the file that $IOASID_TAP names.
The plan comes first, right after collection: a run that dies in the middle
leaves fewer lines than planned, and tests/vm/boot counts that as a failure.

Also gives each test a time limit, so that one that hangs costs itself and not
the rest: 180 s, or @pytest.mark.limit(seconds), and three times that, for hosts
that are slow or busy. Loads cells.py, which writes what is shown of the matrix.
"""

import os
import signal
from collections.abc import Iterator

import pytest

pytest_plugins = ["cells"]
DEFAULT_LIMIT = 180
PATIENCE = 3


class TapWriter:
    """Collects the phases of each test and writes its line."""

    def __init__(self, path: str) -> None:
        self.file = open(path, "w", encoding="utf-8", buffering=1)
        self.count = 0
        self.seconds = 0.0
        self.failure = ""
        self.skip = ""

    def line(self, text: str) -> None:
        """One write per line: whoever reads never sees half of one."""
        self.file.write(text + "\n")

    def result(self, name: str) -> None:
        """Write the line of a test whose phases have all ended."""
        self.count += 1
        ok = "not ok" if self.failure else "ok"
        tail = f"SKIP {self.skip}" if self.skip and not self.failure \
            else f"{self.seconds:.1f} s"
        self.line(f"{ok} {self.count} - {name} # {tail}")
        for text in self.failure.splitlines():
            self.line(f"#   {text}")
        self.seconds, self.failure, self.skip = 0.0, "", ""

    @pytest.hookimpl(trylast=True)
    def pytest_collection_finish(self, session: pytest.Session) -> None:
        """The plan; a file that could not be collected counts as a test."""
        broken = session.testsfailed
        self.line(f"1..{len(session.items) + broken}")

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """A file that cannot be imported is a failed test."""
        if report.failed:
            self.failure = report.longreprtext
            self.result(report.nodeid)
        elif report.skipped:
            self.line(f"# skipped as a whole: {report.nodeid}: "
                      f"{reason(report)}")

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Sum up setup, call and teardown."""
        self.seconds += report.duration
        if report.failed:
            self.failure += report.longreprtext + "\n"
            for title, text in report.sections:
                self.failure += f"-- {title}\n{text}\n"
        elif report.skipped:
            self.skip = reason(report)
        if report.when == "teardown":
            self.result(report.nodeid)


def reason(report: pytest.TestReport | pytest.CollectReport) -> str:
    """Why something was skipped, in one line."""
    text = report.longrepr[2] if isinstance(report.longrepr, tuple) \
        else report.longreprtext
    return " ".join(text.split())


def pytest_configure(config: pytest.Config) -> None:
    """Register the writer and the marker."""
    config.addinivalue_line("markers", "limit(seconds): time limit of a test")
    config.addinivalue_line("markers", "slow: not in make check-fast")
    path = os.environ.get("IOASID_TAP")
    if path:
        config.pluginmanager.register(TapWriter(path), "ioasid-tap")


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Iterator[None]:
    """Arm the time limit around setup, call and teardown."""
    marker = item.get_closest_marker("limit")
    seconds = PATIENCE * (marker.args[0] if marker else DEFAULT_LIMIT)

    def expired(_signal: int, _frame: object) -> None:
        __tracebackhide__ = True
        # What teardown waits for is bounded as well.
        signal.alarm(30)
        pytest.fail(f"not done within {seconds} s")

    signal.signal(signal.SIGALRM, expired)
    signal.alarm(seconds)
    yield
    signal.alarm(0)
