"""A run that was killed while it took its build id owns the build whose started.json carries its token."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from e2e.lifecycle.attach import adopt_claim
from e2e.lifecycle.folder import RunFolder, create_folder
from e2e.lifecycle.gc import REMEMBERED_S, forget_old
from e2e.lifecycle.state import Presence, RunState
from tests.unit.e2e.lifecycle.test_state import make_state
from upload.claim import claim
from upload.documents import Started
from upload.model import BuildRef
from upload.store import open_store

JOB = "ci-kubernetes-x"
BUILD = "20260101000000"
MOMENT = 1767225600


def killed_in_claim(tmp_path: Path) -> tuple[RunFolder, RunState]:
    folder = create_folder(tmp_path / "state", lambda _: f"{JOB}-{BUILD}", tries=1)
    state = make_state(
        run=folder.name, job={"job": JOB}, store=str(tmp_path / "bucket"), build=BUILD, claim_token="ours", step=""
    )
    folder.write(state)
    return folder, state


def take(tmp_path: Path, *tokens: str) -> None:
    for token in tokens:
        claim(
            open_store(str(tmp_path / "bucket")),
            BuildRef("logs", JOB, ""),
            Started(timestamp_s=MOMENT, node="n"),
            now_s=MOMENT,
            token=lambda token=token: token,
        )


@pytest.mark.parametrize(
    ("tokens", "build"),
    [
        pytest.param(["ours"], "20260101000000", id="first"),
        pytest.param(["theirs", "ours"], "20260101000001", id="second-more"),
    ],
)
def test_claim_that_was_stored_is_adopted_with_its_name(tmp_path: Path, tokens: list[str], build: str) -> None:
    folder, state = killed_in_claim(tmp_path)
    take(tmp_path, *tokens)

    adopted = adopt_claim(folder, state)

    assert (adopted.claimed, adopted.build, adopted.run, folder.name) == (
        True,
        build,
        f"{JOB}-{build}",
        f"{JOB}-{build}",
    )
    assert folder.read() == adopted


def test_build_of_somebody_else_is_left_alone(tmp_path: Path) -> None:
    folder, state = killed_in_claim(tmp_path)
    take(tmp_path, "theirs")

    assert adopt_claim(folder, state) == state


def test_runs_that_ended_long_ago_and_left_nothing_are_forgotten(tmp_path: Path) -> None:
    runs: dict[str, dict[str, Any]] = {
        "ci-old-1": {"ended_s": 1},
        "ci-new-2": {"ended_s": REMEMBERED_S},
        "ci-kept-3": {"ended_s": 1, "clusters": {"c1": Presence.UP}},
        "ci-open-4": {"ended_s": 1, "claimed": True},
        "ci-killed-5": {"step": "up"},
    }
    for name, changes in runs.items():
        create_folder(tmp_path, lambda _, name=name: name, tries=1).write(make_state(run=name, **changes))

    assert forget_old(tmp_path, now_s=REMEMBERED_S + 10) == ("ci-old-1",)
    assert not (tmp_path / "runs" / "ci-old-1").exists()
