from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from providers._usable import create_missing, nodes_missing, wait_until
from providers.api import ApiRefused
from providers.contracts import Deadline
from tests.support.fake_api import fake_api
from upload.errors import ProviderError, StepError

TAINT = {"key": "node.kubernetes.io/not-ready", "effect": "NoSchedule"}


def node(name: str, ready: str = "True", taints: list[Any] | None = None) -> dict[str, Any]:
    return {
        "metadata": {"name": name},
        "spec": {"taints": taints} if taints else {},
        "status": {"conditions": [{"type": "DiskPressure", "status": "True"}, {"type": "Ready", "status": ready}]},
    }


@pytest.mark.parametrize(
    ("found", "missing"),
    [
        ([node("a"), node("b"), node("other", "False")], ""),
        ([node("a")], "b does not exist"),
        ([node("a", "False"), node("b", "Unknown")], "a is not Ready, b is not Ready"),
        ([node("a"), node("b", taints=[TAINT])], "b has a not-ready taint"),
        ([node("a"), node("b", taints=[{"key": "dedicated"}])], ""),
        ([{"metadata": {"name": "a"}}, node("b")], "a is not Ready"),
    ],
    ids=["all", "one is missing", "none ready", "tainted", "another taint", "no status"],
)
def test_what_nodes_still_lack(tmp_path: Path, found: list[dict[str, Any]], missing: str) -> None:
    with fake_api(tmp_path, {"/api/v1/nodes": {"items": found}}) as api:
        assert nodes_missing(api, ("a", "b")) == missing


def test_a_taint_that_nobody_would_remove_is_not_waited_for(tmp_path: Path) -> None:
    with fake_api(tmp_path, {"/api/v1/nodes": {"items": [node("a", taints=[TAINT])]}}) as api:
        assert nodes_missing(api, ("a",), taints_removed=False) == ""


def test_an_object_that_exists_already_is_not_missing(tmp_path: Path) -> None:
    with fake_api(tmp_path, {"/api/v1/nodes": 409}) as api:
        assert create_missing(api, "/api/v1/nodes", {}) == ""


def test_an_object_that_is_refused_is_an_error(tmp_path: Path) -> None:
    with fake_api(tmp_path, {"/api/v1/nodes": 403}) as api, pytest.raises(ApiRefused):
        create_missing(api, "/api/v1/nodes", {})


def test_waiting_ends_with_the_last_observation() -> None:
    seen = iter(["first", "second"])

    def look() -> str:
        return next(seen, "last")

    with pytest.raises(StepError, match=r"Wait: not done after 0\.05 s; last: last"):
        wait_until("Wait", look, Deadline.after(0.05, "the test"), every_s=0.001)


def test_an_error_on_the_way_is_an_observation() -> None:
    answers: list[ProviderError | str] = [ProviderError("not yet"), ""]

    def look() -> str:
        answer = answers.pop(0)
        if isinstance(answer, ProviderError):
            raise answer
        return answer

    wait_until("Wait", look, Deadline.after(5, "the test"), every_s=0.001)

    assert answers == []


def test_the_check_may_end_the_wait() -> None:
    def check() -> None:
        raise ProviderError("etcd is dead")

    with pytest.raises(ProviderError, match="etcd is dead"):
        wait_until("Wait", lambda: "never", Deadline.after(5, "the test"), check=check)
