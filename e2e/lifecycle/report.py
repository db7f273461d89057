"""What ``status`` and ``results`` tell of runs, as values: one dictionary a run, for text and for JSON."""

from __future__ import annotations

import time
from typing import Any

from e2e.lifecycle.attach import Found
from e2e.lifecycle.folder import RunFolder
from e2e.lifecycle.state import RunState
from upload.errors import Outcome


def describe_run(folder: RunFolder, state: RunState, *, now_s: float) -> dict[str, Any]:
    """Return everything about a run that a program may want, in JSON values."""
    outcome = state.outcome
    return {
        "run": state.run,
        "job": state.job_name,
        "build": state.build if state.claimed else None,
        "condition": condition(folder, state, now_s=now_s),
        "step": state.step,
        "exit_code": outcome.value.exit_code if state.is_ended else None,
        "outcome": outcome.name.lower() if state.is_ended else None,
        "failures": [
            {"step": each.step, "outcome": each.outcome.name.lower(), "text": each.text, "hint": each.hint}
            for each in state.failures
        ],
        "cases": {
            "total": state.tally.total,
            "passed": state.tally.passed,
            "failed": state.tally.failed,
            "skipped": state.tally.skipped,
            "flaky": state.tally.flaky,
            "failed_names": list(state.tally.failed_names),
        },
        "clusters": {name: str(presence) for name, presence in state.clusters.items()},
        "kept": state.kept,
        "expires_s": state.expires_s if state.is_live else None,
        "version": state.tested_version,
        "started_s": state.started_s,
        "ended_s": state.ended_s or None,
        "artifacts": state.artifacts,
        "results": _results(state),
        "published": state.published,
        "steps": [{"name": step.name, "seconds": step.seconds, "failed": bool(step.failure)} for step in state.steps],
    }


def condition(folder: RunFolder, state: RunState, *, now_s: float) -> str:
    """Return how a run is, in a few words, with what to do where something is to be done."""
    if folder.is_held():
        since = f", {now_s - state.step_started_s:.0f} s" if state.step else ""
        return f"{folder.holder()}: {state.step or 'between steps'}{since}"
    if not state.is_ended:
        verb = "down --resume" if state.store else "down"
        return f"interrupted in {state.step or 'between steps'}; e2e {verb} {state.run}"
    if state.is_live:
        left_s = state.expires_s - now_s
        expiry = f"expires in {left_s / 3600:.1f} h" if left_s > 0 else "expired; e2e gc --yes"
        return (
            f"{_ending(state)}, cluster up, {expiry}"
            if state.kept
            else f"{_ending(state)}, cluster left; e2e down {state.run}"
        )
    if state.claimed and not state.published:
        return f"{_ending(state)}, not published; e2e publish {state.run}"
    return _ending(state)


def table(runs: tuple[Found, ...], *, now_s: float | None = None) -> list[str]:
    """Return one line for each run: its name, its age, how it is."""
    now = time.time() if now_s is None else now_s
    rows = [
        (state.run, _age(now - state.started_s), condition(folder, state, now_s=now) + _other_name(state))
        for folder, state in runs
    ]
    widths = [max((len(row[column]) for row in rows), default=0) for column in range(2)]
    return [f"{run:<{widths[0]}}  {age:>{widths[1]}}  {said}" for run, age, said in rows]


def _ending(state: RunState) -> str:
    outcome = state.outcome
    if outcome is Outcome.PASSED:
        return "passed" if state.suite_ended else "done"
    return f"{outcome.name.lower().replace('_', ' ')} ({outcome.value.exit_code})"


def _other_name(state: RunState) -> str:
    return f", build {state.build}" if state.claimed and state.published_name != state.run else ""


def _results(state: RunState) -> str | None:
    if not state.claimed:
        return None
    from e2e.lifecycle.publish import build_of, store_of
    from upload.layout import build_paths

    return store_of(state).uri_of(build_paths(build_of(state)).folder)


def _age(seconds: float) -> str:
    for size, unit in ((86400, "d"), (3600, "h"), (60, "min")):
        if seconds >= size:
            return f"{seconds / size:.0f} {unit}"
    return f"{max(0.0, seconds):.0f} s"
