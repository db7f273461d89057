"""What a run costs: an estimate before anything is made, and the machine-hours that it took."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from providers.contracts import ClusterSpec
from providers.lookout import Cost
from upload.model import StepRecord

if TYPE_CHECKING:
    from providers.config.model import JobConfig

HOUR_S = 3600
MACHINE_HOURS = "machine-hours"


def cost_of(provider: object, spec: ClusterSpec) -> Cost | None:
    """Return what a cluster takes in an hour, or None where its provider does not say."""
    ask = getattr(provider, "estimate_cost", None)  # EstimatesCost
    found: Cost | None = ask(spec) if ask else None
    return found


def estimate(provider: object, job: JobConfig) -> str:
    """Return for people what a run costs at most, or nothing: its total, and the clean-up that has time of its own."""
    cost = cost_of(provider, job.cluster.spec())
    return cost.over(_longest_h(job)) if cost else ""


def _longest_h(job: JobConfig) -> float:
    times = job.defaults.timeouts
    return (times.total_s + times.dump_s + times.down_s) / HOUR_S


def monthly(provider: object, job: JobConfig) -> str:
    """Return for people what the schedule of a job comes to in a month at most, or nothing where no one says."""
    from providers.config.schedule import runs_a_month

    cost = cost_of(provider, job.cluster.spec())
    if cost is None:
        return ""
    if job.schedule is None:
        return f"{estimate(provider, job)}, each time it is started by hand"
    runs, hours = runs_a_month(job.schedule), _longest_h(job)
    told = f"{runs:.0f} runs a month, at most {runs * hours * cost.machines:.0f} machine-hours"
    return told if cost.price_per_hour is None else f"{told}, {runs * hours * cost.price_per_hour:.2f}"


def machine_hours(cost: Cost | None, records: Sequence[StepRecord]) -> str:
    """Return how long the machines were there, from the beginning of Up to the end of Down that removed them; or nothing."""
    began = [record.started_s for record in records if record.name == "Up"]
    ended = [record.started_s + record.seconds for record in records if record.name == "Down" and not record.failure]
    if cost is None or not began or not ended:
        return ""
    return f"{cost.machines * (ended[-1] - began[0]) / HOUR_S:.2f}"
