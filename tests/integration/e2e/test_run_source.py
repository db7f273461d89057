"""Runs of ``kubernetes: source:DIR``: the step Build, from a small tree that looks like a checkout of Kubernetes."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from lxml import etree

from tests.support.checkout import git, make_checkout
from tests.support.harness import Harness, kill

PROGRAMS = ["kube-apiserver", "kubectl"]
WRONG = "package main\n\nfunc main() { nonsense() }\n"
AT = "cmd/kubectl/main.go:3:15: undefined: nonsense"


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    return make_checkout(tmp_path / "kubernetes")


@pytest.fixture
def home(harness: Harness) -> Harness:
    """The harness with Go's own cache, which is by content: the standard library is compiled once on a machine."""
    cache = subprocess.run(["go", "env", "GOCACHE"], capture_output=True, text=True, timeout=20, check=True)
    return replace(harness, variables={**harness.variables, "GOCACHE": cache.stdout.strip(), "GOPROXY": "off"})


def job_of(home: Harness, tree: Path, **changes: Any) -> Path:
    return home.write_job(kubernetes=f"source:{tree}", **{"programs": PROGRAMS, **changes})


def steps_of(home: Harness) -> dict[str, str]:
    """Return step → failure text, of the only build's ``junit_runner.xml``."""
    (build,) = home.builds()
    cases = etree.parse(build / "artifacts" / "junit_runner.xml").iter("testcase")
    return {str(case.get("name")): "".join(f.text or "" for f in case.iter("failure")) for case in cases}


def told_of(home: Harness) -> tuple[str, dict[str, Any]]:
    """Return the version in the only build's ``started.json``, and its ``finished.json``."""
    (build,) = home.builds()
    return json.loads((build / "started.json").read_text())["version"], home.finished()


def with_first(home: Harness, folder: Path, **programs: str) -> Harness:
    """Return the harness with shell scripts in the place of programs."""
    folder.mkdir()
    for name, body in programs.items():
        (folder / name).write_text(f"#!/bin/sh\n{body}\n")
        (folder / name).chmod(0o755)
    return replace(home, variables={**home.variables, "PATH": f"{folder}{os.pathsep}{home.variables['PATH']}"})


def test_run_uses_what_it_built(home: Harness, tree: Path) -> None:
    (tree / "cmd/kubectl/new.go").write_text("package main\n")

    done = home.e2e("run", job_of(home, tree))

    version, finished = told_of(home)
    (build,) = home.builds()
    log = (build / "build-log.txt").read_text()
    assert done.code == 0, done.err
    assert (version, finished["version"], finished["metadata"]["version-source"]) == (
        "v1.36.3-dirty", "v1.36.3-dirty", "source",
    )  # fmt: skip
    assert list(steps_of(home))[:3] == ["e2e.Build", "e2e.Up: Start", "e2e.Up"]
    assert [name for name in PROGRAMS if f"{name} v1.36.3-dirty 1.36+ dirty " not in log] == []
    assert str(tree) not in "".join(path.read_text() for path in build.rglob("*.json"))
    (folder,) = home.folders()
    assert not folder.built.exists()


def test_compile_error_is_the_published_failure_of_the_step(home: Harness, tree: Path) -> None:
    (tree / "cmd/kubectl/main.go").write_text(WRONG)

    done = home.e2e("run", job_of(home, tree))

    version, finished = told_of(home)
    steps = steps_of(home)
    assert (done.code, finished["result"], finished["passed"], version) == (3, "FAILURE", False, "v1.36.3-dirty")
    assert finished["metadata"]["failure"] == f"Build: {tree} does not build: {AT}"
    assert list(steps) == ["e2e.Build"]
    assert f"\n# k8s.io/kubernetes/cmd/kubectl\n{AT}\n" in steps["e2e.Build"]
    assert (f"cd {tree} && go build ./cmd/..." in done.err, "Traceback" in done.err) == (True, False)
    assert home.e2e("verify", home.store).code == 0
    (folder,) = home.folders()
    assert not folder.built.exists()


def test_checkout_without_a_version_is_published_as_a_failure_of_the_step(home: Harness, tree: Path) -> None:
    git(tree, "tag", "-d", "v1.36.3")

    done = home.e2e("run", job_of(home, tree))

    version, finished = told_of(home)
    assert (done.code, finished["result"], version) == (3, "FAILURE", "unknown")
    assert finished["metadata"]["failure"].startswith(f"Build: {tree} has no version: no tag v*")


SLOW_GO = '[ "$1" = env ] && echo go1.99.0 && exit 0\necho $$ > "$0.new"; mv "$0.new" "$0.pid"\nexec sleep 300'


def gone(pid_file: Path) -> bool:
    """Say whether a process has ended, or does so soon."""
    until = time.monotonic() + 10
    while time.monotonic() < until:
        if not Path(f"/proc/{pid_file.read_text().strip()}").exists():
            return True
        time.sleep(0.05)
    return False


def test_build_past_its_time_is_published_as_late(home: Harness, tree: Path, tmp_path: Path) -> None:
    slow = with_first(home, tmp_path / "bin", go=SLOW_GO)

    done = slow.e2e("run", job_of(slow, tree, timeouts={"build": "2s"}))

    assert (done.code, slow.finished()["result"]) == (124, "FAILURE")
    assert slow.finished()["metadata"]["failure"] == "Build: build was not done after 2 s"
    assert gone(tmp_path / "bin/go.pid")


def test_signal_in_the_build_publishes_an_aborted_build(home: Harness, tree: Path, tmp_path: Path) -> None:
    slow = with_first(home, tmp_path / "bin", go=SLOW_GO)
    process = slow.start("run", job_of(slow, tree))
    slow.wait_for(lambda state: state.step == "build" and (tmp_path / "bin/go.pid").exists())

    done = kill(process, signal.SIGTERM)

    assert (done.code, slow.finished()["result"]) == (130, "ABORTED")
    assert list(steps_of(slow)) == ["e2e.Build"]
    assert gone(tmp_path / "bin/go.pid")


def test_signal_at_the_moment_in_which_go_starts_leaves_no_go(home: Harness, tree: Path, tmp_path: Path) -> None:
    eager = with_first(home, tmp_path / "bin", go=SLOW_GO.replace("exec", "kill -TERM $PPID; exec"))

    done = eager.e2e("run", job_of(eager, tree))

    assert (done.code, eager.finished()["result"]) == (130, "ABORTED")
    assert gone(tmp_path / "bin/go.pid")


def test_run_killed_in_the_build_is_finished_by_a_later_process(home: Harness, tree: Path, tmp_path: Path) -> None:
    chatty = SLOW_GO.replace("exec sleep 300", "while sleep 0.1; do echo a/package >&2 || exit; done")
    slow = with_first(home, tmp_path / "bin", go=chatty)
    process = slow.start("run", job_of(slow, tree))
    slow.wait_for(lambda state: state.step == "build" and (tmp_path / "bin/go.pid").exists())
    kill(process)

    done = slow.e2e("down", "--resume", "--abort")

    assert (done.code, slow.finished()["result"]) == (130, "ABORTED"), done.err
    assert steps_of(slow) == {"e2e.Build": "the process was killed in step build"}
    assert gone(tmp_path / "bin/go.pid")
    (folder,) = slow.folders()
    assert not folder.built.exists()


def test_kept_cluster_keeps_its_programs_whatever_becomes_of_the_tree(home: Harness, tree: Path) -> None:
    assert home.e2e("up", job_of(home, tree)).code == 0
    (folder,) = home.folders()
    kept = sorted(path.name for path in folder.built.rglob("*") if path.is_file())
    (tree / "cmd/kubectl/main.go").write_text(WRONG)

    tested = home.e2e("test")
    down = home.e2e("down")

    assert kept == ["ginkgo", *PROGRAMS]  # the tester's too
    assert (tested.code, down.code, folder.built.exists()) == (0, 0, False), tested.err + down.err


@pytest.mark.parametrize("command", [("check",), ("run", "--dry-run")], ids=lambda words: words[-1])
def test_looking_at_a_config_executes_nothing_of_the_checkout(
    home: Harness, tree: Path, tmp_path: Path, command: tuple[str, ...]
) -> None:
    """Not even git, whose settings in a checkout may name programs."""
    seen = tmp_path / "executed"
    (tree / "monitor").write_text(f"#!/bin/sh\ntouch {seen}\n")
    (tree / "monitor").chmod(0o755)
    git(tree, "config", "core.fsmonitor", str(tree / "monitor"))
    watched = with_first(home, tmp_path / "bin", go=f"touch {seen}", git=f"touch {seen}")

    done = watched.e2e(*command, job_of(watched, tree))

    assert (done.code, seen.exists(), watched.folders()) == (0, False, []), done.err
    if "--dry-run" in command:
        assert "kubernetes: unknown (source, asked when the run begins)\n" in done.out
        assert "step:       Build, at most 60 s\n" in done.out


def test_dry_run_of_what_is_no_checkout_says_so(home: Harness, tmp_path: Path) -> None:
    done = home.e2e("run", job_of(home, tmp_path), "--dry-run")

    assert (done.code, f"{tmp_path}/go.mod cannot be read: No such file or directory" in done.out) == (0, True)


def test_time_of_the_build_counts_for_a_checkout_only(home: Harness, tree: Path) -> None:
    short = {"build": "10m"}

    assert home.e2e("check", home.write_job(timeouts=short)).code == 0
    done = home.e2e("check", job_of(home, tree, timeouts=short))

    assert done.code == 2
    assert "defaults.timeouts.total: found '10m'; expected at least 15m, the sum of the other timeouts" in done.out
