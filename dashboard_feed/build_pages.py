"""The page of one build: what failed and since when, where the evidence is, how to run it again."""

from __future__ import annotations

import hashlib
import re
import shlex
from dataclasses import dataclass
from typing import TYPE_CHECKING

from dashboard_feed import links
from dashboard_feed.builds import (
    PART,
    TEST_STEP,
    Artifact,
    Build,
    Job,
    Mark,
    Result,
    results,
    step_name,
    verdict,
)
from dashboard_feed.pages import anchor
from dashboard_feed.render import Here, Renderer
from dashboard_feed.show import count, moment, stamp
from dashboard_feed.testgrid.flakiness import Flakiness, Meter
from upload.layout import GIVEN_JOB
from upload.model import Case, Status

if TYPE_CHECKING:
    from collections.abc import Sequence

MOST_FAILED = 300
MOST_OTHERS = 5_000
MOST_FILES = 2_000

_BAD = (Mark.FAILED, Mark.FLAKY)
_JOB = re.compile(r"[a-z0-9][a-z0-9.-]{2,62}")  # DESIGN section 4: what ``e2e run`` takes


@dataclass(frozen=True, slots=True)
class FailedCase:
    """One failed or flaky test as its build's page shows it.

    ``evidence``: (label, href, bytes). ``rerun``: a shell command, or empty when the build is not of this harness.
    ``flakiness``: over the week before the build, None where nothing is known.
    """

    name: str
    mark: Mark
    seconds: float
    text: str
    since: str
    is_news: bool
    evidence: tuple[tuple[str, str, int], ...]
    rerun: str
    flakiness: Flakiness | None


@dataclass(frozen=True, slots=True)
class Step:
    """One lifecycle step with its parts. ``share``: its time in percent of the longest step's; ``told``: what to show."""

    case: Case
    share: float
    parts: tuple[Case, ...]
    told: str


@dataclass(frozen=True, slots=True)
class JobHistory:
    """A job with what each test came to in each build: ``outcomes[i]`` maps names for ``job.builds[i]``.

    ``meter`` tells how flaky its tests are, of the same builds.
    """

    job: Job
    outcomes: tuple[dict[str, Result], ...]
    meter: Meter


def job_history(job: Job, meter: Meter) -> JobHistory:
    """Merge the attempts of every build once, for all of the job's build pages."""
    return JobHistory(job, tuple({r.name: r for r in results(build.cases)} for build in job.builds), meter)


def build_page(renderer: Renderer, history: JobHistory, index: int) -> bytes:
    """Return the page of the build at ``index`` of the job's builds, newest first."""
    job = history.job
    build = job.builds[index]
    here = Here(links.build_page(job, build.number), renderer.site)
    shown = _Shown(history, index, here)
    outcomes = tuple(history.outcomes[index].values())
    bad = sorted((r for r in outcomes if r.mark in _BAD), key=lambda r: (r.mark is Mark.FLAKY, r.name))
    others = sorted(
        (r for r in outcomes if r.mark not in _BAD), key=lambda r: (r.mark is Mark.SKIPPED, -r.seconds, r.name)
    )
    failed = [shown.failed_case(result) for result in bad[:MOST_FAILED]]
    failed.sort(key=lambda case: (case.mark is Mark.FLAKY, not case.is_news))  # what broke just now comes first
    mark = verdict(build, renderer.now_s)
    return renderer.page(
        "build.html",
        here.page,
        job=job,
        build=build,
        mark=mark,
        is_bad=mark.is_bad,
        headline=_headline(build, mark, outcomes),
        older=job.builds[index + 1] if index + 1 < len(job.builds) else None,
        newer=job.builds[index - 1] if index else None,
        actions=shown.actions(),
        steps=_steps(build, has_failed_tests=any(case.mark is Mark.FAILED for case in failed)),
        failed=failed,
        failed_hidden=max(0, len(bad) - MOST_FAILED),
        rerun_all=_rerun(given_job(job, build), [c.name for c in failed if c.mark is Mark.FAILED])
        if any(case.rerun for case in failed)
        else "",
        others=others[:MOST_OTHERS],
        others_hidden=max(0, len(others) - MOST_OTHERS),
        tally=_tally(outcomes),
        folders=shown.folders(),
        facts=_facts(build),
        anchor=anchor,
    )


@dataclass(frozen=True, slots=True)
class _Shown:
    """One build among those of its job, seen from its page."""

    history: JobHistory
    index: int
    here: Here

    @property
    def job(self) -> Job:
        return self.history.job

    @property
    def build(self) -> Build:
        return self.job.builds[self.index]

    def href(self, path: str) -> str:
        return self.here.object(self.job.spec, f"{self.job.name}/{self.build.number}/{path}")

    def actions(self) -> list[tuple[str, str]]:
        wanted = [("Build log", "build-log.txt"), ("finished.json", "finished.json"), ("Folder", "")]
        there = {artifact.path for artifact in self.build.artifacts} | {""}
        return [(label, href) for label, path in wanted if path in there and (href := self.href(path))]

    def failed_case(self, result: Result) -> FailedCase:
        since, is_news = self.since(result)
        evidence = self.evidence(result.name)
        metadata = dict(self.build.metadata)
        is_ours = evidence or GIVEN_JOB in metadata or metadata.get("run") == f"{self.job.name}-{self.build.number}"
        rerun = _rerun(given_job(self.job, self.build), [result.name]) if is_ours else ""
        flakiness = self.history.meter.of(result.name, newest=self.index, end_s=self.build.started_s or 0)
        return FailedCase(
            result.name, result.mark, result.seconds, result.text, since, is_news, evidence, rerun, flakiness
        )

    def since(self, result: Result) -> tuple[str, bool]:
        """Say since when a test fails, looking back from this build; news is what did not fail in the build before."""
        if result.mark is Mark.FLAKY:
            return f"passed {result.passes} of {result.runs} attempts", False
        first, length = self.build, 1
        for position in range(self.index + 1, len(self.job.builds)):
            build, before = self.job.builds[position], self.history.outcomes[position].get(result.name)
            if before is None or before.mark is Mark.SKIPPED:
                continue
            if before.mark is not Mark.FAILED:
                return (f"new: passed in {build.number}", True) if length == 1 else (_long(first, length), False)
            first, length = build, length + 1
        return (_long(first, length), False) if length > 1 else ("no earlier result", True)

    def evidence(self, name: str) -> tuple[tuple[str, str, int], ...]:
        """Find the case's evidence folder: ``artifacts/failures/<slug60>-<sha8>/`` (DESIGN section 7)."""
        digest = hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()[:8]
        folder = re.compile(rf"artifacts/failures/[^/]*-{digest}/(.+)", re.DOTALL)
        found = [(match[1], a) for a in self.build.artifacts if (match := folder.fullmatch(a.path))]
        return tuple((label, href, a.size_bytes) for label, a in found[:40] if (href := self.href(a.path)))

    def folders(self) -> list[tuple[str, list[tuple[str, str, int]], int]]:
        """Group the build's objects: its own files, then each folder below ``artifacts/``."""
        groups: dict[str, list[Artifact]] = {}
        for artifact in self.build.artifacts[:MOST_FILES]:
            groups.setdefault(_folder(artifact.path), []).append(artifact)
        ordered = sorted(groups.items(), key=lambda group: (group[0].count("/") > 1, group[0]))
        return [
            (
                folder,
                [(a.path.removeprefix(folder), self.href(a.path), a.size_bytes) for a in many],
                sum(a.size_bytes for a in many),
            )
            for folder, many in ordered
        ]


def _steps(build: Build, *, has_failed_tests: bool) -> list[Step]:
    """Put the parts of a step below it; a failed step tells its part's text, and Test nothing that its tests tell."""
    names = {step.name for step in build.steps}
    tops = [step for step in build.steps if step.name.partition(PART)[0] not in names - {step.name}]
    longest = max((step.seconds for step in tops), default=0) or 1
    found = []
    for top in tops:
        parts = tuple(step for step in build.steps if step.name.startswith(top.name + PART))
        failed = [step for step in (*parts, top) if step.status is Status.FAILED]
        is_repeated = has_failed_tests and step_name(top.name) == TEST_STEP
        told = failed[0].text if failed and not is_repeated else ""
        found.append(Step(top, max(0.5, round(100 * top.seconds / longest, 1)), parts, told))
    return found


def _folder(path: str) -> str:
    parts = path.split("/")
    if parts[0] != "artifacts" or len(parts) < 2:
        return "/".join(parts[:-1]) + "/" if len(parts) > 1 else "./"
    return f"artifacts/{parts[1]}/" if len(parts) > 2 else "artifacts/"


def _long(first: Build, length: int) -> str:
    return f"failing for {count(length, 'build')}, since {moment(first.at_s)}"


def given_job(job: Job, build: Build) -> str:
    """Return what ``e2e run`` was given, a JOB or a FILE; the job's name where the build does not tell."""
    return dict(build.metadata).get(GIVEN_JOB) or (job.name if _JOB.fullmatch(job.name) else "")


def _rerun(job: str, names: Sequence[str]) -> str:
    """Return the command that runs these tests again, quoted for a shell; nothing when a name cannot be typed."""
    is_typable = all(text.isascii() and text.isprintable() for text in (job, *names))
    if not names or len(names) > 20 or not is_typable or not job or job.startswith("-"):
        return ""
    escaped = [re.sub(r"([\\.^$*+?{}\[\]|()])", r"\\\1", name) for name in names]
    pattern = f"^{escaped[0]}$" if len(escaped) == 1 else f"^({'|'.join(escaped)})$"
    return f"e2e run {shlex.quote(job)} --focus {shlex.quote(pattern)}"


def _headline(build: Build, mark: Mark, outcomes: Sequence[Result]) -> str:
    failed = sum(1 for r in outcomes if r.mark is Mark.FAILED)
    ran = sum(1 for r in outcomes if r.mark is not Mark.SKIPPED)
    steps = [step_name(step.name) for step in build.steps if step.status is Status.FAILED]
    if failed:
        return f"{failed:,} of {count(ran, 'test')} failed"
    if steps and mark is not Mark.PASSED:
        return f"The step {steps[0]} failed" + (f"; {count(ran, 'test')} passed" if ran else "")
    if mark is Mark.RUNNING:
        return "This build has not finished yet"
    if mark is Mark.UNFINISHED:
        return "This build never finished"
    if mark is Mark.FAILED:
        return "The build failed outside of its tests" if ran else "The build failed before any test"
    if mark is Mark.ABORTED:
        return f"Stopped after {count(ran, 'test')}"
    return f"{ran:,} of {count(ran, 'test')} passed" if ran else "Passed without any test"


def _tally(outcomes: Sequence[Result]) -> str:
    counts = [(sum(1 for r in outcomes if r.mark is mark), mark.word) for mark in (Mark.PASSED, Mark.SKIPPED)]
    return ", ".join(f"{number:,} {word}" for number, word in counts if number)


def _facts(build: Build) -> list[tuple[str, str]]:
    own = [
        ("build", build.number),
        ("started", f"{stamp(build.started_s)} UTC" if build.started_s is not None else ""),
        ("finished", f"{stamp(build.finished_s)} UTC" if build.finished_s is not None else ""),
        ("result", build.result),
        ("version", build.version),
        ("node", build.node),
    ]
    return [(key, value) for key, value in (*own, *build.metadata) if value]
