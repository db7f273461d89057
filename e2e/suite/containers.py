"""Pods whose containers really run: made of a shell script, waited for, asked for what they wrote. For ``requires("pods-run")``."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
from lightkube import ApiError, Client
from lightkube.models.core_v1 import ContainerStatus
from lightkube.resources.core_v1 import Pod

from e2e.plugin.images import Images
from e2e.plugin.kubectl import Kubectl, Output
from e2e.suite.controllers import conditions, name_of
from e2e.suite.workloads import pod

RUN_S = 60.0  # what a start may take on a busy machine: the pod's sandbox, its volumes, its containers one by one
SHOWN_CHARS = 2_000

IMAGES = Images.upstream()
FOREVER = "sleep 3600"
ENDED = ("Succeeded", "Failed")


def shell(script: str, *, name: str = "main", **fields: Any) -> dict[str, Any]:
    """Return a container that runs a shell script; ``fields`` are further fields of Container."""
    return {"name": name, "image": IMAGES.busybox, "command": ["sh", "-c", script], **fields}


def agnhost(*args: str, name: str = "main", **fields: Any) -> dict[str, Any]:
    """Return a container that runs a command of upstream's test image, such as ``netexec``."""
    return {"name": name, "image": IMAGES.agnhost, "args": list(args), **fields}


def once(name: str, *containers: dict[str, Any], **fields: Any) -> Pod:
    """Return a pod that is not started again when it ends; ``fields`` as in ``pod_spec``."""
    return pod(name, containers=list(containers), **{"restartPolicy": "Never", **fields})


def lasting(name: str, *containers: dict[str, Any], **fields: Any) -> Pod:
    """Return a pod whose containers are started again whenever they end; ``fields`` as in ``pod``."""
    return pod(name, containers=list(containers), **fields)


@dataclass(frozen=True, slots=True)
class Pods:
    """What a test does with running pods in its namespace. Each wait fails with the state of every container."""

    client: Client
    namespace: str
    eventually: Callable[..., Any]

    def get(self, name: str) -> Pod:
        """Return a pod as the server has it."""
        return self.client.get(Pod, name, namespace=self.namespace)

    def create(self, *pods: Pod) -> None:
        """Create pods and do not wait for them."""
        for each in pods:
            self.client.create(each, namespace=self.namespace)

    def start(self, *pods: Pod) -> list[Pod]:
        """Create pods and return them once all are ready."""
        self.create(*pods)
        return [self.ready(name_of(each)) for each in pods]

    def ready(self, name: str) -> Pod:
        """Return a pod once it is ready."""
        self.eventually(
            lambda: self.summary(name),
            until=lambda seen: seen["ready"] == "True",
            timeout_s=RUN_S,
            what=f"pod {name} becomes ready",
        )
        return self.get(name)

    def end(self, name: str, *, phase: str) -> None:
        """Wait until a pod ended, and fail with what its containers wrote when it ended otherwise."""
        __tracebackhide__ = True
        seen = self.eventually(
            lambda: self.summary(name),
            until=lambda seen: seen["phase"] in ENDED,
            timeout_s=RUN_S,
            what=f"pod {name} ends",
        )
        if seen["phase"] != phase:
            found = self.get(name).spec
            logs = {c.name: self._log_or_why_not(name, c.name) for c in (found.containers if found else [])}
            raise AssertionError(f"pod {name} should end as {phase}: {seen}, and wrote {logs}")

    def output(self, made: Pod, *, container: str = "main") -> str:
        """Create a pod, wait until it ended well, and return what a container wrote."""
        __tracebackhide__ = True
        self.create(made)
        self.end(name_of(made), phase="Succeeded")
        return self.log(name_of(made), container)

    def log(self, name: str, container: str = "main") -> str:
        """Return what a container wrote so far."""
        return "".join(self.client.log(name, namespace=self.namespace, container=container))

    def container(self, name: str, container: str = "main") -> ContainerStatus:
        """Return the status of a container, of an init container too. Raises LookupError while there is none."""
        status = self.get(name).status
        assert status
        every = (status.initContainerStatuses, status.containerStatuses, status.ephemeralContainerStatuses)
        return {c.name: c for group in every for c in group or []}[container]

    def summary(self, name: str) -> dict[str, str]:
        """Return a pod's phase, whether it is ready, and the state of each container, in words for people."""
        found = self.get(name)
        status = found.status
        assert status
        ready = conditions(found).get("Ready", ("", ""))[0]
        unscheduled = conditions(found).get("PodScheduled", ("", ""))[1]
        every = [*(status.initContainerStatuses or []), *(status.containerStatuses or [])]
        of_pod = {"phase": status.phase or "", "ready": ready, "reason": status.reason or unscheduled}
        return {**of_pod, **{f"container {c.name}": _in_words(c) for c in every}}

    def _log_or_why_not(self, name: str, container: str) -> str:
        try:
            return self.log(name, container)[-SHOWN_CHARS:]
        except ApiError as error:
            return f"no log: {error}"


@dataclass(frozen=True, slots=True)
class Inside:
    """Runs commands in the containers of a namespace: ``inside("a", "cat /f").stdout``."""

    kubectl: Kubectl
    namespace: str

    def __call__(self, name: str, script: str, *, container: str = "main", check: bool = True) -> Output:
        """Return the output of a shell script in a pod's container. Raises KubectlFailed as ``Kubectl`` does."""
        __tracebackhide__ = True
        where = ("-n", self.namespace, name, "-c", container)
        return self.kubectl("exec", *where, "--", "sh", "-c", script, check=check)


@pytest.fixture
def pods(client: Client, namespace: str, eventually: Callable[..., Any]) -> Pods:
    """Return what a test does with running pods. The case carries ``requires("pods-run")`` and ``needs(*RUN)``."""
    return Pods(client, namespace, eventually)


@pytest.fixture
def inside(kubectl: Kubectl, namespace: str) -> Inside:
    """Return a function that runs a script in a container. The case ``needs(EXEC)``."""
    return Inside(kubectl, namespace)


RUN = ("pods", "get pods/log")  # for the marker ``needs`` of a case with the fixture ``pods``
EXEC = "create,get pods/exec"  # with the fixture ``inside``


def _in_words(status: ContainerStatus) -> str:
    state = status.state
    restarts = f", restarts: {status.restartCount}" if status.restartCount else ""
    if state and state.running:
        return f"running{'' if status.ready else ', not ready'}{restarts}"
    if state and state.terminated:
        return f"ended with {state.terminated.exitCode} ({state.terminated.reason}){restarts}"
    if state and state.waiting:
        return f"waits: {state.waiting.reason} {state.waiting.message or ''}".rstrip() + restarts
    return "unknown"
