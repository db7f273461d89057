from __future__ import annotations

import re
from html import unescape
from pathlib import Path

import pytest

from dashboard_feed.buckets import BucketSpec
from dashboard_feed.build_pages import build_page, job_history
from dashboard_feed.builds import Artifact, Build, Job
from dashboard_feed.render import Renderer
from dashboard_feed.testgrid.cells import make_rows
from dashboard_feed.testgrid.flakiness import meter
from upload.model import Case, Status

NOW_S = 1_795_367_000  # 2026-11-22 17:03:20
HOUR_S = 3600
GOOD, BAD, SKIP = (Case("t", status, 1.0) for status in (Status.PASSED, Status.FAILED, Status.SKIPPED))


def build(number: int, *cases: Case, **facts: object) -> Build:
    start_s = NOW_S - (100 - number) * HOUR_S
    values = {"is_finished": True, "passed": False, "result": "FAILURE", **facts}
    return Build("ci-job", str(number), started_s=start_s, finished_s=start_s + 60, cases=cases, **values)  # type: ignore[arg-type]  # facts of Build


def page(*builds: Build, job: str = "ci-job") -> str:
    """Return the text of the newest build's page, without tags and with single spaces."""
    whole = Job(BucketSpec("gs://bucket/logs/", "p:"), job, builds)
    history = job_history(whole, meter(make_rows(builds, NOW_S)))
    html = build_page(Renderer(Path("/srv/site"), NOW_S), history, 0).decode()
    return unescape(re.sub(r"\s+", " ", re.sub(r"<[^>]*>", " ", html)))


@pytest.mark.parametrize(
    ("builds", "expected"),
    [
        pytest.param([BAD, GOOD], "new: passed in 98", id="broke just now"),
        pytest.param([BAD, SKIP, GOOD], "new: passed in 97", id="a skip says nothing"),
        pytest.param([BAD, BAD, GOOD], "failing for 2 builds, since 22 Nov 15:03", id="broke before"),
        pytest.param([BAD], "no earlier result", id="first build"),
        pytest.param([BAD, BAD], "failing for 2 builds, since 22 Nov 15:03", id="never passed"),
    ],
)
def test_a_failure_says_since_when(builds: list[Case], expected: str) -> None:
    assert expected in page(*[build(99 - index, case) for index, case in enumerate(builds)])


def test_a_flaky_test_says_how_often_it_passed() -> None:
    assert "passed 1 of 2 attempts" in page(build(99, BAD, GOOD, passed=True, result="SUCCESS"))


@pytest.mark.parametrize(
    ("name", "job", "expected"),
    [
        pytest.param(
            "[sig-apps] Jobs it's (done)",
            "ci-job",
            """e2e run ci-job --focus '^\\[sig-apps\\] Jobs it'"'"'s \\(done\\)$'""",
            id="quoted for a shell",
        ),
        pytest.param("caf\u00e9", "ci-job", "", id="cannot be typed"),
        pytest.param("t", "-rf", "", id="a job that looks like an option"),
        pytest.param("t", "a;b", "", id="a job that no config can have"),
    ],
)
def test_how_to_run_it_again(name: str, job: str, expected: str) -> None:
    failed = Case(name, Status.FAILED)
    text = page(build(99, failed, metadata=(("run", f"{job}-99"),)), job=job)

    assert expected in text
    assert ("e2e run" in text) == bool(expected)


@pytest.mark.parametrize(
    ("given", "command"),
    [
        pytest.param("configs/my job.yaml", "e2e run 'configs/my job.yaml' --focus '^t$'", id="file"),
        pytest.param("local", "e2e run local --focus '^t$'", id="job"),
        pytest.param("--help", "", id="option"),
        pytest.param("caf\u00e9.yaml", "", id="cannot-be-typed"),
    ],
)
def test_the_command_names_what_the_run_was_given(given: str, command: str) -> None:
    text = page(build(99, Case("t", Status.FAILED), metadata=(("e2e-job", given),)), job="ci-job")

    assert text.count(command or "e2e run") == (2 if command else 0)  # for the case, and for all of them


def test_builds_of_other_harnesses_get_no_command() -> None:
    assert "e2e run" not in page(build(99, BAD))


def test_evidence_is_found_by_the_hash_of_the_title() -> None:
    digest = "e3b98a4d"  # sha256("t")
    files = tuple(Artifact(f"artifacts/failures/{slug}/case.txt", 7) for slug in (f"t-{digest}", "other-00000000"))

    assert "Evidence case.txt 7 B Run it again" in page(build(99, BAD, artifacts=files))


@pytest.mark.parametrize(
    ("made", "expected"),
    [
        pytest.param(build(99, GOOD, passed=True, result="SUCCESS"), "1 of 1 test passed", id="passed"),
        pytest.param(build(99, GOOD, BAD, Case("u", Status.FAILED)), "1 of 2 tests failed", id="failed"),
        pytest.param(build(99, GOOD), "The build failed outside of its tests", id="outside"),
        pytest.param(build(99), "The build failed before any test", id="before"),
        pytest.param(build(99, GOOD, result="ABORTED"), "Stopped after 1 test", id="aborted"),
        pytest.param(build(99, is_finished=False), "This build has not finished yet", id="running"),
        pytest.param(build(9, is_finished=False), "This build never finished", id="lost"),
        pytest.param(
            build(99, GOOD, steps=(Case("e2e.Down", Status.FAILED),)), "The step Down failed; 1 test passed", id="step"
        ),
    ],
)
def test_headline(made: Build, expected: str) -> None:
    assert f" {expected} " in page(made)


def test_parts_stand_below_their_step_and_tell_why_it_failed() -> None:
    steps = (
        Case("e2e.Up: Make machines", Status.PASSED, 1.0),
        Case("e2e.Up: Reach machines", Status.FAILED, 2.0, text="no route to host"),
        Case("e2e.Up", Status.FAILED, 3.0, text="Reach machines failed"),
        Case("e2e.Down", Status.PASSED, 4.0),
    )
    text = page(build(99, steps=steps))
    told = text[text.index("Steps") : text.index("Artifacts")]

    assert told == (
        "Steps F failed Up 3.0 s Make machines 1.0 s F failed Reach machines 2.0 s no route to host P passed Down 4.0 s "
    )


def test_a_failure_says_how_flaky_its_test_was_until_then() -> None:
    shown = page(build(99, BAD, commit="b"), build(98, GOOD, commit="b"), build(97, BAD, commit="a"), build(96, GOOD))

    assert "not steady in 2 of 4 (≥ 15 %), both ways at 1 commit · TestGrid 0.0 %" in shown
