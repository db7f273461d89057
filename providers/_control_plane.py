"""Starts a control plane with kwokctl and watches it until its API answers, and as long as it is furnished."""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import replace
from typing import TYPE_CHECKING, Self

from providers import process
from providers._gates import SERVED, hold_back, let_go
from providers.contracts import Deadline
from providers.kwok import PORTS_NEEDED, ChoosePorts, Death, Home, Plan, configuration, first_death, said_by_kwokctl
from upload.errors import DeadlineExceeded, ProviderError, StepError

if TYPE_CHECKING:
    from providers.api import Api

STEP = "Start control plane"
ANSWER_S = 1.0


class PortTaken(ProviderError):
    """Another process got one of our ports first."""


class ControlPlane:
    """The processes of one cluster, from start until usable."""

    def __init__(self, plan: Plan, home: Home, deadline: Deadline) -> None:
        self._plan = plan
        self._home = home
        self._deadline = deadline

    def is_whole(self) -> bool:
        """Say whether every component was started, lives, and the API server is ready: nothing is left to start."""
        pids = self._home.cluster / "pids"
        if not all((pids / f"{name}.pid").exists() for name in self._plan.components):
            return False
        return first_death(self._home, self._plan.components) is None and is_ready(self._home)

    def start(self, choose_ports: ChoosePorts) -> None:
        """Remove what an earlier start left, start everything, and return when the API server answers.

        Raises: PortTaken; StepError with the last lines of what failed.
        """
        if self._home.workdir.exists():
            process.end(self._home.mark, deadline=self._deadline)
        try:
            for folder in (self._home.workdir, self._home.gates, self._home.folder / "home"):
                shutil.rmtree(folder, ignore_errors=True)
                folder.mkdir(mode=0o700, parents=True)
            self._home.output.unlink(missing_ok=True)
            held = replace(self._plan, programs=hold_back(self._plan.programs, self._home.gates))
            self._home.config.touch(mode=0o600)
            self._home.config.write_text(configuration(held, self._home, choose_ports(PORTS_NEEDED)))
        except OSError as exc:
            raise ProviderError(f"{self._home.folder} cannot be prepared: {exc}") from exc
        self._run_kwokctl()

    def check(self) -> None:
        """Raise when a component has ended. Raises: PortTaken; StepError with the component's last lines."""
        if death := first_death(self._home, self._plan.components):
            raise _explained(death)

    def let_go(self, gate: str) -> None:
        """Let the components start that were held back until ``gate``."""
        try:
            let_go(self._home.gates, gate)
        except OSError as exc:
            raise ProviderError(f"{self._home.gates}: {exc}") from exc

    def _run_kwokctl(self) -> None:
        argv = [str(self._plan.programs["kwokctl"]), "--name", self._home.name, "--config", str(self._home.config)]
        # an empty --kubeconfig: by default kwokctl adds a context to the user's own file
        argv += ["create", "cluster", "--kubeconfig", ""]
        home = self._home
        child = process.start(argv, env=home.environment(), cwd=home.folder, output=home.output)
        try:
            with Prober(home, "/version") as prober:
                self._watch(child, prober)
        finally:
            process.stop(child)

    def _watch(self, child: subprocess.Popen[bytes], prober: Prober) -> None:
        while True:
            code = child.poll()
            if code:
                raise self._failed(
                    f"kwokctl ended with code {code}: {said_by_kwokctl(self._home) or 'it said nothing'}"
                )
            self.check()
            if prober.look():
                self.let_go(SERVED)
                if code == 0:
                    return
            try:
                process.pause(self._deadline)
            except DeadlineExceeded as exc:
                given = f"{self._deadline.total_s:g} s"
                raise self._failed(f"the API server does not answer after {given}; last: {prober.observed}") from exc

    def _failed(self, message: str) -> StepError:
        tail = process.tail(self._home.logs / "kube-apiserver.log") or process.tail(self._home.output)
        return StepError(STEP, message, output_tail=tail)


def _explained(death: Death) -> ProviderError:
    if death.port_taken:
        return PortTaken(f"{death.component} found its port taken")
    return StepError(STEP, f"{death.component} ended by itself: {death.last_line}", output_tail=death.output_tail)


class Prober:
    """Asks one API server for ``path`` over and over until it answers well. ``observed``: what came last."""

    def __init__(self, home: Home, path: str) -> None:
        self._home = home
        self._path = path
        self._api: Api | None = None
        self._answered = False
        self.observed = "kwokctl has written no kubeconfig yet"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exc: object) -> None:
        if self._api:
            self._api.close()

    def look(self) -> bool:
        """Return whether it answers well, or did at an earlier look."""
        from providers.api import Api  # while kwokctl starts, this costs nobody any time

        if self._answered or not self._home.kubeconfig.exists():
            return self._answered
        try:
            self._api = self._api or Api(self._home.kubeconfig, answer_s=ANSWER_S)
            self._api.text(self._path)
        except ProviderError as error:
            self.observed = str(error)
        else:
            self._answered = True
        return self._answered


def is_ready(home: Home) -> bool:
    """Say whether the API server says now that it is ready."""
    with Prober(home, "/readyz") as prober:
        return prober.look()
