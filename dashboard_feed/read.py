"""One build of a store to a plain value. Everything in it is hostile: what cannot be read is a finding, never a crash."""

from __future__ import annotations

import gzip
import re
import zlib
from dataclasses import dataclass, replace
from itertools import islice
from tempfile import SpooledTemporaryFile
from typing import TYPE_CHECKING, BinaryIO, cast

from dashboard_feed.builds import Artifact, Build
from dashboard_feed.records import read_record
from upload.errors import DeadlineExceeded, HarnessError, StoreError, TooLarge
from upload.junit import iter_junit
from upload.layout import ARTIFACTS, BUILD_LOG, FINISHED, LARGEST_JUNIT_BYTES, RUNNER_JUNIT, STARTED, is_report_path
from upload.model import Case, Finding, Severity

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from upload.store import Store

UNREADABLE = "build.unreadable"
LOG_LINES = 60
TEXT_CHARS = 20_000
SHORT_CHARS = 500  # once a build has used up its share of text
NAME_CHARS = 2_000
IN_MEMORY_BYTES = 1 << 20
HEAD_BYTES = 4096

_ROOT = re.compile(rb"<(?:[\w.-]+:)?(testsuites?)[\s/>]")


@dataclass(frozen=True, slots=True)
class Limits:
    """How much of one build is read, in bytes and counts. TestGrid reads no larger JUnit file either."""

    document_bytes: int = 1 << 20
    junit_bytes: int = LARGEST_JUNIT_BYTES
    junit_of_build_bytes: int = 2 * LARGEST_JUNIT_BYTES
    log_bytes: int = 4 << 20
    objects: int = 10_000
    cases: int = 50_000
    text_chars: int = 16 << 20


LIMITS = Limits()


def read_build(store: Store, job: str, number: str, limits: Limits = LIMITS, *, folder: str = "") -> Build:
    """Return one build. ``store`` is rooted at the bucket; ``folder``: of the build there, ``JOB/NUMBER/`` unless given."""
    reader = _BuildReader(store, job, number, limits, folder=folder or f"{job}/{number}/")
    try:
        return reader.read()
    except Exception as error:  # noqa: BLE001  # whatever a bucket has thought of costs it this build and no more
        reader.note(UNREADABLE, "", f"{type(error).__name__}: {error}")
        return Build(job, number, findings=tuple(reader.findings), is_cut=_may_pass(error))


class _BuildReader:
    def __init__(self, store: Store, job: str, number: str, limits: Limits, *, folder: str) -> None:
        self.store = store
        self.limits = limits
        self.job = job
        self.number = number
        self.folder = folder
        self.findings: list[Finding] = []
        self.is_cut = False
        self.nested: list[str] = []

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
            finished_version=record.finished_version,
            repo_commit=record.repo_commit,
            repos=record.repos,
            is_cut=self.is_cut,
            nested=tuple(self.nested),
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
        with SpooledTemporaryFile(IN_MEMORY_BYTES) as file:
            size_bytes = self.copied(path, cast("BinaryIO", file), limit_bytes)
            if size_bytes is None:
                return None
            try:
                body = plain(cast("BinaryIO", file)).read(limit_bytes + 1)
            except (OSError, EOFError, zlib.error) as error:
                self.note("object.unreadable", path, f"cannot be decompressed: {error}")
                return b""
            if len(body) > limit_bytes:
                self.note("object.unreadable", path, f"more than {limit_bytes} bytes once decompressed")
                return b""
            return body

    def copied(self, path: str, file: BinaryIO, limit_bytes: int) -> int | None:
        """Write an object into a file and return its size, or None where there is none or it cannot be read."""
        try:
            if self.store.read_into(self.folder + path, file, limit_bytes=limit_bytes) is None:
                return None
        except HarnessError as error:
            self.note("object.unreadable", path, str(error))
            self.is_cut = self.is_cut or _may_pass(error)
            if path != FINISHED:
                return None
            file.seek(0)
            file.truncate()
        size_bytes = file.tell()
        file.seek(0)
        return size_bytes

    def cases(self, files: Sequence[Artifact]) -> tuple[Case, ...]:
        """Return the cases of JUnit files, in the order of their names, as far as the limits go."""
        found: list[Case] = []
        budget, text_chars = self.limits.junit_of_build_bytes, self.limits.text_chars
        for file in files:
            budget -= file.size_bytes
            if len(found) == self.limits.cases:
                break
            if budget < 0:
                what = f"the build's JUnit is larger than {self.limits.junit_of_build_bytes} bytes"
                self.note("junit.size", file.path, what)
                break
            for case in self.cases_of(file.path):
                if len(found) == self.limits.cases:
                    break
                slim = _slim(case, TEXT_CHARS if text_chars > 0 else SHORT_CHARS)
                text_chars -= len(slim.text)
                found.append(slim)
        if len(found) == self.limits.cases:
            what = f"more than {self.limits.cases} cases; the rest is not shown"
            self.note("junit.cases", "", what, Severity.WARNING)
        return tuple(found)

    def cases_of(self, path: str) -> Iterator[Case]:
        """Yield the cases of one file as they are read. It lies on the disk, and no more of it than is allowed is read."""
        with SpooledTemporaryFile(IN_MEMORY_BYTES) as file:
            if self.copied(path, cast("BinaryIO", file), self.limits.junit_bytes) is None:
                return
            body = Bounded(plain(cast("BinaryIO", file)), self.limits.junit_bytes)
            try:
                if is_nested(plain(cast("BinaryIO", file)).read(HEAD_BYTES)):
                    self.nested.append(path)
                file.seek(0)
                for item in iter_junit(cast("BinaryIO", body), name=path, published=True):
                    if isinstance(item, Case):
                        yield item
                    else:
                        self.findings.append(replace(item, object=self.folder + item.object))
            except (OSError, EOFError, zlib.error) as error:
                self.note("object.unreadable", path, f"cannot be decompressed: {error}")
                return
            if body.is_cut:
                self.note("junit.size", path, f"more than {self.limits.junit_bytes} bytes once decompressed")

    def log_tail(self, artifacts: Sequence[Artifact]) -> str:
        """Return the last lines of the build log; a store reads whole objects only, so a large one is left out."""
        size = next((a.size_bytes for a in artifacts if a.path == BUILD_LOG), 0)
        if not 0 < size <= self.limits.log_bytes:
            return ""
        body = self.body(BUILD_LOG, self.limits.log_bytes) or b""
        return "\n".join(body[-TEXT_CHARS:].decode("utf-8", "replace").rstrip().split("\n")[-LOG_LINES:])


def plain(file: BinaryIO) -> BinaryIO:
    """Return what a file holds, decompressed where somebody stored it compressed without saying so."""
    start = file.tell()
    magic = file.read(2)
    file.seek(start)
    return cast("BinaryIO", gzip.GzipFile(fileobj=file, mode="rb")) if magic == b"\x1f\x8b" else file


def is_nested(head: bytes) -> bool:
    """Tell by the beginning of a report whether its root is ``<testsuites>``: some readers name its tests otherwise."""
    root = _ROOT.search(head)
    return root is not None and root[1] == b"testsuites"


class Bounded:
    """The first bytes of a stream. ``is_cut``: there were more."""

    def __init__(self, stream: BinaryIO, limit_bytes: int) -> None:
        self._stream = stream
        self._left_bytes = limit_bytes
        self.is_cut = False

    def read(self, size: int = -1) -> bytes:
        """Return the next bytes, as long as there are some that may be read."""
        if self._left_bytes <= 0:
            self.is_cut = self.is_cut or bool(self._stream.read(1))
            return b""
        block = self._stream.read(self._left_bytes if size < 0 else min(size, self._left_bytes))
        self._left_bytes -= len(block)
        return block


def _may_pass(error: Exception) -> bool:
    """Tell whether reading again, later, may help. A store that says a clear no, or has too much, is believed."""
    if isinstance(error, TooLarge):
        return False
    return isinstance(error, DeadlineExceeded) or (
        isinstance(error, StoreError) and error.status not in (401, 403, 404)
    )


def _slim(case: Case, most: int) -> Case:
    """Keep what pages show: the head and the tail of a long text, no output."""
    text = case.text
    if len(text) <= 2 * most and len(case.name) <= NAME_CHARS and not (case.output or case.properties):
        return case  # nearly all
    if len(text) > 2 * most:
        text = f"{text[:most]}\n…\n{text[-most:]}"
    return replace(case, name=case.name[:NAME_CHARS], text=text, output="", properties=())
