"""What ``e2e contribute`` writes, read by TestGrid's own parser: strictly, and together with what is there upstream."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.support.harness import Harness
from tests.support.testgrid import read_configuration

pytestmark = pytest.mark.slow

CONFIG = """\
job: ci-kubernetes-e2e-acme
description: "Runs: [everything] # 'here' {{x}}"
party: acme
contact: {github: ada, email: ada@example.com}
bucket_prefix: "acme:"
results: {store: gs://acme-e2e/deep, prefix: logs}
kubernetes: pinned
provider: {name: local}
dashboard: {group: provider, name: provider-acme, tab: "one, two | v1.36 <3>", alert_email: "a@example.com,b@example.com"}
"""
UPSTREAM = """\
dashboard_groups:
- name: provider
  dashboard_names:
  - provider-other
dashboards:
- name: provider-other
  dashboard_tab:
  - {name: other, test_group_name: other}
test_groups:
- {name: other, gcs_prefix: other/logs/other, days_of_results: 9, num_columns_recent: 9}
"""


@pytest.mark.parametrize("is_upstream", [False, True], ids=["alone", "in a checkout"])
def test_testgrid_takes_what_is_contributed(is_upstream: bool, tmp_path: Path) -> None:
    config, checkout = tmp_path / "acme.yaml", tmp_path / "checkout"
    config.write_text(CONFIG)
    groups = checkout / "config/testgrids/other.yaml"
    if is_upstream:
        groups.parent.mkdir(parents=True)
        groups.write_text(UPSTREAM)
    done = Harness(tmp_path, dict(os.environ)).e2e("contribute", config, "--out", checkout)
    assert done.code == 0, done.err

    read = read_configuration(checkout / "config/testgrids", tmp_path)

    others = ["provider-other"] if is_upstream else []
    (group,) = read["dashboard_groups"]
    assert (group["name"], group["dashboard_names"]) == ("provider", [*others, "provider-acme"])
    board = next(each for each in read["dashboards"] if each["name"] == "provider-acme")
    (tab,) = board["dashboard_tab"]
    assert {key: tab[key] for key in ("name", "test_group_name", "description")} == {
        "name": "one, two | v1.36 <3>",
        "test_group_name": "ci-kubernetes-e2e-acme",
        "description": "Runs: [everything] # 'here' {{x}} (contact: @ada)",
    }
    alerts = tab["alert_options"]
    assert (alerts["alert_stale_results_hours"], alerts["alert_mail_to_addresses"]) == (
        26,
        "a@example.com,b@example.com",
    )
    made = next(each for each in read["test_groups"] if each["name"] == "ci-kubernetes-e2e-acme")
    assert {key: made[key] for key in ("gcs_prefix", "num_failures_to_alert", "disable_prowjob_analysis")} == {
        "gcs_prefix": "acme-e2e/deep/logs/ci-kubernetes-e2e-acme",
        "num_failures_to_alert": 1,
        "disable_prowjob_analysis": True,
    }
