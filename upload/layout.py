"""Every object path and file name of the bucket, spelled here and nowhere else. Pure functions; source: consumers.md 1-2.

<prefix>/<job>/<build>/started.json
<prefix>/<job>/<build>/artifacts/…
<prefix>/<job>/<build>/build-log.txt
<prefix>/<job>/<build>/finished.json
<prefix>/<job>/jobResultsCache.json
<prefix>/<job>/latest-build.txt

Builds of a pull request have the prefix ``pr-logs/pull/<org_repo>/<number>``, of several merged together
``pr-logs/pull/batch``. For both, what the builds of a job share stands in one folder, with an alias for each build:

pr-logs/directory/<job>/<build>.txt
pr-logs/directory/<job>/jobResultsCache.json
pr-logs/directory/<job>/latest-build.txt
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from upload.errors import LayoutError
from upload.model import BuildRef, Finding, Severity

STARTED = "started.json"
FINISHED = "finished.json"
BUILD_LOG = "build-log.txt"
LOG_PIECE = "build-log.txt.piece"  # on its way into the log of a build that goes on; no reader takes the name
ARTIFACTS = "artifacts/"
RESULTS_CACHE = "jobResultsCache.json"
LATEST_BUILD = "latest-build.txt"
RUNNER_JUNIT = "junit_runner.xml"
CASES = "cases.jsonl"
GIVEN_JOB = "e2e-job"  # metadata: what ``e2e run`` was given, JOB or FILE
ORIGINALS = "original/"
CLONE_RECORDS = "clone-records.json"
PULL_LOGS = "pr-logs/"
PULLS = f"{PULL_LOGS}pull/"
BATCH = f"{PULLS}batch"
DIRECTORY = f"{PULL_LOGS}directory/"
ALIAS_LINK = (
    "link"  # an alias says where its build is in this metadata too: TestGrid reads no body, Gubernator nothing else
)

NO_CACHE = "private, max-age=0, no-transform"  # what every uploader since 2016 sets on objects that change
LONGEST_NAME_BYTES = 1024  # the store's limit for an object name
LARGEST_JUNIT_BYTES = 100_000_000  # TestGrid reads no larger file
LARGEST_BUILD_ID = 2**53  # readers written in JavaScript keep integers exactly up to here
ID_DIGITS = 14  # YYYYMMDDHHMMSS

_TYPES = {
    ".atom": "application/atom+xml",
    ".css": "text/css",
    ".csv": "text/csv",
    ".gz": "application/gzip",
    ".htm": "text/html",
    ".html": "text/html",
    ".jpeg": "image/jpeg",
    ".jpg": "image/jpeg",
    ".js": "text/javascript",
    ".json": "application/json",
    ".jsonl": "application/x-ndjson",
    ".log": "text/plain",
    ".md": "text/plain",
    ".orig": "text/plain",
    ".png": "image/png",
    ".svg": "image/svg+xml",
    ".tar": "application/x-tar",
    ".tgz": "application/gzip",
    ".txt": "text/plain",
    ".xml": "application/xml",
    ".yaml": "text/plain",
    ".yml": "text/plain",
    ".zip": "application/zip",
}
_TEXT = ("text/", "application/json", "application/x-ndjson", "application/xml", "image/svg+xml")

_JOB = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,199}")
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029]")
_PREFIX = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*(/[A-Za-z0-9][A-Za-z0-9._-]*)*")
_PULL = re.compile(r"batch|(?!batch/)[A-Za-z0-9][A-Za-z0-9._-]*/[1-9][0-9]{0,18}")
_LISTED_JOB = re.compile(r"^kubernetes|kubernetes-build|kubelet-gce-e2e-ci|ci-kubernetes")

# the file-name patterns of the readers, over paths that begin with "artifacts/"
_HISTORY_JUNIT = re.compile(r"artifacts/junit[^/]*\.xml")  # test-history and kettle: direct children only
_GUBERNATOR_JUNIT = re.compile(r"artifacts/junit_[^/]*\.xml[^/]*")  # it does not ask that the name ends there
_TESTGRID_JUNIT = re.compile(r".+/(?:junit((_[^_]+)?(_\d+-\d+)?(_\d+)?|.+)?\.xml|test.xml)")  # at any depth


@dataclass(frozen=True, slots=True)
class BuildPaths:
    """The objects of one build, relative to the store. ``folder`` and ``artifacts`` end in ``/``.

    ``alias``: the object that tells where a pull request's build is; empty for another build.
    """

    folder: str
    started: str
    finished: str
    log: str
    artifacts: str
    cache: str
    latest: str
    alias: str = ""


def job_folder(prefix: str, job: str) -> str:
    """Return the folder of a job, ending in ``/``. ``prefix`` may be empty."""
    return f"{prefix}/{job}/" if prefix else f"{job}/"


def build_paths(build: BuildRef) -> BuildPaths:
    """Return every object path of one build, relative to the store, without a leading slash.

    Raises LayoutError when job, prefix or number has characters that a reader rejects; the finding names the reader.
    """
    wrong = [
        f
        for f in (*check_prefix(build.prefix), *check_job(build.job), *check_number(build.number))
        if f.severity is Severity.ERROR
    ]
    if wrong:
        raise LayoutError(wrong)
    is_pull = build.prefix.startswith(PULLS)
    folder = f"{job_folder(build.prefix, build.job)}{build.number}/"
    shared = f"{DIRECTORY}{build.job}/" if is_pull else job_folder(build.prefix, build.job)
    return BuildPaths(
        folder=folder,
        started=folder + STARTED,
        finished=folder + FINISHED,
        log=folder + BUILD_LOG,
        artifacts=folder + ARTIFACTS,
        cache=shared + RESULTS_CACHE,
        latest=shared + LATEST_BUILD,
        alias=alias_path(build.job, build.number) if is_pull else "",
    )


def alias_path(job: str, number: str) -> str:
    """Return the alias of a pull request's build."""
    return f"{DIRECTORY}{job}/{number}.txt"


def pull_prefix(pull: str) -> str:
    """Return the prefix of a pull request's builds. ``pull``: ``ORG_REPO/NUMBER``, or ``batch``. Not checked."""
    return PULLS + pull


def check_prefix(prefix: str) -> tuple[Finding, ...]:
    """Say what is wrong with the folder above the jobs."""
    readers = ("testgrid", "gubernator", "kettle")
    if prefix and not _PREFIX.fullmatch(prefix):
        what = f"prefix {prefix!r}: use letters, digits, '.', '_', '-' and '/' between them"
        return (Finding("prefix.name", prefix, what, readers),)
    is_pull = prefix.startswith(PULLS) and _PULL.fullmatch(prefix.removeprefix(PULLS))
    if f"{prefix}/".startswith(PULL_LOGS) and not is_pull:
        what = f"prefix {prefix!r}: builds of pull requests lie in {PULLS}ORG_REPO/NUMBER or {BATCH}"
        return (Finding("prefix.name", prefix, what, readers),)
    return ()


def check_job(job: str) -> tuple[Finding, ...]:
    """Say what is wrong with a job's name: what breaks a reader, and what hides the job from test-history."""
    if not _JOB.fullmatch(job):
        what = f"job name {job!r}: use up to 200 letters, digits, '.', '_' and '-', a letter or digit first"
        return (Finding("job.name", job, what, ("testgrid", "gubernator", "kettle", "test-history")),)
    if not _LISTED_JOB.search(job):
        what = f"job name {job!r}: test-history lists only names with 'ci-kubernetes' in them"
        return (Finding("job.listed", job, what, ("test-history",), Severity.WARNING),)
    return ()


def check_number(number: str) -> tuple[Finding, ...]:
    """Say what is wrong with a build id: it must be a plain positive integer below 2**53."""
    readers = ("test-history", "gubernator", "kettle", "triage")
    value = as_integer(number)
    if value is None:
        return (Finding("build.id", number, f"build id {number!r} is no plain integer", readers),)
    if not 0 < value < LARGEST_BUILD_ID:
        return (Finding("build.id", number, f"build id {number} is not between 1 and 2**53", readers),)
    return ()


def as_integer(number: str) -> int | None:
    """Return a build id as an integer, or None. ``007``, ``+1`` and other scripts' digits are None."""
    if not re.fullmatch(rf"[1-9][0-9]{{0,{LONGEST_NAME_BYTES - 1}}}|0", number):
        return None
    return int(number)


def natural_key(number: str) -> tuple[tuple[int, int, str], ...]:
    """Return the key by which TestGrid orders builds: digits as numbers, the rest as text."""
    parts = re.findall(r"([0-9]+)|([^0-9]+)", number[:256])
    return tuple((0, int(digits), "") if digits else (1, 0, text) for digits, text in parts)


def number_key(number: str) -> tuple[bool, int, tuple[tuple[int, int, str], ...], str]:
    """Return the key by which build ids sort oldest first: integers as integers, before them the ids that are none."""
    value = as_integer(number)
    return (value is not None, value or 0, natural_key(number), number)


def sort_numbers(numbers: Iterable[str]) -> list[str]:
    """Return build ids oldest first."""
    return sorted(numbers, key=number_key)


def is_junit_path(path: str) -> bool:
    """Say whether any reader takes an artifact for JUnit. ``path`` begins with ``artifacts/``.

    Such a file must have the one shape that all readers accept, or another name.
    """
    return any(p.fullmatch(path) for p in (_HISTORY_JUNIT, _GUBERNATOR_JUNIT, _TESTGRID_JUNIT))


def is_report_path(path: str) -> bool:
    """Say whether an artifact is JUnit by its name, not only to Gubernator, which also takes ``junit_01.xml.gz``."""
    return path.endswith(".xml") and is_junit_path(path)


def junit_readers(path: str) -> tuple[str, ...]:
    """Return the readers that take the artifact for JUnit, sorted. ``path`` begins with ``artifacts/``."""
    history = bool(_HISTORY_JUNIT.fullmatch(path))
    found = {
        "gubernator": bool(_GUBERNATOR_JUNIT.fullmatch(path)),
        "kettle": history,
        "test-history": history,
        "testgrid": bool(_TESTGRID_JUNIT.fullmatch(path)),
    }
    return tuple(reader for reader, reads in found.items() if reads)


def content_type(path: str) -> str:
    """Return the content type an object is served with, by its name."""
    name = path.rsplit("/", 1)[-1].lower()
    dot = name.rfind(".")
    return _TYPES.get(name[dot:], "application/octet-stream") if dot > 0 else "application/octet-stream"


def is_text(path: str) -> bool:
    """Say whether an object is text by its name, hence worth compressing."""
    return content_type(path).startswith(_TEXT)


def check_object_name(path: str) -> tuple[Finding, ...]:
    """Say what is wrong with an object's name: what a store refuses, and what a path in a URL or a folder breaks on."""
    problem = _name_problem(path)
    if not problem:
        return ()
    return (Finding("object.name", printable(path), problem, ("testgrid", "gubernator", "kettle", "test-history")),)


def _name_problem(path: str) -> str:
    try:
        size = len(path.encode("utf-8"))
    except UnicodeEncodeError:
        return "the name is not UTF-8"
    if size > LONGEST_NAME_BYTES:
        return f"the name has {size} bytes; a store takes {LONGEST_NAME_BYTES}"
    if _CONTROL.search(path):
        return "the name has control characters"
    if not path or any(part in ("", ".", "..") for part in path.split("/")):
        return "the name has an empty part, '.' or '..'"
    return ""


def printable(text: str, longest: int = 300) -> str:
    """Return hostile text as it may be shown: control characters and broken UTF-8 escaped, cut at ``longest``."""
    cut = text if len(text) <= longest else text[: longest - 1] + "…"
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in cut)
