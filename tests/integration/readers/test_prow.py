"""What prow's own code makes of our builds: its paths are ours, and its lenses show what was published."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.support import prow
from tests.support.gcs import Bucket
from upload.censor import Censor
from upload.layout import build_paths, pull_prefix
from upload.model import BuildRef
from upload.publish_folder import FolderRequest, publish_folder

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

JOB, NUMBER = "ci-kubernetes-e2e-mine", "20260722060000"
NOW_S = 1784700000  # 2026-07-22 06:00:00 UTC
REFS = {"org": "kubernetes", "repo": "test-infra", "pulls": [{"number": 7}]}
CASES = """<testsuite name="pytest">
<testcase classname="c" name="[sig-apps] passes" time="1.5"/>
<testcase classname="c" name="[sig-apps] skips" time="0"><skipped message="why"/></testcase>
<testcase classname="c" name="[sig-apps] breaks &lt;b&gt;" time="1"><error message="boom">trace</error></testcase>
<testcase classname="c" name="[sig-apps] wavers" time="1"><failure>first</failure></testcase>
<testcase classname="c" name="[sig-apps] wavers" time="1"/>
<testcase classname="c" name="[sig-apps] reran" time="1"><flakyFailure message="m"/></testcase>
</testsuite>"""


@pytest.mark.parametrize(
    ("spec", "prefix", "has_alias"),
    [
        pytest.param({"type": "periodic"}, "logs", False, id="periodic"),
        pytest.param(
            {"type": "presubmit", "refs": REFS}, pull_prefix("kubernetes_test-infra/7"), True, id="pull request"
        ),
        # prow writes no alias of a batch; TestGrid finds builds by aliases only
        pytest.param({"type": "batch", "refs": REFS}, pull_prefix("batch"), False, id="batch"),
    ],
)
def test_paths_are_those_of_prow(spec: dict[str, Any], prefix: str, has_alias: bool) -> None:
    ours = build_paths(BuildRef(prefix, JOB, NUMBER))

    theirs = prow.paths({**spec, "job": JOB, "buildid": NUMBER})

    assert theirs == {
        "build": ours.folder.rstrip("/"),
        "alias": ours.alias if has_alias else "",
        "root": ours.latest.removesuffix("/latest-build.txt"),
        "latest": [ours.latest],
    }


def publish(bucket: Bucket, scratch: Path, cases: str, **metadata: str) -> str:
    """Publish a build and return its folder."""
    folder = scratch / "artifacts" / "deep"
    folder.mkdir(parents=True)
    (folder / "junit.xml").write_text(cases)
    wanted = BuildRef("logs", JOB, NUMBER)
    request = FolderRequest(folder.parent, wanted, "node-1", NOW_S, "v1.36.3", tuple(metadata.items()))
    publish_folder(request, bucket.store(), censor=Censor(), state=scratch / "state")
    return build_paths(wanted).folder


def test_lens_of_tests_shows_each_test_as_it_was_meant(bucket: Bucket, tmp_path: Path) -> None:
    folder = publish(bucket, tmp_path, CASES)

    assert prow.shown_tests(bucket, folder, tmp_path) == {
        "passed": ["[sig-apps] passes"],
        "failed": ["[sig-apps] breaks <b>"],
        "skipped": ["[sig-apps] skips"],
        "flaky": ["[sig-apps] wavers", "[sig-apps] reran"],
    }


@pytest.mark.parametrize(
    ("cases", "passed"), [(CASES, False), ("<testsuite><testcase name='[a] b'/></testsuite>", True)]
)
def test_lens_of_metadata_shows_times_verdict_and_facts(
    bucket: Bucket, tmp_path: Path, cases: str, passed: bool
) -> None:
    folder = publish(bucket, tmp_path, cases, provider="local")

    shown = prow.shown_metadata(bucket, folder, tmp_path)

    assert (shown.started_s, shown.finished_s, shown.is_finished, shown.passed) == (NOW_S, NOW_S, True, passed)
    facts = {"node": "node-1", "job-version": "v1.36.3", "provider": "local"}
    assert {key: shown.metadata[key] for key in facts} == facts
