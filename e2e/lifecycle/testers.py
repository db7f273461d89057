"""What the author of a tester implements, and what a tester is given. Found by the entry points ``federated_e2e.testers``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.metadata import entry_points
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

GROUP = "federated_e2e.testers"


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


def make_tester(name: str) -> Tester:
    """Return the tester of that name. Raises UsageError that names the entry point when it is unknown or broken."""
    found = [entry for entry in entry_points(group=GROUP) if entry.name == name]
    if not found:
        known = ", ".join(sorted({entry.name for entry in entry_points(group=GROUP)}))
        raise UsageError(f"unknown tester '{name}', installed: {known or 'none'}")
    entry = found[0]
    try:
        return cast("Tester", entry.load()())
    except Exception as exc:
        origin = entry.dist.name if entry.dist else "an unknown distribution"
        raise UsageError(f"the tester '{entry.name} = {entry.value}' of {origin} is broken: {exc!r}") from exc
