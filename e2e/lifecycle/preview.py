"""``--dry-run``: what a run would do. Looks versions and ids up; creates nothing."""

from __future__ import annotations

import json
import shlex
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from e2e.lifecycle.begin import Order, check_order, first_state
from e2e.lifecycle.display import PlainDisplay
from e2e.lifecycle.sequence import SEQUENCES, STEPS
from e2e.lifecycle.state import build_number, run_name
from e2e.lifecycle.testers import SuitePlan, make_tester
from e2e.lifecycle.tools import foreseen_version, make_tools
from e2e.settings import Settings
from providers.contracts import Cluster
from upload.errors import HarnessError
from upload.store.patience import Patience

WIDTH = len("kubernetes: ")


@dataclass(frozen=True, slots=True)
class Planned:
    """One thing that a run would do. ``facts``: the same as ``text`` for a program."""

    event: str
    text: str
    facts: Mapping[str, Any]

    def line(self) -> str:
        """Return it for people."""
        return f"{self.event}:".ljust(WIDTH) + self.text

    def json(self) -> str:
        """Return it for programs."""
        return json.dumps({"event": self.event, **self.facts})


def preview(order: Order, settings: Settings, *, verbose: bool, patience: Patience) -> Iterator[Planned]:
    """Yield what a run would do; ``verbose``: with the tester's command lines. Raises what the run itself would raise before it creates anything."""
    import sys

    check_order(order, settings)
    version = foreseen_version(order.job, settings, PlainDisplay(sys.stderr), offline=order.offline)
    tools = make_tools(order.job, settings, version, test_s=order.test_s)
    now_s = int(time.time())
    name = run_name(order.job.job, order.build or build_number(now_s))
    state = first_state(order, settings, version, name=name, now_s=now_s)
    state = replace(state, build=_next_build(order, now_s, patience))
    run = run_name(state.job_name, state.build)
    yield Planned("run", run, {"run": run})
    why = str(version.unresolved) if version.unresolved is not None else ""
    said = f"{state.version} ({state.version_source})" + (f"\n{'':{WIDTH}}{why}" if why else "")
    yield Planned("kubernetes", said, {"version": state.version, "source": state.version_source, "unresolved": why})
    name, nodes = order.job.provider.name, order.job.cluster.nodes
    facts = {"provider": name, "nodes": nodes, "keep": order.keep}
    yield Planned("provider", f"{name}, {nodes} nodes; kept: {order.keep}", facts)
    yield Planned("artifacts", state.artifacts, {"artifacts": state.artifacts})
    for verb in SEQUENCES["run"]:
        if not STEPS[verb].planned(tools):
            continue
        title, limit_s = STEPS[verb].title, tools.budget.seconds[verb]
        yield Planned("step", f"{title}, at most {limit_s:.0f} s", {"name": title, "limit_s": limit_s})
        if verb == "test" and verbose:
            plan = _plan(order, settings, state.run, Path(state.artifacts))
            for argv in make_tester(order.job.suite.tester, order.job.suite.settings).describe(plan):
                yield Planned("command", shlex.join(argv), {"argv": argv})
    yield from _uploads(order, state.build)


def _next_build(order: Order, now_s: int, patience: Patience) -> str:
    from upload.claim import check_asked, newest_number, next_number
    from upload.store import open_store

    try:
        store = open_store(order.store, anonymous_too=True, patience=patience)
        newest = newest_number(store, order.prefix, order.job.job)
    except HarnessError:  # a bucket that only the real run may read
        newest = ""
    if order.build:
        check_asked(order.build, newest)
        return order.build
    return next_number(newest, now_s)


def _uploads(order: Order, build: str) -> Iterator[Planned]:
    from upload.layout import CASES, RUNNER_JUNIT, build_paths
    from upload.model import BuildRef
    from upload.store import open_store

    store = open_store(order.store, anonymous_too=True)
    paths = build_paths(BuildRef(order.prefix, order.job.job, build))
    some = [
        f"{paths.artifacts}{name}" for name in ("junit_NN.xml", RUNNER_JUNIT, CASES, "cluster/c1/...", "failures/...")
    ]
    alias = (paths.alias,) if paths.alias else ()
    for path in (*alias, paths.started, *some, paths.log, paths.finished, paths.cache, paths.latest):
        uri = store.uri_of(path)
        yield Planned("upload", uri, {"uri": uri})


def _plan(order: Order, settings: Settings, run: str, artifacts: Path) -> SuitePlan:
    folder = settings.state / "runs" / run
    suite = order.job.suite
    return SuitePlan(
        run=run,
        cluster=Cluster("c1", folder / "cluster" / "c1" / "kubeconfig", ""),
        cluster_file=folder / "cluster" / "c1.json",
        artifacts=artifacts,
        work=folder / "work",
        secrets_file=folder / "secrets.jsonl",
        select=suite.expression(),
        workers=suite.workers,
        focus=suite.focus or "",
        skip=suite.skip or "",
    )
