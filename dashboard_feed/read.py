"""One build of a store to a plain value. Everything in it is hostile: what cannot be read is a finding, never a crash."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import islice
from typing import TYPE_CHECKING

from dashboard_feed.builds import Artifact, Build
from dashboard_feed.records import read_record
from upload.errors import HarnessError
from upload.junit import iter_junit
from upload.layout import ARTIFACTS, BUILD_LOG, FINISHED, LARGEST_JUNIT_BYTES, RUNNER_JUNIT, STARTED, is_report_path
from upload.model import Case, Finding, Severity

if TYPE_CHECKING:
    from collections.abc import Sequence

    from upload.store import Store

LOG_LINES = 60
TEXT_CHARS = 20_000
NAME_CHARS = 2_000


@dataclass(frozen=True, slots=True)
class Limits:
    """How much of one build is read, in bytes and counts. TestGrid reads no larger JUnit file either."""

    document_bytes: int = 1 << 20
    junit_bytes: int = LARGEST_JUNIT_BYTES
    junit_of_build_bytes: int = 2 * LARGEST_JUNIT_BYTES
    log_bytes: int = 4 << 20
    objects: int = 10_000
    cases: int = 50_000


LIMITS = Limits()


def read_build(store: Store, job: str, number: str, limits: Limits = LIMITS) -> Build:
    """Return one build. ``store`` is rooted at the bucket's folder of jobs."""
    reader = _BuildReader(store, job, number, limits)
    try:
        return reader.read()
    except Exception as error:  # noqa: BLE001  # whatever a bucket has thought of costs it this build and no more
        reader.note("build.unreadable", "", f"{type(error).__name__}: {error}")
        return Build(job, number, findings=tuple(reader.findings))


class _BuildReader:
    def __init__(self, store: Store, job: str, number: str, limits: Limits) -> None:
        self.store = store
        self.limits = limits
        self.job = job
        self.number = number
        self.folder = f"{job}/{number}/"
        self.findings: list[Finding] = []

    def note(self, rule: str, path: str, what: str, severity: Severity = Severity.ERROR) -> None:
        self.findings.append(Finding(rule, self.folder + path, what, severity=severity))

    def read(self) -> Build:
        artifacts = self.listed()
        record = read_record(
            self.body(STARTED, self.limits.document_bytes),
            self.body(FINISHED, self.limits.document_bytes),
            where=self.folder.rstrip("/"),
        )
        runner = ARTIFACTS + RUNNER_JUNIT
        steps = self.cases([a for a in artifacts if a.path == runner])
        cases = self.cases([a for a in artifacts if a.path != runner and is_report_path(a.path)])
        is_good = record.is_finished and record.passed is True
        return Build(
            self.job,
            self.number,
            started_s=record.started_s,
            finished_s=record.finished_s,
            is_finished=record.is_finished,
            passed=record.passed,
            result=record.result,
            version=record.version,
            commit=record.commit,
            node=record.node,
            metadata=record.metadata,
            cases=cases,
            steps=steps,
            artifacts=artifacts,
            log_tail="" if is_good else self.log_tail(artifacts),
            findings=(*record.findings, *self.findings),
        )

    def listed(self) -> tuple[Artifact, ...]:
        entries = list(islice(self.store.list(self.folder), self.limits.objects + 1))
        if len(entries) > self.limits.objects:
            self.note(
                "build.objects",
                "",
                f"has more than {self.limits.objects} objects; the rest is not shown",
                Severity.WARNING,
            )
        found = [Artifact(e.path.removeprefix(self.folder), e.size_bytes) for e in entries[: self.limits.objects]]
        return tuple(artifact for artifact in found if artifact.path and not artifact.path.endswith("/"))

    def body(self, path: str, limit_bytes: int) -> bytes | None:
        try:
            stored = self.store.read(self.folder + path, limit_bytes=limit_bytes)
        except HarnessError as error:
            self.note("object.unreadable", path, str(error))
            return b"" if path == FINISHED else None
        return stored.body if stored else None

    def cases(self, files: Sequence[Artifact]) -> tuple[Case, ...]:
        """Return the cases of JUnit files, in the order of their names, as far as the limits go."""
        found: list[Case] = []
        budget = self.limits.junit_of_build_bytes
        for file in files:
            budget -= file.size_bytes
            if budget < 0:
                self.note(
                    "junit.size",
                    file.path,
                    f"the build's JUnit is larger than {self.limits.junit_of_build_bytes} bytes",
                )
                break
            body = self.body(file.path, self.limits.junit_bytes)
            if body is None:
                continue
            for item in iter_junit(body, name=file.path, published=True):
                if isinstance(item, Finding):
                    self.findings.append(replace(item, object=self.folder + item.object))
                elif len(found) < self.limits.cases:
                    found.append(_slim(item))
        if len(found) == self.limits.cases:
            self.note(
                "junit.cases", "", f"more than {self.limits.cases} cases; the rest is not shown", Severity.WARNING
            )
        return tuple(found)

    def log_tail(self, artifacts: Sequence[Artifact]) -> str:
        """Return the last lines of the build log; a store reads whole objects only, so a large one is left out."""
        size = next((a.size_bytes for a in artifacts if a.path == BUILD_LOG), 0)
        if not 0 < size <= self.limits.log_bytes:
            return ""
        body = self.body(BUILD_LOG, self.limits.log_bytes) or b""
        return "\n".join(body[-TEXT_CHARS:].decode("utf-8", "replace").rstrip().split("\n")[-LOG_LINES:])


def _slim(case: Case) -> Case:
    """Keep what pages show: the head and the tail of a long text, no output."""
    text = case.text
    if len(text) > 2 * TEXT_CHARS:
        text = f"{text[:TEXT_CHARS]}\n…\n{text[-TEXT_CHARS:]}"
    return replace(case, name=case.name[:NAME_CHARS], text=text, output="", properties=())
