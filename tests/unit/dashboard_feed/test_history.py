from __future__ import annotations

import json
from dataclasses import replace

import pytest

from dashboard_feed.buckets import BucketSpec
from dashboard_feed.builds import Bucket, Build, Job
from dashboard_feed.history import Tally, bad_tests, is_listed, of_the_day, render_tests_json, suites
from upload.model import Case, Status

NOW_S = 1_800_000_000
DAY_S = 86_400
SPEC = BucketSpec("gs://kubernetes-jenkins/logs/", "")
FILE = "artifacts/junit_01.xml"


def build(number: str, *cases: Case, age_s: int = 60) -> Build:
    return Build("kubernetes-release", number, finished_s=NOW_S - age_s, is_finished=True, cases=cases)


def case(name: str, seconds: float, status: Status = Status.PASSED, source: str = FILE) -> Case:
    return Case(name, status, seconds, source=source)


def buckets() -> tuple[Bucket, ...]:
    """The data of the original's own test (gen_html_test.py), with times."""
    failed = Status.FAILED
    release = (build("4", case("test2", 63.21, failed)), build("3", case("test1", 3.52)))
    debug = (build("6", case("test1", 8.43), case("test2", 3.53, failed)), build("5", case("test1", 7.56)))
    rkt = (build("7", case("test1", 0.0, Status.SKIPPED)),)
    rkt_spec = BucketSpec("gs://rktnetes-jenkins/logs/", "rktnetes$")
    return (
        Bucket(SPEC, (Job(SPEC, "kubernetes-debug", debug), Job(SPEC, "kubernetes-release", release))),
        Bucket(rkt_spec, (Job(rkt_spec, "kubernetes-release", rkt), Job(rkt_spec, "other", (build("1"),)))),
        Bucket(BucketSpec("gs://kube_azure_log/", "azure$")),
    )


def test_tests_json_is_what_test_history_wrote() -> None:
    found = render_tests_json(buckets(), NOW_S)

    at = NOW_S - 60
    assert json.loads(found) == {
        "test_names": ["test1", "test2"],
        "buckets": {
            "gs://kubernetes-jenkins/logs/": {
                "kubernetes-release": {
                    "3": {"timestamp": at, "tests": [{"name": 0, "time": 3.52}]},
                    "4": {"timestamp": at, "tests": [{"name": 1, "time": 63.21, "failed": True}]},
                },
                "kubernetes-debug": {
                    "5": {"timestamp": at, "tests": [{"name": 0, "time": 7.56}]},
                    "6": {
                        "timestamp": at,
                        "tests": [{"name": 0, "time": 8.43}, {"name": 1, "failed": True, "time": 3.53}],
                    },
                },
            },
            "gs://rktnetes-jenkins/logs/": {
                "kubernetes-release": {"7": {"timestamp": at, "tests": [{"name": 0, "time": 0.0, "skipped": True}]}},
            },
            "gs://kube_azure_log/": {},
        },
    }
    assert found.startswith(b'{"buckets": {"gs://kube_azure_log/": {}, ')  # keys sorted, as json.dump did


def test_the_pages_have_the_facts_of_the_originals() -> None:
    facts = [
        (s.job.full_name, s.passed, s.failed, s.latest_failure, len(s.tests), s.stable, s.unstable, s.broken)
        for s in suites(buckets(), NOW_S)
    ]

    assert facts == [
        ("kubernetes-debug", 1, 1, "6", 2, 1, 0, 1),
        ("kubernetes-release", 1, 1, "4", 2, 1, 0, 1),
        ("rktnetes$kubernetes-release", 1, 0, "", 0, 0, 0, 0),
    ]


def test_a_job_with_the_most_failures_first() -> None:
    release = suites(buckets(), NOW_S)[1]

    assert release.tests == (Tally("test2", 0, 1, 63.21, "4"), Tally("test1", 1, 0, 3.52, ""))


def test_bad_tests_sum_over_the_jobs_where_they_failed() -> None:
    (bad,) = bad_tests(suites(buckets(), NOW_S))

    assert (bad.name, bad.passed, bad.failed) == ("test2", 0, 2)
    assert [(suite.job.name, tally.latest_failure) for suite, tally in bad.places] == [
        ("kubernetes-debug", "6"),
        ("kubernetes-release", "4"),
    ]


def test_each_attempt_of_a_flaky_case_counts() -> None:
    flaky = build("1", case("t", 1.0, Status.FAILED), case("t", 2.0))
    job = Job(SPEC, "kubernetes-x", (flaky,))
    (suite,) = suites((Bucket(SPEC, (job,)),), NOW_S)

    assert (suite.passed, suite.failed, suite.tests) == (0, 1, (Tally("t", 1, 1, 3.0, "1"),))


def test_a_step_is_shown_and_counted_as_no_test() -> None:
    steps = (case("e2e.Up", 9.0), case("e2e.Test", 5.0, Status.FAILED))
    red = replace(build("1", case("t", 1.0, Status.FAILED), case("u", 1.0)), steps=steps)
    (suite,) = suites((Bucket(SPEC, (Job(SPEC, "kubernetes-x", (red,)),)),), NOW_S)

    assert [tally.name for tally in suite.tallies] == ["e2e.Test", "t", "e2e.Up", "u"]
    assert ([tally.name for tally in suite.tests], suite.stable, suite.unstable, suite.broken) == (["t", "u"], 1, 0, 1)


def test_only_direct_children_of_artifacts_are_read() -> None:
    deep = build("1", case("deep", 1.0, source="artifacts/a/junit_01.xml"), case("near", 1.0))
    job = Job(SPEC, "kubernetes-x", (deep,))

    assert json.loads(render_tests_json((Bucket(SPEC, (job,)),), NOW_S))["test_names"] == ["near"]


@pytest.mark.parametrize(
    ("age_s", "is_kept"),
    [(0, True), (DAY_S, True), (DAY_S + 1, False), (-5, True)],
    ids=["now", "a day", "a day and a second", "in the future"],
)
def test_a_day_is_counted_from_the_end_of_a_build(age_s: int, is_kept: bool) -> None:
    assert bool(of_the_day([build("1", age_s=age_s)], NOW_S)) is is_kept


def test_a_build_without_finished_json_is_skipped() -> None:
    assert of_the_day([Build("j", "1", started_s=NOW_S, finished_s=NOW_S)], NOW_S) == ()


@pytest.mark.parametrize(
    ("job", "expected"),
    [
        ("kubernetes-e2e-gce", True),
        ("kubernetes-build-1", True),
        ("kubelet-gce-e2e-ci", True),
        ("ci-kubernetes-e2e-local", True),
        ("my-ci-kubernetes", False),
        ("pull-kubernetes-e2e", False),
        ("", False),
    ],
)
def test_jobs_are_listed_by_the_start_of_their_name(job: str, expected: bool) -> None:
    assert is_listed(job) is expected


def test_tests_json_is_written_to_the_byte_as_json_dump_did() -> None:
    hostile = build("2", case('"\ud800é\u2028</script>', 0.0), case("é", 1.0, Status.SKIPPED))
    listed = Job(SPEC, "kubernetes-x", (hostile,))
    found = render_tests_json((Bucket(SPEC, (listed,)), Bucket(BucketSpec("gs://a/", "a:"))), NOW_S)

    assert found == (
        b'{"buckets": {"gs://a/": {}, "gs://kubernetes-jenkins/logs/": {"kubernetes-x": {"2": {"tests": '
        b'[{"name": 0, "time": 0.0}, {"name": 1, "skipped": true, "time": 1.0}], "timestamp": 1799999940}}}}, '
        b'"test_names": ["\\"\\ud800\\u00e9\\u2028</script>", "\\u00e9"]}'
    )
