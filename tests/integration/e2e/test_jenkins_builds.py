"""Rendered Jenkins jobs, built as Jenkins builds them: what a green, a red, an aborted and a timed-out build leave behind."""

from __future__ import annotations

import json
import os
import random
import re
import shlex
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from e2e.lifecycle.state import build_number
from jobs.pins import constraints, lock_file
from jobs.tool import FEED, requirements
from providers.contracts import Binaries
from providers.releases.sources import sources_from_env
from tests.support.fake_provider.fake_pytest import FAILING, PASSING
from tests.support.gcs import Bucket, bucket, gcs_server
from tests.support.harness import JOB, Harness
from tests.support.jenkins import Agent, Built, secret_files
from upload.claim import claim
from upload.documents import Started
from upload.model import BuildRef
from upload.verify import verify

__all__ = ["bucket", "gcs_server"]

ROOT = Path(__file__).parents[3]
FULL = pytest.mark.full
ID = "tests-sudo"
SECRET = "canary-of-a-credential-77"
OF_A_JOB = ["jobResultsCache.json", "latest-build.txt"]


@dataclass(frozen=True, slots=True)
class Jenkins:
    """An agent, and the job that it builds."""

    harness: Harness
    agent: Agent
    bucket: Bucket
    has_tool: bool = True

    def job(self, *, name: str = JOB, around: dict[str, Any] | None = None, **config: Any) -> bytes:
        """Render a config through the command line; return the XML of one of its jobs."""
        given: dict[str, Any] = {
            "results": {"store": self.bucket.uri},
            "jenkins": {"credentials": {"E2E_SUDO_PASSWORD": ID}},
            **(around or {}),
        }
        path = self.harness.write_job(around=given, **config)
        out = self.harness.home / "xml"
        done = self.harness.e2e("jobs", "test", path, "--out", out)
        assert done.code == 0, done.err
        return (out / name / "config.xml").read_bytes()

    def install(self, name: str) -> None:
        """Have the tool of this checkout where a job looks for the one that it installs."""
        venv = self.agent.beside(name) / "e2e-venv"
        (venv / "bin").mkdir(parents=True, exist_ok=True)
        extras = {FEED} if name.endswith(FEED) else ()
        (venv / "requirements").write_text(requirements(extras, ()) + "\n")
        python = venv / "bin" / "python"
        python.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} "$@"\n')
        python.chmod(0o755)

    def build(self, xml: bytes, *, name: str = JOB, **how: Any) -> Built:
        if self.has_tool:
            self.install(name)
        return self.agent.build(name, xml, **how)

    def hangs_in(self, step: str) -> bool:
        """Say whether a run of this agent hangs in a step; of the suite, in its second case."""
        folders = [folder for folder in self.harness.folders() if (folder.path / "state.json").exists()]
        for folder in folders:
            if folder.read().step == step:
                events = "".join(path.read_text() for path in folder.work.glob("*.events.jsonl"))
                return step != "test" or ("Hanging" in events and '"finished"' in events)
        return False

    def tree(self) -> list[str]:
        """Return the objects of the job, without the build's id."""
        paths = [entry.path for entry in self.bucket.store().list(f"logs/{JOB}/")]
        return sorted(re.sub(r"/\d{14}/", "/BUILD/", path).removeprefix(f"logs/{JOB}/") for path in paths)

    def document(self, name: str) -> Any:
        (path,) = (e.path for e in self.bucket.store().list(f"logs/{JOB}/") if e.path.endswith(f"/{name}"))
        stored = self.bucket.store().read(path)
        assert stored is not None
        return json.loads(stored.body)


@pytest.fixture
def jenkins(harness: Harness, bucket: Bucket) -> Iterator[Jenkins]:
    online = replace(harness, variables=harness.variables | {"STORAGE_EMULATOR_HOST": bucket.endpoint})
    yield Jenkins(online, Agent(harness.home / "agent", online.variables, {ID: SECRET}), bucket)
    assert online.strays() == []


def build_tree(*artifacts: str) -> list[str]:
    """Return what a build of the fake provider leaves, whole."""
    of_build = ["build-log.txt", "finished.json", "started.json", *(f"artifacts/{name}" for name in artifacts)]
    return sorted([*OF_A_JOB, *(f"BUILD/{name}" for name in of_build)])


RUNNER = ("cases.jsonl", "cluster/c1/metadata.json", "junit_runner.xml", "original/junit_runner.xml.orig")
ARTIFACTS = (*RUNNER, "junit_01.xml", "original/junit_01.xml.orig")  # of a build with a suite that began


def told(jenkins: Jenkins) -> dict[str, Any]:
    """Return what finished.json says of the verdict and of Jenkins."""
    finished = jenkins.document("finished.json")
    of_jenkins = {key: value for key, value in finished["metadata"].items() if key.startswith("jenkins-")}
    return {"result": finished["result"], "passed": finished["passed"], **of_jenkins}


def of_number(number: int) -> dict[str, str]:
    return {
        "jenkins-job": JOB,
        "jenkins-build": str(number),
        "jenkins-url": f"https://jenkins.example.com/job/{JOB}/{number}/",
    }


@pytest.mark.parametrize(
    ("suite", "result", "verdict"),
    [("pass", "SUCCESS", True), ("fail", "FAILURE", False)],
    ids=["green", "red"],
)
def test_build_that_ends_by_itself_is_published_by_it(suite: str, result: str, verdict: bool, jenkins: Jenkins) -> None:
    built = jenkins.build(jenkins.job(suite=suite))

    assert (built.result, built.post_codes) == (result, (0,)), built.log
    assert told(jenkins) == {"result": result, "passed": verdict, **of_number(1)}
    assert jenkins.tree() == build_tree(*ARTIFACTS), built.log
    assert "nothing was killed" in built.log
    run = jenkins.harness.state()
    assert built.log.startswith("bucket: https://console.cloud.google.com/storage/browser/")
    assert built.description.startswith(f"{jenkins.bucket.uri}/logs/{JOB}/{run.build}/")
    env = dict(line.split("=", 1) for line in (jenkins.agent.workspace(JOB) / "e2e.env").read_text().splitlines())
    assert env == {
        "E2E_RUN": run.run,
        "E2E_RESULTS": f"{jenkins.bucket.uri}/logs/{JOB}/{run.build}/",
        "E2E_SITE": "",
        "E2E_TESTGRID": f"https://testgrid.k8s.io/tests-fake#{JOB}",
    }
    assert verify(jenkins.bucket.store(), now_s=run.ended_s).findings == ()


@pytest.mark.parametrize("step", ["up", "test", *(pytest.param(each, marks=FULL) for each in ("dump", "down"))])
def test_aborted_build_is_finished_by_the_step_after_it(step: str, jenkins: Jenkins) -> None:
    """Whatever of the lifecycle Jenkins' SIGKILL cuts off."""
    hangs: dict[str, Any] = {"suite": "stubborn"} if step == "test" else {step: "hang-once"}
    xml = jenkins.job(**hangs)

    built = jenkins.build(xml, abort_when=lambda: jenkins.hangs_in(step))

    run = jenkins.harness.state()
    ended = step in ("dump", "down")  # then the verdict stands
    assert built.result == "ABORTED", built.log
    assert run.is_ended
    assert not run.is_live
    expected = {"result": "SUCCESS", "passed": True} if ended else {"result": "ABORTED", "passed": False}
    assert told(jenkins) == {**expected, **of_number(1)}, built.log
    assert jenkins.tree() == build_tree(*(RUNNER if step == "up" else ARTIFACTS)), built.log
    assert verify(jenkins.bucket.store(), now_s=run.ended_s).findings == ()


def test_build_whose_suite_takes_too_long_is_a_failure_by_our_own_deadline(jenkins: Jenkins) -> None:
    built = jenkins.build(jenkins.job(suite="hang", timeouts={"test": "2s"}))

    assert (built.result, built.post_codes) == ("FAILURE", (0,)), built.log
    assert told(jenkins) == {"result": "FAILURE", "passed": False, **of_number(1)}
    assert jenkins.tree() == build_tree(*ARTIFACTS), built.log
    assert jenkins.harness.state().outcome.value.exit_code == 124


def test_build_that_was_aborted_before_it_began_leaves_nothing(jenkins: Jenkins) -> None:
    built = jenkins.build(jenkins.job(), abort_when=lambda: True)

    assert (built.result, jenkins.tree(), jenkins.harness.folders()) == ("ABORTED", [], [])
    assert built.post_codes == (0,), built.log


def test_next_build_of_an_agent_is_not_disturbed_by_an_aborted_one(jenkins: Jenkins) -> None:
    xml = jenkins.job(suite="hang")
    first = jenkins.build(xml, abort_when=lambda: jenkins.hangs_in("test"))

    second = jenkins.build(xml, more={"FAKE_BEHAVIOUR": "pass"})

    assert (first.result, second.result) == ("ABORTED", "SUCCESS"), second.log
    cache = jenkins.bucket.store().read(f"logs/{JOB}/jobResultsCache.json")
    assert cache is not None
    assert [entry["result"] for entry in json.loads(cache.body)] == ["ABORTED", "SUCCESS"]


def test_credentials_are_gone_when_a_build_is_over_and_stand_nowhere(jenkins: Jenkins) -> None:
    workspace = jenkins.agent.workspace(JOB)

    built = jenkins.build(jenkins.job(suite="hang"), abort_when=lambda: jenkins.hangs_in("test"))

    assert built.result == "ABORTED"
    assert not secret_files(workspace).exists()
    left = [path for path in jenkins.harness.home.rglob("*") if path.is_file() and "/state/" not in str(path)]
    assert [path for path in left if SECRET.encode() in path.read_bytes()] == []
    store = jenkins.bucket.store()
    objects = [store.read(entry.path) for entry in store.list("")]
    assert not any(SECRET.encode() in stored.body for stored in objects if stored is not None)


@pytest.fixture
def party(jenkins: Jenkins) -> dict[str, bytes]:
    """The jobs that the party of the config has once: name → XML."""
    path = jenkins.harness.write_job(suite="fail", around={"results": {"store": jenkins.bucket.uri}})
    configs = jenkins.harness.home / "providers" / "configs"
    configs.mkdir(parents=True)
    path.rename(configs / "fake.yaml")
    out = jenkins.harness.home / "party"
    done = jenkins.harness.e2e("jobs", "test", "--out", out)
    assert done.code == 0, done.err
    return {path.parent.name: path.read_bytes() for path in out.glob("tests-*/config.xml")}


def test_build_of_a_lost_agent_is_finished_by_the_cleanup_job(jenkins: Jenkins, party: dict[str, bytes]) -> None:
    began_s = int(time.time()) - 7200
    build = BuildRef("logs", JOB, build_number(began_s))
    claim(jenkins.bucket.store(), build, Started(began_s, "agent-2", "v1.36.3"), now_s=began_s, token=lambda: "t")

    built = jenkins.build(party["tests-e2e-cleanup"], name="tests-e2e-cleanup")

    assert built.result == "SUCCESS", built.log
    finished = jenkins.document("finished.json")
    assert (finished["result"], finished["passed"]) == ("ABORTED", False)
    assert jenkins.tree() == sorted([*OF_A_JOB, "BUILD/finished.json", "BUILD/started.json"])


def test_feed_job_makes_the_site_and_tells_news_once(jenkins: Jenkins, party: dict[str, bytes]) -> None:
    assert jenkins.harness.e2e("run", "fake").code == 1
    name, feed = "tests-e2e-feed", party["tests-e2e-feed"]

    first = jenkins.build(feed, name=name)
    second = jenkins.build(feed, name=name)

    assert (first.result, second.result) == ("UNSTABLE", "SUCCESS"), first.log + second.log
    assert FAILING in first.log
    assert (jenkins.agent.workspace(name) / "_results" / "site" / "index.html").is_file()


@dataclass(frozen=True, slots=True)
class Wanted:
    """What one build of the replay is made to come to."""

    behaviour: str
    result: str
    failed: frozenset[str]


OUTCOMES = (
    Wanted("pass", "SUCCESS", frozenset()),
    Wanted("fail", "FAILURE", frozenset({FAILING})),
    Wanted("hang", "ABORTED", frozenset()),
)


@pytest.mark.slow
@pytest.mark.parametrize("builds", [6, pytest.param(50, marks=FULL)])
def test_history_of_many_builds_is_what_they_came_to(builds: int, jenkins: Jenkins) -> None:
    """One job, built again and again with other outcomes; test-history reads all of them."""
    chosen = [OUTCOMES[number % 3] for number in range(builds)]
    random.Random(builds).shuffle(chosen)  # the same each time
    xml = jenkins.job(around={"results": {"store": str(jenkins.harness.store)}})
    for wanted in chosen:
        hangs = wanted.behaviour == "hang"
        built = jenkins.build(
            xml,
            abort_when=lambda: hangs and jenkins.hangs_in("test"),  # noqa: B023  # it is called in this round only
            more={"FAKE_BEHAVIOUR": wanted.behaviour},
        )
        assert built.result == wanted.result, built.log
    home = jenkins.harness.home
    uri = f"{jenkins.harness.store.as_uri()}/logs/"
    entry = {"contact": "someone", "prefix": "tests:", "sequential": False}
    (home / "buckets.yaml").write_text(yaml.safe_dump({uri: entry}))

    done = jenkins.harness.e2e("feed", "build", "buckets.yaml", "--out", "history")

    assert done.code == 0, done.err
    history = json.loads((home / "history" / "tests.json").read_text())
    names, found = history["test_names"], history["buckets"][uri][JOB]
    told = [
        {names[case["name"]]: bool(case.get("failed")) for case in found[number]["tests"]} for number in sorted(found)
    ]
    assert len(told) == builds
    suite = [{name: failed for name, failed in cases.items() if name in (PASSING, FAILING)} for cases in told]
    assert [frozenset(name for name, failed in cases.items() if failed) for cases in suite] == [
        w.failed for w in chosen
    ]
    assert all(suite_[PASSING] is False for suite_ in suite)


@pytest.fixture
def bare(jenkins: Jenkins, tmp_path: Path) -> Jenkins:
    """Return a Jenkins whose agent has nothing but Python, and a registry with the wheel of this checkout."""
    wheels = tmp_path / "wheels"
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(wheels)],
        cwd=ROOT,
        check=True,
        timeout=300,
    )
    of_pip = {name: value for name, value in os.environ.items() if name.startswith("PIP_") or "PROXY" in name.upper()}
    links = " ".join([str(wheels), *of_pip.get("PIP_FIND_LINKS", "").split()])
    variables = {**jenkins.agent.variables, **of_pip, "PIP_FIND_LINKS": links, "PIP_CACHE_DIR": pip_cache()}
    return replace(jenkins, agent=replace(jenkins.agent, variables=variables), has_tool=False)


def pip_cache() -> str:
    asked = [sys.executable, "-m", "pip", "cache", "dir"]
    return subprocess.run(asked, capture_output=True, text=True, timeout=60, check=True).stdout.strip()


@pytest.mark.slow
def test_agent_with_nothing_but_python_installs_the_tool_once_and_pinned(bare: Jenkins) -> None:
    xml = bare.job()
    venv = bare.agent.beside(JOB) / "e2e-venv"

    first = bare.build(xml)
    installed = (venv / "requirements").stat().st_mtime_ns
    second = bare.build(xml)

    assert (first.result, second.result) == ("SUCCESS", "SUCCESS"), first.log + second.log
    assert (venv / "requirements").stat().st_mtime_ns == installed
    frozen = [str(venv / "bin" / "python"), "-m", "pip", "list", "--format=freeze"]
    listed = subprocess.run(frozen, capture_output=True, text=True, timeout=60, check=True).stdout.splitlines()
    pinned = {line.partition(" ")[0] for line in constraints(lock_file().read_text())}
    strange = {line.lower().replace("_", "-") for line in listed} - pinned
    assert {line.partition("==")[0] for line in strange} <= {"federated-e2e", "pip", "setuptools"}


@pytest.fixture
def local(jenkins: Jenkins, binaries: Binaries) -> Jenkins:
    """Return a Jenkins whose agent has the programs of this machine's cache, which are complete."""
    jenkins.harness.variables["E2E_CACHE_DIR"] = str(sources_from_env(os.environ).cache)
    return jenkins


@pytest.mark.slow
@pytest.mark.parametrize(
    ("focus", "test", "abort", "result", "published"),
    [
        pytest.param("Passing", "120s", False, "SUCCESS", "SUCCESS", marks=FULL),
        pytest.param("Failing", "120s", False, "FAILURE", "FAILURE", marks=FULL),
        ("Hanging|Passing", "120s", True, "ABORTED", "ABORTED"),
        pytest.param("Hanging|Passing", "30s", False, "FAILURE", "FAILURE", marks=FULL),
    ],
    ids=["green", "red", "aborted", "timed-out"],
)
def test_build_with_a_real_control_plane(
    focus: str, test: str, abort: bool, result: str, published: str, local: Jenkins
) -> None:
    xml = local.job(
        around={"provider": {"name": "local"}},
        tester="tiny", suite=focus, timeouts={"test": test, "up": "240s", "total": "20m"},
    )  # fmt: skip

    built = local.build(xml, abort_when=lambda: abort and local.hangs_in("test"))

    assert (built.result, told(local)["result"]) == (result, published), built.log
    artifacts = {path.removeprefix("BUILD/artifacts/") for path in local.tree() if "/artifacts/" in path}
    assert {"junit_01.xml", "junit_runner.xml", "cluster/c1/metadata.json"} <= artifacts, sorted(artifacts)
    assert {path for path in local.tree() if "/artifacts/" not in path} == set(build_tree())
    assert verify(local.bucket.store(), now_s=local.harness.state().ended_s).findings == ()


def repository_of(jenkins: Jenkins, **around: Any) -> Path:
    """Write a config that pull requests may change into a repository; return its file, relative to that."""
    given = {"jenkins": {"repository": "tests/e2e-configs", "credentials": {"E2E_SUDO_PASSWORD": ID}}, **around}
    path = jenkins.harness.write_job(tester="pytest", suite="Discovery", around=given)
    file = Path("providers") / "configs" / "mine.yaml"
    (jenkins.harness.home / file).parent.mkdir(parents=True, exist_ok=True)
    path.rename(jenkins.harness.home / file)
    return file


def pull(
    jenkins: Jenkins, file: Path, change: dict[str, Any], and_then: Callable[[Path], None] = lambda _: None
) -> Built:
    """Build the pull request that changes a config, as the job that was rendered before has it."""
    out, name = jenkins.harness.home / "xml", f"pull-{JOB}"
    done = jenkins.harness.e2e("jobs", "test", file, "--out", out)
    assert done.code == 0, done.err

    def checkout(workspace: Path) -> None:
        (workspace / file).parent.mkdir(parents=True)
        document = yaml.safe_load((jenkins.harness.home / file).read_text())
        (workspace / file).write_text(yaml.safe_dump(document | change))
        and_then(workspace)

    of_plugin = {"ghprbGhRepository": "tests/e2e-configs", "ghprbPullId": "77"}
    xml = (out / name / "config.xml").read_bytes()
    return jenkins.build(xml, name=name, more=of_plugin, checkout=checkout)


@pytest.mark.slow
def test_pull_request_runs_its_config_and_keeps_the_results_on_the_agent(local: Jenkins) -> None:
    built = pull(local, repository_of(local), {"description": "changed"})

    assert (built.result, built.post_codes) == ("SUCCESS", (0,)), built.log
    store = (
        local.agent.beside(f"pull-{JOB}")
        / "pull"
        / "_results"
        / "bucket"
        / "pr-logs"
        / "pull"
        / "tests_e2e-configs"
        / "77"
    )
    (finished,) = store.glob(f"{JOB}/*/finished.json")
    assert json.loads(finished.read_text())["result"] == "SUCCESS"
    assert local.tree() == []


@pytest.mark.parametrize(
    "change",
    [
        {"hooks": {"before_up": {"command": ["touch", "PWNED"], "timeout": "5s"}}},
        {"suite": {"tester": "command", "command": ["touch", "PWNED"]}},
        {"provider": {"name": "existing"}},
        {"kubernetes": "file:///tmp/evil"},
    ],
    ids=["hook", "tester", "provider", "programs"],
)
def test_pull_request_has_nothing_of_its_own_executed(change: dict[str, Any], jenkins: Jenkins) -> None:
    built = pull(jenkins, repository_of(jenkins), change)

    assert built.result == "FAILURE"
    assert "an untrusted config must not have" in built.log
    assert list(jenkins.agent.root.rglob("PWNED")) == []
    assert jenkins.harness.folders() == []


def test_pull_request_that_brings_a_tool_or_links_gets_nowhere(jenkins: Jenkins) -> None:
    file = repository_of(jenkins)

    def evil(workspace: Path) -> None:
        python = workspace / ".venv" / "bin" / "python"
        python.parent.mkdir(parents=True)
        python.write_text("#!/bin/sh\ntouch PWNED\n")
        python.chmod(0o755)
        (workspace / ".venv" / "requirements").write_text(requirements((), ()) + "\n")
        (workspace / "e2e").mkdir()
        (workspace / "e2e" / "__main__.py").write_text("open('PWNED', 'w')")
        (workspace / file).unlink()
        (workspace / file).symlink_to("/etc/passwd")

    built = pull(jenkins, file, {}, evil)

    assert (built.result, built.post_codes) == ("FAILURE", (0,))
    assert "links below providers are refused" in built.log
    assert list(jenkins.agent.root.rglob("PWNED")) == []


@pytest.mark.full
@pytest.mark.slow
def test_soak_builds_use_one_cluster_and_leave_it(local: Jenkins) -> None:
    around = {"provider": {"name": "local"}, "suite": {"tester": "tiny", "preset": "soak", "focus": "Passing"}}
    xml = local.job(around=around)

    first, second = local.build(xml), local.build(xml)

    assert (first.result, second.result) == ("SUCCESS", "SUCCESS"), first.log + second.log
    assert (first.post_codes, second.post_codes) == ((0,), (0,))
    assert [folder.read().command for folder in local.harness.folders()].count("up") == 1
    published = [path for path in local.tree() if path.endswith("finished.json")]
    assert published == ["BUILD/finished.json"] * 2
    kept = [folder.name for folder in local.harness.folders() if folder.read().is_live]
    assert len(kept) == 1
    assert local.harness.e2e("down", kept[0]).code == 0
