"""Runs are found by name, by job, or as the newest one with something left to do."""

from __future__ import annotations

from pathlib import Path

import pytest

from e2e.lifecycle.attach import all_runs, cluster_of, find_run
from e2e.lifecycle.folder import create_folder
from e2e.lifecycle.state import Presence, RunState
from providers.contracts import Cluster
from tests.unit.e2e.lifecycle.test_state import make_state
from upload.errors import UsageError

UP = {"c1": Presence.UP}


def add(state_dir: Path, name: str, started_s: int, **changes: object) -> None:
    job = name.rpartition("-")[0]
    folder = create_folder(state_dir, lambda _: name, tries=1)
    folder.write(make_state(run=name, job={"job": job}, ref=f"configs/{job[3:]}.yaml", started_s=started_s, **changes))


@pytest.fixture
def state_dir(tmp_path: Path) -> Path:
    add(tmp_path, "ci-a-1", 1, clusters=UP)
    add(tmp_path, "ci-a-2", 2, clusters=UP, ended_s=9)
    add(tmp_path, "ci-b-3", 3, ended_s=9)
    add(tmp_path, "ci-b-4", 4, ended_s=9, clusters={"c1": Presence.GONE})
    return tmp_path


def live(state: RunState) -> bool:
    return state.is_live


@pytest.mark.parametrize(
    ("ref", "expected"),
    [
        pytest.param(None, "ci-a-2", id="newest-live"),
        pytest.param("ci-a-1", "ci-a-1", id="by-name"),
        pytest.param("ci-b-4", "ci-b-4", id="by-name-although-not-live"),
        pytest.param("ci-a", "ci-a-2", id="by-job"),
        pytest.param("a", "ci-a-2", id="by-stem"),
        pytest.param("configs/a.yaml", "ci-a-2", id="by-file"),
    ],
)
def test_run_is_found(state_dir: Path, ref: str | None, expected: str) -> None:
    assert find_run(state_dir, ref, wanted=live).name == expected


@pytest.mark.parametrize(
    ("ref", "message"),
    [
        pytest.param("ci-b", "job ci-b has no such run; its newest is ci-b-4", id="job-without-a-live-run"),
        pytest.param("ci-a-12", "there is no run ci-a-12; there is ci-a-2, ci-a-1, ci-a", id="misspelt"),
        pytest.param("nothing", "there is no run nothing", id="unknown"),
        pytest.param("../../etc", "there is no run ../../etc", id="path"),
        pytest.param("a\x1b[2J", "there is no run a\\x1b[2J", id="escape"),
        pytest.param(None, "there is no such run; the newest is ci-b-4", id="none-that-is-wanted"),
    ],
)
def test_run_that_is_not_there_is_named(state_dir: Path, ref: str | None, message: str) -> None:
    with pytest.raises(UsageError) as caught:
        find_run(state_dir, ref, wanted=live if ref else lambda _state: False)

    assert str(caught.value) == message


def test_runs_are_listed_newest_first_and_broken_ones_left_out(state_dir: Path) -> None:
    (state_dir / "runs" / "ci-a-1" / "state.json").write_text("{")

    assert [folder.name for folder, _ in all_runs(state_dir)] == ["ci-b-4", "ci-b-3", "ci-a-2"]


def test_state_folder_that_does_not_exist_holds_no_runs(tmp_path: Path) -> None:
    assert all_runs(tmp_path / "none") == ()


def test_cluster_of_a_run_is_read_from_its_facts(state_dir: Path) -> None:
    folder = find_run(state_dir, "ci-a-2", wanted=live)
    facts = Cluster("c1", Path("/k"), "v1.36.3")
    folder.write_cluster("c1", facts)

    assert cluster_of(state_dir, None) == facts
    with pytest.raises(UsageError, match="ci-a-1 has no cluster that is up"):
        cluster_of(state_dir, "ci-a-1")
