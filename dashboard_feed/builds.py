"""What the feed knows of builds: plain frozen values, made by ``read`` and shown by everything else."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING

from upload.model import Case, Finding, Status

if TYPE_CHECKING:
    from dashboard_feed.buckets import BucketSpec

DAY_S = 86_400
UNFINISHED_AFTER_S = DAY_S

TEST_STEP = "Test"
PART = ": "  # between a step and a part of it, as in ``Up: Start control plane``


class Mark(Enum):
    """How one cell or one build is shown: ``(letter, word)``. The letter carries what the colour says."""

    PASSED = ("P", "passed")
    FAILED = ("F", "failed")
    FLAKY = ("~", "flaky")
    SKIPPED = ("S", "skipped")
    RUNNING = ("R", "running")
    ABORTED = ("A", "aborted")
    UNFINISHED = ("T", "never finished")

    @property
    def letter(self) -> str:
        """One character, for a cell."""
        return self.value[0]

    @property
    def word(self) -> str:
        """The mark in words, for people and for screen readers."""
        return self.value[1]

    @property
    def is_bad(self) -> bool:
        """Tell whether somebody has to look."""
        return self in (Mark.FAILED, Mark.ABORTED, Mark.UNFINISHED)


@dataclass(frozen=True, slots=True)
class Artifact:
    """One object of a build. ``path`` is relative to the build's folder; ``size_bytes`` as stored."""

    path: str
    size_bytes: int


@dataclass(frozen=True, slots=True)
class Build:
    """One build as its bucket tells it.

    ``job`` and ``number`` as in the bucket, any characters. Times are UTC epochs, None where missing or no time.
    ``passed`` is None where finished.json is missing or says nothing. ``commit`` is what TestGrid shows as a column's
    commit. ``cases`` are attempts in file order, ``steps`` those of junit_runner.xml. ``log_tail``: the last lines of
    the build log, or empty. ``is_finished``: finished.json could be read. ``repo_commit`` and ``repos`` (JSON text) are as
    kettle takes them. ``is_cut``: something of it could not be read this time. ``nested``: its reports whose
    root is ``<testsuites>``.
    """

    job: str
    number: str
    started_s: int | None = None
    finished_s: int | None = None
    is_finished: bool = False
    passed: bool | None = None
    result: str = ""
    version: str = ""
    commit: str = ""
    node: str = ""
    metadata: tuple[tuple[str, str], ...] = ()
    cases: tuple[Case, ...] = ()
    steps: tuple[Case, ...] = ()
    artifacts: tuple[Artifact, ...] = ()
    log_tail: str = ""
    findings: tuple[Finding, ...] = ()
    finished_version: str = ""
    repo_commit: str = ""
    repos: str = ""
    is_cut: bool = False
    nested: tuple[str, ...] = ()

    @property
    def seconds(self) -> int | None:
        """How long it took, or None while that is unknown."""
        if self.started_s is None or self.finished_s is None or self.finished_s < self.started_s:
            return None
        return self.finished_s - self.started_s

    @property
    def at_s(self) -> int | None:
        """When it was: its start, else its end."""
        return self.started_s if self.started_s is not None else self.finished_s


@dataclass(frozen=True, slots=True)
class Job:
    """One job of one bucket; ``builds`` newest first."""

    spec: BucketSpec
    name: str
    builds: tuple[Build, ...]

    @property
    def full_name(self) -> str:
        """The name across parties: prefix and job."""
        return f"{self.spec.prefix}{self.name}"


@dataclass(frozen=True, slots=True)
class Bucket:
    """What was read of one bucket. ``findings`` are those of the bucket itself; builds keep their own."""

    spec: BucketSpec
    jobs: tuple[Job, ...] = ()
    findings: tuple[Finding, ...] = ()


@dataclass(frozen=True, slots=True)
class Result:
    """All attempts of one test in one build, as one.

    ``seconds`` is their sum, ``text`` the first failed attempt's text, or the skip's reason.
    ``passes`` and ``runs`` count attempts; a skip has no run.
    """

    name: str
    mark: Mark
    seconds: float
    text: str = ""
    passes: int = 0
    runs: int = 0


def verdict(build: Build, now_s: int) -> Mark:
    """Return how a build came out. ``passed`` wins over ``result``, as in TestGrid; one that says neither failed."""
    if not build.is_finished:
        began = build.at_s if build.at_s is not None else number_s(build.number)
        recent = began is not None and now_s - began < UNFINISHED_AFTER_S
        return Mark.RUNNING if recent else Mark.UNFINISHED
    if build.result == "ABORTED":
        return Mark.ABORTED
    is_passed = build.passed if build.passed is not None else build.result == "SUCCESS"
    return Mark.PASSED if is_passed else Mark.FAILED


def results(cases: tuple[Case, ...]) -> tuple[Result, ...]:
    """Return one result for each name, in order of first appearance.

    Attempts of one name are one result: some passed and some failed is FLAKY, as TestGrid's ``1/2``.
    """
    attempts: dict[str, list[Case]] = {}
    for case in cases:
        attempts.setdefault(case.name, []).append(case)
    return tuple(_merge(name, many) for name, many in attempts.items())


def _merge(name: str, attempts: list[Case]) -> Result:
    failed = [case for case in attempts if case.status is Status.FAILED]
    passed = [case for case in attempts if case.status is Status.PASSED]
    seconds = sum(case.seconds for case in attempts)
    if not failed and not passed:
        return Result(name, Mark.SKIPPED, seconds, attempts[0].text)
    mark = Mark.FLAKY if failed and passed else Mark.FAILED if failed else Mark.PASSED
    text = failed[0].text if failed else ""
    return Result(name, mark, seconds, text, passes=len(passed), runs=len(passed) + len(failed))


def step_name(name: str) -> str:
    """Return what a step is called among people: published, its class ``e2e`` stands before it."""
    return name.removeprefix("e2e.")


def number_s(number: str) -> int | None:
    """Return the time that a build id of 14 digits spells (UTC ``YYYYMMDDHHMMSS``), or None."""
    from datetime import UTC, datetime

    if not re.fullmatch(r"[0-9]{14}", number):
        return None
    try:
        return int(datetime.strptime(number, "%Y%m%d%H%M%S").replace(tzinfo=UTC).timestamp())
    except ValueError:
        return None
