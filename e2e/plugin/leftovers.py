"""What the suite created and did not get rid of. Looked for once, after the last case."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import pytest

from e2e.plugin.connection import open_api
from e2e.plugin.events import EventReporter
from e2e.plugin.options import RunOptions
from providers.api import Api, ApiRefused
from providers.contracts import RUN_LABEL, run_label
from providers.discovery import Kind, discover
from upload.errors import ProviderError

PAUSE_S = 0.25
EACH_S = 0.5  # what the removal of one namespace may take, when many wait for theirs
SHOWN = 10
NAMESPACES = Kind("", "v1", "namespaces", "Namespace", namespaced=False, verbs=frozenset({"list", "delete"}))


@dataclass(frozen=True, slots=True)
class Leftover:
    """A cluster-scoped object with the run's label that is still there."""

    kind: str
    name: str
    is_going: bool


class LeftoverCheck:
    """Waits, after the last case, until the run's namespaces are gone; reports what stays.

    It changes no case and no exit code: a leak is the lifecycle's to judge (an event ``leftover`` for each), and a
    person sees it in the summary.
    """

    def __init__(self, options: RunOptions, clock: Callable[[], float] = time.monotonic) -> None:
        self._options = options
        self._clock = clock
        self._problem = ""
        self._left: tuple[Leftover, ...] = ()

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self, session: pytest.Session, exitstatus: int) -> None:
        """Look after the JUnit file was written and xdist's workers have ended; a cut run is not kept waiting."""
        if session.testscollected == 0 or session.config.option.collectonly:
            return
        patience_s = 0.0 if exitstatus == pytest.ExitCode.INTERRUPTED else self._options.gone_within_s
        try:
            self._left = self._look(patience_s)
        except ProviderError as error:
            self._problem = f"cannot look for leftovers: {error}"
        reporter = session.config.pluginmanager.get_plugin("e2e-events")
        if isinstance(reporter, EventReporter):
            for left in self._left:
                reporter.write("leftover", kind=left.kind, name=left.name)

    def _look(self, patience_s: float) -> tuple[Leftover, ...]:
        label = run_label(self._options.run)
        with open_api(self._options.cluster.kubeconfig) as api:
            kinds = [k for k in discover(api, _ignore) if not k.namespaced and "delete" in k.verbs]
            if self._options.remove == "end":
                for space in _labelled(api, [NAMESPACES], label):
                    api.delete(f"{NAMESPACES.path()}/{space.name}")
            elif self._options.remove == "never":
                kinds = [k for k in kinds if k.plural != NAMESPACES.plural]
            left = _labelled(api, kinds, label)
            until = self._clock() + patience_s + (EACH_S * len(left) if patience_s else 0)
            while left and self._clock() < until:
                time.sleep(PAUSE_S)
                left = _labelled(api, kinds, label)
            # with no patience, what is on its way out counts as gone
            return tuple(obj for obj in left if patience_s > 0 or not obj.is_going)

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Name what is left."""
        if self._problem:
            terminalreporter.write_line(self._problem, red=True)
        for left in self._left[:SHOWN]:
            terminalreporter.write_line(f"left over: {left.kind} {left.name}", red=True)
        if len(self._left) > SHOWN:
            terminalreporter.write_line(f"left over: {len(self._left) - SHOWN} more", red=True)


def _labelled(api: Api, kinds: Iterable[Kind], label: str) -> tuple[Leftover, ...]:
    found = []
    for kind in kinds:
        try:
            listed = api.get(kind.path(), {"labelSelector": f"{RUN_LABEL}={label}"}).get("items") or []
        except ApiRefused:
            continue  # a kind that went away meanwhile, or one that is not ours to read: nothing of ours is there
        metadata = [item["metadata"] for item in listed]
        found += [Leftover(kind.kind, meta["name"], "deletionTimestamp" in meta) for meta in metadata]
    return tuple(found)


def _ignore(_what: str, _error: str) -> None:
    """Take no notice: a group whose extension server is down has no objects that we could have made."""
