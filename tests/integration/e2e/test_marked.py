"""What expired or was lost, found by marks in a project and by time in a store, with the real SDK against the fake."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest

from e2e.lifecycle.state import build_number
from tests.support.clouds.computer import JOB, TOTAL_S, Here, compute, here, sdk
from tests.support.clouds.gce import PROJECT, Compute, Said
from upload.claim import claim
from upload.documents import Started
from upload.errors import HarnessError
from upload.model import BuildRef
from upload.store import open_store

__all__ = ["compute", "here", "sdk"]

OLD, NEW = f"{JOB}-20260101000000", f"{JOB}-20260101000001"
HOUR_S = 3600
PER_RUN = 6  # instance, its disk, two firewalls, network, subnetwork


def test_what_expired_in_a_project_is_listed_and_goes_with_yes(compute: Compute, here: Here) -> None:
    here.make(OLD, expires_s=1767229200)
    here.make(NEW, expires_s=2**40)
    unmarked = ("networks", "global", f"e2e-{OLD}-mine")
    compute.resources[unmarked] = {"name": unmarked[2], "ready": True}
    compute.born[unmarked] = 0.0
    everything = compute.names()

    listed = here.e2e("gc", "--provider", "gce", here.config)
    assert compute.names() == everything
    removed = here.e2e("gc", "--provider", "gce", "--yes", here.config)

    (line,) = listed.stdout.splitlines()
    assert line.startswith(f"project {PROJECT}: {OLD} of ")
    assert ", expired 2026-01-01T01:00Z: gce disk europe-west1-b/" in line
    assert line.count(", gce") == PER_RUN - 1
    assert listed.stderr == "e2e gc --provider gce --yes removes them\n"
    assert (listed.return_value, removed.return_value, removed.stdout) == (0, 0, listed.stdout)
    left = compute.names()
    assert f"networks/{unmarked[2]}" in left
    assert [name for name in left if OLD in name] == [f"networks/{unmarked[2]}"]
    assert len([name for name in left if NEW in name]) == PER_RUN


def test_what_cannot_be_removed_is_told_in_the_words_of_the_service(compute: Compute, here: Here) -> None:
    here.make(OLD, expires_s=1)
    compute.faults = [lambda call: Said(403, "forbidden", "may not") if call.id == "compute.networks.delete" else None]

    done = here.e2e("gc", "--provider", "gce", "--yes", here.config)

    assert isinstance(done.exception, HarnessError)
    assert f"deleting network e2e-{OLD}-net: " in str(done.exception)
    assert str(done.exception).endswith("may not (forbidden, HTTP 403)")
    assert compute.names() == [f"networks/e2e-{OLD}-net"]


@pytest.mark.parametrize(
    ("argv", "said"),
    [
        pytest.param(
            ("gc", "--provider", "local", "CONFIG"), "no config says where 'local' makes", id="no such config"
        ),
        pytest.param(("gc", "CONFIG"), "JOB belongs to --provider", id="a job without"),
        pytest.param(("gc", "--provider", "gce", "--finish-orphans"), "are two things to do", id="both"),
        pytest.param(("down", "other-1", "--job", "CONFIG"), f"other-1 is no run of {JOB}", id="run of another job"),
        pytest.param(("down", f"{JOB}-x", "--job", "CONFIG"), f"{JOB}-x is no run of {JOB}", id="no run"),
        pytest.param(("down", "--job", "CONFIG"), "--job goes with RUN", id="no run named"),
    ],
)
def test_what_makes_no_sense_is_refused(argv: tuple[str, ...], said: str, here: Here) -> None:
    done = here.e2e(*(here.config if word == "CONFIG" else word for word in argv))

    assert said in str(done.exception)


def test_a_run_is_taken_down_on_a_computer_that_knows_its_name_only(compute: Compute, here: Here) -> None:
    here.make(OLD, expires_s=2**40)
    here.make(NEW, expires_s=2**40)

    done = here.e2e("down", OLD, "--job", here.config)

    assert done.return_value == 0, done.exception
    assert [name for name in compute.names() if OLD in name] == []
    assert len(compute.names()) == PER_RUN


def begin(here: Here, number: str, started_s: int, *, prefix: str = "logs") -> Path:
    store = open_store(str(here.store))
    claim(store, BuildRef(prefix, JOB, number), Started(started_s, "node", "v1.36.3"), now_s=started_s)
    return here.store / prefix / JOB / number


def test_builds_past_all_their_time_are_finished_as_aborted(here: Here) -> None:
    now_s = int(time.time())
    allowed_s = TOTAL_S + 3 * 60  # dump, down and publish have time of their own
    lost = begin(here, build_number(now_s - allowed_s - 60), now_s - allowed_s - 60)
    alive = begin(here, build_number(now_s - TOTAL_S), now_s - TOTAL_S)
    broken = here.store / "logs" / JOB / build_number(now_s - 9 * HOUR_S)
    broken.mkdir()
    (broken / "started.json").write_text("{")

    listed = here.e2e("gc", "--finish-orphans", here.config)
    assert not (lost / "finished.json").exists()
    done = here.e2e("gc", "--finish-orphans", "--yes", here.config)
    again = here.e2e("gc", "--finish-orphans", here.config)

    assert [line.rsplit("/", 2)[-2] for line in listed.stdout.splitlines()] == [lost.name]
    assert (listed.return_value, done.return_value, done.stdout, again.stdout) == (0, 0, listed.stdout, "")
    finished = json.loads((lost / "finished.json").read_text())
    assert (finished["result"], finished["passed"], finished["version"]) == ("ABORTED", False, "v1.36.3")
    assert finished["metadata"]["failure"].startswith("its runner was lost: nothing came by 20")
    assert (lost.parent / "latest-build.txt").read_text() == f"{lost.name}\n"
    assert [path.name for path in (alive, broken) if (path / "finished.json").exists()] == []
    assert here.e2e("verify", lost).return_value in (0, None)


def test_builds_with_ids_that_are_no_times_are_finished_too(here: Here) -> None:
    long_ago_s = int(time.time()) - 9 * HOUR_S
    for number in ("8", "9", "10"):
        begin(here, number, long_ago_s)
    folder = here.store / "logs" / JOB
    (folder / "9" / "finished.json").write_text('{"timestamp": 1, "result": "SUCCESS", "passed": true}')
    (folder / "latest-build.txt").write_text("9\n")

    done = here.e2e("gc", "--finish-orphans", "--yes", here.config)

    assert [line.rsplit("/", 2)[-2] for line in done.stdout.splitlines()] == ["8", "10"]
    assert json.loads((folder / "10" / "finished.json").read_text())["result"] == "ABORTED"
    assert json.loads((folder / "9" / "finished.json").read_text())["result"] == "SUCCESS"


def test_builds_of_pull_requests_are_finished_where_their_aliases_lead(here: Here) -> None:
    long_ago_s = int(time.time()) - 9 * HOUR_S
    number, other = build_number(long_ago_s), build_number(long_ago_s + 1)
    lost = begin(here, number, long_ago_s, prefix="pr-logs/pull/kubernetes_kubernetes/12345")
    aliases = here.store / "pr-logs" / "directory" / JOB
    (aliases / f"{other}.txt").write_text(f"gs://somebody/pr-logs/pull/x/1/{JOB}/{other}")

    done = here.e2e("gc", "--finish-orphans", "--yes", here.config)

    assert [line.rstrip("/").rpartition("bucket/")[2] for line in done.stdout.splitlines()] == [
        f"pr-logs/pull/kubernetes_kubernetes/12345/{JOB}/{number}"
    ]
    assert json.loads((lost / "finished.json").read_text())["result"] == "ABORTED"


def test_builds_that_began_long_ago_are_history(here: Here) -> None:
    began_s = int(time.time()) - 40 * 24 * HOUR_S
    begin(here, "7", began_s)
    (here.store / "logs" / JOB / "latest-build.txt").write_text("6\n")

    assert here.e2e("gc", "--finish-orphans", here.config).stdout == ""
