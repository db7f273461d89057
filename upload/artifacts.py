"""From a folder of artifacts to the files that are published: JUnit rewritten, everything censored, nothing in place."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path
from typing import BinaryIO

from upload import layout
from upload.artifact_walk import FoundFile, Limits, left_out, open_regular, walk
from upload.case_spool import CaseSpool
from upload.censor import Censor
from upload.errors import ResultsError
from upload.junit import iter_junit
from upload.junit_render import runner_name, shard_name
from upload.model import Case, Finding, Severity, Status, StepRecord, SuiteEnding
from upload.spool import LeftOut, Spool, is_gzip

# packed forms that are not looked into: a secret inside them would stay
_OPAQUE = (".7z", ".bz2", ".jar", ".lz4", ".rar", ".xz", ".zip", ".zst")

MOST_STEPS = 1_000
LONGEST_REASON = 10_000
"""How many steps, and of how many characters, a foreign ``junit_runner.xml`` may put into the memory."""


@dataclass(frozen=True, slots=True)
class Published:
    """What a folder of artifacts becomes.

    ``artifacts``: name below ``artifacts/`` → spooled file, sorted by name. ``build_log``: the folder's own
    ``build-log.txt``, which is published beside ``artifacts/``. ``ending``: how the tests ended. ``steps``: what the
    folder's ``junit_runner.xml`` tells, for builds that come without records.
    """

    artifacts: Mapping[str, Path]
    ending: SuiteEnding
    steps: tuple[StepRecord, ...]
    findings: tuple[Finding, ...]
    build_log: Path | None = None


def collect_artifacts(folder: Path, *, censor: Censor, out: Path, limits: Limits | None = None) -> Published:
    """Return what is published of ``folder``; the copies lie in ``out``, a private folder that the caller removes.

    Every file that some reader takes for JUnit, at any depth, is read; its cases come out in ``junit_NN.xml`` (those of
    ``junit_runner.xml`` under that name), everything else it said in ``cases.jsonl``, itself censored as
    ``original/<path>.orig``. ``folder`` is never written to. What becomes of odd files: ``upload.artifact_walk``.
    Raises: ResultsError when ``folder`` cannot be listed or ``out`` cannot be written.
    """
    limits = limits or Limits()
    spool = Spool(out, censor)
    with (
        CaseSpool(spool, limit_bytes=limits.shard_bytes) as cases,
        CaseSpool(spool, limit_bytes=limits.shard_bytes) as step_cases,
    ):
        collector = _Collector(spool, limits, cases, step_cases)
        try:
            for found in walk(folder, limits=limits):
                collector.take(found)
        except OSError as exc:
            raise ResultsError(f"{folder}: {exc.strerror or exc}") from exc
        return collector.published()


class _Collector:
    """Gathers what was found so far."""

    def __init__(self, spool: Spool, limits: Limits, cases: CaseSpool, step_cases: CaseSpool) -> None:
        self._spool = spool
        self._censor = spool.censor
        self._limits = limits
        self._cases = cases
        self._step_cases = step_cases
        self._steps: list[StepRecord] = []
        self._artifacts: dict[str, Path] = {}
        self._build_log: Path | None = None
        self._findings: list[Finding] = []

    def take(self, found: FoundFile | Finding) -> None:
        """Spool one file where it belongs, or note why it cannot be."""
        if isinstance(found, Finding):
            self._note(found)
            return
        path = self._censor.text(found.path)
        try:
            with open_regular(found.place) as source:
                self._sort(path, source)
        except LeftOut as exc:
            self._note(left_out(exc.rule, path, str(exc)))
        except OSError as exc:
            finding = left_out("artifact.unreadable", path, f"it cannot be read: {exc.strerror}")
            lost = layout.is_report_path(layout.ARTIFACTS + path)  # its cases may have failed
            self._note(replace(finding, severity=Severity.ERROR) if lost else finding)

    def published(self) -> Published:
        """Write the JUnit shards and ``cases.jsonl``, and return the whole."""
        for number, shard in enumerate(self._cases.shards(), 1):
            self._artifacts[shard_name(number)] = shard
        for number, shard in enumerate(self._step_cases.shards(), 1):
            self._artifacts[runner_name(number)] = shard
        if self._cases or self._step_cases:
            self._artifacts[layout.CASES] = self._spool.write(chain(self._step_cases.lines(), self._cases.lines()))
        return Published(
            artifacts=dict(sorted(self._artifacts.items())),
            ending=self._cases.ending(),
            steps=tuple(self._steps),
            findings=tuple(self._findings),
            build_log=self._build_log,
        )

    def _sort(self, path: str, source: BinaryIO) -> None:
        if layout.is_junit_path(layout.ARTIFACTS + path):
            if layout.is_report_path(layout.ARTIFACTS + path):
                self._read_junit(path, source)
                source.seek(0)
            self._artifacts[f"{layout.ORIGINALS}{path}.orig"] = self._copy(path, source)
        elif path == layout.BUILD_LOG:
            self._build_log = self._copy(path, source)
        elif path == layout.CASES or path.startswith(layout.ORIGINALS):  # names of ours: theirs gives way
            self._artifacts[f"{layout.ORIGINALS}{path}.orig"] = self._copy(path, source)
        else:
            self._artifacts[path] = self._copy(path, source)

    def _copy(self, path: str, source: BinaryIO) -> Path:
        if is_gzip(source):
            return self._spool.repack(source, limit_bytes=self._limits.unpacked_bytes)
        if self._censor and path.lower().endswith(_OPAQUE):
            what = "it is packed and was not looked into; publish it unpacked or as .gz to have secrets removed"
            self._note(Finding("artifact.opaque", path, what, severity=Severity.WARNING))
        copy, missing = self._spool.copy(source, limit_bytes=self._limits.file_bytes)
        if missing:
            what = f"{missing} bytes in its middle are left out: larger than {self._limits.file_bytes} bytes"
            self._note(Finding("artifact.size", path, what, severity=Severity.WARNING))
        return copy

    def _read_junit(self, path: str, source: BinaryIO) -> None:
        is_runner = path == layout.RUNNER_JUNIT
        cases = self._step_cases if is_runner else self._cases
        for item in iter_junit(source, name=path, censor=self._censor.text):
            if isinstance(item, Finding):
                self._note(item)
                continue
            if item.output and item.status is not Status.FAILED:  # it stands in the original
                item = replace(item, output="")  # noqa: PLW2901
            case = self._censor.case(item)
            cases.add(case)
            if is_runner and len(self._steps) < MOST_STEPS:
                self._steps.append(_as_step(case))

    def _note(self, finding: Finding) -> None:
        place, what = self._censor.text(finding.object), self._censor.text(finding.what)
        self._findings.append(replace(finding, object=place, what=what))


def _as_step(case: Case) -> StepRecord:
    name = case.name.removeprefix(f"{case.classname}.")
    return StepRecord(
        name=name,
        started_s=0,
        seconds=case.seconds,
        failure=case.text[:LONGEST_REASON] if case.status is Status.FAILED else "",
    )
