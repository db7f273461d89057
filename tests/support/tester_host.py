"""A host for testers that are called directly: programs run as in a run, what is shown is remembered."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from contextlib import nullcontext
from dataclasses import dataclass, field
from pathlib import Path

from e2e.lifecycle.child import Command, Exit, Watch, run_child
from e2e.lifecycle.display import SuiteProgress
from e2e.lifecycle.testers import SuitePlan
from providers.contracts import Cluster
from upload.errors import HarnessError
from upload.model import Case


@dataclass
class DirectHost:
    """``stop``: asked about ten times a second why the program should stop, with what was shown so far."""

    given: Mapping[str, Path]
    stop: Callable[[DirectHost], HarnessError | None] = lambda _host: None
    asked: list[tuple[tuple[str, ...], str]] = field(default_factory=list)
    ended: list[Case] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    shown: list[SuiteProgress] = field(default_factory=list)
    look: Callable[[], None] = lambda: None

    def run(self, command: Command) -> Exit:
        with command.keep.open("ab") if command.keep else nullcontext() as kept:

            def output(text: str) -> None:
                if kept is not None:
                    kept.write(text.encode())
                    kept.flush()

            return run_child(command, Watch(output, self.look, lambda: self.stop(self), set()), grace_s=2)

    def programs(self, names: Iterable[str], version: str) -> Mapping[str, Path]:
        self.asked.append((tuple(names), version))
        return self.given

    def on_tick(self, look: Callable[[], None]) -> None:
        self.look = look

    def suite(self, progress: SuiteProgress) -> None:
        self.shown.append(progress)

    def case_ended(self, case: Case) -> None:
        self.ended.append(case)

    def note(self, text: str) -> None:
        self.notes.append(text)


def make_suite_plan(folder: Path, **changes: object) -> SuitePlan:
    """Return a plan whose folders are there."""
    for name in ("artifacts", "work"):
        (folder / name).mkdir(exist_ok=True)
    facts = {
        "run": "ci-x-1",
        "cluster": Cluster("c1", folder / "kubeconfig", "v1.36.3"),
        "cluster_file": folder / "c1.json",
        "artifacts": folder / "artifacts",
        "work": folder / "work",
        "secrets_file": folder / "secrets.jsonl",
        "select": "not disruptive",
        "workers": 4,
    }
    return SuitePlan(**{**facts, **changes})  # type: ignore[arg-type]
