"""Starts a control plane with kwokctl and watches it until its API answers."""

from __future__ import annotations

import shutil
import subprocess
from typing import TYPE_CHECKING, Self

from providers import process
from providers.contracts import Context, Deadline
from providers.kwok import PORTS_NEEDED, ChoosePorts, Death, Home, Plan, configuration, first_death, said_by_kwokctl
from upload.errors import DeadlineExceeded, ProviderError, StepError

if TYPE_CHECKING:
    from providers.api import Api

STEP = "Start control plane"
START_TRIES = 5
REVIVALS = 2
# The controller manager gives the API server 10 s and then ends; what ends sooner than this has another reason.
IMPATIENT_AFTER_S = 8.0
ANSWER_S = 2.0


class PortTaken(ProviderError):
    """Another process got one of our ports first."""


def start_control_plane(plan: Plan, home: Home, ctx: Context, choose_ports: ChoosePorts) -> None:
    """Return when the API server says it is ready and kwokctl has ended well.

    A port that somebody else took meanwhile costs a new start with other ports, at most five in all.
    Raises: StepError with the last lines of what failed; DeadlineExceeded.
    """
    for left in reversed(range(START_TRIES)):
        process.end(home.mark, deadline=ctx.deadline)
        _prepare(plan, home, choose_ports)
        try:
            _run(plan, home, ctx.deadline)
        except PortTaken as error:
            ctx.steps.note(str(error))
            if not left:
                raise StepError(STEP, f"{error}, and so were others before ({START_TRIES} starts)") from error
        else:
            return


def _prepare(plan: Plan, home: Home, choose_ports: ChoosePorts) -> None:
    try:
        for folder in (home.workdir, home.folder / "home"):
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir(mode=0o700, parents=True)
        home.output.unlink(missing_ok=True)
        home.config.write_text(configuration(plan, home, choose_ports(PORTS_NEEDED)))
    except OSError as exc:
        raise ProviderError(f"{home.folder} cannot be prepared: {exc}") from exc


def _run(plan: Plan, home: Home, deadline: Deadline) -> None:
    for left in reversed(range(1 + REVIVALS)):
        _run_kwokctl(plan, home, deadline)  # a second run starts what does not run, and only that
        death = first_death(home, plan.components)
        if death is None:
            return
        if not left:
            raise _explained(death)


def _run_kwokctl(plan: Plan, home: Home, deadline: Deadline) -> None:
    argv = [str(plan.programs["kwokctl"]), "--name", home.name, "--config", str(home.config), "create", "cluster"]
    # an empty --kubeconfig: by default kwokctl adds a context to the user's own file
    argv += ["--kubeconfig", ""]
    child = process.start(argv, env=home.environment(), cwd=home.folder, output=home.output)
    try:
        with Readiness(home) as readiness:
            _watch(child, readiness, plan, home, deadline)
    finally:
        process.stop(child)


def _watch(child: subprocess.Popen[bytes], readiness: Readiness, plan: Plan, home: Home, deadline: Deadline) -> None:
    while True:
        code = child.poll()
        if code:
            said = said_by_kwokctl(home) or "it said nothing"
            raise StepError(STEP, f"kwokctl ended with code {code}: {said}", output_tail=process.tail(home.output))
        death = first_death(home, plan.components)
        if death and death.age_s < IMPATIENT_AFTER_S:
            raise _explained(death)
        if readiness.look() and code == 0:
            return
        try:
            process.pause(deadline)
        except DeadlineExceeded as exc:
            raise StepError(
                STEP,
                f"not ready after {deadline.total_s:g} s; last: {readiness.observed}",
                output_tail=process.tail(home.logs / "kube-apiserver.log") or process.tail(home.output),
            ) from exc


def _explained(death: Death) -> ProviderError:
    if death.port_taken:
        return PortTaken(f"{death.component} found its port taken")
    last = death.output_tail.splitlines()[-1:] or ["it logged nothing"]
    return StepError(STEP, f"{death.component} ended by itself: {last[0][:300]}", output_tail=death.output_tail)


class Readiness:
    """Asks one API server whether it is ready, over and over. ``observed``: what it said last."""

    def __init__(self, home: Home) -> None:
        self._home = home
        self._api: Api | None = None
        self._ready = False
        self.observed = "kwokctl has written no kubeconfig yet"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exc: object) -> None:
        if self._api:
            self._api.close()

    def look(self) -> bool:
        """Return whether it is ready, or was at an earlier look."""
        from providers.api import Api  # while kwokctl starts, this costs nobody any time

        if self._ready or not self._home.kubeconfig.exists():
            return self._ready
        try:
            self._api = self._api or Api(self._home.kubeconfig, answer_s=ANSWER_S)
            self._ready = self._api.text("/readyz") == "ok"
        except ProviderError as error:
            self.observed = str(error)
        return self._ready
