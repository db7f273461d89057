"""Publishes a run in a later process: one whose publish failed or was killed, or one that was never to be published."""

from __future__ import annotations

import secrets
import shutil
import time
from contextlib import suppress
from dataclasses import replace

from e2e.lifecycle.attach import Later, adopt_claim, attached, find_run, take_over
from e2e.lifecycle.display import make_display
from e2e.lifecycle.publish import frozen_folder, store_until
from e2e.lifecycle.run import Run
from e2e.lifecycle.sequence import STEPS, perform
from e2e.lifecycle.state import build_number
from e2e.settings import Settings, current_settings
from upload.documents import Started
from upload.errors import HarnessError, UsageError
from upload.model import BuildRef


def republish(ref: str, results: str | None, *, new_attempt: bool) -> None:
    """Publish a run; see ``e2e.lifecycle.publish.publish_run``."""
    settings = current_settings()
    display = make_display("plain", verbose=False)
    folder = find_run(settings.state, ref, wanted=lambda state: state.published == new_attempt)
    with attached(folder, Later("publish"), settings, display) as run:
        run.resumes = True
        if not run.state.is_ended:
            if run.state.is_live:
                raise UsageError(
                    f"{run.state.run} was killed and has a cluster", hint=f"e2e down {run.state.run} --resume"
                )
            take_over(run, aborts=False)
        choose_build(run, settings, results, new_attempt=new_attempt)
        perform(run, STEPS["publish"])
        run.change(lambda state: replace(state, ended_s=state.ended_s or int(run.now_s())))
        failure = run.failures[-1] if run.failures and not run.state.published else None
        if failure is not None:
            error = HarnessError(failure.text, hint=failure.hint)
            error.outcome = failure.outcome  # type: ignore[misc]  # per instance by intent
            raise error


def choose_build(run: Run, settings: Settings, results: str | None, *, new_attempt: bool = False) -> None:
    """Have the run own a build in the store that it goes to. Raises: UsageError when there is nothing to publish."""
    from upload.store import open_store

    state = run.state
    wanted = open_store(results).uri if results else state.store
    if new_attempt:
        if wanted != state.store or not state.published:
            raise UsageError(f"{state.run} is not published in {wanted} yet", hint=f"e2e publish {state.run}")
    elif wanted == state.store:
        if state.published:
            raise UsageError(f"{state.run} is published already", hint=f"e2e results {state.run}")
        if not state.store:
            raise UsageError(f"{state.run} has no store", hint=f"e2e publish {state.run} --results URI")
        run.state = adopt_claim(run.folder, state)
        if run.state.claimed:
            return
    attempt_of = state.build if new_attempt else ""
    token = secrets.token_hex(8)
    shutil.rmtree(frozen_folder(run.folder), ignore_errors=True)  # of the build that was claimed before
    run.change(
        lambda state: replace(
            state,
            store=wanted,
            claim_token=token,
            claimed=False,
            published=False,
            attempt_of=attempt_of or state.attempt_of,
        )
    )
    build = take_id(run, settings, token)
    run.change(lambda state: replace(state, build=build.number, claimed=True))


def take_id(run: Run, settings: Settings, token: str) -> BuildRef:
    """Take the build id that the run is named after where that can be had, else the next free one; return the build.

    The id that is tried is on disk before, so that a later process finds what a killed one took.
    """
    from upload.claim import claim, newest_number
    from upload.layout import as_integer

    state = run.state
    store = store_until(state, run.tools.budget.deadline("publish"), run.recorder.note)
    started = Started(timestamp_s=state.started_s, node=settings.node, version=state.version)

    def take(number: str, tried: str) -> BuildRef:
        run.change(lambda state: replace(state, build=tried))
        wanted = BuildRef(state.prefix, state.job_name, number)
        return claim(store, wanted, started, now_s=moment, token=lambda: token)

    moment = int(time.time())
    named = state.run.removeprefix(f"{state.job_name}-")
    newest = newest_number(store, state.prefix, state.job_name)
    if (as_integer(named) or 0) > int(newest or 0):
        with suppress(UsageError):  # somebody has it, or the ids there are of another width
            return take(named, named)
    return take("", build_number(moment))
