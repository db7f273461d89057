"""Tells somebody how a run ended: a command, a web address, or both. That nobody could be told is a note and no failure."""

from __future__ import annotations

import json
import time
from collections.abc import Callable

from e2e.lifecycle.addresses import addresses
from e2e.lifecycle.child import require_program
from e2e.lifecycle.publish import build_of, store_of
from e2e.lifecycle.run import Run
from e2e.lifecycle.state import RunState
from upload.errors import HarnessError, Outcome, UsageError

MOST_NAMES = 100


def tell(run: Run) -> None:
    """Tell those whom ``notify:`` names. Raises nothing that a receiver could cause."""
    wanted, passed = run.tools.job.notify, run.outcome is Outcome.PASSED
    if wanted.on_failure is not None and not passed:
        _try(run, "notify.on_failure", lambda body: _to_command(run, body))
    if wanted.webhook == "always" or (wanted.webhook == "on-failure" and not passed):
        _try(run, "notify.webhook", lambda body: _to_webhook(run, body))


def message(run: Run) -> bytes:
    """Return the run as a JSON document, without anything secret. Its keys stand in docs/how-to/add-a-config.md."""
    from upload.censor import Censor

    state, tally = run.state, run.tally
    told = {
        "job": state.job_name,
        "build": state.build,
        "run": state.run,
        "result": run.outcome.value.result or "FAILURE",
        "exit_code": run.outcome.value.exit_code,
        "version": state.tested_version,
        "started": state.started_s,
        "ended": int(run.now_s()),
        "cases": {"passed": tally.passed, "failed": tally.failed, "skipped": tally.skipped, "flaky": tally.flaky},
        "failed_cases": list(tally.failed_names[:MOST_NAMES]),
        "failures": [{"step": each.step, "text": each.text, "hint": each.hint} for each in run.all_failures],
        "addresses": _links(state),
        "jenkins": dict(run.tools.settings.metadata).get("jenkins-url", ""),
    }
    censor = Censor((*run.tools.settings.secrets, *run.folder.read_secrets()))
    return censor.data(json.dumps(told, indent=2).encode())


def _links(state: RunState) -> dict[str, str]:
    lines = addresses(store_of(state), build_of(state), state.job)
    return {label: where.strip() for label, _, where in (line.partition(":") for line in lines)}


def _try(run: Run, key: str, send: Callable[[bytes], None]) -> None:
    try:
        send(message(run))
    except HarnessError as error:
        run.recorder.note(f"{key}: nobody was told: {error}" + (f" (try: {error.hint})" if error.hint else ""))
    else:
        run.recorder.note(f"{key}: told")


def _to_command(run: Run, body: bytes) -> None:
    from dashboard_feed.notify import run_command

    hook = run.tools.job.notify.on_failure
    assert hook is not None
    env = run.tools.settings.child_variables()
    require_program(hook.command, env, key="notify.on_failure.command")
    run_command(hook.command, body, env=env, timeout_s=hook.timeout_s)


def _to_webhook(run: Run, body: bytes) -> None:
    from dashboard_feed.notify import make_webhook, post

    variables = run.tools.settings.variables
    url = variables.get("E2E_WEBHOOK_URL", "")
    if not url:
        raise UsageError("E2E_WEBHOOK_URL is not set", hint="export E2E_WEBHOOK_URL=https://…")
    post(make_webhook(url, variables.get("E2E_WEBHOOK_TOKEN", "")), body, sleep=time.sleep)
