"""What the author of a tester implements, and what a tester is given. Found by the entry points ``federated_e2e.testers``."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, cast, runtime_checkable

from e2e.lifecycle.child import Command, Exit
from e2e.lifecycle.display import SuiteProgress
from e2e.lifecycle.state import NO_TALLY, Tally
from providers.contracts import Cluster
from upload.errors import HarnessError, Outcome, UsageError
from upload.model import Case

if TYPE_CHECKING:
    from providers.access import Need


class BrokenTester(HarnessError):
    """The tester itself broke: what it says about the cases is worth nothing. ``output_tail``: its last lines."""

    def __init__(self, message: str, output_tail: str) -> None:
        super().__init__(message)
        self.output_tail = output_tail


@dataclass(frozen=True, slots=True)
class SuitePlan:
    """What is to be tested and where things lie. All paths are absolute.

    ``ref``: JOB or FILE as it was typed, for commands that run cases again. ``select``: marker expression; ``focus`` and
    ``skip``: regular expressions on titles, or empty. ``artifacts``: gets ``junit_NN.xml`` and ``failures/``; ``work``: private, for everything else; ``secrets_file``: gets values that must
    not be published; ``env``: the environment for what the tester starts. ``attempts``: how often a case that fails is
    tried in all; each attempt is a case of the same name in the same JUnit file. ``cluster_goes``: the cluster is
    removed right after the suite, so that removing what the suite made would only cost time.
    """

    run: str
    cluster: Cluster
    cluster_file: Path
    artifacts: Path
    work: Path
    secrets_file: Path
    select: str
    workers: int
    focus: str = ""
    skip: str = ""
    attempts: int = 1
    ref: str = ""
    cluster_goes: bool = False
    env: Mapping[str, str] = field(default_factory=dict, repr=False)


@dataclass(frozen=True, slots=True)
class SuiteResult:
    """How a suite ended. ``outcome``: PASSED, TESTS_FAILED, USAGE (nothing selected) or BUG; ``text``: why, for a reader.

    ``stopped``: why it was stopped before its end; then ``outcome`` says what the finished cases came to.
    ``leftovers``: objects that the suite made and did not remove.
    """

    outcome: Outcome
    text: str = ""
    tally: Tally = NO_TALLY
    stopped: HarnessError | None = None
    output_tail: str = ""
    leftovers: tuple[str, ...] = ()


class Host(Protocol):
    """What the core does for a tester."""

    def run(self, command: Command) -> Exit:
        """Run a program in a process group of its own; it is stopped when the step must end."""

    def programs(self, names: Iterable[str], version: str) -> Mapping[str, Path]:
        """Return the paths of programs of a Kubernetes version, fetched or built if need be. Raises ProviderError."""

    def on_tick(self, look: Any) -> None:
        """Have ``look()`` called about ten times a second while a program runs."""

    def suite(self, progress: SuiteProgress) -> None:
        """Show how far the suite is."""

    def case_ended(self, case: Case) -> None:
        """Show that a case ended, and how."""

    def note(self, text: str) -> None:
        """Write a line to the build log."""


class Tester(Protocol):
    """Runs one suite against one cluster."""

    def test(self, plan: SuitePlan, host: Host) -> SuiteResult:
        """Run the suite; whatever it starts, it starts through ``host``. Raises HarnessError when it cannot run at all."""

    def salvage(self, plan: SuitePlan, host: Host) -> Tally:
        """Complete the results of a suite whose process was killed, from what it left in ``work``; start nothing."""

    def describe(self, plan: SuitePlan) -> tuple[tuple[str, ...], ...]:
        """Return the commands that ``test`` would run, for ``--dry-run``. Does nothing."""


@runtime_checkable
class KnowsNeeds(Protocol):
    """What a tester offers besides, when it can tell beforehand what its cases must be allowed to do."""

    def needs(self, plan: SuitePlan, host: Host) -> tuple[Need, ...]:
        """Return the permissions of the cases that the plan selects. Asked for before ``test``, on a cluster of others."""


class UsesPrograms(Protocol):
    """What a tester may offer besides: say which programs it will ask for, so that a checkout's are built before ``up``."""

    def programs(self) -> tuple[str, ...]:
        """Return the names of Kubernetes's own programs that ``test`` asks the host for."""


class ChecksSuite(Protocol):
    """What a tester may offer besides: say before anything is created which keys it cannot follow."""

    def refusals(self, given: Mapping[str, Any]) -> Mapping[str, str]:
        """Return key of ``suite:`` -> what is expected there instead. Opens and starts nothing.

        ``given``: those of the keys of all testers that a config or the command line names.
        """


def make_tester(name: str, settings: Mapping[str, Any]) -> Tester:
    """Return the tester of that name, made from its own keys of ``suite:``, if it has any.

    A tester's class may have ``Settings``, a pydantic model with ``extra="forbid"``: it is then called with one of them.
    Raises: UsageError that names the entry point when it is unknown or broken, or the key when one is wrong.
    """
    from pydantic import ValidationError

    from providers import registry

    try:
        return cast("Tester", registry.make_tester(name, settings))
    except ValidationError as exc:
        first = exc.errors()[0]
        raise UsageError(f"suite.{'.'.join(map(str, first['loc']))}: {first['msg']}", hint="e2e check") from exc


def refused(name: str, settings: Mapping[str, Any], given: Mapping[str, Any]) -> Mapping[str, str]:
    """Return which of the given keys of ``suite:`` that tester cannot follow, as ``ChecksSuite`` tells. Raises UsageError."""
    refusals = getattr(make_tester(name, settings), "refusals", None)
    return refusals(given) if refusals and given else {}
