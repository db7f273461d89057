"""Check what is stored, or what is about to be, against every reader's rules. Reads only what a rule needs.

``verify`` walks a store; ``check_plan`` applies the same rules to a plan before it is sent. Everything read is hostile: a
store that tries to break the checker gets findings.
"""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from upload.check_build import BuildReport, check_build
from upload.check_shared import check_public, check_shared
from upload.errors import ResultsError
from upload.layout import FINISHED, check_job, check_number, is_junit_path, number_key
from upload.locate import JobPlace, find_jobs, is_build, list_builds
from upload.model import Finding, Put, Severity
from upload.plan import Plan
from upload.rules.documents import check_finished
from upload.rules.junit import check_junit
from upload.rules.table import RULES
from upload.rules.tree import check_names, check_numbers
from upload.store.base import Store

WORKERS = 8


@dataclass(frozen=True, slots=True)
class Report:
    """What a check found. ``builds`` and ``objects`` say how much was looked at."""

    findings: tuple[Finding, ...]
    builds: int
    objects: int

    def for_reader(self, reader: str) -> Report:
        """Return only what breaks one reader; ``all`` for everything."""
        kept = tuple(f for f in self.findings if reader in ("all", *f.readers))
        return Report(kept, self.builds, self.objects)

    @property
    def has_errors(self) -> bool:
        """Tell whether some reader breaks or shows something false."""
        return any(finding.severity is Severity.ERROR for finding in self.findings)


def verify(store: Store, *, now_s: int, public: Store | None = None) -> Report:
    """Return everything that is wrong below a store's root, which may be a store, a prefix, a job or one build.

    Findings come in the order of jobs and builds. ``public``: the same store without credentials, to see whether
    everybody may list and read it. Raises StoreError when the store cannot be read, ResultsError when there is no build
    below it.
    """
    with ThreadPoolExecutor(WORKERS, thread_name_prefix="verify") as pool:
        if is_build(store):
            build = check_build(store, "", store.uri.rsplit("/", 1)[-1], now_s)
            return _with_public(Report(build.findings, 1, build.objects), "", public)
        jobs = list(find_jobs(store))
        builds = list(pool.map(lambda job: list_builds(store, job), jobs))
        folders = {folder: number for of_job in builds for folder, number in of_job.items()}
        if not jobs:
            raise ResultsError(f"{store.uri}: there is no build", hint="give a store, a prefix, a job or a build")
        checked = pool.map(lambda item: check_build(store, item[0], item[1], now_s), folders.items())
        done = dict(zip(folders, checked, strict=True))
        of_jobs = list(pool.map(lambda job, found: _check_job(store, job, found, done), jobs, builds))
    report = Report(
        tuple(finding for each in of_jobs for finding in each.findings),
        len(folders),
        sum(each.objects for each in of_jobs),
    )
    return _with_public(report, next(iter(folders), ""), public)


def check_plan(plan: Plan) -> tuple[Finding, ...]:
    """Return what readers would find wrong with a plan, by the same rules."""
    paths = plan.paths()
    folder = plan.finished.path.removesuffix(FINISHED)
    names = [path.removeprefix(folder) for path in paths if path.startswith(folder)]
    findings = [*check_job(plan.build.job), *check_number(plan.build.number), *check_names(folder, names)]
    findings += check_finished(plan.finished.path, _body(plan.finished))
    for put in plan.artifacts:
        if is_junit_path(put.path.removeprefix(folder)):
            findings += check_junit(put.path, _body(put))
    return tuple(findings)


def _check_job(store: Store, job: JobPlace, found: Mapping[str, str], done: Mapping[str, BuildReport]) -> Report:
    """Return what is wrong with a job: the rules of all its builds, then of what they share."""
    folders = sorted(found, key=lambda folder: number_key(found[folder]))
    place = job.folders[0] if len(job.folders) == 1 else job.shared or ""
    findings = [*check_job(job.name), *check_numbers([found[folder] for folder in folders], place)]
    for folder in folders:
        findings += done[folder].findings
    objects = sum(done[folder].objects for folder in folders)
    if job.shared is not None:
        finished = {folder: found[folder] for folder in folders if done[folder].is_finished}
        shared = check_shared(store, job, found, finished)
        findings += shared.findings
        objects += shared.objects
    return Report(tuple(findings), len(folders), objects)


def _with_public(report: Report, folder: str, public: Store | None) -> Report:
    if public is None:
        return report
    return Report((*check_public(public, folder), *report.findings), report.builds, report.objects)


def _body(put: Put) -> bytes:
    return put.body if isinstance(put.body, bytes) else put.body.read_bytes()


def consequence(finding: Finding) -> str:
    """Return what the readers do, for a finding of the table; empty for another one."""
    rule = RULES.get(finding.rule)
    return rule.consequence if rule else ""
