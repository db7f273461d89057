"""What TestGrid's programs read, for every party: ``testgrid/<party>/grid/<job>`` and ``…/summary/summary-<dashboard>``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dashboard_feed.testgrid.alerts import AlertRule
from dashboard_feed.testgrid.state import render_grid
from dashboard_feed.testgrid.summary import Tab, render_summary, summary_name
from dashboard_feed.text import file_name

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dashboard_feed.summary import JobSummary

GROUP = "provider"
"""The organisation before the names of dashboards, as TestGrid's configuration asks for one."""


def testgrid_files(summaries: Sequence[JobSummary], *, stale_after_s: int, now_s: int) -> dict[str, bytes]:
    """Return the state of each job and the summary of each party's dashboard ``provider-<party>``, a tab for each job."""
    files: dict[str, bytes] = {}
    tabs: dict[str, list[Tab]] = {}
    rule = AlertRule()
    for summary in sorted(summaries, key=lambda each: each.job.full_name):
        job, rows = summary.job, summary.meter.rows
        files[f"testgrid/{file_name(job.spec.party)}/grid/{file_name(job.name)}"] = render_grid(rows, rule)
        tabs.setdefault(job.spec.party, []).append(Tab(job.name, rows, rule, stale_after_s))
    for party, many in tabs.items():
        dashboard = f"{GROUP}-{party}"
        path = f"testgrid/{file_name(party)}/summary/{summary_name(dashboard)}"
        files[path] = render_summary(dashboard, many, now_s)
    return files
