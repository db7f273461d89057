"""The tester ``command``: any program that leaves JUnit in a folder. Its exit code and the JUnit give the verdict."""

from __future__ import annotations

import shutil
from collections.abc import Hashable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import BaseModel, ConfigDict, Field

from e2e.lifecycle.child import Command, Exit, require_program
from e2e.lifecycle.counting import tally_of
from e2e.lifecycle.state import Tally
from e2e.lifecycle.testers import Host, SuitePlan, SuiteResult
from providers.config.section import Argv
from upload.errors import Outcome

if TYPE_CHECKING:
    from upload.model import Case

FOLDER = "command"  # below the artifacts; a folder of its own, so that no file of ours is overwritten


class CommandSettings(BaseModel):
    """What is run."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, hide_input_in_errors=True)

    command: Argv = Field(description="program and arguments: [./conformance.sh, --fast]; no shell unless it is one")


@dataclass(frozen=True, slots=True)
class Left:
    """What the command left. ``cases``: attempts of all tests; ``broken``: JUnit that cannot be read to its end."""

    cases: tuple[Case, ...]
    files: int
    broken: tuple[str, ...]


class CommandTester:
    """Runs one command in the folder in which ``e2e`` was started."""

    Settings: ClassVar[type[CommandSettings]] = CommandSettings

    def __init__(self, settings: CommandSettings) -> None:
        self._argv = tuple(settings.command)

    def refusals(self, given: Mapping[str, Any]) -> Mapping[str, str]:
        """Return every key but those that the command is told of: it decides itself what it runs."""
        wanted = "nothing: with tester command the command itself decides which cases run"
        return {key: wanted for key in given if key not in ("tester", "workers")}

    def describe(self, plan: SuitePlan) -> tuple[tuple[str, ...], ...]:
        """Return the command."""
        return (self._argv,)

    def test(self, plan: SuitePlan, host: Host) -> SuiteResult:
        """Run the command and read what it left, also when it was stopped. Raises UsageError when it cannot be started."""
        folder = plan.artifacts / FOLDER
        shutil.rmtree(folder, ignore_errors=True)  # what an earlier suite of the same run left
        folder.mkdir()
        require_program(self._argv, plan.env, key="suite.command")
        ended = host.run(Command(self._argv, environment(plan, folder), Path.cwd()))
        left = read_left(folder)
        for case in left.cases:
            host.case_ended(case)
        return replace(verdict(ended, left), stopped=ended.stopped, output_tail=ended.output_tail)

    def salvage(self, plan: SuitePlan, host: Host) -> Tally:
        """Return what the JUnit comes to that is there; it is published as it is."""
        left = read_left(plan.artifacts / FOLDER)
        for case in left.cases:
            host.case_ended(case)
        return tally_of(left.cases, key=_test)


def environment(plan: SuitePlan, folder: Path) -> dict[str, str]:
    """Return the command's environment: ours and what it needs to know. Told in docs/how-to/choose-a-tester.md."""
    path = plan.env.get("PATH", "")
    return {
        **plan.env,
        "KUBECONFIG": str(plan.cluster.kubeconfig),
        "ARTIFACTS": str(folder),
        "E2E_RUN": plan.run,
        "E2E_KUBERNETES": plan.cluster.version,
        "E2E_WORKERS": str(plan.workers),
        "PATH": f"{plan.cluster.kubectl.parent}:{path}" if plan.cluster.kubectl else path,
    }


def read_left(folder: Path) -> Left:
    """Read all JUnit below a folder, as publishing will."""
    from upload.junit import read_junit
    from upload.model import Severity

    cases: list[Case] = []
    broken: list[str] = []
    files = list(_reports(folder))
    for file in files:
        name = str(file.relative_to(folder))
        try:
            read = read_junit(file, name=name)
        except OSError as exc:
            broken.append(f"{name}: {exc.strerror or exc}")
            continue
        cases += read.cases
        broken += [f"{name}: {each.what}" for each in read.findings if each.severity is Severity.ERROR]
    return Left(tuple(cases), len(files), tuple(broken))


def verdict(ended: Exit, left: Left) -> SuiteResult:
    """Return what the exit code and the JUnit come to: red cases, then a code that is not 0, then JUnit that is missing."""
    tally = tally_of(left.cases, key=_test)
    how = f"was killed by signal {-ended.code}" if ended.code < 0 else f"ended with code {ended.code}"
    if tally.failed:
        return SuiteResult(Outcome.TESTS_FAILED, f"{tally.failed} of {tally.done} cases failed", tally)
    if left.broken and ended.stopped is None:
        return SuiteResult(Outcome.TESTS_FAILED, f"JUnit cannot be read: {'; '.join(left.broken)}", tally)
    if ended.code != 0 and ended.stopped is None:
        said = "no case failed" if tally.done else "it left no case"
        return SuiteResult(Outcome.TESTS_FAILED, f"the command {how}, and {said}", tally)
    if not tally.done and ended.stopped is None:
        what = "no JUnit" if not left.files else "JUnit without a case"
        return SuiteResult(
            Outcome.USAGE, f"the command left {what} in $ARTIFACTS (junit*.xml): nothing was tested", tally
        )
    return SuiteResult(Outcome.PASSED, "", tally)


def _reports(folder: Path) -> Iterator[Path]:
    from upload.layout import ARTIFACTS, is_report_path

    for file in sorted(folder.rglob("*.xml")) if folder.is_dir() else ():
        if (
            not file.is_symlink()
            and file.is_file()
            and is_report_path(f"{ARTIFACTS}{FOLDER}/{file.relative_to(folder)}")
        ):
            yield file


def _test(case: Case) -> Hashable:
    """Return what attempts of one test have in common: the same name in two files is two tests, as in publishing."""
    return case.source, case.classname, case.name
