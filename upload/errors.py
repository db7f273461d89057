"""The errors of the project and the one table of outcomes: exit code, ``result`` and ``passed``.

    HarnessError                       5    a bug of ours if it escapes bare
    ├── UsageError                     2    flag, provider config, job file; nothing selected
    │   └── MissingExtra                    a feature whose extra is not installed
    ├── ProviderError                  3    cloud, SSH or kubeadm said no; a leak was left
    │   ├── StepError(step, node, output_tail)
    │   ├── CommandError(argv, code, output_tail, node)
    │   ├── NodeUnreachable(node, reason, output_tail)
    │   └── StockoutError                   may be retried elsewhere
    ├── ResultsError                   4    results could not be read, converted or stored
    │   ├── MalformedJUnit(path, line)
    │   ├── LayoutError(findings)
    │   └── StoreError(uri, status)
    │       ├── PreconditionFailed
    │       └── TooLarge
    ├── DeadlineExceeded(what, after_s)  124
    └── Interrupted(signal)            130

The root stands here because ``upload`` is the bottom of the imports.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    from collections.abc import Sequence

    from upload.model import Finding


@dataclass(frozen=True, slots=True)
class Ending:
    """What one outcome means to a shell (``exit_code``) and to the readers of ``finished.json``."""

    exit_code: int
    result: str | None
    passed: bool | None
    meaning: str


class Outcome(Enum):
    """How a run ended. The first failure sets it; later ones are notes. Source: DESIGN section 6."""

    PASSED = Ending(0, "SUCCESS", True, "all passed, or passed on a later attempt")
    TESTS_FAILED = Ending(1, "FAILURE", False, "a case failed, or a test file does not import")
    USAGE = Ending(2, "FAILURE", False, "usage or config error; nothing selected (still published)")
    PROVIDER = Ending(3, "FAILURE", False, "the provider failed, a checkout did not build, or something was left over")
    RESULTS = Ending(4, None, None, "results could not be read or stored")
    BUG = Ending(5, "FAILURE", False, "a bug of ours: any uncaught exception")
    DEADLINE = Ending(124, "FAILURE", False, "a deadline expired")
    ABORTED = Ending(130, "ABORTED", False, "a signal came before the suite ended")


class HarnessError(Exception):
    """The root of every error the project raises on purpose.

    ``str(error)`` says what happened and where; ``hint`` is the command or change to try next, or empty.
    """

    outcome: ClassVar[Outcome] = Outcome.BUG

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint


class UsageError(HarnessError):
    """A flag, a config or a job that cannot be used."""

    outcome = Outcome.USAGE


class MissingExtra(UsageError):
    """A feature whose extra is not installed."""

    def __init__(self, feature: str, extra: str) -> None:
        super().__init__(f"{feature} needs the extra [{extra}]", hint=f"pip install 'federated-e2e[{extra}]'")


class ProviderError(HarnessError):
    """The cluster could not be made, reached or removed."""

    outcome = Outcome.PROVIDER


class StepError(ProviderError):
    """A step on one machine failed; ``output_tail`` holds the last lines it printed."""

    def __init__(self, step: str, message: str, *, node: str = "", output_tail: str = "", hint: str = "") -> None:
        place = f" on {node}" if node else ""
        super().__init__(f"{step}{place}: {message}", hint=hint)
        self.step = step
        self.node = node
        self.output_tail = output_tail


class CommandError(ProviderError):
    """A command ended with another exit code than 0. ``argv`` never holds a secret; ``node``: where, empty: here."""

    def __init__(self, argv: Sequence[str], code: int, output_tail: str, *, node: str = "", hint: str = "") -> None:
        last = output_tail.strip().splitlines()
        said = f": {last[-1]}" if last else ""
        place = f" on {node}" if node else ""
        super().__init__(f"{argv[0]}{place} ended with code {code}{said}", hint=hint)
        self.argv = tuple(argv)
        self.code = code
        self.output_tail = output_tail
        self.node = node


class NodeUnreachable(ProviderError):
    """A machine cannot be reached, does not let us in, or was lost in the middle of a command.

    ``reason``: one word, for whoever decides whether trying again may help; ``output_tail``: what a command had printed.
    """

    def __init__(self, node: str, reason: str, message: str, *, output_tail: str = "", hint: str = "") -> None:
        super().__init__(f"{node}: {message}", hint=hint)
        self.node = node
        self.reason = reason
        self.output_tail = output_tail


class StockoutError(ProviderError):
    """The place has no capacity; another zone or machine type may have."""


class ResultsError(HarnessError):
    """Results could not be read, converted or stored."""

    outcome = Outcome.RESULTS


class MalformedJUnit(ResultsError):
    """A JUnit file that cannot be read at all."""

    def __init__(self, path: str, line: int, what: str) -> None:
        super().__init__(f"{path}: line {line}: {what}")
        self.path = path
        self.line = line


class LayoutError(ResultsError):
    """A tree that some reader rejects. ``findings`` is never empty."""

    def __init__(self, findings: Sequence[Finding]) -> None:
        super().__init__("; ".join(f"{f.object}: {f.what}" for f in findings))
        self.findings = tuple(findings)


class StoreError(ResultsError):
    """The store said no. ``status`` is the HTTP status, or 0 where there was none."""

    def __init__(self, uri: str, status: int, what: str, *, hint: str = "") -> None:
        super().__init__(f"{uri}: {what}" + (f" (HTTP {status})" if status else ""), hint=hint)
        self.uri = uri
        self.status = status


class PreconditionFailed(StoreError):
    """The object exists already, or has another generation than the one expected."""

    def __init__(self, uri: str, what: str = "the object was changed or created by someone else") -> None:
        super().__init__(uri, 412, what)


class TooLarge(StoreError):
    """An object is larger than what was to be read of it."""

    def __init__(self, uri: str, limit_bytes: int) -> None:
        super().__init__(uri, 0, f"larger than the {limit_bytes} bytes that are read")


class DeadlineExceeded(HarnessError):
    """Something took longer than it was given. ``after_s``: seconds; ``output_tail``: what it had printed by then."""

    outcome = Outcome.DEADLINE

    def __init__(self, what: str, after_s: float, *, output_tail: str = "", hint: str = "") -> None:
        super().__init__(f"{what} was not done after {after_s:g} s", hint=hint)
        self.what = what
        self.after_s = after_s
        self.output_tail = output_tail


class Interrupted(HarnessError):
    """A signal asked us to stop. ``signal`` is its number."""

    outcome = Outcome.ABORTED

    def __init__(self, signal: int) -> None:
        super().__init__(f"stopped by signal {signal}")
        self.signal = signal


class ManyErrors(HarnessError):
    """Several errors of one fan-out, all of them kept. The first one sets the outcome."""

    def __init__(self, what: str, group: ExceptionGroup[Exception]) -> None:
        lines = [f"{what}: {len(group.exceptions)} failed", *(f"  {e}{_hinted(e)}" for e in group.exceptions)]
        super().__init__("\n".join(lines))
        self.group = group
        first = group.exceptions[0]
        self.outcome = first.outcome if isinstance(first, HarnessError) else Outcome.BUG  # type: ignore[misc]  # per instance by intent


def raise_all(what: str, errors: Sequence[Exception]) -> None:
    """Raise what went wrong, if anything did: one error as it is, several together as ``ManyErrors`` of ``what``."""
    if len(errors) == 1:
        raise errors[0]
    if errors:
        raise ManyErrors(what, ExceptionGroup(what, errors)) from errors[0]


def _hinted(error: Exception) -> str:
    hint = getattr(error, "hint", "")
    return f" ({hint})" if hint else ""
