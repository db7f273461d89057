"""The plugin's options, read once into frozen values."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path

import pytest

from providers.contracts import Cluster

PODS_RUN = "pods-run"


@dataclass(frozen=True, slots=True)
class RunOptions:
    """What the command line said.

    ``run``: ``<job>-<build>``, the value behind every label. ``evidence``: folder that gets ``failures/``-like folders,
    one per failed case; ``events``: JSON lines for the live display; ``secrets``: JSON lines with values that must
    never be published; each is None where it is not wanted. ``focus`` and ``skip`` search in titles;
    ``only``: the titles that may run; ``attempt``: how often they were tried, this time included. ``job``: JOB or FILE of ``e2e run``, for the command that runs a case again.
    ``gone_within_s``: how long, after the last case, to wait for what was removed to be gone; 0 on a cluster that is
    itself about to go. ``needs``: file for what the selected cases must be allowed to do. ``remove``: when namespaces
    are removed, ``each`` after its case, all at the ``end``, or ``never``: pods that run hold memory, but a removal
    costs the control plane 0.2 s of processor time, as much as a case.
    """

    cluster: Cluster
    cluster_file: Path
    run: str
    evidence: Path | None = None
    events: Path | None = None
    secrets: Path | None = None
    focus: re.Pattern[str] | None = None
    skip: re.Pattern[str] | None = None
    only: frozenset[str] | None = None
    attempt: int = 1
    job: str = ""
    needs: Path | None = None
    gone_within_s: float = 30.0
    remove: str = "end"


def add_options(parser: pytest.Parser) -> None:
    """Declare the options in a group of their own."""
    group = parser.getgroup("e2e", "Kubernetes end-to-end tests")
    group.addoption("--e2e-cluster", metavar="FILE", help="JSON facts of the cluster; without it the plugin is inert")
    group.addoption("--e2e-run", metavar="NAME", default="manual", help="name of the run, label of all it creates")
    group.addoption("--e2e-job", metavar="JOB|FILE", help="what e2e run was given; default: the job in the run's name")
    group.addoption("--e2e-evidence", metavar="DIR", help="write objects, events and logs of failed cases below DIR")
    group.addoption("--e2e-events", metavar="FILE", help="append started and finished cases as JSON lines")
    group.addoption("--e2e-secrets", metavar="FILE", help="append secret values that evidence may show, as JSON lines")
    group.addoption(
        "--e2e-remove",
        choices=("each", "end", "never"),
        help="remove each namespace after its case (default where pods run), all after the last case (default on hollow "
        "nodes), or never (the cluster goes anyway)",
    )
    group.addoption(
        "--e2e-gone-within",
        metavar="S",
        type=float,
        default=30.0,
        help="seconds to wait at the end for removals, and half a second more for each; 0: do not wait",
    )
    group.addoption(
        "--e2e-needs",
        metavar="FILE",
        help="write the permissions that the selected cases need, as a JSON list; meant for --collect-only",
    )
    group.addoption("--e2e-focus", metavar="RE", help="run only cases whose title matches")
    group.addoption("--e2e-skip", metavar="RE", help="leave out cases whose title matches")
    group.addoption("--e2e-only", metavar="FILE", help="run only the cases whose titles stand in FILE, a JSON list")
    group.addoption("--e2e-attempt", metavar="N", type=int, default=1, help="which attempt of these cases this is")


def read_options(config: pytest.Config) -> RunOptions:
    """Return the options' values. Raises pytest.UsageError for a file or a pattern that cannot be read."""
    file = Path(config.getoption("e2e_cluster"))
    try:
        cluster = Cluster.from_json(json.loads(file.read_text(encoding="utf-8")))
    except OSError as exc:
        raise pytest.UsageError(f"--e2e-cluster {file}: {exc.strerror}") from exc
    except (ValueError, KeyError, TypeError) as exc:
        raise pytest.UsageError(f"--e2e-cluster {file}: no facts of a cluster: {exc!r}") from exc
    return RunOptions(
        cluster=cluster,
        cluster_file=file,
        run=config.getoption("e2e_run"),
        job=config.getoption("e2e_job") or config.getoption("e2e_run").rpartition("-")[0],
        evidence=_path(config, "e2e_evidence"),
        events=_path(config, "e2e_events"),
        secrets=_path(config, "e2e_secrets"),
        focus=_pattern(config, "e2e_focus"),
        skip=_pattern(config, "e2e_skip"),
        only=_titles(config, "e2e_only"),
        attempt=config.getoption("e2e_attempt"),
        needs=_path(config, "e2e_needs"),
        gone_within_s=config.getoption("e2e_gone_within"),
        remove=config.getoption("e2e_remove") or ("each" if PODS_RUN in cluster.features else "end"),
    )


def _path(config: pytest.Config, name: str) -> Path | None:
    value = config.getoption(name)
    return Path(value).absolute() if value else None


def _titles(config: pytest.Config, name: str) -> frozenset[str] | None:
    file = _path(config, name)
    if file is None:
        return None
    try:
        return frozenset(map(str, json.loads(file.read_text(encoding="utf-8"))))
    except (OSError, ValueError, TypeError) as exc:
        raise pytest.UsageError(f"--{name.replace('_', '-')} {file}: no list of titles: {exc}") from exc


def _pattern(config: pytest.Config, name: str) -> re.Pattern[str] | None:
    value = config.getoption(name)
    if not value:
        return None
    try:
        return re.compile(value)
    except re.error as exc:
        raise pytest.UsageError(f"--{name.replace('_', '-')} {value!r}: {exc}") from exc
