"""From a folder of artifacts to the files that are published: JUnit rewritten, everything censored, nothing in place."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import BinaryIO

from upload import layout
from upload.artifact_walk import FoundFile, Limits, left_out, open_regular, walk
from upload.censor import Censor
from upload.errors import ResultsError
from upload.junit import iter_junit
from upload.junit_render import iter_shards, render_one
from upload.model import Case, Finding, Severity, Status, StepRecord
from upload.spool import LeftOut, Spool, is_gzip

# packed forms that are not looked into: a secret inside them would stay
_OPAQUE = (".7z", ".bz2", ".jar", ".lz4", ".rar", ".xz", ".zip", ".zst")

_CASE_FIELDS = tuple(field.name for field in fields(Case))


@dataclass(frozen=True, slots=True)
class Published:
    """What a folder of artifacts becomes.

    ``artifacts``: name below ``artifacts/`` → spooled file, sorted by name. ``build_log``: the folder's own
    ``build-log.txt``, which is published beside ``artifacts/``. ``cases``: every attempt of every test, without output
    unless it failed. ``steps``: what the folder's ``junit_runner.xml`` tells, for builds that come without records.
    """

    artifacts: Mapping[str, Path]
    cases: tuple[Case, ...]
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
    collector = _Collector(Spool(out, censor), censor, limits)
    try:
        for found in walk(folder, limits=limits):
            collector.take(found)
    except OSError as exc:
        raise ResultsError(f"{folder}: {exc.strerror or exc}") from exc
    return collector.published()


class _Collector:
    """Gathers what was found so far."""

    def __init__(self, spool: Spool, censor: Censor, limits: Limits) -> None:
        self._spool = spool
        self._censor = censor
        self._limits = limits
        self._artifacts: dict[str, Path] = {}
        self._build_log: Path | None = None
        self._cases: list[Case] = []
        self._step_cases: list[Case] = []
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
            self._note(left_out("artifact.unreadable", path, f"it cannot be read: {exc.strerror}"))

    def published(self) -> Published:
        """Write the JUnit shards and ``cases.jsonl``, and return the whole."""
        for name, shard in iter_shards(self._cases, limit_bytes=self._limits.shard_bytes):
            self._artifacts[name] = self._spool.write((shard,))
        if self._step_cases:
            self._artifacts[layout.RUNNER_JUNIT] = self._spool.write((render_one(self._step_cases),))
        if self._cases or self._step_cases:
            lines = case_lines([*self._step_cases, *self._cases])
            self._artifacts[layout.CASES] = self._spool.write(lines)
        return Published(
            artifacts=dict(sorted(self._artifacts.items())),
            cases=tuple(self._cases),
            steps=tuple(_as_step(case) for case in self._step_cases),
            findings=tuple(self._findings),
            build_log=self._build_log,
        )

    def _sort(self, path: str, source: BinaryIO) -> None:
        if layout.is_junit_path(layout.ARTIFACTS + path):
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
        cases = self._step_cases if path == layout.RUNNER_JUNIT else self._cases
        for item in iter_junit(source, name=path):
            if isinstance(item, Finding):
                self._note(item)
            elif item.status is Status.FAILED:
                cases.append(self._censor.case(item))
            else:  # a million passing tests' output would have to be held here; it stands in the original
                cases.append(self._censor.case(replace(item, output="")))

    def _note(self, finding: Finding) -> None:
        place, what = self._censor.text(finding.object), self._censor.text(finding.what)
        self._findings.append(replace(finding, object=place, what=what))


def case_lines(cases: Iterable[Case]) -> Iterator[bytes]:
    """Yield ``cases.jsonl``: one JSON object a line with every field of a case, empty ones left out, and ``attempt``.

    ``attempt`` counts from 1 over the cases of one name in one file.
    """
    attempts: dict[tuple[str, str, str], int] = {}
    for case in cases:
        key = (case.source, case.classname, case.name)
        attempts[key] = attempts.get(key, 0) + 1
        told = {name: value for name in _CASE_FIELDS if (value := getattr(case, name)) not in ("", ())}
        line = json.dumps(told | {"attempt": attempts[key]}, ensure_ascii=False, sort_keys=True)
        yield line.encode("utf-8", "replace") + b"\n"


def _as_step(case: Case) -> StepRecord:
    name = case.name.removeprefix(f"{case.classname}.")
    return StepRecord(
        name=name, started_s=0, seconds=case.seconds, failure=case.text if case.status is Status.FAILED else ""
    )
