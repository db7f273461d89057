from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from lightkube import Client
from lightkube.models.batch_v1 import CronJobSpec, JobTemplateSpec
from lightkube.models.meta_v1 import ObjectMeta
from lightkube.resources.batch_v1 import CronJob, Job
from lightkube.resources.core_v1 import Event

from e2e.suite.controllers import GATE, exactly, job, meta, name_of, owner_of
from e2e.suite.refusals import Refusal, refusal

pytestmark = [pytest.mark.sig("apps"), pytest.mark.needs("cronjobs.batch")]
controlled = pytest.mark.depends("cronjob-controller")

Eventually = Callable[..., Any]
YEARLY = "0 0 1 1 *"


def cron_job(name: str, **fields: Any) -> CronJob:
    """Return a CronJob whose jobs never end by themselves."""
    template = JobTemplateSpec(spec=job(name, pod={"schedulingGates": [GATE]}).spec)
    return CronJob(metadata=ObjectMeta(name=name), spec=CronJobSpec(jobTemplate=template, **fields))


def jobs(client: Client, namespace: str) -> list[Job]:
    return list(client.list(Job, namespace=namespace))


def active(client: Client, namespace: str) -> list[str | None]:
    """Return the names of the jobs that the CronJob counts as its active ones."""
    return [ref.name for ref in client.get(CronJob, "tick", namespace=namespace).status.active or []]  # type: ignore[union-attr]  # a missing status is not yet


def miss_a_run(client: Client, namespace: str, *, minutes: int) -> None:
    """Make a run of an every-minute CronJob overdue, as if the controller had been away for some minutes."""
    then = datetime.now(UTC) - timedelta(minutes=minutes)
    status = {"status": {"lastScheduleTime": then.strftime("%Y-%m-%dT%H:%M:%SZ")}}
    client.patch(CronJob.Status, "tick", status, namespace=namespace)


@controlled
@pytest.mark.cite("docs/concepts/workloads/controllers/cron-jobs#job-creation")
@pytest.mark.needs("patch cronjobs.batch/status", "list jobs.batch")
def test_missed_run_is_caught_up_once(client: Client, namespace: str, eventually: Eventually) -> None:
    """CronJob should start one job for the most recent of several runs that were missed."""
    client.create(cron_job("tick", schedule="* * * * *", suspend=True), namespace=namespace)
    miss_a_run(client, namespace, minutes=5)
    client.patch(CronJob, "tick", {"spec": {"suspend": False}}, namespace=namespace)

    (started,) = eventually(lambda: jobs(client, namespace))
    assert owner_of(started) == ("CronJob", "tick")
    eventually(lambda: active(client, namespace), until=exactly([name_of(started)]))


@controlled
@pytest.mark.cite("[sig-apps] CronJob should not schedule jobs when suspended [Slow] [Conformance]")
@pytest.mark.conformance
@pytest.mark.needs("patch cronjobs.batch/status", "list jobs.batch")
def test_suspended_cron_job_starts_nothing(
    client: Client, namespace: str, eventually: Eventually, consistently: Eventually
) -> None:
    """CronJob should start no job while it is suspended, and should when it is resumed."""
    client.create(cron_job("tick", schedule="* * * * *", suspend=True), namespace=namespace)
    miss_a_run(client, namespace, minutes=3)
    consistently(lambda: jobs(client, namespace), until=exactly([]), for_s=2)
    client.patch(CronJob, "tick", {"spec": {"suspend": False}}, namespace=namespace)

    eventually(lambda: len(jobs(client, namespace)), until=exactly(1))


@controlled
@pytest.mark.cite("[sig-apps] CronJob should not schedule new jobs when ForbidConcurrent [Slow] [Conformance]")
@pytest.mark.conformance
@pytest.mark.slow
@pytest.mark.needs("patch cronjobs.batch/status", "list jobs.batch", "list events")
def test_forbid_starts_no_second_job(client: Client, namespace: str, eventually: Eventually) -> None:
    """CronJob that forbids concurrency should skip a run while its job is active, and say so in an event."""
    client.create(cron_job("tick", schedule="* * * * *", concurrencyPolicy="Forbid", suspend=True), namespace=namespace)
    miss_a_run(client, namespace, minutes=2)
    client.patch(CronJob, "tick", {"spec": {"suspend": False}}, namespace=namespace)
    (first,) = eventually(lambda: jobs(client, namespace))
    # a status that is written before this would make the controller forget its own job, and start another one
    eventually(lambda: active(client, namespace), until=exactly([name_of(first)]))
    miss_a_run(client, namespace, minutes=2)

    eventually(lambda: _reasons(client, namespace), until=lambda seen: "JobAlreadyActive" in seen, timeout_s=75)
    assert [meta(j).uid for j in jobs(client, namespace)] == [meta(first).uid]


@controlled
@pytest.mark.cite("[sig-apps] CronJob should schedule multiple jobs concurrently [Conformance]")
@pytest.mark.conformance
@pytest.mark.slow
@pytest.mark.needs("list jobs.batch")
def test_schedule_starts_a_job_every_minute(client: Client, namespace: str, eventually: Eventually) -> None:
    """CronJob should start a job at each minute of its schedule, also beside one that is still active."""
    client.create(cron_job("tick", schedule="* * * * *"), namespace=namespace)

    started = eventually(lambda: jobs(client, namespace), until=lambda found: len(found) == 2, timeout_s=150)
    times = sorted(int(name_of(each).rsplit("-", 1)[1]) for each in started)
    assert times[1] - times[0] == 1, "the suffix of a job's name is its minute"


@pytest.mark.cite("docs/concepts/workloads/controllers/cron-jobs#schedule-syntax")
@pytest.mark.parametrize("schedule", ["61 * * * *", "every day", "TZ=UTC * * * * *"], ids=["minute 61", "prose", "TZ"])
def test_schedule_that_cannot_be_read_is_refused(client: Client, namespace: str, schedule: str) -> None:
    """CronJob should be refused when its schedule cannot be read."""
    refused = refusal(lambda: client.create(cron_job("tick", schedule=schedule), namespace=namespace))
    assert (refused, refused.fields) == (Refusal(422, "Invalid", ""), ("spec.schedule",))


def _reasons(client: Client, namespace: str) -> set[str]:
    return {event.reason or "" for event in client.list(Event, namespace=namespace)}
