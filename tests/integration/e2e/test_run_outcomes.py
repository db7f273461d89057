"""The table of DESIGN section 6: how each way to fail ends, as exit code and as what is published."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

import pytest

from tests.support.harness import JOB, Harness

CANARY = "canary-5b1f0c9d7e"


@dataclass(frozen=True)
class Way:
    """One way a run can go: how the fakes behave, and the exit code, result and first failure that must come of it."""

    code: int
    result: str
    failure: str | None = None
    suite: str = "pass"
    provider: dict[str, Any] = field(default_factory=dict)
    timeouts: dict[str, str] = field(default_factory=dict)
    notes: str | None = None


WAYS = {
    "passed": Way(0, "SUCCESS"),
    "case-failed": Way(1, "FAILURE", "Test: 1 of 2 cases failed", suite="fail"),
    "file-does-not-import": Way(1, "FAILURE", "Test: 1 of 2 cases failed", suite="broken"),
    "nothing-selected": Way(
        2, "FAILURE", "Test: nothing selected: no case matches preset, --select, --focus and --skip", suite="nothing"
    ),
    "tester-refuses": Way(2, "FAILURE", "Test: pytest refused to start: ERROR: what is this?", suite="usage"),
    "tester-breaks": Way(5, "FAILURE", "Test: pytest ended with code 3: INTERNALERROR> oh no", suite="internal"),
    "tester-killed": Way(5, "FAILURE", "Test: pytest was killed, and not by us: out of memory?", suite="killed"),
    "up-fails": Way(3, "FAILURE", "Up: the cloud said no", provider={"up": "fail"}),
    "up-has-a-bug": Way(5, "FAILURE", "Up: a bug of ours: KeyError: 'no such thing'", provider={"up": "bug"}),
    "up-exits": Way(5, "FAILURE", "Up: a bug of ours: SystemExit: 0", provider={"up": "exit"}),
    "up-is-late": Way(124, "FAILURE", "Up: up was not done after 1 s", provider={"up": "late"}, timeouts={"up": "1s"}),
    "up-overlooks-its-deadline": Way(
        124, "FAILURE", "Up: up was not done after 1 s", provider={"up": "swallow"}, timeouts={"up": "1s"}
    ),
    "suite-is-late": Way(124, "FAILURE", "Test: test was not done after 2 s", suite="hang", timeouts={"test": "2s"}),
    "machine-lost": Way(
        3, "FAILURE", "Test: machines were lost while the suite ran: n1: it was booted anew", suite="fail",
        provider={"lost": {"n1": "it was booted anew"}}, notes="Test: 1 of 2 cases failed",
    ),
    "machine-lost-and-suite-late": Way(
        3, "FAILURE", "Test: machines were lost while the suite ran: n1: it was booted anew", suite="hang",
        provider={"lost": {"n1": "it was booted anew"}}, timeouts={"test": "2s"}, notes="Test: test was not done after 2 s",
    ),
    "machine-lost-under-a-green-suite": Way(0, "SUCCESS", provider={"lost": {"n1": "it was booted anew"}}),
    "losses-unknown": Way(1, "FAILURE", "Test: 1 of 2 cases failed", suite="fail", provider={"lost": "fail"}),
    "dump-fails": Way(3, "FAILURE", "Dump: the cloud said no", provider={"dump": "fail"}),
    "down-fails": Way(3, "FAILURE", "Down: the cloud said no", provider={"down": "fail"}),
    "leftovers": Way(3, "FAILURE", "Down: left over after down: thing disk-1", provider={"left": ["disk-1"]}),
    "first-failure-wins": Way(
        1, "FAILURE", "Test: 1 of 2 cases failed", suite="fail", provider={"dump": "fail", "down": "bug"},
        notes="Dump: the cloud said no; Down: a bug of ours: KeyError: 'no such thing'",
    ),
    "dump-and-down-after-failed-up": Way(
        3, "FAILURE", "Up: the cloud said no", provider={"up": "fail", "dump": "bug"},
        notes="Dump: a bug of ours: KeyError: 'no such thing'",
    ),
}  # fmt: skip
IN_MAKE_TEST = ("passed", "case-failed", "up-overlooks-its-deadline", "first-failure-wins")


@pytest.mark.parametrize(
    "way",
    [pytest.param(way, id=name, marks=() if name in IN_MAKE_TEST else pytest.mark.full) for name, way in WAYS.items()],
)
def test_run_ends_by_the_table(harness: Harness, way: Way) -> None:
    job = harness.write_job(suite=way.suite, timeouts=way.timeouts, **way.provider)

    done = harness.e2e("run", job)

    state = harness.state()
    finished = harness.finished()
    metadata = finished["metadata"]
    told = (done.code, finished["result"], finished["passed"], metadata.get("failure"), metadata.get("notes"))
    assert told == (way.code, way.result, way.code == 0, way.failure, way.notes), done.err
    assert (state.published, state.is_ended) == (True, True)
    assert (state.outcome.value.exit_code, "Traceback" in done.err) == (way.code, False)
    if way.provider.get("down", "ok") == "ok":
        assert harness.strays() == []


def test_run_publishes_the_layout_of_the_readers(harness: Harness) -> None:
    done = harness.e2e("run", harness.write_job(suite="fail"))

    (build,) = harness.builds()
    names = {str(path.relative_to(build)) for path in build.rglob("*") if path.is_file()}
    assert done.code == 1
    assert names == {
        "started.json",
        "finished.json",
        "build-log.txt",
        "artifacts/junit_01.xml",
        "artifacts/junit_runner.xml",
        "artifacts/cases.jsonl",
        "artifacts/cluster/c1/metadata.json",
        "artifacts/original/junit_01.xml.orig",
        "artifacts/original/junit_runner.xml.orig",
    }
    assert harness.e2e("verify", harness.store).code == 0


def test_run_publishes_no_secret_that_the_provider_told(harness: Harness) -> None:
    done = harness.e2e("run", harness.write_job())

    assert done.code == 0
    assert CANARY in "".join(path.read_text() for path in (harness.home / "_artifacts").rglob("metadata.json"))
    published = [path.read_bytes() for path in harness.store.rglob("*") if path.is_file()]
    assert [body for body in published if CANARY.encode() in body] == []


def test_log_begins_and_ends_with_the_addresses(harness: Harness) -> None:
    harness.e2e("run", harness.write_job(suite="fail"))

    (build,) = harness.builds()
    lines = [line.partition(" ")[2] for line in (build / "build-log.txt").read_text().splitlines()]
    addresses = [
        f"results:  {build.as_uri()}/",
        f"site:     {(harness.store.parent / 'site' / 'index.html').as_uri()}",
        "testgrid: https://testgrid.k8s.io/tests-fake#ci-kubernetes-e2e-fake (once it is published to a bucket)",
    ]
    assert (lines[:3], lines[-3:]) == (addresses, addresses)
    assert f"again: e2e run {harness.home / 'fake.yaml'} " in lines[-4]
    (page,) = (harness.store.parent / "site").rglob("build-*.html")
    assert f"Run all again</b> <code>e2e run {harness.home / 'fake.yaml'} --focus" in page.read_text()
    assert (harness.store.parent / "site" / "index.html").exists()


def test_version_that_cannot_be_found_out_is_published_as_a_failure_of_the_provider(harness: Harness) -> None:
    job = harness.write_job()
    job.write_text(job.read_text().replace("v1.36.3", "https://127.0.0.1:1/release"))

    done = harness.e2e("run", job)

    finished = harness.finished()
    assert (done.code, finished["result"], finished["version"]) == (3, "FAILURE", "unknown"), done.err
    assert finished["metadata"]["version-source"] == "https://127.0.0.1:1/release"
    assert finished["metadata"]["failure"].startswith("Up: ")
    assert harness.state().clusters == {"c1": "none"}


def test_run_into_a_store_that_cannot_be_written_creates_nothing(harness: Harness) -> None:
    (harness.home / "file").write_text("no folder")

    done = harness.e2e("run", harness.write_job(), "--results", harness.home / "file" / "bucket")

    assert (done.code, harness.folders(), harness.strays()) == (4, [], [])
    assert "file" in done.err


def test_run_of_a_pull_request_is_published_with_its_alias(harness: Harness) -> None:
    pull = ("--pull", "kubernetes_kubernetes/7")

    planned = harness.e2e("run", harness.write_job(), *pull, "--build", "20260722000000", "--dry-run")
    done = harness.e2e("run", harness.write_job(), *pull, "--build", "20260722000000")

    bucket = harness.store
    build = bucket / "pr-logs/pull/kubernetes_kubernetes/7" / JOB / "20260722000000"
    alias = bucket / "pr-logs/directory" / JOB / "20260722000000.txt"
    assert (done.code, harness.e2e("verify", bucket).code) == (0, 0), done.err
    assert sorted(path.name for path in build.iterdir()) == [
        "artifacts",
        "build-log.txt",
        "finished.json",
        "started.json",
    ]
    assert alias.read_text().strip() == build.as_uri()
    assert f"results:  {build.as_uri()}/" in done.err
    assert [f"upload:     {path.as_uri()}" in planned.out for path in (alias, build / "finished.json")] == [True, True]


@pytest.mark.parametrize("pull", ["kubernetes_kubernetes/x", "../logs", "kubernetes_kubernetes"])
def test_pull_request_that_no_reader_finds_is_refused(harness: Harness, pull: str) -> None:
    done = harness.e2e("run", harness.write_job(), "--pull", pull)

    assert (done.code, harness.store.exists()) == (2, False)
    assert "give --pull ORG_REPO/NUMBER" in done.err


def test_site_that_cannot_be_made_is_only_a_note(harness: Harness) -> None:
    harness.store.parent.mkdir(parents=True)
    (harness.store.parent / "site").write_text("a file")

    done = harness.e2e("run", harness.write_job())

    assert (done.code, harness.finished()["result"]) == (0, "SUCCESS")
    assert "the site was not made: " in done.err


def test_cluster_that_does_not_answer_is_published_as_a_failure(harness: Harness) -> None:
    user = {"name": "u", "user": {"token": "nothing-but-a-test"}}
    cluster = {"name": "c", "cluster": {"server": "http://127.0.0.1:1"}}
    context = {"name": "x", "context": {"cluster": "c", "user": "u"}}
    document = {"current-context": "x", "contexts": [context], "clusters": [cluster], "users": [user]}
    path = harness.home / "kubeconfig"
    path.write_text(json.dumps({"apiVersion": "v1", "kind": "Config", **document}))

    job = harness.write_job(name="existing", kubeconfig=str(path), timeouts={"up": "3s"})
    done = harness.e2e("run", job)

    finished = harness.finished()
    assert (done.code, finished["result"], finished["version"]) == (3, "FAILURE", "unknown")
    assert finished["metadata"]["failure"].startswith("Up: ")
    assert "http://127.0.0.1:1" in finished["metadata"]["failure"]
    assert harness.e2e("verify", harness.store).code == 0


@pytest.mark.parametrize(
    ("folder", "what"),
    [
        pytest.param("state/runs/mine", "state of runs", id="state"),
        pytest.param("results/bucket/logs/mine", "store", id="store"),
        pytest.param("results/site", "site", id="site"),
        pytest.param("results", "store", id="around-the-store"),
    ],
)
def test_artifacts_in_a_folder_of_ours_are_refused(harness: Harness, folder: str, what: str) -> None:
    done = harness.e2e("run", harness.write_job(), "--artifacts", folder)

    assert (done.code, harness.folders(), harness.builds()) == (2, [], [])
    assert f"--artifacts {folder} is mixed up with the {what}, " in done.err


def test_artifacts_that_are_not_empty_are_refused(harness: Harness) -> None:
    (harness.home / "mine").mkdir()
    (harness.home / "mine" / "file").write_text("")

    done = harness.e2e("run", harness.write_job(), "--artifacts", "mine")

    assert (done.code, harness.folders(), harness.builds()) == (2, [], [])
    assert "--artifacts mine is not empty" in done.err


def test_artifacts_go_where_they_are_asked_for(harness: Harness) -> None:
    done = harness.e2e("run", harness.write_job(), "--artifacts", "mine")

    assert (done.code, (harness.home / "mine" / "junit_01.xml").exists()) == (0, True)


def test_build_that_is_taken_is_refused(harness: Harness) -> None:
    job = harness.write_job()

    first = harness.e2e("run", job, "--build", "20260101000000")
    second = harness.e2e("run", job, "--build", "20260101000000")

    assert (first.code, second.code) == (0, 2)
    assert [build.name for build in harness.builds()] == ["20260101000000"]


@pytest.mark.parametrize("build", ["a/b", "abc", "007", "0", "-1", str(2**53)])
@pytest.mark.parametrize("more", [pytest.param((), id="run"), pytest.param(("--dry-run",), id="dry-run")])
def test_build_that_is_no_id_is_refused_before_anything_else(
    harness: Harness, build: str, more: tuple[str, ...]
) -> None:
    done = harness.e2e("run", harness.write_job(), f"--build={build}", *more)

    assert (done.code, done.out, harness.folders()) == (2, "", [])
    assert f"--build {build}: a plain integer" in done.err


def test_dry_run_refuses_a_build_of_another_width(harness: Harness) -> None:
    job = harness.write_job()
    harness.e2e("run", job, "--build", "20260101000000")

    done = harness.e2e("run", job, "--build", "7", "--dry-run")

    assert done.code == 2
    assert "the job's ids have 14 digits, as in 20260101000000" in done.err


def test_dry_run_changes_nothing(harness: Harness) -> None:
    done = harness.e2e("run", harness.write_job(), "--dry-run")

    lines = done.out.splitlines()
    assert done.code == 0
    assert [line.split(",")[0] for line in lines if line.startswith("step:")] == [
        "step:       Up",
        "step:       Test",
        "step:       Dump",
        "step:       Down",
        "step:       Publish",
    ]
    assert "kubernetes: v1.36.3 (exact)" in lines
    assert [line for line in lines if line.endswith("/latest-build.txt")] != []
    assert "--junitxml" not in done.out
    left = {path.name for path in harness.home.iterdir()}
    assert left == {"fake.yaml", "site"}


def test_dry_run_in_json_is_an_object_a_line(harness: Harness) -> None:
    done = harness.e2e("run", harness.write_job(), "--dry-run", "--log-format", "json", "--build", "20260101000000")

    planned = [json.loads(line) for line in done.out.splitlines()]
    assert planned[:2] == [
        {"event": "run", "run": f"{JOB}-20260101000000"},
        {"event": "kubernetes", "version": "v1.36.3", "source": "exact", "unresolved": ""},
    ]
    assert [each["name"] for each in planned if each["event"] == "step"] == ["Up", "Test", "Dump", "Down", "Publish"]
    assert planned[-1] == {"event": "upload", "uri": f"{harness.store.as_uri()}/logs/{JOB}/latest-build.txt"}


def test_dry_run_with_v_shows_the_command_lines(harness: Harness) -> None:
    done = harness.e2e("run", harness.write_job(), "--dry-run", "-v")

    assert done.code == 0
    assert [
        line.split("--junitxml")[1].split()[0].rpartition("/")[2]
        for line in done.out.splitlines()
        if "--junitxml" in line
    ] == [
        "junit_01.1.xml",
        "junit_02.1.xml",
    ]
