"""The plugin as pytest loads it: real runs of small suites, without a cluster and with one that does not answer."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import xml.etree.ElementTree as ET
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from providers.contracts import Cluster
from tests.support.fake_api import write_kubeconfig

ROOT = Path(__file__).parents[3]
PATIENCE_S = 60.0
WORKERS: list[tuple[str, ...]] = [(), ("-n", "2")]
WORKER_IDS = ["one-process", "two-workers"]
XDIST = pytest.mark.parametrize("workers", WORKERS, ids=WORKER_IDS)

HEAD = "import pytest\npytestmark = pytest.mark.sig('testing')\n"

# one case of every kind; the comments name them below
ALL_KINDS = f"""
{HEAD}
@pytest.fixture
def torn():
    yield
    raise RuntimeError("torn down badly")

@pytest.fixture
def unset():
    raise RuntimeError("not set up")

def test_pass():
    '''Thing should pass.'''

def test_fail():
    '''Thing should fail.'''
    assert 1 == 2

def test_torn(torn):
    '''Thing should pass and be torn down badly.'''

def test_fail_torn(torn):
    '''Thing should fail and be torn down badly.'''
    assert 1 == 2

def test_unset(unset):
    '''Thing should not be set up.'''

@pytest.mark.requires("dns", "pods-run")
def test_lacking():
    '''Thing should need what is lacking.'''

@pytest.mark.cluster_scoped
def test_refused():
    '''Thing should need what is not allowed.'''

@pytest.mark.conformance
@pytest.mark.parametrize("n", [1, 2])
def test_numbers(n):
    '''Thing should take numbers.'''
"""

STATUSES = {
    "[sig-testing] Thing should pass": "passed",
    "[sig-testing] Thing should fail": "failed",
    "[sig-testing] Thing should pass and be torn down badly": "failed",
    "[sig-testing] Thing should fail and be torn down badly": "failed",
    "[sig-testing] Thing should not be set up": "failed",
    "[sig-testing] Thing should need what is lacking": "skipped",
    "[sig-testing] Thing should need what is not allowed": "skipped",
    "[sig-testing] Thing should take numbers [1] [Conformance]": "passed",
    "[sig-testing] Thing should take numbers [2] [Conformance]": "passed",
}


@dataclass(frozen=True)
class Suite:
    """A folder with test files and everything that a run of them leaves."""

    home: Path

    @property
    def events_file(self) -> Path:
        return self.home / "events.jsonl"

    def argv(self, *args: str, with_cluster: bool = True) -> list[str]:
        cluster = [
            *("--e2e-cluster", str(self.home / "c1.json"), "--e2e-run", "ci-some-job-20260102030405"),
            *("--e2e-evidence", str(self.home / "failures"), "--e2e-events", str(self.events_file)),
        ]
        return [
            *(sys.executable, "-m", "pytest", str(self.home / "suite"), "-c", str(self.home / "suite/pytest.ini")),
            *("--junitxml", str(self.home / "junit.xml"), "--basetemp", str(self.home / "tmp")),
            *(cluster if with_cluster else ()),
            *args,
        ]

    def run(self, *args: str, with_cluster: bool = True) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            self.argv(*args, with_cluster=with_cluster),
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=PATIENCE_S,
            check=False,
        )

    def events(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.events_file.read_text().splitlines()]

    def finished(self) -> dict[str, dict[str, Any]]:
        return {event["name"]: event for event in self.events() if event["event"] == "finished"}

    def junit(self) -> list[tuple[str, str]]:
        """Return (name, status) of each testcase, sorted."""
        found = []
        for case in ET.parse(self.home / "junit.xml").iter("testcase"):
            tags = {child.tag for child in case} - {"properties"}
            status = "failed" if tags & {"failure", "error"} else "skipped" if "skipped" in tags else "passed"
            found.append((case.get("name", ""), status))
        return sorted(found)


MakeSuite = Callable[..., Suite]


def write_suite(home: Path, **files: str) -> Suite:
    suite = home / "suite"
    suite.mkdir()
    plugins = "--disable-plugin-autoload -p xdist -p e2e.plugin -p no:cacheprovider"
    (suite / "pytest.ini").write_text(f"[pytest]\naddopts = {plugins} --import-mode=importlib --strict-markers\n")
    for name, text in files.items():
        (suite / f"{name}.py").write_text(text)
    # the discard port of this machine: nothing listens there
    kubeconfig = write_kubeconfig(home, "http://127.0.0.1:9")
    cluster = Cluster(name="c1", kubeconfig=kubeconfig, version="v1.36.3", allow=frozenset())
    (home / "c1.json").write_text(json.dumps(cluster.to_json()))
    return Suite(home)


@pytest.fixture
def make_suite(tmp_path: Path) -> MakeSuite:
    return partial(write_suite, tmp_path)


@pytest.fixture(scope="module", params=WORKERS, ids=WORKER_IDS)
def all_kinds(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[Suite, int]:
    """Return a suite with a case of every kind after one run, and the run's exit code."""
    suite = write_suite(tmp_path_factory.mktemp("kinds"), test_kinds=ALL_KINDS)
    return suite, suite.run(*request.param).returncode


def test_every_case_is_published_once_under_its_title(all_kinds: tuple[Suite, int]) -> None:
    suite, code = all_kinds
    finished = suite.finished()

    assert (code, suite.junit()) == (1, sorted(STATUSES.items()))
    assert {name: event["status"] for name, event in finished.items()} == STATUSES
    assert suite.events()[0] == {"event": "collected", "total": 9}
    assert sorted(e["name"] for e in suite.events() if e["event"] == "started") == sorted(STATUSES)
    assert finished["[sig-testing] Thing should need what is lacking"]["text"] == (
        "cluster c1 lacks dns, pods-run (hollow nodes)"
    )
    assert finished["[sig-testing] Thing should need what is not allowed"]["text"] == (
        "cluster c1 does not allow cluster_scoped (provider.allow opts in)"
    )
    assert "torn down badly" in finished["[sig-testing] Thing should pass and be torn down badly"]["text"]


def test_failed_cases_leave_evidence(all_kinds: tuple[Suite, int]) -> None:
    files = list(all_kinds[0].home.glob("failures/*/case.txt"))
    texts = {path.read_text().split("\n", 1)[0]: path.read_text() for path in files}
    both = texts["[sig-testing] Thing should fail and be torn down badly"]

    assert sorted(texts) == sorted(name for name, status in STATUSES.items() if status == "failed")
    assert "assert 1 == 2" in both
    assert "torn down badly" in both.partition("failed in teardown")[2]
    assert (
        r"again: e2e run ci-some-job --focus '^\[sig-testing\] Thing should fail and be torn down badly$'"
        in both.splitlines()
    )


def test_evidence_names_the_file_that_the_job_was_given_by(make_suite: MakeSuite) -> None:
    suite = make_suite(test_kinds=ALL_KINDS)
    suite.run("--e2e-job=some job.yaml", "--e2e-focus=should fail$")

    (case,) = (suite.home / "failures").glob("*/case.txt")
    assert r"again: e2e run 'some job.yaml' --focus '^\[sig-testing\] Thing should fail$'" in case.read_text()


def test_second_failure_of_a_case_is_a_property_of_its_testcase(all_kinds: tuple[Suite, int]) -> None:
    properties = {
        case.get("name"): [(p.get("name"), "torn down badly" in p.get("value", "")) for p in case.iter("property")]
        for case in ET.parse(all_kinds[0].home / "junit.xml").iter("testcase")
    }

    assert {name: found for name, found in properties.items() if found} == {
        "[sig-testing] Thing should fail and be torn down badly": [("teardown-error", True)]
    }


def test_plugin_without_a_cluster_changes_nothing(make_suite: MakeSuite) -> None:
    body = "def test_a(): pass\ndef test_b(): assert 0\ndef test_c(client): pass\n"
    suite = make_suite(test_plain=body)

    def outcome(*args: str) -> tuple[int, list[str], list[tuple[str, str]]]:
        done = suite.run("-q", *args, with_cluster=False)
        lines = [line for line in done.stdout.splitlines() if not line.startswith((" ", ">")) and " in " not in line]
        return done.returncode, lines, suite.junit()

    with_plugin, without = outcome(), outcome("-p", "no:e2e.plugin")

    assert with_plugin == without
    assert with_plugin[2] == [("test_a", "passed"), ("test_b", "failed"), ("test_c", "failed")]


@XDIST
def test_two_tests_with_one_title_are_a_collection_error(make_suite: MakeSuite, workers: tuple[str, ...]) -> None:
    one = f"{HEAD}def test_one():\n    '''Thing should be one.'''\n"
    two = f"{HEAD}def test_two():\n    '''Thing should be one.'''\n"
    suite = make_suite(test_a=one, test_b=two)
    done = suite.run(*workers)

    said = "test_a.py::test_one and test_b.py::test_two have the same title '[sig-testing] Thing should be one'"
    assert said in done.stdout
    assert done.returncode != 0
    assert [event["event"] for event in suite.events() if event["event"] in ("problem", "started")] == ["problem"]
    assert [status for _, status in suite.junit()] == ["failed"]


@pytest.mark.parametrize(
    ("text", "said", "workers"),
    [
        pytest.param(
            "def test_x():\n    '''It should.'''\n", "it has no pytest.mark.sig(...)", WORKERS[1], id="no-sig"
        ),
        pytest.param(f"{HEAD}def test_x(): pass\n", "it has no docstring", WORKERS[0], id="no-docstring"),
        pytest.param(
            f"{HEAD}@pytest.mark.needs('Pods')\ndef test_x():\n    '''It should.'''\n",
            "test_bad.py::test_x has a malformed marker: needs: 'Pods': 'Pods' is no resource such as",
            WORKERS[0],
            id="malformed-needs",
        ),
        pytest.param(
            f"{HEAD}@pytest.mark.needs(['pods'])\ndef test_x():\n    '''It should.'''\n",
            "test_bad.py::test_x has a malformed marker: needs: it takes texts",
            WORKERS[1],
            id="needs-of-no-texts",
        ),
        pytest.param("import no_such\n", "No module named 'no_such'", WORKERS[0], id="no-import"),
        pytest.param("import no_such\n", "No module named 'no_such'", WORKERS[1], id="no-import-two-workers"),
    ],
)
def test_what_cannot_be_collected_is_reported_and_the_rest_can_run(
    make_suite: MakeSuite, workers: tuple[str, ...], text: str, said: str
) -> None:
    good = f"{HEAD}def test_good():\n    '''Thing should be good.'''\n"
    suite = make_suite(test_bad=text, test_good=good)
    done = suite.run("--continue-on-collection-errors", *workers)

    assert said in done.stdout
    assert done.returncode == 1
    assert suite.junit() == [
        ("[sig-testing] Thing should be good", "passed"),
        ("[suite] test_bad.py should be collected", "failed"),
    ]


@pytest.mark.parametrize(
    ("args", "names"),
    [
        pytest.param(["--e2e-focus", r"numbers \[2\]"], ["Thing should take numbers [2] [Conformance]"], id="focus"),
        pytest.param(
            ["--e2e-focus", "numbers|pass", "--e2e-skip", r"torn|\[1\]", *WORKERS[1]],
            ["Thing should pass", "Thing should take numbers [2] [Conformance]"],
            id="focus-and-skip-two-workers",
        ),
        pytest.param(
            ["-m", "conformance"],
            ["Thing should take numbers [1] [Conformance]", "Thing should take numbers [2] [Conformance]"],
            id="marker",
        ),
    ],
)
def test_selection_by_title_and_marker(make_suite: MakeSuite, args: list[str], names: list[str]) -> None:
    suite = make_suite(test_kinds=ALL_KINDS)
    suite.run(*args)

    assert [name for name, _ in suite.junit()] == [f"[sig-testing] {name}" for name in names]
    assert suite.events()[0] == {"event": "collected", "total": len(names)}


NEEDY = """
import pytest
pytestmark = [pytest.mark.sig("testing"), pytest.mark.needs("get pods")]

@pytest.mark.needs("create,get deployments.apps", "get /metrics")
def test_own():
    '''Thing should need more than its module.'''

@pytest.mark.requires("dns")
@pytest.mark.needs("secrets")
def test_lacking():
    '''Thing should need what is lacking.'''

def test_fixtures(nodes, namespace):
    '''Thing should use fixtures.'''
"""
OF_A_NAMESPACE = [
    "create namespaces",
    "delete namespaces",
    "deletecollection pods",
    "get namespaces",
    "get pods",
    "get serviceaccounts",
    "list namespaces",
]


@pytest.mark.parametrize(
    ("args", "needs"),
    [
        pytest.param(
            ["--e2e-focus", "more"],
            ["create deployments.apps", "get /metrics", "get deployments.apps", "get pods"],
            id="markers",
        ),
        pytest.param(["--e2e-focus", "lacking"], [], id="skipped"),
        pytest.param(["--e2e-focus", "fixtures"], sorted([*OF_A_NAMESPACE, "list nodes"]), id="fixtures"),
        pytest.param(["--e2e-focus", "nothing"], [], id="nothing-selected"),
        pytest.param(
            [],
            sorted([*OF_A_NAMESPACE, "list nodes", "create deployments.apps", "get /metrics", "get deployments.apps"]),
            id="union",
        ),
    ],
)
def test_needs_of_the_selected_cases_are_written(
    make_suite: MakeSuite, tmp_path: Path, args: list[str], needs: list[str]
) -> None:
    suite = make_suite(test_needy=NEEDY)
    suite.run("--collect-only", "--e2e-needs", str(tmp_path / "needs.json"), *args)

    assert sorted(json.loads((tmp_path / "needs.json").read_text())) == needs
    assert [event for event in suite.events() if event["event"] == "started"] == []


ORDERED = f"""
{HEAD}
def test_a():
    '''Thing should a.'''

@pytest.mark.slow
def test_b():
    '''Thing should b.'''

def test_c():
    '''Thing should c.'''

@pytest.mark.slow
def test_d():
    '''Thing should d.'''
"""


def test_slow_cases_begin_first_and_the_others_keep_their_order(make_suite: MakeSuite) -> None:
    suite = make_suite(test_some=ORDERED)

    assert suite.run().returncode == 0
    started = [event["name"].split()[3] for event in suite.events() if event["event"] == "started"]
    assert started == ["b", "d", "a", "c"]


TOGETHER = f"""
{HEAD}
import pathlib, time
def meet(own, other, here):
    (here / own).touch()
    deadline = time.monotonic() + {PATIENCE_S} / 2
    while not (here / other).exists():
        assert time.monotonic() < deadline, f"{{other}} was not begun"
        time.sleep(0.05)

@pytest.fixture
def here(request):
    return pathlib.Path(request.config.rootpath)

@pytest.mark.slow
def test_b(here):
    '''Thing should b.'''
    meet("b", "d", here)

@pytest.mark.slow
def test_d(here):
    '''Thing should d.'''
    meet("d", "b", here)

@pytest.mark.parametrize("n", range(7))
def test_others(n):
    '''Thing should be quick.'''
"""


def test_slow_cases_begin_on_different_workers(make_suite: MakeSuite) -> None:
    suite = make_suite(test_some=TOGETHER)

    assert suite.run("-n", "2", "--dist", "worksteal").returncode == 0
    assert len(suite.finished()) == 9


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (["--e2e-focus", "("], "--e2e-focus '(': missing ), unterminated subpattern"),
        (["--e2e-cluster", "no-such-file"], "--e2e-cluster no-such-file: No such file or directory"),
        (["--e2e-cluster", os.devnull], "--e2e-cluster /dev/null: no facts of a cluster"),
    ],
    ids=["pattern", "no-file", "empty-file"],
)
def test_option_that_cannot_be_used_is_a_usage_error(make_suite: MakeSuite, args: list[str], said: str) -> None:
    done = make_suite(test_kinds=ALL_KINDS).run(*args)

    assert said in done.stderr
    assert done.returncode == pytest.ExitCode.USAGE_ERROR


def test_crashed_worker_is_a_failure_of_its_case(make_suite: MakeSuite) -> None:
    crash = f"{HEAD}import os\ndef test_crash():\n    '''Thing should crash.'''\n    os._exit(3)\n"
    suite = make_suite(test_crash=crash)
    suite.run("-n", "1")

    assert suite.junit() == [("[sig-testing] Thing should crash", "failed")]
    assert suite.finished()["[sig-testing] Thing should crash"]["status"] == "failed"


@XDIST
def test_cut_run_leaves_the_cases_that_finished(make_suite: MakeSuite, workers: tuple[str, ...]) -> None:
    text = f"""{HEAD}
import threading
def test_a():
    '''Thing should finish.'''
def test_b():
    '''Thing should hang.'''
    threading.Event().wait(50)
"""
    suite = make_suite(test_cut=text)
    process = subprocess.Popen(
        suite.argv(*workers),
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    wait_for_event(suite, "started", "[sig-testing] Thing should hang", process)
    wait_for_event(suite, "finished", "[sig-testing] Thing should finish", process)
    os.killpg(process.pid, signal.SIGINT)
    output, _ = process.communicate(timeout=PATIENCE_S)

    assert suite.junit() == [("[sig-testing] Thing should finish", "passed")], output
    assert process.returncode == pytest.ExitCode.INTERRUPTED


def wait_for_event(suite: Suite, event: str, name: str, process: subprocess.Popen[str]) -> None:
    until = time.monotonic() + PATIENCE_S
    while time.monotonic() < until and process.poll() is None:
        if suite.events_file.exists() and any(e["event"] == event and e["name"] == name for e in suite.events()):
            return
        time.sleep(0.05)
    raise AssertionError(
        f"{name} has not {event}: {process.communicate(timeout=5)[0] if process.poll() is not None else ''}"
    )
