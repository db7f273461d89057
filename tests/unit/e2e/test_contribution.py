from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from e2e.contribution import Change, contribution
from providers.config import JobConfig
from upload.errors import UsageError

CONFIG = "config/testgrids/acme/config.yaml"
BUCKET = b'gs://acme-e2e/logs/:\n  contact: "ada"\n  prefix: "acme:"\n  sequential: false\n'
GROUPS = b"dashboard_groups:\n- name: provider\n  dashboard_names:\n  - provider-other\n"


def job(job_name: str, *, store: str = "gs://acme-e2e/", **board: Any) -> JobConfig:
    dashboard = {"group": "provider", "name": "provider-acme", "tab": job_name, **board}
    return JobConfig.model_validate(
        {
            "job": job_name,
            "kubernetes": "pinned",
            "provider": {"name": "local"},
            "party": "acme",
            "contact": {"github": "ada", "email": "ada@example.com"},
            "results": {"store": store},
            "bucket_prefix": "acme:",
            "dashboard": dashboard,
        }
    )


def written(root: Path, path: str, content: bytes) -> None:
    (root / path).parent.mkdir(parents=True, exist_ok=True)
    (root / path).write_bytes(content)


def test_a_new_folder_gets_the_entry_and_the_whole_configuration(tmp_path: Path) -> None:
    asked = contribution([job("two"), job("one", alert_email="a@example.com")], tmp_path)

    assert asked.kettle == (Change("kettle/buckets.yaml", BUCKET, None),)
    (own,) = asked.testgrid
    assert (own.path, own.old, own.is_empty) == (CONFIG, None, False)
    assert own.new.decode() == (
        "# Made by `e2e contribute`: made again whenever the jobs change.\n"
        "dashboard_groups:\n- name: provider\n  dashboard_names:\n  - provider-acme\n"
        "dashboards:\n- name: provider-acme\n  dashboard_tab:\n"
        "  - name: two\n    description: 'contact: @ada'\n    test_group_name: two\n"
        "    alert_options:\n      alert_stale_results_hours: 26\n"
        "  - name: one\n    description: 'contact: @ada'\n    test_group_name: one\n"
        "    alert_options:\n      alert_stale_results_hours: 26\n      alert_mail_to_addresses: a@example.com\n"
        "test_groups:\n"
        + "".join(
            f"- name: {name}\n  gcs_prefix: acme-e2e/logs/{name}\n  days_of_results: 14\n"
            "  num_columns_recent: 10\n  num_failures_to_alert: 1\n"
            "  num_passes_to_disable_alert: 1\n  alert_stale_results_hours: 26\n  disable_prowjob_analysis: true\n"
            for name in ("two", "one")
        )
    )


def test_a_checkout_is_extended_and_asked_a_second_time_it_is_as_it_was(tmp_path: Path) -> None:
    others = b"# of others\ngs://other/logs/: {prefix: 'other:'}\n"
    written(tmp_path, "kettle/buckets.yaml", others)
    written(tmp_path, "config/testgrids/groups.yaml", GROUPS)

    asked = contribution([job("one")], tmp_path)
    for change in asked.changes:
        written(tmp_path, change.path, change.new)

    assert [(change.path, change.old) for change in asked.changes] == [
        ("kettle/buckets.yaml", others),
        ("config/testgrids/groups.yaml", GROUPS),
        (CONFIG, None),
    ]
    assert asked.kettle[0].new == others + BUCKET
    assert asked.testgrid[0].new == GROUPS + b"  - provider-acme\n"
    assert b"dashboard_groups" not in asked.testgrid[1].new
    assert all(change.is_empty for change in contribution([job("one")], tmp_path).changes)


def test_two_dashboards_of_a_group_both_come_into_its_file(tmp_path: Path) -> None:
    written(tmp_path, "config/testgrids/groups.yaml", GROUPS)

    groups, _ = contribution([job("one"), job("two", name="provider-b")], tmp_path).testgrid

    assert groups.new == GROUPS + b"  - provider-acme\n  - provider-b\n"


@pytest.mark.parametrize(
    ("content", "told"),
    [
        pytest.param(b"test_groups: [{name: three}, {name: one}]", "has three too, which would be lost", id="another"),
        pytest.param(b"test_groups: 1", "is no file of `e2e contribute`", id="shape"),
        pytest.param(b"[", "is no file of `e2e contribute`", id="no YAML"),
    ],
)
def test_nothing_in_a_file_is_lost(content: bytes, told: str, tmp_path: Path) -> None:
    written(tmp_path, CONFIG, content)

    with pytest.raises(UsageError, match=told):
        contribution([job("one")], tmp_path)


def test_a_job_that_nobody_else_can_read_is_refused(tmp_path: Path) -> None:
    private = job("one", store="_results/bucket")

    with pytest.raises(UsageError, match=r"results\.store is _results/bucket, and others read buckets"):
        contribution([private], tmp_path)


def test_somebody_elses_prefix_is_refused(tmp_path: Path) -> None:
    written(tmp_path, "kettle/buckets.yaml", b"gs://other/logs/: {prefix: 'acme:'}\n")

    with pytest.raises(UsageError, match="prefix 'acme:' is already that of gs://other/logs/"):
        contribution([job("one")], tmp_path)
