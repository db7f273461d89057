"""Check what is stored, or what is about to be, against every reader's rules. Reads only what a rule needs.

``verify`` walks a store; ``check_plan`` applies the same rules to a plan before it is sent. Everything read is hostile: a
store that tries to break the checker gets findings.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice

from upload.documents import LARGEST_DOCUMENT_BYTES, parse_latest
from upload.errors import ResultsError, StoreError
from upload.layout import (
    ARTIFACTS,
    BUILD_LOG,
    FINISHED,
    LARGEST_JUNIT_BYTES,
    LATEST_BUILD,
    NO_CACHE,
    RESULTS_CACHE,
    STARTED,
    as_integer,
    check_job,
    check_number,
    content_type,
    is_junit_path,
    sort_numbers,
)
from upload.model import Finding, Put, Severity
from upload.plan import Plan
from upload.results_cache import has_entry, parse_cache
from upload.rules.documents import check_cache, check_finished, check_latest, check_started, started_s
from upload.rules.junit import check_junit
from upload.rules.table import RULES, broken
from upload.rules.tree import check_latest_against, check_names, check_numbers, check_presence
from upload.store.base import Store

WORKERS = 8
MOST_CHILDREN = 20  # folders looked into to find out what a folder is
_DEPTHS = ("build", "job", "prefix", "store")


@dataclass(frozen=True, slots=True)
class Report:
    """What a check found. ``builds`` and ``objects`` say how much was read."""

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


@dataclass(frozen=True, slots=True)
class _Build:
    folder: str
    number: str


@dataclass(frozen=True, slots=True)
class _BuildReport:
    findings: tuple[Finding, ...]
    is_finished: bool
    objects: int


def verify(store: Store, *, now_s: int) -> Report:
    """Return everything that is wrong below a store's root, which may be a store, a prefix, a job or one build.

    Findings come in the order of jobs and builds. Raises StoreError when the store cannot be read, ResultsError when
    there is no build below it.
    """
    depth = _depth(store, "", len(_DEPTHS) - 1)
    if depth is None:
        raise ResultsError(f"{store.uri}: there is no build", hint="give a store, a prefix, a job or a build")
    last = store.uri.rsplit("/", 1)[-1]
    if depth == 0:
        done = _verify_build(store, _Build("", last), now_s)
        return Report(done.findings, 1, done.objects)
    findings: list[Finding] = []
    builds = objects = 0
    for job in _folders(store, "", depth - 1):
        report = _verify_job(store, job, job.rstrip("/").rsplit("/", 1)[-1] or last, now_s)
        findings += report.findings
        builds += report.builds
        objects += report.objects
    return Report(tuple(findings), builds, objects)


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


def _verify_job(store: Store, folder: str, job: str, now_s: int) -> Report:
    entries = list(store.list(folder, delimiter="/"))
    numbers = sort_numbers(e.path[len(folder) :].rstrip("/") for e in entries if e.is_folder)
    with ThreadPoolExecutor(WORKERS, thread_name_prefix="verify") as pool:
        done = list(pool.map(lambda n: _verify_build(store, _Build(f"{folder}{n}/", n), now_s), numbers))
    finished = [number for number, build in zip(numbers, done, strict=True) if build.is_finished]
    findings = [*check_job(job), *check_numbers(numbers, folder)]
    for build in done:
        findings += build.findings
    here = {e.path[len(folder) :] for e in entries if not e.is_folder}
    findings += _verify_shared(store, folder, here, finished, numbers)
    return Report(tuple(findings), len(done), sum(b.objects for b in done) + len(here))


def _verify_build(store: Store, build: _Build, now_s: int) -> _BuildReport:
    try:
        entries = [e for e in store.list(build.folder) if not e.is_folder]  # consoles make empty objects for folders
    except StoreError as error:
        return _BuildReport((broken("object.unreadable", build.folder, str(error)),), False, 0)
    names = [e.path[len(build.folder) :] for e in entries]
    findings = [*check_number(build.number)]
    began = None
    if STARTED in names:
        body, found = _read(store, build.folder + STARTED, check_started, LARGEST_DOCUMENT_BYTES)
        began = started_s(body) if body is not None else None
        findings += found
    findings += check_presence(build.folder, names, began, now_s)
    if FINISHED in names:
        findings += _read(store, build.folder + FINISHED, check_finished, LARGEST_DOCUMENT_BYTES)[1]
    findings += check_names(build.folder, names)
    for name, entry in zip(names, entries, strict=True):
        if not is_junit_path(name):
            continue
        if entry.size_bytes > LARGEST_JUNIT_BYTES:
            findings.append(broken("junit.size", entry.path, f"{entry.size_bytes} bytes; 100,000,000 at most are read"))
        else:
            findings += _read(store, entry.path, check_junit, LARGEST_JUNIT_BYTES)[1]
    return _BuildReport(tuple(findings), FINISHED in names, len(names))


def _verify_shared(
    store: Store, folder: str, here: set[str], finished: Sequence[str], numbers: Sequence[str]
) -> Iterator[Finding]:
    """Yield what is wrong with the two objects that all builds of a job share."""
    if RESULTS_CACHE in here:
        path = folder + RESULTS_CACHE
        body, found = _read(store, path, check_cache, LARGEST_DOCUMENT_BYTES)
        yield from found
        if body is not None and finished and not parse_cache(body).damaged and not has_entry(body, finished[-1]):
            yield broken("cache.entry", path, f"build {finished[-1]} is finished and not in it")
    if LATEST_BUILD not in here:
        if finished:
            yield broken("latest.text", folder + LATEST_BUILD, "there is no latest-build.txt")
        return
    path = folder + LATEST_BUILD
    body, found = _read(store, path, check_latest, LARGEST_DOCUMENT_BYTES)
    yield from found
    if body is not None:
        yield from check_latest_against(path, parse_latest(body), finished, numbers)
    yield from _check_headers(store, path)


def _check_headers(store: Store, path: str) -> Iterator[Finding]:
    stat = store.stat(path)
    if stat is None or not store.uri.startswith("gs://"):  # a folder has no headers
        return
    if stat.content_type.split(";")[0] != content_type(path):
        yield broken("latest.headers", path, f"Content-Type is {stat.content_type!r}, text/plain is expected")
    if stat.cache_control != NO_CACHE:
        yield broken("latest.headers", path, f"Cache-Control is {stat.cache_control!r}, {NO_CACHE!r} is expected")


def _read(
    store: Store, path: str, check: Callable[[str, bytes], Iterable[Finding]], limit_bytes: int
) -> tuple[bytes | None, list[Finding]]:
    """Read and check one object. One that cannot be read costs itself a finding; the walk goes on."""
    try:
        stored = store.read(path, limit_bytes=limit_bytes)
    except StoreError as error:
        return None, [broken("object.unreadable", path, str(error))]
    if stored is None:
        return None, [broken("object.unreadable", path, "listed, but not there")]
    return stored.body, list(check(path, stored.body))


def _depth(store: Store, folder: str, most: int) -> int | None:
    """Return how many levels lie between a folder and its builds: 0 a build, 1 a job, 2 a prefix, 3 a store."""
    entries = list(store.list(folder, delimiter="/"))
    names = {e.path[len(folder) :] for e in entries}
    if names & {STARTED, FINISHED, BUILD_LOG} or (ARTIFACTS in names and not names & {LATEST_BUILD, RESULTS_CACHE}):
        return 0
    if most and names & {LATEST_BUILD, RESULTS_CACHE}:
        return 1
    if not most:
        return None
    children = sorted((e.path for e in entries if e.is_folder), key=lambda p: as_integer(p[len(folder) : -1]) or 0)
    for child in islice(reversed(children), MOST_CHILDREN):
        depth = _depth(store, child, most - 1)
        if depth is not None:
            return depth + 1
    return None


def _folders(store: Store, folder: str, levels: int) -> Iterator[str]:
    """Yield the jobs that lie ``levels`` below a folder. What holds no builds at that depth is something else."""
    if levels == 0:
        yield folder
        return
    for entry in store.list(folder, delimiter="/"):
        if entry.is_folder and _depth(store, entry.path, levels) == levels:
            yield from _folders(store, entry.path, levels - 1)


def _body(put: Put) -> bytes:
    return put.body if isinstance(put.body, bytes) else put.body.read_bytes()


def consequence(finding: Finding) -> str:
    """Return what the readers do, for a finding of the table; empty for another one."""
    rule = RULES.get(finding.rule)
    return rule.consequence if rule else ""
