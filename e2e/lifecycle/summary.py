"""How a run ends for its reader: the verdict, the failed cases with their evidence, the command to run them again."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from e2e.lifecycle.state import Failure, RunState, Tally
from e2e.lifecycle.testers import refused
from upload.errors import Outcome
from upload.names import GINKGO_NODE, is_suite_node

SHOWN_CASES = 20
FOCUSED_CASES = 10  # more would make a command line that nobody reads


def closing_lines(state: RunState, failures: Sequence[Failure], tally: Tally) -> tuple[str, ...]:
    """Return the lines that end a log. ``failures``: those that count, the first one decides."""
    outcome = failures[0].outcome if failures else Outcome.PASSED
    word = outcome.value.result or "FAILURE"
    lines = [f"{word}: {tally_text(tally)}" if tally.total else word]
    lines += failure_lines(failures)
    lines += case_lines(Path(state.artifacts), tally)
    if failures:
        lines += [f"artifacts: {state.artifacts}", f"again: {rerun_command(state, tally, is_kept=state.kept)}"]
    if state.kept:
        lines.append(f"kept: the cluster is up; e2e kubeconfig {state.run}, e2e down {state.run}")
    return tuple(lines)


def failure_lines(failures: Sequence[Failure]) -> list[str]:
    """Return what went wrong, each with the command to try next."""
    lines = []
    for failure in failures:
        lines.append(f"  {failure}")
        if failure.hint:
            lines.append(f"      try: {failure.hint}")
    return lines


def tally_text(tally: Tally) -> str:
    """Return ``50 passed (1 flaky), 1 failed, 2 skipped``, and how many never ran."""
    parts = [f"{tally.passed} passed" + (f" ({tally.flaky} flaky)" if tally.flaky else "")]
    parts += [f"{tally.failed} failed"] if tally.failed else []
    parts += [f"{tally.skipped} skipped"] if tally.skipped else []
    parts += [f"{tally.total - tally.done} not run"] if tally.total > tally.done else []
    return ", ".join(parts)


def case_lines(artifacts: Path, tally: Tally) -> list[str]:
    """Return the failed cases, each with where its evidence lies below the artifacts."""
    from e2e.plugin.titles import evidence_name  # brings pytest along

    lines = []
    for name in tally.failed_names[:SHOWN_CASES]:
        lines.append(f"  failed: {name}")
        evidence = Path("failures") / evidence_name(name)
        if (artifacts / evidence).is_dir():
            lines.append(f"          {evidence}/")
    left = tally.failed - SHOWN_CASES
    return [*lines, f"  and {left} more"] if left > 0 else lines


def rerun_command(state: RunState, tally: Tally, *, is_kept: bool) -> str:
    """Return the command that runs the failed cases again, on the kept cluster where there is one."""
    from e2e.plugin.titles import focus_pattern  # brings pytest along

    words = ["e2e", "test", state.run] if is_kept else ["e2e", "run", state.ref]
    if 0 < len(tally.failed_names) <= FOCUSED_CASES and not any(map(is_suite_node, tally.failed_names)):
        pattern = focus_pattern([name.removeprefix(GINKGO_NODE) for name in tally.failed_names])
        words += ["--focus", pattern] if takes_focus(state.job, pattern) else []
    return shlex.join(words)


def takes_focus(job: Mapping[str, Any], pattern: str) -> bool:
    """Say whether the tester of a config can run chosen cases only."""
    from providers.config.model import Suite

    suite = Suite.model_validate(job.get("suite", {}))
    return not refused(suite.tester, suite.settings, {"focus": pattern})
