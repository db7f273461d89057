"""pytest's JUnit file with our titles in it, one testcase for each case that finished.

pytest itself writes the file; here only names are set. Three things would make its file tell something false:

- ``name`` would be the function's name. It becomes the title, under xdist as well.
- A case that was cut before it was called would stand there as passed. It is left out.
- A case that fails and then fails in teardown too would get a second testcase. Its teardown's text goes into the
  property ``teardown-error`` of the one testcase (see ``evidence.EvidenceKeeper``).

A case that passes and fails in teardown is one testcase with ``<error>``.
"""

from __future__ import annotations

import pytest
from _pytest.junitxml import LogXML, xml_key  # what record_xml_attribute uses; it has no public name


class TitledJUnit:
    """Sets the names in ``--junitxml``'s report; lives in the process that writes it."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self._titles: dict[str, str] = {}

    def _report(self) -> LogXML | None:
        return self._config.stash.get(xml_key, None)

    def pytest_runtest_logstart(self, nodeid: str, location: tuple[str, int | None, str]) -> None:
        """Remember the title: the report of a crashed worker does not carry it."""
        self._titles[nodeid] = location[2]

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Name the testcase after the title. Before LogXML: on teardown it seals the element."""
        xml = self._report()
        if xml is not None:
            title = self._titles.get(report.nodeid, report.location[2])
            xml.node_reporter(report).add_attribute("name", title)

    @pytest.hookimpl(tryfirst=True)
    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """Name what could not be collected, in the same form."""
        xml = self._report()
        if xml is not None and report.failed:
            xml.node_reporter(report).add_attribute("name", f"[suite] {report.nodeid or 'suite'} should be collected")

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionfinish(self) -> None:
        """Drop what has not finished: LogXML would write it as passed."""
        xml = self._report()
        if xml is None:
            return
        cut = {id(reporter) for reporter in xml.node_reporters.values() if not reporter.nodes}
        xml.node_reporters_ordered[:] = [r for r in xml.node_reporters_ordered if id(r) not in cut]
