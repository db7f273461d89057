from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace

from dashboard_feed.builds import Bucket
from dashboard_feed.clusters.cluster import make_clusters
from dashboard_feed.clusters.failures import failures, origins
from dashboard_feed.clusters.triage import render_builds, render_output, render_tests

NOW_S = 1_800_000_000
Make = Callable[..., tuple[Bucket, ...]]
TEXT = "no answer within two minutes from the server that was asked for it, and no event either"
T, U = "[sig-apps] t", "[sig-node] u"


def test_triage_reads_numbers_as_texts(buckets: Make) -> None:
    read = buckets(gce=[{T: TEXT, U: ""}])

    assert json.loads(render_builds(origins(read))) == [
        {
            "path": "gs://gce/logs/job/1",
            "started": str(NOW_S + 3600),
            "elapsed": "60",
            "tests_run": "2",
            "tests_failed": "1",
            "result": "x",
            "executor": "",
            "job": "gce:job",
            "number": "1",
        }
    ]
    assert [json.loads(line) for line in render_tests(failures(read)).splitlines()] == [
        {"started": str(NOW_S + 3600), "build": "gs://gce/logs/job/1", "name": T, "failure_text": TEXT}
    ]


def test_output_has_clusters_and_builds_in_columns(buckets: Make) -> None:
    read = buckets(gce=[{T: TEXT}, {T: TEXT, U: TEXT}], aws=[{T: "once only, so it is not shown at all by triage"}])
    found = make_clusters(failures(read))

    output = json.loads(render_output(found, list(origins(read))))
    assert output["clustered"] == [
        {
            "key": TEXT,
            "id": found[0].id,
            "text": TEXT,
            "spans": [len(TEXT)],
            "tests": [
                {"name": T, "jobs": [{"name": "gce:job", "builds": [2, 1]}]},
                {"name": U, "jobs": [{"name": "gce:job", "builds": [2]}]},
            ],
            "owner": "apps",
        }
    ]
    assert output["builds"] == {
        "jobs": {"aws:job": [1, 1, 0], "gce:job": [1, 2, 1]},
        "cols": {
            "started": [NOW_S + 3600, NOW_S + 3600, NOW_S + 7200],
            "tests_failed": [1, 1, 2],
            "elapsed": [60, 60, 60],
            "tests_run": [1, 1, 2],
            "result": ["x", "x", "x"],
            "executor": ["", "", ""],
            "pr": ["", "", ""],
        },
        "job_paths": {"aws:job": "gs://aws/logs/job", "gce:job": "gs://gce/logs/job"},
    }


def test_numbers_with_gaps_are_a_table(buckets: Make) -> None:
    (bucket,) = buckets(gce=[{T: ""}, {T: ""}])
    second, first = bucket.jobs[0].builds
    job = replace(bucket.jobs[0], builds=(replace(second, number="20261122140320"), first))

    output = json.loads(render_output((), list(origins([replace(bucket, jobs=(job,))]))))
    assert output["builds"]["jobs"] == {"gce:job": {"1": 0, "20261122140320": 1}}
