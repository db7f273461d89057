"""From a folder of artifacts to a build in a store: collect, judge, plan, check, send. What ``publish`` and ``run`` share."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from upload.artifacts import collect_artifacts
from upload.censor import Censor
from upload.documents import UNKNOWN_VERSION, Finished, Pairs
from upload.errors import Outcome, ResultsError
from upload.journal import Journal
from upload.layout import ARTIFACTS, build_paths, check_object_name
from upload.model import BuildRef, Finding, StepRecord, Verdict
from upload.plan import Plan, plan_build
from upload.send import Sent, send
from upload.store.base import Store
from upload.verdict import judge
from upload.verify import check_plan


@dataclass(frozen=True, slots=True)
class PublishRequest:
    """What is published, and as what.

    ``build`` is claimed already. ``folder``: the artifacts as the run left them, with ``build-log.txt`` if there is one.
    ``version``: of what was tested. ``finished_s``: UTC epoch. ``steps``: how the lifecycle went, None for a folder made
    elsewhere (then its ``junit_runner.xml`` tells). ``ended``: what ended the run outside of every step.
    ``metadata`` joins that of the verdict; its values are strings.
    """

    build: BuildRef
    folder: Path
    finished_s: int
    version: str = UNKNOWN_VERSION
    steps: tuple[StepRecord, ...] | None = None
    ended: Outcome | None = None
    metadata: Pairs = ()


@dataclass(frozen=True, slots=True)
class Prepared:
    """A build ready to be sent. ``findings``: what was changed or left out, and what readers would still trip over."""

    plan: Plan
    verdict: Verdict
    findings: tuple[Finding, ...]


@dataclass(frozen=True, slots=True)
class Publication:
    """A build that is stored. ``uri``: its folder in the store."""

    uri: str
    prepared: Prepared
    sent: Sent


def prepare(request: PublishRequest, *, censor: Censor, scratch: Path) -> Prepared:
    """Return everything a publish will write. Copies lie in ``scratch``, which must live until they are sent.

    The same folder gives the same plan, so that a publish may be resumed. Nothing is written to the folder.
    Raises ResultsError when the folder cannot be read, LayoutError for names that no reader can address.
    """
    published = collect_artifacts(request.folder, censor=censor, out=scratch)
    steps = published.steps if request.steps is None else request.steps
    verdict = judge(published.ending, steps, ended=request.ended, findings=published.findings)
    artifacts, unnamed = _storable(request.build, published.artifacts)
    metadata = dict(verdict.metadata) | dict(request.metadata)
    finished = Finished.from_outcome(
        verdict.outcome,
        request.finished_s,
        censor.text(request.version),
        tuple((key, censor.text(value)) for key, value in metadata.items()),
    )
    plan = plan_build(request.build, artifacts, published.build_log, finished)
    return Prepared(plan, verdict, (*published.findings, *unnamed, *check_plan(plan)))


def publish_build(
    request: PublishRequest,
    store: Store,
    *,
    censor: Censor,
    scratch: Path,
    journal: Journal | None = None,
) -> Publication:
    """Store a build and return what was done. Calling it again for the same folder completes it or does nothing.

    ``scratch``: a folder of this publish alone; what a killed one left in it is removed, and it is gone afterwards.
    Raises what ``prepare`` and ``send`` raise.
    """
    shutil.rmtree(scratch, ignore_errors=True)
    try:
        scratch.mkdir(mode=0o700)  # bytes that are not censored yet pass through
        prepared = prepare(request, censor=censor, scratch=scratch)
        sent = send(prepared.plan, store, journal=journal)
    except OSError as exc:
        raise ResultsError(f"{exc.filename or scratch}: {exc.strerror or exc}", hint="free some space there") from exc
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    return Publication(store.uri_of(build_paths(request.build).folder), prepared, sent)


def _storable(build: BuildRef, artifacts: Mapping[str, Path]) -> tuple[dict[str, Path], tuple[Finding, ...]]:
    """Leave out what no store can name, so that one odd file does not keep the rest from being published."""
    folder = build_paths(build).folder + ARTIFACTS
    wrong = {name: check_object_name(folder + name) for name in artifacts}
    kept = {name: path for name, path in artifacts.items() if not wrong[name]}
    return kept, tuple(finding for found in wrong.values() for finding in found)
