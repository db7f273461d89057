"""TestGrid's configuration of jobs, as a pull request brings it: test groups, dashboards with tabs, dashboard groups.

Source: TestGrid pb/config/config.proto and config/config.go (Validate); consumers.md sections 6 and 9.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from dashboard_feed.testgrid.alerts import AlertRule

# upstream's own; said once more, since the parser refuses a group without them where nobody gives defaults
DAYS = 14
RECENT = 10


@dataclass(frozen=True, slots=True)
class TabSpec:
    """One job as TestGrid shows it.

    ``gcs_prefix``: bucket and path of its builds, without ``gs://``. ``group``: the dashboard group that ``dashboard``
    belongs to. ``contact``: a GitHub name. ``alert_email``: addresses with commas between, empty: nobody is told.
    ``stale_hours``: hours without a build after which the tab is stale.
    """

    job: str
    gcs_prefix: str
    group: str
    dashboard: str
    tab: str
    stale_hours: int
    description: str = ""
    contact: str = ""
    alert_email: str = ""


def render_config(tabs: Sequence[TabSpec], *, groups: Iterable[str]) -> str:
    """Return the YAML of jobs. ``groups``: those dashboard groups that no other file has.

    What is not said comes from upstream's ``default.yaml``: links of cells and column headers.
    """
    import yaml

    ordered = sorted(tabs, key=lambda tab: (tab.group, tab.dashboard))
    names = {group: sorted({tab.dashboard for tab in ordered if tab.group == group}) for group in sorted(groups)}
    told: dict[str, Any] = {}
    if names:
        told["dashboard_groups"] = [{"name": name, "dashboard_names": boards} for name, boards in names.items()]
    told["dashboards"] = [
        {"name": name, "dashboard_tab": [_tab(tab) for tab in of_board]}
        for name, of_board in groupby(ordered, key=lambda tab: tab.dashboard)
    ]
    told["test_groups"] = [_test_group(tab) for tab in ordered]
    text: str = yaml.safe_dump(told, sort_keys=False, allow_unicode=True, width=120)
    return text


def _test_group(tab: TabSpec) -> dict[str, Any]:
    rule = AlertRule()
    return {
        "name": tab.job,
        "gcs_prefix": tab.gcs_prefix,
        "days_of_results": DAYS,
        "num_columns_recent": RECENT,
        "num_failures_to_alert": rule.failures,
        "num_passes_to_disable_alert": rule.passes,
        "alert_stale_results_hours": tab.stale_hours,
        "disable_prowjob_analysis": True,  # else a row .Pod appears: these are no jobs of prow
    }


def _tab(tab: TabSpec) -> dict[str, Any]:
    whom = f"contact: @{tab.contact}" if tab.contact else ""
    about = f"{tab.description} ({whom})" if tab.description and whom else tab.description or whom
    alerts: dict[str, Any] = {"alert_stale_results_hours": tab.stale_hours}
    if tab.alert_email:
        alerts["alert_mail_to_addresses"] = tab.alert_email
    told = {"name": tab.tab, "description": about, "test_group_name": tab.job, "alert_options": alerts}
    return {key: value for key, value in told.items() if value}
