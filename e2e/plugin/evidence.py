"""What a failed case leaves: the objects, events and logs of its namespaces, before they are removed. DESIGN section 7.

One folder for each failed case, ``<slug60>-<sha8>/``, in it one for each later attempt, ``attempt-2/``: ``case.txt`` (title, failure, how to run it again),
``objects.jsonl``, ``events.jsonl``, ``logs/<pod>_<container>.log`` where pods run. Secrets appear with names and sizes
only; their values are blotted out here and go to ``--e2e-secrets``, so that the publisher does it everywhere else.
"""

from __future__ import annotations

import json
import os
from collections.abc import Generator, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from e2e.plugin.connection import open_api
from e2e.plugin.options import PODS_RUN, RunOptions
from e2e.plugin.rerun import how_to_run_again
from e2e.plugin.selection import TITLE
from e2e.plugin.titles import evidence_name
from providers.api import Api, ApiRefused
from providers.discovery import discover
from providers.redaction import redact
from upload.censor import Censor

NAMESPACES = pytest.StashKey[list[str]]()
FAILED = pytest.StashKey[bool]()

LOG_LINES = 2_000
ANSWER_S = 10.0
OBJECTS_OF_A_KIND = 500


class EvidenceKeeper:
    """Writes evidence at the moment a case fails: its fixtures are still up then."""

    def __init__(self, options: RunOptions) -> None:
        self._options = options

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_makereport(self, item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        """Keep the evidence of the first failure; fold a failing teardown of a failed case into that failure."""
        report = yield
        if not report.failed:
            return report
        if report.when == "teardown" and item.stash.get(FAILED, False):
            # A second failure of one case would become a second testcase in JUnit, and a flaky one for its readers.
            report.user_properties.append(("teardown-error", report.longreprtext))
            report.outcome = "passed"
            report.longrepr = None
        if self._options.evidence is not None:
            self._keep(item, report)
        item.stash[FAILED] = True
        return report

    def _keep(self, item: pytest.Item, report: pytest.TestReport) -> None:
        assert self._options.evidence is not None
        title = item.stash[TITLE]
        folder = evidence_folder(self._options.evidence, title, self._options.attempt)
        folder.mkdir(parents=True, exist_ok=True)
        namespaces = item.stash.get(NAMESPACES, [])
        found = self._collect(namespaces) if report.when != "teardown" and namespaces else Found()
        censor = Censor(found.secrets)
        write_evidence(folder, found, censor)
        if self._options.secrets is not None:
            append_secrets(self._options.secrets, found.secrets)
        mode = "a" if item.stash.get(FAILED, False) else "w"
        with (folder / "case.txt").open(mode, encoding="utf-8") as stream:
            stream.write(censor.text(case_text(item, report, self._options, found.problems)))

    def _collect(self, namespaces: Iterable[str]) -> Found:
        try:
            with open_api(self._options.cluster.kubeconfig, answer_s=ANSWER_S) as api:
                return read_namespaces(api, namespaces, with_logs=PODS_RUN in self._options.cluster.features)
        except Exception as error:  # noqa: BLE001  # whatever goes wrong here must not hide why the case failed
            return Found(problems=[f"no evidence of the cluster: {type(error).__name__}: {error}"])


def evidence_folder(failures: Path, title: str, attempt: int) -> Path:
    """Return where the evidence of one attempt of a case lies; the first attempt's has no folder of its own."""
    folder = failures / evidence_name(title)
    return folder if attempt == 1 else folder / f"attempt-{attempt}"


@dataclass(slots=True)
class Found:
    """What was read from the namespaces of one case. ``logs``: file name -> text."""

    objects: list[dict[str, Any]] = field(default_factory=list)
    events: list[dict[str, Any]] = field(default_factory=list)
    logs: dict[str, str] = field(default_factory=dict)
    secrets: set[str] = field(default_factory=set)
    problems: list[str] = field(default_factory=list)


def read_namespaces(api: Api, namespaces: Iterable[str], *, with_logs: bool) -> Found:
    """Return every object of the namespaces, redacted. What cannot be listed is a problem in the result, not an error."""
    found = Found()
    kinds = discover(api, lambda what, error: found.problems.append(f"{what}: {error}"))
    for namespace in namespaces:
        for kind in kinds:
            # events of events.k8s.io are the same objects again
            if not kind.namespaced or "get" not in kind.verbs or (kind.plural == "events" and kind.group):
                continue
            try:
                listed = api.get(kind.path(namespace), {"limit": str(OBJECTS_OF_A_KIND)}).get("items") or []
            except ApiRefused as error:
                found.problems.append(f"{kind.plural} in {namespace}: {error}")
                continue
            target = found.events if kind.plural == "events" else found.objects
            target.extend(
                redact({"apiVersion": kind.api_version, "kind": kind.kind, **item}, found.secrets.add)
                for item in listed
            )
        if with_logs:
            _read_logs(api, namespace, found)
    for obj in (*found.objects, *found.events):
        obj.get("metadata", {}).pop("managedFields", None)
    return found


def _read_logs(api: Api, namespace: str, found: Found) -> None:
    pods = [obj for obj in found.objects if obj["kind"] == "Pod" and obj["metadata"].get("namespace") == namespace]
    for pod in pods:
        name = pod["metadata"]["name"]
        spec = pod.get("spec", {})
        for container in [*spec.get("initContainers", []), *spec.get("containers", [])]:
            query = f"container={container['name']}&tailLines={LOG_LINES}"
            try:
                text = api.text(f"/api/v1/namespaces/{namespace}/pods/{name}/log?{query}")
            except ApiRefused as error:
                text = f"no log: {error}\n"
            found.logs[f"{name}_{container['name']}.log"] = text


def write_evidence(folder: Path, found: Found, censor: Censor) -> None:
    """Write the files of one case's evidence, censored; a file that would be empty is left out."""
    for name, lines in (("objects.jsonl", found.objects), ("events.jsonl", found.events)):
        if lines:
            text = "".join(json.dumps(obj, sort_keys=True) + "\n" for obj in lines)
            (folder / name).write_text(censor.text(text), encoding="utf-8")
    for name, text in found.logs.items():
        (folder / "logs").mkdir(exist_ok=True)
        (folder / "logs" / name).write_text(censor.text(text), encoding="utf-8")


def append_secrets(file: Path, values: Iterable[str]) -> None:
    """Append values as JSON strings, one a line, readable by the owner only. Several processes may do so at once."""
    text = "".join(json.dumps(value) + "\n" for value in sorted(values))
    if text:
        descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        with os.fdopen(descriptor, "a", encoding="utf-8") as stream:
            stream.write(text)


def case_text(item: pytest.Item, report: pytest.TestReport, options: RunOptions, problems: Iterable[str]) -> str:
    """Return what a person reads first: for the first failure of a case title and commands too."""
    text = report.longreprtext or str(dict(report.user_properties).get("teardown-error", ""))
    failure = [f"failed in {report.when} after {report.duration:.1f} s", "", *problems, text, ""]
    if item.stash.get(FAILED, False):
        return "\n".join(["", *failure])
    return "\n".join([item.stash[TITLE], *how_to_run_again(item, options), "", *failure])
