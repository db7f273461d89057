"""The values that results are made of: builds, cases, steps, verdicts, findings. All frozen."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from upload.errors import Outcome


class Status(StrEnum):
    """How one case ended. JUnit's ``<error>`` is FAILED: readers that know only ``<failure>`` would call it a pass."""

    PASSED = "passed"
    FAILED = "failed"
    SKIPPED = "skipped"


class Severity(StrEnum):
    """ERROR: a reader breaks or shows something false. WARNING: a reader shows less than it could."""

    ERROR = "error"
    WARNING = "warning"


@dataclass(frozen=True, slots=True)
class BuildRef:
    """One build of one job. ``number`` is the build id, a string of any length for other people's builds.

    ``prefix``: the folder of the store that the job lies in, ``logs`` for a periodic job; for one of a pull request
    what ``layout.pull_prefix`` returns.
    """

    prefix: str
    job: str
    number: str


@dataclass(frozen=True, slots=True)
class Case:
    """One attempt of one test.

    ``name`` is the published name (DESIGN section 7), ``classname`` where it was found, ``seconds`` >= 0.
    ``text`` is the failure text or the skip's reason. ``properties`` are pairs in file order.
    ``changes`` says what had to change in the name ("control characters", "non-ASCII"), empty if nothing.
    ``suite`` is the names of the suites around it, joined by `` / ``; ``source`` the file it was read from.
    """

    name: str
    status: Status
    seconds: float = 0.0
    classname: str = ""
    text: str = ""
    output: str = ""
    properties: tuple[tuple[str, str], ...] = ()
    changes: tuple[str, ...] = ()
    suite: str = ""
    source: str = ""


@dataclass(frozen=True, slots=True)
class StepRecord:
    """One lifecycle step as it went. ``started_s``: UTC epoch. ``failure`` is empty when it passed.

    ``outcome`` is what its failure makes of the run; None: TESTS_FAILED for ``Test``, PROVIDER for any other step.
    """

    name: str
    started_s: int
    seconds: float
    failure: str = ""
    output_tail: str = ""
    outcome: Outcome | None = None


@dataclass(frozen=True, slots=True)
class Finding:
    """One checked fact that came out wrong.

    ``rule``: its id (``started.timestamp``); ``object``: where, relative to the store; ``what``: what is wrong and
    what to do; ``readers``: whom it breaks (``testgrid``, ``test-history``, ``gubernator``, ``kettle``, ``triage``).
    """

    rule: str
    object: str
    what: str
    readers: tuple[str, ...] = ()
    severity: Severity = Severity.ERROR


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a build came to. ``outcome`` by the first failure, ``notes`` the later ones, in order."""

    outcome: Outcome
    notes: tuple[str, ...] = ()
    metadata: tuple[tuple[str, str], ...] = field(default=())


@dataclass(frozen=True, slots=True)
class SuiteEnding:
    """How the tests of a build ended over all their attempts.

    ``cases``: attempts of all tests. ``failed``, ``flaky``: how many names failed in the end, or failed and then passed;
    of each the first names, in the order of their first attempts.
    """

    cases: int = 0
    failed: int = 0
    failed_names: tuple[str, ...] = ()
    flaky: int = 0
    flaky_names: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Put:
    """One object to write: where, what, and how it is served.

    ``path`` is relative to the store root. ``body`` is the bytes, or the file they are read from (reopened on each try).
    ``create_only``: the object must not exist yet (a precondition at the store, never a look before).
    """

    path: str
    body: bytes | Path
    content_type: str
    content_encoding: str = ""
    cache_control: str = ""
    create_only: bool = True
    metadata: tuple[tuple[str, str], ...] = ()
