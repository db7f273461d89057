"""Publishes a run: first everything is assembled and frozen in the run's folder, then it is sent, as often as it takes.

Frozen, because a publish that was cut goes on in a later process: what it sends must be what the first one sent.

    <state>/runs/<RUN>/publish/files/       the censored copies (upload.artifacts)
                               plan.json    what goes where; written last, so complete or absent
                               sent.jsonl   what is stored already (upload.journal)
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from e2e.lifecycle.addresses import addresses
from e2e.lifecycle.costs import MACHINE_HOURS, cost_of, machine_hours
from e2e.lifecycle.folder import RunFolder
from e2e.lifecycle.frozen import read_plan, write_plan
from e2e.lifecycle.run import Run
from e2e.lifecycle.state import Failure, RunState
from e2e.lifecycle.steps import SEPARATOR
from e2e.lifecycle.summary import closing_lines
from providers.contracts import Deadline
from upload.errors import Outcome
from upload.layout import GIVEN_JOB, RUNNER_JUNIT, build_paths
from upload.model import BuildRef, StepRecord
from upload.plan import Plan
from upload.store.base import Store

PUBLISH_STEP = "Publish"
SPARE_S = 5.0  # of the step, for telling what the store said


def publish_open_run(run: Run, deadline: Deadline) -> None:
    """Publish what a run came to, and make the site beside a ``file://`` store anew.

    Raises: ResultsError or StoreError when something could not be stored; what is frozen stays for the next try.
    """
    from upload.journal import FileJournal
    from upload.send import send

    run.forgive(PUBLISH_STEP)  # what an earlier try met is no result of this run
    store = store_until(run.state, deadline, run.recorder.note)
    place = frozen_folder(run.folder)
    plan = read_plan(place) or freeze(run, store)
    deadline.check()
    folder = store.uri_of(build_paths(plan.build).folder)
    with FileJournal(place / "sent.jsonl", folder) as journal:
        sent = send(plan, store, journal=journal)
    run.change(lambda state: replace(state, published=True))
    shutil.rmtree(place, ignore_errors=True)
    run.recorder.note(f"stored {sent.objects} objects, {sent.size_bytes / 1e6:.1f} MB, in {folder}")
    show_site(run, store)


def freeze(run: Run, store: Store) -> Plan:
    """Assemble what is published: the log with its last lines, all JUnit in one shape, everything censored.

    What the files tell beyond what the run knows (JUnit that cannot be read) becomes a failure of the run.
    """
    from upload.censor import Censor
    from upload.publish import PublishRequest, prepare

    records = published_steps(run.recorder.records)
    write_runner_junit(run.artifacts, records)
    for line in (
        *closing_lines(run.state, run.all_failures, run.tally),
        *addresses(store, build_of(run.state), run.state.job),
    ):
        run.log.line(line)
    place = frozen_folder(run.folder)
    shutil.rmtree(place, ignore_errors=True)
    (place / "files").mkdir(mode=0o700, parents=True)
    request = PublishRequest(
        build=build_of(run.state),
        folder=run.artifacts,
        finished_s=int(run.now_s()),
        version=run.state.tested_version,
        # what the run knows is decided; only of one that passed the files may tell more
        steps=top_steps(records) if run.outcome is Outcome.PASSED else (),
        ended=run.outcome,
        metadata=metadata_of(run),
    )
    censor = Censor((*run.tools.settings.secrets, *run.folder.read_secrets()))
    prepared = prepare(request, censor=censor, scratch=place / "files")
    for finding in prepared.findings:
        run.log.line(f"{finding.severity.value}: {finding.object}: {finding.what}")
    if prepared.verdict.outcome is not Outcome.PASSED and run.outcome is Outcome.PASSED:
        run.add_failure(Failure("Test", prepared.verdict.outcome, "; ".join(prepared.verdict.notes)))
        return freeze(run, store)  # the log's last lines must tell of it too
    write_plan(place, prepared.plan)
    return prepared.plan


def metadata_of(run: Run) -> tuple[tuple[str, str], ...]:
    """Return the facts of ``finished.json``: what was run, where the version is from, who made the cluster, what went wrong."""
    from upload.publish_folder import ATTEMPT_OF

    provider = str(run.state.job["provider"]["name"])
    found = [
        ("run", run.state.run),
        (GIVEN_JOB, run.state.ref),
        ("provider", provider),
        ("version-source", run.state.version_source),
    ]
    hours = machine_hours(cost_of(run.tools.provider, run.tools.spec), run.recorder.records)
    found += [(MACHINE_HOURS, hours)] if hours else []
    found += [("upgraded-from", run.state.version)] if run.state.upgraded_to else []
    found += [(ATTEMPT_OF, run.state.attempt_of)] if run.state.attempt_of else []
    found += run.tools.settings.metadata
    if run.all_failures:
        first, *later = (str(failure) for failure in run.all_failures)
        found.append(("failure", first))
        found += [("notes", "; ".join(later))] if later else []
    return tuple(found)


def published_steps(records: list[StepRecord]) -> tuple[StepRecord, ...]:
    """Return the steps that are results; an earlier try to publish is none."""
    return tuple(record for record in records if record.name != PUBLISH_STEP)


def top_steps(records: tuple[StepRecord, ...]) -> tuple[StepRecord, ...]:
    """Return the steps of the sequence, without the parts that a provider made of them."""
    return tuple(record for record in records if SEPARATOR not in record.name)


def write_runner_junit(artifacts: Path, records: tuple[StepRecord, ...]) -> None:
    """Write ``junit_runner.xml``, one case for each step."""
    from upload.junit_render import render_steps

    (artifacts / RUNNER_JUNIT).write_bytes(render_steps(records))


def show_site(run: Run, store: Store) -> None:
    """Make the site; that it fails is only a note."""
    from e2e.lifecycle.site import refresh_site

    try:
        refresh_site(run.tools.job, store, now_s=int(run.now_s()))
    except Exception as error:  # noqa: BLE001  # the results are stored; a page is no reason to fail
        run.recorder.note(f"the site was not made: {error}")


def store_of(state: RunState) -> Store:
    """Return the store that a run publishes into, to look at it."""
    from upload.store import open_store

    return open_store(state.store)


def store_until(state: RunState, deadline: Deadline, tell: Callable[[str], None]) -> Store:
    """Return the store that a run publishes into; it tells of its first wait.

    It gives up shortly before the deadline: an address that does not answer is named, not only the step that waited.
    """
    from upload.store import Patience, open_store
    from upload.store.patience import once

    patience = Patience(remaining_s=lambda: deadline.remaining_s() - SPARE_S, on_wait=once(tell))
    return open_store(state.store, patience=patience)


def build_of(state: RunState) -> BuildRef:
    """Return the build that a run has claimed."""
    return BuildRef(state.prefix, state.job_name, state.build)


def frozen_folder(folder: RunFolder) -> Path:
    """Return where a run keeps what it is about to send."""
    return folder.path / "publish"


def publish_run(ref: str, results: str | None, *, new_attempt: bool = False) -> None:
    """Publish a run in a later process than its own; into another store than its own when ``results`` names one.

    ``new_attempt``: one that is published already, under a new id.

    ``ref``: RUN, or JOB for its newest run. Raises: UsageError when there is no such run, ResultsError.
    """
    from e2e.lifecycle.republish import republish

    republish(ref, results, new_attempt=new_attempt)
