from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from lightkube import Client
from lightkube.resources.batch_v1 import Job
from lightkube.resources.core_v1 import Pod

from e2e.suite.controllers import GATE, conditions, end_pod, exactly, job, meta, pods_of

pytestmark = [
    pytest.mark.sig("apps"),
    pytest.mark.needs("jobs.batch", "list pods", "patch pods/status"),
    pytest.mark.depends("job-controller"),
]

HELD = {"schedulingGates": [GATE]}
INDEX = "batch.kubernetes.io/job-completion-index"

Eventually = Callable[..., Any]


def every_pod(client: Client, namespace: str) -> list[Pod]:
    """Return all pods of the job, the ended ones too."""
    return list(client.list(Pod, namespace=namespace, labels={"app": "work"}))


def end_next(client: Client, namespace: str, eventually: Eventually, *, phase: str) -> None:
    """Wait for a pod of the job that is pending, and end it."""
    pending = eventually(
        lambda: [p for p in pods_of(client, namespace, "work") if p.status and p.status.phase == "Pending"]
    )
    end_pod(client, pending[0], phase=phase)


@pytest.mark.cite("Job should run a job to completion when tasks succeed")
def test_completions_are_counted(client: Client, namespace: str, eventually: Eventually) -> None:
    """Job should run as many pods to success as it wants completions, no more than its parallelism at once."""
    client.create(job("work", completions=3, parallelism=2, pod=HELD), namespace=namespace)
    for done in range(3):
        at_once = min(2, 3 - done)
        active = eventually(
            lambda: client.get(Job, "work", namespace=namespace).status,
            until=lambda s, wanted=at_once, ended=done: (s.active, s.succeeded or 0) == (wanted, ended),
        ).active
        assert active == at_once
        end_next(client, namespace, eventually, phase="Succeeded")

    found = eventually(
        lambda: client.get(Job, "work", namespace=namespace), until=lambda j: "Complete" in conditions(j)
    )
    assert (found.status.succeeded, len(every_pod(client, namespace))) == (3, 3)


@pytest.mark.cite("Job should fail to exceed backoffLimit")
def test_backoff_limit_ends_the_job(client: Client, namespace: str, eventually: Eventually) -> None:
    """Job should fail once more pods failed than its backoff limit allows."""
    client.create(job("work", backoffLimit=0, pod=HELD), namespace=namespace)
    end_next(client, namespace, eventually, phase="Failed")

    found = eventually(lambda: client.get(Job, "work", namespace=namespace), until=lambda j: "Failed" in conditions(j))
    assert conditions(found)["Failed"] == ("True", "BackoffLimitExceeded")
    assert (found.status.failed, len(every_pod(client, namespace))) == (1, 1)


@pytest.mark.cite(
    "[sig-apps] Job should create pods for an Indexed job with completion indexes and specified hostname [Conformance]"
)
@pytest.mark.conformance
def test_indexed_job_numbers_its_pods(client: Client, namespace: str, eventually: Eventually) -> None:
    """Job with completion mode Indexed should give every pod its index and record the completed ones."""
    client.create(job("work", completions=3, parallelism=3, completionMode="Indexed", pod=HELD), namespace=namespace)
    pods = eventually(lambda: pods_of(client, namespace, "work"), until=lambda found: len(found) == 3)
    by_index = {(meta(p).annotations or {})[INDEX]: p for p in pods}
    assert {index: p.spec.hostname for index, p in by_index.items()} == {str(i): f"work-{i}" for i in range(3)}
    for index in ("0", "2"):
        end_pod(client, by_index[index], phase="Succeeded")

    eventually(lambda: client.get(Job, "work", namespace=namespace).status.completedIndexes, until=exactly("0,2"))  # type: ignore[union-attr]  # a missing status is not yet


@pytest.mark.cite("docs/concepts/workloads/controllers/job#ttl-mechanism-for-finished-jobs")
@pytest.mark.depends("ttl-after-finished-controller", "garbage-collector-controller")
def test_finished_job_is_removed(client: Client, namespace: str, eventually: Eventually) -> None:
    """Job should be removed with its pods once it has been finished for as long as it says."""
    client.create(job("work", ttlSecondsAfterFinished=1, pod=HELD), namespace=namespace)
    end_next(client, namespace, eventually, phase="Succeeded")

    eventually(lambda: list(client.list(Job, namespace=namespace)), until=exactly([]))
    eventually(lambda: every_pod(client, namespace), until=exactly([]))


@pytest.mark.cite("Job should delete pods when suspended")
@pytest.mark.cite("Job should not create pods when created in suspend state")
def test_suspended_job_has_no_pods(client: Client, namespace: str, eventually: Eventually) -> None:
    """Job should delete its active pods when it is suspended and start again when it is resumed."""
    client.create(job("work", suspend=True, pod=HELD), namespace=namespace)
    eventually(
        lambda: conditions(client.get(Job, "work", namespace=namespace)),
        until=lambda seen: seen["Suspended"][0] == "True",
    )
    assert every_pod(client, namespace) == []
    client.patch(Job, "work", {"spec": {"suspend": False}}, namespace=namespace)
    eventually(lambda: pods_of(client, namespace, "work"), until=lambda found: len(found) == 1)
    client.patch(Job, "work", {"spec": {"suspend": True}}, namespace=namespace)

    eventually(lambda: pods_of(client, namespace, "work"), until=exactly([]))


@pytest.mark.cite("docs/concepts/workloads/controllers/job#job-termination-and-cleanup")
def test_deadline_ends_the_job(client: Client, namespace: str, eventually: Eventually) -> None:
    """Job should fail at its deadline and end the pods that are still active."""
    client.create(job("work", activeDeadlineSeconds=1, pod=HELD), namespace=namespace)

    found = eventually(lambda: client.get(Job, "work", namespace=namespace), until=lambda j: "Failed" in conditions(j))
    assert conditions(found)["Failed"] == ("True", "DeadlineExceeded")
    eventually(lambda: pods_of(client, namespace, "work"), until=exactly([]))
