"""up, test, dump, down and the questions in between, each a process of its own, against one kept cluster."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from e2e.lifecycle.state import Failure, Presence
from tests.support.harness import JOB, Harness, kill
from upload.errors import Outcome


@pytest.fixture
def run(harness: Harness) -> str:
    """Return the name of a run whose cluster is up."""
    done = harness.e2e("up", harness.write_job())
    assert done.code == 0, done.err
    return done.out.strip()


def test_cluster_lives_across_processes(harness: Harness, run: str) -> None:
    kubeconfig = harness.e2e("kubeconfig")
    shell = harness.e2e("shell", "-c", 'echo "$KUBECONFIG"')
    first, second = harness.e2e("test"), harness.e2e("test", JOB, "--focus", "fail")
    dump = harness.e2e("dump", run)
    down = harness.e2e("down", "fake")

    path = str(harness.state_dir / "runs" / run / "cluster" / "c1" / "kubeconfig")
    assert (kubeconfig.out.strip(), shell.out.strip()) == (path, path)
    assert (first.code, first.out) == (0, "1 passed\n")
    assert (second.code, second.out.splitlines()) == (
        1,
        [
            "1 passed, 1 failed",
            "  failed: [sig-fake] Failing should be done",
            f"artifacts: {harness.state().artifacts}",
            rf"again: e2e test {run} --focus '^\[sig-fake\] Failing should be done$'",
        ],
    )
    assert (Path(dump.out.strip()) / "c1" / "metadata.json").exists()
    assert (down.code, harness.strays(), harness.builds()) == (0, [], [])
    state = harness.state()
    assert (state.clusters, state.is_live, state.needs_work) == ({"c1": Presence.GONE}, False, False)
    assert not (harness.state_dir / "runs" / run / "cluster" / "c1").exists()


def test_cluster_that_was_only_brought_up_is_dumped_as_often_as_asked(harness: Harness, run: str) -> None:
    for _ in range(2):
        dump = harness.e2e("dump", run)
        assert dump.code == 0, dump.err
        assert (Path(dump.out.strip()) / "c1" / "metadata.json").exists()


def test_status_shows_a_kept_cluster_with_its_expiry(harness: Harness, run: str) -> None:
    text, described = harness.e2e("status"), json.loads(harness.e2e("status", run, "--format", "json").out)["runs"]

    assert text.out.startswith(run)
    assert "done, cluster up, expires in 24" in text.out
    (one,) = described
    assert (one["run"], one["clusters"], one["kept"], one["step"]) == (run, {"c1": "up"}, True, "")


def test_failed_up_is_dumped_and_taken_down(harness: Harness) -> None:
    done = harness.e2e("up", harness.write_job(up="fail"))

    assert (done.code, done.out, harness.strays()) == (3, "", [])
    assert "ask the cloud" in done.err
    assert list((harness.home / "_artifacts").rglob("metadata.json")) != []


def test_killed_up_goes_on_by_its_name(harness: Harness) -> None:
    process = harness.start("up", harness.write_job(up="hang-once"))
    run = harness.wait_for(lambda state: state.step == "up").run
    harness.wait_for(lambda _state: list((harness.state_dir / "runs" / run).glob("**/met")) != [])
    kill(process, signal.SIGKILL)

    done = harness.e2e("up", run)
    again = harness.e2e("up", run)

    assert (done.code, done.out, again.code, again.out) == (0, f"{run}\n", 0, f"{run}\n"), done.err
    assert (harness.state().clusters, harness.state().failures) == ({"c1": "up"}, ())
    assert harness.e2e("down").code == 0
    ended = harness.e2e("up", run)
    assert (ended.code, ended.err.splitlines()[0]) == (2, f"e2e: {run} has ended")


def test_up_does_not_go_on_with_a_run_of_another_kind(harness: Harness) -> None:
    harness.e2e("run", harness.write_job(), "--keep", "always")
    run = harness.state().run

    done = harness.e2e("up", run)

    assert (done.code, done.err) == (2, f"e2e: {run} was begun by e2e run\n     try: e2e down {run} --resume\n")
    assert harness.e2e("down").code == 0


@pytest.mark.full
def test_interrupted_up_is_taken_down(harness: Harness) -> None:
    process = harness.start("up", harness.write_job(up="hang"))
    harness.wait_for(lambda state: state.step == "up")

    done = kill(process, signal.SIGINT)

    assert (done.code, harness.strays()) == (130, [])


def test_what_is_published_stays_as_it_is(harness: Harness) -> None:
    assert harness.e2e("run", harness.write_job(suite="fail"), "--keep", "on-failure").code == 1
    before = harness.state()
    published = contents(Path(before.artifacts))

    tested = harness.e2e("test", "--focus", "pass")
    down = harness.e2e("down")

    after = harness.state()
    assert (tested.code, tested.out, down.code) == (0, "1 passed\n", 0), (tested.err, down.err)
    assert contents(Path(before.artifacts)) == published
    assert (after.artifacts, after.steps, after.tally) == (before.artifacts, before.steps, before.tally)
    (of_test,), (of_down,) = (
        list(Path(before.artifacts).parent.glob(f"{before.run}.{verb}-*")) for verb in ("test", "down")
    )
    assert "Failing" not in (of_test / "junit_01.xml").read_text()
    assert (of_down / "cluster" / "c1" / "metadata.json").exists()
    assert f"the artifacts of this go to {of_test}" in tested.err


def contents(folder: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize(
    ("keep", "suite", "kept"),
    [
        pytest.param("on-failure", "fail", True, id="on-failure-and-failed"),
        pytest.param("on-failure", "pass", False, id="on-failure-and-passed", marks=pytest.mark.full),
        pytest.param("always", "pass", True, id="always", marks=pytest.mark.full),
        pytest.param("never", "fail", False, id="never", marks=pytest.mark.full),
    ],
)
def test_keep_decides_whether_the_cluster_stays(harness: Harness, keep: str, suite: str, kept: bool) -> None:
    done = harness.e2e("run", harness.write_job(suite=suite), "--keep", keep)

    state = harness.state()
    assert (state.kept, state.is_live, bool(harness.strays()), state.published) == (kept, kept, kept, True)
    if kept:
        assert f"e2e down {state.run}" in done.err
        again = harness.e2e("test", "--focus", "pass")
        assert again.code == 0
        # the published verdict is not changed by what is tested later
        assert harness.e2e("results").code == done.code
        assert (harness.e2e("down").code, harness.strays()) == (0, [])


def test_wait_and_results_exit_with_the_verdict(harness: Harness) -> None:
    process = harness.start("run", harness.write_job(suite="fail"))
    harness.wait_for(lambda state: state.step != "")

    early = harness.e2e("wait", "--timeout", "1s") if process.poll() is None else None
    waited = harness.e2e("wait")
    process.wait(60)
    results = harness.e2e("results", "--format", "json")

    assert early is None or early.code in (1, 124)
    assert (waited.code, results.code) == (1, 1)
    told = json.loads(results.out)
    assert told["cases"]["failed_names"] == ["[sig-fake] Failing should be done"]
    assert (told["outcome"], told["exit_code"], told["published"]) == ("tests_failed", 1, True)
    process.communicate()


def test_expired_cluster_is_listed_and_removed(harness: Harness, run: str) -> None:
    nothing = harness.e2e("gc")
    (folder,) = harness.folders()
    folder.write(replace(folder.read(), expires_s=1))

    listed, removed = harness.e2e("gc"), None
    still = harness.strays()
    removed = harness.e2e("gc", "--yes")

    assert (nothing.code, nothing.out) == (0, "")
    assert listed.out.startswith(f"{run}: process sleep")
    assert (len(still), removed.code, harness.strays()) == (1, 0, [])


def test_processes_of_a_run_that_was_deleted_by_hand_are_listed_and_ended(harness: Harness, run: str) -> None:
    runs = harness.state_dir / "runs"
    carried = {
        "lost": {"KWOK_WORKDIR": str(runs / "ci-lost-1" / "cluster" / "c1" / "kwok")},
        "known": {"KWOK_WORKDIR": str(runs / run / "cluster" / "c1" / "kwok")},
        "elsewhere": {"KWOK_WORKDIR": str(harness.home / "runs" / "ci-lost-1")},
        "other": {"KUBECONFIG": str(runs / "ci-lost-1" / "cluster" / "c1" / "kubeconfig")},
    }
    sleepers = {
        name: subprocess.Popen(["sleep", "300"], env={"PATH": "/usr/bin:/bin", **env}) for name, env in carried.items()
    }
    try:
        listed = harness.e2e("gc")
        removed = harness.e2e("gc", "--yes")
        ended = {name: sleeper.poll() for name, sleeper in sleepers.items()}
        sleepers["lost"].wait(timeout=60)
        again = harness.e2e("gc")
    finally:
        for sleeper in sleepers.values():
            sleeper.kill()
            sleeper.wait()

    line = f"ci-lost-1: its folder is gone: sleep (pid {sleepers['lost'].pid})\n"
    assert (listed.code, listed.out, listed.err) == (0, line, "e2e gc --yes removes them\n")
    assert (removed.code, removed.out) == (0, line)
    assert [name for name, code in ended.items() if code is not None] == ["lost"]
    assert (again.code, again.out) == (0, "")


def test_run_that_cannot_be_used_keeps_no_other_from_being_removed(harness: Harness) -> None:
    job = harness.write_job()
    first, second = (harness.e2e("up", job).out.strip() for _ in range(2))
    broken, healthy = (folder for name in (first, second) for folder in harness.folders() if folder.name == name)
    for folder in (broken, healthy):
        folder.write(replace(folder.read(), expires_s=1))
    broken.write(replace(broken.read(), job={"job": JOB}))
    healthy.write(replace(healthy.read(), artifacts="/dev/null/x"))

    down, listed = harness.e2e("down", first), harness.e2e("gc")
    removed = harness.e2e("down", second)

    assert down.code == 2
    assert f"the config of {first} cannot be used: " in down.err
    assert [line.split(":")[0] for line in listed.out.splitlines()] == [second, first]
    assert f"{first}: unknown: the config of {first} cannot be used" in listed.out
    assert removed.code == 0, removed.err
    assert "the artifacts cannot be written to /dev/null/x: Not a directory; going on in " in removed.err
    assert len(harness.strays()) == 1


def test_publish_that_failed_leaves_no_mark_on_the_verdict(harness: Harness) -> None:
    assert harness.e2e("run", harness.write_job()).code == 0
    (folder,), (build,) = harness.folders(), harness.builds()
    shutil.rmtree(build / "artifacts")
    (build / "finished.json").unlink()
    (build / "build-log.txt").unlink()
    broken = Failure("Publish", Outcome.BUG, "a bug of ours: ImportError: no such thing")
    folder.write(replace(folder.read(), published=False, failures=(broken,)))

    done = harness.e2e("publish", folder.name)

    assert done.code == 0, done.err
    assert (harness.finished()["result"], harness.finished()["metadata"].get("failure")) == ("SUCCESS", None)
    assert harness.e2e("results").code == 0


def test_run_without_a_store_is_published_later(harness: Harness, run: str) -> None:
    harness.e2e("test")
    refused = harness.e2e("publish", run)
    done = harness.e2e("publish", run, "--results", harness.store)
    (first,) = harness.builds()
    again = harness.e2e("publish", run)
    attempt = harness.e2e("publish", run, "--new-attempt")

    assert (refused.code, done.code, again.code, attempt.code) == (2, 0, 2, 0), (done.err, attempt.err)
    (second,) = set(harness.builds()) - {first}
    by_build, by_run = (harness.e2e("results", name).out for name in (f"{JOB}-{second.name}", run))
    assert run == f"{JOB}-{first.name}"
    assert (by_build.splitlines()[0], by_build) == (run, by_run)
    assert f", build {second.name}" in harness.e2e("status").out
    documents = [json.loads((build / "finished.json").read_text()) for build in (first, second)]
    assert [document["result"] for document in documents] == ["SUCCESS", "SUCCESS"]
    assert [document["metadata"].get("attempt-of") for document in documents] == [None, first.name]
    assert f"e2e publish {run} --results URI" in refused.err
    assert harness.e2e("verify", harness.store).code == 0


def test_id_of_a_run_that_somebody_else_took_is_passed_over(harness: Harness, run: str) -> None:
    harness.e2e("test")
    taken = harness.store / "logs" / JOB / run.removeprefix(f"{JOB}-")
    taken.mkdir(parents=True)
    (taken / "started.json").write_text("{}")

    done = harness.e2e("publish", run, "--results", harness.store)

    (mine,) = set(harness.builds()) - {taken}
    assert (done.code, (taken / "started.json").read_text(), mine > taken) == (0, "{}", True), done.err
    assert (harness.state().run, harness.state().build) == (run, mine.name)


def test_publish_that_failed_is_resumed(harness: Harness) -> None:
    job = harness.write_job()
    # a folder where finished.json goes: the store refuses it at the very end
    process = harness.start("run", job)
    harness.wait_for(lambda state: state.claimed)
    (build,) = harness.builds()
    (build / "finished.json").mkdir()
    process.communicate(timeout=60)
    failed = harness.state()
    (build / "finished.json").rmdir()

    done = harness.e2e("publish", failed.run)

    assert (process.returncode, failed.outcome.name, failed.published, failed.needs_work) == (4, "RESULTS", False, True)
    assert (done.code, harness.finished()["result"], harness.state().published) == (0, "SUCCESS", True), done.err
    assert harness.e2e("results").code == 0
    assert harness.e2e("verify", harness.store).code == 0


def test_cluster_that_is_gone_is_not_tested_and_keeps_its_verdict(harness: Harness, run: str) -> None:
    harness.e2e("down")
    before = harness.state()

    done, resumed = harness.e2e("test", run), harness.e2e("down", run, "--resume")

    assert (done.code, f"{run} has no cluster" in done.err, resumed.code) == (2, True, 0)
    assert (harness.state().failures, harness.state().outcome) == (before.failures, before.outcome)


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (["down"], "there is no such run"),
        (["test", "nothing-1"], "there is no run nothing-1"),
        (["kubeconfig"], "there is no such run"),
        (["down", "--abort"], "--abort belongs to --resume"),
        (["run", "no-such-job"], "unknown job 'no-such-job'"),
    ],
    ids=["down", "test", "kubeconfig", "abort", "job"],
)
def test_what_is_not_there_is_a_usage_error(harness: Harness, argv: list[str], message: str) -> None:
    done = harness.e2e(*argv)

    assert (done.code, message in done.err, "Traceback" in done.err) == (2, True, False)
