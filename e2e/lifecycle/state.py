"""What is known about a run, as one frozen value that goes to disk after every change."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from upload.errors import Outcome, UsageError
from upload.model import StepRecord

SCHEMA = 1
BUILD_FORMAT = "%Y%m%d%H%M%S"
CLAIM = "claim"  # the step before the sequence, in which the build id is taken


class Presence(StrEnum):
    """Whether a cluster is there. MADE: ``up`` has begun; UP: it has succeeded; GONE: ``down`` has succeeded."""

    NONE = "none"
    MADE = "made"
    UP = "up"
    GONE = "gone"


class Keep(StrEnum):
    """When a cluster is left up at the end of a run. ON_SUCCESS is what ``e2e up`` does."""

    NEVER = "never"
    ON_FAILURE = "on-failure"
    ON_SUCCESS = "on-success"
    ALWAYS = "always"


@dataclass(frozen=True, slots=True)
class Failure:
    """One thing that went wrong: in which step, what it means for the verdict, the text, what to do next."""

    step: str
    outcome: Outcome
    text: str
    hint: str = ""

    def __str__(self) -> str:
        return f"{self.step}: {self.text}"


@dataclass(frozen=True, slots=True)
class Tally:
    """How far the suite is or was. ``failed_names`` in the order of their end; ``flaky``: passed, but not at first."""

    total: int = 0
    passed: int = 0
    failed: int = 0
    skipped: int = 0
    failed_names: tuple[str, ...] = ()
    flaky: int = 0

    @property
    def done(self) -> int:
        """How many cases have ended."""
        return self.passed + self.failed + self.skipped


NO_TALLY = Tally()


@dataclass(frozen=True, slots=True)
class RunState:
    """One run.

    ``ref``: JOB or FILE as it was typed; ``job``: the config in JSON; ``command``: the verb that began it; ``store``, ``prefix``, ``build``: where it is
    published (``store`` empty: nowhere); ``attempt_of``: the build that it is another attempt of; ``claim_token``: what our started.json carries; ``claimed`` and ``published``: how far that is. ``version`` is the resolved
    Kubernetes, ``version_source`` where it was resolved from, ``upgraded_to`` what it was upgraded to (empty: it was not). ``clusters``: name -> presence. ``finished_steps``: the
    verbs of the sequence that ended well, so that a later process goes on behind them; ``step``: the one that runs, or CLAIM.
    ``failures``: the first one decides. ``signals``: how many came. ``suite_ended``: the verdict stands whatever comes
    now. ``kept``: the cluster stays on purpose. Times are UTC epochs.
    """

    run: str
    ref: str
    job: Mapping[str, Any]
    command: str
    artifacts: str
    owner: str
    started_s: int
    expires_s: int
    keep: Keep
    store: str = ""
    prefix: str = "logs"
    build: str = ""
    attempt_of: str = ""
    claim_token: str = ""
    claimed: bool = False
    published: bool = False
    version: str = ""
    version_source: str = ""
    upgraded_to: str = ""
    offline: bool = False
    step: str = ""
    step_started_s: int = 0
    finished_steps: tuple[str, ...] = ()
    steps: tuple[StepRecord, ...] = ()
    clusters: Mapping[str, Presence] = field(default_factory=lambda: {"c1": Presence.NONE})
    failures: tuple[Failure, ...] = ()
    signals: int = 0
    suite_ended: bool = False
    tally: Tally = NO_TALLY
    kept: bool = False
    ended_s: int = 0

    @property
    def job_name(self) -> str:
        """The job's name in the bucket."""
        return str(self.job["job"])

    @property
    def published_name(self) -> str:
        """RUN as its build's id makes it: another than ``run`` where somebody else had that id."""
        return run_name(self.job_name, self.build)

    @property
    def tested_version(self) -> str:
        """The version of the cluster when it was tested: another one than it was made with after an upgrade."""
        return self.upgraded_to or self.version

    @property
    def outcome(self) -> Outcome:
        """How the run came out, as far as it is known: by the first failure."""
        return self.failures[0].outcome if self.failures else Outcome.PASSED

    @property
    def is_live(self) -> bool:
        """Whether a cluster may be there."""
        return any(presence in (Presence.MADE, Presence.UP) for presence in self.clusters.values())

    @property
    def needs_publishing(self) -> bool:
        """Whether it owns a build that is not finished, or may own one: its claim was cut off."""
        return (self.claimed or self.step == CLAIM) and not self.published

    @property
    def needs_work(self) -> bool:
        """Whether something of it is still to be done: a cluster to take down, or results to publish."""
        return self.is_live or self.needs_publishing or not self.is_ended

    @property
    def is_ended(self) -> bool:
        """Whether the sequence came to its end, and not only its process."""
        return self.ended_s > 0

    def with_cluster(self, name: str, presence: Presence) -> RunState:
        """Return the state in which one cluster has another presence."""
        return replace(self, clusters={**self.clusters, name: presence})

    def with_failure(self, failure: Failure) -> RunState:
        """Return the state with one more failure, behind those that are there."""
        return replace(self, failures=(*self.failures, failure))

    def to_json(self) -> dict[str, Any]:
        """Return the state as JSON values; ``from_json`` is the inverse."""
        values = asdict(self)
        values["steps"] = [
            {**asdict(step), "outcome": step.outcome.name if step.outcome else None} for step in self.steps
        ]
        values["failures"] = [{**asdict(each), "outcome": each.outcome.name} for each in self.failures]
        return {"schema": SCHEMA, **values}

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> RunState:
        """Return the state that ``to_json`` described. Raises UsageError for one of another version of ours."""
        rest = {key: value for key, value in values.items() if key != "schema"}
        if values.get("schema") != SCHEMA:
            raise UsageError(f"the state of this run has format {values.get('schema')}, this version writes {SCHEMA}")
        rest["keep"] = Keep(rest["keep"])
        rest["clusters"] = {name: Presence(presence) for name, presence in rest["clusters"].items()}
        rest["steps"] = tuple(_step(step) for step in rest["steps"])
        rest["failures"] = tuple(Failure(**{**each, "outcome": Outcome[each["outcome"]]}) for each in rest["failures"])
        tally = {**rest["tally"], "failed_names": tuple(rest["tally"]["failed_names"])}
        rest["tally"] = Tally(**tally)
        rest["finished_steps"] = tuple(rest["finished_steps"])
        return cls(**rest)


def _step(values: Mapping[str, Any]) -> StepRecord:
    outcome = values["outcome"]
    return StepRecord(**{**values, "outcome": Outcome[outcome] if outcome else None})


def build_number(now_s: float) -> str:
    """Return the build id of a moment: UTC as ``YYYYMMDDHHMMSS``. Source: docs/adr/0002."""
    return datetime.fromtimestamp(int(now_s), tz=UTC).strftime(BUILD_FORMAT)


def build_moment(build: str) -> int:
    """Return the moment of a build id of ours: the inverse of ``build_number``."""
    return int(datetime.strptime(build, BUILD_FORMAT).replace(tzinfo=UTC).timestamp())


def run_name(job: str, build: str) -> str:
    """Return RUN."""
    return f"{job}-{build}"
